"""Evidence for sparse tensors: what is absent is 0, products equal the dense ones, labels decide."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import store
from dynome.dynamics import NonnegativeCP, sparse_tensor
from dynome.dynamics.tensor import hals, lbfgs, multiplicative
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.operands.sparse import SparseOperand
from dynome.dynamics.tensor.sparse_tensors import entries_of
from dynome.errors import InputError

SHAPES = [(9, 7), (6, 5, 8), (4, 3, 5, 6)]


def sparse(shape, density=0.2, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.poisson(2.0, shape) * (rng.random(shape) < density).astype(float)
    x.flat[0] = 1.0
    positions = np.argwhere(x > 0)
    order = rng.permutation(len(positions))
    return SparseOperand(positions[order], x[x > 0][order], shape), x


def factors_of(shape, rank=3, n_restart=2, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random((n_restart, n, rank)) + 0.01 for n in shape]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shape=st.sampled_from(SHAPES), density=st.floats(0.0, 1.0))
def test_products_equal_those_of_the_dense_tensor(seed, shape, density):
    operand, x = sparse(shape, density, seed)
    dense, factors = DenseOperand(x), factors_of(shape, seed=seed)
    assert operand.squared_norm == pytest.approx(dense.squared_norm)
    np.testing.assert_allclose(operand.squared_residual(factors), dense.squared_residual(factors), rtol=1e-10)
    expected = dict(dense.numerators(factors, range(len(shape))))
    for mode, numerator in operand.numerators(factors, range(len(shape))):
        np.testing.assert_allclose(numerator, expected[mode], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(operand.gram(factors, mode), dense.gram(factors, mode))


def test_a_factor_that_changes_between_two_modes_is_used_at_once():
    operand, x = sparse((6, 5, 8))
    dense, factors = DenseOperand(x), factors_of(x.shape)
    for mode, numerator in operand.numerators(factors, range(3)):
        np.testing.assert_allclose(numerator, next(dense.numerators(factors, [mode]))[1], rtol=1e-10, atol=1e-12)
        factors[mode] = factors[mode] + 1.0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("solver", ["hals", "lbfgs", "kullback-leibler"])
def test_every_solver_finds_the_same_in_both_forms(shape, solver):
    operand, x = sparse(shape)
    starts = factors_of(shape, rank=2)

    def fit(data):
        if solver == "kullback-leibler":
            return multiplicative.factorize(data, starts, beta=1.0, max_iter=15, tol=0.0)
        return (hals if solver == "hals" else lbfgs).factorize(data, starts, max_iter=15, tol=0.0)

    a, b = fit(operand), fit(DenseOperand(x))
    np.testing.assert_allclose(a.error, b.error, rtol=1e-7)
    for ours, theirs in zip(a.factors, b.factors, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_other_divergences_are_refused():
    operand, _ = sparse((6, 5, 8))
    with pytest.raises(InputError, match=r"frobenius or kullback-leibler, got beta 0\.5"):
        multiplicative.factorize(operand, factors_of((6, 5, 8)), beta=0.5, max_iter=5, tol=0.0)


def spikes(n=400, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "time": rng.random(n) * 10,
            "trial": rng.choice(["first", "second", "third"], n),
            "node": rng.choice(["AVAL", "AVAR", "RIML", "RIMR"], n),
        }
    )


def dense_of(tensor):
    positions, values, shape = entries_of(tensor)
    x = np.zeros(shape)
    x[tuple(positions.T)] = values
    dims = tensor.attrs["dims"]
    return xr.DataArray(x, dims=dims, coords={d: tensor[d] for d in dims}, attrs={"units": "1"})


BINS = {"time": (0.0, 10.0, 0.5)}
DIMS = ["time", "trial", "node"]


def test_spikes_are_counted_in_bins():
    table = spikes()
    x = dense_of(sparse_tensor(table, DIMS, bins=BINS))
    one = table[(table.trial == "second") & (table.node == "RIML")].time
    np.testing.assert_array_equal(x.sel(trial="second", node="RIML"), np.histogram(one, np.arange(0, 10.5, 0.5))[0])
    assert float(x.sum()) == len(table)


def test_values_of_rows_with_the_same_labels_are_added_up():
    table = {"a": [1, 2, 1], "b": ["x", "y", "x"], "value": [0.5, 2.0, 0.25]}
    x = dense_of(sparse_tensor(table, ["a", "b"], coords={"b": ["y", "x", "silent"]}))
    assert x.b.values.tolist() == ["y", "x", "silent"]
    np.testing.assert_array_equal(x, [[0, 0.75, 0], [2.0, 0, 0]])


def test_a_fit_to_a_sparse_tensor_is_the_fit_to_its_dense_form():
    tensor = sparse_tensor(spikes(), DIMS, bins=BINS)
    for loss in ("frobenius", "kullback-leibler"):
        model = NonnegativeCP(rank=2, n_restarts=2, loss=loss, max_iter=10, tol=0.0, random_state=0)
        ours, dense = model.fit(tensor).results_, model.fit(dense_of(tensor)).results_
        for name in dense.data_vars:
            np.testing.assert_allclose(ours[name], dense[name], rtol=1e-5, atol=1e-7, err_msg=name)
        assert ours.node.values.tolist() == tensor.node.values.tolist()


def test_new_samples_are_described_alike_in_both_forms():
    tensor = sparse_tensor(spikes(), DIMS, bins=BINS)
    model = NonnegativeCP(rank=2, n_restarts=2, max_iter=10, random_state=0).fit(tensor)
    some = tensor.isel(time=slice(3, 9))
    np.testing.assert_allclose(model.transform(some), model.transform(dense_of(some)), rtol=1e-6)
    assert model.score(some) == pytest.approx(model.score(dense_of(some)))


def test_order_of_rows_and_of_labels_changes_nothing_but_the_order():
    table = spikes()
    a = sparse_tensor(table, DIMS, bins=BINS)
    b = sparse_tensor(table.sample(frac=1, random_state=1), DIMS, bins=BINS, coords={"node": a.node.values[::-1]})
    xr.testing.assert_equal(dense_of(a), dense_of(b).sel(node=a.node, trial=a.trial))
    xr.testing.assert_equal(dense_of(a.isel(node=[2, 0])), dense_of(a).isel(node=[2, 0]))


def test_a_sparse_tensor_can_be_kept_in_a_store(tmp_path):
    tensor = sparse_tensor(spikes(), DIMS, bins=BINS)
    store.save(tensor, tmp_path / "spikes.zarr")
    xr.testing.assert_equal(dense_of(store.open(tmp_path / "spikes.zarr")), dense_of(tensor))


def test_all_problems_of_a_table_are_told_at_once():
    table = {"time": [0.1, np.nan, 0.3], "node": ["a", "b", "c"], "value": [1.0, -1.0, np.inf]}
    with pytest.raises(
        InputError,
        match=r"1 values that are NaN or infinite.*\n.*1 negative.*\n.*1 rows have no time.*\n"
        r".*1 labels of node are not among its coordinates: 'c'",
    ):
        sparse_tensor(table, ["time", "node"], coords={"node": ["a", "b"]})
    with pytest.raises(InputError, match="the table has no column 'pair'"):
        sparse_tensor(table, ["time", "pair"])
    with pytest.raises(InputError, match="at least two different dims"):
        sparse_tensor(table, ["time"])
    with pytest.raises(InputError, match="nothing is left"):
        sparse_tensor({"time": [0.1], "node": ["a"]}, ["time", "node"], bins={"time": (1.0, 2.0, 0.5)})
    with pytest.raises(InputError, match="bins of time must be"):
        sparse_tensor({"time": [0.1], "node": ["a"]}, ["time", "node"], bins={"time": (2.0, 1.0, 0.5)})


def test_a_damaged_sparse_tensor_is_refused():
    tensor = sparse_tensor(spikes(), DIMS, bins=BINS)
    twice = xr.concat([tensor, tensor.isel(entry=[0])], "entry", data_vars="minimal")
    with pytest.raises(InputError, match="1 entries occur twice"):
        entries_of(twice)
    with pytest.raises(InputError, match="'entry_node' are absent"):
        entries_of(tensor.drop_vars("entry_node"))
    with pytest.raises(InputError, match="no entry above 0 is left"):
        entries_of(tensor.isel(node=[], trial=[0]))
