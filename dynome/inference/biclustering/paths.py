r"""Paths of the latents given the auxiliary variables: draws, means, densities, evidence.

Given them every node is a Gaussian observation of its cluster's latents. With :math:`\Lambda_t, h_t` their sum over the
nodes (`statistics`), the latents of all bins are jointly Gaussian with a block tridiagonal precision:

.. math::
    p(X \mid \cdot) \propto p(X \mid s, A, b, Q)
    \exp \sum_t \left( h_t^\top X_t - \tfrac12 X_t^\top \Lambda_t X_t \right)

Its diagonal blocks are :math:`\Lambda_t + Q_{s_t}^{-1} + A_{s_{t+1}}^\top Q_{s_{t+1}}^{-1} A_{s_{t+1}}`, the blocks
below them :math:`-Q_{s_t}^{-1} A_{s_t}`. The first bin of a sequence has the identity in place of the inverse noise and
is not tied to the bin before it. Rue and Held, Gaussian Markov Random Fields (2005), section 2.4.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.inference.biclustering import blocks
from dynome.inference.biclustering.augmentation import Working
from dynome.inference.biclustering.dynamics import log_path
from dynome.inference.biclustering.model import Array, Dynamics, Labels
from dynome.inference.biclustering.sequences import firsts

_STRETCH = 128  # bins whose sums stay in the nearest cache


def statistics(work: Working, coefficient: Array, cluster: Labels, n_clusters: int) -> tuple[Array, Array]:
    """What the nodes of every cluster say about its latents.

    Parameters
    ----------
    work : Working
        Precision and linear term of every node's predictor, (n_node, n_bin).
    coefficient : (n_node, q)
        Bias, then loadings.
    cluster : (n_node,)
    n_clusters : int

    Returns
    -------
    precision : (n_bin, n_clusters, q, q)
    linear : (n_bin, n_clusters, q)
        Zero where a cluster has no node or nothing is observed.
    """
    n_bin, q = work.precision.shape[1], coefficient.shape[1]
    precision, linear = np.empty((n_bin, n_clusters, q, q)), np.empty((n_bin, n_clusters, q))
    order = np.argsort(cluster, kind="stable")
    _add_nodes(work.precision, work.linear, coefficient, cluster, order, precision, linear)
    return precision, linear


def draw_latent(
    precision: Array, linear: Array, state: Labels, dynamics: Dynamics, starts: Labels, rng: np.random.Generator
) -> Array:
    """Draw the latents of all bins.

    Parameters
    ----------
    precision, linear
        As `statistics` returns them.
    state : (n_bin,)
    dynamics : Dynamics
    starts : (n_sequence + 1,)
    rng : numpy Generator

    Returns
    -------
    (n_bin, n_cluster, q)

    Raises
    ------
    numpy.linalg.LinAlgError
        If the noise of a state in use, or the precision of a bin, is not positive definite in double precision.

    Examples
    --------
    One latent, seen twice with precision 99: prior N(0, 1) in each bin, as each is a sequence.

    >>> one = Dynamics(np.ones((1, 1, 1, 1)), np.zeros((1, 1, 1)), np.ones((1, 1, 1, 1)))
    >>> seen = np.full((2, 1, 1, 1), 99.0), np.full((2, 1, 1), 200.0)
    >>> latent_mean(*seen, np.zeros(2, int), one, np.array([0, 1, 2])).ravel().tolist()
    [2.0, 2.0]
    """
    everything = np.array([[0, state.size]])
    return draw_windows(everything, np.zeros(linear.shape), precision, linear, state, dynamics, starts, rng)


def draw_windows(
    windows: Labels,
    latent: Array,
    precision: Array,
    linear: Array,
    state: Labels,
    dynamics: Dynamics,
    starts: Labels,
    rng: np.random.Generator,
) -> Array:
    """Draw the latents of the bins in `windows` given those of all other bins.

    Parameters
    ----------
    windows : (n_window, 2)
        First bin and one past the last. Windows are drawn independently of each other: none may touch the next, unless
        a sequence begins between them.
    latent : (n_bin, n_cluster, q)
    precision, linear, state, dynamics, starts, rng
        As in `draw_latent`.

    Returns
    -------
    (n_bin, n_cluster, q)
        `latent`, with new values in the windows.

    Raises
    ------
    numpy.linalg.LinAlgError
        As `draw_latent` does.
    """
    known = _known(state, dynamics, starts)
    out = latent.copy()
    grouped = out.reshape(known.shape)
    found = blocks.factor(precision, linear, grouped, state, known.first, windows, known.terms)
    for begin, end in windows:
        found.half[begin:end] += rng.standard_normal((end - begin, *known.shape[1:]))
    blocks.solve(found, found.half, state, known.first, windows, known.terms, grouped)
    return out


def latent_mean(precision: Array, linear: Array, state: Labels, dynamics: Dynamics, starts: Labels) -> Array:
    """Mean (and mode) of the latents; arguments as in `draw_latent`."""
    known, everything = _known(state, dynamics, starts), np.array([[0, state.size]])
    out = np.zeros(known.shape)
    found = blocks.factor(precision, linear, out, state, known.first, everything, known.terms)
    blocks.solve(found, found.half, state, known.first, everything, known.terms, out)
    return out.reshape(linear.shape)


def log_latent_density(
    latent: Array, precision: Array, linear: Array, state: Labels, dynamics: Dynamics, starts: Labels
) -> float:
    """Log density with which `draw_latent` draws `latent`; arguments as there.

    Notes
    -----
    Prior times likelihood over evidence.
    """
    seen = np.sum(latent * (linear - 0.5 * (precision @ latent[..., None])[..., 0]))
    prior = log_path(latent, state, dynamics, starts)
    return prior + float(seen) - log_evidence(precision, linear, state, dynamics, starts)


def log_evidence(precision: Array, linear: Array, state: Labels, dynamics: Dynamics, starts: Labels) -> float:
    r"""Log likelihood of the auxiliary observations with the latents integrated out.

    Parameters
    ----------
    precision, linear, state, dynamics, starts
        As in `draw_latent`.

    Returns
    -------
    float
        :math:`\log \int p(X \mid s, A, b, Q) \exp(\sum_t h_t^\top X_t - X_t^\top \Lambda_t X_t / 2)\, dX` in nats:
        comparable between states, dynamics and, with the same auxiliary variables, partitions.

    Raises
    ------
    numpy.linalg.LinAlgError
        As `draw_latent` does.
    """
    known, everything = _known(state, dynamics, starts), np.array([[0, state.size]])
    found = blocks.factor(precision, linear, np.zeros(known.shape), state, known.first, everything, known.terms)
    entered = np.bincount(state[~known.first], minlength=len(dynamics.matrix))
    return float(entered @ known.terms.constant.sum(-1) - 0.5 * found.log_determinant + 0.5 * np.sum(found.half**2))


class _Known(NamedTuple):
    shape: tuple[int, int, int]
    first: NDArray[np.bool_]
    terms: blocks.Terms


def _known(state: Labels, dynamics: Dynamics, starts: Labels) -> _Known:
    shape = (state.size, *dynamics.offset.shape[1:])
    return _Known(shape, firsts(starts), _terms(dynamics, np.unique(state)))


def _terms(dynamics: Dynamics, used: Labels) -> blocks.Terms:
    """Terms of the states in `used`; zero for the others, whose noise may be anything."""
    square, line = dynamics.matrix.shape, dynamics.offset.shape
    out = blocks.Terms(*(np.zeros(shape) for shape in (square, square, square, line, line, line[:2])))
    matrix, offset = dynamics.matrix[used], dynamics.offset[used][..., None]
    inverse_root = np.linalg.inv(np.linalg.cholesky(dynamics.noise[used]))
    a, b = inverse_root @ matrix, inverse_root @ offset
    turned = inverse_root.swapaxes(-1, -2)
    out.inside[used], out.link[used], out.before[used] = turned @ inverse_root, turned @ a, a.swapaxes(-1, -2) @ a
    out.push[used], out.pull[used] = (turned @ b)[..., 0], (a.swapaxes(-1, -2) @ b)[..., 0]
    diagonal = np.diagonal(inverse_root, axis1=-2, axis2=-1)
    out.constant[used] = np.log(diagonal).sum(-1) - 0.5 * np.sum(b**2, axis=(-2, -1))
    return out


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract", "reassoc"})
def _add_nodes(weight, value, coefficient, cluster, order, precision, linear):  # type: ignore[no-untyped-def]
    """Sums over the nodes of a cluster for a stretch of bins at a time, which are then written out."""
    n_bin, (n_cluster, q) = weight.shape[1], linear.shape[1:]
    weights, values = np.empty((q * (q + 1) // 2, _STRETCH)), np.empty((q, _STRETCH))
    for begin in range(0, n_bin, _STRETCH):
        size = min(_STRETCH, n_bin - begin)
        at = 0
        for j in range(n_cluster):
            weights[:], values[:] = 0.0, 0.0
            while at < order.size and cluster[order[at]] == j:
                n = order[at]
                _add_node(weight[n, begin:], value[n, begin:], coefficient[n], weights, values, size)
                at += 1
            row = 0
            for a in range(q):
                for t in range(size):
                    linear[begin + t, j, a] = values[a, t]
                for b in range(a + 1):
                    for t in range(size):
                        precision[begin + t, j, a, b] = weights[row, t]
                        precision[begin + t, j, b, a] = weights[row, t]
                    row += 1


@njit(inline="always", error_model="numpy", fastmath={"contract", "reassoc"})
def _add_node(weight, value, coefficient, weights, values, size):  # type: ignore[no-untyped-def]
    row = 0
    for a in range(coefficient.size):
        left = coefficient[a] if a > 0 else 1.0
        for t in range(size):
            values[a, t] += left * (value[t] - coefficient[0] * weight[t])
        for b in range(a + 1):
            both = left * coefficient[b] if b > 0 else left
            for t in range(size):
                weights[row, t] += both * weight[t]
            row += 1
