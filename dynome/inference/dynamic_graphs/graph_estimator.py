"""What estimators on dynamic graphs share: settings, a network in ``results_``, embeddings of whole scans.

A model says what its parameters mean as settings and which network it is; the network has an ``encoder``. The network
is rebuilt from ``results_`` alone, so that a model that was loaded gives what the one that was saved gave.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from dynome import device as devices
from dynome import extras
from dynome.estimator import Estimator, MissingData
from dynome.inference.dynamic_graphs.embeddings import Pooled, embedding_of
from dynome.inference.dynamic_graphs.scans import Scans, scans_of
from dynome.inference.dynamic_graphs.settings import EncoderSettings, GraphSettings
from dynome.schema import NODE

if TYPE_CHECKING:
    import torch
    from torch import nn

    from dynome.inference.dynamic_graphs.encoder import GraphEncoder

WEIGHTS = "weights"


class GraphEstimator(Estimator):
    """Base of estimators on dynamic graphs."""

    missing_data: ClassVar[MissingData] = "raise"

    device: str

    @property
    def graph_settings(self) -> GraphSettings:
        """How scans become graphs."""
        raise TypeError(f"{type(self).__name__} must define graph_settings")

    @property
    def encoder_settings(self) -> EncoderSettings:
        """Shape of the encoder."""
        raise TypeError(f"{type(self).__name__} must define encoder_settings")

    def _network(self, about: xr.Dataset, generator: torch.Generator) -> nn.Module:
        """The network, with an attribute ``encoder``, from the root of ``results_`` (node, attrs) and parameters."""
        raise TypeError(f"{type(self).__name__} must define _network")

    def transform(self, study: Any, *, layer: int = -1, pool: Pooled | Collection[Pooled] = ()) -> xr.DataArray:
        """Node embeddings of every window of every session.

        Parameters
        ----------
        study : DataTree, mapping, Dataset or DataArray
            Sessions with all regions of the fitted model.
        layer : int
            Layer of the encoder, from 0, or from the last as -1.
        pool : {"window", "node"} or collection of them
            Dims to average over.

        Returns
        -------
        (session, window, node, feature) float32
            Less the dims of `pool`; NaN after the last window of a session with fewer. Coordinates ``animal
            (session)``, ``start`` and ``stop (session, window)`` in seconds.

        Raises
        ------
        InputError
            If sessions lack regions, hold NaN, or are shorter than a window.
        """
        scans = self._scans(study)
        device = devices.resolve(self.device)
        return embedding_of(self._restored_encoder(device), scans, layer=layer, pool=pool, device=device)

    def _scans(self, study: Any) -> Scans:
        """Sessions as scans with the regions of the fitted model."""
        nodes = self._fitted()[NODE].to_numpy()
        return scans_of(study, self.graph_settings, nodes=nodes)

    def _restored(self, device: str = "cpu") -> nn.Module:
        """The trained network, in evaluation mode."""
        results = self._fitted()
        extras.require("torch", extra="torch")
        from dynome.training.noise import seeded
        from dynome.training.weights import load_weights

        with seeded(np.random.default_rng(0)) as generator:
            network = self._network(results.to_dataset(), generator)
        load_weights(network, results[WEIGHTS].to_dataset(inherit=False))
        return network.to(device).eval()

    def _restored_encoder(self, device: str = "cpu") -> GraphEncoder:
        """The trained encoder, in evaluation mode."""
        encoder: GraphEncoder = self._restored(device).encoder  # type: ignore[assignment]
        return encoder
