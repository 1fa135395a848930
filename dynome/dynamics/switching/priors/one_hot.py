r"""The one-hot prior: every edge is inhibitory, absent or excitatory in each state, and its strength follows from that.

After the one-hot HMM-GLM of Li et al. (2024), with a mixture in place of its relaxed codes, so that every update has a
closed form. An edge draws its class in each state from a table :math:`A_0` of its own, which is what states share; the
tables scatter around the frequencies of the classes in all edges, or around what a connectome says of the edge, as far
as it is trusted:

.. math::
    b_{nm} = \rho\, q_{nm} + (1 - \rho)\, \pi, \quad A_{nm} \sim \mathrm{Dirichlet}(\alpha\, b_{nm}), \quad
    c_{snm} \sim A_{nm}, \quad w_{snm} \mid c \sim N(m_c, v_c)

Tables, classes and couplings are integrated out; frequencies :math:`\pi`, concentration :math:`\alpha`, trust
:math:`\rho` and the strengths :math:`m, v` are learnt.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.switching.priors.class_tables import Classes, class_posterior, urn
from dynome.dynamics.switching.priors.contract import (
    Array,
    Labelled,
    Prior,
    Quadratic,
    check_positive,
    edges_of,
    information_of,
    likeliest,
)
from dynome.dynamics.switching.priors.self_history import (
    SelfHistory,
    refined_self,
    scored_self,
    self_log_density,
    set_self_quadratic,
    start_self,
)
from dynome.dynamics.switching.priors.strengths import (
    CLASSES,
    Strengths,
    bound_of,
    log_evidence,
    pull_of,
    scored,
    start_strengths,
    stepped,
    strengths_density,
    term,
    within_and_between,
)
from dynome.dynamics.switching.priors.table_sources import Tables, learnt_tables, tables_density
from dynome.dynamics.switching.priors.wiring import Unknown, check_unknown

_ROUNDS = 5  # of classes, tables and strengths in turn, when the information is renewed
_HALVINGS = 4
_OVER = 1.9  # of a Newton step
_BACKGROUND = "frequency from which the tables of edges are drawn"
_TOLD = " as far as the connectome is not trusted"


class OneHotBelief(NamedTuple):
    """What a `OneHotPrior` has learnt; edges are those that `covered` selects.

    Attributes
    ----------
    strengths : Strengths
    tables : Tables
    classes : Classes
    pull : (edge, state, basis)
        The likelihood's pull for which the classes were found.
    known : (edge, state, basis)
        What the likelihood knows of each coupling; 0 before that is told.
    covered : (target, source) of bool
        Edges between different nodes that exist.
    own : SelfHistory
        The law of the diagonal.
    own_known : (state, target, source, basis)
        What the likelihood knows of it; 0 elsewhere.
    """

    strengths: Strengths
    tables: Tables
    classes: Classes
    pull: Array
    known: Array
    covered: NDArray[np.bool_]
    own: SelfHistory
    own_known: Array


class OneHotPrior(Prior):
    """Every edge is inhibitory, absent or excitatory in each state, and states tend to agree.

    Parameters
    ----------
    scale : float
        Typical strength of an edge before data.
    guard : float
        How many edges that expectation is worth.
    concentration : float or None
        Small: an edge has one class in all states. Large: states draw independently. None learns it.
    unknown : {"raise", "frequency"}
        Recorded nodes that the connectome does not have: an error, or their edges have the frequencies of all edges.

    Notes
    -----
    Self-history has no class, see `dynome.dynamics.switching.priors.self_history`.
    """

    takes_connectome: ClassVar[bool] = True

    def __init__(
        self,
        scale: float = 0.5,
        guard: float = 5.0,
        concentration: float | None = None,
        unknown: Unknown = "raise",
    ) -> None:
        self.scale = scale
        self.guard = guard
        self.concentration = concentration
        self.unknown = unknown

    def check(self) -> None:
        """See `Prior.check`."""
        check_positive(self, "scale", "guard", *(() if self.concentration is None else ("concentration",)))
        check_unknown(self.unknown)

    def start(self, coupling: Array, free: NDArray[np.bool_], prior_class: Array | None = None) -> OneHotBelief:
        """One edge in five, half of them inhibitory; a connectome is half trusted."""
        n_state, *_, n_basis = coupling.shape
        covered, own = edges_of(coupling, free)
        told = None if prior_class is None else np.ascontiguousarray(prior_class[covered])
        tables = Tables(np.array([0.1, 0.8, 0.1]), self.concentration or 2.0, 0.0 if told is None else 0.5, told)
        n_edge = int(covered.sum())
        nothing = np.zeros((n_edge, n_state, n_basis))
        classes = class_posterior(
            np.zeros((n_edge, n_state, 3)), urn(tables.base(n_edge), tables.concentration, n_state)
        )
        strengths = start_strengths(n_basis, self.scale, self.guard)
        own_law = start_self(own, n_basis, self.scale, 1.0)
        return OneHotBelief(strengths, tables, classes, nothing, nothing, covered, own_law, np.zeros(coupling.shape))

    def refined(self, coupling: Array, variance: Array | None, belief: OneHotBelief) -> OneHotBelief:
        """Classes, tables and strengths; see `Prior.refined`."""
        if variance is not None:
            quadratic = self.quadratic(coupling, belief)
            known = information_of(variance, quadratic.precision)
            estimate = likeliest(coupling, known, quadratic)
            own_known = np.where(belief.own.edges[..., None], known, 0.0)
            belief = belief._replace(own=scored_self(estimate, known, belief.own), own_known=own_known)
            if not belief.covered.any():
                return belief
            return self._renewed(_edges(estimate, belief), _edges(known, belief), belief)
        if not (belief.known.any() or belief.own_known.any()):
            return belief
        belief = belief._replace(own=refined_self(coupling, belief.own_known, belief.own))
        return self._climbed(_edges(coupling, belief), belief) if belief.covered.any() else belief

    def quadratic(self, coupling: Array, belief: OneHotBelief) -> Quadratic:
        """Towards the classes that an edge probably has."""
        bound = bound_of(belief.classes.probability, belief.known, belief.strengths)
        mean, precision = np.zeros(coupling.shape), np.zeros(coupling.shape)
        mean[:, belief.covered] = bound.mean.swapaxes(0, 1)
        precision[:, belief.covered] = bound.precision.swapaxes(0, 1)
        set_self_quadratic(belief.own, mean, precision)
        return Quadratic(mean, precision)

    def log_density(self, coupling: Array, belief: OneHotBelief) -> float:
        """The sum of the terms of all edges, of self-history and of the guards."""
        own = self_log_density(coupling, belief.own_known, belief.own)
        if not belief.covered.any():
            return own
        bound = bound_of(belief.classes.probability, belief.known, belief.strengths)
        edges = float((term(_edges(coupling, belief), bound) + belief.classes.relative).sum())
        guards = strengths_density(belief.strengths) + tables_density(belief.tables, self.guard, self.concentration)
        return edges + own + guards

    def labelled(self, belief: OneHotBelief) -> Labelled:
        """Classes of edges, in each state and in general, and what was learnt of all edges."""
        strengths, tables, classes = belief.strengths, belief.tables, belief.classes
        n_edge, n_state, _ = classes.probability.shape
        shared = classes.probability.sum(1) + tables.concentration * tables.base(n_edge)
        shared /= n_state + tables.concentration
        mean = strengths.mean.sum(1)
        out: Labelled = {
            "edge_class_probability": (
                ("target", "source", "edge_class"),
                _matrix(shared, belief.covered),
                {"units": "1", "long_name": "probability of the class in any state"},
            ),
            "edge_class": (("edge_class",), np.array(CLASSES), {"long_name": "class of an edge"}),
            "edge_class_posterior": (
                ("state", "target", "source", "edge_class"),
                np.moveaxis(_matrix(classes.probability.swapaxes(1, 2), belief.covered), -1, 0),
                {"units": "1", "long_name": "posterior probability of the class"},
            ),
            "prior_mean": (
                ("target", "source"),
                _matrix(shared @ mean, belief.covered),
                {"units": "1", "long_name": "coupling expected in any state"},
            ),
            "class_frequency": (
                ("edge_class",),
                classes.probability.mean((0, 1)) if n_edge else np.full(3, np.nan),
                {"units": "1", "long_name": "share of the edges of all states"},
            ),
            "background_frequency": (
                ("edge_class",),
                tables.frequency,
                {"units": "1", "long_name": _BACKGROUND if tables.told is None else _BACKGROUND + _TOLD},
            ),
            "class_strength": (("edge_class",), mean, {"units": "1", "long_name": "mean coupling"}),
            "class_sd": (
                ("edge_class",),
                np.sqrt(strengths.variance.sum(1)),
                {"units": "1", "long_name": "standard deviation of the coupling"},
            ),
            "class_concentration": (
                (),
                tables.concentration,
                {"units": "1", "long_name": "pseudo-states that the mean of the tables is worth"},
            ),
        }
        if tables.told is not None:
            out["trust"] = ((), tables.trust, {"units": "1", "long_name": "trust in the connectome"})
        return out

    def _renewed(self, estimate: Array, known: Array, belief: OneHotBelief) -> OneHotBelief:
        """Everything from what the likelihood alone would say, without regard to the coupling at hand."""
        pull = known * estimate
        if belief.known.any():
            # All edges move at once, and edges with correlated sources answer each other: half a step does not swing.
            pull = 0.5 * (pull + belief.pull)
        belief = belief._replace(pull=pull, known=known)
        estimate = np.divide(pull, known, out=np.zeros_like(pull), where=known > 0)
        for _ in range(_ROUNDS):
            belief = self._with_tables(self._with_classes(pull, belief))
            strengths = scored(belief.classes.probability, estimate, known, belief.strengths)
            belief = belief._replace(strengths=strengths)
        return self._with_classes(pull, belief)

    def _climbed(self, coupling: Array, belief: OneHotBelief) -> OneHotBelief:
        """Classes by a damped Newton step on the pull, edge by edge, wherever that does not lower the bound."""
        known, strengths = belief.known, belief.strengths
        bound = bound_of(belief.classes.probability, known, strengths)
        height = term(coupling, bound) + belief.classes.relative
        aim = pull_of(coupling, known, bound)
        within, between = within_and_between(belief.classes.probability, aim, known, strengths)
        # Newton would take within / (within + between). Nearly twice as far still rises, and is where the next M-step
        # would want the pull to be: classes and couplings hold each other back.
        step = (aim - belief.pull) * np.minimum(1.0, _OVER * within / (within + between))
        left = np.arange(len(height))
        probability, counts, relative = (x.copy() for x in belief.classes)
        pull = belief.pull.copy()
        for k in range(_HALVINGS):
            trial = belief.pull[left] + 0.5**k * step[left]
            classes = self._classes(trial, left, belief)
            found = term(coupling[left], bound_of(classes.probability, known[left], strengths)) + classes.relative
            higher = found >= height[left]
            to, take = left[higher], higher
            pull[to], probability[to], counts[to] = trial[take], classes.probability[take], classes.counts[take]
            relative[to] = classes.relative[take]
            left = left[~higher]
            if not left.size:
                break
        belief = self._with_tables(belief._replace(pull=pull, classes=Classes(probability, counts, relative)))
        bound = bound_of(probability, known, strengths)
        return belief._replace(strengths=stepped(probability, pull_of(coupling, known, bound), known, strengths))

    def _classes(self, pull: Array, rows: Any, belief: OneHotBelief) -> Classes:
        n_edge, n_state, _ = belief.classes.probability.shape
        weight = urn(belief.tables.base(n_edge)[rows], belief.tables.concentration, n_state)
        return class_posterior(log_evidence(pull, belief.known[rows], belief.strengths), weight)

    def _with_classes(self, pull: Array, belief: OneHotBelief) -> OneHotBelief:
        return belief._replace(classes=self._classes(pull, slice(None), belief))

    def _with_tables(self, belief: OneHotBelief) -> OneHotBelief:
        tables, relative = learnt_tables(belief.tables, belief.classes, self.guard, self.concentration)
        return belief._replace(tables=tables, classes=belief.classes._replace(relative=relative))


def _edges(values: Array, belief: OneHotBelief) -> Array:
    """Covered edges of (state, target, source, basis) as (edge, state, basis)."""
    return np.ascontiguousarray(values[:, belief.covered].swapaxes(0, 1))


def _matrix(values: Array, covered: NDArray[np.bool_]) -> Array:
    """Values of edges in their places, NaN elsewhere: (target, source, ...)."""
    out = np.full((*covered.shape, *values.shape[1:]), np.nan)
    out[covered] = values
    return out
