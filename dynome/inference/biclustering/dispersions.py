r"""Update of the dispersion of every node: shape r of negative binomial counts, variance of Gaussian observations."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit, prange

from dynome.dynamics.glm.elementary import exp, log1p
from dynome.inference.biclustering.model import Array, Data, Hyper
from dynome.inference.biclustering.observations import log_likelihood

_OPTIONS: Final[dict[str, Any]] = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
_STEP: Final = 2.4  # random walk, in posterior standard deviations
_TINY: Final = float(np.finfo(float).tiny)


def updated_dispersion(
    data: Data,
    psi: Array,
    coefficient: Array,
    dispersion: Array,
    hyper: Hyper,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
) -> tuple[Array, Array]:
    r"""Draw dispersions given everything else; a bias may move along.

    Parameters
    ----------
    data : Data
    psi : (n_node, n_bin)
        Predictor at `coefficient`.
    coefficient : (n_node, 1 + n_factor)
    dispersion : (n_node,)
    hyper : Hyper
    rng : numpy Generator
    temperature : float
        Power of the likelihood.

    Returns
    -------
    coefficient : (n_node, 1 + n_factor)
        The predictor changes by the same amount as the bias.
    dispersion : (n_node,)

    Examples
    --------
    >>> data = Data(np.full((1, 4), np.nan), np.array([0, 4]), "poisson")
    >>> updated_dispersion(data, data.y, np.zeros((1, 1)), np.ones(1), Hyper(), np.random.default_rng(0))
    (array([[0.]]), array([1.]))
    """
    if data.law == "gaussian":
        return coefficient, _variance(data.y, psi, hyper, rng, temperature)
    if data.law != "negative_binomial":
        return coefficient, dispersion
    if temperature != 1.0:
        return coefficient, _walked(data.y, psi, dispersion, hyper, rng, temperature)
    return _shifted(data.y, psi, coefficient, dispersion, hyper, rng)


def _variance(y: Array, psi: Array, hyper: Hyper, rng: np.random.Generator, temperature: float) -> Array:
    """Conjugate: inverse gamma."""
    count = (~np.isnan(y)).sum(axis=1)
    squares = np.nansum((y - psi) ** 2, axis=1)
    shape = hyper.dispersion_shape + temperature * count / 2
    return (hyper.dispersion_rate + temperature * squares / 2) / rng.gamma(shape)  # type: ignore[no-any-return]


def _shifted(
    y: Array, psi: Array, coefficient: Array, dispersion: Array, hyper: Hyper, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Gamma draw of r given its tables, at fixed odds psi - log r, so that the bias moves with log r."""
    tables = np.array([_tables(row, r, rng) for row, r in zip(y, dispersion, strict=True)])
    rate = hyper.dispersion_rate + _softplus_sums(y, psi, np.log(dispersion))
    new = np.maximum(rng.gamma(hyper.dispersion_shape + tables) / rate, _TINY)
    bias = coefficient[:, 0] + np.log(new / dispersion)
    log_ratio = (coefficient[:, 0] - hyper.bias_mean) ** 2 - (bias - hyper.bias_mean) ** 2
    accepted = np.log(rng.random(new.size)) < log_ratio / (2 * hyper.bias_sd**2)
    out = coefficient.copy()
    out[accepted, 0] = bias[accepted]
    return out, np.where(accepted, new, dispersion)


def _tables(y: Array, r: float, rng: np.random.Generator) -> int:
    """Sum over counts of the tables of a Chinese restaurant with concentration r."""
    seen = y[y > 0].astype(np.int64)
    if not seen.size:
        return 0
    above = np.cumsum(np.bincount(seen)[::-1])[::-1][1:]  # counts above 0, 1, ...
    return int(rng.binomial(above, r / (r + np.arange(above.size))).sum())


@njit(parallel=True, **_OPTIONS)
def _softplus_sums(y, psi, shift):  # type: ignore[no-untyped-def]
    out = np.empty(y.shape[0])
    for i in prange(y.shape[0]):
        terms = np.empty(y.shape[1])
        for t in range(y.shape[1]):
            eta = psi[i, t] - shift[i]
            value = max(eta, 0.0) + log1p(exp(-min(abs(eta), 700.0)))
            terms[t] = value if y[i, t] == y[i, t] else 0.0
        out[i] = terms.sum()
    return out


def _walked(
    y: Array, psi: Array, dispersion: Array, hyper: Hyper, rng: np.random.Generator, temperature: float
) -> Array:
    """Random walk of log r at a fixed predictor."""
    step = _STEP / np.sqrt(1 + temperature * (y > 0).sum(axis=1))
    new = dispersion * np.exp(step * rng.standard_normal(dispersion.size))

    def log_target(r: Array) -> Array:
        prior = hyper.dispersion_shape * np.log(r) - hyper.dispersion_rate * r  # of log r
        return prior + temperature * log_likelihood(y, psi, "negative_binomial", r)

    accepted = np.log(rng.random(new.size)) < log_target(new) - log_target(dispersion)
    return np.where(accepted, new, dispersion)
