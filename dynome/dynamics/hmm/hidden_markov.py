"""Hidden Markov models without inputs: states are rates, probabilities of events, levels, or connectivity."""

from __future__ import annotations

import time
from typing import ClassVar, NamedTuple, Self

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import progress, seeds
from dynome.dynamics.glm.laws import add_observation_problems
from dynome.dynamics.hmm import labelling
from dynome.dynamics.hmm.chain import Chain
from dynome.dynamics.hmm.decoding import most_likely_path
from dynome.dynamics.hmm.demands import add_data_problems, add_parameter_problems, warn_of
from dynome.dynamics.hmm.emissions.choice import (
    Covariance,
    Form,
    Mean,
    Observation,
    emission_of,
    observed_as,
    pooled,
)
from dynome.dynamics.hmm.emissions.contract import Emission
from dynome.dynamics.hmm.filtering import predict
from dynome.dynamics.hmm.fitting import Fit, Options, fitted, started
from dynome.dynamics.hmm.sampling import sample_chain
from dynome.dynamics.hmm.sequences import ChainInput, Sequences, stacked
from dynome.dynamics.hmm.smoothing import smooth
from dynome.errors import InputError, Problems
from dynome.estimator import Estimator, MissingData, no_target
from dynome.schema import ACTIVITY, NODE, RESTART, SPIKE_COUNT, STATE

Array = NDArray[np.float64]

_SUBJECT = "cannot fit a hidden Markov model"
_NEW = "cannot use the fitted hidden Markov model on these data"


class Seen(NamedTuple):
    """New data as a fitted model sees them."""

    sequences: Sequences
    chain: Chain
    emission: Emission
    log_likelihood: Array
    n_seen: int


