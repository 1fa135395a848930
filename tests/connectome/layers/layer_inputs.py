"""Random graphs and features for the tests of graph layers, and gradients of a layer."""

import numpy as np
import torch

from dynome.connectome import MessageGraph, message_graph

N, S = 17, 5


def edges(seed: int = 0, n_edges: int = 60, *, n: int = N, isolated: bool = True) -> tuple:
    """Distinct edges with counts as weights; the last two nodes take part in none."""
    rng = np.random.default_rng(seed)
    m = n - 2 if isolated else n
    source, target = np.divmod(rng.choice(m * m, n_edges, replace=False), m)
    return source, target, rng.integers(1, 9, n_edges).astype(float)


def graph(seed: int = 0, n_edges: int = 60, **about) -> MessageGraph:
    return message_graph(edges(seed, n_edges), nodes=N, **about)


def features(width: int, seed: int = 0, *, n: int = N, s: int = S, dtype=torch.float32) -> torch.Tensor:
    values = np.random.default_rng(seed).standard_normal((n, s, width))
    return torch.tensor(values, dtype=dtype, requires_grad=True)


def gradients(out: torch.Tensor, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Of a loss that no symmetry makes zero."""
    weight = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view_as(out)
    return torch.autograd.grad((weight * out + out**2).sum(), inputs)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
