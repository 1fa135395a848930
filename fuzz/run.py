"""Fuzz one parser, or all in turn: coverage-guided by Atheris, or by chance where it is not installed.

    python fuzz/run.py --inputs 100000 --seed 1 --out /tmp/fuzz          all parsers, each in a process of its own
    python fuzz/run.py --target npz --inputs 5000 --seed 1 --out /tmp/fuzz

An input that takes more than 10 s, or dies, is kept in the folder of results, and so is every defect (one a place in
the code). Results are appended to `fuzz.jsonl` there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

SLOW = 10.0  # seconds of CPU that one input may take; six times as many by the clock of a busy machine
MEMORY = 12 * 2**30  # bytes of address space
INSTRUMENTED = ["dynome.store", "dynome.datasets", "dynome.batch.records", "dynome.pipelines.parameter_files",
                "dynome.estimator", "dynome.training.checkpoints", "dynome.inference.biclustering.checkpoints",
                "tomllib", "zipfile", "tarfile"]  # fmt: skip


def main() -> int:
    """Parse the arguments and go."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--target")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--plain", action="store_true")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    guide = None if arguments.plain else _atheris()
    if guide is None:
        import targets
    else:
        with guide.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
            import targets
    with tempfile.TemporaryDirectory() as folder:
        found = {name: target.weight for name, target in targets.targets(Path(folder)).items()}
    total = sum(found.values())
    chosen = [arguments.target] if arguments.target else sorted(found, key=lambda n: found[n])
    for name in chosen:
        left = arguments.inputs if arguments.target else max(20, round(arguments.inputs * found[name] / total))
        for attempt in range(5):
            if left > 0:
                left -= forked(name, left, arguments, arguments.seed + attempt, guide)
    return 0


def forked(name: str, inputs: int, arguments: argparse.Namespace, seed: int, guide: object | None) -> int:
    """Fuzz one parser in a process of its own, which may die; tells how many inputs it tried."""
    if not (child := os.fork()):
        with contextlib.suppress(BaseException):
            fuzz(name, inputs, arguments, seed, guide)
        os._exit(0)
    os.waitpid(child, 0)
    done = arguments.out / f"{slug(name)}.{seed}.json"
    return int(json.loads(done.read_text())["inputs"]) if done.is_file() else inputs


def slug(name: str) -> str:
    """A name for files."""
    return "".join(c if c.isalnum() else "_" for c in name)


def fuzz(name: str, inputs: int, arguments: argparse.Namespace, seed: int, guide: object | None) -> None:
    """Try many inputs on one parser."""
    import targets
    from mutations import mutate

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-"))
    target = targets.targets(scratch)[name]
    state = Tally(name, inputs, seed, guide is not None, target, scratch, arguments.out)
    if guide is None:
        rng = random.Random(seed)
        corpus = list(target.seeds)
        while state.inputs < inputs:
            state.one(mutate(rng.choice(corpus), rng))
        state.write()
        return
    corpus_folder = scratch / "corpus"
    corpus_folder.mkdir()
    for k, sound in enumerate(target.seeds):
        (corpus_folder / f"seed{k}").write_bytes(sound)

    def changed(content: bytes, most: int, own_seed: int) -> bytes:
        rng = random.Random(own_seed)
        return mutate(content or target.seeds[0], rng)[:most] if rng.random() < 0.7 else guide.Mutate(content, most)

    options = [sys.argv[0], str(corpus_folder), f"-runs={inputs}", f"-seed={seed + 1}",
               f"-timeout={6 * SLOW:.0f}", f"-artifact_prefix={arguments.out}/{slug(name)}.",
               f"-max_len={max(map(len, target.seeds)) * 2 + 4096}", "-rss_limit_mb=8000",
               "-len_control=0"]  # fmt: skip
    guide.Setup(options, state.one, custom_mutator=changed)
    guide.Fuzz()


def _atheris() -> object | None:
    try:
        import atheris
    except ImportError:
        return None
    return atheris


class Tally:
    """What became of the inputs so far."""

    def __init__(self, name: str, most: int, seed: int, guided: bool, target: object, scratch: Path, out: Path) -> None:
        self.name, self.most, self.seed, self.target, self.out = name, most, seed, target, out
        self.guided = "atheris" if guided else "mutations"
        self.work = scratch / "work"
        self.work.mkdir()
        self.inputs, self.ends, self.defects = 0, {"accepted": 0, "refused": 0}, {}
        self.slowest, self.began, self.began_cpu = 0.0, time.perf_counter(), time.process_time()

    def one(self, content: bytes) -> None:
        """Try one input and keep what is wrong."""
        if self.inputs % 200 == 0:
            self.write()
        if self.inputs >= self.most:
            return
        self.inputs += 1
        (self.work.parent / "last").write_bytes(content)
        started = time.process_time()
        try:
            with contextlib.redirect_stderr(None):
                self.ends[self.target.try_one(content, self.work)] += 1
        except Exception as error:
            place = " < ".join(
                f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)[-3:][::-1]
            )
            key = f"{type(error).__name__} at {place}"
            if key not in self.defects:
                (self.out / f"{slug(self.name)}.defect{len(self.defects)}").write_bytes(content)
                self.defects[key] = [0, str(error)[:300]]
            self.defects[key][0] += 1
        seconds = time.process_time() - started
        if seconds > self.slowest:
            self.slowest = seconds
            (self.out / f"{slug(self.name)}.slowest").write_bytes(content)
        if self.inputs == self.most:
            self.write()

    def write(self) -> None:
        """Keep the numbers: the fuzzer may end the process without a word."""
        told = {
            "target": self.name, "seed": self.seed, "guided": self.guided, "inputs": self.inputs,
            **self.ends, "defects": self.defects, "slowest_s": round(self.slowest, 3),
            "wall_s": round(time.perf_counter() - self.began, 1),
            "cpu_s": round(time.process_time() - self.began_cpu, 1),
        }  # fmt: skip
        path = self.out / f"{slug(self.name)}.{self.seed}.json"
        path.with_suffix(".new").write_text(json.dumps(told, indent=1))
        os.replace(path.with_suffix(".new"), path)


if __name__ == "__main__":
    sys.exit(main())
