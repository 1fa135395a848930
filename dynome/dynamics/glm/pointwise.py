"""Log probabilities of observations and their derivatives, element by element: the hot loops of every GLM.

Bins and nodes are walked in blocks that stay in the innermost cache. A first loop turns activations into rates and
their logarithms (one a link), a second turns rates into log probabilities or derivatives (one a law), so that links and
laws add up rather than multiply. The choice between them is made outside of the loops, which LLVM vectorises. A sibling
law is one loop of each kind.

Every function runs in float32 and float64, releases the interpreter, and may be called from compiled code.
"""

from __future__ import annotations

from typing import Any, Final, get_args

import numpy as np
from numba import njit

from dynome.dynamics.glm.law_loops import (
    add_count_terms,
    bernoulli,
    bernoulli_slopes,
    count_table,
    gaussian,
    gaussian_slopes,
    negative_binomial,
    negative_binomial_slopes,
    poisson,
    poisson_slopes,
    spreads,
)
from dynome.dynamics.glm.laws import Law, Link
from dynome.dynamics.glm.link_loops import (
    exp_rates,
    exp_ratios,
    identity_rates,
    identity_ratios,
    sigmoid_rates,
    sigmoid_ratios,
    softplus_rates,
    softplus_ratios,
)

_POISSON, _BERNOULLI, _NEGATIVE_BINOMIAL, _GAUSSIAN = range(4)
_EXP, _SOFTPLUS, _SIGMOID, _IDENTITY = range(4)
_BLOCK: Final = 1024  # elements of a block: its buffers stay in the innermost cache
_PADDING: Final = 40  # elements between buffers, whose addresses would else agree in their low bits


def law_code(law: Law) -> int:
    """Number of a law in the compiled loops.

    Parameters
    ----------
    law : str
        Any but categorical, which has its own module.

    Examples
    --------
    >>> law_code("poisson")
    0
    """
    return get_args(Law).index(law)


def link_code(link: Link) -> int:
    """Number of a link in the compiled loops.

    Parameters
    ----------
    link : str
        Any but softmax.

    Examples
    --------
    >>> link_code("exp")
    0
    """
    return get_args(Link).index(link)


@njit(cache=True, nogil=True, error_model="numpy")
def add_log_probability(law: int, link: int, y: Any, eta: Any, dispersion: Any, out: Any) -> None:
    """Add the log probability of each bin, summed over nodes.

    Parameters
    ----------
    law, link : int
        From `law_code` and `link_code`, a pair of `LINKS`.
    y, eta : (n_bin, n_node)
        Observations, NaN where missing, and finite activations: contiguous, of the same dtype (float32 or float64).
    dispersion : (n_node,)
        Variance (Gaussian) or alpha (negative binomial); else unused.
    out : (n_bin,)
        Added to, in nats, without `dynome.dynamics.glm.laws.constant`. A missing observation adds 0.
    """
    add_log_probabilities(law, link, y, eta, dispersion, np.zeros(0, eta.dtype), out, np.zeros(0))


