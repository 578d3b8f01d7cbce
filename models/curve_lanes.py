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
from longwave.models.curve_shapes import Floats
from numba import extending
from numba.core import cgutils, imputils, types, typing
from numba.core.datamodel import models
from numba.core.typing import templates
from numba.np import arrayobj
from numpy.typing import NDArray

_Function = TypeVar("_Function", bound=Callable[..., object])

LANES = 8
RANGE = 690.0  # e^690 is a finite double
Truths = NDArray[np.bool_]
Number = Floats | float

# What numba offers to extensions carries no types.
_api: Any = extending
_ir: Any = vars(cgutils)["ir"]
_lower: Any = imputils.lower_builtin
_signature: Any = vars(typing)["signature"]
_declare: Any = templates.infer_global
_template: Any = templates.ConcreteTemplate
_array: Any = arrayobj.make_array

_FLAGS = ("nsz", "contract")  # a product and a sum may be one operation; sums keep their order
_DOUBLES, _TRUTHS = _ir.VectorType(_ir.DoubleType(), LANES), _ir.VectorType(_ir.IntType(1), LANES)
_BITS = _ir.VectorType(_ir.IntType(64), LANES)
_TO_LOG2, _ROUND, _BIAS = 1.4426950408889634, 6755399441055744.0, 4607182418800017408
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
_EXPONENT, _HALF_ROOT, _MANTISSA = 0x4330000000000400, 0x3FE6A09E667F3BCD, 0x000FFFFFFFFFFFFF
_UNSIGNED = 0x7FFFFFFFFFFFFFFF


_Vector: Any = type("_Vector", (types.Type,), {"__doc__": "Numba's type of a vector of this module."})
_lanes, _truths = _Vector("lanes"), _Vector("truths")


def _made_of(model: Any, manager: Any, declared: Any) -> None:
    """Begin numba's description of how a type is stored."""
    models.PrimitiveModel.__init__(model, manager, declared, _DOUBLES if declared is _lanes else _TRUTHS)  # type: ignore[no-untyped-call]


_api.register_model(_Vector)(type("_Model", (models.PrimitiveModel,), {"__init__": _made_of}))


def compiled(inline: bool = False) -> Callable[[_Function], _Function]:
    """Give the compiler of numba with the options of these modules; the type of the function is kept."""

    def wrap(function: _Function) -> _Function:
        made = numba.njit(nogil=True, error_model="numpy", fastmath=set(_FLAGS), forceinline=inline)(function)
        return cast(_Function, made)

    return wrap


def _constant(number: float | int, made_of: Any = _DOUBLES) -> Any:
    return _ir.Constant(made_of, [number] * LANES)


def _spread(builder: Any, value: Any, declared: Any) -> Any:
    """A number in every lane; a vector as it is."""
    if declared is not types.float64:
        return value
    first = builder.insert_element(_ir.Constant(_DOUBLES, _ir.Undefined), value, _ir.Constant(_ir.IntType(32), 0))
    return builder.shuffle_vector(
        first, _ir.Constant(_DOUBLES, _ir.Undefined), _ir.Constant(_ir.VectorType(_ir.IntType(32), LANES), [0] * LANES)
    )


def _operator(symbol: Any, result: Any, build: Callable[..., Any], *accepted: tuple[Any, ...]) -> None:
    """Declare and lower an operator; on two vectors, or a vector and a number, unless it is said on what."""
    operands = accepted or ((_lanes, _lanes), (_lanes, types.float64), (types.float64, _lanes))
    _declare(symbol)(type("_Operator", (_template,), {"cases": [_signature(result, *each) for each in operands]}))

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        del context
        return build(builder, *(_spread(builder, arg, kind) for arg, kind in zip(args, sig.args, strict=True)))

    for each in operands:
        _lower(symbol, *each)(code)


_operator(operator.add, _lanes, lambda b, x, y: b.fadd(x, y, flags=_FLAGS))
_operator(operator.sub, _lanes, lambda b, x, y: b.fsub(x, y, flags=_FLAGS))
_operator(operator.mul, _lanes, lambda b, x, y: b.fmul(x, y, flags=_FLAGS))
_operator(operator.truediv, _lanes, lambda b, x, y: b.fdiv(x, y, flags=_FLAGS))
_operator(operator.lt, _truths, lambda b, x, y: b.fcmp_ordered("<", x, y))
_operator(operator.le, _truths, lambda b, x, y: b.fcmp_ordered("<=", x, y))
_operator(operator.gt, _truths, lambda b, x, y: b.fcmp_ordered(">", x, y))
_operator(operator.ge, _truths, lambda b, x, y: b.fcmp_ordered(">=", x, y))


_operator(operator.neg, _lanes, lambda b, x: b.fsub(_constant(-0.0), x, flags=_FLAGS), (_lanes,))
_operator(operator.and_, _truths, lambda b, x, y: b.and_(x, y), (_truths, _truths))
_operator(operator.or_, _truths, lambda b, x, y: b.or_(x, y), (_truths, _truths))
_operator(operator.invert, _truths, lambda b, x: b.not_(x), (_truths,))


