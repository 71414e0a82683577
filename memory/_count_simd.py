"""Counting the bits of a word, for which processors have an instruction and NumPy's scalars not."""

from __future__ import annotations

from typing import Any

from numba import types

from sparsecode._jit import overload
from sparsecode._simd import intrinsic

__all__ = ["count_bits"]


def count_bits(word: Any) -> int:
    """Return how many bits of an uint64 are set."""
    return int(word).bit_count()


@intrinsic
def _count_bits(typing_context, word):
    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@overload(count_bits)
def _compiled_count_bits(word):
    return lambda word: _count_bits(word)
