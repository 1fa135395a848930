"""Evidence for connectivity averaged over animals: Fisher's z, missing pairs, errors."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from dynome.dynamics import functional_connectivity, mean_connectivity
from dynome.errors import InputError

ENDS = {"source": list("abc"), "target": list("abc")}


def correlations(seed=0, n_animal=4):
    x = np.random.default_rng(seed).standard_normal((n_animal, 50, 3))
    activity = xr.DataArray(x, dims=("animal", "time", "node"), coords={"node": list("abc")}, attrs={"units": "1"})
    return functional_connectivity(activity)


def test_the_mean_is_that_of_fishers_z():
    fc = correlations()
    mean = mean_connectivity(fc)
    expected = np.tanh(np.arctanh(fc.sel(source="a", target="b")).mean())
    assert float(mean.sel(source="a", target="b")) == pytest.approx(float(expected))
    np.testing.assert_allclose(np.diag(mean), 1.0)
    np.testing.assert_allclose(mean, mean.T)
    assert mean.attrs["units"] == "1"


def test_a_pair_counts_where_it_was_recorded():
    fc = correlations()
    fc = fc.where(~((fc.animal > 0) & (fc.source == "a") & (fc.target == "b")))
    assert int(mean_connectivity(fc).n_averaged.sel(source="a", target="b")) == 1
    assert float(mean_connectivity(fc).sel(source="a", target="b")) == pytest.approx(
        float(fc[0].sel(source="a", target="b"))
    )
    assert np.isnan(mean_connectivity(fc, min_count=2).sel(source="a", target="b"))


def test_lazy_input_stays_lazy():
    fc = correlations()
    lazy = mean_connectivity(fc.chunk(animal=1))
    xr.testing.assert_allclose(lazy.compute(), mean_connectivity(fc))


def test_what_is_no_correlation_is_refused():
    with pytest.raises(InputError, match="expected dims animal, source and target"):
        mean_connectivity(correlations()[0])
    with pytest.raises(InputError, match="expected correlations between -1 and 1"):
        mean_connectivity(correlations() * 3)
    with pytest.raises(InputError, match="min_count must be at least 1"):
        mean_connectivity(correlations(), min_count=0)
