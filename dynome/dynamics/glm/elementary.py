r"""Exponential and logarithms that a compiled loop can run on several numbers at once.

The functions of the C library take one number at a time and keep LLVM from vectorising a loop. These are arithmetic and
bit operations only, in the precision of their argument. Each reduces its argument to a short interval, where a
polynomial (minimax, by the Remez algorithm) does the rest:

* ``exp``: :math:`x = k \ln 2 + r`, :math:`e^x = 2^k (1 + r + r^2 q(r))`;
* ``log``: :math:`x = 2^k m`, :math:`\ln x = k \ln 2 + 2 \operatorname{artanh} s`, :math:`s = (m - 1) / (m + 1)`;
* ``log1p``: :math:`2 \operatorname{artanh}(u / (2 + u))`, which needs no further reduction on its domain.

They are for loops whose arguments are known to lie in these domains, and do not test for them: ``exp`` from -700 to 700
(float32: -87 to 88), ``log`` of normal positive numbers, ``log1p`` from 0 to 1. NaN gives NaN. The error is below 2 units
in the last place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

# Sums and products may be fused. Nothing may be re-associated: the reductions live on rounding as it is written.
_OPTIONS = {"fastmath": {"contract"}, "error_model": "numpy"}


def exp(x: Any) -> Any:
    """e^x for x from -700 to 700 (float32: -87 to 88)."""
    return np.exp(x)


def log(x: Any) -> Any:
    """ln x for normal positive numbers."""
    return np.log(x)


def log1p(u: Any) -> Any:
    """ln(1 + u) for u from 0 to 1."""
    return np.log1p(u)


@overload(exp, jit_options=_OPTIONS, strict=False)
def _overload_exp(x: Any) -> Any:
    return _exp32 if x == types.float32 else _exp64


@overload(log, jit_options=_OPTIONS, strict=False)
def _overload_log(x: Any) -> Any:
    return _log32 if x == types.float32 else _log64


@overload(log1p, jit_options=_OPTIONS, strict=False)
def _overload_log1p(u: Any) -> Any:
    return _log1p32 if u == types.float32 else _log1p64


_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the first ends in 20 bits of zeros
_SHIFT = 6755399441055744.0  # 1.5 * 2^52: added, it leaves the nearest whole number in the low bits
_ROOT_HALF = 0x3FE6A09E667F3BCD


def _exp64(x):  # type: ignore[no-untyped-def]
    shifted = x * 1.4426950408889634 + _SHIFT
    k = shifted - _SHIFT
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    q = 2.500008442577437066e-8 * r + 2.763024879588081818e-7
    q = q * r + 2.755758629088442082e-6
    q = q * r + 2.480149309782853746e-5
    q = q * r + 1.984126950668884622e-4
    q = q * r + 1.388888894363108554e-3
    q = q * r + 8.33333333349439909e-3
    q = q * r + 4.166666666653015516e-2
    q = q * r + 1.666666666666641265e-1
    q = q * r + 5.000000000000010627e-1
    scale = np.int64((np.float64(shifted).view(np.int64) + 1023) << 52).view(np.float64)
    return scale + scale * (r + (r * r) * q)


def _log64(x):  # type: ignore[no-untyped-def]
    bits = np.float64(x).view(np.int64) - _ROOT_HALF
    m = np.int64((bits & 0xFFFFFFFFFFFFF) + _ROOT_HALF).view(np.float64)
    # the biased exponent, as the low bits of 2^52 + 2^51, so that no conversion of integers is needed
    k = np.int64((bits >> 52) + 0x4338000000000000).view(np.float64) - _SHIFT
    f = m - 1.0
    s = f / (m + 1.0)
    z = s * s
    p = 1.479610584785964005e-1 * z + 1.531403590979623152e-1
    p = p * z + 1.818356485889126478e-1
    p = p * z + 2.222219856373563388e-1
    p = p * z + 2.857142874247136127e-1
    p = p * z + 3.999999999941434304e-1
    p = p * z + 6.666666666666734456e-1
    half = 0.5 * f * f
    return k * _LN2_HIGH + (f - (half - (s * (half + z * p) + k * _LN2_LOW)))


def _log1p64(u):  # type: ignore[no-untyped-def]
    s = u / (2.0 + u)
    z = s * s
    p = 1.774885485244501636e-1 * z + 9.898306993957076658e-2
    p = p * z + 1.358724568434604737e-1
    p = p * z + 1.536419219933798562e-1
    p = p * z + 1.818282072079783383e-1
    p = p * z + 2.222219265539303306e-1
    p = p * z + 2.857142906316736042e-1
    p = p * z + 3.999999999599782873e-1
    p = p * z + 6.666666666667787242e-1
    half = 0.5 * u * u
    return u - (half - s * (half + z * p))


_f = np.float32
_LN2_HIGH32, _LN2_LOW32, _LOG2E32 = _f(0.693359375), _f(-2.12194440e-4), _f(1.44269504)
_SHIFT32, _BIAS32 = _f(12582912.0), np.int32(127)
_ONE32, _TWO32, _HALF32 = _f(1), _f(2), _f(0.5)
_ROOT_HALF32, _MANTISSA32, _WHOLE32 = np.int32(0x3F3504F3), np.int32(0x7FFFFF), np.int32(0x4B400000)
_BITS32 = np.int32(23)
_E0, _E1, _E2 = _f(4.999999344937647974e-1), _f(1.666652063455932954e-1), _f(4.166838758226733528e-2)
_E3, _E4 = _f(8.368716736434608988e-3), _f(1.38146271460048979e-3)
_L0, _L1, _L2 = _f(6.666677640960008454e-1), _f(3.997753757921760061e-1), _f(2.987184877039727105e-1)
_P0, _P1 = _f(6.666641316298590578e-1), _f(4.002169812723752559e-1)
_P2, _P3 = _f(2.799914742324587738e-1), _f(2.802445653543758621e-1)


def _exp32(x):  # type: ignore[no-untyped-def]
    shifted = x * _LOG2E32 + _SHIFT32
    k = shifted - _SHIFT32
    r = (x - k * _LN2_HIGH32) - k * _LN2_LOW32
    q = (((_E4 * r + _E3) * r + _E2) * r + _E1) * r + _E0
    scale = np.int32((np.float32(shifted).view(np.int32) + _BIAS32) << _BITS32).view(np.float32)
    return scale + scale * (r + (r * r) * q)


def _log32(x):  # type: ignore[no-untyped-def]
    bits = np.int32(np.float32(x).view(np.int32) - _ROOT_HALF32)
    m = np.int32((bits & _MANTISSA32) + _ROOT_HALF32).view(np.float32)
    k = np.int32((bits >> _BITS32) + _WHOLE32).view(np.float32) - _SHIFT32
    f = m - _ONE32
    s = f / (m + _ONE32)
    z = s * s
    p = (_L2 * z + _L1) * z + _L0
    half = _HALF32 * f * f
    return k * _LN2_HIGH32 + (f - (half - (s * (half + z * p) + k * _LN2_LOW32)))


def _log1p32(u):  # type: ignore[no-untyped-def]
    s = u / (_TWO32 + u)
    z = s * s
    p = ((_P3 * z + _P2) * z + _P1) * z + _P0
    half = _HALF32 * u * u
    return u - (half - s * (half + z * p))
