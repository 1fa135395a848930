"""The population GLM: one state, every node predicted from the past of all."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from dynome.dynamics.glm.histories import History
from dynome.dynamics.glm.laws import Law, Link
from dynome.dynamics.switching.demands import Precision
from dynome.dynamics.switching.priors.choice import PriorName
from dynome.dynamics.switching.priors.contract import Prior
from dynome.dynamics.switching.switching_glm import SwitchingGLM
from dynome.schema import STATE


class GLM(SwitchingGLM):
    r"""Generalised linear model of a population: bias, coupling between all nodes, covariates.

    It is a `SwitchingGLM` with one state, with the same verbs; ``results_`` have no state in them.

    Parameters
    ----------
    observation, link, history, self_history, prior, connectome, covariates, max_iter, tol, dtype, random_state
        As in `SwitchingGLM`.

    Attributes
    ----------
    results_ : Dataset
        ``weight (target, source, lag)``, ``coupling (target, source)``, ``standard_error (target, source)``,
        ``bias (node)``, ``covariate_weight (node, covariate)``, ``history (iteration)`` and more, as in `SwitchingGLM`.

    Notes
    -----
    .. math:: x_{tn} \mid x_{<t} \sim p\Big(g\big(b_n + \sum_{m,l} W[n, m, l]\, x_{t-l, m} + V_n u_t\big)\Big)

    Pillow et al. (2008), DOI 10.1038/nature07140. Fitted by damped Fisher scoring, for all nodes at once.

    Examples
    --------
    >>> from dynome.datasets import make_switching_glm
    >>> data = make_switching_glm(n_states=1, n_nodes=4, n_sessions=3, n_time=400, random_state=0)
    >>> model = GLM(link="sigmoid", random_state=0).fit(data.spike_count)
    >>> model.results_.coupling.dims
    ('target', 'source')
    """

    n_states = 1
    n_restarts = 1
    bias = "state"
    transition_covariates = ()
    dwell_phases = 1
    batch_size = None
    stickiness = 0.0
    concentration = 1.0

    def __init__(
        self,
        *,
        observation: Law = "poisson",
        link: Link | None = None,
        history: History | None = None,
        self_history: bool = True,
        prior: PriorName | Prior = "none",
        connectome: xr.Dataset | None = None,
        covariates: Sequence[str] = (),
        max_iter: int = 200,
        tol: float = 1e-6,
        dtype: Precision = "float64",
        random_state: int | None = None,
    ) -> None:
        self.observation = observation
        self.link = link
        self.history = history
        self.self_history = self_history
        self.prior = prior
        self.connectome = connectome
        self.covariates = covariates
        self.max_iter = max_iter
        self.tol = tol
        self.dtype = dtype
        self.random_state = random_state

    def _shown(self, results: xr.Dataset) -> xr.Dataset:
        return results.isel({STATE: 0, "next_state": 0}, drop=True).drop_vars(
            ["transition", "initial", "dwell_time", "occupancy", "state_probability", "restart_evidence"]
        )
