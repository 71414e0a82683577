"""Short loops over rows of a matrix, in explicit vector instructions.

LLVM leaves a loop over forty entries half scalar: it must ask at run time whether arrays overlap,
and finish what does not fill a vector. The functions here spell out vectors of 64 bytes (which LLVM
splits where the processor's are shorter), and some round sizes up, so that the caller must pad:
measured 5 to 10 times faster than the loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic
from numba.np.arrayobj import make_array

from sparsecode._jit import overload

__all__ = [
    "above",
    "dot",
    "largest_magnitude",
    "largest_product",
    "lowest_bit",
    "padded",
    "subtract_outer",
    "subtract_rows",
]

#: Bytes of one vector.
BYTES = 64
#: How many vectors stay in registers while :func:`subtract_rows` goes through the rows.
REGISTERS = (8, 4, 1)

_INT = ir.IntType(64)

#: Typed as Any, for in a kernel an intrinsic is called without its first argument.
intrinsic: Any = numba_intrinsic


def padded(n: int, dtype: Any) -> int:
    """Return the least number of entries, at least `n`, that fill whole vectors."""
    lanes = BYTES // np.dtype(dtype).itemsize
    return -(-n // lanes) * lanes


def largest_product(values: np.ndarray, weights: np.ndarray, signed: bool) -> float:
    """Return the largest product of an entry, of its magnitude unless `signed`, and its weight.

    At least 0. The size is a number of whole vectors.
    """
    return max(np.max((values if signed else np.abs(values)) * weights), values.dtype.type(0.0))


def above(values: np.ndarray, bars: np.ndarray, factor: float, first: int, signed: bool) -> int:
    """Say which entries of one vector exceed `factor` times their bars.

    Bit i of the answer stands for entry ``first + i``. Magnitudes are compared unless `signed`.
    """
    here = slice(first, first + BYTES // values.itemsize)
    sizes = values[here] if signed else np.abs(values[here])
    return sum(1 << int(i) for i in np.flatnonzero(sizes > bars[here] * factor))


def dot(x: np.ndarray, y: np.ndarray) -> float:
    """Return the inner product of two rows of the same dtype, summed in vectors."""
    return x @ y


def largest_magnitude(x: np.ndarray) -> float:
    """Return the maximum norm of a row, 0 if it has no entries."""
    return np.float64(np.max(np.abs(x), initial=0.0))


def lowest_bit(mask: int) -> int:
    """Return the place of the lowest bit that is set; one must be."""
    return (mask & -mask).bit_length() - 1


def subtract_outer(A: np.ndarray, g: np.ndarray, f: np.ndarray, n_rows: int, width: int) -> None:
    """Subtract ``outer(g[:n_rows], f[:width])`` from the upper left of `A`.

    The width is rounded up to whole vectors: `f` and the rows of `A` must be long enough, and
    what lies beyond the width is spoilt.
    """
    A[:n_rows, :width] -= np.outer(g[:n_rows], f[:width])


def subtract_rows(
    y: np.ndarray, coefficients: np.ndarray, rows: np.ndarray, matrix: np.ndarray, n: int
) -> None:
    """Subtract ``coefficients[:n] @ matrix[rows[:n], :y.size]`` from `y`.

    The size of `y` is rounded up to whole vectors: `y` and the rows of `matrix` must go on in
    memory, and what lies beyond is spoilt. `y` may be a row of `matrix`, not one of `rows`.
    """
    y -= coefficients[:n] @ matrix[rows[:n], : y.size]


def _at(builder: Any, pointer: Any, *offsets: Any) -> Any:
    for offset in offsets:
        pointer = builder.gep(pointer, [offset])
    return pointer


class _Vectors:
    """Instructions on vectors of one dtype."""

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        self.builder = builder
        self.element = context.get_data_type(dtype)
        self.size = context.get_abi_sizeof(self.element)
        self.lanes = BYTES // self.size
        self.type = ir.VectorType(self.element, self.lanes)

    def count(self, n: Any) -> Any:
        """Return how many vectors hold `n` entries."""
        raised = self.builder.add(n, _INT(self.lanes - 1))
        return self.builder.udiv(raised, _INT(self.lanes))

    def load(self, pointer: Any) -> Any:
        vector = self.builder.load(self.builder.bitcast(pointer, self.type.as_pointer()))
        vector.align = self.size
        return vector

    def store(self, vector: Any, pointer: Any) -> None:
        instruction = self.builder.store(
            vector, self.builder.bitcast(pointer, self.type.as_pointer())
        )
        instruction.align = self.size

    def splat(self, scalar: Any) -> Any:
        nothing = ir.Constant(self.type, ir.Undefined)
        one = self.builder.insert_element(nothing, scalar, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, nothing, zeros)

    def add_product(self, total: Any, a: Any, b: Any) -> Any:
        """Return total + a * b, in one rounding where the processor can."""
        product = self.builder.fmul(a, b, flags=["contract"])
        return self.builder.fadd(total, product, flags=["contract"])


def _arrays(context: Any, builder: Any, signature: Any, arguments: Any, n: int) -> list[Any]:
    pairs = zip(signature.args[:n], arguments[:n])
    return [make_array(array_type)(context, builder, array) for array_type, array in pairs]


def _row_length(builder: Any, array: Any, size: int) -> Any:
    """Return the entries from one row of a matrix to the next."""
    return builder.sdiv(cgutils.unpack_tuple(builder, array.strides, 2)[0], _INT(size))


@intrinsic
def _largest_product(typing_context, values, weights, signed):
    def generate(context, builder, signature, arguments):
        numbers, factors = _arrays(context, builder, signature, arguments, 2)
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        largest = cgutils.alloca_once(builder, vectors.type)
        builder.store(ir.Constant(vectors.type, [0.0] * vectors.lanes), largest)
        size = cgutils.unpack_tuple(builder, numbers.shape, 1)[0]
        with cgutils.for_range(builder, vectors.count(size)) as loop:
            offset = builder.mul(loop.index, _INT(vectors.lanes))
            number = vectors.load(_at(builder, numbers.data, offset))
            product = builder.fmul(number, vectors.load(_at(builder, factors.data, offset)))
            for candidate in (product, builder.fneg(product)):
                if candidate is not product:
                    candidate = builder.select(arguments[2], product, candidate)
                before = builder.load(largest)
                more = builder.fcmp_ordered(">", candidate, before)
                builder.store(builder.select(more, candidate, before), largest)
        result = cgutils.alloca_once(builder, vectors.element)
        builder.store(ir.Constant(vectors.element, 0.0), result)
        for lane in range(vectors.lanes):
            entry = builder.extract_element(builder.load(largest), ir.IntType(32)(lane))
            before = builder.load(result)
            more = builder.fcmp_ordered(">", entry, before)
            builder.store(builder.select(more, entry, before), result)
        return builder.load(result)

    return values.dtype(values, weights, types.boolean), generate


@intrinsic
def _above(typing_context, values, bars, factor, first, signed):
    def generate(context, builder, signature, arguments):
        numbers, limits = _arrays(context, builder, signature, arguments, 2)
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        vector = vectors.load(_at(builder, numbers.data, arguments[3]))
        limit = vectors.load(_at(builder, limits.data, arguments[3]))
        limit = builder.fmul(limit, vectors.splat(arguments[2]))
        mirrored = builder.select(arguments[4], vector, builder.fneg(vector))
        exceed = builder.or_(
            builder.fcmp_ordered(">", vector, limit), builder.fcmp_ordered(">", mirrored, limit)
        )
        return builder.zext(builder.bitcast(exceed, ir.IntType(vectors.lanes)), _INT)

    return types.int64(values, bars, values.dtype, types.int64, types.boolean), generate


@intrinsic
def _dot(typing_context, x, y):
    def generate(context, builder, signature, arguments):
        left, right = _arrays(context, builder, signature, arguments, 2)
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        size = cgutils.unpack_tuple(builder, left.shape, 1)[0]
        n_registers = 4
        totals = [cgutils.alloca_once(builder, vectors.type) for _ in range(n_registers)]
        for total in totals:
            builder.store(ir.Constant(vectors.type, [0.0] * vectors.lanes), total)

        def gather(first: Any, registers: list[Any]) -> None:
            for register, total in enumerate(registers):
                offset = builder.add(first, _INT(register * vectors.lanes))
                a = vectors.load(_at(builder, left.data, offset))
                b = vectors.load(_at(builder, right.data, offset))
                builder.store(vectors.add_product(builder.load(total), a, b), total)

        done = _INT(0)
        for registers in (totals, totals[:1]):
            width = _INT(vectors.lanes * len(registers))
            n_steps = builder.udiv(builder.sub(size, done), width)
            with cgutils.for_range(builder, n_steps) as loop:
                gather(builder.add(done, builder.mul(loop.index, width)), registers)
            done = builder.add(done, builder.mul(n_steps, width))
        rest = cgutils.alloca_once(builder, vectors.element)
        builder.store(ir.Constant(vectors.element, 0.0), rest)
        with cgutils.for_range(builder, builder.sub(size, done)) as loop:
            offset = builder.add(done, loop.index)
            product = builder.fmul(
                builder.load(_at(builder, left.data, offset)),
                builder.load(_at(builder, right.data, offset)),
            )
            builder.store(builder.fadd(builder.load(rest), product), rest)
        first, second, third, fourth = (builder.load(total) for total in totals)
        total = builder.fadd(builder.fadd(first, second), builder.fadd(third, fourth))
        result = builder.load(rest)
        for lane in range(vectors.lanes):
            result = builder.fadd(result, builder.extract_element(total, ir.IntType(32)(lane)))
        return result

    return x.dtype(x, y), generate


@intrinsic
def _largest_magnitude(typing_context, x):
    def generate(context, builder, signature, arguments):
        (row,) = _arrays(context, builder, signature, arguments, 1)
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        size = cgutils.unpack_tuple(builder, row.shape, 1)[0]
        largest = cgutils.alloca_once(builder, vectors.type)
        builder.store(ir.Constant(vectors.type, [0.0] * vectors.lanes), largest)
        result = cgutils.alloca_once(builder, vectors.element)
        builder.store(ir.Constant(vectors.element, 0.0), result)

        def raise_to(place: Any, entry: Any) -> None:
            for candidate in (entry, builder.fneg(entry)):
                before = builder.load(place)
                more = builder.fcmp_ordered(">", candidate, before)
                builder.store(builder.select(more, candidate, before), place)

        n_vectors = builder.udiv(size, _INT(vectors.lanes))
        with cgutils.for_range(builder, n_vectors) as loop:
            offset = builder.mul(loop.index, _INT(vectors.lanes))
            raise_to(largest, vectors.load(_at(builder, row.data, offset)))
        done = builder.mul(n_vectors, _INT(vectors.lanes))
        with cgutils.for_range(builder, builder.sub(size, done)) as loop:
            offset = builder.add(done, loop.index)
            raise_to(result, builder.load(_at(builder, row.data, offset)))
        for lane in range(vectors.lanes):
            entry = builder.extract_element(builder.load(largest), ir.IntType(32)(lane))
            raise_to(result, entry)
        return context.cast(builder, builder.load(result), x.dtype, types.float64)

    return types.float64(x), generate


@intrinsic
def _lowest_bit(typing_context, mask):
    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.int64), generate


@intrinsic
def _subtract_outer(typing_context, A, g, f, n_rows, width):
    def generate(context, builder, signature, arguments):
        matrix, left, right = _arrays(context, builder, signature, arguments, 3)
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        length = _row_length(builder, matrix, vectors.size)
        n_vectors = vectors.count(arguments[4])
        with cgutils.for_range(builder, arguments[3]) as row:
            factor = builder.fneg(builder.load(_at(builder, left.data, row.index)))
            factor = vectors.splat(factor)
            start = _at(builder, matrix.data, builder.mul(row.index, length))
            with cgutils.for_range(builder, n_vectors) as step:
                offset = builder.mul(step.index, _INT(vectors.lanes))
                place = _at(builder, start, offset)
                other = vectors.load(_at(builder, right.data, offset))
                vectors.store(vectors.add_product(vectors.load(place), factor, other), place)
        return context.get_dummy_value()

    return types.void(A, g, f, types.int64, types.int64), generate


@intrinsic
def _subtract_rows(typing_context, y, coefficients, rows, matrix, n):
    def generate(context, builder, signature, arguments):
        target, factors, chosen, table = _arrays(context, builder, signature, arguments, 4)
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        length = _row_length(builder, table, vectors.size)

        def sweep(first: Any, n_registers: int) -> None:
            """Finish `n_registers` vectors of the target, from vector `first` on."""
            offset = builder.mul(first, _INT(vectors.lanes))
            offsets = [_INT(register * vectors.lanes) for register in range(n_registers)]
            places = [_at(builder, target.data, offset, shift) for shift in offsets]
            totals = [cgutils.alloca_once(builder, vectors.type) for _ in offsets]
            for total, place in zip(totals, places):
                builder.store(vectors.load(place), total)
            with cgutils.for_range(builder, arguments[4]) as loop:
                factor = builder.load(_at(builder, factors.data, loop.index))
                factor = vectors.splat(builder.fneg(factor))
                row = builder.load(_at(builder, chosen.data, loop.index))
                row = context.cast(builder, row, signature.args[2].dtype, types.int64)
                start = _at(builder, table.data, builder.mul(row, length), offset)
                for total, shift in zip(totals, offsets):
                    other = vectors.load(_at(builder, start, shift))
                    builder.store(vectors.add_product(builder.load(total), factor, other), total)
            for total, place in zip(totals, places):
                vectors.store(builder.load(total), place)

        size = cgutils.unpack_tuple(builder, target.shape, 1)[0]
        left, done = vectors.count(size), _INT(0)
        for n_registers in REGISTERS:
            n_sweeps = builder.udiv(builder.sub(left, done), _INT(n_registers))
            with cgutils.for_range(builder, n_sweeps) as loop:
                sweep(builder.add(done, builder.mul(loop.index, _INT(n_registers))), n_registers)
            done = builder.add(done, builder.mul(n_sweeps, _INT(n_registers)))
        return context.get_dummy_value()

    return types.void(y, coefficients, rows, matrix, types.int64), generate


@overload(largest_product)
def _compiled_largest_product(values, weights, signed):
    return lambda values, weights, signed: _largest_product(values, weights, signed)


@overload(above)
def _compiled_above(values, bars, factor, first, signed):
    return lambda values, bars, factor, first, signed: _above(values, bars, factor, first, signed)


@overload(dot)
def _compiled_dot(x, y):
    return lambda x, y: _dot(x, y)


@overload(largest_magnitude)
def _compiled_largest_magnitude(x):
    return lambda x: _largest_magnitude(x)


@overload(lowest_bit)
def _compiled_lowest_bit(mask):
    return lambda mask: _lowest_bit(mask)


@overload(subtract_outer)
def _compiled_subtract_outer(A, g, f, n_rows, width):
    return lambda A, g, f, n_rows, width: _subtract_outer(A, g, f, n_rows, width)


@overload(subtract_rows)
def _compiled_subtract_rows(y, coefficients, rows, matrix, n):
    return lambda y, coefficients, rows, matrix, n: _subtract_rows(y, coefficients, rows, matrix, n)
