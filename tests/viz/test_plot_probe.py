"""Evidence for viz/dynamic_graphs/few_labels.py and score_tables.py."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.legend import Legend

import dynome as dy
from dynome.errors import InputError


def curves(panel):
    return [line for line in panel.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 3]


def legend(axes):
    return next(iter(axes.findobj(Legend)), None)


def test_every_variable_has_a_panel_with_a_curve_for_each_model(probes, ax):
    group, age = dy.viz.plot_probe(probes, ax=ax).child_axes
    assert (group.get_title(loc="left"), group.get_ylabel()) == ("group", "AUROC")
    assert (age.get_title(loc="left"), age.get_ylabel()) == ("age", "correlation")
    for k, line in enumerate(curves(age)):
        np.testing.assert_allclose(line.get_ydata(), probes.score[k, 1])
        np.testing.assert_allclose(np.diff(line.get_xdata()), np.log2([2, 5]))
    assert [t.get_text() for t in group.get_xticklabels()] == ["10 %\n(4)", "20 %\n(8)", "100 %\n(40)"]
    assert [t.get_text() for t in legend(age).get_texts()] == ["pretrained", "random"]


def test_intervals_and_chance_are_drawn(probes, ax):
    _, age = dy.viz.plot_probe(probes, ax=ax).child_axes
    ends = np.array([path.vertices[:, 1] for path in age.collections[0].get_paths()])
    np.testing.assert_allclose(ends, np.stack([probes.score_low[0, 1], probes.score_high[0, 1]], axis=1))
    chance = [line for line in age.lines if line.is_dashed()]
    assert len(chance) == 1
    np.testing.assert_allclose(chance[0].get_ydata(), 0)


def test_points_are_filled_where_the_score_is_above_chance(probes, ax):
    group, age = dy.viz.plot_probe(probes, ax=ax).child_axes

    def count(panel, filled):
        marks = [line for line in panel.lines if line.get_marker() == "o"]
        return sum(len(m.get_xdata()) for m in marks if (m.get_markerfacecolor() != "white") == filled)

    assert (count(group, True), count(group, False)) == (1, 5)
    assert (count(age, True), count(age, False)) == (1, 5)
    assert any("q (over all variables) < 0.05" in t.get_text() for t in group.texts)


def test_one_table_of_one_model_is_drawn_as_it_comes(probes, ax):
    one = probes.isel(model=0, drop=True)
    group, _ = dy.viz.plot_probe(one, ax=ax).child_axes
    np.testing.assert_allclose(curves(group)[0].get_ydata(), one.score[0])
    assert legend(ax) is None
    both = xr.concat([one, one], pd.Index(["a", "b"], name="layer"))
    assert legend(dy.viz.plot_probe(both)).get_title().get_text() == "layer"


def test_fractions_are_drawn_in_their_order(probes, ax):
    shuffled = probes.isel(fraction=[2, 0, 1])
    group, _ = dy.viz.plot_probe(shuffled, ax=ax).child_axes
    np.testing.assert_allclose(curves(group)[0].get_ydata(), probes.score[0, 0])


def test_another_table_is_refused(probes, ax):
    with pytest.raises(InputError, match="missing 'score', 'score_low'"):
        dy.viz.plot_probe(probes[["p_value", "score_high"]], ax=ax)
    with pytest.raises(InputError, match=r"expected the table of inference\.probe.*found score with dims"):
        dy.viz.plot_probe(probes.expand_dims(layer=2), ax=ax)
