"""Evidence for group/group_tests.py: references, every exchange by hand, the level on null data, invariances."""

from itertools import combinations, product

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from scipy import stats

from dynome.errors import InputError
from dynome.inference import group_test, q_value

SIZES = [3, 1, 2, 5, 1, 4, 2, 2]
ANIMAL = np.repeat(np.arange(8), SIZES)
NAMES = [f"m{a}/{k}" for k, a in enumerate(ANIMAL)]
DRUG = {f"m{a}": "drug" if a % 2 else "sham" for a in range(8)}


def values(seed: int, n: int = 3, *, level: float = 1.0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    data = level * rng.normal(size=(8, n))[ANIMAL] + rng.normal(size=(ANIMAL.size, n))
    about = {"units": "Hz", "long_name": "rate"}
    coords = {"session": NAMES, "state": np.arange(n)}
    return xr.DataArray(data, dims=("session", "state"), coords=coords, name="rate", attrs=about)


def means(y: xr.DataArray) -> np.ndarray:
    return np.stack([y.to_numpy()[a == ANIMAL].mean(0) for a in range(8)])


def test_between_animals_it_is_welch_on_the_means_of_animals():
    y = values(0)
    found, of = group_test(y, DRUG, random_state=0), means(y)
    sham, drug = of[::2], of[1::2]
    np.testing.assert_allclose(found.effect, sham.mean(0) - drug.mean(0))  # the second of the alphabet less the first
    np.testing.assert_allclose(found.statistic, stats.ttest_ind(sham, drug, equal_var=False).statistic)
    assert found.attrs["comparison"] == "sham less drug"
    assert found.effect.attrs["units"] == "Hz"
    assert found.attrs["exchange"] == "animals"


def test_its_p_value_counts_every_exchange_of_animals():
    y = values(1)
    found, of = group_test(y, DRUG, random_state=0), means(y)
    sizes = []
    for chosen in combinations(range(8), 4):
        rest = [k for k in range(8) if k not in chosen]
        sizes.append(np.abs(stats.ttest_ind(of[list(chosen)], of[rest], equal_var=False).statistic))
    own = np.abs(stats.ttest_ind(of[::2], of[1::2], equal_var=False).statistic)
    np.testing.assert_allclose(found.p_value, (np.array(sizes) >= own - 1e-9).mean(0))
    assert found.attrs["n_permutations"] == 69
    assert found.attrs["least_p_value"] == pytest.approx(2 / 70)
    np.testing.assert_allclose(found.q_value, q_value(found.p_value))


def test_a_mean_is_tested_by_every_change_of_signs_of_animals():
    y = values(2) + 0.5
    found, of = group_test(y, random_state=0), means(y)
    reference = stats.ttest_1samp(of, 0)
    np.testing.assert_allclose(found.effect, of.mean(0))
    np.testing.assert_allclose(found.statistic, reference.statistic)
    flips = np.array(list(product([1, -1], repeat=8)))
    sizes = np.abs(stats.ttest_1samp(flips[:, :, None] * of, 0, axis=1).statistic)
    np.testing.assert_allclose(found.p_value, (sizes >= np.abs(reference.statistic) - 1e-9).mean(0))
    assert found.attrs["comparison"] == "mean"


def test_a_factor_within_animals_is_tested_by_what_each_animal_shows():
    names = [f"m{a}/{d}" for a in range(7) for d in ("day", "night")]
    rng = np.random.default_rng(3)
    y = xr.DataArray(rng.normal(size=14) + 5 * rng.normal(size=7).repeat(2), dims="session", coords={"session": names})
    y = y.assign_coords(light=("session", ["day", "night"] * 7))
    found = group_test(y, "light", random_state=0)
    paired = stats.ttest_rel(y[1::2], y[::2])
    np.testing.assert_allclose(found.statistic, paired.statistic)
    assert found.attrs["exchange"] == "flips"
    assert found.attrs["n_permutations"] == 2**7 - 1
    # the mixed model of a balanced paired design is the paired t as well
    np.testing.assert_allclose(found.mixed_p_value, paired.pvalue, rtol=1e-5)


def test_sessions_change_places_within_their_animal_only():
    names = ["a/1", "a/2", "b/1", "b/2", "c/1", "c/2"]
    x = {name: float(k % 2) for k, name in enumerate(names)}
    y = xr.DataArray([0.0, 1.0, 5.0, 6.5, 9.0, 10.0], dims="session", coords={"session": names})
    found = group_test(y, x, exchange="sessions", n_permutations=4000, random_state=0)
    assert float(found.effect) == pytest.approx(3.5 / 3)
    # of the eight arrangements two are as extreme: the one that is there, and that with all pairs turned
    assert float(found.p_value) == pytest.approx(2 / 8, abs=0.03)


def test_on_null_data_animals_keep_the_level_that_sessions_exceed():
    y = values(4, 4000)
    found = group_test(y, DRUG, random_state=0)
    rate = float((found.p_value <= 0.05).mean())
    assert rate == pytest.approx(2 / 70, abs=0.01)  # 0.05 cannot be reached with 70 exchanges: 2 or 4 of them
    held = float(((found.effect_low <= 0) & (found.effect_high >= 0)).mean())
    assert held > 0.94
    assert float((found.mixed_p_value <= 0.05).mean()) == pytest.approx(0.05, abs=0.02)
    drug = np.array([DRUG[n[:2]] == "drug" for n in NAMES])
    naive = stats.ttest_ind(y[drug], y[~drug], equal_var=False).pvalue
    assert (naive <= 0.05).mean() > 0.12


def test_animals_that_react_differently_do_not_fool_the_flips():
    rng = np.random.default_rng(5)
    animal = np.repeat(np.arange(8), 6)
    x = np.tile([0.0, 1.0], 24)
    data = rng.normal(size=(8, 3000))[animal] * x[:, None] + 0.3 * rng.normal(size=(48, 3000))
    y = xr.DataArray(data, dims=("session", "set"), coords={"session": [f"m{a}/{k}" for k, a in enumerate(animal)]})
    factor = y.session.copy(data=np.arange(48)).astype(float).copy(data=x)
    assert float((group_test(y, factor, random_state=0).p_value <= 0.05).mean()) == pytest.approx(0.05, abs=0.02)
    shuffled = group_test(y, factor, exchange="sessions", n_permutations=200, random_state=0)
    assert float((shuffled.p_value <= 0.05).mean()) > 0.25  # true of these animals, not of others
    assert float((shuffled.mixed_p_value <= 0.05).mean()) > 0.25


def test_an_effect_is_found_and_held_by_the_intervals():
    effect = xr.DataArray([0.0, 3.0], dims="state")
    y = (
        values(6, 2, level=0.5)
        + xr.DataArray(np.array([DRUG[n[:2]] == "sham" for n in NAMES]), dims="session") * effect
    )
    found = group_test(y.transpose("session", ...), DRUG, random_state=0)
    assert (found.effect_low < effect).all()
    assert (found.effect_high > effect).all()
    assert (found.p_value < 0.05).to_numpy().tolist() == [False, True]


def test_missing_values_leave_out_their_sessions_only():
    y = values(7)
    y[2, 1] = y[9, 1] = np.nan
    found = group_test(y, DRUG, random_state=0).isel(state=1)
    keep = np.delete(np.arange(ANIMAL.size), [2, 9])
    alone = group_test(y.isel(session=keep, state=1), DRUG, random_state=0)
    for name in ("effect", "p_value", "effect_low", "mixed_effect", "icc", "n_sessions"):
        np.testing.assert_allclose(found[name], alone[name])
    few = y.where(y.session.isin([n for n in NAMES if n[:2] in ("m0", "m1", "m2")]))
    assert np.isnan(group_test(xr.concat([y, few], "set"), DRUG, random_state=0).p_value.isel(set=1)).all()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.floats(1e-3, 1e3), shift=st.floats(-10, 10))
