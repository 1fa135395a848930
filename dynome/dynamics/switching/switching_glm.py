"""Population GLMs that switch between states: who drives whom, and when the wiring changes its tune."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import progress, seeds
from dynome.dynamics.glm.histories import ExponentialHistory, History, LearntHistory
from dynome.dynamics.glm.laws import Law, Link, link_for
from dynome.dynamics.hmm.sequences import ChainInput, Sequences, stacked
from dynome.dynamics.switching import labelling
from dynome.dynamics.switching.demands import Bias, Precision, check_parameters
from dynome.dynamics.switching.errors import standard_errors
from dynome.dynamics.switching.fitting import (
    Options,
    Seen,
    fitted,
    fitted_in_batches,
    seen,
    simulated_like,
    warn_of_fit,
)
from dynome.dynamics.switching.population import Form
from dynome.dynamics.switching.prediction import mixed_mean
from dynome.dynamics.switching.priors.choice import PriorName, prior_of
from dynome.dynamics.switching.priors.contract import Prior
from dynome.dynamics.switching.simulation import simulated
from dynome.dynamics.switching.streaming import batches
from dynome.errors import InputError
from dynome.estimator import Estimator, MissingData, no_target
from dynome.schema import ACTIVITY, NODE, RESTART, SPIKE_COUNT, STATE

Kind = Literal["marginal", "conditional"]

_SUBJECT = "cannot fit a switching GLM"
_PARAMETERS = (
    "n_states", "n_restarts", "max_iter", "dwell_phases", "batch_size", "tol", "stickiness", "concentration",
    "observation", "bias", "dtype", "covariates", "transition_covariates", "prior", "history",
)  # fmt: skip


class SwitchingGLM(Estimator):
    r"""Hidden states, each with its own bias and coupling between all nodes (HMM-GLM).

    Parameters
    ----------
    n_states : int
        Number of hidden states.
    observation : {"poisson", "bernoulli", "negative_binomial", "gaussian", "categorical"}
        Law of the observations given state and past. From a recording, Gaussian values take ``activity``, the others
        ``spike_count``, where both are there. Categories are codes 0, 1, 2, ...: each is a target, all but the first
        are sources.
    link : str or None
        How the predictor becomes the mean; None takes that of the law (softplus for counts, sigmoid, identity).
    history : History or None
        Kernels through which the past acts; None is ``ExponentialHistory(5)``. See `dynome.dynamics`.
    self_history : bool
        Whether the past of a node acts on the node itself.
    prior : str or Prior
        On the couplings: ``"none"``, ``"ridge"``, ``"gaussian"``, ``"one_hot"``, ``"gumbel"``, or an object of
        these with other parameters.
    connectome : Dataset or None
        A measured wiring, whose counts and signs are the prior on the classes of the edges, as far as the data
        support it. For ``"one_hot"``.
    bias : {"state", "shared"}
        Whether each state has its own.
    covariates : sequence of str
        Variables of the recording that act on the observations, in each state in its own way.
    transition_covariates : sequence of str
        Variables of the recording that act on the transitions.
    dwell_phases : int
        1: dwell times are geometric, as those of any Markov chain. More: negative binomial with so many phases
        (a semi-Markov chain), whose dwell times have a mode above 0.
    stickiness : float
        Self-transitions that are added to each state: a Dirichlet prior on dwelling.
    concentration : float
        Of the Dirichlet prior on all transitions and the first state; 1 is flat.
    n_restarts : int
        Starts; the one with the largest evidence is kept.
    max_iter : int
        Iterations at most.
    tol : float
        A start stops when an iteration gains less than this, in nats an observed entry.
    batch_size : int or None
        Sessions or trials that are read at a time, for data that do not fit into memory (lazy arrays, or a list of
        them). Starts are then compared on the first batch alone, ``max_iter`` counts passes over all batches, whose
        evidence is the `history` and may fall, and ``state_probability`` is left to `posterior`.
    dtype : {"float64", "float32"}
        Of the design and the arithmetic on it. Sums over bins, states and the chain are float64.
    random_state : int or None
        Seed; None draws one, which ``results_.attrs["random_state"]`` records.

    Attributes
    ----------
    results_ : Dataset
        States are numbered from the most to the least occupied.

        * ``weight (state, target, source, lag)``: coupling at each lag; ``coupling (state, target, source)``, its sum
          over lags; ``basis_weight``, ``kernel``: what it is made of; ``standard_error``: of `coupling`, given the
          posterior of the states (`dynome.inference.standard_errors` has those that do without);
        * ``bias (state, node)``, ``covariate_weight (state, node, covariate)``, ``dispersion (state, node)``;
        * ``transition (state, next_state)``, ``initial (state)``, ``dwell_time (state)``,
          ``transition_weight (next_state, transition_covariate)`` (the former are then those of inputs of 0);
        * ``edge_class_probability (target, source, edge_class)`` and more, by prior;
        * ``state_probability (..., time, state)``, ``occupancy (state)``, ``evidence (sequence)``;
        * ``history (iteration)``: the objective, evidence plus log priors; ``restart_evidence (restart)``.

    Notes
    -----
    .. math:: x_{tn} \mid z_t, x_{<t} \sim p\Big(g\big(b_{z_t n} + \sum_{m,l} W_{z_t}[n, m, l]\, x_{t-l, m}
        + V_{z_t n} u_t\big)\Big), \qquad z_t \mid z_{t-1} \sim \Pi_{z_{t-1}}

    Exact expectation maximisation, pooled over sequences, with one damped Fisher step an iteration for every (state,
    target). The objective never falls. The model is that of Li et al. (2024), arXiv:2310.15263, after the HMM-GLM of
    Escola et al. (2011), DOI 10.1162/NECO_a_00118.

    NaN is a missing value: its entry counts for nothing, exactly. As the past of later bins it is unknown, so that
    bins whose history reaches it count for nothing either, for all nodes; the chain runs on through them. Before a
    sequence the past is 0.

    Nodes that never vary get no coupling and the rate of half a spike; a warning names them.

    Examples
    --------
    >>> from dynome.datasets import make_switching_glm
    >>> data = make_switching_glm(n_states=2, n_nodes=4, n_sessions=3, n_time=400, random_state=0)
    >>> model = SwitchingGLM(n_states=2, link="sigmoid", n_restarts=2, random_state=0).fit(data.spike_count)
    >>> dict(model.results_.coupling.sizes)
    {'state': 2, 'target': 4, 'source': 4}
    >>> model.decode(data.spike_count).dims
    ('session', 'time')
    """

    missing_data: ClassVar[MissingData] = "mask"

    def __init__(
        self,
        n_states: int = 5,
        *,
        observation: Law = "poisson",
        link: Link | None = None,
        history: History | None = None,
        self_history: bool = True,
        prior: PriorName | Prior = "none",
        connectome: xr.Dataset | None = None,
        bias: Bias = "state",
        covariates: Sequence[str] = (),
        transition_covariates: Sequence[str] = (),
        dwell_phases: int = 1,
        stickiness: float = 0.0,
        concentration: float = 1.0,
        n_restarts: int = 5,
        max_iter: int = 200,
        tol: float = 1e-6,
        batch_size: int | None = None,
        dtype: Precision = "float64",
        random_state: int | None = None,
    ) -> None:
        self.n_states = n_states
        self.observation = observation
        self.link = link
        self.history = history
        self.self_history = self_history
        self.prior = prior
        self.connectome = connectome
        self.bias = bias
        self.covariates = covariates
        self.transition_covariates = transition_covariates
        self.dwell_phases = dwell_phases
        self.stickiness = stickiness
        self.concentration = concentration
        self.n_restarts = n_restarts
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.dtype = dtype
        self.random_state = random_state

    def fit(self, X: ChainInput, y: None = None) -> Self:
        """Learn states and couplings.

        Parameters
        ----------
        X : DataArray, Dataset, DataTree, dict or list
            ``(time, node)`` with any leading dims (``session``, ``trial``, ...); a recording; a study; or several of
            these. A new sequence begins with each entry of the leading dims, wherever the coordinate ``session`` or
            ``trial`` of time changes, and at gaps of the clock.
        y : None
            There is no target.

        Raises
        ------
        InputError
            If values do not go with the law, sequences are shorter than the history, labels do not match, or a
            parameter is out of range; with everything that is wrong.
        """
        started = time.perf_counter()
        no_target(y)
        check_parameters({name: getattr(self, name) for name in _PARAMETERS}, _SUBJECT)
        form = self._form()
        prior, seed = prior_of(self.prior, self.connectome), seeds.resolve(self.random_state)
        options = Options(**{name: getattr(self, name) for name in Options._fields})
        with progress.task(f"{self.n_restarts} starts of {self.n_states} states", self.n_restarts) as advance:
            if self.batch_size is None:
                found = fitted(self._stacked(X, form), form, prior, self.connectome, options, seed, advance)
            else:
                read = partial(self._stacked, form=form)
                parts = batches(X, self.batch_size)
                found = fitted_in_batches(parts, read, form, prior, self.connectome, options, seed, advance)
        fit = found.fit
        errors = standard_errors(prior, fit, None if found.passed is None else found.passed.information)
        results = labelling.labelled_fit(fit, prior, found.sequences, found.form, errors, found.passed)
        results["restart_evidence"] = (RESTART, found.restart_evidence, labelling.NATS)
        warn_of_fit(fit, found.form, found.sequences, self.max_iter)
        return self._finish(
            self._shown(results),
            started=started,
            converged=fit.converged,
            n_iter=fit.history.size,
            random_state=seed,
            dtype=self.dtype,
        )

    def posterior(self, X: ChainInput) -> xr.DataArray:
        """Probability of every state in every bin, given all of its sequence.

        Parameters
        ----------
        X : DataArray, Dataset, DataTree, dict or list
            As in `fit`, with the fitted nodes.

        Returns
        -------
        (..., time, state)
            Dims and coordinates of `X`; NaN where it is padding.
        """
        given = self._seen(X)
        found = given.parameters.process.smooth(given.log_likelihood, given.sequences.starts).probability
        return self._over_states(given.sequences, found, "state_probability")

    def decode(self, X: ChainInput) -> xr.DataArray:
        """The most probable path of states (Viterbi).

        Parameters
        ----------
        X : DataArray, Dataset, DataTree, dict or list
            As in `fit`, with the fitted nodes.

        Returns
        -------
        (..., time)
            Numbers of states; -1 where `X` is padding.
        """
        given = self._seen(X)
        path = given.parameters.process.decode(given.log_likelihood, given.sequences.starts)
        return given.sequences.labelled(path, name="state", attrs={"units": "1", "long_name": "most probable path"})

    def predict(self, X: ChainInput) -> xr.DataArray:
        """Mean of every bin given the bins before it (one step ahead).

        Parameters
        ----------
        X : DataArray, Dataset, DataTree, dict or list
            As in `fit`, with the fitted nodes.

        Returns
        -------
        (..., time, node)
            In units of `X`; NaN where the past is not known.
        """
        given = self._seen(X)
        ahead = given.parameters.process.predict(given.log_likelihood, given.sequences.starts).probability
        expected = mixed_mean(given.emissions, given.parameters.coefficient, ahead)
        units = {"units": given.sequences.units, "long_name": "one-step-ahead mean"}
        return given.sequences.labelled(expected, [NODE], {NODE: self.results_[NODE]}, name="prediction", attrs=units)

    def log_likelihood(self, X: ChainInput, *, kind: Kind = "marginal") -> xr.DataArray:
        """Log probability of every bin.

        Parameters
        ----------
        X : DataArray, Dataset, DataTree, dict or list
            As in `fit`, with the fitted nodes.
        kind : {"marginal", "conditional"}
            ``"marginal"``: given the bins before it, so that the sum over a sequence is the log of its marginal
            likelihood. ``"conditional"``: given the most probable state of the smoother, the score of Li et al.
            (2024). It looks at the very spikes that it scores to choose the state, and rises with the number of
            states by construction: never choose a model by it.

        Returns
        -------
        (..., time)
            Nats, summed over nodes.
        """
        if kind not in get_args(Kind):
            raise InputError(f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}")
        given = self._seen(X)
        if kind == "marginal":
            values = given.parameters.process.predict(given.log_likelihood, given.sequences.starts).evidence
        else:
            best = given.parameters.process.smooth(given.log_likelihood, given.sequences.starts).probability.argmax(
                axis=1
            )
            values = given.log_likelihood[np.arange(best.size), best]
        about = {"units": "nat", "long_name": f"{kind} log likelihood"}
        return given.sequences.labelled(values, name="log_likelihood", attrs=about)

    def score(self, X: ChainInput, y: None = None) -> float:
        """Marginal log likelihood in nats an observed entry (bin and node)."""
        no_target(y)
        given = self._seen(X)
        evidence = given.parameters.process.predict(given.log_likelihood, given.sequences.starts).evidence
        return float(evidence.sum() / max(np.isfinite(given.emissions.problem.observed).sum(), 1))

    def simulate(
        self,
        n_time: int | None = None,
        n_sessions: int = 1,
        *,
        like: ChainInput | None = None,
        random_state: int | None = None,
    ) -> xr.Dataset:
        """Draw states and observations from the fitted model.

        Parameters
        ----------
        n_time : int or None
            Bins a session; covariates are then 0.
        n_sessions : int
            Sessions.
        like : DataArray, Dataset, DataTree, dict or list, or None
            In place of `n_time`: data whose sequences and covariates the simulation takes over, NaN covariates as 0.
            Of a Dataset the result has the covariates too, so that it can be fitted.
        random_state : int or None
            Seed.

        Returns
        -------
        Dataset
            ``spike_count`` or ``activity (session, time, node)`` and ``true_state (session, time)``; with the dims and
            coordinates of `like`, where that is given.

        Raises
        ------
        InputError
            If a number is below 1 or the activity runs away.
        """
        results = self._fitted()
        form, rng = labelling.form_of(results, self.dtype), seeds.generator(random_state, "simulate")
        if like is not None:
            given = self._stacked(like, form, results[labelling.OBSERVED].to_numpy())
            drawn = simulated_like(results, given, form, rng)
            inputs = (*self.covariates, *self.transition_covariates)
            return drawn.assign({name: like[name] for name in inputs}) if isinstance(like, xr.Dataset) else drawn
        if n_time is None or n_time < 1 or n_sessions < 1:
            raise InputError(f"n_time and n_sessions must be at least 1, got {n_time} and {n_sessions}")
        parameters = labelling.parameters_of(results, None)
        starts = np.arange(n_sessions + 1, dtype=np.int64) * n_time
        state = parameters.process.sample(starts, rng).reshape(n_sessions, n_time)
        largest = results.attrs["largest"]
        y = simulated(state, parameters.coefficient, parameters.dispersion, form, rng, largest)
        return labelling.labelled_simulation(y, state, results)

    def _form(self) -> Form:
        history = ExponentialHistory(5) if self.history is None else self.history
        if not isinstance(history, History):
            raise InputError(f"history must be one of dynome's, such as ExponentialHistory(5), got {history!r}")
        link = link_for(self.observation, self.link)
        learns = isinstance(history, LearntHistory)
        return Form(
            self.observation, link, history.kernels(), self.self_history, self.bias == "shared", self.dtype, learns
        )

    def _stacked(self, X: ChainInput, form: Form, nodes: NDArray[Any] | None = None) -> Sequences:
        names = (ACTIVITY, SPIKE_COUNT) if form.law == "gaussian" else (SPIKE_COUNT, ACTIVITY)
        return stacked(
            X,
            names,
            covariates=tuple(self.covariates),
            transition_covariates=tuple(self.transition_covariates),
            nodes=nodes,
            min_bins=form.kernels.shape[1] + 1,
            subject=_SUBJECT if nodes is None else "cannot use the fitted GLM on these data",
        )

    def _seen(self, X: ChainInput) -> Seen:
        results = self._fitted()
        form = labelling.form_of(results, self.dtype)
        sequences = self._stacked(X, form, results[labelling.OBSERVED].to_numpy())
        return seen(results, sequences, form)

    def _over_states(self, sequences: Sequences, values: NDArray[np.float64], name: str) -> xr.DataArray:
        return sequences.labelled(values, [STATE], {STATE: np.arange(values.shape[1])}, name=name, attrs={"units": "1"})

    def _shown(self, results: xr.Dataset) -> xr.Dataset:
        return results
