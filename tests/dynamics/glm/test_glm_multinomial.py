"""Evidence for dynamics/glm/multinomial.py: scikit-learn, finite differences, recovery, monotony, separation."""

import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from dynome.dynamics.glm import multinomial
from dynome.dynamics.glm.multinomial import fit_multinomial, fit_transitions, transition_probability


def labelled(seed: int, n_row: int = 400, n_feature: int = 3, n_class: int = 3):
    rng = np.random.default_rng(seed)
    design = np.c_[np.ones(n_row), rng.standard_normal((n_row, n_feature))]
    truth = rng.standard_normal((n_feature + 1, n_class))
    probability = scipy.special.softmax(design @ truth, axis=1)
    codes = (probability.cumsum(axis=1) < rng.random((n_row, 1))).sum(axis=1)
    return design, np.eye(n_class)[codes], truth - truth.mean(axis=1, keepdims=True)


def chain(seed: int, n_bin: int = 20_000, n_state: int = 3, n_input: int = 2, per_origin: bool = False):
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((n_state, n_state)) + 2 * np.eye(n_state)
    weight = rng.standard_normal((n_state if per_origin else 1, n_input, n_state))
    inputs = rng.standard_normal((n_bin, n_input))
    cumulative = transition_probability(inputs, base, weight).cumsum(axis=2)
    state = np.zeros(n_bin, int)
    for t, u in enumerate(rng.random(n_bin)):
        state[t] = min((cumulative[t, state[t - 1]] < u).sum(), n_state - 1)
    transitions = np.zeros((n_bin, n_state, n_state))
    transitions[np.arange(1, n_bin), state[:-1], state[1:]] = 1
    return inputs, transitions, base - base.mean(1, keepdims=True), weight - weight.mean(2, keepdims=True)


def objective(coefficient, design, labels, ridge):
    logp = scipy.special.log_softmax(design @ coefficient, axis=1)
    return (labels * logp).sum() - 0.5 * (np.asarray(ridge)[..., None] * coefficient**2).sum()


def test_coefficients_are_those_of_scikit_learn():
    design, labels, _ = labelled(0)
    fit = fit_multinomial(design, labels, ridge=np.r_[0, np.full(3, 0.01)])
    peer = LogisticRegression(C=100, tol=1e-10, max_iter=2000).fit(design[:, 1:], labels.argmax(axis=1))
    np.testing.assert_allclose(fit.coefficient[1:].T, peer.coef_, atol=1e-5)
    np.testing.assert_allclose(fit.coefficient[0], peer.intercept_ - peer.intercept_.mean(), atol=1e-5)
    assert fit.converged


def test_the_gradient_vanishes_at_the_maximum():
    design, labels, _ = labelled(1)
    soft = labels * np.random.default_rng(0).random(labels.shape) + 0.1
    fit = fit_multinomial(design, soft, ridge=0.3)
    for p, k in np.ndindex(fit.coefficient.shape):
        step = np.zeros_like(fit.coefficient)
        step[p, k] = 1e-4
        up, down = (objective(fit.coefficient + s * step, design, soft, np.full(4, 0.3)) for s in (1, -1))
        assert abs(up - down) / 2e-4 < 1e-3
    assert fit.value == pytest.approx(objective(fit.coefficient, design, soft, np.full(4, 0.3)))


def test_the_truth_is_recovered():
    design, labels, truth = labelled(2, n_row=40_000)
    np.testing.assert_allclose(fit_multinomial(design, labels).coefficient, truth, atol=0.06)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), order=st.permutations(range(3)))
def test_renaming_classes_renames_coefficients(seed, order):
    design, labels, _ = labelled(seed)
    fit = fit_multinomial(design, labels, ridge=0.1)
    renamed = fit_multinomial(design, labels[:, order], ridge=0.1)
    np.testing.assert_allclose(renamed.coefficient, fit.coefficient[:, order], atol=1e-6)
    np.testing.assert_allclose(fit.coefficient.sum(axis=1), 0, atol=1e-9)


def test_a_row_that_counts_twice_is_two_rows():
    design, labels, _ = labelled(3)
    twice = np.arange(len(design)) % 3 == 0
    weighted = fit_multinomial(design, labels * (1 + twice)[:, None], ridge=0.1)
    repeated = fit_multinomial(np.r_[design, design[twice]], np.r_[labels, labels[twice]], ridge=0.1)
    np.testing.assert_allclose(weighted.coefficient, repeated.coefficient, atol=1e-6)


def test_rows_without_weight_may_hold_anything():
    design, labels, _ = labelled(4)
    fit = fit_multinomial(design[:300], labels[:300], ridge=0.1)
    design[300:], labels[300:] = np.nan, 0
    np.testing.assert_allclose(fit_multinomial(design, labels, ridge=0.1).coefficient, fit.coefficient, atol=1e-9)


