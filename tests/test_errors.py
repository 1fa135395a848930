"""Evidence for errors.py: one raise for all problems, and built-ins that fit."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from dynome import errors
from dynome.errors import DynomeError, InputError, Problems, listed

BUILT_IN = {
    "SchemaError": ValueError,
    "InputError": ValueError,
    "UnitsError": ValueError,
    "FormatError": ValueError,
    "StoreError": OSError,
    "FetchError": OSError,
    "MissingExtraError": ImportError,
    "NotFittedError": AttributeError,
    "BatchError": RuntimeError,
    "SessionError": RuntimeError,
}


def test_every_error_is_listed_here():
    found = {n for n, v in vars(errors).items() if isinstance(v, type) and issubclass(v, DynomeError)}
    assert found - {"DynomeError"} == set(BUILT_IN)


@pytest.mark.parametrize(("name", "built_in"), BUILT_IN.items())
def test_an_error_is_caught_as_dynome_error_and_as_the_built_in_that_fits(name, built_in):
    for kind in (DynomeError, built_in):
        with pytest.raises(kind, match="told"):
            raise getattr(errors, name)("told")


@given(st.lists(st.text(min_size=1), min_size=1))
def test_all_problems_are_told_at_once_and_in_order(told):
    problems = Problems("cannot average")
    for problem in told:
        problems.add(problem)
    with pytest.raises(InputError) as caught:
        problems.raise_if_any(InputError)
    assert str(caught.value) == "cannot average:\n" + "\n".join(f"  - {p}" for p in told)


def test_no_problem_is_no_error():
    problems = Problems("cannot average")
    problems.raise_if_any(InputError)
    assert problems.found == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([], ""),
        (np.array(["AVAL"]), "'AVAL'"),
        ({"b": 1, "a": 2}, "'b', 'a'"),
        ([1.5, np.float64("nan")], "1.5, nan"),
        (range(6), "0, 1, 2, 3, 4, ... (6 in all)"),
        (range(5), "0, 1, 2, 3, 4"),
    ],
)
def test_labels_are_listed_shortly(values, told):
    assert listed(values) == told
