"""Evidence for schema/: valid objects pass untouched, each defect is refused and told, lazy data stay lazy."""

from __future__ import annotations

import time as clock
from collections import Counter

import dask.array as da
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from strategies import connectomes, functional_connectivities, recordings, studies

from dynome import schema
from dynome.errors import SchemaError

QUICK = settings(max_examples=15, deadline=None)
FEW = settings(max_examples=3, deadline=None)


def exploding(shape, dtype=np.float64):
    """A dask array that cannot be computed."""

    def explode(block):
        raise RuntimeError("lazy data were loaded")

    return da.zeros(shape, dtype=dtype, chunks=-1).map_blocks(
        explode, dtype=dtype, meta=np.zeros((0,) * len(shape), dtype)
    )


def refused(obj, *messages, kind=None, lazy=False):
    with pytest.raises(SchemaError) as caught:
        schema.validate(obj, kind, lazy=lazy)
    for message in messages:
        caught.match(message)
    return str(caught.value)


# --- Valid objects ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("objects", "kind"),
    [
        (recordings(), "recording"),
        (connectomes(), "connectome"),
        (functional_connectivities(), "functional_connectivity"),
        (studies(), "study"),
    ],
    ids=["recording", "connectome", "functional_connectivity", "study"],
)
@QUICK
@given(data=st.data())
def test_a_valid_object_comes_back_itself_and_untouched(objects, kind, data):
    obj = data.draw(objects)
    before = obj.copy(deep=True)
    assert schema.kind_of(obj) == kind
    assert schema.validate(obj) is obj
    assert schema.validate(obj, kind, lazy=True) is obj
    assert obj.identical(before)


@QUICK
@given(obj=recordings() | connectomes())
def test_labels_may_be_strings_of_any_container(obj):
    text = [n for n, v in obj.variables.items() if v.dtype.kind == "U"]
    for convert in (lambda v: v.astype(object), lambda v: v.astype(np.dtypes.StringDType())):
        other = obj.assign({n: obj[n].copy(data=convert(obj[n].to_numpy())) for n in text if n != "node"})
        other = other.assign_coords(node=convert(obj["node"].to_numpy()))
        schema.validate(other)


@QUICK
@given(obj=connectomes(), seed=st.integers(0, 2**32 - 1))
def test_the_order_of_edges_and_nodes_does_not_matter(obj, seed):
    rng = np.random.default_rng(seed)
    schema.validate(obj.isel(edge=rng.permutation(obj.sizes["edge"]), node=rng.permutation(obj.sizes["node"])))


def test_an_empty_edge_list_is_a_connectome():
    none = np.zeros(0)
    empty = xr.Dataset(
        {
            "source": ("edge", none),  # what numpy makes of an empty list
            "target": ("edge", none),
            "weight": ("edge", none, {"units": "1"}),
            "edge_type": ("edge", none.astype(str)),
        },
        coords={"node": ["AVAL"]},
        attrs={"directed": 1},
    )
    schema.validate(empty, lazy=True)


# --- Recordings ------------------------------------------------------------------------------------------------------


def relabelled(rec, labels):
    return rec.isel(node=[0] * len(labels)).assign_coords(node=labels)


def timed(rec, stamps, units="s"):
    return rec.isel(time=[0] * len(stamps)).assign_coords(time=("time", stamps, {"units": units}))


def multi_indexed(rec):
    pairs = pd.MultiIndex.from_tuples([("a", k) for k in range(rec.sizes["node"])], names=["p", "q"])
    return rec.drop_vars("node").assign_coords(xr.Coordinates.from_pandas_multiindex(pairs, "node"))


def one_value(rec, name, value, dtype=np.float64):
    values = np.ones((rec.sizes["time"], rec.sizes["node"]), dtype=dtype)
    values[0, 0] = value
    units = {"activity": "1", "spike_count": "count"}[name]
    return rec.drop_vars("activity").assign({name: (("time", "node"), values, {"units": units})})


