"""Convolutional sparse coding: small atoms at every place of a signal or an image."""

from sparsecode.convolutional._result import ConvLearningResult
from sparsecode.convolutional.admm import admm
from sparsecode.convolutional.fista import fista
from sparsecode.convolutional.greedy_cd import greedy_cd
from sparsecode.convolutional.interior_point import interior_point
from sparsecode.convolutional.learning import draw_atoms, learn_alternating, learn_online
from sparsecode.convolutional.log_gabor import (
    LogGaborParameters,
    log_gabor,
    log_gabor_bank,
    log_gabor_preset,
)
from sparsecode.convolutional.log_gabor_fits import LogGaborFits, fit_log_gabor
from sparsecode.convolutional.matching_pursuit import mp
from sparsecode.convolutional.operators import correlate, reconstruct

__all__ = [
    "ConvLearningResult",
    "LogGaborFits",
    "LogGaborParameters",
    "admm",
    "correlate",
    "draw_atoms",
    "fista",
    "fit_log_gabor",
    "greedy_cd",
    "interior_point",
    "learn_alternating",
    "learn_online",
    "log_gabor",
    "log_gabor_bank",
    "log_gabor_preset",
    "mp",
    "reconstruct",
]
