"""Rows of bits in words of 64: packing and unpacking."""

from __future__ import annotations

import numpy as np

from sparsecode.core.code import SparseCode

__all__ = ["pack_bits", "pack_rows", "unpack_rows"]


def pack_bits(dense: np.ndarray) -> np.ndarray:
    """Pack an array of bool into words, bit ``u % 64`` of word ``u // 64`` being column ``u``."""
    packed = np.packbits(dense, axis=1, bitorder="little")
    words = np.zeros((len(dense), -(-dense.shape[1] // 64) * 8), np.uint8)
    words[:, : packed.shape[1]] = packed
    return words.view("<u8").astype(np.uint64, copy=False)


def pack_rows(code: SparseCode) -> np.ndarray:
    """Return the rows of a binary code as words, shape (n_samples, ceil(n_units / 64))."""
    words = np.zeros((code.n_samples, -(-code.n_units // 64)), np.uint64)
    rows = np.repeat(np.arange(code.n_samples), code.n_active)
    bits = np.uint64(1) << (code.indices % 64).astype(np.uint64)
    np.bitwise_or.at(words, (rows, code.indices // 64), bits)
    return words


def unpack_rows(words: np.ndarray, n_units: int) -> np.ndarray:
    """Return words as an array of uint8 of 0 and 1, shape (n_rows, n_units)."""
    octets = np.ascontiguousarray(words, "<u8").view(np.uint8)
    return np.unpackbits(octets, axis=1, count=n_units, bitorder="little")
