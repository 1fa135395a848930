"""What a graph network has learnt of each node."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome.errors import InputError
from dynome.inference.networks.connectome_gnn import ConnectomeGNN
from dynome.inference.networks.network_forecaster import WEIGHTS, known_of
from dynome.schema import COMPONENT, NODE


def node_embeddings(model: ConnectomeGNN) -> xr.DataArray:
    """The numbers by which a `ConnectomeGNN` tells nodes apart.

    Parameters
    ----------
    model : ConnectomeGNN
        Fitted, with ``node_embedding`` above 0.

    Returns
    -------
    (node, component)
        Of the nodes that training recorded. Components are principal ones of what the embedding adds to the state of a
        node, so that distances are those that the network sees; ``cell_type (node)`` where the connectome tells it.

    Raises
    ------
    NotFittedError
        Before `fit`.
    InputError
        If the model has no embeddings.

    Examples
    --------
    >>> from dynome.datasets import make_rate_network
    >>> from dynome.inference import forecasting_task
    >>> study = make_rate_network(n_animals=2, n_times=120, n_nodes=12, recorded=1.0, random_state=0)
    >>> task = forecasting_task(study, context=4, horizons=(1, 2), split="by_time")
    >>> model = ConnectomeGNN("gcn", hidden=8, node_embedding=3, n_epochs=2, random_state=0).fit(task.train)
    >>> dict(node_embeddings(model).sizes)
    {'node': 12, 'component': 3}
    """
    results = model._fitted()
    weights = results[WEIGHTS].to_dataset()
    if "embedding" not in weights:
        raise InputError("this model has node_embedding=0; fit one with embeddings of nodes")
    known = np.flatnonzero(known_of(results))
    added = weights["embedding"].to_numpy()[known + 1] @ weights["identity.weight"].to_numpy().T
    left, size, right = np.linalg.svd(added - added.mean(axis=0), full_matrices=False)
    kept = min(weights["embedding"].shape[1], size.size)
    turned = np.where(right[np.arange(kept), np.abs(right[:kept]).argmax(axis=1)] < 0, -1, 1)
    coords = {name: (NODE, results[name].to_numpy()[known]) for name in (NODE, "cell_type") if name in results.coords}
    return xr.DataArray(
        left[:, :kept] * size[:kept] * turned,
        dims=(NODE, COMPONENT),
        coords={**coords, COMPONENT: np.arange(kept)},
        name="node_embedding",
        attrs={"units": "1", "long_name": "embedding of nodes", "share": (size[:kept] ** 2 / (size**2).sum()).tolist()},
    )
