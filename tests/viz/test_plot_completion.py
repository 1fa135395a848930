"""Evidence for viz/dynamic_graphs/completions.py."""

import numpy as np
import pytest

import dynome as dy
from dynome.errors import InputError

OTHER = np.eye(8) == 0


def rooms(host):
    return [room for room in host.child_axes[0].child_axes if room.images]


def shown(room):
    return np.ma.filled(room.images[-1].get_array().astype(float), np.nan)


def test_true_seen_and_completed_graphs_stand_below_each_other(completed, ax):
    true = completed > 0.5
    found = rooms(dy.viz.plot_completion(completed, true, n_windows=2, ax=ax))
    assert [room.get_ylabel() for room in found[::2]] == ["true", "seen", "completed"]
    assert [room.get_title(loc="left") for room in found[:2]] == ["19 s", "49 s"]
    gone = np.arange(8) >= 6  # N1 and N5 stand last in their network, which is the second
    either = (gone[:, None] | gone) & OTHER
    whole, seen, told = (shown(room) for room in found[::2])
    np.testing.assert_array_equal(np.isnan(seen), either)
    np.testing.assert_array_equal(seen[~either], whole[~either])
    np.testing.assert_array_equal(~np.isnan(told), either)
    window = completed.isel(window=1).to_numpy()
    hidden = np.zeros((8, 8), dtype=bool)
    hidden[[1, 5]] = hidden[:, [1, 5]] = True
    np.testing.assert_allclose(np.sort(told[either]), np.sort(window[hidden & OTHER]))
    np.testing.assert_array_equal(np.sort(whole.sum(axis=0)), np.sort((window > 0.5).sum(axis=0)))


def test_of_a_hidden_window_nothing_but_the_node_itself_was_seen(completed, ax):
    found = rooms(dy.viz.plot_completion(completed, completed > 0.5, n_windows=6, ax=ax))
    np.testing.assert_array_equal(np.isnan(shown(found[6 + 2])), OTHER)


def test_probabilities_of_present_and_absent_edges_are_told_apart(completed, ax):
    true = completed > 0.5
    bars = dy.viz.plot_completion(completed, true, ax=ax).child_axes[1]
    absent, present = bars.containers
    assert max(b.get_x() + b.get_width() for b in absent if b.get_height()) <= 0.5 + 1e-9
    assert min(b.get_x() for b in present if b.get_height()) >= 0.5 - 1e-9
    gone = completed.hidden.to_numpy()
    hidden = (gone[:, :, None] | gone[:, None, :]) & OTHER
    counts = [int((hidden & (true.to_numpy() == there)).sum()) for there in (False, True)]
    told = [text.get_text() for text in bars.get_legend().get_texts()]
    assert told == [f"absent ({counts[0]:,})", f"present ({counts[1]:,})"]


def test_without_truth_or_marks_all_that_is_known_was_completed(completed, ax):
    bare = completed.drop_vars("hidden").where(completed.source != "N3")
    host = dy.viz.plot_completion(bare, n_windows=1, ax=ax)
    (room,) = rooms(host)
    assert room.get_ylabel() == "completed"
    assert len(host.child_axes) == 1
    np.testing.assert_array_equal(np.isfinite(shown(room)).sum(), 7 * 7)


def test_the_truth_is_joined_by_label(completed, ax):
    true = completed > 0.5
    turned = true.isel(source=slice(None, None, -1), target=slice(None, None, -1))
    first = dy.viz.plot_completion(completed, true, n_windows=1, ax=ax)
    again = dy.viz.plot_completion(completed, turned, n_windows=1)
    np.testing.assert_array_equal(shown(rooms(first)[0]), shown(rooms(again)[0]))


def test_what_does_not_fit_is_told(completed, ax):
    true = completed > 0.5
    with pytest.raises(InputError, match="other numbers of windows, 5 against 6"):
        dy.viz.plot_completion(completed, true.isel(window=slice(5)), ax=ax)
    with pytest.raises(InputError, match=r"observed lacks the nodes \['N0'\]"):
        dy.viz.plot_completion(completed, true.isel(source=slice(1, None)), ax=ax)
    with pytest.raises(InputError, match="the same nodes in the same order"):
        dy.viz.plot_completion(completed.isel(source=slice(1, None)), ax=ax)
    with pytest.raises(InputError, match=r"hidden over window and source, found dims \('target',\)"):
        dy.viz.plot_completion(completed.assign_coords(hidden=("target", [True] * 8)), ax=ax)
    with pytest.raises(InputError, match="n_windows must be at least 1, got 0"):
        dy.viz.plot_completion(completed, n_windows=0, ax=ax)


@pytest.mark.parametrize("padded", [False, True])
def test_windows_past_the_last_of_a_shorter_session_do_not_count(completed, padded, ax):
    true = completed > 0.5
    short = completed.where(completed.window < completed.window[4])
    host = dy.viz.plot_completion(short, true if padded else true.isel(window=slice(4)), ax=ax)
    exact = dy.viz.plot_completion(completed.isel(window=slice(4)), true.isel(window=slice(4)))
    for found, wanted in zip(rooms(host), rooms(exact), strict=True):
        np.testing.assert_array_equal(shown(found), shown(wanted))
    told = [[text.get_text() for text in h.child_axes[1].get_legend().get_texts()] for h in (host, exact)]
    assert told[0] == told[1]
    with pytest.raises(InputError, match="other numbers of windows, 3 against 4"):
        dy.viz.plot_completion(short, true.isel(window=slice(3)))
