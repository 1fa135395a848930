"""Which law the degrees follow: power law, lognormal or exponential."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_ndtr, ndtr, zeta
from scipy.stats import norm

from dynome.connectome import edge_table
from dynome.connectome.metrics.adjacency import EdgeType
from dynome.connectome.metrics.degrees import degree
from dynome.errors import InputError
from dynome.units import DIMENSIONLESS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Direction = Literal["total", "in", "out"]
LAWS = ("power_law", "lognormal", "exponential")
_variable = {"total": "degree", "in": "in_degree", "out": "out_degree"}
_fewest = 10  # nodes in a tail that is still fitted


class Law(NamedTuple):
    """A law fitted to the tail of some counts."""

    parameters: dict[str, float]
    log_probability: Callable[[Ints], Floats]  # of counts in the tail
    survival: Callable[[Ints], Floats]  # P(count >= k) within the tail


def degree_laws(
    connectome: xr.Dataset | ArrayLike,
    *,
    direction: Direction = "total",
    edge_type: EdgeType = None,
    min_degree: int | Literal["auto"] = "auto",
) -> xr.Dataset:
    r"""Power law, lognormal and exponential fitted to the degrees, and compared.

    Parameters
    ----------
    connectome : Dataset or (n,)
        A valid connectome, or counts from 0.
    direction : {"total", "in", "out"}
        Which edges of a node count.
    edge_type : str, list of str or None
        Edge types to count; None counts all.
    min_degree : int or "auto"
        The tail that is described: degrees from here. ``"auto"`` takes where a power law fits best [1]_, i.e. the
        choice that favours the power law; at least ten nodes stay.

    Returns
    -------
    Dataset (law)
        ``log_likelihood``, ``aic`` (smaller is better), ``ks_distance`` between observed and fitted distribution;
        ``z_against_power_law``, positive where the law describes the tail better, and its two-sided ``p_value``
        (Vuong's test); the scalars ``exponent``, ``log_mean``, ``log_sd``, ``rate``, ``min_degree`` and ``n_tail``. For
        drawing: ``observed (degree)`` and ``survival (law, degree)``, the share of the tail with that degree or more.

    Raises
    ------
    InputError
        If counts are no whole numbers from 0, or fewer than ten nodes with two distinct degrees lie in the tail.

    Notes
    -----
    All laws are of whole numbers :math:`k \ge k_{min}` and fitted by maximum likelihood:
    :math:`k^{-\alpha} / \zeta(\alpha, k_{min})`; the lognormal between :math:`k - 1/2` and :math:`k + 1/2`, above
    :math:`k_{min} - 1/2`; and :math:`(1 - e^{-\lambda}) e^{-\lambda (k - k_{min})}`. A few hundred degrees rarely
    decide between the first two.

    References
    ----------
    .. [1] Clauset, Shalizi & Newman, SIAM Review 2009, doi:10.1137/070710111.
    .. [2] Vuong, Econometrica 1989, doi:10.2307/1912557.

    Examples
    --------
    >>> counts = np.random.default_rng(0).geometric(0.2, 500)
    >>> found = degree_laws(counts, min_degree=1)
    >>> str(found.aic.idxmin().item()), round(float(found.rate), 1)
    ('exponential', 0.2)
    """
    counts = _counts(connectome, direction, edge_type)
    if min_degree == "auto":
        start = _best_start(counts)
    elif min_degree >= 1:
        start = int(min_degree)
    else:
        raise InputError(f'min_degree must be at least 1 or "auto", got {min_degree}')
    tail = counts[counts >= start]
    if tail.size < _fewest or np.unique(tail).size < 2:
        raise InputError(
            f"a law needs at least {_fewest} nodes with two distinct degrees, found {tail.size} nodes of degree "
            f"{start} or more; lower min_degree"
        )
    laws = {name: fit(tail, start) for name, fit in zip(LAWS, (_power_law, _lognormal, _exponential), strict=True)}
    each = np.stack([law.log_probability(tail) for law in laws.values()])
    axis = np.unique(tail)
    observed = 1 - np.searchsorted(np.sort(tail), axis) / tail.size
    survival = np.stack([law.survival(axis) for law in laws.values()])
    n_parameters = np.array([len(law.parameters) for law in laws.values()])
    gain = each - each[0]
    spread = gain.std(axis=1) * np.sqrt(tail.size)
    z = np.divide(gain.sum(axis=1), spread, out=np.full(len(LAWS), np.nan), where=spread > 0)
    one = {"units": DIMENSIONLESS}
    return xr.Dataset(
        {
            "log_likelihood": ("law", each.sum(axis=1), {**one, "long_name": "log-likelihood (nats)"}),
            "aic": ("law", 2 * n_parameters - 2 * each.sum(axis=1), {**one, "long_name": "Akaike's criterion"}),
            "ks_distance": ("law", np.array([_ks(tail, law) for law in laws.values()]), one),
            "z_against_power_law": ("law", z, {**one, "long_name": "Vuong's z against the power law"}),
            "p_value": ("law", 2 * norm.sf(np.abs(z)), {**one, "long_name": "p-value against the power law"}),
            "observed": ("degree", observed, {**one, "long_name": "share of nodes with this degree or more"}),
            "survival": (("law", "degree"), survival, one),
            **{name: ((), value, one) for law in laws.values() for name, value in law.parameters.items()},
            "min_degree": ((), start, {"units": "count"}),
            "n_tail": ((), tail.size, {"units": "count", "long_name": "nodes in the tail"}),
        },
        coords={"law": list(LAWS), "degree": ("degree", axis, {"units": "count", "long_name": f"{direction} degree"})},
    )


def _counts(connectome: xr.Dataset | ArrayLike, direction: Direction, edge_type: EdgeType) -> Ints:
    edge_table.check_choice("direction", direction, Direction)
    if isinstance(connectome, xr.Dataset):
        return degree(connectome, edge_type=edge_type)[_variable[direction]].to_numpy()
    values = np.asarray(connectome)
    if values.ndim != 1 or values.dtype.kind not in "iuf" or not (values >= 0).all() or (values % 1 != 0).any():
        raise InputError("counts must be whole numbers from 0 on one axis")
    return values.astype(np.int64)


def _best_start(counts: Ints) -> int:
    """Where the tail begins for which a power law lies closest to the degrees."""
    starts = [int(k) for k in np.unique(counts[counts > 0])]
    enough = [k for k in starts if (counts >= k).sum() >= _fewest and np.unique(counts[counts >= k]).size > 1]
    if not enough:
        return 1
    enough = enough if len(enough) <= 100 else enough[:: -(-len(enough) // 100)]  # a hundred places are close enough
    distance = [_ks(counts[counts >= k], _power_law(counts[counts >= k], k)) for k in enough]
    return enough[int(np.argmin(distance))]


def _power_law(tail: Ints, start: int) -> Law:
    mean_log = float(np.log(tail).mean())

    def loss(exponent: float) -> float:
        return exponent * mean_log + float(np.log(zeta(exponent, start)))

    found = minimize_scalar(loss, bounds=(1.0001, 50.0), method="bounded", options={"xatol": 1e-8})
    alpha = float(found.x)
    scale = float(zeta(alpha, start))
    return Law(
        {"exponent": alpha},
        lambda k: -alpha * np.log(k) - np.log(scale),
        lambda k: zeta(alpha, k) / scale,
    )


def _exponential(tail: Ints, start: int) -> Law:
    rate = float(np.log1p(1 / (tail.mean() - start)))
    return Law(
        {"rate": rate},
        lambda k: np.log(-np.expm1(-rate)) - rate * (k - start),
        lambda k: np.exp(-rate * (k - start)),
    )


def _lognormal(tail: Ints, start: int) -> Law:
    value, times = np.unique(tail, return_counts=True)

    def log_probability(k: Ints, mean: float, sd: float) -> Floats:
        low, high = (np.log(k + half) - mean for half in (-0.5, 0.5))
        flip = low > 0  # both tails without cancellation
        a, b = np.where(flip, -high, low) / sd, np.where(flip, -low, high) / sd
        inside = log_ndtr(b) + np.log1p(-np.exp(np.minimum(log_ndtr(a) - log_ndtr(b), -1e-300)))
        out: Floats = inside - log_ndtr(-(np.log(start - 0.5) - mean) / sd)
        return out

    def loss(theta: Floats) -> float:
        total = -float((times * log_probability(value, theta[0], np.exp(theta[1]))).sum())
        return total if np.isfinite(total) else 1e300

    logs = np.log(tail)
    guesses = [(logs.mean(), np.log(logs.std() + 1e-3)), (logs.mean() - 2, np.log(logs.std() + 1e-3) + 0.7)]
    # A tail that is a power law is best fitted by a lognormal with its mean far to the left: held within reason.
    bounds = [(-30.0, float(logs.max()) + 2), (-5.0, 3.0)]
    found = min((minimize(loss, g, method="Nelder-Mead", bounds=bounds) for g in guesses), key=lambda f: f.fun)
    mean, sd = float(found.x[0]), float(np.exp(found.x[1]))
    base = ndtr(-(np.log(start - 0.5) - mean) / sd)
    return Law(
        {"log_mean": mean, "log_sd": sd},
        lambda k: log_probability(k, mean, sd),
        lambda k: ndtr(-(np.log(k - 0.5) - mean) / sd) / base,
    )


def _ks(tail: Ints, law: Law) -> float:
    """The largest difference between the observed and the fitted share of the tail at or above a degree."""
    axis = np.unique(tail)
    observed = 1 - np.searchsorted(np.sort(tail), np.append(axis, axis + 1)) / tail.size
    return float(np.abs(observed - law.survival(np.append(axis, axis + 1))).max())
