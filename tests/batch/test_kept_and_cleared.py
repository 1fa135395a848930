"""Evidence for what a batch keeps, computes again and clears away, and for what it never touches."""

import json
import shutil

import pytest
import tiny_sessions
import xarray as xr

from dynome import batch, store
from dynome.batch.content import checksum_of_function, checksum_of_parameters
from dynome.batch.schedulers import _outcome
from dynome.batch.tasks import Task, run_session

SESSION = "animal0/s0"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return store.save(tiny_sessions.make_study(n_animals=1), tmp_path_factory.mktemp("study") / "study.zarr")


@pytest.fixture
def out(stored, tmp_path):
    batch.map_sessions(tiny_sessions.spread, stored, out=tmp_path / "out", random_state=0)
    return tmp_path / "out"


def result_of(out, session=SESSION):
    return out / "sessions" / batch.open_results(out).records[session].store


def test_a_batch_from_somebody_else_neither_reads_nor_removes_what_lies_outside(stored, out, tmp_path):
    outside = store.save(xr.Dataset({"secret": 1.0}), tmp_path / "ev.zarr")
    record_file = next((out / "records").glob("animal0%2Fs0*"))
    record, asked = json.loads(record_file.read_text()), json.loads((out / "batch.json").read_text())
    key = "/../../../ev"
    (out / "sessions" / "animal0%2Fs0.").mkdir()
    record |= {"key": key, "store": f"animal0%2Fs0.{key}.zarr"}
    asked["keys"][SESSION] = key
    record_file.write_text(json.dumps(record))
    (out / "batch.json").write_text(json.dumps(asked))
    assert SESSION not in batch.open_results(out)
    results = batch.map_sessions(tiny_sessions.spread, stored, out=out, random_state=0)
    assert "spread" in results[SESSION]
    assert float(store.open(outside).secret) == 1.0


@pytest.mark.parametrize("error", [{}, {"type": "ValueError"}, {"type": "ValueError", "message": 3}])
def test_a_record_of_a_failure_that_tells_no_error_is_no_record(out, error):
    record_file = next((out / "records").glob("animal0%2Fs0*"))
    record = json.loads(record_file.read_text()) | {"status": "failed", "store": "", "error": error}
    record_file.write_text(json.dumps(record))
    results = batch.open_results(out)
    assert results.missing == [SESSION]
    assert len(results.table) == 1


@pytest.mark.parametrize("damage", ["lost", "added"])
def test_a_result_that_is_no_whole_store_any_more_is_computed_again(stored, out, damage):
    result = result_of(out)
    if damage == "lost":
        (result / "zarr.json").unlink()
    else:
        (result / ".DS_Store").write_text("of another program")
    results = batch.map_sessions(tiny_sessions.spread, stored, out=out, random_state=0)
    assert not results.failed
    assert "spread" in results[SESSION].load()


def test_a_run_killed_while_it_stored_its_study_can_be_repeated(tmp_path):
    for folder in ("sessions", "records", ".study.zarr.0a1b2c3d.partial"):
        (tmp_path / "out" / folder).mkdir(parents=True)
    results = batch.map_sessions(tiny_sessions.spread, tiny_sessions.make_study(1), out=tmp_path / "out")
    assert len(results) == 2
    assert not list((tmp_path / "out").glob(".*.partial"))


def test_former_results_that_a_killed_run_did_not_clear_away_go_with_the_next_run(stored, out):
    result = result_of(out)
    shutil.copytree(result, result.with_name(f"animal0%2Fs0.{'0' * 16}.zarr"))
    shutil.copytree(result, result.with_name(f".{result.name}.0a1b2c3d.former"))
    batch.map_sessions(tiny_sessions.spread, stored, out=out, random_state=0)
    assert len(list((out / "sessions").iterdir())) == 2


def test_constants_that_a_function_names_count_as_part_of_it(monkeypatch):
    before = checksum_of_function(tiny_sessions.shifted)
    monkeypatch.setattr(tiny_sessions, "OFFSET", 2.0)
    constant = checksum_of_function(tiny_sessions.shifted)
    monkeypatch.setattr(tiny_sessions.shifted, "__defaults__", (3.0,))
    assert len({before, constant, checksum_of_function(tiny_sessions.shifted)}) == 3


def test_what_lies_at_a_path_within_a_list_counts(tmp_path):
    file = tmp_path / "nodes.txt"
    file.write_text("AVA")
    before = checksum_of_parameters({"files": [file], "more": {"one": file}})
    file.write_text("AVB")
    assert checksum_of_parameters({"files": [file], "more": {"one": file}}) != before


def test_a_session_that_was_finished_before_its_worker_died_counts_as_done(stored, out):
    asked = json.loads((out / "batch.json").read_text())
    task = Task(SESSION, asked["keys"][SESSION], tiny_sessions.spread, str(stored), {}, (), str(out), 0, 1, None)
    finished = run_session(task)
    killed = type("KilledWorker", (Exception,), {})
    future = type("Future", (), {"status": "error", "cancelled": lambda _: False, "exception": lambda _: killed()})()
    assert _outcome(future, task, 1) == finished
    shutil.rmtree(out / "sessions" / finished.store)
    assert _outcome(future, task, 1).status == "failed"


def test_a_cluster_without_workers_yet_grows_when_a_batch_asks_for_them(stored, tmp_path):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=0, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        cluster.adapt(minimum=0, maximum=2, interval="200ms")
        results = batch.map_sessions(tiny_sessions.spread, stored, out=tmp_path / "grown", client=client)
    assert len(results) == 2
