"""Evidence for viz/dynamic_graphs/windows.py and similarities.py."""

import numpy as np
import pytest
import xarray as xr

import dynome as dy
from dynome.errors import InputError
from dynome.viz.dynamic_graphs.similarities import correlations


def test_the_similarity_of_windows_is_the_correlation_of_their_connections(windows, ax):
    room = dy.viz.plot_windows(windows, ax=ax).child_axes[0]
    i, j = np.triu_indices(8, 1)
    np.testing.assert_allclose(room.images[0].get_array(), np.corrcoef(windows.to_numpy()[:, i, j]), atol=1e-9)
    np.testing.assert_allclose(room.get_xlim(), (4, 204))  # 20 windows, 10 s apart, the first around 9 s
    assert room.get_xlabel() == "middle of the window (s)"


def test_of_directed_windows_both_directions_count(windows, ax):
    skewed = windows + np.triu(np.random.default_rng(0).standard_normal((20, 8, 8)))
    other = ~np.eye(8, dtype=bool)
    room = dy.viz.plot_windows(skewed.assign_attrs(directed=1), ax=ax).child_axes[0]
    np.testing.assert_allclose(room.images[0].get_array(), np.corrcoef(skewed.to_numpy()[:, other]), atol=1e-9)


def test_matrices_stand_network_by_network_on_one_scale(windows, ax):
    host = dy.viz.plot_windows(windows, n_windows=4, ax=ax)
    right = host.child_axes[1]
    rooms = [room for room in right.child_axes if room.images]
    assert [room.get_title(loc="left") for room in rooms] == ["1 · 29 s", "2 · 79 s", "3 · 129 s", "4 · 179 s"]
    assert len({room.images[0].get_clim() for room in rooms}) == 1
    blocks = np.kron(np.eye(2), np.ones((4, 4)))
    np.testing.assert_array_equal(rooms[0].images[0].get_array() > 0.4, blocks)
    legend = next(room.get_legend() for room in right.child_axes if room.get_legend())
    assert [text.get_text() for text in legend.get_texts()] == ["default", "visual"]


def test_dashed_lines_bound_the_windows_that_overlap(windows, ax):
    room = dy.viz.plot_windows(windows, ax=ax).child_axes[0]
    above, below = (line for line in room.lines if len(line.get_xdata()) == 2)
    np.testing.assert_allclose(np.diff([above.get_xdata(), above.get_ydata()], axis=0), 18)
    np.testing.assert_allclose(np.diff([below.get_xdata(), below.get_ydata()], axis=0), -18)
    np.testing.assert_allclose(room.get_xlim(), room.get_ylim()[::-1])


def test_without_networks_alike_nodes_stand_together(windows, ax):
    plain = windows.isel(window=slice(5)).drop_vars(["source_network", "target_network"])
    room = next(r for r in dy.viz.plot_windows(plain, ax=ax).child_axes[1].child_axes if r.images)
    np.testing.assert_array_equal(room.images[0].get_array() > 0.4, np.kron(np.eye(2), np.ones((4, 4))))


def test_graphs_are_black_on_white_without_a_colour_bar(windows, ax):
    graphs = (windows > 0.4).assign_attrs(windows.attrs)
    rooms = [r for r in dy.viz.plot_windows(graphs, ax=ax).child_axes[1].child_axes if r.images]
    assert len(rooms) == 6
    assert rooms[0].images[0].get_clim() == (0, 1)


def test_of_many_windows_evenly_spaced_ones_are_drawn(windows, ax, monkeypatch):
    monkeypatch.setattr("dynome.viz.dynamic_graphs.windows._max_windows", 7)
    room = dy.viz.plot_windows(windows, ax=ax).child_axes[0]
    assert room.images[0].get_array().shape == (7, 7)
    np.testing.assert_allclose(room.get_xlim(), (4, 204))


def test_correlations_use_what_both_rows_know():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 30)) + 100
    x[rng.random(x.shape) < 0.3] = np.nan
    found = correlations(x)
    for a in range(5):
        for b in range(5):
            both = np.isfinite(x[a] * x[b])
            assert found[a, b] == pytest.approx(np.corrcoef(x[a, both], x[b, both])[0, 1], abs=1e-9)
    x[2] = 7.0
    assert np.isnan(correlations(x)[2]).all()
    assert np.isfinite(np.delete(np.delete(correlations(x), 2, 0), 2, 1)).all()


def test_what_cannot_be_drawn_is_told(windows, ax):
    with pytest.raises(InputError, match=r"expected dims \('window', 'source', 'target'\).*select one session"):
        dy.viz.plot_windows(windows.expand_dims(session=2), ax=ax)
    with pytest.raises(InputError, match="n_windows must be at least 1, got 0"):
        dy.viz.plot_windows(windows, n_windows=0, ax=ax)
    with pytest.raises(InputError, match="strictly increasing"):
        dy.viz.plot_windows(xr.concat([windows, windows], "window"), ax=ax)


def test_the_order_of_regions_is_told_beside_the_first_matrix(windows):
    def told(array):
        rooms = [r for r in dy.viz.plot_windows(array, n_windows=1).child_axes[1].child_axes if r.images]
        return rooms[0].get_ylabel()

    plain = windows.drop_vars(["source_network", "target_network"])
    assert told(windows) == "regions by network,\nalike together"
    assert told(plain) == "regions alike together"
    assert told(plain.isel(source=slice(3))) == "regions as stored"