DEFECTS = {
    "repeated labels": (lambda r: relabelled(r, ["a", "b", "a"]), "unique, found repeated 'a'; rename or drop"),
    "empty labels": (lambda r: relabelled(r, ["a", ""]), "1 node labels are empty strings; give each node a label"),
    "missing labels": (lambda r: relabelled(r, np.array(["a", None], object)), "1 of 2 node labels are missing"),
    "missing numpy labels": (
        lambda r: relabelled(r, np.array(["a", np.nan], np.dtypes.StringDType(na_object=np.nan))),
        "1 of 2 node labels are missing",
    ),
    "no labels": (lambda r: r.drop_vars("node"), r"node must have labels, found none; assign them with .assign_coords"),
    "integers as labels": (lambda r: relabelled(r, [1, 2]), "must be strings, found dtype int64; convert with"),
    "a MultiIndex of labels": (multi_indexed, "node labels must be strings, found dtype object"),
    "no nodes": (lambda r: r.isel(node=[]), "needs at least one node, found none"),
    "no clock": (lambda r: r.drop_vars("time"), "time must be a coordinate in seconds, found none"),
    "a repeated stamp": (lambda r: timed(r, [0.0, 1, 1]), "strictly increasing, found 1 stamps .*first after 1 s"),
    "a clock that goes back": (lambda r: timed(r, [0.0, 2, 1, 0]), "found 2 stamps that repeat or go back"),
    "a stamp that is NaN": (lambda r: timed(r, [0.0, np.nan, 1]), "time must be finite, found 1 NaN or infinite"),
    "an infinite stamp": (lambda r: timed(r, [0.0, np.inf]), "time must be finite, found 1 NaN or infinite"),
    "one sample": (lambda r: timed(r, [0.0]), "needs at least 2 time samples, found 1"),
    "no sample": (lambda r: timed(r, np.zeros(0)), "needs at least 2 time samples, found 0"),
    "whole seconds": (lambda r: timed(r, [0, 1]), "float64 seconds, found int64; rebuild it"),
    "half precision": (lambda r: timed(r, np.array([0, 1], "f4")), "float64 seconds, found float32"),
    "dates": (lambda r: timed(r, pd.date_range("2026", periods=2)), "float64 seconds, found datetime64"),
    "milliseconds": (lambda r: timed(r, [0.0, 1], "ms"), """attrs\\["units"\\] == "s", found 'ms'"""),
    "siemens": (lambda r: timed(r, [0.0, 1], "S"), "found 'S'"),
    "no unit": (lambda r: r.assign(activity=r.activity.drop_attrs()), "numeric variables must .* on 'activity'"),
    "positions without unit": (lambda r: r.assign_coords(x=("node", np.ones(r.sizes["node"]))), "missing on 'x'"),
    "nothing recorded": (lambda r: r.drop_vars(list(r.data_vars)), "expected a variable activity or spike_count"),
    "nodes first": (lambda r: r.assign(activity=r.activity.T), r"must have dims \(time, node\), .*transpose it"),
    "text": (lambda r: r.assign(activity=r.activity.astype(str)), "activity must be numeric, found dtype <U"),
    "complex numbers": (lambda r: one_value(r, "activity", 1j, complex), "must be numeric, found dtype complex"),
    "an infinite value": (lambda r: one_value(r, "activity", -np.inf), "1 infinite values; NaN is the missing value"),
    "a silent node": (
        lambda r: r.assign(activity=r.activity.where(r.node != r.node[0])),
        "activity is NaN at all times for 1 nodes: '.*'; drop them",
    ),
    "negative counts": (lambda r: one_value(r, "spike_count", -1, int), "must be >= 0, found 1 negative values"),
    "half a spike": (lambda r: one_value(r, "spike_count", 0.5), "whole numbers, found 1 fractions; bin spikes"),
    "infinitely many spikes": (lambda r: one_value(r, "spike_count", np.inf), "spike_count has 1 infinite values"),
    "a rate": (
        lambda r: r.assign(spike_count=(("time", "node"), np.ones(r.activity.shape), {"units": "Hz"})),
        "== \"count\", found 'Hz'; put rates into activity",
    ),
    "an attribute that is None": (lambda r: r.assign_attrs(age=None), "attrs\\['age'\\] of the recording must be str"),
    "an attribute that is a dict": (lambda r: r.assign_attrs(lab={"a": 1}), "attrs\\['lab'\\] of the recording"),
    "a numbered attribute": (lambda r: r.assign_attrs({3: "x"}), "attrs\\[3\\] of the recording"),
    "an odd attribute of a variable": (
        lambda r: r.assign(activity=r.activity.assign_attrs(range=[[0, 1]])),
        "attrs\\['range'\\] of activity",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "message"), DEFECTS.values(), ids=DEFECTS)
