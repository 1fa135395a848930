"""The next bin from the last ones: what the networks that infer connectivity are trained on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dynome.inference.wiring.samples import Sample, stretches

_highest = 4.0  # log rate beyond which the Poisson mean goes on straight, so that no step overflows


def next_bin_windows(sample: Sample, n_lags: int) -> tuple[Tensor, Tensor]:
    """What is known of each bin, and what is to be foretold; no window crosses the beginning of a stretch.

    Parameters
    ----------
    sample : Sample
    n_lags : int
        Bins of the past.

    Returns
    -------
    past : (n_lags, n_bin, n_node)
        Standardised, newest first.
    present : (n_bin, n_node)
        Counts as they are, other values standardised.
    """
    past, present = [], []
    for bins in stretches(sample):
        x, y = sample.scaled[bins], (sample.values if sample.counts else sample.scaled)[bins]
        view = np.lib.stride_tricks.sliding_window_view(x[:-1], n_lags, axis=0)
        past.append(view[..., ::-1].transpose(2, 0, 1))
        present.append(y[n_lags:])
    joined = (np.concatenate(past, axis=1), np.concatenate(present))
    return torch.from_numpy(joined[0].astype(np.float32)), torch.from_numpy(joined[1].astype(np.float32))


def next_bin_loss(eta: Tensor, present: Tensor, counts: bool) -> Tensor:
    """Negative log likelihood a bin, summed over nodes: Poisson with log link for counts, else Gaussian.

    Parameters
    ----------
    eta, present : (n_bin, n_node)
        Predictor and truth.
    counts : bool
    """
    if not counts:
        return 0.5 * (present - eta).square().sum(1).mean()
    low = eta.clamp(max=_highest)
    mean = low.exp() * (1 + (eta - low))
    return (mean - present * eta).sum(1).mean()


def log_rate(present: Tensor) -> Tensor:
    """Logarithm of the mean count of each node, (n_node,); a node that is silent here gets half a spike in all.

    Parameters
    ----------
    present : (n_bin, n_node)
        Counts.
    """
    return present.mean(0).clamp(min=0.5 / len(present)).log()
