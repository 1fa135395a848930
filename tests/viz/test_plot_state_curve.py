"""Evidence for viz/state_curve.py."""

import numpy as np
import pytest

import dynome as dy
from dynome.errors import InputError


def bars(panel) -> np.ndarray:
    """(n_states, 2): lower and upper end of the error bars."""
    segments = next(c for c in panel.collections if hasattr(c, "get_segments")).get_segments()
    return np.array([s[:, 1] for s in segments])


def test_every_fold_and_their_mean_with_its_error(state_curve, ax):
    upper = dy.viz.plot_state_curve(state_curve, ax=ax).child_axes[0]
    folds, mean = upper.lines[:5], upper.lines[5]
    np.testing.assert_allclose([line.get_ydata() for line in folds], state_curve.score.T)
    np.testing.assert_allclose(mean.get_ydata(), state_curve.score.mean("fold"))
    error = state_curve.score.std("fold", ddof=1) / np.sqrt(5)
    np.testing.assert_allclose(np.ptp(bars(upper), axis=1) / 2, error)
    assert upper.get_ylabel() == "held-out log likelihood\n(nats per bin and node)"


def test_the_difference_to_the_best_is_taken_within_folds(state_curve, ax):
    lower = dy.viz.plot_state_curve(state_curve, ax=ax).child_axes[1]
    below = state_curve.score - state_curve.score.sel(n_states=3)
    np.testing.assert_allclose(lower.lines[5].get_ydata(), below.mean("fold"))
    error = below.std("fold", ddof=1) / np.sqrt(5)
    np.testing.assert_allclose(np.ptp(bars(lower), axis=1) / 2, error, atol=1e-12)
    assert float(error.max()) < float(state_curve.score.std("fold").min()) / 3


def test_one_state_is_the_line_to_compare_with(state_curve, ax):
    upper, lower = dy.viz.plot_state_curve(state_curve, ax=ax).child_axes
    mean = state_curve.score.mean("fold")
    level = [line.get_ydata()[0] for line in upper.lines if list(line.get_xdata()) == [0, 1]]
    assert level == pytest.approx([float(mean[0])])
    assert [t.get_text() for t in (*upper.texts, *lower.texts)] == ["one state", "one state"]
    without = dy.viz.plot_state_curve(state_curve.isel(n_states=slice(1, None)))
    assert not without.child_axes[0].texts


def test_the_choice_and_the_best_are_marked(state_curve, ax):
    upper, lower = dy.viz.plot_state_curve(state_curve, ax=ax).child_axes
    for panel in (upper, lower):
        assert any(np.isclose(p.get_x(), 1.65) for p in panel.patches)
        assert any(list(line.get_xdata()) == [3, 3] for line in panel.lines)
    assert lower.get_xlabel() == "number of states (chosen: 2, best: 3)"


def test_a_fit_that_failed_is_left_out(state_curve, ax):
    state_curve.score[3, :] = np.nan
    state_curve.score[1, 0] = np.nan
    upper = dy.viz.plot_state_curve(state_curve, ax=ax).child_axes[0]
    drawn = upper.lines[5].get_ydata()
    assert drawn[1] == pytest.approx(float(state_curve.score[1, 1:].mean()))
    assert np.isnan(drawn[3])


def test_a_curve_without_folds_is_refused(state_curve, ax):
    with pytest.raises(InputError, match="missing 'score'"):
        dy.viz.plot_state_curve(state_curve.rename(score="error"), ax=ax)
    with pytest.raises(InputError, match=r"expected dims \('n_states', 'fold'\)"):
        dy.viz.plot_state_curve(state_curve.mean("fold", keep_attrs=True), ax=ax)
