"""Evidence for generation/log_correlation.py: a closed form, round trips, invariance, the errors."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from dynome.errors import InputError
from dynome.inference.generation.log_correlation import correlations_of, log_vectors, matrices_of


def correlations(seed, n=3, n_node=5):
    x = np.random.default_rng(seed).standard_normal((n, 12, n_node))
    return np.stack([np.corrcoef(v.T) for v in x])


@given(r=st.floats(-0.99, 0.99))
@settings(max_examples=25, deadline=None)
def test_two_nodes_have_fishers_z(r):
    matrix = np.array([[[1.0, r], [r, 1.0]]])
    np.testing.assert_allclose(log_vectors(matrix), np.arctanh(r), atol=1e-9)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_matrices_come_back_from_their_vectors(seed):
    matrices = correlations(seed)
    np.testing.assert_allclose(correlations_of(log_vectors(matrices), 5), matrices, atol=1e-7)


@given(seed=st.integers(0, 2**32 - 1), size=st.floats(0.01, 2.0))
@settings(max_examples=25, deadline=None)
def test_any_numbers_are_a_positive_definite_correlation_matrix(seed, size):
    vectors = size * np.random.default_rng(seed).standard_normal((4, 15))
    matrices = correlations_of(vectors, 6)
    assert np.linalg.eigvalsh(matrices).min() > 0
    np.testing.assert_array_equal(np.diagonal(matrices, axis1=1, axis2=2), 1.0)
    np.testing.assert_array_equal(matrices, matrices.swapaxes(1, 2))
    np.testing.assert_allclose(log_vectors(matrices), vectors, atol=1e-6)


@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(5)))
@settings(max_examples=15, deadline=None)
def test_the_order_of_nodes_does_not_matter(seed, order):
    matrices = correlations(seed)
    logs = matrices_of(log_vectors(matrices), 5)
    turned = matrices_of(log_vectors(matrices[:, order][:, :, order]), 5)
    np.testing.assert_allclose(turned, logs[:, order][:, :, order], atol=1e-8)


def test_a_singular_matrix_is_refused():
    with pytest.raises(InputError, match=r"1 matrices are not positive definite \(positions \[1\]"):
        log_vectors(np.stack([np.eye(3), np.ones((3, 3))]))