@FEW
@given(rec=recordings())
def test_each_defect_of_a_recording_is_told(spoil, message, rec):
    if "x" in rec.coords:
        rec = rec.drop_vars("x")
    refused(spoil(rec), message, kind="recording")


@FEW
@given(rec=recordings())
def test_missing_dims_are_told(rec):
    refused(rec.rename(node="neuron"), "missing 'node', found", kind="recording")


def test_an_attribute_may_be_a_number_of_numpy_or_an_array():
    attrs = {"rate": np.float32(2), "n": np.int64(3), "scale": np.array(5.0), "box": np.arange(3), "ok": np.bool_(True)}
    schema.recording(np.ones((2, 1)), time=[0, 1], node=["a"], units="1", attrs=attrs)


def test_all_problems_of_a_recording_are_told_at_once():
    rec = xr.Dataset(
        {
            "activity": (("time", "node"), [[np.inf, np.nan], [1, np.nan]]),
            "spike_count": (("time", "node"), -np.ones((2, 2))),
        },
        coords={"time": [1.0, 0.0], "node": ["a", "a"]},
        attrs={"age": None},
    )
    told = refused(rec)
    for problem in ("units", "increasing", "unique", "infinite", "at all times", "negative", "attrs['age']"):
        assert problem in told
    assert told.startswith("recording is not valid:\n  - ")
    assert told.count("\n  - ") == 8


# --- Connectomes -----------------------------------------------------------------------------------------------------


def wiring(**columns):
    """Three edges of a directed worm, one of them a gap junction stored both ways."""
    edges = {
        "source": ["AVAL", "AVAR", "AVAL"],
        "target": ["VA08", "AVAL", "AVAR"],
        "weight": [3, 2, 2],
        "edge_type": ["chemical", "gap_junction", "gap_junction"],
    } | columns
    data = {
        n: ("edge", np.asarray(v) if not isinstance(v, np.ndarray) else v) for n, v in edges.items() if v is not None
    }
    out = xr.Dataset(data, coords={"node": ["AVAL", "AVAR", "VA08"]}, attrs={"directed": 1})
    if "weight" in out:
        out["weight"].attrs["units"] = "synapses"
    return out


