"""Evidence for graph_batches: every scan once an epoch, graphs of the right windows, controls that are controls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from trial_scans import activity

from dynome.inference.dynamic_graphs import graph_batches
from dynome.inference.dynamic_graphs.graph_batches import Clip, batch_of, clips, whole_scans
from dynome.inference.dynamic_graphs.scans import scans_of, series_of
from dynome.inference.dynamic_graphs.settings import GraphSettings

SETTINGS = GraphSettings(window=20, stride=5)


def three(**options):
    data = {name: activity(k, n) for k, (name, n) in enumerate({"a": 60, "b": 40, "c": 50}.items())}
    return scans_of(data, SETTINGS._replace(**options))


def test_an_epoch_takes_every_scan_once_and_consecutive_windows_that_are_there():
    scans, rng = three(), np.random.default_rng(0)
    for _ in range(5):
        epoch = clips(scans, 4, 2, rng)
        assert sorted(k for clip in epoch for k in clip.scan) == [0, 1, 2]
        for clip in epoch:
            assert (np.diff(clip.window) == 1).all()
            assert clip.window.shape[1] == 4
            for k, window in zip(clip.scan, clip.window, strict=True):
                assert 0 <= window[0] <= window[-1] < scans.scans[k].starts.size


@pytest.mark.parametrize(("n_windows", "length"), [(None, 5), (99, 5), (2, 2)])
def test_a_batch_is_as_long_as_its_shortest_scan_allows(n_windows, length):
    (clip,) = clips(three(), n_windows, 3, np.random.default_rng(0))
    assert clip.window.shape == (3, length)


def test_graphs_are_the_strongest_correlations_of_their_window():
    scans = three()
    batch = batch_of(scans, Clip(np.array([2, 0]), np.array([[1, 2], [3, 4]])), correlation=True, activity=True)
    for b, (k, windows) in enumerate(((2, (1, 2)), (0, (3, 4)))):
        x = series_of(scans.scans[k])
        for t, w in enumerate(windows):
            fc = batch.correlation[b, t].numpy()
            np.testing.assert_allclose(fc, np.corrcoef(x[5 * w : 5 * w + 20].T), atol=1e-5)
            np.testing.assert_array_equal(batch.adjacency[b, t] > 0, fc > np.percentile(fc, 70))
            assert int(batch.last[b, t]) == 5 * w + 19
            assert float(batch.seconds[b, t]) == 5 * w + 19
        end = 5 * windows[-1] + 20
        np.testing.assert_array_equal(batch.activity[b, :end], x[:end])
        assert not batch.activity[b, end:].any()


def test_whole_scans_are_the_same_in_chunks(monkeypatch):
    scans = three()
    whole = list(whole_scans(scans, activity=True))
    monkeypatch.setattr(graph_batches, "_CHUNK_BYTES", 4 * 8**2 * 3)
    parts = list(whole_scans(scans, activity=True))
    assert [batch.adjacency.shape[1] for batch in whole] == [9, 5, 7]
    assert max(batch.adjacency.shape[1] for batch in parts) == 3
    for k in range(3):
        joined = torch.cat([batch.adjacency for batch in parts if batch.scan[0] == k], 1)
        assert torch.equal(joined, whole[k].adjacency)


def test_the_empty_control_has_self_loops_only():
    (batch,) = whole_scans(scans_of(activity(), SETTINGS._replace(wiring="empty")))
    assert torch.equal(batch.adjacency[0], torch.eye(8).expand(9, 8, 8))


def test_the_shuffled_control_moves_edges_to_other_nodes_and_is_the_same_each_time():
    observed, shuffled, again = (
        next(whole_scans(scans_of(activity(), SETTINGS._replace(wiring=w)), correlation=True))
        for w in ("observed", "shuffled", "shuffled")
    )
    assert torch.equal(shuffled.adjacency, again.adjacency)
    assert torch.equal(shuffled.correlation, again.correlation)
    assert not torch.equal(shuffled.adjacency, observed.adjacency)
    degrees = [b.adjacency.sum(-1).sort(-1).values for b in (observed, shuffled)]
    assert torch.equal(*degrees)
    # Each window is shuffled in its own way: the order of one does not undo that of another.
    differ = (shuffled.adjacency != observed.adjacency).any(-1).any(-1)[0]
    assert int(differ.sum()) >= 7


@pytest.mark.parametrize("wiring", ["observed", "shuffled", "empty"])
def test_graphs_are_the_same_whether_correlations_are_kept_or_not(wiring):
    x = activity()
    x.loc[{"node": "c", "time": slice(0, 24)}] = 1.0
    scans = scans_of(x, SETTINGS._replace(wiring=wiring))
    kept, lost = (next(whole_scans(scans, correlation=correlation)) for correlation in (True, False))
    assert torch.equal(kept.adjacency, lost.adjacency)
    assert lost.correlation is None


def test_a_region_that_stands_still_in_a_window_keeps_its_self_loop_alone():
    x = activity()
    x.loc[{"node": "c", "time": slice(0, 24)}] = 1.0
    batch = next(whole_scans(scans_of(x, SETTINGS), correlation=True))
    assert batch.adjacency[0, 0, 2].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert not batch.correlation[0, 0, 2].any()
    assert batch.adjacency[0, 5, 2].sum() >= 1
