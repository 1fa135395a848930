"""What the tests of faults share: tiny studies written fast, orders and counts in files, processes, hashes, disks."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import xarray as xr
from fault_functions import FOLDER, wait_until

from dynome import schema, store, study
from dynome.batch.records import file_name
from dynome.store import manifest

HERE = Path(__file__).parent


# --- Studies ---------------------------------------------------------------------------------------------------------


def recording(number: int) -> xr.Dataset:
    values = np.random.default_rng(number).standard_normal((16, 3)) + number
    return schema.recording(values, time=np.arange(16) / 2, node=["AVAL", "AVAR", "RIML"], units="dF/F")


def names(n_sessions: int) -> list[str]:
    """Two sessions an animal."""
    return [f"worm{k // 2:03d}/s{k % 2}" for k in range(n_sessions)]


def make_study(path: Path, n_sessions: int = 6) -> Path:
    """A study on disk."""
    return store.save(study.build({name: recording(k) for k, name in enumerate(names(n_sessions))}), path)


def make_large_study(path: Path, n_sessions: int) -> Path:
    """A study of many sessions that are copies of one on disk, in a tenth of the time."""
    every = names(n_sessions)
    small = make_study(path, 2)
    groups = json.loads((small / "zarr.json").read_text())["attributes"]["dynome"]["groups"]
    for name in every[2:]:
        animal, session = name.split("/")
        if not (small / animal).exists():
            (small / animal).mkdir()
            shutil.copy(small / "worm000/zarr.json", small / animal / "zarr.json")
            groups[f"/{animal}"] = {}
        shutil.copytree(small / "worm000/s1", small / animal / session)
        groups[f"/{name}"] = groups["/worm000/s1"]
    manifest.seal(small, "study", None, dict(sorted(groups.items())))
    return small


# --- Orders and counts -----------------------------------------------------------------------------------------------


def make_faults(folder: Path) -> Path:
    """The folder that a test and the functions of its run share."""
    for part in ("calls", "orders"):
        (folder / part).mkdir(parents=True)
    return folder


def order(faults: Path, session: str, action: str) -> None:
    """Tell the function what to do when it comes to this session; the file appears whole."""
    final = faults / "orders" / quote(session, safe="")
    beside = final.with_name(final.name + "~")
    beside.write_text(action)
    beside.rename(final)


def release(faults: Path, *sessions: str) -> None:
    """Take orders back; a function that is held goes on."""
    for session in sessions:
        (faults / "orders" / quote(session, safe="")).unlink(missing_ok=True)


def calls(faults: Path) -> Counter[str]:
    """How often the function was called for each session."""
    return Counter(unquote(path.name.rsplit(".", 2)[0]) for path in (faults / "calls").iterdir())


def callers(faults: Path, session: str) -> set[int]:
    """Processes in which the function was called for this session."""
    return {int(p.name.rsplit(".", 2)[1]) for p in (faults / "calls").glob(quote(session, safe="") + ".*")}


def forget_calls(faults: Path) -> None:
    for path in (faults / "calls").iterdir():
        path.unlink()


def alive(pid: int) -> bool:
    """Whether a process runs; one that died and was not asked for its exit code does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for_call(faults: Path, session: str, seconds: float = 150.0) -> None:
    wait_until(lambda: calls(faults)[session] > 0, f"a call for {session}", seconds)


# --- Results ---------------------------------------------------------------------------------------------------------


def record_of(out: Path, session: str) -> dict[str, Any] | None:
    """The record of a session as it lies on disk."""
    path = out / "records" / f"{file_name(session)}.json"
    return json.loads(path.read_text()) if path.exists() else None


def done(out: Path) -> set[str]:
    """Sessions whose record says that they are done."""
    found = [json.loads(p.read_text()) for p in (out / "records").glob("*.json")]
    return {record["session"] for record in found if record["status"] == "done"}


def fingerprint(out: Path, sessions: Iterable[str]) -> dict[str, str]:
    """Checksum of every file of the results and records of some sessions, by path below the output."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for session in sessions
        for pattern in (f"sessions/{file_name(session)}.*/**/*", f"records/{file_name(session)}.json")
        for path in sorted(out.glob(pattern))
        if path.is_file()
    }


def litter(out: Path) -> list[str]:
    """What an interrupted save leaves: folders and files beside those with final names."""
    return sorted(p.name for p in out.rglob("*.partial"))


def assert_equal_results(found: Any, expected: Any) -> None:
    """Two runs have the same sessions, all done, with the same numbers."""
    assert sorted(found) == sorted(expected)
    assert not found.failed
    for session in expected:
        xr.testing.assert_equal(found[session].load(), expected[session].load())


# --- Processes -------------------------------------------------------------------------------------------------------

RUN = """
import json, sys
from pathlib import Path
from dynome import batch
import fault_functions
def run(study, out, func="describe", **options):
    return batch.map_sessions(getattr(fault_functions, func), study, out=out, **{"random_state": 0, **options})
"""


def environment(faults: Path, **more: str) -> dict[str, str]:
    """Of a process that can import the functions and finds the orders."""
    path = os.pathsep.join(filter(None, [str(HERE), str(HERE.parents[2]), os.environ.get("PYTHONPATH", "")]))
    threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **threads, FOLDER: str(faults), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **more}


@contextmanager
def started(*command: str, faults: Path, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, gone after the block with all its children whatever happens."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment(faults, **more), start_new_session=True, **pipes) as process:
        try:
            yield process
        finally:
            kill_group(process)


def kill_group(process: subprocess.Popen[str]) -> None:
    """SIGKILL to the process and all its children, as when a machine goes down."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def python(code: str) -> tuple[str, str, str]:
    """The command that runs a piece of code after `RUN`."""
    return sys.executable, "-c", RUN + code


def finished(*command: str, faults: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """What became of a command that ends by itself."""
    with started(*command, faults=faults, **more) as process:
        out, err = process.communicate(timeout=250)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


# --- What the machine allows -----------------------------------------------------------------------------------------


def namespace() -> list[str]:
    """Command that gives what follows mounts of its own; empty where the machine forbids it."""
    probe = ["mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    for wrapper in (["unshare", "--mount"], ["unshare", "--mount", "--user", "--map-root-user"]):
        if shutil.which("unshare") and not subprocess.run([*wrapper, *probe], capture_output=True).returncode:
            return wrapper
    return []


def without_privilege() -> list[str]:
    """Command under which permissions hold for root, too; empty for everybody else."""
    if os.geteuid():
        return []
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", "--inh-caps=-all"]
