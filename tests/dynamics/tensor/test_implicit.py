"""Evidence for the implicit operand: the same numbers as the dense one, for every kernel and kind of mask."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import datasets
from dynome.dynamics import NonnegativeCP, affinity, affinity_tensor, align_animals
from dynome.dynamics.affinities.forming import tensor_block
from dynome.dynamics.affinities.kernels import KERNELS, recipe
from dynome.dynamics.tensor.hals import factorize
from dynome.dynamics.tensor.operands import implicit
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.operands.implicit import ImplicitOperand
from dynome.errors import InputError

MISSING = ("nothing", "nodes", "ends", "scattered")


def rates(missing, *, n_animal=3, n_time=90, n_node=9, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    d = rng.standard_normal((n_animal, n_time, n_node))
    if missing != "nothing":
        d[0, :, 3] = d[2, :, :2] = np.nan
    if missing == "ends":
        d[1, 70:] = np.nan
    if missing == "scattered":
        d[rng.random(d.shape) < 0.03] = np.nan
    return d.astype(dtype)


def both(d, kernel="geomean", *, kept=slice(None), **options):
    """The implicit operand, and the dense one on the formed tensor."""
    i, j = (ends[kept] for ends in np.triu_indices(d.shape[2], 1))
    made_of = recipe(d, i, j, kernel, **options)
    x = tensor_block(made_of, np.arange(d.shape[1]))
    seen = ~np.isnan(x)
    mask = None if seen.all() else seen.astype(np.float64)
    return ImplicitOperand(made_of), DenseOperand(np.where(seen, x, 0.0), mask)


def random_factors(shape, n_restart=3, rank=4, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.random((n_restart, n, rank)) for n in shape]


def check_equal(found, expected, tolerance):
    factors = random_factors(expected.shape)
    assert found.shape == expected.shape
    assert found.squared_norm == pytest.approx(expected.squared_norm, rel=tolerance)
    modes = range(len(factors))
    numerators = dict(found.numerators(factors, modes))
    for mode, rows in expected.numerators(factors, modes):
        np.testing.assert_allclose(numerators[mode], rows, rtol=tolerance)
        assert numerators[mode].dtype == np.float64
        gram = np.broadcast_to(expected.gram(factors, mode), (3, found.shape[mode], 4, 4))
        np.testing.assert_allclose(np.broadcast_to(found.gram(factors, mode), gram.shape), gram, rtol=1e-10)
    np.testing.assert_allclose(
        found.squared_residual(factors), expected.squared_residual(factors), rtol=max(tolerance, 1e-10)
    )


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("missing", MISSING)
def test_every_product_equals_the_dense_one(kernel, missing):
    check_equal(*both(rates(missing), kernel), 1e-10)


@pytest.mark.parametrize("missing", MISSING)
def test_lags_and_signs_too(missing):
    for kernel in ("geomean", "gauss"):
        check_equal(*both(rates(missing), kernel, lag=2, signed=True), 1e-10)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), missing=st.sampled_from(MISSING), share=st.floats(0.1, 1.0))
def test_any_subset_of_pairs_in_any_order(seed, missing, share):
    rng = np.random.default_rng(seed)
    kept = rng.permutation(36)[: max(1, int(36 * share))]
    check_equal(*both(rates(missing, seed=seed), "product", kept=kept), 1e-10)


def test_blocks_of_any_size_give_the_same(monkeypatch):
    monkeypatch.setattr(implicit, "_TIMES", 7)
    monkeypatch.setattr(implicit, "_PAIRS", 11)
    check_equal(*both(rates("nodes"), "min"), 1e-10)


@pytest.mark.parametrize("rank", [1, 3, 30])
@pytest.mark.parametrize("n_node", [2, 6, 14])
def test_few_columns_and_many_give_the_same(rank, n_node):
    operand, dense = both(rates("nothing", n_node=n_node, n_time=600), signed=True)
    factors = random_factors(operand.shape, n_restart=1, rank=rank)
    expected = dict(dense.numerators(factors, range(4)))
    for mode, rows in operand.numerators(factors, range(4)):
        np.testing.assert_allclose(rows, expected[mode], rtol=1e-10)


def test_single_precision_is_close_and_sums_in_double():
    single, _ = both(rates("nodes", dtype=np.float32))
    _, dense = both(rates("nodes"))
    assert single.resolution > dense.resolution
    check_equal(single, dense, 1e-4)


def test_a_mode_is_read_anew_after_the_one_before():
    operand, dense = both(rates("nothing"))
    ours, theirs = random_factors(operand.shape), random_factors(operand.shape)
    for (mode, rows), (_, expected) in zip(
        operand.numerators(ours, range(3)), dense.numerators(theirs, range(3)), strict=True
    ):
        np.testing.assert_allclose(rows, expected, rtol=1e-10)
        ours[mode][:], theirs[mode][:] = rows, expected


def test_modes_that_are_not_wanted_are_not_computed():
    operand, dense = both(rates("nothing"))
    factors = random_factors(operand.shape)
    (found,) = operand.numerators(factors, [1])
    (expected,) = dense.numerators(factors, [1])
    assert found[0] == 1
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-10)


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("signed", [False, True])
def test_slabs_put_together_are_the_tensor(monkeypatch, missing, signed):
    monkeypatch.setattr(implicit, "_SLAB", 1000)
    operand, dense = both(rates(missing), signed=signed)
    slabs = list(operand.slabs())
    assert len(slabs) > 1
    np.testing.assert_array_equal(np.concatenate([s.values for s in slabs]).reshape(dense.x.shape), dense.x)
    if missing == "nothing":
        assert all(s.mask is None for s in slabs)
    else:
        mask = np.concatenate([np.broadcast_to(s.mask, s.values.shape) for s in slabs])
        np.testing.assert_array_equal(mask, np.broadcast_to(dense.mask, dense.shape))


def test_the_squared_norm_of_products_has_a_closed_form():
    d = rates("nothing", n_animal=1)[0]
    p, n = np.maximum(d, 0), np.maximum(-d, 0)
    expected = sum(((s**2).sum(1) ** 2 - (s**4).sum(1)).sum() / 2 for s in (p, n))
    operand, _ = both(d[None], "product")
    assert operand.squared_norm == pytest.approx(expected)


def test_fits_follow_the_same_path():
    operand, dense = both(rates("nodes"))
    starts = random_factors(operand.shape)
    a, b = (factorize(x, starts, max_iter=25, tol=0.0) for x in (operand, dense))
    np.testing.assert_allclose(a.error, b.error, rtol=1e-8)


@pytest.fixture(scope="module")
def worms():
    return align_animals(datasets.make_dynamic_communities(random_state=0), rate=2.0).isel(time=slice(0, 120))


@pytest.mark.parametrize("options", [{}, {"kernel": "min", "lag": 1.0, "signed": True}])
def test_a_described_affinity_is_factorised_as_its_tensor(worms, options):
    described = affinity(worms, **options)
    a, b = (
        NonnegativeCP(rank=3, n_restarts=2, max_iter=20, random_state=0).fit(x).results_
        for x in (described, affinity_tensor(described))
    )
    xr.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)
    assert a.attrs["dims"] == ["time", "animal", "pair", "sign"][: 4 if options else 3]
    assert {"source", "target"} <= set(a.pair_factor.coords)


def test_labels_that_were_never_observed_are_told(worms):
    described = affinity(worms)
    described["rate"][2] = np.nan
    described["rate"][:, 5] = np.nan
    with pytest.raises(
        InputError, match=r"(?s)1 of time have no observed entry: 2.5.*1 of animal have no .*'animal_3'"
    ):
        NonnegativeCP(rank=2).fit(described)
    with pytest.raises(InputError, match="every observed entry is 0"):
        NonnegativeCP(rank=2).fit(affinity(worms, threshold=1e6))


def test_what_needs_a_formed_tensor_says_so(worms):
    described = affinity(worms)
    weights = xr.DataArray(np.ones(described.sizes["animal"]), dims="animal")
    with pytest.raises(InputError, match="form it first with affinity_tensor"):
        NonnegativeCP(rank=2).fit(described, weights=weights)


@pytest.mark.realdata
def test_real_worms_are_factorised_without_a_tensor(data_dir):
    animals = align_animals(datasets.fetch_celegans_calcium(), rate=1.5, min_animals=3)
    described = affinity(animals, min_animals=3).isel(time=slice(0, 300))
    model = NonnegativeCP(rank=3, n_restarts=2, max_iter=15, random_state=0)
    a, b = (model.fit(x).results_ for x in (described, affinity_tensor(described)))
    xr.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)
    assert float(a.relative_error) < 0.9
