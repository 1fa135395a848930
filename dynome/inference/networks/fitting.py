"""Training a network on a series and forecasting with it: what all networks of this folder have in common.

A network is trained through its *views*: an object that cuts windows into batches and makes of a batch what the network
reads. The rest, targets, losses, validation, calibration, is the same for all.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.tallies import Forecast
from dynome.dynamics.forecasting.windows import origins
from dynome.errors import InputError
from dynome.inference.networks.heads import HeadName, Said, mean_loss
from dynome.inference.networks.tables import Table
from dynome.training.loops import Plan, Training, trained

Integers = NDArray[np.int64]

_CHUNK, _NODE_WINDOWS = 128, 1 << 21  # windows, and nodes times windows, that are forecast together


class Batch(NamedTuple):
    """Windows that go through the network together.

    Attributes
    ----------
    origin : (W,)
        Last bins of the contexts.
    nodes : (n,)
        Positions of the nodes that are forecast.
    sends : (N,) bool
        Nodes whose state others may see.
    """

    origin: Integers
    nodes: Integers
    sends: NDArray[np.bool_]


class Views(Protocol):
    """How a network sees a series."""

    table: Table

    def batches(self, origin: Integers, rng: np.random.Generator | None) -> list[Batch]:
        """Mini-batches of all windows, mixed by `rng`; None keeps their order and forecasts every node."""

    def view(self, batch: Batch) -> Any:
        """What the network reads; it gives mean and scale ``(n, W, n_horizon)``."""


class Settings(NamedTuple):
    """How a network is trained, besides the plan."""

    head: HeadName
    device: str
    checkpoint: str | os.PathLike[str] | None
    fingerprint: str
    subject: str
    lower: str


class Outcome(NamedTuple):
    """A trained network.

    Attributes
    ----------
    training : Training
    calibration : (n_horizon,)
        What standard deviations are multiplied by, so that they are right on the validation part; 1 without.
    """

    training: Training
    calibration: NDArray[np.float64]


def fitted(
    network: nn.Module,
    views: Views,
    series: Series,
    held: tuple[Views, Series] | None,
    plan: Plan,
    settings: Settings,
    rng: np.random.Generator,
) -> Outcome:
    """Train a network on all windows of a series.

    Parameters
    ----------
    network : Module
        Trained in place.
    views, series
        Of the training part.
    held : (views, series) or None
        Of the validation part; None, or a part without a whole window, trains to the end of the plan.
    plan : Plan
    settings : Settings
    rng : Generator

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If memory does not suffice or the loss is not finite.
    """
    at = origins(series)
    checked = held if held is not None and origins(held[1]).size else None
    try:
        training = trained(
            network,
            lambda g: views.batches(at, g),
            lambda net, batch: _loss(net, views, batch, series.horizons, settings.head)[0],
            plan,
            rng,
            validate=None if checked is None else lambda net: _validation(net, *checked, settings.head),
            checkpoint=settings.checkpoint,
            fingerprint=settings.fingerprint,
            subject=settings.subject,
            lower=settings.lower,
        )
        spread = np.ones(len(series.horizons))
        if checked is not None and settings.head == "gaussian":
            spread = _calibration(network, *checked)
    except torch.OutOfMemoryError as error:
        raise InputError(f"the memory of {settings.device} does not suffice; lower {settings.lower}") from error
    return Outcome(training, spread)


def forecast(
    network: nn.Module, views: Views, series: Series, origin: Integers, calibration: NDArray[np.float64]
) -> Forecast:
    """Forecasts of some windows by a trained network.

    Parameters
    ----------
    network : Module
    views : Views
        Of `series`.
    series : Series
    origin : (n_window,)
    calibration : (n_horizon,)

    Returns
    -------
    Forecast
    """
    shape = origin.size, len(series.horizons), series.nodes.size
    mean = np.full(shape, np.nan, dtype=np.float32)
    scale: NDArray[np.float32] | None = None
    ordered, back = np.unique(origin, return_inverse=True)
    network.eval()
    with torch.no_grad():
        for batch in views.batches(ordered, None):
            found = network(views.view(batch))
            at = np.ix_(np.searchsorted(ordered, batch.origin), np.arange(shape[1]), batch.nodes)
            mean[at] = found.mean.permute(1, 2, 0).cpu().numpy()
            if found.scale is not None:
                scale = np.full(shape, np.nan, dtype=np.float32) if scale is None else scale
                scale[at] = found.scale.permute(1, 2, 0).cpu().numpy() * calibration[:, None].astype(np.float32)
    return Forecast(mean[back], None if scale is None else scale[back])


def fingerprint(settings: dict[str, Any], *arrays: NDArray[Any]) -> str:
    """A hash of settings and data, by which a checkpoint knows what it belongs to, and the settings on a second line.

    Parameters
    ----------
    settings : dict
        Plain values.
    *arrays : array

    Examples
    --------
    >>> fingerprint({"hidden": 8}, np.zeros(3)) == fingerprint({"hidden": 8}, np.ones(3))
    False
    """
    text = json.dumps(settings, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode())
    for array in arrays:
        digest.update(str((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return f"{digest.hexdigest()}\n{text}"


def in_chunks(origin: Integers, n_nodes: int) -> list[Integers]:
    """Windows in parts that are forecast together, fewer where there are many nodes."""
    size = min(_CHUNK, max(1, _NODE_WINDOWS // max(n_nodes, 1)))
    return np.split(origin, np.arange(size, origin.size, size))


def targets_of(views: Views, batch: Batch, horizons: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Targets (n, W, n_horizon), 0 where missing, and whether they are there."""
    device = views.table.value.device
    bins = torch.from_numpy(batch.origin[:, None] + np.array(horizons)).to(device)
    nodes = torch.from_numpy(batch.nodes).to(device)
    at = nodes[:, None, None], bins[None]
    return views.table.value[at], views.table.known[at] > 0


def _loss(
    network: nn.Module, views: Views, batch: Batch, horizons: tuple[int, ...], head: HeadName
) -> tuple[Tensor, Tensor]:
    target, known = targets_of(views, batch, horizons)
    found: Said = network(views.view(batch))
    return mean_loss(head, found, target, known, tilted=network.training), known.sum()


def _validation(network: nn.Module, views: Views, series: Series, head: HeadName) -> float:
    """Mean loss over all targets of a part."""
    total, number = 0.0, 0
    for batch in views.batches(origins(series), np.random.default_rng(0)):
        loss, n = _loss(network, views, batch, series.horizons, head)
        total, number = total + loss.item() * n.item(), number + int(n.item())
    return total / max(number, 1)


def _calibration(network: nn.Module, views: Views, series: Series) -> NDArray[np.float64]:
    """Root mean square of the standardized errors, for each horizon."""
    square, number = np.zeros(len(series.horizons)), np.zeros(len(series.horizons))
    with torch.no_grad():
        for batch in views.batches(origins(series), np.random.default_rng(0)):
            target, known = targets_of(views, batch, series.horizons)
            found = network(views.view(batch))
            error = torch.where(known, (found.mean - target) / found.scale, 0).double()
            square += (error**2).sum((0, 1)).cpu().numpy()
            number += known.sum((0, 1)).cpu().numpy()
    return np.where((number > 0) & (square > 0), np.sqrt(square / np.maximum(number, 1)), 1.0)
