r"""The transitions between states: a sticky hierarchical Dirichlet process, truncated (weak limit).

.. math::
    \beta \sim \mathrm{Dir}(\gamma/K, \ldots, \gamma/K), \qquad
    \pi_l \sim \mathrm{Dir}(\alpha \beta + \kappa e_l), \qquad
    s_t \sim \pi_{s_{t-1}}

with :math:`\alpha` = ``row``, :math:`\gamma` = ``top``, :math:`\kappa` = ``stickiness`` and :math:`K` states. The
first state of a sequence is uniform. All updates see the states through their transition counts alone.

Fox et al. (2011), doi:10.1214/10-AOAS395.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import gammaln

from dynome.inference.biclustering.model import Array, Concentrations, Hyper, Labels

_SMALLEST = 1e-250  # a probability below it cannot be told from it, and its logarithm stays finite


def transition_counts(state: Labels, starts: Labels, n_states: int) -> Labels:
    """Number of transitions from each state (row) to each (column) within sequences, (n_state, n_state).

    Parameters
    ----------
    state : (n_bin,)
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins.
    n_states : int

    Examples
    --------
    >>> transition_counts(np.array([0, 0, 1, 1, 0]), np.array([0, 3, 5]), 2)
    array([[1, 1],
           [1, 0]])
    """
    before = np.ones(max(state.size - 1, 0), dtype=bool)
    before[starts[1:-1] - 1] = False
    pair = state[:-1][before] * n_states + state[1:][before]
    return np.bincount(pair, minlength=n_states * n_states).reshape(n_states, n_states)


def prior_counts(weight: Array, concentrations: Concentrations) -> Array:
    """Transitions that the prior adds to those counted, (n_state, n_state)."""
    prior = np.tile(concentrations.row * weight, (weight.size, 1))
    np.fill_diagonal(prior, np.diag(prior) + concentrations.stickiness)
    return prior


def log_states(state: Labels, transition: Array, starts: Labels) -> float:
    """Log probability of a path of states.

    Parameters
    ----------
    state : (n_bin,)
    transition : (n_state, n_state)
    starts : (n_sequence + 1,)

    Examples
    --------
    >>> log_p = log_states(np.array([0, 0, 1]), np.array([[0.8, 0.2], [0.5, 0.5]]), np.array([0, 3]))
    >>> float(np.exp(log_p).round(3))
    0.08
    """
    n_states = transition.shape[0]
    counts = transition_counts(state, starts, n_states)
    first = (starts.size - 1) * np.log(n_states)
    return float((counts * np.log(np.maximum(transition, _SMALLEST))).sum() - first)


def log_states_integrated(state: Labels, starts: Labels, weight: Array, concentrations: Concentrations) -> float:
    """Log probability of a path of states given the weights, with the transition matrix integrated out.

    Parameters
    ----------
    state : (n_bin,)
    starts : (n_sequence + 1,)
    weight : (n_state,)
    concentrations : Concentrations

    Notes
    -----
    A Dirichlet-multinomial for each row.

    Examples
    --------
    >>> even, sticky = np.array([0.5, 0.5]), Concentrations(row=2.0, stickiness=2.0)
    >>> float(np.exp(log_states_integrated(np.array([0, 0]), np.array([0, 2]), even, sticky)).round(3))
    0.375
    """
    prior = prior_counts(weight, concentrations)
    counts = transition_counts(state, starts, weight.size)
    rows = gammaln(prior.sum(1)) - gammaln(prior.sum(1) + counts.sum(1))
    cells = gammaln(prior + counts) - gammaln(prior)
    return float(rows.sum() + cells.sum() - (starts.size - 1) * np.log(weight.size))


def prior_transitions(hyper: Hyper, concentrations: Concentrations, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw weights (n_state,) and transition matrix (n_state, n_state) from the prior.

    Parameters
    ----------
    hyper : Hyper
    concentrations : Concentrations
    rng : numpy Generator
    """
    weight = _dirichlet(np.full(hyper.n_states, concentrations.top / hyper.n_states), rng)
    return weight, _dirichlet(prior_counts(weight, concentrations), rng)


