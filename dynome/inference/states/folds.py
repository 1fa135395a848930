"""Recordings in parts: what a model is fitted to and what it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import seeds, study
from dynome.dynamics.hmm.sequences import ChainInput
from dynome.errors import InputError, listed
from dynome.schema import ACTIVITY, ANIMAL, NODE, SESSION, SPIKE_COUNT, TIME, TRIAL

Recording = xr.DataArray | xr.Dataset
Recordings = dict[str, Recording]
_Score = Callable[[Any], float]


class Fold(NamedTuple):
    """One division of the data.

    Attributes
    ----------
    train : DataArray, Dataset or dict
        What the model is fitted to; held-out blocks of time are NaN in it.
    score : callable
        Takes a fitted model and gives its marginal log likelihood of what was held out, in nats per observed bin and
        node.
    """

    train: ChainInput
    score: _Score


def folds_of(data: ChainInput, cv: str, n_folds: int, gap: int, seed: int) -> Iterator[Fold]:
    """The folds of any input of a chain model.

    Parameters
    ----------
    data : DataArray, Dataset, DataTree, dict or list
        As the model takes it.
    cv : str
        ``"time"``: contiguous blocks. Else a dim or coordinate whose values stay together, such as ``"session"``.
    n_folds : int
        At least 2.
    gap : int
        Bins beside a held-out block that are not trained on either.
    seed : int
        Of the division of sessions or trials; blocks of time have none.

    Raises
    ------
    InputError
        If there is no such dim or coordinate, or it has fewer values than folds.
    """
    recordings = _recordings(data)
    if cv == TIME:
        _check_lengths(recordings, n_folds, gap)
        return (_fold_in_time(recordings, k, n_folds, gap) for k in range(n_folds))
    units = [(key, value) for key, one in recordings.items() for value in _values(key, one, cv, len(recordings) > 1)]
    groups = list(dict.fromkeys(value for _, value in units))
    if len(groups) < n_folds:
        raise InputError(
            f"cannot make {n_folds} folds of {len(groups)} {cv}s ({listed(groups)}); lower n_folds or take cv='time'"
        )
    order = seeds.generator(seed, "folds").permutation(len(groups))
    parts = [{groups[k] for k in part} for part in np.array_split(order, n_folds)]
    return (_fold_of_groups(recordings, cv, part) for part in parts)


def _recordings(data: ChainInput) -> Recordings:
    if isinstance(data, xr.DataTree):
        return {**study.sessions(data)}
    if isinstance(data, Mapping) and not isinstance(data, xr.Dataset):
        return {str(key): cast(Recording, one) for key, one in data.items()}
    if isinstance(data, list | tuple):
        return {str(k): one for k, one in enumerate(data)}
    if not isinstance(data, xr.DataArray | xr.Dataset):
        raise InputError(f"expected a DataArray, Dataset, DataTree, dict or list, got {type(data).__name__}")
    return {"": data}


def _as_input(recordings: Recordings) -> ChainInput:
    """What the user gave is what the model gets: a single recording stays one."""
    return recordings[""] if list(recordings) == [""] else recordings


def _values(key: str, one: Recording, cv: str, many: bool) -> list[str]:
    """Values of the dim or coordinate `cv` in one recording, as labels that are unique over recordings."""
    found = _labels_along(one, cv)
    if found is not None and not (many and cv == ANIMAL):
        prefix = f"{key}/" if many else ""
        return [f"{prefix}{v}" for v in dict.fromkeys(found[1].tolist())]
    if many and cv in (SESSION, ANIMAL):
        return [key.strip("/").split("/")[0] if cv == ANIMAL else key]
    here = sorted({str(n) for n in (*one.dims, *one.coords)} - {TIME, NODE})
    here = [name for name in here if _labels_along(one, name) is not None]
    best = next((name for name in (SESSION, TRIAL, ANIMAL, *here) if name in here), TIME)
    raise InputError(
        f"cv must be 'time', or a dim or coordinate of one dim of the recordings; {cv!r} is none of "
        f"{listed(here) or '(there are none)'}; use cv={best!r}"
    )


def _labels_along(one: Recording, cv: str) -> tuple[str, NDArray[Any]] | None:
    """The dim along which `cv` lies, and its value at every position."""
    if cv in one.coords and one[cv].ndim == 1 and one[cv].dims != (NODE,):
        return str(one[cv].dims[0]), one[cv].to_numpy()
    if cv in one.dims and cv != NODE:
        return cv, np.arange(one.sizes[cv])
    return None


def _fold_of_groups(recordings: Recordings, cv: str, held_out: set[str]) -> Fold:
    train, test = _part(recordings, cv, held_out, False), _part(recordings, cv, held_out, True)
    return Fold(_as_input(train), lambda model: float(model.score(_as_input(test))))


def _part(recordings: Recordings, cv: str, groups: set[str], inside: bool) -> Recordings:
    """Recordings with only the groups that are named, or only those that are not."""
    out, many = {}, len(recordings) > 1
    for key, one in recordings.items():
        found = _labels_along(one, cv)
        if found is None or (many and cv == ANIMAL):
            if (_values(key, one, cv, many)[0] in groups) == inside:
                out[key] = one
            continue
        dim, values = found
        prefix = f"{key}/" if many else ""
        own = np.array([f"{prefix}{v}" in groups for v in values.tolist()])
        if (own == inside).any():
            out[key] = one.isel({dim: np.flatnonzero(own == inside)})
    return out


def _check_lengths(recordings: Recordings, n_folds: int, gap: int) -> None:
    for key, one in recordings.items():
        n_bin, least = one.sizes.get(TIME, 0), n_folds * (2 * gap + 2)
        if n_bin < least:
            raise InputError(
                f"{key}{': ' if key else ''}{n_folds} blocks with gaps of {gap} bins need at least {least} bins of "
                f"time, found {n_bin}; lower n_folds, or hold out whole trials or sessions with cv='trial'"
            )


def _fold_in_time(recordings: Recordings, k: int, n_folds: int, gap: int) -> Fold:
    """The k-th block of every recording is held out."""
    spans = {key: _block(one.sizes[TIME], k, n_folds) for key, one in recordings.items()}
    train = {key: _masked(one, spans[key], gap) for key, one in recordings.items()}

    def score(model: Any) -> float:
        total, count = 0.0, 0
        for key, one in recordings.items():
            first, last = spans[key]
            until = one.isel({TIME: slice(0, last)})
            likelihood = model.log_likelihood(until).isel({TIME: slice(first, last)})
            total += float(likelihood.sum())
            count += int(_observed(until).isel({TIME: slice(first, last)}).notnull().sum())
        return total / count if count else float("nan")

    return Fold(_as_input(train), score)


def _block(n_bin: int, k: int, n_folds: int) -> tuple[int, int]:
    edges = np.linspace(0, n_bin, n_folds + 1).astype(int)
    return int(edges[k]), int(edges[k + 1])


def _observed(one: Recording) -> xr.DataArray:
    if isinstance(one, xr.DataArray):
        return one
    return one[SPIKE_COUNT] if SPIKE_COUNT in one else one[ACTIVITY]


def _masked(one: Recording, span: tuple[int, int], gap: int) -> Recording:
    """A recording with NaN in one block of time and in the gaps beside it."""
    keep = np.ones(one.sizes[TIME], dtype=bool)
    keep[max(span[0] - gap, 0) : span[1] + gap] = False
    seen = _observed(one)
    values = seen.where(xr.DataArray(keep, dims=TIME))
    return values if isinstance(one, xr.DataArray) else one.assign({str(seen.name): values})
