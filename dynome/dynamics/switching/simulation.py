"""Observations drawn from a switching GLM, bin by bin, for all sequences at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.glm.laws import mean, sample
from dynome.dynamics.switching.categories import drawn_categories, indicators
from dynome.dynamics.switching.population import Form
from dynome.errors import InputError

Array = NDArray[np.float64]

_FAR = 100.0  # times the largest value that was seen: beyond it a simulation has run away


def simulated(
    state: NDArray[np.int64],
    coefficient: Array,
    dispersion: Array,
    form: Form,
    rng: np.random.Generator,
    largest: float,
    inputs: Array | None = None,
) -> Array:
    """Observations of given states.

    Parameters
    ----------
    state : (n_sequence, n_time)
        State of every bin.
    coefficient : (n_state, n_target, n_feature)
        Bias, couplings, and covariates.
    dispersion : (n_state, n_node)
        Of the law.
    form : Form
        Law, kernels of the past.
    rng : Generator
        Draws them.
    largest : float
        Value that the fit has seen.
    inputs : (n_sequence, n_time, n_covariate) or None
        Covariates; None are 0.

    Returns
    -------
    (n_sequence, n_time, n_node)

    Raises
    ------
    InputError
        If the activity runs away, as unstable couplings make it.
    """
    n_sequence, n_time = state.shape
    n_basis, n_lag = form.kernels.shape
    n_categories = np.array(form.n_categories, dtype=np.int64)
    n_source = int((n_categories - 1).sum()) if n_categories.size else coefficient.shape[1]
    end = 1 + n_source * n_basis
    seen = np.zeros((n_sequence, n_lag + n_time, n_source))
    y = np.zeros((n_sequence, n_time, n_categories.size or n_source))
    for t in range(n_time):
        past = seen[:, t : t + n_lag][:, ::-1]
        features = np.einsum("slm,kl->smk", past, form.kernels).reshape(n_sequence, n_source * n_basis)
        now = coefficient[state[:, t]]
        eta = now[:, :, 0] + np.einsum("snp,sp->sn", now[:, :, 1:end], features)
        if inputs is not None:
            eta += np.einsum("snc,sc->sn", now[:, :, end:], inputs[:, t])
        if n_categories.size:
            y[:, t] = drawn_categories(eta, n_categories, rng)
            seen[:, n_lag + t] = indicators(y[:, t], n_categories)
            continue
        if not np.abs(mean(eta, form.link)).max(initial=0) < _FAR * max(largest, 1.0):
            raise InputError(
                f"the simulated activity runs away after {t} bins: the fitted couplings are unstable. No link but "
                "sigmoid holds activity back; take it where a bin hardly has more than one spike, or a prior that "
                "shrinks the couplings more"
            )
        y[:, t] = seen[:, n_lag + t] = sample(eta, form.law, form.link, dispersion[state[:, t]], rng)
    return y
