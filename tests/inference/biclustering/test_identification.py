"""Evidence for biclustering/identification.py: what data can tell stays, what they cannot tell is fixed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from dynome.inference.biclustering.identification import centred, cluster_order, identified, reordered, rotated
from dynome.inference.biclustering.model import Concentrations, Dynamics, State


def point(seed: int, *, coupled: bool = True, n_clusters: int = 3, n_factors: int = 2, n_states: int = 2) -> State:
    rng = np.random.default_rng(seed)
    n_node, n_bin, q = 9, 40, 1 + n_factors
    groups, width = (1, n_clusters * q) if coupled else (n_clusters, q)
    root = rng.standard_normal((n_states, groups, width, 2 * width))
    return State(
        cluster=rng.permutation(np.r_[np.arange(n_clusters), rng.integers(0, n_clusters, n_node - n_clusters)]),
        coefficient=rng.standard_normal((n_node, q)),
        latent=rng.standard_normal((n_bin, n_clusters, q)).cumsum(axis=0) * 0.2 + rng.standard_normal((n_clusters, q)),
        dispersion=np.ones(n_node),
        state=rng.integers(0, n_states, n_bin),
        dynamics=Dynamics(
            rng.standard_normal((n_states, groups, width, width)) / width,
            rng.standard_normal((n_states, groups, width)),
            root @ root.swapaxes(-1, -2) / width,
        ),
        weight=np.full(n_states, 1 / n_states),
        transition=np.full((n_states, n_states), 1 / n_states),
        concentrations=Concentrations(),
        active=np.ones((n_clusters, n_factors), dtype=bool),
    )  # fmt: skip


def predictor(s: State) -> np.ndarray:
    path = s.latent[:, s.cluster]
    return s.coefficient[:, :1].T + path[..., 0] + np.einsum("tif,if->ti", path[..., 1:], s.coefficient[:, 1:])


def path_density(s: State) -> float:
    """Of the transitions of all bins but the first."""
    groups, width = s.dynamics.offset.shape[1:]
    x = s.latent.reshape(len(s.latent), groups, width)
    total = 0.0
    for t in range(1, len(x)):
        for g in range(groups):
            matrix, offset, noise = (part[s.state[t], g] for part in s.dynamics)
            total += multivariate_normal(matrix @ x[t - 1, g] + offset, noise).logpdf(x[t, g])
    return total


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_neither_the_likelihood_nor_the_density_of_the_paths_changes(seed, coupled):
    before = point(seed, coupled=coupled)
    after = identified(before, identified(point(seed + 10, coupled=coupled, n_clusters=2)))
    np.testing.assert_allclose(predictor(after), predictor(before), atol=1e-11)
    assert path_density(after) == pytest.approx(path_density(before), abs=1e-8)


def test_levels_are_zero_and_factors_orthogonal_with_the_largest_first():
    after = identified(point(0))
    np.testing.assert_allclose(after.latent.mean(axis=0), 0, atol=1e-13)
    for j in range(3):
        gram = after.latent[:, j, 1:].T @ after.latent[:, j, 1:]
        np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-10)
        assert (np.diff(np.diag(gram)) < 0).all()
    assert (np.diff(np.bincount(after.cluster)) <= 0).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), coupled=st.booleans(), order=st.permutations(range(3)), data=st.data())
def test_all_ways_to_write_a_point_become_one(seed, coupled, order, data):
    reference = identified(point(seed, coupled=coupled))
    other = reordered(reference, np.array(order))
    angle, level = data.draw(st.floats(-3, 3)), data.draw(st.floats(-2, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    latent = other.latent.copy()
    latent[..., 1:] = latent[..., 1:] @ turn + level
    loading = other.coefficient[:, 1:] @ turn
    bias = other.coefficient[:, 0] - loading.sum(axis=1) * level
    other = other._replace(latent=latent, coefficient=np.column_stack([bias, loading]))
    again = identified(other, reference)
    np.testing.assert_array_equal(again.cluster, reference.cluster)
    np.testing.assert_allclose(again.latent, reference.latent, atol=1e-8)
    np.testing.assert_allclose(again.coefficient, reference.coefficient, atol=1e-8)


@pytest.mark.parametrize("coupled", [True, False])
def test_it_is_its_own_reference(coupled):
    once = identified(point(4, coupled=coupled))
    for twice in (identified(once), identified(once, once)):
        for a, b in zip((*once[:4], *once.dynamics), (*twice[:4], *twice.dynamics), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-10)


def test_the_input_is_not_written_to():
    before, kept = point(5), point(5)
    identified(before)
    for a, b in zip((*before[:5], *before.dynamics), (*kept[:5], *kept.dynamics), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_factor_that_nobody_reads_is_not_mixed_with_the_others():
    before = point(6)
    active = before.active.copy()
    active[1, 0] = False
    coefficient = before.coefficient.copy()
    coefficient[before.cluster == 1, 1] = 0
    before = before._replace(active=active, coefficient=coefficient)
    after = rotated(centred(before))
    np.testing.assert_allclose(predictor(after), predictor(before), atol=1e-11)
    np.testing.assert_array_equal(after.coefficient[before.cluster == 1, 1], 0)
    np.testing.assert_allclose(after.latent[:, 1, 1], centred(before).latent[:, 1, 1])


def test_clusters_without_a_partner_come_last_by_size():
    cluster = np.array([0, 0, 1, 2, 2, 2, 3, 3])
    reference = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    order, partner = cluster_order(cluster, reference)
    assert order.tolist() == [2, 0, 3, 1]
    assert partner.tolist() == [0, 1, -1, -1]
    assert cluster_order(cluster)[0].tolist() == [2, 0, 3, 1]


def test_a_reference_may_have_more_clusters():
    order, partner = cluster_order(np.array([0, 0, 1, 1]), np.array([2, 2, 0, 0]))
    assert order.tolist() == [1, 0]
    assert partner.tolist() == [0, 2]
    reference = identified(point(7))
    fewer = reference._replace(
        cluster=np.where(reference.cluster == 2, 1, 0),
        latent=reference.latent[:, [0, 2]] * [1, -1, -1],
        active=reference.active[:2],
        dynamics=point(7, n_clusters=2).dynamics,
    )
    again = identified(fewer, reference)
    np.testing.assert_allclose(np.abs(again.latent[..., 1:]), np.abs(reference.latent[:, [0, 2], 1:]), atol=1e-10)
    assert ((again.latent[..., 1:] * reference.latent[:, [0, 2], 1:]).sum(axis=0) > 0).all()
