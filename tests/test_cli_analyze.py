"""Evidence for `dynome analyze`: what it prints, what it leaves, and its exit codes."""

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

import pytest

sys.path.insert(0, str(Path(__file__).parent / "pipelines"))
import quick_methods

from dynome import pipelines, store, study
from dynome.cli import main
from dynome.pipelines import group_results

PIPELINES = Path(__file__).parent / "pipelines"
QUICK = f"""
import sys, signal, pytest
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {str(PIPELINES)!r})
import quick_methods
quick_methods.replace_methods(pytest.MonkeyPatch(), (quick_methods.SLOW,))
from dynome.cli import main
main()
"""


class Done(NamedTuple):
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def analyze(tmp_path, monkeypatch):
    """`dynome analyze` in this process, with quick methods."""
    quick_methods.replace_methods(monkeypatch)
    monkeypatch.setattr(group_results, "_n_null", 2)
    monkeypatch.chdir(tmp_path)
    for name, value in {"COLUMNS": "160", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)

    def run(*arguments):
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["dynome", "analyze", *map(str, arguments)])
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code, out.getvalue(), err.getvalue())

    store.save(quick_methods.make_study(), tmp_path / "study.zarr")
    return run


def test_a_study_is_analysed_and_a_report_is_written(analyze):
    done = analyze("study.zarr", "--method", "noise", "--method", "spread", "--report", "report.html", "--seed", 1)
    assert done.returncode == 0, done.stderr
    assert "spread: 4 done" in done.stdout
    assert "noise: 3 done" in done.stdout
    assert "Sessions of study</h1>" in Path("report.html").read_text(encoding="utf-8")
    assert pipelines.open_analysis("results.zarr").provenance["settings"]["random_state"] == 1


def test_sessions_that_fail_are_listed_and_the_exit_code_is_three(analyze):
    done = analyze("study.zarr", "--method", "spread", "--set", "spread.bad=worm1")
    assert done.returncode == 3
    assert "spread: 3 done, 1 failed" in done.stdout
    assert "failed: spread: worm1: InputError: worm1 is bad, as was asked for" in done.stderr
    mended = analyze("study.zarr", "--resume", "--set", 'spread.bad=""')
    assert mended.returncode == 0
    assert "spread: 4 done" in mended.stdout


def test_a_method_that_cannot_begin_is_told_and_the_exit_code_is_three(analyze):
    done = analyze("study.zarr", "--method", "learnt", "--set", "learnt.reach=0")
    assert done.returncode == 3
    assert "learnt: could not begin: InputError: reach must be at least 1" in done.stderr


def test_resume_goes_on_with_the_methods_seed_and_parameters_of_the_earlier_run(analyze):
    first = analyze("study.zarr", "--method", "noise", "--session", "worm1", "--seed", 5)
    assert "noise: 1 done" in first.stdout
    refused = analyze("study.zarr", "--method", "noise")
    assert refused.returncode == 1
    assert "holds an analysis; pass --resume to go on" in refused.stderr
    whole = analyze("study.zarr", "--resume", "--session", "*")
    assert whole.stdout.splitlines()[0] == "noise: 3 done"
    told = pipelines.open_analysis("results.zarr").provenance
    assert told["settings"]["random_state"] == 5
    assert told["methods"]["noise"]["computed"] == ["worm2", "worm3"]


def test_a_dry_run_shows_the_plan_and_writes_nothing(analyze):
    done = analyze("study.zarr", "--dry-run")
    assert done.returncode == 0
    assert "spread: 4 sessions, 4 missing" in done.stdout
    assert "does not apply to worm0: is the first" in done.stdout
    assert not Path("results.zarr").exists()
    timed = analyze("study.zarr", "--dry-run", "--time-first", "--method", "noise", "--workers", 3)
    assert "a session: worm1, computed just now" in timed.stdout
    assert not Path("results.zarr").exists()


