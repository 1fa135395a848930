"""Evidence for dynamics/glm/histories.py: closed forms, numpy's convolution, invariances, what is refused."""

from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.base import clone

from dynome import dynamics as dyn
from dynome.dynamics.glm.histories import filtered
from dynome.errors import InputError

HISTORIES = [
    dyn.ExponentialHistory(5),
    dyn.ExponentialHistory(n_lags=8, decay=0.2),
    dyn.RaisedCosineHistory(20, 5),
    dyn.BSplineHistory(20, 5),
    dyn.LagHistory(4),
    dyn.LearntHistory(6),
    dyn.NoHistory(),
]
STARTS = np.array([0, 13, 14, 40])


def counts(seed: int, n_node: int = 3, n_bin: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).poisson(0.7, (n_bin, n_node)).astype(float)


def test_exponential_kernels_are_those_of_the_study():
    np.testing.assert_allclose(
        dyn.ExponentialHistory(5).kernels(), [[0.6364, 0.2341, 0.0861, 0.0317, 0.0117]], atol=5e-5
    )
    np.testing.assert_allclose(dyn.ExponentialHistory(4, decay=0).kernels(), np.full((1, 4), 0.25))
    assert dyn.ExponentialHistory(3, decay=5000.0).kernels().tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("history", HISTORIES, ids=repr)
def test_every_kernel_sums_to_one_and_is_not_negative(history):
    kernels = history.kernels()
    assert kernels.dtype == np.float64
    np.testing.assert_allclose(kernels.sum(axis=1), 1)
    assert (kernels >= 0).all()


@pytest.mark.parametrize("kind", [dyn.RaisedCosineHistory, dyn.BSplineHistory])
def test_bases_of_every_size_are_independent(kind):
    for n_lags in range(1, 25):
        for n_basis in range(1, n_lags + 1):
            kernels = kind(n_lags, n_basis).kernels()
            assert kernels.shape == (n_basis, n_lags)
            assert np.linalg.cond(kernels) < 1e3


@pytest.mark.parametrize("kind", [dyn.RaisedCosineHistory, dyn.BSplineHistory])
def test_functions_of_a_basis_follow_one_another(kind):
    kernels = kind(30, 6).kernels()
    centre = kernels @ np.arange(1, 31)
    assert (np.diff(centre) > 0).all()
    assert kernels[0].argmax() == 0
    assert (kernels[:, -1] < kernels.max(axis=1)).all()


def test_raised_cosines_widen_with_the_lag():
    lag = np.arange(1, 61)
    kernels = dyn.RaisedCosineHistory(60, 5).kernels()
    width = np.sqrt(kernels @ lag**2 - (kernels @ lag) ** 2)
    assert (np.diff(width) > 0).all()


@pytest.mark.parametrize("n_basis", [5, 6])
def test_splines_hold_smooth_kernels_that_fade_out(n_basis):
    lag = np.arange(1, 21)
    target = (1 - (lag - 1) / 20) ** 3 - 0.3 * (1 - (lag - 1) / 20)
    basis = dyn.BSplineHistory(20, n_basis).kernels()
    fit = basis.T @ np.linalg.lstsq(basis.T, target, rcond=None)[0]
    np.testing.assert_allclose(fit, target, atol=1e-12)


@pytest.mark.parametrize("history", HISTORIES, ids=repr)
def test_features_are_the_convolution_of_each_sequence(history):
    y, kernels = counts(0), history.kernels()
    got = filtered(y, kernels, STARTS, 0, 40).reshape(40, 3, len(kernels))
    for a, b in pairwise(STARTS):
        for m in range(3):
            for k, kernel in enumerate(kernels):
                expected = np.convolve(np.r_[0, y[a:b, m]], kernel)[: b - a]
                np.testing.assert_allclose(got[a:b, m, k], expected, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(a=st.integers(0, 40), b=st.integers(0, 40), seed=st.integers(0, 99))
def test_a_stretch_of_bins_is_cut_from_the_whole(a, b, seed):
    a, b = min(a, b), max(a, b)
    y, kernels = counts(seed), dyn.RaisedCosineHistory(7, 3).kernels()
    np.testing.assert_array_equal(filtered(y, kernels, STARTS, a, b), filtered(y, kernels, STARTS, 0, 40)[a:b])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), scale=st.floats(-3, 3))
