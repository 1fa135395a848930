"""Training of an objective on scans, with what is held out looked at on the way."""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dynome.inference.dynamic_graphs.graph_batches import Batch, Clip, batch_of, clips
from dynome.inference.dynamic_graphs.scans import Scans
from dynome.inference.pretraining.averaging import frozen_copy
from dynome.inference.pretraining.objective import Objective
from dynome.inference.pretraining.spread import Spread, spread_of
from dynome.inference.pretraining.statistics import take_statistics
from dynome.training.loops import Plan, Training, trained

_LOOKS = 25  # at the held-out scans during training
_HELD = 16  # clips at most that are looked at
_KEEP = 50  # steps between two checkpoints
_STATISTICS = 200  # clips at most from which statistics of whole graphs are taken


class RunSettings(NamedTuple):
    """How an objective is trained.

    Attributes
    ----------
    n_windows, n_steps, batch_size, accumulate : int
    learning_rate, weight_decay : float
    precision : {"float32", "bfloat16"}
    device : str
        Resolved.
    checkpoint : path or None
    fingerprint : str
    """

    n_windows: int
    n_steps: int
    batch_size: int
    accumulate: int
    learning_rate: float
    weight_decay: float
    precision: Any
    device: str
    checkpoint: str | os.PathLike[str] | None
    fingerprint: str


class Outcome(NamedTuple):
    """How training went.

    Attributes
    ----------
    training : Training
    curves : dict of str to (n_iteration,)
        Held-out terms, their total, effective rank and changing share of the embeddings.
    steps : (n_iteration,)
        Steps that were done at each look.
    """

    training: Training
    curves: dict[str, NDArray[np.float32]]
    steps: NDArray[np.int64]


class _Watched(nn.Module):
    """An objective and what was seen of it so far, which a checkpoint then holds."""

    seen: Tensor

    def __init__(self, objective: Objective, n_epochs: int, n_curves: int) -> None:
        super().__init__()
        self.objective = objective
        self.register_buffer("seen", torch.full((n_epochs, n_curves), math.nan))


def pretrained(
    objective: Objective, scans: Scans, held: Scans | None, settings: RunSettings, rng: np.random.Generator
) -> Outcome:
    """Train an objective in place; its last weights are kept, because the loss of a moving target is no measure.

    Parameters
    ----------
    objective : Objective
        On the device of the settings.
    scans : Scans
    held : Scans or None
        Looked at, never learnt from; None looks at some of `scans`.
    settings : RunSettings
    rng : Generator

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If memory does not suffice or the loss is not finite.
    StoreError
        If the checkpoint is damaged or of something else.
    """
    per_epoch = max(1, math.ceil(settings.n_steps / _LOOKS))
    n_epochs = math.ceil(settings.n_steps / per_epoch)
    names = (*objective.names, "total", *Spread._fields)
    watched = _Watched(objective, n_epochs, len(names)).to(settings.device)
    heldout = _held_clips(scans if held is None else held, settings)

    def queue(g: np.random.Generator) -> list[Clip]:
        found: list[Clip] = []
        while len(found) < per_epoch * settings.accumulate:
            found += clips(scans, settings.n_windows, settings.batch_size, g)
        return found[: per_epoch * settings.accumulate]

    def loss(network: Any, batch: Batch) -> Tensor:
        return network.objective.terms(batch, network.objective.generator)["total"]  # type: ignore[no-any-return]

    def after_step(network: Any, share: float) -> None:
        network.objective.after_step(share)
        step = round(share * n_epochs * per_epoch)
        if step % per_epoch == 0:
            batches = (_batch(objective, held or scans, clip, settings.device) for clip in heldout)
            network.seen[step // per_epoch - 1] = torch.tensor(_look(objective, batches, settings.device))

    plan = Plan(
        n_epochs,
        settings.learning_rate,
        settings.weight_decay,
        patience=n_epochs,
        checkpoint_every=1,
        checkpoint_steps=_KEEP,
        accumulate=settings.accumulate,
        precision=settings.precision,
    )
    done = trained(
        watched,
        queue,
        loss,
        plan,
        rng,
        load=lambda clip: _batch(objective, scans, clip, settings.device),
        after_step=after_step,
        checkpoint=settings.checkpoint,
        fingerprint=settings.fingerprint,
        subject="pretraining",
        lower="batch_size, n_windows or hidden",
    )
    curves = dict(zip(names, watched.seen.cpu().numpy().T.copy(), strict=True))
    return Outcome(done, curves, per_epoch * np.arange(1, n_epochs + 1))


def settle(objective: Objective, scans: Scans, settings: RunSettings) -> None:
    """Give the encoder the statistics of whole graphs, in place.

    Parameters
    ----------
    objective : Objective
    scans : Scans
        The training scans.
    settings : RunSettings
    """
    chosen = clips(scans, settings.n_windows, settings.batch_size, np.random.default_rng(0))
    take_statistics(
        objective.encoder, (_batch(objective, scans, clip, settings.device) for clip in chosen[:_STATISTICS])
    )


def held_loss(objective: Objective, scans: Scans, settings: RunSettings) -> dict[str, float]:
    """Mean losses of scans under masks that are always the same.

    Parameters
    ----------
    objective : Objective
    scans : Scans
    settings : RunSettings
    """
    batches = (_batch(objective, scans, clip, settings.device) for clip in _held_clips(scans, settings))
    with torch.no_grad():
        values = _look(objective, batches, settings.device)
    return dict(zip((*objective.names, "total"), values, strict=False))


def _look(objective: Objective, batches: Any, device: str) -> list[float]:
    """Mean terms of some batches, then the spread of the embeddings of the last one."""
    stream = torch.Generator(device=device)
    stream.manual_seed(0)
    mode = objective.training
    objective.eval()
    probe = frozen_copy(objective.encoder).train()  # statistics of whole graphs, which it does not keep
    total, n, spread = torch.zeros(len(objective.names) + 1, dtype=torch.float64), 0, Spread(0.0, 0.0)
    for batch in batches:
        terms = objective.terms(batch, stream)
        size = len(batch.scan)
        total += size * torch.stack([terms[name].cpu() for name in (*objective.names, "total")]).double()
        n += size
        spread = spread_of(probe(batch)[-1].flatten(0, 1))
    objective.train(mode)
    return [*(total / n).tolist(), *spread]


def _held_clips(scans: Scans, settings: RunSettings) -> list[Clip]:
    return clips(scans, settings.n_windows, settings.batch_size, np.random.default_rng(0))[:_HELD]


def _batch(objective: Objective, scans: Scans, clip: Clip, device: str) -> Batch:
    activity = objective.encoder.settings.timestamp == "gru"
    return batch_of(scans, clip, device=device, correlation=objective.reads_correlation, activity=activity)
