"""Evidence for partitions of draws: brute force over all partitions, references, invariances, the errors."""

from functools import cache

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from sklearn.metrics import adjusted_rand_score

import dynome as dy
from dynome.errors import InputError
from dynome.inference.biclustering.clustering import consensus
from dynome.inference.biclustering.partitions import (
    agreement,
    extended,
    least_variation,
    maxpear,
    similarity,
    uncertainty,
)
from dynome.inference.biclustering.relabelling import canonical, matched_labels

QUICK = settings(max_examples=25, deadline=None)


@cache
def all_partitions(n):
    """Every partition of n items, as restricted growth strings."""

    def grown(prefix, used):
        if len(prefix) == n:
            return [prefix]
        return [full for k in range(used + 1) for full in grown([*prefix, k], max(used, k + 1))]

    return np.array(grown([0], 1))


def expected_rand(draws, partitions):
    """PEAR from its definition, with the similarity counted pair by pair."""
    first, second = np.triu_indices(draws.shape[1], 1)
    pi = (draws[:, first] == draws[:, second]).mean(axis=0)
    joined = (partitions[:, first] == partitions[:, second]).astype(float)
    chance = joined.sum(axis=1) * pi.sum() / pi.size
    scale = 0.5 * (joined.sum(axis=1) + pi.sum()) - chance
    flat = scale < 1e-12 * pi.size
    return np.where(flat, 1.0, (joined @ pi - chance) / np.where(flat, 1.0, scale))


def entropy(labels):
    share = np.unique(labels, return_counts=True)[1] / labels.size
    return -(share * np.log2(share)).sum()


def variation(a, b):
    return 2 * entropy(a * 100 + b) - entropy(a) - entropy(b)


@st.composite
def few_draws(draw, largest):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, largest))
    return rng.integers(0, draw(st.integers(1, n)), (draw(st.integers(1, 6)), n))


def noisy(rng, n_cluster, size, n_draw, share):
    truth = np.repeat(np.arange(n_cluster), size)
    wrong = rng.random((n_draw, truth.size)) < share
    return truth, np.where(wrong, rng.integers(0, n_cluster, wrong.shape), truth)


@QUICK
@given(draws=few_draws(7))
def test_maxpear_is_the_best_of_all_partitions(draws):
    found = maxpear(draws)
    assert found.value == pytest.approx(expected_rand(draws, all_partitions(draws.shape[1])).max(), abs=1e-5)
    assert found.value == pytest.approx(expected_rand(draws, found.labels[None])[0], abs=1e-5)


@QUICK
@given(draws=few_draws(6))
def test_the_least_variation_is_the_least_of_all_partitions(draws):
    costs = [np.mean([variation(p, row) for row in draws]) for p in all_partitions(draws.shape[1])]
    assert least_variation(draws).value == pytest.approx(min(costs), abs=1e-9)


def test_maxpear_of_a_stored_similarity_is_that_of_its_draws():
    draws = np.array([[0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 2], [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 2]])
    stored = np.array(
        [
            [1.00, 1.00, 0.75, 0.00, 0.00, 0.00],
            [1.00, 1.00, 0.75, 0.00, 0.00, 0.00],
            [0.75, 0.75, 1.00, 0.25, 0.25, 0.00],
            [0.00, 0.00, 0.25, 1.00, 1.00, 0.25],
            [0.00, 0.00, 0.25, 1.00, 1.00, 0.25],
            [0.00, 0.00, 0.00, 0.25, 0.25, 1.00],
        ]
    )
    np.testing.assert_allclose(similarity(draws), stored)
    assert maxpear(draws, stored.astype(np.float32)).labels.tolist() == [0, 0, 0, 1, 1, 2]
    # By hand: sums over pairs are I pi = 3.5, I = 4, pi = 4.5; of 15 pairs.
    assert maxpear(draws).value == pytest.approx((3.5 - 4 * 4.5 / 15) / (0.5 * 8.5 - 4 * 4.5 / 15))


@QUICK
@given(draws=few_draws(40))
def test_similarity_is_the_share_of_draws_that_join_two_items(draws):
    np.testing.assert_allclose(similarity(draws), (draws[:, :, None] == draws[:, None]).mean(axis=0), rtol=1e-6)


