"""Threads are limited and given back; kernels follow their sources and call each other."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest
from jit_kernels import add, add_twice, sum_rows
from threadpoolctl import threadpool_info, threadpool_limits

from sparsecode import _jit
from sparsecode._jit import _SINGLE_THREADED_BLAS, source_hash, threads
from sparsecode.penalties import L1

TESTS = Path(__file__).resolve().parent


#: What NumPy and SciPy compute with. A peer that another test imports brings a BLAS of its own,
#: which may keep its number of threads for each Python thread.
OURS = {pool["filepath"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["filepath"] in OURS}


def run_python(source, *arguments, folders=(), **environment):
    """Run `source` in a fresh process and return what it prints."""
    path = [str(TESTS.parent), str(TESTS), *map(str, folders), os.environ.get("PYTHONPATH", "")]
    result = subprocess.run(
        [sys.executable, "-c", source, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


class TestThreads:
    def test_numba_is_limited_inside_and_restored_after(self):
        before = numba.get_num_threads()
        with threads(1) as n_threads:
            assert n_threads == numba.get_num_threads() == 1
            with threads() as all_of_them:
                assert all_of_them == numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS
            assert numba.get_num_threads() == 1
        assert numba.get_num_threads() == before

    def test_everything_is_restored_after_an_error(self):
        before = numba.get_num_threads()
        with threadpool_limits(limits=2, user_api="blas"):
            with pytest.raises(KeyError), threads(1):
                raise KeyError
            assert blas_threads() == {2}
        assert numba.get_num_threads() == before

    def test_blas_has_one_thread_inside(self):
        with threadpool_limits(limits=2, user_api="blas"):
            with threads():
                assert blas_threads() == {1}
                with threads(1):
                    assert blas_threads() == {1}
                assert blas_threads() == {1}
            assert blas_threads() == {2}

    def test_libraries_that_come_later_are_limited_too(self, monkeypatch):
        known = _jit._blas()
        assert _jit._blas() is known  # nothing was imported
        monkeypatch.setitem(sys.modules, "a_module_with_a_blas_of_its_own", sys)
        assert _jit._blas() is not known

    @pytest.mark.parametrize("first", [0, 1])
    def test_blas_is_given_back_by_the_last_of_overlapping_callers(self, first):
        """Its number of threads is the process's, and Python threads leave in any order."""
        with (
            threadpool_limits(limits=2, user_api="blas"),
            ThreadPoolExecutor(1) as one,
            ThreadPoolExecutor(1) as other,
        ):
            callers = [one, other]
            for caller in callers:
                caller.submit(_SINGLE_THREADED_BLAS.__enter__).result()
                assert blas_threads() == {1}
            callers[first].submit(_SINGLE_THREADED_BLAS.__exit__).result()
            assert blas_threads() == {1}
            callers[1 - first].submit(_SINGLE_THREADED_BLAS.__exit__).result()
            assert blas_threads() == {2}

    @pytest.mark.parametrize("n_threads", [0, -1, 10_000])
    def test_a_number_out_of_range_is_refused(self, n_threads):
        message = rf"^n_threads must .*1.*; got {n_threads}\."
        with pytest.raises(ValueError, match=message), threads(n_threads):
            pass

    @pytest.mark.parametrize("n_threads", [1.0, "2", True])
    def test_a_number_of_another_type_is_refused(self, n_threads):
        message = f"^n_threads must be an integer; got {n_threads!r}"
        with pytest.raises(TypeError, match=message), threads(n_threads):
            pass

    @pytest.mark.parametrize("n_threads", [1, None])
    def test_results_do_not_depend_on_the_threads(self, n_threads):
        table, sums = np.arange(60.0).reshape(12, 5), np.empty(12)
        with threads(n_threads):
            sum_rows(table, sums)
        np.testing.assert_allclose(sums, table.sum(axis=1), rtol=1e-12)

    def test_four_python_threads_share_the_workqueue(self):
        """This layer aborts the process when two threads are inside at once."""
        printed = run_python(FOUR_THREADS, NUMBA_THREADING_LAYER="workqueue", NUMBA_NUM_THREADS="2")
        assert printed.split() == ["workqueue", "100"]


FOUR_THREADS = """
from threading import Barrier, Thread
import numba
import numpy as np
from jit_kernels import sum_rows
from sparsecode._jit import threads

start, finished = Barrier(4), []

def work(seed):
    table, sums = np.random.default_rng(seed).random((64, 50)), np.empty(64)
    start.wait()
    for _ in range(25):
        with threads(2, parallel=True):
            sum_rows(table, sums)
        np.testing.assert_allclose(sums, table.sum(axis=1), rtol=1e-12)
        finished.append(seed)

callers = [Thread(target=work, args=(seed,)) for seed in range(4)]
for caller in callers:
    caller.start()
for caller in callers:
    caller.join()
print(numba.threading_layer(), len(finished))
"""


