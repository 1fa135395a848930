"""Evidence for the command line: what it prints, its exit codes, and that errors are told in plain words."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from dynome import datasets, interrupts, schema, store, study
from dynome._version import __version__
from dynome.cli import main

MAIN = "from dynome.cli import main; main()"
# A shell's background jobs ignore SIGINT, and so would what they start; a terminal's do not.
INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "


ENVIRONMENT = {"COLUMNS": "160", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}


class Done(NamedTuple):
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def run_alone(*arguments):
    """The command in a process of its own, as a shell starts it."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        capture_output=True, text=True, timeout=240, env={**os.environ, **ENVIRONMENT},
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def run(*arguments, cwd=None, **environment):
    """The command in this process; what `main` does not tell in plain words is an error of the test."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in {**ENVIRONMENT, **environment}.items():
            patch.setenv(name, value)
        if cwd is not None:
            patch.chdir(cwd)
        patch.setattr(sys, "argv", ["dynome", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    return Done(ended.value.code, out.getvalue(), err.getvalue())


@pytest.fixture
def saved(tmp_path):
    values = np.random.default_rng(0).standard_normal((20, 3))
    rec = schema.recording(values, time=np.arange(20) / 2, node=["AVAL", "AVAR", "RIML"], units="dF/F")
    return store.save(study.build({"worm1": rec, "worm2": rec}), tmp_path / "study.zarr")


def test_version_and_help():
    assert run("--version").stdout.strip() == f"dynome {__version__}"
    shown = run_alone("--help").stdout
    for command in ("demo", "analyze", "info", "validate", "convert", "fetch", "datasets"):
        assert command in shown


def test_info_names_versions_and_folders():
    done = run("info", DYNOME_DATA_DIR="/somewhere")
    assert done.returncode == 0
    assert np.__version__ in done.stdout
    assert "/somewhere" in done.stdout


def test_a_valid_store_is_said_to_be_valid(saved):
    done = run("validate", saved)
    assert done.returncode == 0
    assert "valid study: 2 branches" in done.stdout
    assert "worm1: 20 samples at 2 Hz" in done.stdout


def test_a_damaged_chunk_is_found_by_validate(saved):
    chunk = next(saved.glob("worm1/activity/c/0/0"))
    data = bytearray(chunk.read_bytes())
    data[3] ^= 255
    chunk.write_bytes(data)
    done = run_alone("validate", saved)
    assert done.returncode == 1
    assert "is damaged" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_path_is_an_error_in_plain_words(tmp_path):
    done = run("validate", tmp_path / "nothing.zarr")
    assert done.returncode == 1
    assert "nothing.zarr" in done.stderr
    assert "Traceback" not in done.stderr


def test_edge_lists_are_converted_and_never_overwritten_unasked(tmp_path):
    (tmp_path / "edges.csv").write_text("source,target,weight\na,b,3\nb,c,1\n")
    unknown = run("convert", "edges.csv", "edges.zarr", cwd=tmp_path)
    assert unknown.returncode == 1
    assert "units" in unknown.stderr
    assert not (tmp_path / "edges.zarr").exists()
    first = run("convert", "edges.csv", "edges.zarr", "--set", "units=synapses", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert store.open(tmp_path / "edges.zarr").sizes["edge"] == 2
    again = run("convert", "edges.csv", "edges.zarr", "--set", "units=synapses", cwd=tmp_path)
    assert again.returncode == 1
    assert "exists" in again.stderr
    assert "--overwrite" in again.stderr
    replaced = run("convert", "edges.csv", "edges.zarr", "--overwrite", "--set", "units=1", cwd=tmp_path)
    assert replaced.returncode == 0, replaced.stderr
    assert run("convert", "edges.csv", "e.zarr", "--set", "units", cwd=tmp_path).returncode == 1


def test_a_wrong_call_is_exit_code_two():
    assert run("convert", "only-one").returncode == 2
    assert run("no-such-command").returncode == 2


def test_a_data_set_that_does_not_exist_is_met_with_a_suggestion():
    done = run("fetch", "celegans_calcum")
    assert done.returncode == 1
    assert "celegans_calcium" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for other processes")
def test_an_interrupted_demo_leaves_nothing_half_written(tmp_path):
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            INTERRUPTIBLE + MAIN,
            "demo",
            "--simulated",
            "--out",
            str(tmp_path / "out"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 120
    while not Path(tmp_path, "out").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    assert list(Path(tmp_path, "out").iterdir()) == []


def interrupted_reader(number, *, swallows):
    """A reader that is interrupted by a signal, as a parser in C may be, with or without an error of its own."""

    def read(path):
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            if not swallows:
                raise
        raise pd.errors.ParserError("Calling read(nbytes) on source failed")

    return read


@pytest.mark.parametrize("swallows", [False, True])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_in_its_exit_code_even_if_a_parser_swallows_it(number, code, swallows, monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(datasets, "read_any", interrupted_reader(number, swallows=swallows))
    try:
        done = run("validate", "edges.csv")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.returncode == code, done.stderr
    assert "nothing half-written is left" in done.stderr


def test_a_job_that_ignores_interrupts_goes_on_ignoring_them(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    monkeypatch.setattr(datasets, "read_any", interrupted_reader(signal.SIGINT, swallows=True))
    try:
        with pytest.raises(pd.errors.ParserError):
            run("validate", "edges.csv")
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_is_half_started_is_finished_before_a_signal_is_obeyed_and_a_second_one_is_obeyed_at_once():
    before, steps = signal.signal(signal.SIGINT, signal.default_int_handler), []

    def start(n_signals):
        with interrupts.noted(), interrupts.held():
            for _ in range(n_signals):
                signal.raise_signal(signal.SIGINT)
            steps.append(n_signals)

    try:
        for n_signals in (1, 2):
            with pytest.raises(KeyboardInterrupt):
                start(n_signals)
    finally:
        signal.signal(signal.SIGINT, before)
    assert steps == [1]


def test_work_that_catches_errors_can_ask_whether_it_was_interrupted():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with interrupts.noted() as came:
            interrupts.check()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                interrupts.check()
        assert came == [signal.SIGINT]
        interrupts.check()
    finally:
        signal.signal(signal.SIGINT, before)
