"""All starts of a fit, and fitted numbers on new data."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from dynome import seeds
from dynome.dynamics.hmm.chain import Chain, sticky
from dynome.dynamics.hmm.sequences import Sequences
from dynome.dynamics.switching.driven import DrivenProcess
from dynome.dynamics.switching.dwelling import DwellProcess
from dynome.dynamics.switching.em import Fit, Parameters, expectation_maximization
from dynome.dynamics.switching.emissions import Emissions
from dynome.dynamics.switching.labelling import parameters_of
from dynome.dynamics.switching.population import Form, emissions_of, first_bias
from dynome.dynamics.switching.priors.contract import Prior
from dynome.dynamics.switching.processes import PlainProcess, Process
from dynome.dynamics.switching.starting import clustered, one_state, perturbed
from dynome.errors import listed

Array = NDArray[np.float64]

_STAY = 0.98  # of a bin, where a fit begins
_FAR = 30.0  # a predictor beyond this has run away


class Options(NamedTuple):
    """How to fit; fields as in `SwitchingGLM`."""

    n_states: int
    n_restarts: int
    max_iter: int
    tol: float
    concentration: float
    stickiness: float
    dwell_phases: int


def fits(
    emissions: Emissions,
    prior: Prior,
    prior_class: Array | None,
    sequences: Sequences,
    form: Form,
    options: Options,
    seed: int,
    advance: Callable[[float], object],
) -> list[Fit]:
    """Every start of a fit, each from a stream of its own.

    Parameters
    ----------
    emissions, prior, prior_class, sequences, form
        What is fitted.
    options : Options
        How.
    seed : int
        Of all streams.
    advance : callable
        Called after every start.
    """

    def begin(coupling: Array) -> Any:
        return prior.start(coupling, emissions.edges, prior_class)

    single = one_state(emissions, prior, begin, *first_bias(sequences, form), options.tol)
    emissions, common = single.emissions, single.parameters
    process = first_process(sequences, options)
    found = []
    for k in range(options.n_restarts if options.n_states > 1 else 1):
        rng = seeds.generator(seed, "start", k)
        if options.n_states == 1:
            start = common._replace(process=process)
        else:
            start = (
                clustered(emissions, prior, begin, common, process, rng)
                if k % 2
                else perturbed(emissions, begin, common, process, rng)
            )
        found.append(
            expectation_maximization(emissions, prior, start, max_iter=options.max_iter, tol=options.tol, rng=rng)
        )
        advance(1)
    return found


def first_process(sequences: Sequences, options: Options) -> Process:
    """How states follow one another before anything is learnt."""
    n, prior = options.n_states, (options.concentration, options.stickiness)
    chain = Chain(sticky(n, _STAY), np.full(n, 1 / n))
    if sequences.transition_covariate_names:
        inputs = sequences.transition_covariates
        return DrivenProcess(chain, *prior, drive=np.zeros((n, inputs.shape[1])), inputs=inputs)
    if options.dwell_phases > 1:
        apart = Chain(sticky(n, 0.0), chain.initial)
        return DwellProcess(
            apart,
            *prior,
            advance=np.full(n, options.dwell_phases * (1 - _STAY)).clip(max=0.9),
            n_phases=options.dwell_phases,
        )
    return PlainProcess(chain, *prior)


class Seen(NamedTuple):
    """New data as a fitted model sees them.

    Attributes
    ----------
    sequences : Sequences
        Stacked bins.
    emissions : Emissions
        With their design.
    parameters : Parameters
        Of the fit; without a belief.
    log_likelihood : (n_bin, n_state)
        Of every bin in every state.
    """

    sequences: Sequences
    emissions: Emissions
    parameters: Parameters
    log_likelihood: Array


def seen(results: xr.Dataset, sequences: Sequences, form: Form) -> Seen:
    """Evaluate new data under fitted results.

    Parameters
    ----------
    results : Dataset
        Of a fit.
    sequences : Sequences
        With the fitted nodes.
    form : Form
        Kind of GLM.
    """
    emissions = emissions_of(sequences, form, silent=np.zeros(sequences.nodes.size, dtype=bool))
    parameters = parameters_of(results, sequences)
    found = emissions.evaluate(parameters.coefficient, parameters.dispersion, None)
    return Seen(sequences, emissions, parameters, found.log_likelihood)


def warn_of_silence(emissions: Emissions, sequences: Sequences) -> None:
    """Say which nodes never vary."""
    still = sequences.nodes[~emissions.problem.free.any(axis=1)]
    if still.size:
        warnings.warn(
            f"{still.size} nodes never vary and get no coupling: {listed(still)}; drop them to leave them out",
            UserWarning,
            stacklevel=3,
        )


def warn_of_fit(fit: Fit, sequences: Sequences, max_iter: int) -> None:
    """Say what went wrong in the fit that was kept: no convergence, empty states, predictors that ran away."""
    said = []
    if not fit.converged:
        said.append(f"no convergence in {max_iter} iterations; raise max_iter or tol")
    if fit.reseeded:
        said.append(f"states emptied {fit.reseeded} times and began anew; fewer states may do")
    far = runaways(fit)
    if far.any():
        said.append(
            f"the predictors of {listed(sequences.nodes[far])} run to infinity, as separable inputs make them; their "
            "size means nothing: use a prior, or drop the input that predicts without fail"
        )
    if said:
        warnings.warn("; ".join(said), ConvergenceWarning, stacklevel=3)


def runaways(fit: Fit) -> NDArray[np.bool_]:
    """Targets with a coefficient that by itself moves the predictor further than any link can tell, (n_target,)."""
    problem = fit.emissions.problem
    if problem.law == "gaussian":
        return np.zeros(problem.free.shape[0], dtype=bool)
    block = np.asarray(problem.design.block(0, min(problem.design.n_bin, 20_000)))
    moved = np.abs(fit.parameters.coefficient[:, :, 1:]) * block[:, 1:].std(axis=0)
    return np.asarray((moved > _FAR).any(axis=(0, 2)) & problem.free.any(axis=1))
