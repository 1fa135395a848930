"""Paths of states given the latents and their dynamics."""

from __future__ import annotations

import numpy as np
from numba import njit

from dynome.inference.biclustering.model import Array, Labels

_SMALLEST = 1e-250  # no state is out of reach: the filter then never loses all its mass


def draw_states(step_log_density: Array, transition: Array, starts: Labels, rng: np.random.Generator) -> Labels:
    """Draw the states of all bins at once, given the latents.

    Parameters
    ----------
    step_log_density : (n_bin, n_state)
        Log density of the step into each bin under the dynamics of each state; 0 in first bins.
    transition : (n_state, n_state)
        From row to column.
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins. The first state of a sequence is uniform.
    rng : numpy Generator

    Returns
    -------
    (n_bin,)

    Notes
    -----
    Filter forwards, draw backwards.

    Examples
    --------
    >>> steps = np.log([[1.0, 1.0], [0.999, 0.001], [0.001, 0.999]])
    >>> sticky = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> draw_states(steps, sticky, np.array([0, 3]), np.random.default_rng(0)).tolist()
    [0, 0, 1]
    """
    uniform = rng.random(step_log_density.shape[0])
    return np.asarray(_drawn(step_log_density, np.maximum(transition, _SMALLEST), starts, uniform))


@njit(cache=True)
def _drawn(steps, transition, starts, uniform):  # type: ignore[no-untyped-def]
    n_bin, n_state = steps.shape
    belief = np.empty((n_bin, n_state))
    state = np.empty(n_bin, dtype=np.int64)
    columns = np.ascontiguousarray(transition.T)
    weight = np.empty(n_state)
    for s in range(starts.size - 1):
        first, last = starts[s], starts[s + 1]
        for t in range(first, last):
            _filtered(belief, steps[t], transition, t, t == first)
        state[last - 1] = _picked(belief[last - 1], uniform[last - 1])
        for t in range(last - 2, first - 1, -1):
            for k in range(n_state):
                weight[k] = belief[t, k] * columns[state[t + 1], k]
            state[t] = _picked(weight, uniform[t])
    return state


@njit(cache=True)
def _filtered(belief, step, transition, t, is_first):  # type: ignore[no-untyped-def]
    """Probability of each state given the latents so far."""
    n_state = step.size
    now = belief[t]
    if is_first:
        now[:] = 1.0
    else:
        now[:] = 0.0
        for k in range(n_state):
            for j in range(n_state):
                now[j] += belief[t - 1, k] * transition[k, j]
    highest = step.max()
    total = 0.0
    for j in range(n_state):
        now[j] *= np.exp(step[j] - highest)
        total += now[j]
    for j in range(n_state):
        now[j] /= total


@njit(cache=True)
def _picked(weight, uniform):  # type: ignore[no-untyped-def]
    threshold = uniform * weight.sum()
    reached = weight[0]
    k = 0
    while reached <= threshold and k < weight.size - 1:
        k += 1
        reached += weight[k]
    return k
