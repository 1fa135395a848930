"""Evidence for functional_connectivity: nilearn, scipy, sklearn, pandas; invariances; dask; missing data; errors."""

from __future__ import annotations

import warnings

import dask
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given, settings

from dynome import schema
from dynome.dynamics import functional_connectivity
from dynome.dynamics.connectivity.ranks import spearman
from dynome.dynamics.connectivity.shrinkage import inverse, ledoit_wolf
from dynome.errors import InputError, UnitsError

KINDS = ("correlation", "covariance", "spearman", "partial correlation", "precision")
seeds = st.integers(0, 2**32 - 1)


def activity(seed: int = 0, n_time: int = 120, n_node: int = 5, gaps: float = 0.0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_time, n_node)) @ (np.eye(n_node) + 0.5 * rng.standard_normal((n_node, n_node)))
    x[rng.random(x.shape) < gaps] = np.nan
    nodes = [f"N{k}" for k in range(n_node)]
    rec = schema.recording(x, time=np.arange(n_time) / 2, node=nodes, units="dF/F")
    return rec.activity.assign_coords(cell_type=("node", [f"type {k % 2}" for k in range(n_node)]))


def nilearn_matrix(x: xr.DataArray, kind: str, *, shrink: bool) -> np.ndarray:
    from nilearn.connectome import ConnectivityMeasure
    from sklearn.covariance import EmpiricalCovariance, LedoitWolf

    estimator = LedoitWolf() if shrink else EmpiricalCovariance()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ConnectivityMeasure(cov_estimator=estimator, kind=kind).fit_transform([x.to_numpy()])[0]


@pytest.mark.parametrize("kind", ["correlation", "covariance", "partial correlation", "precision"])
@pytest.mark.parametrize("shrink", [True, False])
@pytest.mark.parametrize("n_node", [5, 60])
def test_nilearn_gives_the_same(kind, shrink, n_node):
    x = activity(n_node=n_node)
    ours = functional_connectivity(x, kind=kind, shrink=shrink)
    bessel = 1 if shrink else 120 / 119
    factor = {"covariance": bessel, "precision": 1 / bessel}.get(kind, 1)
    np.testing.assert_allclose(ours, factor * nilearn_matrix(x, kind, shrink=shrink), rtol=1e-8, atol=1e-10)


