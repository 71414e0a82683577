"""Patterns and cues of `codes-into-memory` are what they are said to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments import _codes_measure as parts
from experiments.codes_into_memory import Config
from sparsecode.core import SparseCode, overlap
from sparsecode.core.rng import Streams

CONFIG = Config(
    patch_size=8, n_atoms=96, n_active=5, n_batches=4, loads=(10, 40), n_cues=20, n_repeats=1
)


def test_all_patterns_have_as_many_active_units():
    atoms = parts.learn_atoms(CONFIG, Streams(0))["atoms"]
    patterns = parts.draw_patterns(CONFIG, Streams(0), atoms, 0)
    assert tuple(patterns) == parts.SOURCES
    for source, code in patterns.items():
        assert code.shape == (40, 96), source
        assert (code.n_active == 5).all(), source


def test_cues_lack_or_move_so_many():
    rng = np.random.default_rng(0)
    rows = [rng.choice(96, 5, replace=False) for _ in range(30)]
    patterns = SparseCode.from_indices(rows, 96)
    without = parts.damage(CONFIG, "missing", patterns, rng)
    assert (without.n_active == 3).all()  # 30 % of 5, rounded
    assert (overlap(without, patterns, rowwise=True) == 3).all()
    moved = parts.damage(CONFIG, "moved", patterns, rng)
    assert (moved.n_active == 5).all()
    assert (overlap(moved, patterns, rowwise=True) == 4).all()


def test_capacity_lies_between_loads():
    loads = np.array([10, 100, 1000])
    assert parts.capacity(loads, np.array([1.0, 0.95, 0.85]), 0.9) == pytest.approx(10**2.5)
    assert parts.capacity(loads, np.array([0.8, 0.95, 0.85]), 0.9) == 0.0
    assert parts.capacity(loads, np.array([1.0, 1.0, 0.9]), 0.9) == 1000.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_active": 1}, "n_active must lie between 2"),
        ({"n_active": 200}, "a quarter of n_atoms"),
        ({"loads": (20, 10)}, "loads must rise"),
        ({"missing": 1.0}, "missing must lie between 0 and 1"),
        ({"level": 0.0}, "level must lie between 0 and 1"),
    ],
)
def test_bad_config(change, said):
    with pytest.raises(ValueError, match=said):
        Config(**change)


def test_too_few_active_atoms_are_an_error():
    config = replace(CONFIG, surplus=0.8, loads=(40, 150))
    atoms = parts.learn_atoms(config, Streams(0))["atoms"]
    with pytest.raises(ValueError, match=r"surplus must give 150 patches.*Raise it"):
        parts.draw_patterns(config, Streams(0), atoms, 0)
