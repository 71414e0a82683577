"""The search for the best exchange of one chosen atom, in explicit vector instructions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np.arrayobj import make_array

from sparsecode._jit import overload
from sparsecode._row_kernels import copy_row
from sparsecode._simd import _INT, _arrays, _at, _row_length, intrinsic
from sparsecode.solvers._pursuit_simd import _Vectors

__all__ = ["best_replacement", "in_float64", "multiply_rows"]

#: Rows and vectors of the blocks that :func:`multiply_rows` keeps in registers.
BLOCKS = (4, 1)


def best_replacement(
    correlation: np.ndarray,
    energies: np.ndarray,
    floors: np.ndarray,
    costs: np.ndarray,
    row: np.ndarray,
    shift: float,
    rise: float,
    bar: float,
) -> int:
    """Return the first entry with the largest gain, -1 if none exceeds `bar`.

    The gain is ``(correlation + shift * row)**2 / (energies + rise * row**2) - costs``, where the
    denominator exceeds its floor. All arrays fill the same number of whole vectors.
    """
    left = energies + rise * row * row
    gains = np.full(row.size, -np.inf, row.dtype)
    moved = correlation + shift * row
    np.divide(moved * moved, left, out=gains, where=left > floors)
    gains -= costs
    best = int(np.argmax(gains))
    return best if gains[best] > bar else -1


def multiply_rows(
    table: np.ndarray,
    factors: np.ndarray,
    matrix: np.ndarray,
    rows: np.ndarray,
    n: int,
    energies: np.ndarray,
) -> None:
    """Write ``factors[:n, :n] @ matrix[rows[:n]]`` to `table`, and subtract what both share.

    The energies lose ``(table[:n] * matrix[rows[:n]]).sum(axis=0)``. Rows fill whole vectors.
    """
    table[:n] = factors[:n, :n] @ matrix[rows[:n]]
    energies -= (table[:n] * matrix[rows[:n]]).sum(axis=0)


def in_float64(
    gram: np.ndarray, members: np.ndarray, rows: np.ndarray, slots: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a float64 matrix, and which of its rows are the Gram rows of `members`.

    It is `gram` itself, or the scratch `rows`, whose first rows receive them; `slots` counts.
    """
    if gram.dtype == rows.dtype:
        return gram, members
    rows[: members.size] = gram[members]
    return rows, slots


@intrinsic
def _best_replacement(typing_context, correlation, energies, floors, costs, row, shift, rise, bar):
    def generate(context, builder, signature, arguments):
        arrays = _arrays(context, builder, signature, arguments, 5)
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        shift, rise, bar = (vectors.splat(scalar) for scalar in arguments[5:])
        size = cgutils.unpack_tuple(builder, arrays[0].shape, 1)[0]
        nowhere = vectors.constant(vectors.integer_type, 0)
        gains = cgutils.alloca_once_value(builder, bar)
        places = cgutils.alloca_once_value(builder, nowhere)
        with cgutils.for_range(builder, vectors.count(size)) as loop:
            offset = builder.mul(loop.index, _INT(vectors.lanes))
            inner, energy, floor, cost, entry = (
                vectors.load(_at(builder, array.data, offset)) for array in arrays
            )
            moved = vectors.add_product(inner, shift, entry)
            left = vectors.add_product(energy, builder.fmul(rise, entry), entry)
            freed = builder.fmul(moved, moved)
            held = builder.load(gains)
            # divisions are slow: first the question, cross-multiplied, whether one is needed
            wanted = builder.fmul(builder.fadd(held, cost), left)
            better = builder.and_(
                builder.fcmp_ordered(">", left, floor), builder.fcmp_ordered(">", freed, wanted)
            )
            lanes = builder.bitcast(better, ir.IntType(vectors.lanes))
            with builder.if_then(builder.icmp_unsigned("!=", lanes, lanes.type(0)), likely=False):
                gain = builder.fsub(builder.fdiv(freed, left), cost)
                better = builder.and_(better, builder.fcmp_ordered(">", gain, held))
                place = vectors.splat(builder.trunc(loop.index, vectors.integer_type.element))
                builder.store(builder.select(better, gain, held), gains)
                builder.store(builder.select(better, place, builder.load(places)), places)
        best = builder.load(gains)
        highest = vectors.reduce("fmax", best)
        reached = builder.fcmp_ordered("==", best, vectors.splat(highest))
        lanes = ir.Constant(vectors.integer_type, list(range(vectors.lanes)))
        width = vectors.constant(vectors.integer_type, vectors.lanes)
        entries = builder.add(builder.mul(builder.load(places), width), lanes)
        never = vectors.constant(vectors.integer_type, -1)
        first = vectors.reduce("umin", builder.select(reached, entries, never))
        found = builder.fcmp_ordered(">", highest, arguments[7])
        return builder.select(found, builder.zext(first, _INT), _INT(-1))

    element = correlation.dtype
    return types.int64(
        correlation, energies, floors, costs, row, element, element, element
    ), generate  # fmt: skip


