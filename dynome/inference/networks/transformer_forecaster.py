"""Attention over the bins of a context of the whole population, without a graph."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import xarray as xr

from dynome.dynamics.forecasting.series import Series
from dynome.errors import Problems
from dynome.inference.networks.network_forecaster import NetworkForecaster, add_share, add_size, table_of
from dynome.schema import HORIZON, NODE

if TYPE_CHECKING:
    import torch
    from torch import nn

    from dynome.inference.networks.heads import HeadName
    from dynome.inference.networks.population_views import PopulationViews


class TransformerForecaster(NetworkForecaster):
    """Transformer [1]_ whose tokens are bins of all nodes at once, and which knows no connectome.

    What a connectome must beat: it may use any node to forecast any other. It needs the same nodes in training and
    test; a node that training did not record is forecast as its last value.

    Parameters
    ----------
    hidden, n_layers, heads : int
        Features of a bin; layers; attentions of a layer, which must divide `hidden`.
    head : {"point", "gaussian", "poisson"}
        What is forecast: a value; a normal law, whose spread is recalibrated on the validation part; counts.
    residual : bool
        Forecast the change from the last observed value.
    n_epochs, patience : int
        Largest number of passes through the windows; passes without a better validation loss after which to stop.
    batch_size : int
        Windows of a step.
    learning_rate, weight_decay, dropout : float
        Of AdamW; share of the state that is left out in a step.
    device : str
        "auto", "cpu", "cuda", ...
    checkpoint : path or None
        File to continue from where it exists, and to write to every few epochs.
    random_state : int or None
        Seed of the first weights and of the order of windows.

    Attributes
    ----------
    results_ : DataTree
        ``history validation (iteration)``, ``calibration (horizon)``, ``/weights``.

    References
    ----------
    .. [1] Vaswani et al., NeurIPS 2017, arXiv:1706.03762.

    Examples
    --------
    >>> from dynome.datasets import make_rate_network
    >>> from dynome.inference import forecasting_task
    >>> study = make_rate_network(n_animals=2, n_times=120, n_nodes=12, random_state=0)
    >>> task = forecasting_task(study, context=4, horizons=(1, 2), split="by_time")
    >>> TransformerForecaster(hidden=8, n_epochs=2, random_state=0).fit(task.train).results_.sizes["iteration"]
    2
    """

    def __init__(
        self,
        hidden: int = 64,
        *,
        n_layers: int = 2,
        heads: int = 4,
        head: HeadName = "point",
        residual: bool = True,
        n_epochs: int = 60,
        patience: int = 8,
        batch_size: int = 64,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        dropout: float = 0.2,
        device: str = "auto",
        checkpoint: str | os.PathLike[str] | None = None,
        random_state: int | None = None,
    ) -> None:
        self.hidden = hidden
        self.n_layers = n_layers
        self.heads = heads
        self.head = head
        self.residual = residual
        self.n_epochs = n_epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.device = device
        self.checkpoint = checkpoint
        self.random_state = random_state

    def _network(self, about: xr.DataTree, generator: torch.Generator) -> nn.Module:
        from dynome.inference.networks.population_networks import PopulationNetwork, TransformerCore

        return PopulationNetwork(
            TransformerCore(self.hidden, self.n_layers, self.heads, int(about.attrs["context"]), self.dropout),
            n_nodes=about.sizes[NODE],
            n_covariates=about["covariate_scale"].size,
            n_horizons=about.sizes[HORIZON],
            hidden=self.hidden,
            head=self.head,
            residual=self.residual,
            dropout=self.dropout,
            generator=generator,
        )

    def _views(self, about: xr.DataTree, series: Series, device: str) -> PopulationViews:
        from dynome.inference.networks.population_views import PopulationViews

        return PopulationViews(series, table_of(about, series, device, self.head), batch_size=self.batch_size)

    def _add_problems(self, problems: Problems) -> None:
        add_size(problems, "hidden", self.hidden)
        add_size(problems, "n_layers", self.n_layers)
        add_size(problems, "heads", self.heads)
        if isinstance(self.heads, int) and isinstance(self.hidden, int) and self.heads > 0 and self.hidden % self.heads:
            problems.add(f"heads must divide hidden, got {self.heads} and {self.hidden}")
        add_share(problems, "dropout", self.dropout)