class TestKernelsWithinKernels:
    def test_python_and_kernels_may_call_the_same_kernel(self):
        table = np.zeros((3, 2))
        add_twice(table, 2)
        np.testing.assert_array_equal(table, [[1.0, 1.0], [1.0, 1.0], [3.0, 3.0]])
        add(table, 0, -1.0)
        np.testing.assert_array_equal(table, [[0.0, 0.0], [0.0, 0.0], [2.0, 2.0]])

    def test_an_error_reaches_python_from_within(self):
        for _ in range(2):
            with pytest.raises(IndexError, match=r"no such row.*5"):
                add_twice(np.zeros((3, 2)), 5)

    @pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
    def test_only_what_python_calls_is_made_machine_code(self, tmp_path):
        cache = {"NUMBA_CACHE_DIR": str(tmp_path)}
        assert run_python(WITHIN, **cache).split() == ["6.0", "0", "1", "0", "0", "True"]
        kept = list(tmp_path.rglob("*.nbc"))
        assert [path.name.startswith("jit_kernels.add_twice-") for path in kept] == [True]
        assert run_python(WITHIN, **cache).split() == ["6.0", "0", "0", "1", "0", "True"]

    def test_a_kernel_can_be_sent_to_another_process(self):
        table = np.zeros((3, 2))
        pickle.loads(pickle.dumps(add_twice))(table, 2)
        assert table.sum() == 10.0


#: What is compiled for Python and for other kernels, and whether it came from disk.
WITHIN = """
import gc
import numpy as np
from jit_kernels import add, add_twice

table = np.zeros((1, 2))
add_twice(table, 0)
hits = sum(add_twice.stats.cache_hits.values())
print(table.sum(), len(add.overloads), len(add.inner.overloads), hits,
      len(add_twice.inner.overloads), gc.isenabled())
"""


MY_PENALTY = """
from typing import NamedTuple
from sparsecode.penalties import register

class Mine(NamedTuple):
    alpha: float
    positive: bool = False
    weights: object = None

def mine_value(penalty, u, j):
    return FACTOR * penalty.alpha * u

register(Mine, "mine", prox=lambda penalty, v, step, j: v, value=mine_value)
"""
MY_KERNEL = """
from sparsecode._jit import jit
from sparsecode.penalties import value

@jit
def pay(penalty, u):
    return value(penalty, u, 0)
"""
PAY = """
import sys
from my_kernel import pay
import {module}

print(pay({module}.{struct}(1.0), 5.0), sum(pay.stats.cache_hits.values()))
"""


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="interpreted kernels are not kept on disk")
class TestKernelsOnDisk:
    def test_they_follow_an_edit_of_a_penalty_and_survive_its_end(self, tmp_path):
        cache = {"folders": [tmp_path], "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        mine = PAY.format(module="my_penalty", struct="Mine")
        (tmp_path / "my_kernel.py").write_text(MY_KERNEL)
        (tmp_path / "my_penalty.py").write_text(MY_PENALTY.replace("FACTOR", "2.0"))
        assert run_python(mine, **cache).split() == ["10.0", "0"]
        assert run_python(mine, **cache).split() == ["10.0", "1"]
        (tmp_path / "my_penalty.py").write_text(MY_PENALTY.replace("FACTOR", "3.0"))
        assert run_python(mine, **cache).split() == ["15.0", "0"]
        (tmp_path / "my_penalty.py").unlink()
        theirs = PAY.format(module="sparsecode.penalties", struct="L1")
        assert run_python(theirs, **cache).split() == ["5.0", "0"]

    def test_structs_of_a_notebook_are_not_kept(self, tmp_path):
        cache = {"folders": [tmp_path], "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        (tmp_path / "my_kernel.py").write_text(MY_KERNEL)
        script = MY_PENALTY.replace("FACTOR", "2.0") + PAY.format(module="__main__", struct="Mine")
        assert run_python(script, **cache).split() == ["10.0", "0"]
        assert not list((tmp_path / "cache").rglob("*.nbi"))

    def test_a_hash_needs_a_module_that_others_can_import(self):
        class Local(NamedTuple):
            alpha: float

        assert source_hash(Local) is None
        assert len(source_hash(L1)) == 64
        assert source_hash(L1) == source_hash(L1)


def test_others_keep_their_threads_when_kernels_start():
    script = """
import torch
torch.set_num_threads(1)
import numpy as np
from sparsecode.core import SparseCode, overlap
code = SparseCode.from_dense(np.eye(4, dtype=bool))
overlap(code, code, n_threads=1)
assert torch.get_num_threads() == 1, torch.get_num_threads()
"""
    subprocess.run([sys.executable, "-c", script], check=True)
