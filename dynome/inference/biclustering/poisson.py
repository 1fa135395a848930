r"""Poisson counts: a negative binomial law stands in for them, and what sets the two apart is corrected.

The Poisson law has no auxiliary variables of its own. A negative binomial law with a fixed shape r stands in. Its
auxiliary variables :math:`\omega` given the predictor make the joint distribution

.. math::
    p(X, \ldots \mid y)\, p_{\mathrm{NB}}(\omega \mid y, \psi) \propto p_{\mathrm{NB}}(X, \ldots, \omega \mid y)
    \prod_{it} e^{w_{it}(\psi_{it})}, \qquad w(\psi) = (y + r) \log (r + e^\psi) - e^\psi

so that what is drawn given :math:`\omega` is accepted with the probability
:math:`\min(1, e^{\sum w(\psi') - w(\psi)})`, see `dynome.inference.biclustering.windows`.

A small r makes moves larger, as the variables :math:`\omega` then say less about the latents than counts do, and makes
the stand-in poorer. With r = 10 times the mean count :math:`\omega` says about twice what counts say (r = 100 times:
ten times).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit, prange

from dynome.dynamics.glm.elementary import exp, log1p
from dynome.inference.biclustering.model import Array

_RATIO: Final = 10.0  # r of the stand-in in units of the mean count
_LEAST: Final = 5.0
_FAR: Final = 700.0
_OPTIONS: Final[dict[str, Any]] = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}


def stand_in(y: Array) -> Array:
    """Shape r of the negative binomial law that stands in for the Poisson law of every node.

    It depends on the data only, so that it is fixed along a chain.

    Parameters
    ----------
    y : (n_node, n_bin)
        NaN is missing.

    Returns
    -------
    (n_node,)

    Examples
    --------
    >>> stand_in(np.array([[2.0, 4.0, np.nan], [0.0, 0.0, 0.0]]))
    array([35.,  5.])
    """
    count = np.maximum((~np.isnan(y)).sum(axis=1), 1)
    return _LEAST + _RATIO * np.nansum(y, axis=1) / count  # type: ignore[no-any-return]


def poisson_log_ratio(y: Array, new_psi: Array, old_psi: Array, r: Array) -> Array:
    r"""Log weight of a move of the predictor, for every observation.

    Parameters
    ----------
    y, new_psi, old_psi : (n_node, n_bin)
    r : (n_node,)
        Of the stand-in.

    Returns
    -------
    (n_node, n_bin)
        :math:`w(\psi') - w(\psi)`, 0 where the observation is missing.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> float(poisson_log_ratio(one, one, one, np.ones(1))[0, 0])
    0.0
    """
    return _log_ratio(y, new_psi, old_psi, np.log(r), r)  # type: ignore[no-any-return]


@njit(parallel=True, **_OPTIONS)
def _log_ratio(y, new, old, shift, r):  # type: ignore[no-untyped-def]
    out = np.empty_like(y)
    for i in prange(y.shape[0]):
        for t in range(y.shape[1]):
            weight = y[i, t] + r[i]
            after, before = new[i, t] - shift[i], old[i, t] - shift[i]
            value = weight * (max(after, 0.0) + log1p(exp(-min(abs(after), _FAR))))
            value -= weight * (max(before, 0.0) + log1p(exp(-min(abs(before), _FAR))))
            value -= exp(min(max(new[i, t], -_FAR), _FAR)) - exp(min(max(old[i, t], -_FAR), _FAR))
            out[i, t] = value if y[i, t] == y[i, t] else 0.0
    return out
