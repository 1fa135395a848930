"""The true graph on the nodes of an estimate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, schema, study
from dynome.errors import InputError, listed
from dynome.schema import NODE, SOURCE, TARGET

Array = NDArray[np.float64]


class Compared(NamedTuple):
    """An estimate and the truth on the nodes that both have.

    Attributes
    ----------
    estimate : (..., n_node, n_node)
        Source down, target across.
    weight : (n_node, n_node)
        True weights with their signs; 0 where there is no edge.
    nodes : (n_node,)
    hidden, unknown : list of str
        Nodes of the truth that the estimate does not have, and the other way round.
    """

    estimate: Array
    weight: Array
    nodes: labels.StrArray
    hidden: list[str]
    unknown: list[str]


def compared(estimate: xr.DataArray, truth: xr.Dataset | xr.DataArray | xr.DataTree) -> Compared:
    """Bring both to the same nodes, by label.

    Parameters
    ----------
    estimate : (..., source, target)
    truth : connectome, (source, target), or a study with a connectome
        A matrix has NaN or 0 where there is no edge. Of a connectome edge types are added up, each edge with its
        ``sign``, where it has one.

    Raises
    ------
    InputError
        If fewer than 3 nodes are shared, or either is of another form.
    """
    if not isinstance(estimate, xr.DataArray) or not {SOURCE, TARGET} <= set(estimate.dims):
        found = tuple(map(str, estimate.dims)) if isinstance(estimate, xr.DataArray) else type(estimate).__name__
        raise InputError(f"expected an estimate (..., source, target), as from infer_connectivity, found {found}")
    weight, known = _weights(truth)
    ends = [labels.as_labels(estimate[end].to_numpy()) for end in (SOURCE, TARGET)]
    nodes = labels.shared(ends[0], ends[1], known)
    if nodes.size < 3:
        raise InputError(
            f"expected at least 3 nodes in both, found {nodes.size} (estimate: {listed(ends[0].tolist(), 3)}; truth: "
            f"{listed(known.tolist(), 3)}); bring the names to one convention"
        )
    rows, columns = (labels.positions(nodes, end) for end in ends)
    values = estimate.transpose(..., SOURCE, TARGET).to_numpy().astype(np.float64)
    at = labels.positions(nodes, known)
    return Compared(
        values[..., rows, :][..., columns],
        weight[np.ix_(at, at)],
        nodes,
        np.setdiff1d(known, nodes).tolist(),
        np.setdiff1d(ends[0], nodes).tolist(),
    )


def _weights(truth: object) -> tuple[Array, labels.StrArray]:
    if isinstance(truth, xr.DataTree):
        truth = study.connectome(truth)
    if isinstance(truth, xr.Dataset):
        return _of_connectome(schema.validate(truth, "connectome"))
    if (
        isinstance(truth, xr.DataArray)
        and set(truth.dims) == {SOURCE, TARGET}
        and {SOURCE, TARGET} <= set(truth.coords)
    ):
        sides = [labels.as_labels(truth[end].to_numpy()) for end in (SOURCE, TARGET)]
        nodes = labels.shared(*sides)
        at = [labels.positions(nodes, side) for side in sides]
        values = truth.transpose(SOURCE, TARGET).to_numpy().astype(np.float64)[np.ix_(at[0], at[1])]
        return _clear(np.nan_to_num(values)), nodes
    found: Any = truth.dims if isinstance(truth, xr.DataArray) else type(truth).__name__
    raise InputError(f"expected the truth as a connectome, a labelled (source, target) or a study, found {found}")


def _of_connectome(wiring: xr.Dataset) -> tuple[Array, labels.StrArray]:
    nodes = labels.as_labels(wiring[NODE].to_numpy())
    source, target = (labels.positions(wiring[end].to_numpy(), nodes) for end in (SOURCE, TARGET))
    weight = wiring["weight"].to_numpy().astype(np.float64)
    if "sign" in wiring:
        sign = wiring["sign"].to_numpy()
        weight = np.where(sign != 0, sign * np.abs(weight), weight)
    dense = np.zeros((nodes.size, nodes.size))
    np.add.at(dense, (source, target), weight)
    return _clear(dense), nodes


def _clear(weight: Array) -> Array:
    np.fill_diagonal(weight, 0.0)
    return weight
