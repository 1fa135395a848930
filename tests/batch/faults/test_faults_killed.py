"""Evidence for batch/: workers, schedulers and whole runs die; what is finished stays, the rest is made up for."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress

import dask
import fault_functions
import numpy as np
import pytest
from fault_functions import describe, describe_late, highest, scheduler_within, wait_until
from fault_tools import (
    alive,
    assert_equal_results,
    callers,
    calls,
    done,
    fingerprint,
    forget_calls,
    kill_group,
    litter,
    make_large_study,
    names,
    order,
    python,
    recording,
    release,
    started,
    wait_for_call,
)

from dynome import batch
from dynome.errors import BatchError, SessionError

SESSIONS = names(6)
WHERE = {kind: {"client": kind, "n_workers": 2} for kind in ("processes",)} | {"here": {}}


@pytest.fixture(scope="module")
def orders_link(tmp_path_factory):
    """Where the workers look for orders: a link to the folder of the test that runs."""
    return tmp_path_factory.mktemp("orders") / "faults"


@pytest.fixture(scope="module")
def workers(tmp_path_factory, orders_link):
    """Two worker processes with a nanny each, which starts another worker in place of a dead one."""
    distributed = pytest.importorskip("distributed")
    method = {"distributed.worker.multiprocessing-method": "forkserver"}  # workers need not import all libraries anew
    with dask.config.set(method), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.path.dirname(__file__), prepend=os.pathsep)
        ready = ["distributed", "dynome.batch.tasks", "fault_functions"]
        distributed.utils.get_mp_context().set_forkserver_preload(ready)
        cluster = distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",  # None is 8787, and two runs at once would want it
            local_directory=tmp_path_factory.mktemp("spill"),
            silence_logs="CRITICAL",
            env={fault_functions.FOLDER: str(orders_link)},
        )
        cluster.scheduler.allowed_failures = 0  # else every attempt may kill four workers
        with cluster, distributed.Client(cluster) as client:
            yield client


@pytest.fixture
def cluster_faults(workers, orders_link, faults):
    """Workers, those in place of dead ones too, find the orders of this test."""
    orders_link.unlink(missing_ok=True)
    orders_link.symlink_to(faults)
    return faults


# --- A worker --------------------------------------------------------------------------------------------------------


def test_a_worker_that_is_killed_mid_session_costs_no_session(workers, cluster_faults, study_path, expected, tmp_path):
    order(cluster_faults, SESSIONS[2], "die-once")
    results = batch.map_sessions(describe, study_path, out=tmp_path / "out", client=workers, random_state=0)
    assert_equal_results(results, expected)
    assert calls(cluster_faults)[SESSIONS[2]] == 2
    assert calls(cluster_faults).total() <= len(SESSIONS) + 2  # the one that died, and what waited in its worker


def test_a_session_that_kills_every_worker_is_recorded_and_the_others_are_done(
    workers, cluster_faults, study_path, expected, tmp_path
):
    order(cluster_faults, SESSIONS[0], "die")
    out = tmp_path / "out"
    results = batch.map_sessions(
        describe, study_path, out=out, client=workers, on_error="record", random_state=0, retries=1
    )
    assert set(results.failed) == {SESSIONS[0]}
    assert done(out) == set(SESSIONS[1:])
    assert calls(cluster_faults)[SESSIONS[0]] == 2
    with pytest.raises(SessionError, match=rf"(?s){SESSIONS[0]}.*(died|killed)"):
        results[SESSIONS[0]]
    before = fingerprint(out, SESSIONS[1:])
    release(cluster_faults, SESSIONS[0])
    forget_calls(cluster_faults)
    assert_equal_results(batch.map_sessions(describe, study_path, out=out, client=workers, random_state=0), expected)
    assert calls(cluster_faults) == {SESSIONS[0]: 1}
    assert fingerprint(out, SESSIONS[1:]) == before


def test_a_result_half_written_by_a_dead_worker_is_never_taken_for_one(workers, cluster_faults, study_path, tmp_path):
    order(cluster_faults, SESSIONS[1], "die")
    out = tmp_path / "out"
    results = batch.map_sessions(
        describe_late, study_path, out=out, client=workers, on_error="record", random_state=0, retries=0
    )
    assert set(results.failed) == {SESSIONS[1]}
    release(cluster_faults, SESSIONS[1])
    results = batch.map_sessions(describe_late, study_path, out=out, client=workers, random_state=0)
    assert not results.failed
    np.testing.assert_array_equal(results[SESSIONS[1]].second, np.arange(4096.0))
    assert litter(out) == []


def test_what_a_session_computes_lazily_stays_in_its_worker(workers, study_path, tmp_path):
    results = batch.map_sessions(scheduler_within, study_path, out=tmp_path / "out", client=workers, only=SESSIONS[0])
    assert results[SESSIONS[0]].attrs["scheduler"] == "dask.local.get_sync"


# --- The scheduler ---------------------------------------------------------------------------------------------------


def test_a_scheduler_that_is_lost_stops_the_run_and_loses_nothing(faults, study_path, expected, tmp_path):
    distributed = pytest.importorskip("distributed")
    out, address = tmp_path / "out", str(tmp_path / "scheduler.json")
    scheduler = ("-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", address)
    worker = ("-m", "distributed.cli.dask_worker", "--scheduler-file", address, "--nthreads", "1", "--no-nanny")
    order(faults, SESSIONS[3], "hold")
    python_ = python("")[0]
    with (
        started(python_, *scheduler, faults=faults) as master,
        started(python_, *worker, "--no-dashboard", "--local-directory", str(tmp_path / "spill"), faults=faults),
    ):
        wait_until(lambda: os.path.exists(address), "the scheduler")
        client = distributed.Client(scheduler_file=address, timeout=150)
        try:
            client.wait_for_workers(1, timeout=150)

            def lose() -> None:
                wait_for_call(faults, SESSIONS[3])
                kill_group(master)

            meanwhile = threading.Thread(target=lose)
            meanwhile.start()
            with pytest.raises(BatchError, match="scheduler"):
                batch.map_sessions(describe, study_path, out=out, client=client, on_error="record", random_state=0)
            meanwhile.join()
        finally:
            with suppress(TimeoutError):  # it still looks for its scheduler
                client.close(timeout=5)
    finished = done(out)
    assert finished == set(calls(faults)) - {SESSIONS[3]}
    before = fingerprint(out, finished)
    release(faults, SESSIONS[3])
    forget_calls(faults)
    assert_equal_results(batch.map_sessions(describe, study_path, out=out, random_state=0), expected)
    assert set(calls(faults)) == set(SESSIONS) - finished
    assert fingerprint(out, finished) == before


# --- The whole run ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", list(WHERE))
def test_a_run_that_is_killed_resumes_with_what_was_in_flight(faults, study_path, expected, tmp_path, client):
    out = tmp_path / "out"
    order(faults, SESSIONS[4], "hold")
    code = f"run({str(study_path)!r}, {str(out)!r}, **{WHERE[client]!r})"
    with started(*python(code), faults=faults) as process:
        wait_for_call(faults, SESSIONS[4])
        wait_until(lambda: len(done(out)) >= 4, "four sessions")
        process.kill()  # alone: nobody tells its workers
        assert process.wait(150) == -signal.SIGKILL
        wait_until(lambda: not any(alive(p) for p in callers(faults, SESSIONS[4])), "the end of its workers")
    finished = done(out)
    assert SESSIONS[4] not in finished
    before = fingerprint(out, finished)
    release(faults, SESSIONS[4])
    forget_calls(faults)
    assert_equal_results(batch.map_sessions(describe, study_path, out=out, random_state=0), expected)
    assert set(calls(faults)) == set(SESSIONS) - finished
    assert fingerprint(out, finished) == before
    assert litter(out) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_300_sessions_resumed_after_sigkill_recompute_only_those_in_flight(faults, tmp_path):
    study, out, every = make_large_study(tmp_path / "study.zarr", 300), tmp_path / "out", names(300)
    order(faults, every[150], "hold")
    code = f"run({str(study)!r}, {str(out)!r}, 'highest', client='threads', n_workers=2)"
    with started(*python(code), faults=faults) as process:
        wait_until(lambda: (out / "records").exists() and len(os.listdir(out / "records")) >= 200, "200", 400, 0.2)
        wait_until(lambda: len(done(out)) >= 200, "200 sessions", 400, 0.2)
        kill_group(process)
        process.wait(150)
    first, finished = calls(faults), done(out)
    assert max(first.values()) == 1
    in_flight = set(first) - finished
    assert 1 <= len(in_flight) <= 2
    before = fingerprint(out, finished)
    release(faults, every[150])
    forget_calls(faults)
    results = batch.map_sessions(highest, study, out=out, random_state=0)
    second = calls(faults)
    assert max(second.values()) == 1
    assert set(second) == set(every) - finished  # none twice, but for those that were in flight
    assert set(first) & set(second) == in_flight
    assert fingerprint(out, finished) == before
    assert len(results) == 300
    assert not results.failed
    for name in (every[0], every[150], every[299]):
        np.testing.assert_allclose(results[name].activity, recording(min(every.index(name), 1)).activity.max())
