"""Training of a `ScanPredictor`: what is a batch, what is its loss, and what a checkpoint knows its fit by."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dynome.inference.dynamic_graphs.graph_batches import Batch, Clip, batch_of, clips, whole_scans
from dynome.inference.dynamic_graphs.penalty import orthogonality
from dynome.inference.dynamic_graphs.predictor import ScanPredictor
from dynome.inference.dynamic_graphs.scans import Scans, digests_of
from dynome.inference.networks.fitting import fingerprint
from dynome.training.loops import Plan, Training, trained

if TYPE_CHECKING:
    from dynome.inference.dynamic_graphs.graph_predictor import GraphPredictor

_WARMUP = 0.2  # as in STAGIN's code
_KEEP = 50  # steps between two checkpoints


def taught(
    model: GraphPredictor,
    network: ScanPredictor,
    scans: Scans,
    y: NDArray[Any],
    training: NDArray[np.bool_],
    validating: NDArray[np.bool_],
    rng: np.random.Generator,
    seed: int,
) -> Training:
    """Train a network in place.

    Parameters
    ----------
    model : GraphPredictor
        Its parameters and losses.
    network : ScanPredictor
        On the device where it is to be trained.
    scans : Scans
    y : (session,)
        What the network is to say.
    training, validating : (session,) bool
    rng : Generator
    seed : int
        What `rng` was made from, for the fingerprint.

    Returns
    -------
    Training

    Raises
    ------
    InputError
        If a scan cannot be used, the loss is not finite, or memory does not suffice.
    StoreError
        If the checkpoint is damaged or of something else.
    """
    device = str(next(network.parameters()).device)
    activity = network.encoder.settings.timestamp == "gru"
    train, held = _chosen(scans, training), _chosen(scans, validating)
    of_training = y[training]
    y_train, y_held = torch.from_numpy(of_training).to(device), torch.from_numpy(y[validating]).to(device)

    def loss(net: nn.Module, batch: Batch) -> Tensor:
        net = cast("ScanPredictor", net)
        seen = net.windows(batch)
        value = model._losses(net.answer(seen.vectors).output, y_train[batch.scan], of_training).mean()
        if model.orthogonality:
            value = value + model.orthogonality * torch.stack([orthogonality(h) for h in seen.nodes]).sum()
        return value

    def validate(net: nn.Module) -> float:
        said = outputs(cast("ScanPredictor", net), whole_scans(held, device=device, activity=activity))
        return float(model._losses(said, y_held, of_training).mean())

    def load(clip: Clip) -> Batch:
        return batch_of(train, clip, device=device, activity=activity)

    plan = Plan(
        model.n_epochs,
        model.learning_rate,
        model.weight_decay,
        model.patience,
        warmup=_WARMUP,
        checkpoint_every=1,
        checkpoint_steps=_KEEP,
        accumulate=model.accumulate,
        precision=model.precision,
    )
    return trained(
        network,
        lambda g: clips(train, model.n_windows, model.batch_size, g),
        loss,
        plan,
        rng,
        validate=validate if held.scans else None,
        load=load,
        checkpoint=model.checkpoint,
        fingerprint=_fingerprint(model, network, scans, y, training, validating, seed),
        subject=f"training {type(model).__name__}",
        lower="batch_size or n_windows",
    )


def outputs(network: ScanPredictor, batches: Iterable[Batch]) -> Tensor:
    """What a network says of each scan, however many chunks its windows come in, (B, n_outputs).

    Parameters
    ----------
    network : ScanPredictor
        In evaluation mode.
    batches : iterable of Batch
        As `whole_scans` yields them.
    """
    said = []
    for _, chunks in groupby(batches, key=lambda batch: int(batch.scan[0])):
        parts = [network.windows(chunk).vectors for chunk in chunks]
        said.append(network.answer([torch.cat(layer, 1) for layer in zip(*parts, strict=True)]).output)
    return torch.cat(said)


def _fingerprint(
    model: GraphPredictor,
    network: ScanPredictor,
    scans: Scans,
    y: NDArray[Any],
    training: NDArray[np.bool_],
    validating: NDArray[np.bool_],
    seed: int,
) -> str:
    """Of parameters, first weights and data; reads every scan once, so that what is wrong with any is told at once."""
    told = {k: v for k, v in model.get_params(deep=False).items() if k not in ("checkpoint", "device", "encoder")}
    weights = [value.cpu().numpy() for value in network.state_dict().values()]
    data = [digests_of(_chosen(scans, training | validating)), np.where(training | validating, y, 0)]
    settings = {**told, "seed": seed, "model": type(model).__name__, "settings": scans.settings}
    return fingerprint(settings, *weights, *data, training, validating, scans.nodes)


def _chosen(scans: Scans, kept: NDArray[np.bool_]) -> Scans:
    return scans._replace(scans=tuple(scan for scan, k in zip(scans.scans, kept, strict=True) if k))
