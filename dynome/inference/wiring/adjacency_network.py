"""A small graph network whose adjacency is learnt: which messages help to foretell the next bin?"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import softplus

from dynome import seeds
from dynome.errors import InputError
from dynome.inference.wiring.next_bins import log_rate, next_bin_loss, next_bin_windows
from dynome.inference.wiring.samples import Sample

Array = NDArray[np.float64]


class LearntGraph(nn.Module):
    """Foretells a node from its own past and a weighted sum of the messages of all others.

    The message of a node is the same increasing function of its recent past for all nodes and is standardised over the
    batch, so that the adjacency has the sign and the scale of the effects.

    Parameters
    ----------
    n_nodes, n_lags, hidden : int
        Sizes; `hidden` units shape the message.
    generator : torch.Generator
        Of the first parameters.
    """

    def __init__(self, n_nodes: int, n_lags: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.adjacency = nn.Parameter(torch.zeros(n_nodes, n_nodes))
        self.recency = nn.Parameter(-0.3 * torch.arange(n_lags, dtype=torch.float32))
        self.slope = nn.Parameter(torch.randn(hidden, generator=generator) * 0.3)
        self.centre = nn.Parameter(torch.randn(hidden, generator=generator))
        self.height = nn.Parameter(torch.zeros(hidden) - 1.0)
        self.own = nn.Parameter(torch.zeros(n_lags, n_nodes))
        self.bias = nn.Parameter(torch.zeros(n_nodes))

    def forward(self, past: Tensor) -> Tensor:
        """The next bin, (n_bin, n_node), from the last ones (n_lags, n_bin, n_node), newest first."""
        share, slope, height = torch.softmax(self.recency, 0), softplus(self.slope), softplus(self.height)
        recent = share[0] * past[0]
        own = self.own[0] * past[0] + self.bias
        for lag in range(1, len(past)):
            recent = recent + share[lag] * past[lag]
            own = own + self.own[lag] * past[lag]
        message = recent
        for unit in range(len(height)):
            message = message + height[unit] * torch.tanh(slope[unit] * recent + self.centre[unit])
        still = message.detach()  # a gradient through mean and spread costs more than it tells
        message = (message - still.mean(0)) / (still.std(0) + 1e-6)
        return torch.addmm(own, message, self.adjacency)


def learnt_graph(
    sample: Sample,
    *,
    n_lags: int = 3,
    sparsity: float = 1.0,
    hidden: int = 2,
    n_steps: int = 200,
    batch_size: int = 2048,
    learning_rate: float = 0.02,
    random_state: int | None = 0,
) -> Array:
    """The adjacency of a graph network that was trained to foretell the next bin.

    Parameters
    ----------
    sample : Sample
        Counts get a Poisson law, other values a Gaussian.
    n_lags : int
        Bins of the past that a message sees.
    sparsity : float
        Weight of the sum of magnitudes of the adjacency, in standard errors of an edge that is not there.
    hidden : int
        Units that shape the message.
    n_steps, batch_size, learning_rate
        Of the training, by Adam with a falling rate.
    random_state : int or None
        Seed of the first parameters and the batches.

    Returns
    -------
    (source, target)
        Signed: the effect of a standard deviation of the message, in units of the target's own noise.
    """
    _check(n_lags, sparsity, hidden, n_steps, batch_size, learning_rate)
    past, present = next_bin_windows(sample, n_lags)
    n_bin, n_node = present.shape
    scale = present.mean(0).sqrt() if sample.counts else torch.ones(n_node)
    seed = seeds.resolve(random_state)
    rng = torch.Generator().manual_seed(int(seeds.generator(seed, "learnt_graph").integers(2**31)))
    network = LearntGraph(n_node, n_lags, hidden, rng)
    if sample.counts:
        with torch.no_grad():
            network.bias.copy_(log_rate(present))
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    threshold = sparsity * scale / math.sqrt(n_bin)
    for step in range(n_steps):
        rate = learning_rate * 0.5 * (1 + math.cos(math.pi * step / n_steps))
        optimizer.param_groups[0]["lr"] = rate
        rows = slice(None) if n_bin <= batch_size else torch.randperm(n_bin, generator=rng)[:batch_size]
        loss = next_bin_loss(network(past[:, rows]), present[rows], sample.counts)
        optimizer.zero_grad()
        (loss + (network.adjacency.abs() * threshold).sum()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            network.adjacency.fill_diagonal_(0.0)
    found: Array = (network.adjacency.detach() * scale).double().numpy()
    if not np.isfinite(found).all():
        raise InputError("the training of learnt_graph ran away; take a smaller learning_rate")
    return found


def _check(n_lags: int, sparsity: float, hidden: int, n_steps: int, batch_size: int, learning_rate: float) -> None:
    counts = {"n_lags": n_lags, "hidden": hidden, "n_steps": n_steps}
    if wrong := [f"{name}={value!r}" for name, value in counts.items() if value < 1]:
        raise InputError(f"learnt_graph: these must be at least 1: {', '.join(wrong)}")
    if batch_size < 16 or not 0 <= sparsity < np.inf or not 0 < learning_rate < np.inf:
        raise InputError(
            "learnt_graph: batch_size must be at least 16, sparsity finite and not negative, learning_rate positive, "
            f"got {batch_size}, {sparsity:g}, {learning_rate:g}"
        )
