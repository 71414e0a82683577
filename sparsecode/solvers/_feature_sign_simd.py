"""What feature-sign search asks of a working set, in explicit vector instructions.

A working set has some forty members, of which each question concerns those that are active, or
those that are not: branches that a processor cannot foresee. Here they are masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from sparsecode import _simd
from sparsecode._jit import overload
from sparsecode._simd import _INT, _arrays, _at, _row_length, intrinsic
from sparsecode.solvers import _pursuit_simd

__all__ = ["first_to_vanish", "most_wanting", "move_members", "subtract_product"]

#: Rows and vectors of the blocks that :func:`subtract_product` keeps in registers.
ROWS, COLUMNS = (4, 1), (4, 2, 1)


def first_to_vanish(
    row: np.ndarray, codes: np.ndarray, active: np.ndarray, sign: float, length: float, size: int
) -> int:
    """Return the active member whose code is the first to become 0, -1 if none does.

    Codes move by ``-sign * row`` times a way that is shorter than `length`. All arrays go on to
    whole vectors beyond `size`.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ways = np.where(active[:size], codes[:size] / (sign * row[:size]), np.nan)
    ways[~((ways > 0) & (ways < length))] = np.inf
    return int(np.argmin(ways)) if np.min(ways, initial=np.inf) < np.inf else -1


def move_members(
    row: np.ndarray,
    length: float,
    active: np.ndarray,
    codes: np.ndarray,
    slopes: np.ndarray,
    size: int,
) -> None:
    """Subtract `length` times `row` from the codes of active members, from slopes of the others."""
    step = length * row[:size]
    codes[:size] -= np.where(active[:size], step, 0)
    slopes[:size] -= np.where(active[:size], 0, step)


def most_wanting(
    slopes: np.ndarray,
    heights: np.ndarray,
    active: np.ndarray,
    signed: bool,
    slack: float,
    floor: float,
    size: int,
) -> int:
    """Return the idle member whose slope exceeds its height most, -1 if none surely does.

    By more than `floor`, and than `slack` times its height. Magnitudes are compared unless
    `signed`.
    """
    heights = heights[:size]
    excess = (slopes[:size] if signed else np.abs(slopes[:size])) - heights
    surely = ~active[:size] & (excess > floor) & (excess > slack * heights)
    return int(np.argmax(np.where(surely, excess, -np.inf))) if surely.any() else -1


def subtract_product(
    target: np.ndarray, factors: np.ndarray, rows: np.ndarray, matrix: np.ndarray, n: int
) -> None:
    """Subtract from `target` as many rows and columns of ``factors[:, :n] @ matrix[rows[:n]]``.

    The width is rounded up to whole vectors: rows must go on in memory, and what lies beyond is
    spoilt. `target` may be rows of `matrix`, not any of `rows`.
    """
    height, width = target.shape
    target -= factors[:height, :n] @ matrix[rows[:n], :width]


class _Members(_pursuit_simd._Vectors):
    """Vectors of numbers that belong to the members of a working set."""

    def __init__(self, context: Any, builder: Any, dtype: Any, size: Any) -> None:
        super().__init__(context, builder, dtype)
        self.end = size
        self.lane = ir.Constant(self.integer_type, list(range(self.lanes)))

    def are_active(self, active: Any, offset: Any) -> Any:
        """Return the mask of a vector's active members; it may go on beyond the last."""
        kind = ir.VectorType(ir.IntType(8), self.lanes)
        place = _at(self.builder, active.data, offset)
        marks = self.builder.load(self.builder.bitcast(place, kind.as_pointer()))
        marks.align = 1
        return self.builder.icmp_unsigned("!=", marks, self.constant(kind, 0))

    def exist(self, offset: Any) -> Any:
        """Return the mask of the entries that belong to a member."""
        integer = self.integer_type.element
        left = self.splat(self.builder.trunc(self.builder.sub(self.end, offset), integer))
        return self.builder.icmp_signed(">", left, self.lane)

    def best(self, name: str, least: float, score: Any) -> Any:
        """Return the first entry with the best score, -1 if there is none.

        `score` makes scores and a mask of those that count from an offset; LLVM's reduction `name`
        says which is best, and all are better than `least`.
        """
        builder, symbol = self.builder, ">" if name == "fmax" else "<"
        scores = cgutils.alloca_once_value(builder, self.constant(self.type, least))
        vectors = cgutils.alloca_once_value(builder, self.constant(self.integer_type, 0))
        with cgutils.for_range(builder, self.count(self.end)) as loop:
            found, counts = score(builder.mul(loop.index, _INT(self.lanes)))
            held = builder.load(scores)
            better = builder.and_(counts, builder.fcmp_ordered(symbol, found, held))
            here = self.splat(builder.trunc(loop.index, self.integer_type.element))
            builder.store(builder.select(better, found, held), scores)
            builder.store(builder.select(better, here, builder.load(vectors)), vectors)
        held = builder.load(scores)
        best = self.reduce(name, held)
        reached = builder.fcmp_ordered("==", held, self.splat(best))
        width = self.constant(self.integer_type, self.lanes)
        entries = builder.add(builder.mul(builder.load(vectors), width), self.lane)
        never = self.constant(self.integer_type, -1)
        first = self.reduce("umin", builder.select(reached, entries, never))
        none = builder.fcmp_ordered("==", best, self.element(least))
        return builder.select(none, _INT(-1), builder.zext(first, _INT))


