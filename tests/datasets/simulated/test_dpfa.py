"""Evidence for simulated/dpfa.py: the published design, smooth and centred trajectories, Poisson spikes."""

import numpy as np
import pytest
import xarray as xr

from dynome import schema
from dynome.datasets import make_dpfa
from dynome.errors import InputError


@pytest.fixture(scope="module")
def data():
    return make_dpfa(random_state=0)


def test_the_default_has_ten_clusters_of_five(data):
    assert dict(data.spike_count.sizes) == {"time": 1000, "node": 50}
    assert np.bincount(data.true_cluster).tolist() == [5] * 10
    assert float(data.true_bias.mean()) == pytest.approx(0, abs=1e-12)
    schema.validate(data, "recording")


def test_trajectories_are_smooth_centred_and_orthogonal(data):
    latent = data.true_latent.to_numpy()
    np.testing.assert_allclose(latent.mean(axis=0), 0, atol=1e-12)
    assert np.abs(np.diff(latent, axis=0)).max() < 0.35  # knots are at least 28 bins apart
    product = (latent[..., 1] * latent[..., 2]).sum(axis=0)
    np.testing.assert_allclose(product, 0, atol=1e-9)
    assert (latent[..., 0].std(axis=0) > latent[..., 1].std(axis=0)).mean() > 0.8


def test_spikes_are_poisson_with_the_mean_that_the_truth_gives(data):
    latent = data.true_latent.to_numpy()[:, data.true_cluster.to_numpy()]
    psi = data.true_bias.to_numpy() + latent[..., 0] + (latent[..., 1:] * data.true_loading.to_numpy()).sum(axis=-1)
    np.testing.assert_allclose(data.true_mean, np.exp(psi))
    z = (data.spike_count - data.true_mean) / np.sqrt(data.true_mean)
    assert abs(float(z.mean())) < 5 / np.sqrt(z.size)
    assert float(z.var()) == pytest.approx(1, abs=0.05)


def test_the_seed_repeats_it_and_gaps_can_be_had():
    xr.testing.assert_identical(make_dpfa(2, n_times=100, random_state=1), make_dpfa(2, n_times=100, random_state=1))
    gappy = make_dpfa(2, n_times=400, missing=0.3, random_state=1)
    assert float(gappy.spike_count.isnull().mean()) == pytest.approx(0.3, abs=0.04)


def test_all_problems_are_told_at_once():
    with pytest.raises(InputError, match=r"n_clusters must be.*\n.*n_times must be a whole number >= 100"):
        make_dpfa(0, n_times=99)