WIRING_DEFECTS = {
    "an unknown target": (lambda: wiring(target=["VA8", "AVAL", "AVAR"]), "target must name nodes, found .* 'VA8'"),
    "a missing source": (
        lambda: wiring(source=np.array([None, "AVAR", "AVAL"], object)),
        "source is missing for 1 edges; name the nodes or drop the edges",
    ),
    "positions": (lambda: wiring(source=[0, 1, 0]), "must hold labels, found dtype int64 in 'source'; positions"),
    "no weight": (lambda: wiring(weight=None), "expected variables source, target, weight, edge_type on edge, missing"),
    "weights as text": (lambda: wiring(weight=["a", "b", "c"]), "weight must be numeric, found dtype <U1"),
    "a weight that is NaN": (lambda: wiring(weight=[np.nan, 2, 2]), "weight must be finite, found 1 NaN or infinite"),
    "negative synapses": (lambda: wiring(weight=[-1, 2, 2]), "weight in synapses must be >= 0, found 1 negative; put"),
    "an unknown edge type": (
        lambda: wiring(edge_type=["synapse", "gap_junction", "gap_junction"]),
        "edge_type must be one of chemical, .*; found 'synapse'",
    ),
    "a missing edge type": (
        lambda: wiring(edge_type=np.array([None, "gap_junction", "gap_junction"], object)),
        "edge_type cannot be read: 1 of 2 labels are missing",
    ),
    "a repeated edge": (
        lambda: wiring(source=["AVAL"] * 3, target=["VA08"] * 3, edge_type=["chemical"] * 3),
        "an edge may occur once per edge_type, found 2 repeats; sum them",
    ),
    "a one-way gap junction": (
        lambda: wiring().isel(edge=[0, 1]),
        r"stored in both directions with one weight, found 1 one-way edges \(AVAR-AVAL\); symmetrise",
    ),
    "gap junctions of unequal weight": (
        lambda: wiring(weight=[3, 2, 4]),
        r"with one weight, found 2 unequal weights \(AVAL-AVAR, AVAR-AVAL\); symmetrise",
    ),
    "an undirected connectome stored once": (
        lambda: wiring(edge_type=["chemical"] * 3).isel(edge=[0]).assign_attrs(directed=0),
        r"found 1 one-way edges \(AVAL-VA08\)",
    ),
    "no word on direction": (lambda: wiring().drop_attrs(deep=False), r'\["directed"\] must be 1 or 0, found None'),
    "an odd word on direction": (lambda: wiring().assign_attrs(directed="yes"), "must be 1 or 0, found 'yes'"),
    "a list of directions": (lambda: wiring().assign_attrs(directed=np.array([0, 1])), "must be 1 or 0"),
    "a sign of two": (lambda: wiring(sign=[2, 0, 0]), "sign must be -1, 0 or 1, found 2"),
    "a sign in words": (lambda: wiring(sign=["+", "-", "-"]), "sign must be -1, 0 or 1, found dtype <U1"),
    "a sign of nodes": (
        lambda: wiring().assign(sign=("node", [1, 1, 1])),
        "'sign' must have the single dim edge",
    ),
    "a delay without unit": (lambda: wiring(delay=[1.0, 2, 2]), 'delay must have attrs\\["units"\\] of time'),
    "repeated nodes": (lambda: wiring().assign_coords(node=["AVAL", "AVAL", "VA08"]), "found repeated 'AVAL'"),
    "no unit": (lambda: wiring().assign(weight=wiring().weight.drop_attrs()), 'weight must have attrs\\["units"\\]'),
    "an attribute of a column": (
        lambda: wiring().assign(weight=wiring().weight.assign_attrs(source={})),
        "attrs\\['source'\\] of weight must be str",
    ),
}  # fmt: skip


def test_the_connectome_that_is_spoilt_below_is_valid():
    assert schema.kind_of(wiring()) == "connectome"
    schema.validate(wiring(sign=[1, 0, 0]))
    schema.validate(wiring().assign(delay=("edge", [1, np.nan, 0], {"units": "ms"})))


@pytest.mark.parametrize(("spoilt", "message"), WIRING_DEFECTS.values(), ids=WIRING_DEFECTS)
def test_each_defect_of_a_connectome_is_told(spoilt, message):
    refused(spoilt(), message, kind="connectome")


@pytest.mark.parametrize(("values", "bad"), [([-1.0, 2, 2], 1), ([np.inf, np.nan, 2], 1)])
def test_delays_are_times(values, bad):
    refused(
        wiring().assign(delay=("edge", values, {"units": "s"})), f"delay must be finite and >= 0, found {bad} values"
    )


