"""Evidence for dynome/training: it learns, stops early, resumes bit by bit, and refuses what it cannot do."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
import torch
from torch import nn

from dynome import progress
from dynome.errors import InputError, StoreError
from dynome.training.loops import Plan, trained
from dynome.training.noise import Dropout, seeded
from dynome.training.schedules import rate_factor
from dynome.training.weights import load_weights, weights_dataset

X = torch.linspace(-1, 1, 24)[:, None]
PLAN = Plan(6, learning_rate=0.02, patience=4, checkpoint_every=1)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(dropout=0.2):
    with seeded(np.random.default_rng(0)):
        return nn.Sequential(nn.Linear(1, 8), nn.Tanh(), Dropout(dropout), nn.Linear(8, 1))


def loss(net, rows):
    return ((net(X[rows]) - X[rows] ** 2) ** 2).mean()


def batches(rng):
    return np.split(rng.permutation(24), 4)


def everything(net):
    return loss(net, np.arange(24)).item()


def train(net, plan=PLAN, seed=0, **options):
    return trained(net, batches, loss, plan, np.random.default_rng(seed), **{"validate": everything} | options)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_training_lowers_the_loss_and_the_network_ends_in_evaluation_mode():
    net = network()
    done = train(net, PLAN._replace(n_epochs=100, patience=100))
    assert done.validation[done.best_epoch] < 0.2 * done.validation[0]
    assert not net.training


def test_the_weights_at_the_end_are_those_of_the_best_epoch():
    net = network()
    done = train(net, PLAN._replace(n_epochs=30, learning_rate=0.3, patience=30, schedule="constant"))
    assert done.validation[-1] > done.validation.min()
    assert everything(net) == pytest.approx(done.validation.min(), rel=1e-6)


def test_training_stops_when_validation_no_longer_improves():
    told = iter([3.0, 1.0, 2.0, 2.0, 2.0, 2.0])
    done = train(network(), PLAN._replace(patience=2, n_epochs=6), validate=lambda _: next(told))
    assert (len(done.history), done.best_epoch, done.converged) == (4, 1, True)


def test_without_validation_training_runs_to_its_end():
    done = train(network(), validate=None)
    assert (len(done.history), done.best_epoch, done.converged, done.validation.size) == (6, 5, False, 0)


def test_one_seed_gives_the_same_weights_and_another_seed_others():
    first, second, third = network(), network(), network()
    train(first), train(second), train(third, seed=1)
    assert same(first, second)
    assert not same(first, third)


@pytest.mark.parametrize("schedule", ["cosine", "plateau", "constant"])
def test_training_that_was_interrupted_ends_with_the_same_weights_bit_by_bit(tmp_path, schedule):
    plan = PLAN._replace(schedule=schedule, patience=3)
    whole, broken, resumed = network(), network(), network()
    expected = train(whole, plan)
    calls = iter(range(4))

    def dies(net):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return everything(net)

    with pytest.raises(KeyboardInterrupt):
        train(broken, plan, validate=dies, checkpoint=tmp_path / "a" / "b.npz")
    done = train(resumed, plan, seed=99, checkpoint=tmp_path / "a" / "b.npz")  # the generator is that of the checkpoint
    assert same(whole, resumed)
    np.testing.assert_array_equal(done.history, expected.history)
    np.testing.assert_array_equal(done.validation, expected.validation)


def test_a_finished_training_is_read_and_not_repeated(tmp_path):
    first, second = network(), network()
    train(first, checkpoint=tmp_path / "c.npz")
    train(second, checkpoint=tmp_path / "c.npz", validate=lambda _: pytest.fail("trained again"))
    assert same(first, second)


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    train(network(), checkpoint=tmp_path / "c.npz", fingerprint="one")
    with pytest.raises(StoreError, match="belongs to other data"):
        train(network(), checkpoint=tmp_path / "c.npz", fingerprint="two")
    train(network(), checkpoint=tmp_path / "c.npz", fingerprint='one\n{"hidden": 8}')  # older files hold no settings
    train(network(), checkpoint=tmp_path / "d.npz", fingerprint='one\n{"hidden": 8, "seed": 0}')
    told = r"settings that differ: hidden \(8 in the file, 16 now\), layers \(None in the file, 2 now\); name"
    with pytest.raises(StoreError, match=told):
        train(network(), checkpoint=tmp_path / "d.npz", fingerprint='two\n{"hidden": 16, "layers": 2, "seed": 0}')


def test_a_damaged_checkpoint_is_refused_and_nothing_is_unpickled(tmp_path):
    (tmp_path / "c.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(StoreError, match="damaged"):
        train(network(), checkpoint=tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", checkpoint=np.array([{"a": 1}], dtype=object))
    with pytest.raises(StoreError, match="damaged") as told:
        train(network(), checkpoint=tmp_path / "d.npz")
    assert "pickle" not in str(told.value)


def test_a_checkpoint_leaves_no_partial_file(tmp_path):
    train(network(), checkpoint=tmp_path / "c.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]


def test_a_loss_that_is_not_finite_names_the_learning_rate():
    with pytest.raises(InputError, match="lower learning_rate"):
        trained(network(), batches, lambda net, b: loss(net, b) * float("nan"), PLAN, np.random.default_rng(0))
    with pytest.raises(InputError, match="validation loss became nan"):
        train(network(), validate=lambda _: float("nan"))


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory. Tried"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
    ids=["cuda", "cpu"],
)
def test_too_little_memory_says_what_to_lower(error):
    def fails(net, batch):
        raise error

    with pytest.raises(InputError, match="lower batch_size or hidden"):
        trained(network(), batches, fails, PLAN, np.random.default_rng(0), lower="batch_size or hidden")


def test_other_errors_of_torch_are_not_taken_for_want_of_memory():
    def fails(net, batch):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        trained(network(), batches, fails, PLAN, np.random.default_rng(0))


def test_training_touches_no_global_state():
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    train(network())
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    assert (threads, dtype) == (torch.get_num_threads(), torch.get_default_dtype())


def test_a_bar_tells_the_loss():
    with progress.show(io.StringIO()) as bar:
        train(network())
        (task,) = bar.tasks
        assert task.description.startswith("training: loss ")
        assert "validation" in task.description
        assert (task.completed, task.total) == (6, 6)


def test_a_plateau_halves_the_rate_and_begins_to_wait_again():
    losses = [1.0, 2.0, 2.0, 2.0, 2.0]
    assert [rate_factor("plateau", 0.5, 0, losses[:k], 2) for k in range(6)] == [1, 1, 1, 0.5, 0.5, 0.25]


def test_weights_survive_a_round_trip_through_a_dataset():
    one, other = network(), nn.Sequential(nn.Linear(1, 8), nn.Tanh(), Dropout(0), nn.Linear(8, 1))
    load_weights(other, weights_dataset(one))
    assert same(one, other)


def test_weights_of_another_network_are_refused_and_change_nothing():
    other = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
    before = {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises(StoreError, match=r"missing \['2.bias', '2.weight'\](.|\n)*unknown(.|\n)*shape \(8,\)"):
        load_weights(other, weights_dataset(network()))
    assert all(torch.equal(v, before[k]) for k, v in other.state_dict().items())


def test_dropout_keeps_the_mean_and_is_still_without_training():
    drop = Dropout(0.25)
    drop.generator = torch.Generator().manual_seed(0)
    x = torch.ones(40_000)
    assert drop(x).mean().item() == pytest.approx(1, abs=0.01)
    assert drop(x).unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(drop.eval()(x), x)
