r"""Prior over partitions of the nodes: a mixture of finite mixtures, or a Dirichlet process.

Both are exchangeable partitions: the probability of a partition of :math:`N` nodes into :math:`t` clusters of sizes
:math:`n_c` is a weight of :math:`t` times a product over clusters,

.. math:: p(C) = V_N(t) \prod_c g^{(n_c)} \quad\text{(mixture)}, \qquad
          p(C) = \frac{\alpha^t}{\alpha^{(N)}} \prod_c (n_c - 1)! \quad\text{(process)},

with rising factorials :math:`g^{(n)}`. A node joins a cluster of the others in proportion to its size (plus :math:`g`).

Miller and Harrison (2018), doi:10.1080/01621459.2016.1255636; Escobar and West (1995),
doi:10.1080/01621459.1995.10476550.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from scipy.special import gammaln

from dynome.inference.biclustering.model import Array, Concentrations, Hyper, Labels

_NEGLIGIBLE = 1e-17  # of a sum, relative to it


def log_partition_weights(n_nodes: int, hyper: Hyper) -> Array:
    r"""Logarithms of the coefficients :math:`V_N(t)` of a mixture of finite mixtures.

    Parameters
    ----------
    n_nodes : int
        N, at least 1.
    hyper : Hyper
        ``zeta`` and ``mass``.

    Returns
    -------
    (n_nodes,)
        :math:`\log V_N(t)` for :math:`t = 1 \ldots N`, in nats. Read-only, for it is kept between calls.

    Notes
    -----
    :math:`V_N(t) = \sum_{k \ge t} \frac{k!}{(k - t)!} \frac{p(k)}{(g k)^{(N)}}` with
    :math:`p(k) = \zeta (1 - \zeta)^{k - 1}`. The ratio of a term to the one before is below
    :math:`(1 - \zeta)\, k / (k - t)`, which bounds what is left of the sum: it stops where that no longer counts.

    Examples
    --------
    >>> from dynome.inference.biclustering.model import Hyper
    >>> weights = log_partition_weights(2, Hyper(zeta=0.2, mass=1.0))
    >>> bool(np.isclose(np.exp(weights[0]) * 2 + np.exp(weights[1]), 1))  # together (1 * 2), or apart (1 * 1)
    True
    """
    return _weights(int(n_nodes), float(hyper.zeta), float(hyper.mass))


@lru_cache(maxsize=8)
def _weights(n: int, zeta: float, mass: float) -> Array:
    if zeta >= 1:  # one cluster for sure
        out = np.full(n, -np.inf)
        out[0] = gammaln(mass) - gammaln(mass + n)
    else:
        k = np.arange(2.0 + (2 * n + 100) / zeta)
        k[0] = 1  # never read
        rest = np.log(zeta) + (k - 1) * np.log1p(-zeta) + gammaln(mass * k) - gammaln(mass * k + n)
        out = _sums(n, zeta, gammaln(np.arange(k.size) + 1.0), rest)
    out.flags.writeable = False
    return out


@njit(cache=True)
def _sums(n, zeta, log_factorial, rest):  # type: ignore[no-untyped-def]
    """Logarithm of the sum over k for every t."""
    out = np.empty(n)
    for t in range(1, n + 1):
        top, total, k = -np.inf, 0.0, t
        while k < rest.size:
            term = log_factorial[k] - log_factorial[k - t] + rest[k]
            if term > top:
                total = total * np.exp(top - term) + 1.0
                top = term
            else:
                value = np.exp(term - top)
                total += value
                ratio = (1 - zeta) * (k + 1) / (k + 1 - t)
                if ratio < 1 and value * ratio < (1 - ratio) * _NEGLIGIBLE * total:
                    break
            k += 1
        out[t - 1] = top + np.log(total)
    return out


def log_partition(cluster: Labels, hyper: Hyper, concentrations: Concentrations) -> float:
    """Log probability of a partition, in nats.

    Parameters
    ----------
    cluster : (n_node,)
        Any labels: only which nodes share one counts.
    hyper : Hyper
        ``partition``, and ``zeta`` and ``mass`` of a mixture of finite mixtures.
    concentrations : Concentrations
        ``partition`` of a Dirichlet process.

    Returns
    -------
    float
        Sums to one, exponentiated, over the set partitions of the nodes.

    Examples
    --------
    >>> from dynome.inference.biclustering.model import Concentrations, Hyper
    >>> both = [log_partition(np.array(z), Hyper(partition="dp"), Concentrations()) for z in ([0, 0], [0, 1])]
    >>> np.exp(both).round(6).tolist()
    [0.5, 0.5]
    """
    size = np.unique(cluster, return_counts=True)[1]
    n, t = int(size.sum()), size.size
    if hyper.partition == "dp":
        alpha = concentrations.partition
        return float(t * np.log(alpha) + gammaln(size).sum() + gammaln(alpha) - gammaln(alpha + n))
    return float(log_partition_weights(n, hyper)[t - 1] + (gammaln(size + hyper.mass) - gammaln(hyper.mass)).sum())


def log_birth_weights(n_nodes: int, hyper: Hyper, concentrations: Concentrations) -> tuple[float, Array]:
    """What a node adds to the size of a cluster of others, and the log weight of a cluster of its own.

    Parameters
    ----------
    n_nodes : int
        All of them, with the node that looks for a cluster.
    hyper : Hyper
    concentrations : Concentrations

    Returns
    -------
    added : float
        The node joins a cluster of n others with weight ``n + added``.
    log_new : (n_nodes,)
        Log weight of a new cluster, when the others have 0, 1, ... n_nodes - 1 clusters.
    """
    if hyper.partition == "dp":
        return 0.0, np.full(n_nodes, np.log(concentrations.partition))
    with np.errstate(invalid="ignore"):
        rise = np.diff(log_partition_weights(n_nodes, hyper))
    rise[np.isnan(rise)] = -np.inf  # neither number of clusters is possible
    return hyper.mass, np.log(hyper.mass) + np.r_[0.0, rise]


def drawn_partition(n_nodes: int, hyper: Hyper, concentrations: Concentrations, rng: np.random.Generator) -> Labels:
    """A partition from its prior, labelled in order of appearance.

    Parameters
    ----------
    n_nodes : int
        At least 1.
    hyper : Hyper
    concentrations : Concentrations
    rng : numpy.random.Generator

    Returns
    -------
    (n_nodes,)
        0 ... n_cluster - 1, without gaps.
    """
    cluster = np.zeros(n_nodes, np.int64)
    if hyper.partition == "dp":
        for i in range(1, n_nodes):
            weight = np.r_[np.bincount(cluster[:i]).astype(float), concentrations.partition]
            cluster[i] = rng.choice(weight.size, p=weight / weight.sum())
        return cluster
    weight = rng.dirichlet(np.full(rng.geometric(hyper.zeta), hyper.mass))
    label = rng.choice(weight.size, size=n_nodes, p=weight)
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    order: Labels = np.argsort(np.argsort(first))[inverse].astype(np.int64)
    return order


def updated_partition_concentration(
    cluster: Labels, hyper: Hyper, concentrations: Concentrations, rng: np.random.Generator
) -> Concentrations:
    r"""The concentration of the Dirichlet process, drawn given the number of clusters.

    Parameters
    ----------
    cluster : (n_node,)
    hyper : Hyper
        Its prior is Gamma(``concentration_shape``, ``concentration_rate``).
    concentrations : Concentrations
    rng : numpy.random.Generator

    Returns
    -------
    Concentrations
        As it was, unless ``partition`` is "dp" and ``resample_concentrations`` is true.

    Notes
    -----
    Given :math:`x \sim \mathrm{Beta}(\alpha + 1, N)`, the concentration is a mixture of :math:`\mathrm{Gamma}(a + t,
    b - \log x)` and :math:`\mathrm{Gamma}(a + t - 1, b - \log x)` (Escobar and West 1995, equations 13 and 14).
    """
    if hyper.partition != "dp" or not hyper.resample_concentrations:
        return concentrations
    n, t = cluster.size, np.unique(cluster).size
    rate = hyper.concentration_rate - np.log(rng.beta(concentrations.partition + 1, n))
    shape = hyper.concentration_shape + t - 1
    more = rng.random() * (shape + n * rate) < shape
    return concentrations._replace(partition=float(rng.gamma(shape + more) / rate))
