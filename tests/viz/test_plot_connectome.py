"""Evidence for viz/network.py, links.py, hubs.py and layout.py."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex

import dynome as dy
from dynome.errors import InputError
from dynome.viz import layout
from dynome.viz.palette import EDGE_TYPE, NEGATIVE, POSITIVE


def lines(ax) -> LineCollection:
    return next(c for c in ax.collections if isinstance(c, LineCollection))


def dots(ax) -> PathCollection:
    return next(c for c in ax.collections if isinstance(c, PathCollection))


def legend_texts(ax) -> list[str]:
    from matplotlib.legend import Legend

    return [t.get_text() for legend in ax.get_children() if isinstance(legend, Legend) for t in legend.get_texts()]


def spread(**names: tuple[float, float]) -> xr.Dataset:
    x, y = np.array(list(names.values())).T
    unit = {"units": "um"}
    return xr.Dataset({"x": ("node", x, unit), "y": ("node", y, unit)}, {"node": list(names)})


def test_a_gap_junction_is_drawn_once_and_a_self_connection_not(wiring, ax):
    dy.viz.plot_connectome(wiring, ax=ax)
    assert len(lines(ax).get_segments()) == 6  # five chemical, one gap junction
    assert ax.texts[0].get_text().startswith("6 connections")


def test_only_the_strongest_connections_are_drawn_and_the_figure_says_so(wiring, ax):
    place = spread(A=(0, 0), B=(1, 0), C=(2, 3), D=(5, 1))
    dy.viz.plot_connectome(wiring, max_edges=2, positions=place, ax=ax)
    ends = [(tuple(s[0]), tuple(s[-1])) for s in lines(ax).get_segments()]
    assert ends == [((1, 0), (2, 3)), ((0, 0), (1, 0))]  # B to C, then A to B on top
    assert ax.texts[0].get_text().startswith("2 strongest of 6 connections")


def test_directed_connections_bow_to_the_left_and_gap_junctions_are_straight(wiring, ax):
    place = spread(A=(0, 0), B=(1, 0), C=(2, 0), D=(3, 0))
    dy.viz.plot_connectome(wiring, positions=place, ax=ax)
    bows = {(tuple(s[0]), tuple(s[-1]), round(float(s[:, 1].mean()), 3)) for s in lines(ax).get_segments()}
    assert ((0, 0), (3, 0), 0.0) in bows  # the gap junction
    assert all(bow > 0 for start, stop, bow in bows if bow and start < stop)
    assert all(bow < 0 for start, stop, bow in bows if bow and start > stop)


def test_an_undirected_network_is_drawn_once_and_straight(wiring, ax):
    chemical = wiring.isel(edge=slice(0, 5))
    both = xr.concat(
        [chemical, chemical.assign(source=chemical.target, target=chemical.source)], "edge", data_vars="minimal"
    )
    both.attrs["directed"] = 0
    dy.viz.plot_connectome(both, ax=ax)
    segments = np.array(lines(ax).get_segments())
    assert len(segments) == 5
    np.testing.assert_allclose(segments[:, 6], (segments[:, 0] + segments[:, -1]) / 2, atol=1e-12)


def test_edge_types_have_their_colours_and_a_legend(wiring, ax):
    dy.viz.plot_connectome(wiring, ax=ax)
    used = {to_hex(c) for c in lines(ax).get_colors()}
    assert used == {EDGE_TYPE["chemical"].lower(), EDGE_TYPE["gap_junction"].lower()}
    assert {"chemical", "gap junction"} <= set(legend_texts(ax))


def test_signs_are_coloured_where_there_are_two(wiring, ax):
    signed = wiring.assign(weight=wiring.weight * [1, -1, 1, 1, 1, 1, 1, 1])
    dy.viz.plot_connectome(signed, ax=ax)
    assert {to_hex(c) for c in lines(ax).get_colors()} == {POSITIVE.lower(), NEGATIVE.lower()}
    assert {"positive", "negative"} <= set(legend_texts(ax))


def test_strong_nodes_are_large_and_wide_lines_strong(wiring, ax):
    dy.viz.plot_connectome(wiring.isel(edge=[0, 1, 2]), positions=spread(A=(0, 0), B=(1, 0), C=(2, 0), D=(3, 0)), ax=ax)
    size = dict(zip(dots(ax).get_offsets()[:, 0].tolist(), dots(ax).get_sizes(), strict=False))
    assert size[1] > size[0] > size[2] > size[3]  # strengths 15, 10, 6, 1
    assert np.all(np.diff(lines(ax).get_linewidths()) > 0)


def test_nodes_are_coloured_by_cell_type_and_unknown_ones_are_grey(wiring, ax):
    dy.viz.plot_connectome(wiring, ax=ax)
    assert {"sensory", "inter", "motor", "unknown"} <= set(legend_texts(ax))


def test_many_categories_share_one_line_of_the_legend(wiring, ax):
    names = [f"N{k}" for k in range(30)]
    many = xr.Dataset(
        {k: wiring[k].isel(edge=[]) for k in ("source", "target", "weight", "edge_type")},
        {"node": names, "cell_type": ("node", [f"type {k}" for k in range(30)])},
        {"directed": 1},
    )
    dy.viz.plot_connectome(many, ax=ax)
    assert legend_texts(ax)[-1] == "and 16 more"
    assert len(legend_texts(ax)) == 15


def test_nodes_can_be_coloured_by_a_community_or_a_number(wiring):
    community = xr.DataArray([3, 4], dims="node", coords={"node": ["B", "A"]}, name="community")
    assert {"3", "4", "unknown"} == set(legend_texts(dy.viz.plot_connectome(wiring, color=community))) - {
        "chemical",
        "gap junction",
    }
    rate = xr.DataArray(
        [1.0, 2.0, np.nan], dims="node", coords={"node": list("ABC")}, name="rate", attrs={"units": "Hz"}
    )
    ax = dy.viz.plot_connectome(wiring, color=rate)
    assert dots(ax).get_clim() == (1, 2)
    assert ax.child_axes[0].get_ylabel() == "rate (Hz)"


def test_positions_are_joined_by_label_and_have_a_scale_bar(wiring, ax):
    place = spread(D=(300, 0), A=(0, 0), B=(100, 50), C=(200, -50))
    dy.viz.plot_connectome(wiring, positions=place, ax=ax)
    texts = [t.get_text() for t in ax.texts]
    assert "50 µm" in texts
    assert texts[0] == "6 connections; two-way ones drawn once; 2 nodes without a position are not drawn"
    assert ax.get_aspect() == 1


def test_connections_of_nodes_without_a_place_do_not_count(wiring, ax):
    dy.viz.plot_connectome(wiring, positions=spread(A=(0, 0), B=(1, 0), C=(2, 3)), ax=ax)
    assert len(lines(ax).get_segments()) == 3
    assert ax.texts[0].get_text().startswith("3 connections")


def test_coordinates_of_the_connectome_are_used_where_it_has_them(wiring, ax):
    where = {"x": ("node", np.arange(6.0), {"units": "1"}), "y": ("node", np.zeros(6), {"units": "1"})}
    dy.viz.plot_connectome(wiring.assign_coords(where), ax=ax)
    assert sorted(dots(ax).get_offsets()[:, 0].tolist()) == list(range(6))


def test_hubs_are_named_and_no_two_names_overlap():
    rng = np.random.default_rng(0)
    n = 60
    edges = np.array([(i, j) for i in range(n) for j in rng.choice(n, 4) if i != j])
    net = xr.Dataset(
        {
            "source": ("edge", [f"NODE{i}" for i in edges[:, 0]]),
            "target": ("edge", [f"NODE{j}" for j in edges[:, 1]]),
            "weight": ("edge", rng.random(len(edges)), {"units": "1"}),
            "edge_type": ("edge", ["structural"] * len(edges)),
        },
        {"node": [f"NODE{k}" for k in range(n)]},
        {"directed": 1},
    )
    ax = dy.viz.plot_connectome(net, n_labels=20)
    named = [t for t in ax.texts if t.get_text().startswith("NODE")]
    boxes = [t.get_window_extent() for t in named]
    assert len(named) >= 8
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    strength = np.bincount(edges.T.ravel(), np.tile(net.weight.to_numpy(), 2))
    assert {t.get_text() for t in named} <= {f"NODE{k}" for k in np.argsort(-strength)[:20]}


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda w: w.drop_vars("edge_type"), {}, "missing 'edge_type'"),
        (lambda w: w.assign(source=("edge", ["X"] * 8)), {}, "source has unknown nodes 'X'"),
        (lambda w: w, {"color": "region"}, "color: missing 'region'|missing 'region'"),
        (lambda w: w, {"positions": spread(X=(0, 0))}, "positions has none of its nodes"),
        (lambda w: w, {"positions": spread(A=(np.nan, 0))}, "no node has finite x and y"),
        (lambda w: w, {"color": xr.DataArray([[1]], dims=("level", "node"))}, "color must have the single dim node"),
    ],
)
def test_what_cannot_be_drawn_is_refused(wiring, ax, change, arguments, message):
    with pytest.raises(InputError, match=message):
        dy.viz.plot_connectome(change(wiring), ax=ax, **arguments)


def test_a_chain_flows_downwards_one_step_at_a_time():
    """In a chain each node stands one step under its sender (Varshney et al. 2011, equation of the signal flow)."""
    place = layout.signal_flow(np.arange(4), np.arange(1, 5), np.ones(4), 5)
    np.testing.assert_allclose(place[:, 1], [1, 0.75, 0.5, 0.25, 0], atol=1e-4)


def test_signal_flow_does_not_depend_on_the_order_of_nodes():
    rng = np.random.default_rng(0)
    source, target, weight = rng.integers(0, 30, 90), rng.integers(0, 30, 90), rng.random(90)
    shuffle = rng.permutation(30)
    plain = layout.signal_flow(source, target, weight, 30)
    moved = layout.signal_flow(shuffle[source], shuffle[target], weight, 30)
    np.testing.assert_allclose(moved[shuffle, 1], plain[:, 1], atol=1e-4)


def test_attraction_brings_communities_together():
    rng = np.random.default_rng(1)
    group = np.repeat([0, 1], 20)
    i, j = np.triu_indices(40, 1)
    keep = rng.random(i.size) < np.where(group[i] == group[j], 0.5, 0.02)
    place = layout.attraction(i[keep], j[keep], np.ones(keep.sum()), 40)
    centre = np.array([place[group == g].mean(axis=0) for g in (0, 1)])
    nearest = np.linalg.norm(place[:, None] - centre, axis=2).argmin(axis=1)
    assert (nearest == group).mean() > 0.9


def test_large_networks_are_laid_out_quickly(monkeypatch):
    rng = np.random.default_rng(2)
    source, target = rng.integers(0, 3000, (2, 20_000))
    for arrange in (layout.signal_flow, layout.attraction):
        place = arrange(source, target, np.ones(20_000), 3000)
        assert np.isfinite(place).all()
        assert place.min() >= 0
