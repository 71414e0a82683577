"""Shared set-up: kernels are cached by the hash of their source; strategies are importable."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the checkout, ahead of an installed copy
sys.path.insert(1, str(ROOT / "tests"))

from sparsecode._cache import use_hashed_numba_cache  # noqa: E402

use_hashed_numba_cache()
