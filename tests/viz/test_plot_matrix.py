"""Evidence for viz/matrix.py and viz/blocks.py."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgba

import dynome as dy
from dynome.errors import InputError
from dynome.viz.palette import MISSING


def labels(ax, axis: str) -> list[str]:
    return [t.get_text() for t in (ax.get_xticklabels() if axis == "x" else ax.get_yticklabels())]


def colors(ax) -> np.ndarray:
    """(source, target, 4): what a reader sees in each cell, all images on top of each other."""
    shown = ax.images[0].to_rgba(ax.images[0].get_array())
    for image in ax.images[1:]:
        top = image.to_rgba(image.get_array())
        shown = np.where(top[..., 3:] > 0, top, shown)
    return shown


def sparse_counts(n: int = 12) -> xr.DataArray:
    values = np.zeros((n, n))
    values[0, 1:5] = [1, 5, 50, 100]
    names = [f"N{k}" for k in range(n)]
    return xr.DataArray(values, dims=("source", "target"), coords={"source": names, "target": names})


def test_sources_go_down_and_targets_to_the_right(fc, ax):
    fc = fc.copy(data=np.arange(64.0).reshape(8, 8))
    dy.viz.plot_matrix(fc.transpose("target", "source"), ax=ax)
    np.testing.assert_array_equal(ax.images[0].get_array(), fc)
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("source", "target")
    assert labels(ax, "y") == labels(ax, "x") == fc.source.to_numpy().tolist()
    assert ax.yaxis_inverted()


def test_limits_of_correlations_are_symmetric_and_ignore_the_diagonal(fc, ax):
    dy.viz.plot_matrix(fc, ax=ax)
    reach = np.abs(fc.to_numpy()[~np.eye(8, dtype=bool)]).max()
    assert ax.images[0].get_clim() == pytest.approx((-reach, reach))
    assert ax.images[0].get_cmap().name == "RdBu_r"
    assert ax.child_axes[0].get_ylabel() == "correlation"


def test_nonnegative_values_get_a_sequential_map(fc, ax):
    dy.viz.plot_matrix(abs(fc), ax=ax)
    assert ax.images[0].get_cmap().name == "viridis"


def test_absent_connections_are_white_and_weights_logarithmic(ax):
    dy.viz.plot_matrix(sparse_counts(), ax=ax)
    assert type(ax.images[0].norm).__name__ == "LogNorm"
    shown = colors(ax)
    assert shown[5, 5].tolist() == [1, 1, 1, 1]
    assert not np.allclose(shown[0, 1], 1, atol=0.1)


@pytest.mark.parametrize("counts", [True, False])
def test_missing_connections_are_grey_and_not_white(fc, ax, counts):
    matrix = sparse_counts() if counts else fc.copy()
    matrix[2, 3] = np.nan
    dy.viz.plot_matrix(matrix, order=None, ax=ax)
    shown = colors(ax)
    assert shown[2, 3].tolist() == pytest.approx(to_rgba(MISSING))
    assert not np.allclose(shown[4, 5], to_rgba(MISSING), atol=0.02)
    assert [t.get_text() for t in ax.child_axes[1].get_yticklabels()] == ["missing"]


def test_rows_and_columns_follow_the_order_asked_for(fc, ax):
    dy.viz.plot_matrix(fc, order=["N7", "N2", "N3"], ax=ax)
    assert labels(ax, "x") == labels(ax, "y") == ["N7", "N2", "N3"]
    np.testing.assert_array_equal(
        ax.images[0].get_array(), fc.sel(source=["N7", "N2", "N3"], target=["N7", "N2", "N3"])
    )


def test_communities_come_in_blocks_that_are_outlined(fc, ax):
    community = xr.DataArray([1, 0, 1, 0, 1, 0, 1, 1], dims="node", coords={"node": fc.source.to_numpy()})
    dy.viz.plot_matrix(fc, community=community[::-1], ax=ax)
    assert sorted(labels(ax, "y")[:3]) == ["N1", "N3", "N5"]
    assert [p.get_bbox().bounds for p in ax.patches] == [(-0.5, -0.5, 3, 3), (2.5, 2.5, 5, 5)]
    strip = ax.child_axes[-2]
    assert [p.get_facecolor() for p in strip.patches] == [to_rgba("#0072B2"), to_rgba("#D55E00")]


def test_nodes_of_unknown_community_go_last_without_an_outline(fc, ax):
    community = xr.DataArray(["a", "b", "a"], dims="node", coords={"node": ["N6", "N7", "N3"]})
    dy.viz.plot_matrix(fc, community=community, ax=ax)
    assert sorted(labels(ax, "y")[:2]) == ["N3", "N6"]
    assert labels(ax, "y")[2] == "N7"
    assert len(ax.patches) == 2


def test_communities_are_named_once(fc):
    big = xr.DataArray(np.random.default_rng(0).standard_normal((90, 90)), dims=("source", "target"))
    community = xr.DataArray(["left"] * 45 + ["right"] * 45, dims="node", coords={"node": [str(k) for k in range(90)]})
    ax = dy.viz.plot_matrix(big, community=community)
    names = [[t.get_text() for t in (*c.get_xticklabels(), *c.get_yticklabels())] for c in ax.child_axes[-2:]]
    assert names == [["left", "right"], []]
    assert ax.get_ylabel() == "source (90)"


def test_strong_nodes_lead_their_community_in_a_sparse_matrix(ax):
    community = xr.DataArray(["a"] * 12, dims="node", coords={"node": [f"N{k}" for k in range(12)]})
    dy.viz.plot_matrix(sparse_counts(), community=community, ax=ax)
    assert labels(ax, "y")[:3] == ["N0", "N4", "N3"]


def test_a_matrix_between_two_populations_keeps_both_labels(ax):
    x = xr.DataArray(
        np.ones((2, 3)), dims=("source", "target"), coords={"source": ["a", "b"], "target": ["x", "y", "z"]}
    )
    dy.viz.plot_matrix(x, ax=ax)
    assert (labels(ax, "y"), labels(ax, "x")) == (["a", "b"], ["x", "y", "z"])


def test_a_large_sparse_matrix_keeps_its_entries_visible(ax):
    values = np.zeros((1500, 1500))
    values[751, 2] = -3
    values[0, 0] = 5
    dy.viz.plot_matrix(xr.DataArray(values, dims=("source", "target")), ax=ax)
    shown = np.ma.filled(ax.images[0].get_array(), np.nan)
    assert shown.shape == (500, 500)
    assert shown[250, 0] == -3
    assert "largest of 3 × 3" in ax.child_axes[0].get_ylabel()


def test_a_large_dense_matrix_is_averaged(ax):
    values = np.random.default_rng(0).standard_normal((2100, 2100))
    values[:2, :2] = [[1, 2], [3, np.nan]]
    values[2:4, 2:4] = np.nan
    dy.viz.plot_matrix(xr.DataArray(values, dims=("source", "target")), ax=ax)
    shown = np.ma.filled(ax.images[0].get_array(), np.nan)
    assert shown.shape == (1050, 1050)
    assert shown[0, 0] == 2
    assert np.isnan(shown[1, 1])
    assert "mean of 2 × 2" in ax.child_axes[0].get_ylabel()


@pytest.mark.parametrize(
    ("community", "message"),
    [
        (xr.DataArray(["a"], dims="node", coords={"node": ["X"]}), "none of the nodes drawn"),
        (xr.DataArray([["a"]], dims=("level", "node")), "single dim node"),
    ],
)
def test_a_community_that_does_not_fit_is_refused(fc, ax, community, message):
    with pytest.raises(InputError, match=message):
        dy.viz.plot_matrix(fc, community=community, ax=ax)


def test_windows_must_be_selected_first(fc, ax):
    with pytest.raises(InputError, match=r"found \('window', 'source', 'target'\); select one window"):
        dy.viz.plot_matrix(fc.expand_dims(window=2), ax=ax)
