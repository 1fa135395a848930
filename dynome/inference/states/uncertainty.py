"""Standard errors of couplings that know how uncertain the states are."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import progress
from dynome.dynamics.glm.passes import curvature
from dynome.dynamics.glm.pointwise import law_code, link_code, weighted_derivatives
from dynome.dynamics.hmm.sequences import ChainInput
from dynome.dynamics.hmm.smoothing import smooth
from dynome.errors import InputError
from dynome.estimator import Estimator
from dynome.inference.states.covariances import MOST_MISSING, Covariance, covariance
from dynome.inference.states.fitted import Fitted, seen_by
from dynome.inference.states.uncertain_states import Paths, missing_information, uncertain_paths
from dynome.schema import NODE, SOURCE, STATE, TARGET

Array = NDArray[np.float64]
Method = Literal["louis", "wald"]

_BASIS, _COVARIATE = "basis", "covariate"
_ROWS = 4096  # bins of a block of features
_MOST_COEFFICIENTS = 3000  # of a target in all states: its matrices take 72 MB each


class _Errors(NamedTuple):
    """Variances of one target; arrays by state first."""

    basis: Array  # (n_state, n_source, n_basis)
    coupling: Array  # (n_state, n_source)
    bias: Array  # (n_state,)
    covariate: Array  # (n_state, n_covariate)


def standard_errors(model: Estimator, data: ChainInput, *, method: Method = "louis") -> xr.Dataset:
    r"""Standard errors of the couplings, biases and covariate weights of a fitted GLM.

    Parameters
    ----------
    model : SwitchingGLM or GLM
        Fitted.
    data : DataArray, Dataset, DataTree, dict or list
        What it was fitted to: every bin adds to what is known.
    method : {"louis", "wald"}
        ``"wald"`` takes the posterior of the states as if it were the states: too small where they are hard to tell.
        ``"louis"`` takes away the information that is missing because they are not seen.

    Returns
    -------
    Dataset
        * ``standard_error (state, target, source)`` of ``coupling``, the sum over lags; NaN where there is no coupling;
        * ``basis_standard_error (state, target, source, basis)``, ``bias_standard_error (state, node)`` and, with
          covariates, ``covariate_standard_error (state, node, covariate)``. Infinite where neither data nor prior tell;
        * with ``"louis"``: ``missing_information (state, target, source)``, the share of the information on a coupling
          that the hidden states take.

        ``attrs["n_floored"]`` counts directions in which more than 99 % of the information was missing; 99 % were taken
        (errors at most 10 times those of ``"wald"``). Without states in the model, without dim state.

    Raises
    ------
    InputError
        If the model is none of these, the data do not fit it, or a target has more than 3,000 coefficients over all
        states, for which ``"louis"`` would have to hold matrices of more than 72 MB.

    Notes
    -----
    Laplace's approximation: the posterior of the coefficients of a target is Gaussian with precision

    .. math:: I_\mathrm{complete} - I_\mathrm{missing} + \mathrm{diag}(\tau)

    where the complete information is the Fisher information weighted by the posterior of the states, the missing
    information is the variance of the complete-data score over paths of states given the data [1]_, and :math:`\tau` is
    the precision of the prior. Louis' variance is computed exactly for all states of a target together, by one pass
    backwards in time instead of by drawn paths. Transition probabilities, dispersions, learnt kernels and the
    coefficients of other targets are taken as known. A prior makes errors those of a posterior: smaller, about
    estimates that it has pulled.

    References
    ----------
    .. [1] Louis 1982, doi:10.1111/j.2517-6161.1982.tb01203.x.

    Examples
    --------
    >>> from dynome.datasets import make_switching_glm
    >>> from dynome.dynamics import SwitchingGLM
    >>> x = make_switching_glm(n_states=2, n_nodes=3, n_sessions=2, n_time=500, random_state=0)["spike_count"]
    >>> model = SwitchingGLM(2, link="sigmoid", n_restarts=2, random_state=0).fit(x)
    >>> louis, wald = standard_errors(model, x), standard_errors(model, x, method="wald")
    >>> bool((louis.standard_error >= wald.standard_error).all())
    True
    """
    if method not in get_args(Method):
        raise InputError(f"method must be one of {', '.join(get_args(Method))}, got {method!r}")
    seen = seen_by(model, data)
    coefficient = seen.parameters.coefficient
    n_state, n_node, n_feature = coefficient.shape
    louis = method == "louis" and n_state > 1
    if louis and n_state * n_feature > _MOST_COEFFICIENTS:
        raise InputError(
            f"a target has {n_state * n_feature} coefficients over all states, more than {_MOST_COEFFICIENTS} that "
            "method='louis' can hold; take method='wald'"
        )
    posterior = _posterior(seen)
    problem = seen.emissions.problem
    found = curvature(problem, coefficient, seen.parameters.dispersion, posterior.probability)
    precision = _prior_precision(model, seen)
    scores = _Scores(seen, posterior.paths) if louis else None
    tables: list[list[_Errors]] = [[], []]
    n_floored = 0
    with progress.task("standard errors", n_node) as advance:
        for n in range(n_node):
            args = found.information[:, n], precision[:, n]
            own = {"free": problem.free[n], "shared_bias": seen.emissions.shared_bias}
            tables[0].append(_variances(covariance(*args, None, **own), seen))
            if scores is not None:
                known = covariance(*args, missing_information(*scores.of(n), posterior.paths), **own)
                tables[1].append(_variances(known, seen))
                n_floored += known.n_floored
            advance(1)
    return _labelled(tables, model, seen, method, n_floored)


class _Posterior(NamedTuple):
    probability: Array
    paths: Paths


def _posterior(seen: Fitted) -> _Posterior:
    """Posterior of the states, and of the paths in bins that are not certain."""
    process = seen.parameters.process
    of = process.state
    phased = seen.log_likelihood[:, of]
    transition, initial = process.arrays()
    starts = seen.sequences.starts
    found = smooth(phased, transition, initial, starts, each_transition=True)
    probability = found.probability.astype(np.float64)
    member = (of[:, None] == np.arange(seen.log_likelihood.shape[1])).astype(np.float64)
    return _Posterior(probability @ member, uncertain_paths(probability, found.transitions, starts, of))


def _prior_precision(model: Any, seen: Fitted) -> Array:
    """(n_state, n_target, n_feature): of the prior at the estimate; 0 for bias and covariates."""
    shape = seen.parameters.coefficient.shape
    out = np.zeros(shape)
    results = model.results_
    if "prior_precision" in results:
        known = results["prior_precision"]
        known = known if STATE in known.dims else known.expand_dims(STATE)
        values = known.transpose(STATE, TARGET, SOURCE, _BASIS).to_numpy()
        n_weight = values.shape[2] * values.shape[3]
        out[:, :, 1 : 1 + n_weight] = values.reshape(*shape[:2], n_weight)
    return out


class _Scores:
    """Features and complete-data scores in the bins that are not certain, target by target."""

    def __init__(self, seen: Fitted, paths: Paths) -> None:
        design = seen.emissions.problem.design
        self.seen = seen
        self.y = np.asarray(seen.emissions.problem.observed, dtype=np.float64)[paths.bins]
        self.x = np.empty((paths.bins.size, design.n_feature))
        for a in range(0, design.n_bin, _ROWS):
            first, last = np.searchsorted(paths.bins, (a, a + _ROWS))
            if last > first:
                self.x[first:last] = design.block(a, min(a + _ROWS, design.n_bin))[paths.bins[first:last] - a]

    def of(self, target: int) -> tuple[Array, Array]:
        """Features (n_kept, n_feature) and score (n_kept, n_state) of one target."""
        problem, parameters = self.seen.emissions.problem, self.seen.parameters
        law, link = law_code(problem.law), link_code(problem.link)
        y = np.ascontiguousarray(self.y[:, target, None])
        one = np.ones(y.shape[0])
        n_state = parameters.coefficient.shape[0]
        score = np.empty((y.shape[0], n_state))
        for s in range(n_state):
            eta = (self.x @ parameters.coefficient[s, target])[:, None]
            slope, information, value = np.empty_like(eta), np.empty_like(eta), np.zeros(1)
            scale = parameters.dispersion[s, target, None]
            weighted_derivatives(law, link, y, eta, one, np.ascontiguousarray(scale), slope, information, value)
            score[:, s] = slope[:, 0]
        return self.x, score


def _variances(known: Covariance, seen: Fitted) -> _Errors:
    """Variances of what is reported, from the covariance of the coefficients of one target."""
    n_state, _, n_feature = seen.parameters.coefficient.shape
    n_source, n_basis = seen.emissions.n_source, seen.emissions.n_basis
    end = 1 + n_source * n_basis
    blocks = np.stack([known.matrix.reshape(n_state, n_feature, n_state, n_feature)[s, :, s] for s in range(n_state)])
    single = np.einsum("spp->sp", blocks)
    history = blocks[:, 1:end, 1:end].reshape(n_state, n_source, n_basis, n_source, n_basis)
    coupling = np.einsum("smkml->sm", history)
    basis = single[:, 1:end].reshape(n_state, n_source, n_basis)
    return _Errors(basis, coupling, single[:, 0], single[:, end:])


def _labelled(tables: list[list[_Errors]], model: Any, seen: Fitted, method: str, n_floored: int) -> xr.Dataset:
    results = model.results_
    wald, louis = tables
    chosen = louis or wald
    free = seen.emissions.problem.free
    n_source, n_basis = seen.emissions.n_source, seen.emissions.n_basis
    exists = free[:, 1 : 1 + n_source * n_basis].reshape(free.shape[0], n_source, n_basis)

    def stacked(name: str, table: list[_Errors]) -> Array:
        return np.stack([getattr(row, name) for row in table], axis=1)

    edges, one = (STATE, TARGET, SOURCE), {"units": "1"}
    any_of = exists.any(axis=2)
    variables: dict[str, Any] = {
        "standard_error": (edges, np.where(any_of, np.sqrt(stacked("coupling", chosen)), np.nan), one),
        "basis_standard_error": ((*edges, _BASIS), np.where(exists, np.sqrt(stacked("basis", chosen)), np.nan), one),
        "bias_standard_error": ((STATE, NODE), np.sqrt(stacked("bias", chosen)), one),
    }
    if _COVARIATE in results.coords:
        errors = np.sqrt(stacked("covariate", chosen))
        variables["covariate_standard_error"] = ((STATE, NODE, _COVARIATE), errors, one)
    if louis:
        with np.errstate(invalid="ignore", divide="ignore"):
            lost = 1 - stacked("coupling", wald) / stacked("coupling", louis)
        about = one | {"long_name": "share of information lost to hidden states"}
        variables["missing_information"] = (edges, np.where(any_of, lost, np.nan), about)
    dims = {d for v in variables.values() for d in v[0]}
    coords = {d: results[d] for d in (TARGET, SOURCE, NODE, _BASIS, _COVARIATE) if d in results.coords and d in dims}
    n_state = seen.parameters.coefficient.shape[0]
    found = xr.Dataset(variables, {**coords, STATE: np.arange(n_state)})
    found["standard_error"].attrs["long_name"] = f"standard error of the coupling ({method})"
    found = found.assign_attrs(method=method, n_floored=n_floored, most_missing=MOST_MISSING)
    return found if STATE in results.dims else found.isel({STATE: 0}, drop=True)