def test_inverted_kinds_are_shrunk_unless_told_otherwise():
    x = activity(n_time=20, n_node=40)
    for kind in ("precision", "partial correlation"):
        expected = nilearn_matrix(x, kind, shrink=True)
        np.testing.assert_allclose(functional_connectivity(x, kind=kind), expected, atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, n_time=st.integers(2, 60), n_node=st.integers(1, 30), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_shrinkage_is_that_of_sklearn(seed, n_time, n_node, scale):
    import sklearn.covariance

    x = np.random.default_rng(seed).standard_normal((n_time, n_node)) * scale + 3
    covariance, shrinkage = sklearn.covariance.ledoit_wolf(x)
    ours = ledoit_wolf(x)
    assert ours.shrinkage == pytest.approx(shrinkage, abs=1e-10)
    np.testing.assert_allclose(ours.covariance, covariance, rtol=1e-10, atol=1e-10 * scale**2)


def test_the_inverse_is_exact_and_refuses_a_singular_matrix():
    x = np.random.default_rng(0).standard_normal((50, 8))
    matrix = x.T @ x
    np.testing.assert_allclose(inverse(matrix), np.linalg.inv(matrix), rtol=1e-10)
    assert (inverse(matrix) == inverse(matrix).T).all()
    with pytest.raises(np.linalg.LinAlgError):
        inverse(np.ones((3, 3)))


def test_a_chain_has_partial_correlations_only_between_neighbours():
    rng = np.random.default_rng(0)
    x = activity(n_time=20000, n_node=3)
    a = rng.standard_normal(20000)
    b = a + rng.standard_normal(20000)
    x[:] = np.stack([a, b, b + rng.standard_normal(20000)], axis=1)
    partial = functional_connectivity(x, kind="partial correlation", shrink=False)
    assert abs(float(partial.sel(source="N0", target="N2"))) < 0.03
    assert float(partial.sel(source="N0", target="N1")) > 0.4
    assert float(functional_connectivity(x).sel(source="N0", target="N2")) > 0.4


@settings(max_examples=15, deadline=None)
@given(seed=seeds, levels=st.sampled_from([3, 1000]))
def test_spearman_is_that_of_scipy_with_and_without_ties(seed, levels):
    x = activity(seed)
    x = (x * levels / 4).round()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.stats.ConstantInputWarning)
        expected = scipy.stats.spearmanr(x)[0]
    np.testing.assert_allclose(functional_connectivity(x, kind="spearman"), expected, atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_spearman_ranks_each_pair_within_its_common_samples(seed):
    x = activity(seed, n_time=40, gaps=0.3).round(1)
    ours = functional_connectivity(x, kind="spearman")
    np.testing.assert_allclose(ours, pd.DataFrame(x.values).corr(method="spearman", min_periods=3), atol=1e-12)


def test_spearman_of_gaps_that_nodes_share_is_that_of_pandas():
    x = activity(n_node=40).to_numpy().copy()
    x[10:20, :20], x[50:55] = np.nan, np.nan
    r, n = spearman(x)
    np.testing.assert_allclose(r, pd.DataFrame(x).corr(method="spearman"), atol=1e-12)
    assert set(np.unique(n)) == {105, 115}


@pytest.mark.parametrize("kind", KINDS)
def test_the_result_is_valid_labelled_and_leaves_the_input_alone(kind):
    x = activity()
    before = x.copy(deep=True)
    fc = functional_connectivity(x, kind=kind)
    xr.testing.assert_identical(x, before)
    schema.validate(fc, "functional_connectivity")
    assert fc.name == kind.replace(" ", "_")
    assert fc.attrs["directed"] == 0
    assert fc.attrs["units"] == {"covariance": "(dF/F)^2", "precision": "(dF/F)^-2"}.get(kind, "1")
    assert fc.source_cell_type.dims == ("source",)
    assert fc.target_cell_type.values.tolist() == x.cell_type.values.tolist()
    assert (fc.n_samples == 120).all()
    assert fc.n_samples.dims == ("source", "target")
    np.testing.assert_allclose(fc, fc.transpose("target", "source"), atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(seed=seeds, order=st.permutations(range(5)), gaps=st.sampled_from([0.0, 0.2]))
def test_nodes_carry_their_labels(kind, seed, order, gaps):
    x = activity(seed, gaps=0.0 if kind in ("partial correlation", "precision") else gaps)
    a, b = functional_connectivity(x, kind=kind), functional_connectivity(x.isel(node=list(order)), kind=kind)
    xr.testing.assert_allclose(a, b.sel(source=a.source, target=a.target), rtol=1e-9)


@pytest.mark.parametrize("kind", ["correlation", "spearman", "partial correlation"])
@settings(max_examples=8, deadline=None)
@given(seed=seeds, gain=st.floats(0.01, 100), offset=st.floats(-100, 100))
def test_gain_and_offset_of_the_recording_do_not_matter(kind, seed, gain, offset):
    x = activity(seed)
    scaled = functional_connectivity(x * gain + offset, kind=kind)
    np.testing.assert_allclose(scaled, functional_connectivity(x, kind=kind), atol=1e-9)


@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_gain_and_offset_of_each_node_do_not_matter_to_correlation(seed):
    x = activity(seed, gaps=0.1)
    gain = xr.DataArray(np.array([1e-3, 1, -2, 50, 1e4]), dims="node", coords={"node": x.node})
    sign = np.sign(gain.values)
    r = functional_connectivity(x * gain + 7 * gain)
    np.testing.assert_allclose(r, functional_connectivity(x) * np.outer(sign, sign), atol=1e-10)


@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_the_order_of_samples_does_not_matter(seed):
    x = activity(seed, gaps=0.1)
    shuffled = x.isel(time=np.random.default_rng(seed).permutation(120))
    np.testing.assert_allclose(functional_connectivity(shuffled), functional_connectivity(x), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunks", [(-1, -1), (7, 2), (120, 1), (1, 5)])
def test_dask_is_lazy_and_equal(kind, chunks):
    gaps = 0.0 if kind in ("partial correlation", "precision") else 0.2
    x = activity(gaps=gaps)
    lazy = functional_connectivity(x.chunk(time=chunks[0], node=chunks[1]), kind=kind)
    assert dask.is_dask_collection(lazy.data)
    assert lazy.chunks is not None
    xr.testing.assert_allclose(lazy.compute(), functional_connectivity(x, kind=kind), atol=1e-12)


def test_dask_reads_each_chunk_of_time_once_and_only_when_asked():
    import dask.array as da

    lengths = []

    def block(size):
        lengths.append(size)
        return np.random.default_rng(size).standard_normal((size, 3))

    parts = [da.from_delayed(dask.delayed(block)(100 + k), (100 + k, 3), float) for k in range(5)]
    x = xr.DataArray(da.concatenate(parts), dims=("time", "node"), coords={"node": ["a", "b", "c"]})
    fc = functional_connectivity(x)
    assert not lengths
    whole = xr.DataArray(np.concatenate([block(100 + k) for k in range(5)]), dims=x.dims, coords=x.coords)
    lengths.clear()
    np.testing.assert_allclose(fc.to_numpy(), functional_connectivity(whole), atol=1e-12)
    assert sorted(lengths) == [100, 101, 102, 103, 104]


def test_trials_and_animals_lead():
    x = xr.concat([activity(k, gaps=0.1) for k in range(3)], dim=xr.Variable("animal", ["u", "v", "w"]))
    fc = functional_connectivity(x.chunk(time=50))
    assert fc.dims == ("animal", "source", "target")
    one = functional_connectivity(x.sel(animal="v"))
    np.testing.assert_allclose(fc.sel(animal="v"), one, atol=1e-12)
    np.testing.assert_array_equal(fc.n_samples.sel(animal="v"), one.n_samples)
    inverted = functional_connectivity(x.fillna(0.0), kind="precision")
    np.testing.assert_allclose(inverted[1], functional_connectivity(x.fillna(0.0)[1], kind="precision"))
    assert inverted.n_samples.shape == (3, 5, 5)


def test_single_precision_stays_and_is_close():
    x = activity(n_time=500).astype(np.float32)
    for kind in KINDS:
        fc = functional_connectivity(x, kind=kind)
        assert fc.dtype == np.float32
        np.testing.assert_allclose(fc, functional_connectivity(x.astype(float), kind=kind), atol=2e-5)
    assert functional_connectivity(x.chunk(time=99)).compute().dtype == np.float32


def test_counts_of_spikes_can_be_correlated():
    x = (activity() * 4).round().astype(np.int16).assign_attrs(units="count")
    fc = functional_connectivity(x, kind="covariance")
    assert fc.attrs["units"] == "count^2"
    np.testing.assert_allclose(fc, np.cov(x.values.T))


def test_pairs_with_too_few_common_samples_are_nan_and_counted():
    x = activity()
    x[:60, 0], x[55:, 1] = np.nan, np.nan
    x[:5, 2] = np.nan
    for kind in ("correlation", "spearman", "covariance"):
        fc = functional_connectivity(x, kind=kind, min_samples=60)
        assert np.isnan(fc.sel(source="N0", target="N1"))
        assert np.isfinite(fc.sel(source="N0", target="N2"))
        assert int(fc.n_samples.sel(source="N0", target="N1")) == 0
        assert int(fc.n_samples.sel(source="N0", target="N2")) == 60
        assert np.isnan(functional_connectivity(x, kind=kind, min_samples=61).sel(source="N0", target="N2"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_or_absent_node_is_nan_and_changes_no_other(kind):
    x = activity(n_node=7)
    x[:, 2], x[:, 5] = 0.1, np.nan
    fc = functional_connectivity(x, kind=kind)
    rest = functional_connectivity(x.drop_isel(node=[2, 5]), kind=kind)
    np.testing.assert_allclose(fc.drop_isel(source=[2, 5], target=[2, 5]), rest, rtol=1e-12)
    assert np.isnan(fc.sel(source="N5")).all()
    silent = fc.sel(source="N2", target="N0")
    assert silent == 0 if kind == "covariance" else np.isnan(silent)
    assert int(fc.n_samples.sel(source="N5", target="N0")) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_without_a_sample_has_no_connectivity(kind):
    fc = functional_connectivity(activity().where(False), kind=kind)
    assert np.isnan(fc).all()
    assert (fc.n_samples == 0).all()


@pytest.mark.parametrize("kind", ["precision", "partial correlation"])
def test_frames_that_miss_every_node_are_left_out_of_the_inverse(kind):
    x = activity()
    x[30:40] = np.nan
    fc = functional_connectivity(x, kind=kind)
    np.testing.assert_allclose(fc, functional_connectivity(x.dropna("time"), kind=kind), rtol=1e-12)
    assert (fc.n_samples == 110).all()


def test_a_pairwise_complete_matrix_is_not_inverted():
    x = activity()
    x[3, 1] = np.nan
    for options in ({"kind": "precision"}, {"kind": "partial correlation"}, {"shrink": True}):
        with pytest.raises(InputError, match=r"1 values are NaN in some nodes .* interpolate the gaps, or drop"):
            functional_connectivity(x, **options)
    lazy = functional_connectivity(x.chunk(time=40), kind="precision")
    with pytest.raises(InputError, match="complete frames"):
        lazy.compute()


def test_a_singular_covariance_is_not_inverted():
    x = activity(n_time=4)
    with pytest.raises(InputError, match=r"5 nodes over 4 samples is singular .* use shrink=True"):
        functional_connectivity(x, kind="precision", shrink=False)


def test_all_wrong_options_are_told_at_once():
    with pytest.raises(InputError, match=r"kind must be one of 'correlation', .*, got 'pearson'\n.*at least 2, got 1"):
        functional_connectivity(activity(), kind="pearson", min_samples=1)
    with pytest.raises(InputError, match="call tangent_connectivity"):
        functional_connectivity(activity(), kind="tangent")
    with pytest.raises(InputError, match="no covariance to shrink"):
        functional_connectivity(activity(), kind="spearman", shrink=True)


def test_activity_that_cannot_be_used_is_refused():
    x = activity()
    with pytest.raises(InputError, match=r"expected a DataArray .* found Dataset"):
        functional_connectivity(x.to_dataset(name="activity"))
    with pytest.raises(InputError, match="missing 'node', found"):
        functional_connectivity(x.rename(node="roi"))
    with pytest.raises(InputError, match="repeated 'N0'"):
        functional_connectivity(x.assign_coords(node=["N0", "N0", "N1", "N2", "N3"]))
    with pytest.raises(InputError, match="node must have labels"):
        functional_connectivity(x.drop_vars("node"))
    with pytest.raises(InputError, match=r"found dtype complex128"):
        functional_connectivity(x.astype(complex))
    with pytest.raises(InputError, match="at least 2 time samples are needed, found 1"):
        functional_connectivity(x.isel(time=[0]))
    with pytest.raises(InputError, match="at least one node"):
        functional_connectivity(x.isel(node=[]))
    with pytest.raises(InputError, match="infinite"):
        functional_connectivity(x.where(x < 1, np.inf), kind="spearman")
    with pytest.raises(InputError, match="infinite"):
        functional_connectivity(x.where(x < 1, np.inf).chunk(time=10)).compute()


def test_covariance_needs_units():
    x = activity().drop_attrs()
    assert functional_connectivity(x).attrs["units"] == "1"
    with pytest.raises(UnitsError, match="activity has none; set attrs"):
        functional_connectivity(x, kind="covariance")
