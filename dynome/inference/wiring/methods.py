"""The methods by name: what each needs, and what its numbers mean."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from dynome.errors import InputError, Problems
from dynome.inference.wiring.samples import Sample

Method = Literal[
    "correlation",
    "lagged_correlation",
    "partial_correlation",
    "granger",
    "var",
    "transfer_entropy",
    "glm",
    "learnt_graph",
    "attention",
    "patel",
    "likelihood_ratio",
]
_least = {"n_lags": 1, "n_past": 1, "n_levels": 2}
Estimate = Callable[..., NDArray[np.float64]]


class About(NamedTuple):
    """What is to be known of a method.

    Attributes
    ----------
    home : str
        Module of the function that has its name.
    long_name, units : str
        Of the result.
    directed, signed : bool
        Whether it tells the two directions apart, and excitation from inhibition.
    """

    home: str
    long_name: str
    units: str
    directed: bool
    signed: bool


ABOUT: Mapping[str, About] = {
    "correlation": About("correlations", "correlation", "1", False, True),
    "lagged_correlation": About("correlations", "correlation of the source's past with the target", "1", True, True),
    "partial_correlation": About("correlations", "partial correlation", "1", False, True),
    "granger": About("regressions", "Granger causality", "nat", True, False),
    "var": About("regressions", "autoregressive coefficient, summed over lags", "1", True, True),
    "transfer_entropy": About("entropies", "transfer entropy", "nat", True, False),
    "glm": About("couplings", "coupling of a GLM", "1", True, True),
    "learnt_graph": About("adjacency_network", "learnt adjacency", "1", True, True),
    "attention": About("population_attention", "mean attention times its effect", "1", True, True),
    "patel": About("directions", "Patel's kappa, laid on its directions by tau", "1", True, False),
    "likelihood_ratio": About("directions", "strength, laid on its directions by likelihood", "1", True, False),
}


def method_named(name: str, options: Mapping[str, Any]) -> Estimate:
    """The function of a method.

    Parameters
    ----------
    name : str
        One of `Method`.
    options : mapping
        What it will be called with.

    Raises
    ------
    InputError
        If there is no such method, it does not know an option, or lags are no positive whole number.
    """
    if name not in ABOUT:
        raise InputError(f"method must be one of {', '.join(map(repr, get_args(Method)))}, got {name!r}")
    function: Estimate = getattr(import_module(f"dynome.inference.wiring.{ABOUT[name].home}"), name)
    known = [p for p in inspect.signature(function).parameters if p != "sample"]
    problems = Problems(f"cannot infer connectivity by {name}")
    for option, value in options.items():
        if option not in known:
            problems.add(f"{name} has no option {option!r}; it has {', '.join(known) or 'none'}")
        elif value is not None and not _counts(value, _least.get(option, 0)):
            problems.add(f"{option} must be a whole number >= {_least[option]}, got {value!r}")
    problems.raise_if_any(InputError)
    return function


def _counts(value: object, least: int) -> bool:
    """Whether it is a whole number and large enough; with 0 nothing is asked."""
    if not least:
        return True
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def reach(name: str, options: Mapping[str, Any]) -> int:
    """Bins of the past that a method looks at: 0 where it looks at none."""
    parameters = inspect.signature(method_named(name, options)).parameters
    lags = [options.get(p, parameters[p].default) for p in ("n_lags", "n_past") if p in parameters]
    history = options.get("history")
    if history is not None:
        lags.append(history.kernels().shape[1])
    return max((int(lag) for lag in lags if lag is not None), default=0)


def estimated(name: str, sample: Sample, options: Mapping[str, Any]) -> NDArray[np.float64]:
    """(n_node, n_node): source down, target across; NaN on the diagonal and for nodes that do not vary."""
    values = np.full((sample.kept.size, sample.kept.size), np.nan)
    values[np.ix_(sample.kept, sample.kept)] = method_named(name, options)(sample, **options)
    np.fill_diagonal(values, np.nan)
    return values