class _Product:
    """The blocks of :func:`multiply_rows`."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.builder = builder
        self.vectors = _Vectors(context, builder, signature.args[0].dtype)
        self.context, self.index_type = context, signature.args[3].dtype
        self.table, self.factors, self.matrix, self.rows = _arrays(
            context, builder, signature, arguments, 4
        )
        self.n = arguments[4]
        self.energies = make_array(signature.args[5])(context, builder, arguments[5])

    def source(self, a: Any, offset: Any) -> Any:
        """Load a vector of the a-th chosen row."""
        row = self.builder.load(_at(self.builder, self.rows.data, a))
        row = self.context.cast(self.builder, row, self.index_type, types.int64)
        return self.vectors.load(self.place(self.matrix, row, offset))

    def place(self, array: Any, row: Any, offset: Any) -> Any:
        length = _row_length(self.builder, array, self.vectors.size)
        return _at(self.builder, array.data, self.builder.mul(row, length), offset)

    def cut(self, total: Any) -> Iterator[tuple[Any, int]]:
        """Yield the start and size of every block, inside the loops that go through them."""
        done = _INT(0)
        for size in BLOCKS:
            n_blocks = self.builder.udiv(self.builder.sub(total, done), _INT(size))
            with cgutils.for_range(self.builder, n_blocks) as loop:
                yield self.builder.add(done, self.builder.mul(loop.index, _INT(size))), size
            done = self.builder.add(done, self.builder.mul(n_blocks, _INT(size)))

    def columns(self, first: Any, n_vectors: int) -> None:
        """Finish some vectors of all rows."""
        builder, vectors = self.builder, self.vectors
        first = builder.mul(first, _INT(vectors.lanes))
        offsets = [builder.add(first, _INT(k * vectors.lanes)) for k in range(n_vectors)]
        places = [_at(builder, self.energies.data, offset) for offset in offsets]
        energies = [cgutils.alloca_once(builder, vectors.type) for _ in offsets]
        for energy, place in zip(energies, places):
            builder.store(vectors.load(place), energy)
        for row, n_rows in self.cut(self.n):
            self.block([builder.add(row, _INT(k)) for k in range(n_rows)], offsets, energies)
        for energy, place in zip(energies, places):
            vectors.store(builder.load(energy), place)

    def block(self, targets: list[Any], offsets: list[Any], energies: list[Any]) -> None:
        builder, vectors = self.builder, self.vectors
        zero = vectors.constant(vectors.type, 0.0)
        totals = [[cgutils.alloca_once(builder, vectors.type) for _ in offsets] for _ in targets]
        for total in chain(*totals):
            builder.store(zero, total)
        with cgutils.for_range(builder, self.n) as loop:
            sources = [self.source(loop.index, offset) for offset in offsets]
            for target, line in zip(targets, totals):
                factor = builder.load(self.place(self.factors, target, loop.index))
                factor = vectors.splat(factor)
                for total, source in zip(line, sources):
                    builder.store(vectors.add_product(builder.load(total), factor, source), total)
        for target, line in zip(targets, totals):
            for total, offset, energy in zip(line, offsets, energies):
                entry = builder.load(total)
                vectors.store(entry, self.place(self.table, target, offset))
                source = self.source(target, offset)
                left = vectors.subtract_product(builder.load(energy), entry, source)
                builder.store(left, energy)


@intrinsic
def _multiply_rows(typing_context, table, factors, matrix, rows, n, energies):
    def generate(context, builder, signature, arguments):
        product = _Product(context, builder, signature, arguments)
        size = cgutils.unpack_tuple(builder, product.energies.shape, 1)[0]
        for first, n_vectors in product.cut(product.vectors.count(size)):
            product.columns(first, n_vectors)
        return context.get_dummy_value()

    return types.void(table, factors, matrix, rows, types.int64, energies), generate


@overload(multiply_rows)
def _compiled_multiply_rows(table, factors, matrix, rows, n, energies):
    return lambda table, factors, matrix, rows, n, energies: _multiply_rows(
        table, factors, matrix, rows, n, energies
    )


@overload(best_replacement)
def _compiled_best_replacement(correlation, energies, floors, costs, row, shift, rise, bar):
    return lambda correlation, energies, floors, costs, row, shift, rise, bar: _best_replacement(
        correlation, energies, floors, costs, row, shift, rise, bar
    )


@overload(in_float64)
def _compiled_in_float64(gram, members, rows, slots):
    if gram.dtype == rows.dtype:
        return lambda gram, members, rows, slots: (gram, members)

    def convert(gram, members, rows, slots):
        for a in range(members.size):
            copy_row(gram[members[a]], rows[a])
        return rows, slots

    return convert
