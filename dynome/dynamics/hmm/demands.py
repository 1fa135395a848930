"""What an `HMM` demands of its parameters and of the data, and what it tells of a fit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from dynome.dynamics.glm.laws import add_observation_problems
from dynome.dynamics.hmm.emissions.choice import Covariance, Form, Mean, Observation
from dynome.dynamics.hmm.fitting import Fit
from dynome.dynamics.hmm.sequences import Sequences
from dynome.errors import Problems, listed

_FAR = 1.0  # standard deviations that the mean of a node may be from 0 where states have no means


def add_parameter_problems(problems: Problems, params: Mapping[str, Any]) -> None:
    """Note parameters that are out of range or do not go together.

    Parameters
    ----------
    problems : Problems
    params : mapping
        Of an `HMM`.
    """
    for name in ("n_states", "n_restarts", "max_iter"):
        value = params[name]
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            problems.add(f"{name} must be an integer of at least 1, got {value!r}")
    for name, least in (("tol", 0.0), ("stickiness", 0.0), ("concentration", 1.0), ("prior_bins", 0.0)):
        value = params[name]
        if not (name == "prior_bins" and value is None) and not least <= value < np.inf:
            problems.add(f"{name} must be a finite number of at least {least:g}, got {value!r}")
    for name, choices in (("observation", Observation), ("covariance", Covariance), ("mean", Mean)):
        if params[name] not in get_args(choices):
            problems.add(f"{name} must be one of {', '.join(get_args(choices))}, got {params[name]!r}")
    gaussian = (params["covariance"], params["mean"])
    if params["observation"] != "gaussian" and gaussian != ("diagonal", "state"):
        problems.add('covariance and mean are those of observation="gaussian"; leave them as they are for counts')
    if params["n_states"] != 1 and gaussian == ("tied", "zero"):
        problems.add('states with covariance="tied" and mean="zero" are all alike; free one of the two')


def add_data_problems(problems: Problems, sequences: Sequences, form: Form, n_states: int) -> None:
    """Note what keeps data from being fitted.

    Parameters
    ----------
    problems : Problems
    sequences : Sequences
    form : Form
    n_states : int
    """
    y, nodes = sequences.y, sequences.nodes
    add_observation_problems(problems, y, form.observation)
    if y.shape[0] < n_states:
        problems.add(f"n_states is {n_states}, but there are only {y.shape[0]} bins")
    if n_states > 1 and np.diff(sequences.starts).max() < 2:
        problems.add("no sequence has two bins, so that there are no transitions; join what follows in time")
    if (never := np.isnan(y).all(axis=0)).any():
        problems.add(f"{int(never.sum())} nodes were never observed: {listed(nodes[never])}; drop them")
    elif form.observation == "gaussian":
        deviation = np.nanstd(y, axis=0)
        if (still := deviation == 0).any():
            problems.add(f"{int(still.sum())} nodes never vary: {listed(nodes[still])}; drop them")
        elif form.centred and (far := np.abs(np.nanmean(y, axis=0)) > _FAR * deviation).any():
            problems.add(
                f'mean="zero" takes nodes that vary about 0, but the mean of {int(far.sum())} nodes is further '
                f"than a standard deviation from it: {listed(nodes[far])}; standardize each session first"
            )


def warn_of(fit: Fit, max_iter: int) -> None:
    """Say what went wrong in the fit that was kept.

    Parameters
    ----------
    fit : Fit
    max_iter : int
    """
    said = []
    if not fit.converged:
        said.append(f"no convergence in {max_iter} iterations; raise max_iter or tol")
    if empty := int(fit.empty.sum()):
        said.append(
            f"{empty} of {fit.empty.size} states are empty, after {fit.reseeded} new beginnings; take fewer states"
        )
    if said:
        warnings.warn("; ".join(said), ConvergenceWarning, stacklevel=3)
