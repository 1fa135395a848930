"""Evidence for viz/forecasts.py and viz/forecast_traces.py."""

import numpy as np
import pytest
import xarray as xr

import dynome as dy
from dynome.errors import InputError


def of(panel, label):
    return next(line for line in panel.lines if line.get_label() == label)


def test_every_model_has_its_scores_at_every_horizon(forecast_table, ax):
    upper = dy.viz.plot_forecasts(forecast_table, ax=ax).child_axes[0]
    scores = forecast_table.scores.score.sel(metric="skill")
    for name in ("Persistence", "wired"):
        np.testing.assert_allclose(of(upper, name).get_ydata(), scores.sel(model=name))
    assert [t.get_text() for t in upper.get_xticklabels()] == ["1\n(0.5 s)", "3\n(1.5 s)", "10\n(5 s)"]
    assert "4 animals drawn again" in upper.get_xlabel()


def test_what_is_far_worse_than_persistence_lies_at_the_edge(forecast_table, ax):
    upper = dy.viz.plot_forecasts(forecast_table, ax=ax).child_axes[0]
    assert np.isnan(of(upper, "Mean").get_ydata()[:2]).all()
    edge = [line for line in upper.lines if line.get_marker() == "v" and len(line.get_xdata()) == 2]
    assert len(edge) == 1
    assert upper.get_ylim()[0] > -0.6


def test_the_measured_wiring_stands_beside_every_null(forecast_table, ax):
    lower = dy.viz.plot_forecasts(forecast_table, ax=ax).child_axes[1]
    dots = [line.get_xdata() for line in lower.lines if line.get_marker() == "o"]
    assert [len(d) for d in dots] == [12, 1]
    diamonds = [line.get_xdata()[0] for line in lower.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(diamonds, 0.15)
    told = [text.get_text() for text in lower.texts]
    assert "p = 0.077" in told[0]
    assert "p =" not in told[1]
    assert "p can't be below 1 / (12 null connectomes + 1) = 0.077" in lower.get_xlabel()
    assert [t.get_text() for t in lower.get_yticklabels()] == ["wired\nagainst degree", "wired\nagainst empty"]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_points_of_one_horizon_stay_together(forecast_table, ax, n):
    few = forecast_table.map_over_datasets(lambda d: d.isel(horizon=slice(n)) if "horizon" in d.dims else d)
    upper = dy.viz.plot_forecasts(few, ax=ax).child_axes[0]
    wide = np.ptp(upper.get_xlim())
    assert abs(of(upper, "wired").get_xdata()[0] - of(upper, "Persistence").get_xdata()[0]) < 0.05 * wide


def test_another_metric_can_be_shown(forecast_table, ax):
    upper = dy.viz.plot_forecasts(forecast_table, metric="mse", ax=ax).child_axes[0]
    np.testing.assert_allclose(of(upper, "Mean").get_ydata(), [10, 4, 0.95])
    with pytest.raises(InputError, match="no metric 'luck', found mse, skill"):
        dy.viz.plot_forecasts(forecast_table, metric="luck", ax=ax)


def part():
    rec = dy.schema.recording(
        np.random.default_rng(0).standard_normal((40, 3)), time=np.arange(40) / 2, node=["N0", "N1", "N3"], units="1"
    )
    rec["scored"] = ("time", np.arange(40) > 4)
    return dy.study.build({"w1": rec, "w2": rec}, attrs={"variable": "activity"})


def test_forecasts_begin_at_the_last_value_that_was_seen(forecasts, ax):
    data = part()
    panels = dy.viz.plot_forecast_traces(forecasts, data, nodes=["N1"], n_origins=2, session="w2", ax=ax).child_axes
    assert len(panels) == 1
    line = panels[0].lines[-1]
    last = forecasts.isel(window=19).sel(node="N1")
    np.testing.assert_allclose(line.get_xdata(), 8.5 + np.array([0, 0.5, 1, 2]))
    seen = data["w2"].activity.sel(time=8.5, node="N1")
    np.testing.assert_allclose(line.get_ydata(), [seen, *last.forecast])
    assert len(panels[0].collections) == 2


def test_what_was_only_looked_back_on_is_told_apart(forecasts, ax):
    panel = dy.viz.plot_forecast_traces(forecasts, part(), nodes=["N0"], ax=ax).child_axes[0]
    whole, scored = panel.lines[:2]
    assert np.isfinite(whole.get_ydata()).all()
    assert np.isnan(scored.get_ydata()).sum() == 1
    assert whole.get_xdata()[0] == 2  # no more is drawn than a context before the first forecast


def test_names_that_are_not_there_are_told(forecasts, ax):
    with pytest.raises(InputError, match=r"'N2' is not in w1; found 'N0', 'N1', 'N3'"):
        dy.viz.plot_forecast_traces(forecasts, part(), nodes=["N2"], ax=ax)
    with pytest.raises(InputError, match="no session 'w9' was forecast, found 'w1', 'w2'"):
        dy.viz.plot_forecast_traces(forecasts, part(), session="w9", ax=ax)
    with pytest.raises(InputError, match="expected a part of a task"):
        dy.viz.plot_forecast_traces(forecasts, xr.DataTree(), ax=ax)
    task = xr.DataTree.from_dict({"/train": part(), "/test": part()})
    task.attrs["variable"] = "activity"
    with pytest.raises(InputError, match="found a whole task; pass the part that was forecast"):
        dy.viz.plot_forecast_traces(forecasts, task, ax=ax)
    with pytest.raises(InputError, match="the part has no 'w1'; pass the part that was forecast"):
        dy.viz.plot_forecast_traces(forecasts, part().filter(lambda node: node.name != "w1"), ax=ax)


def test_forecasts_without_the_length_of_a_bin_are_refused(forecasts, ax):
    with pytest.raises(InputError, match=r"attribute 'sampling_interval' \(seconds a bin\) is lost"):
        dy.viz.plot_forecast_traces(forecasts.drop_attrs(), part(), ax=ax)
    panel = dy.viz.plot_forecast_traces(forecasts, ax=ax).child_axes[0]
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["forecast", "80% interval"]


def test_of_a_long_recording_a_stretch_is_drawn_in_which_forecasts_can_be_seen(ax):
    time = np.arange(960) * 0.5
    rec = dy.schema.recording(np.sin(time)[:, None], time=time, node=["a"], units="dF/F")
    data = dy.study.build({"w": rec}, attrs={"variable": "activity"})
    dims, coords = ("window", "horizon", "node"), {"horizon": [1, 3], "node": ["a"]}
    clock = np.delete(time[6:-3], slice(300, 600))  # nothing was forecast in the middle
    value = (dims, np.zeros((clock.size, 2, 1)), {"units": "dF/F"})
    said = xr.Dataset(
        dict.fromkeys(("forecast", "lower", "upper"), value), coords, {"sampling_interval": 0.5, "context": 6}
    )
    said = said.assign_coords(session=("window", ["w"] * clock.size), time=("window", clock))
    panel = dy.viz.plot_forecast_traces(said, data, n_origins=4, ax=ax).child_axes[0]
    starts = [line.get_xdata()[0] for line in panel.lines[2:] if len(line.get_xdata()) == 1]
    assert np.diff(starts).tolist() == [2.5] * 3  # bins of 0.5 s, at least 1.5 of the longest horizon apart
    assert np.ptp(panel.get_xlim()) < 16
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["activity", "forecast", "interval"]
    assert panel.get_ylabel() == "a\n(ΔF/F)"
