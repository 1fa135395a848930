"""Names that are part of the public API: dims, variables, groups and edge types."""

from __future__ import annotations

from typing import Literal

import xarray as xr

TIME, NODE, TRIAL, SESSION, ANIMAL = "time", "node", "trial", "session", "animal"
EDGE, EVENT, SOURCE, TARGET, PAIR = "edge", "event", "source", "target", "pair"
WINDOW, STATE, COMPONENT, COMMUNITY, CLUSTER = "window", "state", "component", "community", "cluster"
FEATURE, LAG, HORIZON, LAYER, BIN = "feature", "lag", "horizon", "layer", "bin"
RESTART, ITERATION, CHAIN, DRAW, FOLD = "restart", "iteration", "chain", "draw", "fold"

DIMS = (
    TIME, NODE, TRIAL, SESSION, ANIMAL, EDGE, EVENT, SOURCE, TARGET, PAIR, WINDOW, STATE, COMPONENT, COMMUNITY,
    CLUSTER, FEATURE, LAG, HORIZON, LAYER, BIN, RESTART, ITERATION, CHAIN, DRAW, FOLD,
)  # fmt: skip

ACTIVITY, SPIKE_COUNT = "activity", "spike_count"
MIXED = "mixed"
CONNECTOME, TRUTH, PHENOTYPE = "connectome", "truth", "phenotype"
BESIDE = (CONNECTOME, TRUTH, PHENOTYPE)  # children of a study that are no animals
EDGE_TYPES = (
    "chemical", "gap_junction", "functional", "peptidergic", "monoaminergic", "structural", "synaptic", "contact",
)  # fmt: skip

Kind = Literal["recording", "connectome", "functional_connectivity", "affinity", "study"]
XarrayObject = xr.Dataset | xr.DataArray | xr.DataTree
