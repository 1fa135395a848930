"""Approximate quadratic assignment over several relations, and over edges that cross between two sides.

The Frank-Wolfe method of Vogelstein et al. [1]_ (scipy's ``quadratic_assignment``, which takes one relation), with the
crossing edges of Pedigo et al. [2]_.

References
----------
.. [1] Vogelstein et al., PLoS ONE 2015, doi:10.1371/journal.pone.0121002.
.. [2] Pedigo et al., Network Neuroscience 2023, doi:10.1162/netn_a_00287.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Sparse = scipy.sparse.csr_array[Any, tuple[int, int]]
Matrix = Floats | Sparse


class Relation(NamedTuple):
    """One kind of edges in two graphs of equal size; `one` (n, n) and `other` (n, n), dense or sparse.

    If `crossing`, ``one[i, j]`` leads from node i of the first graph to node j of the second, ``other[j, i]`` back.
    """

    one: Matrix
    other: Matrix
    crossing: bool


class Assignment(NamedTuple):
    """A node of the second graph for each of the first (n,), and how alike that makes them."""

    partner: Ints
    objective: float


def assigned(
    relations: Sequence[Relation], known: tuple[Ints, Ints], start: Floats, max_iter: int = 100, tolerance: float = 0.01
) -> Assignment:
    r"""The matching that a search from one start finds.

    Parameters
    ----------
    relations : list of Relation
        Their objectives add up.
    known : (n_known,), (n_known,)
        Nodes of the first and second graph that belong together.
    start : (n_free, n_free)
        Doubly stochastic, over the other nodes of both.
    max_iter : int
        Steps at most.
    tolerance : float
        Ends when the matrix moves less: its norm over the root of its size.

    Returns
    -------
    Assignment
        Of the permutation nearest to the end of the search.

    Notes
    -----
    Maximizes :math:`\sum_r \mathrm{tr}(A_r^T P B_r P^T)` over doubly stochastic P, and
    :math:`\mathrm{tr}(P A_r^T P B_r)` for crossing edges. Each step goes towards the permutation that the gradient
    favours, as far as pays.
    """
    n = relations[0].one.shape[0]
    rows, columns = (np.setdiff1d(np.arange(n), end) for end in known)
    p = np.zeros((n, n))
    p[known] = 1
    p[np.ix_(rows, columns)] = start
    slope = gradient(relations, p)
    for _ in range(max_iter):
        q = _nearest(slope, known, rows, columns)
        step = q.toarray() - p
        bend = gradient(relations, q) - slope  # the gradient is linear
        curve, rise = 0.5 * float((bend * step).sum()), float((slope * step).sum())
        size = 1.0 if curve >= 0 else min(1.0, -rise / (2 * curve))
        if curve >= 0 and rise + curve <= 0:
            break
        p += size * step
        slope += size * bend
        if size * np.linalg.norm(step) < tolerance * np.sqrt(n):
            break
    best = _nearest(p, known, rows, columns)
    return Assignment(best.indices.astype(np.int64), 0.5 * float(best.multiply(gradient(relations, best)).sum()))


def gradient(relations: Sequence[Relation], p: Matrix) -> Floats:
    """The gradient of the objective (n, n); half its product with `p` is the objective itself."""
    out = np.zeros(p.shape)
    for a, b, crossing in relations:
        term: Any = b.T @ p.T @ a + a @ p.T @ b.T if crossing else a @ p @ b.T + a.T @ p @ b
        out += term if isinstance(term, np.ndarray) else term.toarray()
    return out


def random_start(n: int, rng: np.random.Generator) -> Floats:
    """Halfway between all permutations alike and a random doubly stochastic matrix (n, n)."""
    k = rng.random((n, n))
    for _ in range(20):
        k /= k.sum(axis=0)
        k /= k.sum(axis=1, keepdims=True)
    return 0.5 * (k + 1 / max(n, 1))


def _nearest(scores: Floats, known: tuple[Ints, Ints], rows: Ints, columns: Ints) -> Sparse:
    """The permutation with the largest scores that keeps what is known."""
    i, j = linear_sum_assignment(scores[np.ix_(rows, columns)], maximize=True)
    partner = np.empty(scores.shape[0], dtype=np.int64)
    partner[known[0]], partner[rows[i]] = known[1], columns[j]
    return scipy.sparse.csr_array((np.ones(partner.size), partner, np.arange(partner.size + 1)), shape=scores.shape)
