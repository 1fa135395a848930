"""Which of two nodes drives the other, from the distribution of their values alone.

BOLD is slow and its delays differ between regions, so lags mislead. What is left is the shape of the distributions:
the effect is the cause plus something else, so it is closer to Gaussian, and active at other times as well. Each
method lays the strength of a pair on its two directions in the shares that it believes in.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from dynome.errors import InputError
from dynome.inference.wiring.correlations import correlation, partial_correlation
from dynome.inference.wiring.samples import Sample

Array = NDArray[np.float64]

Nonlinearity = Literal["tanh", "skew"]
Strength = Literal["partial_correlation", "correlation"]

_low, _high = 0.1, 0.9  # quantiles that become 0 and 1


def patel(sample: Sample, *, threshold: float | None = None) -> Array:
    r"""Patel's kappa, laid on the two directions by tau.

    Parameters
    ----------
    sample : Sample
        Each node is brought to 0 to 1 between its 10th and 90th percentile.
    threshold : float or None
        None takes these as degrees of activity; otherwise what is above is active.

    Returns
    -------
    (source, target)
        ``|kappa| (1 - tau) / 2``, where tau is above 0 for a source that is active more often than the target.

    Notes
    -----
    In Patel's ascendancy the node that is active more often leads. In BOLD it is the other way round: the effect has
    the cause's activity and other activity besides. This sign is that of public code for BOLD, and the one that is
    right more often on NetSim.

    References
    ----------
    Patel et al., Human Brain Mapping 2006, doi:10.1002/hbm.20182; Smith et al., NeuroImage 2011,
    doi:10.1016/j.neuroimage.2010.08.063.
    """
    low, high = np.quantile(sample.scaled, [_low, _high], axis=0)
    # A node that is silent most of the time has no spread between these percentiles.
    wide = high > low
    low, high = np.where(wide, low, sample.scaled.min(axis=0)), np.where(wide, high, sample.scaled.max(axis=0))
    x = np.clip((sample.scaled - low) / (high - low), 0, 1)
    if threshold is not None:
        x = (x > threshold).astype(np.float64)
    both = x.T @ x / len(x)
    mean = x.mean(axis=0)
    only_i, only_j = mean[:, None] - both, mean[None, :] - both
    return np.abs(_kappa(both, only_i, only_j)) * (1 - _excess(both, only_i, only_j)) / 2


def _kappa(both: Array, only_i: Array, only_j: Array) -> Array:
    """How far joint activity departs from independence, between the most and the least that it could be."""
    expected = (both + only_i) * (both + only_j)
    above = np.minimum(both + only_i, both + only_j) - expected
    below = expected - np.maximum(0.0, 2 * both + only_i + only_j - 1)
    away = both - expected
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(away >= 0, 0.5 + away / (2 * above), 0.5 - away / (2 * below))
        kappa = away / (share * above + (1 - share) * below)
    return np.asarray(np.nan_to_num(kappa, nan=0.0, posinf=0.0, neginf=0.0))


def _excess(both: Array, only_i: Array, only_j: Array) -> Array:
    """Tau: above 0 where i is active more often than j."""
    i, j = both + only_i, both + only_j
    larger = np.maximum(i, j)
    return np.asarray((i - j) / np.where(larger > 0, larger, np.inf))


def likelihood_ratio(
    sample: Sample, *, nonlinearity: Nonlinearity = "tanh", strength: Strength = "partial_correlation"
) -> Array:
    r"""Strength of a pair, laid on its two directions by the pairwise likelihood ratio.

    Parameters
    ----------
    sample : Sample
    nonlinearity : {"tanh", "skew"}
        For heavy-tailed or for skewed activity.
    strength : {"partial_correlation", "correlation"}
        What is laid on the directions, in magnitude.

    Returns
    -------
    (source, target)
        Strength times the probability that the mean of the ratio's terms has this sign, as if bins were independent.

    Notes
    -----
    For standardised x and y with correlation r, and signs such that skewness is positive, x drives y where
    :math:`r\, E(x^2 y - x y^2) > 0` or :math:`r\, E(x \tanh y - y \tanh x) > 0`.

    References
    ----------
    Hyvarinen & Smith, Journal of Machine Learning Research 2013, 14:111-152.
    """
    if nonlinearity not in get_args(Nonlinearity) or strength not in get_args(Strength):
        raise InputError(
            f"likelihood_ratio: nonlinearity must be one of {get_args(Nonlinearity)} and strength one of "
            f"{get_args(Strength)}, got {nonlinearity!r} and {strength!r}"
        )
    x = sample.scaled
    if nonlinearity == "skew":
        x = x * np.where((x**3).mean(axis=0) < 0, -1.0, 1.0)
        a, b = x * x, x
    else:
        a, b = x, np.tanh(x)
    n = len(x)
    plus, squares = a.T @ b, (a * a).T @ (b * b)
    mean = np.sign(x.T @ x) * (plus - plus.T) / n
    variance = (squares + squares.T - 2 * (a * b).T @ (a * b)) / n - mean**2
    ratio = mean / np.sqrt(np.maximum(variance, np.finfo(float).tiny) / n)
    weight = np.abs(partial_correlation(sample) if strength == "partial_correlation" else correlation(sample))
    return np.asarray(weight * ndtr(ratio))
