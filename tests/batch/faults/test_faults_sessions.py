"""Evidence for batch/: a session that is damaged, too large, forbidden or changed costs itself and no other."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from fault_functions import describe
from fault_tools import (
    assert_equal_results,
    calls,
    done,
    fingerprint,
    finished,
    forget_calls,
    names,
    order,
    python,
    record_of,
    recording,
    release,
    started,
    wait_for_call,
    without_privilege,
)

from dynome import batch, store
from dynome import study as studies
from dynome.errors import SessionError

SESSIONS = names(6)
ILL = SESSIONS[2]


@pytest.fixture
def study(study_path, tmp_path):
    """A copy that a test may spoil."""
    return Path(shutil.copytree(study_path, tmp_path / "study.zarr"))


def run(study, out, **options):
    return batch.map_sessions(describe, study, out=out, random_state=0, **options)


# --- Damaged, forbidden, too large -----------------------------------------------------------------------------------


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-3])


DAMAGES = (
    ("activity/c/0/0", flipped, "checksum"),
    ("activity/c/0/0", cut_short, "another size"),
    ("activity/c/0/0", Path.unlink, "missing"),
    ("time/c/0", flipped, "damaged"),
    ("zarr.json", flipped, "changed"),
)


def test_corrupt_sessions_are_recorded_and_cost_no_other(faults, study, study_path, expected, tmp_path):
    out = tmp_path / "out"
    ill, sound = SESSIONS[: len(DAMAGES)], SESSIONS[len(DAMAGES) :]
    for name, (file, damage, _) in zip(ill, DAMAGES, strict=True):
        damage(study / name / file)
    results = run(study, out, on_error="record")
    assert sorted(results.failed) == ill
    assert done(out) == set(sound)
    for name, (_, _, told) in zip(ill, DAMAGES, strict=True):
        with pytest.raises(SessionError, match=rf"(?s){name}.*{told}"):
            results[name]
    before = fingerprint(out, sound)
    shutil.copytree(study_path, study, dirs_exist_ok=True)  # from a copy
    forget_calls(faults)
    assert_equal_results(run(study, out), expected)
    assert calls(faults) == dict.fromkeys(ill, 1)
    assert fingerprint(out, sound) == before


def test_a_corrupt_session_stops_a_run_that_is_to_raise_and_keeps_what_is_done(faults, study, tmp_path):
    out = tmp_path / "out"
    flipped(study / ILL / "activity/c/0/0")
    with pytest.raises(SessionError, match=rf"(?s){ILL}.*(damaged|checksum)"):
        run(study, out)
    assert done(out) >= set(SESSIONS[:2])
    assert set(batch.open_results(out)) >= set(SESSIONS[:2])


def test_a_session_that_may_not_be_read_is_recorded_and_resumes(faults, study, expected, tmp_path):
    out = tmp_path / "out"
    forbidden = study / ILL / "activity" / "c"
    forbidden.chmod(0)
    code = f"sys.exit(3 if run({str(study)!r}, {str(out)!r}, on_error='record').failed else 0)"
    try:
        process = finished(*without_privilege(), *python(code), faults=faults)
    finally:
        forbidden.chmod(0o755)
    assert process.returncode == 3, process.stderr
    assert done(out) == set(SESSIONS) - {ILL}
    assert "ermission denied" in record_of(out, ILL)["error"]["message"]
    forget_calls(faults)
    assert_equal_results(run(study, out), expected)
    assert calls(faults) == {ILL: 1}


@pytest.mark.parametrize("client", [{}, {"client": "processes", "n_workers": 1}], ids=["here", "processes"])
def test_a_session_that_outgrows_its_memory_is_recorded_and_costs_no_other(
    faults, study_path, expected, tmp_path, client
):
    out = tmp_path / "out"
    order(faults, ILL, "allocate 4096")
    results = run(study_path, out, on_error="record", memory="500MB", retries=0, **client)
    assert set(results.failed) == {ILL}
    assert done(out) == set(SESSIONS) - {ILL}
    with pytest.raises(SessionError, match=rf"(?s){ILL}.*memory"):
        results[ILL]
    before = fingerprint(out, done(out))
    release(faults, ILL)
    forget_calls(faults)
    assert_equal_results(run(study_path, out), expected)
    assert calls(faults) == {ILL: 1}
    assert fingerprint(out, set(SESSIONS) - {ILL}) == before


def test_a_session_that_fails_once_is_tried_again(faults, study_path, expected, tmp_path):
    order(faults, ILL, "refuse-once")
    assert_equal_results(run(study_path, tmp_path / "out", retries=1), expected)
    assert calls(faults)[ILL] == 2
    assert record_of(tmp_path / "out", ILL)["attempts"] == 2


def test_a_session_that_always_fails_is_tried_again_by_the_next_run_only(faults, study_path, expected, tmp_path):
    order(faults, ILL, "refuse")
    out = tmp_path / "out"
    results = run(study_path, out, retries=1, on_error="record")
    assert calls(faults)[ILL] == 2
    assert "told to refuse" in results.failed[ILL].error["message"]
    release(faults, ILL)
    assert_equal_results(run(study_path, out), expected)
    assert calls(faults).total() == 8  # six sessions, one again, one in the next run


# --- What is computed again: what changed, and nothing else ----------------------------------------------------------


@pytest.fixture
def whole(faults, study, tmp_path):
    """A finished run, whose calls are forgotten."""
    out = tmp_path / "out"
    run(study, out)
    forget_calls(faults)
    return out


def rebuilt(study, change):
    """The study saved anew with other sessions."""
    recordings = {name: rec.load() for name, rec in studies.sessions(store.open(study)).items()}
    store.save(studies.build(change(recordings)), study, overwrite=True)


def test_a_session_whose_data_changed_is_computed_again_and_no_other(whole, faults, study):
    before = fingerprint(whole, set(SESSIONS) - {ILL})
    rebuilt(study, lambda sessions: {**sessions, ILL: recording(99)})
    results = run(study, whole)
    assert calls(faults) == {ILL: 1}
    np.testing.assert_allclose(results[ILL]["mean"], recording(99).activity.mean("time"))
    assert fingerprint(whole, set(SESSIONS) - {ILL}) == before


def test_a_session_whose_data_change_while_it_is_computed_is_no_result_of_either(faults, study, expected, tmp_path):
    out, late = tmp_path / "out", SESSIONS[4]
    order(faults, ILL, "hold")
    with started(*python(f"run({str(study)!r}, {str(out)!r}, on_error='record')"), faults=faults) as process:
        wait_for_call(faults, ILL)
        rebuilt(study, lambda sessions: {**sessions, late: recording(99)})
        release(faults, ILL)
        _, told = process.communicate(timeout=150)
    assert process.returncode == 0, told
    rebuilt(study, lambda sessions: {**sessions, late: recording(4)})
    assert_equal_results(run(study, out), expected)


def test_a_session_that_loses_a_chunk_while_it_is_computed_fails(faults, study, tmp_path):
    order(faults, ILL, "hold")
    out, chunk = tmp_path / "out", study / ILL / "activity/c/0/0"
    with started(*python(f"run({str(study)!r}, {str(out)!r}, on_error='record')"), faults=faults) as process:
        wait_for_call(faults, ILL)
        chunk.unlink()
        release(faults, ILL)
        process.communicate(timeout=150)
    assert set(batch.open_results(out).failed) == {ILL}


def test_a_study_that_was_saved_anew_with_the_same_data_computes_nothing(whole, faults, study, expected):
    rebuilt(study, lambda sessions: sessions)
    assert_equal_results(run(study, whole), expected)
    assert not calls(faults)


def test_a_session_that_was_added_is_the_only_one_computed(whole, faults, study):
    before = fingerprint(whole, SESSIONS)
    rebuilt(study, lambda sessions: {**sessions, "worm003/s0": recording(6)})
    results = run(study, whole)
    assert calls(faults) == {"worm003/s0": 1}
    assert sorted(results) == [*SESSIONS, "worm003/s0"]
    assert fingerprint(whole, SESSIONS) == before


def test_a_session_that_was_taken_away_is_no_longer_among_the_results(whole, faults, study):
    rebuilt(study, lambda sessions: {name: rec for name, rec in sessions.items() if name != ILL})
    assert sorted(run(study, whole)) == sorted(set(SESSIONS) - {ILL})
    assert not calls(faults)


def test_a_changed_parameter_or_seed_computes_all_again_and_an_unchanged_one_nothing(whole, faults, study):
    results = run(study, whole, parameters={"scale": 2.0})
    assert calls(faults) == dict.fromkeys(SESSIONS, 1)
    np.testing.assert_allclose(results[ILL]["mean"], 2 * recording(2).activity.mean("time"))
    forget_calls(faults)
    batch.map_sessions(describe, study, out=whole, random_state=1, parameters={"scale": 2.0})
    assert calls(faults) == dict.fromkeys(SESSIONS, 1)


def test_a_function_that_was_changed_computes_all_again(faults, study_path, tmp_path):
    file = tmp_path / "lab_functions.py"
    means = []
    for factor in (1, 10):
        file.write_text(
            "from fault_functions import obey\n"
            "def mean(recording, *, session):\n"
            "    obey(session)\n"
            f"    return recording[['activity']].mean() * {factor}\n"
        )
        spec = importlib.util.spec_from_file_location("lab_functions", file)
        module = importlib.util.module_from_spec(spec)
        exec(compile(file.read_text(), file, "exec"), module.__dict__)
        results = batch.map_sessions(module.mean, study_path, out=tmp_path / "out", random_state=0)
        means.append([float(result.activity) for result in results.values()])
    np.testing.assert_allclose(means[1], np.multiply(means[0], 10))
    assert calls(faults) == dict.fromkeys(SESSIONS, 2)


# --- Clocks ----------------------------------------------------------------------------------------------------------


def test_files_from_the_future_and_from_the_past_change_nothing(whole, faults, study, expected):
    before = fingerprint(whole, SESSIONS)
    for top, moment in ((study, 4102444800), (whole, 4102444800), (study, 1), (whole, 1)):
        for path in (top, *top.rglob("*")):
            os.utime(path, (moment, moment))
        assert_equal_results(run(study, whole), expected)
        assert not calls(faults)
    assert fingerprint(whole, SESSIONS) == before


def test_a_clock_that_is_wrong_and_runs_backwards_changes_nothing(faults, study_path, expected, tmp_path, clock):
    out = tmp_path / "out"
    run(study_path, out, only=["worm000/*"])
    before = fingerprint(out, SESSIONS[:2])
    wrong = {
        "LD_PRELOAD": str(clock),
        "DYNOME_CLOCK_OFFSET": str(1 << 30),
        "DYNOME_CLOCK_STEP": "-3600",
    }
    code = (
        f"import time; assert abs(time.time() - {os.stat(study_path).st_mtime}) > 1800\n"
        f"results = run({str(study_path)!r}, {str(out)!r}, only=['worm00[01]/*'], client='threads', n_workers=2)\n"
        "assert all(record.seconds >= 0 for record in results.records.values())"
    )
    process = finished(*python(code), faults=faults, **wrong)
    assert process.returncode == 0, process.stderr
    assert_equal_results(run(study_path, out), expected)
    assert calls(faults) == dict.fromkeys(SESSIONS, 1)
    assert fingerprint(out, SESSIONS[:2]) == before
