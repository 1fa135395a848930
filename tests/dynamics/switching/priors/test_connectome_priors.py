"""Evidence for connectomes as priors on classes: how classes are read, and what is learnt with right and wrong ones."""

import numpy as np
import pytest
from simulated_couplings import balanced, fitted, hard_classes, wiring

from dynome.connectome import from_edges
from dynome.datasets import load_celegans_connectome
from dynome.dynamics.switching.priors.one_hot import OneHotPrior
from dynome.dynamics.switching.priors.wiring import connectome_classes
from dynome.errors import InputError, SchemaError

INH, NONE, EXC = 0, 1, 2


def classes_of(*edges, nodes=("a", "b", "c"), units="synapses", **columns):
    """Class probabilities (target, source, 3) of edges (source, target, weight); node d drives all others."""
    source, target, weight = zip(*edges, *(("d", x, edges[0][2]) for x in "abc"), strict=True)
    unknown = {"sign": 0, "neurotransmitter": "", "edge_type": "chemical"}
    more = {name: [*values, *[unknown[name]] * 3] for name, values in columns.items()}
    table = {"source": source, "target": target, "weight": weight} | more
    return connectome_classes(from_edges(table, units=units), list(nodes))


def told(table, seed, right=True):
    """What a connectome that knows the class tables would say of the edges; a wrong one has its nodes mixed up."""
    order = np.random.default_rng(seed).permutation(len(table))
    likely = np.eye(3)[table.argmax(-1)] * 0.9 + 0.1 / 3
    return likely if right else likely[np.ix_(order, order)]


def test_presence_grows_with_the_count_and_absence_is_never_certain():
    few, many = classes_of(("a", "b", 1))[1, 0], classes_of(("a", "b", 30))[1, 0]
    assert few[NONE] == pytest.approx(0.49)
    assert many[NONE] < 0.05
    absent = classes_of(("a", "b", 1))[2, 0]
    np.testing.assert_allclose(absent, [0.01, 0.98, 0.01])


def test_rows_are_targets_and_columns_sources():
    found = classes_of(("a", "b", 5))
    assert found[1, 0, NONE] < 0.2 < found[0, 1, NONE]


def test_signs_are_used_and_unknown_signs_are_shared_out():
    found = classes_of(("a", "b", 9), ("a", "c", 9), ("b", "c", 9), sign=[-1, 1, 0])
    assert found[1, 0, INH] > 0.85 > 0.05 > found[1, 0, EXC]
    assert found[2, 0, EXC] > 0.85 > 0.05 > found[2, 0, INH]
    assert found[2, 1, INH] == found[2, 1, EXC]


def test_transmitters_decide_where_no_sign_is_told():
    edges = ("a", "b", 9), ("a", "c", 9), ("b", "c", 9), ("c", "b", 9)
    transmitters = ["GABA", "acetylcholine", "glutamate", "gaba"]
    found = classes_of(*edges, neurotransmitter=transmitters, sign=[0, 0, 0, 1])
    assert found[1, 0].argmax() == INH
    assert found[2, 0].argmax() == EXC
    assert found[2, 1, INH] == found[2, 1, EXC]
    assert found[1, 2].argmax() == EXC


def test_gap_junctions_excite_in_both_directions_and_edge_types_add_up():
    apart = classes_of(("a", "b", 2), edge_type=["gap_junction"])
    assert apart[1, 0].argmax() == apart[0, 1].argmax() == EXC
    both = classes_of(("a", "b", 2), ("a", "b", 2), edge_type=["chemical", "gap_junction"])
    assert both[1, 0, NONE] < apart[1, 0, NONE]


def test_weights_without_a_count_are_taken_in_medians_and_their_signs_kept():
    one = classes_of(("a", "b", 0.5), ("b", "c", -0.5), ("a", "c", 5.0), units="1")
    ten = classes_of(("a", "b", 5.0), ("b", "c", -5.0), ("a", "c", 50.0), units="1")
    np.testing.assert_allclose(one, ten)
    assert one[2, 1].argmax() == INH


def test_self_loops_and_nodes_beyond_the_recording_do_not_count():
    found = classes_of(("a", "a", 9), ("d", "b", 9), ("a", "b", 1))
    np.testing.assert_allclose(found[range(3), range(3)], [[0, 1, 0]] * 3)
    np.testing.assert_allclose(found.sum(-1), 1)
    assert found[1, 2, NONE] == pytest.approx(0.98)


def test_the_carried_worm_connectome_has_inhibition_from_gaba_neurons_only():
    nodes = ["AVAL", "AVBL", "RIS", "RMED", "SMDVR", "DD1"]
    found = connectome_classes(load_celegans_connectome(), nodes)
    inhibits = found[..., INH].max(0) > found[..., EXC].max(0) + 0.1
    assert set(np.array(nodes)[inhibits]) <= {"RIS", "RMED", "DD1"}
    assert inhibits.any()


