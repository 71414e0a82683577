"""The one pass over all atoms of a pursuit's step, in explicit vector instructions.

A row of inner products is read, made orthogonal to those before it and kept, the correlations
move, and the best atom is found, all while one strip of the row is in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np.arrayobj import make_array

from sparsecode import _simd
from sparsecode._jit import overload
from sparsecode._simd import BYTES, _arrays, _at, intrinsic

__all__ = ["best_correlated", "best_decrease", "strip_width"]

#: Vectors of a strip, which stay in registers throughout.
STRIP = 8

_INT = ir.IntType(64)


def strip_width(dtype: Any) -> int:
    """Return the entries of one strip of :func:`best_correlated`."""
    return STRIP * BYTES // np.dtype(dtype).itemsize


def _new_row(
    source: np.ndarray,
    weights: np.ndarray,
    coefficients: np.ndarray,
    strips: np.ndarray,
    n: int,
    scale: float,
) -> np.ndarray:
    """Write row `n` of the strips and return it."""
    width = min(source.size, weights.size)  # rows of a Gram matrix have entries to spare
    row = np.zeros_like(weights)
    row[:width] = weights[:width] * source[:width]
    for a in range(n):
        row -= coefficients[a] * strips[:, a].ravel()
    row *= scale
    strips[:, n] = row.reshape(strips.shape[0], -1)
    return row


def best_correlated(
    source: np.ndarray,
    weights: np.ndarray,
    coefficients: np.ndarray,
    strips: np.ndarray,
    n: int,
    scale: float,
    moment: float,
    positive: bool,
    correlation: np.ndarray,
) -> int:
    """Orthogonalise a row, subtract it from `correlation`, and return where that is largest.

    ``strips[t, a]`` is the t-th strip of row a: what one step reads lies together. Row `n` becomes
    ``scale * (source * weights - coefficients[:n] @ rows[:n])``; `moment` times it leaves the
    correlation; the first of the largest magnitudes counts (values, if positive). All is in one
    pass. Both vectors fill whole strips; `source` fills whole vectors, and ends where the weights
    are 0.
    """
    correlation -= moment * _new_row(source, weights, coefficients, strips, n, scale)
    return int(np.argmax(correlation if positive else np.abs(correlation)))


def best_decrease(
    source: np.ndarray,
    weights: np.ndarray,
    coefficients: np.ndarray,
    strips: np.ndarray,
    n: int,
    scale: float,
    moment: float,
    closed: float,
    correlation: np.ndarray,
    energies: np.ndarray,
) -> int:
    """Do as :func:`best_correlated`; return where ``correlation**2 / energies`` is largest.

    The squares of the new row leave the energies, which stay at `closed` once they fall to it;
    such entries do not count.
    """
    row = _new_row(source, weights, coefficients, strips, n, scale)
    correlation -= moment * row
    np.maximum(energies - row * row, closed, out=energies)
    return int(np.argmax(np.where(energies > closed, correlation * correlation, 0) / energies))


class _Vectors(_simd._Vectors):
    """Further instructions on vectors of one dtype."""

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        super().__init__(context, builder, dtype)
        self.integer_type = ir.VectorType(ir.IntType(8 * self.size), self.lanes)

    def splat(self, scalar: Any) -> Any:
        kind = ir.VectorType(scalar.type, self.lanes)
        nothing = ir.Constant(kind, ir.Undefined)
        one = self.builder.insert_element(nothing, scalar, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, nothing, zeros)

    def constant(self, kind: Any, value: float) -> Any:
        return ir.Constant(kind, [value] * self.lanes)

    def subtract_product(self, total: Any, a: Any, b: Any) -> Any:
        """Return total - a * b, in one rounding where the processor can."""
        product = self.builder.fmul(a, b, flags=["contract"])
        return self.builder.fsub(total, product, flags=["contract"])

    def maximum(self, a: Any, b: Any) -> Any:
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def reduce(self, name: str, vector: Any) -> Any:
        """Return the entries of a vector combined by LLVM's reduction `name`."""
        element = vector.type.element
        letter = "i" if isinstance(element, ir.IntType) else "f"
        name = f"llvm.vector.reduce.{name}.v{self.lanes}{letter}{8 * self.size}"
        kind = ir.FunctionType(element, [vector.type])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [vector])


