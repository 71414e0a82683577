"""The one way this package compiles and enters Numba kernels."""

from __future__ import annotations

import gc
import hashlib
import inspect
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache, partial
from typing import Any

import numba
from numba import prange
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import CPUDispatcher
from numba.core.types import IntegerLiteral, unliteral
from numba.extending import overload as numba_overload
from threadpoolctl import ThreadpoolController

from sparsecode._cache import kernel_folder
from sparsecode._validation import check_count

__all__ = [
    "available_threads",
    "jit",
    "overload",
    "parallel_jit",
    "prange",
    "source_hash",
    "threads",
]


@cache
def source_hash(struct: type) -> str | None:
    """Return a hash of the module that defines `struct`, as it was when first asked for.

    None for a struct that another process could not import: one of a notebook or a function.
    """
    module = sys.modules.get(struct.__module__)
    if struct.__module__ == "__main__" or getattr(module, struct.__qualname__, None) is not struct:
        return None
    try:
        source = inspect.getsource(module)  # type: ignore[arg-type]
    except (OSError, TypeError):
        return None
    return hashlib.sha256(f"{struct.__module__}\n{source}".encode()).hexdigest()


class _KernelCache(FunctionCache):
    """Numba's cache on disk, which also knows what is compiled into a kernel through a struct.

    Numba keys compiled code by the types of the arguments, and a struct by reference to its
    class. It would run a penalty's old formulas after an edit of their module, and would fail in
    every solver once that module is gone. Here the key is text: names, and hashes of modules.
    Numba would also keep kernels beside their sources, where stale ones outlive an edit of the
    files that are compiled into them.
    """

    def __init__(self, function: Callable) -> None:
        config: Any = numba.config
        before = config.CACHE_DIR
        config.CACHE_DIR = before or str(kernel_folder())
        try:
            super().__init__(function)
        finally:
            config.CACHE_DIR = before

    def _index_key(self, sig: Any, codegen: Any) -> tuple:
        types, *rest = super()._index_key(sig, codegen)
        return (str(types), *(source_hash(struct) for struct in _structs(sig)), *rest)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        kept = _can_be_kept(sig)
        found = super().load_overload(sig, target_context) if kept else None
        if found is None:
            _announce(kept)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        if _can_be_kept(sig):
            with suppress(OSError):  # a full disk costs another compilation, not the result
                super().save_overload(sig, data)


@cache
def _announce(kept: bool) -> None:
    """Say, once a process, why the first call of something takes seconds."""
    logging.getLogger("sparsecode").warning(
        "sparsecode is compiling kernels, which happens once: they are kept on disk "
        "(`sparsecode warm-up` compiles them ahead)."
        if kept
        else "sparsecode is compiling kernels for a penalty that no other process can import: put "
        "it into a module and they are kept on disk."
    )


def _structs(types: Any) -> list[type]:
    return [given.instance_class for given in types if hasattr(given, "instance_class")]


def _can_be_kept(types: Any) -> bool:
    return all(source_hash(struct) is not None for struct in _structs(types))


class _InnerLibrary(JITCodeLibrary):
    """Code that is optimised and made machine code only within what calls it."""

    def finalize(self) -> None:
        """Gather the code of all that is called, and leave the rest to the caller."""
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True


class _InnerCompiler(Compiler):
    """Compile what only kernels call.

    Numba would make every kernel a library of its own, callable from Python and from C, and also
    copy it into its callers: two thirds of the time of compilation.
    """

    def compile_extra(self, function: Callable) -> Any:
        state = self.state
        state.flags.no_compile = True
        state.flags.no_cpython_wrapper = True
        state.flags.no_cfunc_wrapper = True
        state.library = _InnerLibrary(state.targetctx.codegen(), function.__qualname__)
        # Numba asks for a builtin function here, and finds the code by its identity
        result = super().compile_extra(function)._replace(entry_point=object().__sizeof__)
        state.targetctx.insert_user_function(result.entry_point, result.fndesc, [result.library])
        return result


@contextmanager
def _uncollected() -> Iterator[None]:
    """Pause the collection of garbage, for the compiler's many objects live until it is done."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class _EntryCompiler(Compiler):
    """Compile what Python calls, with all that it calls in turn."""

    def compile_extra(self, function: Callable) -> Any:
        with _uncollected():
            result = super().compile_extra(function)
        for environment in result._find_referenced_environments():  # as for kernels from disk
            result.library.codegen.set_env(environment.env_name, environment)
        return result


def _plain(given: Any) -> Any:
    return unliteral(given) if isinstance(given, IntegerLiteral) else given


class _Kernel(CPUDispatcher):
    """A kernel for Python; other kernels are handed another form of it."""

    def __init__(
        self,
        py_func: Callable,
        locals: Any = None,
        targetoptions: Any = None,
        pipeline_class: type = _EntryCompiler,
    ) -> None:
        super().__init__(py_func, locals, targetoptions, pipeline_class=pipeline_class)
        self.inner = CPUDispatcher(py_func, locals, targetoptions, pipeline_class=_InnerCompiler)

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Type a call from a kernel, of integers by their type and not by their value."""
        return self.inner.get_call_template([_plain(given) for given in args], kws)

    def get_overload(self, sig: Any) -> Any:
        """Find the code for a call from a kernel."""
        return self.inner.get_overload(sig)


