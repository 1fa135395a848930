"""How probable data are under a fitted model, by every score under its own name."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import clone

from dynome.dynamics.glm.histories import NoHistory
from dynome.dynamics.hmm.sequences import ChainInput, stacked
from dynome.errors import InputError
from dynome.estimator import Estimator
from dynome.inference.states.fitted import law_of
from dynome.schema import ACTIVITY, SPIKE_COUNT

_CONSTANT = {
    "n_states": 1, "covariates": (), "transition_covariates": (), "prior": "none", "connectome": None,
    "n_restarts": 1, "dwell_phases": 1, "self_history": True,
}  # fmt: skip
_COUNTS = ("poisson", "negative_binomial", "bernoulli")


def likelihood_scores(model: Estimator, data: ChainInput, *, train: ChainInput | None = None) -> xr.Dataset:
    """Scores of a fitted model on data, each under its own name.

    Parameters
    ----------
    model : SwitchingGLM, GLM or HMM
        Fitted.
    data : DataArray, Dataset, DataTree, dict or list
        Held-out data for honest scores.
    train : same or None
        What the constant rates of the null are fitted to, usually what the model was fitted to. None takes `data`
        itself, which makes the null a little too good.

    Returns
    -------
    Dataset
        * ``marginal``: log likelihood with the states integrated out, in nats per observed bin and node. The score to
          compare models by;
        * ``null``: the same of constant rates (the model's law, one state, no history, no covariates);
        * ``bits_per_spike``: ``(marginal - null)`` in bits, by spike; for counts;
        * ``one_step_ahead (..., time)``: log probability of every bin given the bins before it, in nats, summed over
          nodes. Its sum over a sequence is the sequence's marginal log likelihood;
        * ``conditional``: the score of Li et al. 2024 (arXiv:2310.15263), in nats per observed bin and node. It takes
          the most probable state of the smoother as if it were known. The smoother has seen the spikes of the bin that
          is scored, and those after it: the score **rises with the number of states by construction**, also on
          held-out data. Never compare models by it. NaN where a model does not tell it.

    Raises
    ------
    InputError
        If the model does not fit the data.
    NotFittedError
        If it was not fitted.

    Notes
    -----
    NaN does not count; bins whose history reaches NaN do not count in the model's scores.

    Examples
    --------
    >>> from dynome.datasets import make_switching_glm
    >>> from dynome.dynamics import SwitchingGLM
    >>> x = make_switching_glm(n_states=2, n_nodes=8, n_sessions=4, n_time=500, random_state=0)["spike_count"]
    >>> train, test = x.isel(session=slice(2)), x.isel(session=slice(2, 4))
    >>> model = SwitchingGLM(2, link="sigmoid", n_restarts=2, random_state=0).fit(train)
    >>> scores = likelihood_scores(model, test, train=train)
    >>> bool(scores.marginal > scores.null), bool(scores.conditional > scores.marginal)
    (True, True)
    """
    given: Any = model
    if not all(hasattr(given, verb) for verb in ("score", "log_likelihood")):
        raise InputError(f"expected a model with score and log_likelihood, got a {type(model).__name__}")
    marginal = float(given.score(data))
    ahead = given.log_likelihood(data)
    null_model: Any = _constant(given)
    null_model.fit(data if train is None else train)
    null = float(null_model.score(data))
    name = "log likelihood (nats per bin and node)"
    nats = {"units": "nat"}
    found: dict[str, Any] = {
        "marginal": ((), marginal, nats | {"long_name": f"marginal {name}"}),
        "null": ((), null, nats | {"long_name": f"constant rates: {name}"}),
        "conditional": (
            (),
            _conditional(given, data, marginal, float(ahead.sum())),
            nats
            | {"long_name": f"conditional {name}; sees the spikes that it scores, rises with the number of states"},
        ),
    }
    if law_of(given) in _COUNTS:
        per_entry = float(np.nanmean(stacked(data, (SPIKE_COUNT, ACTIVITY)).y))
        bits = (marginal - null) / per_entry / np.log(2) if per_entry > 0 else np.nan
        found["bits_per_spike"] = ((), bits, {"units": "bit", "long_name": "gain over constant rates (bits per spike)"})
    about = nats | {"long_name": "log probability of a bin given the bins before it"}
    return xr.Dataset(found).assign(one_step_ahead=ahead.assign_attrs(about))


def _constant(model: Any) -> Any:
    """The same law with constant parameters."""
    accepted = model.get_params(deep=False)
    params = {k: v for k, v in _CONSTANT.items() if k in accepted}
    if "history" in accepted:
        params["history"] = NoHistory()
    return clone(model).set_params(**params)


def _conditional(model: Any, data: ChainInput, marginal: float, total: float) -> float:
    try:
        conditional = float(model.log_likelihood(data, kind="conditional").sum())
    except (TypeError, InputError):
        return float("nan")
    return marginal * conditional / total if total else float("nan")
