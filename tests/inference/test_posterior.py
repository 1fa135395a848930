"""Evidence for the doorway of posteriors: what PyMC and ArviZ give and take, on either side of ArviZ 1."""

import numpy as np
import pytest
import xarray as xr

import dynome as dy
from dynome.errors import InputError

az = pytest.importorskip("arviz")


def draws(seed=0):
    return np.random.default_rng(seed).normal(size=(2, 50, 3))


def test_arrays_become_a_posterior_with_chains_and_draws():
    tree = dy.inference.to_datatree({"rate": draws(), "scale": draws()[..., 0]})
    assert tree["posterior"]["rate"].dims == ("chain", "draw", "rate_dim_0")
    assert tree["posterior"]["scale"].dims == ("chain", "draw")
    assert tree["posterior"]["chain"].to_numpy().tolist() == [0, 1]


def test_groups_become_groups_and_observations_have_no_chains():
    given = {"posterior": {"rate": draws()}, "observed_data": {"y": np.arange(4.0)}}
    tree = dy.inference.to_datatree(given)
    assert tree["observed_data"]["y"].dims == ("y_dim_0",)
    assert set(tree.children) == {"posterior", "observed_data"}


def test_datasets_and_trees_go_in_as_they_are():
    dataset = xr.Dataset({"rate": (("chain", "draw", "node"), draws())}, {"node": list("abc")})
    tree = dy.inference.to_datatree(dataset)
    xr.testing.assert_identical(tree["posterior"].to_dataset(), dataset)
    assert dy.inference.to_datatree(tree) is tree


def test_what_arviz_makes_comes_in_and_goes_back():
    newer = int(az.__version__.split(".")[0]) >= 1
    made = az.from_dict({"posterior": {"rate": draws()}}) if newer else az.from_dict(posterior={"rate": draws()})
    tree = dy.inference.to_datatree(made)
    assert isinstance(tree, xr.DataTree)
    np.testing.assert_array_equal(tree["posterior"]["rate"], draws())
    tree["own"] = xr.DataTree(xr.Dataset({"a": 1}))
    back = dy.inference.to_arviz(tree)
    assert type(back) is type(made)
    np.testing.assert_array_equal(back["posterior"]["rate"], draws())
    assert list(az.summary(back).index) == [f"rate[{k}]" for k in range(3)]


def test_what_is_no_posterior_is_told():
    with pytest.raises(InputError, match="an InferenceData, a Dataset or a dict of draws, got a list"):
        dy.inference.to_datatree([1, 2])
    with pytest.raises(InputError, match="rate must be an array of numbers or strings with the dims chain"):
        dy.inference.to_datatree({"rate": np.zeros(3)})
    with pytest.raises(InputError, match="expected groups such as posterior and sample_stats, found 'own'"):
        dy.inference.to_arviz(xr.DataTree.from_dict({"/own": xr.Dataset({"a": 1})}))
