"""Time rescaling: do spikes come when the model says they may?"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import kstest

from dynome import seeds
from dynome.dynamics.glm.laws import mean
from dynome.dynamics.hmm.filtering import predict
from dynome.dynamics.hmm.hidden_markov import HMM
from dynome.dynamics.hmm.sequences import ChainInput, Sequences
from dynome.errors import InputError
from dynome.estimator import Estimator
from dynome.inference.states.fitted import Fitted, law_of, seen_by
from dynome.permutation import q_value
from dynome.schema import NODE, STATE

Array = NDArray[np.float64]

_COUNTS = ("poisson", "negative_binomial", "bernoulli")
_ROWS = 4096
_GRID = np.linspace(0.01, 0.99, 99)
_KS_95 = 1.358  # of the distance times the root of the number of intervals, Kolmogorov's distribution
_LEAST = 1e-12  # of the probability of a silent bin


def time_rescaling(model: Estimator, data: ChainInput, *, random_state: int | None = 0) -> xr.Dataset:
    r"""Intervals between spikes in the model's own time, which are exponential if the model is right.

    Parameters
    ----------
    model : SwitchingGLM, GLM or HMM
        Fitted to counts.
    data : DataArray, Dataset, DataTree, dict or list
        Best data that the model was not fitted to: on its own, a model with many coefficients looks too good.
    random_state : int or None
        Of the uniform draws that place a spike within its bin.

    Returns
    -------
    Dataset over node
        * ``ks_statistic``: largest distance between the distribution of the intervals and the model's;
          ``ks_bound``: what it exceeds in 5 % of the cases if the model is right; ``p_value``, ``q_value`` (false
          discovery rate over nodes);
        * ``quantile (node, probability)``: quantiles of the intervals after they were made uniform; on the diagonal if
          the model is right;
        * ``serial_correlation``: between neighbouring intervals, 0 if the model is right;
        * ``n_intervals``. NaN for nodes with fewer than 2.

    Raises
    ------
    InputError
        If the model is none of these or has no counts.

    Notes
    -----
    An event is a bin with at least one spike; its probability, given everything before the bin, is
    :math:`p_t = 1 - \sum_s P(z_t = s \mid x_{<t})\, P(x_{tn} = 0 \mid z_t = s, x_{<t})`. With
    :math:`q_t = -\log(1 - p_t)`, an interval is the sum of q over the bins between two events plus a part of the
    event's own bin, :math:`-\log(1 - r (1 - e^{-q_t}))` with r uniform; it is exponential with mean 1 [2]_, which in
    bins and without this part it would not be [1]_. Sequences follow one another: an interval that a sequence cuts
    short goes on in the next, so that short trials do not lose the long ones. Missing bins stop the clock. What happens
    within a bin, and whether it held one spike or five, is not tested here; `predictive_check` looks at the counts.

    References
    ----------
    .. [1] Brown et al. 2002, doi:10.1162/08997660252741149.
    .. [2] Haslinger, Pipa & Brown 2010, doi:10.1162/neco.2010.06-08-1015.

    Examples
    --------
    >>> from dynome.dynamics import GLM
    >>> x = xr.DataArray(np.random.default_rng(0).poisson(0.3, (2000, 2)), dims=("time", "node"))
    >>> found = time_rescaling(GLM(link="exp").fit(x), x)
    >>> bool((found.ks_statistic < found.ks_bound).all())
    True
    """
    law = law_of(model)
    if law not in _COUNTS:
        raise InputError(f"time can be rescaled for counts only, the model's observations are {law or 'unknown'}")
    rng = seeds.generator(random_state, "time_rescaling")
    silent, y, sequences = _silence_of_hmm(model, data) if isinstance(model, HMM) else _silence(seen_by(model, data))
    hazard = -np.log(np.clip(silent, _LEAST, 1.0))
    n_node = hazard.shape[1]
    statistic, p, serial = (np.full(n_node, np.nan) for _ in range(3))
    quantile, count = np.full((n_node, _GRID.size), np.nan), np.zeros(n_node, dtype=np.int64)
    for n in range(n_node):
        known = np.isfinite(y[:, n])
        u = -np.expm1(-intervals(hazard[known, n], y[known, n] > 0, rng))
        count[n] = u.size
        if u.size > 1:
            statistic[n], p[n] = kstest(u, "uniform")
            quantile[n], serial[n] = np.quantile(u, _GRID), _serial_correlation(u)
    bound = _KS_95 / np.sqrt(np.where(count > 1, count, np.nan))
    one: dict[str, str] = {"units": "1"}
    variables: dict[str, Any] = {
        "ks_statistic": (NODE, statistic, one | {"long_name": "Kolmogorov-Smirnov distance of rescaled intervals"}),
        "ks_bound": (NODE, bound, one | {"long_name": "95 % bound of the distance"}),
        "p_value": (NODE, p, one),
        "q_value": (NODE, q_value(p), one),
        "quantile": ((NODE, "probability"), quantile, one | {"long_name": "quantile of rescaled intervals"}),
        "serial_correlation": (NODE, serial, one),
        "n_intervals": (NODE, count, {"units": "count"}),
    }
    return xr.Dataset(variables, {NODE: sequences.nodes, "probability": _GRID, **sequences.node_coords})


def intervals(hazard: Array, event: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """Rescaled intervals between events.

    Parameters
    ----------
    hazard : (n_bin,)
        Minus the log of the probability of no event.
    event : (n_bin,)
        Whether there was one.
    rng : Generator
        Places an event within its bin.

    Returns
    -------
    (n_event,)
        Of which the first began with the first bin.
    """
    at = np.flatnonzero(event)
    # What is left of the bin of an event belongs to no interval: the clock starts anew with the next bin.
    before = np.cumsum(hazard)
    end = before[at] - hazard[at]
    start = np.concatenate([[0.0], before[at[:-1]]]) if at.size else np.zeros(0)
    within = -np.log1p(rng.random(at.size) * np.expm1(-hazard[at]))
    return np.asarray(end - start + within)


def _silence(seen: Fitted) -> tuple[Array, Array, Sequences]:
    """Probability of no spike given the bins before, and the observations, both (n_bin, n_node)."""
    problem, parameters = seen.emissions.problem, seen.parameters
    ahead = parameters.process.predict(seen.log_likelihood, seen.sequences.starts).probability
    n_state, n_node, _ = parameters.coefficient.shape
    silent = np.zeros((problem.design.n_bin, n_node))
    for a in range(0, problem.design.n_bin, _ROWS):
        b = min(a + _ROWS, problem.design.n_bin)
        x = np.asarray(problem.design.block(a, b), dtype=np.float64)
        for s in range(n_state):
            rate = np.asarray(mean(x @ parameters.coefficient[s].T, problem.link), dtype=np.float64)
            silent[a:b] += ahead[a:b, s, None] * _no_spike(rate, problem.law, parameters.dispersion[s])
    return silent, np.asarray(problem.observed, dtype=np.float64), seen.sequences


def _silence_of_hmm(model: Any, data: ChainInput) -> tuple[Array, Array, Sequences]:
    """The same of a model whose rates are those of its states."""
    seen, law = model._seen(data), law_of(model)
    rate = model.results_["probability" if law == "bernoulli" else "rate"].transpose(STATE, NODE).to_numpy()
    ahead = predict(seen.log_likelihood, seen.chain.transition, seen.chain.initial, seen.sequences.starts).probability
    return ahead @ _no_spike(rate, law, np.ones(rate.shape[1])), seen.sequences.y, seen.sequences


def _no_spike(rate: Array, law: str, dispersion: Array) -> Array:
    if law == "bernoulli":
        return np.asarray(1 - rate)
    if law == "negative_binomial":
        return np.asarray(np.exp(-np.log1p(dispersion * rate) / dispersion))
    return np.exp(-rate)


def _serial_correlation(u: Array) -> float:
    z = ndtri(np.clip(u, 1e-12, 1 - 1e-12))
    if z.size < 3 or z[1:].std() == 0 or z[:-1].std() == 0:
        return float("nan")
    return float(np.corrcoef(z[1:], z[:-1])[0, 1])
