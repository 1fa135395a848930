"""What a set of components tells about its number: effective dimension and core consistency."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LETTERS = "abcdefghijklmnopqrstuvw"


def effective_dimension(factor: Array) -> float:
    r"""How many directions the columns of a factor span, a number between 1 and their count.

    Parameters
    ----------
    factor : (n_row, rank)
        Loadings of one mode; any scale. Columns of zeros count as equal to one another.

    Returns
    -------
    float
        1 for one column or equal columns; with every component that repeats others it stops growing with the rank.

    Notes
    -----
    The unit columns are points; their mean is subtracted, and :math:`\sum_k s_k^2 / s_1^2` over the singular values is
    taken, the total variance in units of the largest.

    Examples
    --------
    >>> round(effective_dimension(np.eye(9)[:, :4]), 6)
    3.0
    >>> effective_dimension(np.ones((9, 4)))
    1.0
    """
    norms = np.linalg.norm(factor, axis=0)
    points = np.divide(factor, norms, out=np.zeros_like(factor), where=norms > 0).T
    variance = np.linalg.svd(points - points.mean(0), compute_uv=False) ** 2
    return float(variance.sum() / variance[0]) if variance[0] > 1e-12 else 1.0


def core_consistency(slabs: Iterable[tuple[slice, Array]], factors: Sequence[Array], *, mode: int = 0) -> float:
    r"""Core consistency (CORCONDIA): how far the components explain the data one by one, in percent.

    Parameters
    ----------
    slabs : iterable of (slice, array)
        The tensor in pieces along `mode`: which rows, and their entries. NaN is missing, and takes the value that the
        model has there.
    factors : sequence of (n_row, rank)
        One array a mode; their product is the model.
    mode : int
        Along which mode the pieces follow one another.

    Returns
    -------
    float
        100 where the best core array for these factors is superdiagonal; below about 50, and down to minus infinity,
        where components need each other, as they do beyond the right rank. NaN where the factors are dependent or a
        component is empty: then the core is not determined.

    Notes
    -----
    :math:`100 \left(1 - \lVert G - I \rVert^2 / R\right)` with :math:`G = X \times_1 A^+ \times_2 B^+ \times_3 C^+`
    [1]_; the products are taken one mode after the other, so that no Kronecker product is formed.

    References
    ----------
    .. [1] Bro & Kiers, Journal of Chemometrics 2003, doi:10.1002/cem.801.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b, c = (rng.random((n, 2)) for n in (6, 5, 4))
    >>> x = np.einsum("ir,jr,kr->ijk", a, b, c)
    >>> round(core_consistency([(slice(None), x)], [a, b, c]), 6)
    100.0
    """
    rank, order = factors[0].shape[1], len(factors)
    if any(np.linalg.matrix_rank(f) < rank for f in factors):
        return float("nan")
    inverse = [np.linalg.pinv(f) for f in factors]
    letters = _LETTERS[:order]
    model = ",".join(f"{c}z" for c in letters) + "->" + letters
    core = np.zeros((rank,) * order)
    for rows, slab in slabs:
        x = slab
        if (missing := np.isnan(slab)).any():
            here = [f[rows] if m == mode else f for m, f in enumerate(factors)]
            x = np.where(missing, np.einsum(model, *here, optimize=True), slab)
        for m in range(order):
            x = np.moveaxis(np.tensordot(inverse[m][:, rows] if m == mode else inverse[m], x, (1, m)), 0, m)
        core += x
    ideal = np.zeros_like(core)
    ideal[(np.arange(rank),) * order] = 1.0
    return float(100 * (1 - ((core - ideal) ** 2).sum() / rank))
