r"""Update of the dispersion of every node: shape r of negative binomial counts, variance of Gaussian observations.

The shape r is drawn given the means, see `dynome.inference.biclustering.dispersion_loops`. The tables of a Chinese
restaurant (Zhou and Carin 2015, doi:10.1109/TPAMI.2013.211) give it a gamma conditional if the odds mu / r are held
instead, so that the bias moves with log r. That mixes about fifty times worse, as data tell the mean: it is not used.
"""

from __future__ import annotations

import numpy as np

from dynome.inference.biclustering.dispersion_loops import FREEDOM, drawn_shapes
from dynome.inference.biclustering.model import Array, Data, Hyper


def updated_dispersion(
    data: Data,
    psi: Array,
    dispersion: Array,
    hyper: Hyper,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
) -> Array:
    r"""Draw dispersions given everything else.

    Parameters
    ----------
    data : Data
    psi : (n_node, n_bin)
    dispersion : (n_node,)
    hyper : Hyper
    rng : numpy Generator
    temperature : float
        Power of the likelihood.

    Returns
    -------
    (n_node,)
        From its prior for a node without observations; as it was if the law has none.

    Examples
    --------
    >>> data = Data(np.full((1, 4), np.nan), np.array([0, 4]), "poisson")
    >>> updated_dispersion(data, data.y, np.ones(1), Hyper(), np.random.default_rng(0))
    array([1.])
    """
    if data.law == "gaussian":
        return _variance(data.y, psi, hyper, rng, temperature)
    if data.law != "negative_binomial":
        return dispersion
    noise, log_uniform = rng.standard_t(FREEDOM, dispersion.size), np.log(rng.random(dispersion.size))
    prior = hyper.dispersion_shape, hyper.dispersion_rate
    drawn: Array = drawn_shapes(data.y, psi, dispersion, *prior, temperature, noise, log_uniform)
    return drawn


def _variance(y: Array, psi: Array, hyper: Hyper, rng: np.random.Generator, temperature: float) -> Array:
    """Conjugate: inverse gamma."""
    count = (~np.isnan(y)).sum(axis=1)
    squares = np.nansum((y - psi) ** 2, axis=1)
    shape = hyper.dispersion_shape + temperature * count / 2
    return (hyper.dispersion_rate + temperature * squares / 2) / rng.gamma(shape)  # type: ignore[no-any-return]
