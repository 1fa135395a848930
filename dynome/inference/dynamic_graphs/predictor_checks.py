"""What is checked of the parameters of a `GraphPredictor` before anything is read."""

from __future__ import annotations

import math
from typing import Any

from dynome.errors import InputError, NotFittedError, Problems
from dynome.inference.dynamic_graphs.graph_estimator import GraphEstimator
from dynome.inference.dynamic_graphs.settings import (
    add_choice,
    add_count,
    add_encoder_problems,
    add_graph_problems,
    add_positive,
    add_share,
)

OF_GRAPHS = ("window", "stride", "unit", "density", "wiring")
OF_ENCODER = ("hidden", "n_layers", "timestamp")

_READOUTS, _SUMMARIES = ("mean", "sero", "garo", "garo_stagin"), ("mean", "sum", "token")


def given(model: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Parameters that are not None.

    Parameters
    ----------
    model : GraphPredictor
    names : tuple of str
    """
    return {name: value for name in names if (value := getattr(model, name)) is not None}


def check_predictor(model: Any) -> None:
    """Refuse parameters that cannot be used, all at once.

    Parameters
    ----------
    model : GraphPredictor

    Raises
    ------
    InputError
    NotFittedError
        If the pretrained encoder is not fitted.
    """
    problems = Problems(f"cannot fit {type(model).__name__}")
    encoder = model.encoder
    if encoder is None:
        add_graph_problems(model.graph_settings, problems)
        add_encoder_problems(model.encoder_settings, problems)
        if model.freeze:
            problems.add("freeze=True keeps a pretrained encoder as it is; pass encoder=, or use freeze=False")
    elif not isinstance(encoder, GraphEstimator):
        problems.add(f"encoder must be a fitted GraphMaskedAutoencoder, got a {type(encoder).__name__}")
    elif not hasattr(encoder, "results_"):
        raise NotFittedError(f"this {type(encoder).__name__} is not fitted; call encoder.fit(study) first")
    elif decided := given(model, (*OF_GRAPHS, *OF_ENCODER)):
        problems.add(f"the pretrained encoder decides {', '.join(decided)}; leave them None")
    _add_training_problems(model, problems)
    if not problems.found and model.encoder_settings.hidden % model.heads:
        problems.add(f"heads must divide hidden, got {model.heads} and {model.encoder_settings.hidden}")
    problems.raise_if_any(InputError)


def _add_training_problems(model: Any, problems: Problems) -> None:
    for name in ("n_epochs", "batch_size", "heads", "patience", "accumulate"):
        add_count(problems, name, getattr(model, name))
    if model.n_windows is not None:
        add_count(problems, "n_windows", model.n_windows)
    add_choice(problems, "readout", model.readout, _READOUTS)
    add_choice(problems, "summary", model.summary, _SUMMARIES)
    add_choice(problems, "precision", model.precision, ("float32", "bfloat16"))
    add_positive(problems, "learning_rate", model.learning_rate)
    for name in ("dropout", "validation"):
        add_share(problems, name, getattr(model, name))
    for name in ("orthogonality", "weight_decay"):
        if not 0 <= getattr(model, name) < math.inf:
            problems.add(f"{name} must not be negative, got {getattr(model, name)!r}")
    if model.checkpoint is not None and model.random_state is None:
        problems.add("a checkpoint needs random_state, an integer: a fit with another seed cannot go on from it")
