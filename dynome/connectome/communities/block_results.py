"""Labels for the fit of a block model."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.connectome.communities.blockmodel.fitting import PARTS, Fit, parts_of
from dynome.connectome.metrics.reachability import by_size
from dynome.schema import ITERATION, NODE, RESTART, SOURCE, TARGET
from dynome.units import DIMENSIONLESS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

GROUP, OTHER, LEVEL, PART, MODEL = "group", "other", "level", "part", "model"
NATS = "nat"
LARGEST_CO_ASSIGNMENT = 1_000


def labelled(fit: Fit, linked: Ints, nodes: xr.Dataset, level: int, soft: Floats | None) -> xr.Dataset:
    """The results of a block model.

    Parameters
    ----------
    fit : Fit
        Of the nodes with edges.
    linked : (n_linked,)
        Positions of these among all nodes.
    nodes : Dataset (node)
        All nodes.
    level : int
        The level that is reported as ``community``.
    soft : (n_linked, n_group) or None
        How often each node was in each group.

    Returns
    -------
    Dataset
        As `dynome.connectome.WeightedSBM` documents it.
    """
    n_node = nodes.sizes[NODE]
    hierarchy = np.full((fit.best.ancestor.shape[0] + 1, n_node), -1)
    hierarchy[:, linked] = [by_size(row) for row in _levels(fit.best.group, fit.best.ancestor)]
    order = _by_size_order(fit.best.group, hierarchy[0, linked])
    restarts = np.full((len(fit.restarts), n_node), -1)
    restarts[:, linked] = [by_size(_levels(r.group, r.ancestor)[min(level, r.ancestor.shape[0])]) for r in fit.restarts]
    shift = fit.problem.constant + fit.problem.weight_constant
    density, weight = _cells(fit, order)
    arrays = {
        "community": (NODE, hierarchy[level], "community", DIMENSIONLESS),
        "hierarchy": ((LEVEL, NODE), hierarchy, "communities of every level", DIMENSIONLESS),
        "n_communities": (LEVEL, hierarchy.max(axis=1) + 1, "number of communities", DIMENSIONLESS),
        "description_length": (PART, parts_of(fit), "description length", NATS),
        "model_description_length": (MODEL, np.array(list(fit.candidates.values())), "description length", NATS),
        "restart_description_length": (
            RESTART, np.array([r.length + shift for r in fit.restarts]), "description length", NATS
        ),
        "restart_community": ((RESTART, NODE), restarts, "communities of every run", DIMENSIONLESS),
        "history": (ITERATION, np.array(fit.best.history) + shift, "description length", NATS),
        "edge_density": ((GROUP, OTHER), density, "edges per pair of nodes", DIMENSIONLESS),
        "mean_weight": ((GROUP, OTHER), weight, "mean weight of the edges", DIMENSIONLESS),
    }  # fmt: skip
    coords = {
        PART: list(PARTS),
        MODEL: [f"{name}, {'degree-corrected' if dc else 'plain'}" for name, dc in fit.candidates],
        LEVEL: np.arange(hierarchy.shape[0]),
    }
    if soft is not None:
        whole = np.zeros((n_node, soft.shape[1]))
        whole[linked] = soft[:, order]
        arrays["membership"] = ((NODE, GROUP), whole, "probability of being in a group", DIMENSIONLESS)
    if n_node <= LARGEST_CO_ASSIGNMENT:
        together = (restarts[:, :, None] == restarts[:, None, :]) & (restarts[:, :, None] >= 0)
        arrays["co_assignment"] = ((SOURCE, TARGET), together.mean(axis=0), "share of runs together", DIMENSIONLESS)
        coords |= {SOURCE: nodes[NODE].to_numpy(), TARGET: nodes[NODE].to_numpy()}
    variables = {
        name: (dims, values, {"units": units, "long_name": long_name})
        for name, (dims, values, long_name, units) in arrays.items()
    }
    attrs = {
        "weight_model": fit.model,
        "degree_corrected": int(fit.corrected),
        "directed": int(fit.problem.law.directed),
        "community_level": level,
    }
    return nodes.coords.to_dataset().assign(variables).assign_coords(coords).assign_attrs(attrs)


def _levels(group: Ints, ancestor: Ints) -> list[Ints]:
    return [group, *(row[group] for row in ancestor)]


def _by_size_order(group: Ints, numbered: Ints) -> Ints:
    """The group of the fit that each number stands for."""
    order = np.empty(int(group.max()) + 1, dtype=np.int64)
    order[numbered] = group
    return order


def _cells(fit: Fit, order: Ints) -> tuple[Floats, Floats]:
    """Density and mean weight between groups; NaN where there is no pair of nodes, or no edge."""
    graph, n_group = fit.problem.graph, order.size
    number = np.empty(n_group, dtype=np.int64)
    number[order] = np.arange(n_group)
    group = number[fit.best.group]
    row = group[np.repeat(np.arange(group.size), np.diff(graph.start))]
    cell = row * n_group + group[graph.end]
    shape = (n_group, n_group)
    edges = np.bincount(cell, minlength=n_group**2).reshape(shape)
    sums = np.bincount(cell, weights=fit.weight, minlength=n_group**2).reshape(shape)
    size = np.bincount(group)
    pairs = np.outer(size, size) - np.diag(size)
    empty = np.full(shape, np.nan)
    return (
        np.divide(edges, pairs, out=empty.copy(), where=pairs > 0),
        np.divide(sums, edges, out=empty.copy(), where=edges > 0),
    )
