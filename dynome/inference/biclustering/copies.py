"""Assignment of whole arrays within compiled loops.

``out[k] = source`` says the same, but numba then compiles the text of a message about shapes that do not fit, which
takes seconds in every kernel. Here shapes must be equal, and nothing checks it.
"""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def copy(source, out):  # type: ignore[no-untyped-def]
    """``out[:] = source``."""
    for k in range(out.size):
        out.flat[k] = source.flat[k]


@njit(cache=True, nogil=True)
def add(source, share, out):  # type: ignore[no-untyped-def]
    """``out += share * source``."""
    for k in range(out.size):
        out.flat[k] += share * source.flat[k]
