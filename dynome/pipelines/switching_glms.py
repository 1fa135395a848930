"""The switching GLM of one session: coupling by state, and whether states foretell what they have not seen."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import dynamics
from dynome.errors import InputError
from dynome.pipelines.session_inputs import (
    Auto,
    binned,
    chosen_nodes,
    stretches,
    unsuitable,
    wiring_of,
)
from dynome.schema import ACTIVITY, NODE, TIME

_LEAST_BINS = 200
_BINS_A_NODE = 10  # fewer bins for each node cannot tell its couplings
_SPIKE_BIN = 0.02
_LEAST_TRIALS = 5  # to hold out whole trials
_LAGS = 5

_Prior = Literal["auto", "none", "ridge", "gaussian", "one_hot"]


class _Parts(NamedTuple):
    """The part that is learnt from, and the part that is foretold (None: nothing is held out)."""

    train: xr.Dataset
    test: xr.Dataset | None


def switching_glm(
    recording: xr.Dataset,
    *,
    connectome: xr.Dataset | None = None,
    random_state: int = 0,
    n_states: int = 2,
    observation: Literal["auto", "poisson", "negative_binomial", "bernoulli", "gaussian"] = "auto",
    bin_width: float | Auto = "auto",
    n_lags: int = _LAGS,
    prior: _Prior = "auto",
    covariates: tuple[str, ...] = (),
    nodes: tuple[str, ...] = (),
    max_nodes: int = 60,
    held_out: float = 0.2,
    n_restarts: int = 2,
    max_iter: int = 60,
    tol: float = 1e-5,
) -> xr.Dataset:
    """States of one session and the coupling in each, scored on what was held out.

    Parameters
    ----------
    recording : Dataset
        ``spike_count (time, node)``, or ``activity`` in any unit, which is standardized; at least 200 bins. A trial or
        a gap of the clock begins a new sequence. NaN is missing. Nodes without an identity, that never vary or that
        miss half of their samples are left out.
    connectome : Dataset or None
        The wiring. With ``prior="auto"`` it is the prior on the couplings, as far as the session supports it.
    random_state : int
        Seed.
    n_states : int
        Hidden states.
    observation : str
        ``"auto"`` is Poisson for spike counts and Gaussian for activity.
    bin_width : float or "auto"
        Seconds of a bin. ``"auto"`` is the recording's own interval, at least 20 ms for spike counts.
    n_lags : int
        Bins of the past, weighted by one exponential.
    prior : str
        On the couplings. ``"auto"`` is ``"one_hot"`` with a connectome that knows the nodes, else ``"gaussian"``.
    covariates : sequence of str
        Variables of the recording over time that act on the nodes.
    nodes : sequence of str
        Labels to use; empty uses all, or `max_nodes` of them.
    max_nodes : int
        Of more nodes the most active ones are used where spikes were counted, else such as are drawn by their labels,
        the same ones in all sessions. In any case there are 10 bins a node.
    held_out : float
        Share of the session that is not learnt from: whole trials, evenly spaced, where there are 5, else the end. 0
        learns from everything and gives no score.
    n_restarts, max_iter, tol
        As in `SwitchingGLM`.

    Returns
    -------
    Dataset
        ``results_`` of `SwitchingGLM` on the part that was learnt from, with ``state_probability (time, state)`` of the
        *whole* session, and numbers: ``score`` and ``score_one_state``, nats for each bin and node that was held out,
        ``gain_of_states``, their difference, and ``mean_dwell``, the mean of the states' dwell times in seconds by
        occupancy. A gain below 0 says that one state foretells better.

    Raises
    ------
    InputError
        If the recording is too short or a parameter is out of range.
    SchemaError
        If `recording` or `connectome` is none.

    References
    ----------
    Li et al. (2024), arXiv:2310.15263; Escola et al. (2011), DOI 10.1162/NECO_a_00118.

    Examples
    --------
    >>> from dynome.datasets import make_spikes
    >>> spikes = make_spikes(n_nodes=6, n_time=2000, random_state=0)["animal_1"].to_dataset()
    >>> found = switching_glm(spikes, n_restarts=1, max_iter=10, tol=1e-3)
    >>> found.coupling.dims, bool(found.gain_of_states == found.score - found.score_one_state)
    (('state', 'target', 'source'), True)
    """
    if not 0 <= held_out < 1:
        raise InputError(f"held_out must be a share from 0 to below 1, got {held_out!r}")
    if reason := unsuitable(recording, _LEAST_BINS):
        raise InputError(f"no switching GLM can be fitted: the session {reason}")
    rec, variable = binned(recording, bin_width, _SPIKE_BIN)
    rec = chosen_nodes(rec, variable, _most_nodes(rec, max_nodes), nodes)
    parts = _parts(rec, held_out)
    if variable == ACTIVITY:
        parts, rec = _standardized(parts, rec)
    wiring = wiring_of(connectome, rec)
    chosen = ("gaussian" if wiring is None else "one_hot") if prior == "auto" else prior
    common: dict[str, Any] = {
        "observation": ("gaussian" if variable == ACTIVITY else "poisson") if observation == "auto" else observation,
        "history": dynamics.ExponentialHistory(n_lags),
        "prior": chosen,
        "connectome": wiring if chosen == "one_hot" else None,
        "covariates": list(covariates),
        "max_iter": max_iter,
        "tol": tol,
        "random_state": random_state,
    }
    model = dynamics.SwitchingGLM(n_states, n_restarts=n_restarts, **common).fit(parts.train)
    scores = (np.nan, np.nan)
    if parts.test is not None:
        scores = model.score(parts.test), dynamics.GLM(**common).fit(parts.train).score(parts.test)
    results: xr.Dataset = model.results_.drop_dims(TIME)
    results = results.assign({"state_probability": model.posterior(rec)} | _numbers(results, *scores))
    return results.assign_attrs(
        nodes_left_out=rec.attrs["nodes_left_out"], prior=chosen, bin_width=rec.attrs["bin_width"]
    )


def why_no_switching_glm(recording: xr.Dataset, _connectome: xr.Dataset | None = None) -> str:
    """Why a session has no switching GLM, or "" where it can have one.

    Parameters
    ----------
    recording : Dataset
        One session; its values are not looked at.
    _connectome : Dataset or None
        A help, not a need.
    """
    return unsuitable(recording, _LEAST_BINS)


def _most_nodes(rec: xr.Dataset, max_nodes: int) -> int:
    if max_nodes < 2:
        raise InputError(f"max_nodes must be at least 2, got {max_nodes!r}")
    return min(max_nodes, max(2, rec.sizes[TIME] // _BINS_A_NODE))


def _parts(rec: xr.Dataset, held_out: float) -> _Parts:
    if not held_out:
        return _Parts(rec, None)
    starts = stretches(rec)
    test = np.zeros(rec.sizes[TIME], dtype=bool)
    if starts.size - 1 >= _LEAST_TRIALS:
        for k in _evenly_spaced(starts.size - 1, held_out):
            test[starts[k] : starts[k + 1]] = True
    else:
        test[round((1 - held_out) * test.size) :] = True
    return _Parts(rec.isel({TIME: ~test}), rec.isel({TIME: test}))


def _evenly_spaced(n: int, share: float) -> NDArray[np.int64]:
    """Numbers of the trials that are held out, one at least and not all."""
    count = min(max(1, round(share * n)), n - 1)
    return np.floor((np.arange(count) + 0.5) * n / count).astype(np.int64)


def _standardized(parts: _Parts, rec: xr.Dataset) -> tuple[_Parts, xr.Dataset]:
    """Centre and scale of what is learnt from, so that nothing of the rest leaks into it."""
    center, scale = parts.train[ACTIVITY].mean(TIME), parts.train[ACTIVITY].std(TIME)
    scale = scale.where(scale > 0, 1.0)

    def scaled(part: xr.Dataset) -> xr.Dataset:
        values = ((part[ACTIVITY] - center) / scale).transpose(TIME, NODE)
        return part.assign({ACTIVITY: values.assign_attrs(units="1", long_name="standardized activity")})

    return _Parts(scaled(parts.train), None if parts.test is None else scaled(parts.test)), scaled(rec)


def _numbers(results: xr.Dataset, score: float, one: float) -> dict[str, xr.DataArray]:
    nats = {"units": "nat"}
    dwell = float((results["dwell_time"] * results["occupancy"]).sum())
    return {
        "score": xr.DataArray(score, attrs={**nats, "long_name": "held-out score"}),
        "score_one_state": xr.DataArray(one, attrs={**nats, "long_name": "held-out score of one state"}),
        "gain_of_states": xr.DataArray(score - one, attrs={**nats, "long_name": "gain of states over one"}),
        "mean_dwell": xr.DataArray(dwell, attrs={**results["dwell_time"].attrs, "long_name": "mean dwell time"}),
    }