def test_parameters_are_read_from_a_file_and_unknown_ones_are_met_with_a_suggestion(analyze):
    written = analyze("--write-parameters", "defaults.toml")
    assert written.returncode == 0, written.stderr
    assert "[spread]" in Path("defaults.toml").read_text()
    Path("mine.toml").write_text("[analysis]\nrandom_state = 9\n[spread]\nscale = 2.0\n")
    done = analyze("study.zarr", "--method", "spread", "--parameters", "mine.toml", "--set", "spread.scale=3")
    assert done.returncode == 0, done.stderr
    told = pipelines.open_analysis("results.zarr").provenance["settings"]
    assert (told["random_state"], told["parameters"]) == (9, {"spread": {"scale": 3}})
    Path("odd.toml").write_text("[spread]\nscael = 2.0\n[nois]\n")
    odd = analyze("study.zarr", "--parameters", "odd.toml", "--out", "other")
    assert odd.returncode == 1
    assert "did you mean 'scale'" in odd.stderr
    assert "did you mean 'noise'" in odd.stderr
    assert not Path("other").exists()
    assert analyze("study.zarr", "--set", "scale=2").returncode == 1


def test_one_recording_of_another_format_is_a_study_of_one_animal(analyze):
    store.save(study.sessions(quick_methods.make_study(1))["worm0"], "alone.zarr")
    done = analyze("alone.zarr", "--method", "spread")
    assert done.returncode == 0, done.stderr
    assert list(pipelines.open_analysis("results.zarr").results["spread"]) == ["alone"]
    again = analyze("alone.zarr", "--resume")
    assert again.returncode == 0, again.stderr
    assert pipelines.open_analysis("results.zarr").provenance["methods"]["spread"]["computed"] == []


def test_wrong_calls_and_errors_in_plain_words(analyze):
    assert analyze().returncode == 2
    assert analyze("study.zarr", "--workers", 0).returncode == 2
    missing = analyze("nothing.zarr")
    assert missing.returncode == 1
    assert "nothing.zarr" in missing.stderr
    unknown = analyze("study.zarr", "--method", "spraed")
    assert unknown.returncode == 1
    assert "did you mean 'spread'" in unknown.stderr
    nobody = analyze("study.zarr", "--scheduler", "tcp://127.0.0.1:9", "--method", "spread")
    assert nobody.returncode == 1
    assert "no dask scheduler answers at tcp://127.0.0.1:9" in nobody.stderr
    assert "Traceback" not in missing.stderr + unknown.stderr + nobody.stderr


def test_the_message_of_a_failed_session_tells_what_was_wrong_and_not_only_what_could_not_be_done(analyze):
    done = analyze("study.zarr", "--method", "spread", "--set", "spread.scale=-1")
    assert done.returncode == 3
    assert "failed: spread: worm0: InputError: cannot spread: scale must be positive, got -1" in done.stderr


def test_settings_that_no_session_could_have_are_told_at_once_and_leave_nothing_behind(analyze):
    done = analyze("study.zarr", "--method", "spread", "--memory", "lots", "--threads", 0, "--retries", -1)
    assert done.returncode == 1
    for told in ("threads must be a whole number, at least 1, got 0", "retries must be", "such as \"2GB\", got 'lots'"):
        assert told in done.stderr
    assert analyze("study.zarr", "--method", "spread").returncode == 0, "no --resume is asked for"


def test_a_report_that_could_not_be_written_is_told_before_anything_is_computed(analyze):
    done = analyze("study.zarr", "--method", "spread", "--report", "absent/report.html")
    assert done.returncode == 1
    assert "there is no folder" in done.stderr
    assert not Path("results.zarr").exists()


def test_an_output_that_is_a_file_is_called_one(analyze):
    Path("notes.txt").write_text("mine")
    done = analyze("study.zarr", "--method", "spread", "--out", "notes.txt")
    assert done.returncode == 1
    assert "notes.txt is a file; choose another out" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals for other processes")
@pytest.mark.parametrize(("number", "code", "told"), [
    (signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"),
])  # fmt: skip
def test_a_signal_keeps_what_is_finished_and_resume_does_the_rest(number, code, told, analyze, monkeypatch):
    quick_methods.replace_methods(monkeypatch, (quick_methods.SLOW,))
    command = [sys.executable, "-c", QUICK, "analyze", "study.zarr", "--method", "slow", "--seed", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    first = Path("results.zarr/slow/records/worm0.json")
    while not first.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    assert told in errors
    kept = pipelines.open_analysis("results.zarr").results["slow"]
    assert 1 <= len(kept) < 4
    before = first.read_bytes()
    resumed = analyze("study.zarr", "--resume", "--set", "slow.seconds=0.8")
    assert resumed.stdout.splitlines()[0] == "slow: 4 done"
    assert first.read_bytes() == before
