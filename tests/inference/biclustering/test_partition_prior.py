"""Evidence for the prior over partitions: enumeration, high precision, draws, the conditional of the concentration."""

import mpmath
import numpy as np
import pytest
from scipy.stats import gamma

from dynome.inference.biclustering.model import Concentrations, Hyper
from dynome.inference.biclustering.partition_prior import (
    drawn_partition,
    log_birth_weights,
    log_partition,
    log_partition_weights,
    updated_partition_concentration,
)

SETTINGS = [Hyper(zeta=0.2), Hyper(zeta=0.6, mass=2.5), Hyper(zeta=0.415, mass=0.3), Hyper(partition="dp")]


def set_partitions(n):
    """Every partition of n nodes once, labelled in order of appearance."""
    if n == 0:
        return [[]]
    return [[*z, label] for z in set_partitions(n - 1) for label in range(max(z, default=-1) + 2)]


@pytest.mark.parametrize("hyper", SETTINGS)
@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_probabilities_of_all_partitions_sum_to_one(hyper, n):
    concentrations = Concentrations(partition=0.7)
    total = sum(np.exp(log_partition(np.array(z), hyper, concentrations)) for z in set_partitions(n))
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("mass", [1.0, 0.4])
def test_a_partition_has_the_probability_of_all_labellings_that_show_it(mass):
    hyper, n = Hyper(zeta=0.5, mass=mass), 4
    for z in set_partitions(n):
        size, total = np.bincount(z), 0.0
        for k in range(size.size, 120):  # the number of components, and which of them are seen
            labellings = np.prod(np.arange(k - size.size + 1, k + 1, dtype=float))
            ways = np.prod([mass + u for c in size for u in range(c)]) / np.prod([k * mass + u for u in range(n)])
            total += 0.5**k * labellings * ways
        assert log_partition(np.array(z), hyper, Concentrations()) == pytest.approx(np.log(total), abs=1e-12)


@pytest.mark.parametrize("clusters", [1, 10, 100])
def test_coefficients_of_2000_nodes_agree_with_fifty_digits(clusters):
    mpmath.mp.dps = 50
    n, zeta = 2000, mpmath.mpf("0.2")
    term = mpmath.factorial(clusters) * zeta * (1 - zeta) ** (clusters - 1) / mpmath.rf(clusters, n)
    total = term
    for k in range(clusters, clusters + 3000):
        term *= (1 - zeta) * mpmath.mpf(k + 1) / (k + 1 - clusters) * mpmath.mpf(k) / (k + n)
        total += term
    assert log_partition_weights(n, Hyper(zeta=0.2))[clusters - 1] == pytest.approx(float(mpmath.log(total)), abs=1e-9)


def test_coefficients_obey_the_recurrence_up_to_as_many_clusters_as_nodes():
    hyper = Hyper(zeta=0.1, mass=1.5)
    small, large = log_partition_weights(300, hyper), log_partition_weights(301, hyper)
    t = np.arange(1, 301)
    both = np.logaddexp(large[:-1] + np.log(1.5 * t + 300), large[1:] + np.log(1.5))
    np.testing.assert_allclose(small, both, atol=1e-9)


@pytest.mark.parametrize("hyper", SETTINGS)
def test_weights_of_joining_and_of_a_new_cluster_are_ratios_of_partitions(hyper):
    concentrations = Concentrations(partition=0.7)
    added, log_new = log_birth_weights(5, hyper, concentrations)
    others = [0, 0, 0, 1]
    joined, small, new = (log_partition(np.array([*others, k]), hyper, concentrations) for k in (0, 1, 2))
    assert joined - small == pytest.approx(np.log(3 + added) - np.log(1 + added))
    assert new - joined == pytest.approx(log_new[2] - np.log(3 + added))


def test_one_component_for_sure_leaves_one_cluster():
    hyper = Hyper(zeta=1.0)
    assert log_partition(np.zeros(5, int), hyper, Concentrations()) == pytest.approx(0)
    assert log_birth_weights(5, hyper, Concentrations())[1][1:].tolist() == [-np.inf] * 4


@pytest.mark.parametrize("hyper", SETTINGS)
def test_draws_have_the_probabilities_of_their_partitions(hyper):
    rng, concentrations, n_draws = np.random.default_rng(0), Concentrations(partition=0.7), 4000
    draws = [tuple(drawn_partition(3, hyper, concentrations, rng).tolist()) for _ in range(n_draws)]
    for z in set_partitions(3):
        p = np.exp(log_partition(np.array(z), hyper, concentrations))
        assert draws.count(tuple(z)) / n_draws == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / n_draws))


def test_the_concentration_follows_its_conditional():
    hyper = Hyper(partition="dp", resample_concentrations=True, concentration_shape=2.0, concentration_rate=1.0)
    cluster, rng, value = np.array([0, 0, 1, 2, 2, 2, 0, 3]), np.random.default_rng(0), Concentrations()
    draws = []
    for _ in range(6000):
        value = updated_partition_concentration(cluster, hyper, value, rng)
        draws.append(value.partition)
    grid = np.linspace(1e-4, 25, 20_000)
    density = gamma.pdf(grid, 2.0) * np.exp(
        [log_partition(cluster, hyper, Concentrations(partition=a)) for a in grid[::20]]
    ).repeat(20)
    density /= density.sum()
    mean = (grid * density).sum()
    assert np.mean(draws) == pytest.approx(mean, rel=0.05)
    assert np.var(draws) == pytest.approx(((grid - mean) ** 2 * density).sum(), rel=0.15)


@pytest.mark.parametrize("hyper", [Hyper(resample_concentrations=True), Hyper(partition="dp")])
def test_a_concentration_that_is_fixed_or_not_there_stays(hyper):
    rng = np.random.default_rng(0)
    assert updated_partition_concentration(np.zeros(3, int), hyper, Concentrations(), rng) == Concentrations()
