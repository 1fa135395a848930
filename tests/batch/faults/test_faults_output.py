"""Evidence for batch/: an output that is full, forbidden, in use or damaged is told in words and loses nothing."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from fault_functions import describe
from fault_tools import (
    assert_equal_results,
    calls,
    done,
    fingerprint,
    finished,
    forget_calls,
    kill_group,
    litter,
    names,
    namespace,
    order,
    python,
    release,
    started,
    wait_for_call,
    without_privilege,
)

from dynome import batch
from dynome.batch.records import file_name
from dynome.errors import BatchError, StoreError

SESSIONS = names(6)


def stores(out, session):
    return sorted((out / "sessions").glob(file_name(session) + ".*.zarr"))


# --- A disk that is full, then read-only -----------------------------------------------------------------------------

# Runs where mounts are its own, on a disk of a few MB: what it says of itself is one line of JSON.
SMALL_DISK = """
import os, subprocess, hashlib
from dynome.errors import BatchError
from fault_tools import calls, done, fingerprint, forget_calls, litter
study, disk, faults, ext4 = Path({study!r}), Path({disk!r}), Path({faults!r}), {ext4!r}
disk.mkdir()
if ext4:
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-N", "4096", "-J", "size=1", ext4], check=True)
what = ["-o", "loop", ext4] if ext4 else ["-t", "tmpfs", "-o", "size=4m", "tmpfs"]
subprocess.run(["mount", *what, str(disk)], check=True)
def errors(**options):
    try:
        run(study, disk / "out", **options)
    except BatchError as error:
        return str(error)
said = {{}}
try:
    run(study, disk / "out", only=["worm000/*"])
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1024)):
                pass
        except OSError:
            pass
    kept = done(disk / "out")
    before = fingerprint(disk / "out", kept)
    said["full"] = errors(on_error="record")
    said["untouched after full"] = fingerprint(disk / "out", kept) == before
    said["done after full"] = sorted(done(disk / "out"))
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    said["read-only"] = errors(on_error="record")
    said["untouched after read-only"] = fingerprint(disk / "out", kept) == before
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    forget_calls(faults)
    results = run(study, disk / "out")
    said["recomputed"] = sorted(calls(faults))
    said["failed"] = sorted(results.failed)
    said["untouched after all"] = fingerprint(disk / "out", kept) == before
    said["litter"] = litter(disk / "out")
    said["means"] = {{name: results[name]["mean"].values.tolist() for name in results}}
finally:
    subprocess.run(["umount", str(disk)], check=True)
print(json.dumps(said))
"""


@pytest.mark.parametrize("filesystem", ["tmpfs", "ext4"])
def test_a_full_disk_and_a_read_only_one_stop_the_run_and_lose_nothing(
    faults, study_path, expected, tmp_path, filesystem
):
    wrapper = namespace()
    if not wrapper:
        pytest.skip("this machine forbids mounts, so that no small disk can be made")
    image = ""
    if filesystem == "ext4":
        if os.geteuid() or not os.path.exists("/dev/loop-control") or not shutil.which("mkfs.ext4"):
            pytest.skip("a loopback filesystem needs root, a loop device and mkfs.ext4")
        image = str(tmp_path / "disk.img")
        with open(image, "wb") as file:
            file.truncate(8 << 20)
    code = SMALL_DISK.format(study=str(study_path), disk=str(tmp_path / "disk"), faults=str(faults), ext4=image)
    process = finished(*wrapper, *python(code), faults=faults)
    assert process.returncode == 0, process.stderr
    said = json.loads(process.stdout.splitlines()[-1])
    assert "No space left on device" in said["full"]
    assert "Read-only file system" in said["read-only"]
    assert said["done after full"] == SESSIONS[:2]
    assert said["untouched after full"]
    assert said["untouched after read-only"]
    assert said["untouched after all"]
    assert said["recomputed"] == SESSIONS[2:]
    assert said["failed"] == said["litter"] == []
    assert said["means"] == {name: expected[name]["mean"].values.tolist() for name in SESSIONS}


# --- Permissions -----------------------------------------------------------------------------------------------------


FORBIDDEN = """
from dynome.errors import BatchError
out, said = Path({out!r}), {{}}
for part in (".", "sessions", "records"):
    (out / part).chmod(0o500)
    try:
        run({study!r}, out, on_error="record")
    except BatchError as error:
        said[part] = str(error)
    (out / part).chmod(0o755)
