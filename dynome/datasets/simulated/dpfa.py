"""Populations whose neurons share smooth trajectories, without states, and everything behind them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy.interpolate import CubicSpline

from dynome import seeds
from dynome.datasets.simulated import biclusters_truth as truth
from dynome.datasets.simulated.biclusters import add_number_problems, labelled
from dynome.datasets.simulated.biclusters_truth import Floats
from dynome.datasets.simulated.switching_arguments import add_size_problems
from dynome.errors import InputError, Problems

_bin = 0.1  # seconds
_factor_knots, _factor_spread, _factor_ceiling = (11, 31), 0.2, 1.5
_common_knots, _common_spread, _common_ceiling, _common_floor = (11, 36), 0.7, np.log(15), np.log(2)


def make_dpfa(
    n_clusters: int = 10,
    nodes_per_cluster: int = 5,
    n_times: int = 1000,
    *,
    n_factors: int = 2,
    missing: float = 0.0,
    random_state: int | None = None,
) -> xr.Dataset:
    r"""Neurons in clusters that share a smooth trajectory, Poisson spikes, and the truth.

    Licence BSD-3-Clause; simulated after the description of the simulations of Wei et al. [1]_: 10 clusters of 5
    neurons, two factors a cluster, 1,000 bins.

    Parameters
    ----------
    n_clusters, nodes_per_cluster, n_times : int
        Sizes; at least 100 bins.
    n_factors : int
        Factors a cluster, besides its common log rate.
    missing : float
        Probability that a bin of a neuron is missing (NaN).
    random_state : int or None
        Seed.

    Returns
    -------
    Dataset
        A recording with ``spike_count (time, node)``, bins of 0.1 s, and the truth as in `make_biclusters`:
        ``true_mean``, ``true_cluster``, ``true_latent``, ``true_bias`` and ``true_loading``. There are no states.

    Raises
    ------
    InputError
        With every argument that is out of range.

    See Also
    --------
    make_biclusters : Trajectories whose dynamics switch.

    Notes
    -----
    .. math::
        \log \lambda_{it} = d_i + m_t^{(z_i)} + c_i^\top x_t^{(z_i)}, \qquad
        d_i \sim N(0, 0.5^2), \quad c_i \sim N(0, I)

    with biases centred over all neurons. A factor is a cubic spline through 11 to 30 knots from :math:`N(0, 0.2^2)`,
    drawn again while more than one of its values is above 1.5; a common log rate, one through 11 to 35 knots from
    :math:`N(0, 0.7^2)`, drawn again while more than one value is above log 15 or all are below log 2. Latents are
    centred, and the factors of a cluster turned to be orthogonal over time.

    References
    ----------
    .. [1] Wei, Stevenson & Wang, Bayesian clustering of neural spiking activity using a mixture of dynamic Poisson
       factor analyzers, NeurIPS 2022, arXiv:2205.10639.

    Examples
    --------
    >>> data = make_dpfa(n_clusters=4, random_state=0)
    >>> dict(data.spike_count.sizes), int(data.true_cluster.max())
    ({'time': 1000, 'node': 20}, 3)
    """
    problems = Problems("cannot make clusters of smooth trajectories")
    sizes = {"n_clusters": n_clusters, "nodes_per_cluster": nodes_per_cluster, "n_factors": n_factors}
    add_size_problems(sizes, problems)
    add_size_problems({"n_times": n_times}, problems, least=100)
    add_number_problems({}, missing, problems)
    problems.raise_if_any(InputError)
    seed = seeds.resolve(random_state)
    rng = seeds.generator(seed, "dpfa")
    cluster = np.repeat(np.arange(n_clusters), nodes_per_cluster)
    bias = 0.5 * rng.standard_normal(cluster.size)
    bias -= bias.mean()
    loading = rng.standard_normal((cluster.size, n_factors))
    latent = np.empty((n_times, n_clusters, 1 + n_factors))
    for j in range(n_clusters):
        latent[:, j, 0] = _spline(rng, n_times, _common_knots, _common_spread, _fits_common)
        for f in range(n_factors):
            latent[:, j, 1 + f] = _spline(rng, n_times, _factor_knots, _factor_spread, _fits_factor)
    still = truth.Linear(*(np.zeros((0, latent[0].size) + (latent[0].size,) * k) for k in (1, 0, 1)))
    latent, loading, _ = truth.centred_and_turned(latent, loading, cluster, still)
    predictor = bias + latent[:, cluster, 0] + np.einsum("tnp,np->tn", latent[:, cluster, 1:], loading)
    mean = truth.mean_of(predictor, "poisson")
    y = truth.with_gaps(rng, truth.draw_observations(rng, mean, "poisson", 1.0), missing)
    data = labelled(y, mean, cluster, bias, loading, latent, (n_times,), "poisson", _bin)
    data.attrs |= {"name": "make_dpfa", "random_state": seed}
    return data


def _spline(
    rng: np.random.Generator, n_times: int, knots: tuple[int, int], spread: float, fits: Callable[[Floats], bool]
) -> Floats:
    """A cubic spline through equally spaced random knots, drawn until it fits."""
    while True:
        n_knots = int(rng.integers(*knots))
        curve = CubicSpline(np.linspace(0, n_times - 1, n_knots), spread * rng.standard_normal(n_knots))(
            np.arange(n_times)
        )
        if fits(curve):
            return np.asarray(curve)


def _fits_factor(curve: Floats) -> bool:
    return bool((curve > _factor_ceiling).sum() <= 1)


def _fits_common(curve: Floats) -> bool:
    return bool((curve > _common_ceiling).sum() <= 1 and (curve >= _common_floor).any())
