"""Evidence for viz/atlas.py and viz/motifs.py."""

import numpy as np
import pytest

import dynome as dy
from dynome.errors import InputError
from dynome.viz.motifs import graph_of, links_of, motif_of


def panels(host, component):
    """Time course, animals, matrix and network of one row."""
    return host.child_axes[4 * component : 4 * component + 4]


def test_a_motif_holds_the_nodes_that_take_part_by_community_and_strength(atlas):
    motif = motif_of(atlas, 0)
    assert set(motif.node) == set("abcde")
    assert motif.community.tolist() == [0, 0, 0, 1, 1]
    strength = atlas.node_strength.isel(component=0).sel(node=motif.node)
    np.testing.assert_array_equal(motif.strength, strength)
    assert (np.diff(motif.strength)[[0, 1, 3]] <= 0).all()


def test_a_motif_holds_the_loading_of_each_of_its_pairs(atlas):
    motif = motif_of(atlas, 1)
    one = atlas.isel(component=1)
    loading = one.pair_factor.values
    where = {frozenset(p): v for *p, v in zip(one.source.values, one.target.values, loading, strict=True)}
    for i, a in enumerate(motif.node):
        for j, b in enumerate(motif.node):
            if i != j:
                assert motif.matrix[i, j] == where[frozenset((a, b))]
    assert np.isnan(np.diag(motif.matrix)).all()


def test_pairs_outside_the_tensor_are_missing(atlas):
    motif = motif_of(atlas.isel(pair=atlas.source != "a"), 0)
    row = motif.node.tolist().index("a")
    assert np.isnan(motif.matrix[row]).all()


def test_the_strongest_links_come_last(atlas):
    _, _, loading = links_of(motif_of(atlas, 0), 4)
    assert loading.size == 4
    assert (np.diff(loading) >= 0).all()
    assert loading[-1] == np.nanmax(motif_of(atlas, 0).matrix)


def test_a_motif_is_a_graph_that_can_be_drawn(atlas, ax):
    graph = graph_of(motif_of(atlas, 0), 5)
    assert graph.sizes == {"edge": 10, "node": 5}
    dy.viz.plot_connectome(graph, color="community", ax=ax)


def test_each_component_has_a_row_of_four_panels(atlas):
    host = dy.viz.plot_atlas(atlas)
    assert len(host.child_axes) == 8
    assert [panels(host, k)[0].get_title(loc="left") for k in range(2)] == [
        "component 0, 75 % of weight, p = 0.01",
        "component 1, 25 % of weight, not above chance, p = 0.6",
    ]


def test_the_time_course_is_shaded_where_the_component_is_active(atlas):
    course = panels(dy.viz.plot_atlas(atlas), 0)[0]
    bands = [p.get_extents().transformed(course.transData.inverted()) for p in course.patches]
    assert [(round(b.x0, 2), round(b.x1, 2)) for b in bands] == [(4.75, 9.75)]


def test_epochs_that_overlap_more_than_chance_are_starred(atlas):
    course = panels(dy.viz.plot_atlas(atlas), 0)[0]
    assert [t.get_text() for t in course.get_yticklabels()] == ["reversal *", "odour"]


def test_animals_that_do_not_express_a_component_are_grey(atlas):
    bars = panels(dy.viz.plot_atlas(atlas), 0)[1].patches
    grey = [tuple(np.round(b.get_facecolor()[:3], 2)) == (0.74, 0.74, 0.74) for b in bars]
    assert grey == [False, False, True]


def test_only_the_components_asked_for_are_drawn(atlas):
    host = dy.viz.plot_atlas(atlas, components=[1])
    assert len(host.child_axes) == 4
    assert host.child_axes[0].get_title(loc="left").startswith("component 1")


def test_an_unknown_component_is_refused(atlas):
    with pytest.raises(InputError, match=r"no components 7; it has 0, 1"):
        dy.viz.plot_atlas(atlas, components=[0, 7])


@pytest.mark.parametrize("name", ["pair_factor", "community", "node_strength", "source"])
def test_what_an_atlas_lacks_is_named(atlas, name):
    with pytest.raises(InputError, match=f"missing '{name}'"):
        dy.viz.plot_atlas(atlas.drop_vars(name))
