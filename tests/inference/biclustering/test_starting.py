"""Evidence for biclustering/starting.py and what it is made of: planted clusters and states are found."""

import numpy as np
import pytest

from dynome.datasets import make_biclusters, make_dpfa
from dynome.inference.biclustering.cluster_fits import divergence, fitted, guess, no_statistics, refitted
from dynome.inference.biclustering.dynamics import log_path
from dynome.inference.biclustering.grouping import partition_of, signals, similar_nodes
from dynome.inference.biclustering.model import Data, Hyper
from dynome.inference.biclustering.observations import log_likelihood, predictor
from dynome.inference.biclustering.starting import started
from dynome.inference.biclustering.state_search import joined_states, refit
from dynome.inference.biclustering.thinning import thinned


def observed(simulated):
    values = simulated.get("spike_count", simulated.get("activity")).to_numpy().astype(float)
    n_time = values.shape[-2]
    y = np.ascontiguousarray(values.reshape(-1, values.shape[-1]).T)
    return Data(y, np.arange(0, y.shape[1] + 1, n_time), simulated.attrs["observation"])


def agreement(truth, found):
    """Share of bins that agree under the best of both ways to name two states, or many."""
    counts = np.zeros((truth.max() + 1, found.max() + 1))
    np.add.at(counts, (truth, found), 1)
    from scipy.optimize import linear_sum_assignment

    return counts[linear_sum_assignment(-counts)].sum() / truth.size


def same_partition(one, other):
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))


def is_sound(start, data, hyper):
    n_clusters = start.latent.shape[1]
    assert np.array_equal(np.unique(start.cluster), np.arange(n_clusters))
    assert start.latent.shape == (data.y.shape[1], n_clusters, 1 + hyper.n_factors)
    assert start.dynamics.matrix.shape[:2] == (hyper.n_states, 1 if hyper.coupled else n_clusters)
    assert start.transition.shape == (hyper.n_states, hyper.n_states)
    assert start.state.max() < hyper.n_states
    assert np.isfinite(log_path(start.latent, start.state, start.dynamics, data.starts))
    psi = predictor(start.coefficient, start.latent, start.cluster)
    assert np.isfinite(log_likelihood(data.y, psi, data.law, start.dispersion)).all()


def test_planted_clusters_and_states_are_found_from_counts():
    simulated = make_biclusters(random_state=1)
    data = observed(simulated)
    start = started(data, Hyper(), np.random.default_rng(0), n_clusters=6, n_states=[2])
    assert same_partition(simulated.true_cluster.to_numpy(), start.cluster)
    assert agreement(simulated.true_state.to_numpy(), start.state) > 0.9
    is_sound(start, data, Hyper())


def test_planted_clusters_are_found_from_gaussian_traces_in_sessions():
    simulated = make_biclusters(2, 5, 2, 80, n_sessions=3, observation="gaussian", dispersion=0.02, random_state=2)
    data, hyper = observed(simulated), Hyper(n_states=3, coupled=False, dispersion_rate=0.02)
    start = started(data, hyper, np.random.default_rng(0), n_states=[2])
    assert same_partition(simulated.true_cluster.to_numpy(), start.cluster)
    np.testing.assert_allclose(start.dispersion, 0.02, rtol=0.8)
    is_sound(start, data, hyper)


def test_smooth_poisson_trajectories_are_told_apart():
    simulated = make_dpfa(3, 5, 200, random_state=0)
    data, hyper, truth = observed(simulated), Hyper(n_states=1), simulated.true_cluster.to_numpy()
    start = started(data, hyper, np.random.default_rng(0), n_clusters=6)
    assert all(np.unique(truth[start.cluster == j]).size == 1 for j in range(start.latent.shape[1]))
    assert start.latent.shape[1] <= 4
    is_sound(start, data, hyper)


@pytest.mark.parametrize(
    ("law", "hyper"),
    [
        ("negative_binomial", Hyper(n_factors=1, n_states=3)),
        ("poisson", Hyper(n_factors=0, n_states=3, coupled=False)),
        ("bernoulli", Hyper(n_factors=1, n_states=2, coupled=False)),
        ("gaussian", Hyper(n_factors=3, n_states=1)),
    ],
)
def test_silent_constant_and_half_missing_nodes_are_borne(law, hyper):
    rng = np.random.default_rng(0)
    y = rng.poisson(0.7, (5, 80)).astype(float)
    y = np.minimum(y, 1.0) if law == "bernoulli" else y
    y[0], y[1] = 0.0, 1.0
    y[2, ::2] = np.nan
    y[:, 40:50] = np.nan
    data = Data(y, np.array([0, 35, 36, 80]), law)
    is_sound(started(data, hyper, rng, n_states=[2]), data, hyper)


def test_two_nodes_and_many_short_sequences_are_enough():
    rng = np.random.default_rng(1)
    data, hyper = Data(rng.poisson(1.0, (2, 60)).astype(float), np.arange(0, 61, 4), "poisson"), Hyper(n_states=2)
    is_sound(started(data, hyper, rng, n_states=[2]), data, hyper)


