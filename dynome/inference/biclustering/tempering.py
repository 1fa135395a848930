r"""Parallel tempering: chains whose likelihood is raised to powers below one wander, and hand on what they find.

Two neighbours at the powers :math:`\beta` and :math:`\beta'` change places with probability
:math:`\min(1, e^{(\beta - \beta')(\ell' - \ell)})`, :math:`\ell` the log likelihood, which keeps the joint distribution
of all. Geyer (1991), hdl:11299/58440.
"""

from __future__ import annotations

import numpy as np

from dynome.inference.biclustering.model import Array, Data, Hyper, State
from dynome.inference.biclustering.sweeps import Moves, Schedule, sweep


def ladder(n_temperatures: int, coldest: float) -> Array:
    """Powers of the likelihood, from 1 down in equal ratios.

    Parameters
    ----------
    n_temperatures : int
    coldest : float
        The smallest power.

    Examples
    --------
    >>> ladder(3, 0.25).tolist()
    [1.0, 0.5, 0.25]
    """
    return np.asarray(coldest ** (np.arange(n_temperatures) / max(n_temperatures - 1, 1)))


def tempered_sweep(
    currents: tuple[State, ...],
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    powers: Array,
    schedule: Schedule = Schedule(),  # noqa: B008 -- it cannot be modified
) -> tuple[tuple[State, ...], Moves, int]:
    """One sweep at every power, then exchanges of neighbours.

    Parameters
    ----------
    currents : tuple of State
        One a power; the first is the chain itself.
    data, hyper, rng, schedule
        As in `dynome.inference.biclustering.sweeps.sweep`.
    powers : (n_temperature,)

    Returns
    -------
    tuple of State
    Moves
        Of the sweep at the first power; the log likelihood is that of the state which is there after the exchanges.
    int
        Exchanges that were accepted.
    """
    swept = [
        sweep(state, data, hyper, rng, schedule, temperature=float(power))
        for state, power in zip(currents, powers, strict=True)
    ]
    states, moves = [s for s, _ in swept], swept[0][1]
    fits = [m.log_likelihood for _, m in swept]
    exchanged = 0
    for k in range(int(rng.integers(2)), len(states) - 1, 2):
        log_ratio = (powers[k] - powers[k + 1]) * (fits[k + 1].sum() - fits[k].sum())
        if np.log(rng.random()) < log_ratio:
            states[k], states[k + 1] = states[k + 1], states[k]
            fits[k], fits[k + 1] = fits[k + 1], fits[k]
            exchanged += 1
    return tuple(states), moves._replace(log_likelihood=fits[0]), exchanged
