"""Evidence for seeds.py: streams depend on the seed and on names, on nothing else."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from dynome import seeds
from dynome.errors import InputError

KEYS = st.lists(st.text(max_size=6) | st.integers(-(2**60), 2**60), max_size=3)


def numbers(seed, *keys, n=4):
    return seeds.generator(seed, *keys).integers(0, 2**63, n).tolist()


@given(seed=st.integers(0, 2**70), keys=KEYS)
def test_one_seed_and_one_name_give_one_stream(seed, keys):
    assert numbers(seed, *keys) == numbers(seed, *keys)


@given(seed=st.integers(0, 2**32), a=KEYS, b=KEYS)
def test_other_names_give_other_streams(seed, a, b):
    if a != b:
        assert numbers(seed, *a) != numbers(seed, *b)


@given(st.integers(0, 2**62))
def test_other_seeds_give_other_streams(seed):
    assert numbers(seed, "worm1") != numbers(seed + 1, "worm1")


def test_a_label_of_numpy_names_the_stream_that_its_text_names():
    session, fold = np.array(["worm1"])[0], np.arange(3)[2]
    assert numbers(0, session, fold) == numbers(0, "worm1", 2)
    assert numbers(np.int64(0), "worm1") == numbers(0, "worm1")


def test_digits_and_numbers_are_different_names():
    assert numbers(0, "1") != numbers(0, 1)


def test_streams_stay_the_same_from_version_to_version():
    assert numbers(0, "worm1", 3, n=2) == [4041879073818394272, 5039916792864613373]


@settings(deadline=None)
@given(st.permutations(["a", "b", "c"]))
def test_a_session_has_its_numbers_in_any_order_and_in_any_subset(order):
    every = {name: numbers(7, name) for name in "abc"}
    assert {name: numbers(7, name) for name in order[:2]} == {name: every[name] for name in order[:2]}


def test_streams_of_neighbouring_names_are_not_correlated():
    x = np.stack([seeds.generator(0, "restart", k).standard_normal(4000) for k in range(8)])
    assert np.abs(np.corrcoef(x) - np.eye(8)).max() < 0.07  # about four standard errors


def test_the_global_state_is_left_alone():
    before = repr(np.random.get_state())  # noqa: NPY002
    seeds.generator(None, "worm1").normal(size=10)
    seeds.resolve(None)
    assert repr(np.random.get_state()) == before  # noqa: NPY002


def test_no_seed_draws_a_fresh_one_that_can_be_recorded():
    drawn = {seeds.resolve(None) for _ in range(20)}
    assert len(drawn) == 20
    assert all(0 <= seed < 2**63 for seed in drawn)


@pytest.mark.parametrize("seed", [-1, 1.0, "0", True, np.nan, np.random.default_rng(0)])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(InputError, match="random_state must be None or an integer >= 0"):
        seeds.generator(seed)


@pytest.mark.parametrize("key", [1.5, None, True, ("a",), b"a"])
def test_what_is_no_name_is_refused(key):
    with pytest.raises(InputError, match="keys of a random stream must be str or int"):
        seeds.generator(0, key)
