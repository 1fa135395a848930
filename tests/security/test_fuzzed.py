"""Evidence for every parser: a few thousand changed files, and none crashes, hangs or is accepted with wrong content.

The same targets and changes as ``fuzz/run.py``, which is guided by coverage and tries many more.
"""

from __future__ import annotations

import random
import sys
import time
import warnings
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[2] / "fuzz"
INPUTS = {
    "store: dataset": 25, "store: study": 12, "store: chunk": 400, "estimator parameters": 100, "batch record": 300,
    "TOML parameters": 200, "npy": 250, "npz": 200, "training checkpoint": 60, "chain checkpoint": 100,
    "R objects": 500, "traces: text": 40, "traces: numpy": 40, "edges: text": 30, "edges: Parquet": 30,
    "adjacency: text": 30, "adjacency: sparse": 40, "GraphML": 40, "BIDS": 15, "archives": 200, "NWB": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def fuzzing(tmp_path_factory):
    pytest.importorskip("torch")
    pytest.importorskip("pynwb")
    sys.path.insert(0, str(FUZZ))
    try:
        import mutations
        import targets
    finally:
        sys.path.remove(str(FUZZ))
    return mutations.mutate, targets.targets(tmp_path_factory.mktemp("seeds"))


def test_every_parser_has_its_share(fuzzing):
    assert set(fuzzing[1]) == set(INPUTS)


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_sound_files_are_accepted(fuzzing, tmp_path, name):
    target = fuzzing[1][name]
    assert {target.try_one(seed, tmp_path) for seed in target.seeds} == {"accepted"}


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_changed_files_are_refused_with_a_reason_or_read_rightly(fuzzing, tmp_path, name):
    mutate, targets = fuzzing
    rng, target = random.Random(name), targets[name]
    for _ in range(INPUTS[name]):
        content = mutate(rng.choice(target.seeds), rng)
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert target.try_one(content, tmp_path) in ("accepted", "refused")
        assert time.process_time() - began < 10