def test_order_scale_and_origin_do_not_matter(seed, factor, shift):
    y = values(8)
    rng = np.random.default_rng(seed)
    a = group_test(y, DRUG, n_permutations=80, random_state=0)
    b = group_test(
        y.isel(session=rng.permutation(ANIMAL.size)) * factor + shift, DRUG, n_permutations=80, random_state=0
    )
    np.testing.assert_allclose(a.p_value, b.p_value)
    np.testing.assert_allclose(a.effect * factor, b.effect, rtol=1e-6, atol=1e-9 * factor)
    np.testing.assert_allclose(a.icc, b.icc, atol=1e-4)


def test_a_factor_can_be_told_in_every_way():
    y = values(9)
    table = xr.Dataset({"group": ("animal", list(DRUG.values()))}, {"animal": list(DRUG)})
    by_session = np.array([DRUG[n[:2]] for n in NAMES])
    same = [
        group_test(y, DRUG, random_state=0),
        group_test(y, pd.Series(DRUG, name="group"), random_state=0),
        group_test(y, table.group, random_state=0),
        group_test(y, "group", phenotype=table, random_state=0),
        group_test(y, "group", phenotype=table.to_dataframe(), random_state=0),
        group_test(y.assign_coords(group=("session", by_session)), "group", random_state=0),
        group_test(y, dict(zip(NAMES, by_session, strict=True)), random_state=0),
    ]
    for other in same[1:]:
        xr.testing.assert_allclose(same[0].drop_attrs(), other.drop_attrs())
    assert same[3].attrs["factor"] == "group"


