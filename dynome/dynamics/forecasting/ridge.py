"""Ridge regression of many nodes on the past of many nodes, of sessions that recorded different ones.

The sums of products of a session are formed once, over the nodes that it recorded. A target is fitted on the sums of
the sessions that recorded it; targets with the same sessions and the same predictors share one factorization.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from dynome.dynamics.forecasting.designs import Design, with_one
from dynome.dynamics.forecasting.penalties import squared

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


class Sums(NamedTuple):
    """Sums over windows of one session.

    Attributes
    ----------
    nodes : (n,)
        Recorded ones, as in `Design`.
    gram : (n_lags * n + 1, n_lags * n + 1)
    cross : (n_lags * n + 1, n_horizon, n)
    windows : int
    """

    nodes: Integers
    gram: Array
    cross: Array
    windows: int


class Solved(NamedTuple):
    """Coefficients of targets that share their predictors.

    Attributes
    ----------
    targets : (n_target,)
        Among the fitted nodes.
    sources : (n_source,)
        Nodes that they are predicted from.
    coefficient : (n_penalty, n_lags * n_source + 1, n_horizon, n_target)
    """

    targets: Integers
    sources: Integers
    coefficient: Array


def sums_of(part: Design) -> Sums:
    """Products of predictors with each other and with targets."""
    n_window = part.y.shape[0]
    x = with_one(part.x.reshape(n_window, -1))
    seen = np.isfinite(part.y)
    # Missing targets count as missing at random: what is known stands for all windows.
    share = n_window / np.maximum(seen.sum(axis=0), 1)
    cross = (x.T @ np.where(seen, part.y, 0.0).reshape(n_window, -1)).reshape(-1, *part.y.shape[1:]) * share
    return Sums(part.nodes, x.T @ x, cross, n_window)


def solutions(
    sums: Sequence[Sums], support: NDArray[np.bool_], prior: Array, penalties: Sequence[float]
) -> Iterator[Solved]:
    r"""Coefficients of all targets, group by group.

    Parameters
    ----------
    sums : sequence of Sums
        One or more a session.
    support : (n_source, n_target)
        Which nodes predict which; nodes always predict themselves.
    prior : (n_node, n_lags + 1, n_horizon)
        What the coefficients of a node on itself, and its intercept, shrink to; all others shrink to 0.
    penalties : sequence of float
        A window, on predictors of variance 1.

    Yields
    ------
    Solved

    Notes
    -----
    :math:`\min_b \sum_t (y_t - z_t'b)^2 + \lambda n \lVert b - b_0 \rVert^2`. A node that a session did not
    record is 0, its mean, in it.
    """
    n, n_lags = support.shape[0], prior.shape[1] - 1
    there = np.zeros((len(sums), n), dtype=bool)
    for k, part in enumerate(sums):
        there[k, part.nodes] = True
    predictors = support | np.eye(n, dtype=bool)
    rows, group = np.unique(np.concatenate([there, predictors], axis=0).T, axis=0, return_inverse=True)
    for k, row in enumerate(rows):
        sessions = [part for part, used in zip(sums, row[: len(sums)], strict=True) if used]
        if not sessions:
            continue
        recorded = np.zeros(n, dtype=bool)
        for part in sessions:
            recorded[part.nodes] = True
        sources = np.flatnonzero(row[len(sums) :] & recorded)
        yield _solved(sessions, np.flatnonzero(group.ravel() == k), sources, prior, penalties, n_lags)


def errors(solved: Iterator[Solved], held: Sequence[Design], n_penalty: int) -> Array:
    """Sums of squared errors on windows, and how many, (2, n_penalty, n_horizon).

    Parameters
    ----------
    solved : iterator of Solved
        As `solutions` gives them.
    held : sequence of Design
        On the same nodes.
    n_penalty : int
    """
    out = np.zeros((2, n_penalty, held[0].y.shape[1] if held else 0))
    flat = [with_one(part.x.reshape(part.y.shape[0], -1)) for part in held]
    for group in solved:
        for part, x in zip(held, flat, strict=True):
            at = np.searchsorted(part.nodes, group.targets)
            here = part.nodes[np.minimum(at, part.nodes.size - 1)] == group.targets
            if not here.any():
                continue
            own, there = columns(part.nodes, group.sources, part.x.shape[1])
            y = part.y[:, :, at[here]]
            for k, coefficient in enumerate(group.coefficient):
                said = x[:, there] @ coefficient[own][:, :, here].reshape(own.size, -1)
                out[:, k] += squared(said.reshape(y.shape), y)
    return out


def columns(nodes: Integers, wanted: Integers, n_lags: int) -> tuple[Integers, Integers]:
    """Where the predictors of some wanted nodes stand, among theirs and among those of a session.

    Parameters
    ----------
    nodes : (n,)
        Of the session, increasing.
    wanted : (n_wanted,)
        Increasing.
    n_lags : int

    Returns
    -------
    own, there : (n_found,)
        Columns among the predictors of `wanted` and among those of `nodes`, the intercept among them.
    """
    at = np.searchsorted(nodes, wanted)
    found = np.flatnonzero(nodes[np.minimum(at, nodes.size - 1)] == wanted)
    lag = np.arange(n_lags)[:, None]
    own = np.append(lag * wanted.size + found, n_lags * wanted.size)
    return own, np.append(lag * nodes.size + at[found], n_lags * nodes.size)


def _solved(
    sessions: Sequence[Sums],
    targets: Integers,
    sources: Integers,
    prior: Array,
    penalties: Sequence[float],
    n_lags: int,
) -> Solved:
    size, horizons = n_lags * sources.size + 1, prior.shape[2]
    gram, cross, windows = np.zeros((size, size)), np.zeros((size, horizons, targets.size)), 0
    for part in sessions:
        own, there = columns(part.nodes, sources, n_lags)
        gram[np.ix_(own, own)] += part.gram[np.ix_(there, there)]
        cross[own] += part.cross[there][:, :, np.searchsorted(part.nodes, targets)]
        windows += part.windows
    start = np.zeros_like(cross)
    own = np.searchsorted(sources, targets)[:, None] + np.arange(n_lags) * sources.size
    at = np.concatenate([own, np.full((targets.size, 1), size - 1)], axis=1)
    start[at, :, np.arange(targets.size)[:, None]] = prior[targets]
    flat = (size, horizons * targets.size)
    rest = cross.reshape(flat) - gram @ start.reshape(flat)
    out = np.empty((len(penalties), *cross.shape))
    for k, penalty in enumerate(penalties):
        ridge = np.full(size, penalty * windows)
        factor = cho_factor(gram + np.diag(ridge), lower=True, overwrite_a=True, check_finite=False)
        out[k] = start + cho_solve(factor, rest, check_finite=False).reshape(cross.shape)
    return Solved(targets, sources, out)
