"""Evidence for readouts, attention over time and the penalty: closed forms, and what attention sums to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dynome.inference.dynamic_graphs import penalty
from dynome.inference.dynamic_graphs.penalty import orthogonality
from dynome.inference.dynamic_graphs.readouts import readout_of
from dynome.inference.dynamic_graphs.time_attention import TimeAttention
from dynome.training.noise import seeded

NAMES = ["mean", "sero", "garo", "garo_stagin"]


def made(factory, seed=0):
    with seeded(np.random.default_rng(seed)) as generator:
        h = torch.randn((3, 4, 5, 6), generator=generator)
        return factory().eval(), h


@pytest.mark.parametrize("name", NAMES)
def test_a_readout_is_the_mean_of_the_regions_weighted_by_its_attention(name):
    readout, h = made(lambda: readout_of(name, 5, 6, 0.1))
    vectors, weight = readout(h)
    assert vectors.shape == (3, 4, 6)
    assert ((weight > 0) & (weight <= 1)).all()
    torch.testing.assert_close(vectors, (weight[..., None] * h).mean(2))


def test_attention_scaled_after_the_sigmoid_is_small():
    readout, h = made(lambda: readout_of("garo_stagin", 5, 6, 0.0))
    assert readout(h)[1].max().item() < 6**-0.5


@pytest.mark.parametrize("name", ["mean", "garo", "garo_stagin"])
def test_readouts_but_sero_do_not_know_which_region_is_which(name):
    readout, h = made(lambda: readout_of(name, 5, 6, 0.0))
    order = [3, 0, 4, 1, 2]
    moved, weight = readout(h[:, :, order])
    torch.testing.assert_close(moved, readout(h)[0])
    torch.testing.assert_close(weight, readout(h)[1][..., order])


@pytest.mark.parametrize("summary", ["mean", "sum"])
def test_attention_over_time_sums_to_one_and_forgets_the_order_of_windows(summary):
    block, h = made(lambda: TimeAttention(6, 2, 0.1, summary))
    x = h[:, :, 0]
    vector, weight = block(x)
    torch.testing.assert_close(weight.sum(1), torch.ones(3))
    order = [2, 3, 0, 1]
    torch.testing.assert_close(block(x[:, order])[0], vector)
    torch.testing.assert_close(block(x[:, order])[1], weight[:, order])


def test_the_mean_over_windows_does_not_hang_on_their_number_and_the_sum_does():
    for summary, factor in (("mean", 1), ("sum", 2)):
        block, h = made(lambda summary=summary: TimeAttention(6, 1, 0.1, summary))
        x = h[:, :, 0]
        torch.testing.assert_close(block(torch.cat([x, x], 1))[0], factor * block(x)[0])


def test_a_token_pays_attention_to_windows():
    block, h = made(lambda: TimeAttention(6, 3, 0.1, "token"))
    vector, weight = block(h[:, :, 0])
    assert vector.shape == (3, 6)
    assert weight.shape == (3, 4)
    assert (weight.sum(1) < 1).all()


def test_the_block_of_attention_is_that_of_torch():
    block, h = made(lambda: TimeAttention(6, 2, 0.0, "mean"))
    reference = torch.nn.MultiheadAttention(6, 2, batch_first=True)
    reference.load_state_dict(
        {
            "in_proj_weight": block.attend.weight,
            "in_proj_bias": block.attend.bias,
            "out_proj.weight": block.join.weight,
            "out_proj.bias": block.join.bias,
        }
    )
    x = h[:, :, 0]
    attended, weight = reference(x, x, x)
    once = block.first_norm(attended)
    torch.testing.assert_close(block(x)[0], block.second_norm(once + block.mix(once)).mean(1))
    torch.testing.assert_close(block(x)[1], weight.mean(1))


def test_regions_that_are_all_alike_pay_for_every_pair():
    h = torch.ones(2, 3, 4, 5)
    assert orthogonality(h).item() == pytest.approx(6**0.5)
    assert orthogonality(torch.zeros(1, 1, 4, 5)).item() == 0


def by_its_formula(h):
    products = h @ h.mT
    largest = products.amax(-1, keepdim=True)
    return torch.linalg.matrix_norm((products / largest - torch.eye(h.shape[2], dtype=h.dtype)).triu()).mean()


def test_the_penalty_and_its_gradient_are_those_of_its_formula(monkeypatch):
    h = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 5, 4)))
    expected = torch.func.grad(by_its_formula)(h)
    for held in (1, 1 << 18):
        monkeypatch.setitem(penalty._HELD, "cpu", held)
        x = h.clone().requires_grad_(True)
        value = orthogonality(x)
        torch.testing.assert_close(value.detach(), by_its_formula(h))
        (3 * value).backward()
        torch.testing.assert_close(x.grad, 3 * expected)
        torch.testing.assert_close(orthogonality(h), by_its_formula(h))


def test_the_penalty_has_a_gradient_everywhere():
    for h in (torch.eye(4)[None, None], torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)):
        h.requires_grad_(True)
        orthogonality(h).backward()
        assert torch.isfinite(h.grad).all()
