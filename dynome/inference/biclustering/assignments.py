r"""Which cluster a node belongs to, with its bias and loadings, given the paths of the clusters.

The augmentation of counts is integrated out: a cluster and coefficients are proposed from Laplace's approximation of
every cluster (see `dynome.inference.biclustering.laplace`) and accepted by the exact ratio,

.. math:: \min\left(1, \frac{\omega(z', c')}{\omega(z, c)}\right), \qquad
          \omega(z, c) = \frac{p(y_i \mid c, X^{(z)})^\beta\, N(c)}{E_i(z)\, q_{iz}(c)},

where the proposal takes cluster z in proportion to its prior weight times :math:`E_i(z)`, and coefficients from
:math:`q_{iz}`, a t distribution. Both are functions of the paths, the observations and the dispersion only, so that
the proposal does not depend on where the node is. Some nodes are offered new clusters besides
(`dynome.inference.biclustering.births`); the dynamics are integrated out while they are, and drawn afterwards.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from dynome.inference.biclustering.assignment_loops import DEGREES, scan
from dynome.inference.biclustering.births import Births, Clusters, Sequence, offered
from dynome.inference.biclustering.dynamics import draw_dynamics
from dynome.inference.biclustering.laplace import Fit, coefficient_prior, paths_evidence
from dynome.inference.biclustering.model import Array, Data, Hyper, Labels, State
from dynome.inference.biclustering.partition_prior import log_birth_weights
from dynome.inference.biclustering.trials import Trials, as_paths, as_trials

_OFFERED_BINS: Final = 1_000  # new paths cost time in proportion to their bins: so many bins a pass


class Moves(NamedTuple):
    """What a pass of assignments did.

    Attributes
    ----------
    proposed, accepted : int
        Proposals of a cluster and coefficients, for nodes one by one.
    moved : int
        Nodes that changed their cluster.
    births, deaths : int
        Clusters that came and went.
    """

    proposed: int
    accepted: int
    moved: int
    births: int
    deaths: int


def updated_assignment(
    current: State,
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    *,
    fit: Fit | None = None,
    temperature: float = 1.0,
) -> tuple[State, Moves]:
    """Clusters and coefficients of all nodes, one after the other in random order.

    Parameters
    ----------
    current : State
    data : Data
    hyper : Hyper
    rng : numpy.random.Generator
    fit : Fit, optional
        `evidence` of the latents, active factors and dispersions of `current`, if it is known already.
    temperature : float
        Power of the likelihood.

    Returns
    -------
    State
        Leaves the posterior invariant. Dynamics are those of `current` if the clusters still are.
    Moves
    """
    trials = as_trials(data, current.dispersion, temperature=temperature)
    paths = as_paths(current.latent, current.active)
    fit = paths_evidence(trials, paths, hyper) if fit is None else fit
    n_clusters = paths.shape[0]
    clusters = Clusters(current.latent, current.active, paths, fit, np.bincount(current.cluster, minlength=n_clusters))
    births = Births(*log_birth_weights(current.cluster.size, hyper, current.concentrations))
    cluster, coefficient = current.cluster.copy(), _with_unread(current, hyper, rng)
    sequence = Sequence(current.state, data.starts)
    accepted = 0
    for nodes, is_offered in _turns(cluster.size, paths.shape[2], hyper, rng):
        if is_offered:
            clusters, took = offered(
                int(nodes[0]), cluster, coefficient, clusters, births, trials, sequence, hyper, rng
            )
            accepted += took
        else:
            accepted += _scanned(nodes, cluster, coefficient, clusters, births.added, trials, hyper, rng)
    moved = int(np.count_nonzero(cluster != current.cluster))
    new = clusters.size.size - n_clusters
    gone = int(np.count_nonzero(clusters.size == 0))
    moves = Moves(cluster.size, accepted, moved, new, gone)
    return _settled(current, cluster, coefficient, clusters, data, hyper, rng), moves


def _with_unread(current: State, hyper: Hyper, rng: np.random.Generator) -> Array:
    """Coefficients, with loadings on inactive factors drawn from their prior: they complete the proposal's space."""
    unread = ~current.active[current.cluster]
    out = current.coefficient.copy()
    out[:, 1:] = np.where(unread, hyper.loading_sd * rng.standard_normal(unread.shape), out[:, 1:])
    return out


def _turns(n: int, n_bins: int, hyper: Hyper, rng: np.random.Generator) -> list[tuple[Labels, bool]]:
    """Nodes in random order: one that is offered new clusters, or several that are not."""
    order = rng.permutation(n)
    if not hyper.n_auxiliary:
        return [(order, False)]
    chosen = np.sort(rng.choice(n, size=min(n, max(1, _OFFERED_BINS // n_bins)), replace=False))
    parts = np.split(order, np.unique(np.r_[chosen, chosen + 1]))
    lucky = set(order[chosen].tolist())
    return [(part, int(part[0]) in lucky) for part in parts if part.size]


def _scanned(
    nodes: Labels,
    cluster: Labels,
    coefficient: Array,
    clusters: Clusters,
    added: float,
    trials: Trials,
    hyper: Hyper,
    rng: np.random.Generator,
) -> int:
    """Move nodes among clusters that others share, in place; number of proposals accepted."""
    n, q = coefficient.shape
    drawn = rng.random((n, 2)), rng.standard_normal((n, q)), np.sqrt(DEGREES / rng.chisquare(DEGREES, n))
    return int(
        scan(
            nodes,
            cluster,
            coefficient,
            clusters.size,
            added,
            *trials,
            clusters.paths,
            *clusters.fit,
            *drawn,
            *coefficient_prior(hyper, q),
        )
    )


def _settled(
    current: State,
    cluster: Labels,
    coefficient: Array,
    clusters: Clusters,
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
) -> State:
    """The state without empty clusters; dynamics are drawn anew if there are other clusters than before."""
    keep = clusters.size > 0
    label = np.cumsum(keep) - 1
    read = np.c_[np.ones(keep.size, bool), clusters.active]
    updated = current._replace(cluster=label[cluster], coefficient=coefficient * read[cluster])
    if keep.all() and keep.size == current.latent.shape[1]:
        return updated
    latent = np.ascontiguousarray(clusters.latent[:, keep])
    n_states = current.dynamics.matrix.shape[0]
    dynamics = draw_dynamics(latent, current.state, data.starts, hyper, rng, n_states)
    return updated._replace(latent=latent, active=clusters.active[keep], dynamics=dynamics)
