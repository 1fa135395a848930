"""Evidence for poisson.py and windows.py: closed forms, and posteriors from a grid that the correction keeps."""

import numpy as np
import pytest
from scipy import stats

from dynome.inference.biclustering import poisson, windows
from dynome.inference.biclustering.augmentation import working
from dynome.inference.biclustering.model import Concentrations, Data, Dynamics, State
from dynome.inference.biclustering.observations import predictor
from dynome.inference.biclustering.paths import statistics
from dynome.inference.biclustering.poisson import poisson_log_ratio, stand_in
from dynome.inference.biclustering.windows import corrected_latent

Y = np.array([[0.0, 4], [1, np.nan]])  # two nodes in two bins
BIAS, OFFSET, MATRIX, NOISE = np.array([0.8, -0.3]), 0.2, 0.7, 0.5
COPIES = 6_000  # sequences that hold the same counts: as many draws from one posterior


def test_the_weight_of_a_move_is_poisson_over_its_stand_in():
    rng = np.random.default_rng(0)
    y, new, old, r = rng.poisson(3, (2, 5)).astype(float), rng.normal(size=(2, 5)), rng.normal(size=(2, 5)), [4.0, 30.0]
    expected = 0.0
    for psi, sign in ((new, 1), (old, -1)):
        mean, shape = np.exp(psi), np.array(r)[:, None]
        expected += sign * (stats.poisson.logpmf(y, mean) - stats.nbinom.logpmf(y, shape, shape / (shape + mean)))
    np.testing.assert_allclose(poisson_log_ratio(y, new, old, np.array(r)), expected, atol=1e-12)
    y[0, 0] = np.nan
    assert poisson_log_ratio(y, new, old, np.array(r))[0, 0] == 0


def test_the_stand_in_is_right_for_silent_and_missing_nodes():
    r = stand_in(np.array([[0.0, 0, 0], [np.nan] * 3, [6, np.nan, 2]]))
    np.testing.assert_array_equal(r, [5, 5, 45])


@pytest.mark.parametrize("n_bin", [1, 5, 6, 7, 40])
def test_windows_leave_fences_and_offer_every_bin_in_time(n_bin):
    rng, offered = np.random.default_rng(1), np.zeros(n_bin)
    for _ in range(60):
        found = windows._windows(n_bin, 5, rng)
        assert (found[1:, 0] - found[:-1, 1] == 1).all()
        assert (np.diff(found, axis=1) <= 5).all()
        for begin, end in found:
            offered[begin:end] += 1
    assert (offered > 0).all()


def replicated():
    """COPIES sequences of two bins, one latent."""
    n_bin = 2 * COPIES
    data = Data(np.tile(Y, COPIES), np.arange(0, n_bin + 1, 2), "poisson")
    dynamics = Dynamics(*(np.full((1, 1, *s), v) for s, v in (((1, 1), MATRIX), ((1,), OFFSET), ((1, 1), NOISE))))
    zeros = np.zeros(n_bin, dtype=int)
    one = np.ones((1, 1))
    rest = (np.ones(2), zeros, dynamics, one[0], one, Concentrations(), np.ones((1, 0), dtype=bool))
    return data, State(zeros[:2], BIAS[:, None], np.zeros((n_bin, 1, 1)), *rest)


def posterior(temperature):
    """Probability of every pair of latents on a grid."""
    x = np.linspace(-5, 4, 250)
    first, second = (a.ravel() for a in np.meshgrid(x, x, indexing="ij"))
    density = stats.norm.logpdf(first) + stats.norm.logpdf(second, MATRIX * first + OFFSET, np.sqrt(NOISE))
    for bias, counts in zip(BIAS, Y, strict=True):
        for latent, y in zip((first, second), counts, strict=True):
            if not np.isnan(y):
                density += temperature * stats.poisson.logpmf(y, np.exp(bias + latent))
    weight = np.exp(density - density.max())
    return first, second, weight / weight.sum()


@pytest.mark.parametrize("temperature", [1.0, 0.4])
def test_the_posterior_of_latents_stays_as_it_is_however_poor_the_stand_in(temperature, monkeypatch):
    monkeypatch.setattr(poisson, "_RATIO", 0.0)
    monkeypatch.setattr(poisson, "_LEAST", 1.0)
    monkeypatch.setattr(windows, "_DECIDING", 1)  # the narrowest windows: more than one sequence long
    rng = np.random.default_rng(2)
    data, current = replicated()
    first, second, weight = posterior(temperature)
    drawn = rng.choice(first.size, COPIES, p=weight)
    current = current._replace(latent=np.stack([first[drawn], second[drawn]], axis=1).reshape(-1, 1, 1))
    shares = []
    for _ in range(15):
        work = working(data, predictor(current.coefficient, current.latent, current.cluster), np.ones(2), rng,
                       temperature=temperature)  # fmt: skip
        terms = statistics(work, current.coefficient, current.cluster, 1)
        latent, share = corrected_latent(current, data, *terms, rng, temperature=temperature)
        current, _ = current._replace(latent=latent), shares.append(share)
    assert 0.3 < np.mean(shares) < 0.95
    a, b = current.latent.reshape(-1, 2).T
    for value in (lambda a, b: a, lambda a, b: b, lambda a, b: a**2, lambda a, b: b**2, lambda a, b: a * b):
        truth = value(first, second) @ weight
        spread = np.sqrt((value(first, second) - truth) ** 2 @ weight)
        assert value(a, b).mean() == pytest.approx(truth, abs=4.5 * spread / np.sqrt(COPIES))


def test_clusters_decide_alone_unless_the_dynamics_couple_them():
    rng, n_bin = np.random.default_rng(3), 200
    data = Data(rng.poisson(1.0, (40, n_bin)).astype(float), np.array([0, n_bin]), "poisson")
    cluster = np.arange(40) % 2
    changed = {}
    for n_groups in (1, 2):
        width = 4 // n_groups
        dynamics = Dynamics(
            np.tile(0.9 * np.eye(width), (1, n_groups, 1, 1)),
            np.zeros((1, n_groups, width)),
            np.tile(0.1 * np.eye(width), (1, n_groups, 1, 1)),
        )
        one = np.ones((1, 1))
        current = State(cluster, rng.normal(0, 0.5, (40, 2)), np.zeros((n_bin, 2, 2)), np.ones(40),
                        np.zeros(n_bin, dtype=int), dynamics, one[0], one, Concentrations(),
                        np.ones((2, 1), dtype=bool))  # fmt: skip
        for _ in range(3):
            work = working(data, predictor(current.coefficient, current.latent, cluster), np.ones(40), rng)
            terms = statistics(work, current.coefficient, cluster, 2)
            latent, share = corrected_latent(current, data, *terms, rng)
            moved = (latent != current.latent).all(axis=2)
            current = current._replace(latent=latent)
        assert share > 0.4
        changed[n_groups] = (moved[:, 0] != moved[:, 1]).any()
    assert changed == {1: False, 2: True}
