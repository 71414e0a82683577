"""Tiles run side by side, in order, and stop when they are told to."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from sparsecode._parallel import map_tiles, tiles_of
from sparsecode.core import normalize
from sparsecode.solvers import encode

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("n_samples", "largest", "heights"),
    [(0, 256, []), (1, 256, [1]), (40, 256, [40]), (250, 256, [64, 64, 64, 58]),
     (1000, 256, [64] * 15 + [40]), (10_000, 256, [256] * 39 + [16]), (40, 8, [8] * 5)],
)  # fmt: skip
def test_the_cuts_depend_on_sizes_alone(n_samples, largest, heights):
    tiles = tiles_of(n_samples, largest)
    assert [len(range(*tile.indices(n_samples))) for tile in tiles] == heights
    assert all(tile.start % heights[0] == 0 for tile in tiles)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_tiles(n_threads):
    def wait_and_square(number):
        time.sleep(0.002 * (7 - number))
        return number**2

    assert map_tiles(wait_and_square, range(8), n_threads) == [n**2 for n in range(8)]
    assert map_tiles(wait_and_square, [], n_threads) == []


def test_as_many_tiles_run_at_a_time_as_there_are_threads():
    together = threading.Barrier(3, timeout=10)  # breaks unless three wait at once
    map_tiles(lambda _: together.wait(), range(6), 3)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_no_other_tile_begins(n_threads, error):
    begun = []

    def work(number):
        begun.append(number)
        if number == 3:
            raise error(number)
        time.sleep(0.01)

    with pytest.raises(error, match="3"):
        map_tiles(work, range(100), n_threads)
    assert len(begun) < 100
    before = len(begun)
    time.sleep(0.05)
    assert len(begun) == before


@pytest.mark.parametrize("n_threads", [1, 2])
def test_progress_is_shown_when_asked_for(n_threads, capsys):
    rng = np.random.default_rng(0)
    X, dictionary = rng.normal(size=(130, 9)), normalize(rng.normal(size=(20, 9)))
    quiet = encode(X, dictionary, "l1", alpha_ratio=0.3, n_threads=n_threads)
    assert capsys.readouterr().err == ""
    shown = encode(X, dictionary, "l1", alpha_ratio=0.3, n_threads=n_threads, progress=True)
    assert "/3" in capsys.readouterr().err
    assert shown.code == quiet.code


LONG = """
import sys
from sparsecode._cache import use_hashed_numba_cache
use_hashed_numba_cache()
import numpy as np
from sparsecode.core import normalize
from sparsecode.solvers import encode
rng = np.random.default_rng(0)
X, dictionary = rng.normal(size=(200_000, 64)), normalize(rng.normal(size=(256, 64)))
encode(X[:300], dictionary, "l1", alpha_ratio=0.05)
print("begun", flush=True)
encode(X, dictionary, "l1", alpha_ratio=0.05)
print("done", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_stops_a_long_batch_at_once():
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", LONG], env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert "done" not in out
    assert err.strip().endswith("KeyboardInterrupt")
