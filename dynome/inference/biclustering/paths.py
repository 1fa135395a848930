r"""Paths of the latents given the auxiliary variables: draws, means, densities, evidence.

Given them every node is a Gaussian observation of its cluster's latents. With :math:`\Lambda_t, h_t` their sum over the
nodes (`statistics`), the latents of all bins are jointly Gaussian with a block tridiagonal precision:

.. math::
    p(X \mid \cdot) \propto p(X \mid s, A, b, Q) \exp \sum_t \left( h_t^\top X_t - \tfrac12 X_t^\top \Lambda_t X_t \right)

Its diagonal blocks are :math:`\Lambda_t + Q_{s_t}^{-1} + A_{s_{t+1}}^\top Q_{s_{t+1}}^{-1} A_{s_{t+1}}`, the blocks
below them :math:`-Q_{s_t}^{-1} A_{s_t}`. The first bin of a sequence has the identity in place of the inverse noise and
is not tied to the bin before it. Rue and Held, Gaussian Markov Random Fields (2005), section 2.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.inference.biclustering import blocks
from dynome.inference.biclustering.model import Array, Dynamics, Labels

if TYPE_CHECKING:
    from dynome.inference.biclustering.working import Working


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
    precision, linear = np.zeros((n_bin, n_clusters, q, q)), np.zeros((n_bin, n_clusters, q))
    _add_nodes(work.precision, work.linear, coefficient, cluster, precision, linear)
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
    return draw_windows(whole(starts), np.zeros(linear.shape), precision, linear, state, dynamics, starts, rng)


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
    found = _factor(windows, latent, precision, linear, state, dynamics, starts)
    out = latent.copy()
    half = found.half + rng.standard_normal(found.half.shape)
    blocks.solved(found, half, windows, out.reshape(half.shape))
    return out


def latent_mean(precision: Array, linear: Array, state: Labels, dynamics: Dynamics, starts: Labels) -> Array:
    """Mean (and mode) of the latents; arguments as in `draw_latent`."""
    out = np.zeros(linear.shape)
    found = _factor(whole(starts), out, precision, linear, state, dynamics, starts)
    blocks.solved(found, found.half, whole(starts), out.reshape(found.half.shape))
    return out


def log_latent_density(
    latent: Array, precision: Array, linear: Array, state: Labels, dynamics: Dynamics, starts: Labels
) -> float:
    """Log density with which `draw_latent` draws `latent`."""
    found = _factor(whole(starts), latent, precision, linear, state, dynamics, starts)
    mean = np.zeros(latent.shape)
    blocks.solved(found, found.half, whole(starts), mean.reshape(found.half.shape))
    off = (latent - mean).reshape(found.half.shape)
    white = np.einsum("tgij,tgj->tgi", np.triu(found.upper), off)
    tied = np.ones(state.size, dtype=bool)
    tied[starts[1:] - 1] = False
    after = np.flatnonzero(tied)
    white[after] -= np.einsum("tgij,tgj->tgi", found.link[after + 1], off[after + 1])
    return float(0.5 * found.log_determinant - 0.5 * np.sum(white**2) - 0.5 * latent.size * np.log(2 * np.pi))


def log_evidence(precision: Array, linear: Array, state: Labels, dynamics: Dynamics, starts: Labels) -> float:
    """Log likelihood of the auxiliary observations with the latents integrated out.

    Parameters
    ----------
    precision, linear, state, dynamics, starts
        As in `draw_latent`.

    Returns
    -------
    float
        :math:`\\log \\int p(X \\mid s, A, b, Q) \\exp(\\sum_t h_t^\\top X_t - X_t^\\top \\Lambda_t X_t / 2)\\, dX`, nats:
        comparable between states, dynamics and, with the same auxiliary variables, partitions.

    Raises
    ------
    numpy.linalg.LinAlgError
        As `draw_latent` does.
    """
    found = _factor(whole(starts), np.zeros(linear.shape), precision, linear, state, dynamics, starts)
    entered = np.bincount(state[~firsts(starts)], minlength=dynamics.matrix.shape[0])
    used = np.flatnonzero(entered)
    constant = _terms(dynamics, used).constant[used].sum(-1)
    return float(entered[used] @ constant - 0.5 * found.log_determinant + 0.5 * np.sum(found.half**2))


def whole(starts: Labels) -> Labels:
    """Sequences as windows, (n_sequence, 2)."""
    return np.stack([starts[:-1], starts[1:]], -1)


def firsts(starts: Labels) -> NDArray[np.bool_]:
    """Whether each bin begins a sequence, (n_bin,)."""
    out = np.zeros(starts[-1], dtype=bool)
    out[starts[:-1]] = True
    return out


def _factor(
    windows: Labels,
    latent: Array,
    precision: Array,
    linear: Array,
    state: Labels,
    dynamics: Dynamics,
    starts: Labels,
) -> blocks.Factor:
    n_bin, (n_group, width) = state.size, dynamics.offset.shape[1:]
    terms = _terms(dynamics, np.unique(state))
    grouped = latent.reshape(n_bin, n_group, width)
    return blocks.factor(precision, linear, grouped, state, firsts(starts), windows, terms)


def _terms(dynamics: Dynamics, used: Labels) -> blocks.Terms:
    """Terms of the states in `used`; zero for the others, whose noise may be anything."""
    out = blocks.Terms(
        *(np.zeros_like(dynamics.matrix) for _ in range(3)),
        *(np.zeros_like(dynamics.offset) for _ in range(2)),
        np.zeros(dynamics.offset.shape[:2]),
    )
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
def _add_nodes(weight, value, coefficient, cluster, precision, linear):  # type: ignore[no-untyped-def]
    n_node, n_bin = weight.shape
    q = coefficient.shape[1]
    for n in range(n_node):
        j = cluster[n]
        for t in range(n_bin):
            omega = weight[n, t]
            left = value[n, t] - omega * coefficient[n, 0]
            linear[t, j, 0] += left
            precision[t, j, 0, 0] += omega
            for a in range(1, q):
                scaled = omega * coefficient[n, a]
                linear[t, j, a] += left * coefficient[n, a]
                precision[t, j, 0, a] += scaled
                precision[t, j, a, 0] += scaled
                for b in range(1, q):
                    precision[t, j, a, b] += scaled * coefficient[n, b]
