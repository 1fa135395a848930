"""Evidence for connectome/metrics/tail_laws.py: each law is recognised in draws from it."""

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from scipy.stats import zipf

from dynome.connectome import degree, degree_laws
from dynome.errors import InputError


def drawn(law, n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "power_law": lambda: rng.zipf(2.5, n),
        "lognormal": lambda: np.maximum(np.rint(rng.lognormal(2.5, 0.6, n)), 1),
        "exponential": lambda: rng.geometric(0.1, n),
    }[law]().astype(int)


@pytest.mark.parametrize("law", ["power_law", "lognormal", "exponential"])
def test_each_law_is_recognised_in_draws_from_it(law):
    found = degree_laws(drawn(law), min_degree=1)
    best = found.aic.idxmin().item()
    assert best == law or (law == "power_law" and found.aic.sel(law="power_law") < found.aic.min() + 3)
    assert found.ks_distance.sel(law=law) < 0.03
    others = [name for name in found.law.values if name != law]
    assert (found.ks_distance.sel(law=others) > found.ks_distance.sel(law=law) * 0.9).all()


def test_parameters_are_recovered():
    assert float(degree_laws(drawn("power_law"), min_degree=1).exponent) == pytest.approx(2.5, abs=0.08)
    assert float(degree_laws(drawn("exponential"), min_degree=1).rate) == pytest.approx(-np.log(0.9), rel=0.06)
    found = degree_laws(drawn("lognormal"), min_degree=1)
    assert float(found.log_mean) == pytest.approx(2.5, abs=0.06)
    assert float(found.log_sd) == pytest.approx(0.6, abs=0.05)


def test_the_likelihood_of_a_power_law_is_that_of_scipy():
    counts = drawn("power_law", 300)
    found = degree_laws(counts, min_degree=1)
    assert found.log_likelihood.sel(law="power_law") == pytest.approx(zipf.logpmf(counts, float(found.exponent)).sum())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), start=st.integers(1, 5))
def test_survival_is_a_distribution_over_the_tail(seed, start):
    counts = np.random.default_rng(seed).negative_binomial(2, 0.15, 200)
    found = degree_laws(counts, min_degree=start)
    tail = counts[counts >= start]
    np.testing.assert_allclose(found.observed, [(tail >= k).mean() for k in found.degree.values])
    assert (np.diff(found.survival, axis=1) < 0).all()
    assert (found.survival <= 1 + 1e-9).all()
    if found.degree[0] == start:
        np.testing.assert_allclose(found.survival[:, 0], 1, atol=1e-9)


def test_the_tail_begins_where_the_power_law_begins():
    rng = np.random.default_rng(0)
    tail = np.rint((10 - 0.5) * (1 - rng.random(2000)) ** (-1 / 1.7) + 0.5)
    counts = np.append(tail[tail < 1e6], rng.integers(1, 10, 2000)).astype(int)
    found = degree_laws(counts)
    assert 8 <= int(found.min_degree) <= 14
    assert float(found.exponent) == pytest.approx(2.7, abs=0.15)


def test_degrees_of_a_connectome_are_what_is_fitted(wiring):
    made = wiring(0, 40, 300)
    for direction, name in (("total", "degree"), ("in", "in_degree"), ("out", "out_degree")):
        xr.testing.assert_identical(
            degree_laws(made, direction=direction, min_degree=2).drop_attrs(),
            degree_laws(degree(made)[name].values, min_degree=2).drop_attrs(),
        )


def test_what_cannot_be_fitted_is_told(wiring):
    with pytest.raises(InputError, match="found 3 nodes of degree 1 or more; lower min_degree"):
        degree_laws([1, 2, 3])
    with pytest.raises(InputError, match="two distinct degrees"):
        degree_laws(np.full(30, 4))
    with pytest.raises(InputError, match="counts must be whole numbers from 0"):
        degree_laws([0.5, 1.0])
    with pytest.raises(InputError, match='min_degree must be at least 1 or "auto", got 0'):
        degree_laws(np.arange(30), min_degree=0)
    with pytest.raises(InputError, match="direction must be one of"):
        degree_laws(wiring(0), direction="up")
