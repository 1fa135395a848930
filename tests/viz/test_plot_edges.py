"""Evidence for viz/edges.py and viz/history_kernels.py."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import dynome as dy
from dynome.errors import InputError
from dynome.viz.palette import MISSING, NEGATIVE, POSITIVE
from dynome.viz.states import state_colors


def names(panel) -> list[str]:
    return [t.get_text() for t in panel.get_yticklabels()]


def certainty(results):
    z = abs(results.coupling / results.standard_error)
    return z.where(z.source != z.target).max("state").stack(edge=("source", "target")).to_series()


def test_the_most_certain_edges_are_drawn_from_excitatory_to_inhibitory(switching, ax):
    host = dy.viz.plot_edges(switching, n=7, ax=ax)
    expected = {f"{s} → {t}" for s, t in certainty(switching).nlargest(7).index}
    assert set(names(host.child_axes[0])) == expected
    ends = [name.split(" → ") for name in names(host.child_axes[0])]
    mean = [float(switching.coupling.sel(source=s, target=t).mean()) for s, t in ends]
    assert mean == sorted(mean, reverse=True)


def test_points_are_estimates_and_lines_their_intervals(switching, ax):
    host = dy.viz.plot_edges(switching, n=5, ax=ax)
    for k, panel in enumerate(host.child_axes):
        lines, points = panel.collections
        place = np.asarray(points.get_offsets())
        for (x, y), segment in zip(place, lines.get_segments(), strict=True):
            source, target = names(host.child_axes[0])[int(y)].split(" → ")
            edge = switching.sel(state=k, source=source, target=target)
            assert x == pytest.approx(float(edge.coupling))
            reach = 1.96 * float(edge.standard_error)
            np.testing.assert_allclose(segment, [[x - reach, y], [x + reach, y]], rtol=1e-3)


def test_only_significant_edges_are_filled_and_coloured_by_sign(switching, ax):
    coupling = np.zeros((3, 6, 6))
    coupling[0, 0, 1], coupling[1, 0, 1] = 5.0, -5.0
    certain = switching.assign(coupling=(switching.coupling.dims, coupling))
    panels = dy.viz.plot_edges(certain, n=1, ax=ax).child_axes
    face = [to_hex(p.collections[1].get_facecolor()[0]).upper() for p in panels]
    edge = [to_hex(p.collections[1].get_edgecolor()[0]).upper() for p in panels]
    assert face == [POSITIVE, NEGATIVE, "#FFFFFF"]
    assert edge == [POSITIVE, NEGATIVE, MISSING]


def test_self_couplings_are_left_out(switching, ax):
    switching["coupling"] = switching.coupling.where(switching.source != switching.target, -99.0)
    drawn = names(dy.viz.plot_edges(switching, ax=ax).child_axes[0])
    assert len(drawn) == 30
    assert not any(name.split(" → ")[0] == name.split(" → ")[1] for name in drawn)


def test_a_table_of_edges_is_drawn_as_it_is(ax):
    table = pd.DataFrame(
        {
            "state": [4, 4], "source": ["a", "b"], "target": ["b", "a"], "estimate": [1.0, -1.0], "low": [0.5, -1.2],
            "high": [2.0, 0.1], "z": [3.0, -1.0], "q_value": [0.01, 0.5],
        }
    )  # fmt: skip
    (panel,) = dy.viz.plot_edges(table, ax=ax).child_axes
    assert panel.get_title(loc="left") == "state 4"
    assert to_hex(panel._left_title.get_color()).upper() == state_colors([4])[0]
    assert [s[:, 0].tolist() for s in panel.collections[0].get_segments()] == [[0.5, 2.0], [-1.2, 0.1]]
    with pytest.raises(InputError, match="lacks 'z', 'q_value'; make it with edge_table"):
        dy.viz.plot_edges(table.drop(columns=["z", "q_value"]), ax=ax)


def test_the_label_says_when_errors_are_those_of_a_posterior(switching, ax):
    told = [p.get_xlabel() for p in dy.viz.plot_edges(switching, n=3, ax=ax).child_axes]
    assert told[1].endswith("filled: q < 0.05")
    known = switching.assign(prior_precision=switching.coupling.expand_dims(basis=1))
    told = [p.get_xlabel() for p in dy.viz.plot_edges(known, n=3).child_axes]
    assert told[1].endswith("q < 0.05\n(posterior errors, with the prior)")


@pytest.mark.parametrize("missing", ["coupling", "standard_error"])
def test_results_without_errors_are_refused(switching, missing, ax):
    with pytest.raises(InputError, match=f"missing '{missing}'"):
        dy.viz.plot_edges(switching.drop_vars(missing), ax=ax)


def test_a_kernel_is_the_weight_at_each_lag_in_the_colour_of_its_state(switching, ax):
    panels = dy.viz.plot_history_kernels(switching, [("N2", "N5"), ("N1", "N1")], ax=ax).child_axes
    assert [p.get_title(loc="left") for p in panels] == ["N2 → N5", "N1 → N1"]
    curves = [line for line in panels[0].lines if len(line.get_xdata()) == 4]
    for k, line in enumerate(curves):
        np.testing.assert_array_equal(line.get_ydata(), switching.weight.sel(state=k, source="N2", target="N5"))
        np.testing.assert_allclose(line.get_xdata(), [0.01, 0.02, 0.03, 0.04])
        assert line.get_color() == state_colors(range(3))[k]
    assert panels[0].get_xlabel() == "lag (s)"


def test_the_strongest_kernels_are_drawn_on_one_scale(switching, ax):
    panels = dy.viz.plot_history_kernels(switching, n=3, ax=ax).child_axes
    size = abs(switching.weight).where(switching.source != switching.target).max(["state", "lag"])
    best = size.stack(edge=("source", "target")).to_series().nlargest(3).index
    assert [p.get_title(loc="left") for p in panels] == [f"{s} → {t}" for s, t in best]
    assert len({p.get_ylim() for p in panels}) == 1


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([("N1", "X")], "the model has no nodes 'X'; it has 'N0'"),
        (["N1"], r"an edge is a pair \(source, target\), found 'N1'"),
    ],
)
def test_edges_that_the_model_lacks_are_refused(switching, edges, message, ax):
    with pytest.raises(InputError, match=message):
        dy.viz.plot_history_kernels(switching, edges, ax=ax)


def test_results_without_lags_are_refused(switching, ax):
    with pytest.raises(InputError, match=r"expected dims \('state', 'target', 'source', 'lag'\)"):
        dy.viz.plot_history_kernels(switching.assign(weight=switching.coupling), ax=ax)
