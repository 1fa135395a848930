"""Evidence that PyMC runs the sampler as it is, and that NUTS meets the right density of the hyper-parameters."""

import os

import numpy as np
import pytest
import xarray as xr
from scipy.stats import gamma, halfnorm, norm

from dynome.errors import InputError
from dynome.inference.biclustering.generative import build_model
from dynome.inference.biclustering.graph import log_weight, plan_of
from dynome.inference.biclustering.model import Concentrations, Hyper
from dynome.inference.biclustering.partition_prior import log_partition, log_partition_weights
from dynome.inference.biclustering.prior_checks import prior_predictive
from dynome.inference.biclustering.pymc_step import bicluster_step
from dynome.inference.biclustering.starting import started
from dynome.inference.biclustering.sweeps import sweep

pytestmark = pytest.mark.filterwarnings("ignore")  # PyMC, PyTensor and ArviZ tell of BLAS and of versions to come
NODES = list("abcdef")


@pytest.fixture(scope="module")
def pm():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if os.environ.get("DYNOME_REQUIRE_EXTRAS"):
            import pymc
        else:
            pymc = pytest.importorskip("pymc")
    return pymc


def counts(n_times: int = 12) -> xr.DataArray:
    y = np.random.default_rng(0).poisson(1.5, (n_times, len(NODES))).astype(float)
    y[3, 2] = np.nan
    coords = {"time": np.arange(n_times) * 0.5, "node": NODES}
    return xr.DataArray(y, dims=("time", "node"), coords=coords, name="spike_count", attrs={"units": "1"})


def small_model(free=None, **changes):
    return build_model(counts(), n_factors=1, n_states=2, free=free, **changes)


def point_of(model, **values):
    point = model.initial_point(0)
    for name, value in values.items():
        rv = model[name]
        transform = model.rvs_to_transforms[rv]
        there = value if transform is None else transform.forward(np.asarray(value), *rv.owner.inputs).eval()
        point[model.rvs_to_values[rv].name] = np.asarray(there)
    return point


def test_the_graph_holds_the_density_of_the_hyper_parameters_given_what_depends_on_them(pm):
    model, z = small_model(), np.array([0, 0, 1, 0, 2, 1])
    own = {
        "bias": np.linspace(-1, 1, 6), "loading": np.linspace(0.5, 2, 6)[:, None], "dispersion": np.linspace(1, 4, 6),
    }  # fmt: skip
    parts = [model[name] for name in ("bias", "loading", "dispersion", "cluster", "bias_sd", "dispersion_shape")]
    density = model.logp(vars=parts, jacobian=False)
    logp = model.compile_fn(density, inputs=model.value_vars, on_unused_input="ignore", mode="FAST_COMPILE")

    def expected(bias_mean, bias_sd, loading_sd, shape, rate, zeta):
        return (
            norm.logpdf(own["bias"], bias_mean, bias_sd).sum()
            + norm.logpdf(own["loading"], 0, loading_sd).sum()
            + gamma.logpdf(own["dispersion"], shape, scale=1 / rate).sum()
            + log_partition(z, Hyper(zeta=zeta), Concentrations())
            + halfnorm.logpdf(bias_sd)
            + gamma.logpdf(shape, 2)
        )

    names = ("bias_mean", "bias_sd", "loading_sd", "dispersion_shape", "dispersion_rate", "zeta")
    for values in ((0.3, 0.7, 1.2, 2.0, 0.5, 0.3), (-1.0, 2.0, 0.4, 0.6, 3.0, 0.05)):
        point = point_of(model, cluster=z, **own, **dict(zip(names, values, strict=True)))
        assert float(logp(point)) == pytest.approx(expected(*values))


@pytest.mark.parametrize("zeta", [0.03, 0.3, 0.9])
def test_the_number_of_clusters_weighs_as_in_the_sampler(pm, zeta):
    import pytensor.tensor as pt

    found = [float(log_weight(pt.as_tensor(t), pt.as_tensor(zeta), 8, 0.7).eval()) for t in (1, 4, 8)]
    np.testing.assert_allclose(found, log_partition_weights(8, Hyper(zeta=zeta, mass=0.7))[[0, 3, 7]], rtol=1e-9)


def begun(step, seed):
    """A step at the beginning of a chain, for both versions of PyMC."""
    rng = np.random.default_rng(seed)
    if hasattr(step, "setup_chain") and not hasattr(type(step).__mro__[1], "set_rng"):
        step.setup_chain(rng, 0, 5)
    else:
        step.set_rng(rng)
    return step


def test_the_step_is_the_core_with_the_same_seed(pm):
    model = small_model(free=())
    step, point = begun(bicluster_step(model), 5), model.initial_point()
    plan, rng = plan_of(model), np.random.default_rng(5)
    state = started(plan.data, plan.hyper, rng)
    for _ in range(4):
        point, [told] = step.step(point)
        state, moves = sweep(state, plan.data, plan.hyper, rng)
        np.testing.assert_array_equal(point["cluster"], state.cluster)
        np.testing.assert_array_equal(point["bias"], state.coefficient[:, 0])
        np.testing.assert_array_equal(point["loading"], state.coefficient[:, 1:])
        np.testing.assert_array_equal(point["dispersion_log__"], np.log(state.dispersion))
        np.testing.assert_array_equal(point["state"], state.state)
        assert told["log_likelihood"] == float(moves.log_likelihood.sum())
        assert told["n_clusters"] == state.latent.shape[1]