def test_weights_of_mixed_units_tell_each():
    mixed = wiring()
    mixed["weight"].attrs = {"units": "mixed", "units_gap_junction": "nS"}
    refused(mixed, r"mixed units; tell each in attrs\[\"units_\{edge_type\}\"\], missing for 'chemical'")
    mixed["weight"].attrs["units_chemical"] = "synapses"
    schema.validate(mixed)
    assert schema.weight_unit(mixed, "gap_junction") == "nS"
    mixed["weight"] = mixed.weight.copy(data=[3, -2, -2])
    schema.validate(mixed)  # a negative conductance is odd, but it is no count
    mixed["weight"] = mixed.weight.copy(data=[-3, 2, 2])
    refused(mixed, "weight in synapses must be >= 0, found 1 negative")


def test_as_many_one_way_edges_are_told_as_there_are():
    n = 40
    node = np.array([f"N{k:02d}" for k in range(n)])
    i, j = np.array([(a, b) for a in range(n) for b in range(n) if a != b]).T
    keep = ~((i == 0) & (j == 1)) & ~((i == 30) & (j == 7))
    gaps = xr.Dataset(
        {
            "source": ("edge", node[i[keep]]),
            "target": ("edge", node[j[keep]]),
            "weight": ("edge", np.ones(keep.sum()), {"units": "1"}),
            "edge_type": ("edge", np.full(keep.sum(), "gap_junction")),
        },
        coords={"node": node},
        attrs={"directed": 1},
    )
    refused(gaps, r"found 2 one-way edges \(N01-N00, N07-N30\)")


def test_all_problems_of_a_connectome_are_told_at_once():
    spoilt = wiring(
        source=["X", "AVAR", "AVAL"],
        target=["VA08", "Y", "AVAR"],
        weight=[-1, np.nan, 2],
        sign=[5, 0, 0],
        edge_type=["blood", "gap_junction", "gap_junction"],
    ).assign_attrs(directed=3)
    told = refused(spoilt)
    for problem in ("'X'", "'Y'", "negative", "NaN", "sign", "'blood'", "directed"):
        assert problem in told


