"""Fits of block models to arrays: which model, which partition, how sure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.special import gammaln

from dynome import seeds
from dynome.connectome.communities.blockmodel.blocks import Graph, base_length, blocks_of, upper_length, upper_of
from dynome.connectome.communities.blockmodel.coarsening import coarse_start
from dynome.connectome.communities.blockmodel.graphs import graph_of
from dynome.connectome.communities.blockmodel.laws import DEGREE_CORRECTED, PLAIN, Law, law_of
from dynome.connectome.communities.blockmodel.lengths import (
    adjacency_length,
    degree_length,
    nested_edge_length,
    partition_length,
)
from dynome.connectome.communities.blockmodel.moves import sweep
from dynome.connectome.communities.blockmodel.observations import observe
from dynome.connectome.communities.blockmodel.random_bits import state_from
from dynome.connectome.communities.blockmodel.search import Nested, search_once

Sparse = scipy.sparse.csr_array[Any, tuple[int, int]]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PARTS = ("adjacency", "degrees", "partition", "edge_counts", "weights")
_PATIENCE = 40


class Problem(NamedTuple):
    """One model of one graph.

    Attributes
    ----------
    graph, law : Graph, Law
        For the searches.
    constant : float
        What adjacency and degrees cost whatever the partition, in nats.
    weight_constant : float
        What the weights cost whatever the partition, in nats.
    """

    graph: Graph
    law: Law
    constant: float
    weight_constant: float


class Fit(NamedTuple):
    """The shortest description that was found.

    Attributes
    ----------
    model, corrected : str, bool
        The law of the weights, and whether degrees are corrected for.
    best : Nested
        The partition.
    restarts : list of Nested
        The runs of this model.
    candidates : dict
        Description length of each model that was tried, by model and correction, in nats.
    problem : Problem
        The model and its graph.
    weight : (n_entry,)
        Weights, as the entries of the graph go.
    """

    model: str
    corrected: bool
    best: Nested
    restarts: list[Nested]
    candidates: dict[tuple[str, bool], float]
    problem: Problem
    weight: Floats


def problem_of(weight: Sparse, model: str, *, corrected: bool, directed: bool) -> Problem:
    """The model of a graph that a search can work on.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Weights without self-loops; symmetric if undirected.
    model : str
        A law of weights.
    corrected : bool
        Whether degrees are corrected for.
    directed : bool
        Whether edges have a direction.
    """
    seen = observe(weight, model, directed=directed)
    graph = graph_of(seen.edges, seen.covariate, directed=directed)
    total = 0.0 if seen.covariate is None else float(seen.covariate.sum()) / (1 if directed else 2)
    law = law_of(
        DEGREE_CORRECTED if corrected else PLAIN,
        directed=directed,
        n_node=weight.shape[0],
        n_end=int(seen.edges.sum()),
        weight=seen.code,
        prior=seen.prior,
        total_weight=total,
    )
    constant = -gammaln(np.concatenate([graph.out_degree, graph.in_degree]) + 1).sum() if corrected else 0.0
    constant, weight_constant = float(constant), seen.constant
    return Problem(graph, law, constant, weight_constant)


def fit_models(
    weight: Sparse,
    models: tuple[str, ...],
    corrections: tuple[bool, ...],
    *,
    directed: bool,
    n_restarts: int,
    seed: int,
    advance: Callable[[float], None],
) -> Fit:
    """The best of several models: each is searched once, and the one of shortest description again.

    A law of weights that describes the partition found with the first one worse than that does is not searched.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Weights without self-loops; symmetric if undirected.
    models : tuple of str
        Laws of weights whose description lengths can be compared, the broadest first.
    corrections : tuple of bool
        Whether to correct for degrees.
    directed : bool
        Whether edges have a direction.
    n_restarts : int
        Runs of the best model.
    seed : int
        Start of every random stream.
    advance : callable
        Is told of every run.
    """
    tried: dict[tuple[str, bool], tuple[Problem, Nested]] = {}
    lengths: dict[tuple[str, bool], float] = {}

    def search(model: str) -> None:
        for corrected in corrections:
            problem = problem_of(weight, model, corrected=corrected, directed=directed)
            tried[model, corrected] = problem, _search(problem, seed, 0)
            lengths[model, corrected] = length_of_fit(*tried[model, corrected])
            advance(1)

    search(models[0])
    _, shape = start = min(lengths, key=lambda key: lengths[key])
    for model in models[1:]:
        problem = problem_of(weight, model, corrected=shape, directed=directed)
        lengths[model, shape] = length_of_fit(problem, tried[start][1])
        if lengths[model, shape] < lengths[start]:
            search(model)
    chosen = min(lengths, key=lambda key: lengths[key])
    problem, first = tried[chosen]
    runs = [first]
    for k in range(1, n_restarts):
        runs.append(_search(problem, seed, k))
        advance(1)
    best = min(runs, key=lambda run: run.length)
    lengths[chosen] = best.length + problem.constant + problem.weight_constant
    weight.sort_indices()
    return Fit(*chosen, best, runs, lengths, problem, weight.data)


def parts_of(fit: Fit) -> Floats:
    """The description length of a fit in parts, in the order of `PARTS`.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    (5,)
        In nats.
    """
    graph, law, nested = fit.problem.graph, fit.problem.law, fit.best
    blocks = blocks_of(law, graph, nested.group.copy(), nested.ancestor.shape[1])
    ends = blocks.edges if law.directed else blocks.edges + np.diag(np.diag(blocks.edges))
    degrees = (graph.out_degree, graph.in_degree) if law.directed else (graph.out_degree,)
    parallel = graph.edges if law.weight == 0 else None
    halves = 1.0 if law.directed else 0.5
    adjacency = adjacency_length(ends, blocks.size, degrees=degrees if fit.corrected else (), directed=law.directed)
    if parallel is not None:
        adjacency += halves * float(gammaln(parallel + 1).sum())
    levels = [nested.ancestor[0]]
    for below, above in zip(nested.ancestor[:-1], nested.ancestor[1:], strict=True):
        level = np.zeros(int(below.max()) + 1, dtype=np.int64)
        level[below] = above
        levels.append(level)
    shared = [
        adjacency,
        degree_length(degrees, nested.group) if fit.corrected else 0.0,
        partition_length(blocks.size),
        nested_edge_length(ends, levels, directed=law.directed),
    ]
    total = nested.length + fit.problem.constant + fit.problem.weight_constant
    return np.array([*shared, total - sum(shared) if law.weight else 0.0])


def memberships(fit: Fit, n_samples: int, seed: int) -> Floats:
    """How often each node is in each group, in samples around the best partition.

    Parameters
    ----------
    fit : Fit
        The fit.
    n_samples : int
        Sweeps of Gibbs sampling at temperature 1, each of which counts.
    seed : int
        Start of the random stream.

    Returns
    -------
    (n_node, n_group)
        Rows add up to 1. Groups keep their numbers, because no group is made or emptied.
    """
    graph, law, ancestor = fit.problem.graph, fit.problem.law, fit.best.ancestor
    n_group = ancestor.shape[1]
    blocks = blocks_of(law, graph, fit.best.group.copy(), n_group)
    upper = upper_of(law, blocks, ancestor)
    state = state_from(seeds.generator(seed, "membership"))
    nodes, every = np.arange(fit.best.group.size), np.empty(0, dtype=np.int64)
    found = np.zeros((nodes.size, n_group))
    for _ in range(n_samples):
        sweep(law, graph, blocks, upper, nodes, every, 1.0, state)
        found[nodes, blocks.group] += 1
    return found / n_samples


def length_of_fit(problem: Problem, nested: Nested) -> float:
    """Description length of a partition under a model, in nats.

    Parameters
    ----------
    problem : Problem
        The model.
    nested : Nested
        The partition.
    """
    blocks = blocks_of(problem.law, problem.graph, nested.group.copy(), nested.ancestor.shape[1])
    above = upper_length(problem.law, nested.ancestor.shape[1], upper_of(problem.law, blocks, nested.ancestor))
    return float(base_length(problem.law, blocks) + above + problem.constant + problem.weight_constant)


def _search(problem: Problem, seed: int, restart: int) -> Nested:
    rng = seeds.generator(seed, "block model", restart)
    start = coarse_start(problem.law, problem.graph, rng)
    return search_once(problem.law, problem.graph, start, rng, patience=_PATIENCE)
