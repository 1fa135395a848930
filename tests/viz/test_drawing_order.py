"""Evidence for viz/order.py: groups come together, whatever the order of the input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynome.errors import InputError
from dynome.viz import order


def two_groups(seed: int, n: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    waves = rng.standard_normal((100, 2))
    return waves[:, np.arange(n) % 2] + 0.3 * rng.standard_normal((100, n))


def test_nodes_of_one_group_stand_together():
    group = order.by_similarity(two_groups(0), [f"{k:02d}" for k in range(12)]) % 2
    assert (np.diff(group) != 0).sum() == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(12)))
def test_the_order_of_the_input_does_not_matter(seed, shuffle):
    x = two_groups(seed)
    names = np.array([f"{k:02d}" for k in range(12)])
    plain = names[order.by_similarity(x, names)]
    shuffled = names[shuffle][order.by_similarity(x[:, shuffle], names[shuffle])]
    np.testing.assert_array_equal(plain, shuffled)


def test_large_populations_are_ordered_by_their_leading_components(monkeypatch):
    monkeypatch.setattr(order, "_max_tree", 10)
    group = order.by_similarity(two_groups(3, 40), [f"{k:02d}" for k in range(40)]) % 2
    assert sorted(order.by_similarity(two_groups(3, 40), [f"{k:02d}" for k in range(40)])) == list(range(40))
    assert (np.diff(group) != 0).sum() <= 2  # a circle cut anywhere


def test_silent_and_missing_nodes_go_last():
    x = two_groups(1)
    x[:, 3], x[:, 5] = 2.0, np.nan
    assert set(order.by_similarity(x, list("abcdefghijkl"))[-2:].tolist()) == {3, 5}


def test_gaps_do_not_disturb_the_order():
    x = two_groups(2)
    x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
    group = order.by_similarity(x, list("abcdefghijkl")) % 2
    assert (np.diff(group) != 0).sum() == 1


def test_communities_come_one_after_another_and_unknown_last():
    found = order.by_community(["b", "", "a", "b", "a"], np.array([1.0, 0, 2, 0, 1]))
    assert found.tolist() == [4, 2, 3, 0, 1]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["a", "x"], "unknown 'x'"),
        (["a", "a"], "repeated 'a'"),
        ("backwards", 'order must be "similarity", a list of labels or None'),
    ],
)
def test_an_impossible_order_is_refused(wanted, message):
    with pytest.raises(InputError, match=message):
        order.resolved(wanted, np.zeros((3, 2)), ["a", "b"])