@njit(cache=True, nogil=True, error_model="numpy")
def add_log_probabilities(
    law: int, link: int, y: Any, eta: Any, dispersion: Any, weight: Any, out: Any, value: Any
) -> None:
    """Add the log probability of each bin, summed over nodes, and that of each node, summed over bins with weights.

    Parameters
    ----------
    law, link, y, eta, dispersion, out
        As for `add_log_probability`.
    weight : (n_bin,) or (0,)
        Weight of each bin in `value`; empty if that is not wanted.
    value : (n_node,)
        Added to: sum over bins of ``weight * logp``, the same number as `weighted_derivatives` gives.
    """
    n_bin, n_node = eta.shape
    rows = max(1, _BLOCK // max(n_node, 1))
    buffers = np.empty((2, rows * n_node + _PADDING), eta.dtype)
    spread, table = _spread_and_table(law, dispersion, rows, eta)
    flat_y, flat_eta = y.reshape(-1), eta.reshape(-1)
    for b in range(0, n_bin, rows):
        end = min(b + rows, n_bin)
        here, there = b * n_node, end * n_node
        x, e = flat_y[here:there], flat_eta[here:there]
        logp, rate = buffers[0, : there - here], buffers[1, : there - here]
        if link == _EXP:
            exp_rates(e, logp, rate)
        elif link == _SOFTPLUS:
            softplus_rates(e, logp, rate)
        elif link == _SIGMOID:
            sigmoid_rates(e, logp, rate)
        elif law == _POISSON:
            identity_rates(e, logp, rate)
        if law == _POISSON:
            poisson(x, logp, rate)
        elif law == _BERNOULLI:
            bernoulli(x, e, logp)
        elif law == _NEGATIVE_BINOMIAL:
            negative_binomial(x, spread, logp, rate)
            add_count_terms(x, table, spread, logp)
        else:
            gaussian(x, e, spread, logp)
        _add_row_sums(logp, out[b:end])
        if weight.size:
            _add_weighted_sums(weight[b:end], logp, value)


@njit(cache=True, nogil=True, error_model="numpy")
def weighted_derivatives(
    law: int, link: int, y: Any, eta: Any, weight: Any, dispersion: Any, score: Any, information: Any, value: Any
) -> None:
    """Derivative of each log probability by its activation, and Fisher information, times the weight of the bin.

    Parameters
    ----------
    law, link, y, eta, dispersion
        As for `add_log_probability`.
    weight : (n_bin,)
        Not negative: posterior probability of the state.
    score, information : (n_bin, n_node)
        Overwritten: ``weight * dlogp / deta`` and ``weight * E[(dlogp / deta)^2]``; 0 where the observation is missing.
        Contiguous, of the dtype of `eta`.
    value : (n_node,)
        Added to: sum over bins of ``weight * logp``, in nats, without `dynome.dynamics.glm.laws.constant`.
    """
    n_bin, n_node = eta.shape
    rows = max(1, _BLOCK // max(n_node, 1))
    buffers = np.empty((4, rows * n_node + _PADDING), eta.dtype)
    spread, table = _spread_and_table(law, dispersion, rows, eta)
    flat_y, flat_eta = y.reshape(-1), eta.reshape(-1)
    flat_score, flat_information = score.reshape(-1), information.reshape(-1)
    for b in range(0, n_bin, rows):
        end = min(b + rows, n_bin)
        here, there = b * n_node, end * n_node
        x, e = flat_y[here:there], flat_eta[here:there]
        logp, rate, ratio = buffers[0, : there - here], buffers[1, : there - here], buffers[2, : there - here]
        work = buffers[3, : there - here]
        if link == _EXP:
            exp_ratios(e, logp, rate, ratio)
        elif link == _SOFTPLUS:
            softplus_ratios(e, logp, rate, ratio)
        elif link == _SIGMOID:
            sigmoid_ratios(e, logp, rate, ratio)
        elif law == _POISSON:
            identity_ratios(e, logp, rate, ratio)
        if law == _POISSON:
            poisson_slopes(x, logp, rate, ratio)
        elif law == _BERNOULLI:
            bernoulli_slopes(x, e, logp, rate, ratio)
        elif law == _NEGATIVE_BINOMIAL:
            negative_binomial_slopes(x, spread, logp, rate, ratio, work)
            add_count_terms(x, table, spread, logp)
        else:
            gaussian_slopes(x, e, spread, logp, rate, ratio)
        _repeat(weight[b:end], work)
        _weigh(work, rate, flat_information[here:there])
        _weigh(work, ratio, flat_score[here:there])
        _weigh(work, logp, logp)
        _add_column_sums(logp, value)


@njit(cache=True, nogil=True, error_model="numpy")
def _spread_and_table(law, dispersion, rows, eta):  # type: ignore[no-untyped-def]
    dispersed = law in (_GAUSSIAN, _NEGATIVE_BINOMIAL)
    table = count_table(dispersion[: dispersion.size if law == _NEGATIVE_BINOMIAL else 0])
    return spreads(law == _GAUSSIAN, dispersion[: dispersion.size if dispersed else 0], rows, eta), table


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _add_row_sums(values, out):  # type: ignore[no-untyped-def]
    n_node = values.size // out.size
    for r in range(out.size):
        row = values[r * n_node : (r + 1) * n_node]
        total = values.dtype.type(0)
        for i in range(row.size):
            total += row[i]
        out[r] += total


@njit(cache=True, nogil=True)
def _add_column_sums(values, out):  # type: ignore[no-untyped-def]
    for r in range(values.size // max(out.size, 1)):
        row = values[r * out.size : (r + 1) * out.size]
        for n in range(out.size):
            out[n] += row[n]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_weighted_sums(weight, values, out):  # type: ignore[no-untyped-def]
    for r in range(weight.size):
        row, w = values[r * out.size : (r + 1) * out.size], weight[r]
        for n in range(out.size):
            out[n] += w * row[n]


@njit(cache=True, nogil=True)
def _repeat(weight, out):  # type: ignore[no-untyped-def]
    n_node = out.size // weight.size
    for r in range(weight.size):
        out[r * n_node : (r + 1) * n_node] = weight[r]


@njit(cache=True, nogil=True)
def _weigh(weight, values, out):  # type: ignore[no-untyped-def]
    for i in range(weight.size):
        out[i] = weight[i] * values[i]
