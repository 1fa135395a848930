"""Random numbers of networks, dropout and first weights, that leave torch's global generator alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Sets each value to zero with some probability while training, and scales the others up.

    Parameters
    ----------
    probability : float
        From 0 to below 1.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The input, thinned while training."""
        if not self.training or self.probability == 0 or self.generator is None:
            return x
        keep = 1 - self.probability
        return x * kept(x.shape, keep, self.generator, x.device).mul_(1 / keep)


def kept(shape: torch.Size | tuple[int, ...], keep: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """Ones with probability `keep`, else zeros, float32.

    Parameters
    ----------
    shape : tuple of int
    keep : float
    generator : Generator
    device : device
        Of the result.
    """
    return torch.empty(shape, device=device).bernoulli_(keep, generator=generator)


def seed_noise(network: nn.Module, rng: np.random.Generator, device: str) -> None:
    """Seed the noise of every module that has some, for one step of training.

    Parameters
    ----------
    network : Module
        Modules with an attribute ``generator`` share one stream.
    rng : Generator
        Moves on by one number: what follows depends on nothing but its state.
    device : str
        Where the network is.
    """
    stream = torch.Generator(device=device)
    stream.manual_seed(int(rng.integers(2**63)))
    for module in network.modules():
        if hasattr(module, "generator"):
            module.generator = stream  # type: ignore[assignment]


@contextmanager
def seeded(rng: np.random.Generator) -> Iterator[torch.Generator]:
    """A block in which torch's modules are made from `rng`; torch's global generator is put back after it.

    Parameters
    ----------
    rng : Generator
        Moves on by one number.

    Yields
    ------
    Generator
        On the CPU, for modules that take one.
    """
    seed = int(rng.integers(2**63))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)