def test_features_add_up(seed, scale):
    x, y, kernels = counts(seed), counts(seed + 1), dyn.BSplineHistory(6, 3).kernels()
    together = filtered(x + scale * y, kernels, STARTS, 0, 40)
    parts = filtered(x, kernels, STARTS, 0, 40) + scale * filtered(y, kernels, STARTS, 0, 40)
    np.testing.assert_allclose(together, parts, atol=1e-12)


@given(shift=st.integers(1, 20))
def test_a_delay_of_the_past_is_a_delay_of_the_features(shift):
    y, kernels = counts(3), dyn.ExponentialHistory(6).kernels()
    late = np.r_[np.zeros((shift, 3)), y]
    got = filtered(late, kernels, np.array([0, 40 + shift]), shift, 40 + shift)
    np.testing.assert_allclose(got, filtered(y, kernels, np.array([0, 40]), 0, 40))


@pytest.mark.parametrize(("history", "reached"), [(dyn.ExponentialHistory(3), 3), (dyn.LagHistory(3), 3)])
def test_a_missing_value_reaches_the_features_that_see_it_and_no_others(history, reached):
    y, kernels = counts(0), history.kernels()
    y[20, 1] = np.nan
    missing = np.isnan(filtered(y, kernels, STARTS, 0, 40))
    assert missing.sum() == reached
    features = missing.reshape(40, 3, len(kernels))
    assert features[21:24, 1].any(axis=1).all()
    assert not features[:, [0, 2]].any()


def test_a_missing_value_never_reaches_the_next_sequence():
    y = counts(0)
    y[39 - 27 : 14] = np.nan  # the end of the first sequence and all of the second
    missing = np.isnan(filtered(y, dyn.ExponentialHistory(5).kernels(), STARTS, 0, 40))
    assert not missing[14:].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_is_that_of_the_observations(dtype):
    y, kernels = counts(0).astype(dtype), dyn.RaisedCosineHistory(7, 3).kernels()
    got = filtered(y, kernels, STARTS, 0, 40)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, filtered(y.astype(float), kernels, STARTS, 0, 40), rtol=1e-5)


def test_features_are_written_where_the_caller_wants_them():
    design = np.full((40, 8), 7.0)
    out = filtered(counts(0), dyn.LagHistory(2).kernels(), STARTS, 0, 40, out=design[:, 1:7])
    assert np.shares_memory(out, design)
    np.testing.assert_array_equal(design[:, 1:7], filtered(counts(0), dyn.LagHistory(2).kernels(), STARTS, 0, 40))
    assert (design[:, [0, 7]] == 7).all()


def test_no_history_has_no_features():
    assert filtered(counts(0), dyn.NoHistory().kernels(), STARTS, 5, 9).shape == (4, 0)


@pytest.mark.parametrize("history", HISTORIES, ids=repr)
def test_a_history_survives_a_clone(history):
    assert repr(clone(history)) == repr(history)
    assert clone(history).get_params() == history.get_params()
    np.testing.assert_array_equal(clone(history).kernels(), history.kernels())


@pytest.mark.parametrize("history", HISTORIES, ids=repr)
def test_a_history_can_be_stored_with_its_model(history):
    from dynome.estimator import _decode, _encode

    again = _decode(_encode(history, "history", {}), None)
    assert type(again) is type(history)
    assert repr(again) == repr(history)


@pytest.mark.parametrize(
    ("history", "what"),
    [
        (dyn.ExponentialHistory(0), r"n_lags must be a whole number of bins >= 1, got 0"),
        (dyn.ExponentialHistory(2.5), r"n_lags must be a whole number of bins >= 1, got 2.5"),
        (dyn.ExponentialHistory(5, decay=np.inf), r"decay must be a finite number >= 0 \(per bin\), got inf"),
        (dyn.ExponentialHistory(5, decay=-1.0), r"decay must be a finite number >= 0"),
        (dyn.ExponentialHistory(5, decay="fast"), r"decay must be a finite number >= 0"),
        (dyn.ExponentialHistory(-1, decay=-1.0), r"n_lags .*\n.*decay"),
        (dyn.RaisedCosineHistory(4, 5), r"n_basis must be at most n_lags \(4\), got 5"),
        (dyn.BSplineHistory(4, 0), r"n_basis must be a whole number >= 1, got 0"),
        (dyn.BSplineHistory(True, 1), r"n_lags must be a whole number"),
        (dyn.LagHistory(0), r"n_lags must be"),
        (dyn.LearntHistory(None), r"n_lags must be"),
    ],
    ids=repr,
)
def test_parameters_that_cannot_be_used_are_told(history, what):
    with pytest.raises(InputError, match=what):
        history.kernels()
