"""Passes over the tensor of a product kernel with few columns, at the speed at which numbers can be multiplied.

An entry of such a kernel is ``max(0, u_i u_j)``, one product and one maximum, so it is made in registers where it is
used and never written. Four pairs meet five columns in a tile: twenty sums that stay in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

WIDTH = 5  # columns of a tile; the loops are written out for five columns and four pairs
_SPAN = 512  # samples that stay in the first cache

# "nnan" makes max() one instruction; what is missing is 0 here, not NaN.
_FAST = {"contract", "reassoc", "nsz", "nnan"}


@njit(cache=True, nogil=True, fastmath=_FAST)
def few_over_pairs(swing: Any, runs: Any, way: Any, columns: Any, out: Any) -> None:
    """Add to `out` the tensor times columns over pairs.

    Parameters
    ----------
    swing : (n_node, n_time)
        What an entry is the product of, 0 where it is missing.
    runs : (n_run, 4)
        See `Recipe`.
    way : -1 or 1, of the type of `swing`
        1 for nodes that move in one direction.
    columns : (n, pairs in the runs)
        ``n`` a multiple of `WIDTH`.
    out : (n, n_time)
    """
    origin = runs[0, 3]
    zero = swing.dtype.type(0)
    f = np.empty(4 * WIDTH, swing.dtype)
    for start in range(0, swing.shape[1], _SPAN):
        stop = min(start + _SPAN, swing.shape[1])
        for c in range(0, columns.shape[0], WIDTH):
            sums = np.zeros((WIDTH, stop - start), swing.dtype)
            s0, s1, s2, s3, s4 = sums[0], sums[1], sums[2], sums[3], sums[4]
            for run in range(runs.shape[0]):
                i, j, length, first = runs[run, 0], runs[run, 1], runs[run, 2], runs[run, 3] - origin
                a = swing[i, start:stop]
                for k in range(0, length, 4):
                    # Pairs past the end repeat the last one, and count for nothing.
                    k1, k2, k3 = min(k + 1, length - 1), min(k + 2, length - 1), min(k + 3, length - 1)
                    b0, b1 = swing[j + k, start:stop], swing[j + k1, start:stop]
                    b2, b3 = swing[j + k2, start:stop], swing[j + k3, start:stop]
                    for m in range(4):
                        for r in range(WIDTH):
                            f[4 * r + m] = columns[c + r, first + k + m] if k + m < length else zero
                    f00, f01, f02, f03, f10, f11, f12, f13 = f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]
                    f20, f21, f22, f23, f30, f31, f32, f33 = f[8], f[9], f[10], f[11], f[12], f[13], f[14], f[15]
                    f40, f41, f42, f43 = f[16], f[17], f[18], f[19]
                    for t in range(stop - start):
                        y = way * a[t]
                        x0, x1 = max(y * b0[t], zero), max(y * b1[t], zero)
                        x2, x3 = max(y * b2[t], zero), max(y * b3[t], zero)
                        s0[t] += f00 * x0 + f01 * x1 + f02 * x2 + f03 * x3
                        s1[t] += f10 * x0 + f11 * x1 + f12 * x2 + f13 * x3
                        s2[t] += f20 * x0 + f21 * x1 + f22 * x2 + f23 * x3
                        s3[t] += f30 * x0 + f31 * x1 + f32 * x2 + f33 * x3
                        s4[t] += f40 * x0 + f41 * x1 + f42 * x2 + f43 * x3
            out[c : c + WIDTH, start:stop] += sums


@njit(cache=True, nogil=True, fastmath=_FAST)
def few_over_times(swing: Any, runs: Any, way: Any, columns: Any, out: Any) -> None:
    """Add to `out` ``(n, pairs in the runs)`` the transposed product, with `columns` ``(n, n_time)``."""
    origin = runs[0, 3]
    zero = swing.dtype.type(0)
    for start in range(0, swing.shape[1], _SPAN):
        stop = min(start + _SPAN, swing.shape[1])
        for run in range(runs.shape[0]):
            i, j, length, first = runs[run, 0], runs[run, 1], runs[run, 2], runs[run, 3] - origin
            a = swing[i, start:stop]
            for k in range(0, length, 4):
                # Pairs past the end repeat the last one, and what they give is not kept.
                kept = min(4, length - k)
                b0, b1 = swing[j + k, start:stop], swing[j + min(k + 1, length - 1), start:stop]
                b2, b3 = swing[j + min(k + 2, length - 1), start:stop], swing[j + min(k + 3, length - 1), start:stop]
                for c in range(0, columns.shape[0], WIDTH):
                    l0, l1, l2 = columns[c, start:stop], columns[c + 1, start:stop], columns[c + 2, start:stop]
                    l3, l4 = columns[c + 3, start:stop], columns[c + 4, start:stop]
                    a0 = a1 = a2 = a3 = a4 = zero
                    d0 = d1 = d2 = d3 = d4 = zero
                    e0 = e1 = e2 = e3 = e4 = zero
                    g0 = g1 = g2 = g3 = g4 = zero
                    for t in range(stop - start):
                        y = way * a[t]
                        x0, x1 = max(y * b0[t], zero), max(y * b1[t], zero)
                        x2, x3 = max(y * b2[t], zero), max(y * b3[t], zero)
                        a0 += x0 * l0[t]
                        d0 += x1 * l0[t]
                        e0 += x2 * l0[t]
                        g0 += x3 * l0[t]
                        a1 += x0 * l1[t]
                        d1 += x1 * l1[t]
                        e1 += x2 * l1[t]
                        g1 += x3 * l1[t]
                        a2 += x0 * l2[t]
                        d2 += x1 * l2[t]
                        e2 += x2 * l2[t]
                        g2 += x3 * l2[t]
                        a3 += x0 * l3[t]
                        d3 += x1 * l3[t]
                        e3 += x2 * l3[t]
                        g3 += x3 * l3[t]
                        a4 += x0 * l4[t]
                        d4 += x1 * l4[t]
                        e4 += x2 * l4[t]
                        g4 += x3 * l4[t]
                    sums = ((a0, a1, a2, a3, a4), (d0, d1, d2, d3, d4), (e0, e1, e2, e3, e4), (g0, g1, g2, g3, g4))
                    for m in range(kept):
                        for r in range(WIDTH):
                            out[c + r, first + k + m] += sums[m][r]
