"""Evidence for dynamics/tensor/operands/chunked.py: in blocks equals in memory, in one pass, with bounded memory."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.dynamics import NonnegativeCP
from dynome.dynamics.tensor import hals, multiplicative
from dynome.dynamics.tensor.operands.choice import operand_of
from dynome.dynamics.tensor.operands.chunked import BLOCK_BYTES, ChunkedOperand, block_bounds
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.starts import random_factors
from dynome.errors import InputError

SHAPES = [(13, 7), (11, 5, 8), (9, 3, 5, 6)]
KINDS = ["whole", "block", "scattered", "weights", "weights in time"]


class Shelf:
    """An array that counts how often each of its rows is taken."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape
        self.taken = np.zeros(len(values), dtype=int)

    def __getitem__(self, rows):
        self.taken[rows] += 1
        return self.values[rows]


def case(shape, kind, seed=0, dtype=np.float64):
    """Data with NaN, weights, and the dense operand that holds the same."""
    rng = np.random.default_rng(seed)
    x = rng.random(shape).astype(dtype)
    seen = np.ones(shape, dtype=bool)
    if kind in ("block", "weights in time"):
        seen &= rng.random((1, *shape[1:])) > 0.25
    if kind in ("scattered", "weights"):
        seen[4:] = rng.random(seen[4:].shape) > 0.25  # the first block misses nothing
    weights = None
    if kind == "weights":
        weights = rng.random((1,) * (len(shape) - 1) + shape[-1:]) * (rng.random(shape[-1:]) > 0.2)
    if kind == "weights in time":
        weights = rng.random((shape[0],) + (1,) * (len(shape) - 1))
    mask = seen if weights is None else seen * weights
    holed = np.where(seen, x, np.nan)
    return holed, weights, DenseOperand(holed, None if kind == "whole" else mask)


def chunked(x, weights=None, step=4):
    return ChunkedOperand(x, [*range(0, x.shape[0], step), x.shape[0]], weights)


