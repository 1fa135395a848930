"""Evidence for viz/transitions.py."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, FancyArrowPatch

import dynome as dy
from dynome.errors import InputError
from dynome.viz.states import state_colors


def circles(ax) -> list[Circle]:
    return [p for p in ax.patches if isinstance(p, Circle)]


def arrows(ax) -> list[FancyArrowPatch]:
    return [p for p in ax.patches if isinstance(p, FancyArrowPatch)]


def chain(transition) -> xr.Dataset:
    return xr.Dataset({"transition": (("state", "next_state"), np.asarray(transition, dtype=float))})


def test_the_area_of_a_circle_is_the_occupancy_of_its_state(switching, ax):
    found = circles(dy.viz.plot_transitions(switching, ax=ax))
    area = np.array([c.radius**2 for c in found])
    np.testing.assert_allclose(area / area[0], [1, 0.8, 0.2])
    assert [to_hex(c.get_facecolor()).upper() for c in found] == state_colors(range(3))


def test_without_occupancy_areas_are_those_of_the_stationary_distribution(ax):
    found = circles(dy.viz.plot_transitions(chain([[0.9, 0.1], [0.3, 0.7]]), ax=ax))
    assert (found[0].radius / found[1].radius) ** 2 == pytest.approx(3)


def test_the_width_of_an_arrow_is_the_probability_of_the_switch(switching, ax):
    found = arrows(dy.viz.plot_transitions(switching, ax=ax))
    widths = sorted(a.get_linewidth() for a in found)
    np.testing.assert_allclose(np.array(widths) / widths[-1], [0.1, 0.25, 0.4, 1])
    heaviest = max(found, key=lambda a: a.get_linewidth())
    assert to_hex(heaviest.get_facecolor()).upper() == state_colors(range(3))[2]  # 2 to 0


def test_an_arrow_runs_from_the_circle_that_is_left_to_the_next(ax):
    dy.viz.plot_transitions(chain([[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]), ax=ax)
    (arrow,) = arrows(ax)
    points = arrow._path_original.vertices
    start, stop = (np.array(circles(ax)[k].center) for k in (0, 1))
    assert np.linalg.norm(points[0] - start) < 0.45 < np.linalg.norm(points[0] - stop)
    assert np.linalg.norm(points[-1] - stop) < 0.45 < np.linalg.norm(points[-1] - start)


def test_how_long_a_stay_lasts_is_told_with_its_unit(switching, ax):
    told = [t.get_text() for t in dy.viz.plot_transitions(switching, ax=ax).texts]
    assert "0.2 s" in told
    assert any("0.05 s" in t for t in told)


def test_without_dwell_times_a_stay_is_one_over_the_probability_to_leave(ax):
    told = [t.get_text() for t in dy.viz.plot_transitions(chain([[0.75, 0.25], [0, 1]]), ax=ax).texts]
    assert any("4 bins" in t for t in told)
    assert any("never left" in t for t in told)


def test_rare_switches_are_left_out_and_the_figure_says_so(ax):
    dy.viz.plot_transitions(chain([[0.799, 0.2, 0.001], [0.1, 0.9, 0], [0.1, 0, 0.9]]), ax=ax)
    assert len(arrows(ax)) == 3
    assert ax.get_xlabel().endswith("widest arrow: 0.2 in a bin; 1 rarer one left out")


def test_a_chain_that_never_stays_tells_what_follows(switching, ax):
    follows = np.array([[0, 0.7, 0.3], [1, 0, 0], [0.5, 0.5, 0]])
    dy.viz.plot_transitions(switching.assign(transition=switching.transition.copy(data=follows)), ax=ax)
    assert ax.get_xlabel().endswith("widest arrow: 1 when the state is left")
    assert "0.2 s" in [t.get_text() for t in ax.texts]


@pytest.mark.parametrize("count", range(1, 11))
def test_circles_and_texts_do_not_overlap(count):
    rng = np.random.default_rng(count)
    transition = 0.9 * np.eye(count) + 0.1 * rng.dirichlet(np.ones(count), count)
    ax = dy.viz.plot_transitions(chain(transition))
    ax.figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in ax.texts]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    found = circles(ax)
    for k, a in enumerate(found):
        for b in found[k + 1 :]:
            assert np.hypot(*np.subtract(a.center, b.center)) > a.radius + b.radius


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.drop_vars("transition"), "missing 'transition'"),
        (lambda r: r.rename(next_state="state_2"), r"expected dims \('state', 'next_state'\)"),
        (lambda r: r.isel(next_state=[0, 1]), r"whose rows sum to 1, found shape \(3, 2\)"),
        (lambda r: r.assign(transition=r.transition * 2), r"sums \[2.0, 2.0, 2.0\]"),
        (lambda r: r.assign(occupancy=r.transition), "occupancy"),
    ],
)
def test_what_is_no_chain_is_refused(switching, change, message, ax):
    with pytest.raises(InputError, match=message):
        dy.viz.plot_transitions(change(switching), ax=ax)
