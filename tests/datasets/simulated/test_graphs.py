"""Evidence for simulated/graphs.py: the number of edges is exact, and their pattern is the planted one."""

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import labels, schema
from dynome.datasets import make_connectome
from dynome.errors import InputError

KINDS = ("sbm", "degree_corrected", "spatial")


def ends(wiring):
    return (labels.positions(wiring[end].values, wiring.node.values) for end in ("source", "target"))


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    n_nodes=st.integers(2, 40),
    density=st.floats(0, 0.7),
    n_communities=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_edges_are_as_many_as_asked_distinct_and_without_loops(kind, n_nodes, density, n_communities, seed):
    options = {"n_communities": min(n_communities, n_nodes), "length": 0.5, "random_state": seed}
    wiring = make_connectome(n_nodes, density=density, kind=kind, **options)
    source, target = ends(wiring)
    assert source.size == round(density * n_nodes * (n_nodes - 1))
    assert len(set(zip(source.tolist(), target.tolist(), strict=True))) == source.size
    assert (source != target).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_graph_can_be_had(kind):
    wiring = make_connectome(12, density=1.0, kind=kind, preference=2, length=1.0, n_communities=2, random_state=0)
    assert wiring.sizes["edge"] == 12 * 11


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_graph_and_another_another(kind):
    a, b, c = (make_connectome(50, kind=kind, random_state=seed) for seed in (1, 1, 2))
    xr.testing.assert_identical(a, b)
    assert not np.array_equal(a.target, c.target)


@pytest.mark.parametrize("preference", [0.2, 1.0, 10.0])
@pytest.mark.parametrize("n_communities", [2, 7])
def test_the_share_of_edges_within_communities_is_that_of_the_model(preference, n_communities):
    n = 2000
    wiring = make_connectome(n, n_edges=40_000, preference=preference, n_communities=n_communities, random_state=3)
    source, target = ends(wiring)
    community = wiring.community.values
    size = np.bincount(community)
    inside = preference * (size * (size - 1.0)).sum()
    expected = inside / (inside + n**2 - (size**2.0).sum())
    share = (community[source] == community[target]).mean()
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 40_000) + 0.003)


def test_in_and_out_degrees_follow_their_own_propensities():
    wiring = make_connectome(3000, n_edges=60_000, kind="degree_corrected", n_communities=3, random_state=5)
    source, target = ends(wiring)
    out_degree, in_degree = (np.bincount(end, minlength=3000) for end in (source, target))
    assert np.corrcoef(out_degree, wiring.out_propensity)[0, 1] > 0.95
    assert np.corrcoef(in_degree, wiring.in_propensity)[0, 1] > 0.95
    assert abs(np.corrcoef(out_degree, wiring.in_propensity)[0, 1]) < 0.1
    plain = make_connectome(3000, n_edges=60_000, n_communities=3, random_state=5)
    assert np.bincount(next(ends(plain))).std() < 0.3 * out_degree.std()


@pytest.mark.parametrize("length", [0.08, 0.3])
def test_edges_become_rarer_with_distance_by_the_space_constant(length):
    n = 800
    wiring = make_connectome(n, n_edges=8000, kind="spatial", length=length, random_state=7)
    place = np.stack([wiring[axis].values for axis in "xyz"], axis=1)
    source, target = ends(wiring)
    bins = np.linspace(0.02, 6 * length if length < 0.2 else 1.2, 9)
    every = np.linalg.norm(place[:, None] - place[None], axis=-1)[~np.eye(n, dtype=bool)]
    edges = np.linalg.norm(place[source] - place[target], axis=-1)
    rate = np.histogram(edges, bins)[0] / np.histogram(every, bins)[0]
    slope = np.polyfit((bins[1:] + bins[:-1]) / 2, np.log(rate), 1, w=np.sqrt(np.histogram(edges, bins)[0]))[0]
    assert -1 / slope == pytest.approx(length, rel=0.12)


def test_weights_are_synapse_counts_with_mean_three():
    weight = make_connectome(500, n_edges=20_000, random_state=0).weight
    assert weight.dtype.kind == "i"
    assert int(weight.min()) == 1
    assert float(weight.mean()) == pytest.approx(3, abs=0.1)
    assert weight.units == "synapses"


def test_a_hundred_thousand_nodes_and_a_million_edges_are_valid():
    wiring = make_connectome(100_000, n_edges=1_000_000, kind="degree_corrected", random_state=0)
    assert schema.validate(wiring, "connectome").sizes["edge"] == 1_000_000


def test_all_problems_are_told_at_once():
    with pytest.raises(
        InputError, match=r"(?s)density must be between.*no kind of graph is called 'smb'; did you mean 'sbm'"
    ):
        make_connectome(10, density=2, kind="smb")
    with pytest.raises(InputError, match=r"n_edges must be between 0 and 90 for 10 nodes, got 91"):
        make_connectome(10, n_edges=91)
    with pytest.raises(InputError, match="give n_edges or density, not both"):
        make_connectome(10, n_edges=9, density=0.1)
    with pytest.raises(InputError, match=r"(?s)at least 2, got 1.*n_communities.*preference.*length"):
        make_connectome(1, n_communities=0, preference=0, length=-1)


def test_a_graph_too_dense_for_its_structure_says_so(monkeypatch):
    monkeypatch.setattr("dynome.datasets.simulated.sampling._rounds", 1)
    with pytest.raises(InputError, match="could not find 90 distinct edges among 10 nodes"):
        make_connectome(10, density=1.0, random_state=0)
