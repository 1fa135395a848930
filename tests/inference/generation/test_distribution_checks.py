"""Evidence for generation/distribution_checks.py: level, power against each fault of a generator, the errors."""

import numpy as np
import pytest
import xarray as xr

from dynome.errors import InputError
from dynome.inference import compare_distributions
from dynome.inference.generation.log_correlation import correlations_of
from dynome.inference.generation.two_samples import (
    classifier_areas,
    discrepancy,
    gaussian_kernel,
    labellings,
    log_spread_ratios,
    mean_differences,
)


def people(n, seed, *, spread=1.0, shift=0.0, slope=1.0, copy_of=None):
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(99)
    age = rng.uniform(5, 35, n)
    base = 0.2 * fixed.standard_normal((2, 10))
    x = base[0] + shift + slope * (age[:, None] - 20) / 10 * base[1] + spread * 0.1 * rng.standard_normal((n, 10))
    names = list("abcde")
    matrices = correlations_of(x, 5) if copy_of is None else copy_of.to_numpy()[:n]
    coords = {"source": names, "target": names, "age": ("animal", age)}
    return xr.DataArray(matrices, coords, ("animal", "source", "target"), attrs={"units": "1"})


def compare(**kw):
    return compare_distributions(
        people(60, 0), people(60, 1, **kw), conditions=("age",), n_permutations=199, random_state=0
    )


def test_samples_of_one_distribution_are_not_told_apart():
    p = np.stack([
        compare_distributions(people(30, k), people(30, 100 + k), n_permutations=39, random_state=k)["p_value"].values
        for k in range(40)
    ])  # fmt: skip
    assert ((p <= 0.05).mean(axis=0) < 0.2).all()
    assert (p.mean(axis=0) > 0.35).all()


def test_collapsed_variance_is_found():
    found = compare(spread=0.5)
    assert found["value"].sel(statistic="edge_spread").item() < 0.95
    for name in ("edge_spread", "classifier"):
        assert found["p_value"].sel(statistic=name).item() < 0.02


def test_a_shifted_mean_is_found():
    found = compare(shift=0.1)
    for name in ("mmd", "edge_mean", "classifier"):
        assert found["p_value"].sel(statistic=name).item() < 0.02


def test_a_lost_association_is_found_though_everything_else_may_fit():
    found = compare(slope=-1.0)
    assert found["p_value"].sel(statistic="association").item() < 0.02
    assert found["p_value"].sel(statistic="joint_mmd").item() < 0.02
    assert found["slope_agreement"].item() < 0


def test_copies_of_real_people_are_found():
    real = people(40, 0)
    found = compare_distributions(real, people(40, 1, copy_of=real), n_permutations=9, random_state=0)
    assert found["novelty"].item() < 0.01


def test_the_discrepancy_is_the_double_sum_written_out():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 3)), rng.standard_normal((5, 3)) + 1
    k = gaussian_kernel(np.concatenate([x, y]))
    a, b, c = k[:4, :4], k[4:, 4:], k[:4, 4:]
    expected = (a.sum() - np.trace(a)) / 12 + (b.sum() - np.trace(b)) / 20 - 2 * c.mean()
    assert discrepancy(k, labellings(4, 5, 1, rng))[0] == pytest.approx(expected)


def test_moments_are_those_of_numpy():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 4)), 2 * rng.standard_normal((20, 4)) + 1
    both, membership = np.concatenate([x, y]), labellings(30, 20, 1, rng)
    ratio = np.log(y.std(axis=0, ddof=1) / x.std(axis=0, ddof=1)).mean()
    assert log_spread_ratios(both, membership)[0] == pytest.approx(ratio)
    difference = np.mean((x.mean(axis=0) - y.mean(axis=0)) ** 2 / both.var(axis=0))
    assert mean_differences(both, membership)[0] == pytest.approx(difference)


def test_a_classifier_is_scored_on_members_that_it_has_not_seen():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((40, 200))  # many features, nothing to find
    membership = labellings(20, 20, 50, rng)
    assert 0.3 < classifier_areas(noise, membership, rng).mean() < 0.6
    noise[:20] += 1
    assert classifier_areas(noise, membership, rng)[0] > 0.95


def test_what_cannot_be_compared_is_told():
    real = people(20, 0)
    with pytest.raises(InputError, match="lacking 'e'"):
        compare_distributions(real, real.isel(source=slice(4), target=slice(4)))
    with pytest.raises(InputError, match="n_permutations must be"):
        compare_distributions(real, real, n_permutations=0)
    with pytest.raises(InputError, match="the condition 'sex' is missing"):
        compare_distributions(real, real, conditions=("sex",))
    with pytest.raises(InputError, match="conditions must be a list"):
        compare_distributions(real, real, conditions="age")
    with pytest.raises(InputError, match="values that are missing"):
        compare_distributions(real, real.where(real.source != "a"))
