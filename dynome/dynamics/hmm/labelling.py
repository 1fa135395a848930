"""Fitted numbers of a hidden Markov model with labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.hmm.chain import Chain, by_occupancy, expected_dwell
from dynome.dynamics.hmm.emissions.choice import Form, variables_of
from dynome.dynamics.hmm.emissions.contract import Emission
from dynome.dynamics.hmm.fitting import Fit
from dynome.dynamics.hmm.sequences import Sequences
from dynome.schema import ACTIVITY, ITERATION, NODE, SESSION, SOURCE, SPIKE_COUNT, STATE, TARGET, TIME

Array = NDArray[np.float64]

NEXT_STATE = "next_state"
ONE = {"units": "1"}
NATS = {"units": "nat"}
_BINS, _SECONDS = "bin", "s"


def labelled_fit(fit: Fit, sequences: Sequences, form: Form) -> xr.Dataset:
    """Everything fitted, states from the most to the least occupied.

    Parameters
    ----------
    fit : Fit
        The best start.
    sequences : Sequences
        Labels.
    form : Form
    """
    order = by_occupancy(fit.posterior.probability)
    probability = fit.posterior.probability[:, order]
    transition = fit.chain.transition[np.ix_(order, order)]
    step, unit = (sequences.step, _SECONDS) if sequences.step else (1.0, _BINS)
    found: dict[str, Any] = {
        **variables_of(fit.emission.taken(order), sequences.units),
        "transition": ((STATE, NEXT_STATE), transition, {**ONE, "long_name": "probability of the next state"}),
        "initial": (STATE, fit.chain.initial[order], {**ONE, "long_name": "probability of the first state"}),
        "occupancy": (STATE, probability.mean(axis=0), {**ONE, "long_name": "share of bins"}),
        "dwell_time": (
            STATE,
            expected_dwell(transition) * step,
            {"units": unit, "long_name": "expected dwell time"},
        ),
        "history": (ITERATION, fit.history, {**NATS, "long_name": "evidence plus log priors"}),
    }
    results = xr.Dataset(found, coords=_coords(sequences, order.size, joint=form.joint)).assign(
        state_probability=sequences.labelled(probability, [STATE], attrs=ONE),
        evidence=sequences.per_sequence(fit.posterior.evidence, attrs={**NATS, "long_name": "log evidence"}),
    )
    known = {"seconds_per_bin": sequences.step} if sequences.step else {}
    return results.assign_attrs(
        **form._asdict(),
        **known,
        observed_units=sequences.units,
        n_reseeded=fit.reseeded,
        n_empty=int(fit.empty.sum()),
    )


def _coords(sequences: Sequences, n_state: int, *, joint: bool) -> dict[str, Any]:
    coords: dict[str, Any] = {STATE: np.arange(n_state), NEXT_STATE: np.arange(n_state), NODE: sequences.nodes}
    about = {n: c for n, c in sequences.node_coords.items() if n != NODE}
    coords |= about
    for end in (SOURCE, TARGET) if joint else ():
        coords[end] = sequences.nodes
        coords |= {f"{end}_{n}": xr.Variable(end, c.to_numpy(), c.attrs) for n, c in about.items()}
    return coords


def chain_of(results: xr.Dataset) -> Chain:
    """The fitted chain."""
    return Chain(results["transition"].transpose(STATE, NEXT_STATE).to_numpy(), results["initial"].to_numpy())


def labelled_simulation(
    emission: Emission, state: NDArray[np.int64], shape: tuple[int, int], results: xr.Dataset, rng: np.random.Generator
) -> xr.Dataset:
    """Observations of drawn states, as sessions that can be fitted.

    Parameters
    ----------
    emission : Emission
        Draws them.
    state : (n_session * n_time,)
        Sessions end to end.
    shape : (n_session, n_time)
    results : Dataset
        Labels, law and clock of the fit.
    rng : Generator
    """
    counts = results.attrs["observation"] != "gaussian"
    y = emission.drawn(state, rng).reshape(*shape, -1)
    dims = (SESSION, TIME, NODE)
    units = {"units": str(results.attrs["observed_units"])}
    step = results.attrs.get("seconds_per_bin")
    clock = np.arange(shape[1]) * (step or 1.0)
    return xr.Dataset(
        {
            SPIKE_COUNT if counts else ACTIVITY: (dims, y.astype(np.int64) if counts else y, units),
            STATE: (dims[:2], state.reshape(shape), ONE),
        },
        coords={
            SESSION: [f"simulated_{k}" for k in range(shape[0])],
            TIME: (TIME, clock, {"units": _SECONDS if step else "1"}),
            **{n: c.variable for n, c in results.coords.items() if c.dims == (NODE,)},
        },
    )