def test_a_hundred_thousand_edges_are_checked_quickly():
    rng = np.random.default_rng(0)
    n, m = 10_000, 100_000
    node = np.array([f"{720575940600000000 + 977 * k}" for k in range(n)])
    key = rng.choice(n * n, m, replace=False)
    large = xr.Dataset(
        {
            "source": ("edge", node[key // n]),
            "target": ("edge", node[key % n]),
            "weight": ("edge", rng.integers(1, 9, m), {"units": "synapses"}),
            "edge_type": ("edge", np.full(m, "chemical")),
        },
        coords={"node": node},
        attrs={"directed": 1},
    )

    def seconds():
        started = clock.perf_counter()
        schema.validate(large)
        return clock.perf_counter() - started

    assert min(seconds() for _ in range(3)) < 1.0


@QUICK
@given(obj=connectomes())
def test_edge_types_and_their_codes_give_the_column_back(obj):
    types, code = schema.edge_types(obj)
    assert [types[k] for k in code] == obj["edge_type"].values.tolist()
    assert types == sorted(types, key=schema.EDGE_TYPES.index)


# --- Functional connectivity and kinds -------------------------------------------------------------------------------


@FEW
@given(fc=functional_connectivities())
def test_each_defect_of_a_functional_connectivity_is_told(fc):
    kind = "functional_connectivity"
    refused(fc.transpose("target", ..., "source"), r"the last dims must be \(source, target\).*transpose", kind=kind)
    refused(fc.drop_attrs(), r'expected attrs\["units"\]; use "1" for correlations', kind=kind)
    refused(fc.drop_vars("target"), "target must have labels, found none", kind=kind)
    refused(fc.astype(complex), "values must be numeric, found dtype complex128", kind=kind)
    refused(fc.assign_attrs(kind=None), "attrs\\['kind'\\] of the functional connectivity", kind=kind)
    if fc.size:
        refused(xr.full_like(fc, np.inf), f"found {fc.size} infinite values", kind=kind)


@pytest.mark.parametrize(
    "obj", [xr.Dataset(), xr.DataArray(np.ones((2, 2)), dims=("time", "node")), np.ones((2, 2)), None, "study.zarr"]
)
def test_what_is_nothing_of_the_schema_is_refused_with_what_was_expected(obj):
    refused(obj, rf"expected a recording .* or a study \(DataTree\), found {type(obj).__name__} with dims")


def test_an_unknown_kind_and_an_object_of_another_kind_are_told():
    refused(wiring(), "kind must be one of recording, .*, got 'atlas'", kind="atlas")
    refused(wiring(), "expected dims time and node, missing 'time'", kind="recording")
    refused(wiring(), "expected an xarray DataTree, found Dataset", kind="study")


# --- Lazy data -------------------------------------------------------------------------------------------------------


def lazily(rec):
    return rec.assign({n: rec[n].copy(data=exploding(rec[n].shape, rec[n].dtype)) for n in rec.data_vars})


@FEW
@given(rec=recordings())
def test_lazy_recordings_are_checked_without_being_loaded(rec):
    lazy = lazily(rec)
    assert schema.validate(lazy) is lazy
    refused(lazily(rec).rename(node="n").assign_coords(n=rec.node.values), "missing 'node'", kind="recording")
    with pytest.raises(RuntimeError, match="lazy data were loaded"):
        schema.validate(lazy, lazy=True)


@pytest.mark.parametrize("column", ["source", "weight", "edge_type", "sign"])
def test_one_lazy_column_is_enough_for_a_connectome_not_to_be_loaded(column):
    lazy = wiring(sign=[1, 0, 0])
    lazy[column] = lazy[column].copy(data=exploding((3,), lazy[column].dtype))
    assert schema.validate(lazy) is lazy
    with pytest.raises(RuntimeError, match="lazy data were loaded"):
        schema.validate(lazy, lazy=True)


def test_lazy_matrices_and_studies_are_not_loaded():
    matrix = xr.DataArray(
        exploding((2, 2)),
        dims=("source", "target"),
        coords={"source": ["a", "b"], "target": ["a", "b"]},
        attrs={"units": "1"},
    )
    schema.validate(matrix)
    rec = schema.recording(exploding((3, 2)), time=[0, 1, 2], node=["AVAL", "VA08"], units="1")
    study = xr.DataTree.from_dict({"/worm": rec, "/connectome": wiring()})
    schema.validate(study)
    for obj in (matrix, study):
        with pytest.raises(RuntimeError, match="lazy data were loaded"):
            schema.validate(obj, lazy=True)


def test_lazy_values_are_looked_at_chunk_by_chunk_and_once():
    seen = Counter()

    def block(block_info=None):
        place = block_info[None]["chunk-location"]
        seen[place] += 1
        values = np.ones(block_info[None]["chunk-shape"])
        if place == (2, 1):
            values[0, 0], values[0, 1] = -3, 0.5
        return values

    counts = da.map_blocks(block, chunks=((4,) * 3, (2, 2)), dtype=float, meta=np.zeros((0, 0)))
    lazy = schema.recording(spike_count=counts, time=np.arange(12), node=list("abcd"))
    assert not seen
    refused(lazy, "found 1 negative values", "found 1 fractions", lazy=True)
    assert seen == {(i, j): 1 for i in range(3) for j in range(2)}


# --- Building recordings ---------------------------------------------------------------------------------------------


def test_arrays_and_names_become_a_recording():
    rec = schema.recording(
        np.arange(6).reshape(3, 2),
        time=[0, 1, 2],
        node=[720575940600000001, 720575940600000002],
        units="dF/F",
        spike_count=np.ones((3, 2), dtype=np.uint8),
        covariates={"velocity": ("time", [0.1, 0.2, 0.3], {"units": "mm/s"})},
        node_kind="parcel",
        attrs={"subject": "worm1"},
    )
    assert rec.activity.sel(node="720575940600000002").values.tolist() == [1, 3, 5]
    assert rec.time.dtype == np.float64
    assert (rec.time.attrs, rec.spike_count.attrs) == ({"units": "s"}, {"units": "count"})
    assert rec.spike_count.dtype == np.uint8
    assert rec.attrs == {"node_kind": "parcel", "subject": "worm1"}


def test_lazy_arrays_stay_lazy():
    rec = schema.recording(exploding((2, 1)), time=[0, 1], node=["a"], units="1", spike_count=exploding((2, 1), int))
    assert rec.activity.chunks is not None
    assert rec.spike_count.chunks is not None


def test_a_clock_that_brings_its_unit_is_converted():
    ms = xr.DataArray([0, 500, 1000], dims="time", attrs={"units": "ms"})
    rec = schema.recording(np.ones((3, 1)), time=ms, node=["a"], units="1")
    np.testing.assert_allclose(rec.time, [0, 0.5, 1])


def test_a_data_array_is_put_in_by_its_dims_not_by_their_order():
    activity = xr.DataArray(np.arange(4.0).reshape(2, 2), dims=("node", "time"))
    with pytest.raises(SchemaError, match=r"activity must have dims \(time, node\), found \('node', 'time'\)"):
        schema.recording(activity, time=[0, 1], node=["a", "b"], units="1")
    assert schema.recording(activity.T, time=[0, 1], node=["a", "b"], units="1").activity.sel(node="b")[0] == 2


BAD_PARTS = {
    "dates": ({"time": pd.date_range("2026", periods=2)}, r"found dtype datetime64.*np.timedelta64\(1, 's'\)"),
    "times as text": ({"time": ["0", "1"]}, "in seconds, found dtype <U1"),
    "a clock in volts": ({"time": xr.DataArray([0, 1], attrs={"units": "V"})}, "expected a unit of time .*got 'V'"),
    "a table of times": ({"time": [[0, 1]]}, r"one-dimensional and in seconds, .*shape \(1, 2\)"),
    "a missing label": ({"node": ["a", None]}, "node: 1 of 2 labels are missing"),
    "too few labels": ({"node": ["a"]}, "arrays do not fit together: .*conflicting sizes for dimension 'node'"),
    "another clock": (
        {"covariates": {"v": xr.DataArray([1.0, 2], dims="time", coords={"time": [0.0, 1.1]}, attrs={"units": "1"})}},
        "v has other values of time than the recording; interpolate or select it first",
    ),
    "other nodes": (
        {"activity": xr.DataArray(np.ones((2, 2)), dims=("time", "node"), coords={"node": ["b", "a"]})},
        "activity has other values of node than the recording",
    ),
    "a covariate called activity": (
        {"covariates": {"activity": ("time", [1.0, 2])}},
        "'activity' cannot be names of covariates; rename them",
    ),
    "a covariate that is no variable": ({"covariates": {"v": ("time",)}}, "arrays do not fit together"),
    "no unit": ({"units": None}, "missing on 'activity'"),
    "nothing": ({"activity": None}, "expected a variable activity or spike_count"),
}  # fmt: skip


@pytest.mark.parametrize(("part", "message"), BAD_PARTS.values(), ids=BAD_PARTS)
def test_arrays_that_make_no_recording_are_told(part, message):
    good = {"activity": np.ones((2, 2)), "time": [0, 1], "node": ["a", "b"], "units": "1"}
    schema.recording(**good)
    with pytest.raises(SchemaError, match=message):
        schema.recording(**good | part)


def test_problems_of_arrays_are_told_at_once():
    with pytest.raises(SchemaError, match=r"(?s)time must be.*node: 1 of 2.*'time' cannot be names"):
        schema.recording(np.ones((2, 2)), time=["a", "b"], node=["a", None], units="1", covariates={"time": 1})
