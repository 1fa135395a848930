"""Evidence for targets and held-out animals: values follow labels, an animal is never in two parts."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from trial_scans import in_two_halves

from dynome import study
from dynome.errors import InputError
from dynome.inference.dynamic_graphs.targets import classes_of, numbers_of, target_of
from dynome.inference.dynamic_graphs.validation_scans import held_out

SESSIONS = ["ann/1", "ann/2", "bob/1"]


def people(phenotype):
    rng = np.random.default_rng(0)
    return study.build({name: in_two_halves(rng, True, 2, 10) for name in SESSIONS}, phenotype=phenotype)


@pytest.mark.parametrize(
    "target",
    [
        {"ann": 1, "bob": 2},
        {"bob/1": 2.0, "ann": 1.0},
        pd.Series([2, 1], index=["bob", "ann"], name="age"),
        pd.DataFrame({"age": [2, 1]}, index=["bob", "ann"]),
        xr.DataArray([2.0, 1.0, 1.0], dims="session", coords={"session": ["bob/1", "ann/1", "ann/2"]}, name="age"),
        [1, 1, 2],
    ],
)
def test_values_follow_sessions_and_animals(target):
    found = target_of(None, target, SESSIONS)
    assert found.values.tolist() == [1, 1, 2]
    assert found.known.all()


def test_the_only_variable_of_a_phenotype_needs_no_name():
    tree = people(pd.DataFrame({"diagnosis": ["ill", ""]}, index=["ann", "bob"]))
    found = target_of(tree, None, SESSIONS)
    assert (found.name, found.values.tolist(), found.known.tolist()) == ("diagnosis", ["ill", "ill", ""], [1, 1, 0])


def test_missing_values_of_every_kind_are_known_to_be_missing():
    assert target_of(None, {"ann/1": "x", "ann/2": None}, SESSIONS).known.tolist() == [True, False, False]
    assert target_of(None, [1.0, np.nan, 2.0], SESSIONS).known.tolist() == [True, False, True]
    assert target_of(None, {"bob": True}, SESSIONS).known.tolist() == [False, False, True]


TWO = pd.DataFrame({"age": [1.0, 2.0], "sex": ["f", "m"]}, index=["ann", "bob"])


@pytest.mark.parametrize(
    ("phenotype", "target", "told"),
    [
        (TWO, None, "say which variable of the phenotype to predict, target=...; it has 'age', 'sex'"),
        (TWO, "weight", "the phenotype has no 'weight'"),
        (None, "age", "a study without one"),
        (TWO, {"cid": 1}, "names no session and no animal of the study"),
        (TWO, [1, 2], r"one value for each of 3 sessions, got shape \(2,\)"),
        (TWO, [np.nan] * 3, "missing for all 3 sessions"),
        (TWO, [np.inf, 1, 2], "infinite for 1 sessions"),
        (TWO, {"ann": 1, "bob": "x"}, "numbers or strings, one kind"),
        (TWO, xr.DataArray([1.0, 2.0], dims="animal"), "one labelled dim"),
        (TWO, pd.Series([1, 2], index=["ann", "ann"]), "found repeated 'ann'"),
    ],
)
def test_targets_that_cannot_be_read_are_refused(phenotype, target, told):
    with pytest.raises(InputError, match=told):
        target_of(people(phenotype), target, SESSIONS)


def test_a_target_by_name_needs_a_study():
    with pytest.raises(InputError, match=r"found a dict; use dynome\.study\.build"):
        target_of({}, "age", SESSIONS)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["x", "x", ""], "at least 2 classes among the 2 sessions with a value, found one: 'x'"),
        ([1, 2, 2.5], "GraphReg"),
    ],
)
def test_one_class_and_continuous_values_are_no_classes(values, told):
    with pytest.raises(InputError, match=told):
        classes_of(target_of(None, values, SESSIONS))


@pytest.mark.parametrize(("values", "told"), [(["x", "y", ""], "GraphClassifier"), ([2, 2, np.nan], "is 2 for all")])
def test_strings_and_constants_are_no_numbers_to_predict(values, told):
    with pytest.raises(InputError, match=told):
        numbers_of(target_of(None, values, SESSIONS))


@settings(max_examples=25, deadline=None)
@given(
    sessions=st.lists(st.integers(0, 9), min_size=12, max_size=30),
    share=st.floats(0.05, 0.6),
    seed=st.integers(0, 99),
)
def test_an_animal_is_in_one_part_and_every_stratum_is_left_for_training(sessions, share, seed):
    animals = np.array(sessions)
    strata, known = animals % 2, np.ones(animals.size, dtype=bool)
    try:
        held = held_out(animals, known, strata, share, np.random.default_rng(seed))
    except InputError:
        few = min(np.unique(animals[strata == s]).size for s in np.unique(strata))
        assert round(share * few) == few or np.unique(animals).size < 3
        return
    assert held.any()
    assert not set(animals[held]) & set(animals[~held])
    assert set(strata[~held]) == set(strata)


def test_a_table_of_several_columns_is_no_target():
    table = pd.DataFrame({"age": [2, 1], "iq": [3, 4]}, index=["bob", "ann"])
    with pytest.raises(InputError, match=r"must have one column, found 'age', 'iq'; take one, table\[name\]"):
        target_of(None, table, SESSIONS)
