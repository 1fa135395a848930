"""Evidence for factor_measures.py: closed forms, the Kronecker formula, invariances."""

import numpy as np
import pytest

from dynome.dynamics.tensor.factor_measures import core_consistency, effective_dimension


def factors(rank, shape=(7, 5, 6), seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random((n, rank)) for n in shape]


def tensor(parts):
    return np.einsum("ir,jr,kr->ijk", *parts)


def whole(x):
    return [(slice(None), x)]


def by_kronecker(x, parts):
    rank = parts[0].shape[1]
    core = np.linalg.pinv(np.kron(np.kron(*parts[:2]), parts[2])) @ x.ravel()
    ideal = np.zeros((rank,) * 3)
    ideal[(np.arange(rank),) * 3] = 1
    return 100 * (1 - ((core - ideal.ravel()) ** 2).sum() / rank)


def test_orthogonal_columns_span_one_direction_less_than_they_are():
    assert effective_dimension(np.eye(9)[:, :5]) == pytest.approx(4)


def test_repeated_columns_add_nothing_but_their_weight():
    one = np.eye(9)[:, :3]
    assert effective_dimension(np.hstack([one, one])) == pytest.approx(effective_dimension(one))


def test_effective_dimension_does_not_see_the_scale_of_components():
    f = factors(4)[0]
    assert effective_dimension(f * [1, 10, 100, 0.1]) == pytest.approx(effective_dimension(f))
    assert effective_dimension(f[:, :1]) == 1


def test_core_consistency_is_the_kronecker_formula():
    x = np.random.default_rng(1).random((7, 5, 6))
    parts = factors(2)
    assert core_consistency(whole(x), parts) == pytest.approx(by_kronecker(x, parts))


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_core_consistency_in_pieces_is_that_of_the_whole(mode):
    x, parts = np.random.default_rng(1).random((7, 5, 6)), factors(3)
    pieces = [(slice(k, k + 2), x[(slice(None),) * mode + (slice(k, k + 2),)]) for k in range(0, x.shape[mode], 2)]
    assert core_consistency(pieces, parts, mode=mode) == pytest.approx(core_consistency(whole(x), parts))


def test_a_perfect_model_is_perfectly_consistent_however_much_is_missing():
    parts = factors(3)
    x = tensor(parts)
    x[np.random.default_rng(0).random(x.shape) < 0.4] = np.nan
    assert core_consistency(whole(x), parts) == pytest.approx(100)


def test_core_consistency_works_for_four_modes():
    rng = np.random.default_rng(0)
    parts = [rng.random((n, 2)) for n in (4, 3, 5, 6)]
    assert core_consistency(whole(np.einsum("ir,jr,kr,lr->ijkl", *parts)), parts) == pytest.approx(100)


def test_dependent_components_have_no_core_consistency():
    parts = factors(2)
    parts[1][:, 1] = parts[1][:, 0]
    assert np.isnan(core_consistency(whole(tensor(parts)), parts))
