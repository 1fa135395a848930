"""From names of laws to laws, from fitted results to laws and back, and observations as the laws see them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.special
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.hmm.emissions.contract import Emission, Observed, observed
from dynome.dynamics.hmm.emissions.counts import Bernoulli, Poisson, pooled_bernoulli, pooled_poisson
from dynome.dynamics.hmm.emissions.diagonal import DiagonalGaussian, pooled_diagonal
from dynome.dynamics.hmm.emissions.full import FullGaussian, pooled_full
from dynome.schema import NODE, SOURCE, STATE, TARGET

Observation = Literal["poisson", "bernoulli", "gaussian"]
Covariance = Literal["diagonal", "full", "tied"]
Mean = Literal["state", "zero"]
Array = NDArray[np.float64]


class Form(NamedTuple):
    """What the observations are taken for; fields as in `HMM`."""

    observation: Observation
    covariance: Covariance
    mean: Mean

    @property
    def centred(self) -> bool:
        """Whether states have no means."""
        return self.observation == "gaussian" and self.mean == "zero"

    @property
    def joint(self) -> bool:
        """Whether nodes vary together within a state."""
        return self.observation == "gaussian" and self.covariance != "diagonal"


def observed_as(form: Form, y: Array, offset: Array | None = None) -> Observed:
    """Observations in the shape that a law wants.

    Parameters
    ----------
    form : Form
    y : (n_bin, n_node)
        NaN is missing.
    offset : (n_node,) or None
        To be taken off Gaussian observations; None takes the means of the nodes.
    """
    if form.observation == "poisson":
        return observed(y, constant=-np.nansum(scipy.special.gammaln(y + 1.0), axis=1))
    if form.observation == "bernoulli" or form.centred:
        return observed(y)
    return observed(y, offset=np.nanmean(y, axis=0) if offset is None else offset)


def pooled(form: Form, data: Observed, n_states: int, prior_bins: float | None) -> Emission:
    """The law with all states alike, as the whole recording has it.

    Parameters
    ----------
    form : Form
    data : Observed
    n_states : int
    prior_bins : float or None
        None takes the default of the law.
    """
    if prior_bins is None:
        prior_bins = float(data.y.shape[1]) if form.joint else 1.0
    if form.observation == "poisson":
        return pooled_poisson(data, n_states, prior_bins)
    if form.observation == "bernoulli":
        return pooled_bernoulli(data, n_states, prior_bins)
    if form.joint:
        return pooled_full(data, n_states, prior_bins, centred=form.centred, tied=form.covariance == "tied")
    return pooled_diagonal(data, n_states, prior_bins, centred=form.centred)


def variables_of(emission: Emission, units: str) -> dict[str, Any]:
    """Fitted parameters as variables of a Dataset.

    Parameters
    ----------
    emission : Emission
    units : str
        Of the observations.
    """
    square = units if units == "1" else f"({units})^2"
    if isinstance(emission, Poisson):
        return {"rate": ((STATE, NODE), emission.rate, {"units": "count", "long_name": "expected count a bin"})}
    if isinstance(emission, Bernoulli):
        about = {"units": "1", "long_name": "probability of an event"}
        return {"probability": ((STATE, NODE), emission.probability, about)}
    means = {"mean": ((STATE, NODE), emission.expected(), {"units": units, "long_name": "mean activity"})}
    if isinstance(emission, DiagonalGaussian):
        return means | {"variance": ((STATE, NODE), emission.variance, {"units": square, "long_name": "variance"})}
    if isinstance(emission, FullGaussian):
        tied = emission.covariance.shape[0] < emission.mean.shape[0]
        dims = (SOURCE, TARGET) if tied else (STATE, SOURCE, TARGET)
        values = emission.covariance[0] if tied else emission.covariance
        scale = np.sqrt(np.diagonal(values, axis1=-2, axis2=-1))
        return means | {
            "covariance": (dims, values, {"units": square, "long_name": "covariance", "directed": 0}),
            "fc": (
                dims,
                values / scale[..., :, None] / scale[..., None, :],
                {"units": "1", "long_name": "functional connectivity", "kind": "correlation", "directed": 0},
            ),
        }
    raise TypeError(f"unknown law {type(emission).__name__}")


def emission_of(form: Form, results: xr.Dataset) -> Emission:
    """Fitted parameters from results; their prior is not needed any more.

    Parameters
    ----------
    form : Form
    results : Dataset
        With what `variables_of` gave.
    """
    nothing = np.zeros(results.sizes[NODE])
    if form.observation == "poisson":
        return Poisson(results["rate"].transpose(STATE, NODE).to_numpy(), 0.0, nothing)
    if form.observation == "bernoulli":
        return Bernoulli(results["probability"].transpose(STATE, NODE).to_numpy(), 0.0, nothing)
    mean = results["mean"].transpose(STATE, NODE).to_numpy()
    if form.joint:
        covariance = results["covariance"].transpose(..., SOURCE, TARGET).to_numpy().reshape(-1, *[nothing.size] * 2)
        return FullGaussian(mean, covariance, 0.0, covariance[0], form.centred)
    variance = results["variance"].transpose(STATE, NODE).to_numpy()
    return DiagonalGaussian(mean, variance, 0.0, nothing, form.centred)
