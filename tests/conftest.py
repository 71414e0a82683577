"""Shared set-up: kernels are cached by the hash of their source; strategies are importable."""

import gc
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the checkout, ahead of an installed copy
sys.path.insert(1, str(ROOT / "tests"))

from sparsecode._cache import use_hashed_numba_cache  # noqa: E402

use_hashed_numba_cache()


def pytest_collection_finish(session):
    """Spare the collector the thousands of tests that stay: Brian2 calls it after each run."""
    gc.collect()
    gc.freeze()
