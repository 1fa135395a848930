"""A rule that reads the number of components off a rank curve."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError

STABLE = 0.9
RULE = (
    "For hidden entries and for new animals: the smallest rank whose held-out error is within one standard error "
    "(paired over folds or animals) of the lowest. Of the two ranks the larger, or else the largest below it whose "
    f"components return from other starts and in fits to parts of the data (median similarity of at least {STABLE:g})."
)

_ERRORS = ("held_out_error", "held_out_error_animal")
_RETURNS = ("similarity", "fold_similarity")


def choose_rank(curve: xr.Dataset) -> int:
    """The number of components that the data support.

    Parameters
    ----------
    curve : Dataset
        As `rank_curve` gives it; the rule is in ``curve.attrs["rule"]``.

    Returns
    -------
    int
        The smallest rank of the curve where nothing is stable.

    Raises
    ------
    InputError
        If the curve has no held-out error.

    Examples
    --------
    >>> error = xr.DataArray([[0.5, 0.6], [0.2, 0.3], [0.2, 0.29]], dims=("rank", "fold"))
    >>> choose_rank(xr.Dataset({"held_out_error": error}, {"rank": [1, 2, 3]}))
    2
    """
    ranks = curve["rank"].to_numpy()
    errors = [_by_rank(curve[name]) for name in _ERRORS if name in curve]
    known = [e for e in errors if np.isfinite(e).any()]
    if not known:
        raise InputError("the curve has no held-out error to choose a rank by; make it with rank_curve")
    foreseen = max(_foreseen(e) for e in known)
    stable = np.ones(ranks.size, dtype=bool)
    for name in _RETURNS:
        if name in curve and (table := _by_rank(curve[name])).size:
            stable &= np.median(table, axis=1) >= STABLE
    usable = np.flatnonzero(stable[: foreseen + 1])
    return int(ranks[usable[-1] if usable.size else 0])


def _by_rank(values: xr.DataArray) -> NDArray[np.float64]:
    """Ranks in rows; columns that are missing at some rank are left out."""
    table = values.transpose("rank", ...).to_numpy().reshape(values.sizes["rank"], -1)
    return np.asarray(table[:, np.isfinite(table).all(axis=0)])


def _foreseen(errors: NDArray[np.float64]) -> int:
    """Position of the smallest rank that is as good as the best, up to one standard error of the difference."""
    best = int(np.argmin(errors.mean(axis=1)))
    above = errors - errors[best]
    n = errors.shape[1]
    error = above.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.zeros(errors.shape[0])
    return int(np.flatnonzero(above.mean(axis=1) <= error)[0])
