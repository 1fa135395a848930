"""Evidence for labels.py: labels survive every container, look-ups agree with a dictionary, collisions are harmless."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from strategies import TEXT

from dynome import labels
from dynome.errors import InputError

STRINGS = np.dtypes.StringDType()
WORDS = st.lists(st.text(TEXT, max_size=5), max_size=12)
MISSING = {
    "None": ["AVAL", None],
    "NaN in a list": ["AVAL", float("nan")],
    "NaN in an object array": np.array(["AVAL", np.nan], dtype=object),
    "pandas": pd.Series(["AVAL", pd.NA], dtype="string"),
    "numpy strings": np.array(["AVAL", np.nan], dtype=np.dtypes.StringDType(na_object=np.nan)),
}
CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "generator": iter,
    "fixed width": lambda w: np.array(w, dtype=np.str_),
    "big-endian": lambda w: np.array(w, dtype=np.str_).astype(">U8"),
    "variable width": lambda w: np.array(w, dtype=STRINGS),
    "objects": lambda w: np.array(w, dtype=object),
    "pandas": lambda w: pd.Series(w, dtype="string"),
    "index": lambda w: pd.Index(w, dtype=object),
    "categories": lambda w: pd.Categorical(w),
    "xarray": lambda w: xr.DataArray(np.array(w, dtype=np.str_)),
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@settings(max_examples=20, deadline=None)
@given(words=WORDS)
def test_labels_are_the_same_from_every_container(container, words):
    found = labels.as_labels(container(words))
    assert found.dtype.kind == "U"
    assert found.tolist() == words


def test_labels_are_not_copied_where_they_are_labels_already():
    given_labels = np.array(["AVAL", "AVAR"])
    assert np.shares_memory(labels.as_labels(given_labels), given_labels)


@given(st.lists(st.integers(-(2**62), 2**62), max_size=8))
def test_ids_become_their_digits(ids):
    assert labels.as_labels(ids).tolist() == [str(i) for i in ids]
    assert labels.as_labels(np.array(ids, dtype=np.int64)).tolist() == [str(i) for i in ids]


@pytest.mark.parametrize("values", MISSING.values(), ids=MISSING)
def test_a_missing_label_is_refused_and_never_becomes_the_label_nan(values):
    with pytest.raises(InputError, match="1 of 2 labels are missing; give each a label or drop it"):
        labels.as_labels(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("AVAL", "expected a list of labels, got 'AVAL'"),
        (7, "expected a list of labels, got 7"),
        (None, "expected a list of labels, got None"),
        ([["AVAL"]], r"one-dimensional, got shape \(1, 1\)"),
        ([1.5, "a"], "strings or integers, got 1.5"),
        ([True], "strings or integers, got True"),
        (np.array([1.5]), "strings or integers, got dtype float64"),
        (np.array([b"AVAL"]), "strings or integers, got dtype |S4"),
        (np.array([True]), "strings or integers, got dtype bool"),
    ],
)
def test_what_is_no_label_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        labels.as_labels(values)


@settings(max_examples=60, deadline=None)
@given(values=WORDS, known=st.lists(st.text(TEXT, max_size=5), max_size=12, unique=True))
def test_positions_are_those_of_a_dictionary(values, known):
    place = {word: k for k, word in enumerate(known)}
    expected = [place.get(word, -1) for word in values]
    for container in (list, CONTAINERS["fixed width"], CONTAINERS["variable width"], CONTAINERS["objects"]):
        assert labels.positions(container(values), container(known)).tolist() == expected


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_positions_follow_the_labels_when_nodes_are_reordered(seed):
    rng = np.random.default_rng(seed)
    known = np.array([f"N{k}" for k in range(50)])
    order = rng.permutation(50)
    values = rng.choice(known, 200)
    assert (known[labels.positions(values, known)] == values).all()
    assert (known[order][labels.positions(values, known[order])] == values).all()


def test_values_of_another_width_and_of_many_chunks_are_found():
    known = np.array([f"{k}" for k in range(1000)])
    values = np.array([f"{k}" for k in range(100_000)], dtype="<U40")
    found = labels.positions(values, known)
    assert (found[:1000] == np.arange(1000)).all()
    assert (found[1000:] == -1).all()


def test_two_labels_with_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(labels, "_hash", lambda values: np.full(values.size, 7, dtype=np.uint64))
    assert labels.positions(["ba", "xx", "ab", None], ["ab", "ba"]).tolist() == [1, -1, 0, -1]
    codes, found = labels.factorize(np.array(["ba", "ab", "ba"]))
    assert found[codes].tolist() == ["ba", "ab", "ba"]


def test_a_value_with_the_hash_of_a_label_is_not_that_label(monkeypatch):
    monkeypatch.setattr(labels, "_hash", lambda values: np.full(values.size, 7, dtype=np.uint64))
    assert labels.positions(["xx"], ["ab"]).tolist() == [-1]


def test_a_missing_value_is_unknown_even_if_a_node_is_called_none():
    assert labels.positions(np.array(["a", None, np.nan], dtype=object), ["None", "nan", "a"]).tolist() == [2, -1, -1]


def test_repeated_labels_cannot_be_looked_up():
    with pytest.raises(InputError, match="must be unique to be looked up, found repeated 'AVAL'"):
        labels.positions(["AVAL"], ["AVAL", "AVAR", "AVAL"])


def test_values_in_a_matrix_cannot_be_looked_up():
    with pytest.raises(InputError, match=r"one-dimensional, got shape \(1, 2\)"):
        labels.positions(np.array([["a", "b"]]), ["a"])


@settings(max_examples=60, deadline=None)
@given(values=WORDS)
def test_codes_and_distinct_labels_give_the_values_back(values):
    for container in CONTAINERS.values():
        if container in (iter, CONTAINERS["big-endian"]):
            continue
        codes, found = labels.factorize(container(values))
        assert found[codes].tolist() == values
        assert sorted(set(values)) == sorted(found.tolist())


def test_ids_are_sorted_by_value_and_names_by_letter():
    assert labels.factorize(np.array(["10", "9", "100"]))[1].tolist() == ["9", "10", "100"]
    assert labels.factorize(np.array(["10", "9", "b"]))[1].tolist() == ["10", "9", "b"]


@pytest.mark.parametrize("values", MISSING.values(), ids=MISSING)
def test_missing_values_have_no_code(values):
    with pytest.raises(InputError, match="1 of 2 labels are missing"):
        labels.factorize(values)


def test_what_is_no_column_has_no_codes():
    with pytest.raises(InputError, match="one-dimensional"):
        labels.factorize(np.array([["a"]]))
    with pytest.raises(InputError, match="strings or integers"):
        labels.factorize(np.array([0.5]))


@given(WORDS)
def test_duplicates_are_those_that_a_count_finds_in_order(values):
    repeated = [w for k, w in enumerate(values) if values.count(w) > 1 and w not in values[:k]]
    assert labels.duplicates(values) == repeated


@given(st.lists(st.lists(st.sampled_from("abcdef"), unique=True), min_size=1, max_size=4))
def test_shared_labels_are_the_intersection_in_the_order_of_the_first(sets):
    assert labels.shared(*sets).tolist() == [w for w in sets[0] if all(w in other for other in sets)]