@intrinsic
def _first_to_vanish(typing_context, row, codes, active, sign, length, size):
    def generate(context, builder, signature, arguments):
        rates, heights, marks = _arrays(context, builder, signature, arguments, 3)
        members = _Members(context, builder, signature.args[0].dtype, arguments[5])
        sign, length = members.splat(arguments[3]), members.splat(arguments[4])
        zero = members.constant(members.type, 0.0)

        def way(offset: Any) -> tuple[Any, Any]:
            rate = builder.fmul(sign, members.load(_at(builder, rates.data, offset)))
            found = builder.fdiv(members.load(_at(builder, heights.data, offset)), rate)
            counts = builder.and_(
                builder.fcmp_ordered(">", found, zero), builder.fcmp_ordered("<", found, length)
            )
            counts = builder.and_(counts, members.are_active(marks, offset))
            return found, builder.and_(counts, members.exist(offset))

        return members.best("fmin", np.inf, way)

    element = row.dtype
    return types.int64(row, codes, active, element, element, types.int64), generate


@intrinsic
def _move_members(typing_context, row, length, active, codes, slopes, size):
    def generate(context, builder, signature, arguments):
        arrays = [arguments[k] for k in (0, 2, 3, 4)]
        kinds = types.void(*(signature.args[k] for k in (0, 2, 3, 4)))
        rates, marks, heights, inner = _arrays(context, builder, kinds, arrays, 4)
        members = _Members(context, builder, signature.args[0].dtype, arguments[5])
        length = members.splat(builder.fneg(arguments[1]))
        with cgutils.for_range(builder, members.count(members.end)) as loop:
            offset = builder.mul(loop.index, _INT(members.lanes))
            rate = members.load(_at(builder, rates.data, offset))
            is_active, exists = members.are_active(marks, offset), members.exist(offset)
            for array, moves in ((heights, is_active), (inner, builder.not_(is_active))):
                place = _at(builder, array.data, offset)
                before = members.load(place)
                after = members.add_product(before, length, rate)
                moves = builder.and_(moves, exists)
                members.store(builder.select(moves, after, before), place)
        return context.get_dummy_value()

    return types.void(row, row.dtype, active, codes, slopes, types.int64), generate


@intrinsic
def _most_wanting(typing_context, slopes, heights, active, signed, slack, floor, size):
    def generate(context, builder, signature, arguments):
        inner, limits, marks = _arrays(context, builder, signature, arguments, 3)
        members = _Members(context, builder, signature.args[0].dtype, arguments[6])
        slack, floor = members.splat(arguments[4]), members.splat(arguments[5])

        def excess(offset: Any) -> tuple[Any, Any]:
            slope = members.load(_at(builder, inner.data, offset))
            limit = members.load(_at(builder, limits.data, offset))
            mirrored = members.maximum(slope, builder.fneg(slope))
            slope = builder.select(arguments[3], slope, mirrored)
            found = builder.fsub(slope, limit)
            counts = builder.and_(
                builder.fcmp_ordered(">", found, floor),
                builder.fcmp_ordered(">", found, builder.fmul(slack, limit)),
            )
            idle = builder.not_(members.are_active(marks, offset))
            counts = builder.and_(counts, idle)
            return found, builder.and_(counts, members.exist(offset))

        return members.best("fmax", -np.inf, excess)

    element = slopes.dtype
    return types.int64(
        slopes, heights, active, types.boolean, element, element, types.int64
    ), generate


