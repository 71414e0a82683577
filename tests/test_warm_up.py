"""Compilation is announced once, and done ahead for whatever is registered."""

import inspect
import logging
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba.core.caching import FunctionCache

from sparsecode import _cache, penalties, solvers
from sparsecode._jit import jit
from sparsecode.cli import main, warm_up
from sparsecode.penalties import _dispatch

ROOT = Path(__file__).resolve().parent.parent
compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")

#: Compiles two small kernels.
TINY = """
import numpy as np
from sparsecode.core import SparseCode, top_k
print(top_k(SparseCode.from_dense(np.arange(6.0).reshape(2, 3)), 1).nnz)
"""
#: The command, with little to do.
WARM_UP = """
import sys
from sparsecode.cli import main, warm_up
items = warm_up.items
warm_up.items = lambda everything: [i for i in items(everything) if i.name == "codes, float64"]
sys.exit(main(["warm-up"]))
"""

#: Which functions, learners and penalties no call of the warm-up suits.
LEFT_OUT = """
from sparsecode import penalties
from sparsecode.cli.warm_up import (
    accepted, calls, functions, learner_calls, learners, problem
)
X, atoms = problem("float64")
structs = [struct(0.1) for struct in penalties.registered().values()]

def suits(ways):
    return any(map(accepted, ways))

print(
    [name for name, one in functions().items() if not suits(calls(one, X, atoms, structs))],
    [name for name, one in learners().items() if not suits(learner_calls(one, X, atoms, structs))],
    [
        struct for struct in structs
        if not any(suits(calls(one, X, atoms, [struct])[:2]) for one in functions().values())
    ],
)
"""


