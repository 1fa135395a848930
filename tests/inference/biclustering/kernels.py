"""Every move of the sampler as a kernel of its own, for tests of exactness: state and data in, state out."""

from collections.abc import Callable

import numpy as np

from dynome.inference.biclustering.assignments import updated_assignment
from dynome.inference.biclustering.augmentation import Working, working
from dynome.inference.biclustering.dispersions import updated_dispersion
from dynome.inference.biclustering.dynamics import draw_dynamics, step_log_density
from dynome.inference.biclustering.hdp import updated_concentrations, updated_transitions
from dynome.inference.biclustering.model import Data, Hyper, State
from dynome.inference.biclustering.observations import predictor
from dynome.inference.biclustering.partition_prior import updated_partition_concentration
from dynome.inference.biclustering.paths import draw_latent, draw_windows, statistics
from dynome.inference.biclustering.scaling import rescaled
from dynome.inference.biclustering.segments import updated_segments
from dynome.inference.biclustering.split_merge import split_or_merge
from dynome.inference.biclustering.state_paths import draw_states
from dynome.inference.biclustering.stretches import updated_stretches
from dynome.inference.biclustering.windows import corrected_latent

Move = Callable[[State, Data, Hyper, np.random.Generator], State]


def predicted(state: State) -> np.ndarray:
    return predictor(state.coefficient, state.latent, state.cluster)


def worked(state: State, data: Data, rng: np.random.Generator) -> Working:
    return working(data, predicted(state), state.dispersion, rng)


def seen(state: State, data: Data, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return statistics(worked(state, data, rng), state.coefficient, state.cluster, state.latent.shape[1])


def latents(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    precision, linear = seen(state, data, rng)
    return state._replace(latent=draw_latent(precision, linear, state.state, state.dynamics, data.starts, rng))


def windows(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    precision, linear = seen(state, data, rng)
    if data.law == "poisson":
        return state._replace(latent=corrected_latent(state, data, precision, linear, rng)[0])
    some = np.array([[1, 3], [5, 7], [8, 11]])
    drawn = draw_windows(some, state.latent, precision, linear, state.state, state.dynamics, data.starts, rng)
    return state._replace(latent=drawn)


def dispersions(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    return state._replace(dispersion=updated_dispersion(data, predicted(state), state.dispersion, hyper, rng))


def dynamics(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    return state._replace(dynamics=draw_dynamics(state.latent, state.state, data.starts, hyper, rng, hyper.n_states))


def transitions(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    weight, matrix = updated_transitions(state.state, data.starts, state.weight, state.concentrations, hyper, rng)
    return state._replace(weight=weight, transition=matrix)


def concentrations(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    drawn, weight = updated_concentrations(state.state, data.starts, state.weight, state.concentrations, hyper, rng)
    return transitions(state._replace(concentrations=drawn, weight=weight), data, hyper, rng)


def states(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    steps = step_log_density(state.latent, state.dynamics, data.starts)
    return state._replace(state=draw_states(steps, state.transition, data.starts, rng))


def partition_concentrations(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    drawn = updated_partition_concentration(state.cluster, hyper, state.concentrations, rng)
    return state._replace(concentrations=drawn)


def assignments(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    return updated_assignment(state, data, hyper, rng)[0]


def splits(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    return split_or_merge(state, data, hyper, rng)[0]


def scales(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    return rescaled(state, data, hyper, rng)


def segments(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    return updated_segments(state, data.starts, hyper, rng)


def stretches(state: State, data: Data, hyper: Hyper, rng: np.random.Generator) -> State:
    precision, linear = seen(state, data, rng)
    state = updated_stretches(state, precision, linear, data.starts, hyper, rng)
    return state._replace(latent=draw_latent(precision, linear, state.state, state.dynamics, data.starts, rng))
