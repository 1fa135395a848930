"""The sampler as a step of PyMC, so that `pm.sample` runs it together with NUTS on the hyper-parameters.

A step method of PyMC is a class that inherits from PyMC's. Importing dynome must not import PyMC, so the class is made
when the first step is asked for.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from dynome.errors import InputError
from dynome.extras import require
from dynome.inference.biclustering.graph import ModelPlan, plan_of
from dynome.inference.biclustering.model import State
from dynome.inference.biclustering.starting import started
from dynome.inference.biclustering.sweeps import Schedule, sweep

_OWN = ("cluster", "state", "bias", "loading", "dispersion")


def bicluster_step(model: Any = None, *, n_threads: int = 1) -> Any:
    """Step method that draws clusters, loadings, dispersions, latents, dynamics and states in one sweep.

    Parameters
    ----------
    model : pymc.Model or None
        From `build_model`; None takes the one of the surrounding ``with``.
    n_threads : int
        Threads of the draws of one sweep. Results do not depend on it.

    Returns
    -------
    BiclusterStep
        A ``pymc.step_methods.compound.BlockedStep`` for ``pm.sample(step=[...])``. It owns ``cluster``,
        ``state``, ``bias``, ``loading`` and ``dispersion``; PyMC gives the hyper-parameters to NUTS. Its statistics, a
        draw: ``log_likelihood`` (nats, summed), ``n_clusters`` and ``n_states`` (visited).

    Raises
    ------
    InputError
        If the model is not from `build_model`, or `n_threads` is not positive.
    MissingExtraError
        Without PyMC.

    Notes
    -----
    Each chain starts at a point of its own, which the data suggest; where PyMC starts these variables is not read.
    Labels of clusters and states mean nothing across draws. Latents are not recorded: use `Biclustering` for them.
    """
    pm = require("pymc", extra="bayes")
    model = pm.modelcontext(model)
    plan = plan_of(model)
    if n_threads < 1:
        raise InputError(f"n_threads must be at least 1, got {n_threads}")
    own = [model.rvs_to_values[model[name]] for name in _OWN if name in model.named_vars]
    return _step_class()(own, model=model, plan=plan, schedule=Schedule(n_threads=n_threads))


@cache
def _step_class() -> Any:
    """The class, which needs PyMC to be there."""
    compound = require("pymc.step_methods.compound", extra="bayes")
    util = require("pymc.util", extra="bayes")

    class BiclusterStep(compound.BlockedStep):  # type: ignore[misc,name-defined]
        """One sweep of the bi-clustering given the hyper-parameters."""

        name = "bicluster_step"
        stats_dtypes_shapes: dict[str, Any] = {  # noqa: RUF012
            "log_likelihood": (np.float64, []),
            "n_clusters": (np.int64, []),
            "n_states": (np.int64, []),
        }

        def __init__(
            self,
            vars: list[Any],
            *,
            model: Any,
            plan: ModelPlan,
            schedule: Schedule,
            blocked: bool = True,
            rng: Any = None,
        ) -> None:
            self.vars = vars
            self._plan = plan
            self._schedule = schedule
            self._hyper = _values(model, plan.free)
            self.set_rng(rng)

        def set_rng(self, rng: Any) -> None:
            """A new chain (PyMC 5): nothing of the last one is kept."""
            self.rng = util.get_random_generator(rng, copy=False)
            self._current: State | None = None

        def setup_chain(self, rng: Any, tune: int, draws: int) -> None:
            """A new chain (PyMC 6)."""
            self.set_rng(rng)

        def step(self, point: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
            """Draw everything but the hyper-parameters once."""
            plan = self._plan
            hyper = plan.hyper._replace(**self._hyper(point))
            before = started(plan.data, plan.hyper, self.rng) if self._current is None else self._current
            self._current, moves = sweep(before, plan.data, hyper, self.rng, self._schedule)
            now = self._current
            values = {
                "cluster": now.cluster,
                "bias": now.coefficient[:, 0],
                "loading": now.coefficient[:, 1:],
                "dispersion_log__": np.log(now.dispersion),
                "state": now.state,
            }
            told = {
                "log_likelihood": float(moves.log_likelihood.sum()),
                "n_clusters": now.latent.shape[1],
                "n_states": np.unique(now.state).size,
            }
            return {**point, **{v.name: values[v.name] for v in self.vars}}, [told]

    return BiclusterStep


def _values(model: Any, free: tuple[str, ...]) -> Any:
    """From a point of PyMC, on its own scales, to the hyper-parameters."""
    inputs = [model.rvs_to_values[model[name]] for name in free]
    if not free:
        return _Values((), (), list)
    outputs = model.replace_rvs_by_values([model[name] for name in free])
    function = model.compile_fn(outputs, inputs=inputs, point_fn=False, on_unused_input="ignore", mode="FAST_COMPILE")
    return _Values(free, tuple(v.name for v in inputs), function)


class _Values:
    """A compiled function with the names of what it takes and gives; a class because it travels to other processes."""

    def __init__(self, free: tuple[str, ...], inputs: tuple[str, ...], function: Any) -> None:
        self.free, self.inputs, self.function = free, inputs, function

    def __call__(self, point: dict[str, Any]) -> dict[str, float]:
        found = self.function(*(point[name] for name in self.inputs))
        return {name: float(value) for name, value in zip(self.free, found, strict=True)}