def jit(function: Callable | None = None, **options: Any) -> Any:
    """Compile a kernel. Compiled code is kept on disk, so that it is paid for once."""
    if function is None:
        return partial(jit, **options)
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return function
    fixed = {"nopython": True, "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    kernel: Any = _Kernel(function, targetoptions=fixed | options)
    kernel._cache = _KernelCache(function)
    return kernel


_INNER: Any = {"pipeline_class": _InnerCompiler}

#: Give a function another body in kernels: ``numba.extending.overload``, compiled like a kernel.
overload = partial(numba_overload, jit_options=_INNER)

#: Compile a kernel whose iterations go over a whole batch, with ``prange`` over samples. All others
#: are compiled in half the time and run side by side in :mod:`sparsecode._parallel`.
parallel_jit = partial(jit, parallel=True)

_ENTRY = threading.RLock()


def _blas() -> ThreadpoolController:
    """Return the loaded BLAS libraries."""
    return _blas_after(len(sys.modules))


@lru_cache(maxsize=1)
def _blas_after(n_modules: int) -> ThreadpoolController:
    """Find the BLAS libraries anew once more modules have been imported; it costs milliseconds."""
    return ThreadpoolController()


class _SingleThreadedBLAS:
    """Keep BLAS on one thread while anybody is inside.

    Its number of threads belongs to the process: were each of several Python threads to restore
    what it found, the last to leave could leave it limited for good.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n_inside = 0
        self.libraries: Any = None
        self.limits: Any = None

    def __enter__(self) -> None:
        with self.lock:
            if self.n_inside == 0:
                self.libraries = _blas()
                self._free_control()
                self.limits = self.libraries.limit(limits=1, user_api="blas")
            self.n_inside += 1

    def __exit__(self, *exception: object) -> None:
        with self.lock:
            self.n_inside -= 1
            if self.n_inside == 0:
                self._free_control()
                self.limits.restore_original_limits()
                self._free_control()  # for whoever comes next

    def _free_control(self) -> None:
        """Let any Python thread set the limit; threadpoolctl 3.8 reserves that to the first."""
        for library in self.libraries.lib_controllers:
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread(force=True)


_SINGLE_THREADED_BLAS = _SingleThreadedBLAS()


def _reentrant() -> bool:
    """Say whether several Python threads may be inside parallel kernels at once."""
    try:
        return numba.threading_layer() in ("omp", "tbb")
    except ValueError:  # no parallel kernel has run yet
        return False


@cache
def _start_threads() -> None:
    """Start Numba's threads, which sets OpenMP's number for others too, PyTorch say: undo that."""
    others = ThreadpoolController().select(user_api="openmp").lib_controllers
    before = [library.num_threads for library in others]
    numba.set_num_threads(numba.get_num_threads())
    for library, n_threads in zip(others, before):
        library.set_num_threads(n_threads)


def available_threads() -> int:
    """Return how many threads Numba may use, which is settled when it is imported."""
    return numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]  # made at run time


@contextmanager
def threads(n_threads: int | None = None, *, parallel: bool = False) -> Iterator[int]:
    """Run kernels on `n_threads` and BLAS on one thread, so that they do not fight.

    Parameters
    ----------
    n_threads : int, optional
        Threads to compute on; by default all that Numba may use.
    parallel : bool, default=False
        Whether kernels with parallel loops of Numba's own are to run.

    Yields
    ------
    int
        The number of threads in use.

    Raises
    ------
    TypeError
        If `n_threads` is not an integer.
    ValueError
        If `n_threads` lies outside 1 to ``numba.config.NUMBA_NUM_THREADS``.

    Notes
    -----
    Numba's ``workqueue`` layer fails when two Python threads enter it at once; entries with
    `parallel` are serialised there (and until the first kernel has shown which layer is used).
    """
    available = available_threads()
    if n_threads is None:
        n_threads = available
    if check_count("n_threads", n_threads) > available:
        raise ValueError(
            f"n_threads must lie between 1 and {available}, the threads Numba started with; got "
            f"{n_threads}. Set NUMBA_NUM_THREADS before importing to raise the limit."
        )
    _start_threads()
    before = numba.get_num_threads()
    locked = parallel and not _reentrant()
    if locked:
        _ENTRY.acquire()
    try:
        numba.set_num_threads(n_threads)
        with _SINGLE_THREADED_BLAS:
            yield n_threads
    finally:
        numba.set_num_threads(before)
        if locked:
            _ENTRY.release()
