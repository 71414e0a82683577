"""Random numbers that are functions of a seed and of what they are for.

A memory that draws for its 17th pattern draws the same whether patterns come in one batch or in
many, and a cue finds the same winners whichever other cues are recalled beside it.
"""

from __future__ import annotations

import numpy as np

__all__ = ["cue_words", "uniforms"]


def mix(state: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Return 64 bits that depend on all bits of both arguments (the finaliser of SplitMix64)."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    bits = np.asarray(state, np.uint64) + golden * (np.asarray(words).astype(np.uint64) + 1)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def cue_words(indptr: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return a word for each row of units that depends on the units alone."""
    totals = np.zeros(indices.size + 1, np.uint64)
    np.cumsum(mix(np.zeros(1, np.uint64), indices), out=totals[1:])
    return totals[indptr[1:]] - totals[indptr[:-1]]


def uniforms(seed: int, words: np.ndarray, n_draws: int) -> np.ndarray:
    """Return numbers in [0, 1) of shape (n_words, n_draws), each row from the seed and its word."""
    state = mix(np.array([seed], np.uint64), words)
    bits = mix(state[:, None], np.arange(n_draws)[None, :])
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