class _Product:
    """The blocks of :func:`subtract_product`."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.context, self.builder, self.index_type = context, builder, signature.args[2].dtype
        self.vectors = _simd._Vectors(context, builder, signature.args[0].dtype)
        self.target, self.factors, self.rows, self.matrix = _arrays(
            context, builder, signature, arguments, 4
        )
        self.n = arguments[4]

    def place(self, array: Any, row: Any, offset: Any) -> Any:
        length = _row_length(self.builder, array, self.vectors.size)
        return _at(self.builder, array.data, self.builder.mul(row, length), offset)

    def cut(self, total: Any, sizes: tuple[int, ...], scale: int) -> Iterator[list[Any]]:
        """Yield the places of every block, times `scale`, inside the loops over all blocks."""
        builder, done = self.builder, _INT(0)
        for size in sizes:
            n_blocks = builder.udiv(builder.sub(total, done), _INT(size))
            with cgutils.for_range(builder, n_blocks) as loop:
                first = builder.add(done, builder.mul(loop.index, _INT(size)))
                yield [
                    builder.mul(builder.add(first, _INT(k)), _INT(scale)) for k in range(size)
                ]  # fmt: skip
            done = builder.add(done, builder.mul(n_blocks, _INT(size)))

    def block(self, targets: list[Any], offsets: list[Any]) -> None:
        builder, vectors = self.builder, self.vectors
        places = [[self.place(self.target, row, offset) for offset in offsets] for row in targets]
        totals = [
            [cgutils.alloca_once_value(builder, vectors.load(place)) for place in line]
            for line in places
        ]
        with cgutils.for_range(builder, self.n) as loop:
            row = builder.load(_at(builder, self.rows.data, loop.index))
            row = self.context.cast(builder, row, self.index_type, types.int64)
            sources = [vectors.load(self.place(self.matrix, row, offset)) for offset in offsets]
            for target, line in zip(targets, totals):
                factor = builder.load(self.place(self.factors, target, loop.index))
                factor = vectors.splat(builder.fneg(factor))
                for total, source in zip(line, sources):
                    builder.store(vectors.add_product(builder.load(total), factor, source), total)
        for total, place in zip(chain(*totals), chain(*places)):
            vectors.store(builder.load(total), place)


@intrinsic
def _subtract_product(typing_context, target, factors, rows, matrix, n):
    def generate(context, builder, signature, arguments):
        product = _Product(context, builder, signature, arguments)
        height, width = cgutils.unpack_tuple(builder, product.target.shape, 2)
        lanes = product.vectors.lanes
        for targets in product.cut(height, ROWS, 1):
            for offsets in product.cut(product.vectors.count(width), COLUMNS, lanes):
                product.block(targets, offsets)
        return context.get_dummy_value()

    return types.void(target, factors, rows, matrix, types.int64), generate


@overload(first_to_vanish)
def _compiled_first_to_vanish(row, codes, active, sign, length, size):
    return lambda row, codes, active, sign, length, size: _first_to_vanish(
        row, codes, active, sign, length, size
    )


@overload(move_members)
def _compiled_move_members(row, length, active, codes, slopes, size):
    return lambda row, length, active, codes, slopes, size: _move_members(
        row, length, active, codes, slopes, size
    )


@overload(most_wanting)
def _compiled_most_wanting(slopes, heights, active, signed, slack, floor, size):
    return lambda slopes, heights, active, signed, slack, floor, size: _most_wanting(
        slopes, heights, active, signed, slack, floor, size
    )


@overload(subtract_product)
def _compiled_subtract_product(target, factors, rows, matrix, n):
    return lambda target, factors, rows, matrix, n: _subtract_product(
        target, factors, rows, matrix, n
    )
