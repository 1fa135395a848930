"""A fitted model on data, as numbers: what the functions of this room need to know of a model."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.hmm.sequences import ChainInput, Sequences
from dynome.dynamics.switching.em import Parameters
from dynome.dynamics.switching.emissions import Emissions
from dynome.dynamics.switching.switching_glm import SwitchingGLM
from dynome.errors import InputError
from dynome.estimator import Estimator


class Fitted(NamedTuple):
    """A population GLM on data.

    Attributes
    ----------
    sequences : Sequences
        Stacked bins.
    emissions : Emissions
        Observations with their design.
    parameters : Parameters
        Coefficients, dispersions, and how states follow one another.
    log_likelihood : (n_bin, n_state)
        Of every bin in every state, in nats.
    """

    sequences: Sequences
    emissions: Emissions
    parameters: Parameters
    log_likelihood: NDArray[np.float64]


def seen_by(model: Any, data: ChainInput) -> Fitted:
    """A fitted GLM, with or without states, on data.

    Parameters
    ----------
    model : SwitchingGLM or GLM
        Fitted, not to categories.
    data : DataArray, Dataset, DataTree, dict or list
        As the model takes it.

    Raises
    ------
    InputError
        If it is another model, or does not fit the data.
    NotFittedError
        If it was not fitted.
    """
    if not isinstance(model, SwitchingGLM):
        raise InputError(f"expected a fitted SwitchingGLM or GLM, got {type(model).__name__}")
    if law_of(model) == "categorical":
        raise InputError("this is not known of categorical observations; give a model of counts or values")
    found = model._seen(data)
    return Fitted(found.sequences, found.emissions, found.parameters, found.log_likelihood)


def results_of(given: Any) -> Any:
    """``results_`` of an estimator, and anything else as it is.

    Raises
    ------
    NotFittedError
        If it is an estimator that was not fitted.
    """
    return given._fitted() if isinstance(given, Estimator) else given


def law_of(model: Any) -> str:
    """Law of the observations of a fitted chain model: ``"poisson"``, ``"gaussian"``, ..."""
    return str(model.get_params(deep=False).get("observation", ""))
