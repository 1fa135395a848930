"""Linear prediction of every node from the past of all, by one matrix of products.

With lags 1 to p of N nodes as regressors, everything that is asked here follows from the (N p, N p) products of the
past with itself, its products with the present, and the squares of the present. Leaving a source out of a regression
needs no second regression: if A is the (regularised) matrix of products and B the coefficients, leaving out the block
of source i raises the residual sum of squares of target j by

    B_ij' ((A^-1)_ii)^-1 B_ij

so one inverse gives all N (N - 1) comparisons.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh

from dynome.errors import InputError
from dynome.inference.wiring.samples import Sample, stretches

Array = NDArray[np.float64]
Penalty = float | Literal["auto"]

_penalties = np.logspace(-4, 4, 41)  # times the mean square of the regressors


class Products(NamedTuple):
    """Sums over bins; regressors are ordered node by node, lags 1 to p within."""

    past: Array
    """(N p, N p)."""
    cross: Array
    """(N p, N), past with present."""
    present: Array
    """(N,), squares."""
    n_bin: int
    n_lags: int


def products(sample: Sample, n_lags: int) -> Products:
    """Products of the past and the present; no lag reaches across the beginning of a stretch.

    Means are taken out: of each regressor and each target over the bins that are used.
    """
    n_node = sample.scaled.shape[1]
    past, present = [], []
    for bins in stretches(sample):
        x = sample.scaled[bins]
        view = np.lib.stride_tricks.sliding_window_view(x[:-1], n_lags, axis=0)[..., ::-1]
        past.append(view.reshape(len(view), n_node * n_lags))
        present.append(x[n_lags:])
    x, y = np.concatenate(past), np.concatenate(present)
    x = x - x.mean(axis=0)
    y = y - y.mean(axis=0)
    return Products(x.T @ x, x.T @ y, np.einsum("tn,tn->n", y, y), len(y), n_lags)


def granger(sample: Sample, *, n_lags: int = 3, penalty: Penalty = "auto", conditional: bool = True) -> Array:
    r"""Granger causality in nats: log ratio of the residual variances without and with the past of the source.

    Conditional: given the past of all other nodes, and of the target; otherwise given that of the target only.
    """
    sums = products(sample, n_lags)
    if not conditional:
        return _pairwise(sums, _ridge(sums, penalty, "granger"))
    inverse, coefficients, residual = solved(sums, _ridge(sums, penalty, "granger"))
    return np.asarray(np.log1p(_raised(inverse, coefficients, n_lags) / residual))


def var(sample: Sample, *, n_lags: int = 3, penalty: Penalty = "auto") -> Array:
    """Coefficients of a vector autoregression of standardised activity, summed over lags."""
    sums = products(sample, n_lags)
    _, coefficients, _ = solved(sums, _ridge(sums, penalty, "var"))
    return np.asarray(coefficients.reshape(-1, n_lags, coefficients.shape[1]).sum(axis=1))


def gaussian_transfer_entropy(
    sample: Sample, *, n_lags: int = 3, penalty: Penalty = 0.0, conditional: bool = False
) -> Array:
    """Transfer entropy of jointly Gaussian activity in nats: half of the Granger causality [Barnett et al. 2009]."""
    return granger(sample, n_lags=n_lags, penalty=penalty, conditional=conditional) / 2


def solved(sums: Products, ridge: float) -> tuple[Array, Array, Array]:
    """Inverse (N p, N p), coefficients (N p, N) and penalised residual sums of squares (N,) of all regressions."""
    a = sums.past.copy()
    a.flat[:: len(a) + 1] += ridge
    try:
        factor = cho_factor(a, lower=True)
    except np.linalg.LinAlgError:
        raise InputError(_singular(sums)) from None
    if np.diag(factor[0]).min() ** 2 <= np.finfo(float).eps * len(a) * np.diag(a).max():
        raise InputError(_singular(sums))
    inverse = cho_solve(factor, np.eye(len(a)))
    coefficients = inverse @ sums.cross
    residual = sums.present - np.einsum("kn,kn->n", sums.cross, coefficients)
    return inverse, coefficients, np.maximum(residual, np.finfo(float).eps * sums.present)


def _singular(sums: Products) -> str:
    n_past, n_node = sums.cross.shape
    return (
        f"the past of {n_node} nodes over {sums.n_lags} lags, {n_past} regressors over {sums.n_bin} bins, is singular; "
        'use penalty="auto", fewer lags, or drop nodes that copy others'
    )


def _raised(inverse: Array, coefficients: Array, n_lags: int) -> Array:
    """(N, N): by how much leaving out each source raises the residual sum of squares of each target."""
    n_node = coefficients.shape[1]
    blocks = inverse.reshape(n_node, n_lags, n_node, n_lags)[np.arange(n_node), :, np.arange(n_node), :]
    b = coefficients.reshape(n_node, n_lags, n_node)
    return np.asarray(np.maximum(np.einsum("iln,iln->in", b, np.linalg.solve(blocks, b)), 0.0))


def _pairwise(sums: Products, ridge: float) -> Array:
    """Granger causality of every pair on its own, (source, target)."""
    p, n_node = sums.n_lags, sums.cross.shape[1]
    a = sums.past.copy()
    a.flat[:: len(a) + 1] += ridge
    blocks = a.reshape(n_node, p, n_node, p).transpose(0, 2, 1, 3)  # (i, j, p, p)
    cross = sums.cross.reshape(n_node, p, n_node)
    at = np.arange(n_node)
    own, target_past = blocks[at, at], cross[at, :, at]
    alone = np.linalg.solve(own, target_past[..., None])[..., 0]
    without = np.maximum(sums.present - (target_past * alone).sum(axis=1), np.finfo(float).eps * sums.present)
    # What is left of a source's past, and of its product with the present, once the target's own past is told.
    to_own = np.linalg.solve(own[None], blocks.transpose(0, 1, 3, 2))  # (i, j, p of j, p of i)
    left = own[:, None] - np.einsum("ijab,ijbc->ijac", blocks, to_own)
    product = cross.transpose(0, 2, 1) - np.einsum("ijab,jb->ija", blocks, alone)
    left[at, at] = np.eye(p)
    product[at, at] = 0.0
    try:
        gained = (product * np.linalg.solve(left, product[..., None])[..., 0]).sum(axis=-1)
    except np.linalg.LinAlgError:
        raise InputError(_singular(sums)) from None
    with_source = np.maximum(without - gained, np.finfo(float).eps * sums.present)
    return np.asarray(np.log(without / with_source))


def _ridge(sums: Products, penalty: Penalty, name: str) -> float:
    """What is added to the diagonal: the penalty times the mean square of the regressors."""
    scale = float(np.trace(sums.past)) / len(sums.past)
    if penalty == "auto":
        return _cross_validated(sums) if sums.past.shape[0] > 1 else 0.0
    if not isinstance(penalty, float | int) or not 0 <= penalty < np.inf:
        raise InputError(f'penalty of {name} must be "auto" or a finite number >= 0, got {penalty!r}')
    return penalty * scale


def _cross_validated(sums: Products) -> float:
    """The ridge with the least generalised cross-validation error, summed over all targets (Golub et al. 1979)."""
    values, vectors = eigh(sums.past)
    values = np.maximum(values, 0.0)
    square = np.square(vectors.T @ sums.cross).sum(axis=1)
    ridges = _penalties * values.mean()
    shrunk = values[:, None] + ridges
    error = sums.present.sum() - (square[:, None] * (2 / shrunk - values[:, None] / shrunk**2)).sum(axis=0)
    free = 1 - (1 + (values[:, None] / shrunk).sum(axis=0)) / sums.n_bin
    score = np.where(free > 0, error / np.maximum(free, 1e-12) ** 2, np.inf)
    return float(ridges[np.argmin(score)])