class _Magnitude:
    """The score of :func:`best_correlated`."""

    def __init__(self, vectors: _Vectors, positive: Any) -> None:
        self.vectors, self.builder = vectors, vectors.builder
        kind = vectors.integer_type.element
        magnitude = kind((1 << (kind.width - 1)) - 1)  # all but the sign
        mask = self.builder.select(cgutils.is_true(self.builder, positive), kind(-1), magnitude)
        self.mask = vectors.splat(mask)

    def update(self, offset: Any, row: Any) -> None:
        pass

    def of(self, offset: Any, correlation: Any) -> Any:
        bits = self.builder.bitcast(correlation, self.vectors.integer_type)
        return self.builder.bitcast(self.builder.and_(bits, self.mask), self.vectors.type)


class _Decrease:
    """The score of :func:`best_decrease`."""

    def __init__(self, vectors: _Vectors, energies: Any, closed: Any) -> None:
        self.vectors, self.builder = vectors, vectors.builder
        self.energies = energies
        self.closed = vectors.splat(closed)

    def update(self, offset: Any, row: Any) -> None:
        place = _at(self.builder, self.energies, offset)
        left = self.vectors.subtract_product(self.vectors.load(place), row, row)
        self.vectors.store(self.vectors.maximum(left, self.closed), place)

    def of(self, offset: Any, correlation: Any) -> Any:
        energy = self.vectors.load(_at(self.builder, self.energies, offset))
        score = self.builder.fdiv(self.builder.fmul(correlation, correlation), energy)
        is_open = self.builder.fcmp_ordered(">", energy, self.closed)
        return self.builder.select(is_open, score, self.vectors.constant(self.vectors.type, 0.0))


class _Best:
    """The highest score of every lane so far, and the first strip that has it."""

    def __init__(self, vectors: _Vectors, backwards: Any) -> None:
        self.vectors, self.builder, self.backwards = vectors, vectors.builder, backwards
        zero = vectors.constant(vectors.type, 0.0)
        self.score = cgutils.alloca_once_value(self.builder, zero)
        nowhere = vectors.constant(vectors.integer_type, 0)
        self.strip = cgutils.alloca_once_value(self.builder, nowhere)

    def enter(self, scores: list[Any], strip: Any) -> None:
        while len(scores) > 1:
            scores = [self.vectors.maximum(a, b) for a, b in zip(scores[::2], scores[1::2])]
        score, builder = scores[0], self.builder
        held = builder.load(self.score)
        # the lower strip wins a tie, and comes later when going backwards
        better = builder.select(
            self.backwards,
            builder.fcmp_ordered(">=", score, held),
            builder.fcmp_ordered(">", score, held),
        )
        strip = self.vectors.splat(builder.trunc(strip, self.vectors.integer_type.element))
        builder.store(builder.select(better, score, held), self.score)
        builder.store(builder.select(better, strip, builder.load(self.strip)), self.strip)

    def first_strip(self) -> tuple[Any, Any]:
        """Return the highest score, in every lane, and the first strip that has it."""
        builder, vectors = self.builder, self.vectors
        score = builder.load(self.score)
        highest = vectors.splat(vectors.reduce("fmax", score))
        reached = builder.fcmp_ordered("==", score, highest)
        never = vectors.constant(vectors.integer_type, -1)
        strip = vectors.reduce("umin", builder.select(reached, builder.load(self.strip), never))
        return highest, builder.zext(strip, _INT)


