"""What all figures of a bi-clustering read: the point partition, its order and colours, and its bins end to end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, Problems, listed
from dynome.viz import canvas
from dynome.viz.blocks import Spans
from dynome.viz.palette import CATEGORIES, OKABE_ITO
from dynome.viz.sequences import courses

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

CLASSES = ("cell_type", "cell_class", "region", "area", "layer")  # coordinates that tell nodes apart
_point = ("cluster_maxpear", "cluster_vi")  # the former numbers the draws
_path = ("state_maxpear", "state_vi")
_max_columns = 1500  # runs of bins that a line is drawn through
_quiet = CATEGORIES[len(OKABE_ITO) :]  # states have the loud ones


class Partition(NamedTuple):
    """A point partition and how it is drawn.

    Attributes
    ----------
    names : (n_node,)
        Labels of the nodes, as stored.
    cluster : (n_node,)
        Cluster of each, from 0; -1 is unknown.
    order : (n_node,)
        Nodes cluster by cluster, the surest first.
    spans : dict
        Cluster, as a string, to its first and one past its last row in that order.
    colors : dict
        Cluster, as a string, to its colour.
    """

    names: list[str]
    cluster: Labels
    order: Labels
    spans: Spans
    colors: dict[str, str]


class Bins(NamedTuple):
    """All bins that were observed, sequences end to end.

    Attributes
    ----------
    clock : (time,)
        Time of a single sequence, else the number of the bin.
    keep : (n_bin,)
        Where they are in the flattened leading dims and time.
    starts : (n_sequence,)
        First bin of each sequence.
    leading : tuple of str
        Dims before time.
    path : (n_bin,)
        State of the point partition of each bin.
    """

    clock: xr.DataArray
    keep: Labels
    starts: Labels
    leading: tuple[str, ...]
    path: Labels


def group_of(results: object, group: str, names: Sequence[str], what: str) -> xr.Dataset:
    """A group of the results, with the variables that a figure needs.

    Raises
    ------
    InputError
        If it is no result of a bi-clustering, or lacks one of them.
    """
    problems = Problems(f"cannot draw {what}")
    if not isinstance(results, xr.DataTree):
        hint = "; pass model.results_" if hasattr(results, "get_params") else ""
        problems.add(f"expected an xarray DataTree, results_ of a bi-clustering, found {type(results).__name__}{hint}")
        problems.fail(InputError)
    if group not in results.children:
        found = listed(results.children) or "none"
        problems.add(f"expected the group /{group} of a bi-clustering, found the groups {found}")
        problems.fail(InputError)
    data = results[group].to_dataset()
    if missing := [n for n in names if n not in data.variables]:
        problems.add(f"/{group} lacks {listed(missing)}, it has {listed(data.variables) or 'nothing'}")
    problems.raise_if_any(InputError)
    return data


def partition_of(results: object, what: str) -> Partition:
    """The point partition of the nodes: the one that maximizes PEAR, else that of least variation."""
    data = _chosen(results, _point, what)
    name = next(n for n in _point if n in data)
    cluster = _whole(canvas.require_dims(data[name], ("node",), what, "see results_ of a bi-clustering"))
    names = canvas.labels_of(data[name], "node")
    doubt = canvas.finite(data["node_uncertainty"]) if "node_uncertainty" in data else np.zeros(cluster.size)
    last = np.where(cluster < 0, cluster.max(initial=0) + 1, cluster)
    order = np.lexsort((doubt, last))
    found, first, size = np.unique(last[order], return_index=True, return_counts=True)
    called = [str(c) if c <= cluster.max(initial=-1) else "-1" for c in found.tolist()]
    spans = {c: (int(a), int(a + n)) for c, a, n in zip(called, first, size, strict=True)}
    return Partition(names, cluster, order, spans, cluster_colors(called))


def _chosen(results: object, names: Sequence[str], what: str) -> xr.Dataset:
    data = group_of(results, "clustering", (), what)
    return data if any(n in data for n in names) else group_of(results, "clustering", names[:1], what)


def _whole(labels: xr.DataArray) -> Labels:
    values = canvas.finite(labels)
    return np.where(np.isfinite(values), values, -1).astype(np.int64)


def cluster_colors(clusters: Sequence[str]) -> dict[str, str]:
    """A colour for each cluster, none of those that the first states have; grey for -1. They repeat after nine."""
    return {c: "#BDBDBD" if c == "-1" else _quiet[int(c) % len(_quiet)] for c in clusters}


def bins_of(results: object, what: str) -> Bins:
    """Where the observed bins are, and their states."""
    data = _chosen(results, _path, what)
    path = data[next(n for n in _path if n in data)]
    if "time" not in path.dims:
        raise InputError(f"cannot draw {what}: states must have the dim time, found {tuple(map(str, path.dims))}")
    leading = tuple(str(d) for d in path.dims if d != "time")
    path = path.transpose(*leading, "time")
    values = _whole(path).reshape(-1)
    keep = np.flatnonzero(values >= 0)
    kind, found = courses(path)
    if len(found) == 1:
        clock = found[0].clock
        clock = clock.isel({clock.dims[0]: keep})
        return Bins(clock, keep, np.zeros(1, dtype=np.int64), leading, values[keep])
    length = path.sizes["time"]
    of = np.empty(values.size, dtype=np.int64)
    for k, course in enumerate(found):
        place = np.arange(values.size).reshape(path.shape)
        of[place[tuple(course.place.get(str(d), slice(None)) for d in path.dims)]] = k
    starts = np.concatenate([[0], np.flatnonzero(np.diff(of[keep])) + 1]) if length else np.zeros(1, dtype=np.int64)
    about = {"long_name": f"bin ({len(found):,} {kind}s end to end)"}
    clock = xr.DataArray(np.arange(keep.size, dtype=float), dims="time", name="bin", attrs=about)
    return Bins(clock, keep, starts.astype(np.int64), leading, values[keep])


def column_starts(bins: Bins) -> Labels:
    """First bins of runs of equal length, none of which spans two sequences."""
    length = max(-(-bins.keep.size // _max_columns), 1)
    stops = np.append(bins.starts[1:], bins.keep.size)
    return np.concatenate([np.arange(a, b, length) for a, b in zip(bins.starts, stops, strict=True)]).astype(np.int64)


def over_bins(array: xr.DataArray, bins: Bins, others: Sequence[str]) -> NDArray[Any]:
    """Values ``(n_bin, *others)`` of an array over the leading dims, time and others."""
    ordered = array.transpose(*bins.leading, "time", *others)
    length = int(np.prod([ordered.sizes[d] for d in (*bins.leading, "time")]))
    return ordered.to_numpy().reshape(length, *(ordered.sizes[d] for d in others))[bins.keep]


def averaged(values: Floats, columns: Labels) -> Floats:
    """Means ``(n_column, ...)`` of values of bins over runs that begin at `columns`."""
    count = np.diff(np.append(columns, len(values)))
    return np.asarray(np.add.reduceat(values, columns, axis=0) / count.reshape(-1, *[1] * (values.ndim - 1)))


def classes_of(data: xr.Dataset, by: str | None, what: str) -> xr.DataArray | None:
    """A coordinate that tells nodes apart: the one named, or the first known of cell type, region and so on.

    Raises
    ------
    InputError
        If the one named is unknown.
    """
    known = [str(n) for n, c in data.coords.items() if c.dims == ("node",) and n != "node"]
    if by is None:
        name = next((n for n in CLASSES if n in known), None)
        return None if name is None else data[name]
    if by not in known:
        raise InputError(
            f"cannot draw {what}: the nodes have no coordinate {by!r}; they have {listed(known) or 'none'}"
        )
    return data[by]
