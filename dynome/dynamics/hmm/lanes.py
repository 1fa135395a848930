"""Sixteen float64 side by side, as one value in compiled code.

A chain is a dependent recursion: a processor waits at every bin. Sixteen chains that advance together wait once. LLVM
does not find that in loops over arrays that might overlap, so the vector is a type of its own: `get` and `put` move a
row of 16 between an array and registers, ``+ - * /`` work lane by lane, and no loop over lanes is left to be analysed.
The type is LLVM's; how many registers it takes (2 with AVX-512, 4 with AVX, 8 with NEON) is the compiler's affair.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 16
_FLOATS = ir.VectorType(ir.DoubleType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(64), LANES)
_SHUFFLE = ir.VectorType(ir.IntType(32), LANES)
_ROUND = 1.5 * 2.0**52  # adding it rounds to a whole number, which then stands in the low bits
_LOG_2 = (0.6931471803691238, 1.9082149292705877e-10)  # in two parts, so that n * log 2 is exact
_LOWEST = -708.0  # exp of less is not a normal number
_MANTISSA, _ONE = (1 << 52) - 1, 1023 << 52


class Lanes(types.Type):  # type: ignore[misc]
    """Numba's name for a vector of `LANES` float64."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes({LANES})")


lanes = Lanes()


@register_model(Lanes)
class _Model(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, front: Any) -> None:
        super().__init__(manager, front, _FLOATS)


def _all(value: float) -> ir.Constant:
    return ir.Constant(_FLOATS, [float(value)] * LANES)


def _whole(value: int) -> ir.Constant:
    return ir.Constant(_INTEGERS, [value] * LANES)


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f64"), [a, b, c])


def _address(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> Any:
    """Pointer to a row of an array ``(n, LANES)``."""
    parts = context.make_array(kind)(context, builder, array)
    step = cgutils.unpack_tuple(builder, parts.strides)[0]
    start = builder.gep(builder.bitcast(parts.data, ir.IntType(8).as_pointer()), [builder.mul(row, step)])
    return builder.bitcast(start, _FLOATS.as_pointer())


@intrinsic
def get(_typing: Any, array: Any, _row: Any) -> Any:
    """Row of an array ``(n, LANES)``."""

    def code(context: Any, builder: Any, signature: Any, a: Any) -> Any:
        return builder.load(_address(context, builder, signature.args[0], *a), align=8)

    return lanes(array, types.intp), code


@intrinsic
def put(_typing: Any, array: Any, _row: Any, x: Any) -> Any:
    """Write a row of an array ``(n, LANES)``."""

    def code(context: Any, builder: Any, signature: Any, a: Any) -> Any:
        builder.store(a[2], _address(context, builder, signature.args[0], *a[:2]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, x), code


@intrinsic
def splat(_typing: Any, _x: Any) -> Any:
    """A number in every lane."""

    def code(_context: Any, builder: Any, _signature: Any, x: Any) -> Any:
        blank = ir.Constant(_FLOATS, ir.Undefined)
        single = builder.insert_element(blank, x[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(single, blank, ir.Constant(_SHUFFLE, [0] * LANES))

    return lanes(types.float64), code


def _code(build: Callable[..., Any]) -> Any:
    """What numba asks for, of a function of LLVM's builder and vectors."""
    return lambda _context, builder, _signature, vectors: build(builder, *vectors)


@intrinsic
def multiply_add(_typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once where the processor can."""
    return lanes(a, b, c), _code(_multiply_add)


@intrinsic
def larger(_typing: Any, a: Any, b: Any) -> Any:
    """Lane by lane, ``a`` where it is larger, else ``b``."""
    return lanes(a, b), _code(lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))


@intrinsic
def exponential(_typing: Any, x: Any) -> Any:
    """Of numbers that are at most 0, to the last bit or two; of less than -708 it is 0, and of NaN it is NaN."""
    return lanes(x), _code(_exponential)


def _exponential(builder: Any, x: Any) -> Any:
    floor = _all(_LOWEST)
    low = builder.fcmp_ordered("<", x, floor)
    x = builder.select(low, floor, x)
    rounded = _multiply_add(builder, x, _all(1 / math.log(2)), _all(_ROUND))
    n = builder.fsub(rounded, _all(_ROUND))
    for part in _LOG_2:
        x = _multiply_add(builder, n, _all(-part), x)
    series = _all(1 / math.factorial(13))
    for k in range(12, -1, -1):
        series = _multiply_add(builder, series, x, _all(1 / math.factorial(k)))
    power = builder.shl(builder.add(builder.bitcast(rounded, _INTEGERS), _whole(1023)), _whole(52))
    return builder.select(low, _all(0), builder.fmul(series, builder.bitcast(power, _FLOATS)))


@intrinsic
def mantissa(_typing: Any, x: Any) -> Any:
    """Of normal positive numbers, in [1, 2)."""

    def build(builder: Any, x: Any) -> Any:
        bits = builder.and_(builder.bitcast(x, _INTEGERS), _whole(_MANTISSA))
        return builder.bitcast(builder.or_(bits, _whole(_ONE)), _FLOATS)

    return lanes(x), _code(build)


@intrinsic
def exponent(_typing: Any, x: Any) -> Any:
    """Of normal positive numbers: ``x = mantissa(x) * 2 ** exponent(x)``."""

    def build(builder: Any, x: Any) -> Any:
        return builder.sitofp(
            builder.sub(builder.lshr(builder.bitcast(x, _INTEGERS), _whole(52)), _whole(1023)), _FLOATS
        )

    return lanes(x), _code(build)


def _operator(python: Callable[[Any, Any], Any], llvm: str) -> None:
    @intrinsic
    def operation(_typing: Any, a: Any, b: Any) -> Any:
        return lanes(a, b), _code(lambda builder, a, b: getattr(builder, llvm)(a, b))

    @overload(python)
    def chosen(a, b):  # type: ignore[no-untyped-def]  # numba compares the signatures, annotations and all
        if isinstance(a, Lanes) and isinstance(b, Lanes):
            return lambda a, b: operation(a, b)
        return None


for _python, _llvm in {"add": "fadd", "sub": "fsub", "mul": "fmul", "truediv": "fdiv"}.items():
    _operator(getattr(operator, _python), _llvm)
