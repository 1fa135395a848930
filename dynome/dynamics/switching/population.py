"""From stacked sequences to the observations of an EM: design, law, and which coefficients exist."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.glm.designs import Design
from dynome.dynamics.glm.laws import Law, Link, add_observation_problems, link_of
from dynome.dynamics.glm.passes import Problem
from dynome.dynamics.hmm.sequences import Sequences
from dynome.dynamics.switching.categories import add_category_problems, categorical_emissions, first_logits
from dynome.dynamics.switching.emissions import Emissions
from dynome.errors import Problems, listed

Array = NDArray[np.float64]

_HALF = 0.5  # of a spike in all bins: the rate of a node that never spoke


class Form(NamedTuple):
    """What kind of GLM it is.

    Attributes
    ----------
    law, link : str
        Of the observations.
    kernels : (n_basis, n_lag)
        Filters of the past.
    self_history : bool
        Whether the past of a node acts on the node itself.
    shared_bias : bool
        One bias a target for all states.
    dtype : str
        Of features and the arithmetic on them.
    learns_kernel : bool
        Whether the one kernel is learnt.
    n_categories : tuple of int
        Of every variable, for categories.
    """

    law: Law
    link: Link
    kernels: Array
    self_history: bool
    shared_bias: bool
    dtype: str
    learns_kernel: bool = False
    n_categories: tuple[int, ...] = ()


def emissions_of(sequences: Sequences, form: Form, *, silent: NDArray[np.bool_] | None = None) -> Emissions:
    """Observations with their design.

    Parameters
    ----------
    sequences : Sequences
        Stacked bins.
    form : Form
        Kind of GLM.
    silent : (n_node,) or None
        Nodes without a coupling; None takes those that never vary in `sequences`.
    """
    if form.law == "categorical":
        n_categories = np.array(form.n_categories)
        return categorical_emissions(sequences, form.kernels, n_categories, self_history=form.self_history)
    y = sequences.y
    n_node, n_basis = y.shape[1], form.kernels.shape[0]
    design = Design(y, form.kernels, sequences.covariates, sequences.starts, np.dtype(form.dtype))
    still = silent_nodes(y, form.law) if silent is None else silent
    free = np.ones((n_node, design.n_feature), dtype=bool)
    history = free[:, 1 : 1 + n_node * n_basis].reshape(n_node, n_node, n_basis)
    history[:, still] = False
    if not form.self_history:
        history[np.arange(n_node), np.arange(n_node)] = False
    free[still] = False
    return Emissions(
        Problem(design, y, form.law, form.link, free),
        sequences.starts,
        n_node,
        n_basis,
        form.shared_bias,
        form.learns_kernel,
    )


def names_of(nodes: NDArray[Any], form: Form) -> tuple[NDArray[Any], NDArray[Any]]:
    """Labels of targets and of sources: the nodes, or their categories.

    Parameters
    ----------
    nodes : (n_node,)
        Labels of what was observed.
    form : Form
        Kind of GLM.
    """
    if form.law != "categorical":
        return nodes, nodes
    of = list(zip(nodes, form.n_categories, strict=True))
    targets = np.array([f"{node}={k}" for node, n in of for k in range(n)])
    return targets, np.array([f"{node}={k}" for node, n in of for k in range(1, n)])


def silent_nodes(y: NDArray[np.floating], law: Law) -> NDArray[np.bool_]:
    """Nodes whose coupling nothing could tell: counts that are never above 0, values that never vary."""
    lowest = np.nanmin(y, axis=0)
    highest = np.nanmax(y, axis=0)
    return np.asarray(highest <= 0 if law in ("poisson", "negative_binomial") else highest == lowest)


def first_bias(sequences: Sequences, form: Form) -> tuple[Array, Array]:
    """Bias and dispersion of a GLM without features, each (n_node,).

    A node that never spoke gets the rate of half a spike in all its bins.
    """
    y = sequences.y
    if form.law == "categorical":
        logits = first_logits(y, np.array(form.n_categories))
        return logits, np.ones_like(logits)
    seen = np.isfinite(y).sum(axis=0)
    mean, variance = np.nanmean(y, axis=0), np.nanvar(y, axis=0)
    if form.law != "gaussian":
        mean = np.maximum(mean, _HALF / seen)
    if form.law == "bernoulli":
        mean = np.minimum(mean, 1 - _HALF / seen)
    if form.law == "negative_binomial":
        variance = np.maximum((variance - mean) / mean**2, 1e-2)
    elif form.law != "gaussian":
        variance = np.ones_like(mean)
    return np.asarray(link_of(mean, form.link), float), np.asarray(np.maximum(variance, 1e-12), float)


def add_problems(problems: Problems, sequences: Sequences, form: Form) -> None:
    """Note what in the observations does not go with the law."""
    add_observation_problems(problems, sequences.y, form.law)
    if form.law == "categorical":
        add_category_problems(problems, sequences)
    unseen = sequences.nodes[np.isnan(sequences.y).all(axis=0)]
    if unseen.size:
        problems.add(f"{unseen.size} nodes have no value at all: {listed(unseen)}; drop them")
