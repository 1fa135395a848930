"""One sweep of the sampler: every part of the state drawn once, each move leaving the joint distribution as it is.

The order matters for mixing, not for exactness. Clusters, loadings and dispersions are drawn with the auxiliary
variables integrated out; these are then drawn once, and serve the states with the latents integrated out, and the
latents themselves; then come the directions in which latents and loadings are hardly determined, and states. Moves that
make dynamics obsolete draw them anew at their end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynome.inference.biclustering.assignments import updated_assignment
from dynome.inference.biclustering.augmentation import working
from dynome.inference.biclustering.dispersions import updated_dispersion
from dynome.inference.biclustering.dynamics import draw_dynamics, step_log_density
from dynome.inference.biclustering.factor_moves import updated_active
from dynome.inference.biclustering.hdp import updated_concentrations, updated_transitions
from dynome.inference.biclustering.model import Array, Data, Hyper, State
from dynome.inference.biclustering.observations import log_likelihood, predictor
from dynome.inference.biclustering.partition_prior import updated_partition_concentration
from dynome.inference.biclustering.paths import draw_latent, statistics
from dynome.inference.biclustering.scaling import rescaled
from dynome.inference.biclustering.segments import updated_segments
from dynome.inference.biclustering.split_merge import split_or_merge
from dynome.inference.biclustering.state_paths import draw_states
from dynome.inference.biclustering.stretches import updated_stretches
from dynome.inference.biclustering.windows import corrected_latent


class Schedule(NamedTuple):
    """Which moves a sweep makes besides those that are always made.

    Attributes
    ----------
    split_merges : float
        Probability that a split or a merge of clusters is tried.
    stretches : float
        Probability that stretches of states are moved with the latents integrated out.
    segments : float
        Probability that segments are moved, states split and merged, with the dynamics integrated out.
    states : bool
        Whether bins may change their states; not so while a start settles.
    n_threads : int
        Threads of the draws of augmentation. Results do not depend on it.
    """

    split_merges: float = 0.1
    stretches: float = 0.2
    segments: float = 0.2
    states: bool = True
    n_threads: int = 1


class Moves(NamedTuple):
    """What a sweep did.

    Attributes
    ----------
    log_likelihood : (n_node,)
        At its end, nats, all constants included, at temperature 1.
    moved, births, deaths : int
        Nodes that changed their cluster one by one; clusters that came and went so.
    splits, merges : int
        Accepted.
    tried : int
        Splits and merges together, 0 or 1.
    """

    log_likelihood: Array
    moved: int
    births: int
    deaths: int
    splits: int
    merges: int
    tried: int


def sweep(
    current: State,
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    schedule: Schedule = Schedule(),  # noqa: B008 -- it cannot be modified
    *,
    temperature: float = 1.0,
) -> tuple[State, Moves]:
    """Draw every part of the state once.

    Parameters
    ----------
    current : State
    data : Data
    hyper : Hyper
        Without auxiliary clusters (``n_auxiliary=0``) the number of clusters stays as it is.
    rng : numpy Generator
    schedule : Schedule
    temperature : float
        Power of the likelihood, above 0.

    Returns
    -------
    State, Moves
    """
    current, assigned = updated_assignment(current, data, hyper, rng, temperature=temperature)
    splits = merges = tried = 0
    if hyper.n_auxiliary and current.cluster.size > 1 and rng.random() < schedule.split_merges:
        current, move = split_or_merge(current, data, hyper, rng, temperature=temperature)
        splits, merges, tried = int(move.accepted and move.split), int(move.accepted and not move.split), 1
    current = _with_latents(current, data, hyper, rng, schedule, temperature)
    current = rescaled(current, data, hyper, rng)
    if schedule.states and hyper.n_states > 1:
        current = _with_states(current, data, hyper, rng, schedule)
    psi = predictor(current.coefficient, current.latent, current.cluster)
    fit = log_likelihood(data.y, psi, data.law, current.dispersion)
    return current, Moves(fit, assigned.moved, assigned.births, assigned.deaths, splits, merges, tried)


def _with_latents(
    current: State,
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    schedule: Schedule,
    temperature: float,
) -> State:
    """Dispersions, concentration of the partition, augmentation, active factors, stretches of states, latents."""
    if hyper.resample_concentrations and hyper.partition == "dp":
        drawn = updated_partition_concentration(current.cluster, hyper, current.concentrations, rng)
        current = current._replace(concentrations=drawn)
    psi = predictor(current.coefficient, current.latent, current.cluster)
    dispersion = updated_dispersion(data, psi, current.dispersion, hyper, rng, temperature=temperature)
    current = current._replace(dispersion=dispersion)
    work = working(data, psi, dispersion, rng, temperature=temperature, n_threads=schedule.n_threads)
    if hyper.adapt_factors:
        current = updated_active(current, data, work, hyper, rng, temperature=temperature)
    precision, linear = statistics(work, current.coefficient, current.cluster, current.latent.shape[1])
    if data.law == "poisson":
        latent, _ = corrected_latent(current, data, precision, linear, rng, temperature=temperature)
        return current._replace(latent=latent)
    if schedule.states and hyper.n_states > 1 and rng.random() < schedule.stretches:
        current = updated_stretches(current, precision, linear, data.starts, hyper, rng)
    latent = draw_latent(precision, linear, current.state, current.dynamics, data.starts, rng)
    return current._replace(latent=latent)


def _with_states(current: State, data: Data, hyper: Hyper, rng: np.random.Generator, schedule: Schedule) -> State:
    """Concentrations, transitions and states given the latents, bin by bin and segment by segment; then dynamics."""
    concentrations, weight = current.concentrations, current.weight
    if hyper.resample_concentrations:
        concentrations, weight = updated_concentrations(current.state, data.starts, weight, concentrations, hyper, rng)
    weight, transition = updated_transitions(current.state, data.starts, weight, concentrations, hyper, rng)
    steps = step_log_density(current.latent, current.dynamics, data.starts)
    state = draw_states(steps, transition, data.starts, rng)
    current = current._replace(weight=weight, transition=transition, concentrations=concentrations, state=state)
    if rng.random() < schedule.segments:
        return updated_segments(current, data.starts, hyper, rng)
    dynamics = draw_dynamics(current.latent, state, data.starts, hyper, rng, hyper.n_states)
    return current._replace(dynamics=dynamics)
