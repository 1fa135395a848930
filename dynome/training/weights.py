"""Weights of a network as a Dataset, so that they are stored, compared and read like everything else."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr
from torch import nn

from dynome.errors import Problems, StoreError


def weights_dataset(network: nn.Module) -> xr.Dataset:
    """Parameters and buffers of a network.

    Parameters
    ----------
    network : Module

    Returns
    -------
    Dataset
        One variable a tensor, under its name in the network; dims ``{name}_0, {name}_1, ...``.

    Examples
    --------
    >>> sorted(weights_dataset(nn.Linear(2, 3)).sizes.items())
    [('bias_0', 3), ('weight_0', 3), ('weight_1', 2)]
    """
    held = {name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}
    return xr.Dataset(
        {name: (tuple(f"{name}_{k}" for k in range(array.ndim)), array, {"units": "1"}) for name, array in held.items()}
    )


def load_weights(network: nn.Module, dataset: xr.Dataset) -> None:
    """Put stored weights into a network, in place.

    Parameters
    ----------
    network : Module
        Built as the one that was stored.
    dataset : Dataset
        As `weights_dataset` gives it.

    Raises
    ------
    StoreError
        If names or shapes differ, or a value is not finite; the network is then as it was.

    Examples
    --------
    >>> one, other = nn.Linear(2, 3), nn.Linear(2, 3)
    >>> load_weights(other, weights_dataset(one))
    >>> bool((one.weight == other.weight).all())
    True
    """
    state = network.state_dict()
    problems = Problems("these weights do not fit the network")
    if missing := sorted(set(state) - set(map(str, dataset.data_vars))):
        problems.add(f"missing {missing}; build the network as it was when they were stored")
    if more := sorted(set(map(str, dataset.data_vars)) - set(state)):
        problems.add(f"unknown {more}; build the network as it was when they were stored")
    for name in sorted(set(state) & set(map(str, dataset.data_vars))):
        if dataset[name].shape != tuple(state[name].shape):
            problems.add(f"{name} has shape {dataset[name].shape}, the network expects {tuple(state[name].shape)}")
        elif not np.isfinite(dataset[name].to_numpy()).all():
            problems.add(f"{name} has values that are not finite; the store is damaged")
    problems.raise_if_any(StoreError)
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(torch.tensor(dataset[name].to_numpy()))
