r"""Moves along the directions that the observations do not see.

A cluster's latents and the coefficients of its nodes can be changed together so that no predictor changes:

* scale: a factor times :math:`a`, its loadings divided by :math:`a`;
* shift: :math:`\epsilon` is added to a latent and taken from the biases, times the nodes' loadings on it;
* shear: :math:`\epsilon` times a factor is added to another latent and taken from the loadings on the factor.

Only the priors speak along these directions, and a sampler that draws latents given coefficients and coefficients given
latents creeps along them. Here :math:`\log a` or :math:`\epsilon` is drawn by slice sampling with the dynamics
integrated out, which needs no step size; the dynamics are then drawn given the new latents. Such a move, with the
Jacobian of the change and the invariant measure of its group (here Lebesgue's on :math:`\log a` and
:math:`\epsilon`), leaves the posterior as it is: Liu and Sabatti (2000), doi:10.1093/biomet/87.2.353. Slices: Neal
(2003), doi:10.1214/aos/1056562461.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.inference.biclustering.dynamics import conjugate, drawn, n_groups, path_statistics
from dynome.inference.biclustering.model import Array, Data, Hyper, State
from dynome.inference.biclustering.orbits import Evidence, Steps, walk


def rescaled(current: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    """Move every cluster along its scales, shifts and shears; then draw the dynamics.

    Parameters
    ----------
    current : State
    data : Data
        Its sequences; the observations are not read, as no predictor changes.
    hyper : Hyper
    rng : numpy Generator

    Returns
    -------
    State
        With other coefficients, latents and dynamics. The dynamics are drawn given the latents and the states, and need
        not be drawn again.
    """
    n_clusters, width = current.latent.shape[1], current.coefficient.shape[1]
    groups = n_groups(n_clusters, hyper)
    statistics = path_statistics(current.latent, current.state, data.starts, hyper, hyper.n_states)
    used = np.flatnonzero(statistics.entered)
    density = conjugate(statistics, hyper)
    first = current.latent[data.starts[:-1]]
    turn = np.zeros((n_clusters, width, width + 1))
    turn[:, range(width), range(width)] = 1.0
    coefficient = current.coefficient.copy()
    for g in range(groups):
        clusters = np.arange(n_clusters).reshape(groups, -1)[g]
        evidence = _evidence(density.mean[used, g], density.precision[used, g], density.scale[used, g])
        for j in clusters:
            members = np.flatnonzero(current.cluster == j)
            own, begins = coefficient[members], np.ascontiguousarray(first[:, j])
            steps = _steps(current.active[j], hyper)
            walk(
                evidence,
                density.degrees[used],
                steps,
                int(j - clusters[0]) * width,
                own,
                begins,
                len(current.latent),
                turn[j],
                (hyper.matrix_precision, hyper.noise_scale),
                rng,
            )
            coefficient[members] = own
    latent = np.matmul(current.latent.swapaxes(0, 1), turn[..., :width].swapaxes(-1, -2)) + turn[:, None, :, width]
    latent = np.ascontiguousarray(latent.swapaxes(0, 1))
    after = conjugate(path_statistics(latent, current.state, data.starts, hyper, hyper.n_states), hyper)
    return current._replace(coefficient=coefficient, latent=latent, dynamics=drawn(after, rng))


def _evidence(mean: Array, precision: Array, scale: Array) -> Evidence:
    width = scale.shape[-1]
    slope = mean - np.eye(width, width + 1)
    return Evidence(np.asarray(np.linalg.inv(precision)), slope, np.asarray(np.linalg.inv(scale)))


def _steps(active: NDArray[np.bool_], hyper: Hyper) -> Steps:
    """Scales of the factors in use, then what is added to what."""
    factors = 1 + np.flatnonzero(active)
    latents = np.concatenate([[0], factors])
    pairs = [(i, 0) for i in latents] + [(i, j) for j in factors for i in latents if i != j]
    into, source = np.array([(f, -1) for f in factors] + pairs, dtype=np.int64).T
    mean = np.where(source == 0, hyper.bias_mean, 0.0)
    sd = np.where(source == 0, hyper.bias_sd, hyper.loading_sd)
    return Steps(into, source, mean, sd)
