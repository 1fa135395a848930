"""A population model in which every node attends to all others: to whom, and with what effect?"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import softplus

from dynome import seeds
from dynome.errors import InputError, Problems
from dynome.inference.wiring.next_bins import log_rate, next_bin_loss, next_bin_windows
from dynome.inference.wiring.samples import Sample
from dynome.labels import StrArray
from dynome.training.loops import Plan, trained

Array = NDArray[np.float64]

MAX_NODES = 300  # every bin of a batch needs memory for the square of the nodes
_DECAY = 0.1  # of all weights but the bias: against attention to noise, in short recordings above all


class PopulationAttention(nn.Module):
    """Foretells a node from its own past and what it attends to in the past of all others.

    Keys and queries are learnt identities of the nodes plus a share of their recent past. A head's values are the
    recent past of the sources times signed gains; each target takes them with a size of its own.

    Parameters
    ----------
    identities : (2, n_heads, n_nodes, n_features)
        First queries and keys.
    n_lags : int
        Bins of the past.
    """

    itself: Tensor

    def __init__(self, identities: Tensor, n_lags: int) -> None:
        super().__init__()
        _, n_heads, n_nodes, n_features = identities.shape
        self.identities = nn.Parameter(identities)
        self.mood = nn.Parameter(torch.zeros(2, n_heads, 1, n_features))
        self.recency = nn.Parameter(-0.3 * torch.arange(n_lags, dtype=torch.float32).repeat(n_heads, 1))
        signs = 1.0 - 2.0 * (torch.arange(n_heads) % 2)
        self.gain = nn.Parameter(0.3 * signs[:, None].repeat(1, n_nodes))
        self.size = nn.Parameter(torch.zeros(n_heads, n_nodes))
        self.own = nn.Parameter(torch.zeros(n_lags, n_nodes))
        self.bias = nn.Parameter(torch.zeros(n_nodes))
        self.register_buffer("itself", torch.eye(n_nodes, dtype=torch.bool), persistent=False)

    def recent(self, past: Tensor) -> Tensor:
        """The recent past as the heads see it, (n_bin, n_head, n_node), from (n_lags, n_bin, n_node)."""
        return torch.einsum("hl,lbn->bhn", torch.softmax(self.recency, 1), past)

    def attention(self, recent: Tensor) -> Tensor:
        """Shares that sum to 1 over sources, (n_bin, n_head, target, source); no node attends to itself."""
        query, key = (self.identities[k] + recent[..., None] * self.mood[k] for k in range(2))
        logits = query @ key.transpose(-1, -2) / math.sqrt(key.shape[-1])
        return torch.softmax(logits.masked_fill(self.itself, -torch.inf), -1)

    def effects(self) -> Tensor:
        """What full attention would do, (n_head, target, source)."""
        return softplus(self.size)[:, :, None] * self.gain[:, None, :]

    def forward(self, past: Tensor) -> Tensor:
        """The next bin, (n_bin, n_node), from the last ones (n_lags, n_bin, n_node), newest first."""
        recent = self.recent(past)
        values = (recent * self.gain)[..., None]
        heard = (self.attention(recent) @ values)[..., 0] * softplus(self.size)
        return torch.einsum("ln,lbn->bn", self.own, past) + self.bias + heard.sum(1)


def attention(
    sample: Sample,
    *,
    n_lags: int = 3,
    n_heads: int = 2,
    n_features: int = 16,
    n_steps: int = 400,
    batch_size: int = 256,
    learning_rate: float = 0.03,
    random_state: int | None = 0,
) -> Array:
    """Attention of a population model that was trained to foretell the next bin, times what it does.

    Parameters
    ----------
    sample : Sample
        Counts get a Poisson law, other values a Gaussian. At most 300 nodes.
    n_lags : int
        Bins of the past that are attended to.
    n_heads : int
        Gains of the first, third, ... head start excitatory, those of the others inhibitory.
    n_features : int
        Size of keys and queries.
    n_steps, batch_size, learning_rate
        Of the training; steps are rounded up to whole passes through the bins.
    random_state : int or None
        Seed of the batches and, with its label, of a node's first keys and queries.

    Returns
    -------
    (source, target)
        Signed: attention averaged over all bins, times the effect of a standard deviation of the source's recent past
        on the target, in units of the target's own noise; summed over heads.

    Raises
    ------
    InputError
        If there are too many nodes, an option cannot be used, or the training runs away.
    """
    names = sample.nodes[sample.kept]
    _check(names.size, n_heads, n_features, n_steps, batch_size, learning_rate)
    past, present = next_bin_windows(sample, n_lags)
    seed = seeds.resolve(random_state)
    network = PopulationAttention(_identities(names, seed, n_heads, n_features), n_lags)
    if sample.counts:
        with torch.no_grad():
            network.bias.copy_(log_rate(present))
    n_batches = math.ceil(len(present) / batch_size)

    def batches(rng: np.random.Generator) -> tuple[Tensor, ...]:
        return torch.from_numpy(rng.permutation(len(present))).tensor_split(n_batches)

    def loss(model: nn.Module, rows: Tensor) -> Tensor:
        return next_bin_loss(model(past[:, rows]), present[rows], sample.counts)

    plan = Plan(math.ceil(n_steps / n_batches), learning_rate, _DECAY)
    trained(network, batches, loss, plan, seeds.generator(seed, "attention"), subject="attention")
    scale = present.mean(0).sqrt() if sample.counts else torch.ones(names.size)
    found: Array = (_mean_effect(network, past, n_batches).T * scale).double().numpy()
    return found


def _check(n_nodes: int, n_heads: int, n_features: int, n_steps: int, batch_size: int, learning_rate: float) -> None:
    problems = Problems("cannot infer connectivity by attention")
    if n_nodes > MAX_NODES:
        problems.add(
            f"it is for at most {MAX_NODES} nodes that vary, found {n_nodes}; select nodes, or use granger or glm"
        )
    least = {
        "n_heads": (n_heads, 1),
        "n_features": (n_features, 1),
        "n_steps": (n_steps, 1),
        "batch_size": (batch_size, 16),
    }
    for name, (value, low) in least.items():
        if value < low:
            problems.add(f"{name} must be at least {low}, got {value!r}")
    if not 0 < learning_rate < math.inf:
        problems.add(f"learning_rate must be positive and finite, got {learning_rate!r}")
    problems.raise_if_any(InputError)


def _identities(names: StrArray, seed: int, n_heads: int, n_features: int) -> Tensor:
    """First queries and keys, drawn for each label, so that the order of the nodes does not matter."""
    shape = (2, n_heads, n_features)
    drawn = [seeds.generator(seed, "attention", name).standard_normal(shape) for name in names.tolist()]
    return torch.from_numpy(np.stack(drawn, axis=2).astype(np.float32))


@torch.no_grad()
def _mean_effect(network: PopulationAttention, past: Tensor, n_batches: int) -> Tensor:
    """(target, source): attention averaged over windows, times its effect for a standard deviation of the source."""
    total = torch.zeros(len(network.size), *network.itself.shape, dtype=torch.float64)
    for part in past.tensor_split(n_batches, 1):
        total += network.attention(network.recent(part)).sum(0)
    spread = network.recent(past).std(0, correction=0)
    return ((total / past.shape[1]).float() * network.effects() * spread[:, None, :]).sum(0)
