"""How right an inferred connectivity is, where the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import rankdata

from dynome import seeds
from dynome.errors import InputError
from dynome.inference.wiring.truths import compared
from dynome.schema import NODE, SOURCE, TARGET

Array = NDArray[np.float64]

EDGES = ("directed", "undirected")
_level = 0.95


def connectivity_scores(
    estimate: xr.DataArray,
    truth: xr.Dataset | xr.DataArray | xr.DataTree,
    *,
    n_bootstrap: int = 1000,
    random_state: int | None = 0,
) -> xr.Dataset:
    """How well an estimate tells true edges from pairs without one, and its direction and its sign.

    Parameters
    ----------
    estimate : ([subject,] source, target)
        From `infer_connectivity`; at most one leading dim, whatever its name, of subjects. Edges are ranked by
        magnitude, with ``attrs["signed"] == 0`` by value. NaN pairs are left out.
    truth : connectome, (source, target), or a study with a connectome
        Joined to the estimate by label. NaN or 0 in a matrix is no edge; of a connectome, edge types are added up.
    n_bootstrap : int
        Draws of subjects for the intervals.
    random_state : int or None
        Seed of the bootstrap.

    Returns
    -------
    Dataset
        Dimensionless, by ``edges``: "directed" (ordered pairs) and "undirected" (pairs, true if either direction is,
        ranked by the mean magnitude of both):

        * ``auroc (edges[, subject])``: how often a true edge is ranked above a pair without one; chance is 0.5;
        * ``auprc (edges[, subject])``: average precision; ``auprc_chance`` is the share of true edges.

        And ``direction_accuracy ([subject])``: of the true edges without a true edge back, the share in which the true
        direction is the stronger one (ties count half; NaN if no pair has a stronger direction);
        ``sign_accuracy ([subject])``: of the true edges, the share with the right sign (NaN for methods without signs).

        With subjects each has ``_mean``, and ``_low`` and ``_high``, a 95 % bootstrap interval of the mean over
        subjects. ``node`` lists what was compared; ``attrs["hidden"]`` and ``attrs["left_out"]`` the nodes that only
        the truth and only the estimate has.

    Raises
    ------
    InputError
        If fewer than 3 nodes are shared, or the estimate has several leading dims.

    Notes
    -----
    Where few pairs are connected, AUROC flatters: look at average precision against its chance level. The interval is
    over subjects with one truth; it says nothing of other wirings.

    Examples
    --------
    >>> names = {"source": list("abc"), "target": list("abc")}
    >>> truth = xr.DataArray([[0, 1, 0], [0, 0, 1], [0, 0, 0]], names, ("source", "target"))
    >>> guess = xr.DataArray([[np.nan, 0.9, 0.1], [0.2, np.nan, 0.8], [0.1, 0.3, np.nan]], names, ("source", "target"))
    >>> scores = connectivity_scores(guess, truth)
    >>> float(scores.auroc.sel(edges="directed")), float(scores.direction_accuracy)
    (1.0, 1.0)
    """
    both = compared(estimate, truth)
    leading = [str(d) for d in estimate.dims if d not in (SOURCE, TARGET)]
    if len(leading) > 1:
        raise InputError(f"expected at most one dim of subjects, found {leading}; average over the others")
    if n_bootstrap < 1:
        raise InputError(f"n_bootstrap must be at least 1, got {n_bootstrap}")
    signed = bool(estimate.attrs.get("signed", 1))
    stack = both.estimate if leading else both.estimate[None]
    rows = [_scored(values, both.weight, signed) for values in stack]
    found: dict[str, tuple[tuple[str, ...], Array]] = {}
    for name, dims in _dims.items():
        values = np.array([row[name] for row in rows])
        if not leading:
            found[name] = (dims, values[0])
            continue
        found[name] = ((*dims, *leading), np.moveaxis(values, 0, -1))
        rng = seeds.generator(random_state, "connectivity_scores", name)
        for suffix, part in zip(("mean", "low", "high"), _interval(values, n_bootstrap, rng), strict=True):
            found[f"{name}_{suffix}"] = (dims, part)
    coords: dict[str, Any] = {"edges": list(EDGES), NODE: both.nodes}
    coords |= {d: estimate.coords[d].variable for d in leading if d in estimate.coords}
    data = {name: (dims, values, {"units": "1", "long_name": _long(name)}) for name, (dims, values) in found.items()}
    attrs = {k: v for k, v in estimate.attrs.items() if k in ("method", "directed", "signed")}
    return xr.Dataset(data, coords, attrs | {"hidden": both.hidden, "left_out": both.unknown})


_dims: dict[str, tuple[str, ...]] = {
    "auroc": ("edges",),
    "auprc": ("edges",),
    "auprc_chance": ("edges",),
    "direction_accuracy": (),
    "sign_accuracy": (),
}
_names = {
    "auroc": "area under the ROC curve",
    "auprc": "average precision",
    "auprc_chance": "share of true edges",
    "direction_accuracy": "share of right directions",
    "sign_accuracy": "share of right signs",
}
_suffixes = {"mean": "mean over subjects", "low": "lower end of the interval", "high": "upper end of the interval"}


def _long(name: str) -> str:
    base, _, suffix = name.rpartition("_")
    return f"{_names[base]}, {_suffixes[suffix]}" if suffix in _suffixes else _names[name]


def _scored(values: Array, weight: Array, signed: bool) -> dict[str, Any]:
    rank = np.abs(values) if signed else values
    known = ~np.isnan(rank)
    edge = weight != 0
    upper = np.triu(np.ones_like(known), 1) & known & known.T
    pairs = {
        "directed": (edge[known], rank[known]),
        "undirected": ((edge | edge.T)[upper], ((rank + rank.T) / 2)[upper]),
    }
    ranked = [_ranked(*pairs[kind]) for kind in EDGES]
    columns = dict(zip(("auroc", "auprc", "auprc_chance"), np.array(ranked).T, strict=True))
    return {
        **columns,
        "direction_accuracy": _direction(rank, edge, known),
        "sign_accuracy": _sign(values, weight, known) if signed else np.nan,
    }


def _ranked(edge: NDArray[np.bool_], rank: Array) -> tuple[float, float, float]:
    """AUROC, average precision and its chance level; NaN where there is nothing to tell apart."""
    if not edge.any() or edge.all():
        return np.nan, np.nan, float(edge.mean()) if edge.size else np.nan
    n_edge = int(edge.sum())
    above = rankdata(rank)[edge].mean() - (n_edge + 1) / 2
    order = np.argsort(-rank, kind="stable")
    last = np.append(np.flatnonzero(np.diff(rank[order])), rank.size - 1)  # of each run of equal ranks
    found = np.cumsum(edge[order])[last]
    precision = found / (last + 1)
    average = (np.diff(found, prepend=0) * precision).sum() / n_edge
    return float(above / (edge.size - n_edge)), float(average), float(edge.mean())


def _direction(rank: Array, edge: NDArray[np.bool_], known: NDArray[np.bool_]) -> float:
    source, target = np.nonzero(edge & ~edge.T & known & known.T)
    there, back = rank[source, target], rank[target, source]
    scale = np.maximum(np.abs(there), np.abs(back))
    tied = np.abs(there - back) <= 1e-12 * scale
    if not source.size or tied.all():
        return np.nan
    return float(np.where(tied, 0.5, there > back).mean())


def _sign(values: Array, weight: Array, known: NDArray[np.bool_]) -> float:
    true = (weight != 0) & known
    return float((np.sign(values[true]) == np.sign(weight[true])).mean()) if true.any() else np.nan


def _interval(values: Array, n_bootstrap: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Mean over the first axis without NaN, and the ends of its bootstrap interval."""
    draws = rng.integers(len(values), size=(n_bootstrap, len(values)))
    tail = 100 * (1 - _level) / 2
    low, high = np.percentile(_mean(values[draws].swapaxes(0, 1)), [tail, 100 - tail], axis=0)
    return _mean(values), low, high


def _mean(values: Array) -> Array:
    count = (~np.isnan(values)).sum(axis=0)
    return np.asarray(np.nansum(values, axis=0) / np.where(count > 0, count, np.nan))
