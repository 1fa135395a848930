"""Which state of one fit is which of another, or of the truth; how often they agree."""

from __future__ import annotations

from typing import overload

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import align
from dynome.errors import InputError, Problems
from dynome.estimator import Estimator
from dynome.inference.states.fitted import results_of
from dynome.inference.states.state_runs import MISSING, decoded_states
from dynome.schema import STATE

Array = NDArray[np.float64]

_NEXT = "next_state"


def state_accuracy(decoded: xr.DataArray, truth: xr.DataArray) -> xr.Dataset:
    """Share of bins whose state was found, with one permutation of the states over all of the data.

    Parameters
    ----------
    decoded : (..., time) integers, or (..., time, state) probabilities
        As `decode` or `posterior` of a model gives it.
    truth : (..., time) integers
        True states on the same dims. Bins without a state in either (-1, NaN) do not count.

    Returns
    -------
    Dataset
        * ``accuracy``: share of bins that agree after the states were matched;
        * ``balanced_accuracy``: mean of ``recall`` over the true states;
        * ``recall (true_state)``: share of the bins of a true state that were found;
        * ``confusion (true_state, state)``: number of bins;
        * ``match (state)``: the true state that each state stands for, -1 for none.

    Raises
    ------
    InputError
        If the two do not lie on the same dims and labels, or no bin has a state in both.

    Notes
    -----
    The permutation with the most bins in agreement is found once, over all sessions (Hungarian algorithm). To choose it
    for each session anew would flatter: with states at random and short sessions it rises far above chance.

    Examples
    --------
    >>> truth = xr.DataArray([0, 0, 0, 1, 1, 2], dims="time")
    >>> found = state_accuracy(xr.DataArray([2, 2, 0, 0, 0, 1], dims="time"), truth)
    >>> round(float(found.accuracy), 3), found.match.to_numpy().tolist()
    (0.833, [1, 2, 0])
    """
    confusion = _confusion(decoded, truth)
    order = align.match(confusion).order
    agree = np.where(order >= 0, np.take_along_axis(confusion, order[:, None] % confusion.shape[1], 1)[:, 0], 0.0)
    in_state = confusion.sum(axis=1)
    recall = np.divide(agree, in_state, out=np.full(agree.size, np.nan), where=in_state > 0)
    match = np.full(confusion.shape[1], MISSING)
    match[order[order >= 0]] = np.flatnonzero(order >= 0)
    share = {"units": "1"}
    return xr.Dataset(
        {
            "accuracy": ((), agree.sum() / confusion.sum(), share | {"long_name": "share of bins in the true state"}),
            "balanced_accuracy": ((), np.nanmean(recall), share | {"long_name": "mean recall of the true states"}),
            "recall": ("true_state", recall, share | {"long_name": "share of a true state's bins that were found"}),
            "confusion": (("true_state", STATE), confusion.astype(np.int64), {"units": "count"}),
            "match": (STATE, match, {"long_name": "true state that a state stands for"}),
        },
        coords={"true_state": np.arange(confusion.shape[0]), STATE: np.arange(confusion.shape[1])},
    )


@overload
def matched_states(states: xr.DataArray, reference: xr.DataArray) -> xr.DataArray: ...
@overload
def matched_states(states: xr.Dataset | Estimator, reference: xr.Dataset | Estimator) -> xr.Dataset: ...
def matched_states(
    states: xr.DataArray | xr.Dataset | Estimator, reference: xr.DataArray | xr.Dataset | Estimator
) -> xr.DataArray | xr.Dataset:
    """States of one fit in the order and by the numbers of another fit, or of the truth.

    Parameters
    ----------
    states : (..., time) decoded states, (..., time, state) posterior, Dataset with dim state, or Estimator
        What is renumbered: what `decode` or `posterior` gives, or ``results_``. A fitted model stands for its
        ``results_``.
    reference : of the same kind
        Decoded states or posterior on the same bins; or a Dataset with variables in common that have dim ``state``
        (``coupling``, ``bias``, ``mean``, ...), such as the ``results_`` of another fit or the truth of a simulation.

    Returns
    -------
    DataArray or Dataset
        `states`, renumbered by one permutation. Decoded states beyond those of the reference keep the next free
        numbers.

    Raises
    ------
    InputError
        If the two have nothing in common to be matched by, or different numbers of states (decoded states may have).
    NotFittedError
        If a model was not fitted.

    Notes
    -----
    Series are matched by the bins that they share; results by the smallest sum of squared differences of their
    variables, each in units of its standard deviation.

    Examples
    --------
    >>> truth = xr.DataArray([0, 0, 1, 1, 2, 2], dims="time")
    >>> matched_states(xr.DataArray([1, 1, 2, 2, 0, 2], dims="time"), truth).to_numpy().tolist()
    [0, 0, 1, 1, 2, 1]
    """
    states, reference = results_of(states), results_of(reference)
    if isinstance(states, xr.Dataset) and isinstance(reference, xr.Dataset):
        order = align.match(-_distances(states, reference)).order
        moved = align.aligned(states, order, dim=STATE)
        return align.aligned(moved, order, dim=_NEXT) if _NEXT in moved.dims else moved
    if not (isinstance(states, xr.DataArray) and isinstance(reference, xr.DataArray)):
        raise InputError(
            "states and reference must be two DataArrays of states over time or two Datasets of results, got "
            f"{type(states).__name__} and {type(reference).__name__}"
        )
    if STATE in states.dims:
        n = states.sizes[STATE]
        order = align.match(_confusion(states, reference, (n, n))).order
        return align.aligned(states, order, dim=STATE)
    confusion = _confusion(states, reference)
    order = align.match(confusion).order
    number = np.full(confusion.shape[1] + 1, MISSING)  # the last place is for -1, which stays
    number[order[order >= 0]] = np.flatnonzero(order >= 0)
    left = np.flatnonzero(number[:-1] == MISSING)
    number[left] = confusion.shape[0] + np.arange(left.size)
    return states.copy(data=number[decoded_states(states).transpose(*states.dims).to_numpy()])