def test_chunks_do_not_matter(monkeypatch):
    design, labels, _ = labelled(5)
    whole = fit_multinomial(design, labels, ridge=0.1)
    monkeypatch.setattr(multinomial, "_ROWS", 37)
    np.testing.assert_allclose(fit_multinomial(design, labels, ridge=0.1).coefficient, whole.coefficient, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_the_objective_never_falls(seed):
    design, labels, _ = labelled(seed, n_row=60)
    fit, values = None, []
    start = 5 * np.random.default_rng(seed).standard_normal((4, 3))
    values.append(objective(start - start.mean(1, keepdims=True), design, labels, np.full(4, 0.1)))
    for _ in range(6):
        fit = fit_multinomial(design, labels, ridge=0.1, start=start if fit is None else fit.coefficient, max_iter=1)
        values.append(fit.value)
    assert (np.diff(values) >= -1e-9).all()


def test_classes_that_are_separated_stay_finite_with_a_prior_and_are_told_without():
    design, labels = np.c_[np.ones(20), np.linspace(-1, 1, 20)], np.eye(2)[np.repeat([0, 1], 10)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.abs(fit_multinomial(design, labels, ridge=0.1).coefficient).max() < 10
    with pytest.warns(ConvergenceWarning, match="give ridge > 0"):
        fit = fit_multinomial(design, labels)
    assert np.isfinite(fit.coefficient).all()


def test_a_class_that_never_occurs_is_told():
    design, labels, _ = labelled(6)
    with pytest.warns(ConvergenceWarning, match="a class never occurs"):
        fit = fit_multinomial(design, np.c_[labels, np.zeros(len(labels))])
    assert np.isfinite(fit.coefficient).all()


def test_features_that_repeat_one_another_share_their_effect():
    design, labels, _ = labelled(7)
    single = fit_multinomial(design, labels)
    double = fit_multinomial(np.c_[design, design[:, 1]], labels)
    assert double.value == pytest.approx(single.value)
    np.testing.assert_allclose(double.coefficient[1] + double.coefficient[4], single.coefficient[1], atol=1e-4)


@pytest.mark.parametrize("per_origin", [False, True])
def test_driven_transitions_are_recovered(per_origin):
    inputs, transitions, base, weight = chain(0, per_origin=per_origin)
    fit = fit_transitions(inputs, transitions, per_origin=per_origin)
    assert fit.converged
    np.testing.assert_allclose(fit.base, base, atol=0.25)
    np.testing.assert_allclose(fit.weight, weight, atol=0.25)


def test_transitions_of_each_origin_are_separate_regressions():
    inputs, transitions, _, _ = chain(1, n_bin=3000)
    fit = fit_transitions(inputs, transitions, ridge=0.5, per_origin=True)
    design = np.c_[np.ones(len(inputs)), inputs]
    for i in range(3):
        alone = fit_multinomial(design, transitions[:, i], ridge=np.array([0, 0.5, 0.5]))
        np.testing.assert_allclose(np.r_[fit.base[i : i + 1], fit.weight[i]], alone.coefficient, atol=1e-5)


def test_shared_inputs_are_one_regression_on_origin_and_inputs():
    inputs, transitions, _, _ = chain(2, n_bin=2000)
    fit = fit_transitions(inputs, transitions, ridge=0.5)
    rows = [np.c_[np.tile(np.eye(3)[i], (2000, 1)), inputs] for i in range(3)]
    joint = fit_multinomial(
        np.concatenate(rows), np.concatenate([transitions[:, i] for i in range(3)]), ridge=np.array([0, 0, 0, 0.5, 0.5])
    )
    np.testing.assert_allclose(np.r_[fit.base, fit.weight[0]], joint.coefficient, atol=1e-5)
    assert fit.value == pytest.approx(joint.value)


def test_without_inputs_transitions_are_their_shares():
    _, transitions, _, _ = chain(3, n_bin=2000)
    pseudo = np.ones((3, 3)) + 4 * np.eye(3)
    fit = fit_transitions(np.zeros((2000, 0)), transitions, pseudo_counts=pseudo)
    shares = transitions.sum(axis=0) + pseudo
    np.testing.assert_allclose(
        transition_probability(np.zeros((1, 0)), fit.base, fit.weight)[0],
        shares / shares.sum(axis=1, keepdims=True),
        atol=1e-6,
    )


def test_a_fit_goes_on_where_another_ended():
    inputs, transitions, _, _ = chain(4, n_bin=2000)
    fit = fit_transitions(inputs, transitions, ridge=0.1)
    again = fit_transitions(inputs, transitions, ridge=0.1, start=fit)
    assert again.n_iter == 0
    np.testing.assert_allclose(again.base, fit.base)


def test_a_state_that_is_never_left_from_keeps_even_odds():
    inputs, transitions, _, _ = chain(5, n_bin=500)
    transitions[:, 2] = 0
    fit = fit_transitions(inputs, transitions, ridge=0.1)
    np.testing.assert_allclose(fit.base[2], 0, atol=1e-9)


def test_inputs_that_separate_the_next_state_are_told():
    inputs = np.linspace(-1, 1, 50)[:, None]
    transitions = np.zeros((50, 2, 2))
    transitions[:, 0, 0], transitions[:, 0, 1] = inputs[:, 0] < 0, inputs[:, 0] >= 0
    with pytest.warns(ConvergenceWarning, match="give ridge > 0"):
        fit_transitions(inputs, transitions)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(fit_transitions(inputs, transitions, ridge=0.1).weight).all()
