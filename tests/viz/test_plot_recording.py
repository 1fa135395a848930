"""Evidence for viz/recording.py and viz/covariates.py."""

import numpy as np
import pytest
import xarray as xr

import dynome as dy
from dynome.errors import InputError


def rows(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def drawn(ax) -> np.ndarray:
    """(node, time) as the mesh shows it."""
    return np.ma.filled(ax.collections[0].get_array(), np.nan)


def test_rows_are_the_nodes_in_the_order_asked_for(recording, ax):
    dy.viz.plot_recording(recording, order=["N5", "N0"], ax=ax)
    assert rows(ax) == ["N5", "N0"]
    np.testing.assert_array_equal(drawn(ax), recording.activity.sel(node=["N5", "N0"]).T)
    assert ax.yaxis_inverted()


def test_without_an_order_rows_are_as_stored(recording, ax):
    dy.viz.plot_recording(recording, order=None, ax=ax)
    assert rows(ax) == recording.node.to_numpy().tolist()


def test_similar_nodes_are_neighbours(recording, ax):
    wave = np.sin(recording.time.to_numpy())
    recording.activity[:, [0, 4, 7]] = (wave + np.array([[0.0, 0.1, 0.2]]).T).T
    dy.viz.plot_recording(recording, ax=ax)
    where = [rows(ax).index(n) for n in ("N0", "N4", "N7")]
    assert max(where) - min(where) == 2
    assert "sorted by similarity" in ax.get_ylabel()


def test_axes_and_colour_bar_have_units(recording, ax):
    dy.viz.plot_recording(recording, ax=ax)
    assert ax.get_xlabel() == "time (s)"
    assert ax.child_axes[0].get_ylabel() == "activity (ΔF/F)"
    assert ax.get_ylabel().startswith("neurons")


def test_colours_are_symmetric_for_signed_activity_and_sequential_for_counts(recording, ax):
    dy.viz.plot_recording(recording, ax=ax)
    low, high = ax.collections[0].get_clim()
    assert low == -high
    counts = abs(recording.activity).round().rename("spike_count").assign_attrs(units="count")
    mesh = dy.viz.plot_recording(counts.to_dataset()).collections[0]
    assert mesh.get_cmap().name == "viridis"
    assert mesh.get_clim()[0] == 0


def test_missing_values_are_grey_and_named(recording, ax):
    recording.activity[10:20, 2] = np.nan
    dy.viz.plot_recording(recording, order=None, ax=ax)
    assert np.isnan(drawn(ax)[2, 10:20]).all()
    assert np.isnan(drawn(ax)).sum() == 10
    assert [t.get_text() for t in ax.child_axes[1].get_yticklabels()] == ["missing"]


def test_a_pause_of_the_recording_is_a_gap(recording, ax):
    dy.viz.plot_recording(recording.isel(time=np.r_[0:20, 30:50]), order=None, ax=ax)
    assert np.isnan(drawn(ax)).all(axis=0).tolist() == [k == 20 for k in range(41)]


def test_many_nodes_are_counted_instead_of_named(ax):
    many = xr.DataArray(np.random.default_rng(0).random((5, 200)), dims=("time", "node"))
    dy.viz.plot_recording(many, ax=ax)
    assert rows(ax) == []
    assert ax.get_ylabel().startswith("200 nodes")


def test_a_long_recording_is_averaged_lazily(ax, monkeypatch):
    import dask.array as da

    values = da.arange(40_000, chunks=5000)[:, None] * da.ones((1, 3), chunks=3)
    long = xr.DataArray(values, dims=("time", "node"), coords={"time": np.arange(40_000) * 0.1})
    dy.viz.plot_recording(long, order=None, ax=ax)
    assert drawn(ax).shape == (3, 4000)
    assert drawn(ax)[0, 0] == pytest.approx(4.5)


def test_behaviour_stands_under_the_heat_map_on_its_time_axis(recording):
    ax = dy.viz.plot_recording(recording, covariates=["velocity", "reversal"])
    strip = next(a for a in ax.figure.axes if a is not ax)
    assert strip.get_shared_x_axes().joined(ax, strip)
    assert strip.get_xlim() == ax.get_xlim() == (-0.25, 24.75)
    assert rows(strip)[0].startswith("velocity\n−1 to 1 mm/s")
    assert strip.get_xlabel() == "time (s)"


def test_behaviour_fits_under_axes_without_a_grid(recording):
    from matplotlib.figure import Figure

    ax = Figure().add_axes((0.2, 0.4, 0.6, 0.5))
    dy.viz.plot_recording(recording, covariates=["velocity"], ax=ax)
    assert any(rows(child) for child in ax.child_axes if rows(child) and "velocity" in rows(child)[0])


def test_a_trace_a_bar_and_words_are_drawn_each_in_its_way(recording, ax):
    dy.viz.plot_covariates(recording, ["velocity", "reversal", "epoch"], ax=ax)
    trace = ax.lines[0]
    np.testing.assert_allclose(trace.get_ydata().max(), 0.39, atol=0.01)
    np.testing.assert_allclose(trace.get_ydata().min(), -0.39, atol=0.01)
    bars = ax.collections[0]
    assert len(bars.get_paths()) == 3  # three reversals in 25 s
    assert [t.get_text() for t in ax.texts] == ["odour", "rest"]
    assert rows(ax) == ["velocity\n−1 to 1 mm/s", "reversal", "epoch"]


def test_all_covariates_over_time_alone_are_drawn_by_default(recording, ax):
    dy.viz.plot_covariates(recording, ax=ax)
    assert [r.split("\n")[0] for r in rows(ax)] == ["velocity", "reversal", "epoch"]


def test_a_covariate_without_values_says_so(recording, ax):
    dy.viz.plot_covariates(recording.assign(velocity=recording.velocity * np.nan), ["velocity"], ax=ax)
    assert [t.get_text().strip() for t in ax.texts] == ["no data"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["speed"], "'speed' is not in the recording, which has 'velocity'"),
        (["curvature"], "curvature must have the dim time"),
    ],
)
def test_unknown_and_unfit_covariates_are_refused(recording, ax, names, message):
    with pytest.raises(InputError, match=message):
        dy.viz.plot_recording(recording, covariates=names, ax=ax)


def test_a_trial_dimension_must_be_selected_first(recording, ax):
    with pytest.raises(InputError, match=r"expected dims \('time', 'node'\), found \('trial', .*select one trial"):
        dy.viz.plot_recording(recording.activity.expand_dims(trial=2), ax=ax)


def test_a_clock_that_goes_back_is_refused(recording, ax):
    with pytest.raises(InputError, match="strictly increasing"):
        dy.viz.plot_recording(recording.isel(time=[0, 2, 1]), ax=ax)


def test_covariates_need_the_recording(recording, ax):
    with pytest.raises(InputError, match="pass the Dataset"):
        dy.viz.plot_recording(recording.activity, covariates=["velocity"], ax=ax)


def test_a_recording_without_activity_is_refused(recording, ax):
    with pytest.raises(InputError, match="missing 'activity', found"):
        dy.viz.plot_recording(recording.drop_vars("activity"), ax=ax)
