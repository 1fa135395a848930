"""Activity as every method of this folder sees it: stretches of complete frames of nodes that vary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, study
from dynome.dynamics.hmm.gathering import ChainInput
from dynome.dynamics.hmm.sequences import Sequences, stacked
from dynome.errors import InputError, listed
from dynome.schema import ACTIVITY, SPIKE_COUNT

Array = NDArray[np.float64]

ANIMALS, SESSIONS = "animal", "session"


class Sample(NamedTuple):
    """What one estimate is made from."""

    values: Array
    """(n_bin, n_kept), as recorded; no NaN."""
    scaled: Array
    """(n_bin, n_kept), each node of each recording with mean 0 and standard deviation 1."""
    starts: NDArray[np.int64]
    """(n_stretch + 1,): where each stretch of neighbouring bins begins, and the number of bins."""
    kept: NDArray[np.bool_]
    """(n_node,): nodes that vary; the others have no estimate."""
    nodes: labels.StrArray
    """(n_node,) all labels."""
    counts: bool
    """Whether the values are spike counts."""
    step: float | None
    """Seconds a bin, where there is a clock."""


def stretches(sample: Sample) -> list[slice]:
    """The bins of each stretch."""
    return [slice(a, b) for a, b in zip(sample.starts[:-1], sample.starts[1:], strict=True)]


def animals_of(data: ChainInput) -> dict[str, dict[str, Any]]:
    """Recordings by animal and session.

    Parameters
    ----------
    data : DataTree, mapping or list
        Paths are "animal" or "animal/session"; recordings of a list are named by their numbers.

    Raises
    ------
    InputError
        If there is none.
    """
    found: Mapping[str, Any]
    if isinstance(data, xr.DataTree):
        found = study.sessions(data)
    elif isinstance(data, Mapping):
        found = {str(key): value for key, value in data.items()}
    elif hasattr(data, "ndim"):  # an array is refused when it is read, without a name that nobody gave
        found = {"": data}
    else:
        found = {str(k): value for k, value in enumerate(data)}
    if not found:
        raise InputError("cannot infer connectivity: expected at least one recording, found none")
    grouped: dict[str, dict[str, Any]] = {}
    for path, recording in found.items():
        animal, _, session = path.partition("/")
        grouped.setdefault(animal, {})[session or animal] = recording
    return grouped


def read(recordings: Mapping[str, Any], variable: str | None, subject: str) -> list[Sequences]:
    """Each recording as a stack of bins.

    Parameters
    ----------
    recordings : mapping of str to DataArray or Dataset
    variable : str or None
        None takes spike counts, else activity.
    subject : str
        What cannot be done, for the message.
    """
    names = (SPIKE_COUNT, ACTIVITY) if variable is None else (variable,)
    return [stacked(item, names, subject=f"{subject} of {key}" if key else subject) for key, item in recordings.items()]


def joint_sample(parts: Sequence[Sequences], counts: bool, min_bins: int, subject: str) -> Sample:
    """Recordings of the same nodes as one sample.

    Parameters
    ----------
    parts : sequence of Sequences
        Nodes in any order.
    counts : bool
        Whether they are spike counts.
    min_bins : int
        Shortest stretch that is of use; shorter ones are left out.
    subject : str
        What cannot be done, for the message.

    Raises
    ------
    InputError
        If nodes differ, fewer than two vary, or too few frames are left.
    """
    nodes = labels.as_labels(parts[0].nodes)
    ordered = [part.y[:, _places(nodes, part, subject)] for part in parts]
    seen = np.logical_and.reduce([np.isfinite(y).any(axis=0) for y in ordered])
    _need(int(seen.sum()), nodes, subject)
    cut = [_complete(y[:, seen], part.starts, min_bins) for y, part in zip(ordered, parts, strict=True)]
    lengths = np.concatenate([lengths for _, lengths in cut])
    # A node that only varies in some recordings varies.
    varies = np.logical_or.reduce([_spread(y) > 0 for y, _ in cut])
    kept = seen.copy()
    kept[seen] = varies
    n_bin, n_kept = int(lengths.sum()), int(kept.sum())
    if n_bin < max(min_bins, 4):
        gone = sum(len(y) for y in ordered) - n_bin
        raise InputError(
            f"{subject}: {n_bin} bins are left of {n_bin + gone} after frames with NaN, and stretches shorter than "
            f"{min_bins} bins between them, are left out; interpolate gaps, drop the nodes that have them, or take "
            "fewer lags"
        )
    _need(n_kept, nodes, subject)
    raw = [y[:, varies] for y, _ in cut]
    scaled = [(y - y.mean(axis=0)) / np.where(_spread(y) > 0, _spread(y), 1.0) for y in raw if len(y)]
    steps = [part.step for part in parts if part.step is not None]
    return Sample(
        values=np.concatenate(raw),
        scaled=np.concatenate(scaled),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        kept=kept,
        nodes=nodes,
        counts=counts,
        step=float(np.median(steps)) if steps else None,
    )


def _places(nodes: labels.StrArray, part: Sequences, subject: str) -> NDArray[np.int64]:
    own = labels.as_labels(part.nodes)
    lacking, unknown = np.setdiff1d(nodes, own), np.setdiff1d(own, nodes)
    if lacking.size or unknown.size:
        raise InputError(
            f"{subject}: the sessions of an animal have different nodes, missing {listed(lacking) or 'none'}, unknown "
            f'{listed(unknown) or "none"}; use sessions="average" or "separate", or select the shared nodes'
        )
    return labels.positions(nodes, own)


def _need(n: int, nodes: labels.StrArray, subject: str) -> None:
    if n < 2:
        raise InputError(f"{subject}: at least 2 nodes that vary are needed, found {n} of {nodes.size}")


def _spread(y: Array) -> Array:
    """Standard deviation of every column; exactly 0 where it is constant, or where there is no bin."""
    if not len(y):
        return np.zeros(y.shape[1])
    return np.where(y.max(axis=0) > y.min(axis=0), y.std(axis=0), 0.0)


def _complete(y: Array, starts: NDArray[np.int64], min_bins: int) -> tuple[Array, NDArray[np.int64]]:
    """Complete frames, and the lengths of the stretches between which some are missing."""
    complete: NDArray[np.bool_] = np.asarray(np.isfinite(y).all(axis=1))
    begins = np.zeros(len(y) + 1, dtype=bool)
    begins[starts] = True
    begins[1:-1] |= complete[1:] != complete[:-1]
    begins[-1] = True
    edges = np.flatnonzero(begins)
    lengths = np.diff(edges)
    good = complete[edges[:-1]] & (lengths >= min_bins)
    rows = np.repeat(good, lengths)
    return y[rows], lengths[good]
