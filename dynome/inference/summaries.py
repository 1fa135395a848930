"""Structure and function side by side: by layer, by pair, by bin of weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome import units
from dynome.inference.associations import NAMES, association, prepared, strength
from dynome.inference.pairs import Floats, Pairs, Wired
from dynome.schema import PAIR

Variables = dict[str, Any]

_N_BINS = 6


def layer_contrasts(observed: Sequence[Wired], pairs: Pairs, unit: str) -> Variables:
    """Connected against unconnected pairs, by layer."""
    ranks = prepared(pairs.fc, "auc")
    connected = [np.isin(np.arange(pairs.fc.size), w.pair) for w in observed]
    auc = [association(w, ranks, "auc") for w in observed]
    return {
        "auc": ("layer", auc, {"units": units.DIMENSIONLESS, "long_name": NAMES["auc"]}),
        "fc_connected": ("layer", [_mean(pairs.fc[c]) for c in connected], {"units": unit}),
        "fc_unconnected": ("layer", [_mean(pairs.fc[~c]) for c in connected], {"units": unit}),
        "n_connected": ("layer", [w.pair.size for w in observed], {"units": "count"}),
    }


def pair_table(
    observed: Sequence[Wired], pairs: Pairs, fc_attrs: Mapping[Any, Any], weight_attrs: Mapping[str, str]
) -> Variables:
    """Connectivity and weight of every known pair."""
    weight = np.zeros((len(observed), pairs.fc.size))
    connected = np.zeros(weight.shape, dtype=bool)
    for k, wired in enumerate(observed):
        weight[k, wired.pair], connected[k, wired.pair] = wired.weight, True
    named = {"units": fc_attrs["units"], "long_name": fc_attrs.get("long_name", "functional connectivity")}
    return {
        "fc": (PAIR, pairs.fc, named),
        "weight": (("layer", PAIR), weight, dict(weight_attrs)),
        "connected": (("layer", PAIR), connected),
    }


def binned_means(observed: Sequence[Wired], pairs: Pairs, fc_unit: str, weight_unit: str) -> Variables:
    """Mean connectivity of pairs by weight: unconnected ones, then equal shares of the connected ones."""
    shape = (len(observed), _N_BINS + 1)
    weight, mean, error = (np.full(shape, np.nan) for _ in range(3))
    n = np.zeros(shape, dtype=np.int64)
    for k, wired in enumerate(observed):
        full, bin_of = np.zeros(pairs.fc.size), np.zeros(pairs.fc.size, dtype=np.int64)
        full[wired.pair], bin_of[wired.pair] = wired.weight, 1 + _shares(strength(wired.weight))
        for b in np.unique(bin_of):
            own = pairs.fc[bin_of == b]
            weight[k, b], mean[k, b], n[k, b] = full[bin_of == b].mean(), own.mean(), own.size
            error[k, b] = own.std(ddof=1) / np.sqrt(own.size) if own.size > 1 else np.nan
    dims = ("layer", "bin")
    return {
        "bin_weight": (dims, weight, {"units": weight_unit}),
        "bin_fc": (dims, mean, {"units": fc_unit}),
        "bin_sem": (dims, error, {"units": fc_unit}),
        "bin_n": (dims, n, {"units": "count"}),
    }


def _shares(values: Floats) -> NDArray[np.int64]:
    """Which of `_N_BINS` equal shares each value is in; equal values are together."""
    if not values.size:
        return np.zeros(0, dtype=np.int64)
    inner = np.quantile(values, np.linspace(0, 1, _N_BINS + 1)[1:-1])
    return np.unique(np.searchsorted(inner, values, side="right"), return_inverse=True)[1]


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")