class HMM(Estimator):
    r"""Hidden states that follow one another as a Markov chain; each bin depends on the state of its bin alone.

    Parameters
    ----------
    n_states : int
        Number of hidden states.
    observation : {"poisson", "bernoulli", "gaussian"}
        Law of the observations given the state. Counts and events take ``spike_count``, Gaussian values ``activity``
        where a recording is given.
    covariance : {"diagonal", "full", "tied"}
        Of Gaussian observations: nodes independent given the state; a covariance a state; one for all states.
    mean : {"state", "zero"}
        Of Gaussian observations: a mean a state; or none, so that states differ by covariance alone. Together with
        ``covariance="full"`` that is the HMM on functional connectivity, whose states are patterns of correlation.
        Standardize each session first.
    prior_bins : float or None
        The prior on the parameters of a state counts as so many bins that look like the whole recording: rates and
        probabilities are drawn towards those of all bins, variances and covariances towards the pooled ones. None
        takes 1, or as many as there are nodes where nodes vary together. 0 is maximum likelihood.
    stickiness : float
        Self-transitions that are added to each state: a Dirichlet prior on dwelling.
    concentration : float
        Of the Dirichlet prior on all transitions and the first state; 1 is flat.
    n_restarts : int
        Starts; the one with the largest evidence plus log priors is kept.
    max_iter : int
        Iterations at most.
    tol : float
        A start stops when an iteration gains less than this, in nats an observed entry.
    random_state : int or None
        Seed; None draws one, which ``results_.attrs["random_state"]`` records.

    Attributes
    ----------
    results_ : Dataset
        States are numbered from the most to the least occupied.

        * of the law: ``rate (state, node)``, expected counts a bin; ``probability (state, node)``; or
          ``mean (state, node)`` with ``variance (state, node)`` or ``covariance (state, source, target)`` and its
          correlations ``fc (state, source, target)`` (without ``state`` if tied);
        * of the chain: ``transition (state, next_state)``, ``initial (state)``, ``dwell_time (state)``, expected, in
          seconds where there is a clock and else in bins;
        * of the data: ``state_probability (..., time, state)``, ``occupancy (state)``, ``evidence (sequence)``;
        * of the fit: ``history (iteration)``, evidence plus log priors, which never falls;
          ``restart_evidence (restart)``; attrs ``n_reseeded`` and ``n_empty``.

    Notes
    -----
    .. math:: z_1 \sim \pi, \quad z_t \mid z_{t-1} \sim A_{z_{t-1}}, \quad y_t \mid z_t \sim p(\cdot \mid \theta_{z_t})

    Exact expectation maximisation (Baum-Welch) over all sequences, to a maximum of the posterior density of the
    parameters. Starts are k-means clusters of bins after smoothing over 1 to 45 bins (of products of the main
    directions, where states have no means). A state that comes out empty begins anew with the worst explained bins of
    the largest state, up to three times and as long as that gains; what is left empty is told by a warning.

    NaN is a missing value and is left out exactly: nodes that are independent given the state are scored by what was
    observed; with a covariance, a bin is scored by the marginal density of the nodes that it has.

    The HMM on functional connectivity is that of Vidaurre, Smith & Woolrich (2017), DOI 10.1073/pnas.1705120114, fitted
    by maximum a posteriori and not by variational Bayes.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> state = np.repeat([0, 1, 0], [80, 60, 60])
    >>> x = xr.DataArray(rng.poisson(np.array([[5, 1], [1, 3]])[state]), dims=("time", "node"))
    >>> model = HMM(n_states=2, random_state=0).fit(x)
    >>> bool((model.decode(x) == state).mean() > 0.95)
    True
    >>> dict(model.results_.rate.sizes)
    {'state': 2, 'node': 2}
    """

    missing_data: ClassVar[MissingData] = "mask"

    def __init__(
        self,
        n_states: int = 3,
        *,
        observation: Observation = "poisson",
        covariance: Covariance = "diagonal",
        mean: Mean = "state",
        prior_bins: float | None = None,
        stickiness: float = 0.0,
        concentration: float = 1.0,
        n_restarts: int = 5,
        max_iter: int = 500,
        tol: float = 1e-7,
        random_state: int | None = None,
    ) -> None:
        self.n_states = n_states
        self.observation = observation
        self.covariance = covariance
        self.mean = mean
        self.prior_bins = prior_bins
        self.stickiness = stickiness
        self.concentration = concentration
        self.n_restarts = n_restarts
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: ChainInput, y: None = None) -> Self:
        """Learn the states.

        Parameters
        ----------
        X : DataArray, Dataset, DataTree, dict or list
            ``(time, node)`` with any leading dims (``session``, ``trial``, ...); a recording; a study; or several of
            these. A new sequence begins with each entry of the leading dims, wherever the coordinate ``session`` or
            ``trial`` of time changes, and at gaps of the clock.
        y : None
            Ignored.

        Raises
        ------
        InputError
            If values do not go with the law, there are fewer bins than states, no sequence has two bins, a node was
            never observed or never varies (Gaussian), labels do not match, or a parameter is out of range; with
            everything that is wrong.
        """
        begun = time.perf_counter()
        no_target(y)
        problems = Problems(_SUBJECT)
        add_parameter_problems(problems, self.get_params())
        problems.raise_if_any(InputError)
        form, sequences = self._form(), self._stacked(X)
        add_data_problems(problems, sequences, form, self.n_states)
        problems.raise_if_any(InputError)
        data = observed_as(form, sequences.y)
        seed = seeds.resolve(self.random_state)
        options = Options(self.n_states, self.n_restarts, self.max_iter, self.tol, self.concentration, self.stickiness)
        common = pooled(form, data, self.n_states, self.prior_bins)
        n_starts = self.n_restarts if self.n_states > 1 else 1
        fits: list[Fit] = []
        with progress.task(f"{n_starts} starts of {self.n_states} states", n_starts) as advance:
            for k in range(n_starts):
                first = started(data, sequences.starts, common, options, centred=form.centred, seed=seed, k=k)
                fits.append(fitted(data, sequences.starts, *first, options))
                advance(1)
        best = max(fits, key=lambda fit: fit.history[-1])
        results = labelling.labelled_fit(best, sequences, form)
        evidence = np.array([fit.posterior.evidence.sum() for fit in fits])
        results["restart_evidence"] = (RESTART, evidence, {**labelling.NATS, "long_name": "log evidence"})
        warn_of(best, self.max_iter)
        return self._finish(results, started=begun, converged=best.converged, n_iter=best.n_iter, random_state=seed)

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
        seen = self._seen(X)
        found = smooth(seen.log_likelihood, seen.chain.transition, seen.chain.initial, seen.sequences.starts)
        coords = {STATE: np.arange(found.probability.shape[1])}
        attrs = {"units": "1", "long_name": "probability of the state"}
        return seen.sequences.labelled(found.probability, [STATE], coords, name="state_probability", attrs=attrs)

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
        seen = self._seen(X)
        path = most_likely_path(seen.log_likelihood, seen.chain.transition, seen.chain.initial, seen.sequences.starts)
        return seen.sequences.labelled(
            path.state, name="state", attrs={"units": "1", "long_name": "most probable path"}
        )

    def predict(self, X: ChainInput) -> xr.DataArray:
        """Mean of every bin given the bins before it (one step ahead).

        Parameters
        ----------
        X : DataArray, Dataset, DataTree, dict or list
            As in `fit`, with the fitted nodes.

        Returns
        -------
        (..., time, node)
            In units of `X`; NaN where it is padding.
        """
        seen = self._seen(X)
        ahead = predict(seen.log_likelihood, seen.chain.transition, seen.chain.initial, seen.sequences.starts)
        values = ahead.probability @ seen.emission.expected()
        attrs = {"units": seen.sequences.units, "long_name": "one-step-ahead mean"}
        coords = {NODE: seen.sequences.nodes}
        return seen.sequences.labelled(values, [NODE], coords, name="prediction", attrs=attrs)

    def log_likelihood(self, X: ChainInput) -> xr.DataArray:
        """Log probability of every bin given the bins before it; it sums to the log of the marginal likelihood.

        Parameters
        ----------
        X : DataArray, Dataset, DataTree, dict or list
            As in `fit`, with the fitted nodes.

        Returns
        -------
        (..., time)
            Nats, summed over nodes; 0 where all nodes are missing and NaN where `X` is padding.
        """
        seen = self._seen(X)
        ahead = predict(seen.log_likelihood, seen.chain.transition, seen.chain.initial, seen.sequences.starts)
        attrs = {"units": "nat", "long_name": "one-step-ahead log likelihood"}
        return seen.sequences.labelled(ahead.evidence, name="log_likelihood", attrs=attrs)

    def score(self, X: ChainInput, y: None = None) -> float:
        """Marginal log likelihood in nats an observed entry (bin and node).

        Parameters
        ----------
        X : DataArray, Dataset, DataTree, dict or list
            As in `fit`, with the fitted nodes.
        y : None
            Ignored.
        """
        seen = self._seen(X)
        found = smooth(seen.log_likelihood, seen.chain.transition, seen.chain.initial, seen.sequences.starts)
        return float(found.evidence.sum() / max(seen.n_seen, 1))

    def simulate(self, n_time: int, n_sessions: int = 1, *, random_state: int | None = None) -> xr.Dataset:
        """Draw states and observations from the fitted model.

        Parameters
        ----------
        n_time : int
            Bins a session.
        n_sessions : int
            Sessions.
        random_state : int or None
            Seed.

        Returns
        -------
        Dataset
            ``spike_count`` or ``activity (session, time, node)`` and ``state (session, time)``.

        Raises
        ------
        InputError
            If a number is below 1.
        """
        results = self._fitted()
        if n_time < 1 or n_sessions < 1:
            raise InputError(f"n_time and n_sessions must be at least 1, got {n_time} and {n_sessions}")
        rng = seeds.generator(random_state, "simulate")
        starts = np.arange(n_sessions + 1, dtype=np.int64) * n_time
        state = sample_chain(*labelling.chain_of(results), starts, rng)
        emission = emission_of(self._form(), results)
        return labelling.labelled_simulation(emission, state, (n_sessions, n_time), results, rng)

    def _form(self) -> Form:
        return Form(self.observation, self.covariance, self.mean)

    def _stacked(self, X: ChainInput, nodes: ArrayLike | None = None) -> Sequences:
        names = (ACTIVITY, SPIKE_COUNT) if self.observation == "gaussian" else (SPIKE_COUNT, ACTIVITY)
        return stacked(X, names, nodes=nodes, subject=_SUBJECT if nodes is None else _NEW)

    def _seen(self, X: ChainInput) -> Seen:
        results = self._fitted()
        sequences = self._stacked(X, results[NODE].to_numpy())
        problems = Problems(_NEW)
        add_observation_problems(problems, sequences.y, self.observation)
        problems.raise_if_any(InputError)
        emission, form = emission_of(self._form(), results), self._form()
        data = observed_as(form, sequences.y, emission.expected().mean(axis=0))
        return Seen(sequences, labelling.chain_of(results), emission, emission.log_likelihood(data), data.n_seen)
