"""Many measures of the whole at once, and how far each lies from what null connectomes have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from dynome import progress, seeds
from dynome.connectome import edge_table
from dynome.connectome.communities.finding import find_communities
from dynome.connectome.communities.modularities import modularity
from dynome.connectome.construction import from_adjacency
from dynome.connectome.metrics.adjacency import EdgeType, joined
from dynome.connectome.metrics.hierarchy import feedforward_levels
from dynome.connectome.metrics.links import density, reciprocity
from dynome.connectome.metrics.mixing import degree_assortativity
from dynome.connectome.metrics.paths import efficiency, local_efficiency, path_lengths
from dynome.connectome.metrics.reachability import Connection, components
from dynome.connectome.metrics.triads import CONNECTED, triad_census
from dynome.connectome.metrics.triangles import clustering
from dynome.connectome.nulls.kinds import NullKind, null_connectome
from dynome.connectome.selection import subgraph
from dynome.errors import InputError, listed
from dynome.permutation import permutation_p_value, z_score
from dynome.schema import NODE
from dynome.units import DIMENSIONLESS

Measure = Callable[[xr.Dataset], float | xr.DataArray]


def network_metrics(
    connectome: xr.Dataset, metric: str | Sequence[str] | None = None, *, edge_type: EdgeType = None
) -> xr.DataArray:
    """The usual measures of a whole connectome in one table.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    metric : str, list of str or None
        Names of `METRICS`; None takes all. ``"triads"`` stands for the counts of the thirteen connected triads.
    edge_type : str, list of str or None
        Edge types to look at; None looks at all.

    Returns
    -------
    value (metric), dimensionless
        What counts is whether there is an edge between two different nodes. ``"modularity"`` is that of the best
        communities that one search finds. Measures that a graph does not have are NaN.

    Raises
    ------
    InputError
        If a metric is unknown.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> made = from_edges({"source": ["a", "b"], "target": ["b", "a"]})
    >>> network_metrics(made, ["density", "reciprocity"]).values.tolist()
    [1.0, 1.0]
    """
    made = subgraph(edge_table.checked(connectome), edge_type=edge_type)
    found = _values(made, _measures(metric if metric is not None else list(METRICS)))
    attrs = {"units": DIMENSIONLESS, "long_name": "value"}
    return xr.DataArray(list(found.values()), dims="metric", coords={"metric": list(found)}, name="value", attrs=attrs)


def null_scores(
    connectome: xr.Dataset,
    metric: str | Measure | Sequence[str | Measure],
    *,
    null: NullKind = "degree",
    n_null: int = 100,
    edge_type: EdgeType = None,
    by: str | ArrayLike | xr.DataArray = "cell_type",
    random_state: int | None = None,
) -> xr.Dataset:
    """How far measures of a connectome lie from those of null connectomes.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    metric : str, function or list of these
        Names as in `network_metrics`, or functions that take a connectome and return a number or an array with one
        labelled dim.
    null : str
        Kind of null connectome: see `null_connectome`.
    n_null : int
        How many to draw, at least two.
    edge_type : str, list of str or None
        Edge types to look at; None looks at all.
    by : str, (node,) or DataArray (node)
        Cell types, for ``null="type"``.
    random_state : int or None
        Seed; None draws a fresh one. Kept in ``attrs["random_state"]``.

    Returns
    -------
    Dataset (metric)
        ``observed``; ``null_mean`` and ``null_sd`` over the draws; ``z_score``; ``p_value``, two-sided, at least
        ``2 / (n_null + 1)``; and ``draws (metric, draw)``. A function is named by its ``__name__``; an array gives a
        row for each of its labels.

    Raises
    ------
    InputError
        If a metric is unknown, two have one name, or `n_null` is less than 2.

    Notes
    -----
    The p-value is twice the smaller of the two one-sided ones (see `dynome.permutation.permutation_p_value`); of many
    metrics some are small by chance: `dynome.permutation.q_value`.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> names = [str(k) for k in range(20)]
    >>> made = from_edges({"source": names * 2, "target": names[1:] + names[:1] + names[-1:] + names[:-1]})
    >>> null_scores(made, "reciprocity", n_null=20, random_state=0).z_score.item() > 5
    True
    """
    if n_null < 2:
        raise InputError(f"n_null must be at least 2, got {n_null}")
    measures = _measures(metric)
    made = subgraph(edge_table.checked(connectome), edge_type=edge_type)
    observed = _values(made, measures)
    seed = seeds.resolve(random_state)
    draws = np.empty((len(observed), n_null))
    with progress.task(f"null connectomes ({null})", total=n_null) as advance:
        for k in range(n_null):
            draw_seed = int(seeds.generator(seed, "null_scores", null, k).integers(2**31))
            found = _values(null_connectome(made, null, by=by, random_state=draw_seed), measures)
            draws[:, k] = [found.get(name, np.nan) for name in observed]
            advance(1)
    value = np.array(list(observed.values()))
    above, below = permutation_p_value(value, draws), permutation_p_value(-value, -draws)
    known = np.where(np.isnan(draws), np.nan, draws)
    one = {"units": DIMENSIONLESS}
    return xr.Dataset(
        {
            "observed": ("metric", value, {**one, "long_name": "observed"}),
            "null_mean": ("metric", known.mean(axis=1), {**one, "long_name": "mean of null connectomes"}),
            "null_sd": ("metric", known.std(axis=1, ddof=1), {**one, "long_name": "sd of null connectomes"}),
            "z_score": ("metric", z_score(value, draws), {**one, "long_name": "z-score"}),
            "p_value": ("metric", np.minimum(1, 2 * np.minimum(above, below)), {**one, "long_name": "p-value"}),
            "draws": (("metric", "draw"), draws, one),
        },
        coords={"metric": list(observed)},
        attrs={"null": null, "n_null": n_null, "random_state": seed},
    )


def _measures(metric: str | Measure | Sequence[str | Measure]) -> dict[str, Measure]:
    several = [metric] if isinstance(metric, str) or callable(metric) else list(metric)
    known: Mapping[str, Measure] = {**METRICS, "triads": _connected_triads}
    if strangers := [m for m in several if isinstance(m, str) and m not in known]:
        raise InputError(f"metric must be one of {listed(known, limit=99)} or a function, got {listed(strangers)}")
    named = [(m, known[m]) if isinstance(m, str) else (getattr(m, "__name__", "metric"), m) for m in several]
    if len({name for name, _ in named}) < len(named):
        raise InputError(f"metrics need names of their own, got {listed([name for name, _ in named])}")
    return dict(named)


def _values(connectome: xr.Dataset, measures: Mapping[str, Measure]) -> dict[str, float]:
    """Numbers by name; an array gives one for each of its labels."""
    out: dict[str, float] = {}
    for name, measure in measures.items():
        found = measure(connectome)
        if not isinstance(found, xr.DataArray) or found.ndim == 0:
            out[name] = float(found)
            continue
        if found.ndim != 1 or found.dims[0] not in found.coords:
            raise InputError(f"{name} must return a number or an array with one labelled dim, found dims {found.dims}")
        out |= {f"{name} {label}": float(v) for label, v in zip(found[found.dims[0]].values, found.values, strict=True)}
    return out


def _connected_triads(connectome: xr.Dataset) -> xr.DataArray:
    return triad_census(connectome).sel(triad=list(CONNECTED))


def _modularity(connectome: xr.Dataset) -> float:
    there = joined(connectome, None)
    if not there.nnz:
        return float("nan")
    graph = from_adjacency(there, node=connectome[NODE].to_numpy(), units=DIMENSIONLESS, edge_type="structural")
    return modularity(graph, find_communities(graph, random_state=0))


def _largest(connectome: xr.Dataset, connection: Connection) -> float:
    """The share of nodes in the largest component."""
    component = components(connectome, connection=connection)
    return float((component == 0).mean()) if component.size else float("nan")


def _mean(values: xr.DataArray) -> float:
    return float(values.mean()) if values.size else float("nan")


METRICS: Mapping[str, Measure] = {
    "density": density,
    "reciprocity": reciprocity,
    "clustering": lambda c: _mean(clustering(c)),
    "efficiency": efficiency,
    "local_efficiency": lambda c: _mean(local_efficiency(c)),
    "path_length": lambda c: float(path_lengths(c)["mean"]),
    "reachable": lambda c: float(path_lengths(c)["reachable"]),
    "degree_assortativity": degree_assortativity,
    "modularity": _modularity,
    "incoherence": lambda c: float(feedforward_levels(c, use_weights=False).attrs["incoherence"]),
    "largest_component": lambda c: _largest(c, "weak"),
    "largest_strong_component": lambda c: _largest(c, "strong"),
}
