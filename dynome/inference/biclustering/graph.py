"""The graph that PyMC holds: hyper-parameters, and the small arrays that depend on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from dynome.dynamics.hmm.sequences import Sequences
from dynome.errors import InputError
from dynome.inference.biclustering.model import Concentrations, Data, Hyper
from dynome.inference.biclustering.names import FACTOR
from dynome.inference.biclustering.partition_prior import drawn_partition
from dynome.inference.biclustering.prior_draws import prior_start
from dynome.schema import NODE, TIME

Prior = Callable[[str], Any]
SMALLEST_ZETA = 0.02  # below it the sum over numbers of components would be long
_PLAN = "dynome_biclustering"


class ModelPlan(NamedTuple):
    """What a model is about, carried by the model itself.

    Attributes
    ----------
    data : Data
    hyper : Hyper
        Values of what is not free.
    free : tuple of str
        Hyper-parameters with a prior.
    sequences : Sequences
        How bins and nodes are labelled.
    """

    data: Data
    hyper: Hyper
    free: tuple[str, ...]
    sequences: Sequences


def plan_of(model: Any) -> ModelPlan:
    """What a model from `build_model` is about.

    Parameters
    ----------
    model : pymc.Model

    Raises
    ------
    InputError
        If the model comes from elsewhere, or is a copy.
    """
    plan = getattr(model, _PLAN, None)
    if not isinstance(plan, ModelPlan):
        raise InputError("expected a model that dy.inference.build_model made, found another one (or a copy of one)")
    return plan


def hyper_graph(pm: ModuleType, plan: ModelPlan, own: Mapping[str, Prior]) -> Any:
    """The model of a plan.

    Parameters
    ----------
    pm : module
        PyMC.
    plan : ModelPlan
    own : mapping of str to callable
        Priors in place of the usual ones.
    """
    hyper, law = plan.hyper, plan.data.law
    defaults: dict[str, Prior] = {
        "bias_mean": lambda name: pm.Normal(name, 0.0, 2.0),
        "bias_sd": lambda name: pm.HalfNormal(name, 1.0),
        "loading_sd": lambda name: pm.HalfNormal(name, 1.0),
        "dispersion_shape": lambda name: pm.Gamma(name, 2.0, 1.0),
        "dispersion_rate": lambda name: pm.Gamma(name, 2.0, 1.0),
        "zeta": lambda name: pm.Beta(name, 2.0, 8.0),
    }
    coords = {NODE: plan.sequences.nodes, FACTOR: np.arange(hyper.n_factors), **_bins(plan)}
    with pm.Model(coords=coords) as model:
        value = hyper._asdict() | {name: {**defaults, **own}[name](name) for name in plan.free}
        pm.Normal("bias", value["bias_mean"], value["bias_sd"], dims=NODE)
        pm.Normal("loading", 0.0, value["loading_sd"], dims=(NODE, FACTOR))
        if law == "negative_binomial":
            pm.Gamma("dispersion", value["dispersion_shape"], value["dispersion_rate"], dims=NODE)
        elif law == "gaussian":
            pm.InverseGamma("dispersion", value["dispersion_shape"], value["dispersion_rate"], dims=NODE)
        _partition(pm, plan, value["zeta"])
        _states(pm, plan)
        if "zeta" in plan.free:
            zeta = value["zeta"]
            pm.Potential("zeta_above_its_bound", pm.math.switch(zeta < SMALLEST_ZETA, -np.inf, 0.0))
    setattr(model, _PLAN, plan)
    return model


def _partition(pm: ModuleType, plan: ModelPlan, zeta: Any) -> None:
    """The variable ``cluster``: a partition as a whole, whatever its clusters are called."""
    hyper, n_nodes = plan.hyper, plan.data.y.shape[0]

    def random(zeta: Any, rng: np.random.Generator, size: Any) -> Any:  # noqa: ARG001 -- PyMC passes it
        return drawn_partition(n_nodes, hyper._replace(zeta=float(np.ravel(zeta)[0])), Concentrations(), rng)

    def logp(cluster: Any, zeta: Any) -> Any:
        import pytensor.tensor as pt

        sizes = pt.eq(cluster[:, None], np.arange(n_nodes)).sum(0)
        n_clusters = pt.gt(sizes, 0).sum()
        if hyper.partition == "dp":
            return pt.switch(pt.gt(sizes, 0), pt.gammaln(pt.maximum(sizes, 1)), 0.0).sum()
        within = pt.gammaln(sizes + hyper.mass) - float(gammaln(hyper.mass))
        return log_weight(n_clusters, zeta, n_nodes, hyper.mass) + within.sum()

    first = np.zeros(n_nodes, dtype=np.int64)
    pm.CustomDist("cluster", zeta, logp=logp, random=random, dtype="int64", dims=NODE, initval=first)


def _states(pm: ModuleType, plan: ModelPlan) -> None:
    """The variable ``state``, of which the graph knows no more than that it is there."""
    n_bins, dim = plan.data.y.shape[1], next(iter(_bins(plan)))

    def random(rng: np.random.Generator, size: Any) -> Any:  # noqa: ARG001 -- PyMC passes it
        return prior_start(plan.data, plan.hyper, rng).state

    def logp(state: Any) -> Any:
        import pytensor.tensor as pt

        inside = pt.ge(state, 0).all() & pt.lt(state, plan.hyper.n_states).all()
        return pt.switch(inside, -n_bins * float(np.log(plan.hyper.n_states)), -np.inf)

    first = np.zeros(n_bins, dtype=np.int64)
    pm.CustomDist("state", logp=logp, random=random, dtype="int64", dims=dim, initval=first)


def _bins(plan: ModelPlan) -> dict[str, Any]:
    """Name and coordinates of the bins, all of them end to end."""
    frame, position = plan.sequences.layout
    if frame.dims == (TIME,) and position.size == frame.size and TIME in frame.coords:
        return {TIME: frame[TIME].to_numpy()}
    return {"bin": np.arange(plan.data.y.shape[1])}


def log_weight(n_clusters: Any, zeta: Any, n_nodes: int, mass: float) -> Any:
    r"""Logarithm of the coefficient :math:`V_N(t)` of a mixture of finite mixtures, differentiable in zeta.

    Parameters
    ----------
    n_clusters : integer tensor
        t.
    zeta : tensor
        At least 0.02.
    n_nodes : int
        N.
    mass : float
        Parameter of the Dirichlet distribution.

    Returns
    -------
    tensor
        See `log_partition_weights`, whose sum it cuts where the geometric prior has fallen below 1e-17.
    """
    import pytensor.tensor as pt

    k = np.arange(1.0, 2 * n_nodes + 40 / SMALLEST_ZETA)
    fixed = gammaln(k + 1) + gammaln(mass * k) - gammaln(mass * k + n_nodes)
    short = k - n_clusters
    falling = pt.switch(pt.ge(short, 0), -pt.gammaln(pt.maximum(short, 0) + 1), -np.inf)
    logsumexp: Any = pt.logsumexp
    return logsumexp(fixed + falling + (k - 1) * pt.log1p(-zeta)) + pt.log(zeta)
