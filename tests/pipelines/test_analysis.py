"""Evidence for pipelines/analysis: what is computed, kept, matched, told, and computed again."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import quick_methods

from dynome import pipelines, store
from dynome.batch.locks import exclusive
from dynome.errors import BatchError, InputError, SessionError, StoreError
from dynome.pipelines import group_results, shared_models
from dynome.pipelines.analysis_estimates import plan_lines, timed
from dynome.pipelines.methods import METHODS


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    quick_methods.replace_methods(monkeypatch)
    monkeypatch.setattr(group_results, "_n_null", 2)


@pytest.fixture
def stored(tmp_path):
    return store.save(quick_methods.make_study(), tmp_path / "study.zarr")


def contents(folder):
    """Hash of every file of the results."""
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in folder.glob("*/sessions/**/*") if p.is_file()}  # fmt: skip


def test_methods_that_apply_run_on_all_sessions_and_the_others_say_why_not(stored, tmp_path, monkeypatch):
    monkeypatch.delitem(METHODS, "matched")
    done = pipelines.run_analysis(stored, out=tmp_path / "out", random_state=1)
    assert list(done.results) == ["spread", "noise", "learnt"]
    assert list(done.results["spread"]) == ["worm0", "worm1", "worm2", "worm3"]
    assert list(done.results["noise"]) == ["worm1", "worm2", "worm3"]
    assert done.provenance["methods"]["noise"]["left_out"] == {"worm0": "is the first"}
    assert "has no spike_count" in done.provenance["left_out"]["spiking"]
    assert float(done.results["learnt"]["worm2"]["reach"]) == 1
    assert done.failed == {}


def test_components_are_matched_across_animals_and_kept_beside_the_results(stored, tmp_path):
    out = tmp_path / "out"
    done = pipelines.run_analysis(stored, ["matched", "noise"], out=out, only="worm[0-2]", random_state=1)
    assert list(done.groups) == ["matched"]
    group = done.groups["matched"]
    assert group.sizes["session"] == 3
    assert group.attrs["kind"] == "components"
    assert (out / "group" / "matched.zarr").is_dir()
    again = pipelines.run_analysis(stored, out=out, only="*", resume=True)
    assert again.groups["matched"].sizes["session"] == 4
    assert float(again.groups["matched"].session_similarity.min()) > 0.9


def test_the_provenance_tells_data_parameters_seed_versions_and_durations(stored, tmp_path):
    pipelines.run_analysis(stored, "spread", out=tmp_path / "out", parameters={"spread": {"scale": 2.0}},
                           random_state=7)  # fmt: skip
    told = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert told["study"]["path"] == str(stored)
    assert list(told["study"]["sessions"]) == ["worm0", "worm1", "worm2", "worm3"]
    assert told["settings"]["random_state"] == 7
    assert told["methods"]["spread"]["parameters"] == {"scale": 2.0, "bad": ""}
    assert {"dynome", "numpy", "xarray"} <= set(told["software"])
    assert told["finished"]
    assert told["methods"]["spread"]["seconds"] > 0


def test_a_session_that_fails_keeps_its_message_and_the_others_go_on(stored, tmp_path):
    done = pipelines.run_analysis(stored, "spread", out=tmp_path / "out", parameters={"spread": {"bad": "worm1"}})
    assert list(done.failed["spread"]) == ["worm1"]
    assert done.failed["spread"]["worm1"].error["message"] == "worm1 is bad, as was asked for"
    assert list(done.results["spread"]) == ["worm0", "worm2", "worm3"]
    assert done.provenance["methods"]["spread"]["failed"] == {"worm1": "worm1 is bad, as was asked for"}
    with pytest.raises(SessionError, match="worm2 is bad"):
        pipelines.run_analysis(stored, "spread", out=tmp_path / "b", parameters={"spread": {"bad": "worm2"}},
                               on_error="raise")  # fmt: skip


def test_resuming_computes_only_what_is_missing_or_failed(stored, tmp_path):
    out, patterns = tmp_path / "out", ["worm0", "worm1"]
    first = pipelines.run_analysis(stored, ["spread", "noise"], out=out, only=patterns, random_state=3)
    before = contents(out)
    assert list(first.results["noise"]) == ["worm1"]
    plan = pipelines.plan_analysis(stored, out=out, only="*")
    assert plan.methods["spread"].to_compute == ["worm2", "worm3"]
    assert plan.table.loc["worm0"].to_dict() == {"spread": "done", "noise": "is the first"}
    second = pipelines.run_analysis(stored, out=out, only="*", resume=True)
    assert second.provenance["methods"]["spread"]["computed"] == ["worm2", "worm3"]
    assert before.items() <= contents(out).items()
    whole = pipelines.run_analysis(stored, ["spread", "noise"], out=tmp_path / "whole", random_state=3)
    assert all(whole.results["noise"][s].equals(second.results["noise"][s]) for s in whole.results["noise"])
    again = pipelines.run_analysis(stored, out=out, resume=True)
    assert again.provenance["methods"]["spread"]["computed"] == []
    assert contents(out) == contents(out)


def test_a_changed_parameter_computes_that_method_again_and_keeps_the_rest(stored, tmp_path):
    out = tmp_path / "out"
    pipelines.run_analysis(stored, ["spread", "noise"], out=out, random_state=3)
    changed = pipelines.run_analysis(stored, out=out, resume=True, parameters={"spread": {"scale": 5.0}})
    assert len(changed.provenance["methods"]["spread"]["computed"]) == 4
    assert changed.provenance["methods"]["noise"]["computed"] == []
    assert changed.provenance["settings"]["parameters"] == {"spread": {"scale": 5.0}}


def test_one_more_method_keeps_what_others_found(stored, tmp_path):
    out = tmp_path / "out"
    pipelines.run_analysis(stored, "spread", out=out, random_state=3)
    both = pipelines.run_analysis(stored, "noise", out=out, resume=True)
    assert list(both.results) == ["spread", "noise"]


def test_what_is_learnt_from_the_whole_study_is_learnt_once(stored, tmp_path):
    out, calls = tmp_path / "out", tmp_path / "calls"
    pipelines.run_analysis(stored, "learnt", out=out, random_state=0)
    again = pipelines.run_analysis(stored, "learnt", out=out, resume=True)
    assert calls.read_text() == "1"
    assert again.provenance["methods"]["learnt"]["computed"] == []
    other = pipelines.run_analysis(stored, "learnt", out=out, resume=True, parameters={"learnt": {"reach": 2}})
    assert calls.read_text() == "11"
    assert float(other.results["learnt"]["worm0"]["reach"]) == 2


def test_a_model_that_cannot_be_learnt_fails_its_method_alone(stored, tmp_path):
    done = pipelines.run_analysis(stored, ["learnt", "spread"], out=tmp_path / "out",
                                  parameters={"learnt": {"reach": 0}})  # fmt: skip
    assert done.broken == {"learnt": "InputError: reach must be at least 1"}
    assert len(done.results["spread"]) == 4


def test_an_existing_output_is_not_touched_without_resume(stored, tmp_path):
    out = tmp_path / "out"
    pipelines.run_analysis(stored, "noise", out=out)
    with pytest.raises(InputError, match="holds an analysis; pass resume=True"):
        pipelines.run_analysis(stored, "noise", out=out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(BatchError, match="holds other files"):
        pipelines.run_analysis(stored, "noise", out=tmp_path / "mine", resume=True)
    with pytest.raises(BatchError, match="make its parent"):
        pipelines.run_analysis(stored, "noise", out=tmp_path / "no" / "out")


def test_two_analyses_never_write_to_one_output(stored, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with exclusive(out), pytest.raises(BatchError, match="is in use by process"):
        pipelines.run_analysis(stored, "noise", out=out)


def test_names_that_do_not_exist_are_met_with_a_suggestion(stored, tmp_path):
    with pytest.raises(InputError, match="no method is called 'spraed'; did you mean 'spread'"):
        pipelines.run_analysis(stored, "spraed", out=tmp_path / "out")
    with pytest.raises(InputError, match="no session of the study is 'worm9'"):
        pipelines.run_analysis(stored, "spread", out=tmp_path / "out", only="worm9")
    with pytest.raises(InputError, match=r"spiking: 'worm0', .* has no spike_count"):
        pipelines.run_analysis(stored, "spiking", out=tmp_path / "out")


def test_a_damaged_session_is_planned_and_then_fails_alone(stored, tmp_path):
    (stored / "worm2" / "zarr.json").write_text("{")
    done = pipelines.run_analysis(stored, "spread", out=tmp_path / "out")
    assert list(done.failed["spread"]) == ["worm2"]
    assert done.failed["spread"]["worm2"].error["type"] == "StoreError"
    assert len(done.results["spread"]) == 3


def test_a_damaged_provenance_is_said_to_be_damaged(stored, tmp_path):
    out = tmp_path / "out"
    pipelines.run_analysis(stored, "noise", out=out)
    (out / "analysis.json").write_text('{"format": 1}')
    with pytest.raises(StoreError, match="damaged in 'study', 'settings', 'methods'"):
        pipelines.open_analysis(out)
    with pytest.raises(InputError, match="holds no analysis"):
        pipelines.open_analysis(tmp_path)


def test_a_plan_says_what_its_estimate_is_based_on(stored, tmp_path):
    out = tmp_path / "out"
    plan = pipelines.plan_analysis(stored, out=out)
    assert not out.exists()
    lines = "\n".join(plan_lines(plan))
    assert "spread: 4 sessions, 4 missing" in lines
    assert "time and disk are unknown (nothing computed yet)" in lines
    assert "does not apply to worm0: is the first" in lines
    assert "spiking: does not apply ('worm0'" in lines
    tried = "\n".join(plan_lines(timed(plan)))
    assert "a session: worm0, computed just now" in tried
    assert not out.exists()
    pipelines.run_analysis(stored, "spread", out=out, only="worm0")
    after = "\n".join(plan_lines(pipelines.plan_analysis(stored, "spread", out=out, only="*"), 3))
    assert "1 done, 3 missing" in after
    assert "the median of 1 session done here" in after


def test_a_study_in_memory_is_stored_with_the_results(tmp_path):
    done = pipelines.run_analysis(quick_methods.make_study(2, 2), "matched", out=tmp_path / "out", only="worm1/*")
    assert list(done.results["matched"]) == ["worm1/day0", "worm1/day1"]
    assert done.provenance["study"]["path"] == str(tmp_path / "out" / "study.zarr")
    assert done.groups["matched"].attrs["similarity_to"] == "other sessions"


def test_the_report_shows_sessions_methods_outliers_and_failures(tmp_path):
    loud = quick_methods.make_study(8)
    loud["worm5"] = loud["worm5"].assign(activity=loud["worm5"]["activity"] * 40)
    parameters = {"spread": {"bad": "worm3"}, "learnt": {"reach": 0}}
    done = pipelines.run_analysis(loud, out=tmp_path / "out", parameters=parameters, random_state=0)
    page = pipelines.write_analysis_report(done, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "worm3 is bad, as was asked for" in page
    assert "reach must be at least 1" in page
    assert "worm5, " in page.partition("stand out from the other sessions")[0].rpartition("says why")[2]
    assert "is the first" in page
    assert page.count("<img") >= 3
    assert np.isfinite(done.provenance["seconds"])


def test_every_method_has_a_name_that_a_shell_takes():
    assert all(name == method.name and name.isascii() and " " not in name for name, method in METHODS.items())


def test_an_analysis_killed_while_it_stored_its_study_can_be_repeated(tmp_path):
    (tmp_path / "out" / ".study.zarr.0a1b2c3d.partial").mkdir(parents=True)
    done = pipelines.run_analysis(quick_methods.make_study(2), "spread", out=tmp_path / "out", resume=True)
    assert len(done.results["spread"]) == 2
    assert not list((tmp_path / "out").glob("**/.*.partial"))


def test_a_model_is_not_kept_for_a_study_that_changed_while_it_was_learnt(stored, tmp_path, monkeypatch):
    def learn(study_path, parameters, random_state):
        model = quick_methods.learn(study_path, parameters, random_state)
        store.save(quick_methods.make_study(5), study_path, overwrite=True)
        return model

    monkeypatch.setitem(METHODS, "learnt", METHODS["learnt"]._replace(prepare=learn))
    done = pipelines.run_analysis(stored, "learnt", out=tmp_path / "out")
    assert "changed while learnt learnt from it" in done.broken["learnt"]


def test_a_model_whose_run_was_killed_never_goes_by_the_parameters_of_the_one_before(stored, tmp_path, monkeypatch):
    def reach(value):
        wanted = {"learnt": {"reach": value}}
        done = pipelines.run_analysis(stored, "learnt", out=tmp_path / "out", resume=True, parameters=wanted)
        return float(done.results["learnt"]["worm0"]["reach"])

    def killed(*_):
        raise KeyboardInterrupt

    assert reach(1) == 1
    with monkeypatch.context() as patch:
        patch.setattr(shared_models, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            reach(2)
    assert reach(1) == 1


@pytest.mark.parametrize("part", ["group/matched.zarr", "models/learnt.zarr"])
def test_what_sessions_share_is_made_anew_where_it_is_damaged(stored, tmp_path, part):
    method = part.partition("/")[2].removesuffix(".zarr")
    pipelines.run_analysis(stored, method, out=tmp_path / "out", random_state=1)
    (tmp_path / "out" / part / "zarr.json").unlink()
    done = pipelines.run_analysis(stored, out=tmp_path / "out", resume=True)
    assert not done.failed
    assert not done.broken
    store.open(tmp_path / "out" / part)
