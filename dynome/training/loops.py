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
from dynome.training.plans import Plan as Plan
from dynome.training.steps import Steps, epoch_of, told


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
    load: Callable[[Any], Any] | None = None,
    after_step: Callable[[nn.Module, float], None] | None = None,
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
        ``batches(rng)`` gives the mini-batches of one epoch, and depends on `rng` alone.
    loss : callable
        ``loss(network, batch)``, a scalar tensor.
    plan : Plan
    rng : Generator
        Every random number of training comes from it.
    validate : callable or None
        ``validate(network)``, lower is better; called in evaluation mode without gradients.
    load : callable or None
        ``load(batch)`` makes of a batch what `loss` takes, in the background while the network is busy with the one
        before; it takes no random numbers, the batch brings what it needs. None hands the batch over as it is.
    after_step : callable or None
        ``after_step(network, share)`` after each step, with the share of all steps that are done, without gradients.
        What it changes must be weights or buffers of the network, so that checkpoints hold it.
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
    if plan.accumulate < 1:
        raise InputError(f"accumulate must be at least 1, got {plan.accumulate}")
    device = str(next(network.parameters()).device)
    optimizer = torch.optim.AdamW(_groups(network, plan.weight_decay), lr=plan.learning_rate)
    steps = Steps(network, optimizer, batches, load, loss, after_step, plan, rng, device)
    standing = Standing([], [], {})
    if checkpoint is not None and Path(checkpoint).exists():
        standing = read_checkpoint(checkpoint, network, optimizer, rng, fingerprint)

    def keep(reached: Standing) -> None:
        if checkpoint is not None:
            write_checkpoint(checkpoint, network, optimizer, rng, reached, fingerprint)

    with progress.task(subject, total=plan.n_epochs) as advance:
        advance(len(standing.history))
        while len(standing.history) < plan.n_epochs and not _stale(standing.validation, plan.patience):
            try:
                standing = _judged(network, validate, epoch_of(steps, standing, keep, advance))
            except RuntimeError as error:  # torch.OutOfMemoryError is one; on a CPU there is no class of its own
                if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
                    raise
                raise InputError(
                    f"the memory of {device} does not suffice; lower {lower}, or use device='cpu'; nothing was fitted "
                    f"({str(error).splitlines()[0]})"
                ) from error
            done = len(standing.history)
            if done % plan.checkpoint_every == 0 or done == plan.n_epochs:
                keep(standing)
            advance(0, told(standing))
    if standing.best:
        network.load_state_dict(standing.best)
    network.eval()
    best = int(np.argmin(standing.validation)) if standing.validation else len(standing.history) - 1
    return Training(
        np.array(standing.history), np.array(standing.validation), best, _stale(standing.validation, plan.patience)
    )


def _judged(network: nn.Module, validate: Callable[[nn.Module], float] | None, standing: Standing) -> Standing:
    if validate is None:
        return Standing(standing.history, [], {})
    network.eval()
    with torch.no_grad():
        found = float(validate(network))
    if not math.isfinite(found):
        epoch = len(standing.history) - 1
        raise InputError(f"the validation loss became {found} in epoch {epoch}; lower learning_rate")
    better = found < min(standing.validation, default=math.inf)
    best = {name: t.detach().clone() for name, t in network.state_dict().items()} if better else standing.best
    return Standing(standing.history, [*standing.validation, found], best)


def _groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    parameters = [p for p in network.parameters() if p.requires_grad]
    wide, flat = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    return [{"params": some, "weight_decay": rate} for some, rate in ((wide, decay), (flat, 0.0)) if some]


def _stale(validation: list[float], patience: int) -> bool:
    return bool(validation) and len(validation) - 1 - int(np.argmin(validation)) >= patience
