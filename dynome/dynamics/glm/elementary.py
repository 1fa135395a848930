r"""Exponential and logarithms that a compiled loop can run on several numbers at once.

The functions of the C library take one number at a time and keep LLVM from vectorising a loop. These are arithmetic and
bit operations only, in the precision of their argument. Each reduces its argument to a short interval, where a
polynomial (minimax, by the Remez algorithm) does the rest:

* ``exp``: :math:`x = k \ln 2 + r`, :math:`e^x = 2^k (1 + r + r^2 q(r))`;
* ``log``: :math:`x = 2^k m`, :math:`\ln x = k \ln 2 + 2 \operatorname{artanh} s`, :math:`s = (m - 1) / (m + 1)`;
* ``log1p``: :math:`2 \operatorname{artanh}(u / (2 + u))`, which needs no further reduction on its domain.

They are for loops whose arguments are known to lie in these domains, and do not test for them: ``exp`` from -700 to
700 (float32: -87 to 88), ``log`` of normal positive numbers, ``log1p`` from 0 to 1. ``exp`` and ``log1p`` of NaN are
NaN. The error is below 5 units in the last place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

# Sums and products may be fused. Nothing may be re-associated: the reductions live on rounding as it is written.
_OPTIONS = {"fastmath": {"contract"}, "error_model": "numpy"}


def exp(x: Any) -> Any:
    """Exponential of x from -700 to 700 (float32: -87 to 88)."""
    return np.exp(x)


def log(x: Any) -> Any:
    """Natural logarithm of normal positive numbers."""
    return np.log(x)


def log1p(u: Any) -> Any:
    """Natural logarithm of 1 + u for u from 0 to 1."""
    return np.log1p(u)


def log1p_and_reciprocal(u: Any) -> Any:
    """Natural logarithm of 1 + u for u from 0 to 1, and 1 / (1 + u), with one division."""
    return np.log1p(u), 1 / (1 + u)


@overload(exp, jit_options=_OPTIONS, strict=False)
def _overload_exp(x: Any) -> Any:
    return _exp32 if x == types.float32 else _exp64


@overload(log, jit_options=_OPTIONS, strict=False)
def _overload_log(x: Any) -> Any:
    return _log32 if x == types.float32 else _log64


@overload(log1p, jit_options=_OPTIONS, strict=False)
def _overload_log1p(u: Any) -> Any:
    return _log1p32 if u == types.float32 else _log1p64


@overload(log1p_and_reciprocal, jit_options=_OPTIONS, strict=False)
def _overload_log1p_and_reciprocal(u: Any) -> Any:
    return _log1p_and_reciprocal32 if u == types.float32 else _log1p_and_reciprocal64


# Double precision

_LN2, _LOG2E = 0.6931471805599453, 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the first ends in 20 bits of zeros
_SHIFT = 6755399441055744.0  # 1.5 * 2^52: added, it leaves the nearest whole number in the low bits
_SHIFT_BITS, _BIAS, _PLACE = 0x4338000000000000, 1023, 52
_ROOT_HALF, _MANTISSA = 0x3FE6A09E667F3BCD, (1 << 52) - 1


def _exp64(x):  # type: ignore[no-untyped-def]
    shifted = x * _LOG2E + _SHIFT
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
    scale = np.int64((np.float64(shifted).view(np.int64) + _BIAS) << _PLACE).view(np.float64)
    return scale + scale * (r * r * q + r)


@register_jitable(**_OPTIONS)
def _parts64(x):  # type: ignore[no-untyped-def]
    """Mantissa from sqrt(1/2) to sqrt(2), and exponent as a number."""
    bits = np.float64(x).view(np.int64) - _ROOT_HALF
    m = np.int64((bits & _MANTISSA) + _ROOT_HALF).view(np.float64)
    k = np.int64((bits >> _PLACE) + _SHIFT_BITS).view(np.float64) - _SHIFT  # AVX2 cannot convert whole numbers
    return m, k


@register_jitable(**_OPTIONS)
def _artanh_twice64(s):  # type: ignore[no-untyped-def]
    """2 artanh(s) for abs(s) up to 0.172."""
    z = s * s
    p = 1.479610584785964005e-1 * z + 1.531403590979623152e-1
    p = p * z + 1.818356485889126478e-1
    p = p * z + 2.222219856373563388e-1
    p = p * z + 2.857142874247136127e-1
    p = p * z + 3.999999999941434304e-1
    p = p * z + 6.666666666666734456e-1
    return s * (p * z + 2.0)


@register_jitable(**_OPTIONS)
def _artanh_twice_wide64(s):  # type: ignore[no-untyped-def]
    """2 artanh(s) for s from 0 to 1/3."""
    z = s * s
    p = 1.774885485244501636e-1 * z + 9.898306993957076658e-2
    p = p * z + 1.358724568434604737e-1
    p = p * z + 1.536419219933798562e-1
    p = p * z + 1.818282072079783383e-1
    p = p * z + 2.222219265539303306e-1
    p = p * z + 2.857142906316736042e-1
    p = p * z + 3.999999999599782873e-1
    p = p * z + 6.666666666667787242e-1
    return s * (p * z + 2.0)


def _log64(x):  # type: ignore[no-untyped-def]
    m, k = _parts64(x)
    return k * _LN2 + _artanh_twice64((m - 1.0) / (m + 1.0))


def _log1p64(u):  # type: ignore[no-untyped-def]
    return _artanh_twice_wide64(u / (2.0 + u))


def _log1p_and_reciprocal64(u):  # type: ignore[no-untyped-def]
    shared = 1.0 / ((1.0 + u) * (2.0 + u))
    return _artanh_twice_wide64(u * ((1.0 + u) * shared)), (2.0 + u) * shared


# Single precision: every constant is typed, as a double among them would make the arithmetic double.

_f, _i = np.float32, np.int32
_ONE32, _TWO32, _LN2_32, _LOG2E32 = _f(1), _f(2), _f(_LN2), _f(_LOG2E)
_LN2_HIGH32, _LN2_LOW32, _SHIFT32 = _f(0.693359375), _f(-2.12194440e-4), _f(12582912.0)
_SHIFT_BITS32, _BIAS32, _PLACE32 = _i(0x4B400000), _i(127), _i(23)
_ROOT_HALF32, _MANTISSA32 = _i(0x3F3504F3), _i((1 << 23) - 1)
_E0, _E1, _E2 = _f(4.999999344937647974e-1), _f(1.666652063455932954e-1), _f(4.166838758226733528e-2)
_E3, _E4 = _f(8.368716736434608988e-3), _f(1.38146271460048979e-3)
_N0, _N1, _N2 = _f(6.666677640960008454e-1), _f(3.997753757921760061e-1), _f(2.987184877039727105e-1)
_W0, _W1 = _f(6.666641316298590578e-1), _f(4.002169812723752559e-1)
_W2, _W3 = _f(2.799914742324587738e-1), _f(2.802445653543758621e-1)


def _exp32(x):  # type: ignore[no-untyped-def]
    shifted = x * _LOG2E32 + _SHIFT32
    k = shifted - _SHIFT32
    r = (x - k * _LN2_HIGH32) - k * _LN2_LOW32
    q = (((_E4 * r + _E3) * r + _E2) * r + _E1) * r + _E0
    scale = np.int32((np.float32(shifted).view(np.int32) + _BIAS32) << _PLACE32).view(np.float32)
    return scale + scale * (r * r * q + r)


@register_jitable(**_OPTIONS)
def _parts32(x):  # type: ignore[no-untyped-def]
    bits = np.int32(np.float32(x).view(np.int32) - _ROOT_HALF32)
    m = np.int32((bits & _MANTISSA32) + _ROOT_HALF32).view(np.float32)
    k = np.int32((bits >> _PLACE32) + _SHIFT_BITS32).view(np.float32) - _SHIFT32
    return m, k


@register_jitable(**_OPTIONS)
def _artanh_twice32(s):  # type: ignore[no-untyped-def]
    z = s * s
    return s * (((_N2 * z + _N1) * z + _N0) * z + _TWO32)


@register_jitable(**_OPTIONS)
def _artanh_twice_wide32(s):  # type: ignore[no-untyped-def]
    z = s * s
    return s * ((((_W3 * z + _W2) * z + _W1) * z + _W0) * z + _TWO32)


def _log32(x):  # type: ignore[no-untyped-def]
    m, k = _parts32(x)
    return k * _LN2_32 + _artanh_twice32((m - _ONE32) / (m + _ONE32))


def _log1p32(u):  # type: ignore[no-untyped-def]
    return _artanh_twice_wide32(u / (_TWO32 + u))


def _log1p_and_reciprocal32(u):  # type: ignore[no-untyped-def]
    shared = _ONE32 / ((_ONE32 + u) * (_TWO32 + u))
    return _artanh_twice_wide32(u * ((_ONE32 + u) * shared)), (_TWO32 + u) * shared
