"""The loop of training: epochs of mini-batches, a look at validation after each, the best weights at the end.

It knows networks, batches and losses, and nothing of what they are about. Everything random comes from one numpy
generator, and the state of training is a function of the epochs done: a checkpoint therefore continues bit by bit.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dynome import progress
from dynome.errors import InputError
from dynome.training.checkpoints import Standing, read_checkpoint, write_checkpoint
from dynome.training.noise import seed_noise
from dynome.training.schedules import Schedule, rate_factor


class Plan(NamedTuple):
    """How long and how fast.

    Attributes
    ----------
    n_epochs : int
        Largest number of passes through the batches.
    learning_rate, weight_decay : float
        Of AdamW [1]_; only tensors with two or more axes decay.
    patience : int
        Epochs without a better validation loss after which training stops.
    schedule : {"cosine", "plateau", "constant"}
        Of the learning rate, after a warm-up over the share `warmup` of all epochs.
    clip : float
        Largest norm of the gradient.
    checkpoint_every : int
        Epochs between two checkpoints.

    References
    ----------
    .. [1] Loshchilov & Hutter (2019), arXiv:1711.05101.
    """

    n_epochs: int
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    patience: int = 10
    schedule: Schedule = "cosine"
    warmup: float = 0.05
    clip: float = 1.0
    checkpoint_every: int = 5


class Training(NamedTuple):
    """How training went.

    Attributes
    ----------
    history : (n_epoch,)
        Mean loss of the batches of each epoch, dropout included.
    validation : (n_epoch,)
        Validation loss after each epoch; empty without validation.
    best_epoch : int
        Whose weights the network has, from 0; the last one without validation.
    converged : bool
        Whether training ended because validation no longer improved.
    """

    history: np.ndarray[Any, np.dtype[np.float64]]
    validation: np.ndarray[Any, np.dtype[np.float64]]
    best_epoch: int
    converged: bool


def trained(
    network: nn.Module,
    batches: Callable[[np.random.Generator], Sequence[Any]],
    loss: Callable[[nn.Module, Any], Tensor],
    plan: Plan,
    rng: np.random.Generator,
    *,
    validate: Callable[[nn.Module], float] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    fingerprint: str = "",
    subject: str = "training",
    lower: str = "batch_size",
) -> Training:
    """Train a network in place; it ends with its best weights, in evaluation mode.

    Parameters
    ----------
    network : Module
        On the device where it is to be trained.
    batches : callable
        ``batches(rng)`` gives the mini-batches of one epoch.
    loss : callable
        ``loss(network, batch)``, a scalar tensor.
    plan : Plan
    rng : Generator
        Every random number of training comes from it.
    validate : callable or None
        ``validate(network)``, lower is better; called in evaluation mode without gradients.
    checkpoint : path or None
        File to continue from, where it exists, and to write to.
    fingerprint : str
        Of data and settings; a checkpoint of others is refused.
    subject : str
        What is trained, for the bar of progress.
    lower : str
        Arguments that need less memory when they are lowered, for the message.

    Returns
    -------
    Training

    Raises
    ------
    InputError
        If the loss is not finite, or the memory of the device does not suffice. The network is then of no use.
    StoreError
        If the checkpoint is damaged or of something else.

    Examples
    --------
    >>> x = torch.linspace(-1, 1, 20)[:, None]
    >>> line = nn.Linear(1, 1)
    >>> squares = lambda f, b: ((f(x[b]) - 2 * x[b]) ** 2).mean()
    >>> rng = np.random.default_rng(0)
    >>> done = trained(line, lambda g: np.split(g.permutation(20), 4), squares, Plan(200, 0.05, 0.0), rng)
    >>> round(line.weight.item(), 2)
    2.0
    """
    device = str(next(network.parameters()).device)
    optimizer = torch.optim.AdamW(_groups(network, plan.weight_decay), lr=plan.learning_rate)
    standing = Standing([], [], {})
    if checkpoint is not None and Path(checkpoint).exists():
        standing = read_checkpoint(checkpoint, network, optimizer, rng, fingerprint)
    with progress.task(subject, total=plan.n_epochs) as advance:
        advance(len(standing.history))
        while len(standing.history) < plan.n_epochs and not _stale(standing.validation, plan.patience):
            try:
                standing = _epoch(network, optimizer, batches, loss, plan, rng, validate, standing, device)
            except RuntimeError as error:  # torch.OutOfMemoryError is one; on a CPU there is no class of its own
                if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
                    raise
                raise InputError(
                    f"the memory of {device} does not suffice; lower {lower}, or use device='cpu'; nothing was fitted "
                    f"({str(error).splitlines()[0]})"
                ) from error
            done = len(standing.history)
            if checkpoint is not None and (done % plan.checkpoint_every == 0 or done == plan.n_epochs):
                write_checkpoint(checkpoint, network, optimizer, rng, standing, fingerprint)
            advance(1, _told(standing))
    if standing.best:
        network.load_state_dict(standing.best)
    network.eval()
    best = int(np.argmin(standing.validation)) if standing.validation else len(standing.history) - 1
    return Training(
        np.array(standing.history), np.array(standing.validation), best, _stale(standing.validation, plan.patience)
    )


def _epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Callable[[np.random.Generator], Sequence[Any]],
    loss: Callable[[nn.Module, Any], Tensor],
    plan: Plan,
    rng: np.random.Generator,
    validate: Callable[[nn.Module], float] | None,
    standing: Standing,
    device: str,
) -> Standing:
    epoch, queue = len(standing.history), batches(rng)
    network.train()
    total = torch.zeros((), device=device)
    for k, batch in enumerate(queue):
        share = (epoch + k / len(queue)) / plan.n_epochs
        factor = rate_factor(plan.schedule, share, plan.warmup, standing.validation, max(1, plan.patience // 3))
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * factor
        seed_noise(network, rng, device)
        optimizer.zero_grad(set_to_none=True)
        value = loss(network, batch)
        value.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(network.parameters(), plan.clip)
        _refuse_infinite(value.detach(), norm, epoch, plan.learning_rate)
        optimizer.step()
        total += value.detach()
    history = [*standing.history, float(total) / len(queue)]
    if validate is None:
        return Standing(history, [], {})
    network.eval()
    with torch.no_grad():
        found = float(validate(network))
    if not math.isfinite(found):
        raise InputError(f"the validation loss became {found} in epoch {epoch}; lower learning_rate")
    better = found < min(standing.validation, default=math.inf)
    best = {name: t.detach().clone() for name, t in network.state_dict().items()} if better else standing.best
    return Standing(history, [*standing.validation, found], best)


def _refuse_infinite(value: Tensor, norm: Tensor, epoch: int, rate: float) -> None:
    if not (math.isfinite(float(value)) and math.isfinite(float(norm))):
        raise InputError(
            f"the loss became {float(value):g} (its gradient {float(norm):g}) in epoch {epoch}; lower learning_rate, "
            f"now {rate:g}, and look for extreme values in the data; nothing was fitted"
        )


def _groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    parameters = [p for p in network.parameters() if p.requires_grad]
    wide, flat = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    return [{"params": some, "weight_decay": rate} for some, rate in ((wide, decay), (flat, 0.0)) if some]


def _stale(validation: list[float], patience: int) -> bool:
    return bool(validation) and len(validation) - 1 - int(np.argmin(validation)) >= patience


def _told(standing: Standing) -> str:
    held = f", validation {standing.validation[-1]:.4g}" if standing.validation else ""
    return f"loss {standing.history[-1]:.4g}{held}"
