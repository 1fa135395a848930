"""Evidence that pretraining runs as a laboratory needs it: from disk, killed and resumed, in half precision."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest

from dynome import schema, store, study
from dynome.datasets import make_bold
from dynome.inference import GraphMaskedAutoencoder
from dynome.inference.pretraining import pretraining_run

_WORDS = {"hidden": 8, "n_layers": 2, "n_steps": 12, "n_windows": 12, "batch_size": 2, "random_state": 0}

_SCRIPT = f"""
import sys, time, torch
torch.set_num_threads(1)
from dynome.datasets import make_bold
from dynome.inference import GraphMaskedAutoencoder
from dynome.inference.pretraining import pretraining_run
plain = pretraining_run.batch_of
def slow(*args, **options):
    time.sleep(0.2)
    return plain(*args, **options)
pretraining_run.batch_of = slow
people = make_bold(n_animals=4, n_nodes=16, n_times=120, random_state=0)
GraphMaskedAutoencoder(checkpoint=sys.argv[1], device="cpu", **{_WORDS!r}).fit(people)
"""


@pytest.fixture(scope="module")
def people():
    return make_bold(n_animals=4, n_nodes=16, n_times=120, random_state=0)


def model(**options):
    return GraphMaskedAutoencoder(device="cpu", **(_WORDS | options))


@pytest.fixture(scope="module")
def whole(people):
    return model().fit(people)


def test_a_killed_process_loses_at_most_a_few_steps_and_no_number(people, whole, tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    child = subprocess.Popen([sys.executable, "-c", _SCRIPT, str(path)], env=os.environ | {"OMP_NUM_THREADS": "1"})
    until = time.monotonic() + 240
    while not path.exists() and child.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL  # it was still at work
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".npz"] == ["fit.npz"]
    taken, plain = [], pretraining_run.clips

    def counted(*args):
        taken.append(1)
        return plain(*args)

    resumed = model(checkpoint=path)
    monkeypatch.setattr(pretraining_run, "clips", counted)
    resumed.fit(people)
    here = len(taken)
    model().fit(people)
    assert here < len(taken) - here  # what was done before the end of the process was not done again
    for group in ("/", "/weights", "/whole_graphs"):
        one, other = (m.results_[group].to_dataset(inherit=False) for m in (whole, resumed))
        for name in one.data_vars:
            np.testing.assert_array_equal(one[name], other[name], err_msg=f"{group} {name}")


def test_a_study_on_disk_is_never_in_memory_as_a_whole(people, whole, tmp_path):
    n_scans, n_times, n_nodes = 12, 8_000, 8
    rng = np.random.default_rng(0)
    scans = {}
    for k in range(n_scans):
        x = rng.standard_normal((n_times, n_nodes))
        scans[f"p{k}"] = schema.recording(x, time=np.arange(float(n_times)), node=list("abcdefgh"), units="1")
    store.save(study.build(scans), tmp_path / "study.zarr")
    del scans, x
    large = store.open(tmp_path / "study.zarr")
    asked = {name: part.activity for name, part in study.sessions(large).items()}
    assert all(x.chunks is not None for x in asked.values())
    next(iter(asked.values())).to_numpy()
    tracemalloc.start()  # after `whole` and the first scan, so that what is compiled and imported does not count
    fitted = model(n_steps=6, validation=0.05).fit(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fitted.results_.attrs["n_iter"] == 6  # two scans a step: nearly every scan was read
    assert peak < 0.5 * n_scans * n_times * n_nodes * 8
    assert all(x.chunks is not None for x in asked.values())


def test_pretraining_in_bfloat16_learns_as_in_float32(people, whole):
    rounded = model(precision="bfloat16").fit(people)
    history, expected = rounded.results_.history, whole.results_.history
    assert not np.array_equal(history, expected)
    np.testing.assert_allclose(history, expected, rtol=0.05)
    assert {v.dtype.kind for v in rounded.results_["weights"].data_vars.values()} <= {"f", "i"}
    assert rounded.transform(people, pool=("window",)).dtype == np.float32


def test_batches_accumulate_to_steps_of_a_larger_batch(people, whole):
    doubled = model(accumulate=2, n_steps=6).fit(people)
    assert doubled.results_.attrs["n_iter"] == 6
    assert np.isfinite(doubled.results_.history).all()
