"""Evidence for what NonnegativeCP can be asked: penalties, shared and fixed dims, warm starts, weights, losses."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.align import cp_similarity, match
from dynome.dynamics import NonnegativeCP
from dynome.errors import InputError

DIMS = ("time", "animal", "pair")


def tensor(seed=0, rank=3, shape=(30, 5, 20), noise=0.3, step=0.5):
    rng = np.random.default_rng(seed)
    factors = [rng.random((n, rank)) * (rng.random((n, rank)) > 0.4) + 0.01 for n in shape]
    x = np.einsum("tr,ar,pr->tap", *factors)
    x = np.maximum(x + noise * x.std() * rng.standard_normal(shape), 0)
    return xr.DataArray(
        x,
        dims=DIMS,
        coords={
            "time": ("time", np.arange(shape[0]) * step, {"units": "s"}),
            "animal": [f"w{k}" for k in range(shape[1])],
            "pair": [f"p{k}" for k in range(shape[2])],
        },
        name="affinity",
        attrs={"units": "1/s"},
    )


def movie(seed=0, n=12, n_time=25, rank=2, noise=0.1):
    """A symmetric matrix in time."""
    rng = np.random.default_rng(seed)
    f = rng.random((n, rank)) * (rng.random((n, rank)) > 0.4) + 0.01
    x = np.einsum("tr,ir,jr->tij", rng.random((n_time, rank)), f, f)
    error = rng.standard_normal(x.shape)
    x = np.maximum(x + noise * x.std() * (error + error.swapaxes(1, 2)), 0)
    labels = [f"N{k}" for k in range(n)]
    return xr.DataArray(x, dims=("time", "source", "target"), coords={"source": labels, "target": labels}), f


def fit(x, rank=3, weights=None, **asked):
    asked = {"n_restarts": 4, "random_state": 0, "max_iter": 500, "tol": 1e-9} | asked
    return NonnegativeCP(rank, **asked).fit(x, weights=weights)


def roughness(r):
    return float((r.time_factor.diff("time") ** 2).sum())


def test_a_longer_smoothing_length_gives_smoother_courses_and_a_larger_error():
    x = tensor(noise=1.0)
    rough, some, much = (fit(x, smoothness={"time": s}).results_ for s in (0.0, 0.5, 5.0))
    assert roughness(rough) > 2 * roughness(some) > 4 * roughness(much)
    assert float(rough.relative_error) < float(some.relative_error) < float(much.relative_error)
    assert float(some.history[-1]) > float(some.relative_error)  # the penalty is in the cost, not in the error


def test_smoothness_finds_a_slow_course_under_noise():
    rng = np.random.default_rng(0)
    t = np.arange(120) / 2
    course = np.exp(-((t - 20) ** 2) / 50)
    x = np.einsum("t,a,p->tap", course, rng.random(4) + 0.5, rng.random(15))
    x = np.maximum(x + 3 * x.std() * rng.standard_normal(x.shape), 0)
    x = xr.DataArray(x, dims=DIMS, coords={"time": t})

    def cosine(**asked):
        found = fit(x, rank=1, **asked).results_.time_factor[:, 0].to_numpy()
        found, truth = found - found.min(), course
        return float(found @ truth / np.linalg.norm(found) / np.linalg.norm(truth))

    assert cosine(smoothness={"time": 3.0}) > cosine() + 0.01


def test_penalties_do_not_kill_components_that_the_data_support():
    rng = np.random.default_rng(0)
    t = np.arange(120) / 2
    course = np.stack([np.exp(-((t - 15) ** 2) / 50), np.exp(-((t - 40) ** 2) / 50)], axis=1)
    pairs = rng.random((40, 2)) * (rng.random((40, 2)) < 0.3)
    x = np.einsum("tr,ar,pr->tap", course, rng.random((5, 2)) + 0.5, pairs)
    x = xr.DataArray(np.maximum(x + 2 * x.std() * rng.standard_normal(x.shape), 0), dims=DIMS, coords={"time": t})
    r = fit(x, rank=2, n_restarts=6, smoothness={"time": 3.0}, sparsity={"pair": 0.5}).results_
    np.testing.assert_allclose(r.restart_error, float(r.relative_error), rtol=0.02)
    assert match(cp_similarity([pairs], [r.pair_factor.to_numpy()])).similarity.min() > 0.9


def test_the_smoothing_length_is_in_the_unit_of_the_clock():
    x = tensor()
    a = fit(x, smoothness={"time": 2.0}).results_
    in_ms = x.assign_coords(time=x.time * 1000)
    b = fit(in_ms, smoothness={"time": 2000.0}).results_
    np.testing.assert_allclose(b.time_factor, a.time_factor, atol=1e-9)
    samples = fit(x.drop_vars("time"), smoothness={"time": 4.0}).results_
    np.testing.assert_allclose(samples.time_factor, a.time_factor, atol=1e-9)


def test_a_course_may_jump_where_the_recording_paused():
    course = np.repeat([0.2, 1.0], 15)
    x = xr.DataArray(np.einsum("t,a,p->tap", course, np.ones(3), np.ones(4)), dims=DIMS)
    clock = np.arange(30) / 2
    jumps = []
    for t in (clock, clock + 1000 * (np.arange(30) >= 15)):
        found = fit(x.assign_coords(time=t), rank=1, smoothness={"time": 3.0}).results_.time_factor[:, 0]
        jumps.append(float((found[15] - found[14]) / found.max()))
    assert jumps[0] < 0.2
    assert jumps[1] > 0.75


def test_sparsity_and_orthogonality_leave_fewer_pairs_a_component():
    x = tensor(noise=0.5)
    plain = fit(x).results_.pair_factor
    sparse = fit(x, sparsity={"pair": 0.5}).results_.pair_factor
    apart = fit(x, orthogonality={"pair": 2.0}).results_.pair_factor
    assert (sparse == 0).sum() > (plain == 0).sum()
    overlap = [float(abs(f.values.T @ f.values - np.eye(3)).max()) for f in (plain, apart)]
    assert overlap[1] < 1e-6 < overlap[0]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-4, 1e4))
def test_strengths_mean_the_same_in_every_unit_of_the_data(seed, scale):
    x = tensor(seed, shape=(12, 4, 8))
    asked = {"smoothness": {"time": 1.0}, "sparsity": {"pair": 0.3}, "orthogonality": {"animal": 0.2}, "max_iter": 50}
    a, b = fit(x, **asked).results_, fit(x * scale, **asked).results_
    np.testing.assert_allclose(b.weight, a.weight * scale, rtol=1e-5)
    np.testing.assert_allclose(b.pair_factor, a.pair_factor, atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), order=st.permutations(range(3)), labels=st.permutations(range(8)))
def test_the_order_of_dims_and_labels_does_not_matter(seed, order, labels):
    x = tensor(seed, shape=(12, 4, 8), noise=0.1)
    start = fit(x, max_iter=5).results_
    other = x.transpose(*(DIMS[k] for k in order)).isel(pair=labels)
    a = fit(x, init=start, max_iter=2000, tol=1e-13).results_
    b = fit(other, init=start, max_iter=2000, tol=1e-13).results_
    assert float(b.relative_error) == pytest.approx(float(a.relative_error), rel=1e-3)
    assert b.attrs["dims"] == [DIMS[k] for k in order]
    assert b.pair.values.tolist() == [f"p{k}" for k in labels]


def test_dims_that_share_a_factor_have_exactly_one():
    x, truth = movie()
    shared = fit(x, rank=2, shared=[("source", "target")]).results_
    np.testing.assert_array_equal(shared.source_factor, shared.target_factor)
    assert match(cp_similarity([truth], [shared.source_factor.values])).similarity.min() > 0.98
    assert float(shared.relative_error) <= float(fit(x, rank=2).results_.relative_error) * 1.01


def test_a_strength_given_for_one_of_two_shared_dims_holds_for_both():
    x, _ = movie()
    pairs = [("source", "target")]
    a = fit(x, rank=2, shared=pairs, sparsity={"source": 0.5}).results_
    b = fit(x, rank=2, shared=pairs, sparsity={"source": 0.5, "target": 0.5}).results_
    np.testing.assert_array_equal(a.source_factor, b.source_factor)
    assert (a.source_factor == 0).sum() > (fit(x, rank=2, shared=pairs).results_.source_factor == 0).sum()


def test_fixed_factors_keep_their_shape_their_order_and_their_labels():
    x = tensor(noise=0.1)
    known = fit(x).results_.pair_factor.assign_coords(component=["a", "b", "c"]).isel(component=[2, 0, 1])
    r = fit(x, fixed={"pair": known.isel(pair=slice(None, None, -1))}).results_
    np.testing.assert_allclose(r.pair_factor, known, rtol=1e-12)
    assert r.component.values.tolist() == ["c", "a", "b"]
    assert not (np.diff(r.weight) <= 0).all() or r.weight.argmax() != 0


def test_one_more_component_never_raises_the_error():
    x = tensor(rank=4, noise=0.5)
    r, errors = None, []
    for rank in range(1, 6):
        r = fit(x, rank=rank, init=r, max_iter=100).results_
        errors.append(float(r.relative_error))
    assert (np.diff(errors) < 0).all()
    assert errors[3] <= float(fit(x, rank=4).results_.relative_error) * 1.05


def test_a_fit_goes_on_where_another_ended():
    x = tensor(noise=0.5)
    first = fit(x, max_iter=3).results_
    more = fit(x.isel(pair=slice(None, None, -1)), init=first, max_iter=100).results_
    assert float(more.history[0]) < float(first.relative_error)
    assert more.sizes["restart"] == 1
    assert fit(x, init="random", max_iter=3).results_.equals(first)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_only_ratios_of_weights_matter(seed, scale):
    x = tensor(seed, shape=(8, 4, 6))
    w = xr.DataArray(np.random.default_rng(seed).random((4, 6)) + 0.1, dims=("animal", "pair"))
    a, b = (fit(x, rank=2, weights=v, max_iter=30).results_ for v in (w, w * scale))
    np.testing.assert_allclose(b.relative_error, a.relative_error, rtol=1e-6)
    np.testing.assert_allclose(b.pair_factor, a.pair_factor, atol=1e-6)


def test_a_weight_of_two_is_an_animal_seen_twice_and_of_zero_one_not_seen():
    x = tensor(noise=0.5)
    w = xr.DataArray([2.0, 1, 1, 1, 1], dims="animal", coords={"animal": x.animal})
    weighted = fit(x, weights=w, max_iter=3000, tol=1e-13).results_
    twice = xr.concat([x, x.isel(animal=[0]).assign_coords(animal=["again"])], "animal")
    doubled = fit(twice, max_iter=3000, tol=1e-13).results_
    assert float(weighted.relative_error) == pytest.approx(float(doubled.relative_error), rel=1e-4)
    corner = xr.zeros_like(x) + 1
    corner[:5, 0] = 0
    a, b = fit(x, weights=corner).results_, fit(x.where(corner > 0)).results_
    np.testing.assert_allclose(a.time_factor, b.time_factor, atol=1e-9)


@pytest.mark.parametrize("asked", [{"solver": "mu"}, {"solver": "lbfgs"}, {"dtype": "float32"}, {"loss": 2.0}])
def test_every_solver_and_storage_finds_the_same_squared_error(asked):
    x = tensor(noise=0.3)
    hals = fit(x, max_iter=2000, tol=1e-10).results_
    other = fit(x, max_iter=3000, **asked).results_
    assert float(other.relative_error) == pytest.approx(float(hals.relative_error), rel=5e-3)
    assert other.attrs["dtype"] == asked.get("dtype", "float64")
    assert float(other.residual_ratio) ** 2 == pytest.approx(float(other.relative_error))


def test_counts_are_fitted_by_their_own_divergence():
    rng = np.random.default_rng(0)
    truth = [rng.gamma(0.5, 2.0, (n, 3)) + 0.01 for n in (30, 5, 20)]
    mean = np.einsum("tr,ar,pr->tap", *truth)
    x = xr.DataArray(rng.poisson(mean).astype(float), dims=DIMS)
    model = fit(x, loss="kullback-leibler", max_iter=2000)
    r = model.results_
    found = [r[f"{d}_factor"].to_numpy() for d in DIMS]
    assert match(cp_similarity(truth, found)).similarity.min() > 0.9
    assert "residual_ratio" not in r
    assert model.score(x) == pytest.approx(1 - float(r.relative_error), abs=1e-3)
    fitted = r.time_factor * r.weight
    np.testing.assert_allclose(model.transform(x), fitted, atol=0.02 * float(fitted.max()))
    # At a minimum of this divergence the model keeps the sum of every label.
    for dim in DIMS:
        others = [d for d in DIMS if d != dim]
        np.testing.assert_allclose(model.inverse_transform().sum(others), x.sum(others), rtol=0.02, atol=0.5)


def test_penalised_samples_are_transformed_as_they_were_fitted():
    x = tensor(noise=0.5)
    asked = {"smoothness": {"time": 1.0}, "sparsity": {"pair": 0.3}, "orthogonality": {"animal": 0.1}}
    model = fit(x, max_iter=3000, tol=1e-12, **asked)
    fitted = model.results_.time_factor * model.results_.weight
    np.testing.assert_allclose(model.transform(x), fitted, atol=1e-3 * float(fitted.max()))


def test_a_model_with_everything_asked_is_saved_and_read(tmp_path):
    x, _ = movie()
    start = fit(x, rank=2, max_iter=5).results_
    model = fit(x, rank=2, shared=[("source", "target")], sparsity={"source": 0.2}, init=start, max_iter=20)
    loaded = NonnegativeCP.load(model.save(tmp_path / "cp.zarr"))
    assert loaded.results_.identical(model.results_)
    xr.testing.assert_allclose(loaded.fit(x).results_, model.results_)


def test_one_animal_is_allowed_and_so_is_a_pair_that_never_moves():
    x = tensor(shape=(20, 1, 10), noise=0.1)
    x[:, :, 3] = 0.0
    r = fit(x, rank=2).results_
    np.testing.assert_allclose(r.animal_factor, 1.0)
    np.testing.assert_allclose(r.pair_factor.sel(pair="p3"), 0.0, atol=1e-12)


def test_a_fibre_may_be_missing_but_no_label():
    x = tensor()
    x[:, 2, 3] = np.nan
    assert float(fit(x).results_.relative_error) > 0
    x[:, :, 3] = np.nan
    with pytest.raises(InputError, match="1 of pair have no observed entry: 'p3'; drop them"):
        fit(x)
    with pytest.raises(InputError, match="1 of animal have no observed entry: 'w1'"):
        fit(tensor(), weights=xr.DataArray([1.0, 0, 1, 1, 1], dims="animal"))


FACTOR = xr.DataArray(np.ones((20, 3)), dims=("pair", "component"))
BAD = [
    ({"rank": 101}, "rank 101 is above 100, with which any tensor of shape \\(30, 5, 20\\) is exact"),
    ({"smoothness": {"tme": 1.0}}, "smoothness names 'tme', expected dims of"),
    ({"smoothness": {"pair": 1.0}}, "smoothness along pair needs strictly increasing numbers"),
    ({"smoothness": 1.0}, "smoothness must be a dict of dim to strength"),
    ({"sparsity": {"pair": -1.0}}, "sparsity along pair must be a finite number >= 0, got -1.0"),
    ({"orthogonality": {"pair": np.inf}}, "orthogonality along pair must be a finite number"),
    ({"shared": [("time", "pair")]}, "time and pair cannot share a factor: they have 30 and 20 labels"),
    ({"shared": ["time"]}, "shared must hold pairs of different dims"),
    ({"fixed": {"pair": FACTOR[:5]}}, "fixed factor of pair is .*expected 20 labels, 3 components"),
    ({"fixed": {"pair": -FACTOR}}, "must be finite and >= 0, with no column of zeros"),
    ({"fixed": {"pair": np.ones((20, 3))}}, "must be a DataArray over \\('pair', 'component'\\)"),
    ({"fixed": {"node": FACTOR}}, "fixed names 'node'"),
    ({"fixed": {"pair": FACTOR.assign_coords(pair=range(20))}}, "other labels than the tensor"),
    ({"init": "svd"}, "init must be None, 'random' or the results_ of a fit.*got 'svd'"),
    ({"loss": "poisson"}, "loss must be one of frobenius, kullback-leibler or a number"),
    ({"solver": "als"}, "solver must be one of auto, hals, mu, lbfgs, got 'als'"),
    ({"loss": "kullback-leibler", "solver": "hals"}, "solver 'hals' minimises the squared error only"),
    ({"loss": "kullback-leibler", "negative": "fit"}, "negative entries can be fitted with the squared error"),
    ({"loss": 1.0, "sparsity": {"pair": 1.0}}, "penalties and shared dims need solver 'hals'"),
    ({"dtype": "float16"}, "dtype must be one of float64, float32"),
    ({"device": "tpu"}, "device must be"),
]


@pytest.mark.parametrize(("asked", "message"), BAD, ids=[str(a)[:40] for a, _ in BAD])
def test_what_cannot_be_asked_is_told(asked, message):
    with pytest.raises(InputError, match=message):
        fit(tensor(), **asked)


def test_shared_and_fixed_dims_must_fit_together():
    x, f = movie()
    factor = xr.DataArray(f, dims=("source", "component"))
    pairs = [("source", "target")]
    with pytest.raises(InputError, match="'source' cannot be both fixed and shared"):
        fit(x, rank=2, shared=pairs, fixed={"source": factor})
    with pytest.raises(InputError, match="shared names source or target twice"):
        fit(x, rank=2, shared=pairs * 2)
    with pytest.raises(InputError, match="their labels differ"):
        fit(x.assign_coords(target=list("abcdefghijkl")), rank=2, shared=pairs)
    with pytest.raises(InputError, match="sparsity differs between source and target"):
        fit(x, rank=2, shared=pairs, sparsity={"source": 1.0, "target": 2.0})
    every = {d: xr.DataArray(np.ones((n, 2)), dims=(d, "component")) for d, n in x.sizes.items()}
    with pytest.raises(InputError, match="every dim is fixed"):
        fit(x, rank=2, fixed=every)


def test_a_start_must_have_the_labels_and_no_more_components():
    x = tensor()
    r = fit(x, max_iter=3).results_
    with pytest.raises(InputError, match="init has 3 components, expected at most the rank, 2"):
        fit(x, rank=2, init=r)
    with pytest.raises(InputError, match="init has other labels along pair"):
        fit(x.assign_coords(pair=[f"q{k}" for k in range(20)]), init=r)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(5), "weights must be a DataArray over dims of"),
        (xr.DataArray(np.ones(4), dims="animal"), "weights have 4 labels along animal, expected 5"),
        (xr.DataArray(np.ones(5), dims="animal", coords={"animal": list("abcde")}), "other labels along animal"),
        (xr.DataArray([1.0, 1, 1, 1, -1], dims="animal"), "weights must be finite numbers >= 0"),
        (xr.DataArray(np.ones(5), dims="worm"), "weights must be a DataArray over dims"),
    ],
)
def test_weights_that_do_not_fit_are_told(weights, message):
    with pytest.raises(InputError, match=message):
        fit(tensor(), weights=weights)
