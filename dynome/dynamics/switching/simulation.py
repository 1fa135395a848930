"""Observations drawn from a switching GLM, bin by bin, for all sequences at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.glm.laws import Law, Link, mean, sample
from dynome.errors import InputError

Array = NDArray[np.float64]

_MOST = 1e6  # a bin, beyond which a simulation has run away


def simulated(
    state: NDArray[np.int64],
    coefficient: Array,
    dispersion: Array,
    kernels: Array,
    law: Law,
    link: Link,
    rng: np.random.Generator,
) -> Array:
    """Observations of given states.

    Parameters
    ----------
    state : (n_sequence, n_time)
        State of every bin.
    coefficient : (n_state, n_node, 1 + n_node * n_basis)
        Bias and couplings.
    dispersion : (n_state, n_node)
        Of the law.
    kernels : (n_basis, n_lag)
        Filters of the past.
    law, link : str
        Of the observations.
    rng : Generator
        Draws them.

    Returns
    -------
    (n_sequence, n_time, n_node)

    Raises
    ------
    InputError
        If the activity runs away, as unstable couplings make it.
    """
    n_sequence, n_time = state.shape
    n_node = coefficient.shape[1]
    n_basis, n_lag = kernels.shape
    y = np.zeros((n_sequence, n_lag + n_time, n_node))
    for t in range(n_time):
        past = y[:, t : t + n_lag][:, ::-1]
        features = np.einsum("slm,kl->smk", past, kernels).reshape(n_sequence, n_node * n_basis)
        now = coefficient[state[:, t]]
        eta = now[:, :, 0] + np.einsum("snp,sp->sn", now[:, :, 1:], features)
        if not np.abs(mean(eta, link)).max(initial=0) < _MOST:
            raise InputError(
                f"the simulated activity runs away after {t} bins: the fitted couplings are unstable; use a link that "
                "saturates (sigmoid, softplus) or a prior that shrinks them"
            )
        y[:, n_lag + t] = sample(eta, law, link, dispersion[state[:, t]], rng)
    return y[:, n_lag:]
