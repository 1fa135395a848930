"""What is known about animals travels with a study, by label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dynome import schema, store, study
from dynome.errors import InputError, SchemaError


def recordings(*paths: str) -> dict[str, xr.Dataset]:
    rng = np.random.default_rng(0)
    return {
        path: schema.recording(rng.random((4, 2)), time=np.arange(4.0), node=["a", "b"], units="1") for path in paths
    }


SCANS = recordings("ann/one", "ann/two", "bob/one")
TABLE = pd.DataFrame({"age": [30.0, np.nan], "sex": ["F", None], "patient": [True, False]}, index=["ann", "bob"])


def test_a_table_of_animals_holds_for_each_of_their_sessions() -> None:
    tree = study.build(SCANS, phenotype=TABLE)
    paths = list(study.sessions(tree))
    assert paths == ["ann/one", "ann/two", "bob/one"]
    np.testing.assert_array_equal(study.session_values(tree, "age", paths), [30, 30, np.nan])
    assert study.session_values(tree.phenotype, "sex", paths).tolist() == ["F", "F", ""]
    assert study.session_values(study.phenotype(tree), "patient", paths[::-1]).tolist() == [0, 1, 1]


def test_a_table_of_sessions_keeps_them_apart() -> None:
    frame = pd.DataFrame({"drug": ["placebo", "psilocybin"]}, index=["ann/two", "ann/one"])
    tree = study.build(SCANS, phenotype=frame)
    assert study.phenotype(tree)["drug"].dims == ("session",)
    assert study.session_values(tree, "drug", list(SCANS)).tolist() == ["psilocybin", "placebo", ""]


def test_a_phenotype_is_no_recording_and_survives_storage_and_a_new_connectome(tmp_path: Path) -> None:
    tree = study.build(SCANS, phenotype=TABLE)
    store.save(tree, tmp_path / "s.zarr")
    again = study.build(store.open(tmp_path / "s.zarr"))
    assert list(study.sessions(again)) == list(SCANS)
    xr.testing.assert_equal(study.phenotype(again).load(), study.phenotype(tree))


def test_everything_wrong_with_a_phenotype_is_told_at_once() -> None:
    wrong = xr.Dataset(
        {"age": ("animal", [1.0, 2.0]), "map": (("animal", "x"), np.ones((2, 2)), {"units": "1"})},
        coords={"animal": ["ann", "zoe"]},
    )
    with pytest.raises(SchemaError) as caught:
        study.build(SCANS, phenotype=wrong)
    for told in ("/phenotype: numeric variables must have", "map must have the single dim", "'zoe' has no recording"):
        assert told in str(caught.value)
    with pytest.raises(SchemaError, match="when must hold numbers or strings, found dtype datetime64"):
        study.build(SCANS, phenotype=pd.DataFrame({"when": pd.to_datetime(["2020-01-01"])}, index=["ann"]))


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(SchemaError, match="no /phenotype; add one"):
        study.phenotype(study.build(SCANS))
    with pytest.raises(InputError, match="no 'iq', it has 'age', 'sex', 'patient'"):
        study.session_values(study.build(SCANS, phenotype=TABLE), "iq", ["ann/one"])
    with pytest.raises(SchemaError, match="reserved name"):
        study.build(recordings("phenotype/one"))


def test_rows_that_are_numbered_and_not_named_are_told_with_the_column_that_has_the_names() -> None:
    numbered = TABLE.rename_axis("who").reset_index()
    with pytest.raises(SchemaError, match=r"must name animals or sessions.*found 0, 1; pass .*set_index\('who'\)"):
        study.build(SCANS, phenotype=numbered)
    with pytest.raises(SchemaError, match=r"set_index\('participant_id'\)"):
        study.build(SCANS, phenotype=numbered[["age"]])
    by_number = study.build(recordings("0", "1"), phenotype=numbered)  # animals may be called by numbers
    assert study.session_values(by_number, "sex", ["0", "1"]).tolist() == ["F", ""]


def test_a_path_is_no_phenotype() -> None:
    for path in ("participants.tsv", Path("participants.tsv")):
        with pytest.raises(
            SchemaError, match=r"must be a Dataset or a DataFrame, found a \w+; read a table with pd\.read"
        ):
            study.build(SCANS, phenotype=path)  # type: ignore[arg-type]


def test_the_path_of_a_study_is_not_taken_for_its_phenotype() -> None:
    with pytest.raises(InputError, match=r"phenotype must be a Dataset.*got 'study.zarr'; dynome.store.open opens"):
        study.session_values("study.zarr", "age", ["ann"])  # type: ignore[arg-type]
