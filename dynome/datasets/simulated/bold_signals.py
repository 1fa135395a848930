"""Signals of networks whose links come and go, as arrays: states, links, haemodynamics.

Networks come in circuits of four, A to D, in this order. B and D listen; A and C are listened to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CIRCUIT = 4  # networks of a circuit
MEAN_LINK = 0.34  # correlation of a listener with what it hears, on average over time
_regular = 4.0  # concentration of the dwell times: 1 is a random telegraph, infinity a clock


def balanced_states(n_time: int, dwell: float, rng: np.random.Generator) -> Integers:
    """Two states that take turns, each for half of the time.

    Parameters
    ----------
    n_time : int
        Samples.
    dwell : float
        Mean length of a visit in samples; a recording has at least one visit to each state.
    rng : Generator
        Source of randomness.

    Returns
    -------
    (n_time,)
        0 or 1. As a circle the sequence is stationary, and both states have the same law.
    """
    visits = max(1, round(n_time / (2 * dwell)))
    lengths = np.stack([_parts(n_time // 2 + extra, visits, rng) for extra in (0, n_time % 2)], axis=1)
    states = np.repeat(np.tile([0, 1], visits), lengths.ravel())
    rolled: Integers = np.roll(states, rng.integers(n_time))
    return rolled if rng.random() < 0.5 else 1 - rolled


def _parts(total: int, n_parts: int, rng: np.random.Generator) -> Integers:
    """Random lengths that sum to `total`, each at least one if there is room."""
    n_parts = min(n_parts, total)
    ends = np.round(np.cumsum(rng.dirichlet(np.full(n_parts, _regular))) * (total - n_parts)).astype(np.int64)
    ends[-1] = total - n_parts
    lengths: Integers = np.diff(ends, prepend=0) + 1
    return lengths


def link_strengths(state: Integers, contrast: float, *, together: bool) -> Floats:
    """How strongly the listeners of one circuit hear the others.

    Parameters
    ----------
    state : (time,)
        0 or 1.
    contrast : float
        0 (links are steady) to 1 (links are on or off).
    together : bool
        Whether a listener hears both others at the same time, or one after the other.

    Returns
    -------
    (4, time)
        Links A-B, B-C, C-D and D-A. Each is strong in one state and weak in the other.
    """
    strong = MEAN_LINK * (1 + contrast * np.where(state == 1, 1.0, -1.0))
    weak = 2 * MEAN_LINK - strong
    return np.stack([strong, strong, weak, weak] if together else [strong, weak, strong, weak])


def listening(private: Floats, links: Floats) -> Floats:
    """Signals of the networks of one circuit, of unit variance at all times.

    Parameters
    ----------
    private : (4, time)
        White signals of A, B, C, D.
    links : (4, time)
        As `link_strengths` gives them.

    Returns
    -------
    (4, time)
        B and D are weighted sums of A, C and what is their own.
    """
    a, b, c, d = private
    ab, bc, cd, da = links
    hears_b = ab * a + bc * c + np.sqrt(1 - ab**2 - bc**2) * b
    hears_d = cd * c + da * a + np.sqrt(1 - cd**2 - da**2) * d
    return np.stack([a, hears_b, c, hears_d])


def haemodynamic(white: Floats, repetition_time: float) -> Floats:
    r"""White signals seen through the haemodynamic response; variances and covariances stay.

    Parameters
    ----------
    white : (..., time)
        Signals that are independent from sample to sample.
    repetition_time : float
        Seconds a sample.

    Returns
    -------
    (..., time)
        Each signal convolved, as a circle in time, with the difference of two gamma densities (peak at 5 s,
        undershoot at 15 s, ratio 1/6) [1]_, scaled to unit energy.

    References
    ----------
    .. [1] Friston et al., NeuroImage 1998, doi:10.1006/nimg.1997.0306.
    """
    t = np.arange(repetition_time, 32.0, repetition_time)
    response = _gamma(t, 6.0) - _gamma(t, 16.0) / 6
    response = response[: white.shape[-1]] / np.sqrt((response[: white.shape[-1]] ** 2).sum())
    transfer = np.fft.rfft(response, white.shape[-1])
    seen: Floats = np.fft.irfft(np.fft.rfft(white, axis=-1) * transfer, white.shape[-1], axis=-1)
    return seen


def _gamma(t: Floats, shape: float) -> Floats:
    density: Floats = np.exp((shape - 1) * np.log(t) - t - gammaln(shape))
    return density
