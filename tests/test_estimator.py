"""Evidence for estimator.py: parameters and results of every form come back, and a store never runs foreign code."""

from __future__ import annotations

import json
import os
import sys

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError as SklearnNotFitted
from sklearn.utils.validation import check_is_fitted
from strategies import recordings
from test_store_damage import reseal

import dynome
from dynome import store
from dynome.errors import NotFittedError, StoreError
from dynome.estimator import Estimator


class Holder(Estimator):
    """Keeps any parameter; `fit` returns it in no way."""

    missing_data = "raise"

    def __init__(self, first=None, second=None):
        self.first = first
        self.second = second

    def fit(self, X=None, y=None):
        results = xr.Dataset({"a": ("x", [1.0, np.nan], {"units": "1"})}) if X is None else X
        return self._finish(results, started=0.0, converged=False, n_iter=3, random_state=2**62)


class Inner(BaseEstimator):
    """A parameter that is an estimator of scikit-learn's manners."""

    def __init__(self, alpha=1.0, *, steps=()):
        self.alpha = alpha
        self.steps = steps


def back(estimator, folder):
    path = estimator.save(folder / f"{len(os.listdir(folder))}.zarr")
    assert sorted(p.name for p in folder.iterdir() if "partial" in p.name) == []
    return type(estimator).load(path)


