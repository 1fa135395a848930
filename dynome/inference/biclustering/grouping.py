"""A first partition of the nodes: too many groups of nodes that look alike, then moves and merges by score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from dynome.dynamics.hmm.clustering import clusters, smoothed
from dynome.inference.biclustering.augmentation import Working
from dynome.inference.biclustering.cluster_fits import (
    ClusterFit,
    Coefficients,
    fitted,
    guess,
    no_statistics,
    node_scores,
    path_information,
    predicted,
)
from dynome.inference.biclustering.expansions import expansion
from dynome.inference.biclustering.model import Array, Concentrations, Data, Hyper, Labels
from dynome.inference.biclustering.observations import log_likelihood
from dynome.inference.biclustering.partition_prior import log_partition
from dynome.inference.biclustering.smoother import Moments, expected_terms, moments

_FEW, _SOME = 4, 8  # rounds of a fit
_NEAREST = 8  # clusters with which a merge is tried
_PASSES = 3
_MOVES = 2
_DIVISIBLE = 4  # nodes
_MOST = 30  # clusters, beyond which none is divided
_DIRECTIONS = (1, 2, 3, 4, 6)  # of most variance, for first guesses of two halves
_AT_RANDOM, _SMALL = 4, 20_000  # such guesses, where there are not more observations; all guesses are followed there
_STEPS = 6
_SHORTFALL = 30.0  # nats that the bound lacks a cluster: 17 and 41 next to annealed importance sampling, two pairs
_FACTORS = (0.25, 0.4, 0.63, 0.8, 1.0, 1.25, 1.6, 2.5, 4.0)


class Signals(NamedTuple):
    """What is seen of the predictors without a model.

    Attributes
    ----------
    deviation : (n_node, n_bin)
        Smooth deviation of the predictor from the bias.
    bias : (n_node,)
    """

    deviation: Array
    bias: Array


def signals(data: Data, width: int) -> Signals:
    """Predictors from means over a window of `width` bins; missing bins count as the node's mean."""
    mean = np.nanmean(data.y, axis=1, keepdims=True)
    smooth = smoothed(np.where(np.isnan(data.y), mean, data.y).T, data.starts, width).T
    if data.law == "gaussian":
        return Signals(smooth - mean, mean[:, 0])
    floor = 0.5 / width
    if data.law == "bernoulli":
        odds, usual = (smooth + floor) / (1 - smooth + floor), (mean + floor) / (1 - mean + floor)
    else:
        odds, usual = smooth + floor, mean + floor
    return Signals(np.log(odds / usual), np.log(usual[:, 0]))


def similar_nodes(deviation: Array, n_groups: int) -> Labels:
    """Average linkage on the correlation of smooth signals, (n_node,). A node that never varies is like no other."""
    centred = deviation - deviation.mean(axis=1, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=1))
    scaled = centred / np.where(norm > 0, norm, 1.0)[:, None]
    distance = np.clip(1 - scaled @ scaled.T, 0.0, 2.0)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average")
    return np.asarray(fcluster(tree, n_groups, "maxclust"), dtype=np.int64) - 1


def grouped(
    label: Labels,
    seen: Signals,
    data: Data,
    dispersion: Array,
    hyper: Hyper,
    rng: np.random.Generator,
) -> list[ClusterFit]:
    """Clusters of nodes from a first partition, all bins in one state."""
    state = np.zeros(data.y.shape[1], dtype=np.int64)
    fits = [_fresh(np.flatnonzero(label == j), seen, data, dispersion, state, hyper, rng) for j in np.unique(label)]
    return settled(fits, seen, data, dispersion, state, hyper, rng)


def settled(
    fits: Sequence[ClusterFit],
    seen: Signals,
    data: Data,
    dispersion: Array,
    state: Labels,
    hyper: Hyper,
    rng: np.random.Generator,
) -> list[ClusterFit]:
    """Merge clusters, move nodes and divide clusters until nothing changes."""
    fits, whole = list(fits), set[bytes]()
    for _ in range(_PASSES):
        before = partition_of(fits, len(data.y))
        fits = merged(fits, seen, data, dispersion, state, hyper, rng)
        for _ in range(_MOVES):
            fits = moved(fits, seen.bias, data, dispersion, state, hyper)
        new = [fit for fit in fits if fit.nodes.tobytes() not in whole and fit.nodes.size >= _DIVISIBLE]
        fits = divided(fits, new, seen, data, dispersion, state, hyper, rng)
        whole |= {fit.nodes.tobytes() for fit in fits}
        if _same(before, partition_of(fits, len(data.y))):
            break
    return moved(fits, seen.bias, data, dispersion, state, hyper)


