"""One batch after another: code it, move the atoms, replace those of no use."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sparsecode import solvers
from sparsecode._jit import threads
from sparsecode._validation import (
    check_count,
    check_data,
    check_dictionary,
    check_fraction,
    check_option,
)
from sparsecode.core._course import taken, taken_count
from sparsecode.core.code import SparseCode
from sparsecode.learning._atoms import CONSTRAINTS, draw_atoms, duplicated, project, replace
from sparsecode.learning._rule import Coded, Rule
from sparsecode.penalties import Penalty, check_penalty
from sparsecode.solvers import SolverResult

__all__ = ["Learner"]


class Learner:
    """Atoms that learn batch by batch, and all that the next batch depends on.

    Parameters
    ----------
    rule : Rule
        How a batch moves the atoms.
    penalty, solver, alpha_ratio, constraint, skip_unconverged, dead_after, max_cosine, n_threads
        Those of :func:`~sparsecode.learning.olshausen_field`.

    Attributes
    ----------
    atoms : ndarray of shape (n_atoms, n_features)
        Of norm 1, read-only.
    codes : SparseCode
        Codes of the last batch, rescaled so that with the new atoms they mean what they did.
    n_batches : int
        Batches learned from.
    """

    atoms: np.ndarray
    codes: SparseCode

    def __init__(
        self,
        rule: Rule,
        penalty: Penalty | str | None,
        *,
        solver: str | Callable[..., SolverResult] = "auto",
        alpha_ratio: float | None = None,
        constraint: str | None = None,
        skip_unconverged: bool = False,
        dead_after: int | None = None,
        max_cosine: float | None = None,
        warm_start: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.rule = rule
        self.penalty = penalty
        self.constraint = check_option("constraint", constraint, CONSTRAINTS)
        self.skip_unconverged = skip_unconverged
        self.dead_after = None if dead_after is None else check_count("dead_after", dead_after)
        self.max_cosine = None if max_cosine is None else check_fraction("max_cosine", max_cosine)
        self.positive = bool(getattr(penalty, "positive", False))
        self.n_batches = 0
        solve = solvers.get(solver) if isinstance(solver, str) else solver
        if not callable(solve):
            raise TypeError(f"solver must be a name or a callable; got {solver!r}.")
        self.n_threads = n_threads
        given: dict[str, Any] = {"alpha_ratio": alpha_ratio, "n_threads": n_threads}
        self._options = {name: value for name, value in given.items() if value is not None}
        self._arguments = () if penalty is None else (penalty,)
        self.solve = solve
        signature = inspect.signature(solve)
        try:
            signature.bind(None, None, *self._arguments, **self._options)
        except TypeError as error:
            asked = ["X", "dictionary", *["penalty"] * len(self._arguments), *self._options]
            raise TypeError(
                f"solver must take ({', '.join(asked)}), as given; got {solver!r}: {error}. A "
                f"pursuit takes penalty=None and solver=functools.partial(omp, n_nonzero=8)."
            ) from None
        if warm_start and "init" not in signature.parameters:
            raise TypeError(
                f"warm_start needs a solver that takes init; got {solver!r}. Pass warm_start=False."
            )

    def start(
        self,
        dictionary: Any,
        n_features: int,
        dtype: Any,
        rng: np.random.Generator,
        *,
        samples: np.ndarray | None = None,
    ) -> None:
        """Begin with given atoms, or with a number of them: Gaussian, or drawn from `samples`."""
        if np.ndim(dictionary):
            atoms = check_dictionary(dictionary)
        else:
            atoms = draw_atoms(dictionary, n_features, samples, rng)
        penalty = self.penalty
        if penalty is not None:
            penalty = check_penalty(penalty, np.ones(len(atoms)))
        atoms, norms = project(atoms, self.constraint)
        lost = np.flatnonzero(norms == 0)
        if lost.size and np.ndim(dictionary):
            raise ValueError(
                f"constraint={self.constraint!r} must leave something of every atom; got "
                f"{lost.size} of which nothing is left, the first in row {lost[0]}. Replace them."
            )
        if self.constraint == "mean_free" and n_features < 2:
            raise ValueError("constraint='mean_free' needs at least 2 features; got 1.")
        while lost.size:  # a drawn sample may well be constant, or negative throughout
            atoms[lost], norms[lost] = project(
                rng.standard_normal((lost.size, n_features)), self.constraint
            )
            lost = np.flatnonzero(norms == 0)
        self._set_atoms(np.ascontiguousarray(atoms, dtype=dtype))
        self._silent_for = np.zeros(len(atoms), np.int64)
        self.n_batches = 0
        self.rule.start(self.atoms.shape, self.atoms.dtype, self.constraint, penalty)

    def encode(self, X: np.ndarray, init: SparseCode | None = None) -> SolverResult:
        """Return the codes of samples, silent about those that are dense or did not converge."""
        options = self._options if init is None else {**self._options, "init": init}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", "alpha is so small")  # while atoms are still poor
            return self.solve(X, self.atoms, *self._arguments, **options)

    def step(self, X: Any, init: SparseCode | None = None) -> dict[str, Any]:
        """Learn from one batch, its codes started from `init`; return its row of the history."""
        with threads(self.n_threads):  # once, for setting BLAS takes its time
            return self._step(X, init)

    def _step(self, X: Any, init: SparseCode | None) -> dict[str, Any]:
        name = f"batch {self.n_batches}"
        X = check_data(X, n_features=self.atoms.shape[1], name=name, dtype=self.atoms.dtype)
        if not len(X):
            raise ValueError(f"every batch must hold a sample; {name} is empty.")
        result = self.encode(X, init)
        codes = result.code.to_scipy(copy=True)
        batch = Coded(X, codes, X - codes @ self.atoms, result.alpha)
        usage = np.bincount(result.code.indices, minlength=len(self.atoms))
        row = {
            "mse": float(np.mean(np.square(batch.residuals), dtype=np.float64)),
            "objective": float(result.objective.mean()),
            "density": float(result.code.density),
            "n_silent": int(np.count_nonzero(usage == 0)),
            "n_replaced": 0,
            "n_unconverged": int((~result.converged).sum()),
        }
        atoms, norms = np.array(self.atoms), np.ones(len(self.atoms))
        gone = np.zeros(len(atoms), bool)
        if not (self.skip_unconverged and row["n_unconverged"]):
            moved = self.rule.update(self.n_batches, self.atoms, batch)
            moved, norms = project(moved, self.constraint)
            gone = norms == 0
            moved[gone] = atoms[gone]  # until it is replaced, such an atom stays where it was
            atoms = moved
        useless = np.flatnonzero(gone | self._useless(atoms, usage))
        replaced = replace(atoms, useless, batch.residuals, self.constraint)
        if replaced.size:
            self.rule.forget(replaced)
            self._silent_for[replaced] = 0
            norms[replaced] = 0.0  # and so is what the codes had of them
        row["n_replaced"] = replaced.size
        self.codes = SparseCode(
            codes.indptr, codes.indices, codes.data * norms[codes.indices].astype(codes.dtype),
            (len(atoms),),
        )  # fmt: skip
        self._set_atoms(atoms)
        self.n_batches += 1
        return row

    def _useless(self, atoms: np.ndarray, usage: np.ndarray) -> np.ndarray:
        """Return which atoms no sample has used for long, or double another one."""
        self._silent_for = np.where(usage > 0, 0, self._silent_for + 1)
        if self.dead_after is None:
            return np.zeros(len(atoms), bool)
        useless = self._silent_for >= self.dead_after
        if self.max_cosine is not None and (self.n_batches + 1) % self.dead_after == 0:
            useless |= duplicated(atoms, usage, self.max_cosine, signed=self.positive)
        return useless

    def _set_atoms(self, atoms: np.ndarray) -> None:
        atoms.setflags(write=False)
        self.atoms = atoms

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that every later batch depends on."""
        own = {
            "atoms": self.atoms,
            "silent_for": self._silent_for,
            "n_batches": np.array(self.n_batches),
        }
        return own | {f"rule.{name}": array for name, array in self.rule.state().items()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what :meth:`state` returned, after :meth:`start`."""
        self._set_atoms(taken(arrays, "atoms", self.atoms))
        self._silent_for = taken(arrays, "silent_for", self._silent_for)
        self.n_batches = taken_count(arrays, "n_batches")
        prefix = "rule."
        self.rule.restore(
            {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        )