def run_python(source, home, **environment):
    """Run `source` in a fresh process whose kernels are kept below `home`."""
    inherited = {name: text for name, text in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=120,
        env={**inherited, "PYTHONPATH": path, "XDG_CACHE_HOME": str(home), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@compiled
class TestTheLine:
    def test_it_is_said_once_and_not_when_kernels_are_on_disk(self, tmp_path):
        first = run_python(TINY, tmp_path)
        assert first.stderr.startswith("sparsecode is compiling kernels, which happens once")
        assert "`sparsecode warm-up`" in first.stderr
        assert first.stderr.count("\n") == 1
        again = run_python(TINY, tmp_path)
        assert again.stderr == ""
        assert again.stdout == first.stdout == "2\n"

    def test_the_command_warms_what_a_script_uses(self, tmp_path):
        command = run_python(WARM_UP, tmp_path)
        assert command.stderr.startswith("[1/1] codes, float64: ")
        assert command.stderr.count("\n") == 1
        n_kernels, folder = int(command.stdout.split()[0]), Path(command.stdout.split()[-1])
        assert folder.parent == tmp_path / "sparsecode" / "numba"
        assert n_kernels == len(list(folder.rglob("*.nbc"))) > 1
        assert run_python(TINY, tmp_path).stderr == ""
        assert len(list(tmp_path.rglob("*.nbc"))) == n_kernels

    def test_a_penalty_of_the_script_gets_another(self, tmp_path):
        script = (
            "from typing import NamedTuple\n"
            "from sparsecode.core._ops_kernels import mark_top_k\n"
            "import numba\n"
            "class Mine(NamedTuple):\n"
            "    alpha: float\n"
            "sig = (numba.typeof(Mine(1.0)),)\n"
            "for _ in range(2):\n"
            "    assert mark_top_k._cache.load_overload(sig, None) is None\n"
        )
        said = run_python(script, tmp_path).stderr
        assert "that no other process can import: put it into a module" in said
        assert said.count("\n") == 1

    def test_a_home_that_cannot_be_written_is_named(self, tmp_path):
        (tmp_path / "file").write_text("")
        (tmp_path / "tmp").mkdir()
        done = run_python(TINY, tmp_path / "file", TMPDIR=str(tmp_path / "tmp"))
        first, second = done.stderr.splitlines()
        assert "must compile its kernels anew in every process" in first
        assert f"{tmp_path / 'file'}" in first
        assert "compiling kernels" in second
        assert not any((tmp_path / "tmp").iterdir())  # what nobody can use again is removed

    def test_a_user_may_have_no_home(self, monkeypatch, tmp_path):
        def homeless():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(Path, "home", homeless)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        assert _cache._hashed_folder.__wrapped__().parent == tmp_path

    def test_a_full_disk_does_not_cost_the_result(self, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(FunctionCache, "save_overload", full)

        @jit
        def doubled(x):
            return 2 * x

        assert doubled(3) == 6


def test_nothing_is_said_where_nothing_is_compiled(tmp_path):
    assert run_python(TINY, tmp_path, NUMBA_DISABLE_JIT="1").stderr == ""


class TestItems:
    def test_whatever_is_registered_is_included(self, monkeypatch):
        class Mine(NamedTuple):
            alpha: float
            positive: bool = False
            weights: object = None

        def my_solver(X, dictionary, penalty):
            raise AssertionError

        known = replace(_dispatch._FORMULAS[penalties.L1], name="mine")
        monkeypatch.setitem(_dispatch._FORMULAS, Mine, known)
        monkeypatch.setitem(solvers._SOLVERS, "my_solver", my_solver)
        names = {item.name: item.calls for item in warm_up.items(everything=True)}
        for dtype in ("float64", "float32"):
            for name in solvers.registered():
                assert names[f"{name}, every penalty, {dtype}"]
            (mine,) = {
                call.args[2] for call in names[f"my_solver, every penalty, {dtype}"]
                if isinstance(call.args[2], Mine)
            }  # fmt: skip
            assert mine.alpha > 0
            assert names[f"my_solver, every penalty, {dtype}"][0].args[0].dtype == dtype

    def test_the_defaults_are_a_part_of_everything(self):
        few = {item.name for item in warm_up.items()}
        assert few < {item.name for item in warm_up.items(everything=True)}
        for dtype in ("float64", "float32"):
            assert {f"encode, l1, {dtype}", f"omp, {dtype}", f"online, {dtype}"} <= few

    def test_every_call_fits_the_function(self):
        """A parameter without a default needs its value in ``ARGUMENTS``."""
        X, atoms = warm_up.problem(np.float64)
        structs = [penalties.L1(0.1)]
        for function in warm_up.functions().values():
            calls = list(warm_up.calls(function, X, atoms, structs))
            assert calls
            for call in calls:
                inspect.signature(function).bind(*call.args, **call.keywords)

    def test_every_function_and_every_penalty_compiles_something(self, tmp_path):
        left_out = run_python(LEFT_OUT, tmp_path, NUMBA_DISABLE_JIT="1")
        assert left_out.stdout == "[] [] []\n"


class TestTheCommand:
    @pytest.fixture
    def work(self, monkeypatch):
        """Replace all compilation by a look at what is said about it."""
        levels = []

        def call():
            levels.append(logging.getLogger("sparsecode").getEffectiveLevel())

        monkeypatch.setattr(warm_up, "items", lambda everything: [warm_up.Item("work", [call])])
        monkeypatch.setattr(numba.config, "DISABLE_JIT", 0)
        return levels

    def test_it_shows_what_it_does(self, work, capsys):
        before = logging.getLogger("sparsecode").level
        assert main(["warm-up"]) == 0
        said = capsys.readouterr()
        assert said.err == "[1/1] work: 0.0 s\n"
        assert said.out.startswith("0 kernels compiled in 0 s, kept in ")
        assert work == [logging.ERROR]
        assert logging.getLogger("sparsecode").level == before

    def test_it_can_be_quiet(self, work, capsys):
        assert main(["warm-up", "--all", "--quiet"]) == 0
        assert capsys.readouterr().err == ""

    def test_it_needs_the_compiler(self, monkeypatch, capsys):
        monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
        assert main(["warm-up"]) == 2
        said = capsys.readouterr().err
        assert said == (
            "sparsecode warm-up: warm-up must be allowed to compile; got NUMBA_DISABLE_JIT. "
            "Unset it.\n"
        )
