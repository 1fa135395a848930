"""Stochastic EM: sessions are read a few at a time, for recordings that do not fit into memory.

What the M-step needs of the data (information, score, transitions) is averaged over batches with weights that fall, as
in the online EM of Cappé & Moulines (2009), DOI 10.1111/j.1467-9868.2009.00698.x.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import study
from dynome.dynamics.glm.fisher import Penalty
from dynome.dynamics.glm.passes import CERTAIN, Curvature
from dynome.dynamics.hmm.sequences import ChainInput, Sequences
from dynome.dynamics.switching.em import Parameters
from dynome.dynamics.switching.emissions import Emissions
from dynome.dynamics.switching.population import Form, add_problems, emissions_of, silent_nodes
from dynome.dynamics.switching.priors.contract import Prior
from dynome.dynamics.switching.processes import Smoothed
from dynome.errors import InputError, Problems
from dynome.schema import NODE, TIME

Array = NDArray[np.float64]

_FORGETTING = 0.6  # exponent: the weight of batch k is (k + 2) to the minus this


class Scan(NamedTuple):
    """What one look at all batches tells.

    Attributes
    ----------
    n_bin, n_observed : int
        Bins, and values in them.
    silent : (n_node,)
        Nodes that never vary.
    """

    n_bin: int
    n_observed: int
    silent: NDArray[np.bool_]


class Streamed(NamedTuple):
    """Where the passes over all batches ended.

    Attributes
    ----------
    parameters : Parameters
        Of the last batch.
    information : (n_state, n_target, n_feature, n_feature) or None
        Averaged over batches, for all bins; None with many features.
    occupancy : (n_state,)
        Share of bins.
    evidence : (n_sequence,)
        Of every sequence, when it was last seen.
    history : (n_pass,)
        Evidence summed over the batches of a pass, each under the parameters it met.
    converged : bool
        Whether the last pass gained less than the tolerance.
    """

    parameters: Parameters
    information: Array | None
    occupancy: Array
    evidence: Array
    history: Array
    converged: bool


def batches(data: ChainInput, size: int) -> list[ChainInput]:
    """Parts of the input, lazily: `size` entries of its leading dim, or `size` recordings.

    Parameters
    ----------
    data : DataArray, Dataset, DataTree, dict or list
        As for `stacked`.
    size : int
        Sessions or trials a batch.

    Raises
    ------
    InputError
        If there is nothing to divide: a single recording without leading dims.
    """
    if isinstance(data, xr.DataTree):
        return _divided(dict(study.sessions(data)), size)
    if isinstance(data, xr.DataArray | xr.Dataset):
        leading = [d for d in data.dims if d not in (TIME, NODE) and _leads(data, str(d))]
        if not leading:
            raise InputError(
                "batch_size divides sessions or trials, found one recording over (time, node); give several as a list, "
                "or a leading dim"
            )
        first = leading[0]
        return [data.isel({first: slice(k, k + size)}) for k in range(0, data.sizes[first], size)]
    if isinstance(data, Mapping) and not isinstance(data, xr.Dataset):
        return _divided(data, size)
    recordings = list[Any](data)
    return [recordings[k : k + size] for k in range(0, len(recordings), size)]


def _divided(recordings: Mapping[str, Any], size: int) -> list[ChainInput]:
    keys = list(recordings)
    return [{key: recordings[key] for key in keys[k : k + size]} for k in range(0, len(keys), size)]


def _leads(data: xr.DataArray | xr.Dataset, dim: str) -> bool:
    arrays: Sequence[xr.DataArray] = [data] if isinstance(data, xr.DataArray) else list(data.data_vars.values())
    return any({dim, TIME, NODE} <= set(array.dims) for array in arrays)


def scanned(parts: Sequence[ChainInput], read: Callable[[ChainInput], Sequences], form: Form) -> Scan:
    """Look at every batch once.

    Parameters
    ----------
    parts : sequence
        As `batches` gives them.
    read : callable
        From a part to its sequences.
    form : Form
        Kind of GLM.

    Raises
    ------
    InputError
        With everything that is wrong in any batch.
    """
    problems = Problems("cannot fit a switching GLM")
    n_bin, n_observed, silent = 0, 0, None
    for part in parts:
        sequences = read(part)
        add_problems(problems, sequences, form)
        n_bin, n_observed = n_bin + sequences.y.shape[0], n_observed + int(np.isfinite(sequences.y).sum())
        still = silent_nodes(sequences.y, form.law)
        silent = still if silent is None else silent & still
    problems.raise_if_any(InputError)
    if silent is None:
        raise InputError("expected at least one recording, found none")
    return Scan(n_bin, n_observed, silent)


def streamed(
    parts: Sequence[ChainInput],
    read: Callable[[ChainInput], Sequences],
    form: Form,
    scan: Scan,
    prior: Prior,
    start: Parameters,
    *,
    max_pass: int,
    tol: float,
    rng: np.random.Generator,
) -> Streamed:
    """Pass over all batches until a pass gains little.

    Parameters
    ----------
    parts, read, form
        As for `scanned`.
    scan : Scan
        Of the same parts.
    prior : Prior
        On the couplings.
    start : Parameters
        Where to begin, as an exact EM on one batch finds it.
    max_pass : int
        Passes at most.
    tol : float
        Gain at which to stop, in nats an observed entry.
    rng : Generator
        Draws the order of batches.
    """
    parameters, known, seen = start, None, 0
    history = list[float]()
    for _ in range(max_pass):
        evidence: dict[int, Array] = {}
        occupancy = np.zeros(start.coefficient.shape[0])
        for k in rng.permutation(len(parts)):
            sequences = read(parts[k])
            emissions = emissions_of(sequences, form, silent=scan.silent)
            found = emissions.evaluate(parameters.coefficient, parameters.dispersion, None)
            smoothed = parameters.process.smooth(found.log_likelihood, emissions.starts)
            evidence[int(k)] = smoothed.evidence
            occupancy += smoothed.probability.sum(axis=0)
            share = (seen + 2.0) ** -_FORGETTING if seen else 1.0
            parameters, known = _step(
                emissions, prior, parameters, smoothed, known, scan.n_bin / sequences.y.shape[0], share
            )
            seen += 1
        history.append(float(sum(e.sum() for e in evidence.values())))
        converged = len(history) > 1 and abs(history[-1] - history[-2]) < tol * scan.n_observed
        if converged:
            break
    return Streamed(
        parameters,
        known.information if known is not None and known.information.size else None,
        occupancy / occupancy.sum(),
        np.concatenate([evidence[k] for k in range(len(parts))]),
        np.array(history),
        converged,
    )


class _Known(NamedTuple):
    """Averages over batches, on the scale of all bins.

    Attributes
    ----------
    information : (n_state, n_target, n_feature, n_feature)
        Empty with many features, where batches are not averaged but followed by shorter and shorter steps.
    pull : (n_state, n_target, n_feature)
        Information times coefficients plus score: what the step of each batch would solve for.
    transitions, first
        As in `Smoothed`.
    """

    information: Array
    pull: Array
    transitions: Array
    first: Array


def _step(
    emissions: Emissions,
    prior: Prior,
    parameters: Parameters,
    smoothed: Smoothed,
    known: _Known | None,
    scale: float,
    share: float,
) -> tuple[Parameters, _Known]:
    """One M-step on what is known after this batch."""
    weight = np.where(smoothed.probability < CERTAIN, 0.0, smoothed.probability)
    coefficient, coupling = parameters.coefficient, emissions.coupling(parameters.coefficient)
    best = emissions.dispersed(coefficient, parameters.dispersion, weight)
    dispersion = parameters.dispersion + share * (best - parameters.dispersion)
    curve = emissions.curve(coefficient, dispersion, weight)
    penalty = emissions.penalty(prior.quadratic(coupling, parameters.belief))
    if isinstance(curve, Curvature):
        pull = np.einsum("snpq,snq->snp", curve.information, coefficient) + curve.score
        fresh = _Known(scale * curve.information, scale * pull, scale * smoothed.transitions, scale * smoothed.first)
        known = fresh if known is None else _mixed(known, fresh, share)
        score = known.pull - np.einsum("snpq,snq->snp", known.information, coefficient)
        whole = curve._replace(score=score, information=known.information)
        move = emissions.move(whole, coefficient, penalty)
        variance = emissions.coupling_variance(whole, penalty)
    else:
        fresh = _Known(np.zeros(0), np.zeros(0), scale * smoothed.transitions, scale * smoothed.first)
        known = fresh if known is None else _mixed(known, fresh, share)
        lighter = Penalty(penalty.mean, penalty.precision / scale)
        move = emissions.move(curve, coefficient, lighter)
        move = move._replace(step=share * move.step)
        variance = emissions.coupling_variance(curve, lighter) / scale
    belief = prior.refined(coupling, variance if prior.learns else None, parameters.belief)
    process = parameters.process.updated(smoothed._replace(transitions=known.transitions, first=known.first))
    return Parameters(coefficient + move.step, dispersion, process, belief), known


def _mixed(known: _Known, fresh: _Known, share: float) -> _Known:
    """Averages that a batch has moved."""
    return _Known(*(old + share * (new - old) for old, new in zip(known, fresh, strict=True)))
