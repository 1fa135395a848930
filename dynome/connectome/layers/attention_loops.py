"""Loops of attention on a static graph: snapshots side by side, so that one instruction serves several.

A block of snapshots and one head are taken at a time. The features of all nodes are copied to ``(node, channel,
snapshot)``, where they stay in the second cache while every target goes through its inputs. Logits of one target are
all that is kept; backward recomputes them from the logarithm of the sum of exponentials, and nothing of the size of
edges times snapshots is stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc"}}
_EXACT: dict[str, Any] = {"fastmath": {"contract"}, "error_model": "numpy"}  # the reduction lives on rounding

_f = np.float32
_LOG2E, _LN2_HIGH, _LN2_LOW = _f(1.44269504), _f(0.693359375), _f(-2.12194440e-4)
_SHIFT, _LEAST = _f(12582912.0), _f(-87.0)  # 1.5 * 2^23: added, it leaves the nearest whole number in the low bits
_BIAS, _PLACE = np.int32(127), np.int32(23)
_C2, _C3, _C4, _C5, _C6 = _f(1 / 2), _f(1 / 6), _f(1 / 24), _f(1 / 120), _f(1 / 720)


def exponential(x: Any) -> Any:
    """Exponential of x up to 0; what is below -87 counts as -87 in single precision."""
    return np.exp(x)


def _exp32(x):  # type: ignore[no-untyped-def]
    x = _LEAST if x < _LEAST else x  # NaN stays
    shifted = x * _LOG2E + _SHIFT
    k = shifted - _SHIFT
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    q = (((_C6 * r + _C5) * r + _C4) * r + _C3) * r + _C2
    scale = np.int32((np.float32(shifted).view(np.int32) + _BIAS) << _PLACE).view(np.float32)
    return scale + scale * (r * r * q + r)


def _exp64(x):  # type: ignore[no-untyped-def]
    return np.exp(x)


@overload(exponential, jit_options=_EXACT, strict=False)
def _overload_exponential(x: Any) -> Any:
    return _exp32 if x == types.float32 else _exp64


@njit(**_OPTIONS)
def forward_blocks(
    start: int,
    stop: int,
    width: int,
    pointer: Any,
    column: Any,
    slope: Any,
    source: Any,
    target: Any,
    edge: Any,
    attention: Any,
    out: Any,
    logsum: Any,
) -> None:
    """Attention of every head in snapshots `start` to `stop`, `width` at a time.

    Parameters
    ----------
    start, stop, width : int
    pointer, column : (N + 1,), (E,)
        Inputs of each node.
    slope : float
        Of the leaky rectifier, in the precision of the features, as all that follow.
    source, target : (N, S, H * C)
    edge : (E, H * C), or (0, H * C)
        Without rows where edges have no features.
    attention : (H, C)
    out : (N, S, H * C)
        Is filled.
    logsum : (N, H, S)
        Is filled with the logarithm of the sum of exponentials of the logits, for nodes with inputs.
    """
    heads, n_channels = attention.shape
    n, one = source.shape[0], source.dtype.type(1)
    most = 0
    for i in range(n):
        most = max(most, pointer[i + 1] - pointer[i])
    left = np.empty((n, n_channels, width), source.dtype)
    logit = np.empty((most, width), source.dtype)
    right, total = np.empty((n_channels, width), source.dtype), np.empty((n_channels, width), source.dtype)
    top, weight = np.empty(width, source.dtype), np.empty(width, source.dtype)
    for first in range(start, stop, width):
        m = min(width, stop - first)
        for h in range(heads):
            base = h * n_channels
            for j in range(n):
                _side_by_side(source[j], first, base, left[j], m)
            for i in range(n):
                if pointer[i] == pointer[i + 1]:
                    out[i, first : first + m, base : base + n_channels] = 0
                    continue
                _side_by_side(target[i], first, base, right, m)
                _largest(
                    pointer[i], pointer[i + 1], column, left, right, edge, base, attention[h], slope, m, logit, top
                )
                _weighed(pointer[i], pointer[i + 1], column, left, m, logit, top, total, weight)
                known = logsum[i, h]
                for s in range(m):
                    known[first + s] = top[s] + np.log(weight[s])
                    weight[s] = one / weight[s]
                for s in range(m):
                    row = out[i, first + s]
                    for c in range(n_channels):
                        row[base + c] = total[c, s] * weight[s]


@njit(**_OPTIONS)
def _largest(
    begin: int,
    end: int,
    column: Any,
    left: Any,
    right: Any,
    edge: Any,
    base: int,
    vector: Any,
    slope: Any,
    m: int,
    logit: Any,
    top: Any,
) -> None:
    """Logits of the inputs of one node, and the largest of them."""
    top[:] = -np.inf
    for k in range(begin, end):
        scores = logit[k - begin]
        _scores(left[column[k]], right, edge, k, base, vector, slope, m, scores)
        for s in range(m):
            top[s] = scores[s] if scores[s] > top[s] else top[s]


@njit(**_OPTIONS)
def _weighed(
    begin: int, end: int, column: Any, left: Any, m: int, logit: Any, top: Any, total: Any, weight: Any
) -> None:
    """Sum of the inputs of one node and of their weights, both relative to the largest."""
    total[:] = 0
    weight[:] = 0
    for k in range(begin, end):
        share, values = logit[k - begin], left[column[k]]
        for s in range(m):
            share[s] = exponential(share[s] - top[s])
            weight[s] += share[s]
        for c in range(total.shape[0]):
            y, v = total[c], values[c]
            for s in range(m):
                y[s] += share[s] * v[s]


@njit(**_OPTIONS)
def backward_blocks(
    start: int,
    stop: int,
    width: int,
    pointer: Any,
    column: Any,
    slope: Any,
    source: Any,
    target: Any,
    edge: Any,
    attention: Any,
    out: Any,
    logsum: Any,
    grad: Any,
    of_source: Any,
    of_target: Any,
    of_edge: Any,
    of_attention: Any,
) -> None:
    """Gradients of what `forward_blocks` computes.

    Parameters
    ----------
    start, stop, width, pointer, column, slope, source, target, edge, attention, out, logsum
        As there.
    grad : (N, S, H * C)
        Gradient to `out`.
    of_source, of_target : (N, S, H * C)
        Are filled.
    of_edge, of_attention : as `edge`, `attention`
        Are added to.
    """
    heads, n_channels = attention.shape
    n, kind = source.shape[0], source.dtype
    left, of_left = np.empty((n, n_channels, width), kind), np.empty((n, n_channels, width), kind)
    right, of_right = np.empty((n_channels, width), kind), np.empty((n_channels, width), kind)
    pull, result = np.empty((n_channels, width), kind), np.empty((n_channels, width), kind)
    of_vector = np.empty((n_channels, width), kind)
    score, share, slack = np.empty(width, kind), np.empty(width, kind), np.empty(width, kind)
    for first in range(start, stop, width):
        m = min(width, stop - first)
        for h in range(heads):
            base, vector = h * n_channels, attention[h]
            for j in range(n):
                _side_by_side(source[j], first, base, left[j], m)
            of_left[:] = 0
            of_vector[:] = 0
            for i in range(n):
                begin, end = pointer[i], pointer[i + 1]
                if begin == end:
                    of_target[i, first : first + m, base : base + n_channels] = 0
                    continue
                _side_by_side(target[i], first, base, right, m)
                _side_by_side(grad[i], first, base, pull, m)
                _side_by_side(out[i], first, base, result, m)
                _products(pull, result, m, slack)
                of_right[:] = 0
                known = logsum[i, h, first : first + m]
                for k in range(begin, end):
                    j = column[k]
                    _scores(left[j], right, edge, k, base, vector, slope, m, score)
                    _back_to_logit(left[j], pull, known, slack, m, score, share)
                    _back_to_ends(
                        left[j], right, edge, k, base, vector, slope, m, score, share, pull,
                        of_left[j], of_right, of_edge, of_vector,
                    )  # fmt: skip
                _one_by_one(of_right, of_target[i], first, base, m)
            for j in range(n):
                _one_by_one(of_left[j], of_source[j], first, base, m)
            for c in range(n_channels):
                of_attention[h, c] += of_vector[c, :m].sum()


@njit(**_OPTIONS)
def _products(a: Any, b: Any, m: int, out: Any) -> None:
    """Sum over channels of the products of two blocks."""
    out[:m] = 0
    for c in range(a.shape[0]):
        u, v = a[c], b[c]
        for s in range(m):
            out[s] += u[s] * v[s]


@njit(**_OPTIONS)
def _back_to_logit(values: Any, pull: Any, known: Any, slack: Any, m: int, score: Any, share: Any) -> None:
    """The share of one edge, and in place of its logit the gradient to it."""
    for s in range(m):
        share[s] = exponential(score[s] - known[s])
    _products(pull, values, m, score)
    for s in range(m):
        score[s] = share[s] * (score[s] - slack[s])


@njit(**_OPTIONS)
def _side_by_side(rows: Any, first: int, base: int, block: Any, m: int) -> None:
    """Copy features (S, H * C) of one node and head to (C, m)."""
    for s in range(m):
        row = rows[first + s]
        for c in range(block.shape[0]):
            block[c, s] = row[base + c]


@njit(**_OPTIONS)
def _one_by_one(block: Any, rows: Any, first: int, base: int, m: int) -> None:
    """The way back."""
    for s in range(m):
        row = rows[first + s]
        for c in range(block.shape[0]):
            row[base + c] = block[c, s]


@njit(**_OPTIONS)
def _scores(left: Any, right: Any, edge: Any, k: int, base: int, vector: Any, slope: Any, m: int, score: Any) -> None:
    """Logits of one edge in all snapshots of the block."""
    score[:m] = 0
    zero = score.dtype.type(0)
    n_channels = vector.size
    for c in range(0, n_channels - 1, 2):
        v0, v1, r0, r1 = left[c], left[c + 1], right[c], right[c + 1]
        a0, a1 = vector[c], vector[c + 1]
        e0, e1 = (edge[k, base + c], edge[k, base + c + 1]) if edge.shape[0] else (zero, zero)
        for s in range(m):
            z0, z1 = v0[s] + r0[s] + e0, v1[s] + r1[s] + e1
            z0, z1 = z0 if z0 > 0 else slope * z0, z1 if z1 > 0 else slope * z1
            score[s] += a0 * z0 + a1 * z1
    if n_channels % 2:
        c = n_channels - 1
        v0, r0, a0 = left[c], right[c], vector[c]
        e0 = edge[k, base + c] if edge.shape[0] else zero
        for s in range(m):
            z0 = v0[s] + r0[s] + e0
            score[s] += a0 * (z0 if z0 > 0 else slope * z0)


@njit(**_OPTIONS)
def _back_to_ends(
    left: Any,
    right: Any,
    edge: Any,
    k: int,
    base: int,
    vector: Any,
    slope: Any,
    m: int,
    score: Any,
    share: Any,
    pull: Any,
    of_left: Any,
    of_right: Any,
    of_edge: Any,
    of_vector: Any,
) -> None:
    """Add the gradients of one edge, whose logit has the gradient `score`, to those of its ends."""
    zero, one = score.dtype.type(0), score.dtype.type(1)
    for c in range(vector.size):
        v, r, g, a = left[c], right[c], pull[c], vector[c]
        to_v, to_r, to_a, e, total = of_left[c], of_right[c], of_vector[c], zero, zero
        if edge.shape[0]:
            e = edge[k, base + c]
        for s in range(m):
            z = v[s] + r[s] + e
            bent = score[s] * (one if z > 0 else slope)
            to_a[s] += bent * z
            moved = bent * a
            to_r[s] += moved
            to_v[s] += moved + share[s] * g[s]
            total += moved
        if edge.shape[0]:
            of_edge[k, base + c] += total
