"""How often a matching agrees with partners that are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from dynome import labels
from dynome.errors import InputError
from dynome.schema import NODE
from dynome.units import DIMENSIONLESS


def match_accuracy(
    matching: xr.Dataset,
    truth: Mapping[str, str] | ArrayLike | xr.DataArray,
    *,
    seeds: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """How many nodes found the partner that they are known to have.

    Parameters
    ----------
    matching : Dataset
        What `match_nodes` or `match_sides` returned.
    truth : mapping or (node,)
        The known partner of each node; nodes that a mapping leaves out, or whose partner is an empty string, do not
        count.
    seeds : mapping or None
        The seeds that the matching was given: these do not count either.

    Returns
    -------
    Dataset, dimensionless
        ``accuracy`` of the best search, ``accuracy_by_start (start)``, ``n_known`` and ``chance``, what a random
        matching would reach; ``correct (node)``, NaN where the partner is unknown.

    Raises
    ------
    InputError
        If no partner is known.

    Examples
    --------
    >>> from dynome.connectome import from_edges, match_nodes
    >>> made = from_edges({"source": ["a", "b"], "target": ["b", "c"]})
    >>> float(match_accuracy(match_nodes(made, made, random_state=0), {"a": "a", "b": "b"}).accuracy)
    1.0
    """
    names = matching[NODE].to_numpy()
    if isinstance(truth, Mapping):
        expected = np.array([truth.get(name, "") for name in names.tolist()], dtype=np.str_)
    else:
        expected = labels.as_labels(truth)
    if expected.shape != names.shape:
        raise InputError(f"expected a partner for each of {names.size} nodes, found shape {expected.shape}")
    known = (expected != "") & ~np.isin(names, list(seeds or {}))
    if not known.any():
        raise InputError("no partner is known of any node of the matching; check the labels of truth")
    right = matching["match_by_start"].to_numpy() == expected
    one = {"units": DIMENSIONLESS}
    n_free = max(names.size - len(seeds or {}), 1)
    return xr.Dataset(
        {
            "accuracy": ((), right[0, known].mean(), {**one, "long_name": "share of partners found"}),
            "accuracy_by_start": ("start", right[:, known].mean(axis=1), one),
            "n_known": ((), int(known.sum()), {"units": "count"}),
            "chance": ((), 1 / n_free, one),
            "correct": (NODE, np.where(known, right[0], np.nan), one),
        },
        coords={NODE: matching[NODE]},
    )
