"""Ridge regression where features are many and animals few: by the kernel of sessions, many outcomes at once.

Everything is fitted to the training rows: center and scale of features, width of the kernel, penalty. The cost is that
of one eigendecomposition of (training row, training row); outcomes that are dealt anew are further columns.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
KernelKind = Literal["linear", "rbf"]

# Penalties as multiples of the mean eigenvalue of the kernel.
_PENALTIES = 10.0 ** np.arange(-3, 3.5, 0.75)
_STILL = 1e-9


def kernel(features: Floats, train: Ints, kind: KernelKind) -> Floats:
    """Likeness of all sessions, seen from the training rows.

    Parameters
    ----------
    features : (n, p)
        Finite. Each is standardized by its mean and standard deviation over the training rows; one that does not vary
        there is left out.
    train : (n_train,)
        Training rows.
    kind : {"linear", "rbf"}
        Inner product over p, or Gaussian of the distance, as wide as the median distance in the training rows.

    Returns
    -------
    (n, n)
        Centered on the mean of the training rows.
    """
    seen = features[train]
    spread = seen.std(axis=0)
    varies = spread > _STILL * np.abs(seen).max(axis=0, initial=0.0)
    z = features if varies.all() else features[:, varies]
    z = (z - seen.mean(axis=0)[varies]) / spread[varies]
    out = z @ z.T / max(z.shape[1], 1)
    if kind == "rbf":
        squared = np.diag(out)[:, None] + np.diag(out) - 2 * out
        apart = squared[np.ix_(train, train)][np.triu_indices(train.size, 1)]
        width = float(np.median(apart)) if apart.size else 0.0
        out = np.exp(-np.maximum(squared, 0.0) / width) if width > 0 else np.zeros_like(out)
        out = out - out[:, train].mean(axis=1, keepdims=True)
        out = out - out[train].mean(axis=0, keepdims=True)
    return np.asarray(out)


def held_out(likeness: Floats, train: Ints, test: Ints, y: Floats, group: Ints) -> tuple[Floats, Floats]:
    r"""Predictions for test rows, as departures from the mean of the training rows.

    Parameters
    ----------
    likeness : (n, n)
        From `kernel`, of these training rows.
    train, test : (n_train,), (n_test,)
        Rows.
    y : (n_train, q)
        Outcomes, one a column.
    group : (n_train,)
        Animal of each training row; the penalty is the one that predicts an animal best from the others.

    Returns
    -------
    prediction : (n_test, q)
    norm : (q,)
        Length of the weights of each column; zero where nothing is predicted.

    Notes
    -----
    With :math:`H = K (K + \lambda I)^{-1} + 11^\top / n`, the residuals of the rows g of one animal, when the others
    alone are fitted, are :math:`(I - H)_{gg}^{-1} [(I - H) y]_g`; no fit is repeated. Each column has its own penalty.
    """
    centered = y - y.mean(axis=0)
    values, vectors = np.linalg.eigh(likeness[np.ix_(train, train)])
    values = np.maximum(values, 0.0)
    scale = values.mean()
    if scale <= 0:
        return np.zeros((test.size, y.shape[1])), np.zeros(y.shape[1])
    inverse = 1 / (values + scale * _PENALTIES[:, None])  # (penalty, n_train)
    rotated = vectors.T @ centered
    best = _errors(values * inverse, vectors, centered, group).argmin(axis=0)
    chosen = rotated * inverse[best].T
    norm = np.sqrt((chosen**2 * values[:, None]).sum(axis=0))
    return likeness[np.ix_(test, train)] @ (vectors @ chosen), norm


def _errors(shrink: Floats, vectors: Floats, y: Floats, group: Ints) -> Floats:
    """Squared errors of animals left out, (n_penalty, q)."""
    n = len(y)
    hat = np.einsum("ik,lk,jk->lij", vectors, shrink, vectors, optimize=True) + 1 / n
    rest = np.eye(n) - hat
    residual = rest @ y
    out = np.zeros((len(shrink), y.shape[1]))
    size = np.bincount(group)
    for m in np.unique(size[size > 0]):
        rows = np.stack([np.flatnonzero(group == g) for g in np.flatnonzero(size == m)])
        block = rest[:, rows[:, :, None], rows[:, None, :]]
        left_out = np.linalg.solve(block + _STILL * np.eye(m), residual[:, rows])
        out += np.einsum("lgmq,lgmq->lq", left_out, left_out)
    return out
