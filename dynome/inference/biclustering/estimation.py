"""Bayesian bi-clustering: the estimator."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd

from dynome import seeds
from dynome.dynamics.hmm.sequences import ChainInput, Sequences, stacked
from dynome.errors import InputError, Problems
from dynome.estimator import Estimator, MissingData, no_target
from dynome.extras import require
from dynome.inference.biclustering.chains import ChainRun, Scheduler, run_chains
from dynome.inference.biclustering.compilation import compile_once
from dynome.inference.biclustering.continuing import runs_of
from dynome.inference.biclustering.demands import add_data_problems, add_parameter_problems
from dynome.inference.biclustering.diagnostics import summary, warn_if_chains_disagree
from dynome.inference.biclustering.model import Data, Hyper, Law
from dynome.inference.biclustering.plans import Plan, chain_run, recorded_point
from dynome.inference.biclustering.results import results_tree
from dynome.inference.biclustering.sweeps import Schedule

_SUBJECT = "cannot fit a bi-clustering"
_SETTLING = 30


class Biclustering(Estimator):
    r"""Which nodes share a latent trajectory, and which stretches of time share its linear dynamics.

    A sampler of the posterior in which neither the number of clusters nor the number of states is fixed:

    .. math::
        y_{it} \sim p(y \mid d_i + m_t^{(z_i)} + c_i^\top x_t^{(z_i)}, r_i), \qquad
        X_t = A_{s_t} X_{t-1} + b_{s_t} + e_t, \quad e_t \sim N(0, Q_{s_t})

    with :math:`X_t` the common log rates :math:`m_t` and factors :math:`x_t` of all clusters.

    Parameters
    ----------
    n_factors : int
        Factors of a cluster besides its common log rate; 0 is allowed.
    observation : {"negative_binomial", "poisson", "bernoulli", "gaussian"}
        Gaussian observations must be standardised.
    n_draws, n_tune, n_chains : int
        Draws that are kept of each chain, sweeps before them, chains.
    dynamics : {"block", "coupled"}
        Whether the trajectory of each cluster has dynamics of its own, given the states, or all drive each other (as
        published; a sweep takes longer, and clusters come and go less easily).
    n_states : int
        Most states that are possible (truncation of the hierarchical Dirichlet process); 1 for dynamics that never
        switch.
    n_clusters : int or None
        Number of clusters if it is known; None to infer it.
    partition : {"mfm", "dp"}
        Prior of the clusters: a mixture of finite mixtures, whose number is Geometric(`zeta`), or a Dirichlet process.
    zeta : float
        Between 0 and 1; 0.2 expects five clusters before seeing data.
    learn_concentrations : bool
        Whether the concentrations of states, their stickiness (and that of a Dirichlet process) are drawn as well, or
        stay at 5, 5, 10 (and 1).
    adapt_factors : bool
        Whether factors of a cluster are born and die; `n_factors` is then the most there can be.
    bias_sd, loading_sd : float
        Priors of biases and loadings.
    dispersion_shape, dispersion_rate : float
        Gamma prior of the shape r of the negative binomial; inverse gamma prior of the variance (Gaussian).
    noise_scale : float
        Of the inverse Wishart prior of the noise: 0.01 for steps of about 0.1 a bin.
    thin : int
        Sweeps a draw.
    latent_every : int
        One draw in so many is kept with its latents.
    n_temperatures : int
        More than 1 for parallel tempering: so many rungs a chain, each as costly as a chain.
    coldest : float
        Power of the likelihood at the last rung.
    start : {"data", "prior"}
        Where chains begin: at what quick fits of the data suggest (fewer of them where `n_tune` is at most 30), or at a
        draw from the prior.
    out : str, path or None
        Folder for the draws, written as chains run, and checkpoints: `fit` with the same data and settings goes on from
        there. None keeps everything in memory.
    checkpoint_every : int
        Sweeps between checkpoints: the most that a killed chain can lose.
    scheduler : {"processes", "threads", "synchronous"}
        How chains run side by side.
    n_threads : int
        Threads of a chain. Results do not depend on it.
    random_state : int or None

    Attributes
    ----------
    results_ : DataTree
        ``posterior``, ``latent``, ``sample_stats``, ``observed_data``, ``log_likelihood``, ``clustering``,
        ``diagnostics`` and where the chains stand: see `dynome.inference.biclustering.results.results_tree`.

    Notes
    -----
    Missing observations are masked exactly. A node that never fires is kept; its rate is what the prior makes of so
    many silent bins. Chains start from different points that the data suggest, and a warning says when they do not
    agree.

    The sampler is exact: every move leaves the posterior as it is, which Geweke's test checks for each. Wei (2024),
    arXiv:2309.02213; Miller and Harrison (2018), doi:10.1080/01621459.2016.1255636; Fox et al. (2011),
    doi:10.1214/10-AOAS395.

    Examples
    --------
    >>> from dynome.datasets import make_biclusters
    >>> data = make_biclusters(n_clusters=2, nodes_per_cluster=3, n_times=60, random_state=0)
    >>> model = Biclustering(n_factors=1, n_draws=10, n_tune=10, n_chains=1, n_states=3, random_state=0)
    >>> model.fit(data.spike_count).results_["posterior"]["cluster"].dims
    ('chain', 'draw', 'node')
    """

    missing_data: ClassVar[MissingData] = "mask"

    def __init__(
        self,
        n_factors: int = 2,
        observation: Law = "negative_binomial",
        n_draws: int = 2000,
        n_tune: int = 1000,
        n_chains: int = 4,
        *,
        dynamics: Literal["block", "coupled"] = "block",
        n_states: int = 10,
        n_clusters: int | None = None,
        partition: Literal["mfm", "dp"] = "mfm",
        zeta: float = 0.2,
        learn_concentrations: bool = True,
        adapt_factors: bool = False,
        bias_sd: float = 1.0,
        loading_sd: float = 1.0,
        dispersion_shape: float = 1.0,
        dispersion_rate: float = 1.0,
        noise_scale: float = 0.01,
        thin: int = 1,
        latent_every: int = 10,
        n_temperatures: int = 1,
        coldest: float = 0.5,
        start: Literal["data", "prior"] = "data",
        out: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
        scheduler: Scheduler = "processes",
        n_threads: int = 1,
        random_state: int | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.observation = observation
        self.n_draws = n_draws
        self.n_tune = n_tune
        self.n_chains = n_chains
        self.dynamics = dynamics
        self.n_states = n_states
        self.n_clusters = n_clusters
        self.partition = partition
        self.zeta = zeta
        self.learn_concentrations = learn_concentrations
        self.adapt_factors = adapt_factors
        self.bias_sd = bias_sd
        self.loading_sd = loading_sd
        self.dispersion_shape = dispersion_shape
        self.dispersion_rate = dispersion_rate
        self.noise_scale = noise_scale
        self.thin = thin
        self.latent_every = latent_every
        self.n_temperatures = n_temperatures
        self.coldest = coldest
        self.start = start
        self.out = out
        self.checkpoint_every = checkpoint_every
        self.scheduler = scheduler
        self.n_threads = n_threads
        self.random_state = random_state

    def fit(self, X: ChainInput, y: None = None, *, client: Any = None) -> Self:
        """Sample the posterior.

        Parameters
        ----------
        X : DataArray, Dataset, DataTree, dict or list
            ``(time, node)`` with any leading dims (``session``, ``trial``, ...); a recording; a study; or several of
            these. A new sequence begins with each entry of the leading dims, wherever the coordinate ``session`` or
            ``trial`` of time changes, and at gaps of the clock. NaN is missing.
        y : None
            There is no target.
        client : distributed.Client or None
            A cluster to run the chains on.

        Raises
        ------
        InputError
            If values do not go with the law, there are fewer than two nodes or bins than `n_states` can fill, a node
            was never observed, or a parameter is out of range; with everything that is wrong.
        StoreError
            If `out` holds chains of other data or settings.
        MissingExtraError
            Without ArviZ, which judges the chains.
        """
        begun = time.perf_counter()
        no_target(y)
        require("arviz", extra="bayes")  # its R-hat comes last: its absence must not be noticed after hours of sampling
        problems = Problems(_SUBJECT)
        add_parameter_problems(problems, self.get_params())
        problems.raise_if_any(InputError)
        sequences = stacked(X, subject=_SUBJECT)
        add_data_problems(problems, sequences, self.observation, self.n_states, self.n_clusters)
        problems.raise_if_any(InputError)
        plan = self._plan(sequences, seeds.resolve(self.random_state))
        return self._with(self._run(plan, None, client), plan, sequences, begun)

    def resume(self, n_draws: int, *, client: Any = None) -> Self:
        """Let the chains go on.

        Parameters
        ----------
        n_draws : int
            Draws of each chain in all, those that are there included.
        client : distributed.Client or None
            A cluster to run the chains on.

        Returns
        -------
        Biclustering
            With the draws that one longer run would have given.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InputError
            If there are that many draws already.
        """
        begun = time.perf_counter()
        results = self._fitted()
        there = results["posterior"].sizes["draw"]
        if n_draws <= there:
            raise InputError(
                f"n_draws counts all draws of a chain and must be above the {there} there are, got {n_draws}"
            )
        sequences = stacked(results["observed_data"]["y"], subject=_SUBJECT)
        plan = self._plan(sequences, int(results.attrs["random_state"]))._replace(n_draws=n_draws)
        formers = runs_of(results) if plan.out is None else None
        runs = self._run(plan, formers, client)
        self.n_draws = n_draws
        return self._with(runs, plan, sequences, begun)

    def summary(self) -> pd.DataFrame:
        """Posterior means, R-hat and effective draws of what does not depend on labels, and agreement of the chains.

        Returns
        -------
        DataFrame
            One row a quantity.
        """
        return summary(self._fitted())

    def _plan(self, sequences: Sequences, seed: int) -> Plan:
        data = Data(np.ascontiguousarray(sequences.y.T), sequences.starts, self.observation)
        hyper = Hyper(
            n_factors=self.n_factors,
            n_states=self.n_states,
            coupled=self.dynamics == "coupled",
            bias_sd=self.bias_sd,
            loading_sd=self.loading_sd,
            dispersion_shape=self.dispersion_shape,
            dispersion_rate=self.dispersion_rate,
            noise_scale=self.noise_scale,
            partition=self.partition,
            zeta=self.zeta,
            resample_concentrations=self.learn_concentrations,
            adapt_factors=self.adapt_factors,
        )
        if self.n_clusters is not None:
            hyper = hyper._replace(n_auxiliary=0)
        return Plan(
            data=data,
            hyper=hyper,
            schedule=Schedule(n_threads=self.n_threads),
            n_clusters=self.n_clusters,
            start=self.start,
            n_temperatures=self.n_temperatures,
            coldest=self.coldest,
            settling=min(_SETTLING, self.n_tune // 2),
            n_tune=self.n_tune,
            n_draws=self.n_draws,
            thin=self.thin,
            latent_every=self.latent_every,
            checkpoint_every=self.checkpoint_every,
            out=None if self.out is None else os.fspath(self.out),
            random_state=seed,
        )

    def _run(self, plan: Plan, formers: list[ChainRun] | None, client: Any) -> list[ChainRun]:
        if self.n_chains > 1 and self.scheduler == "processes" and client is None:
            compile_once(plan)
        run = partial(_chain, plan=plan, formers=formers)
        return run_chains(run, self.n_chains, scheduler=self.scheduler, client=client)

    def _with(self, runs: list[ChainRun], plan: Plan, sequences: Sequences, begun: float) -> Self:
        results = results_tree(runs, sequences, law=self.observation, point=partial(recorded_point, plan=plan))
        table = summary(results)
        if self.n_chains > 1:
            warn_if_chains_disagree(table)
        worst = table["r_hat"].max()
        converged = bool(worst < 1.05) if np.isfinite(worst) else self.n_chains > 1
        n_iter = plan.n_tune + plan.n_draws * plan.thin
        self._finish(results, started=begun, converged=converged, n_iter=n_iter, random_state=plan.random_state)
        return self


def _chain(k: int, *, plan: Plan, formers: list[ChainRun] | None) -> ChainRun:
    return chain_run(k, plan, None if formers is None else formers[k])