print(json.dumps(said))
"""


def test_an_output_that_may_not_be_written_stops_the_run_and_loses_nothing(faults, study_path, expected, tmp_path):
    out = tmp_path / "out"
    batch.map_sessions(describe, study_path, out=out, only=["worm000/*"], random_state=0)
    before = fingerprint(out, SESSIONS[:2])
    code = FORBIDDEN.format(out=str(out), study=str(study_path))
    process = finished(*without_privilege(), *python(code), faults=faults)
    assert process.returncode == 0, process.stderr
    said = json.loads(process.stdout.splitlines()[-1])
    assert sorted(said) == [".", "records", "sessions"]
    assert all(
        "cannot write in" in told and ("ermission denied" in told or "permitted" in told) for told in said.values()
    )
    assert done(out) == set(SESSIONS[:2])
    assert_equal_results(batch.map_sessions(describe, study_path, out=out, random_state=0), expected)
    assert fingerprint(out, SESSIONS[:2]) == before


# --- Two runs --------------------------------------------------------------------------------------------------------


def test_a_second_run_on_the_same_output_is_refused_in_words_until_the_first_is_gone(
    faults, study_path, expected, tmp_path
):
    out = tmp_path / "out"
    order(faults, SESSIONS[1], "hold")
    with started(*python(f"run({str(study_path)!r}, {str(out)!r})"), faults=faults) as process:
        wait_for_call(faults, SESSIONS[1])
        before = fingerprint(out, SESSIONS[:1])
        with pytest.raises(BatchError, match=r"out is in use by process"):
            batch.map_sessions(describe, study_path, out=out, random_state=0)
        assert calls(faults) == {SESSIONS[0]: 1, SESSIONS[1]: 1}
        assert fingerprint(out, SESSIONS[:1]) == before
        assert set(batch.open_results(out)) >= {SESSIONS[0]}  # reading is free to all
        kill_group(process)
        process.wait(60)
    release(faults, SESSIONS[1])
    assert_equal_results(batch.map_sessions(describe, study_path, out=out, random_state=0), expected)


# --- Results and records that were damaged ---------------------------------------------------------------------------


@pytest.fixture
def whole(faults, study_path, tmp_path):
    """A finished run, whose calls are forgotten."""
    out = tmp_path / "out"
    batch.map_sessions(describe, study_path, out=out, random_state=0)
    forget_calls(faults)
    return out


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_finished_run_computes_nothing_when_it_is_called_again(whole, faults, study_path, expected):
    before = fingerprint(whole, SESSIONS)
    assert_equal_results(batch.map_sessions(describe, study_path, out=whole, random_state=0), expected)
    assert not calls(faults)
    assert fingerprint(whole, SESSIONS) == before


@pytest.mark.parametrize("damage", [cut, lambda path: path.write_bytes(b""), lambda path: path.write_text("[1]")])
def test_a_record_that_was_cut_short_costs_its_session_at_most(whole, faults, study_path, expected, damage):
    before = fingerprint(whole, SESSIONS[1:])
    damage(whole / "records" / f"{file_name(SESSIONS[0])}.json")
    assert_equal_results(batch.map_sessions(describe, study_path, out=whole, random_state=0), expected)
    assert set(calls(faults)) <= {SESSIONS[0]}
    assert fingerprint(whole, SESSIONS[1:]) == before


def test_a_result_that_lost_a_file_is_told_and_computed_again(whole, faults, study_path, expected):
    (path,) = stores(whole, SESSIONS[0])
    shutil.rmtree(path / "mean" / "c")
    with pytest.raises(StoreError, match="damaged"):
        batch.open_results(whole)[SESSIONS[0]]
    before = fingerprint(whole, SESSIONS[1:])
    assert_equal_results(batch.map_sessions(describe, study_path, out=whole, random_state=0), expected)
    assert calls(faults) == {SESSIONS[0]: 1}
    assert fingerprint(whole, SESSIONS[1:]) == before


def test_a_result_that_is_gone_is_computed_again(whole, faults, study_path, expected):
    (path,) = stores(whole, SESSIONS[5])
    shutil.rmtree(path)
    assert_equal_results(batch.map_sessions(describe, study_path, out=whole, random_state=0), expected)
    assert calls(faults) == {SESSIONS[5]: 1}


def test_what_a_dead_save_left_is_swept_up_by_the_next_run(whole, faults, study_path):
    partial = whole / "sessions" / f".{stores(whole, SESSIONS[0])[0].name}.0123abcd.partial"
    (partial / "mean").mkdir(parents=True)
    (partial / "mean" / "zarr.json").write_text("{")
    batch.map_sessions(describe, study_path, out=whole, random_state=0)
    assert litter(whole) == []


def test_a_note_of_the_run_that_was_cut_short_is_told(whole, study_path):
    cut(whole / "batch.json")
    with pytest.raises((BatchError, StoreError), match=r"batch\.json"):
        batch.open_results(whole)
