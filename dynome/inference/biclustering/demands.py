"""What data and parameters of a bi-clustering must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from dynome.dynamics.hmm.sequences import Sequences
from dynome.errors import Problems
from dynome.inference.biclustering.model import Law
from dynome.inference.biclustering.observations import add_observation_problems

_WHOLE = {
    "n_factors": 0, "n_draws": 1, "n_tune": 0, "n_chains": 1, "n_states": 1, "thin": 1, "latent_every": 1,
    "n_temperatures": 1, "checkpoint_every": 1, "n_threads": 1,
}  # fmt: skip
_POSITIVE = ("bias_sd", "loading_sd", "dispersion_shape", "dispersion_rate", "noise_scale")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "observation": get_args(Law),
    "dynamics": ("block", "coupled"),
    "partition": ("mfm", "dp"),
    "start": ("data", "prior"),
    "scheduler": ("processes", "threads", "synchronous"),
}
_MOST_FACTORS, _MOST_STATES = 20, 200
_LARGEST_MEAN, _LARGEST_SD = 3.0, 5.0  # of Gaussian observations that pass for standardised


def add_parameter_problems(problems: Problems, params: Mapping[str, Any]) -> None:
    """Note parameters that are out of range.

    Parameters
    ----------
    problems : Problems
    params : mapping
        Of the estimator.
    """
    for name, least in _WHOLE.items():
        value = params[name]
        if not _is_whole(value) or value < least:
            problems.add(f"{name} must be a whole number of at least {least}, got {value!r}")
    for name, most in (("n_factors", _MOST_FACTORS), ("n_states", _MOST_STATES)):
        if _is_whole(params[name]) and params[name] > most:
            problems.add(f"{name} must be at most {most}, got {params[name]}")
    n_clusters = params["n_clusters"]
    if n_clusters is not None and (not _is_whole(n_clusters) or n_clusters < 1):
        problems.add(f"n_clusters must be None or a whole number of at least 1, got {n_clusters!r}")
    for name in _POSITIVE:
        if not _is_number(params[name]) or not 0 < params[name] < np.inf:
            problems.add(f"{name} must be positive, got {params[name]!r}")
    for name in ("zeta", "coldest"):
        if not _is_number(params[name]) or not 0 < params[name] <= 1:
            problems.add(f"{name} must lie above 0 and not above 1, got {params[name]!r}")
    for name, choices in _CHOICES.items():
        if params[name] not in choices:
            problems.add(f"{name} must be one of {', '.join(map(repr, choices))}, got {params[name]!r}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def add_data_problems(
    problems: Problems, sequences: Sequences, law: Law, n_states: int, n_clusters: int | None
) -> None:
    """Note what keeps the data from being fitted.

    Parameters
    ----------
    problems : Problems
    sequences : Sequences
    law : str
    n_states : int
    n_clusters : int or None
    """
    n_bin, n_node = sequences.y.shape
    if n_node < 2:
        problems.add(f"a bi-clustering needs at least 2 nodes, found {n_node}")
    if n_clusters is not None and n_clusters > n_node:
        problems.add(f"n_clusters must not exceed the number of nodes ({n_node}), got {n_clusters}")
    longest = int(np.diff(sequences.starts).max())
    if longest < 3:
        problems.add(f"dynamics need a sequence of at least 3 bins, the longest has {longest}")
    elif n_states > 1 and n_bin < 2 * n_states:
        problems.add(
            f"{n_bin} bins cannot tell {n_states} states apart; lower n_states to {max(1, n_bin // 2)} or record longer"
        )
    add_observation_problems(problems, sequences.y.T, law, sequences.nodes)
    if law == "gaussian":
        _add_scale_problems(problems, sequences)


def _add_scale_problems(problems: Problems, sequences: Sequences) -> None:
    seen = np.isfinite(sequences.y).any(axis=0)
    y = sequences.y[:, seen]
    mean, sd = np.abs(np.nanmean(y, axis=0)), np.nanstd(y, axis=0)
    still = np.asarray(sd == 0)
    if still.any():
        names = ", ".join(map(str, sequences.nodes[seen][still][:5]))
        problems.add(f"{int(still.sum())} nodes never vary ({names}); drop them")
    wrong = ~still & ((mean > _LARGEST_MEAN) | (sd > _LARGEST_SD) | (sd < 1 / _LARGEST_SD))
    if wrong.any():
        problems.add(
            f"Gaussian observations must be on the scale of the priors: {int(wrong.sum())} of {y.shape[1]} nodes have "
            f"a mean beyond {_LARGEST_MEAN:g} or a standard deviation outside {1 / _LARGEST_SD:g} to {_LARGEST_SD:g}; "
            "use dynome.dynamics.standardize(X) first"
        )