def _pass_over_strips(
    context: Any, builder: Any, signature: Any, arguments: Any, scores: Any
) -> Any:
    """Generate the one pass of :func:`best_correlated`; return the first best entry."""
    source, weights, factors, strips = _arrays(context, builder, signature, arguments, 4)
    vectors = scores.vectors
    n, scale, moment = arguments[4], vectors.splat(arguments[5]), vectors.splat(arguments[6])
    correlation = make_array(signature.args[8])(context, builder, arguments[8]).data
    n_strips, n_rows = cgutils.unpack_tuple(builder, strips.shape, 3)[:2]
    size = cgutils.unpack_tuple(builder, source.shape, 1)[0]
    last_vector = builder.sub(size, _INT(vectors.lanes))
    last_strip = builder.sub(n_strips, _INT(1))
    shifts = [_INT(register * vectors.lanes) for register in range(STRIP)]
    width = _INT(STRIP * vectors.lanes)
    totals = [cgutils.alloca_once(builder, vectors.type) for _ in shifts]
    # every other pass goes backwards, through what the last one left in the cache
    backwards = builder.trunc(n, ir.IntType(1))
    best = _Best(vectors, backwards)
    with cgutils.for_range(builder, n_strips) as loop:
        strip = builder.select(backwards, builder.sub(last_strip, loop.index), loop.index)
        offset = builder.mul(strip, width)
        places = [builder.add(offset, shift) for shift in shifts]
        rows = _at(builder, strips.data, builder.mul(offset, n_rows))
        for total, place in zip(totals, places):
            # the source may end within the last strip, where the weights are 0
            inside = builder.icmp_signed("<", place, last_vector)
            inside = builder.select(inside, place, last_vector)
            entry = vectors.load(_at(builder, source.data, inside))
            weight = vectors.load(_at(builder, weights.data, place))
            builder.store(builder.fmul(entry, weight), total)
        with cgutils.for_range(builder, n) as row:
            factor = vectors.splat(builder.load(_at(builder, factors.data, row.index)))
            start = _at(builder, rows, builder.mul(row.index, width))
            for total, shift in zip(totals, shifts):
                other = vectors.load(_at(builder, start, shift))
                builder.store(vectors.subtract_product(builder.load(total), factor, other), total)
        start = _at(builder, rows, builder.mul(n, width))
        found = []
        for total, shift, place in zip(totals, shifts, places):
            fresh = builder.fmul(builder.load(total), scale)
            vectors.store(fresh, _at(builder, start, shift))
            target = _at(builder, correlation, place)
            moved = vectors.subtract_product(vectors.load(target), moment, fresh)
            vectors.store(moved, target)
            scores.update(place, fresh)
            found.append(scores.of(place, moved))
        best.enter(found, strip)
    highest, strip = best.first_strip()
    return _first_entry(builder, scores, correlation, highest, builder.mul(strip, width))


def _first_entry(builder: Any, scores: Any, correlation: Any, highest: Any, offset: Any) -> Any:
    """Return the first entry of a strip that has the highest score."""
    vectors, index = scores.vectors, offset
    for register in reversed(range(STRIP)):
        place = builder.add(offset, _INT(register * vectors.lanes))
        score = scores.of(place, vectors.load(_at(builder, correlation, place)))
        equal = builder.fcmp_ordered("==", score, highest)
        bits = builder.bitcast(equal, ir.IntType(vectors.lanes))
        lane = builder.zext(builder.cttz(bits, ir.IntType(1)(0)), _INT)
        any_lane = builder.icmp_unsigned("!=", bits, bits.type(0))
        index = builder.select(any_lane, builder.add(place, lane), index)
    return index


@intrinsic
def _best_correlated(
    typing_context, source, weights, coefficients, strips, n, scale, moment, positive, correlation
):
    def generate(context, builder, signature, arguments):
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        scores = _Magnitude(vectors, arguments[7])
        return _pass_over_strips(context, builder, signature, arguments, scores)

    element = source.dtype
    return types.int64(
        source, weights, coefficients, strips, types.int64, element, element, types.boolean,
        correlation,
    ), generate  # fmt: skip


@intrinsic
def _best_decrease(
    typing_context, source, weights, coefficients, strips, n, scale, moment, closed, correlation,
    energies,
):  # fmt: skip
    def generate(context, builder, signature, arguments):
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        array = make_array(signature.args[9])(context, builder, arguments[9])
        scores = _Decrease(vectors, array.data, arguments[7])
        return _pass_over_strips(context, builder, signature, arguments, scores)

    element = source.dtype
    return types.int64(
        source, weights, coefficients, strips, types.int64, element, element, element,
        correlation, energies,
    ), generate  # fmt: skip


@overload(best_correlated)
def _compiled_best_correlated(
    source, weights, coefficients, strips, n, scale, moment, positive, correlation
):
    return lambda source, weights, coefficients, strips, n, scale, moment, positive, correlation: (
        _best_correlated(
            source, weights, coefficients, strips, n, scale, moment, positive, correlation
        )
    )


@overload(best_decrease)
def _compiled_best_decrease(
    source, weights, coefficients, strips, n, scale, moment, closed, correlation, energies
):
    return (
        lambda source, weights, coefficients, strips, n, scale, moment, closed, correlation, energies: (  # noqa: E501
            _best_decrease(
                source,
                weights,
                coefficients,
                strips,
                n,
                scale,
                moment,
                closed,
                correlation,
                energies,
            )
        )
    )
