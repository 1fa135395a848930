"""Evidence for what dynamic_connectivity and connectivity_graphs make of windows: graphs, pairs, phases, studies."""

from __future__ import annotations

import dask
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema, store, study
from dynome.dynamics import connectivity_graphs, dynamic_connectivity, fold
from dynome.errors import InputError


def activity(seed: int = 0, n_time: int = 90, n_node: int = 6, gaps: float = 0.0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_time, n_node)).cumsum(axis=0)
    x[rng.random(x.shape) < gaps] = np.nan
    nodes = [f"N{k}" for k in range(n_node)]
    rec = schema.recording(x, time=10 + np.arange(n_time) * 0.5, node=nodes, units="dF/F")
    return rec.activity.assign_coords(region=("node", [f"r{k % 2}" for k in range(n_node)]))


@pytest.mark.parametrize("gaps", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["correlation", "spearman"])
def test_a_graph_is_what_lies_above_the_percentile_of_its_window(kind, gaps):
    x = activity(gaps=gaps)
    values = dynamic_connectivity(x, window=10, stride=3.5, kind=kind).to_numpy()
    graphs = dynamic_connectivity(x.chunk(time=20), window=10, stride=3.5, kind=kind, density=0.4)
    assert graphs.dtype == bool
    assert dask.is_dask_collection(graphs.data)
    assert (graphs.attrs["density"], graphs.attrs["units"], graphs.name) == (0.4, "1", "graph")
    schema.validate(graphs, "functional_connectivity", lazy=True)
    np.testing.assert_array_equal(graphs, [m > np.nanpercentile(m, 60) for m in values])


@pytest.mark.parametrize("density", [None, 0.4])
def test_pairs_are_the_upper_triangle_with_both_labels(density):
    x = activity()
    options = {"window": 10, "stride": 5, "density": density}
    dense, upper = dynamic_connectivity(x, **options), dynamic_connectivity(x, **options, output="upper")
    assert upper.dims == ("window", "pair")
    np.testing.assert_array_equal(upper.sel(pair="N1|N4"), dense.sel(source="N1", target="N4"))
    assert upper.source_region.dims == upper.target_region.dims == ("pair",)
    assert upper.target_region.sel(pair="N1|N4") == "r0"
    i, j = np.triu_indices(6, 1)
    np.testing.assert_array_equal(upper, dense.to_numpy()[:, i, j])
    if density is None:
        folded = fold(upper, fill=1).sel(source=dense.source, target=dense.target)
        np.testing.assert_allclose(folded, dense, atol=1e-12)


def test_windows_in_samples_and_stagins_end():
    x = activity()
    seconds = dynamic_connectivity(x, window=10, stride=2.5)
    samples = dynamic_connectivity(x, window=20, stride=5, unit="samples")
    xr.testing.assert_identical(seconds.compute(), samples.compute())
    stagin = dynamic_connectivity(x, window=10, stride=2.5, closed="stagin")
    xr.testing.assert_identical(stagin.compute(), seconds[:-1].compute())


def waves(n_time: int = 600, seed: int = 0) -> xr.DataArray:
    """a leads b by a quarter period; c opposes a; d is noise of its own."""
    t = np.arange(n_time) / 10
    phase = 2 * np.pi * 0.5 * t
    x = np.stack([np.cos(phase), np.sin(phase), -2 * np.cos(phase), np.zeros(n_time)], axis=1)
    x += np.random.default_rng(seed).standard_normal(x.shape) * [0.05, 0.05, 0.05, 1]
    return schema.recording(x, time=t, node=list("abcd"), units="1").activity


def test_phases_cohere_whatever_their_difference_and_noise_does_not():
    r = dynamic_connectivity(waves(), window=20, stride=5, kind="phase coherence", band=(0.4, 0.6)).compute()
    inner = r[1:-1]
    assert (inner.sel(source="a", target=["b", "c"]) > 0.98).all()
    assert (inner.sel(source="a", target="d") < 0.9).all()
    assert float(r.max()) == 1
    assert float(r.min()) >= 0
    np.testing.assert_array_equal(r, r.transpose("window", "target", "source"))
    assert (r.attrs["band_low_hz"], r.attrs["band_high_hz"], r.attrs["units"]) == (0.4, 0.6, "1")
    schema.validate(r, "functional_connectivity")


