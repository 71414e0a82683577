"""What all solvers share: who is missing, how many threads, in which type."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from experiments.benchmarks._bases import BaseSolver
from sparsecode._jit import available_threads
from sparsecode._jit import threads as limited_threads
from sparsecode.core import SparseCode

__all__ = ["Coder", "Contestant", "as_code"]


class Contestant(BaseSolver):
    """A solver that may be missing, and that keeps to its number of threads."""

    #: The module that it needs.
    requires = "sparsecode"
    licence = "BSD-3"
    #: Whether its BLAS may take `n_threads` too; otherwise it takes one.
    uses_blas_threads = False
    sampling_strategy = "run_once"
    dtype: str
    n_threads: int

    def skip(self, **given: Any) -> tuple[bool, str | None]:
        """Pass over a peer that is not installed, and threads that there are not."""
        if find_spec(self.requires) is None:
            return True, f"{self.requires} is not installed"
        if self.n_threads > available_threads():
            return True, f"{self.n_threads} threads were asked for; {available_threads()} are there"
        return False, None

    def run(self, stop_val: Any) -> None:
        """Do the work, which is what is timed, on as many threads as were asked for."""
        with self._limits(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the certificate says who did not converge
            self.result = self.solve(stop_val)

    def solve(self, stop_val: Any) -> Any:
        """Do the work and return it."""
        raise NotImplementedError

    @contextmanager
    def _limits(self) -> Iterator[None]:
        if self.uses_blas_threads:
            with threadpool_limits(self.n_threads):
                yield
        else:  # also the faster choice for peers that thread over samples
            with limited_threads(self.n_threads):
                yield


class Coder(Contestant):
    """A way to code samples over a dictionary."""

    def set_objective(self, X: np.ndarray, dictionary: np.ndarray, **problem: Any) -> None:
        """Take samples, atoms and whatever else defines the problem, in the type asked for."""
        self.X = np.ascontiguousarray(X, dtype=self.dtype)
        self.D = np.ascontiguousarray(dictionary, dtype=self.dtype)
        for name, value in problem.items():
            setattr(self, name, value)

    def warm_up(self) -> None:
        """Code a few samples, so that everything is compiled and loaded."""
        X, self.X = self.X, self.X[:8]
        self.pre_run_hook(1e-2)
        self.run(1e-2)
        self.X = X

    def get_result(self) -> dict[str, Any]:
        """Return the codes of the last run."""
        return {"code": self.result}


def as_code(code: Any) -> SparseCode:
    """Return codes of any origin, dense or sparse, in float64."""
    matrix = code.to_scipy() if hasattr(code, "to_scipy") else code
    return SparseCode.from_scipy(sparse.csr_array(matrix).astype(np.float64))
