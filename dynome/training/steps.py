"""One epoch of training: batches made ready ahead, one step for some of them, a look at every loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from dynome.errors import InputError
from dynome.training.ahead import loaded
from dynome.training.checkpoints import Standing
from dynome.training.noise import seed_noise
from dynome.training.plans import Plan
from dynome.training.precision import arithmetic
from dynome.training.schedules import rate_factor


class Steps(NamedTuple):
    """All that steps need; see `loops.trained`."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Callable[[np.random.Generator], Sequence[Any]]
    load: Callable[[Any], Any] | None
    loss: Callable[[nn.Module, Any], Tensor]
    after_step: Callable[[nn.Module, float], None] | None
    plan: Plan
    rng: np.random.Generator
    device: str


class _Advance(Protocol):
    def __call__(self, steps: float, note: str = "") -> None:
        """Move the bar of progress on."""


def epoch_of(steps: Steps, standing: Standing, keep: Callable[[Standing], None], advance: _Advance) -> Standing:
    """One epoch, or what is left of it; the network and the optimiser are moved on in place.

    Parameters
    ----------
    steps : Steps
    standing : Standing
        Before; within an epoch where it was interrupted there.
    keep : callable
        ``keep(standing)`` writes a checkpoint within the epoch.
    advance : callable
        Of `progress.task`, in epochs.

    Returns
    -------
    Standing
        After, without the validation of this epoch.

    Raises
    ------
    InputError
        If the loss or its gradient is not finite, or the device lacks the precision.
    """
    plan = steps.plan
    began, queue = _queue(steps, standing)
    n_steps = math.ceil(len(queue) / plan.accumulate)
    steps.network.train()
    total = torch.full((), standing.total, device=steps.device)
    advance(standing.step / n_steps)
    with _ready(queue[standing.step * plan.accumulate :], steps.load) as batches:
        for k in range(standing.step, n_steps):
            _set_rate(steps, standing, k / n_steps)
            total += _step(
                steps, batches, min(plan.accumulate, len(queue) - k * plan.accumulate), len(standing.history)
            )
            done = k + 1
            if steps.after_step is not None:
                with torch.no_grad():
                    steps.after_step(steps.network, (len(standing.history) + done / n_steps) / plan.n_epochs)
            if plan.checkpoint_steps and done % plan.checkpoint_steps == 0 and done < n_steps:
                keep(standing._replace(step=done, total=float(total), began=began))
            advance(1 / n_steps, f"loss {float(total) / min(done * plan.accumulate, len(queue)):.4g}")
    history = [*standing.history, float(total) / len(queue)]
    return Standing(history, standing.validation, standing.best)


def told(standing: Standing) -> str:
    """How an epoch went, in a few words for the bar of progress."""
    held = f", validation {standing.validation[-1]:.4g}" if standing.validation else ""
    return f"loss {standing.history[-1]:.4g}{held}"


def _queue(steps: Steps, standing: Standing) -> tuple[dict[str, Any], Sequence[Any]]:
    """State of the generator when the epoch began, and the batches that it gave then."""
    generator = steps.rng.bit_generator
    if not standing.step:
        began = dict(generator.state)
        return began, steps.batches(steps.rng)
    now, began = generator.state, standing.began or {}
    generator.state = began
    queue = steps.batches(steps.rng)
    generator.state = now
    return began, queue


@contextmanager
def _ready(queue: Sequence[Any], load: Callable[[Any], Any] | None) -> Iterator[Iterator[Any]]:
    if load is None:
        yield iter(queue)
        return
    with loaded(queue, load) as batches:
        yield batches


def _set_rate(steps: Steps, standing: Standing, share: float) -> None:
    plan, epoch = steps.plan, len(standing.history)
    done, patience = (epoch + share) / plan.n_epochs, max(1, plan.patience // 3)
    factor = rate_factor(plan.schedule, done, plan.warmup, standing.validation, patience)
    for group in steps.optimizer.param_groups:
        group["lr"] = plan.learning_rate * factor


def _step(steps: Steps, batches: Iterator[Any], n_batches: int, epoch: int) -> Tensor:
    """A step along the mean gradient of the next batches; the sum of their losses."""
    network, plan, device = steps.network, steps.plan, steps.device
    seed_noise(network, steps.rng, device)
    steps.optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), device=device)
    for _ in range(n_batches):
        batch = next(batches)
        with arithmetic(plan.precision, device):
            value = steps.loss(network, batch)
        del batch
        (value / n_batches).backward()  # type: ignore[no-untyped-call]
        total += value.detach()
    norm = nn.utils.clip_grad_norm_(network.parameters(), plan.clip)
    _refuse_infinite(total / n_batches, norm, epoch, plan.learning_rate)
    steps.optimizer.step()
    return total


def _refuse_infinite(value: Tensor, norm: Tensor, epoch: int, rate: float) -> None:
    if not (math.isfinite(float(value)) and math.isfinite(float(norm))):
        raise InputError(
            f"the loss became {float(value):g} (its gradient {float(norm):g}) in epoch {epoch}; lower learning_rate, "
            f"now {rate:g}, and look for extreme values in the data; nothing was fitted"
        )
