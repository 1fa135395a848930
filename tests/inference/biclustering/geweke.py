"""Geweke's test of joint distributions, for a kernel that must leave p(data, state) as it is.

Chains start at independent draws of the joint distribution. Each alternates the kernel (given the data) with new data
(given the state), so that after any number of steps it is still a draw of the joint distribution if the kernel is
exact: successive-conditional against marginal-conditional draws, paired. Every statistic is ranked among all chains and
steps, so that heavy tails do no harm, and the mean and the spread of the ranks may not move. Chains are independent,
so the differences have a plain t-test, and the smallest p-value is corrected for the number of statistics.

Geweke (2004), doi:10.1198/016214504000001132.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from joint import Setting, observed_data, prior_state, statistics_of
from scipy.stats import norm, rankdata

from dynome.inference.biclustering.model import Data, State

Kernel = Callable[[State, Data, np.random.Generator], State]


class Verdict(NamedTuple):
    """What moved, the worst first."""

    p_value: float  # the smallest, times the number of comparisons
    name: tuple[str, ...]
    score: np.ndarray  # mean over chains of the change, in standard errors

    def __str__(self) -> str:
        worst = ", ".join(f"{n} {z:+.1f}" for n, z in zip(self.name[:6], self.score[:6], strict=True))
        return f"p = {self.p_value:.2g}; {worst}"


def verdict(
    kernel: Kernel,
    setting: Setting,
    *,
    n_chains: int = 200,
    n_steps: int = 5,
    renew: bool = True,
    seed: int = 0,
) -> Verdict:
    """Whether a kernel keeps the joint distribution of a setting.

    `renew`: draw new data after each step; else the data stay and the chains walk their posterior.
    """
    runs = []
    for rng in np.random.default_rng(seed).spawn(n_chains):
        state = prior_state(setting, rng)
        data = observed_data(state, setting, rng)
        runs.append([statistics_of(state, data, setting)])
        for _ in range(n_steps):
            state = kernel(state, data, rng)
            if renew:
                data = observed_data(state, setting, rng)
            runs[-1].append(statistics_of(state, data, setting))
    return compared(runs)


def compared(runs: list[list[dict[str, float]]]) -> Verdict:
    """From the statistics of each chain at each step, the first step against the rest."""
    names = list(runs[0][0])
    values = np.array([[list(step.values()) for step in chain] for chain in runs], dtype=float)
    if not np.isfinite(values).all():
        raise ValueError(
            f"not finite: {[n for n, bad in zip(names, ~np.isfinite(values).all((0, 1)), strict=True) if bad]}"
        )
    ranks = rankdata(values.reshape(-1, len(names)), axis=0).reshape(values.shape) / values[..., 0].size - 0.5
    both = np.concatenate([ranks, np.abs(ranks)], axis=-1)
    change = both[:, 1:].mean(1) - both[:, 0]
    error = change.std(0, ddof=1) / np.sqrt(len(runs))
    score = np.divide(change.mean(0), error, out=np.zeros_like(error), where=error > 1e-12)
    order = np.argsort(-np.abs(score))
    named = [*names, *(f"spread of {n}" for n in names)]
    p_value = min(1.0, 2 * norm.sf(np.abs(score).max()) * (error > 1e-12).sum())
    return Verdict(float(p_value), tuple(named[i] for i in order), score[order])
