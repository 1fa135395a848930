"""Linear maps whose first values come from a generator, never from torch's global one."""

from __future__ import annotations

import torch
from torch import nn


def linear(n_in: int, n_out: int, generator: torch.Generator | None = None, *, bias: bool = True) -> nn.Linear:
    """A linear map with Glorot's uniform weights and biases of zero.

    Parameters
    ----------
    n_in, n_out : int
    generator : torch Generator or None
        None takes a fresh one, seeded by the operating system.
    bias : bool
    """
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, n_in, n_out, bias=bias)  # type: ignore[no-untyped-call]
    nn.init.xavier_uniform_(layer.weight, generator=generator or fresh_generator())
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def fresh_generator() -> torch.Generator:
    """A generator that the operating system has seeded."""
    generator = torch.Generator()
    generator.seed()
    return generator
