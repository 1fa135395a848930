"""Evidence that every move of the bi-clustering, and the whole sweep, leaves the joint distribution as it is.

Geweke's test in small: four nodes, twelve bins of two sequences, missing bins. Seeds are fixed; a right kernel has a
p-value above .001 in 999 of 1,000 seeds. Longer runs are in ``benchmarks/biclustering_calibration.py``.
"""

import kernels
import numpy as np
import pytest
from geweke import compared, verdict
from joint import log_density_of_data, observed_data, predictor_of, prior_state, small, statistics_of

from dynome.inference.biclustering.dynamics import draw_dynamics
from dynome.inference.biclustering.hdp import updated_transitions
from dynome.inference.biclustering.model import Concentrations
from dynome.inference.biclustering.observations import log_likelihood, predictor, sample_observations
from dynome.inference.biclustering.paths import draw_latent
from dynome.inference.biclustering.prior_draws import prior_start
from dynome.inference.biclustering.sweeps import sweep

LAWS = ("negative_binomial", "poisson", "bernoulli", "gaussian")
RIGHT, WRONG = 1e-3, 1e-6


def p_value(move, setting, **options):
    found = verdict(lambda state, data, rng: move(state, data, setting.hyper, rng), setting, **options)
    print(found)
    return found.p_value


# --- The two readings of the model agree -----------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"coupled": False, "partition": "dp", "resample_concentrations": True}])
def test_the_prior_of_the_package_is_the_model(changes):
    setting = small(concentrations=Concentrations(), **changes)
    pairs = []
    for rng in np.random.default_rng(0).spawn(400):
        states = [prior_state(setting, rng)]
        data = observed_data(states[0], setting, rng)
        states.append(prior_start(data, setting.hyper, rng))
        pairs.append([statistics_of(state, observed_data(state, setting, rng), setting) for state in states])
    assert compared(pairs).p_value > RIGHT


@pytest.mark.parametrize("law", LAWS)
def test_observations_are_drawn_and_weighed_as_the_model_says(law):
    setting = small(law)
    pairs = []
    for rng in np.random.default_rng(1).spawn(300):
        state = prior_state(setting, rng)
        data = observed_data(state, setting, rng)
        psi = predictor(state.coefficient, state.latent, state.cluster)
        np.testing.assert_allclose(psi, predictor_of(state), atol=1e-12)
        total = log_likelihood(data.y, psi, law, state.dispersion).sum()
        assert total == pytest.approx(log_density_of_data(state, data), rel=1e-8)
        drawn = sample_observations(psi, law, state.dispersion, rng)
        again = data._replace(y=np.where(setting.observed, drawn, np.nan))
        pairs.append([statistics_of(state, data, setting), statistics_of(state, again, setting)])
    assert compared(pairs).p_value > RIGHT


# --- Each move -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coupled", [True, False], ids=["coupled", "block"])
@pytest.mark.parametrize("name", ["dynamics", "states", "segments", "stretches", "scales", "splits", "assignments"])
def test_a_move_keeps_the_joint_distribution(name, coupled):
    setting = small(coupled=coupled)
    n_chains = 50 if name in ("assignments", "splits") else 80
    assert p_value(getattr(kernels, name), setting, n_chains=n_chains, n_steps=3, seed=3) > RIGHT


@pytest.mark.parametrize(
    ("name", "law"),
    [
        *(("latents", law) for law in ("negative_binomial", "bernoulli", "gaussian")),
        ("windows", "negative_binomial"),
        ("windows", "poisson"),
        ("dispersions", "negative_binomial"),
        ("dispersions", "gaussian"),
    ],
)
def test_a_move_that_reads_the_data_is_exact_for_every_law(name, law):
    assert p_value(getattr(kernels, name), small(law), n_chains=80, n_steps=4, seed=4) > RIGHT


@pytest.mark.parametrize("name", ["concentrations", "partition_concentrations"])
def test_concentrations_are_drawn_from_their_posterior(name):
    setting = small(partition="dp", resample_concentrations=True, coupled=False)
    assert p_value(getattr(kernels, name), setting, n_chains=100, n_steps=4, seed=5) > RIGHT


@pytest.mark.parametrize(
    ("law", "changes"),
    [
        ("negative_binomial", {}),
        ("negative_binomial", {"coupled": False, "partition": "dp", "resample_concentrations": True}),
        ("poisson", {}),
        ("bernoulli", {}),
        ("gaussian", {"coupled": False, "adapt_factors": True}),
    ],
)
def test_the_whole_sweep_keeps_the_joint_distribution(law, changes):
    setting = small(law, **changes)

    def whole(state, data, hyper, rng):
        return sweep(state, data, hyper, rng)[0]

    assert p_value(whole, setting, n_chains=40, n_steps=3, seed=6) > RIGHT


# --- What is wrong is noticed ----------------------------------------------------------------------------------------


def late_latents(state, data, hyper, rng):
    """Latents that move by the dynamics of the bin before."""
    precision, linear = kernels.seen(state, data, rng)
    late = np.roll(state.state, 1)
    return state._replace(latent=draw_latent(precision, linear, late, state.dynamics, data.starts, rng))


def dynamics_across_sequences(state, data, hyper, rng):
    """The step from the last bin of a sequence to the first of the next counted as a transition."""
    one = np.array([0, state.state.size])
    return state._replace(dynamics=draw_dynamics(state.latent, state.state, one, hyper, rng, hyper.n_states))


def dispersions_of_another_prior(state, data, hyper, rng):
    """The rate of the gamma prior taken for its scale."""
    return kernels.dispersions(state, data, hyper._replace(dispersion_rate=1 / hyper.dispersion_rate), rng)


def transitions_without_stickiness(state, data, hyper, rng):
    loose = state.concentrations._replace(stickiness=1e-6)
    weight, matrix = updated_transitions(state.state, data.starts, state.weight, loose, hyper, rng)
    return state._replace(weight=weight, transition=matrix)


def latents_that_forget_missing_bins(state, data, hyper, rng):
    return kernels.latents(state, data._replace(y=np.nan_to_num(data.y)), hyper, rng)


def births_for_free(state, data, hyper, rng):
    """Clusters drawn under another prior than the model's."""
    return kernels.assignments(state, data, hyper._replace(zeta=0.05), rng)


STICKY = Concentrations(row=1.5, top=2.0, stickiness=6.0)
RESTLESS = Concentrations(row=4.0, top=4.0, stickiness=0.5)


@pytest.mark.parametrize(
    ("broken", "changes"),
    [
        (late_latents, {"concentrations": RESTLESS, "extra_degrees": 3.0}),
        (dynamics_across_sequences, {}),
        (dispersions_of_another_prior, {}),
        (transitions_without_stickiness, {"starts": (0, 10, 24), "concentrations": STICKY}),
        (latents_that_forget_missing_bins, {"n_missing": 10}),
        (births_for_free, {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_move_is_noticed(broken, changes):
    setting = small(coupled=False, **changes)
    assert p_value(broken, setting, n_chains=100, n_steps=8, seed=7) < WRONG
