"""Evidence for animals.py: labels join, what has no identity never does, clocks, padding, covariates and units."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from dynome import schema, study
from dynome.dynamics import align_animals, resample
from dynome.errors import InputError, SchemaError


def worm(nodes, *, n=60, rate=2.0, start=0.0, seed=0, labelled=None, units="dF/F", covariates=None, **coords):
    rng = np.random.default_rng(seed)
    rec = schema.recording(
        rng.standard_normal((n, len(nodes))),
        time=start + np.arange(n) / rate,
        node=nodes,
        units=units,
        covariates={"velocity": ("time", rng.standard_normal(n), {"units": "mm/s"}), **(covariates or {})},
    )
    if labelled is not None:
        coords["labelled"] = ("node", labelled)
    return rec.assign_coords(coords)


def test_nodes_are_joined_by_label_and_missing_ones_are_nan():
    a, b = worm(["AVAL", "AVAR", "RIML"]), worm(["RIML", "AVAL"], seed=1, start=77.0)
    out = align_animals(study.build({"w1": a, "w2": b}))
    assert out.activity.dims == ("animal", "time", "node")
    assert out.animal.values.tolist() == ["w1", "w2"]
    assert out.node.values.tolist() == ["AVAL", "AVAR", "RIML"]
    np.testing.assert_array_equal(out.activity.sel(animal="w2", node="RIML"), b.activity.sel(node="RIML"))
    np.testing.assert_array_equal(out.activity.sel(animal="w1", node="AVAR"), a.activity.sel(node="AVAR"))
    assert out.activity.sel(animal="w2", node="AVAR").isnull().all()
    assert out.activity.attrs["units"] == "dF/F"
    assert float(out.time[0]) == 0


def test_the_order_of_animals_and_nodes_does_not_matter():
    a, b = worm(["AVAL", "AVAR", "RIML"]), worm(["RIML", "AVAL"], seed=1)
    one = align_animals(study.build({"w1": a, "w2": b}))
    other = align_animals(study.build({"w2": b.isel(node=[1, 0]), "w1": a.isel(node=[2, 0, 1])}))
    xr.testing.assert_identical(one, other.sel(animal=["w1", "w2"]))


def test_traces_without_identity_are_never_joined():
    a = worm(["AVAL", "0"], labelled=[True, False])
    b = worm(["AVAL", "0"], labelled=[True, False], seed=1)
    tree = study.build({"w1": a, "w2": b})
    assert align_animals(tree).node.values.tolist() == ["AVAL"]
    assert "labelled" not in align_animals(tree).coords
    kept = align_animals(tree, labelled_only=False)
    assert kept.node.values.tolist() == ["AVAL", "w1:0", "w2:0"]
    assert kept.labelled.values.tolist() == [True, False, False]
    assert kept.activity.sel(animal="w2", node="w1:0").isnull().all()
    np.testing.assert_array_equal(kept.activity.sel(animal="w2", node="w2:0"), b.activity.sel(node="0"))


def test_min_animals_counts_animals_not_sessions():
    tree = study.build({"w1/day1": worm(["A", "B"]), "w1/day2": worm(["A", "B"]), "w2/day1": worm(["A"])})
    assert align_animals(tree, min_animals=2).node.values.tolist() == ["A"]
    assert align_animals(tree).node.values.tolist() == ["A", "B"]
    out = align_animals(tree)
    assert out.animal.values.tolist() == ["w1/day1", "w1/day2", "w2/day1"]
    assert out.session.values.tolist() == ["day1", "day2", "day1"]
    with pytest.raises(
        InputError, match=r"occur in 3 animals or more, found none \(the most shared of 2 labels occurs in 2"
    ):
        align_animals(tree, min_animals=3)


def test_shorter_recordings_are_padded_or_all_are_cut():
    tree = study.build({"w1": worm(["A"], n=60), "w2": worm(["A"], n=40)})
    longest, shortest = align_animals(tree), align_animals(tree, length="shortest")
    assert longest.sizes["time"] == 60
    assert shortest.sizes["time"] == 40
    assert longest.activity.sel(animal="w2")[40:].isnull().all()
    assert longest.velocity.sel(animal="w2")[40:].isnull().all()
    np.testing.assert_allclose(longest.duration, [30, 20])
    xr.testing.assert_identical(longest.activity[:, :40], shortest.activity)


def test_recordings_come_to_the_rate_of_the_slowest():
    fast, slow = worm(["A"], n=120, rate=4.0), worm(["A"], n=60, rate=2.0)
    out = align_animals(study.build({"fast": fast, "slow": slow}))
    np.testing.assert_allclose(out.time, np.arange(60) / 2)
    np.testing.assert_array_equal(out.activity.sel(animal="slow"), slow.activity)
    np.testing.assert_allclose(out.activity.sel(animal="fast"), resample(fast.activity, rate=2.0))
    np.testing.assert_allclose(align_animals(study.build({"fast": fast}), rate=1.0).time, np.arange(30))


def test_jittered_clocks_are_resampled_from_their_true_stamps():
    rng = np.random.default_rng(0)
    time = 500 + np.arange(300) * 0.6 + rng.uniform(-0.05, 0.05, 300)
    value = np.sin(time / 6)[:, None]
    rec = schema.recording(value, time=time, node=["A"], units="1")
    out = align_animals(study.build({"w": rec}))
    truth = np.sin((out.time + time[0]) / 6)
    assert float(np.abs(out.activity.isel(animal=0, node=0) - truth)[15:-15].max()) < 0.01


def test_covariates_of_every_kind_are_stacked():
    covariates = {
        "posture": (("time", "feature"), np.ones((60, 2)), {"units": "rad"}),
        "reversal": ("time", np.arange(60) % 2 == 0),
        "odour": ("time", np.full(60, "butanone")),
    }
    tree = study.build({"w1": worm(["A"], covariates=covariates), "w2": worm(["A"], n=40)})
    out = align_animals(tree)
    assert out.posture.dims == ("animal", "time", "feature")
    assert out.reversal.dtype == np.float64
    assert out.reversal.sel(animal="w1").values[:3].tolist() == [1, 0, 1]
    assert out.reversal.sel(animal="w2").isnull().all()
    assert out.odour.sel(animal="w1").values[0] == "butanone"
    assert (out.odour.sel(animal="w2") == "").all()
    assert out.velocity.attrs["units"] == "mm/s"


def test_coordinates_of_nodes_stay_simple_where_animals_agree():
    kinds = {"A": "sensory", "B": "motor"}
    a = worm(["A", "B"], cell_type=("node", ["sensory", "motor"]), x=("node", [1.0, 2.0], {"units": "um"}))
    b = worm(["A"], cell_type=("node", ["sensory"]), x=("node", [1.5], {"units": "um"}))
    out = align_animals(study.build({"w1": a, "w2": b}))
    assert {n: str(out.cell_type.sel(node=n).values) for n in "AB"} == kinds
    assert out.x.dims == ("animal", "node")
    np.testing.assert_array_equal(out.x, [[1.0, 2.0], [1.5, np.nan]])
    assert out.x.attrs["units"] == "um"


def test_spike_counts_are_aligned_as_counts():
    counts = np.random.default_rng(0).poisson(2, (60, 1))
    rec = schema.recording(spike_count=counts, time=np.arange(60) / 2, node=["A"])
    out = align_animals(study.build({"w1": rec, "w2": rec}), rate=1.0)
    assert out.spike_count.sel(animal="w1").sum() == counts.sum()


def test_lazy_recordings_stay_lazy():
    a, b = worm(["A", "B"]), worm(["B"], n=90, rate=3.0)
    tree = study.build({"w1": a, "w2": b})
    lazy = align_animals(study.build({"w1": a.chunk(time=20), "w2": b.chunk(time=20)}))
    assert lazy.activity.chunks is not None
    xr.testing.assert_allclose(lazy.compute(), align_animals(tree))


def test_the_study_is_not_changed():
    tree = study.build({"w1": worm(["A", "0"], labelled=[True, False]), "w2": worm(["A"], n=40)})
    before = tree.copy(deep=True)
    align_animals(tree)
    xr.testing.assert_identical(tree, before)


def test_attributes_that_all_share_are_kept():
    a, b = worm(["A"]).assign_attrs(species="C. elegans", date="Monday"), worm(["A"]).assign_attrs(species="C. elegans")
    assert align_animals(study.build({"w1": a, "w2": b})).attrs == {"node_kind": "neuron", "species": "C. elegans"}


def test_what_cannot_be_joined_is_refused():
    with pytest.raises(SchemaError, match="activity must have one unit"):
        align_animals(xr.DataTree.from_dict({"/w1": worm(["A"]), "/w2": worm(["A"], units="mV")}))
    odd = worm(["A"]).assign(velocity=("time", np.zeros(60), {"units": "um/s"}))
    with pytest.raises(SchemaError, match="velocity must have one unit, found 'mm/s' in /w1, 'um/s' in /w2"):
        align_animals(xr.DataTree.from_dict({"/w1": worm(["A"]), "/w2": odd}))
    with pytest.raises(
        InputError, match=r"length must be one of longest, shortest, got 'mean'\n.*rate must be a positive"
    ):
        align_animals(study.build({"w1": worm(["A"])}), length="mean", rate=0)
    with pytest.raises(InputError, match="found none"):
        align_animals(study.build({"w1": worm(["A"], labelled=[False])}))
