"""Several methods on the same activity, against the same truth, in one table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from dynome import progress, study
from dynome.dynamics.hmm.gathering import ChainInput
from dynome.errors import InputError
from dynome.inference.wiring.estimates import Sessions, infer_connectivity
from dynome.inference.wiring.methods import ABOUT, method_named
from dynome.inference.wiring.scores import connectivity_scores

ESTIMATOR = "estimator"
_QUICK = ("correlation", "lagged_correlation", "partial_correlation", "granger", "var", "transfer_entropy")


def compare_connectivity(
    data: ChainInput,
    truth: xr.Dataset | xr.DataArray | xr.DataTree | None = None,
    methods: Sequence[str] | Mapping[str, Mapping[str, Any]] = _QUICK,
    *,
    sessions: Sessions = "joint",
    variable: str | None = None,
    n_bootstrap: int = 1000,
    random_state: int | None = 0,
) -> xr.Dataset:
    """Scores of several methods of inferring connectivity.

    Parameters
    ----------
    data : DataArray, Dataset, DataTree, mapping or list
        As for `infer_connectivity`. Several animals give an interval.
    truth : connectome, (source, target), study or None
        None takes the connectome of the study `data`.
    methods : sequence of str, or mapping
        Names of methods; or rows by any name, each with its options and, where it is not the name of the row, with
        ``"method"``: ``{"short": {"method": "granger", "n_lags": 1}, "glm": {}}``.
    sessions, variable
        As for `infer_connectivity`.
    n_bootstrap, random_state
        As for `connectivity_scores`.

    Returns
    -------
    Dataset
        As `connectivity_scores` gives it, with the leading dim ``estimator``; ``seconds (estimator)`` of this process.
        Draw it with `viz.plot_connectivity_scores`.

    Raises
    ------
    InputError
        If there is no truth, or a method cannot be used.

    Examples
    --------
    >>> from dynome.datasets import make_spikes
    >>> spikes = make_spikes(10, 4000, density=0.2, random_state=0)
    >>> table = compare_connectivity(spikes, methods=["correlation", "granger"])
    >>> table.auroc.dims, table.estimator.values.tolist()
    (('estimator', 'edges', 'animal'), ['correlation', 'granger'])
    """
    if truth is None:
        if not isinstance(data, xr.DataTree):
            raise InputError("cannot compare methods: pass truth=, or a study with a connectome")
        truth = study.connectome(data)
    rows = dict(methods) if isinstance(methods, Mapping) else {name: {} for name in methods}
    if not rows:
        raise InputError("cannot compare methods: expected at least one, found none")
    chosen = {row: {"method": row, **options} for row, options in rows.items()}
    for options in chosen.values():
        method_named(options["method"], {k: v for k, v in options.items() if k != "method"})
    tables, seconds = [], []
    with progress.task("methods", total=len(chosen)) as advance:
        for options in chosen.values():
            began = time.process_time()
            estimate = infer_connectivity(data, sessions=sessions, variable=variable, **options)
            seconds.append(time.process_time() - began)
            tables.append(connectivity_scores(estimate, truth, n_bootstrap=n_bootstrap, random_state=random_state))
            advance(1)
    out = xr.concat(
        [table.drop_attrs(deep=False) for table in tables], xr.Variable(ESTIMATOR, list(chosen)), join="exact"
    )
    out = out.assign_coords(
        directed=(ESTIMATOR, [ABOUT[o["method"]].directed for o in chosen.values()]),
        signed=(ESTIMATOR, [ABOUT[o["method"]].signed for o in chosen.values()]),
    )
    out["seconds"] = (ESTIMATOR, np.array(seconds), {"units": "s", "long_name": "processor time"})
    return out.assign_attrs({k: tables[0].attrs[k] for k in ("hidden", "left_out")})
