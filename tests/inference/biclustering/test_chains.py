"""Evidence for chains, checkpoints and storage: a chain that was killed, stopped or stored gives the same draws."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from toy_chains import N_NODE, Killed, assert_same, drawn, dying, run, start, step

from dynome.errors import InputError, StoreError
from dynome.inference.biclustering.chains import run_chain, run_chains
from dynome.inference.biclustering.checkpoints import (
    Checkpoint,
    Counts,
    Packed,
    packed,
    read_checkpoint,
    unpacked,
    write_checkpoint,
)
from dynome.inference.biclustering.storage import MemoryRecorder, ZarrRecorder


@pytest.fixture(scope="module")
def whole():
    return run(MemoryRecorder())


def test_zarr_holds_what_memory_holds(whole, tmp_path):
    assert_same(whole.recorded, run(ZarrRecorder(tmp_path / "draws")).recorded)


@pytest.mark.parametrize("at", [0, 9, 10, 13, 27, 42])
def test_a_chain_that_was_killed_goes_on_with_the_same_draws(whole, tmp_path, at):
    recorder, path = ZarrRecorder(tmp_path / "draws"), tmp_path / "checkpoint.npz"
    with pytest.raises(Killed):
        run(recorder, step=dying(at), checkpoint_path=path)
    if at >= 10:
        assert read_checkpoint(path).counts.sweeps == at // 10 * 10  # at most the sweeps since the last are lost
    assert_same(whole.recorded, run(recorder, checkpoint_path=path).recorded)


@pytest.mark.parametrize("at", [19, 39])
def test_a_chain_that_was_killed_between_draws_and_checkpoint_goes_on_with_the_same_draws(
    whole, tmp_path, at, monkeypatch
):
    recorder, path = ZarrRecorder(tmp_path / "draws"), tmp_path / "checkpoint.npz"

    def killed_while_writing(where, checkpoint):
        if checkpoint.counts.sweeps > at:
            raise Killed
        write_checkpoint(where, checkpoint)

    with monkeypatch.context() as patch:
        patch.setattr("dynome.inference.biclustering.chains.write_checkpoint", killed_while_writing)
        with pytest.raises(Killed):
            run(recorder, checkpoint_path=path)
    assert recorder.read().sweeps["n_clusters"].size == at + 1  # more than the checkpoint knows of
    assert_same(whole.recorded, run(recorder, checkpoint_path=path).recorded)


def test_a_process_that_is_killed_leaves_a_chain_that_goes_on(whole, tmp_path):
    recorder, path = ZarrRecorder(tmp_path / "draws"), tmp_path / "checkpoint.npz"
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]); import toy_chains as t\n"
        "from dynome.inference.biclustering.storage import ZarrRecorder\n"
        "def step(state, rng, sweep):\n"
        "    if sweep == 33: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return t.step(state, rng, sweep)\n"
        "t.run(ZarrRecorder(sys.argv[2]), step=step, checkpoint_path=sys.argv[3])\n"
    )
    arguments = [sys.executable, "-c", code, os.path.dirname(__file__), str(recorder.folder), str(path)]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    assert read_checkpoint(path).counts.sweeps == 30
    assert_same(whole.recorded, run(recorder, checkpoint_path=path).recorded)


def test_a_chain_that_is_finished_grows_by_further_draws(whole, tmp_path):
    recorder, path = ZarrRecorder(tmp_path / "draws"), tmp_path / "checkpoint.npz"
    run(recorder, 4, checkpoint_path=path)
    assert_same(whole.recorded, run(recorder, 15, checkpoint_path=path).recorded)
    short = run(MemoryRecorder(), 4)
    further = run(MemoryRecorder(short.recorded), 15, start=short.end)
    assert_same(whole.recorded, further.recorded)


def test_how_often_a_chain_is_written_does_not_matter(whole, tmp_path):
    assert_same(whole.recorded, run(ZarrRecorder(tmp_path / "draws"), checkpoint_every=4).recorded)


def test_a_folder_without_a_checkpoint_begins_anew_even_with_other_shapes(tmp_path):
    recorder = ZarrRecorder(tmp_path / "draws")
    run(recorder, start=lambda rng: drawn(rng, 20))
    assert run(recorder).recorded.draws["state"].shape == (15, 40)


def test_latents_are_padded_to_the_widest_draw_with_nan(whole):
    latents, draws = whole.recorded.latents, whole.recorded.draws
    assert latents["draw"].tolist() == [0, 3, 6, 9, 12]
    n_clusters = draws["n_clusters"][latents["draw"]]
    assert latents["latent"].shape[2] == n_clusters.max() > n_clusters.min()
    np.testing.assert_array_equal(np.isfinite(latents["latent"][:, 0, :, 0]).sum(axis=1), n_clusters)


def test_only_every_other_sweep_after_tuning_is_a_draw():
    def counting(state, rng, sweep):
        return state, {"log_likelihood": np.full(N_NODE, float(sweep))}

    found = run(MemoryRecorder(), 3, step=counting).recorded
    assert found.draws["log_likelihood"][:, 0].tolist() == [14.0, 16.0, 18.0]
    assert found.sweeps["log_likelihood"].tolist() == [6.0 * k for k in range(19)]


def test_chains_are_the_same_in_processes_threads_and_one_after_the_other():
    def chain(k):
        return run(MemoryRecorder(), 5, seed=k)

    one = run_chains(chain, 2, scheduler="synchronous")
    for scheduler in ("threads", "processes"):
        for a, b in zip(one, run_chains(chain, 2, scheduler=scheduler), strict=True):
            assert_same(a.recorded, b.recorded)


def test_a_client_may_run_the_chains():
    from concurrent.futures import Future

    class Client:
        """What is used of distributed.Client."""

        def map(self, func, *arguments, pure):
            futures = []
            for values in zip(*arguments, strict=True):
                future = Future()
                future.set_result(func(*values))
                futures.append(future)
            return futures

        def gather(self, futures):
            return [future.result() for future in futures]

    found = run_chains(lambda k: run(MemoryRecorder(), 5, seed=k), 2, client=Client())
    assert_same(found[1].recorded, run(MemoryRecorder(), 5, seed=1).recorded)


def test_a_checkpoint_keeps_nested_states_and_streams_spawned_later(tmp_path):
    rng = np.random.default_rng([1, 2])
    rng.spawn(3)
    state = {"chains": (drawn(rng), [1.5, None, "warm"]), "count": 3}
    write_checkpoint(tmp_path / "c.npz", Checkpoint(state, rng, Counts(5, 4, 1), "of this"))
    read = read_checkpoint(tmp_path / "c.npz")
    assert read.counts == Counts(5, 4, 1)
    assert read.fingerprint == "of this"
    np.testing.assert_array_equal(read.state["chains"][0].latent, state["chains"][0].latent)
    assert read.state["chains"][1] == [1.5, None, "warm"]
    assert rng.random() == read.rng.random()
    assert rng.spawn(1)[0].random() == read.rng.spawn(1)[0].random()
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]


def test_a_tempered_chain_records_the_point_that_it_names():
    def both(state, rng, sweep):
        cold, stats = step(state[0], rng, sweep)
        return (cold, state[1]), stats

    found = run(MemoryRecorder(), 5, step=both, start=lambda r: (start(r), start(r)), point=lambda s: s[0])
    assert found.recorded.draws["cluster"].shape == (5, N_NODE)
    assert len(found.end.state) == 2


def test_a_checkpoint_of_another_chain_is_refused(tmp_path):
    path = tmp_path / "c.npz"
    run(ZarrRecorder(tmp_path / "draws"), checkpoint_path=path, fingerprint="these data")
    with pytest.raises(StoreError, match="other data or with other settings; choose another folder"):
        run(ZarrRecorder(tmp_path / "draws"), checkpoint_path=path, fingerprint="those data")


def test_a_checkpoint_whose_draws_are_gone_is_refused(tmp_path):
    path = tmp_path / "c.npz"
    run(ZarrRecorder(tmp_path / "draws"), checkpoint_path=path)
    with pytest.raises(StoreError, match="is missing, though its chain has a checkpoint"):
        run(ZarrRecorder(tmp_path / "elsewhere"), 20, checkpoint_path=path)
    with pytest.raises(StoreError, match="memory holds fewer draws than the checkpoint"):
        run(MemoryRecorder(), 20, checkpoint_path=path)


def test_a_damaged_checkpoint_is_told(tmp_path):
    path = tmp_path / "c.npz"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(StoreError, match="damaged or no checkpoint"):
        read_checkpoint(path)
    with pytest.raises(StoreError, match="no checkpoint at"):
        read_checkpoint(tmp_path / "none.npz")
    text, arrays = packed(Checkpoint(1.0, np.random.default_rng(0), Counts()))
    with pytest.raises(StoreError, match="newer dynome"):
        unpacked(Packed(text.replace('"format": 1', '"format": 2'), arrays))
    with pytest.raises(StoreError, match="this is no checkpoint of a chain"):
        unpacked(Packed("{}", arrays))


def test_what_a_checkpoint_cannot_keep_is_told():
    with pytest.raises(InputError, match="holds a set, which a checkpoint cannot keep"):
        packed(Checkpoint({1, 2}, np.random.default_rng(0), Counts()))
    with pytest.raises(InputError, match=r"takes a PCG64 generator.*got MT19937"):
        packed(Checkpoint(1.0, np.random.Generator(np.random.MT19937(0)), Counts()))


def test_numbers_out_of_range_are_told_at_once():
    with pytest.raises(InputError, match=r"n_draws must be at least 1, got 0\n.*thin must be at least 1, got 0"):
        run(MemoryRecorder(), 0, thin=0)
    with pytest.raises(InputError, match="has 43 sweeps already, more than the 15"):
        run(MemoryRecorder((ended := run(MemoryRecorder())).recorded), 1, start=ended.end)
    with pytest.raises(InputError, match="a chain needs a generator"):
        run_chain(step, start, None, 3, recorder=MemoryRecorder())
