"""How a network of the whole population sees a series: the contexts of some windows, every node on its place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dynome.dynamics.forecasting.series import Series
from dynome.inference.networks.fitting import Batch, in_chunks
from dynome.inference.networks.tables import Table, mixed

Integers = NDArray[np.int64]


class PopulationView(NamedTuple):
    """Contexts.

    Attributes
    ----------
    value, known : (N, W, context)
        0 where missing; 1 where there is a value.
    covariates : (W, context, C)
    base : (N, W)
        What the forecast is a change from.
    """

    value: Tensor
    known: Tensor
    covariates: Tensor
    base: Tensor


class PopulationViews:
    """Views of a series as contexts of all nodes.

    Parameters
    ----------
    series : Series
    table : Table
        Of the series.
    batch_size : int
        Windows.
    most : int or None
        Windows of an epoch, drawn anew each time; None takes all.
    """

    def __init__(self, series: Series, table: Table, *, batch_size: int, most: int | None = None) -> None:
        self.series, self.table, self.batch_size, self.most = series, table, batch_size, most

    def batches(self, origin: Integers, rng: np.random.Generator | None) -> list[Batch]:
        """Mini-batches of windows."""
        nodes = np.arange(self.series.nodes.size)
        sends = np.ones(nodes.size, dtype=bool)
        if rng is None:
            return [Batch(part, nodes, sends) for part in in_chunks(origin, nodes.size)]
        if self.most is not None and origin.size > self.most:
            origin = np.sort(rng.choice(origin, self.most, replace=False))
        return [Batch(part, nodes, sends) for part in mixed(origin, 1, self.batch_size, rng)]

    def view(self, batch: Batch) -> PopulationView:
        """The contexts of a batch."""
        device = self.table.value.device
        bins = torch.from_numpy(batch.origin[:, None] + np.arange(1 - self.series.context, 1)).to(device)
        return PopulationView(
            value=self.table.value[:, bins],
            known=self.table.known[:, bins],
            covariates=self.table.covariates[bins],
            base=self.table.base[:, bins[:, -1]],
        )
