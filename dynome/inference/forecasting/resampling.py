"""How sure a score is: animals drawn again, or blocks of time where there is one animal only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome import seeds
from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.tallies import Tallies
from dynome.dynamics.forecasting.windows import origins
from dynome.inference.forecasting.measures import Errors, by_unit, known_mean, on_targets

Array = NDArray[np.float64]

ANIMALS, BLOCKS = "animals", "blocks of time"

_MOST_BLOCKS = 20  # of a session


class Plan(NamedTuple):
    """What is drawn again, the same for every model that is compared.

    Attributes
    ----------
    series : Series
        Its sessions are the units: recordings, or blocks of them.
    session : (n_unit,)
        Recording of each unit.
    sessions : tuple of str
        Paths of the recordings.
    animal : (n_session,)
        Animal of each recording.
    animals : tuple of str
    what : str
        `ANIMALS` or `BLOCKS`.
    weight : (n_bootstrap, n_animal or n_unit)
        How often each is drawn.
    """

    series: Series
    session: NDArray[np.int64]
    sessions: tuple[str, ...]
    animal: NDArray[np.int64]
    animals: tuple[str, ...]
    what: str
    weight: Array


class Measured(NamedTuple):
    """Measures of one model; the first axis as `MEASURES`.

    Attributes
    ----------
    session : (n_measure, n_session, n_horizon)
    animal : (n_measure, n_animal, n_horizon)
    study : (n_measure, n_horizon)
    draws : (n_bootstrap, n_measure, n_horizon)
        The study, drawn again.
    """

    session: Array
    animal: Array
    study: Array
    draws: Array


def plan_of(series: Series, n_bootstrap: int, seed: int) -> Plan:
    """Units and draws for a part.

    Parameters
    ----------
    series : Series
        Of the part that is scored.
    n_bootstrap : int
    seed : int
    """
    names = [path.split("/")[0] for path in series.sessions]
    animals = tuple(dict.fromkeys(names))
    animal = np.array([animals.index(name) for name in names], dtype=np.int64)
    rng = seeds.generator(seed, "bootstrap")
    if len(animals) > 1:
        even = np.full(len(animals), 1 / len(animals))
        weight = rng.multinomial(len(animals), even, size=n_bootstrap).astype(np.float64)
        units = np.arange(len(names))
        return Plan(series, units, series.sessions, animal, animals, ANIMALS, weight)
    divided, session = _in_blocks(series)
    weight = np.zeros((n_bootstrap, session.size))
    for k in range(len(series.sessions)):
        here = np.flatnonzero(session == k)
        weight[:, here] = rng.multinomial(here.size, np.full(here.size, 1 / here.size), size=n_bootstrap)
    return Plan(divided, session, series.sessions, animal, animals, BLOCKS, weight)


def measured(errors: Errors, plan: Plan, common: NDArray[np.bool_]) -> Measured:
    """Averages of one model and their draws.

    Parameters
    ----------
    errors : Errors
        Of the units of the plan.
    plan : Plan
    common : (n_session, n_horizon, n_node)
        Targets that count.
    """
    belongs, there = belonging(plan), np.asarray(common.any(axis=(0, 1)))
    errors, common = _of_nodes(errors, there), common[..., there]
    session = by_unit(on_targets(weighted(errors, belongs), common))
    animal = _of_animals(session, plan)
    study = known_mean(animal, axis=1)
    if plan.what == ANIMALS:
        return Measured(session, animal, study, _drawn_animals(animal, plan.weight))
    draws = np.empty((len(plan.weight), *study.shape))
    for k, row in enumerate(plan.weight):
        drawn = by_unit(on_targets(weighted(errors, belongs * row), common))
        draws[k] = known_mean(_of_animals(drawn, plan), axis=1)
    return Measured(session, animal, study, draws)


def known_targets(errors: Errors, plan: Plan) -> NDArray[np.bool_]:
    """Targets of recordings that a model forecasts, (n_session, n_horizon, n_node)."""
    return np.asarray(np.tensordot(belonging(plan), errors.sums.number, 1) > 0)


def belonging(plan: Plan) -> Array:
    """Which units are of which recording, (n_session, n_unit)."""
    return np.asarray(plan.session == np.arange(len(plan.sessions))[:, None], dtype=np.float64)


def interval(draws: Array) -> tuple[Array, Array]:
    """The middle 95 % of draws, along the first axis; NaN where a draw is missing or all are one.

    Parameters
    ----------
    draws : (n_draw, ...)
    """
    known = np.isfinite(draws).all(axis=0) & (draws.shape[0] > 1)
    filled = np.where(known, draws, 0.0)
    low, high = (
        np.quantile(filled, [0.025, 0.975], axis=0) if draws.shape[0] else np.full((2, *draws.shape[1:]), np.nan)
    )
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _drawn_animals(animal: Array, weight: Array) -> Array:
    """Means over drawn animals, (n_bootstrap, n_measure, n_horizon); animals without a score do not count."""
    there = np.isfinite(animal)
    total = np.einsum("ba,mah->bmh", weight, np.where(there, animal, 0.0))
    n = np.einsum("ba,mah->bmh", weight, there.astype(np.float64))
    return np.asarray(total / np.where(n > 0, n, np.nan))


def _of_animals(session: Array, plan: Plan) -> Array:
    found = [known_mean(session[:, plan.animal == k], axis=1) for k in range(len(plan.animals))]
    return np.stack(found, axis=1)


def _of_nodes(errors: Errors, there: NDArray[np.bool_]) -> Errors:
    return Errors(Tallies(*(total[..., there] for total in errors.sums)), errors.deviance[..., there])


def weighted(errors: Errors, weight: Array) -> Errors:
    """Sums over units, each counted so many times.

    Parameters
    ----------
    errors : Errors
    weight : (n, n_unit)
    """
    return Errors(
        Tallies(*(np.tensordot(weight, total, 1) for total in errors.sums)), np.tensordot(weight, errors.deviance, 1)
    )


def _in_blocks(series: Series) -> tuple[Series, NDArray[np.int64]]:
    """The series with every session divided into stretches of time, and the session of each.

    A block has at least as many windows as the longest horizon, so that targets of one block are hardly those of
    another.
    """
    origin = origins(series)
    label = np.zeros(series.session.size, dtype=np.int64)
    owner: list[int] = []
    for k in range(len(series.sessions)):
        bins, windows = np.flatnonzero(series.session == k), origin[series.session[origin] == k]
        n = max(1, min(_MOST_BLOCKS, windows.size // max(series.horizons)))
        first = np.array([part[0] for part in np.array_split(windows, n)]) if windows.size else bins[:1]
        label[bins] = len(owner) + np.maximum(np.searchsorted(first, bins, side="right") - 1, 0)
        owner += [k] * first.size
    session = np.array(owner, dtype=np.int64)
    names = tuple(f"{series.sessions[k]}:{j}" for j, k in enumerate(owner))
    divided = series._replace(
        session=label,
        sessions=names,
        center=series.center[session],
        scale=series.scale[session],
        recorded=series.recorded[session],
    )
    return divided, session
