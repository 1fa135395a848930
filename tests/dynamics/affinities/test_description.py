"""Evidence for the description of affinities: scaling, thresholds, missing nodes, invariances, units, errors."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema, store, study
from dynome.dynamics import affinity, affinity_tensor, align_animals, derivative, fold, standardize
from dynome.errors import InputError, SchemaError


def worms(seed=0, n_time=120, rate=2.0):
    rng = np.random.default_rng(seed)
    time = np.arange(n_time) / rate
    nodes = {"w1": list("abcd"), "w2": list("bcde")}
    traces = {name: np.cumsum(rng.standard_normal((n_time, 4)), axis=0) for name in nodes}
    return study.build({n: schema.recording(traces[n], time=time, node=nodes[n], units="dF/F") for n in nodes})


def changed(data, change):
    return study.build({name: change(rec) for name, rec in study.sessions(data).items()})


def one(x, t, nodes="uvw", units="1"):
    return schema.recording(np.asarray(x), time=t, node=list(nodes)[: np.shape(x)[1]], units=units)


def test_rates_are_the_derivative_of_standardized_traces():
    data = worms()
    found = affinity(data, smooth=1.5)
    expected = derivative(standardize(align_animals(data).activity), width=1.5)
    np.testing.assert_allclose(found["rate"], expected.transpose("animal", "time", "node"))
    assert found["rate"].attrs["units"] == "1/s"


def test_a_description_is_valid_plain_data_and_survives_the_disk(tmp_path):
    found = affinity(worms(), lag=1.0, signed=True)
    assert schema.kind_of(found) == "affinity"
    store.save(found, tmp_path / "a.zarr")
    again = store.open(tmp_path / "a.zarr").load()
    xr.testing.assert_identical(again, found)
    xr.testing.assert_identical(affinity_tensor(again), affinity_tensor(found))


def test_selecting_from_the_description_selects_from_the_tensor():
    found = affinity(worms())
    whole = affinity_tensor(found)
    part = {"time": slice(3, 40), "animal": [1], "pair": [5, 2, 7]}
    xr.testing.assert_identical(affinity_tensor(found.isel(part)), whole.isel(part))


def test_a_description_that_lost_nodes_is_refused():
    found = affinity(worms())
    with pytest.raises(SchemaError, match=r"pairs name nodes that are not there: 'a\|b'"):
        affinity_tensor(found.isel(node=slice(1, None)))
    with pytest.raises(SchemaError, match="attrs\\['kernel'\\] must be a string, found None"):
        affinity_tensor(found.drop_attrs().assign_attrs(signed=0))


def test_a_pair_is_missing_where_one_of_its_nodes_is():
    found = affinity_tensor(affinity(worms()))
    assert bool(found.sel(animal="w2", pair="a|b").isnull().all())
    assert not bool(found.sel(animal="w1", pair="a|b").isnull().any())
    assert "a|e" not in found.pair  # never recorded together


def test_pairs_of_few_animals_can_be_left_out():
    found = affinity_tensor(affinity(worms(), min_animals=2))
    assert set(found.pair.to_numpy()) == {"b|c", "b|d", "c|d"}
    assert not bool(found.isnull().any())


def test_one_missing_sample_is_missing_in_its_pairs_alone():
    data = align_animals(worms())
    data["activity"][0, 50, 1] = np.nan
    missing = affinity_tensor(affinity(data)).isnull()
    holed = missing & ~missing.all("time")
    assert set(holed.any("time").sel(animal="w1").pair[holed.any("time").sel(animal="w1")].values) == {
        "a|b", "b|c", "b|d",
    }  # fmt: skip
    assert int(holed.sum()) == 3
    assert not bool(holed.isel(time=[49, 51]).any())


def test_a_constant_trace_counts_as_missing():
    data = changed(worms(), lambda r: r.assign(activity=r.activity.where(r.node != "b", 3.0)))
    found = affinity(data)
    assert found.attrs["n_constant"] == 2
    assert bool(found["rate"].sel(node="b").isnull().all())
    assert not any("b" in p.split("|") for p in found.pair.to_numpy().tolist())


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), gain=st.floats(0.01, 100), offset=st.floats(-50, 50))
def test_gain_and_offset_of_a_trace_do_not_matter(seed, gain, offset):
    data = worms(seed)
    moved = changed(data, lambda r: r.assign(activity=(r.activity * gain + offset).assign_attrs(units="1")))
    for kernel, threshold in (("geomean", 0.0), ("min", 1.0)):
        a, b = (affinity_tensor(affinity(x, kernel=kernel, threshold=threshold)) for x in (moved, data))
        np.testing.assert_allclose(a, b, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(4)), kernel=st.sampled_from(["geomean", "harmonic"]))
def test_the_order_of_nodes_does_not_matter(seed, order, kernel):
    data = worms(seed)
    shuffled = changed(data, lambda r: r.isel(node=list(order)))
    a, b = (fold(affinity_tensor(affinity(x, kernel=kernel)).isel(time=[5, 50])) for x in (data, shuffled))
    xr.testing.assert_allclose(a, b.sel(source=a.source, target=a.target))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), kernel=st.sampled_from(["geomean", "product", "min", "harmonic"]))
def test_reversing_time_swaps_rises_and_falls(seed, kernel):
    data = worms(seed)
    back = changed(data, lambda r: r.assign(activity=r.activity.copy(data=r.activity.to_numpy()[::-1])))
    rises = affinity_tensor(affinity(data, kernel=kernel, direction="rise"))
    falls = affinity_tensor(affinity(back, kernel=kernel, direction="fall"))
    np.testing.assert_allclose(rises, falls.isel(time=slice(None, None, -1)), atol=1e-9)


def test_rises_and_falls_add_up_to_both():
    rises, falls, both = (affinity_tensor(affinity(worms(), direction=d)) for d in ("rise", "fall", "both"))
    assert float(rises.max()) > 0 < float(falls.max())
    np.testing.assert_allclose(rises + falls, both)


def test_a_threshold_leaves_what_stands_out_of_the_noise():
    rng = np.random.default_rng(0)
    t = np.arange(600) / 4
    step = np.where(t > 75, 5.0, 0.0)[:, None]
    rec = one(step + 0.2 * rng.standard_normal((600, 2)), t)
    free, strict = (affinity_tensor(affinity(rec, threshold=k)).squeeze() for k in (0.0, 4.0))
    assert float((free > 0).mean()) > 0.3
    assert 0 < float((strict > 0).mean()) < 0.05
    assert abs(float(strict.idxmax("time")) - 75) < 1
    d = affinity(rec)["rate"].squeeze()
    floor = 4 * 1.4826 * abs(d - d.median("time")).median("time")
    np.testing.assert_allclose(
        affinity(rec, threshold=4.0)["rate"].squeeze(), np.sign(d) * (abs(d) - floor).clip(0), atol=1e-4
    )


def test_scales_change_the_unit_where_they_should():
    data = worms()
    units = {k: affinity(data, kernel=k).attrs["units"] for k in ("geomean", "product", "min", "correlation")}
    assert units == {"geomean": "1/s", "product": "1/s^2", "min": "1/s", "correlation": "1"}
    raw = affinity(data, scale="none")
    assert (raw.attrs["units"], affinity(data, kernel="product", scale="none").attrs["units"]) == (
        "dF/F/s", "(dF/F/s)^2",
    )  # fmt: skip
    aligned = align_animals(data).activity
    np.testing.assert_allclose(raw["rate"], derivative(aligned, width=1.0).transpose("animal", "time", "node"))
    largest = affinity(data, scale="max")["rate"] * np.abs(aligned).max("time")
    np.testing.assert_allclose(largest.transpose(*raw["rate"].dims), raw["rate"])


def test_one_recording_alone_and_an_array_are_taken():
    rec = worms()["w1"].to_dataset()
    a, b = affinity(rec), affinity(align_animals(worms()).activity)
    assert a.sizes == {"animal": 1, "time": 120, "node": 4, "pair": 6}
    np.testing.assert_allclose(a["rate"][0], b["rate"].sel(animal="w1", node=list("abcd")))


def test_lazy_input_gives_the_same():
    data = align_animals(worms())
    xr.testing.assert_identical(affinity(data.chunk({"time": 40})), affinity(data))


def test_the_input_is_not_changed():
    data = align_animals(worms())
    before = data.copy(deep=True)
    affinity_tensor(affinity(data, threshold=1.0, direction="rise"))
    xr.testing.assert_identical(data, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"kernel": "cos"},
            "kernel must be one of geomean, product, min, harmonic, gauss, correlation, got 'cos'",
        ),
        ({"direction": "up"}, "direction must be one of both, rise, fall"),
        ({"scale": "sd"}, "scale must be one of zscore, robust, max, none"),
        ({"threshold": -1.0}, "threshold must be a number of at least 0"),
        ({"lag": np.inf}, "lag must be a number of at least 0"),
        ({"lag": 60.0}, "lag must be below the 60 s recorded"),
        ({"bandwidth": 0.0, "kernel": "gauss", "threshold": 1.0}, "bandwidth must be a number above 0"),
        ({"bandwidth": 1.0}, "only the kernel gauss has a bandwidth"),
        ({"kernel": "gauss"}, "give a threshold above 0"),
        ({"kernel": "correlation", "scale": "max"}, "correlation is of z-scores"),
        ({"min_animals": 0}, "min_animals must be at least 1"),
        ({"min_animals": 3}, "no two of 5 nodes were recorded together in 3 animals"),
    ],
)
def test_what_cannot_be_described_is_told(options, message):
    with pytest.raises(InputError, match=message):
        affinity(worms(), **options)


def test_problems_are_told_at_once():
    with pytest.raises(InputError, match=r"(?s)kernel must be.*direction must be.*lag must be"):
        affinity(worms(), kernel="x", direction="y", lag=-1.0)


def test_an_uneven_clock_is_refused_and_resampling_advised():
    rec = worms()["w1"].to_dataset().isel(time=[*range(50), *range(60, 120)])
    for kernel in ("geomean", "correlation"):
        with pytest.raises(InputError, match="resample"):
            affinity(rec, kernel=kernel)


def test_input_of_another_kind_is_refused():
    with pytest.raises(InputError, match="expected a variable activity, found 'spikes'"):
        affinity(xr.Dataset({"spikes": ("time", [1.0, 2.0])}))
    with pytest.raises(InputError, match="expected dims animal, time and node, found"):
        affinity(worms()["w1"].activity.expand_dims(trial=2))
    with pytest.raises(InputError, match="expected labels on 'node'"):
        affinity(worms()["w1"].activity.drop_vars("node"))


@pytest.mark.realdata
def test_real_worms_share_affinities_of_homologues(data_dir):
    from dynome.datasets import fetch_celegans_calcium

    animals = align_animals(fetch_celegans_calcium(), rate=1.5, min_animals=4)
    found = affinity(animals, min_animals=4)
    mean = affinity_tensor(found).mean(("time", "animal"))
    left = [s[:-1] == t[:-1] and s != t for s, t in zip(mean.source.values, mean.target.values, strict=True)]
    assert sum(left) > 5
    assert float(mean[left].mean()) > 1.3 * float(mean.mean())


def test_what_is_no_recording_is_refused_by_name():
    with pytest.raises(InputError, match="expected a study, a recording or an array with labels, found ndarray"):
        affinity(np.zeros((3, 2)))


def test_traces_that_never_change_are_counted_where_nothing_is_left():
    flat = schema.recording(np.ones((50, 3)), time=np.arange(50) / 2, node=list("abc"), units="dF/F")
    with pytest.raises(InputError, match=r"\(3 traces never change, and count as missing\)"):
        affinity(flat)
