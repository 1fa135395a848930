"""Evidence for the phenotype of BIDS folders: joined by name, missing where unknown, never a wrong row."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dynome import study
from dynome.datasets import read_bids, read_timeseries_folder
from dynome.errors import FormatError

SERIES = "V1\tV2\n1.0\t2.0\n1.5\t2.5\n2.0\t2.0\n"


def put(root, name, content):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def scans(root, *names):
    for name in names:
        subject, _, session = name.partition("/")
        stem = f"{subject}_{session}_task-rest" if session else f"{subject}_task-rest"
        put(root, f"{name}/func/{stem}_timeseries.tsv", SERIES)


def test_people_are_joined_by_name_and_not_by_row(tmp_path):
    scans(tmp_path, "sub-01", "sub-02", "sub-03")
    table = "participant_id\tage\tsex\tsite/scanner\nsub-03\t31\tM\tA\nsub-99\t50\tF\tB\nsub-01\tn/a\tF\tn/a\n"
    put(tmp_path, "participants.tsv", table)
    put(tmp_path, "participants.json", {"age": {"Units": "years", "Description": "age at scan"}, "sex": "free text"})
    known = study.phenotype(read_bids(tmp_path, rate=0.5))
    assert known.animal.values.tolist() == ["sub-01", "sub-02", "sub-03"]
    np.testing.assert_array_equal(known.age, [np.nan, np.nan, 31])
    assert known.age.attrs == {"units": "years", "long_name": "age at scan"}
    assert known.sex.values.tolist() == ["F", "", "M"]
    assert known["site_scanner"].values.tolist() == ["", "", "A"]


def test_labels_may_leave_the_prefix_out_and_truths_are_text(tmp_path):
    scans(tmp_path, "sub-01", "sub-02")
    put(tmp_path, "participants.tsv", "participant_id\tmedicated\tsession\n01\tTrue\t7\n02\tFalse\t8\n")
    known = study.phenotype(read_bids(tmp_path, rate=0.5))
    assert known.medicated.values.tolist() == ["True", "False"]
    assert known["session_"].values.tolist() == [7, 8]


def test_sessions_are_joined_by_the_name_of_the_scan_and_beat_the_people(tmp_path):
    scans(tmp_path, "sub-01/ses-a", "sub-01/ses-b", "sub-02/ses-a")
    put(tmp_path, "participants.tsv", "participant_id\tgroup\tdrug\nsub-01\tx\t?\nsub-02\ty\t?\n")
    put(tmp_path, "sub-01/sub-01_sessions.tsv", "session_id\tdrug\tdose\nses-b\tactive\t2\nses-a\tplacebo\t0\n")
    put(tmp_path, "sessions.json", {"dose": {"Units": "mg", "LongName": "dose"}})
    tree = read_bids(tmp_path, rate=0.5)
    paths = ["sub-01/ses-a_task-rest", "sub-01/ses-b_task-rest", "sub-02/ses-a_task-rest"]
    assert list(study.sessions(tree)) == paths
    assert study.session_values(tree, "drug", paths).tolist() == ["placebo", "active", ""]
    np.testing.assert_array_equal(study.session_values(tree, "dose", paths), [0, 2, np.nan])
    assert study.session_values(tree, "group", paths).tolist() == ["x", "x", "y"]
    assert tree["phenotype"].dose.attrs == {"units": "mg", "long_name": "dose"}


def test_derivatives_know_the_people_of_the_data_set_around_them(tmp_path):
    folder = tmp_path / "derivatives" / "fmriprep"
    scans(folder, "sub-01")
    put(tmp_path, "participants.tsv", "participant_id\tage\nsub-01\t31\n")
    assert float(read_bids(folder, rate=0.5)["phenotype"].age[0]) == 31


def test_without_tables_there_is_no_phenotype(tmp_path):
    scans(tmp_path, "sub-01")
    assert "phenotype" not in read_bids(tmp_path, rate=0.5).children
    put(tmp_path, "participants.tsv", "participant_id\nsub-01\n")
    assert "phenotype" not in read_bids(tmp_path, rate=0.5).children


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("subject\tage\nsub-01\t3\n", "must have participant_id as its first column, found 'subject'"),
        ("participant_id\tage\nsub-01\t3\n01\t4\n", "several rows for 'sub-01'"),
        ("participant_id\tage\tage\nsub-01\t3\t4\n", "several columns 'age'"),
        ("participant_id\tage\nS1\t3\n", "names 'sub-S1', none of the people with time series, who are 'sub-01'"),
        ("participant_id\tage\n", "has a header but no rows"),
    ],
)
def test_tables_that_make_no_sense_are_refused_or_left_out(tmp_path, table, told):
    scans(tmp_path, "sub-01")
    put(tmp_path, "participants.tsv", table)
    with pytest.raises(FormatError, match=told):
        read_bids(tmp_path, rate=0.5)
    people = read_bids(tmp_path, rate=0.5, on_error="skip")
    assert people.attrs["left_out"] == ["phenotype"]
    assert list(study.sessions(people)) == ["sub-01"]


def test_sidecars_that_are_no_objects_are_refused(tmp_path):
    scans(tmp_path, "sub-01")
    put(tmp_path, "participants.tsv", "participant_id\tage\nsub-01\t3\n")
    put(tmp_path, "participants.json", [1])
    with pytest.raises(FormatError, match=r"participants.json must hold a JSON object, found list"):
        read_bids(tmp_path, rate=0.5)


@pytest.mark.parametrize("names", [("sub-01_ses-a_ts", "sub-02_ses-a_ts"), ("sub-01", "sub-02"), ("p1", "p2")])
def test_the_table_beside_a_folder_of_tables_is_no_recording_but_the_phenotype(tmp_path, names):
    for name in names:
        put(tmp_path, f"{name}.tsv", SERIES)
    one, two = (name.split("_")[0] for name in names)
    put(tmp_path, "participants.tsv", f"participant_id\tage\tsex\n{two}\t40\tM\nsub-07\t50\tF\n{one}\t30\tF\n")
    put(tmp_path, "participants.json", {"age": {"Units": "years"}})
    put(tmp_path, "sub-01_sessions.tsv", "session_id\tdrug\nses-a\tnone\n")
    tree = read_timeseries_folder(tmp_path, rate=0.5)
    paths = list(study.sessions(tree))
    assert paths == [one, two]
    assert study.phenotype(tree).animal.values.tolist() == paths
    assert study.session_values(tree, "age", paths).tolist() == [30, 40]
    assert study.session_values(tree, "sex", paths).tolist() == ["F", "M"]
    assert study.phenotype(tree).age.attrs["units"] == "years"


def test_people_of_another_folder_are_told_or_left_out(tmp_path):
    put(tmp_path, "worm1.tsv", SERIES)
    put(tmp_path, "participants.tsv", "participant_id\tage\nsub-07\t50\n")
    with pytest.raises(FormatError, match="names 'sub-07', none of the people"):
        read_timeseries_folder(tmp_path, rate=0.5)
    assert "phenotype" not in read_timeseries_folder(tmp_path, rate=0.5, on_error="skip").children
