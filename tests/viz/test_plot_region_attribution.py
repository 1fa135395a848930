"""Evidence for viz/dynamic_graphs/region_values.py."""

import numpy as np
import pytest
import xarray as xr

import dynome as dy
from dynome.errors import InputError

BY_NETWORK = ["N1", "N4", "N2", "N5", "N0", "N3"]  # default, visual, unknown; the largest first


def test_regions_stand_network_by_network_the_largest_first(regions, ax):
    table, _, _ = dy.viz.plot_region_attribution(regions, ax=ax).child_axes
    assert [t.get_text() for t in table.get_yticklabels()] == BY_NETWORK
    legend = [t.get_text() for t in ax.get_legend().get_texts()]
    assert legend == ["default", "visual", "unknown"]


def test_several_sessions_have_a_column_each(regions, ax):
    table, _, beside = dy.viz.plot_region_attribution(regions, ax=ax).child_axes
    by_session = regions.mean("window").sel(node=BY_NETWORK)
    np.testing.assert_allclose(table.images[0].get_array(), by_session.T)
    np.testing.assert_allclose([bar.get_width() for bar in beside.patches], by_session.mean("session"))
    low, high = np.array([path.vertices[:, 0] for path in beside.collections[0].get_paths()]).T
    np.testing.assert_allclose((high - low) / 2, by_session.std("session", ddof=1) / np.sqrt(2))


def test_one_session_has_a_column_for_each_of_its_windows_in_seconds(regions, ax):
    one = regions.sel(session=["bob"])
    table, above, _ = dy.viz.plot_region_attribution(one, ax=ax).child_axes
    np.testing.assert_allclose(table.images[0].get_array(), one[0, :5].sel(node=BY_NETWORK).T)
    np.testing.assert_allclose(table.get_xlim(), (18, 78))  # five windows, 12 s apart, the first around 24 s
    np.testing.assert_allclose(above.lines[0].get_ydata(), one[0, :5].mean("node"))


def test_one_value_a_region_is_a_bar(regions, ax):
    mean = regions.mean(["session", "window"])
    (bars,) = dy.viz.plot_region_attribution(mean, ax=ax).child_axes
    np.testing.assert_allclose([bar.get_width() for bar in bars.patches], mean.sel(node=BY_NETWORK))


def test_of_many_regions_the_strongest_are_named(ax):
    rng = np.random.default_rng(0)
    values = rng.random((3, 80))
    values[:, 17] = -4
    array = xr.DataArray(values, {"node": [f"R{k}" for k in range(80)]}, ("window", "node"))
    host = dy.viz.plot_region_attribution(array, n_named=1, ax=ax)
    assert [t.get_text() for room in host.child_axes for t in room.texts] == ["R17"]


def test_other_dims_are_refused(regions, ax):
    with pytest.raises(InputError, match=r"expected dims .*node.*see inference\.region_attribution"):
        dy.viz.plot_region_attribution(regions.rename(node="feature"), ax=ax)
    with pytest.raises(InputError, match="n_named must be at least 0, got -1"):
        dy.viz.plot_region_attribution(regions, n_named=-1, ax=ax)


def test_blocks_of_networks_are_one_matrix_of_means_with_errors(ax):
    values = np.arange(24.0).reshape(2, 3, 2, 2) / 100
    names = ["visual", "default"]
    blocks = xr.DataArray(values, {"source": names, "target": names}, ("session", "window", "source", "target"))
    assert dy.viz.plot_region_attribution(blocks, ax=ax) is ax
    np.testing.assert_allclose(ax.images[0].get_array(), values.mean(axis=(0, 1)))
    assert [t.get_text() for t in ax.texts] == ["0.10\n±0.06", "0.11\n±0.06", "0.12\n±0.06", "0.13\n±0.06"]
    lone = dy.viz.plot_region_attribution(blocks[0] * np.nan)
    assert [t.get_text()[:7] for t in lone.texts] == ["no data"]


def test_a_power_of_ten_is_told_on_every_axis(regions, ax):
    _, above, beside = dy.viz.plot_region_attribution(regions * 1e-6, ax=ax).child_axes
    assert above.get_ylabel() == "mean\n($10^{-6}$)"
    assert "$10^{-6}$" in beside.get_xlabel()
    assert dy.viz.plot_region_attribution(regions).child_axes[1].get_ylabel() == "mean"
