"""Evidence for dynamics/tensor/operands/accelerated.py: the numbers of the numpy operand, on the CPU and on a card."""

from __future__ import annotations

import numpy as np
import pytest

from dynome.dynamics.tensor.hals import factorize
from dynome.dynamics.tensor.operands.accelerated import TorchOperand
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.starts import random_factors

torch = pytest.importorskip("torch")

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card"))]
MASKS = ["none", "block", "entries", "weights"]


def problem(kind, dtype=np.float64, shape=(12, 7, 15), rank=3, n_restart=4):
    rng = np.random.default_rng(0)
    x = rng.random(shape).astype(dtype)
    mask = {
        "none": None,
        "block": rng.random((1, *shape[1:])) > 0.3,
        "entries": rng.random(shape) > 0.3,
        "weights": rng.random((shape[0], 1, shape[2])) * (rng.random((shape[0], 1, shape[2])) > 0.2),
    }[kind]
    starts = random_factors(shape, rank, float(np.linalg.norm(x)), [np.random.default_rng(k) for k in range(n_restart)])
    return x, mask, starts


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", MASKS)
def test_every_step_gives_the_numbers_of_the_numpy_operand(kind, device):
    x, mask, starts = problem(kind)
    ours, theirs = DenseOperand(x, mask), TorchOperand(x, mask, device=device)
    placed = [theirs.asarray(f) for f in starts]
    assert ours.squared_norm == theirs.squared_norm
    np.testing.assert_allclose(ours.squared_residual(starts), theirs.squared_residual(placed), rtol=1e-10)
    found = dict(theirs.numerators(placed, range(3)))
    for mode, numerator in ours.numerators(starts, range(3)):
        np.testing.assert_allclose(numerator, theirs.to_numpy(found[mode]), rtol=1e-10)
        gram = theirs.gram(placed, mode)
        np.testing.assert_allclose(ours.gram(starts, mode), theirs.to_numpy(gram), rtol=1e-10)
        factor, moved = starts[mode].copy(), placed[mode].clone()
        ours.sweep(factor, numerator, ours.gram(starts, mode), 3)
        theirs.sweep(moved, found[mode], gram, 3)
        np.testing.assert_allclose(factor, theirs.to_numpy(moved), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", MASKS)
def test_a_fit_takes_the_same_way(kind, device):
    x, mask, starts = problem(kind)
    ours = factorize(DenseOperand(x, mask), starts, max_iter=25, tol=0.0)
    theirs = factorize(TorchOperand(x, mask, device=device), starts, max_iter=25, tol=0.0)
    np.testing.assert_allclose(ours.error, theirs.error, rtol=1e-10)
    for a, b in zip(ours.factors, theirs.factors, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("device", DEVICES)
def test_a_single_precision_tensor_gives_double_precision_numerators(device):
    x, _, starts = problem("none", np.float32)
    operand = TorchOperand(x, device=device)
    assert operand.resolution == DenseOperand(x).resolution
    for mode, numerator in operand.numerators([operand.asarray(f) for f in starts], range(3)):
        assert numerator.dtype == torch.float64
        expected = dict(DenseOperand(x.astype(float)).numerators(starts, [mode]))[mode]
        np.testing.assert_allclose(operand.to_numpy(numerator), expected, rtol=2e-6)


def test_a_component_without_any_weight_stays_as_it_is():
    operand = TorchOperand(np.ones((3, 2)))
    gram = operand.asarray(np.diag([2.0, 0.0])[None, None])
    factor = operand.asarray(np.full((1, 3, 2), 0.7))
    operand.sweep(factor, operand.asarray(np.ones((1, 3, 2))), gram, 1)
    np.testing.assert_allclose(factor[0], [[0.5, 0.7]] * 3)


def test_a_mask_in_several_blocks_gives_the_same(monkeypatch):
    x, mask, starts = problem("entries")
    operand = TorchOperand(x, mask)
    placed = [operand.asarray(f) for f in starts]
    before = [operand.gram(placed, m) for m in range(3)], operand.squared_residual(placed)
    monkeypatch.setattr("dynome.dynamics.tensor.operands.accelerated._BLOCK", 40)
    for mode, gram in enumerate(before[0]):
        torch.testing.assert_close(operand.gram(placed, mode), gram, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(operand.squared_residual(placed), before[1], rtol=1e-12)


def test_the_module_imports_without_torch():
    import subprocess
    import sys

    code = "import sys, dynome.dynamics.tensor.operands.accelerated; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
