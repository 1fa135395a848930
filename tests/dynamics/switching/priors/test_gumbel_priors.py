"""Evidence for the relaxed prior: its density, its gradients by finite differences, what a fit of codes finds."""

import numpy as np
import pytest
from simulated_couplings import wiring

from dynome.dynamics.switching.priors.choice import prior_of
from dynome.dynamics.switching.priors.gumbel import Codes, GumbelPrior, coupling_of
from dynome.errors import InputError


class NoNoise:
    """In the place of a generator: samples are the codes themselves, made sharp."""

    def gumbel(self, size):
        return np.zeros(size)


def one_edge(prior, table, logits):
    """A belief with a single edge."""
    belief = prior.start(np.zeros((1, 1, 1, 1)), np.ones((1, 1), dtype=bool))
    codes = Codes(np.array(logits).reshape(1, 1, 1, 3), np.zeros((1, 1, 1, 1)), np.log(table).reshape(1, 1, 3))
    return belief._replace(codes=codes)


@pytest.mark.parametrize("temperature", [0.8, 1.5])
def test_the_density_on_the_simplex_integrates_to_one(temperature):
    prior, table = GumbelPrior(temperature), np.array([0.2, 0.5, 0.3])
    grid, total = np.arange(-16, 16, 0.5), 0.0
    for u in grid:
        for v in grid:
            code = np.exp([u, 0.0, v]) / np.exp([u, 0.0, v]).sum()
            density = np.exp(prior.log_density(np.zeros((1, 1, 1, 1)), one_edge(prior, table, np.log(code))))
            total += density * code.prod() * 0.5**2  # the area of the simplex, in log ratios
    assert total == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("told", [False, True])
def test_gradients_of_codes_are_those_of_finite_differences(told):
    rng = np.random.default_rng(0)
    shape = (2, 3, 3, 2)
    target = rng.normal(size=shape)
    prior, free = GumbelPrior(sample_temperature=0.7), ~np.eye(3, dtype=bool)
    table = rng.dirichlet(np.ones(3), (3, 3)) if told else None
    belief = prior.start(rng.normal(size=shape), free, table)
    codes = Codes(*(x + 0.3 * rng.normal(size=x.shape) for x in belief.codes))

    def likelihood(coupling):
        return -0.5 * ((coupling - target) ** 2).sum()

    def slope(coupling):
        return target - coupling

    def height(codes):
        sharp = codes._replace(logits=codes.logits / 0.7)
        value = likelihood(coupling_of(belief._replace(codes=sharp)))
        return value + prior.log_density(target, belief._replace(codes=codes))

    found = prior._gradient(slope, belief._replace(codes=codes), NoNoise())
    for name in Codes._fields:
        for index in [(0, 1, 2, 0), (1, 2, 0, 1)]:
            place = index[1:] if name == "shared" else index
            heights = []
            for step in (1e-5, -1e-5):
                moved = getattr(codes, name).copy()
                moved[place] += step
                heights.append(height(codes._replace(**{name: moved})))
            assert getattr(found, name)[place] == pytest.approx((heights[0] - heights[1]) / 2e-5, rel=1e-4, abs=1e-6)


def test_codes_start_at_the_couplings_at_hand():
    coupling = np.random.default_rng(1).normal(size=(2, 4, 4, 1))
    belief = GumbelPrior().start(coupling, np.ones((4, 4), dtype=bool))
    far = np.abs(coupling) > 0.05
    np.testing.assert_allclose(coupling_of(belief)[far], coupling[far], rtol=1e-10)


def test_codes_come_near_clear_couplings_and_the_quadratic_pins_couplings_to_them():
    classes, true, estimate, information = wiring(0, n_state=2, n_node=8, noise=0.05)
    prior = GumbelPrior(n_steps=300, learning_rate=0.05)
    belief = prior.start(0.1 * estimate, np.ones((8, 8), dtype=bool))

    def slope(coupling):
        return information * (estimate - coupling)

    for _ in range(3):
        belief = prior.moved(slope, belief)
    found = coupling_of(belief)
    assert np.corrcoef(found.ravel(), true.ravel())[0, 1] > 0.9
    told = prior.labelled(belief)["edge_class_posterior"][1].argmax(-1) - 1
    assert (told == classes)[np.abs(true[..., 0]) > 0.5].mean() > 0.9
    quadratic = prior.quadratic(found, belief)
    np.testing.assert_allclose(quadratic.mean, found)
    assert (quadratic.precision > 1e6).all()


def test_logits_stay_within_their_guard_and_steps_depend_on_the_seed_alone():
    _, _, estimate, information = wiring(1, n_state=1, n_node=4)
    prior = GumbelPrior(learning_rate=1.0)

    def slope(coupling):
        return information * (estimate - coupling)

    beliefs = [prior.moved(slope, prior.start(estimate, np.ones((4, 4), dtype=bool))) for _ in range(2)]
    assert np.isfinite(beliefs[0].codes.logits).all()
    assert np.ptp(beliefs[0].codes.logits, axis=-1).max() < 25
    np.testing.assert_array_equal(beliefs[0].codes.strength, beliefs[1].codes.strength)


def test_the_name_and_odd_parameters():
    assert isinstance(prior_of("gumbel"), GumbelPrior)
    with pytest.raises(InputError, match="n_steps must be a positive number, got 0"):
        prior_of(GumbelPrior(n_steps=0))
