"""Evidence for `dynome analyze` and for batch/ when they are interrupted: exit codes say what happened."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest
from fault_command import described
from fault_functions import describe, wait_until
from fault_tools import (
    HERE,
    assert_equal_results,
    calls,
    done,
    fingerprint,
    finished,
    forget_calls,
    names,
    order,
    python,
    release,
    started,
    wait_for_call,
)

from dynome import batch, cli
from dynome.pipelines import methods

SESSIONS = names(6)
WHERE = {"threads": {"client": "threads", "n_workers": 2}, "processes": {"client": "processes", "n_workers": 1}}


def words(study, out, *more):
    return ("analyze", str(study), "--out", str(out), "--seed", "0", *more)


def analyze(study, out, *more):
    """The command `dynome analyze`, with a method of the tests, for a process of its own."""
    return (sys.executable, str(HERE / "fault_command.py"), *words(study, out, *more))


@pytest.fixture
def analyzed(monkeypatch):
    """The same command in this process, where nobody is to kill it: a process takes seconds to import its libraries."""
    monkeypatch.setitem(methods.METHODS, "describe", described())

    def run(*command):
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["dynome", *words(*command)])
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            cli.main()
        return subprocess.CompletedProcess(command, ended.value.code, out.getvalue(), err.getvalue())

    return run


# --- Interrupted -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", list(WHERE))
def test_ctrl_c_ends_a_run_and_keeps_what_is_done(faults, study_path, expected, tmp_path, client):
    out = tmp_path / "out"
    order(faults, SESSIONS[2], "hold")
    code = (
        "try:\n"
        f"    run({str(study_path)!r}, {str(out)!r}, on_error='record', **{WHERE[client]!r})\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)"
    )
    with started(*python(code), faults=faults) as process:
        wait_for_call(faults, SESSIONS[2])
        wait_until(lambda: len(done(out)) >= 2, "two sessions")
        os.killpg(process.pid, signal.SIGINT)  # a terminal tells all processes of its group
        if client == "threads":
            release(faults, SESSIONS[2])  # no thread can be stopped from outside: what is in flight ends
        _, told = process.communicate(timeout=100)
    assert process.returncode == 130, told
    kept = done(out)
    assert kept >= set(SESSIONS[:2])
    assert client == "threads" or SESSIONS[2] not in kept
    before = fingerprint(out, kept)
    release(faults, SESSIONS[2])
    forget_calls(faults)
    assert_equal_results(batch.map_sessions(describe, study_path, out=out, random_state=0), expected)
    assert set(calls(faults)) == set(SESSIONS) - kept
    assert fingerprint(out, kept) == before


@pytest.mark.parametrize(("number", "code", "workers"), [(signal.SIGINT, 130, "2"), (signal.SIGTERM, 143, "1")])
def test_analyze_says_by_its_exit_code_how_it_was_ended(faults, study_path, tmp_path, analyzed, number, code, workers):
    out = tmp_path / "out"
    order(faults, SESSIONS[2], "hold")
    with started(*analyze(study_path, out, "--method", "describe", "--workers", workers), faults=faults) as process:
        wait_for_call(faults, SESSIONS[2])
        wait_until(lambda: len(done(out / "describe")) >= 2, "two sessions")
        process.send_signal(number)
        _, told = process.communicate(timeout=100)
    assert process.returncode == code, told
    assert "Traceback" not in told
    kept = done(out / "describe")
    before = fingerprint(out / "describe", kept)
    release(faults, SESSIONS[2])
    forget_calls(faults)
    resumed = analyzed(study_path, out, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert set(calls(faults)) == set(SESSIONS) - kept
    assert fingerprint(out / "describe", kept) == before


# --- Ended by itself -------------------------------------------------------------------------------------------------


def test_analyze_says_by_its_exit_code_that_sessions_failed_and_when_all_are_done(
    faults, study_path, tmp_path, analyzed
):
    out = tmp_path / "out"
    order(faults, SESSIONS[1], "refuse")
    process = finished(*analyze(study_path, out, "--method", "describe"), faults=faults)
    assert process.returncode == 3, process.stderr
    assert SESSIONS[1] in process.stdout + process.stderr
    assert "told to refuse" in process.stdout + process.stderr
    release(faults, SESSIONS[1])
    forget_calls(faults)
    refused = analyzed(study_path, out, "--method", "describe")
    assert refused.returncode == 1
    assert "--resume" in refused.stderr
    assert not calls(faults)
    process = analyzed(study_path, out, "--resume")
    assert process.returncode == 0, process.stderr
    assert calls(faults) == {SESSIONS[1]: 1}


def test_analyze_explains_an_output_in_use_and_a_scheduler_that_does_not_answer(faults, study_path, tmp_path, analyzed):
    out = tmp_path / "out"
    order(faults, SESSIONS[0], "hold")
    with started(*analyze(study_path, out, "--method", "describe"), faults=faults):
        wait_for_call(faults, SESSIONS[0])
        process = analyzed(study_path, out, "--resume")
        assert process.returncode == 1
        assert "is in use by process" in process.stderr
        assert "Traceback" not in process.stderr
    nobody = ("--scheduler", "tcp://127.0.0.1:9")
    process = analyzed(study_path, tmp_path / "new", "--method", "describe", *nobody)
    assert process.returncode == 1
    assert "127.0.0.1:9" in process.stderr
    assert "Traceback" not in process.stderr
