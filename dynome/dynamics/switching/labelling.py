"""Fitted numbers with labels, and labelled results as numbers again."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.hmm.chain import Chain, by_occupancy, expected_dwell
from dynome.dynamics.hmm.sequences import SEQUENCE, Sequences
from dynome.dynamics.switching.driven import DrivenProcess
from dynome.dynamics.switching.dwelling import DwellProcess
from dynome.dynamics.switching.em import Fit, Parameters
from dynome.dynamics.switching.population import Form, names_of
from dynome.dynamics.switching.priors.contract import Prior
from dynome.dynamics.switching.processes import PlainProcess, Process
from dynome.dynamics.switching.streaming import Streamed
from dynome.schema import ACTIVITY, ITERATION, LAG, NODE, SESSION, SOURCE, SPIKE_COUNT, STATE, TARGET, TIME

Array = NDArray[np.float64]

BASIS, COVARIATE, NEXT_STATE, OBSERVED = "basis", "covariate", "next_state", "observed_node"
ONE = {"units": "1"}
NATS = {"units": "nat"}


def labelled_fit(
    fit: Fit,
    prior: Prior,
    sequences: Sequences,
    form: Form,
    errors: tuple[Array, Array] | None,
    passed: Streamed | None = None,
) -> xr.Dataset:
    """Everything fitted, with labels.

    Parameters
    ----------
    fit : Fit
        The best start, states in any order.
    prior : Prior
        With its belief in ``fit.parameters``.
    sequences : Sequences
        Labels.
    form : Form
        Kind of GLM.
    errors : ((n_state, n_target, n_source), (n_state, n_target)) or None
        Standard errors of couplings and biases.
    passed : Streamed or None
        Where data came in batches: then the states of bins are not kept.
    """
    emissions, coefficient = fit.emissions, fit.parameters.coefficient
    kernels = emissions.problem.design.kernels
    targets, sources = names_of(sequences.nodes, form)
    basis_weight = emissions.coupling(coefficient)
    end = 1 + sources.size * kernels.shape[0]
    edges = (STATE, TARGET, SOURCE)
    found: dict[str, Any] = {
        "weight": ((*edges, LAG), basis_weight @ kernels, {**ONE, "long_name": "coupling at each lag"}),
        "coupling": (edges, basis_weight.sum(axis=3), {**ONE, "long_name": "coupling, summed over lags"}),
        "basis_weight": ((*edges, BASIS), basis_weight, {**ONE, "long_name": "coupling through each kernel"}),
        "kernel": ((BASIS, LAG), kernels, {**ONE, "long_name": "filters of the past"}),
        "bias": ((STATE, NODE), coefficient[:, :, 0], {**ONE, "long_name": "predictor without any input"}),
        "dispersion": ((STATE, NODE), fit.parameters.dispersion, {"units": _dispersion_unit(form, sequences)}),
    }
    coords: dict[str, Any] = {
        STATE: np.arange(coefficient.shape[0]),
        NODE: targets,
        TARGET: targets,
        SOURCE: sources,
        OBSERVED: sequences.nodes,
        LAG: (LAG, np.arange(1, kernels.shape[1] + 1) * (sequences.step or 1), {"units": _clock(sequences)}),
        BASIS: np.arange(kernels.shape[0]),
        **{n: c for n, c in sequences.node_coords.items() if n != NODE and form.law != "categorical"},
    }
    if sequences.covariate_names:
        found["covariate_weight"] = ((STATE, NODE, COVARIATE), coefficient[:, :, end:], ONE)
        coords[COVARIATE] = list(sequences.covariate_names)
    if form.n_categories:
        found["n_categories"] = (OBSERVED, list(form.n_categories))
    if errors is not None:
        found["standard_error"] = (edges, errors[0], {**ONE, "long_name": "Wald standard error of the coupling"})
        found["bias_standard_error"] = ((STATE, NODE), errors[1], ONE)
    found |= prior.labelled(fit.parameters.belief)
    precision = prior.quadratic(basis_weight, fit.parameters.belief).precision
    if precision.any():  # what standard errors that know of the hidden states need besides the data
        about = {**ONE, "long_name": "precision of the prior at the estimate"}
        found["prior_precision"] = ((*edges, BASIS), precision, about)
    found |= _process_variables(fit.parameters.process, sequences)
    if passed is None:
        found["state_probability"] = sequences.labelled(fit.smoothed.probability, [STATE], attrs=ONE)
        found["evidence"] = sequences.per_sequence(fit.smoothed.evidence, attrs=NATS)
        occupancy = fit.smoothed.probability.mean(axis=0)
    else:
        found["evidence"] = (SEQUENCE, passed.evidence, NATS)
        occupancy = passed.occupancy
    order = by_occupancy(occupancy)
    results = xr.Dataset(found, coords=coords).assign(
        occupancy=(STATE, occupancy, {**ONE, "long_name": "share of bins"}),
        history=(ITERATION, fit.history, {**NATS, "long_name": "evidence plus log priors"}),
    )
    results = results.isel({STATE: order, NEXT_STATE: order}).assign_coords(
        {STATE: np.arange(order.size), NEXT_STATE: np.arange(order.size)}
    )
    return results.assign_attrs(
        law=form.law,
        link=form.link,
        self_history=int(form.self_history),
        shared_bias=int(form.shared_bias),
        n_reseeded=fit.reseeded,
        observed_units=sequences.units,
        bin_width=float(sequences.step or 0),
        largest=float(np.nanmax(np.abs(sequences.y))),
    )


def _about_dwell(sequences: Sequences) -> dict[str, str]:
    return {"units": _clock(sequences), "long_name": "expected dwell time"}


def _clock(sequences: Sequences) -> str:
    return "s" if sequences.step else "bin"


def _dispersion_unit(form: Form, sequences: Sequences) -> str:
    return f"({sequences.units})^2" if form.law == "gaussian" and sequences.units != "1" else "1"


def _process_variables(process: Process, sequences: Sequences) -> dict[str, Any]:
    found: dict[str, Any] = {
        "transition": (
            (STATE, NEXT_STATE),
            process.chain.transition,
            {**ONE, "long_name": "probability of the next state"},
        ),
        "initial": (STATE, process.chain.initial, {**ONE, "long_name": "probability of the first state"}),
        NEXT_STATE: np.arange(process.chain.initial.size),
    }
    if isinstance(process, DwellProcess):
        found["advance"] = (STATE, process.advance, {**ONE, "long_name": "probability to leave a phase"})
        found["n_phases"] = ((), process.n_phases)
        dwell = process.n_phases / process.advance
    else:
        dwell = expected_dwell(process.chain.transition)
    if isinstance(process, DrivenProcess):
        found["transition_weight"] = ((NEXT_STATE, "transition_covariate"), process.drive, ONE)
        found["transition_covariate"] = list(sequences.transition_covariate_names)
    found["dwell_time"] = (
        STATE,
        dwell * (sequences.step or 1),
        {"units": _clock(sequences), "long_name": "expected dwell time"},
    )
    return found


def parameters_of(results: xr.Dataset, sequences: Sequences | None) -> Parameters:
    """Numbers of labelled results; a fit without states has one.

    Parameters
    ----------
    results : Dataset
        As `labelled_fit` gives them.
    sequences : Sequences or None
        What they are to be used on: covariates of the transitions.
    """
    if STATE not in results.dims:
        results = results.expand_dims(STATE)
    weight = results["basis_weight"].transpose(STATE, TARGET, SOURCE, BASIS).to_numpy()
    blocks = [results["bias"].transpose(STATE, NODE).to_numpy()[:, :, None], weight.reshape(*weight.shape[:2], -1)]
    if "covariate_weight" in results:
        blocks.append(results["covariate_weight"].transpose(STATE, NODE, COVARIATE).to_numpy())
    coefficient = np.concatenate(blocks, axis=2)
    dispersion = results["dispersion"].transpose(STATE, NODE).to_numpy()
    return Parameters(coefficient, dispersion, process_of(results, sequences), None)


def process_of(results: xr.Dataset, sequences: Sequences | None) -> Process:
    """How states follow one another, from labelled results."""
    if "transition" not in results:
        return PlainProcess(Chain(np.ones((1, 1)), np.ones(1)))
    chain = Chain(results["transition"].transpose(STATE, NEXT_STATE).to_numpy(), results["initial"].to_numpy())
    if "advance" in results:
        return DwellProcess(chain, advance=results["advance"].to_numpy(), n_phases=int(results["n_phases"]))
    if "transition_weight" in results and sequences is not None:
        drive = results["transition_weight"].transpose(NEXT_STATE, ...).to_numpy()
        return DrivenProcess(chain, drive=drive, inputs=sequences.transition_covariates)
    return PlainProcess(chain)


def form_of(results: xr.Dataset, dtype: str) -> Form:
    """Kind of GLM, from labelled results."""
    return Form(
        results.attrs["law"],
        results.attrs["link"],
        results["kernel"].transpose(BASIS, LAG).to_numpy(),
        bool(results.attrs["self_history"]),
        bool(results.attrs["shared_bias"]),
        dtype,
        n_categories=tuple(results["n_categories"].to_numpy().tolist()) if "n_categories" in results else (),
    )


def labelled_simulation(y: Array, state: NDArray[np.int64], results: xr.Dataset) -> xr.Dataset:
    """Drawn observations and states as trials that can be fitted.

    Parameters
    ----------
    y : (n_session, n_time, n_node)
        Observations.
    state : (n_session, n_time)
        States behind them.
    results : Dataset
        Labels, law and clock of the fit.
    """
    counts = results.attrs["law"] != "gaussian"
    step = results.attrs["bin_width"]
    dims = (SESSION, TIME, NODE)
    units = {"units": str(results.attrs["observed_units"])}
    drawn = (dims, y.astype(np.int64), units) if counts else (dims, y, units)
    return xr.Dataset(
        {SPIKE_COUNT if counts else ACTIVITY: drawn, "true_state": (dims[:2], state, ONE)},
        coords={
            SESSION: [f"simulated_{k}" for k in range(y.shape[0])],
            TIME: (TIME, np.arange(y.shape[1]) * (step or 1), {"units": "s" if step else "bin"}),
            NODE: results[OBSERVED].to_numpy(),
        },
    )
