"""Evidence for connectome/layout.py: the same drawing every time, neighbours near, nothing far away."""

import numpy as np
import pytest
import scipy.sparse
import xarray as xr

from dynome.connectome import from_adjacency, from_edges, node_positions, to_dense
from dynome.connectome.layout import spring_places
from dynome.errors import InputError

METHODS = ["spring", "spectral", "circular"]


def ring(n):
    names = [f"n{k:02d}" for k in range(n)]
    return from_edges({"source": names, "target": names[1:] + names[:1]}, node=names)


def distances(place):
    x, y = place.x.to_numpy(), place.y.to_numpy()
    return np.hypot(x[:, None] - x, y[:, None] - y)


@pytest.mark.parametrize("method", METHODS)
def test_a_drawing_is_repeated_exactly_and_fits_the_page(wiring, method):
    made = wiring(0, 30, 80).assign_coords(region=("node", ["head"] * 30))
    place = node_positions(made, method=method)
    xr.testing.assert_identical(place, node_positions(made, method=method))
    assert place.x.attrs == place.y.attrs == {"units": "1"}
    assert place.region.values.tolist() == ["head"] * 30
    for axis in (place.x, place.y):
        assert np.isfinite(axis).all()
        assert np.abs(axis).max() <= 1 + 1e-12
    assert max(float(abs(place.x).max()), float(abs(place.y).max())) == pytest.approx(1)


@pytest.mark.parametrize("method", ["spring", "spectral"])
def test_neighbours_on_a_ring_are_neighbours_on_the_page(method):
    apart = distances(node_positions(ring(24), method=method))
    beside = np.array([apart[k, (k + 1) % 24] for k in range(24)])
    assert beside.max() < 0.5 * np.median(apart[np.triu_indices(24, 1)])


@pytest.mark.parametrize("method", ["spring", "spectral"])
def test_two_groups_are_drawn_apart_even_without_an_edge_between_them(method):
    block = np.kron(np.eye(2), np.ones((10, 10))) - np.eye(20)
    apart = distances(
        node_positions(from_adjacency(block, node=[f"n{k}" for k in range(20)], units="1"), method=method)
    )
    inside = np.concatenate([part[np.triu_indices(10, 1)] for part in (apart[:10, :10], apart[10:, 10:])])
    assert apart[:10, 10:].mean() > 2 * inside.mean()


def test_lonely_nodes_stay_on_the_page():
    made = from_edges({"source": list("abc"), "target": list("bca")}, node=list("abcxy"))
    apart = distances(node_positions(made))
    assert apart[3, 4] > 0.05
    assert apart.max() < 3


def test_the_direction_and_the_sign_of_edges_do_not_matter(wiring):
    weight = to_dense(wiring(1, 20, 60))
    turned = weight.copy(data=-weight.to_numpy().T)
    for method in METHODS:
        xr.testing.assert_allclose(node_positions(weight, method=method), node_positions(turned, method=method))


def test_nodes_do_not_fall_on_each_other():
    alike = scipy.sparse.csr_array(np.ones((6, 6)) - np.eye(6))
    place = spring_places(alike, np.random.default_rng(0))
    apart = np.linalg.norm(place[:, None] - place, axis=-1)[np.triu_indices(6, 1)]
    assert apart.min() > 0.3


def test_positions_that_are_known_are_replaced_by_those_on_the_page():
    made = from_edges(
        {"source": ["a"], "target": ["b"]},
        node=["a", "b"],
        node_coords={n: [1.0, 2] for n in "xyz"},
        units=dict.fromkeys("xyz", "um"),
    )
    assert set(node_positions(made).variables) == {"node", "x", "y"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_nodes_have_places_too(method, n):
    made = from_edges({"source": [], "target": []}, node=[f"n{k}" for k in range(n)])
    place = node_positions(made, method=method)
    assert place.sizes["node"] == n
    assert np.isfinite(place.x).all()


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="method must be one of 'spring', 'spectral', 'circular', got 'star'"):
        node_positions(ring(4), method="star")
    many = from_edges({"source": ["0"], "target": ["1"]}, node=[str(k) for k in range(11_000)])
    with pytest.raises(InputError, match="11000 nodes are too many to draw this way"):
        node_positions(many)
    assert node_positions(many, method="circular").sizes["node"] == 11_000
