"""What the parameters of a switching GLM must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np

from dynome.dynamics.glm.histories import LearntHistory
from dynome.dynamics.glm.laws import LINKS
from dynome.errors import InputError, Problems, listed
from dynome.schema import ACTIVITY, SPIKE_COUNT

Bias = Literal["state", "shared"]
Precision = Literal["float64", "float32"]

_COUNTS = ("n_states", "n_restarts", "max_iter", "dwell_phases", "batch_size")
_LEAST = {"tol": 0.0, "stickiness": 0.0, "concentration": 1.0}
_NAMES = ("covariates", "transition_covariates")


def check_parameters(parameters: Mapping[str, Any], subject: str) -> None:
    """Refuse parameters that are out of range or do not go together.

    Parameters
    ----------
    parameters : mapping
        Of a `SwitchingGLM`, by name.
    subject : str
        What cannot be done.

    Raises
    ------
    InputError
        With every problem.
    """
    problems = Problems(subject)
    for name in _COUNTS:
        value = parameters[name]
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not (whole and value >= 1) and not (name == "batch_size" and value is None):
            problems.add(f"{name} must be an integer of at least 1, got {value!r}")
    for name, least in _LEAST.items():
        value = parameters[name]
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not (number and least <= value < np.inf):
            problems.add(f"{name} must be a finite number of at least {least:g}, got {value!r}")
    for name, allowed in (("observation", LINKS), ("bias", get_args(Bias)), ("dtype", get_args(Precision))):
        if parameters[name] not in allowed:
            problems.add(f"{name} must be one of {', '.join(allowed)}, got {parameters[name]!r}")
    for name in _NAMES:
        _add_name_problems(problems, name, parameters[name])
    _add_conflicts(problems, parameters)
    problems.raise_if_any(InputError)


def _add_name_problems(problems: Problems, name: str, value: Any) -> None:
    if isinstance(value, str):
        problems.add(f"{name} must be a list of names, got the text {value!r}; put it in a list")
        return
    names = list(value)
    if repeated := sorted({n for n in names if names.count(n) > 1}):
        problems.add(f"{name} must name each variable once, found more than once {listed(repeated)}")
    if observed := sorted({SPIKE_COUNT, ACTIVITY}.intersection(names)):
        problems.add(f"{name} must not hold {listed(observed)}, which is what the model is of")


def _add_conflicts(problems: Problems, parameters: Mapping[str, Any]) -> None:
    """Note what cannot be had together."""
    batched = parameters["batch_size"] is not None
    if parameters["observation"] == "categorical":
        prior = parameters["prior"]
        if isinstance(prior, str) and prior not in ("none", "ridge"):
            problems.add(f"categorical observations go with prior 'none' or 'ridge', got {prior!r}")
        if parameters["bias"] == "shared" or batched or isinstance(parameters["history"], LearntHistory):
            problems.add("categorical observations go with none of bias='shared', batch_size and LearntHistory")
    if len(parameters["transition_covariates"]) and (parameters["dwell_phases"] != 1 or batched):
        problems.add("transition_covariates go neither with dwell_phases above 1 nor with batch_size; drop one")
