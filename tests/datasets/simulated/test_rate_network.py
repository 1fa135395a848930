import numpy as np
import pytest
import xarray as xr

from dynome import study
from dynome.connectome import from_edges
from dynome.datasets import make_rate_network
from dynome.errors import InputError


def test_animals_show_different_nodes_of_one_wiring():
    tree = make_rate_network(n_animals=3, n_times=40, n_nodes=20, recorded=0.6, random_state=0)
    seen = [tuple(rec.node.values) for rec in study.sessions(tree).values()]
    assert [len(nodes) for nodes in seen] == [12, 12, 12]
    assert len(set(seen)) == 3
    assert set().union(*seen) <= set(tree["connectome"].node.values)


def test_an_animal_does_not_depend_on_how_many_there_are():
    one = make_rate_network(n_animals=1, n_times=30, n_nodes=10, random_state=1)
    three = make_rate_network(n_animals=3, n_times=30, n_nodes=10, random_state=1)
    xr.testing.assert_identical(one["animal_1"].to_dataset(), three["animal_1"].to_dataset())


def test_gain_is_the_spectral_radius_and_weights_follow_the_wiring():
    tree = make_rate_network(n_animals=1, n_times=10, n_nodes=30, gain=0.7, random_state=2)
    weight, wiring = tree["truth"].weight, tree["connectome"]
    assert np.abs(np.linalg.eigvals(weight.values)).max() == pytest.approx(0.7)
    assert int((weight != 0).sum()) == wiring.sizes["edge"]
    one = weight.sel(source=wiring.source.item(0), target=wiring.target.item(0))
    assert np.sign(one) == wiring.sign[0]
    ratio = np.square(weight.sel(source=wiring.source, target=wiring.target)) / wiring.weight
    for sign in (-1, 1):
        same = ratio.to_numpy()[wiring.sign.to_numpy() == sign]
        np.testing.assert_allclose(same, same[0])
    assert float(weight.sum()) == pytest.approx(0, abs=1e-9)


def test_one_step_ahead_regression_finds_the_weights():
    tree = make_rate_network(1, 20_000, n_nodes=12, rate=10.0, gain=0.9, noise=0.0, recorded=1.0, random_state=3)
    x = tree["animal_1"].activity.to_numpy()
    x = x - x.mean(axis=0)
    step = np.linalg.lstsq(x[:-1], x[1:], rcond=None)[0]
    off = ~np.eye(12, dtype=bool)
    truth = tree["truth"].weight.to_numpy()
    assert np.corrcoef(step[off], truth[off])[0, 1] > 0.9


def test_measured_signs_are_kept():
    wiring = from_edges({"source": ["a", "b", "c"], "target": ["b", "c", "a"], "sign": [-1, 1, -1]})
    tree = make_rate_network(1, 10, wiring=wiring, recorded=1.0, random_state=0)
    assert tree["connectome"].sign.values.tolist() == [-1, 1, -1]


def test_a_wiring_without_edges_leaves_independent_nodes():
    wiring = from_edges({"source": ["a"], "target": ["b"]}).isel(edge=slice(0, 0))
    tree = make_rate_network(1, 9000, wiring=wiring, recorded=1.0, random_state=0)
    assert abs(np.corrcoef(tree["animal_1"].activity.to_numpy().T)[0, 1]) < 0.1


def test_arguments_out_of_range_are_told_together():
    with pytest.raises(InputError, match=r"n_animals(.|\n)*rate must be positive(.|\n)*recorded must be above 0"):
        make_rate_network(0, rate=0.0, recorded=0.0)
