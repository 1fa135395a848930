"""Evidence for the figures of inferred connectivity."""

import numpy as np
import pytest
import xarray as xr

from dynome.connectome import from_edges
from dynome.errors import InputError
from dynome.viz import plot_connectivity_estimate, plot_connectivity_scores


def test_points_are_the_means_and_bars_the_intervals(wiring_scores, ax):
    first = plot_connectivity_scores(wiring_scores, ax=ax).child_axes[0]
    means = [line for line in first.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(means[0].get_xdata(), wiring_scores.auroc_mean.sel(edges="directed"))
    np.testing.assert_allclose(means[1].get_xdata(), wiring_scores.auroc_mean.sel(edges="undirected"))
    bars = np.array(list(first.collections[0].get_segments()))
    np.testing.assert_allclose(bars[:, 0, 0], wiring_scores.auroc_low.sel(edges="directed"))
    np.testing.assert_allclose(bars[:, 1, 0], wiring_scores.auroc_high.sel(edges="directed"))


def test_a_score_that_no_method_has_gets_no_panel(wiring_scores, ax):
    unsigned = wiring_scores.assign(sign_accuracy=wiring_scores.sign_accuracy * np.nan)
    titles = [room.get_title() for room in plot_connectivity_scores(unsigned, ax=ax).child_axes]
    assert titles == ["AUROC", "average precision", "right direction"]


def test_scores_of_one_estimate_are_one_row(wiring_scores, ax):
    one = wiring_scores.isel(estimator=1, drop=True).assign_attrs(method="granger")
    first = plot_connectivity_scores(one, ax=ax).child_axes[0]
    assert [label.get_text() for label in first.get_yticklabels()] == ["granger"]


def test_nothing_to_score_is_said(wiring_scores, ax):
    empty = plot_connectivity_scores(wiring_scores.isel(estimator=[]), ax=ax)
    assert "no data" in empty.texts[0].get_text()


def test_the_truth_lies_at_the_places_of_the_estimate(inferred, ax):
    edges = {"source": ["N3", "N1", "N0"], "target": ["N0", "N7", "Z"], "weight": [2.0, 1.0, 4.0], "sign": [1, -1, 1]}
    wiring = from_edges(edges, units="1", node=["Z", *(f"N{k}" for k in range(7, -1, -1))])
    rooms = plot_connectivity_estimate(inferred, wiring, ax=ax).child_axes
    drawn = np.ma.filled(rooms[1].images[0].get_array(), np.nan)
    expected = np.zeros((8, 8))
    expected[3, 0], expected[1, 7] = 2.0, -1.0
    np.fill_diagonal(expected, np.nan)
    np.testing.assert_array_equal(drawn, expected)
    assert len(rooms[0].patches) == 2  # true edges are framed
    as_matrix = xr.DataArray(np.nan_to_num(expected), inferred.coords, inferred.dims)
    other = plot_connectivity_estimate(inferred, as_matrix).child_axes[1]
    np.testing.assert_array_equal(np.ma.filled(other.images[0].get_array(), np.nan), expected)


def test_what_cannot_be_drawn_is_told(inferred, wiring_scores):
    with pytest.raises(InputError, match="missing 'auroc'"):
        plot_connectivity_scores(wiring_scores.drop_vars("auroc"))
    with pytest.raises(InputError, match="select one subject"):
        plot_connectivity_estimate(inferred.expand_dims("animal"))
    names = [f"M{k}" for k in range(8)]
    with pytest.raises(InputError, match="they share no node"):
        plot_connectivity_estimate(inferred, inferred.assign_coords(source=names, target=names))
