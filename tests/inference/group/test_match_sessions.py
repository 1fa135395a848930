"""Evidence for group/matched_sessions.py: planted units are found in many sessions, and chance is told as such."""

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.errors import InputError
from dynome.inference import match_sessions

NODES = np.array([f"n{k:02d}" for k in range(18)])


def session(values, nodes, **more) -> xr.Dataset:
    """Strengths (component, node), and the number that each component has in truth."""
    strength = (("component", "node"), values, {"units": "1"})
    return xr.Dataset({"node_strength": strength} | {k: ("component", v) for k, v in more.items()}, {"node": nodes})


def planted(seed: int, sizes, *, noise: float = 0.3, n: int = 3, n_nodes: int = 14) -> dict[str, xr.Dataset]:
    """Sessions of `sizes` per animal: the same `n` components in any order, other nodes missing in each."""
    rng = np.random.default_rng(seed)
    motif = np.kron(np.eye(n), np.ones(NODES.size // n)) * rng.uniform(0.6, 1.4, NODES.size)
    found = {}
    for animal, size in enumerate(sizes):
        for number in range(size):
            order, keep = rng.permutation(n), np.sort(rng.permutation(NODES.size)[:n_nodes])
            values = rng.uniform(0.5, 2) * (motif[order][:, keep] + noise * rng.random((n, n_nodes)))
            found[f"animal_{animal}/{number}"] = session(values, NODES[keep], truth=order.astype(float))
    return found


def pure_noise(seed: int, sizes, *, alike: float = 0.0) -> dict[str, xr.Dataset]:
    """Animals have nothing in common; sessions of an animal are copies with some noise."""
    rng = np.random.default_rng(seed)
    found = {}
    for animal, size in enumerate(sizes):
        own = rng.random((2, NODES.size))
        for number in range(size):
            values = alike * own + (1 - alike) * rng.random(own.shape)
            found[f"animal_{animal}/{number}"] = session(values[rng.permutation(2)], NODES)
    return found


def test_planted_components_are_found_again_in_26_sessions_of_8_animals():
    results = planted(0, [1, 6, 2, 4, 1, 5, 3, 4])
    found = match_sessions(results, n_null=19, random_state=0)
    assert dict(found.sizes) == {"session": 26, "component": 3, "node": 18}
    assert (found.truth == found.truth.isel(session=0)).all()
    assert float(found.match_similarity.min()) > 0.85
    assert (found.shared_p_value == 1 / 20).all()
    assert (found.session_p_value == 1 / 20).all()
    assert found.n_animals.to_numpy().tolist() == [8, 8, 8]
    assert found.animal.to_numpy()[:3].tolist() == ["animal_0", "animal_1", "animal_1"]


def test_nodes_are_joined_by_label_and_absent_ones_are_nan():
    results = planted(1, [1, 1, 1])
    found = match_sessions(results, n_null=0)
    for name, own in results.items():
        one, order = found.sel(session=name), found.original.sel(session=name).to_numpy()
        np.testing.assert_array_equal(one.node_strength.sel(node=own.node), own.node_strength[order])
        assert bool(one.node_strength.drop_sel(node=own.node).isnull().all())
    animals = found.node_strength.mean("session")
    xr.testing.assert_allclose(found.consensus_node_strength, animals.drop_attrs())
    assert "match_p_value" not in found


def test_what_sessions_say_of_animals_counts_once_for_each_animal():
    values = {"a/1": 1.0, "a/2": 1.0, "a/3": 1.0, "b/1": 4.0}
    found = match_sessions({k: session([[v, 2 * v]], ["x", "y"]) for k, v in values.items()}, n_null=0)
    np.testing.assert_allclose(found.consensus_node_strength, [[2.5, 5.0]])


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_neither_the_order_of_components_nor_that_of_nodes_matters(seed):
    rng = np.random.default_rng(seed)
    results = planted(2, [2, 1, 2])
    shuffled = {k: r.isel(component=rng.permutation(3), node=rng.permutation(14)) for k, r in results.items()}
    a, b = (match_sessions(r, n_null=0).sortby("node") for r in (results, shuffled))
    xr.testing.assert_allclose(a[["truth", "match_similarity"]], b[["truth", "match_similarity"]])
    xr.testing.assert_allclose(a.consensus_node_strength, b.consensus_node_strength)


@settings(max_examples=4, deadline=None)
@given(factor=st.floats(1e-3, 1e3))
def test_the_scale_of_a_session_does_not_matter(factor):
    results = planted(3, [1, 1, 2])
    scaled = results | {"animal_0/0": results["animal_0/0"].assign(node_strength=lambda d: d.node_strength * factor)}
    a, b = (match_sessions(r, n_null=0) for r in (results, scaled))
    np.testing.assert_array_equal(a.original, b.original)
    np.testing.assert_allclose(a.match_similarity, b.match_similarity)


def test_a_session_without_the_components_is_told_from_the_others():
    results = planted(4, [2, 1, 2, 1, 1])
    odd = results["animal_2/1"]
    rng = np.random.default_rng(0)
    results["animal_2/1"] = odd.assign(node_strength=odd.node_strength.copy(data=rng.random(odd.node_strength.shape)))
    found = match_sessions(results, n_null=59, random_state=0)
    assert found.session[found.session_q_value > 0.05].to_numpy().tolist() == ["animal_2/1"]


def test_sessions_of_an_animal_that_are_alike_say_nothing_of_other_animals():
    results = pure_noise(5, [2, 3, 2], alike=0.9)
    between = match_sessions(results, n_null=24, random_state=0)
    assert (between.shared_p_value > 0.1).all()
    within = match_sessions(results, n_null=24, random_state=0, block="session")
    assert (within.shared_p_value < 0.05).all()
    assert within.attrs["similarity_to"] == "other sessions"


def test_of_pure_noise_few_components_are_called_shared():
    p = [match_sessions(pure_noise(k, [1, 2, 1]), n_null=19, random_state=k).shared_p_value.min() for k in range(16)]
    assert np.sum(np.array(p) <= 0.05) < 4  # 5 % are expected; 4 of 16 or more would be 1 in 140
    assert np.median(p) > 0.2


def test_components_that_most_sessions_lack_are_left_out_or_nan():
    results = planted(6, [1, 2, 1])
    one, two = results["animal_0/0"], results["animal_2/0"]
    rng = np.random.default_rng(0)
    extra = session(rng.random((1, 14)), one.node, truth=[9.0])
    results["animal_0/0"] = xr.concat([one, extra], "component")
    results["animal_2/0"] = two.isel(component=slice(2))
    found = match_sessions(results, n_null=9, random_state=0)
    assert found.sizes["component"] == 3
    assert (found.truth != 9).all()
    assert found.n_original.to_numpy().tolist() == [4, 3, 3, 2]
    absent = found.original == -1
    assert absent.sum("component").to_numpy().tolist() == [0, 0, 0, 1]
    for name in ("node_strength", "truth", "match_similarity", "match_p_value"):
        assert bool(found[name].isnull().where(absent, True).any("node" if name == "node_strength" else []).all())
    wider = match_sessions(results, n_null=0, number=4)
    assert wider.sizes["component"] == 4
    assert int((wider.truth == 9).sum()) == 1


def coupled(seed: int, n_sessions: int, n_state: int = 3) -> dict[str, xr.Dataset]:
    """Sessions with the same states in any order, each with rates of its own that all states share."""
    rng = np.random.default_rng(seed)
    coupling, bias = rng.normal(size=(n_state, 8, 8)), rng.normal(size=(n_state, 8))
    names, found = NODES[:8], {}
    for k in range(n_sessions):
        order = rng.permutation(n_state)
        transition = (order[:, None] * 10.0 + order) / 10
        found[f"mouse_{k % 9}/day_{k}"] = xr.Dataset(
            {
                "coupling": (("state", "target", "source"), coupling[order] + rng.normal(size=(n_state, 8, 8))),
                "bias": (("state", "node"), bias[order] + 5 * rng.normal(size=8), {"units": "1"}),
                "transition": (("state", "next_state"), transition),
                "occupancy": ("state", order.astype(float)),
                "weight": (("state", "target", "source", "lag"), np.zeros((n_state, 8, 8, 2))),
            },
            {"target": names, "source": names, "node": names, "lag": [0.1, 0.2]},
        )
    return found


def test_planted_states_are_found_again_in_24_sessions():
    found = match_sessions(coupled(0, 24), kind="states", n_null=4, random_state=0)
    order = found.occupancy.isel(session=0)
    assert (found.occupancy == order).all()
    assert (found.shared_p_value == 0.2).all()
    # both dims of a transition go with the states
    expected = (order.to_numpy()[:, None] * 10 + order.to_numpy()) / 10
    np.testing.assert_allclose(found.transition.isel(session=7), expected)
    assert "weight" not in found  # lags are numbers, not labels


def test_clusters_of_nodes_are_matched_from_their_labels():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], 6)
    results = {}
    for k in range(5):
        numbers = rng.permutation(3)[truth]
        numbers[rng.integers(18)] = -1
        data = xr.Dataset(
            {"cluster_maxpear": ("node", numbers)}, {"node": NODES, "region": ("node", truth.astype(str))}
        )
        results[f"m{k}"] = xr.DataTree.from_dict({"/clustering": data, "/other": xr.Dataset({"x": 1.0})})
    found = match_sessions(results, kind="clusters", n_null=19, random_state=0)
    assert (found.shared_p_value == 0.05).all()
    assert found.region.to_numpy().tolist() == truth.astype(str).tolist()
    regions = found.member.groupby("region").mean().mean("session")
    assert sorted(regions.argmax("region").to_numpy().tolist()) == [0, 1, 2]
    np.testing.assert_allclose(found["size"].sum("cluster"), 17)


