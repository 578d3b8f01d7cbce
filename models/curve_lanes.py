"""Eight numbers side by side: a type for compiled code that works on eight series in one go.

Belongs here: vectors of eight doubles and of eight truths, their operators, e^z and log z. Not here: what is done with
them (``curve_formulas``, ``curve_kernels``). Imported only where numba is there.

Left to itself the compiler finds vectors in loops over the ages, and between those loops everything is single numbers.
Here a lane is a series, so that every operation of a search fills the registers, and a lane's result does not depend
on its neighbours to the last bit. A row of an array is eight numbers, one a lane; :func:`read` and :func:`write` take
its number. To the type checker a vector is an array.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from longwave.models.curve_shapes import Floats
from numba.core import types
from numba.core.datamodel import models
from numba.core.imputils import lower_builtin
from numba.core.typing import signature
from numba.core.typing.templates import ConcreteTemplate, infer_global
from numba.extending import intrinsic, register_model
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

_Function = TypeVar("_Function", bound=Callable[..., object])

LANES = 8
RANGE = 690.0  # e^690 is a finite double
Truths = NDArray[np.bool_]

_FLAGS = ("nsz", "contract")  # a product and a sum may be one operation; sums keep their order
_DOUBLES, _TRUTHS = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.IntType(1), LANES)
_BITS = ir.VectorType(ir.IntType(64), LANES)
_TO_LOG2, _ROUND, _BIAS = 1.4426950408889634, 6755399441055744.0, 4607182418800017408
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
_EXPONENT, _HALF_ROOT, _MANTISSA = 0x4330000000000400, 0x3FE6A09E667F3BCD, 0x000FFFFFFFFFFFFF


class _Vector(types.Type):  # type: ignore[misc]
    """Numba's type of a vector of this module."""


_lanes, _truths = _Vector("lanes"), _Vector("truths")


class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, declared: Any) -> None:
        super().__init__(manager, declared, _DOUBLES if declared is _lanes else _TRUTHS)


register_model(_Vector)(_LanesModel)


def compiled(inline: bool = False) -> Callable[[_Function], _Function]:
    """Give the compiler of numba with the options of these modules; the type of the function is kept."""

    def wrap(function: _Function) -> _Function:
        made = numba.njit(nogil=True, error_model="numpy", fastmath=set(_FLAGS), forceinline=inline)(function)
        return cast(_Function, made)

    return wrap


def _constant(number: float | int, made_of: Any = _DOUBLES) -> Any:
    return ir.Constant(made_of, [number] * LANES)


