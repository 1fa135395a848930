"""Evidence for dynamics/tensor/operands/skinny.py: numpy's products, whatever is left at the edges of tiles."""

from __future__ import annotations

import numpy as np
import pytest

from dynome import device
from dynome.dynamics.tensor.operands import skinny
from dynome.dynamics.tensor.operands.matrices import times_matrix


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (4, 640), (515, 641), (1030, 9)])
@pytest.mark.parametrize("n", [1, 4, 5, 11])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 2e-5)])
def test_products_are_those_of_numpy(shape, n, transposed, dtype, rtol):
    rng = np.random.default_rng(0)
    matrix = rng.random(shape).astype(dtype)
    left = rng.random((n, shape[1] if transposed else shape[0]))
    found = skinny.few_times(left, matrix, transposed=transposed)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, left @ (matrix.T if transposed else matrix), rtol=rtol)


@pytest.mark.parametrize("transposed", [False, True])
def test_threads_share_the_rows_without_a_difference(monkeypatch, transposed):
    rng = np.random.default_rng(1)
    matrix, left = rng.random((301, 57)), rng.random((6, 57 if transposed else 301))
    alone = skinny.few_times(left, matrix, transposed=transposed)
    monkeypatch.setattr(skinny, "_MANY", 1)
    monkeypatch.setattr(skinny, "_blas_threads", lambda: 3)
    np.testing.assert_allclose(skinny.few_times(left, matrix, transposed=transposed), alone, rtol=1e-13)


def test_a_limit_on_threads_holds_here_too():
    with device.threads(1):
        assert skinny._blas_threads() == 1


def test_single_precision_sums_do_not_drift_with_the_length():
    matrix = np.full((200_000, 4), 0.1, dtype=np.float32)
    found = skinny.few_times(np.ones((1, 200_000)), matrix, transposed=False)
    np.testing.assert_allclose(found, 200_000 * float(np.float32(0.1)), rtol=5e-6)


@pytest.mark.parametrize("transposed", [False, True])
def test_big_matrices_take_this_way_and_give_the_same(monkeypatch, transposed):
    rng = np.random.default_rng(2)
    matrix, left = rng.random((1024, 256)), rng.random((10, 256 if transposed else 1024))
    assert skinny.is_skinny(10, matrix)
    assert not skinny.is_skinny(100, matrix)
    tiled = times_matrix(left, matrix, transposed=transposed)
    monkeypatch.setattr(skinny, "_BIG", matrix.size + 1)
    np.testing.assert_allclose(times_matrix(left, matrix, transposed=transposed), tiled, rtol=1e-12)
