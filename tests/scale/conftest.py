"""Rows, atoms, and how a run's shards are compared."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def X():
    return np.random.default_rng(0).standard_normal((230, 6))


@pytest.fixture(scope="session")
def atoms():
    return np.random.default_rng(1).standard_normal((12, 6))


@pytest.fixture
def rows(X, tmp_path):
    """Return the path of the rows, as float32 in a file."""
    np.save(tmp_path / "rows.npy", X.astype(np.float32))
    return tmp_path / "rows.npy"


@pytest.fixture
def files():
    """Return what gives the bytes of every shard of a folder."""
    return lambda folder: {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