def _spread(builder: Any, value: Any, declared: Any) -> Any:
    """A number in every lane; a vector as it is."""
    if declared is not types.float64:
        return value
    first = builder.insert_element(ir.Constant(_DOUBLES, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(
        first, ir.Constant(_DOUBLES, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    )


def _operator(symbol: Any, result: _Vector, build: Callable[[Any, Any, Any], Any]) -> None:
    """Declare and lower an operator on two vectors, or a vector and a number."""
    pairs = [(_lanes, _lanes), (_lanes, types.float64), (types.float64, _lanes)]

    @infer_global(symbol)
    class _Typing(ConcreteTemplate):  # type: ignore[misc]
        cases = [signature(result, *pair) for pair in pairs]  # noqa: RUF012

    for pair in pairs:

        @lower_builtin(symbol, *pair)
        def _lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            del context
            return build(builder, *(_spread(builder, arg, kind) for arg, kind in zip(args, sig.args, strict=True)))


_operator(operator.add, _lanes, lambda b, x, y: b.fadd(x, y, flags=_FLAGS))
_operator(operator.sub, _lanes, lambda b, x, y: b.fsub(x, y, flags=_FLAGS))
_operator(operator.mul, _lanes, lambda b, x, y: b.fmul(x, y, flags=_FLAGS))
_operator(operator.truediv, _lanes, lambda b, x, y: b.fdiv(x, y, flags=_FLAGS))
_operator(operator.lt, _truths, lambda b, x, y: b.fcmp_ordered("<", x, y))
_operator(operator.le, _truths, lambda b, x, y: b.fcmp_ordered("<=", x, y))
_operator(operator.gt, _truths, lambda b, x, y: b.fcmp_ordered(">", x, y))
_operator(operator.ge, _truths, lambda b, x, y: b.fcmp_ordered(">=", x, y))


def _logic(symbol: Any, build: Callable[..., Any], operands: int) -> None:
    @infer_global(symbol)
    class _Typing(ConcreteTemplate):  # type: ignore[misc]
        cases = [signature(_truths, *[_truths] * operands)]  # noqa: RUF012

    @lower_builtin(symbol, *[_truths] * operands)
    def _lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        del context, sig
        return build(builder, *args)


_logic(operator.and_, lambda b, x, y: b.and_(x, y), 2)
_logic(operator.or_, lambda b, x, y: b.or_(x, y), 2)
_logic(operator.invert, lambda b, x: b.not_(x), 1)


@infer_global(operator.neg)
class _Negation(ConcreteTemplate):  # type: ignore[misc]
    cases = [signature(_lanes, _lanes)]  # noqa: RUF012


@lower_builtin(operator.neg, _lanes)
def _negated(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    del context, sig
    return builder.fsub(_constant(-0.0), args[0], flags=_FLAGS)


def _row(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    """Pointer to eight doubles of an array."""
    data = make_array(sig.args[0])(context, builder, args[0]).data
    first = builder.mul(args[1], ir.Constant(args[1].type, LANES))
    return builder.bitcast(builder.gep(data, [first]), _DOUBLES.as_pointer())


@intrinsic  # type: ignore[untyped-decorator]
def read(typing: Any, array: Any, row: Any) -> Any:
    """Row of a flat array, as a vector."""
    del typing

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_row(context, builder, sig, args), align=8)

    return _lanes(array, types.intp), code


@intrinsic  # type: ignore[untyped-decorator]
def write(typing: Any, array: Any, row: Any, value: Any) -> Any:
    """Put a vector to a row of a flat array."""
    del typing

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _row(context, builder, sig, args), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _lanes), code


@intrinsic  # type: ignore[untyped-decorator]
def every(typing: Any, number: Any) -> Any:
    """A number in all lanes."""
    del typing, number

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        del context
        return _spread(builder, args[0], sig.args[0])

    return _lanes(types.float64), code


@intrinsic  # type: ignore[untyped-decorator]
def pick(typing: Any, where: Any, yes: Any, no: Any) -> Any:
    """Lane by lane the one or the other."""
    del typing, where

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        del context
        return builder.select(args[0], *(_spread(builder, args[i], sig.args[i]) for i in (1, 2)))

    return _lanes(_truths, *(_lanes if kind is _lanes else types.float64 for kind in (yes, no))), code


@intrinsic  # type: ignore[untyped-decorator]
def which(typing: Any, where: Any) -> Any:
    """The lanes where it is true, as the bits of a number; 0 where there is none."""
    del typing, where

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        del context, sig
        return builder.zext(builder.bitcast(args[0], ir.IntType(LANES)), ir.IntType(64))

    return types.int64(_truths), code


@intrinsic  # type: ignore[untyped-decorator]
def _two_to_the(typing: Any, rounded: Any) -> Any:
    """2^k from k + 1.5 · 2^52."""
    del typing, rounded

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        del context, sig
        bits = builder.shl(builder.bitcast(args[0], _BITS), _constant(52, _BITS))
        return builder.bitcast(builder.add(bits, _constant(_BIAS, _BITS)), _DOUBLES)

    return _lanes(_lanes), code


@intrinsic  # type: ignore[untyped-decorator]
def _exponent_of(typing: Any, value: Any) -> Any:
    """The k of v = 2^k m with m between √½ and √2, plus 2^52 + 1024."""
    del typing, value

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        del context, sig
        bits = builder.sub(builder.bitcast(args[0], _BITS), _constant(_HALF_ROOT, _BITS))
        high = builder.ashr(bits, _constant(52, _BITS))
        return builder.bitcast(builder.add(high, _constant(_EXPONENT, _BITS)), _DOUBLES)

    return _lanes(_lanes), code


@intrinsic  # type: ignore[untyped-decorator]
def _mantissa_of(typing: Any, value: Any) -> Any:
    """The m of v = 2^k m, between √½ and √2."""
    del typing, value

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        del context, sig
        bits = builder.sub(builder.bitcast(args[0], _BITS), _constant(_HALF_ROOT, _BITS))
        bits = builder.and_(bits, _constant(_MANTISSA, _BITS))
        return builder.bitcast(builder.add(bits, _constant(_HALF_ROOT, _BITS)), _DOUBLES)

    return _lanes(_lanes), code


def _one_of(symbol: str, a: Any, b: Any) -> Any:
    """Signature and code of what takes a where the comparison holds, else b."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        del context
        first, second = (_spread(builder, arg, kind) for arg, kind in zip(args, sig.args, strict=True))
        return builder.select(builder.fcmp_ordered(symbol, first, second), first, second)

    return _lanes(*(kind if kind is _lanes else types.float64 for kind in (a, b))), code


@intrinsic  # type: ignore[untyped-decorator]
def most(typing: Any, a: Any, b: Any) -> Any:
    """The greater of vectors or numbers; b where a is not a number."""
    del typing
    return _one_of(">", a, b)


@intrinsic  # type: ignore[untyped-decorator]
def least(typing: Any, a: Any, b: Any) -> Any:
    """The lesser of vectors or numbers; b where a is not a number."""
    del typing
    return _one_of("<", a, b)


@intrinsic  # type: ignore[untyped-decorator]
def size(typing: Any, a: Any) -> Any:
    """Without the sign."""
    del typing, a

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        del context, sig
        bits = builder.and_(builder.bitcast(args[0], _BITS), _constant(0x7FFFFFFFFFFFFFFF, _BITS))
        return builder.bitcast(bits, _DOUBLES)

    return _lanes(_lanes), code


@compiled(inline=True)
def exponential(z: Floats) -> Floats:
    """e^z within ±690, to the last digit or two: z = k log 2 + r, and the series of e^r."""
    z = least(most(z, -RANGE), RANGE)
    k = z * _TO_LOG2 + _ROUND
    power = _two_to_the(k)
    k = k - _ROUND
    r = z - k * _LN2_HIGH - k * _LN2_LOW
    p = r * (1 / 6227020800.0) + 1 / 479001600.0
    p = p * r + 1 / 39916800.0
    p = p * r + 1 / 3628800.0
    p = p * r + 1 / 362880.0
    p = p * r + 1 / 40320.0
    p = p * r + 1 / 5040.0
    p = p * r + 1 / 720.0
    p = p * r + 1 / 120.0
    p = p * r + 1 / 24.0
    p = p * r + 1 / 6.0
    p = p * r + 0.5
    return (p * r * r + r + 1.0) * power


@compiled(inline=True)
def logarithm(v: Floats) -> Floats:
    """The natural logarithm of normal positive numbers, to the last digit or two.

    v = 2^k m; log m = 2 artanh s with s = (m − 1) / (m + 1), |s| < 0.172, by its series.
    """
    k = _exponent_of(v) - 4503599627371520.0
    m = _mantissa_of(v)
    s = (m - 1.0) / (m + 1.0)
    w = s * s
    p = w * (1 / 21.0) + 1 / 19.0
    p = p * w + 1 / 17.0
    p = p * w + 1 / 15.0
    p = p * w + 1 / 13.0
    p = p * w + 1 / 11.0
    p = p * w + 1 / 9.0
    p = p * w + 1 / 7.0
    p = p * w + 1 / 5.0
    p = p * w + 1 / 3.0
    return k * _LN2_HIGH + (2.0 * s + (2.0 * s * w * p + k * _LN2_LOW))
