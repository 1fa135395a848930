"""Evidence for viz/rank.py."""

import numpy as np
import pytest

import dynome as dy
from dynome.errors import InputError


def panels(curve):
    ax = dy.viz.plot_rank_curve(curve)
    return [ax, *(a for a in ax.figure.axes if a is not ax)]


def test_the_line_of_the_error_joins_the_best_starts(rank_curve, ax):
    dy.viz.plot_rank_curve(rank_curve, ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), rank_curve.error.min("restart"))
    assert len(ax.lines[1].get_ydata()) == 20


def test_held_out_error_is_drawn_above_that_of_the_best_rank(rank_curve):
    held = panels(rank_curve)[1]
    drawn = next(line for line in held.lines if line.get_marker() == "o" and len(line.get_xdata()) == 5)
    mean = rank_curve.held_out_error.mean("fold")
    np.testing.assert_allclose(drawn.get_ydata(), mean - mean.min())


def test_the_chosen_rank_is_marked_in_every_panel(rank_curve):
    rooms = panels(rank_curve)
    assert len(rooms) == 5
    assert rooms[-1].get_xlabel() == "rank (chosen: 3)"
    for room in rooms:
        assert any(np.isclose(p.get_extents().transformed(room.transData.inverted()).x0, 2.65) for p in room.patches)


def test_a_core_consistency_below_the_panel_is_an_arrow_at_its_floor(rank_curve):
    room = panels(rank_curve)[-1]
    (arrow,) = [line for line in room.lines if line.get_marker() == "v"]
    assert arrow.get_xdata().tolist() == [5]
    assert arrow.get_ydata()[0] > room.get_ylim()[0]


def test_only_what_the_curve_has_is_drawn(rank_curve):
    assert len(panels(rank_curve[["error", "core_consistency"]])) == 2
    assert panels(rank_curve[["error"]].drop_attrs())[0].get_xlabel() == "rank"


def test_a_curve_without_error_is_refused(rank_curve, ax):
    with pytest.raises(InputError, match="missing 'error'"):
        dy.viz.plot_rank_curve(rank_curve.drop_vars("error"), ax=ax)
