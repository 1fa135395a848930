"""Where the windows of a recording begin."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dynome.errors import InputError, Problems

Closed = Literal["inclusive", "stagin"]


def starts_of_windows(n_time: int, width: int, stride: int, closed: Closed = "inclusive") -> NDArray[np.int64]:
    """First sample of every whole window.

    Parameters
    ----------
    n_time : int
        Samples of the recording.
    width, stride : int
        Samples in a window, and from the start of one window to the start of the next.
    closed : {"inclusive", "stagin"}
        Whether a window may end on the last sample. "stagin" drops that window, as the published code of STAGIN does
        [1]_.

    Returns
    -------
    (n_window,)
        Window ``k`` is ``x[out[k] : out[k] + width]``; samples that are left over at the end are in none.

    Raises
    ------
    InputError
        If no window fits, or a length is less than one sample.

    References
    ----------
    .. [1] Kim, Ye & Kim, NeurIPS 2021, arXiv:2105.13495.

    Examples
    --------
    >>> starts_of_windows(12, 4, 2).tolist(), starts_of_windows(12, 4, 2, closed="stagin").tolist()
    ([0, 2, 4, 6, 8], [0, 2, 4, 6])
    """
    problems = Problems("cannot place windows")
    if closed not in get_args(Closed):
        problems.add(f"closed must be one of {', '.join(map(repr, get_args(Closed)))}, got {closed!r}")
    if width < 1:
        problems.add(f"width must be at least one sample, got {width}")
    if stride < 1:
        problems.add(f"stride must be at least one sample, got {stride}")
    most = n_time - (closed == "stagin")
    if width > most:
        problems.add(f"a window of {width} samples does not fit a recording of {n_time}; use at most {most}")
    problems.raise_if_any(InputError)
    return np.arange(0, most - width + 1, stride, dtype=np.int64)
