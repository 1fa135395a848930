"""What graphs and searches must be like."""

from __future__ import annotations

from dynome.connectome.communities.partitions import Weights
from dynome.errors import InputError, Problems


def check_search(weight: Weights, *, resolution: float = 1.0, n_restarts: int = 1) -> None:
    """Refuse weights without communities, and parameters out of range.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Weights without self-loops.
    resolution : float
        Must be positive.
    n_restarts : int
        Must be at least 1.

    Raises
    ------
    InputError
        With every problem.
    """
    problems = Problems("cannot look for communities")
    if negative := int((weight.data < 0).sum()):
        problems.add(f"weights must be >= 0, found {negative} negative; take abs(...), clip at 0, or use an affinity")
    elif not weight.nnz:
        problems.add("there are no edges between different nodes")
    if not resolution > 0:
        problems.add(f"resolution must be > 0, got {resolution}")
    if n_restarts < 1:
        problems.add(f"n_restarts must be at least 1, got {n_restarts}")
    problems.raise_if_any(InputError)
