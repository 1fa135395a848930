"""A fitted model on data, as numbers: what the functions of this room need to know of a model."""

from __future__ import annotations

from typing import Any

from dynome.dynamics.hmm.sequences import ChainInput
from dynome.dynamics.switching.fitting import Seen
from dynome.errors import InputError


def seen_by(model: Any, data: ChainInput) -> Seen:
    """A fitted GLM, with or without states, on data.

    Parameters
    ----------
    model : SwitchingGLM or GLM
        Fitted.
    data : DataArray, Dataset, DataTree, dict or list
        As the model takes it.

    Raises
    ------
    InputError
        If it is another model, or does not fit the data.
    NotFittedError
        If it was not fitted.
    """
    see = getattr(model, "_seen", None)
    found = see(data) if see is not None else None
    if not isinstance(found, Seen):
        raise InputError(f"expected a fitted SwitchingGLM or GLM, got {type(model).__name__}")
    return found


def law_of(model: Any) -> str:
    """Law of the observations of a fitted chain model: ``"poisson"``, ``"gaussian"``, ..."""
    return str(model.get_params(deep=False).get("observation", ""))