def test_nothing_of_a_chain_is_left_for_the_next_one(pm):
    model = small_model(free=())
    step = bicluster_step(model)
    runs = []
    for _ in range(2):
        point = model.initial_point()
        begun(step, 3)
        for _ in range(3):
            point, _ = step.step(point)
        runs.append(point)
    for name, value in runs[0].items():
        np.testing.assert_array_equal(value, runs[1][name])


def test_draws_are_labelled_and_the_same_with_the_same_seed(pm):
    with small_model(free=()):
        step = bicluster_step()
        first, again = (
            pm.sample(
                draws=4, tune=2, chains=2, cores=1, step=[step], random_seed=3, progressbar=False,
                compute_convergence_checks=False,
            )
            for _ in range(2)
        )  # fmt: skip
    posterior, stats = first["posterior"], first["sample_stats"]
    for name in ("cluster", "bias", "loading", "dispersion", "state"):
        np.testing.assert_array_equal(posterior[name], again["posterior"][name])
    assert posterior["loading"].dims == ("chain", "draw", "node", "factor")
    assert posterior["state"].dims == ("chain", "draw", "time")
    assert list(posterior["node"].values) == NODES
    assert float(posterior["bias"].std("draw").min()) > 0
    assert not np.array_equal(posterior["bias"][0], posterior["bias"][1])
    assert stats["n_clusters"].shape == (2, 4)


def test_the_step_reads_the_hyper_parameters_of_the_point(pm):
    model = small_model(free=("bias_mean", "bias_sd"))
    step = begun(bicluster_step(model), 0)
    point = point_of(model, bias_mean=5.0, bias_sd=0.01)
    for _ in range(3):
        point, _ = step.step(point)
    assert np.abs(point["bias"] - 5).max() < 0.1
    assert float(point["bias_mean"]) == 5.0


def test_hyper_parameters_have_the_posterior_that_gibbs_sampling_on_a_grid_finds(pm):
    y = counts(8).rename("activity").assign_attrs(units="1")
    model = build_model(
        y, n_factors=1, n_states=1, observation="gaussian", dynamics="block", free=("bias_sd",), partition="dp"
    )
    with model:
        draws = pm.sample(
            draws=200, tune=150, chains=1, cores=1, step=[bicluster_step()], random_seed=1, progressbar=False,
            compute_convergence_checks=False,
        )  # fmt: skip
    by_nuts = np.log(draws["posterior"]["bias_sd"].to_numpy().ravel())
    plan, rng = plan_of(model), np.random.default_rng(2)
    grid = np.geomspace(0.01, 6, 500)
    hyper = plan.hyper
    state, by_gibbs = started(plan.data, hyper, rng), []
    for _ in range(250):
        state, _ = sweep(state, plan.data, hyper, rng)
        log_p = norm.logpdf(state.coefficient[:, :1], hyper.bias_mean, grid).sum(0) + halfnorm.logpdf(grid)
        p = np.exp(log_p - log_p.max()) * grid  # points are even in the logarithm
        hyper = hyper._replace(bias_sd=float(rng.choice(grid, p=p / p.sum())))
        by_gibbs.append(np.log(hyper.bias_sd))

    def mean_and_error(x):
        batches = np.asarray(x).reshape(20, -1).mean(1)
        return batches.mean(), batches.std(ddof=1) / np.sqrt(20)

    (a, error_a), (b, error_b) = mean_and_error(by_nuts), mean_and_error(by_gibbs[50:])
    assert abs(a - b) < 4 * np.hypot(error_a, error_b)
    assert np.hypot(error_a, error_b) < 0.6


def test_the_prior_is_told_in_counts(pm):
    drawn = prior_predictive(small_model(), 15, random_state=0)
    assert drawn["spike_count"].dims == ("draw", "time", "node")
    assert bool(drawn["spike_count"].isel(time=3, node=2).isnull().all())
    assert int(drawn["spike_count"].isnull().sum()) == 15
    xr.testing.assert_identical(drawn, prior_predictive(small_model(), 15, random_state=0))
    assert {"zeta", "bias_sd", "cluster", "state"} <= set(drawn)


def test_all_problems_of_a_model_are_told_at_once(pm):
    with pytest.raises(
        InputError, match=r"(?s)got 'alpha'.*n_factors must be at least 1.*noise_scale must be positive"
    ):
        build_model(counts(), n_factors=0, free=["alpha"], noise_scale=0.0)
    with pytest.raises(InputError, match="adapt_factors"):
        small_model(adapt_factors=True)
    with pytest.raises(InputError, match="not free"):
        small_model(free=(), priors={"zeta": lambda name: pm.Beta(name, 1, 1)})
    with pytest.raises(InputError, match="needs counts"):
        build_model(counts() + 0.5)
    with pytest.raises(InputError, match="build_model made"), pm.Model():
        bicluster_step()
    with pytest.raises(InputError, match="n_threads"):
        bicluster_step(small_model(), n_threads=0)
