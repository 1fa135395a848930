"""Evidence for group/influences.py: closed forms of the jackknife, and that animals are left out whole."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from dynome.errors import InputError
from dynome.inference import group_test, leave_one_animal_out

NAMES = ["a/1", "a/2", "a/3", "b/1", "c/1", "c/2", "d/1", "e/1"]


def values() -> xr.DataArray:
    data = np.random.default_rng(0).normal(size=(8, 2))
    return xr.DataArray(data, dims=("session", "state"), coords={"session": NAMES}, attrs={"units": "Hz"})


def test_of_a_mean_over_animals_it_is_the_interval_of_student():
    y = values()
    found = leave_one_animal_out(y)
    means = np.stack([y[[n[0] == a for n in NAMES]].mean("session") for a in "abcde"])
    np.testing.assert_allclose(found.estimate, means.mean(0))
    np.testing.assert_allclose(found.standard_error, means.std(0, ddof=1) / 5**0.5)
    low, high = stats.t.interval(0.95, 4, means.mean(0), means.std(0, ddof=1) / 5**0.5)
    np.testing.assert_allclose([found.low, found.high], [low, high])
    np.testing.assert_allclose(found.influence.sel(animal="b"), (means[1] - means.mean(0)) / 4)
    assert found.low.attrs["units"] == "Hz"


def test_a_statistic_sees_no_session_of_the_animal_that_is_left_out():
    seen = []
    leave_one_animal_out(values(), lambda part: seen.append({n[0] for n in part.session.to_numpy()}) or 1.0)
    assert seen == [set("abcde"), set("bcde"), set("acde"), set("abde"), set("abce"), set("abcd")]


def test_one_animal_on_which_a_result_hangs_stands_out():
    y = values() * 0.1
    y[NAMES.index("d/1"), 0] += 10
    influence = np.abs(leave_one_animal_out(y).influence)
    assert influence.isel(state=0).idxmax().item() == "d"
    np.testing.assert_allclose(influence.isel(state=0).sel(animal="d"), 2, atol=0.1)  # 10 of 5 animals


def test_the_effect_of_a_group_test_can_be_asked_animal_by_animal():
    names = [f"{a}/{k}" for a in "abcdef" for k in range(2)]
    y = xr.DataArray(np.random.default_rng(1).normal(size=12), dims="session", coords={"session": names})
    factor = {n: float(n[-1]) for n in names}
    found = leave_one_animal_out(y, lambda part: group_test(part, factor, n_permutations=0).effect)
    slopes = y.to_numpy()[1::2] - y.to_numpy()[::2]
    np.testing.assert_allclose(found.estimate, slopes.mean())
    np.testing.assert_allclose(found.standard_error, slopes.std(ddof=1) / 6**0.5)


def test_bad_input_is_told():
    with pytest.raises(InputError, match=r"at least 3 animals are needed to leave one out, found 1"):
        leave_one_animal_out(values()[:3])
    with pytest.raises(InputError, match=r"must not keep the dim session"):
        leave_one_animal_out(values(), lambda part: part)
    with pytest.raises(InputError, match=r"values must be a DataArray with dim session, found Dataset"):
        leave_one_animal_out(values().to_dataset(name="x"))
