"""The connectome that a network was fitted with, kept among its results."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels
from dynome.errors import InputError, listed
from dynome.schema import EDGE, NODE, SOURCE, TARGET

WIRING = "wiring"


def chosen_wiring(own: xr.Dataset | None, of_part: xr.Dataset | None, name: str) -> xr.Dataset:
    """The connectome of the model, else that of the part.

    Parameters
    ----------
    own, of_part : Dataset or None
    name : str
        Of the model, for the message.

    Raises
    ------
    InputError
        If there is neither.
    """
    found = of_part if own is None else own
    if found is None:
        raise InputError(
            f"{name} needs a connectome and the part has none: make the task with forecasting_task(study, connectome), "
            "or give connectome="
        )
    return found


def kept_edges(wiring: xr.Dataset, nodes: NDArray[Any], recorded: NDArray[np.bool_]) -> xr.Dataset:
    """The edges of a connectome both of whose ends are among some nodes, without the nodes.

    Parameters
    ----------
    wiring : Dataset
        A connectome.
    nodes : (N,)
        Labels.
    recorded : (N,) bool
        Nodes that some session recorded.

    Returns
    -------
    Dataset
        Variables over ``edge``, and the attributes of the connectome.

    Raises
    ------
    InputError
        If fewer than a tenth of the recorded nodes are in the connectome.
    """
    shared = labels.positions(nodes[recorded], wiring[NODE].to_numpy()) >= 0
    if shared.sum() < max(0.1 * shared.size, 1):
        raise InputError(
            f"{int(shared.sum())} of {shared.size} recorded nodes are in the connectome (it begins "
            f"{listed(wiring[NODE].to_numpy()[:3])}, the recordings {listed(nodes[recorded][:3])}); rename one of them"
        )
    edges = wiring.drop_vars([name for name in wiring.variables if wiring[name].dims != (EDGE,)])
    inside = [labels.positions(edges[end].to_numpy(), nodes) >= 0 for end in (SOURCE, TARGET)]
    return edges.isel({EDGE: inside[0] & inside[1]}).reset_coords()


def wiring_of_edges(edges: xr.Dataset, nodes: NDArray[Any]) -> xr.Dataset:
    """Undo `kept_edges`: a connectome on some nodes.

    Parameters
    ----------
    edges : Dataset
    nodes : (N,)
    """
    alone = edges.drop_vars([name for name in edges.variables if edges[name].dims != (EDGE,)])
    return alone.assign_coords({NODE: (NODE, labels.as_labels(nodes))})
