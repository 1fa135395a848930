"""Activity with the rhythm of each node and nothing between nodes."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dynome.inference.wiring.samples import Sample, stretches

Array = NDArray[np.float64]
Surrogate = Literal["shift", "phase"]


def surrogate(sample: Sample, kind: Surrogate, rng: np.random.Generator) -> Sample:
    """A sample in which no node knows of another.

    Parameters
    ----------
    sample : Sample
    kind : {"shift", "phase"}
        Turn every node of every stretch around by a time of its own, any two of N nodes apart by at least a 2N-th of
        the stretch; or give every frequency of every node a phase of its own, which keeps the power spectrum and makes
        the values Gaussian.
    rng : Generator
    """
    values, scaled = sample.values.copy(), sample.scaled.copy()
    for bins in stretches(sample):
        if kind == "shift":
            order = _turned(bins.stop - bins.start, values.shape[1], rng)
            values[bins] = np.take_along_axis(values[bins], order, axis=0)
            scaled[bins] = np.take_along_axis(scaled[bins], order, axis=0)
        else:
            scaled[bins] = values[bins] = _rephased(scaled[bins], rng)
    return sample._replace(values=values, scaled=scaled)


def _turned(n: int, n_node: int, rng: np.random.Generator) -> NDArray[np.int64]:
    # Shifts of one and the same length would bring two nodes back together, so they are spread over the stretch.
    place = (rng.permutation(n_node) + 0.5 * rng.random(n_node)) / n_node
    shift = (n * place).astype(np.int64)
    return np.asarray((np.arange(n)[:, None] + shift) % n)


def _rephased(x: Array, rng: np.random.Generator) -> Array:
    spectrum = np.fft.rfft(x, axis=0)
    turn = np.exp(2j * np.pi * rng.random(spectrum.shape))
    turn[0] = 1.0
    if len(x) % 2 == 0:
        turn[-1] = np.sign(turn[-1].real)
    return np.asarray(np.fft.irfft(spectrum * turn, n=len(x), axis=0))
