"""Counting in columns of bits: 512 sums at once, each spread over binary digits.

Bit i of eight words, 512 bits together, belongs to counter i. A *plane* holds one binary digit of
all 512 counters. Adding a column of bits to them is then a matter of half and full adders, which
for forty columns costs some forty logical instructions on vectors of 64 bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from sparsecode._jit import overload
from sparsecode._simd import _INT, _arrays, _at, intrinsic

__all__ = [
    "COMPARED",
    "COUNTERS",
    "FEWEST_PLANES",
    "WORDS",
    "add_columns",
    "any_above",
    "mask_above",
    "spread",
]

#: Counters that are kept together, and the words that hold a bit of each.
COUNTERS, WORDS = 512, 8
#: Planes that stay in registers, and are written whether they are wanted or not.
FEWEST_PLANES = 3
#: Columns that are added together.
_TOGETHER = 8
#: Counters that are spread at a time, those of one word, and compared at a time.
_LANES, COMPARED = 64, 32

_VECTOR = ir.VectorType(_INT, WORDS)


def add_columns(
    bits: np.ndarray,
    offset: int,
    step: int,
    ahead: int,
    units: np.ndarray,
    start: int,
    stop: int,
    n_planes: int,
    planes: np.ndarray,
) -> None:
    """Count in how many of the columns ``units[start:stop]`` each of 512 bits is set.

    The column of unit ``u`` is ``bits[offset + u * step :][:8]``. The counts must stay below
    ``2**n_planes``, with at least three planes; digit ``b`` is left in ``planes[8 * b :][:8]``.
    What lies `ahead` words further on is fetched for a later call: forty columns are too many for
    the processor to foresee (measured: half the time).
    """
    planes[: WORDS * n_planes] = 0
    for unit in units[start:stop]:
        carry = bits[offset + unit * step :][:WORDS]
        for b in range(n_planes):
            plane = planes[WORDS * b :][:WORDS]
            plane[:], carry = plane ^ carry, plane & carry


def any_above(planes: np.ndarray, n_planes: int, floor: int) -> bool:
    """Say whether any of the 512 counts exceeds a floor of at least 0."""
    counts = np.zeros(COUNTERS, np.int64)
    spread(planes, n_planes, counts, 0)
    return bool((counts > floor).any())


def spread(planes: np.ndarray, n_planes: int, counts: np.ndarray, first: int) -> None:
    """Write the 512 counts as numbers to ``counts[first:]``."""
    counts[first : first + COUNTERS] = 0
    for b in range(n_planes):
        digit = np.unpackbits(planes[WORDS * b :][:WORDS].view(np.uint8), bitorder="little")
        counts[first : first + COUNTERS] += digit.astype(counts.dtype) << b


def mask_above(counts: np.ndarray, first: int, floor: int) -> int:
    """Say which of ``counts[first:][:32]`` exceed a floor: bit i of the answer is for entry i."""
    above = np.packbits(counts[first : first + COMPARED] > floor, bitorder="little")
    return int(above.view(np.uint32)[0])


def _read(builder: Any, pointer: Any) -> Any:
    vector = builder.load(pointer)
    vector.align = 8
    return vector


def _write(builder: Any, vector: Any, pointer: Any) -> None:
    builder.store(vector, pointer).align = 8


def _fetch(builder: Any, pointer: Any) -> None:
    """Ask for the cache line at a pointer, which need not be one that may be read."""
    whole, byte = ir.IntType(32), ir.IntType(8).as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [byte, whole, whole, whole])
    prefetch = builder.module.declare_intrinsic("llvm.prefetch", (byte,), signature)
    how = whole(0), whole(3), whole(1)  # to read, to keep, data
    builder.call(prefetch, [builder.bitcast(pointer, byte), *how])


def _full_adder(builder: Any, a: Any, b: Any, c: Any) -> tuple[Any, Any]:
    """Return the digit and the carry of the sum of three bits."""
    half = builder.xor(a, b)
    carry = builder.or_(builder.and_(a, b), builder.and_(half, c))
    return builder.xor(half, c), carry


def _splat(builder: Any, scalar: Any, n_lanes: int) -> Any:
    nothing = ir.Constant(ir.VectorType(scalar.type, n_lanes), ir.Undefined)
    one = builder.insert_element(nothing, scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), n_lanes), [0] * n_lanes)
    return builder.shuffle_vector(one, nothing, zeros)


@intrinsic
def _add_columns(typing_context, bits, offset, step, ahead, units, start, stop, n_planes, planes):
    def generate(context, builder, signature, arguments):
        (columns,) = _arrays(context, builder, signature, arguments, 1)
        (chosen,) = _arrays(context, builder, _from(signature, 4), arguments[4:], 1)
        (out,) = _arrays(context, builder, _from(signature, 8), arguments[8:], 1)
        offset, step, ahead, first, last, n_planes = (arguments[i] for i in (1, 2, 3, 5, 6, 7))
        table = builder.bitcast(out.data, _VECTOR.as_pointer())
        nothing = ir.Constant(_VECTOR, [0] * WORDS)
        low = [cgutils.alloca_once(builder, _VECTOR) for _ in range(FEWEST_PLANES)]
        for place in low:
            builder.store(nothing, place)
        with cgutils.for_range(builder, n_planes) as loop:
            _write(builder, nothing, _at(builder, table, loop.index))

        def column(p: Any) -> Any:
            unit = builder.load(_at(builder, chosen.data, p))
            unit = context.cast(builder, unit, signature.args[4].dtype, types.int64)
            place = builder.add(offset, builder.mul(unit, step))
            pointer = _at(builder, columns.data, place)
            _fetch(builder, _at(builder, pointer, ahead))
            return _read(builder, builder.bitcast(pointer, _VECTOR.as_pointer()))

        def ripple(carry: Any) -> None:
            """Add eights to the planes that are in memory."""
            place = cgutils.alloca_once(builder, _VECTOR)
            builder.store(carry, place)
            digits = (_INT(FEWEST_PLANES), n_planes, _INT(1))
            with cgutils.for_range_slice(builder, *digits) as (b, _):
                pointer, carry = _at(builder, table, b), builder.load(place)
                plane = _read(builder, pointer)
                _write(builder, builder.xor(plane, carry), pointer)
                builder.store(builder.and_(plane, carry), place)

        n_rounds = builder.udiv(builder.sub(last, first), _INT(_TOGETHER))
        with cgutils.for_range(builder, n_rounds) as loop:
            p = builder.add(first, builder.mul(loop.index, _INT(_TOGETHER)))
            carries = [column(builder.add(p, _INT(i))) for i in range(_TOGETHER)]
            for place in low:
                digit, pairs = builder.load(place), zip(carries[::2], carries[1::2])
                carries = []
                for a, b in pairs:
                    digit, carry = _full_adder(builder, digit, a, b)
                    carries.append(carry)
                builder.store(digit, place)
            ripple(carries[0])
        begin = builder.add(first, builder.mul(n_rounds, _INT(_TOGETHER)))
        with cgutils.for_range_slice(builder, begin, last, _INT(1)) as (p, _):
            carry = column(p)
            for place in low:
                digit = builder.load(place)
                builder.store(builder.xor(digit, carry), place)
                carry = builder.and_(digit, carry)
            ripple(carry)
        for b, place in enumerate(low):
            _write(builder, builder.load(place), _at(builder, table, _INT(b)))
        return context.get_dummy_value()

    whole = types.int64
    numbers = whole, whole, whole
    return types.void(bits, *numbers, units, *numbers, planes), generate


def _from(signature: Any, n: int) -> Any:
    """Return a signature without its first arguments."""
    return signature.replace(args=signature.args[n:])


@intrinsic
def _any_above(typing_context, planes, n_planes, floor):
    def generate(context, builder, signature, arguments):
        (digits,) = _arrays(context, builder, signature, arguments, 1)
        table = builder.bitcast(digits.data, _VECTOR.as_pointer())
        above, equal = (cgutils.alloca_once(builder, _VECTOR) for _ in range(2))
        builder.store(ir.Constant(_VECTOR, [0] * WORDS), above)
        builder.store(ir.Constant(_VECTOR, [-1] * WORDS), equal)
        with cgutils.for_range(builder, arguments[1]) as loop:  # from the highest digit down
            b = builder.sub(builder.sub(arguments[1], _INT(1)), loop.index)
            plane, same, more = (
                _read(builder, _at(builder, table, b)),
                *map(builder.load, (equal, above)),
            )
            both = builder.and_(same, plane)
            is_set = builder.trunc(builder.lshr(arguments[2], b), ir.IntType(1))
            builder.store(builder.select(is_set, more, builder.or_(more, both)), above)
            without = builder.and_(same, builder.not_(plane))
            builder.store(builder.select(is_set, both, without), equal)
        found = builder.icmp_signed("!=", builder.load(above), ir.Constant(_VECTOR, [0] * WORDS))
        mask = builder.bitcast(found, ir.IntType(WORDS))
        # a floor beyond the planes is above every count
        beyond = builder.icmp_signed("!=", builder.ashr(arguments[2], arguments[1]), _INT(0))
        is_found = builder.icmp_signed("!=", mask, ir.IntType(WORDS)(0))
        return builder.and_(is_found, builder.not_(beyond))

    return types.boolean(planes, types.int64, types.int64), generate


@intrinsic
def _spread(typing_context, planes, n_planes, counts, first):
    def generate(context, builder, signature, arguments):
        (digits,) = _arrays(context, builder, signature, arguments, 1)
        (out,) = _arrays(context, builder, _from(signature, 2), arguments[2:], 1)
        element = context.get_data_type(signature.args[2].dtype)
        vector = ir.VectorType(element, _LANES)
        total = cgutils.alloca_once(builder, vector)
        with cgutils.for_range(builder, _INT(WORDS)) as word:
            builder.store(ir.Constant(vector, [0] * _LANES), total)
            with cgutils.for_range(builder, arguments[1]) as plane:
                place = builder.add(builder.mul(plane.index, _INT(WORDS)), word.index)
                mask = builder.load(_at(builder, digits.data, place))
                mask = builder.bitcast(mask, ir.VectorType(ir.IntType(1), _LANES))
                weight = builder.trunc(builder.shl(_INT(1), plane.index), element)
                before = builder.load(total)
                after = builder.add(before, _splat(builder, weight, _LANES))
                builder.store(builder.select(mask, after, before), total)
            place = builder.add(arguments[3], builder.mul(word.index, _INT(_LANES)))
            pointer = builder.bitcast(_at(builder, out.data, place), vector.as_pointer())
            builder.store(builder.load(total), pointer).align = 1
        return context.get_dummy_value()

    return types.void(planes, types.int64, counts, types.int64), generate


@intrinsic
def _mask_above(typing_context, counts, first, floor):
    def generate(context, builder, signature, arguments):
        (numbers,) = _arrays(context, builder, signature, arguments, 1)
        element = context.get_data_type(signature.args[0].dtype)
        vector = ir.VectorType(element, COMPARED)
        pointer = _at(builder, numbers.data, arguments[1])
        entries = builder.load(builder.bitcast(pointer, vector.as_pointer()))
        entries.align = 1
        floor = builder.trunc(arguments[2], element)
        above = builder.icmp_signed(">", entries, _splat(builder, floor, COMPARED))
        return builder.zext(builder.bitcast(above, ir.IntType(COMPARED)), _INT)

    return types.int64(counts, types.int64, types.int64), generate


@overload(add_columns)
def _compiled_add_columns(bits, offset, step, ahead, units, start, stop, n_planes, planes):
    return lambda bits, offset, step, ahead, units, start, stop, n_planes, planes: _add_columns(
        bits, offset, step, ahead, units, start, stop, n_planes, planes
    )


@overload(any_above)
def _compiled_any_above(planes, n_planes, floor):
    return lambda planes, n_planes, floor: _any_above(planes, n_planes, floor)


@overload(spread)
def _compiled_spread(planes, n_planes, counts, first):
    return lambda planes, n_planes, counts, first: _spread(planes, n_planes, counts, first)


@overload(mask_above)
def _compiled_mask_above(counts, first, floor):
    return lambda counts, first, floor: _mask_above(counts, first, floor)
