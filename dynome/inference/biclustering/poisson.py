r"""Poisson counts: what sets them apart from the negative binomial law that stands in for them.

The Poisson law has no auxiliary variables of its own. A negative binomial law with fixed r stands in, and a move
:math:`\psi \to \psi'` that leaves the stand-in's posterior invariant is accepted with the probability
:math:`\min(1, e^{\sum (w(\psi') - w(\psi))})`, :math:`w = \log \mathrm{Poisson} - \log \mathrm{NB}`, which makes it
exact.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from dynome.inference.biclustering.model import Array

_RATIO: Final = 10.0  # r of the stand-in in units of the mean count
_LEAST: Final = 5.0


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
    r = r[:, None]

    def weight(psi: Array) -> Array:
        return (y + r) * np.logaddexp(np.log(r), psi) - np.exp(psi)

    return np.where(np.isnan(y), 0.0, weight(new_psi) - weight(old_psi))
