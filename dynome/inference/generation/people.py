"""Connectivity of many people, checked: correlation matrices of the same nodes, one for each person or session."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels
from dynome.errors import InputError, Problems, listed
from dynome.schema import ANIMAL, SESSION, SOURCE, TARGET

Array = NDArray[np.float64]

_SAME = 1e-6  # asymmetry and departure of the diagonal from 1 that rounding may leave


class People(NamedTuple):
    """Matrices and whose they are.

    Attributes
    ----------
    matrices : (n, n_node, n_node)
        Symmetric, 1 on the diagonal.
    nodes : (n_node,)
    dim : str
        Of people or sessions.
    coords : dict
        Coordinates of `dim`.
    """

    matrices: Array
    nodes: labels.StrArray
    dim: str
    coords: dict[str, Any]


def people_of(connectivity: Any, subject: str, *, nodes: labels.StrArray | None = None, fewest: int = 1) -> People:
    """Read and check.

    Parameters
    ----------
    connectivity : (animal | session, source, target)
    subject : str
        What cannot be done, for the message.
    nodes : (n_node,) or None
        Labels that are expected; they may come in any order.
    fewest : int
        People that are needed.

    Returns
    -------
    People

    Raises
    ------
    InputError
        If it is no such array, its first dim is another, such as window, nodes differ, values are missing, or a matrix
        is no correlation matrix.
    """
    problems = Problems(subject)
    if (
        not isinstance(connectivity, xr.DataArray)
        or connectivity.ndim != 3
        or not {SOURCE, TARGET} < set(connectivity.dims)
    ):
        found = connectivity.dims if isinstance(connectivity, xr.DataArray) else type(connectivity).__name__
        problems.add(f"expected a DataArray (animal, source, target) or (session, source, target), found {found}")
        problems.fail(InputError)
    x = connectivity.transpose(..., SOURCE, TARGET)
    if x.dims[0] not in (ANIMAL, SESSION):
        found = str(x.dims[0])
        problems.add(
            f"the first dim must be {ANIMAL} or {SESSION}, found {found!r}; average over what a person has several of, "
            f"such as windows, or rename({found}={ANIMAL!r}) where each matrix is of another person"
        )
        problems.fail(InputError)
    if SOURCE not in x.coords or TARGET not in x.coords or not x.indexes[SOURCE].equals(x.indexes[TARGET]):
        problems.add("source and target must have the same labels in the same order; reindex one like the other")
        problems.fail(InputError)
    own = labels.as_labels(x[SOURCE].to_numpy())
    if repeated := labels.duplicates(own):
        problems.add(f"node labels must be unique, found repeated {listed(repeated)}")
    elif nodes is not None:
        place = labels.positions(nodes, own)
        if (place < 0).any() or own.size != nodes.size:
            lacking, more = nodes[place < 0], own[labels.positions(own, nodes) < 0]
            problems.add(f"expected the {nodes.size} nodes of the model, lacking {listed(lacking)}, unknown "
                         f"{listed(more)}; select with .sel(source=..., target=...)")  # fmt: skip
        else:
            x, own = x.isel({SOURCE: place, TARGET: place}), labels.as_labels(nodes)
    if own.size < 2:
        problems.add(f"at least 2 nodes are needed, found {own.size}")
    if x.shape[0] < fewest:
        problems.add(f"at least {fewest} people or sessions are needed, found {x.shape[0]}")
    if x.dtype.kind not in "iuf":
        problems.add(f"correlations must be real numbers, found dtype {x.dtype}")
    problems.raise_if_any(InputError)
    values = np.asarray(x.to_numpy(), dtype=np.float64)
    _check_correlations(values, problems)
    problems.raise_if_any(InputError)
    dim = str(x.dims[0])
    coords = {str(n): c.variable.copy() for n, c in x.coords.items() if c.dims == (dim,)}
    return People((values + values.swapaxes(1, 2)) / 2, own, dim, coords)


def _check_correlations(values: Array, problems: Problems) -> None:
    if bad := int((~np.isfinite(values)).any(axis=(1, 2)).sum()):
        problems.add(f"{bad} of {len(values)} matrices have values that are missing or infinite; drop these people, or "
                     "nodes that lack in some")  # fmt: skip
        return
    if (lean := float(np.abs(values - values.swapaxes(1, 2)).max(initial=0))) > _SAME:
        problems.add(f"matrices must be symmetric, found a difference of {lean:.2g}")
    diagonal = np.diagonal(values, axis1=1, axis2=2)
    if (off := float(np.abs(diagonal - 1).max(initial=0))) > _SAME:
        problems.add(f"correlation matrices have 1 on the diagonal, found a departure of {off:.2g}; turn covariances "
                     "into correlations, and put back a diagonal that was set to 0")  # fmt: skip