@settings(max_examples=10, deadline=None)
@given(gain=st.floats(0.1, 10), offset=st.floats(-5, 5), single=st.booleans(), lazy=st.booleans())
def test_phase_coherence_is_the_mean_of_phase_differences(gain, offset, single, lazy):
    import scipy.signal

    x = waves(300)
    sections = scipy.signal.butter(2, (0.3, 0.8), btype="bandpass", fs=10, output="sos")
    phase = np.angle(scipy.signal.hilbert(scipy.signal.sosfiltfilt(sections, x, axis=0), axis=0))
    expected = [
        np.abs(np.exp(1j * (p[:, :, None] - p[:, None])).mean(axis=0))
        for p in (phase[s : s + 100] for s in range(0, 201, 50))
    ]
    given = (x * gain + offset).astype(np.float32 if single else np.float64)
    given = given.chunk(time=70) if lazy else given
    found = dynamic_connectivity(given, window=10, stride=5, kind="phase coherence", band=(0.3, 0.8))
    assert found.dtype == given.dtype
    np.testing.assert_allclose(found, expected, atol=1e-4 if single else 1e-6)


def test_a_node_without_change_has_no_phase():
    x = waves()
    x[100:400, 1] = 3.0
    r = dynamic_connectivity(x, window=20, stride=10, kind="phase coherence", band=(0.4, 0.6)).compute()
    silent = ((r.start >= x.time[100]) & (r.stop <= x.time[399])).to_numpy()
    np.testing.assert_array_equal(np.isnan(r.sel(source="b")).all("target"), silent)
    np.testing.assert_array_equal(np.isnan(r.sel(source="a", target=["c", "d"])), False)
    x[:, 1] = 3.0
    whole = dynamic_connectivity(x, window=20, stride=10, kind="phase coherence", band=(0.4, 0.6))
    assert np.isnan(whole.sel(source="b")).all()


def test_each_connectome_is_the_graph_of_its_window():
    x = activity().assign_attrs(paper="me 2026")
    x[:25, 3] = 1.0
    values = dynamic_connectivity(x, window=10, stride=5).compute()
    graphs = dynamic_connectivity(x, window=10, stride=5, density=0.5).compute()
    found = list(connectivity_graphs(x, window=10, stride=5, density=0.5))
    assert len(found) == graphs.sizes["window"]
    for k, wiring in enumerate(found):
        schema.validate(wiring, "connectome")
        edges = graphs[k].to_numpy() & ~np.eye(6, dtype=bool)
        again = np.zeros((6, 6), dtype=bool)
        i, j = (np.searchsorted(x.node, wiring[end]) for end in ("source", "target"))
        again[i, j] = True
        np.testing.assert_array_equal(again, edges)
        np.testing.assert_allclose(wiring.weight, values[k].to_numpy()[i, j])
        assert (wiring.start, wiring.stop, wiring.window) == (values.start[k], values.stop[k], values.window[k])
    assert wiring.node.size == 6
    assert wiring.region.dims == ("node",)
    assert (wiring.attrs["directed"], wiring.attrs["density"], wiring.attrs["paper"]) == (0, 0.5, "me 2026")
    assert set(wiring.edge_type.values) == {"functional"}


def test_connectomes_of_windows_are_made_one_by_one_and_arguments_checked_at_the_call():
    with pytest.raises(InputError, match="density must be above 0"):
        connectivity_graphs(activity(), window=10, stride=5, density=1.5)
    with pytest.raises(InputError, match="window must be from"):
        connectivity_graphs(activity(), window=100, stride=5, density=0.5)
    assert next(connectivity_graphs(waves(), window=20, stride=5, density=0.5, kind="phase coherence", band=(0.4, 0.6)))


