"""Evidence for batch.map_sessions: what it computes, what it keeps, and what it computes again."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import tiny_sessions
import xarray as xr

from dynome import batch, store, study
from dynome.errors import BatchError, InputError, SessionError, StoreError


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return store.save(tiny_sessions.make_study(), tmp_path_factory.mktemp("study") / "study.zarr")


def files_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Contents of all files, and when each was written."""
    return {
        str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()
    }


def test_each_session_has_the_result_of_the_function_called_on_its_recording(stored, tmp_path):
    results = batch.map_sessions(tiny_sessions.spread, stored, out=tmp_path / "out", parameters={"scale": 2.0})
    recordings = study.sessions(store.open(stored))
    assert list(results) == list(recordings)
    for session, recording in recordings.items():
        xr.testing.assert_equal(results[session].load(), tiny_sessions.spread(recording, scale=2.0).compute())


def test_a_study_in_memory_gives_the_numbers_of_the_stored_one(stored, tmp_path):
    ours = batch.map_sessions(tiny_sessions.spread, tiny_sessions.make_study(), out=tmp_path / "a")
    theirs = batch.map_sessions(tiny_sessions.spread, stored, out=tmp_path / "b")
    for session in theirs:
        xr.testing.assert_identical(ours[session].load(), theirs[session].load())


def test_what_is_done_is_not_touched_by_a_second_run(stored, tmp_path):
    batch.map_sessions(tiny_sessions.spread, stored, out=tmp_path / "out")
    before = files_of(tmp_path / "out" / "sessions")
    batch.map_sessions(tiny_sessions.spread, stored, out=tmp_path / "out")
    assert files_of(tmp_path / "out" / "sessions") == before


def test_a_changed_parameter_computes_again_and_replaces_the_former_results(stored, tmp_path):
    batch.map_sessions(tiny_sessions.spread, stored, out=tmp_path / "out")
    results = batch.map_sessions(tiny_sessions.spread, stored, out=tmp_path / "out", parameters={"scale": 3.0})
    expected = 3.0 * study.sessions(store.open(stored))["animal0/s0"].activity.std("time")
    np.testing.assert_allclose(results["animal0/s0"].spread, expected)
    assert len(list((tmp_path / "out" / "sessions").iterdir())) == len(results)


def test_results_of_former_parameters_are_never_mixed_with_new_ones(stored, tmp_path):
    batch.map_sessions(tiny_sessions.spread, stored, out=tmp_path / "out")
    results = batch.map_sessions(
        tiny_sessions.spread, stored, out=tmp_path / "out", parameters={"scale": 3.0}, only="animal0/*"
    )
    assert list(results) == ["animal0/s0", "animal0/s1"]
    assert results.missing == ["animal1/s0", "animal1/s1", "animal2/s0", "animal2/s1"]


def test_a_mended_recording_computes_its_own_session_again_and_no_other(stored, tmp_path):
    path = tmp_path / "study.zarr"
    recordings = study.sessions(tiny_sessions.make_study())
    store.save(study.build(recordings), path)
    batch.map_sessions(tiny_sessions.spread, path, out=tmp_path / "out")
    recordings["animal1/s1"] = recordings["animal1/s1"].assign(activity=recordings["animal1/s1"].activity + 1)
    recordings["animal9/new"] = recordings["animal0/s0"]
    store.save(study.build(recordings), path, overwrite=True)
    plan = batch.plan_sessions(tiny_sessions.spread, path, out=tmp_path / "out")
    assert {s: state for s, state in plan.sessions.items() if state != "done"} == {
        "animal1/s1": "changed",
        "animal9/new": "missing",
    }


@pytest.mark.parametrize("only", ["animal1/s0", ["animal2/s1", "animal0/s0"]])
def test_numbers_depend_on_neither_company_nor_order(stored, tmp_path, only):
    everything = batch.map_sessions(tiny_sessions.noise, stored, out=tmp_path / "all", random_state=5)
    some = batch.map_sessions(tiny_sessions.noise, stored, out=tmp_path / "some", random_state=5, only=only)
    for session in some:
        xr.testing.assert_identical(some[session].load(), everything[session].load())
    assert len({float(everything[s].noise) for s in everything}) == len(everything)


def test_threads_give_the_numbers_of_one_after_the_other(stored, tmp_path):
    one = batch.map_sessions(tiny_sessions.noise, stored, out=tmp_path / "one", random_state=5)
    many = batch.map_sessions(
        tiny_sessions.noise, stored, out=tmp_path / "many", random_state=5, client="threads", n_workers=3
    )
    assert {s: float(one[s].noise) for s in one} == {s: float(many[s].noise) for s in many}


