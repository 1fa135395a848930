r"""Where the class tables of edges come from: the frequencies of all edges, and a connectome as far as it is trusted.

The mean of an edge's table is :math:`b = \rho q + (1 - \rho) \pi`. Each draw from it (see `class_tables`) has a latent
source, the connectome or the frequencies, so that EM has a closed form for all that is learnt here. Frequencies have a
flat Dirichlet prior with one draw of each class besides, trust a Beta(2, 2) and the concentration a gamma prior.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynome.dynamics.switching.priors.class_tables import Classes, expected_draws, urn
from dynome.dynamics.switching.priors.contract import Array

_STEPS = 5  # of EM: they are cheap and EM is slow
_ALWAYS = 1.0  # pseudo-draws of each class: no frequency is zero
_BETA = 1.0  # pseudo-draws for and against the connectome


class Tables(NamedTuple):
    """Where the tables of the edges come from.

    Attributes
    ----------
    frequency : (3,)
        Of the classes in all edges.
    concentration : float
    trust : float
        In the connectome; 0 where none is given.
    told : (edge, 3) or None
        Class probabilities from the connectome; NaN for edges of which it has no node.
    """

    frequency: Array
    concentration: float
    trust: float
    told: Array | None

    def base(self, n_edge: int) -> Array:
        """Mean of the table of each edge: (edge, 3)."""
        common = np.broadcast_to(self.frequency, (n_edge, 3))
        if self.told is None:
            return common
        return np.where(np.isnan(self.told), common, self.trust * self.told + (1 - self.trust) * common)


def learnt_tables(tables: Tables, classes: Classes, guard: float, concentration: float | None) -> tuple[Tables, Array]:
    """Frequencies, trust and concentration by a few EM steps, given the classes, and what `Classes.relative` becomes.

    Parameters
    ----------
    tables : Tables
        Under which the classes were found.
    classes : Classes
        Posterior.
    guard : float
        Edges that the prior of the concentration, with mode 2, is worth.
    concentration : float or None
        None learns it.
    """
    new = tables
    for _ in range(_STEPS):
        new = _stepped(classes.counts, new, guard, concentration)
    n_edge, _, n = classes.counts.shape
    before, after = (urn(t.base(n_edge), t.concentration, n - 1) for t in (tables, new))
    return new, np.asarray(classes.relative + (classes.counts * (after - before)).sum((1, 2)))


def tables_density(tables: Tables, guard: float, concentration: float | None) -> float:
    """Log density of what keeps frequencies, trust and concentration off their ends, up to constants."""
    out = _ALWAYS * float(np.log(tables.frequency).sum())
    if tables.told is not None:
        out += _BETA * float(np.log(tables.trust) + np.log1p(-tables.trust))
    if concentration is None:
        out += guard * (float(np.log(tables.concentration)) - tables.concentration / 2)
    return out


def _stepped(counts: Array, tables: Tables, guard: float, fixed: float | None) -> Tables:
    """One EM step: who drew from the base, and from which part of it."""
    n_edge, _, n = counts.shape
    base = tables.base(n_edge)
    draws = expected_draws(counts, base, tables.concentration)
    trust, common = 0.0, draws
    if tables.told is not None:
        by_told = np.nan_to_num(draws * tables.trust * tables.told / base)
        common = draws - by_told
        trust = (float(by_told.sum()) + _BETA) / (float(draws[~np.isnan(tables.told)].sum()) + 2 * _BETA)
    frequency = common.sum(0) + _ALWAYS
    concentration = tables.concentration
    if fixed is None:
        later = n_edge * float((1 / (concentration + np.arange(n - 1))).sum())
        concentration = (float(draws.sum()) + guard) / (later + guard / 2)
    return Tables(frequency / frequency.sum(), concentration, trust, tables.told)