def test_pairs_are_the_same_whatever_the_order_of_nodes():
    rng = np.random.default_rng(0)
    first, second = np.triu_indices(6, 1)
    matrix = rng.random((2, 6, 6))
    matrix += matrix.transpose(0, 2, 1)
    results = {}
    for k in range(3):
        at = rng.permutation(6)
        a, b = NODES[at][first], NODES[at][second]
        coords = {"pair": np.char.add(np.char.add(a, "|"), b), "source": ("pair", a), "target": ("pair", b)}
        results[f"w{k}"] = xr.Dataset(
            {"pair_factor": (("pair", "component"), matrix[:, at[first], at[second]].T)}, coords
        )
    found = match_sessions(results, n_null=0)
    assert found.sizes["pair"] == 15
    np.testing.assert_allclose(found.match_similarity, 1)
    np.testing.assert_allclose(found.pair_factor.std("session"), 0, atol=1e-12)
    assert (found.source < found.target).all()


def test_regions_stand_for_nodes_that_are_others_in_each_session():
    rng = np.random.default_rng(0)
    results = {}
    for k in range(6):
        region = rng.choice(["V1", "LM", "AL", "PM", "AM"], 30)
        region[:5] = ["V1", "LM", "AL", "PM", "AM"]
        order = rng.permutation(2)
        level = np.stack([region == "V1", region == "AM"]) + 0.2 * rng.random((2, 30))
        own = session(level[order], [f"unit_{k}_{i}" for i in range(30)], truth=order.astype(float))
        results[f"m{k}"] = own.assign_coords(region=("node", region))
    found = match_sessions(results, by="region", n_null=0)
    assert (found.truth == found.truth.isel(session=0)).all()
    with pytest.raises(InputError, match=r"shares no node label .*compare regions or cell types with by="):
        match_sessions(results)
    with pytest.raises(InputError, match=r"m0: nodes have no coordinate 'layer'"):
        match_sessions(results, by="layer")


