"""Evidence for dynamic_connectivity: each window is the static matrix of its samples; laziness, tapers, errors."""

from __future__ import annotations

import dask
import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema
from dynome.dynamics import dynamic_connectivity, functional_connectivity
from dynome.dynamics.connectivity import windowed, windowed_correlation
from dynome.errors import InputError, UnitsError

KINDS = ("correlation", "covariance", "spearman", "partial correlation", "precision")
seeds = st.integers(0, 2**32 - 1)


def activity(seed: int = 0, n_time: int = 90, n_node: int = 4, gaps: float = 0.0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_time, n_node)).cumsum(axis=0) + 5
    x[rng.random(x.shape) < gaps] = np.nan
    nodes = [f"N{k}" for k in range(n_node)]
    return schema.recording(x, time=10 + np.arange(n_time) * 0.5, node=nodes, units="dF/F").activity


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize("lazy", [False, True])
def test_each_window_is_the_static_matrix_of_its_samples(kind, gaps, lazy):
    x = activity(gaps=0.0 if kind in ("partial correlation", "precision") else gaps)
    fc = dynamic_connectivity(x.chunk(time=17, node=3) if lazy else x, window=10, stride=3.5, kind=kind).compute()
    assert fc.sizes["window"] == (90 - 20) // 7 + 1
    for k in range(fc.sizes["window"]):
        one = fc.isel(window=k)
        static = functional_connectivity(x.sel(time=slice(one.start, one.stop)), kind=kind)
        assert (static.n_samples <= 20).all()
        np.testing.assert_allclose(one, static, atol=1e-11)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, n_time=st.integers(5, 60), window=st.integers(3, 60), stride=st.integers(1, 70))
def test_windows_are_whole_and_none_is_left_out(seed, n_time, window, stride):
    x = activity(seed, n_time=n_time)
    if window > n_time:
        with pytest.raises(InputError, match="window must be from"):
            dynamic_connectivity(x, window=window / 2, stride=stride / 2)
        return
    fc = dynamic_connectivity(x, window=window / 2, stride=stride / 2)
    starts = [k for k in range(0, n_time, stride) if k + window <= n_time]
    np.testing.assert_allclose(fc.start, 10 + np.array(starts) / 2)
    np.testing.assert_allclose(fc.stop - fc.start, (window - 1) / 2)
    np.testing.assert_allclose(fc.window, (fc.start + fc.stop) / 2)
    assert fc.shape == (len(starts), 4, 4)


@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize("taper", ["hamming", "gaussian"])
def test_a_taper_weighs_samples_as_numpy_does_with_aweights(taper, gaps):
    import scipy.signal.windows

    x = activity(gaps=gaps)
    weights = scipy.signal.windows.hamming(20) if taper == "hamming" else scipy.signal.windows.gaussian(20, 20 / 6)
    r = dynamic_connectivity(x, window=10, stride=5, taper=taper)
    c = dynamic_connectivity(x, window=10, stride=5, taper=taper, kind="covariance")
    assert r.attrs["taper"] == taper
    for k in range(r.sizes["window"]):
        part = x[10 * k : 10 * k + 20].to_numpy()
        for i, j in ((0, 0), (0, 1), (2, 3)):
            both = np.isfinite(part[:, i]) & np.isfinite(part[:, j])
            expected = np.cov(part[both][:, [i, j]].T, aweights=weights[both])
            np.testing.assert_allclose(c[k, i, j], expected[0, 1], atol=1e-10)
            scale = np.sqrt(expected[0, 0] * expected[1, 1])
            np.testing.assert_allclose(r[k, i, j], expected[0, 1] / scale, atol=1e-10)


def test_nothing_is_computed_before_it_is_asked_for_and_only_what_is_asked_for(monkeypatch):
    done = []
    kernel = windowed.window_block
    monkeypatch.setattr(windowed, "window_block", lambda x, *rest: done.append(len(x)) or kernel(x, *rest))
    monkeypatch.setattr(windowed, "_BATCH_BYTES", 10 * 8 * 4 * 4)  # ten windows a block
    fc = dynamic_connectivity(activity(), window=10, stride=0.5)
    assert dask.is_dask_collection(fc.data)
    assert fc.chunks[0] == (10,) * 7 + (1,)
    assert not done
    fc.isel(window=slice(12, 18)).compute()
    assert done == [29]  # samples of one block


@pytest.mark.parametrize("size", [1, 1000, 1 << 30])
def test_neither_blocks_nor_groups_change_a_window(size, monkeypatch):
    x = activity(n_time=60)
    expected = dynamic_connectivity(x, window=10, stride=0.5).compute()
    monkeypatch.setattr(windowed, "_BATCH_BYTES", size)
    monkeypatch.setattr(windowed_correlation, "_GROUP_BYTES", size)
    np.testing.assert_allclose(dynamic_connectivity(x, window=10, stride=0.5), expected, atol=1e-14)


