"""Evidence for viz/dynamic_graphs/training_curves.py."""

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

import dynome as dy
from dynome.errors import InputError


def curve(panel, label):
    return next(line for line in panel.lines if line.get_label() == label)


def test_losses_terms_and_other_quantities_have_their_panels(training, ax):
    loss, terms, rank = dy.viz.plot_training(training, ax=ax).child_axes
    np.testing.assert_allclose(curve(loss, "training").get_ydata(), training.history)
    np.testing.assert_allclose(curve(loss, "held out").get_ydata(), training.validation)
    np.testing.assert_allclose(curve(loss, "held out").get_xdata(), np.arange(1, 13))
    np.testing.assert_allclose(curve(terms, "spatial_node, held out").get_ydata(), training.validation_spatial_node)
    assert terms.get_ylabel().split() == ["terms", "(held", "out)"]
    assert rank.get_ylabel().split() == ["effective", "rank"]


def test_the_iteration_that_was_kept_is_marked(training, ax):
    host = dy.viz.plot_training(training, ax=ax)
    assert all(8.0 in line.get_xdata() for panel in host.child_axes for line in panel.lines[-1:])
    assert "8, the best, was kept" in host.child_axes[-1].get_xlabel()


def test_only_positive_losses_that_span_much_are_logarithmic(training, ax):
    loss, terms, _ = dy.viz.plot_training(training, ax=ax).child_axes
    assert (loss.get_yscale(), terms.get_yscale()) == ("linear", "log")
    signed = dy.viz.plot_training(training.assign(history=training.history - 1.5)).child_axes[0]
    assert signed.get_yscale() == "linear"


def test_a_tree_and_terms_along_a_dim_are_read_too(training, ax):
    both = xr.concat([training.history, training.history * 2], "term").assign_coords(term=["node", "edge"])
    tree = xr.DataTree(training[["history"]].assign(history_terms=both, validation_terms=both + 1))
    terms = dy.viz.plot_training(tree, ax=ax).child_axes[1]
    np.testing.assert_allclose(curve(terms, "edge, training").get_ydata(), 2 * training.history)
    np.testing.assert_allclose(curve(terms, "edge, held out").get_ydata(), 2 * training.history + 1)
    assert curve(terms, "edge, training").is_dashed()
    assert terms.get_ylabel().split() == ["terms", "(dashed:", "training)"]


def test_many_steps_get_a_smooth_line_through_their_middle(ax):
    rng = np.random.default_rng(0)
    loss = 1 + np.exp(-np.arange(2000) / 300)
    noisy = xr.Dataset({"history": ("iteration", loss + 0.3 * rng.standard_normal(2000))})
    raw, smooth = dy.viz.plot_training(noisy, ax=ax).child_axes[0].lines
    assert np.abs(smooth.get_ydata() - loss).max() < 0.3
    assert np.abs(raw.get_ydata() - loss).max() > 0.8


def test_what_has_no_history_is_refused(training, ax):
    with pytest.raises(InputError, match="missing 'history', found 'validation'"):
        dy.viz.plot_training(training[["validation"]], ax=ax)
    with pytest.raises(InputError, match=r"expected history \(iteration\), found dims \('chain', 'iteration'\)"):
        dy.viz.plot_training(training.expand_dims(chain=2), ax=ax)
    with pytest.raises(InputError, match=r"pass model\.results_"):
        dy.viz.plot_training(dy.dynamics.NonnegativeCP(2), ax=ax)


def test_where_nothing_was_held_out_no_iteration_is_called_the_best(training, ax):
    host = dy.viz.plot_training(training[["history", "effective_rank"]], ax=ax)
    assert host.child_axes[-1].get_xlabel() == "iteration"
    assert all(line.get_linestyle() == "-" for panel in host.child_axes for line in panel.lines)
    missing = training.assign(validation=training.validation * np.nan)[["history", "validation"]]
    assert "kept" not in dy.viz.plot_training(missing).child_axes[-1].get_xlabel()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_ticks_are_whole_iterations(training, n, ax):
    rooms = dy.viz.plot_training(training[["history"]].isel(iteration=slice(n)), ax=ax).child_axes
    low, high = rooms[-1].get_xlim()
    ticks = [tick for tick in rooms[-1].get_xticks() if low <= tick <= high]
    assert ticks
    assert ticks == [round(tick) for tick in ticks]


def test_long_names_beside_neighbouring_panels_do_not_meet(training):
    long = {"long_name": "share of the variance within nodes over time of what is held out of all the training"}
    both = training.assign(
        effective_rank=training.effective_rank.assign_attrs(long),
        other=training.effective_rank.assign_attrs(long_name=long["long_name"] + " too"),
    )
    host = dy.viz.plot_training(both)
    host.get_figure(root=True).draw_without_rendering()
    boxes = [room.yaxis.label.get_window_extent() for room in host.child_axes]
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))
