"""Windows of a patch, in explicit vector instructions (see :mod:`sparsecode._simd`).

A patch holds its channels one below the other, and so does an atom, whose rows are padded with 0 to
whole vectors: the patch must go on in memory for as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from sparsecode._jit import overload
from sparsecode._simd import _INT, _arrays, _at, _row_length, _Vectors, intrinsic

__all__ = ["subtract_window", "window_dot"]

#: Sums of a product that go on side by side.
REGISTERS = 4


def window_dot(patch: np.ndarray, atom: np.ndarray, y: int, x: int) -> float:
    """Return the product of a padded atom, of shape (height, width), with the window at (y, x)."""
    height, width = atom.shape
    rows = [np.lib.stride_tricks.as_strided(patch[y + i, x:], (width,)) for i in range(height)]
    return patch.dtype.type(sum(row @ line for row, line in zip(rows, atom)))


def subtract_window(patch: np.ndarray, atom: np.ndarray, y: int, x: int, change: float) -> None:
    """Subtract `change` times a padded atom from the window at (y, x)."""
    height, width = atom.shape
    for i in range(height):
        row = np.lib.stride_tricks.as_strided(patch[y + i, x:], (width,))
        row -= change * atom[i]


def _start(builder: Any, matrix: Any, vectors: _Vectors, y: Any, x: Any) -> tuple[Any, Any]:
    """Return where the window begins, and the entries from one row of the patch to the next."""
    length = _row_length(builder, matrix, vectors.size)
    return _at(builder, matrix.data, builder.mul(y, length), x), length


@intrinsic
def _window_dot(typing_context, patch, atom, y, x):
    def generate(context, builder, signature, arguments):
        matrix, kernel = _arrays(context, builder, signature, arguments, 2)
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        start, length = _start(builder, matrix, vectors, arguments[2], arguments[3])
        height, width = cgutils.unpack_tuple(builder, kernel.shape, 2)
        totals = [cgutils.alloca_once(builder, vectors.type) for _ in range(REGISTERS)]
        for total in totals:
            builder.store(ir.Constant(vectors.type, [0.0] * vectors.lanes), total)

        def add(row, total):
            line = _at(builder, start, builder.mul(row, length))
            other = _at(builder, kernel.data, builder.mul(row, width))
            with cgutils.for_range(builder, vectors.count(width)) as loop:
                offset = builder.mul(loop.index, _INT(vectors.lanes))
                a = vectors.load(_at(builder, line, offset))
                b = vectors.load(_at(builder, other, offset))
                builder.store(vectors.add_product(builder.load(total), a, b), total)

        n_steps = builder.udiv(height, _INT(REGISTERS))
        with cgutils.for_range(builder, n_steps) as loop:
            first = builder.mul(loop.index, _INT(REGISTERS))
            for shift, total in enumerate(totals):
                add(builder.add(first, _INT(shift)), total)
        done = builder.mul(n_steps, _INT(REGISTERS))
        with cgutils.for_range(builder, builder.sub(height, done)) as loop:
            add(builder.add(done, loop.index), totals[0])
        first, second, third, fourth = (builder.load(total) for total in totals)
        total = builder.fadd(builder.fadd(first, second), builder.fadd(third, fourth))
        result = builder.extract_element(total, ir.IntType(32)(0))
        for lane in range(1, vectors.lanes):
            result = builder.fadd(result, builder.extract_element(total, ir.IntType(32)(lane)))
        return result

    return patch.dtype(patch, atom, types.int64, types.int64), generate


@intrinsic
def _subtract_window(typing_context, patch, atom, y, x, change):
    def generate(context, builder, signature, arguments):
        matrix, kernel = _arrays(context, builder, signature, arguments, 2)
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        start, length = _start(builder, matrix, vectors, arguments[2], arguments[3])
        height, width = cgutils.unpack_tuple(builder, kernel.shape, 2)
        factor = vectors.splat(builder.fneg(arguments[4]))
        with cgutils.for_range(builder, height) as row:
            line = _at(builder, start, builder.mul(row.index, length))
            other = _at(builder, kernel.data, builder.mul(row.index, width))
            with cgutils.for_range(builder, vectors.count(width)) as loop:
                offset = builder.mul(loop.index, _INT(vectors.lanes))
                place = _at(builder, line, offset)
                b = vectors.load(_at(builder, other, offset))
                vectors.store(vectors.add_product(vectors.load(place), factor, b), place)
        return context.get_dummy_value()

    return types.void(patch, atom, types.int64, types.int64, patch.dtype), generate


@overload(window_dot)
def _compiled_window_dot(patch, atom, y, x):
    return lambda patch, atom, y, x: _window_dot(patch, atom, y, x)


@overload(subtract_window)
def _compiled_subtract_window(patch, atom, y, x, change):
    return lambda patch, atom, y, x, change: _subtract_window(patch, atom, y, x, change)
