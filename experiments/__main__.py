"""``python -m experiments list|run|plot|verify|keep|report``."""

from sparsecode._cache import use_hashed_numba_cache

use_hashed_numba_cache()  # before anything imports Numba

from experiments._framework.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