def test_a_truth_or_a_session_can_be_what_all_are_matched_to():
    results = planted(7, [1, 1, 2])
    motif = np.kron(np.eye(3), np.ones(6))[[2, 0, 1]]
    found = match_sessions(results, reference=session(motif, NODES), n_null=19, random_state=0)
    assert found.truth.isel(session=0).to_numpy().tolist() == [2, 0, 1]
    assert (found.shared_p_value == 0.05).all()
    assert found.attrs["similarity_to"] == "the reference"
    assert "\0" not in str(found.session.to_numpy().tolist())
    own = match_sessions(results, reference="animal_1/0", n_null=19, random_state=0)
    assert own.original.sel(session="animal_1/0").to_numpy().tolist() == [0, 1, 2]
    assert bool(own.match_similarity.sel(session="animal_1/0").isnull().all())  # it does not judge itself
    assert (own.truth == own.truth.isel(session=0)).all()


def test_the_same_seed_gives_the_same_numbers_and_inputs_stay_as_they_were():
    results = planted(8, [1, 1, 1])
    before = {k: r.copy(deep=True) for k, r in results.items()}
    a, b = (match_sessions(results, n_null=5, random_state=3) for _ in range(2))
    xr.testing.assert_identical(a, b)
    for name in results:
        xr.testing.assert_identical(results[name], before[name])
    drawn = match_sessions(results, n_null=5)
    again = match_sessions(results, n_null=5, random_state=drawn.attrs["random_state"])
    xr.testing.assert_identical(drawn, again)


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda r: r, {"kind": "motifs"}, r"kind must be one of 'components', 'states', 'clusters', got 'motifs'"),
        (lambda r: r, {"n_null": -1, "number": 0}, r"number must be .* got 0\n.*n_null must be .* got -1"),
        (lambda r: r, {"block": "litter"}, r"block must be one of 'animal', 'session', got 'litter'"),
        (lambda r: r, {"reference": "x"}, r"the reference 'x' is no session, there are 'animal_0/0'"),
        (lambda r: r, {"variables": ["rate"]}, r"animal_0/0: expected 'rate' over component and nodes, found"),
        (lambda r: r, {"kind": "states"}, r"animal_0/0 has no states .*dim 'state'.*\n.*animal_1/0 has no states"),
        (lambda r: {"a/1": r["animal_0/0"]}, {}, r"at least 2 are needed, found 1"),
        (lambda r: {f"a/{k}": v for k, v in enumerate(r.values())}, {}, r"one animal, 'a'.*give block='session'"),
        (lambda r: list(r.values()), {}, r"expected a mapping of session to result, found list"),
        (lambda r: r | {"z": r["animal_0/0"] * np.inf}, {}, r"z has infinite values in 'node_strength'"),
        (lambda r: r | {"z": 3}, {}, r"z has no components .*found a int"),
    ],
)
def test_bad_input_is_told(change, arguments, message):
    with pytest.raises(InputError, match=message):
        match_sessions(change(planted(9, [1, 1])), **arguments)


def test_what_sessions_share_knows_what_made_them_if_all_were_made_alike():
    results = planted(0, [1, 1, 1])
    alike = {name: one.assign_attrs(estimator="NonnegativeCP") for name, one in results.items()}
    assert match_sessions(alike, n_null=0).attrs["estimator"] == "NonnegativeCP"
    mixed = {**alike, next(iter(alike)): next(iter(results.values())).assign_attrs(estimator="DynamicConnectome")}
    assert "estimator" not in match_sessions(mixed, n_null=0).attrs
