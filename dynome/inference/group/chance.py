"""How well sessions would match if node names meant nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome import align, seeds
from dynome.inference.group.consensus import Consensus, Units, agreed, likeness, ready, template
from dynome.inference.group.members import Members, relabelled, swapped

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Judged(NamedTuple):
    """How well sessions match, and how well they would by chance.

    Attributes
    ----------
    similarity : (n_session, n)
        To what the other animals say without any help of this one.
    null : (n_null, n_session, n)
        The same after the nodes of the session swapped names.
    overall : (n,)
        Mean over animals of the similarity at each place.
    overall_null : (n_null,)
        The largest of these when the nodes of every animal swapped names and all was matched anew.
    """

    similarity: Floats
    null: Floats
    overall: Floats
    overall_null: Floats


def by_animal(similarity: Floats, block: Ints) -> Floats:
    """Mean over animals of the means over their sessions, (..., n).

    Parameters
    ----------
    similarity : (..., n_session, n)
    block : (n_session,)
    """
    weight = 1 / np.bincount(block)[block] / (block.max() + 1)
    mean: Floats = np.einsum("...sk,s->...k", similarity, weight)
    return mean


def left_out(units: Sequence[Units], block: Ints, found: Consensus) -> tuple[Floats, list[tuple[Floats, Floats]]]:
    """Similarity of each session to the consensus of the other animals, who were matched without it.

    Parameters
    ----------
    units, block
        As in `agreed`.
    found : Consensus
        Of all, whose numbers are kept.

    Returns
    -------
    (n_session, n)
    list of (mean, there)
        The consensus of the others, for each animal.
    """
    n = found.order.shape[1]
    out, others = np.zeros(found.order.shape), []
    whole = template(found.total.sum(axis=0), found.weight.sum(axis=0))
    for k in range(int(block.max()) + 1):
        rest = np.flatnonzero(block != k)
        animal = np.unique(block[rest], return_inverse=True)[1]
        if animal.max() > 0:
            own = agreed([units[int(s)] for s in rest], animal, n)
            mean, there = template(own.total.sum(axis=0), own.weight.sum(axis=0))
        else:  # the other animal is alone: nothing to be agreed with anybody
            mean, there = template(found.total[animal_of(rest, block)], found.weight[animal_of(rest, block)])
        order = align.match(likeness(*whole, Units(mean, (there.sum(axis=0) > 0).astype(np.float64)))).order
        others.append((mean[order], there[order]))
        for s in np.flatnonzero(block == k):
            out[s] = align.match(likeness(*others[k], units[int(s)])).similarity
    return out, others


def animal_of(rest: Ints, block: Ints) -> int:
    """The animal of the only sessions that are left.

    Parameters
    ----------
    rest : (n,)
    block : (n_session,)
    """
    return int(block[rest[0]])


def judged(members: Members, block: Ints, found: Consensus, *, n_null: int, seed: int) -> Judged:
    """Similarities and their null.

    Parameters
    ----------
    members : Members
    block : (n_session,)
    found : Consensus
    n_null : int
    seed : int
    """
    units = [ready(row) for row in members.rows]
    n = found.order.shape[1]
    similarity, others = left_out(units, block, found)
    null = np.stack([_swaps(members, s, others[block[s]], n_null, seed) for s in range(len(units))], axis=1)
    largest = np.empty(n_null)
    for draw in range(n_null):
        rng = seeds.generator(seed, "animals", draw)
        new = agreed(_exchanged(members, block, rng), block, n)
        largest[draw] = by_animal(new.similarity, block).max()
    return Judged(similarity, null.reshape(n_null, len(units), n), by_animal(found.similarity, block), largest)


def against(members: Members, block: Ints, reference: Floats, *, n_null: int, seed: int) -> tuple[Consensus, Judged]:
    """The same where sessions are matched to a reference instead of to one another.

    Parameters
    ----------
    members : Members
    block : (n_session,)
    reference : (n, n_feature)
        NaN where it has no such feature.
    n_null, seed : int
    """
    units = [ready(row) for row in members.rows]
    one = ready(reference)
    goal = (one.value, np.repeat(one.known[None], one.value.shape[0], axis=0))
    matches = [align.match(likeness(*goal, own)) for own in units]
    order, similarity = np.stack([m.order for m in matches]), np.stack([m.similarity for m in matches])
    empty = np.zeros((int(block.max()) + 1, *reference.shape))
    null = np.stack([_swaps(members, s, goal, n_null, seed) for s in range(len(units))], axis=1)
    # Independent names for each animal would do as well, and sessions of an animal would then not be judged as one.
    largest = np.empty(n_null)
    for draw in range(n_null):
        swapped_units = _exchanged(members, block, seeds.generator(seed, "animals", draw))
        alike = np.stack([align.match(likeness(*goal, own)).similarity for own in swapped_units])
        largest[draw] = by_animal(alike, block).max()
    return Consensus(order, similarity, empty, empty), Judged(similarity, null, by_animal(similarity, block), largest)


def _swaps(members: Members, session: int, goal: tuple[Floats, Floats], n_null: int, seed: int) -> Floats:
    """Similarity of one session, matched anew, after its nodes swapped names: (n_null, n)."""
    rng = seeds.generator(seed, "session", session)
    row = members.rows[session]
    draws = [ready(relabelled(row, swapped(row, members.features, rng))) for _ in range(n_null)]
    found = [align.match(likeness(*goal, own)).similarity for own in draws]
    return np.array(found).reshape(n_null, goal[0].shape[0])


def _exchanged(members: Members, block: Ints, rng: np.random.Generator) -> list[Units]:
    """All sessions after the nodes of every animal swapped names; sessions of an animal stay alike."""
    place = {}
    for k in range(int(block.max()) + 1):
        own = np.vstack([members.rows[s] for s in np.flatnonzero(block == k)])
        # A node counts as known where any session of the animal has it.
        place[k] = swapped(np.where(np.isnan(own).all(axis=0), np.nan, 0.0)[None], members.features, rng)
    return [ready(relabelled(row, place[int(block[s])])) for s, row in enumerate(members.rows)]