def test_recorded_nodes_without_a_place_in_the_connectome_are_told():
    with pytest.raises(InputError, match=r"the connectome has no 'x', 'y' \(2 of the 3 recorded nodes\).*rename_nodes"):
        classes_of(("a", "b", 1), nodes=["a", "x", "y"])
    with pytest.raises(SchemaError, match="connectome"):
        connectome_classes("a connectome", ["a"])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_right_connectome_is_trusted_and_helps_where_data_are_few(seed):
    classes, true, estimate, information, table = wiring(seed, noise=0.6, tables=True)
    prior = OneHotPrior()
    alone, without = fitted(prior, estimate, information)
    helped, belief = fitted(prior, estimate, information, prior_class=told(table, seed))
    assert belief.tables.trust > 0.5
    assert ((helped - true) ** 2).mean() < 0.96 * ((alone - true) ** 2).mean()
    assert balanced(classes, hard_classes(prior, belief)) > balanced(classes, hard_classes(prior, without)) + 0.05


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("noise", [0.2, 0.6])
def test_a_wrong_connectome_is_not_trusted_and_does_no_harm(seed, noise):
    _, true, estimate, information, table = wiring(seed, noise=noise, tables=True)
    prior = OneHotPrior()
    alone, _ = fitted(prior, estimate, information)
    misled, belief = fitted(prior, estimate, information, prior_class=told(table, seed, right=False))
    assert belief.tables.trust < 0.15
    assert ((misled - true) ** 2).mean() < 1.02 * ((alone - true) ** 2).mean()


def test_trust_is_told_with_the_results():
    _, _, estimate, information, table = wiring(0, n_node=8, tables=True)
    prior = OneHotPrior()
    found = prior.labelled(fitted(prior, estimate, information, prior_class=told(table, 0), n_iter=4)[1])
    dims, value, attrs = found["trust"]
    assert dims == ()
    assert 0 < value < 1
    assert attrs["units"] == "1"


def test_the_share_of_each_class_is_that_of_the_posterior_and_the_background_what_the_connectome_leaves_open():
    classes, _, estimate, information, table = wiring(0, tables=True)
    prior = OneHotPrior()
    found = prior.labelled(fitted(prior, estimate, information, prior_class=told(table, 0))[1])
    posterior = found["edge_class_posterior"][1]
    np.testing.assert_allclose(found["class_frequency"][1], np.nanmean(posterior, axis=(0, 1, 2)))
    np.testing.assert_allclose(found["class_frequency"][1], np.bincount(classes.ravel() + 1) / classes.size, atol=0.03)
    assert found["background_frequency"][1][NONE] < found["class_frequency"][1][NONE] - 0.04
    assert "connectome" in found["background_frequency"][2]["long_name"]


def test_edges_of_nodes_that_the_connectome_does_not_have_are_not_told():
    edges = from_edges(
        {"source": ["a", "a"], "target": ["b", "c"], "weight": [3, 1], "sign": [-1, 1]}, units="synapses"
    )
    found = connectome_classes(edges, ["a", "x", "b", "c"], unknown="frequency")
    kept = [0, 2, 3]
    np.testing.assert_array_equal(found[np.ix_(kept, kept)], connectome_classes(edges, ["a", "b", "c"]))
    np.testing.assert_array_equal(found[1, 1], [0, 1, 0])
    assert np.isnan(found[1, kept]).all()
    assert np.isnan(found[kept, 1]).all()


def test_a_connectome_that_has_no_recorded_node_or_an_unknown_choice_is_refused():
    edges = from_edges({"source": ["a"], "target": ["b"], "weight": [3]}, units="synapses")
    with pytest.raises(InputError, match=r"2 of the 2 recorded nodes.*rename_nodes"):
        connectome_classes(edges, ["x", "y"], unknown="frequency")
    with pytest.raises(InputError, match=r'no \'x\'.*rec\.sel\(node=rec\.labelled\).*unknown="frequency"'):
        connectome_classes(edges, ["a", "b", "x"])
    with pytest.raises(InputError, match="unknown must be one of 'raise', 'frequency', got 'drop'"):
        OneHotPrior(unknown="drop").check()


def test_a_connectome_that_tells_nothing_is_no_connectome():
    _, _, estimate, information, table = wiring(0, n_node=10, tables=True)
    prior = OneHotPrior()
    alone, _ = fitted(prior, estimate, information)
    silent, belief = fitted(prior, estimate, information, prior_class=np.full(table.shape, np.nan))
    np.testing.assert_allclose(silent, alone, atol=1e-10)
    assert belief.tables.trust == pytest.approx(0.5)


def test_a_connectome_of_three_quarters_of_the_nodes_is_trusted_for_their_edges_and_helps_there():
    classes, true, estimate, information, table = wiring(0, noise=0.6, tables=True)
    prior, known = OneHotPrior(), np.s_[:, :15, :15]
    some = told(table, 0)
    some[15:], some[:, 15:] = np.nan, np.nan
    alone, without = fitted(prior, estimate, information)
    helped, belief = fitted(prior, estimate, information, prior_class=some)
    assert belief.tables.trust > 0.5
    assert ((helped - true)[known] ** 2).mean() < 0.96 * ((alone - true)[known] ** 2).mean()
    before, after = (balanced(classes[known], hard_classes(prior, b)[known]) for b in (without, belief))
    assert after > before + 0.05
    untold = np.isnan(belief.tables.told).any(1)
    assert untold.sum() == 20 * 19 - 15 * 14
    np.testing.assert_array_equal(np.unique(belief.tables.base(380)[untold], axis=0), [belief.tables.frequency])


def test_the_objective_rises_where_some_edges_are_not_told():
    _, _, estimate, information, table = wiring(3, n_node=10, tables=True)
    some = told(table, 3)
    some[0], some[:, 0] = np.nan, np.nan
    values = []
    for n_iter in (8, 9, 10, 12, 16, 24):
        coupling, belief = fitted(OneHotPrior(), estimate, information, prior_class=some, n_iter=n_iter)
        misfit = 0.5 * (information * (estimate - coupling) ** 2).sum()
        values.append(OneHotPrior().log_density(coupling, belief) - misfit)
    assert np.isfinite(values).all()
    assert (np.diff(values) > -1e-9).all()