def test_without_a_seed_one_is_drawn_recorded_and_kept(stored, tmp_path):
    first = batch.map_sessions(tiny_sessions.noise, stored, out=tmp_path / "out", only="animal0/s0")
    again = batch.map_sessions(tiny_sessions.noise, stored, out=tmp_path / "out")
    assert again.provenance["random_state"] == first.provenance["random_state"]
    same = batch.map_sessions(
        tiny_sessions.noise, stored, out=tmp_path / "same", random_state=first.provenance["random_state"]
    )
    assert float(same["animal0/s0"].noise) == float(first["animal0/s0"].noise)


def test_the_function_is_given_what_it_asks_for_by_name(tmp_path):
    tree = tiny_sessions.make_study(n_animals=2)
    table = xr.Dataset({"age": ("animal", [30.0, 41.0], {"units": "years"})}, coords={"animal": ["animal0", "animal1"]})
    tree = study.build(tree, study.connectome(tree), phenotype=table)

    def asks(recording, connectome, phenotype, session):
        return xr.Dataset({"age": phenotype.age.item(), "edges": connectome.sizes["edge"]}, attrs={"name": session})

    results = batch.map_sessions(asks, tree, out=tmp_path / "out")
    assert float(results["animal1/s0"].age) == 41.0
    assert int(results["animal1/s0"].edges) == 2
    assert results["animal1/s0"].attrs["name"] == "animal1/s0"


def test_a_failure_is_recorded_with_its_traceback_and_the_others_go_on(stored, tmp_path):
    results = batch.map_sessions(tiny_sessions.odd, stored, out=tmp_path / "out", on_error="record", retries=2)
    assert list(results.failed) == ["animal1/s0"]
    assert len(results) == 5
    error = results.failed["animal1/s0"].error
    assert (error["type"], error["message"]) == ("ValueError", "the electrode fell off")
    assert "in odd" in error["traceback"]
    assert results.failed["animal1/s0"].attempts == 3
    with pytest.raises(SessionError, match="electrode fell off"):
        results["animal1/s0"]


def test_what_dynome_explains_is_not_tried_again(stored, tmp_path):
    results = batch.map_sessions(tiny_sessions.refused, stored, out=tmp_path / "out", on_error="record", retries=2)
    assert results.failed["animal1/s0"].attempts == 1


def test_a_failure_ends_the_batch_by_default_and_a_second_call_goes_on_from_there(stored, tmp_path):
    with pytest.raises(SessionError, match=r"'animal1/s0' failed: ValueError: the electrode fell off"):
        batch.map_sessions(tiny_sessions.odd, stored, out=tmp_path / "out")
    assert list(batch.open_results(tmp_path / "out")) == ["animal0/s0", "animal0/s1"]
    results = batch.map_sessions(tiny_sessions.odd, stored, out=tmp_path / "out", on_error="record")
    assert len(results) == 5


def test_a_partial_function_counts_with_its_values(stored, tmp_path):
    half = functools.partial(tiny_sessions.spread, scale=0.5)
    batch.map_sessions(half, stored, out=tmp_path / "out", only="animal0/s0")
    double = functools.partial(tiny_sessions.spread, scale=2.0)
    assert batch.plan_sessions(double, stored, out=tmp_path / "out").sessions["animal0/s0"] == "changed"
    assert batch.plan_sessions(half, stored, out=tmp_path / "out").sessions["animal0/s0"] == "done"


def test_a_value_of_the_function_around_it_counts(stored, tmp_path):
    def times(factor):
        return lambda recording: (factor * recording.activity.mean("time")).rename("mean")

    batch.map_sessions(times(2), stored, out=tmp_path / "out", only="animal0/s0")
    assert batch.plan_sessions(times(2), stored, out=tmp_path / "out").sessions["animal0/s0"] == "done"
    assert batch.plan_sessions(times(3), stored, out=tmp_path / "out").sessions["animal0/s0"] == "changed"


def test_a_path_counts_by_what_lies_there(stored, tmp_path):
    def read(recording, table):
        return xr.Dataset({"n": len(Path(table).read_text())})

    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("one")
    batch.map_sessions(read, stored, out=tmp_path / "out", parameters={"table": tmp_path / "a.txt"})

    def state(name):
        plan = batch.plan_sessions(read, stored, out=tmp_path / "out", parameters={"table": tmp_path / name})
        return plan.sessions["animal0/s0"]

    assert state("b.txt") == "done"
    (tmp_path / "b.txt").write_text("other")
    assert state("b.txt") == "changed"


def test_warnings_of_a_session_are_kept_with_it(stored, tmp_path):
    def warns(recording):
        import warnings

        warnings.warn("did not converge", RuntimeWarning, stacklevel=1)
        return recording.activity.mean("time").rename("mean")

    results = batch.map_sessions(warns, stored, out=tmp_path / "out", only="animal0/s0")
    assert results.records["animal0/s0"].warnings == ["RuntimeWarning: did not converge"]


