"""What `GraphClassifier` and `GraphRegressor` share: parameters, training, and answers for whole scans."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import device as devices
from dynome import extras, seeds
from dynome.inference.dynamic_graphs.embeddings import session_coords
from dynome.inference.dynamic_graphs.graph_estimator import WEIGHTS, GraphEstimator
from dynome.inference.dynamic_graphs.predictor_checks import OF_ENCODER, OF_GRAPHS, check_predictor, given
from dynome.inference.dynamic_graphs.scans import Scans, scans_of
from dynome.inference.dynamic_graphs.settings import (
    EncoderSettings,
    GraphSettings,
    Timestamp,
    Unit,
    Wiring,
)
from dynome.inference.dynamic_graphs.targets import Target, target_of
from dynome.inference.dynamic_graphs.validation_scans import held_out
from dynome.schema import ITERATION, NODE, SESSION

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dynome.inference.dynamic_graphs.predictor import ScanPredictor
    from dynome.inference.dynamic_graphs.readouts import ReadoutName
    from dynome.inference.dynamic_graphs.time_attention import Summary
    from dynome.training.precision import Precision


class GraphPredictor(GraphEstimator):
    """Base of estimators that tell something of a scan."""

    def __init__(
        self,
        encoder: GraphEstimator | None = None,
        *,
        readout: ReadoutName = "sero",
        hidden: int | None = None,
        n_layers: int | None = None,
        timestamp: Timestamp | None = None,
        window: float | None = None,
        stride: float | None = None,
        unit: Unit | None = None,
        density: float | None = None,
        wiring: Wiring | None = None,
        heads: int = 1,
        summary: Summary = "mean",
        dropout: float = 0.5,
        orthogonality: float = 1e-5,
        freeze: bool = False,
        n_windows: int | None = 32,
        n_epochs: int = 30,
        batch_size: int = 8,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        validation: float = 0.0,
        patience: int = 10,
        device: str = "auto",
        precision: Precision = "float32",
        accumulate: int = 1,
        checkpoint: str | os.PathLike[str] | None = None,
        random_state: int | None = None,
    ) -> None:
        self.encoder = encoder
        self.readout = readout
        self.hidden = hidden
        self.n_layers = n_layers
        self.timestamp = timestamp
        self.window = window
        self.stride = stride
        self.unit = unit
        self.density = density
        self.wiring = wiring
        self.heads = heads
        self.summary = summary
        self.dropout = dropout
        self.orthogonality = orthogonality
        self.freeze = freeze
        self.n_windows = n_windows
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation = validation
        self.patience = patience
        self.device = device
        self.precision = precision
        self.accumulate = accumulate
        self.checkpoint = checkpoint
        self.random_state = random_state

    @property
    def graph_settings(self) -> GraphSettings:
        """How scans become graphs: as for the pretrained encoder, or as the parameters say."""
        if self.encoder is not None:
            return self.encoder.graph_settings
        return GraphSettings()._replace(**given(self, OF_GRAPHS))

    @property
    def encoder_settings(self) -> EncoderSettings:
        """Shape of the encoder: that of the pretrained one, or as the parameters say."""
        if self.encoder is not None:
            return self.encoder.encoder_settings
        return EncoderSettings(timestamp="gru")._replace(**given(self, OF_ENCODER))

    def _coded(self, target: Target) -> tuple[xr.Dataset, NDArray[Any]]:
        """What is known of the target before training, and the value of each session as the network learns it."""
        raise TypeError(f"{type(self).__name__} must define _coded")

    def _strata(self, target: Target) -> NDArray[Any]:
        """Groups of sessions that a validation part is drawn from alike."""
        raise TypeError(f"{type(self).__name__} must define _strata")

    def _n_outputs(self, about: xr.Dataset) -> int:
        raise TypeError(f"{type(self).__name__} must define _n_outputs")

    def _losses(self, output: Tensor, y: Tensor, of_training: NDArray[Any]) -> Tensor:
        """Loss of each scan, given the values of all training sessions."""
        raise TypeError(f"{type(self).__name__} must define _losses")

    def fit(self, study: Any, target: Any = None) -> Self:
        """Learn to predict a value of each session.

        Parameters
        ----------
        study : DataTree, mapping, Dataset or DataArray
            Sessions; those with different regions are used with the regions that all share (all of those of a
            pretrained `encoder` must be there).
        target : str, mapping, Series, DataArray, sequence or None
            Name of a variable of the study's phenotype; values by animal or by session; values in the order of the
            sessions; None is the only variable that the phenotype has. Sessions without a value are left out.

        Raises
        ------
        InputError
            If parameters, the target or the scans cannot be used, or training goes astray.
        StoreError
            If the checkpoint is damaged, or of other data, settings or version.
        """
        started = time.perf_counter()
        check_predictor(self)
        extras.require("torch", extra="torch")
        from dynome.inference.dynamic_graphs.supervision import taught
        from dynome.training.noise import seeded
        from dynome.training.weights import weights_dataset

        seed = seeds.resolve(self.random_state)
        nodes = None if self.encoder is None else self.encoder.results_[NODE].to_numpy()
        scans = scans_of(study, self.graph_settings, nodes=nodes)
        wanted = target_of(study, target, [scan.session for scan in scans.scans])
        told, y = self._coded(wanted)
        animals = np.array([scan.animal for scan in scans.scans])
        rng = seeds.generator(seed, "network")
        validating = wanted.known & held_out(animals, wanted.known, self._strata(wanted), self.validation, rng)
        training = wanted.known & ~validating
        part = np.where(training, "training", np.where(validating, "validation", "left out"))
        about = told.merge(scans.node_coords).assign_attrs(
            target=wanted.name, n_left_out=int((~wanted.known).sum()), **scans.regions_told()
        )
        device = devices.resolve(self.device)
        with seeded(rng) as generator:
            network = self._network(about, generator).to(device)
        if self.encoder is not None:
            network.encoder.load_state_dict(self.encoder._restored_encoder(device).state_dict())
        done = taught(self, network, scans, y, training, validating, rng, seed)
        history: dict[Any, Any] = {"history": (ITERATION, done.history, {"units": "1", "long_name": "training loss"})}
        if done.validation.size:
            history["validation"] = (ITERATION, done.validation, {"units": "1", "long_name": "validation loss"})
        root = about.assign(history | {"part": (SESSION, part)}).assign_coords(session_coords(scans))
        root.attrs["best"] = done.best_epoch
        return self._finish(
            xr.DataTree.from_dict({"/": root, f"/{WEIGHTS}": weights_dataset(network.cpu())}),
            started=started,
            converged=done.converged,
            n_iter=done.history.size,
            random_state=seed,
            device=device,
            dtype="float32",
        )

    def _network(self, about: xr.Dataset, generator: torch.Generator) -> ScanPredictor:
        from dynome.inference.dynamic_graphs.encoder import GraphEncoder
        from dynome.inference.dynamic_graphs.predictor import ScanPredictor

        n_nodes = about.sizes[NODE]
        return ScanPredictor(
            GraphEncoder(n_nodes, self.encoder_settings, generator),
            n_nodes,
            self._n_outputs(about),
            readout=self.readout,
            heads=self.heads,
            summary=self.summary,
            dropout=self.dropout,
            frozen=self.freeze,
        )

    def _answers(self, scans: Scans) -> NDArray[np.float64]:
        """Output of the network for each scan, (session, output)."""
        import torch

        from dynome.inference.dynamic_graphs.graph_batches import whole_scans
        from dynome.inference.dynamic_graphs.supervision import outputs

        device = devices.resolve(self.device)
        network = cast("ScanPredictor", self._restored(device))
        gru = self.encoder_settings.timestamp == "gru"
        with torch.no_grad():
            said = outputs(network, whole_scans(scans, device=device, activity=gru))
        return said.double().cpu().numpy()
