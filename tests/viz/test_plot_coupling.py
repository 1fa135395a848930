"""Evidence for viz/coupling.py and viz/matrices.py."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex

import dynome as dy
from dynome.errors import InputError
from dynome.viz.palette import INK, MISSING
from dynome.viz.states import state_colors


def matrices(host) -> list:
    return [panel for panel in host.child_axes if panel.images and panel.get_title(loc="left")]


def bars(host) -> list[str]:
    labels = [child.get_ylabel() for room in host.child_axes for child in room.child_axes]
    return [label.replace("\n", " ") for label in labels if label]


@pytest.fixture
def community(switching) -> xr.DataArray:
    return xr.DataArray(list("xyxyxy"), {"node": switching.source.to_numpy()}, "node")


def test_every_state_is_a_matrix_with_targets_down_and_sources_to_the_right(switching, ax):
    panels = matrices(dy.viz.plot_coupling(switching.transpose("source", "lag", ...), ax=ax))
    assert [p.get_title(loc="left") for p in panels] == ["state 0", "state 1", "state 2"]
    for k, panel in enumerate(panels):
        np.testing.assert_array_equal(panel.images[0].get_array(), switching.coupling[k])
    assert panels[0].get_ylabel() == "target"
    assert panels[0].get_xlabel() == "source"
    assert [t.get_text() for t in panels[0].get_yticklabels()] == switching.target.to_numpy().tolist()


def test_one_scale_holds_for_all_states_and_ignores_self_couplings(switching, ax):
    between = ~np.eye(6, dtype=bool)
    reach = np.abs(switching.coupling.to_numpy()[:, between]).max()
    switching["coupling"] = switching.coupling.where(xr.DataArray(between, dims=("target", "source")), -99.0)
    host = dy.viz.plot_coupling(switching, ax=ax)
    assert {p.images[0].get_clim() for p in matrices(host)} == {(-reach, reach)}
    assert bars(host) == ["coupling"]


def test_titles_have_the_colour_of_their_state(switching, ax):
    host = dy.viz.plot_coupling(switching, states=[2, 0], ax=ax)
    titles = [p._left_title for p in matrices(host)]
    colors = state_colors(range(3))
    assert [to_hex(t.get_color()).upper() for t in titles] == [colors[2], colors[0]]
    np.testing.assert_array_equal(matrices(host)[0].images[0].get_array(), switching.coupling[2])


def test_what_the_states_share_gets_panels_of_its_own(switching, ax):
    probability = np.random.default_rng(0).dirichlet(np.ones(3), (6, 6))
    classes = ["inhibitory", "none", "excitatory"]
    shared = switching.assign_coords(edge_class=classes).assign(
        prior_mean=switching.coupling.mean("state"),
        edge_class_probability=(("target", "source", "edge_class"), probability),
    )
    host = dy.viz.plot_coupling(shared, ax=ax)
    mean, sign = matrices(host)[3:]
    np.testing.assert_array_equal(mean.images[0].get_array(), shared.prior_mean)
    np.testing.assert_allclose(sign.images[0].get_array(), probability[..., 2] - probability[..., 0])
    assert mean.images[0].get_clim() == matrices(host)[0].images[0].get_clim()
    assert sign.images[0].get_clim() == (-1, 1)
    assert bars(host) == ["coupling", "P(excitatory) − P(inhibitory)"]


def test_nodes_stand_community_by_community_in_all_panels(switching, community, ax):
    host = dy.viz.plot_coupling(switching, community=community, ax=ax)
    named = [t.get_text() for t in matrices(host)[0].get_yticklabels()]
    assert community.sel(node=named).to_numpy().tolist() == list("xxxyyy")
    for k, panel in enumerate(matrices(host)):
        np.testing.assert_array_equal(
            panel.images[0].get_array(), switching.coupling[k].sel(target=named, source=named)
        )
        assert len([p for p in panel.patches if not p.get_fill()]) == 2
    assert [t.get_text() for t in host.get_legend().get_texts()] == ["x", "y"]


def test_a_connectome_orders_by_what_it_knows_of_its_nodes(switching, community, wiring):
    nodes = wiring.assign_coords(node=switching.source.to_numpy())
    typed = dy.viz.plot_coupling(switching, community=nodes)
    assert [t.get_text() for t in typed.get_legend().get_texts()] == ["inter", "motor", "sensory", "unknown"]
    found = dy.viz.plot_coupling(switching, community=nodes.assign(community=community))
    assert [t.get_text() for t in found.get_legend().get_texts()] == ["x", "y"]
    with pytest.raises(InputError, match=r"none of 'community', 'cell_type', 'region'.*find_communities"):
        dy.viz.plot_coupling(switching, community=nodes.drop_vars("cell_type"))


def test_rows_and_columns_in_the_order_asked_for(switching, ax):
    panel = matrices(dy.viz.plot_coupling(switching, order=["N4", "N0"], ax=ax))[1]
    np.testing.assert_array_equal(
        panel.images[0].get_array(), switching.coupling[1].sel(target=["N4", "N0"], source=["N4", "N0"])
    )


def test_significant_couplings_get_a_dot(switching, ax):
    marks = xr.zeros_like(switching.coupling, dtype=bool)
    marks[1, 2, 4] = True
    panels = matrices(dy.viz.plot_coupling(switching, significant=marks[::-1], order=None, ax=ax))
    assert [len(p.lines) for p in panels] == [0, 1, 0]
    assert panels[1].lines[0].get_xydata().tolist() == [[4, 2]]
    assert panels[1].lines[0].get_color() == INK


def test_marks_without_states_hold_for_all(switching, ax):
    marks = xr.zeros_like(switching.coupling[0], dtype=bool).drop_vars("state")
    marks[0, 1] = True
    panels = matrices(dy.viz.plot_coupling(switching, significant=marks, ax=ax))
    assert [p.lines[0].get_xydata().tolist() for p in panels] == [[[1, 0]]] * 3


def test_missing_couplings_are_grey(switching, ax):
    switching["coupling"] = switching.coupling.where(switching.source != "N1")
    image = matrices(dy.viz.plot_coupling(switching, ax=ax))[0].images[0]
    shown = image.to_rgba(image.get_array())
    assert to_hex(shown[3, 1]).upper() == MISSING


def test_a_model_of_one_state_is_one_matrix_without_a_title(switching, ax):
    host = dy.viz.plot_coupling(switching[["coupling"]].isel(state=1, drop=True), ax=ax)
    (panel,) = [p for p in host.child_axes if p.images]
    np.testing.assert_array_equal(panel.images[0].get_array(), switching.coupling[1])


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda r: r.drop_vars("coupling"), {}, "missing 'coupling', found"),
        (lambda r: r.rename(source="node"), {}, r"expected dims \('state', 'target', 'source'\)"),
        (lambda r: r, {"states": [7]}, "no states 7; there are 0, 1, 2"),
        (lambda r: r, {"order": ["N9"]}, "unknown 'N9'"),
        (lambda r: r, {"significant": True}, "significant must be a DataArray"),
        (
            lambda r: r.assign(edge_class_probability=r.occupancy),
            {},
            "classes excitatory and inhibitory",
        ),
    ],
)
def test_what_is_no_coupling_is_refused(switching, change, arguments, message, ax):
    with pytest.raises(InputError, match=message):
        dy.viz.plot_coupling(change(switching), ax=ax, **arguments)


def test_names_and_bars_overlap_nothing_and_stay_inside_the_figure(switching, community):
    long = {d: [f"Cori_2016-12-14_{k:03d}" for k in range(6)] for d in ("target", "source")}
    probability = np.random.default_rng(0).dirichlet(np.ones(3), (6, 6))
    shared = switching.isel(state=[0, 1]).assign_coords(edge_class=["inhibitory", "none", "excitatory"], **long)
    shared["edge_class_probability"] = (("target", "source", "edge_class"), probability)
    shared.coupling.attrs["long_name"] = "coupling, summed over lags"
    host = dy.viz.plot_coupling(shared, community=community.assign_coords(node=long["source"]))
    figure = host.get_figure(root=True)
    figure.draw_without_rendering()
    bars = [room.child_axes[0].get_tightbbox() for room in host.child_axes if not room.images and room.child_axes]
    panels = [panel.get_tightbbox() for panel in matrices(host)]
    legend = host.get_legend().get_window_extent()
    boxes = [*bars, *panels[1:], legend]
    assert len(bars) == 2
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    assert not legend.overlaps(panels[0])
    whole = figure.bbox.padded(1)
    drawn = [box.extents for box in [*boxes, panels[0]]]
    assert all(whole.x0 <= x0 and whole.y0 <= y0 and x1 <= whole.x1 and y1 <= whole.y1 for x0, y0, x1, y1 in drawn)


def test_a_model_without_history_has_no_couplings(switching, ax):
    bare = switching.assign(coupling=switching.coupling * 0).isel(lag=[])
    with pytest.raises(InputError, match=r"no couplings to draw: .*fit it with history="):
        dy.viz.plot_coupling(bare, ax=ax)


@pytest.mark.parametrize("plot", ["plot_coupling", "plot_transitions", "plot_edges", "plot_history_kernels"])
def test_a_model_is_asked_for_its_results(plot):
    with pytest.raises(InputError, match=r"found SwitchingGLM; pass model\.results_"):
        getattr(dy.viz, plot)(dy.dynamics.SwitchingGLM(2))