BAD = {
    "no function": ({"func": 3}, InputError, "func must be a function of a recording, found 3"),
    "on_error": ({"on_error": "ignore"}, InputError, '"raise" or "record", got \'ignore\''),
    "retries": ({"retries": -1}, InputError, "retries must be a whole number, at least 0, got -1"),
    "threads": ({"threads": 0}, InputError, "threads must be a whole number, at least 1"),
    "memory": ({"memory": "much"}, InputError, "such as \"2GB\", got 'much'"),
    "client": ({"client": "cloud"}, InputError, "client must be a distributed.Client or one of synchronous"),
    "workers of nobody": ({"n_workers": 2}, InputError, 'n_workers is for client="threads"'),
    "session": ({"only": "animal1/s9"}, InputError, r"no session of the study is 'animal1/s9'; did you mean 'animal1"),
    "an array": ({"parameters": {"scale": np.ones(3)}}, InputError, "scale must be a number.*found a ndarray; save it"),
    "no path": ({"parameters": {"scale": Path("gone.zarr")}}, InputError, "scale: nothing can be read at gone.zarr"),
    "no study": ({"study": "gone.zarr"}, StoreError, "no store at"),
    "a number": ({"study": 3}, InputError, "study must be the path of a stored study or a DataTree, found a int"),
    "no folder": ({"out": "gone/away/out.zarr"}, BatchError, "make its parent"),
    "misspelt parameter": ({"parameters": {"scal": 1.0}}, InputError, "spread cannot be called so: .*'scal'"),
    "method": ({"func": np.random.default_rng(0).normal}, InputError, "func must be a function, found a method"),
}


@pytest.mark.parametrize(("change", "kind", "told"), BAD.values(), ids=list(BAD))
def test_a_wrong_argument_is_told_before_anything_is_computed(stored, tmp_path, monkeypatch, change, kind, told):
    monkeypatch.chdir(tmp_path)
    asked = {"func": tiny_sessions.spread, "study": stored, "out": "out.zarr"} | change
    with pytest.raises(kind, match=told):
        batch.map_sessions(asked.pop("func"), asked.pop("study"), **asked)
    assert not list(tmp_path.glob("out.zarr/sessions/*"))


def test_a_folder_with_other_files_is_not_written_to(stored, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(BatchError, match="holds other files"):
        batch.map_sessions(tiny_sessions.spread, stored, out=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_results_of_another_function_are_not_replaced(stored, tmp_path):
    batch.map_sessions(tiny_sessions.spread, stored, out=tmp_path / "out", only="animal0/s0")
    with pytest.raises(BatchError, match=r"holds results of tiny_sessions.spread, not of tiny_sessions.noise"):
        batch.map_sessions(tiny_sessions.noise, stored, out=tmp_path / "out")


def test_what_cannot_be_stored_is_a_failure_of_the_session(stored, tmp_path):
    results = batch.map_sessions(
        lambda recording: {"a": 1}, stored, out=tmp_path / "out", only="animal0/s0", on_error="record", retries=0
    )
    assert "the function returned a dict; expected a Dataset" in results.failed["animal0/s0"].error["message"]


def test_names_of_sessions_lead_nowhere_else(tmp_path):
    recording = study.sessions(tiny_sessions.make_study(n_animals=1, n_sessions=1))["animal0/s0"]
    tree = study.build({"..a b%2F~": recording, "é" * 60: recording, "é" * 61: recording})
    results = batch.map_sessions(tiny_sessions.spread, tree, out=tmp_path / "out")
    assert len(results) == 3
    assert {p.name for p in tmp_path.iterdir()} == {"out"}


def test_a_batch_of_a_newer_dynome_and_a_damaged_one_are_told(stored, tmp_path):
    batch.map_sessions(tiny_sessions.spread, stored, out=tmp_path / "out", only="animal0/s0")
    told = json.loads((tmp_path / "out" / "batch.json").read_text())
    (tmp_path / "out" / "batch.json").write_text(json.dumps(told | {"format": 99}))
    with pytest.raises(StoreError, match="newer dynome"):
        batch.open_results(tmp_path / "out")
    (tmp_path / "out" / "batch.json").write_text(json.dumps(told | {"keys": 3}))
    with pytest.raises(StoreError, match="damaged in 'keys'"):
        batch.open_results(tmp_path / "out")
    with pytest.raises(InputError, match="holds no batch"):
        batch.open_results(tmp_path)


def test_a_result_without_its_record_or_a_record_without_its_result_is_computed_again(stored, tmp_path):
    out = tmp_path / "out"
    results = batch.map_sessions(tiny_sessions.spread, stored, out=out)
    records = sorted((out / "records").iterdir())
    records[0].write_text(records[0].read_text()[:40])
    records[1].unlink()
    (out / "sessions" / results.records["animal2/s1"].store / "zarr.json").unlink()
    assert batch.plan_sessions(tiny_sessions.spread, stored, out=out).to_compute == [
        "animal0/s0",
        "animal0/s1",
        "animal2/s1",
    ]
