"""Bounds, and products of many atoms with a few windows, in explicit vector instructions.

One vector holds the products of as many atoms with one window. Those of eight windows stay in
registers while the entries of the atoms go by, so that each is read once for eight products.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from sparsecode._jit import overload
from sparsecode._simd import _INT, _arrays, _at, _Vectors, intrinsic

__all__ = ["WINDOWS", "best_products", "largest_of", "loosen"]

#: Windows that are looked at together.
WINDOWS = 8


def best_products(
    signal: np.ndarray,
    starts: np.ndarray,
    taps: np.ndarray,
    atoms: np.ndarray,
    signed: bool,
    best: np.ndarray,
) -> None:
    """Write the largest product of any atom with each window, of its magnitude unless `signed`.

    At least 0. Entry e of the window that begins at s is ``signal[s + taps[e]]``; `atoms` has the
    shape (n_entries, n_atoms), n_atoms filling whole vectors. There are `WINDOWS` starts. The sums
    of a window do not depend on its neighbours.
    """
    products = signal[starts[:, None] + taps] @ atoms
    np.max(products if signed else np.abs(products), axis=1, initial=0.0, out=best)


def largest_of(values: np.ndarray, first: int, last: int) -> float:
    """Return the largest magnitude in ``values[first:last]``, 0 if that is empty.

    What follows is read too, up to a whole vector.
    """
    return np.max(np.abs(values[first:last]), initial=values.dtype.type(0.0))


def loosen(
    bounds: np.ndarray, drift: np.ndarray, first: int, offset: int, n: int, scale: float
) -> float:
    """Raise the magnitudes of a run by `scale` times a drift, and make them negative.

    Returns the largest. The run is ``bounds[first : first + n]``, its drift begins at `offset`.
    What follows either is read too, up to a whole vector.
    """
    run = bounds[first : first + n]
    run[:] = -(np.abs(run) + run.dtype.type(scale) * drift[offset : offset + n])
    return np.max(-run, initial=run.dtype.type(0.0))


def _raise(builder: Any, place: Any, candidate: Any) -> None:
    """Store the larger entries of a vector and of what is there."""
    before = builder.load(place)
    more = builder.fcmp_ordered(">", candidate, before)
    builder.store(builder.select(more, candidate, before), place)


def _largest_entry(builder: Any, vectors: _Vectors, vector: Any) -> Any:
    """Return the largest entry of a vector, halving it again and again."""
    place = cgutils.alloca_once(builder, vectors.type)
    builder.store(vector, place)
    half = vectors.lanes // 2
    while half:
        order = [(lane + half) % vectors.lanes for lane in range(vectors.lanes)]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), vectors.lanes), order)
        whole = builder.load(place)
        _raise(builder, place, builder.shuffle_vector(whole, whole, mask))
        half //= 2
    return builder.extract_element(builder.load(place), ir.IntType(32)(0))


@intrinsic
def _best_products(typing_context, signal, starts, taps, atoms, best, signed):
    def generate(context, builder, signature, arguments):
        domain, firsts, offsets, table, scores = _arrays(context, builder, signature, arguments, 5)
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        n_entries, n_atoms = cgutils.unpack_tuple(builder, table.shape, 2)
        zero = ir.Constant(vectors.type, [0.0] * vectors.lanes)
        windows = [
            _at(builder, domain.data, builder.load(_at(builder, firsts.data, _INT(window))))
            for window in range(WINDOWS)
        ]
        largest = [cgutils.alloca_once(builder, vectors.type) for _ in windows]
        totals = [cgutils.alloca_once(builder, vectors.type) for _ in windows]
        for place in largest:
            builder.store(zero, place)
        with cgutils.for_range(builder, vectors.count(n_atoms)) as part:
            column = _at(builder, table.data, builder.mul(part.index, _INT(vectors.lanes)))
            for total in totals:
                builder.store(zero, total)
            with cgutils.for_range(builder, n_entries) as loop:
                tap = builder.load(_at(builder, offsets.data, loop.index))
                entries = vectors.load(_at(builder, column, builder.mul(loop.index, n_atoms)))
                for window, total in zip(windows, totals):
                    factor = vectors.splat(builder.load(_at(builder, window, tap)))
                    product = vectors.add_product(builder.load(total), factor, entries)
                    builder.store(product, total)
            for total, place in zip(totals, largest):
                product = builder.load(total)
                _raise(builder, place, product)
                mirrored = builder.select(arguments[5], product, builder.fneg(product))
                _raise(builder, place, mirrored)
        for window, place in enumerate(largest):
            score = _largest_entry(builder, vectors, builder.load(place))
            builder.store(score, _at(builder, scores.data, _INT(window)))
        return context.get_dummy_value()

    return types.void(signal, starts, taps, atoms, best, types.boolean), generate


def _magnitude(builder: Any, vector: Any) -> Any:
    mirrored = builder.fneg(vector)
    return builder.select(builder.fcmp_ordered(">", vector, mirrored), vector, mirrored)


def _within(builder: Any, vectors: _Vectors, done: Any, n: Any) -> Any:
    """Say which entries of a vector are among the first `n`, of which `done` came before."""
    whole = ir.VectorType(_INT, vectors.lanes)
    nothing = ir.Constant(whole, ir.Undefined)
    one = builder.insert_element(nothing, builder.sub(n, done), ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vectors.lanes), [0] * vectors.lanes)
    left = builder.shuffle_vector(one, nothing, zeros)
    return builder.icmp_signed("<", ir.Constant(whole, list(range(vectors.lanes))), left)


@intrinsic
def _largest_of(typing_context, values, first, last):
    def generate(context, builder, signature, arguments):
        (numbers,) = _arrays(context, builder, signature, arguments, 1)
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        zero = ir.Constant(vectors.type, [0.0] * vectors.lanes)
        largest = cgutils.alloca_once(builder, vectors.type)
        builder.store(zero, largest)
        n = builder.sub(arguments[2], arguments[1])
        start = _at(builder, numbers.data, arguments[1])
        with cgutils.for_range(builder, vectors.count(n)) as loop:
            done = builder.mul(loop.index, _INT(vectors.lanes))
            vector = _magnitude(builder, vectors.load(_at(builder, start, done)))
            vector = builder.select(_within(builder, vectors, done, n), vector, zero)
            _raise(builder, largest, vector)
        return _largest_entry(builder, vectors, builder.load(largest))

    return values.dtype(values, types.int64, types.int64), generate


@intrinsic
def _loosen(typing_context, bounds, drift, first, offset, n, scale):
    def generate(context, builder, signature, arguments):
        numbers, growth = _arrays(context, builder, signature, arguments, 2)
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        zero = ir.Constant(vectors.type, [0.0] * vectors.lanes)
        largest = cgutils.alloca_once(builder, vectors.type)
        builder.store(zero, largest)
        factor = vectors.splat(arguments[5])
        start = _at(builder, numbers.data, arguments[2])
        source = _at(builder, growth.data, arguments[3])
        with cgutils.for_range(builder, vectors.count(arguments[4])) as loop:
            done = builder.mul(loop.index, _INT(vectors.lanes))
            before = vectors.load(_at(builder, start, done))
            raised = vectors.add_product(
                _magnitude(builder, before), factor, vectors.load(_at(builder, source, done))
            )
            within = _within(builder, vectors, done, arguments[4])
            after = builder.select(within, builder.fneg(raised), before)
            vectors.store(after, _at(builder, start, done))
            _raise(builder, largest, builder.select(within, raised, zero))
        return _largest_entry(builder, vectors, builder.load(largest))

    signature = bounds.dtype(bounds, drift, types.int64, types.int64, types.int64, bounds.dtype)
    return signature, generate


@overload(largest_of)
def _compiled_largest_of(values, first, last):
    return lambda values, first, last: _largest_of(values, first, last)


@overload(loosen)
def _compiled_loosen(bounds, drift, first, offset, n, scale):
    return lambda bounds, drift, first, offset, n, scale: _loosen(
        bounds, drift, first, offset, n, scale
    )


@overload(best_products)
def _compiled_best_products(signal, starts, taps, atoms, signed, best):
    return lambda signal, starts, taps, atoms, signed, best: _best_products(
        signal, starts, taps, atoms, best, signed
    )
