"""Evidence for pynapple in and out: nodes, their coordinates and the time support survive; spikes are never made up."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from dynome import schema
from dynome.datasets import from_pynapple, to_pynapple
from dynome.errors import InputError

nap = pytest.importorskip("pynapple")

CLOCK = np.array([0.0, 0.5, 1.1, 1.5, 2.0, 3.0])


def recording(**coords) -> xr.Dataset:
    rng = np.random.default_rng(0)
    rec = schema.recording(
        rng.normal(size=(6, 2)),
        time=CLOCK,
        node=["AVAL", "AVAR"],
        units="dF/F",
        covariates={"velocity": ("time", rng.normal(size=6), {"units": "unknown"})},
    )
    return rec.assign_coords(cell_type=("node", ["i", "m"]), labelled=("node", [True, False]), **coords)


def test_traces_metadata_and_covariates_come_back():
    rec = recording()
    back = from_pynapple(to_pynapple(rec), units="dF/F", covariates={"velocity": to_pynapple(rec, "velocity")})
    xr.testing.assert_identical(back, rec)


def test_epochs_are_intervals_of_the_time_support_and_come_back():
    rec = recording(epoch=("time", list("aabbba")))
    frame = to_pynapple(rec)
    assert frame.time_support.metadata["label"].tolist() == ["a", "b", "a"]
    assert len(frame) == 6
    xr.testing.assert_identical(from_pynapple(frame, units="dF/F").epoch, rec.epoch)


def test_invalid_samples_lie_outside_the_time_support():
    frame = to_pynapple(recording(valid=("time", [True, True, False, True, True, True])))
    assert frame.t.tolist() == [0.0, 0.5, 1.5, 2.0, 3.0]
    assert frame.time_support.values.tolist() == [[-0.25, 0.8], [1.3, 3.5]]
    back = from_pynapple(frame, units="dF/F")
    assert back.epoch.to_numpy().tolist() == [0, 0, 1, 1, 1]
    with pytest.raises(InputError, match=r"no sample of the recording is valid"):
        to_pynapple(recording(valid=("time", [False] * 6)))


def test_spike_times_are_counted_as_pynapple_counts_them():
    rng = np.random.default_rng(1)
    support = nap.IntervalSet([0, 20], [10, 30])
    trains = {k: nap.Ts(np.sort(rng.uniform(0, 30, 60))) for k in range(3)}
    group = nap.TsGroup(trains, time_support=support, metadata={"region": ["a", "b", "c"]})
    rec = from_pynapple(group, bin_width=0.5)
    np.testing.assert_array_equal(rec.spike_count, group.count(0.5).d)
    assert rec.spike_count.attrs["units"] == "count"
    assert rec.node.to_numpy().tolist() == ["0", "1", "2"]
    assert rec.region.to_numpy().tolist() == ["a", "b", "c"]
    assert np.bincount(rec.epoch).tolist() == [20, 20]
    assert "rate" not in rec.coords
    counts = to_pynapple(rec)
    assert isinstance(counts, nap.TsdFrame)
    np.testing.assert_array_equal(counts.d, rec.spike_count)
    with pytest.raises(InputError, match=r"spike times need bin_width="):
        from_pynapple(group)
    with pytest.raises(ValueError, match=r"GiB"):
        from_pynapple(group, bin_width=1e-12)


def test_single_traces_on_one_clock_are_nodes():
    traces = {"a": nap.Tsd(CLOCK, np.arange(6.0)), "b": nap.Tsd(CLOCK, np.ones(6))}
    rec = from_pynapple(traces, units="1")
    assert rec.activity.sel(node="a").to_numpy().tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(InputError, match=r"share one clock, 'c' have another"):
        from_pynapple({**traces, "c": nap.Tsd(CLOCK[:4], np.ones(4))}, units="1")
    with pytest.raises(InputError, match=r"at least one trace"):
        from_pynapple({}, units="1")


def test_covariates_on_another_clock_are_taken_from_the_nearest_sample():
    fast = nap.TsdFrame(np.arange(0, 4, 0.1), np.arange(80.0).reshape(40, 2), columns=["x", "y"])
    rec = from_pynapple(to_pynapple(recording()), units="dF/F", covariates={"position": fast})
    assert rec.position.dims == ("time", "position_feature")
    np.testing.assert_array_equal(rec.position.sel(position_feature="x"), [0, 10, 22, 30, 40, 60])


def test_what_is_missing_or_ambiguous_is_asked_for():
    frame = to_pynapple(recording())
    with pytest.raises(InputError, match=r'pass units="dF/F"'):
        from_pynapple(frame)
    with pytest.raises(InputError, match=r"expected a TsdFrame, a TsGroup or a mapping of Tsd, got ndarray"):
        from_pynapple(np.ones((3, 2)), units="1")
    both = recording().assign(spike_count=(("time", "node"), np.ones((6, 2), dtype=int), {"units": "count"}))
    with pytest.raises(InputError, match=r"has 'activity', 'spike_count'; choose one with variable="):
        to_pynapple(both)
    with pytest.raises(InputError, match=r"no variable of time 'velocty'; did you mean 'velocity'"):
        to_pynapple(recording(), "velocty")
    with pytest.raises(InputError, match=r"'AVAL' is a label and a coordinate"):
        to_pynapple(recording(AVAL=("node", [1, 2])))
