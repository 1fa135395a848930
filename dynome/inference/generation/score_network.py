"""The network of `ConnectivityVAE`: scores of people and their conditions to a few latent numbers, and back.

Straight lines run beside the small networks on both sides, so that training begins at a linear model, the best one that
there is when people are Gaussian, and bends it only where left-out people gain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from dynome.training.loops import Plan, Training, trained

_LEFT_OUT_DRAWS = 8  # of the latent numbers, for the loss of left-out people
_SMALLEST = math.log(0.05)  # of the standard deviation of the noise


class ScoreNetwork(nn.Module):
    """A conditional variational autoencoder of standardized scores with learnt noise.

    Parameters
    ----------
    n_component, n_column, n_latent, hidden : int
        Scores, columns of the conditions, latent numbers, width of the networks.
    """

    def __init__(self, n_component: int, n_column: int, n_latent: int, hidden: int) -> None:
        super().__init__()
        self.encode_line = nn.Linear(n_component, n_latent)
        self.encode_bend = _network(n_component + n_column, hidden, 2 * n_latent)
        self.decode_line = nn.Linear(n_latent, n_component, bias=False)
        self.decode_bend = _network(n_latent + n_column, hidden, n_component)
        self.log_noise = nn.Parameter(torch.zeros(n_component))
        self.generator: torch.Generator | None = None

    def start(self, shares: Tensor) -> None:
        r"""Begin at the linear model that codes the first scores, in place.

        Whitened scores give a linear autoencoder nothing to gain, and it would stay where it codes nothing; from
        a model that codes them it can find how they depend on each other.

        Parameters
        ----------
        shares : (n_component,)
            Of the variance of each score that is no noise, below 1.
        """
        k = min(self.encode_line.out_features, shares.numel())
        signal, noise = shares.sqrt(), 0.5 * (1 - shares).log()
        with torch.no_grad():
            for line in (self.encode_line, self.decode_line):
                line.weight.mul_(0.1)
                line.weight[range(k), range(k)] = signal[:k]
            self.encode_line.bias.zero_()
            first = self.encode_line.out_features
            cast("nn.Linear", self.encode_bend[-1]).bias[first : first + k] = noise[:k]
            self.log_noise[:k] = noise[:k]

    def encode(self, scores: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the standard deviation of the latent numbers, (..., n_latent) each."""
        bend: Tensor = self.encode_bend(torch.cat([scores, columns], dim=-1))
        mean, log_sd = bend.chunk(2, dim=-1)
        return mean + self.encode_line(scores), log_sd.clamp(-6, 3)

    def decode(self, latent: Tensor, columns: Tensor) -> Tensor:
        """Expected scores, (..., n_component)."""
        bend: Tensor = self.decode_bend(torch.cat([latent, columns], dim=-1))
        line: Tensor = self.decode_line(latent)
        return bend + line

    def loss(self, scores: Tensor, columns: Tensor, generator: torch.Generator | None, draws: int = 1) -> Tensor:
        r"""Negative evidence bound, a mean over people, in nats.

        Parameters
        ----------
        scores : (n, n_component)
        columns : (n, n_column)
        generator : Generator or None
            Of the latent draws.
        draws : int
            Latent numbers drawn for each person.

        Notes
        -----
        :math:`-E_{q(z|s,c)} \log p(s|z,c) + KL(q(z|s,c) \| N(0, I))` with learnt noise of each score; with a fixed one
        the spread of what is generated would be a matter of its choice.
        """
        mean, log_sd = self.encode(scores, columns)
        noise = torch.empty((draws, *mean.shape), device=mean.device).normal_(generator=generator)
        latent = mean + noise * log_sd.exp()
        log_noise = self.log_noise.clamp(min=_SMALLEST)
        error = (scores - self.decode(latent, columns.expand(draws, *columns.shape))) * (-log_noise).exp()
        fit = (0.5 * error**2 + log_noise + 0.5 * math.log(2 * math.pi)).sum(-1).mean(0)
        divergence = (0.5 * (mean**2 + (2 * log_sd).exp() - 1) - log_sd).sum(-1)
        return (fit + divergence).mean()


def trained_scores(
    network: ScoreNetwork,
    scores: Tensor,
    columns: Tensor,
    held: np.ndarray[Any, np.dtype[np.bool_]],
    plan: Plan,
    batch_size: int,
    rng: np.random.Generator,
) -> Training:
    """Train in place; people who are held out say when to stop.

    Parameters
    ----------
    network : ScoreNetwork
    scores : (n, n_component)
    columns : (n, n_column)
    held : (n,)
        People who are not learnt from.
    plan : Plan
    batch_size : int
    rng : Generator
    """
    learnt = np.flatnonzero(~held)
    checked = torch.from_numpy(np.flatnonzero(held)).to(scores.device)

    def batches(order: np.random.Generator) -> Sequence[Tensor]:
        queue = order.permutation(learnt)
        parts = np.array_split(queue, math.ceil(queue.size / batch_size))
        return [torch.from_numpy(part).to(scores.device) for part in parts]

    def loss(_: nn.Module, batch: Tensor) -> Tensor:
        return network.loss(scores[batch], columns[batch], network.generator)

    def validate(_: nn.Module) -> float:
        same = torch.Generator(device=scores.device).manual_seed(0)
        return float(network.loss(scores[checked], columns[checked], same, _LEFT_OUT_DRAWS))

    validation = validate if held.any() else None
    return trained(network, batches, loss, plan, rng, validate=validation, subject="training ConnectivityVAE")


def _network(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    last = nn.Linear(hidden, n_out)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(n_in, hidden), nn.Tanh(), last)