def updated_transitions(
    state: Labels,
    starts: Labels,
    weight: Array,
    concentrations: Concentrations,
    hyper: Hyper,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    r"""Draw the weights of the states, then the transition matrix, given the states.

    Parameters
    ----------
    state : (n_bin,)
    starts : (n_sequence + 1,)
    weight : (n_state,)
        Present weights.
    concentrations : Concentrations
    hyper : Hyper
    rng : numpy Generator

    Returns
    -------
    weight : (n_state,)
    transition : (n_state, n_state)

    Notes
    -----
    With the matrix integrated out, numbers of tables are drawn for the counts :math:`n_{ab}` with weight
    :math:`\alpha\beta_b + \kappa\,1[a = b]`; those on the diagonal that :math:`\kappa` explains are taken away, and
    :math:`\beta \sim \mathrm{Dir}(\gamma/K + \bar m_{\cdot b})`. Then
    :math:`\pi_a \sim \mathrm{Dir}(\alpha\beta + \kappa e_a + n_{a\cdot})`. Fox et al. (2011), doi:10.1214/10-AOAS395.

    Examples
    --------
    >>> state, starts, even = np.repeat([0, 1, 0], 40), np.array([0, 120]), np.array([0.5, 0.5])
    >>> weight, transition = updated_transitions(
    ...     state, starts, even, Concentrations(), Hyper(n_states=2), np.random.default_rng(0)
    ... )
    >>> bool(transition[0, 0] > 0.8)
    True
    """
    counts = transition_counts(state, starts, hyper.n_states)
    tables = _tables(counts, weight, concentrations, rng)
    weight = _dirichlet(concentrations.top / hyper.n_states + tables.shared.sum(0), rng)
    return weight, _dirichlet(prior_counts(weight, concentrations) + counts, rng)


def updated_concentrations(
    state: Labels,
    starts: Labels,
    weight: Array,
    concentrations: Concentrations,
    hyper: Hyper,
    rng: np.random.Generator,
) -> tuple[Concentrations, Array]:
    r"""Draw the concentrations and the weights given the states, with the transition matrix integrated out.

    The present matrix no longer fits: `updated_transitions` must draw another one before anything reads it.

    Parameters
    ----------
    state : (n_bin,)
    starts : (n_sequence + 1,)
    weight : (n_state,)
    concentrations : Concentrations
    hyper : Hyper
    rng : numpy Generator

    Returns
    -------
    concentrations : Concentrations
        ``partition`` as it was.
    weight : (n_state,)

    Notes
    -----
    Priors: :math:`\alpha + \kappa` and :math:`\gamma` are Gamma(``concentration_shape``, ``concentration_rate``), and
    :math:`\rho = \kappa / (\alpha + \kappa)` is uniform. Given the tables, :math:`\rho` is a Beta, and the other two
    are Gammas given a Beta and a Bernoulli variable for each group of counts. The weak limit is kept exact: tables of
    tables are drawn with :math:`\gamma / K`, not counted as the number of states in use.
    Fox et al. (2011), doi:10.1214/10-AOAS395, supplement; Escobar and West (1995), doi:10.1080/01621459.1995.10476550.
    """
    counts = transition_counts(state, starts, hyper.n_states)
    tables = _tables(counts, weight, concentrations, rng)
    n_shared, n_own = int(tables.shared.sum()), int(tables.own.sum())
    total = _concentration(concentrations.row + concentrations.stickiness, n_shared + n_own, counts.sum(1), hyper, rng)
    rho = rng.beta(1 + n_own, 1 + n_shared)
    served = tables.shared.sum(0)
    top_tables = _numbers_of_tables(served, np.full(hyper.n_states, concentrations.top / hyper.n_states), rng)
    top = _concentration(concentrations.top, int(top_tables.sum()), np.array([n_shared]), hyper, rng)
    drawn = concentrations._replace(row=total * (1.0 - rho), stickiness=total * rho, top=top)
    return drawn, _dirichlet(top / hyper.n_states + served, rng)


class _Tables(NamedTuple):
    """Tables that the weights explain (n_state, n_state), and those that stickiness does (n_state,)."""

    shared: Labels
    own: Labels


def _tables(counts: Labels, weight: Array, concentrations: Concentrations, rng: np.random.Generator) -> _Tables:
    prior = prior_counts(weight, concentrations)
    tables = _numbers_of_tables(counts, prior, rng)
    share = concentrations.stickiness / np.diag(prior)
    own = rng.binomial(np.diag(tables), np.minimum(share, 1.0))
    return _Tables(tables - np.diag(own), own)


def _numbers_of_tables(counts: Labels, weight: Array, rng: np.random.Generator) -> Labels:
    drawn = _tables_each(counts.ravel(), weight.ravel(), rng)
    return np.asarray(drawn, dtype=np.int64).reshape(counts.shape)


@njit(cache=True)
def _tables_each(counts, weight, rng):  # type: ignore[no-untyped-def]
    """Tables that customers occupy in a Chinese restaurant."""
    out = np.zeros(counts.size, dtype=np.int64)
    for cell in range(counts.size):
        for seated in range(counts[cell]):
            out[cell] += rng.random() * (weight[cell] + seated) < weight[cell]
    return out


def _concentration(present: float, n_tables: int, customers: Labels, hyper: Hyper, rng: np.random.Generator) -> float:
    seated = customers[customers > 0]
    log_beta = np.log(rng.beta(present + 1.0, seated)).sum()
    one_less = (rng.random(seated.size) * (seated + present) < seated).sum()
    shape = hyper.concentration_shape + n_tables - one_less
    return float(max(rng.gamma(shape) / (hyper.concentration_rate - log_beta), _SMALLEST))


def _dirichlet(shape: Array, rng: np.random.Generator) -> Array:
    """Along the last axis; logarithms of the gammas, which keep their order where shapes are tiny."""
    log_gamma = np.log(rng.standard_gamma(shape + 1.0)) + np.log(rng.random(shape.shape)) / shape
    drawn = np.exp(log_gamma - log_gamma.max(-1, keepdims=True))
    return np.asarray(np.maximum(drawn / drawn.sum(-1, keepdims=True), _SMALLEST))
