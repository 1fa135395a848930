r"""One way to write a point of the posterior that can be written in many: for output only.

The likelihood and the density of the paths do not change when

* clusters are numbered in another way;
* a latent moves by a constant, which the biases of its nodes and the offset of the dynamics take up;
* the factors of a cluster are rotated or reflected, and the loadings and the dynamics with them.

`identified` takes the member of this family in which every latent has mean 0 over the recording, the factors of a
cluster are orthogonal over time with the largest first, and numbers and signs agree with a reference. Chains never see
it: their prior is not invariant under the first shift. The scale of loadings against factors is left alone; the priors
determine it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome import align
from dynome.inference.biclustering.model import Array, Dynamics, Labels, State


def identified(current: State, reference: State | None = None) -> State:
    """The same point, with clusters, levels and factors written in one way.

    Parameters
    ----------
    current : State
    reference : State or None
        A point that is identified already, of the same nodes and bins; it may have other clusters. None orders the
        clusters by their size and the factors by their norm, and makes the largest excursion of each factor positive.

    Returns
    -------
    State
        Its predictor and the density of its paths, first bins of sequences aside, are those of `current`.
    """
    if reference is None:
        return rotated(centred(reordered(current, cluster_order(current.cluster)[0])))
    order, partner = cluster_order(current.cluster, reference.cluster)
    return rotated(centred(reordered(current, order)), reference.latent, partner)


def cluster_order(cluster: Labels, reference: Labels | None = None) -> tuple[Labels, Labels]:
    """In which order to number clusters: as those of the reference with which they share most nodes.

    Parameters
    ----------
    cluster : (n_node,)
        0 ... n_cluster - 1, without gaps.
    reference : (n_node,) or None
        None orders by size, and clusters of one size by their first node.

    Returns
    -------
    order : (n_cluster,)
        ``order[k]`` becomes cluster k. Clusters that match none of the reference come last, by size.
    partner : (n_cluster,)
        Cluster of the reference that the new cluster k matches, -1 for none. It is k, unless the reference has clusters
        that match none.

    Examples
    --------
    >>> order, _ = cluster_order(np.array([0, 1, 1, 1, 0, 2]))
    >>> order.tolist()
    [1, 0, 2]
    >>> order, partner = cluster_order(np.array([0, 1, 1, 1, 0, 2]), np.array([0, 1, 1, 1, 0, 0]))
    >>> order.tolist(), partner.tolist()
    ([0, 1, 2], [0, 1, -1])
    """
    size, first = np.unique(cluster, return_index=True)[1], np.bincount(cluster)
    by_size: Labels = np.lexsort((size, -first)).astype(np.int64)
    partner = np.full(by_size.size, -1)
    if reference is None:
        return by_size, partner
    shared = np.zeros((int(reference.max()) + 1, by_size.size))
    np.add.at(shared, (reference, cluster), 1.0)
    found = align.match(shared)
    known = np.flatnonzero((found.order >= 0) & (found.similarity > 0))
    matched = found.order[known]
    partner[: known.size] = known
    return np.concatenate([matched, by_size[~np.isin(by_size, matched)]]), partner


def reordered(current: State, order: Labels) -> State:
    """The same point with cluster ``order[k]`` called k."""
    rank = np.argsort(order)
    n, width = current.latent.shape[1:]
    if current.dynamics.matrix.shape[1] == n:
        matrix, offset, noise = (part[:, order] for part in current.dynamics)
    else:
        places = (order[:, None] * width + np.arange(width)).ravel()
        matrix, noise = (part[:, :, places][..., places] for part in (current.dynamics.matrix, current.dynamics.noise))
        offset = current.dynamics.offset[:, :, places]
    return current._replace(
        cluster=rank[current.cluster],
        latent=np.ascontiguousarray(current.latent[:, order]),
        active=current.active[order],
        dynamics=Dynamics(matrix, offset, noise),
    )


def centred(current: State) -> State:
    """The same point with latents of mean 0 over all bins; biases and offsets take up the means."""
    level = current.latent.mean(axis=0)
    read = level[current.cluster]
    coefficient = current.coefficient.copy()
    coefficient[:, 0] += read[:, 0] + (coefficient[:, 1:] * read[:, 1:]).sum(axis=1)
    dynamics = current.dynamics
    shift = level.reshape(dynamics.offset.shape[1:])
    offset = dynamics.offset + np.einsum("kgij,gj->kgi", dynamics.matrix, shift) - shift
    return current._replace(
        coefficient=coefficient, latent=current.latent - level, dynamics=dynamics._replace(offset=offset)
    )


def rotated(current: State, reference: Array | None = None, partner: Labels | None = None) -> State:
    """The same point with factors that are orthogonal over time, in order and sign of a reference.

    Parameters
    ----------
    current : State
        Factors that are not active stay as they are: nobody reads them.
    reference : (n_bin, n_reference_cluster, 1 + n_factor) or None
        None orders by norm and makes the largest excursion positive.
    partner : (n_cluster,) or None
        Which of its clusters each cluster is like; -1 is treated as without a reference. None is 0, 1, ...
    """
    n, width = current.latent.shape[1:]
    turns = np.tile(np.eye(width), (n, 1, 1))
    like = np.arange(n) if partner is None else partner
    for j in range(n):
        guide = None if reference is None or like[j] < 0 else reference[:, like[j]]
        _fill_turn(turns[j], current.latent[:, j], current.active[j], guide)
    coefficient = np.einsum("iq,iqr->ir", current.coefficient, turns[current.cluster])
    return current._replace(
        coefficient=coefficient,
        latent=np.einsum("tjq,jqr->tjr", current.latent, turns),
        dynamics=_turned(current.dynamics, turns),
    )


def _fill_turn(turn: Array, latent: Array, active: NDArray[np.bool_], reference: Array | None) -> None:
    """An orthogonal matrix that multiplies the latents of a cluster ``(n_bin, 1 + n_factor)`` from the right."""
    factors = 1 + np.flatnonzero(active)
    if not factors.size:
        return
    spin = np.linalg.svd(latent[:, factors], full_matrices=False)[2].T
    new = latent[:, factors] @ spin
    if reference is None:
        peak = new[np.abs(new).argmax(axis=0), np.arange(factors.size)]
    else:
        cosine = align.cosine(reference[:, factors], new)
        order = align.match(np.abs(cosine)).order
        spin, peak = spin[:, order], cosine[np.arange(factors.size), order]
    turn[np.ix_(factors, factors)] = spin * np.where(peak < 0, -1.0, 1.0)


def _turned(dynamics: Dynamics, turns: Array) -> Dynamics:
    """Dynamics of latents that each cluster's orthogonal matrix multiplies from the right."""
    groups, width = dynamics.matrix.shape[1:3]
    if groups == turns.shape[0]:
        spin = turns
    else:
        spin = np.zeros((groups, width, width))
        q = turns.shape[1]
        for j, turn in enumerate(turns):
            spin[0, j * q : (j + 1) * q, j * q : (j + 1) * q] = turn
    return Dynamics(
        np.einsum("gia,kgij,gjb->kgab", spin, dynamics.matrix, spin, optimize=True),
        np.einsum("gia,kgi->kga", spin, dynamics.offset),
        np.einsum("gia,kgij,gjb->kgab", spin, dynamics.noise, spin, optimize=True),
    )
