"""Evidence for viz/dynamic_graphs/forest.py."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import dynome as dy
from dynome.errors import InputError


def points(panel):
    marks = [line for line in panel.lines if line.get_marker() == "o"]
    return [float(m.get_xdata()[0]) for m in marks], [m.get_markerfacecolor() != "white" for m in marks]


def test_every_representation_has_a_row_with_its_score_and_interval(representations, ax):
    (panel,) = dy.viz.plot_representations(representations, ax=ax).child_axes
    assert [t.get_text() for t in panel.get_yticklabels()] == ["model", "model, empty", "static FC"]
    assert points(panel)[0] == [0.9, 0.52, 0.7]
    ends = np.array([lines.get_paths()[0].vertices[:, 0] for lines in panel.collections])
    full = representations.sel(fraction=1)
    np.testing.assert_allclose(ends, np.stack([full.score_low, full.score_high], axis=1))
    assert (panel.get_title(loc="left"), panel.get_xlabel()) == ("group", "AUROC (dashed: chance)")


def test_filled_is_what_is_above_chance_by_its_test_or_else_by_its_interval(representations, ax):
    (panel,) = dy.viz.plot_representations(representations, ax=ax).child_axes
    assert points(panel)[1] == [True, False, True]
    (panel,) = dy.viz.plot_representations(representations, fraction=0.2).child_axes
    assert points(panel) == ([0.7, 0.5, 0.6], [True, False, False])
    assert "p < 0.05; without a test, interval above chance" in panel.texts[-1].get_text()


def test_differences_stand_beside_all_but_the_baseline(representations, ax):
    (panel,) = dy.viz.plot_representations(representations, ax=ax).child_axes
    told = [t.get_text() for t in panel.texts]
    assert "+0.20 [+0.10, +0.30]  p = 0.02" in told
    assert "-0.18 [-0.28, -0.08]  p = 0.02" in told
    assert "less static FC" in told
    assert len(told) == 4  # and what is filled
    dashed, dotted = (line.get_xdata()[0] for line in panel.lines if len(line.get_xdata()) == 2)
    assert {dashed, dotted} == {0.5, 0.7}


def test_several_variables_have_a_panel_each(representations, ax):
    tables = [representations, representations.assign(score=representations.score - 0.1)]
    both = xr.concat(tables, pd.Index(["group", "sex"], name="phenotype"))
    first, second = dy.viz.plot_representations(both, ax=ax).child_axes
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == ("group", "sex")
    assert not second.get_yticks().size
    np.testing.assert_allclose(points(second)[0], [0.8, 0.42, 0.6])


def test_the_same_table_gives_few_label_curves(representations, ax):
    (panel,) = dy.viz.plot_probe(representations, ax=ax).child_axes
    assert [t.get_text() for t in panel.get_xticklabels()] == ["20 %\n(8)", "100 %\n(32)"]
    assert panel.get_ylabel() == "AUROC"


def test_an_unknown_fraction_is_told(representations, ax):
    with pytest.raises(InputError, match=r"no fraction 0\.5, found 0\.2, 1"):
        dy.viz.plot_representations(representations, fraction=0.5, ax=ax)
