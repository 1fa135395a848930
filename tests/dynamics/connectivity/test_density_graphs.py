"""Evidence for density.py: exactly numpy's percentile, whatever ties and gaps; torch says the same."""

from __future__ import annotations

import warnings

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from dynome.dynamics.connectivity import density
from dynome.dynamics.connectivity.density import correlation_graphs, density_cuts, density_graphs
from dynome.dynamics.connectivity.windowed_correlation import correlation_windows
from dynome.errors import InputError

shares = st.floats(0.01, 0.99) | st.sampled_from([0.1, 0.25, 0.3, 0.5])


@st.composite
def matrices(draw):
    """Symmetric or not, float32 or float64, with ties, NaN and equal matrices."""
    n_window, n_node = draw(st.integers(1, 4)), draw(st.integers(1, 30))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    fc = rng.standard_normal((n_window, n_node, n_node)).round(draw(st.sampled_from([0, 1, 8])))
    fc[rng.random(fc.shape) < draw(st.sampled_from([0, 0.3, 0.99]))] = np.nan
    if draw(st.booleans()):
        fc = (fc + fc.swapaxes(1, 2)) / 2
    fc[rng.random(n_window) < draw(st.sampled_from([0, 0.5]))] = draw(st.sampled_from([np.nan, 0.0, -1.0]))
    return fc.astype(dtype)


def percentiles(fc, share):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        return np.array([np.nanpercentile(m.astype(np.float64), 100 * (1 - share)) for m in fc])


@settings(max_examples=150, deadline=None)
@given(fc=matrices(), share=shares)
def test_cuts_are_numpys_percentiles_to_the_last_bit(fc, share):
    np.testing.assert_array_equal(density_cuts(fc, share), percentiles(fc, share))


@settings(max_examples=60, deadline=None)
@given(
    fc=hnp.arrays(np.float32, (2, 3, 3), elements=st.floats(-1, 1, width=32) | st.just(np.nan)),
    share=shares,
)
def test_single_precision_loses_and_gains_no_edge(fc, share):
    loop = np.isnan(fc) & np.eye(3, dtype=bool)
    expected = (fc.astype(np.float64) > percentiles(fc, share)[:, None, None]) | loop
    np.testing.assert_array_equal(density_graphs(fc, share), expected)


@settings(max_examples=40, deadline=None)
@given(fc=matrices(), share=shares)
def test_torch_makes_the_same_graphs(fc, share):
    torch = pytest.importorskip("torch")
    from dynome.dynamics.connectivity.window_tensors import density_tensors

    np.testing.assert_array_equal(density_tensors(torch.from_numpy(fc), share).numpy(), density_graphs(fc, share))


@pytest.mark.parametrize("jump", [0.0, 0.5])
def test_large_windows_that_drift_or_jump_are_cut_as_exactly(jump):
    # Large enough for the stretch around the last cut to be narrowed, and a jump for it to be missed.
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 120)).cumsum(axis=0)
    fc = correlation_windows(x.astype(np.float32), np.arange(0, 40, 4), 20)
    fc[5:] = np.tanh(fc[5:] + np.float32(jump))
    for share in (0.02, 0.3, 0.9):
        np.testing.assert_array_equal(density_cuts(fc, share), percentiles(fc, share))


def test_graphs_are_those_of_stagin_but_for_the_self_loop_of_a_silent_node():
    x = np.random.default_rng(0).standard_normal((100, 30))
    x[20:60, 4] = 7.0
    starts = np.arange(0, 81, 5)
    fc = correlation_windows(x, starts, 20)
    graphs = density_graphs(fc, 0.3)
    with np.errstate(invalid="ignore"):
        stagin = np.array([m > np.nanpercentile(m, 70) for m in fc])
    silent = np.isnan(fc[:, 4, 4])
    assert silent.sum() == 5
    assert graphs[silent, 4, 4].all()
    assert not stagin[silent, 4, 4].any()
    assert graphs[silent, 4].sum() == graphs[silent, :, 4].sum() == 5
    stagin[silent, 4, 4] = True
    np.testing.assert_array_equal(graphs, stagin)
    assert graphs[~silent].mean() == pytest.approx(0.3, abs=0.001)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 1 << 16])
def test_graphs_made_window_by_window_are_those_of_the_correlations(dtype, size, monkeypatch):
    monkeypatch.setattr("dynome.dynamics.connectivity.windowed_correlation._GROUP_BYTES", size)
    x = np.random.default_rng(1).standard_normal((90, 25)).cumsum(axis=0).astype(dtype)
    x[40:70, 3] = 0
    starts, weights = np.arange(0, 71, 3), np.hamming(20)
    kept = density_graphs(correlation_windows(x, starts, 20, weights=weights), 0.2)
    room = np.ones_like(kept)
    assert correlation_graphs(x, starts, 20, 0.2, weights=weights, out=room) is room
    np.testing.assert_array_equal(room, kept)


def test_ties_at_the_cut_are_no_edges():
    same = np.ones((1, 6, 6))
    assert not density_graphs(same, 0.5).any()
    assert density_graphs(np.full((1, 6, 6), np.nan), 0.5)[0].tolist() == np.eye(6, dtype=bool).tolist()


def test_no_window_makes_no_graph():
    assert density.density_graphs(np.empty((0, 4, 4)), 0.3).shape == (0, 4, 4)


@pytest.mark.parametrize("share", [0, 1, -0.1, 30, np.nan])
def test_a_density_is_a_share(share):
    with pytest.raises(InputError, match="density must be above 0 and below 1"):
        density_graphs(np.eye(3)[None], share)
    with pytest.raises(InputError, match="density must be above 0 and below 1"):
        correlation_graphs(np.eye(3), np.array([0]), 3, share)