def test_numbers_give_a_slope_and_sessions_without_one_are_left_out():
    y = values(10)
    age = {f"m{a}": float(a**2) for a in range(8)} | {"m3": np.nan}
    found = group_test(y, age, random_state=0)
    keep = [0, 1, 2, 4, 5, 6, 7]
    slope = np.polyfit(np.array(keep) ** 2.0, means(y)[keep], 1)[0]
    np.testing.assert_allclose(found.effect, slope)
    assert (found.n_animals == 7).all()
    assert found.attrs["comparison"] == "slope on factor"
    assert found.effect.attrs["units"] == "Hz per factor"


def test_litters_can_take_the_place_of_animals():
    y = values(11).assign_coords(litter=("session", [f"l{a // 2}" for a in ANIMAL]))
    found = group_test(y, block="litter", random_state=0)
    assert (found.n_animals == 4).all()
    assert found.attrs["n_permutations"] == 15
    assert bool(found.effect_low.isnull().all())  # 16 exchanges cannot say what 95 % is
    assert bool(found.p_value.notnull().all())


def test_labels_travel_and_the_input_stays_as_it_was():
    y = values(12).assign_coords(dwell=("state", [1.0, 2.0, 3.0]))
    before = y.copy(deep=True)
    found = group_test(y, DRUG, random_state=1)
    xr.testing.assert_identical(y, before)
    assert found.dwell.to_numpy().tolist() == [1.0, 2.0, 3.0]
    assert dict(found.sizes) == {"state": 3}
    xr.testing.assert_identical(found, group_test(y, DRUG, random_state=1))
    plain = group_test(y, DRUG, n_permutations=0)
    assert "p_value" not in plain
    np.testing.assert_allclose(plain.effect, found.effect)


def test_a_constant_has_no_p_value():
    found = group_test(values(13) * 0 + 3, DRUG, random_state=0)
    assert bool(found.p_value.isnull().all())
    assert bool(found.mixed_p_value.isnull().all())


@pytest.mark.parametrize(
    ("design", "more", "message"),
    [
        ("group", {}, r"sessions have no coordinate 'group'.*give phenotype= too"),
        ({"x": 1.0}, {}, r"the design names none of the sessions 'm0/0', 'm0/1', 'm0/2', .* it has 'x'"),
        (dict.fromkeys(DRUG, "drug"), {}, r"'factor' is drug in all 20 sessions; there is nothing to compare"),
        ({f"m{a}": "abc"[a % 3] for a in range(8)}, {}, r"has 3 classes \('a', 'b', 'c'\); compare two at a time"),
        ({f"m{a}": "ab"[a == 3] for a in range(8)}, {}, r"at least 4 animals are needed, 2 in each class"),
        (DRUG, {"exchange": "sessions"}, r"'sessions' does not fit, since factor is the same in all .*take 'animals'"),
        (None, {"exchange": "animals"}, r"'animals' does not fit, since there is no factor; take 'flips'"),
        (None, {"exchange": "x", "n_permutations": -3}, r"exchange must be one of .*'x'\n.*n_permutations must .*-3"),
        (None, {"block": "cage"}, r"sessions have no coordinate 'cage'"),
        ({"m0/0": 1.0, "m0/1": 0.0, "m1/3": 1.0}, {}, r"at least 3 animals are needed in which it varies, found 1"),
        ({f"m{a}": np.inf for a in range(8)}, {}, r"the design has infinite values"),
        (3, {}, r"the design must be a name, a DataArray, a Series or a mapping, got int"),
    ],
)
def test_bad_designs_are_told(design, more, message):
    with pytest.raises(InputError, match=message):
        group_test(values(14), design, **more)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y.to_dataset(), r"values must be a DataArray with dim session, found Dataset; name a variable"),
        (lambda y: y.rename(session="trial"), r"values need a dim session"),
        (lambda y: y.where(y < 1, np.inf), r"values are infinite in places"),
        (lambda y: y.astype(str), r"values must be numbers, found dtype <U"),
        (lambda y: y.assign_coords(session=["a/1"] * ANIMAL.size), r"sessions must have different names, 'a/1' occur"),
    ],
)
def test_bad_values_are_told(change, message):
    with pytest.raises(InputError, match=message):
        group_test(change(values(15)), DRUG)


def test_the_least_p_value_is_that_of_an_effect_which_no_exchange_exceeds():
    names = [f"worm{k}" for k in range(6)]
    clear = xr.DataArray(10.0 + np.arange(6.0), dims="session", coords={"session": names})
    signs = group_test(clear)
    assert float(signs.p_value) == signs.attrs["least_p_value"] == 2 / 2**6
    unequal = group_test(clear.assign_coords(dose=("session", [0.0, 0.0, 1.0, 1.0, 1.0, 1.0])), "dose")
    assert unequal.attrs["least_p_value"] == 1 / 15
