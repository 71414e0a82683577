"""The same problem as a plain one, with a row for every unit. Helpers here are importable."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))


def explicit(dictionary, shape, boundary):
    """Return a row for each unit, over the domain, by slow loops, and the domain's shape."""
    n_atoms, n_channels, *kernel = dictionary.shape
    grown = [n + 2 * (w - 1) if boundary == "zero" else n for n, w in zip(shape, kernel)]
    maps = [n if boundary == "circular" else n - w + 1 for n, w in zip(grown, kernel)]
    rows = np.zeros((n_atoms, *maps, n_channels, *grown))
    for place in itertools.product(*map(range, maps)):
        for offset in itertools.product(*map(range, kernel)):
            where = tuple((p + q) % n for p, q, n in zip(place, offset, grown))
            rows[(slice(None), *place, slice(None), *where)] += dictionary[(..., *offset)]
    return rows.reshape(n_atoms * int(np.prod(maps)), -1), tuple(grown)


def embedded(X, dictionary, boundary):
    """Return signals on the domain, as rows."""
    margins = [w - 1 if boundary == "zero" else 0 for w in dictionary.shape[2:]]
    return np.pad(X, [(0, 0), (0, 0), *((m, m) for m in margins)]).reshape(len(X), -1)


@pytest.fixture
def plain():
    """Return signals and dictionary of the plain problem."""

    def make(X, dictionary, boundary):
        return (
            embedded(X, dictionary, boundary),
            explicit(dictionary, X.shape[2:], boundary)[0],
        )

    return make


@pytest.fixture
def problem():
    """Return random signals and atoms over some axes."""

    def make(n_axes=2, n_channels=1, dtype=np.float64, n_samples=2):
        rng = np.random.default_rng(n_axes * 10 + n_channels)
        shape, kernel = ((40,), (5,)) if n_axes == 1 else ((13, 14), (3, 4))
        X = rng.normal(size=(n_samples, n_channels, *shape)).astype(dtype)
        return X, rng.normal(size=(4, n_channels, *kernel)).astype(dtype)

    return make
