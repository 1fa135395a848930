"""Evidence for align.py: the best assignment by exhaustion, permutations undone, similarities in closed form."""

from itertools import permutations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.align import aligned, cosine, cp_similarity, match
from dynome.errors import InputError

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, n=st.integers(1, 5))
def test_the_match_is_the_best_of_all_permutations(seed, n):
    similarity = np.random.default_rng(seed).random((n, n))
    best = max(sum(similarity[k, p[k]] for k in range(n)) for p in permutations(range(n)))
    found = match(similarity)
    assert sorted(found.order) == list(range(n))
    assert found.similarity.sum() == pytest.approx(best)
    np.testing.assert_array_equal(found.similarity, similarity[np.arange(n), found.order])


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_a_permutation_of_components_is_undone(seed):
    rng = np.random.default_rng(seed)
    factors = [rng.random((n, 4)) for n in (9, 5, 7)]
    order = rng.permutation(4)
    found = match(cp_similarity(factors, [f[:, order] * rng.random(4) for f in factors]))
    np.testing.assert_array_equal(order[found.order], np.arange(4))
    np.testing.assert_allclose(found.similarity, 1)


@pytest.mark.parametrize(("shape", "order"), [((2, 3), [2, 0]), ((3, 2), [1, -1, 0])])
def test_fits_of_different_rank_are_matched_as_far_as_they_go(shape, order):
    similarity = np.zeros(shape)
    for k, j in enumerate(order):
        if j >= 0:
            similarity[k, j] = 0.9
    found = match(similarity)
    assert found.order.tolist() == order
    assert found.similarity.tolist() == [0.9 if j >= 0 else 0.0 for j in order]


@pytest.mark.parametrize(
    "similarity", [np.ones(3), np.ones((2, 2, 2)), np.array([[1.0, np.nan]]), np.array([[np.inf]])]
)
def test_what_is_no_finite_matrix_is_refused(similarity):
    with pytest.raises(InputError, match=r"similarity must be a finite matrix, found shape .*, \d values NaN"):
        match(similarity)


def test_cosines_are_those_of_the_plane():
    a = np.array([[1.0, 0.0], [0.0, 2.0]])
    b = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, -5.0]])
    np.testing.assert_allclose(cosine(a, b), [[np.sqrt(0.5), 0, 0], [np.sqrt(0.5), 0, -1]])


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, scale=st.floats(1e-6, 1e6))
def test_the_length_of_a_factor_does_not_matter(seed, scale):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    np.testing.assert_allclose(cosine(a, b * scale), cosine(a, b), atol=1e-12)
    np.testing.assert_allclose(cosine(a, b), cosine(b, a).T, atol=1e-12)


def test_similarity_of_components_is_the_product_over_modes():
    a = [np.array([[1.0], [0.0]]), np.array([[1.0], [1.0]])]
    b = [np.array([[1.0], [1.0]]), np.array([[1.0], [0.0]])]
    np.testing.assert_allclose(cp_similarity(a, b), [[0.5]])


@pytest.mark.parametrize("other", [[np.ones((3, 2))], [np.ones((3, 2)), np.ones((5, 2))]])
def test_models_of_other_modes_or_sizes_cannot_be_compared(other):
    with pytest.raises(InputError, match="only if they have the same modes and sizes"):
        cp_similarity([np.ones((3, 2)), np.ones((4, 2))], other)


def test_aligned_results_are_numbered_anew_and_their_coordinates_travel():
    results = xr.Dataset(
        {"weight": ("component", [3.0, 2.0, 1.0], {"units": "1"})},
        coords={"component": [0, 1, 2], "colour": ("component", ["r", "g", "b"]), "time": [0.0]},
        attrs={"rank": 3},
    )
    found = aligned(results, np.array([2, 0, 1]))
    assert found.weight.values.tolist() == [1, 3, 2]
    assert found.component.values.tolist() == [0, 1, 2]
    assert found.colour.values.tolist() == ["b", "r", "g"]
    assert found.attrs == results.attrs
    assert found.weight.attrs == {"units": "1"}
    assert results.component.values.tolist() == [0, 1, 2]


def test_a_component_without_partner_is_told():
    with pytest.raises(InputError, match="1 of the reference's states have no partner; compare equal numbers"):
        aligned(xr.DataArray([1, 2], dims="state"), np.array([1, -1]), dim="state")