def moved(
    fits: list[ClusterFit], bias: Array, data: Data, dispersion: Array, state: Labels, hyper: Hyper
) -> list[ClusterFit]:
    """Let every node go where it scores most, its own influence on the path of its cluster taken away."""
    n_node = len(data.y)
    score, label = np.full((n_node, len(fits)), -np.inf), partition_of(fits, n_node)
    everybody = np.arange(n_node)
    found = []
    for j, fit in enumerate(fits):
        coefficients, score[:, j] = node_scores(everybody, fit.path, bias, data, dispersion, hyper)
        found.append(coefficients)
        for k, path in enumerate(_paths_without(fit, data, dispersion, state, hyper)):
            node = fit.nodes[k]
            _, own = node_scores(np.array([node]), path, bias, data, dispersion, hyper)
            score[node, j] = own[0]
    size = np.bincount(label, minlength=len(fits))
    weight = np.log(size - np.eye(len(fits))[label] + hyper.mass)
    goes = np.argmax(score + weight, axis=1)
    if np.array_equal(goes, label):
        return fits
    out = []
    for j, fit in enumerate(fits):
        nodes = np.flatnonzero(goes == j)
        if nodes.size and np.array_equal(nodes, fit.nodes):
            out.append(fit)
        elif nodes.size:
            coefficients = Coefficients(found[j].mean[nodes], found[j].covariance[nodes])
            psi, _ = predicted(fit.path, coefficients)
            out.append(fitted(nodes, coefficients, psi, fit.statistics, data, dispersion, state, hyper, rounds=_FEW))
    return out


def merged(
    fits: list[ClusterFit],
    seen: Signals,
    data: Data,
    dispersion: Array,
    state: Labels,
    hyper: Hyper,
    rng: np.random.Generator,
) -> list[ClusterFit]:
    """Join the pair of clusters that gains most, until none gains."""
    alive = dict(enumerate(fits))
    tried: dict[tuple[int, int], tuple[float, ClusterFit]] = {}
    fresh = len(fits)
    while len(alive) > 1:
        for a, b in _near(alive):
            if (a, b) not in tried:
                nodes = np.sort(np.concatenate([alive[a].nodes, alive[b].nodes]))
                both = _fresh(nodes, seen, data, dispersion, state, hyper, rng)
                tried[a, b] = (both.score - alive[a].score - alive[b].score, both)
        pair = max((p for p in tried if p[0] in alive and p[1] in alive), key=lambda p: tried[p][0])
        both = tried[pair][1]
        rest = [fit for j, fit in alive.items() if j not in pair]
        if partition_score([*rest, both], hyper) <= partition_score(list(alive.values()), hyper):
            break
        for j in pair:
            del alive[j]
        alive[fresh] = both
        fresh += 1
    return list(alive.values())


def divided(
    fits: list[ClusterFit],
    candidates: list[ClusterFit],
    seen: Signals,
    data: Data,
    dispersion: Array,
    state: Labels,
    hyper: Hyper,
    rng: np.random.Generator,
) -> list[ClusterFit]:
    """Divide every candidate that is better as two."""
    out = list(fits)
    for fit in candidates:
        if len(out) >= _MOST:
            break
        parts = _halves(fit.nodes, seen, data, dispersion, state, hyper, rng)
        new = [*(other for other in out if other is not fit), *parts]
        if parts and partition_score(new, hyper) > partition_score(out, hyper):
            out = new
    return out


def _halves(
    nodes: Labels,
    seen: Signals,
    data: Data,
    dispersion: Array,
    state: Labels,
    hyper: Hyper,
    rng: np.random.Generator,
) -> list[ClusterFit]:
    """Two clusters of nodes of one: the best from a few first guesses; none if a single node is always left."""
    own = data._replace(y=np.ascontiguousarray(data.y[nodes]))
    signal, spread = Signals(seen.deviation[nodes], seen.bias[nodes]), dispersion[nodes]
    values, vectors = np.linalg.eigh(signal.deviation @ signal.deviation.T)
    scores = vectors * np.sqrt(np.maximum(values, 0.0))
    labels = [clusters(_directions(scores[:, -k:]), 2, rng) for k in _DIRECTIONS]
    if small := own.y.size <= _SMALL:
        labels += [rng.permutation(nodes.size) % 2 for _ in range(_AT_RANDOM)]
    guesses = [
        [_fresh(np.flatnonzero(label == j), signal, own, spread, state, hyper, rng) for j in np.unique(label)]
        for label in {(label == label[0]).tobytes(): label for label in labels}.values()
    ]
    guesses = [pair for pair in guesses if _of_several(pair)]
    best = max(guesses, key=_total, default=[])
    for found in guesses if small else guesses and [best]:
        for _ in range(_STEPS):
            before, found = found, moved(found, signal.bias, own, spread, state, hyper)
            if found is before or not _of_several(found):
                break
            best = max(best, found, key=_total)
    return [fit._replace(nodes=nodes[fit.nodes]) for fit in best]


