"""Evidence for batch.summarize and batch.concatenate."""

import numpy as np
import pytest
import xarray as xr

from dynome import batch
from dynome.errors import InputError


def results_of(values):
    return {f"animal{k}/s0": xr.Dataset({"fit": value, "rates": ("node", [value, value + 2])}) for k, value in values}


def test_numbers_stand_as_they_are_and_arrays_by_their_mean():
    found = batch.summarize(results_of(enumerate([1.0, 2.0, 3.0])))
    np.testing.assert_array_equal(found.value.sel(quantity="fit"), [1, 2, 3])
    np.testing.assert_array_equal(found.value.sel(quantity="rates"), [2, 3, 4])
    assert found.animal.to_numpy().tolist() == ["animal0", "animal1", "animal2"]


def test_the_session_that_stands_out_is_found_and_no_other():
    values = [*np.random.default_rng(0).normal(size=20), 9.0]
    found = batch.summarize(results_of(enumerate(values)), variables=["fit"])
    assert found.session[found.outlier.squeeze().to_numpy()].to_numpy().tolist() == ["animal20/s0"]


def test_robust_z_is_that_of_iglewicz_and_hoaglin():
    found = batch.summarize(results_of(enumerate([1.0, 2.0, 4.0])), variables=["fit"])
    np.testing.assert_allclose(found.robust_z.squeeze(), [-0.6745, 0.0, 2 * 0.6745])


def test_a_session_without_a_quantity_has_nan_and_counts_nowhere():
    results = results_of(enumerate([1.0, 2.0, 3.0])) | {"animal9/s0": xr.Dataset({"other": 7.0})}
    found = batch.summarize(results)
    assert np.isnan(found.value.sel(session="animal9/s0", quantity="fit"))
    assert int(found.n.sel(quantity="fit")) == 3
    assert float(found["median"].sel(quantity="fit")) == 2.0


def test_trees_and_attributes_are_read_too():
    tree = xr.DataTree.from_dict({"/fit": xr.Dataset({"score": 0.5})})
    tree.attrs["n_iter"] = 12
    found = batch.summarize({"a": tree})
    assert dict(zip(found["quantity"].to_numpy().tolist(), found.value[0].to_numpy().tolist(), strict=True)) == {
        "n_iter": 12.0,
        "fit/score": 0.5,
    }


def test_arrays_are_joined_by_labels_not_by_place():
    one = xr.DataArray([1.0, 2.0], coords={"node": ["a", "b"]}, name="rate")
    two = xr.DataArray([3.0, 4.0], coords={"node": ["b", "c"]}, name="rate")
    joined = batch.concatenate({"x/1": one, "x/2": two}, "rate")
    np.testing.assert_array_equal(joined.sel(node=["a", "b", "c"]), [[1, 2, np.nan], [np.nan, 3, 4]])
    assert joined.animal.to_numpy().tolist() == ["x", "x"]


def test_what_cannot_be_joined_is_told():
    one = xr.DataArray([1.0], coords={"node": ["a"]}, name="rate")
    with pytest.raises(InputError, match=r"'b' have no 'rate'"):
        batch.concatenate({"a": one, "b": one.rename("other")}, "rate")
    with pytest.raises(InputError, match="different dims"):
        batch.concatenate({"a": one, "b": one.rename(node="source")}, "rate")
    with pytest.raises(InputError, match="no results"):
        batch.summarize({})
    with pytest.raises(InputError, match="no session has numbers called 'fits'"):
        batch.summarize({"a": one}, variables=["fits"])


def test_what_tells_of_the_run_is_no_number_of_the_session_unless_asked_for():
    results = {f"worm{k}": xr.Dataset({"fit": 1.0 + k}, attrs={"seconds": 9.0**k, "random_state": k}) for k in range(4)}
    assert batch.summarize(results).quantity.to_numpy().tolist() == ["fit"]
    assert batch.summarize(results, ["seconds"]).value.to_numpy().ravel().tolist() == [1.0, 9.0, 81.0, 729.0]
