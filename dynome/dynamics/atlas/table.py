"""An atlas in words: a table with one row a motif."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from dynome.dynamics.atlas.chance import ALPHA
from dynome.errors import InputError


def motif_table(results: xr.Dataset, *, n_nodes: int = 8) -> pd.DataFrame:
    """What an atlas says of each component, one row each.

    Parameters
    ----------
    results : Dataset
        As `DynamicConnectome.results_`.
    n_nodes : int
        How many of the strongest nodes are named.

    Returns
    -------
    DataFrame
        Indexed by component: ``weight``; ``p``, ``above_chance`` where there is a null; ``active (s)``, the intervals;
        ``animals`` that express it, strongest first; ``nodes``, the strongest of those that take part;
        ``n_nodes`` and ``n_communities``; ``during``, epochs with a false discovery rate of at most 0.05.

    Examples
    --------
    >>> from dynome.datasets import make_dynamic_communities
    >>> from dynome.dynamics import DynamicConnectome
    >>> worms = make_dynamic_communities(n_nodes=24, n_communities=2, n_animals=2, n_times=200, random_state=0)
    >>> atlas = DynamicConnectome(rank=2, n_null=0, n_restarts=2, random_state=0).fit(worms)
    >>> motif_table(atlas.results_, n_nodes=2).columns.tolist()
    ['weight', 'active (s)', 'animals', 'n_nodes', 'nodes', 'n_communities', 'during']
    """
    given: object = results
    if not isinstance(given, xr.Dataset) or "node_strength" not in given:
        raise InputError("expected the results_ of a fitted DynamicConnectome; give model.results_")
    return pd.DataFrame(
        [_row(results.isel(component=k), results, n_nodes) for k in range(results.sizes["component"])],
        index=pd.Index(results["component"].to_numpy(), name="component"),
    )


def _row(one: xr.Dataset, results: xr.Dataset, n_nodes: int) -> dict[str, object]:
    row: dict[str, object] = {"weight": round(float(one["weight"]), 2)}
    if "p_value" in one:
        row |= {"p": round(float(one["p_value"]), 4), "above_chance": bool(one["above_chance"])}
    mine = results["interval_component"].to_numpy() == one["component"].item()
    spans = zip(results["interval_start"].to_numpy()[mine], results["interval_stop"].to_numpy()[mine], strict=True)
    animals = one["animal_factor"].where(one["expressed"]).to_series().dropna().sort_values(ascending=False)
    taking_part = one["community"].to_series() >= 0
    strength = one["node_strength"].to_series()[taking_part].sort_values(ascending=False)
    return row | {
        "active (s)": ", ".join(f"{round(a)} to {round(b)}" for a, b in spans),
        "animals": ", ".join(map(str, animals.index)),
        "n_nodes": len(strength),
        "nodes": ", ".join(map(str, strength.index[:n_nodes])),
        "n_communities": int(one["n_communities"]),
        "during": ", ".join(_epochs(one)),
    }


def _epochs(one: xr.Dataset) -> list[str]:
    if "overlap_q" not in one:
        return []
    sure = one["overlap_q"].to_numpy() <= ALPHA
    order = np.argsort(-np.nan_to_num(one["overlap"].to_numpy()), kind="stable")
    return [str(one["epoch"].to_numpy()[k]) for k in order if sure[k]]