def updated_dispersion(fits: Sequence[ClusterFit], data: Data, dispersion: Array, hyper: Hyper) -> Array:
    """Dispersion of every node at the mean predictor: the best of a few factors, or the variance that is left."""
    if data.law not in ("negative_binomial", "gaussian"):
        return dispersion
    psi, variance = np.zeros_like(data.y), np.zeros_like(data.y)
    for fit in fits:
        psi[fit.nodes], variance[fit.nodes] = predicted(fit.path, fit.coefficients)
    if data.law == "gaussian":
        squares = np.nansum((data.y - psi) ** 2 + variance + 0 * data.y, axis=1)
        count = (~np.isnan(data.y)).sum(axis=1)
        rate = hyper.dispersion_rate + squares / 2
        return np.asarray(rate / (hyper.dispersion_shape + count / 2))
    tried = dispersion * np.array(_FACTORS)[:, None]
    prior = hyper.dispersion_shape * np.log(tried) - hyper.dispersion_rate * tried
    score = prior + np.stack([log_likelihood(data.y, psi, data.law, r) for r in tried])
    return np.asarray(tried[score.argmax(axis=0), np.arange(dispersion.size)])


def partition_score(fits: Sequence[ClusterFit], hyper: Hyper) -> float:
    """Log evidence of a partition, roughly: by it partitions of the same nodes are compared, whatever their number."""
    n_node = sum(fit.nodes.size for fit in fits)
    prior = log_partition(partition_of(fits, n_node), hyper, Concentrations())
    return _total(fits) + prior + _SHORTFALL * len(fits)


def partition_of(fits: Sequence[ClusterFit], n_node: int) -> Labels:
    """Which cluster every node is in, (n_node,)."""
    out = np.zeros(n_node, dtype=np.int64)
    for j, fit in enumerate(fits):
        out[fit.nodes] = j
    return out


def _fresh(
    nodes: Labels,
    seen: Signals,
    data: Data,
    dispersion: Array,
    state: Labels,
    hyper: Hyper,
    rng: np.random.Generator,
) -> ClusterFit:
    """A cluster from the signals of its nodes."""
    psi = seen.bias[nodes, None] + seen.deviation[nodes]
    nothing = no_statistics(int(state.max()) + 1, 1 + hyper.n_factors)
    coefficients = guess(nodes, seen.deviation, seen.bias, hyper, rng)
    return fitted(nodes, coefficients, psi, nothing, data, dispersion, state, hyper, rounds=_SOME)


def _paths_without(fit: ClusterFit, data: Data, dispersion: Array, state: Labels, hyper: Hyper) -> list[Moments]:
    """The path of a cluster as all its nodes but one tell it, for each of them."""
    psi, _ = predicted(fit.path, fit.coefficients)
    work = expansion(data._replace(y=data.y[fit.nodes]), psi, dispersion[fit.nodes])
    precision, linear = path_information(work, fit.coefficients)
    terms = expected_terms(fit.statistics, hyper)
    out = []
    for k in range(fit.nodes.size):
        one = slice(k, k + 1)
        own = path_information(
            Working(work.precision[one], work.linear[one]),
            Coefficients(fit.coefficients.mean[one], fit.coefficients.covariance[one]),
        )
        out.append(moments(precision - own[0], linear - own[1], state, terms, data.starts))
    return out


def _near(alive: dict[int, ClusterFit]) -> list[tuple[int, int]]:
    """Pairs of clusters whose common log rates are most alike: the nearest few of each."""
    names = sorted(alive)
    common = np.stack([alive[j].path.mean[:, 0] for j in names])
    common = common - common.mean(axis=1, keepdims=True)
    common /= np.maximum(np.sqrt((common**2).sum(axis=1, keepdims=True)), 1e-12)
    likeness = common @ common.T
    np.fill_diagonal(likeness, -np.inf)
    nearest = np.argsort(-likeness, axis=1)[:, : min(_NEAREST, len(names) - 1)]
    pairs = {(names[min(i, j)], names[max(i, j)]) for i, row in enumerate(nearest) for j in row}
    return sorted(pairs)


def _directions(scores: Array) -> Array:
    """Rows of length one."""
    return np.asarray(scores / np.maximum(np.linalg.norm(scores, axis=1, keepdims=True), 1e-12))


def _of_several(fits: Sequence[ClusterFit]) -> bool:
    """Whether there are two clusters of at least two nodes."""
    return len(fits) == 2 and min(fit.nodes.size for fit in fits) > 1


def _total(fits: Sequence[ClusterFit]) -> float:
    return sum(fit.score for fit in fits)


def _same(one: Labels, other: Labels) -> bool:
    pairs = len(set(zip(one.tolist(), other.tolist(), strict=True)))
    return pairs == len(set(one.tolist())) == len(set(other.tolist()))
