"""Nobody is on two sides, and parts are alike."""

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.errors import InputError
from dynome.inference import animal_folds, probe
from dynome.inference.probing.folds import checked_folds


def paths(n_animals, n_sessions=2):
    return [f"p{k:02d}/s{j}" for k in range(n_animals) for j in range(n_sessions)]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(6, 30), cv=st.integers(2, 6))
def test_all_sessions_of_an_animal_are_in_one_fold_and_folds_have_equal_size(seed, n, cv):
    folds = animal_folds(paths(n), cv=cv, n_repeats=2, random_state=seed)
    by_animal = folds.to_numpy().reshape(2, n, 2)
    assert (by_animal[..., 0] == by_animal[..., 1]).all()
    sizes = [np.bincount(row, minlength=cv) for row in by_animal[..., 0]]
    assert np.ptp(sizes, axis=1).max() <= 1


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.tuples(st.integers(5, 9), st.integers(5, 14)))
def test_every_fold_has_its_share_of_every_class(seed, n):
    group = np.repeat(["a", "b"], n)
    folds = animal_folds([f"p{k}" for k in range(sum(n))], group, cv=5, random_state=seed).to_numpy()[0]
    for name in "ab":
        assert np.ptp(np.bincount(folds[group == name], minlength=5)) <= 1


def test_folds_have_the_same_mean_of_a_number():
    age = np.random.default_rng(0).permutation(40.0 + np.arange(40))
    folds = animal_folds([f"p{k}" for k in range(40)], age, cv=4, random_state=0).to_numpy()[0]
    means = [age[folds == k].mean() for k in range(4)]
    assert np.ptp(means) < 3.2  # of 40; ten animals at random differ by 10 and more


def test_leaving_one_animal_out_gives_each_its_own_fold():
    folds = animal_folds(paths(4), cv="animal", random_state=0).to_numpy()[0]
    assert sorted(folds[::2]) == [0, 1, 2, 3]


def test_folds_that_split_an_animal_are_refused():
    x = xr.DataArray(np.random.default_rng(0).normal(size=(16, 3)), dims=("session", "f"), coords={"session": paths(8)})
    leaky = xr.DataArray(np.arange(16) % 2, dims="session", coords={"session": paths(8)})  # both sides of everyone
    group = xr.Dataset({"group": ("animal", list("abababab"))}, {"animal": [f"p{k:02d}" for k in range(8)]})
    with pytest.raises(InputError, match="are in two folds, so that a model would be tested on animals it was trained"):
        probe(x, group, cv=leaky)
    whole = xr.DataArray(np.repeat([0, 1], 8), dims="session", coords={"session": paths(8)})
    assert probe(x, group, cv=whole, n_permutations=9, random_state=0).attrs["cv"] == "given"


def test_folds_are_joined_by_label():
    given = animal_folds(paths(6), cv=3, random_state=0)
    turned = given.isel(session=slice(None, None, -1))
    names = given.session.to_numpy()
    np.testing.assert_array_equal(checked_folds(turned, names, given.animal.to_numpy()), given)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"cv": 9}, "9 folds need at least 9 animals, found 4; take fewer folds"),
        ({"cv": 1}, "cv must be a number of folds, at least 2, or 'animal', got 1"),
        ({"cv": 2, "n_repeats": 0}, "n_repeats must be at least 1"),
        ({"outcome": [1.0]}, "one value for each of the 8 sessions"),
    ],
)
def test_bad_folds_are_told(kwargs, message):
    with pytest.raises(InputError, match=message):
        animal_folds(paths(4), **kwargs)


def test_folds_without_labels_or_sessions_are_told():
    names, animals = np.array(["a", "b"]), np.array(["a", "b"])
    with pytest.raises(InputError, match="with labels of sessions"):
        checked_folds(xr.DataArray([0, 1], dims="session"), names, animals)
    with pytest.raises(InputError, match="sessions without a fold: 'b'"):
        checked_folds(xr.DataArray([0], dims="session", coords={"session": ["a"]}), names, animals)
    with pytest.raises(InputError, match="one fold only"):
        checked_folds(xr.DataArray([0, 0], dims="session", coords={"session": ["a", "b"]}), names, animals)
    with pytest.raises(InputError, match="whole numbers"):
        checked_folds(xr.DataArray([0.5, 1], dims="session", coords={"session": ["a", "b"]}), names, animals)