def parameter_order(estimate: Array, truth: Array) -> NDArray[np.int64]:
    """For each state of `truth` (n_state, ...) the state of `estimate` (n_state, ...) nearest to it, one to one.

    Entries that are NaN in either do not count.
    """
    return align.match(-_squares(estimate, truth)).order


def _confusion(decoded: xr.DataArray, truth: xr.DataArray, least: tuple[int, int] = (1, 1)) -> Array:
    """Bins by true state and decoded state."""
    found, known = decoded_states(decoded, "decoded states"), decoded_states(truth, "true states")
    if set(found.dims) != set(known.dims):
        raise InputError(
            f"states and truth must lie on the same dims, found {tuple(map(str, found.dims))} and "
            f"{tuple(map(str, known.dims))}"
        )
    try:
        found, known = xr.align(found, known.transpose(*found.dims), join="exact", copy=False)
    except ValueError as error:
        raise InputError(f"states and truth must lie on the same bins: {error}") from error
    a, b = found.to_numpy().ravel(), known.to_numpy().ravel()
    there = (a != MISSING) & (b != MISSING)
    if not there.any():
        raise InputError("no bin has both a decoded and a true state")
    n_found, n_known = max(int(a.max()) + 1, least[1]), max(int(b.max()) + 1, least[0])
    counts = np.bincount(b[there] * n_found + a[there], minlength=n_known * n_found)
    return counts.reshape(n_known, n_found).astype(np.float64)


def _distances(results: xr.Dataset, reference: xr.Dataset) -> Array:
    """Squared distances (reference state, state) over all variables that both have."""
    skip = {"time", _NEXT, "restart", "iteration"}
    problems = Problems("cannot match states")
    for name, data in (("states", results), ("reference", reference)):
        if STATE not in data.dims:
            problems.add(f"{name} has no dim state; give results_ of a model with several states")
    problems.raise_if_any(InputError)
    n = (reference.sizes[STATE], results.sizes[STATE])
    if n[0] != n[1]:
        raise InputError(f"expected equal numbers of states, found {n[1]} and {n[0]} in the reference")
    total = np.zeros(n)
    used = False
    for name in sorted(set(map(str, results.data_vars)) & set(map(str, reference.data_vars))):
        a, b = results[name], reference[name]
        fit = STATE in a.dims and set(a.dims) == set(b.dims) and not skip & set(a.dims) and a.dtype.kind == "f"
        if not fit or "error" in name or name == "occupancy":
            continue
        a = a.transpose(STATE, ...)
        rest = [d for d in a.dims if d != STATE]
        b = b.transpose(STATE, *rest).reindex({d: a[d] for d in rest if d in a.indexes and d in b.indexes})
        if a.shape != b.shape or not a.size:
            continue
        x, y = a.to_numpy(), b.to_numpy().astype(np.float64)
        spread = np.nanvar(np.concatenate([x, y]))
        if spread > 0:
            total += _squares(x, y) / spread
            used = True
    if not used:
        raise InputError(
            f"states and reference have no variable over state in common that differs: {sorted(map(str, results))} "
            f"and {sorted(map(str, reference))}"
        )
    return total


def _squares(estimate: Array, truth: Array) -> Array:
    """Mean squared difference of every pair of states (truth, estimate)."""
    a, b = estimate.reshape(estimate.shape[0], -1), truth.reshape(truth.shape[0], -1)
    out = np.zeros((b.shape[0], a.shape[0]))
    for k in range(a.shape[0]):
        difference = np.square(b - a[k])
        out[:, k] = np.nansum(difference, axis=1) / np.maximum(np.isfinite(difference).sum(axis=1), 1)
    return out
