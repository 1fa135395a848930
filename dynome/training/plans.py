"""What is decided before training begins."""

from __future__ import annotations

from typing import NamedTuple

from dynome.training.precision import Precision
from dynome.training.schedules import Schedule


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
    checkpoint_steps : int
        Steps between two checkpoints within an epoch, for epochs that last; 0 writes at the end of epochs only.
    accumulate : int
        Batches whose mean gradient makes a step: the step of one batch so many times as large, where a loss is a mean
        over its batch and batches are of one size, in the memory of a small one. What layers take over a batch
        (batch norm) stays that of the small one.
    precision : {"float32", "bfloat16"}
        Of the products in a training step, see `precision.arithmetic`; validation is in float32.

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
    checkpoint_steps: int = 0
    accumulate: int = 1
    precision: Precision = "float32"