def factors_of(shape, rank=3, n_restart=2, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random((n_restart, n, rank)) for n in shape]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_in_blocks_equals_in_memory(shape, kind):
    x, weights, dense = case(shape, kind)
    operand, factors = chunked(x, weights), factors_of(shape)
    assert operand.squared_norm == pytest.approx(dense.squared_norm)
    for mode, numerator in operand.numerators(list(factors), range(len(shape))):
        np.testing.assert_allclose(numerator, dict(dense.numerators(factors, [mode]))[mode], rtol=1e-12)
    for mode in range(len(shape)):
        ours, theirs = (np.asarray(o.gram(factors, mode)) for o in (operand, dense))
        np.testing.assert_allclose(np.broadcast_to(ours, np.broadcast_shapes(ours.shape, theirs.shape)), theirs)
    np.testing.assert_allclose(operand.squared_residual(factors), dense.squared_residual(factors), rtol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_one_pass_equals_two_when_the_first_mode_is_updated_on_the_way(shape, kind):
    x, weights, _ = case(shape, kind)
    shelf = Shelf(x)
    operand, order = chunked(shelf, weights), len(shape)
    shelf.taken[:] = 0
    one, two = factors_of(shape), factors_of(shape)

    def update(rows, numerator):
        one[0][:, rows] = np.sqrt(numerator)

    found = dict(operand.fused_numerators(one, range(order), update))
    assert (shelf.taken == 1).all()
    for mode, numerator in operand.numerators(two, range(order)):
        if mode == 0:
            two[0] = np.sqrt(numerator)
        else:
            np.testing.assert_allclose(found[mode], numerator, rtol=1e-12)
    np.testing.assert_allclose(one[0], two[0], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_of_blocks_is_the_fit_of_the_whole(kind):
    x, weights, dense = case((14, 6, 9), kind)
    shelf = Shelf(x)
    operand = chunked(shelf, weights)
    starts = random_factors(x.shape, 2, np.sqrt(dense.squared_norm), [np.random.default_rng(k) for k in range(3)])
    shelf.taken[:] = 0
    ours = hals.factorize(operand, starts, max_iter=25, tol=0.0)
    theirs = hals.factorize(dense, starts, max_iter=25, tol=0.0)
    np.testing.assert_allclose(ours.error, theirs.error, rtol=1e-9)
    for a, b in zip(ours.factors, theirs.factors, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)
    assert (shelf.taken == len(ours.error)).all()  # one pass an iteration


@pytest.mark.parametrize("kind", ["whole", "block", "scattered", "weights"])
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_divergences_of_blocks_are_those_of_the_whole(kind, beta):
    x, weights, dense = case((10, 4, 6), kind)
    starts = factors_of(x.shape, rank=2)
    ours = multiplicative.factorize(chunked(x, weights), starts, beta=beta, max_iter=8, tol=0.0)
    theirs = multiplicative.factorize(dense, starts, beta=beta, max_iter=8, tol=0.0)
    np.testing.assert_allclose(ours.error, theirs.error, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
def test_other_number_types_are_multiplied_as_float64(dtype):
    x = np.random.default_rng(0).integers(0, 9, (9, 4, 5)).astype(dtype)
    operand, dense, factors = chunked(x), DenseOperand(x.astype(float)), factors_of(x.shape)
    assert operand.squared_norm == dense.squared_norm
    for mode, numerator in operand.numerators(factors, range(3)):
        np.testing.assert_allclose(numerator, dict(dense.numerators(factors, [mode]))[mode], rtol=1e-12)


def test_the_entries_counts_what_is_wrong():
    x = np.random.default_rng(0).random((10, 3, 4))
    x[2, 1, 1], x[8, 0, 0], x[9, 0, 1] = -1.0, -2.0, np.inf
    x[5], x[:, :, 2] = np.nan, np.nan
    entries = chunked(x).survey
    assert (entries.negative, entries.infinite) == (2, 1)
    assert np.flatnonzero(~entries.seen[0]).tolist() == [5]
    assert entries.seen[1].all()
    assert np.flatnonzero(~entries.seen[2]).tolist() == [2]


def test_an_error_of_the_reader_reaches_the_caller():
    class Broken(Shelf):
        def __getitem__(self, rows):
            if rows.start >= 8:
                raise OSError("disk gone")
            return super().__getitem__(rows)

    with pytest.raises(OSError, match="disk gone"):
        chunked(Broken(np.ones((12, 2, 2))))


@settings(max_examples=50, deadline=None)
@given(
    chunks=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    row=st.integers(1, BLOCK_BYTES // 40),
)
def test_blocks_cover_every_row_once_and_stay_small(chunks, row):
    shape = (sum(chunks), row)
    bounds = block_bounds(shape, chunks)
    sizes = np.diff(bounds)
    assert bounds[0] == 0
    assert bounds[-1] == shape[0]
    assert (sizes > 0).all()
    assert (sizes * row * 8 <= max(BLOCK_BYTES, row * 8)).all()
    inside = set(np.cumsum(chunks).tolist())
    cut = [b for b in bounds[1:-1] if b not in inside]
    assert not cut or max(chunks) * row * 8 > BLOCK_BYTES  # only chunks larger than a block are cut


def labelled(x):
    return xr.DataArray(
        x,
        dims=("time", "animal", "pair"),
        coords={"animal": [f"w{k}" for k in range(x.shape[1])]},
        attrs={"units": "1/s"},
    )


@pytest.fixture
def nothing_is_loaded(monkeypatch):
    monkeypatch.setattr("dynome.dynamics.tensor.operands.choice._IN_MEMORY", 0)
    monkeypatch.setattr(DenseOperand, "__init__", lambda *_: pytest.fail("the tensor was loaded"))


def test_a_fit_to_dask_chunks_is_the_fit_in_memory(monkeypatch, request):
    x, _, _ = case((14, 4, 9), "block")
    model = NonnegativeCP(rank=2, n_restarts=3, max_iter=20, tol=0.0, random_state=0)
    whole = model.fit(labelled(x)).results_
    request.getfixturevalue("nothing_is_loaded")
    chunks = model.fit(labelled(x).chunk(time=5, pair=4)).results_
    for name in whole.data_vars:
        np.testing.assert_allclose(chunks[name], whole[name], rtol=1e-6, atol=1e-9, err_msg=name)
    assert chunks.weight.attrs["units"] == "1/s"
    assert chunks.animal.values.tolist() == ["w0", "w1", "w2", "w3"]


def test_small_dask_tensors_are_loaded():
    x = labelled(case((6, 3, 4), "whole")[0])
    assert isinstance(operand_of(x.chunk(time=2)).operand, DenseOperand)


@pytest.mark.usefixtures("nothing_is_loaded")
def test_all_problems_of_chunks_are_told_at_once():
    x = np.random.default_rng(0).random((10, 3, 4))
    x[2, 1, 1], x[9, 0, 1], x[:, 2] = -1.0, np.inf, np.nan
    with pytest.raises(InputError, match=r"found 1 negative .*\n.*1 infinite .*\n.*1 of animal have no .*: 'w2'"):
        operand_of(labelled(x).chunk(time=4))
    with pytest.raises(InputError, match="every observed entry is 0"):
        operand_of(labelled(0 * np.ones((10, 3, 4))).chunk(time=4))
