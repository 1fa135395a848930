"""Evidence for the steps of dynome/training: accumulation, loading ahead, precision, interruption within an epoch."""

from __future__ import annotations

import io
import json
import threading

import numpy as np
import pytest
import torch
from torch import nn

from dynome import progress
from dynome.device import repeatable
from dynome.errors import InputError, StoreError
from dynome.training.ahead import loaded
from dynome.training.loops import Plan, trained
from dynome.training.noise import Dropout, seeded

X = torch.linspace(-1, 1, 24)[:, None]
PLAN = Plan(4, learning_rate=0.02)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Follower(nn.Module):
    """A line with dropout, and a copy that follows its weights."""

    def __init__(self, dropout):
        super().__init__()
        self.line = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), Dropout(dropout), nn.Linear(8, 1))
        self.copy = nn.Linear(8, 1).requires_grad_(False)

    def forward(self, x):
        return self.line(x)


def follow(net, share):
    for slow, fast in zip(net.copy.parameters(), net.line[-1].parameters(), strict=True):
        slow.lerp_(fast, 0.5 * (1 - share) + 0.1)


def network(dropout=0.2):
    with seeded(np.random.default_rng(0)):
        return Follower(dropout)


def loss(net, rows):
    return ((net(X[rows]) - X[rows] ** 2) ** 2).mean()


