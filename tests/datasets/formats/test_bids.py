"""Evidence for BIDS derivatives: inherited sidecars, sessions, parcellations, and tables that are no regions."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dynome import schema
from dynome.datasets import read_bids
from dynome.errors import FormatError, InputError, StoreError

TABLE = "V1\tV2\tM1\n1.0\t2.0\tn/a\n1.5\tn/a\tn/a\n2.0\t2.5\tn/a\n"


def put(root, name: str, content) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_a_derivative_is_a_study_with_regions_as_nodes(tmp_path):
    put(tmp_path, "task-rest_timeseries.json", {"RepetitionTime": 0.72, "Units": "%"})
    put(tmp_path, "sub-01/func/sub-01_task-rest_atlas-A_timeseries.tsv", TABLE)
    put(tmp_path, "sub-02/func/sub-02_task-rest_atlas-A_timeseries.tsv", TABLE)
    people = read_bids(tmp_path)
    assert list(people) == ["sub-01", "sub-02"]
    recording = people["sub-01"].to_dataset()
    assert recording.node.to_numpy().tolist() == ["V1", "V2"]
    assert recording.attrs["left_out"] == ["M1"]
    assert (recording.attrs["node_kind"], recording.activity.attrs["units"]) == ("parcel", "%")
    np.testing.assert_array_equal(recording.time, np.arange(3) * 0.72)
    np.testing.assert_array_equal(recording.activity, [[1, 2], [1.5, np.nan], [2, 2.5]])
    schema.validate(people, "study")


def test_nearer_and_more_special_sidecars_win(tmp_path):
    put(tmp_path, "task-rest_bold.json", {"RepetitionTime": 3.0})
    put(tmp_path, "sub-01/sub-01_task-rest_bold.json", {"RepetitionTime": 2.0})
    put(tmp_path, "sub-01/func/sub-01_task-rest_run-2_timeseries.json", {"RepetitionTime": 1.0})
    put(tmp_path, "sub-01/func/sub-01_task-other_timeseries.json", {"RepetitionTime": 9.0})
    for run in ("run-1", "run-2"):
        put(tmp_path, f"sub-01/func/sub-01_task-rest_{run}_timeseries.tsv", TABLE)
    put(tmp_path, "sub-02/func/sub-02_task-rest_run-1_timeseries.tsv", TABLE)
    people = read_bids(tmp_path)
    steps = {leaf.path: float(leaf.time[1]) for leaf in people.leaves}
    assert steps == {
        "/sub-01/task-rest_run-1": 2.0,
        "/sub-01/task-rest_run-2": 1.0,
        "/sub-02/task-rest_run-1": 3.0,
    }


def test_several_parcellations_are_asked_about_and_confounds_are_no_regions(tmp_path):
    for atlas in ("A", "B"):
        put(tmp_path, f"sub-01/ses-1/func/sub-01_ses-1_atlas-{atlas}_timeseries.tsv", TABLE)
    put(tmp_path, "sub-01/ses-1/func/sub-01_ses-1_desc-confounds_timeseries.tsv", "csf\ttrans_x\n1\t2\n3\t4\n")
    with pytest.raises(FormatError, match=r"choose one with select=:\n  - atlas: 'A', 'B'$"):
        read_bids(tmp_path, rate=0.5)
    people = read_bids(tmp_path, rate=0.5, select={"atlas": "B"})
    assert people["sub-01"].sizes == {"time": 3, "node": 2}
    with pytest.raises(FormatError, match=r"holds no sub-\*_timeseries.tsv with {'atlas': 'C'}"):
        read_bids(tmp_path, rate=0.5, select={"atlas": "C"})


def test_the_sampling_rate_must_be_known_and_agree(tmp_path):
    put(tmp_path, "sub-01/func/sub-01_timeseries.tsv", TABLE)
    with pytest.raises(InputError, match=r"no JSON file says how far apart .*pass rate="):
        read_bids(tmp_path)
    put(tmp_path, "sub-01/func/sub-01_timeseries.json", {"SamplingFrequency": 0.5})
    assert float(read_bids(tmp_path)["sub-01"].time[1]) == 2.0
    assert float(read_bids(tmp_path, rate=0.5)["sub-01"].time[1]) == 2.0
    with pytest.raises(InputError, match=r"SamplingFrequency 0.5 and rate 1 disagree"):
        read_bids(tmp_path, rate=1)


@pytest.mark.parametrize(
    "said", [{"RepetitionTime": "2 s"}, {"RepetitionTime": -1}, {"RepetitionTime": True}, [1], "{"]
)
def test_sidecars_that_make_no_sense_are_named(tmp_path, said):
    put(tmp_path, "sub-01/func/sub-01_timeseries.tsv", TABLE)
    put(tmp_path, "sub-01/func/sub-01_timeseries.json", said)
    with pytest.raises(
        FormatError, match=r"must be a positive number|must hold a JSON object|cannot be read as a JSON"
    ):
        read_bids(tmp_path)


def test_bad_tables_are_all_named_or_skipped(tmp_path):
    put(tmp_path, "sub-01/func/sub-01_timeseries.tsv", TABLE)
    put(tmp_path, "sub-02/func/sub-02_timeseries.tsv", "1.0\t2.0\n3.0\t4.0\n")
    put(tmp_path, "sub-03/func/sub-03_timeseries.tsv", "V1\tV2\n1\n")
    with pytest.raises(
        FormatError, match=r"sub-02: .*needs a first line with the names(.|\n)*sub-03: .*2 columns in its first"
    ):
        read_bids(tmp_path, rate=1.0)
    people = read_bids(tmp_path, rate=1.0, on_error="skip")
    assert (list(people), people.attrs["left_out"]) == (["sub-01"], ["sub-02", "sub-03"])


def test_missing_and_empty_folders_are_told_apart(tmp_path):
    with pytest.raises(StoreError, match=r"no folder at"):
        read_bids(tmp_path / "none")
    with pytest.raises(FormatError, match=r"expected a folder of BIDS derivatives"):
        read_bids(tmp_path)