def test_the_same_generator_gives_the_same_start_and_another_one_another():
    data = observed(make_biclusters(2, 3, 2, 50, n_factors=1, random_state=3))
    hyper = Hyper(n_factors=1, n_states=3)
    one, same, other = (started(data, hyper, np.random.default_rng(k), n_clusters=2, n_states=[2]) for k in (0, 0, 1))
    np.testing.assert_array_equal(one.latent, same.latent)
    np.testing.assert_array_equal(one.transition, same.transition)
    assert not np.array_equal(one.transition, other.transition)


def test_a_long_recording_is_understood_from_pieces():
    rng = np.random.default_rng(2)
    y = np.full((3, 9000), np.nan)
    y[:2] = rng.poisson(1.0, (2, 9000))
    y[2, 8990:] = 1.0  # seen in one piece alone
    data = Data(y, np.array([0, 1700, 1750, 9000]), "poisson")
    few = thinned(data, rng)
    assert 3000 <= few.y.shape[1] <= 4000
    assert few.starts[-1] == few.y.shape[1]
    assert np.diff(few.starts).max() <= 500
    assert (~np.isnan(few.y)).any(axis=1).all()
    assert thinned(few, rng) is few


def test_all_bins_of_a_long_recording_get_states_and_latents(monkeypatch):
    monkeypatch.setattr("dynome.inference.biclustering.thinning._BINS", 400)
    monkeypatch.setattr("dynome.inference.biclustering.thinning._PIECE", 200)
    simulated = make_biclusters(2, 5, 2, 900, n_factors=1, bias=1.0, random_state=4)
    data, hyper = observed(simulated), Hyper(n_factors=1, n_states=3, coupled=False)
    start = started(data, hyper, np.random.default_rng(0), n_clusters=4, n_states=[2])
    assert same_partition(simulated.true_cluster.to_numpy(), start.cluster)
    assert agreement(simulated.true_state.to_numpy(), start.state) > 0.8
    is_sound(start, data, hyper)


def test_the_score_of_a_cluster_prefers_nodes_that_belong_together():
    simulated = make_biclusters(2, 6, 2, 300, n_factors=1, random_state=5)
    data, hyper, rng = observed(simulated), Hyper(n_factors=1, coupled=False), np.random.default_rng(0)
    seen, spread, state = signals(data, 9), np.full(12, 10.0), np.zeros(300, int)

    def score(*groups):
        total = 0.0
        for nodes in map(np.array, groups):
            psi = seen.bias[nodes, None] + seen.deviation[nodes]
            first = guess(nodes, seen.deviation, seen.bias, hyper, rng)
            total += fitted(nodes, first, psi, no_statistics(1, 2), data, spread, state, hyper, rounds=10).score
        return total

    right, wrong = score(range(6), range(6, 12)), score(range(3, 9), [0, 1, 2, 9, 10, 11])
    parts = score(range(3), range(3, 6), range(6, 12))
    assert right > wrong + 20
    assert right > parts + 10


def test_a_fit_improves_with_rounds_and_with_the_true_states():
    simulated = make_biclusters(1, 10, 2, 400, bias=1.5, random_state=6)
    data, hyper = observed(simulated), Hyper(coupled=False)
    nodes, spread, rng = np.arange(10), np.full(10, 10.0), np.random.default_rng(0)
    seen, state = signals(data, 9), np.zeros(400, int)
    psi = seen.bias[:, None] + seen.deviation
    first = guess(nodes, seen.deviation, seen.bias, hyper, rng)
    few = fitted(nodes, first, psi, no_statistics(1, 3), data, spread, state, hyper, rounds=2)
    more = refitted(few, data, spread, state, hyper, n_states=1, rounds=20)
    assert more.score > few.score
    with_states = refitted(more, data, spread, simulated.true_state.to_numpy(), hyper, n_states=2, rounds=20)
    assert with_states.score > more.score
    joined = joined_states([with_states], simulated.true_state.to_numpy(), data.starts, hyper)
    assert (joined == 0).all()  # of two states, one is left
    assert refit([with_states], joined, data, spread, hyper).score < with_states.score
    assert (divergence(with_states.coefficients, hyper) > 0).all()
    assert partition_of([with_states], 10).tolist() == [0] * 10


def test_nodes_with_the_same_signal_are_linked_first():
    rng = np.random.default_rng(7)
    one, other = np.cumsum(rng.standard_normal((2, 200)), axis=1)
    deviation = np.stack([one, other, 2 * one, 3 * other]) + 0.1 * rng.standard_normal((4, 200))
    label = similar_nodes(deviation, 2)
    assert label[0] == label[2] != label[1] == label[3]
    assert np.unique(similar_nodes(np.vstack([deviation, np.zeros(200)]), 3)).size == 3
