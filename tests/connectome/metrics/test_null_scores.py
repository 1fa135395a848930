"""Evidence for connectome/metrics/tables.py: planted structure stands out, random wiring does not."""

import numpy as np
import pytest
import xarray as xr

from dynome.connectome import degree, from_edges, null_connectome, null_scores, rewire
from dynome.errors import InputError


def feedforward(seed=0, n=60):
    """A graph whose triangles are all feed-forward."""
    rng = np.random.default_rng(seed)
    a, b = np.nonzero(np.triu(rng.random((n, n)) < 0.25, 1))
    return from_edges({"source": a.astype(str), "target": b.astype(str)}, node=[str(k) for k in range(n)])


def test_feed_forward_triangles_are_in_excess_of_cycles_in_a_layered_graph():
    found = null_scores(feedforward(), "triads", n_null=30, random_state=0)
    assert found.z_score.sel(metric="triads 030C") < -2
    assert found.observed.sel(metric="triads 030C") == 0
    assert found.sizes["metric"] == 13
    xr.testing.assert_identical(found, null_scores(feedforward(), "triads", n_null=30, random_state=0))


def test_a_null_connectome_is_not_significant_against_nulls():
    made = rewire(feedforward(), random_state=5)
    found = null_scores(made, ["reciprocity", "clustering", "efficiency"], n_null=60, random_state=0)
    assert (found.p_value > 0.01).all()
    assert (abs(found.z_score) < 3.5).all()


def test_what_a_null_keeps_has_no_spread():
    found = null_scores(feedforward(), "density", n_null=5, random_state=0)
    assert found.null_sd == 0
    assert np.isnan(found.z_score)
    assert found.p_value == 1


def test_functions_of_a_connectome_are_scored_under_their_names():
    def hubs(connectome):
        return degree(connectome).in_degree.max()

    def levels(connectome):
        return xr.DataArray([1.0, 2.0], dims="level", coords={"level": ["low", "high"]})

    found = null_scores(feedforward(), [hubs, levels, "density"], null="erdos_renyi", n_null=5, random_state=0)
    assert found.metric.values.tolist() == ["hubs", "levels low", "levels high", "density"]
    assert found.draws.sel(metric="hubs").std() > 0


def test_scores_are_those_of_the_draws():
    found = null_scores(feedforward(), "reciprocity", n_null=9, random_state=3)
    assert found.null_mean == pytest.approx(float(found.draws.mean()))
    assert found.p_value >= 2 / 10
    assert null_connectome(feedforward(), "degree").sizes == feedforward().sizes


def test_what_cannot_be_scored_is_told():
    with pytest.raises(InputError, match="n_null must be at least 2"):
        null_scores(feedforward(), "density", n_null=1)
    with pytest.raises(InputError, match="metrics need names of their own"):
        null_scores(feedforward(), ["density", "density"], n_null=2)
    with pytest.raises(InputError, match="must return a number or an array with one labelled dim"):
        null_scores(feedforward(), lambda c: xr.DataArray(np.zeros((2, 2))), n_null=2)
