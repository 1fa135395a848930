"""Forecasts of one session: the late part from the early part, with the wiring and with rewired ones."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome import dynamics, inference, study
from dynome.errors import InputError
from dynome.pipelines.session_inputs import Auto, binned, unsuitable, wiring_of
from dynome.schema import NODE, TRIAL

_LEAST_BINS = 200
_LEAST_NODES = 5
_LEAST_TRIALS = 10  # to hold out whole trials
_SPIKE_BIN = 0.05
_GNN, _RIDGE = "ConnectomeGNN", "RidgeVAR"
_SKILL = "skill"


def connectome_forecast(
    recording: xr.Dataset,
    *,
    connectome: xr.Dataset | None = None,
    session: str = "session",
    random_state: int = 0,
    context: int = 8,
    horizons: tuple[int, ...] = (1, 2, 4, 8),
    bin_width: float | Auto = "auto",
    nulls: int = 4,
    null: str = "degree",
    layer: str = "signed",
    hidden: int = 16,
    n_layers: int = 1,
    n_epochs: int = 15,
    device: str = "cpu",
) -> xr.Dataset:
    """How well a connectome network foretells the late part of a session, beside models without a network.

    Parameters
    ----------
    recording : Dataset
        ``spike_count (time, node)`` or ``activity`` in any unit; at least 200 bins and 5 nodes that the connectome
        knows. NaN is missing. Nodes without an identity, that never vary or that miss half of their samples are left
        out.
    connectome : Dataset
        The wiring; its labels join it to the recording.
    session : str
        What the session is called.
    random_state : int
        Seed.
    context : int
        Bins of the past that a forecast looks at.
    horizons : sequence of int
        Bins ahead that are foretold.
    bin_width : float or "auto"
        Seconds of a bin. ``"auto"`` is the recording's own interval, at least 50 ms for spike counts.
    nulls : int
        Rewired connectomes on which the network is fitted anew; 0 for none.
    null : str
        What they keep, see `dynome.connectome.null_connectome`.
    layer, hidden, n_layers, n_epochs, device
        As in `ConnectomeGNN`.

    Returns
    -------
    Dataset
        ``skill (model, horizon)``, 1 less the squared error by that of persistence, with ``skill_low`` and
        ``skill_high`` over blocks of time; ``null_skill (draw, horizon)`` on the rewired connectomes; and numbers:
        ``mean_skill`` of the network and ``mean_skill_ridge`` of a ridge regression on all nodes, both over horizons,
        ``gain_over_ridge``, ``gain_of_wiring`` over the mean of the rewired connectomes, and its ``p_value``, which
        cannot be below 1 / (`nulls` + 1). Ask over sessions, not of one, whether the wiring helps.

    Raises
    ------
    InputError
        If there is no connectome, the recording is too short, or a parameter is out of range.

    Notes
    -----
    Training is the first 70 % of the session, the last 20 % are foretold, with gaps between; with 10 trials or more,
    whole trials are held out at random.

    Examples
    --------
    >>> from dynome.datasets import make_rate_network
    >>> made = make_rate_network(n_animals=1, n_times=300, n_nodes=12, random_state=0)
    >>> rec, wiring = made["animal_1"].to_dataset(), made["connectome"].to_dataset()
    >>> found = connectome_forecast(rec, connectome=wiring, n_epochs=1, nulls=1, horizons=(1, 2))
    >>> found["skill"].dims, found.sizes["draw"]
    (('model', 'horizon'), 1)
    """
    if connectome is None:
        raise InputError("a connectome network needs a connectome; pass connectome=, or build the study with one")
    if reason := unsuitable(recording, _LEAST_BINS, _LEAST_NODES):
        raise InputError(f"nothing can be foretold: the session {reason}")
    rec, variable = binned(recording, bin_width, _SPIKE_BIN)
    if wiring_of(connectome, rec) is None:
        raise InputError("the connectome knows none of the nodes that vary; unify the labels")
    by_trial = TRIAL in rec.coords and np.unique(rec[TRIAL].to_numpy()).size >= _LEAST_TRIALS
    task = inference.forecasting_task(
        study.build({session: rec[[variable]]}),
        connectome,
        context=context,
        horizons=list(horizons),
        split="by_trial" if by_trial else "by_time",
        random_state=random_state,
    )
    network = inference.ConnectomeGNN(
        layer,  # type: ignore[arg-type]  # checked by the network itself
        hidden=hidden,
        n_layers=n_layers,
        n_epochs=n_epochs,
        device=device,
        random_state=random_state,
    )
    models = [dynamics.Persistence(), dynamics.AR(), dynamics.RidgeVAR(), network]
    table = inference.compare_forecasts(
        models,
        task,
        nulls=nulls,
        null=null,  # type: ignore[arg-type]  # checked there
        n_bootstrap=200,
        random_state=random_state,
    )
    attrs = {"estimator": _GNN, "nodes_left_out": rec.attrs["nodes_left_out"], "bin_width": rec.attrs["bin_width"]}
    return _described(table).assign_attrs(attrs, not_in_connectome=list(map(str, task.attrs["left_out"])))


def why_no_connectome_forecast(recording: xr.Dataset, connectome: xr.Dataset | None = None) -> str:
    """Why a session has no forecasts by a connectome, or "" where it can have them.

    Parameters
    ----------
    recording : Dataset
        One session; its values are not looked at.
    connectome : Dataset or None
        The wiring, which is needed.
    """
    if connectome is None:
        return "has no connectome; build the study with one"
    if reason := unsuitable(recording, _LEAST_BINS, _LEAST_NODES):
        return reason
    known = int(np.isin(recording[NODE].to_numpy(), connectome[NODE].to_numpy()).sum())
    if known < _LEAST_NODES:
        return f"has {known} nodes that the connectome knows, and {_LEAST_NODES} are needed"
    return ""


def _described(table: xr.DataTree) -> xr.Dataset:
    """Skills by model and horizon, and the numbers by which sessions are compared."""
    scores = table["scores"].to_dataset().sel(metric=_SKILL, drop=True)
    found = xr.Dataset({"skill": scores["score"], "skill_low": scores["low"], "skill_high": scores["high"]})
    mean = found["skill"].mean("horizon")
    numbers = {
        "mean_skill": (float(mean.sel(model=_GNN)), "mean skill of the connectome network"),
        "mean_skill_ridge": (float(mean.sel(model=_RIDGE)), "mean skill of ridge regression"),
        "gain_over_ridge": (float(mean.sel(model=_GNN) - mean.sel(model=_RIDGE)), "gain of the network over ridge"),
        "gain_of_wiring": (np.nan, "gain of the wiring over rewired ones"),
        "p_value": (np.nan, "p of the gain of the wiring"),
    }
    if "nulls" in table.children:
        nulls = table["nulls"].to_dataset()["score"].sel(model=_GNN, drop=True).isel(null=0, drop=True)
        found["null_skill"] = nulls
        told = table["differences"].to_dataset().sel(model=_GNN).isel(null=0)
        numbers["gain_of_wiring"] = (float(told["mean_difference"]), numbers["gain_of_wiring"][1])
        numbers["p_value"] = (float(told["mean_p_value"]), numbers["p_value"][1])
    attrs = {"units": "1"}
    return found.assign({name: ((), value, {**attrs, "long_name": told}) for name, (value, told) in numbers.items()})