def small_study(**lengths: int) -> xr.DataTree:
    recordings = {
        path.replace("_", "/"): activity(k, n_time=n).to_dataset(name="activity")
        for k, (path, n) in enumerate(lengths.items())
    }
    ages = pd.DataFrame({"age": [20.0, 30.0]}, index=["ann", "bob"])
    return study.build(recordings, phenotype=ages, attrs={"paper": "me 2026"})


def test_a_study_is_windowed_session_by_session(tmp_path):
    tree = small_study(ann_one=90, ann_two=70, bob_one=80)
    windows = dynamic_connectivity(tree, window=10, stride=5, density=0.4)
    assert list(study.sessions(windows)) == ["ann/one", "ann/two", "bob/one"]
    assert float(study.phenotype(windows).age.sel(animal="bob")) == 30
    assert windows.attrs["paper"] == "me 2026"
    for path, rec in study.sessions(tree).items():
        one = study.sessions(windows)[path].graph
        assert dask.is_dask_collection(one.data)
        xr.testing.assert_identical(
            one.compute(), dynamic_connectivity(rec.activity, window=10, stride=5, density=0.4).compute()
        )
    store.save(windows, tmp_path / "windows.zarr")
    again = store.open(tmp_path / "windows.zarr")
    np.testing.assert_array_equal(again["ann/two"].graph, windows["ann/two"].graph)


def test_every_session_that_cannot_be_windowed_is_named():
    tree = small_study(ann_one=90, ann_two=30, bob_one=20)
    with pytest.raises(
        InputError, match=r"ann/two: window must be .* to 15 s .* got 20 s\n.*bob/one: window must be .* to 10 s"
    ):
        dynamic_connectivity(tree, window=20, stride=5)
    spikes = schema.recording(spike_count=np.ones((9, 1)), time=np.arange(9.0), node=["a"])
    with pytest.raises(InputError, match=r"cid: has no activity; bin_spikes"):
        dynamic_connectivity(study.build({"cid": spikes}), window=20, stride=5)
    with pytest.raises(InputError, match="the study has no sessions"):
        dynamic_connectivity(xr.DataTree(), window=20, stride=5)


def test_bad_choices_are_told_together():
    x = activity()
    with pytest.raises(InputError, match=r"closed must be .*\n.*unit must be .*'samples', got 'ms'\n.*output must be"):
        dynamic_connectivity(x, window=10, stride=5, closed="left", unit="ms", output="edges")
    with pytest.raises(
        InputError, match=r"needs a narrow band .* band=\(low, high\) in Hz\n.*density must be .* got 30"
    ):
        dynamic_connectivity(x, window=10, stride=5, kind="phase coherence", density=30)
    with pytest.raises(InputError, match="band is for phase coherence, got kind='correlation'"):
        dynamic_connectivity(x, window=10, stride=5, band=(0.1, 0.2))
    for band in ((0.2, 0.1), (0.0, 0.1), (0.1, 1.0)):
        with pytest.raises(InputError, match="band must rise from above 0 to below 1 Hz"):
            dynamic_connectivity(x, window=10, stride=5, kind="phase coherence", band=band)
    with pytest.raises(InputError, match=r"three periods of 0.01 Hz last 300 s, and the recording 45 s"):
        dynamic_connectivity(x, window=10, stride=5, kind="phase coherence", band=(0.01, 0.1))
    with pytest.raises(InputError, match=r"window must be from 3 samples .* to 89 samples .* got 90 samples"):
        dynamic_connectivity(x, window=90, stride=1, unit="samples", closed="stagin")
    gaps = activity(gaps=0.1)
    with pytest.raises(InputError, match=r"a filter needs them all; interpolate_gaps\(rec\) first"):
        dynamic_connectivity(gaps, window=10, stride=5, kind="phase coherence", band=(0.2, 0.5)).compute()