def _row(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    """Pointer to eight doubles of an array."""
    data = _array(sig.args[0])(context, builder, args[0]).data
    first = builder.mul(args[1], _ir.Constant(args[1].type, LANES))
    return builder.bitcast(builder.gep(data, [first]), _DOUBLES.as_pointer())


def _read(typing: Any, array: Any, row: Any) -> Any:
    del typing, row

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_row(context, builder, sig, args), align=8)

    return _lanes(array, types.intp), code


def _spread_from(typing: Any, array: Any, at: Any) -> Any:
    del typing, at

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = _array(sig.args[0])(context, builder, args[0]).data
        return _spread(builder, builder.load(builder.gep(data, [args[1]])), types.float64)

    return _lanes(array, types.intp), code


def _write(typing: Any, array: Any, row: Any, value: Any) -> Any:
    del typing, row, value

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _row(context, builder, sig, args), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _lanes), code


def _primitive(count: int, result: Any, build: Callable[..., Any]) -> Any:
    """A function of ``count`` vectors that is written straight to the compiler; numbers are spread over the lanes."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        del context
        return build(builder, *(_spread(builder, arg, kind) for arg, kind in zip(args, sig.args, strict=True)))

    def declared(*kinds: Any) -> Any:
        return result(*(kind if isinstance(kind, _Vector) else types.float64 for kind in kinds)), code

    def one(typing: Any, a: Any) -> Any:
        del typing
        return declared(a)

    def two(typing: Any, a: Any, b: Any) -> Any:
        del typing
        return declared(a, b)

    def three(typing: Any, a: Any, b: Any, c: Any) -> Any:
        del typing
        return declared(a, b, c)

    return _api.intrinsic((one, two, three)[count - 1])


def _masked(builder: Any, value: Any, mask: int) -> Any:
    """Some bits of every double."""
    return builder.and_(builder.bitcast(value, _BITS), _constant(mask, _BITS))


def _two_to(builder: Any, rounded: Any) -> Any:
    """2^k from k + 1.5 · 2^52."""
    bits = builder.shl(builder.bitcast(rounded, _BITS), _constant(52, _BITS))
    return builder.bitcast(builder.add(bits, _constant(_BIAS, _BITS)), _DOUBLES)


def _exponent(builder: Any, value: Any) -> Any:
    """The k of v = 2^k m with m between √½ and √2, plus 2^52 + 1024."""
    bits = builder.sub(builder.bitcast(value, _BITS), _constant(_HALF_ROOT, _BITS))
    high = builder.ashr(bits, _constant(52, _BITS))
    return builder.bitcast(builder.add(high, _constant(_EXPONENT, _BITS)), _DOUBLES)


def _mantissa(builder: Any, value: Any) -> Any:
    """The m of v = 2^k m, between √½ and √2."""
    bits = builder.sub(builder.bitcast(value, _BITS), _constant(_HALF_ROOT, _BITS))
    bits = builder.and_(bits, _constant(_MANTISSA, _BITS))
    return builder.bitcast(builder.add(bits, _constant(_HALF_ROOT, _BITS)), _DOUBLES)


def _one_of(symbol: str) -> Callable[[Any, Any, Any], Any]:
    """What takes the first where the comparison holds, else the second."""
    return lambda builder, a, b: builder.select(builder.fcmp_ordered(symbol, a, b), a, b)


def _bits(builder: Any, where: Any) -> Any:
    return builder.zext(builder.bitcast(where, _ir.IntType(LANES)), _ir.IntType(64))


# A row of a flat array as a vector, and a vector put there.
read = cast(Callable[[Floats, int], Floats], _api.intrinsic(_read))
write = cast(Callable[[Floats, int, Floats], None], _api.intrinsic(_write))
# One number of a flat array in all lanes.
spread = cast(Callable[[Floats, int], Floats], _api.intrinsic(_spread_from))
# A number in all lanes; the greater and the lesser, the second where the first is not a number; without the sign.
every = cast(Callable[[float], Floats], _primitive(1, _lanes, lambda _, a: a))
most = cast(Callable[[Number, Number], Floats], _primitive(2, _lanes, _one_of(">")))
least = cast(Callable[[Number, Number], Floats], _primitive(2, _lanes, _one_of("<")))
size = cast(
    Callable[[Floats], Floats],
    _primitive(1, _lanes, lambda builder, a: builder.bitcast(_masked(builder, a, _UNSIGNED), _DOUBLES)),
)
# Lane by lane the one or the other; the lanes where it is true as the bits of a number, 0 where there is none.
pick = cast(
    Callable[[Truths, Number, Number], Floats], _primitive(3, _lanes, lambda builder, *args: builder.select(*args))
)
which = cast(Callable[[Truths], int], _primitive(1, types.int64, _bits))
_two_to_the = cast(Callable[[Floats], Floats], _primitive(1, _lanes, _two_to))
_exponent_of = cast(Callable[[Floats], Floats], _primitive(1, _lanes, _exponent))
_mantissa_of = cast(Callable[[Floats], Floats], _primitive(1, _lanes, _mantissa))


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
