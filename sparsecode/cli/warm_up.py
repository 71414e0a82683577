"""``sparsecode warm-up``."""

from __future__ import annotations

import argparse
import inspect
import itertools
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from sparsecode import convolutional, learning, penalties, solvers
from sparsecode._cache import kernel_folder
from sparsecode.core import SparseCode, normalize, overlap, top_k

__all__ = ["Item", "calls", "functions", "items", "learners", "problem", "run", "warm_up"]

#: Penalties whose kernels are compiled without ``--all``.
COMMON = ("l1", "cel0", "l0", "mcp")
N_SAMPLES, N_ATOMS, N_FEATURES, KERNEL = 8, 12, 6, 3
#: What the public functions of :mod:`sparsecode.solvers` need beside samples, atoms and a penalty.
ARGUMENTS = {
    "alphas": np.array([0.2, 0.1]), "code": np.eye(N_SAMPLES, N_ATOMS), "density": 0.2, "rtol": 0.5,
}  # fmt: skip


class Item(NamedTuple):
    """Some calls that compile kernels, and what to call them."""

    name: str
    calls: list[Callable[[], Any]]


def run(arguments: argparse.Namespace) -> None:
    """Compile kernels ahead of their first use, and say how many and how long it took."""
    import numba

    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        raise ValueError("warm-up must be allowed to compile; got NUMBA_DISABLE_JIT. Unset it.")
    start, before = time.perf_counter(), _n_kept()
    warm_up(arguments.all, None if arguments.quiet else partial(print, file=sys.stderr, flush=True))
    print(
        f"{_n_kept() - before} kernels compiled in {time.perf_counter() - start:.0f} s, kept in "
        f"{kernel_folder()}"
    )


def _n_kept() -> int:
    return sum(1 for _ in kernel_folder().rglob("*.nbc"))


def warm_up(everything: bool = False, progress: Callable[[str], None] | None = None) -> None:
    """Make every call of :func:`items`; `progress` gets a line for each item that is done."""
    work = items(everything)
    for number, item in enumerate(work, 1):
        start = time.perf_counter()
        for call in item.calls:
            accepted(call)
        if progress is not None:
            seconds = time.perf_counter() - start
            progress(f"[{number}/{len(work)}] {item.name}: {seconds:.1f} s")


def accepted(call: Callable[[], Any]) -> bool:
    """Make a call and say whether its arguments suit each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nobody asked for these codes
        try:
            call()
        except (TypeError, ValueError):  # this solver does not take this penalty
            return False
    return True


def items(everything: bool = False) -> list[Item]:
    """Return what is to be compiled: the defaults, or all that is public and registered."""
    return [
        item for dtype in (np.float64, np.float32) for item in _items(np.dtype(dtype), everything)
    ]


def _items(dtype: np.dtype, everything: bool) -> Iterator[Item]:
    X, atoms = problem(dtype)
    structs = [penalties.make(name, 0.1) for name in COMMON]
    for name, struct in zip(COMMON, structs):
        # Numba compiles anew for read-only arrays: learned atoms, or samples mapped from a file
        given = [
            call
            for x, d in itertools.product((X, _frozen(X)), (atoms, _frozen(atoms)))
            for call in calls(solvers.encode, x, d, [struct])
        ]
        # where the search of signs gives up, cd goes on
        yield Item(f"encode, {name}, {dtype}", [*given, *calls(solvers.cd, X, atoms, [struct])])
    for pursuit in (solvers.omp, solvers.ols):
        given = [
            call
            for x, d in itertools.product((X, _frozen(X)), (atoms, _frozen(atoms)))
            for call in calls(pursuit, x, d, [])
        ]
        yield Item(f"{pursuit.__name__}, {dtype}", given)
    for learner in (learning.olshausen_field, learning.online):
        yield Item(f"{learner.__name__}, {dtype}", learner_calls(learner, X, atoms, structs))
    yield Item(f"codes, {dtype}", [partial(_compare, X)])
    if everything:
        structs = [struct(0.1) for struct in penalties.registered().values()]
        for name, function in functions().items():
            yield Item(f"{name}, every penalty, {dtype}", calls(function, X, atoms, structs))
        signals, kernels = X[:, None], np.ascontiguousarray(atoms[:, None, :KERNEL])
        for name, function in functions(convolutional).items():
            given = calls(function, signals, kernels, structs)
            if given:
                yield Item(f"convolutional.{name}, every penalty, {dtype}", given)
        for name, learner in learners().items():
            given = learner_calls(learner, X, atoms, structs)
            yield Item(f"{name}, every penalty, {dtype}", given)


def problem(dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Return a few samples, and atoms of norm 1."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES)).astype(dtype)
    return X, normalize(rng.standard_normal((N_ATOMS, N_FEATURES))).astype(dtype)


def _frozen(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.setflags(write=False)
    return view


def functions(module: Any = solvers) -> dict[str, Callable]:
    """Return all that a module offers for samples and atoms, by name."""
    offered = {name: getattr(module, name) for name in module.__all__}
    if module is solvers:
        offered |= solvers.registered()
    return {
        name: function
        for name, function in offered.items()
        if inspect.isfunction(function) and "dictionary" in inspect.signature(function).parameters
    }


def learners() -> dict[str, Callable]:
    """Return every learner by its name."""
    offered = {name: getattr(learning, name) for name in learning.__all__}
    return {name: learner for name, learner in offered.items() if inspect.isfunction(learner)}


def calls(
    function: Callable, X: np.ndarray, atoms: np.ndarray, structs: list[Any]
) -> list[Callable[[], Any]]:
    """Return the ways to call a function of :func:`functions` that differ in their kernels.

    It may refuse some of them: not every solver takes every penalty.
    """
    takes = inspect.signature(function).parameters
    samples = X[0] if "x" in takes else X
    given = {name: value for name, value in ARGUMENTS.items() if name in takes}
    found: list[Callable[[], Any]] = []
    if "penalty" in takes:
        for struct in structs:
            found.append(partial(function, samples, atoms, struct, **given))
            if "alpha_ratio" in takes:
                found.append(partial(function, samples, atoms, struct, alpha_ratio=0.5, **given))
    if "n_nonzero" in takes:
        found.append(partial(function, samples, atoms, n_nonzero=2, **given))
        if "positive" in takes:
            found.append(partial(function, samples, atoms, n_nonzero=2, positive=True, **given))
    return found


def learner_calls(
    learner: Callable, X: np.ndarray, atoms: np.ndarray, structs: list[Any]
) -> list[Callable[[], Any]]:
    """Return a call of a learner for each penalty."""
    return [partial(learner, X, atoms, struct, n_batches=2, rng=0) for struct in structs]


def _compare(X: np.ndarray) -> None:
    """Compile what codes are compared and thinned out with."""
    code = SparseCode.from_dense(X)
    overlap(code, code)
    overlap(code, code, rowwise=True)
    top_k(code, 2)