@settings(max_examples=8, deadline=None)
@given(seed=seeds, order=st.permutations(range(4)), gain=st.floats(0.1, 10), start=st.floats(-50, 50))
def test_labels_gain_and_the_start_of_the_clock_do_not_matter(seed, order, gain, start):
    x = activity(seed)
    other = (x * gain + 3).isel(node=list(order))
    other = other.assign_coords(time=("time", x.time.values + start, {"units": "s"}))
    a, b = (dynamic_connectivity(v, window=10, stride=5) for v in (x, other))
    np.testing.assert_allclose(b.window, a.window + start)
    np.testing.assert_allclose(a, b.sel(source=a.source.values, target=a.target.values), atol=1e-8)


def test_a_silent_window_is_nan_and_only_there():
    x = activity()
    x[:30, 1] = 0.1
    r = dynamic_connectivity(x, window=10, stride=5).compute()
    silent = (r.stop < x.time[30]).to_numpy()
    assert silent.sum() == 2
    assert np.isnan(r.sel(source="N1")[silent]).all()
    assert np.isfinite(r.drop_sel(source="N1", target="N1")).all()
    assert np.isfinite(r[~silent]).all()


def test_planted_changes_of_coupling_are_found_in_their_windows():
    rng = np.random.default_rng(0)
    shared, own = rng.standard_normal(4000), rng.standard_normal((4000, 2))
    together = (np.arange(4000) // 1000) % 2 == 1
    x = np.where(together[:, None], shared[:, None] + 0.5 * own, own)
    rec = schema.recording(x, time=np.arange(4000) * 0.5, node=["a", "b"], units="1")
    r = dynamic_connectivity(rec.activity, window=100, stride=100).sel(source="a", target="b")
    coupled = together[100::200][: r.size]
    assert (r.to_numpy()[coupled] > 0.6).all()
    assert (np.abs(r.to_numpy()[~coupled]) < 0.3).all()


def test_single_precision_stays_and_is_close():
    x = activity()
    r = dynamic_connectivity(x.astype(np.float32), window=10, stride=5)
    assert r.dtype == r.compute().dtype == np.float32
    np.testing.assert_allclose(r, dynamic_connectivity(x, window=10, stride=5), atol=1e-5)


def test_the_result_is_valid_and_says_how_it_was_made():
    x = activity().assign_coords(region=("node", list("wxyz")), animal="worm1")
    fc = dynamic_connectivity(x, window=9.9, stride=5, kind="covariance")
    schema.validate(fc, "functional_connectivity", lazy=True)
    assert (fc.attrs["window_seconds"], fc.attrs["stride_seconds"], fc.attrs["units"]) == (10, 5, "(dF/F)^2")
    assert fc.source_region.values.tolist() == list("wxyz")
    assert fc.animal == "worm1"
    assert fc.start.attrs["units"] == fc.window.attrs["units"] == "s"


def test_jitter_passes_and_a_lost_frame_does_not():
    x = activity()
    clock = x.time + np.random.default_rng(0).uniform(-0.05, 0.05, 90)
    jittered = dynamic_connectivity(x.assign_coords(time=clock), window=10, stride=5)
    np.testing.assert_allclose(jittered, dynamic_connectivity(x, window=10, stride=5))
    with pytest.raises(InputError, match=r"resample\(rec, rate=\.\.\.\)"):
        dynamic_connectivity(x.drop_isel(time=[40]), window=10, stride=5)


def test_bad_input_is_refused_with_what_to_do():
    x = activity()
    with pytest.raises(
        InputError, match=r"window must be from 1.5 s .* to 45 s .* got 1 s\n.*stride must be .* 0.5 s, got 0"
    ):
        dynamic_connectivity(x, window=1, stride=0)
    with pytest.raises(InputError, match="got nan s"):
        dynamic_connectivity(x, window=np.nan, stride=np.nan)
    with pytest.raises(InputError, match=r"kind must be .*\n.*taper must be None, 'hamming' or 'gaussian', got 'hann'"):
        dynamic_connectivity(x, window=10, stride=5, kind="tangent", taper="hann")
    with pytest.raises(InputError, match="which spearman does not know"):
        dynamic_connectivity(x, window=10, stride=5, kind="spearman", taper="hamming")
    with pytest.raises(InputError, match=r"found dims .*\n.*min_samples must be at least 2, got 1"):
        dynamic_connectivity(x.expand_dims("animal"), window=10, stride=5, min_samples=1)
    with pytest.raises(UnitsError, match="activity has none"):
        dynamic_connectivity(x.drop_attrs(deep=False), window=10, stride=5, kind="covariance")