def test_similarity_of_many_items_in_tiles_and_of_many_draws():
    rng = np.random.default_rng(0)
    draws = rng.integers(0, 5, (3, 2100))
    np.testing.assert_allclose(similarity(draws), (draws[:, :, None] == draws[:, None]).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(similarity(np.zeros((70_000, 3), dtype=np.int16)), 1.0)


def test_more_clusters_than_an_eighth_of_the_items_are_found():
    truth, draws = noisy(np.random.default_rng(0), 30, 4, 300, 0.1)  # 30 of 120; mcclust would stop at 15
    for found in (maxpear(draws), least_variation(draws)):
        assert adjusted_rand_score(truth, found.labels) == 1
        assert found.labels.max() == 29


def test_a_partition_that_all_draws_share_is_certain():
    draws = np.tile([0, 0, 1, 2, 2], (10, 1))
    assert maxpear(draws).value == 1
    assert least_variation(draws).value == pytest.approx(0, abs=1e-12)
    assert uncertainty(draws, maxpear(draws).labels).tolist() == [0] * 5


def test_trivial_draws_have_trivial_partitions():
    assert maxpear(np.zeros((4, 6), dtype=int)).labels.tolist() == [0] * 6
    assert maxpear(np.tile(np.arange(6), (4, 1))).labels.tolist() == list(range(6))
    assert maxpear(np.zeros((3, 1), dtype=int)).labels.tolist() == [0]


def test_an_item_that_moves_is_uncertain_and_its_companions_less_so():
    draws = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]])
    doubt = uncertainty(draws, np.array([0, 0, 0, 1, 1, 1]))
    # Companions lose one of three or gain one to three; the one that moves shares 1 of 6 then.
    np.testing.assert_allclose(doubt, [1 / 6, 1 / 6, 5 / 12, 1 / 8, 1 / 8, 1 / 8])


@QUICK
@given(seed=st.integers(0, 2**32 - 1))
def test_names_of_labels_and_order_of_items_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    _, draws = noisy(rng, 3, 4, 20, 0.2)
    order = rng.permutation(12)
    renamed = np.stack([rng.permutation(3)[row] for row in draws])
    for point in (maxpear, least_variation):
        a, b = point(draws), point(renamed[:, order])
        assert b.value == pytest.approx(a.value, abs=1e-6)
    np.testing.assert_allclose(similarity(renamed)[np.ix_(order, order)], similarity(draws[:, order]), rtol=1e-6)


def test_agreement_is_the_adjusted_rand_index_of_pairs_of_draws():
    draws = np.random.default_rng(0).integers(0, 3, (2, 4, 30))
    found = agreement(draws)
    between = [adjusted_rand_score(a, b) for a in draws[0] for b in draws[1]]
    within = [adjusted_rand_score(draws[0, j], draws[0, k]) for j in range(4) for k in range(4) if j != k]
    assert found[0, 1] == found[1, 0] == pytest.approx(np.mean(between))
    assert found[0, 0] == pytest.approx(np.mean(within))


def test_items_beyond_the_budget_join_the_clusters_where_they_belong(monkeypatch):
    monkeypatch.setattr("dynome.inference.biclustering.clustering._MAX_ITEMS", 30)
    truth, draws = noisy(np.random.default_rng(1), 3, 40, 50, 0.2)
    found = consensus(draws[None])
    assert found.matrix is None
    assert adjusted_rand_score(truth, found.pear.labels) == 1
    assert extended(draws, np.where(np.arange(120) % 40, -1, truth)).tolist() == truth.tolist()


@QUICK
@given(seed=st.integers(0, 2**32 - 1))
def test_relabelled_draws_are_the_same_partitions_closest_to_the_reference(seed):
    rng = np.random.default_rng(seed)
    draws, reference = rng.integers(0, 4, (5, 20)), canonical(rng.integers(0, 3, 20))
    maps = matched_labels(draws, reference, 5)
    assert (np.sort(maps, axis=1) == np.arange(5)).all()
    renamed = np.take_along_axis(maps, draws, 1)
    for before, after in zip(draws, renamed, strict=True):
        assert adjusted_rand_score(before, after) == 1
        assert (after == reference).sum() >= (before == reference).sum()


def labelled(seed=0):
    _, values = noisy(np.random.default_rng(seed), 3, 4, 60, 0.1)
    coords = {"node": list("abcdefghijkl"), "region": ("node", list("xxxxyyyyzzzz"))}
    return xr.DataArray(values.reshape(2, 30, 12), dims=("chain", "draw", "node"), coords=coords)


def test_labels_of_items_travel():
    draws = labelled()
    matrix = dy.inference.similarity_matrix(draws.transpose("node", "draw", "chain"))
    assert matrix.dims == ("node", "other_node")
    np.testing.assert_allclose(matrix, matrix.to_numpy().T)
    assert float(matrix.sel(node="a", other_node="b")) == pytest.approx(
        float((draws.sel(node="a") == draws.sel(node="b")).mean())
    )
    for loss, told in (("pear", "expected_adjusted_rand"), ("vi", "expected_variation_bits")):
        found = dy.inference.point_partition(draws, loss)
        assert found.label.groupby("region").std().max() == 0
        assert found.attrs[told] > 0
        assert found.attrs["n_draws"] == 60


def test_what_is_no_draws_of_a_partition_is_told():
    draws = labelled()
    with pytest.raises(InputError, match="expected the dims chain, draw and one of items, found draw, node"):
        dy.inference.similarity_matrix(draws.isel(chain=0))
    with pytest.raises(InputError, match=r"labels must be integers, found NaN"):
        dy.inference.point_partition(draws.where(draws > 0))
    with pytest.raises(InputError, match=r"labels are negative \(-1 is padding\)"):
        dy.inference.point_partition(draws - 1)
    with pytest.raises(InputError, match='loss must be "pear" or "vi"'):
        dy.inference.point_partition(draws, "binder")
    with pytest.raises(InputError, match="at least one draw"):
        dy.inference.point_partition(draws.isel(draw=slice(0)))
