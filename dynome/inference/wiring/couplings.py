"""Couplings of a population GLM: every node predicted from the past of all, by a law that fits its values."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.glm.histories import ExponentialHistory, History
from dynome.dynamics.glm.laws import Law
from dynome.dynamics.switching.one_state import GLM
from dynome.dynamics.switching.priors.plain import RidgePrior
from dynome.errors import InputError
from dynome.inference.wiring.samples import Sample
from dynome.schema import NODE, SOURCE, TARGET, TIME, TRIAL

Array = NDArray[np.float64]
Statistic = Literal["z", "coupling"]


def glm(
    sample: Sample,
    *,
    n_lags: int = 3,
    history: History | None = None,
    observation: Law | None = None,
    precision: float = 1.0,
    statistic: Statistic = "z",
    max_iter: int = 50,
) -> Array:
    """Coupling of a population GLM, or its z score.

    Parameters
    ----------
    sample : Sample
        Counts are taken as they are, other values standardised.
    n_lags : int
        Reach of the history, where none is given: one exponential that falls by exp(-0.5) a bin.
    history : History or None
        Its kernels are summed.
    observation : str or None
        Law of `dynamics.GLM`. None: Poisson for counts, otherwise Gaussian.
    precision : float
        Of the ridge prior.
    statistic : {"z", "coupling"}
        The coupling in its standard errors, or as it is.
    max_iter : int
        Of the fit; stopping early costs little here.

    Returns
    -------
    (source, target)
        Signed.
    """
    if statistic not in ("z", "coupling"):
        raise InputError(f"statistic of glm must be 'z' or 'coupling', got {statistic!r}")
    law: Law = observation or ("poisson" if sample.counts else "gaussian")
    trial = np.repeat(np.arange(sample.starts.size - 1), np.diff(sample.starts))
    names = [str(k) for k in range(sample.values.shape[1])]
    data = xr.DataArray(
        sample.values if sample.counts else sample.scaled,
        dims=(TIME, NODE),
        coords={NODE: names, TRIAL: (TIME, trial)},
    )
    model = GLM(
        observation=law,
        history=ExponentialHistory(n_lags, 0.5) if history is None else history,
        prior=RidgePrior(precision),
        max_iter=max_iter,
    ).fit(data)
    coupling = model.results_["coupling"].transpose(SOURCE, TARGET).to_numpy()
    if statistic == "coupling":
        return np.asarray(coupling)
    error = model.results_["standard_error"].transpose(SOURCE, TARGET).to_numpy()
    return np.asarray(coupling / np.where(error > 0, error, np.inf))