def same(a, b):
    """Equal in value and in type, all the way down."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)
    if isinstance(a, xr.DataArray | xr.Dataset):
        return type(a) is type(b) and a.identical(b)
    if isinstance(a, BaseEstimator):
        return type(a) is type(b) and same(a.get_params(deep=False), b.get_params(deep=False))
    if isinstance(a, dict):
        return type(a) is type(b) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.sampled_from([-2, 1, 3]))
    | st.builds(slice, st.none() | st.integers(), st.none() | st.integers(), st.none() | st.integers(1))
)
ARRAYS = hnp.arrays(
    st.sampled_from([np.float64, np.int8, np.bool_, np.complex64]),
    hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3),
    elements=st.just(1),
) | st.lists(st.sampled_from(["AVAL", "", "Ω"]), max_size=3).map(lambda w: np.array(w, dtype="<U5"))
PARAMETERS = st.recursive(
    PLAIN | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=6), inner, max_size=3)
        | st.builds(Inner, inner, steps=inner)
    ),
    max_leaves=6,
)


@settings(max_examples=25, deadline=None)
@given(first=PARAMETERS, second=PARAMETERS)
def test_parameters_of_any_form_come_back(tmp_path_factory, first, second):
    model = Holder(first, second).fit()
    found = back(model, tmp_path_factory.mktemp("model"))
    assert same(model.first, found.first)
    assert same(model.second, found.second)


@settings(max_examples=10, deadline=None)
@given(rec=recordings())
def test_labelled_parameters_come_back_identical(tmp_path_factory, rec):
    model = Holder([rec, rec.activity], {"x/y": (rec.time, rec.activity.rename(None))}).fit()
    found = back(model, tmp_path_factory.mktemp("model"))
    assert same(model.get_params(deep=False), found.get_params(deep=False))


@pytest.mark.parametrize(
    "array",
    [
        xr.DataArray([1], dims="values", coords={"values": ["a"]}),
        xr.DataArray([1], dims="x", name="values", attrs={"name": "n"}),
        xr.DataArray(3, name="ΔF/F"),
    ],
)
def test_labelled_parameters_of_odd_names_come_back(tmp_path, array):
    assert same(back(Holder(array).fit(), tmp_path).first, array)


def test_arrays_of_one_name_do_not_take_each_others_place(tmp_path):
    arrays = [np.arange(3.0), np.arange(4.0)]
    model = Holder({"0_0": arrays[0], "0": [arrays[1]]}, [[arrays[1]], arrays[0]]).fit()
    found = back(model, tmp_path)
    assert same(model.first, found.first)
    assert same(model.second, found.second)


@pytest.mark.parametrize(
    "results", [None, xr.DataTree.from_dict({"/": xr.Dataset({"b": 1.0}), "/w": xr.Dataset({"c": 2})})]
)
def test_an_estimator_that_was_fitted_before_comes_back_fitted_as_a_parameter(tmp_path, results):
    pretrained = Holder(3).fit(results)
    model = Holder(pretrained, [Holder(4), Holder(pretrained)]).fit()
    found = back(model, tmp_path)
    assert type(found.first.results_) is type(pretrained.results_)
    assert found.first.results_.identical(pretrained.results_)
    assert "results" not in pretrained.results_.attrs
    assert not hasattr(found.second[0], "results_")
    assert found.second[1].first.results_.identical(pretrained.results_)


def test_a_clone_is_unfitted_and_keeps_a_pretrained_parameter_to_itself():
    model = Holder(Holder(3).fit(), Holder(4)).fit()
    copy = clone(model)
    assert not hasattr(copy, "results_")
    assert not hasattr(copy.second, "results_")
    assert copy.first.results_.identical(model.first.results_)
    copy.set_params(first__first=5, second__first=6)
    assert (model.first.first, model.second.first) == (3, 4)


def test_numbers_of_numpy_come_back_as_numbers_of_python(tmp_path):
    found = back(Holder(np.float32(0.5), np.int64(3)).fit(), tmp_path)
    assert (found.first, found.second) == (0.5, 3)
    assert (type(found.first), type(found.second)) == (float, int)


@pytest.mark.parametrize(
    "value",
    [
        lambda x: x,
        {1: 2},
        object(),
        1j,
        {1, 2},
        np.datetime64("2026-11-22"),
        np.ma.masked_array([1.0, 2.0], mask=[True, False]),
        np.random.default_rng(0),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_parameter_that_cannot_be_stored_is_told_by_its_name(tmp_path, value):
    with pytest.raises(
        StoreError, match=r"parameter second_0_k is a .* and cannot be stored; use plain values or arrays"
    ):
        Holder(1, [{"k": value}]).fit().save(tmp_path / "a.zarr")
    assert os.listdir(tmp_path) == []


def test_an_array_of_objects_is_no_parameter_for_a_store(tmp_path):
    with pytest.raises(StoreError, match="holds objects of type 'int'"):
        Holder(np.array([1, "a"], dtype=object)).fit().save(tmp_path / "a.zarr")
    assert os.listdir(tmp_path) == []


def test_a_class_inside_a_function_cannot_be_found_again(tmp_path):
    class Local(Holder):
        pass

    for model in (Local().fit(), Holder(Local()).fit()):
        with pytest.raises(StoreError, match=r"Local cannot be stored by name; move the class to the top level"):
            model.save(tmp_path / "a.zarr")
    assert os.listdir(tmp_path) == []


# --- Results ---------------------------------------------------------------------------------------------------------


def result_tree(children):
    parts = {"/": xr.Dataset({"history": ("iteration", [2.0, 1.0])}, attrs={"note": "x"})}
    parts |= {"/w2": xr.Dataset({"a": 1}), "/w1/s1": xr.Dataset({"a": 2})} if children else {}
    return xr.DataTree.from_dict(parts)


@pytest.mark.parametrize("results", [None, result_tree(True), result_tree(False)], ids=["dataset", "tree", "bare tree"])
def test_results_come_back_identical_in_memory_and_of_the_same_kind(tmp_path, results):
    model = Holder().fit(results)
    before = model.results_.copy(deep=True)
    found = back(model, tmp_path).results_
    assert type(found) is type(model.results_)
    assert found.identical(model.results_)
    assert model.results_.identical(before)
    back(model, tmp_path)  # saving twice is no different
    root = found.to_dataset() if isinstance(found, xr.DataTree) else found
    assert all(v.chunks is None for v in root.variables.values())


def test_results_tell_how_they_came_about():
    attrs = Holder().fit().results_.attrs
    assert {k: attrs[k] for k in ("converged", "n_iter", "device", "dtype", "random_state", "dynome_version")} == {
        "converged": 0,
        "n_iter": 3,
        "device": "cpu",
        "dtype": "float64",
        "random_state": 2**62,
        "dynome_version": dynome.__version__,
    }
    assert attrs["seconds"] > 0


def test_the_store_opens_an_estimator_as_what_it_is(tmp_path):
    path = Holder(3).fit().save(tmp_path / "a.zarr")
    assert isinstance(store.open(path), Holder)
    assert store.read_manifest(path).kind == "estimator"
    with pytest.raises(StoreError, match="exists; choose another name or pass overwrite=True"):
        Holder(4).fit().save(path)
    Holder(4).fit().save(path, overwrite=True)
    assert Holder.load(path).first == 4


def test_loading_asks_for_the_class_that_was_saved(tmp_path):
    class Other(Holder):
        pass

    path = Holder().fit().save(tmp_path / "a.zarr")
    assert isinstance(Estimator.load(path), Holder)
    with pytest.raises(StoreError, match="holds Holder, expected Other"):
        Other.load(path)
    data = store.save(xr.Dataset({"a": 1}), tmp_path / "b.zarr")
    with pytest.raises(StoreError, match="holds Dataset, expected Holder"):
        Holder.load(data)


def test_before_fit_there_is_nothing_to_save(tmp_path):
    with pytest.raises(NotFittedError, match=r"this Holder is not fitted; call .fit\(data\) first"):
        Holder().save(tmp_path / "a.zarr")
    assert os.listdir(tmp_path) == []
    with pytest.raises(SklearnNotFitted):
        check_is_fitted(Holder())
    check_is_fitted(Holder().fit())


def test_sklearn_clones_an_estimator_without_its_results():
    model = Holder(Inner(2.0)).fit()
    copy = clone(model)
    assert copy.first.alpha == 2.0
    assert copy.first is not model.first
    assert not hasattr(copy, "results_")
    assert model.get_params()["first__alpha"] == 2.0


# --- Stores that are not to be trusted -------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    return Holder(Inner(2.0), np.arange(3)).fit().save(tmp_path / "a.zarr")


def parameters(path, change):
    """Rewrite the parameters in a store and make it whole again."""
    root = json.loads((path / "zarr.json").read_text())
    params = json.loads(root["attributes"]["dynome_params"])
    root["attributes"]["dynome_params"] = change(params)
    (path / "zarr.json").write_text(json.dumps(root))
    reseal(path)


FOREIGN = [
    "os:system",
    "antigravity:fly",
    "subprocess:Popen",
    "dynome:nothing",
    "dynome.no_module:X",
    "dynome.:X",
    "",
    ":",
    "a",
]


@pytest.mark.parametrize("path", [*FOREIGN, "builtins:object", "sklearn.base:BaseEstimator", "xarray:Dataset"])
def test_a_store_that_names_another_class_is_refused(saved, path):
    reseal(saved, lambda entry: entry.update(name=path))
    with pytest.raises(StoreError, match="the store names"):
        store.open(saved)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("path", [*FOREIGN, "builtins:object", "xarray:Dataset", None, 3])
def test_a_parameter_that_names_another_class_is_refused(saved, path):
    parameters(saved, lambda p: json.dumps(p | {"first": {"object": path, "params": {}}}))
    with pytest.raises(StoreError, match=r"the store names|do not fit Holder"):
        store.open(saved)
    assert "antigravity" not in sys.modules


def test_a_module_that_is_not_imported_is_never_run(saved, tmp_path, monkeypatch):
    (tmp_path / "evil_module.py").write_text("open('ran', 'w').write('x')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    reseal(saved, lambda entry: entry.update(name="evil_module:X"))
    with pytest.raises(StoreError, match="'evil_module:X', which is no estimator known here; import its module first"):
        store.open(saved)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "params",
    [
        {"third": 1},
        {"first": {}},
        {"first": {"object": "test_estimator:Inner"}},
        {"first": {"object": "test_estimator:Inner", "params": {"beta": 1}}},
        {"first": {"array": "nothing"}},
        {"first": {"array": 3}},
        {"first": {"dataset": "../../results"}},
        {"first": {"range": [1, 2, 0]}},
        {"first": {"range": 3}},
        {"first": {"dict": [1]}},
    ],
    ids=str,
)
def test_parameters_that_do_not_fit_are_told(saved, params):
    parameters(saved, lambda p: json.dumps(p | params))
    with pytest.raises(StoreError, match=r"the stored parameters do not fit|damaged|the store names"):
        store.open(saved)


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000])
def test_parameters_that_are_no_parameters_are_told(saved, text):
    parameters(saved, lambda _: text)
    with pytest.raises(
        StoreError, match=r"this is no Holder; its parameters or results cannot be read|do not fit Holder"
    ):
        store.open(saved)


def test_an_estimator_without_results_is_told(tmp_path):
    path = store.save(xr.DataTree(xr.Dataset(attrs={"dynome_params": "{}"})), tmp_path / "a.zarr")
    reseal(path, lambda entry: entry.update(kind="estimator", name="test_estimator:Holder"))
    with pytest.raises(StoreError, match="this is no Holder; its parameters or results cannot be read: 'results'"):
        store.open(path)
