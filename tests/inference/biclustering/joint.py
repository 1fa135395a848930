"""The model read off its definition a second time, with numpy alone: draws of everything, and what a draw looks like.

Nothing of the sampler is used here, so that an error of the sampler cannot hide in its own tests.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, gammaln
from scipy.stats import invwishart

from dynome.inference.biclustering.model import Concentrations, Data, Dynamics, Hyper, Law, State


class Setting(NamedTuple):
    """A small problem: what is assumed, and which bins are observed."""

    hyper: Hyper
    law: Law
    starts: np.ndarray
    observed: np.ndarray  # (n_node, n_bin) bool
    concentrations: Concentrations


def small(
    law: Law = "negative_binomial",
    *,
    n_nodes: int = 4,
    starts: tuple[int, ...] = (0, 7, 12),
    n_missing: int = 3,
    concentrations: Concentrations | None = None,
    **changes: object,
) -> Setting:
    """Four nodes, twelve bins of two sequences, three missing values, one factor, two states; a tame prior."""
    tame = Hyper(
        n_factors=1, n_states=2, bias_mean=-0.5, bias_sd=0.6, loading_sd=0.7, dispersion_shape=3.0, dispersion_rate=1.5,
        extra_degrees=6.0, noise_scale=0.3, matrix_precision=30.0, zeta=0.4, mass=1.0, concentration_shape=3.0,
        concentration_rate=1.0,
    )  # fmt: skip
    observed = np.ones((n_nodes, starts[-1]), dtype=bool)
    observed.ravel()[np.random.default_rng(7).choice(observed.size, n_missing, replace=False)] = False
    fixed = concentrations or Concentrations(row=1.5, top=2.0, stickiness=1.5, partition=0.8)
    return Setting(tame._replace(**changes), law, np.array(starts), observed, fixed)


def prior_state(setting: Setting, rng: np.random.Generator) -> State:
    """One draw of everything but the data."""
    hyper, (n_nodes, n_bins) = setting.hyper, setting.observed.shape
    concentrations = _concentrations(setting, rng)
    cluster = _partition(n_nodes, hyper, concentrations, rng)
    n_clusters, q = cluster.max() + 1, 1 + hyper.n_factors
    active = np.ones((n_clusters, hyper.n_factors), dtype=bool)
    if hyper.adapt_factors:
        active = rng.random(active.shape) < hyper.factor_probability
    bias = rng.normal(hyper.bias_mean, hyper.bias_sd, (n_nodes, 1))
    loading = rng.normal(0, hyper.loading_sd, (n_nodes, hyper.n_factors)) * active[cluster]
    weight = np.maximum(rng.dirichlet(np.full(hyper.n_states, concentrations.top / hyper.n_states)), 1e-250)
    rows = concentrations.row * weight + concentrations.stickiness * np.eye(hyper.n_states)
    transition = np.maximum([rng.dirichlet(row) for row in rows], 1e-250)
    state = np.empty(n_bins, dtype=np.int64)
    groups = (1, n_clusters * q) if hyper.coupled else (n_clusters, q)
    dynamics = _dynamics(hyper, groups, rng)
    latent = np.empty((n_bins, *groups))
    for t in range(n_bins):
        if t in setting.starts:
            state[t] = rng.integers(hyper.n_states)
            latent[t] = rng.standard_normal(groups)
            continue
        s = state[t] = rng.choice(hyper.n_states, p=transition[state[t - 1]] / transition[state[t - 1]].sum())
        mean = np.einsum("gij,gj->gi", dynamics.matrix[s], latent[t - 1]) + dynamics.offset[s]
        root = np.linalg.cholesky(dynamics.noise[s])
        latent[t] = mean + np.einsum("gij,gj->gi", root, rng.standard_normal(groups))
    return State(
        cluster, np.hstack([bias, loading]), latent.reshape(n_bins, n_clusters, q), _dispersion(setting, rng), state,
        dynamics, weight, transition, concentrations, active,
    )  # fmt: skip


def observed_data(state: State, setting: Setting, rng: np.random.Generator) -> Data:
    """Data given everything else."""
    psi, r = predictor_of(state), state.dispersion[:, None]
    if setting.law == "negative_binomial":
        y = rng.poisson(rng.gamma(r, np.exp(psi) / r))
    elif setting.law == "poisson":
        y = rng.poisson(np.exp(psi))
    elif setting.law == "bernoulli":
        y = rng.random(psi.shape) < expit(psi)
    else:
        y = rng.normal(psi, np.sqrt(r))
    return Data(np.where(setting.observed, y, np.nan), setting.starts, setting.law)


def predictor_of(state: State) -> np.ndarray:
    path = state.latent[:, state.cluster]  # (bin, node, component)
    return (state.coefficient[:, 0] + path[..., 0] + (path[..., 1:] * state.coefficient[:, 1:]).sum(-1)).T


def log_density_of_data(state: State, data: Data) -> float:
    psi, r, y = predictor_of(state), state.dispersion[:, None], data.y
    if data.law == "negative_binomial":
        terms = gammaln(y + r) - gammaln(r) - gammaln(y + 1) + y * psi + r * np.log(r)
        terms = terms - (y + r) * np.logaddexp(psi, np.log(r))
    elif data.law == "poisson":
        terms = y * psi - np.exp(psi) - gammaln(y + 1)
    elif data.law == "bernoulli":
        terms = y * psi - np.logaddexp(0, psi)
    else:
        terms = -0.5 * np.log(2 * np.pi * r) - (y - psi) ** 2 / (2 * r)
    return float(np.nansum(terms))


def statistics_of(state: State, data: Data, setting: Setting) -> dict[str, float]:
    """What a draw looks like, whatever the clusters are called; every part of the state and its ties to the others."""
    z, c, x = state.cluster, state.coefficient, state.latent
    psi, y, r = predictor_of(state), data.y, state.dispersion
    own, n_clusters = x[:, z[0]], x.shape[1]
    inner = np.setdiff1d(np.arange(x.shape[0]), setting.starts[:-1])
    steps = x[inner] - x[inner - 1]
    whitened = _whitened(state, inner)
    sizes = np.bincount(z)
    noise = np.linalg.slogdet(state.dynamics.noise)[1].mean(1)
    width = state.dynamics.matrix.shape[-1]
    drift = state.dynamics.matrix - np.eye(width)
    second = state.state[inner] == 1
    a, b = state.state[inner - 1], state.state[inner]
    residual = np.where(np.isnan(y), 0.0, y - np.nanmean(y))
    log_rows = np.log(state.transition)
    return {
        "n_clusters": n_clusters,
        "largest cluster": sizes.max(),
        "first two nodes together": z[0] == z[1],
        "bias of node 0": c[0, 0],
        "mean bias": c[:, 0].mean(),
        "spread of biases": c[:, 0].std(),
        "loading of node 0": c[0, 1],
        "loading squared": (c[:, 1:] ** 2).mean(),
        "dispersion of node 0": r[0],
        "mean log dispersion": np.log(r).mean(),
        "active factors": state.active.mean(),
        "mean common rate": own[:, 0].mean(),
        "common rate squared": (own[:, 0] ** 2).mean(),
        "first bin squared": (own[setting.starts[:-1]] ** 2).mean(),
        "last bin": own[-1, 0],
        "factor times loading": (own[:, 1] * c[0, 1]).mean(),
        "factors squared": (x[..., 1:] ** 2).mean(),
        "scale of loadings against factors": np.log((c[:, 1:] ** 2).mean() + 1e-3) - np.log((x[..., 1:] ** 2).mean()),
        "bias times common rate": c[0, 0] * own[:, 0].mean(),
        "steps": np.log((steps**2).mean()),
        "lag one": (own[inner] * own[inner - 1]).sum(-1).mean(),
        "steps in state 1": (steps[second] ** 2).mean() if second.any() else -1.0,
        "whitened steps": (whitened**2).mean(),
        "whitened steps in state 1": (whitened[second] ** 2).mean() if second.any() else -1.0,
        "mean whitened step": whitened.mean(),
        "whitened step times last bin": (whitened * x[inner - 1].reshape(whitened.shape)).mean(),
        "noise of state 0": noise[0] / width,
        "noise of state 1": noise[1] / width,
        "matrix of state 0": np.trace(drift[0].mean(0)) / width,
        "matrix of state 1 squared": (drift[1] ** 2).mean(),
        "matrix in units of noise": np.einsum("kgji,kgjl,kgli->", drift, np.linalg.inv(state.dynamics.noise), drift)
        / (state.dynamics.matrix.shape[1] * width**2),
        "offset of state 0": state.dynamics.offset[0].mean(),
        "offset squared": (state.dynamics.offset**2).mean(),
        "bins in state 0": (state.state == 0).mean(),
        "first bin in state 0": state.state[0] == 0,
        "switches": (a != b).sum(),
        "visited states": np.unique(state.state).size,
        "log path": log_rows[a, b].mean(),
        "weight of state 0": state.weight[0],
        "stay in state 0": state.transition[0, 0],
        "stay in state 1": state.transition[1, 1],
        "stickiness": state.concentrations.stickiness,
        "row concentration": state.concentrations.row,
        "top concentration": state.concentrations.top,
        "partition concentration": state.concentrations.partition,
        "mean predictor": psi.mean(),
        "spread of predictors": psi.std(1).mean(),
        "difference of two nodes": ((psi[0] - psi[1]) ** 2).mean(),
        "mean of data": np.nanmean(y),
        "zeros": np.nanmean(y == 0),
        "data times predictor": (residual * (psi - psi.mean())).mean(),
        "data of node 0 times its loading": (residual[0] * c[0, 1] * own[:, 1]).mean(),
        "data of two nodes": (residual[0] * residual[1]).mean() * (1 if z[0] == z[1] else -1),
        "data times dispersion": np.nanmean((y - psi) ** 2 * r[:, None]),
        "log likelihood": log_density_of_data(state, data),
    }


def _whitened(state: State, inner: np.ndarray) -> np.ndarray:
    """Steps in units of the noise of their state, (bin, latent)."""
    matrix, offset, noise = state.dynamics
    s, n_groups, width = state.state[inner], matrix.shape[1], matrix.shape[2]
    x = state.latent.reshape(-1, n_groups, width)
    error = x[inner] - np.einsum("tgij,tgj->tgi", matrix[s], x[inner - 1]) - offset[s]
    return np.linalg.solve(np.linalg.cholesky(noise)[s], error[..., None]).reshape(inner.size, -1)


def _concentrations(setting: Setting, rng: np.random.Generator) -> Concentrations:
    hyper = setting.hyper
    if not hyper.resample_concentrations:
        return setting.concentrations
    total, top, partition = rng.gamma(hyper.concentration_shape, 1 / hyper.concentration_rate, 3)
    share = rng.random()
    fixed = setting.concentrations.partition
    return Concentrations(total * (1 - share), top, total * share, partition if hyper.partition == "dp" else fixed)


def _partition(n_nodes: int, hyper: Hyper, concentrations: Concentrations, rng: np.random.Generator) -> np.ndarray:
    if hyper.partition == "mfm":
        n_kinds = rng.geometric(hyper.zeta)
        kind = rng.choice(n_kinds, n_nodes, p=rng.dirichlet(np.full(n_kinds, hyper.mass)))
        return np.unique(kind, return_inverse=True)[1].astype(np.int64)
    cluster = np.zeros(n_nodes, dtype=np.int64)
    for i in range(1, n_nodes):
        mass = np.append(np.bincount(cluster[:i]), concentrations.partition)
        cluster[i] = rng.choice(mass.size, p=mass / mass.sum())
    return cluster


def _dispersion(setting: Setting, rng: np.random.Generator) -> np.ndarray:
    gamma = rng.gamma(setting.hyper.dispersion_shape, 1 / setting.hyper.dispersion_rate, setting.observed.shape[0])
    kept = {"negative_binomial": gamma, "gaussian": 1 / gamma}
    return kept.get(setting.law, np.ones_like(gamma))


def _dynamics(hyper: Hyper, groups: tuple[int, int], rng: np.random.Generator) -> Dynamics:
    """Matrix normal, inverse Wishart; each state and group by itself."""
    n_groups, width = groups
    shape = (hyper.n_states, n_groups)
    scale = hyper.noise_scale * np.eye(width)
    noise = invwishart.rvs(width + hyper.extra_degrees, scale, size=int(np.prod(shape)), random_state=rng)
    noise = np.reshape(noise, (*shape, width, width))
    error = np.linalg.cholesky(noise) @ rng.standard_normal((*shape, width, width + 1))
    whole = np.eye(width, width + 1) + error / np.sqrt(hyper.matrix_precision)
    return Dynamics(whole[..., :width].copy(), whole[..., width].copy(), noise)
