"""All starts of a fit, and fitted numbers on new data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from dynome import seeds
from dynome.dynamics.hmm.chain import Chain, sticky
from dynome.dynamics.hmm.sequences import ChainInput, Sequences
from dynome.dynamics.switching.categories import add_absent_categories, counted_categories
from dynome.dynamics.switching.driven import DrivenProcess
from dynome.dynamics.switching.dwelling import DwellProcess
from dynome.dynamics.switching.em import Fit, Parameters, expectation_maximization
from dynome.dynamics.switching.emissions import MOST_FEATURES, Emissions
from dynome.dynamics.switching.labelling import parameters_of
from dynome.dynamics.switching.population import Form, add_problems, emissions_of, first_bias, names_of, silent_nodes
from dynome.dynamics.switching.priors.contract import Prior
from dynome.dynamics.switching.priors.plain import NoPrior, RidgePrior
from dynome.dynamics.switching.priors.wiring import Unknown, connectome_classes
from dynome.dynamics.switching.processes import PlainProcess, Process
from dynome.dynamics.switching.simulation import simulated
from dynome.dynamics.switching.starting import clustered, one_state, perturbed
from dynome.dynamics.switching.streaming import Streamed, scanned, streamed
from dynome.errors import InputError, Problems, listed
from dynome.schema import ACTIVITY, NODE, SPIKE_COUNT

Array = NDArray[np.float64]

_STAY = 0.98  # of a bin, where a fit begins
_LOST = 0.1  # share of bins without a say that is worth a warning
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


class Fitted(NamedTuple):
    """What a fit hands to its labels.

    Attributes
    ----------
    fit : Fit
        The best start.
    form : Form
        Kind of GLM, with what the data told of it.
    sequences : Sequences
        What it was fitted to; with batches, the first of them.
    restart_evidence : (n_restart,)
        Of all starts.
    passed : Streamed or None
        What became of it on all batches.
    """

    fit: Fit
    form: Form
    sequences: Sequences
    restart_evidence: Array
    passed: Streamed | None


def fitted(
    sequences: Sequences,
    form: Form,
    prior: Prior,
    connectome: xr.Dataset | None,
    options: Options,
    seed: int,
    advance: Callable[[float], object],
    *,
    silent: NDArray[np.bool_] | None = None,
) -> Fitted:
    """Fit sequences in memory from several starts, each with a random stream of its own.

    Parameters
    ----------
    sequences : Sequences
        Stacked bins.
    form : Form
        Kind of GLM.
    prior : Prior
        On the couplings.
    connectome : Dataset or None
        For priors on classes of edges.
    options : Options
        How to fit.
    seed : int
        Of all streams.
    advance : callable
        Called after every start.
    silent : (n_node,) or None
        As in `emissions_of`.

    Raises
    ------
    InputError
        If observations do not go with the law, or labels not with the connectome.
    """
    problems = Problems("cannot fit a switching GLM")
    add_problems(problems, sequences, form)
    if sequences.y.shape[0] < options.n_states:
        problems.add(f"n_states is {options.n_states}, but there are only {sequences.y.shape[0]} bins")
    if np.isnan(sequences.transition_covariates).any():
        problems.add("transition_covariates must have no NaN, as each transition needs them; fill them, 0 is no input")
    problems.raise_if_any(InputError)
    if form.law == "categorical":
        form = form._replace(n_categories=tuple(counted_categories(sequences.y).tolist()))
        if not isinstance(prior, RidgePrior) or isinstance(prior, NoPrior):
            add_absent_categories(problems, sequences, form.n_categories)
            problems.raise_if_any(InputError)
    unknown: Unknown = getattr(prior, "unknown", "raise")
    classes = None if connectome is None else connectome_classes(connectome, sequences.nodes, unknown=unknown)
    emissions = emissions_of(sequences, form, silent=silent)
    warn_of_silence(emissions, sequences)
    warn_of_data(emissions)

    def begin(coupling: Array) -> Any:
        return prior.start(coupling, emissions.edges, classes)

    single = one_state(emissions, prior, begin, *first_bias(sequences, form), options.tol)
    emissions, common = single.emissions, single.parameters
    process = first_process(sequences, options)
    many = int(emissions.problem.free.shape[1] > MOST_FEATURES)  # then noise on the predictors hardly parts the states
    found = []
    for k in range(options.n_restarts if options.n_states > 1 else 1):
        rng = seeds.generator(seed, "start", k)
        if options.n_states == 1:
            start = common._replace(process=process)
        elif (k + many) % 2:
            start = clustered(emissions, prior, begin, common, process, rng)
        else:
            start = perturbed(emissions, begin, common, process, rng)
        found.append(
            expectation_maximization(emissions, prior, start, max_iter=options.max_iter, tol=options.tol, rng=rng)
        )
        advance(1)
    evidence = np.array([fit.smoothed.evidence.sum() for fit in found])
    return Fitted(found[int(evidence.argmax())], form, sequences, evidence, None)


def fitted_in_batches(
    parts: Sequence[ChainInput],
    read: Callable[[ChainInput], Sequences],
    form: Form,
    prior: Prior,
    connectome: xr.Dataset | None,
    options: Options,
    seed: int,
    advance: Callable[[float], object],
) -> Fitted:
    """Fit the first batch exactly, then pass over all of them.

    Parameters
    ----------
    parts, read
        As for `streamed`.
    form, prior, connectome, options, seed, advance
        As for `fitted`.
    """
    scan = scanned(parts, read, form)
    first = fitted(read(parts[0]), form, prior, connectome, options, seed, advance, silent=scan.silent)
    learnt = form._replace(kernels=first.fit.emissions.problem.design.kernels, learns_kernel=False)
    rng = seeds.generator(seed, "batches")
    start = first.fit.parameters
    passed = streamed(parts, read, learnt, scan, prior, start, max_pass=options.max_iter, tol=options.tol, rng=rng)
    last = first.fit._replace(parameters=passed.parameters, history=passed.history, converged=passed.converged)
    return first._replace(fit=last, passed=passed)


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


def simulated_like(results: xr.Dataset, sequences: Sequences, form: Form, rng: np.random.Generator) -> xr.Dataset:
    """States and observations drawn for the sequences and covariates of given data.

    Parameters
    ----------
    results : Dataset
        Of a fit.
    sequences : Sequences
        With the fitted nodes.
    form : Form
        Kind of GLM.
    rng : Generator
        Draws them.
    """
    parameters, starts = parameters_of(results, sequences), sequences.starts
    state = parameters.process.sample(starts, rng)
    lengths = np.diff(starts)
    inside = np.arange(lengths.max()) < lengths[:, None]
    states, inputs = np.zeros(inside.shape, np.int64), np.zeros((*inside.shape, sequences.covariates.shape[1]))
    states[inside], inputs[inside] = state, np.nan_to_num(sequences.covariates)
    y = simulated(states, parameters.coefficient, parameters.dispersion, form, rng, results.attrs["largest"], inputs)
    y = y[inside]
    counts = form.law != "gaussian"
    units = {"units": sequences.units}
    drawn = sequences.labelled(y.astype(np.int64) if counts else y, [NODE], {NODE: sequences.nodes}, attrs=units)
    told = sequences.labelled(state, attrs={"units": "1"})
    return xr.Dataset({SPIKE_COUNT if counts else ACTIVITY: drawn, "true_state": told})


def warn_of_silence(emissions: Emissions, sequences: Sequences) -> None:
    """Say which nodes never vary."""
    still = sequences.nodes[silent_nodes(emissions.problem.y, emissions.problem.law)]
    if still.size:
        warnings.warn(
            f"{still.size} nodes never vary and get no coupling: {listed(still)}; drop them to leave them out",
            UserWarning,
            stacklevel=3,
        )


def warn_of_data(emissions: Emissions) -> None:
    """Say what of the data goes unused, and what no link can reach."""
    problem = emissions.problem
    seen = np.isfinite(problem.y).any(axis=1)
    lost = float((seen & ~problem.design.usable).sum() / max(seen.sum(), 1))
    if lost > _LOST:
        warnings.warn(
            f"{lost:.0%} of the bins say nothing, because a covariate or the history of a node is missing there; drop "
            "the node or the covariate, or fill its gaps",
            UserWarning,
            stacklevel=4,
        )
    if problem.law == "poisson" and problem.link == "sigmoid" and (np.nanmean(problem.y, axis=0) > 1).any():
        warnings.warn(
            "the sigmoid link keeps the mean below one count a bin, but some nodes have more; take link='softplus' or "
            "shorter bins",
            UserWarning,
            stacklevel=4,
        )


def warn_of_fit(fit: Fit, form: Form, sequences: Sequences, max_iter: int) -> None:
    """Say what went wrong in the fit that was kept: no convergence, empty states, predictors that ran away."""
    said = []
    if not fit.converged:
        said.append(f"no convergence in {max_iter} iterations; raise max_iter or tol")
    if fit.reseeded:
        said.append(f"states emptied {fit.reseeded} times and began anew; fewer states may do")
    far = runaways(fit)
    names = names_of(sequences.nodes, form)[0]
    if far.any():
        said.append(
            f"the predictors of {listed(names[far])} run to infinity, as separable inputs make them; their "
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
