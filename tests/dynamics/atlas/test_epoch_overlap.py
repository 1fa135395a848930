"""Evidence for atlas/overlap.py and atlas/epochs.py: a closed form, the size of the test, common stimuli, names."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter1d

from dynome.dynamics.atlas.epochs import binned, epoch_flags
from dynome.dynamics.atlas.overlap import alike, epoch_overlap, lagged_contrast
from dynome.errors import InputError


def labelled(course, flag):
    animal, time = [f"w{k}" for k in range(len(course))], np.arange(course.shape[1]) * 2.0
    x = xr.DataArray(
        course[..., None],
        dims=("animal", "time", "component"),
        coords={"animal": animal, "time": time, "component": [0]},
    )
    e = xr.DataArray(
        flag[..., None], dims=("animal", "time", "epoch"), coords={"animal": animal, "time": time, "epoch": ["light"]}
    )
    return x, e, xr.DataArray(np.ones((len(animal), 1)), dims=("animal", "component"))


def slow(rng, shape):
    return gaussian_filter1d(rng.standard_normal(shape), 4, axis=-1, mode="wrap")


def test_overlap_is_the_difference_of_means_in_standard_deviations():
    rng = np.random.default_rng(0)
    course, flag = rng.random((50, 1)), rng.random(50) < 0.3
    expected = (course[flag].mean() - course[~flag].mean()) / course.std()
    assert lagged_contrast(course, flag.astype(float))[0, 0] == pytest.approx(expected)
    turned = np.roll(course, 7, axis=0)
    expected = (turned[flag].mean() - turned[~flag].mean()) / course.std()
    assert lagged_contrast(course, flag.astype(float))[7, 0] == pytest.approx(expected)


@pytest.mark.parametrize("shared", [False, True], ids=["each its own epochs", "a common stimulus and a common course"])
def test_without_a_relation_p_is_uniform(shared):
    p = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        course, flag = slow(rng, (4, 200)), (slow(rng, (4, 200)) > 0.1).astype(float)
        if shared:
            course, flag = course[:1] + 0.01 * slow(rng, (4, 200)), np.repeat(flag[:1], 4, axis=0)
        p.append(float(epoch_overlap(*labelled(course, flag), n_permutations=99, random_state=0).overlap_p[0, 0]))
    p = np.array(p)
    assert (p <= 0.05).mean() < 0.11  # three standard errors
    assert (p <= 0.5).mean() == pytest.approx(0.5, abs=0.13)


def test_a_component_that_follows_the_epoch_is_found():
    rng = np.random.default_rng(0)
    flag = (slow(rng, (4, 200)) > 0.1).astype(float)
    found = epoch_overlap(*labelled(flag + 0.5 * slow(rng, (4, 200)), flag), random_state=0)
    assert float(found.overlap[0, 0]) > 1
    assert float(found.overlap_q[0, 0]) < 0.01


def test_an_epoch_that_selected_the_components_is_not_tested():
    rng = np.random.default_rng(0)
    flag = (slow(rng, (2, 200)) > 0.1).astype(float)
    found = epoch_overlap(*labelled(flag, flag), random_state=0, untested=["light"])
    assert np.isnan(found.overlap_p).all()
    assert float(found.overlap[0, 0]) > 1


def test_an_epoch_that_never_occurs_has_no_overlap():
    rng = np.random.default_rng(0)
    assert np.isnan(epoch_overlap(*labelled(slow(rng, (2, 50)), np.zeros((2, 50))), random_state=0).overlap).all()


def test_animals_with_one_stimulus_are_one_group():
    rng = np.random.default_rng(0)
    flag = (rng.random((4, 80)) < 0.5).astype(float)
    flag[3] = flag[1]
    groups = alike(flag)
    assert groups[1] == groups[3]
    assert np.unique(groups).size == 3


def recordings():
    time = np.arange(6) / 2
    return xr.Dataset(
        {
            "activity": (("animal", "time", "node"), np.zeros((1, 6, 1))),
            "velocity": (("animal", "time"), [[0.1, 0.0, 0.2, np.nan, 0.3, 0.0]]),
            "reversal": (("animal", "time"), [[0.0, 1, 1, 0, 0, np.nan]]),
            "stimulus": (("animal", "time", "feature"), np.eye(6)[None, :, :2]),
        },
        {"animal": ["w"], "time": time, "node": ["a"], "feature": ["salt", "odour"]},
    )


def test_flags_are_found_and_named():
    assert epoch_flags(recordings(), None).epoch.values.tolist() == ["reversal", "stimulus:salt", "stimulus:odour"]
    fast = epoch_flags(recordings(), {"velocity": 0.15})
    np.testing.assert_array_equal(fast[0, :, 0], [0, 0, 1, np.nan, 1, 0])
    assert epoch_flags(recordings(), []).sizes["epoch"] == 0


def test_a_coarser_clock_holds_shares():
    shares = binned(epoch_flags(recordings(), ["reversal"]), np.array([0.25, 1.25, 2.25]))
    np.testing.assert_array_equal(shares[0, :, 0], [0.5, 0.5, 0.0])


def test_numbers_without_a_threshold_and_unknown_names_are_told_together():
    with pytest.raises(InputError, match=r"(?s)'velocity' holds numbers; give a threshold.*'light' is no covariate"):
        epoch_flags(recordings(), ["velocity", "light"])
