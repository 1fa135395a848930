"""Evidence for viz/group: what rows, columns, dots and words stand for."""

import numpy as np
import pytest

import dynome as dy
from dynome.errors import InputError


def test_columns_are_sessions_of_animals_beside_the_mean_over_animals(matched_sessions, ax):
    first, second = dy.viz.plot_group_components(matched_sessions.isel(session=[3, 0, 2, 1, 4]), ax=ax).child_axes[:2]
    assert [t.get_text() for t in first.get_xticklabels()] == ["mean", "ann", "bob", "cid"]
    assert second.get_title(loc="left") == "component 1\nsimilarity 0.70, p = 0.02"
    sessions, mean = first.images
    assert sessions.get_array().shape == (6, 5)
    own = matched_sessions.node_strength.sel(component=0)
    animals = own.groupby("animal").mean("session").mean("animal")
    rows = [t.get_text() for t in first.get_yticklabels()]
    assert {*rows[:3]} == {"N0", "N1", "N2"}  # nodes stand with the component in which they are largest
    np.testing.assert_allclose(mean.get_array()[:, 0], animals.sel(node=rows))
    np.testing.assert_allclose(sessions.get_array()[:, 2], own.sel(session="bob/1", node=rows))


def test_a_cross_stands_over_sessions_that_match_no_better_than_chance(matched_sessions, ax):
    panel = dy.viz.plot_group_components(matched_sessions, ax=ax).child_axes[0]
    assert [t.xy[0] for t in panel.texts if t.get_text() == "×"] == [4]


def test_a_variable_that_was_not_joined_is_refused_with_those_that_were(matched_sessions):
    with pytest.raises(InputError, match=r"'rate' is none of .*'node_strength'"):
        dy.viz.plot_group_components(matched_sessions, "rate")
    with pytest.raises(InputError, match=r"no variable over session, component and node"):
        dy.viz.plot_group_components(matched_sessions.drop_vars("node_strength"))


def test_every_effect_has_a_row_filled_where_it_is_sure(group_table, ax):
    dy.viz.plot_group_test(group_table, ax=ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        "component 0, rest",
        "component 0, odour",
        "component 1, rest",
    ]
    marks = [line for line in ax.lines if line.get_marker() == "o"]
    assert [float(m.get_xdata()[0]) for m in marks] == [1.0, 0.1, -0.4]
    assert [m.get_markerfacecolor() != "white" for m in marks] == [True, False, False]
    assert "p = 0.04   q = 0.12" in [t.get_text() for t in ax.texts]
    assert ax.get_xlabel().startswith("rate: drug less sham (Hz)")


def test_of_many_effects_the_surest_are_drawn_and_the_rest_counted(group_table, ax):
    dy.viz.plot_group_test(group_table, n_rows=2, ax=ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["component 0, rest", "component 1, rest"]
    assert ax.get_title(loc="left") == "2 of 3 effects, those with the smallest p"


def test_quantities_that_vary_have_a_panel_with_outliers_named(session_summary, ax):
    first, second = dy.viz.plot_session_summary(session_summary, ax=ax).child_axes
    assert [p.get_title(loc="left") for p in (first, second)] == ["rate", "dwell time"]
    assert [t.get_text() for t in first.texts] == ["cid/1"]
    dots = next(line for line in second.lines if line.get_marker() == "o")
    assert dots.get_ydata().tolist() == [3, 2, 4, 5, 1]
    assert np.round(dots.get_xdata()).tolist() == [0, 0, 1, 1, 2]
    assert first.lines[0].get_ydata()[0] == pytest.approx(1.6)  # the median of all sessions


def test_quantities_are_chosen_by_name(session_summary):
    panels = dy.viz.plot_session_summary(session_summary, ["zero"]).child_axes
    assert [p.get_title(loc="left") for p in panels] == ["zero"]
    with pytest.raises(InputError, match=r"no quantity 'speed', there are 'rate'"):
        dy.viz.plot_session_summary(session_summary, ["speed"])