def batches_of(size):
    return lambda rng: np.split(rng.permutation(24), 24 // size)


def train(net, plan=PLAN, size=4, seed=0, **options):
    return trained(net, batches_of(size), loss, plan, np.random.default_rng(seed), **options)


def apart(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def load_threads():
    return [t for t in threading.enumerate() if t.name.startswith("dynome-load")]


@pytest.mark.parametrize("accumulate", [2, 3])
def test_accumulated_batches_make_the_step_of_one_large_batch(accumulate):
    large, small = network(0), network(0)
    expected = train(large, size=4 * accumulate)
    done = train(small, PLAN._replace(accumulate=accumulate))
    assert apart(large, small) < 1e-6
    np.testing.assert_allclose(done.history, expected.history, rtol=1e-5)
    plain = network(0)
    train(plain)
    assert apart(large, plain) > 1e-3


def test_batches_left_over_at_the_end_of_an_epoch_make_a_step_of_their_own_mean():
    rest, split = network(0), network(0)
    train(rest, PLAN._replace(accumulate=4))  # 6 batches: 4 and 2
    trained(split, lambda rng: np.split(rng.permutation(24), [16]), loss, PLAN, np.random.default_rng(0))
    assert apart(rest, split) < 1e-6


def test_loading_in_the_background_changes_no_bit():
    whole, ahead = network(), network()
    train(whole)
    train(ahead, load=lambda rows: rows.copy())
    assert apart(whole, ahead) == 0


def test_what_is_loaded_comes_in_order_and_the_next_is_made_while_one_is_used():
    begun = [threading.Event() for _ in range(4)]

    def load(k):
        begun[k].set()
        return k * 10

    found = []
    with loaded(range(4), load) as results:
        for value in results:
            found.append(value)
            following = value // 10 + 1
            assert following == 4 or begun[following].wait(5)
            assert not any(event.is_set() for event in begun[following + 1 :])  # one ahead, not more
    assert found == [0, 10, 20, 30]
    assert not load_threads()


def test_nothing_to_load_is_an_empty_epoch_of_loading():
    with loaded([], lambda k: k) as results:
        assert list(results) == []


def test_an_error_of_loading_comes_up_at_its_batch_and_the_thread_ends():
    seen = []

    def load(rows):
        if len(seen) == 2:
            raise OSError("the disk is gone")
        seen.append(rows)
        return rows

    used = []

    def counted(net, rows):
        used.append(rows)
        return loss(net, rows)

    with pytest.raises(OSError, match="the disk is gone"):
        trained(network(), batches_of(4), counted, PLAN, np.random.default_rng(0), load=load)
    assert len(used) == 2
    assert not load_threads()


def test_an_error_of_the_loss_ends_the_loading_thread():
    def fails(net, rows):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        trained(network(), batches_of(4), fails, PLAN, np.random.default_rng(0), load=lambda rows: rows)
    assert not load_threads()


def test_after_each_step_the_network_is_handed_over_with_the_share_of_training_that_is_done():
    shares = []
    train(network(), PLAN._replace(accumulate=2), after_step=lambda net, share: shares.append(share))
    np.testing.assert_allclose(shares, np.arange(1, 13) / 12)


@pytest.mark.parametrize("dies_at", range(5, 18, 3))
def test_training_interrupted_within_an_epoch_ends_with_the_same_weights_bit_by_bit(tmp_path, dies_at):
    options = {"after_step": follow, "load": lambda rows: rows, "checkpoint": tmp_path / "c.npz"}
    options |= {"validate": lambda net: loss(net, np.arange(24)).item()}
    plan = PLAN._replace(accumulate=2, checkpoint_steps=1, checkpoint_every=2)
    whole, broken, resumed = network(), network(), network()
    expected = train(whole, plan, **options | {"checkpoint": None})
    calls = iter(range(100))

    def dies(net, rows):
        if next(calls) == dies_at:
            raise KeyboardInterrupt
        return loss(net, rows)

    with pytest.raises(KeyboardInterrupt):
        trained(broken, batches_of(4), dies, plan, np.random.default_rng(0), **options)
    begun = []
    counted = options | {"load": lambda rows: begun.append(1) or rows}
    done = train(resumed, plan, seed=99, **counted)
    assert apart(whole, resumed) == 0
    np.testing.assert_array_equal(done.history, expected.history)
    np.testing.assert_array_equal(done.validation, expected.validation)
    assert len(begun) <= 24 - dies_at + 2  # nothing but the step that was lost is done twice


def test_bfloat16_rounds_products_and_leaves_the_weights_float32():
    exact, rounded = network(0), network(0)
    kinds = set()

    def told(net, rows):
        kinds.add(net(X[rows]).dtype)
        return loss(net, rows)

    expected = train(exact)
    done = trained(
        rounded, batches_of(4), told, PLAN._replace(precision="bfloat16"), np.random.default_rng(0), validate=None
    )
    assert kinds == {torch.bfloat16}
    assert {t.dtype for t in rounded.state_dict().values()} == {torch.float32}
    assert 0 < apart(exact, rounded) < 0.02
    np.testing.assert_allclose(done.history, expected.history, rtol=0.05)


def test_an_unknown_precision_and_an_accumulation_of_nothing_are_refused():
    with pytest.raises(InputError, match="precision must be 'float32' or 'bfloat16', got 'float16'"):
        train(network(), PLAN._replace(precision="float16"))
    with pytest.raises(InputError, match="accumulate must be at least 1, got 0"):
        train(network(), PLAN._replace(accumulate=0))


def rewritten(path, **changed):
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    told = json.loads(str(arrays.pop("checkpoint"))) | changed
    arrays["checkpoint"] = np.array(json.dumps({k: v for k, v in told.items() if v is not None}))
    np.savez(path, **arrays)


def test_a_checkpoint_of_a_newer_format_names_both_versions(tmp_path):
    train(network(), checkpoint=tmp_path / "c.npz")
    rewritten(tmp_path / "c.npz", format=7, dynome="9.1")
    with pytest.raises(StoreError, match=r"a checkpoint of dynome 9.1, has format 7; dynome .* reads formats up to 2"):
        train(network(), checkpoint=tmp_path / "c.npz")


def test_a_checkpoint_of_the_first_format_still_continues(tmp_path):
    half = network()
    plan = PLAN._replace(schedule="constant", warmup=0)
    train(half, plan._replace(n_epochs=2), checkpoint=tmp_path / "c.npz")
    rewritten(tmp_path / "c.npz", format=1, step=None, total=None, began=None, dynome=None)
    resumed, constant = network(), network()
    done = train(resumed, plan, checkpoint=tmp_path / "c.npz")
    train(constant, plan)
    assert len(done.history) == 4
    assert apart(constant, resumed) == 0


def test_repeatable_puts_back_what_was_set():
    assert not torch.are_deterministic_algorithms_enabled()
    with repeatable():
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError, match="stopped"), repeatable():
        raise RuntimeError("stopped")
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_bar_moves_within_an_epoch_and_tells_the_time_left():
    stream, completed = io.StringIO(), []
    with progress.show(stream) as bar:
        train(network(), after_step=lambda net, share: completed.append(bar.tasks[0].completed))
    np.testing.assert_allclose(completed, np.arange(24) / 6)
    assert "left" in stream.getvalue()
