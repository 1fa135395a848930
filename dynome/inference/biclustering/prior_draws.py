"""A point drawn from the prior: what simulation-based checks of the sampler start from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.hmm.sampling import sample_chain
from dynome.inference.biclustering.dynamics import draw_path, prior_dynamics
from dynome.inference.biclustering.hdp import prior_transitions
from dynome.inference.biclustering.model import Array, Concentrations, Data, Hyper, State
from dynome.inference.biclustering.partition_prior import drawn_partition

_TINY = float(np.finfo(float).tiny)


def prior_start(data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    """Draw everything that is not observed from the prior.

    Parameters
    ----------
    data : Data
        Its numbers of nodes and bins, sequences and law; the observations themselves are not read.
    hyper : Hyper
    rng : numpy Generator

    Returns
    -------
    State

    Examples
    --------
    >>> data = Data(np.zeros((4, 12)), np.array([0, 12]), "negative_binomial")
    >>> start = prior_start(data, Hyper(n_states=3), np.random.default_rng(0))
    >>> start.coefficient.shape, start.transition.shape
    ((4, 3), (3, 3))
    """
    n_node, width = data.y.shape[0], 1 + hyper.n_factors
    concentrations = _concentrations(hyper, rng)
    cluster = drawn_partition(n_node, hyper, concentrations, rng)
    n_clusters = int(cluster.max()) + 1
    active = rng.random((n_clusters, hyper.n_factors)) < (hyper.factor_probability if hyper.adapt_factors else 1.0)
    dynamics = prior_dynamics(hyper, n_clusters, rng)
    weight, transition = prior_transitions(hyper, concentrations, rng)
    state = sample_chain(transition, np.full(hyper.n_states, 1 / hyper.n_states), data.starts, rng)
    latent = draw_path(state, dynamics, data.starts, rng).reshape(state.size, n_clusters, width)
    return State(
        cluster=cluster,
        coefficient=_coefficients(active[cluster], hyper, rng),
        latent=latent,
        dispersion=_dispersions(n_node, data.law, hyper, rng),
        state=state,
        dynamics=dynamics,
        weight=weight,
        transition=transition,
        concentrations=concentrations,
        active=active,
    )


def _concentrations(hyper: Hyper, rng: np.random.Generator) -> Concentrations:
    """Drawn where the sampler draws them, else the defaults."""
    if not hyper.resample_concentrations:
        return Concentrations()
    total, top, partition = np.maximum(rng.gamma(hyper.concentration_shape, 1 / hyper.concentration_rate, 3), _TINY)
    rho = rng.random()
    drawn = Concentrations(row=float(total * (1 - rho)), top=float(top), stickiness=float(total * rho))
    return drawn._replace(partition=float(partition)) if hyper.partition == "dp" else drawn


def _coefficients(active: NDArray[np.bool_], hyper: Hyper, rng: np.random.Generator) -> Array:
    bias = hyper.bias_mean + hyper.bias_sd * rng.standard_normal((len(active), 1))
    return np.hstack([bias, np.where(active, hyper.loading_sd * rng.standard_normal(active.shape), 0.0)])


def _dispersions(n_node: int, law: str, hyper: Hyper, rng: np.random.Generator) -> Array:
    if law not in ("negative_binomial", "gaussian"):
        return np.ones(n_node)
    drawn = np.maximum(rng.gamma(hyper.dispersion_shape, 1.0, n_node), _TINY)
    return hyper.dispersion_rate / drawn if law == "gaussian" else drawn / hyper.dispersion_rate
