"""Populations whose neurons share trajectories and whose trajectories switch dynamics, and everything behind them."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import seeds
from dynome.datasets.simulated import biclusters_truth as truth
from dynome.datasets.simulated.biclusters_truth import Floats, Integers, Linear, Observation
from dynome.datasets.simulated.switching_arguments import add_dispersion_problems, add_size_problems
from dynome.errors import InputError, Problems
from dynome.schema import ACTIVITY, CLUSTER, COMPONENT, NODE, SESSION, SPIKE_COUNT, STATE, TIME

_dispersions = {"negative_binomial": 10.0, "gaussian": 0.05}
_bin = 0.5  # seconds
_ceiling = np.log(1e5)  # log of the largest mean count


def make_biclusters(
    n_clusters: int = 3,
    nodes_per_cluster: int = 10,
    n_states: int = 2,
    n_times: int = 500,
    *,
    n_factors: int = 2,
    n_sessions: int = 1,
    observation: Observation = "negative_binomial",
    dispersion: float | None = None,
    bias: float = 0.0,
    bias_spread: float = 0.5,
    loading_spread: float = 0.5,
    dwell: float = 50.0,
    noise: float = 0.01,
    missing: float = 0.0,
    random_state: int | None = None,
) -> xr.Dataset:
    r"""Neurons in clusters that share a trajectory, trajectories whose dynamics switch, spikes, and the truth.

    Licence BSD-3-Clause; simulated after the description of the simulation of Wei [1]_. The default is his: 3 clusters
    of 10 neurons, two factors a cluster, two states that last 50 bins on average, 500 bins, negative binomial counts.

    Parameters
    ----------
    n_clusters, nodes_per_cluster, n_states, n_times : int
        Sizes; `n_times` counts bins a session.
    n_factors : int
        Factors a cluster, besides its common log rate.
    n_sessions : int
        Sessions, or trials: each starts anew, with the same neurons, clusters and dynamics.
    observation : {"negative_binomial", "poisson", "bernoulli", "gaussian"}
        Law of an observation given its linear predictor: the log mean of counts, the log odds of a spike (Bernoulli),
        or the mean (Gaussian).
    dispersion : float or None
        r of the negative binomial, whose variance is :math:`\mu + \mu^2 / r` (None: 10); variance of the Gaussian
        (None: 0.05). The other laws have none.
    bias, bias_spread : float
        Mean and standard deviation of the neurons' biases; 0 is one spike a bin.
    loading_spread : float
        Standard deviation of the loadings.
    dwell : float
        Mean duration of a state, in bins.
    noise : float
        Variance of the innovations of the latents.
    missing : float
        Probability that a bin of a neuron is missing (NaN).
    random_state : int or None
        Seed.

    Returns
    -------
    Dataset
        A recording, with a leading dim ``session`` if there are several:

        * ``spike_count ([session,] time, node)``; with ``"gaussian"`` ``activity`` in place of it. Bins last 0.5 s;
        * ``true_mean``, expected observation, of the same dims;
        * ``true_cluster (node)`` and ``true_state ([session,] time)``: 0, 1, ...;
        * ``true_latent ([session,] time, cluster, component)``: ``"common"``, ``"factor0"``, ...; each has mean 0, and
          the factors of a cluster are orthogonal over time, the largest first;
        * ``true_bias (node)``, ``true_loading (node, factor)``, ``true_dispersion (node)`` where the law has one;
        * ``true_matrix (state, row, column)``, ``true_offset (state, row)``, ``true_noise (state, row, column)``: the
          dynamics of all latents end to end, cluster by cluster; ``true_dwell (state)`` in bins.

    Raises
    ------
    InputError
        With every argument that is out of range; or if the trajectories ran away.

    See Also
    --------
    make_dpfa : Smooth trajectories without states.

    Notes
    -----
    .. math::
        \psi_{it} = d_i + m_t^{(z_i)} + c_i^\top x_t^{(z_i)}, \qquad
        X_t = A_{s_t} X_{t-1} + b_{s_t} + e_t, \quad e_t \sim N(0, \sigma^2 I)

    State 0 is almost white noise (:math:`A = 0.01 I`); in state 1 the latents of each cluster turn by :math:`\pi/20` a
    bin about a random axis and grow by 1 % a bin. Further states turn by :math:`3\pi/20, 5\pi/20, \dots` and decay by
    3 %; a single state turns by :math:`\pi/20` and decays. Durations are Poisson; their means are drawn from a gamma
    distribution with shape 100. Twice the bins are made and the second half is kept. Offsets are zero before the
    latents are centred.

    References
    ----------
    .. [1] Wei, Bayesian bi-clustering of neural spiking activity with latent structures, ICLR 2024, arXiv:2309.02213.

    Examples
    --------
    >>> data = make_biclusters(n_times=100, random_state=0)
    >>> dict(data.spike_count.sizes), data.true_latent.dims
    ({'time': 100, 'node': 30}, ('time', 'cluster', 'component'))
    """
    problems = Problems("cannot make bi-clusters")
    sizes = {"n_clusters": n_clusters, "nodes_per_cluster": nodes_per_cluster, "n_states": n_states}
    add_size_problems({**sizes, "n_times": n_times, "n_factors": n_factors, "n_sessions": n_sessions}, problems)
    if observation not in get_args(Observation):
        problems.add(f"observation must be one of {', '.join(get_args(Observation))}, got {observation!r}")
    add_dispersion_problems(observation, dispersion, problems)
    spreads = {"bias_spread": bias_spread, "loading_spread": loading_spread, "noise": noise}
    add_number_problems(spreads, missing, problems)
    if not np.isfinite(bias):
        problems.add(f"bias must be finite, got {bias:g}")
    if not 1 <= dwell < np.inf:
        problems.add(f"dwell must be at least 1 bin, got {dwell:g}")
    problems.raise_if_any(InputError)
    seed = seeds.resolve(random_state)
    rng = seeds.generator(seed, "biclusters")
    cluster = np.repeat(np.arange(n_clusters), nodes_per_cluster)
    biases = bias + bias_spread * rng.standard_normal(cluster.size)
    loading = loading_spread * rng.standard_normal((cluster.size, n_factors))
    linear = truth.draw_dynamics(rng, n_states, n_clusters, 1 + n_factors, noise)
    dwells = truth.draw_dwell(rng, n_states, dwell)
    states, latents = [], []
    for k in range(n_sessions):
        own = seeds.generator(seed, "biclusters", k)
        path = truth.draw_states(own, 2 * n_times, dwells)
        states.append(path[n_times:])
        latents.append(truth.draw_latent(own, path, linear)[n_times:])
    latent = np.concatenate(latents).reshape(-1, n_clusters, 1 + n_factors)
    latent, loading, linear = truth.centred_and_turned(latent, loading, cluster, linear)
    predictor = biases + latent[:, cluster, 0] + np.einsum("tnp,np->tn", latent[:, cluster, 1:], loading)
    if observation != "gaussian" and (largest := float(np.abs(predictor).max())) > _ceiling:
        raise InputError(
            f"trajectories ran away: a linear predictor reached {largest:.3g}; pass a shorter dwell (it was {dwell:g} "
            f"bins), more states, or less noise (it was {noise:g})"
        )
    mean = truth.mean_of(predictor, observation)
    spread = dispersion if dispersion is not None else _dispersions.get(observation)
    y = truth.with_gaps(rng, truth.draw_observations(rng, mean, observation, spread or 1.0), missing)
    shape = (n_sessions, n_times) if n_sessions > 1 else (n_times,)
    data = labelled(y, mean, cluster, biases, loading, latent, shape, observation, _bin)
    data = data.assign(_dynamics(linear, np.concatenate(states).reshape(shape), dwells, data))
    if spread is not None:
        data["true_dispersion"] = (NODE, np.full(cluster.size, float(spread)), {"units": "1"})
    data.attrs |= {"name": "make_biclusters", "random_state": seed, "dwell": float(dwell)}
    return data


def add_number_problems(spreads: dict[str, float], missing: float, problems: Problems) -> None:
    """Spreads and the share of gaps are in range."""
    for name, value in spreads.items():
        if not 0 <= value < np.inf:
            problems.add(f"{name} must be zero or more and finite, got {value:g}")
    if not 0 <= missing < 1:
        problems.add(f"missing must be at least 0 and less than 1, got {missing:g}")


def labelled(
    y: Floats,
    mean: Floats,
    cluster: Integers,
    bias: Floats,
    loading: Floats,
    latent: Floats,
    shape: tuple[int, ...],
    observation: Observation,
    width: float,
) -> xr.Dataset:
    """Observations, clusters and trajectories with names and units; bins of all sessions come end to end."""
    n_node, n_factors = loading.shape
    bins = ((SESSION, TIME) if len(shape) == 2 else (TIME,), shape)
    plain = {"units": "1"}
    unit = {"units": "1" if observation == "gaussian" else "count"}
    counts = y if observation == "gaussian" or np.isnan(y).any() else y.astype(np.int64)
    sessions = (
        {SESSION: [f"session_{k + 1:0{len(str(shape[0]))}d}" for k in range(shape[0])]} if len(shape) == 2 else {}
    )
    factor = [f"factor{f}" for f in range(n_factors)]
    return xr.Dataset(
        {
            ACTIVITY if observation == "gaussian" else SPIKE_COUNT: _over(bins, counts, (NODE,), unit),
            "true_mean": _over(bins, mean, (NODE,), unit | {"long_name": "expected observation"}),
            "true_cluster": (NODE, cluster, plain),
            "true_bias": (NODE, bias, plain),
            "true_loading": ((NODE, "factor"), loading, plain),
            "true_latent": _over(bins, latent, (CLUSTER, COMPONENT), plain),
        },
        coords={
            **sessions,
            TIME: (TIME, np.arange(shape[-1]) * width, {"units": "s"}),
            NODE: [f"node_{k + 1:0{len(str(n_node))}d}" for k in range(n_node)],
            CLUSTER: np.arange(latent.shape[1]),
            COMPONENT: ["common", *factor],
            "factor": factor,
        },
        attrs={"observation": observation, "bin_width": width, "node_kind": "neuron"},
    )


def _over(
    bins: tuple[tuple[str, ...], tuple[int, ...]], values: NDArray[Any], dims: tuple[str, ...], attrs: dict[str, str]
) -> tuple[tuple[str, ...], NDArray[Any], dict[str, str]]:
    """A variable over bins, which come end to end in `values`."""
    return (*bins[0], *dims), values.reshape(*bins[1], *values.shape[1:]), attrs


def _dynamics(linear: Linear, state: Integers, dwell: Floats, data: xr.Dataset) -> dict[str, Any]:
    """Path of the states and their dynamics."""
    name = [f"{j}.{c}" for j in data[CLUSTER].to_numpy() for c in data[COMPONENT].to_numpy()]
    dims, labels = (STATE, "row", "column"), {STATE: np.arange(dwell.size), "row": name, "column": name}
    plain = {"units": "1"}
    return {
        "true_state": (data["true_mean"].dims[:-1], state, plain),
        "true_matrix": xr.DataArray(linear.matrix, labels, dims, attrs=plain),
        "true_offset": xr.DataArray(linear.offset, {k: labels[k] for k in dims[:2]}, dims[:2], attrs=plain),
        "true_noise": xr.DataArray(linear.noise, labels, dims, attrs=plain),
        "true_dwell": (STATE, dwell, plain | {"long_name": "mean duration in bins"}),
    }
