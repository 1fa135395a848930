"""Evidence for viz/components.py."""

import numpy as np
import pytest

import dynome as dy
from dynome.errors import InputError


def rows(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_each_component_fills_its_own_row(results, ax):
    dy.viz.plot_components(results, loadings=False, ax=ax)
    for k, line in enumerate(line for line in ax.lines if len(line.get_xdata()) == 50):
        y = line.get_ydata()
        expected = -k - 0.4 + 0.8 * results.time_factor[:, k] / results.time_factor[:, k].max()
        np.testing.assert_allclose(y, expected)
    assert ax.get_xlabel() == "time (s)"


def test_rows_tell_the_share_of_each_component(results, ax):
    dy.viz.plot_components(results, ax=ax)
    assert rows(ax) == ["0 (60 %)", "1 (30 %)", "2 (10 %)"]
    assert "share of weight" in ax.get_ylabel()


def test_without_weights_rows_are_labelled_alone(results, ax):
    dy.viz.plot_components(results.drop_vars("weight"), ax=ax)
    assert rows(ax) == ["0", "1", "2"]


def test_the_moment_of_the_event_is_marked(results, ax):
    dy.viz.plot_components(results.assign_coords(time=results.time - 5), loadings=False, ax=ax)
    upright = [line for line in ax.lines if list(line.get_xdata()) == [0, 0]]
    assert len(upright) == 1


def test_behaviour_stands_under_the_components(results, recording, ax):
    dy.viz.plot_components(results, covariates=recording, names=["velocity"], ax=ax)
    assert rows(ax)[3] == "velocity\n−1 to 1 mm/s"
    assert ax.get_ylim() == (-3.55, 0.55)


def test_animals_stand_beside_the_components(results):
    ax = dy.viz.plot_components(results)
    room = next(a for a in ax.figure.axes if a is not ax)
    bars = room.child_axes[0]
    assert len(bars.patches) == 12
    assert [t.get_text() for t in bars.get_xticklabels()] == ["w0", "w1", "w2", "w3"]
    assert len(dy.viz.plot_components(results, loadings=False).figure.axes) == 1


def test_a_bar_is_as_high_as_its_loading(results, ax):
    dy.viz.plot_loadings(results, ax=ax)
    heights = np.array([p.get_height() for p in ax.patches]).reshape(3, 4)
    expected = 0.8 * results.animal_factor.to_numpy().T
    np.testing.assert_allclose(heights, expected / results.animal_factor.max("animal").to_numpy()[:, None])


def test_loadings_of_other_factors_are_drawn_by_name(results, ax):
    nodes = results.rename(animal_factor="node_factor", animal="node")
    dy.viz.plot_loadings(nodes, "node_factor", ax=ax)
    assert ax.get_xlabel() == "node"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.drop_vars("time_factor"), "missing 'time_factor', found"),
        (lambda r: r.assign(time_factor=r.time_factor.isel(component=0)), "expected dims .*component"),
    ],
)
def test_results_without_time_courses_are_refused(results, ax, change, message):
    with pytest.raises(InputError, match=message):
        dy.viz.plot_components(change(results), ax=ax)


def test_an_unknown_factor_is_refused(results, ax):
    with pytest.raises(InputError, match="missing 'node_factor'"):
        dy.viz.plot_loadings(results, "node_factor", ax=ax)
