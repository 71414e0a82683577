"""Tiles of samples, side by side on Python threads.

Kernels release the interpreter, so Python threads run them side by side. Compared with Numba's own
parallel loops this halves the time of compilation, lets several callers in at once, survives a
fork, and hears Ctrl-C after a tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

__all__ = ["map_tiles", "tiles_of"]

Tile = TypeVar("Tile")
Result = TypeVar("Result")

#: Tiles that a batch is cut into at least, if they do not become too small: work for every thread.
MANY = 16
#: Fewest samples that are worth a tile.
FEWEST = 64


def tiles_of(n_samples: int, largest: int) -> list[slice]:
    """Cut samples into tiles of at most `largest`; the cuts depend on these two numbers alone."""
    height = max(min(largest, max(-(-n_samples // MANY), FEWEST)), 1)
    return [slice(first, first + height) for first in range(0, n_samples, height)]


def map_tiles(
    function: Callable[[Tile], Result],
    tiles: Sequence[Tile],
    n_threads: int,
    *,
    progress: bool = False,
) -> list[Result]:
    """Return what `function` makes of each tile, in the order of the tiles.

    Parameters
    ----------
    function : callable
        Called once for each tile, from several threads at once.
    tiles : sequence
        What it is called with.
    n_threads : int
        How many tiles run at a time.
    progress : bool, default=False
        Whether to show a progress bar.

    Raises
    ------
    BaseException
        What the first tile to fail raised, or what interrupted the caller; tiles that had begun
        end first, no other begins.
    """
    if n_threads == 1 or len(tiles) < 2:
        return [function(tile) for tile in _shown(tiles, len(tiles), progress)]
    with ThreadPoolExecutor(min(n_threads, len(tiles)), "sparsecode") as pool:
        running = [pool.submit(function, tile) for tile in tiles]
        try:
            for one in _shown(as_completed(running), len(tiles), progress):
                one.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [one.result() for one in running]


def _shown(tiles: Iterable, n_tiles: int, progress: bool) -> Iterable:
    if not progress:
        return tiles
    from tqdm.auto import tqdm  # which speaks up in notebooks without widgets

    return tqdm(tiles, "tiles", n_tiles, leave=False)
