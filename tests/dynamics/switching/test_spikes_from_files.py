"""Evidence that spike times of pynapple and NWB, with their trials, reach the sequences that chain models run over."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from dynome.datasets import from_pynapple, read_nwb
from dynome.dynamics import bin_spikes, to_trials
from dynome.dynamics.hmm.sequences import stacked

nap = pytest.importorskip("pynapple")
pynwb = pytest.importorskip("pynwb")

BIN = 0.02


@pytest.fixture
def times():
    """Spike times of three units over 60 s."""
    rng = np.random.default_rng(0)
    return {k: np.sort(rng.uniform(0.0, 60.0, 600)) for k in range(3)}


@pytest.fixture
def trials():
    """Ten trials of 2 to 3 s with pauses between them, on edges of bins."""
    start = np.arange(10) * 6.0
    return pd.DataFrame({"start": start, "end": start + np.tile([2.0, 3.0], 5), "contrast": np.tile([0.0, 1.0], 5)})


def group(times):
    return nap.TsGroup({k: nap.Ts(t) for k, t in times.items()}, time_support=nap.IntervalSet(0, 60))


def nwb_file(times, trials, path):
    file = pynwb.NWBFile("a session", "s1", datetime(2026, 1, 1, tzinfo=UTC))
    file.add_trial_column("contrast", "of the grating")
    for row in trials.itertuples():
        file.add_trial(start_time=row.start, stop_time=row.end, contrast=row.contrast)
    for spikes in times.values():
        file.add_unit(spike_times=spikes, obs_intervals=[[0.0, 60.0]])
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    return path


def expected(times, trials):
    """Counts of each trial, by numpy alone."""
    return [
        np.stack([np.histogram(t, np.arange(a, b + BIN / 2, BIN))[0] for t in times.values()], axis=1)
        for a, b in zip(trials.start, trials.end, strict=True)
    ]


def sequences_of(data, **options):
    found = stacked(data, **options)
    return np.split(found.y, found.starts[1:-1]), found


def test_restricted_spikes_of_pynapple_are_one_sequence_an_interval(times, trials):
    within = group(times).restrict(nap.IntervalSet(trials.start, trials.end))
    sequences, found = sequences_of(from_pynapple(within, bin_width=BIN))
    assert [len(s) for s in sequences] == [100, 150] * 5
    assert found.nodes.tolist() == ["0", "1", "2"]
    for here, wanted in zip(sequences, expected(times, trials), strict=True):
        np.testing.assert_array_equal(here, wanted)


def test_a_table_of_trials_cuts_spikes_and_brings_its_columns_as_covariates(times, trials):
    rec = from_pynapple(group(times), bin_width=BIN)
    cut = to_trials(rec, trials.rename(columns={"start": "onset"}), before=0.0, after=2.0)
    sequences, found = sequences_of(cut, covariates=["contrast"])
    assert [len(s) for s in sequences] == [100] * 10
    for here, wanted in zip(sequences, expected(times, trials), strict=True):
        np.testing.assert_array_equal(here, wanted[:100])
    np.testing.assert_array_equal(found.covariates[::100, 0], trials.contrast)


def test_units_and_trials_of_nwb_are_one_sequence_a_trial(times, trials, tmp_path):
    path = nwb_file(times, trials, tmp_path / "s.nwb")
    rec = read_nwb(path, bin_width=BIN, period=(0.0, 60.0))
    inside = rec.isel(time=rec.trial >= 0)
    sequences, found = sequences_of(inside, covariates=["trial_contrast"])
    assert len(sequences) == len(trials)
    for here, wanted in zip(sequences, expected(times, trials), strict=True):
        np.testing.assert_array_equal(here, wanted)
    np.testing.assert_array_equal(found.covariates[found.starts[:-1], 0], trials.contrast)


def test_all_three_ways_and_plain_spike_times_agree(times, trials, tmp_path):
    plain = bin_spikes({str(k): t for k, t in times.items()}, width=BIN, start=0.0, stop=60.0)
    first = trials[trials.contrast == 0]  # those of 2 s
    cut = to_trials(plain, first.rename(columns={"start": "onset"}), before=0.0, after=2.0)
    within = from_pynapple(group(times).restrict(nap.IntervalSet(first.start, first.end)), bin_width=BIN)
    rec = read_nwb(nwb_file(times, first, tmp_path / "s.nwb"), bin_width=BIN, period=(0.0, 60.0))
    ways = [stacked(data).y for data in (cut, within, rec.isel(time=rec.trial >= 0))]
    np.testing.assert_array_equal(ways[0], ways[1])
    np.testing.assert_array_equal(ways[0], ways[2])
