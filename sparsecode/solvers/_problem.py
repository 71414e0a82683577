"""The one driver under every solver: check, tile, solve, compress, certify."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sparsecode._jit import threads
from sparsecode._validation import check_count, check_data, check_dictionary, check_positive
from sparsecode.core.code import SparseCode
from sparsecode.penalties._dispatch import Penalty, check_penalty, formulas
from sparsecode.penalties.cel0 import CEL0, PaperCEL0
from sparsecode.penalties.l0 import L0
from sparsecode.solvers._certificate_kernels import (
    certify_batch,
    residual_batch,
    support_residual_batch,
)
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._stop_kernels import alpha_max_batch

__all__ = ["Problem", "Tile"]

#: Entries of the dense scratch that a tile of codes may take: 2**21 float64 are 16 MiB.
TILE_ENTRIES = 2**21
#: Cosine, in machine epsilons, up to which an inner product is taken for rounding.
UNSEEN = 10.0


def resolve_tol(tol: float | None, dtype: np.dtype) -> float:
    """Return `tol`, or the default of the dtype: 1e-6 for float64, 1e-4 for float32."""
    if tol is None:
        return 1e-6 if dtype == np.float64 else 1e-4
    return check_positive("tol", tol)


class Tile:
    """Samples that are solved together, with what every kernel wants to know of them."""

    def __init__(self, problem: Problem, rows: slice) -> None:
        self.rows = rows
        self.X = problem.X[rows]
        self.projections, self.unseen = problem.project(rows)
        self.energies = 0.5 * np.einsum("if,if->i", self.X, self.X, dtype=np.float64)
        self.alphas = np.ones(len(self.X)) if problem.alpha is None else problem.alpha[rows]
        self.codes = problem.start(rows)
        self.codes[self.unseen] = 0
        self.n_iter = np.zeros(len(self.X), np.int64)


class Problem:
    """Checked arguments of one call of a solver.

    Parameters
    ----------
    X, dictionary, penalty, alpha_ratio, init, max_iter, tol, n_threads
        As every solver takes them; `penalty` is None for pursuits and k-sparse methods.

    Raises
    ------
    TypeError, ValueError
        One sentence for each bad argument, before any work is done.
    """

    def __init__(
        self,
        X: Any,
        dictionary: Any,
        penalty: Penalty | str | None = None,
        *,
        alpha_ratio: float | None = None,
        init: Any = None,
        max_iter: int = 1000,
        tol: float | None = None,
        n_threads: int | None = None,
    ) -> None:
        atoms = check_dictionary(dictionary)
        self.X = check_data(X, n_features=atoms.shape[1])
        self.dictionary = np.ascontiguousarray(atoms, dtype=self.X.dtype)
        self.atoms = np.ascontiguousarray(atoms, dtype=np.float64)
        self.squared_norms = np.einsum("jf,jf->j", self.atoms, self.atoms)
        self.max_iter = check_count("max_iter", max_iter)
        self.tol = resolve_tol(tol, self.X.dtype)
        self.n_threads = n_threads
        self.init = self._check_init(init)
        self.convex = False
        self.alpha: np.ndarray | None = None
        self.penalty: Penalty | None = None
        with threads(self.n_threads):
            if penalty is not None:
                self._check_penalty(penalty, alpha_ratio)

    @cached_property
    def gram(self) -> np.ndarray:
        """Inner products of all pairs of atoms; first asked for where BLAS runs on one thread."""
        return self.dictionary @ self.dictionary.T

    @cached_property
    def curvature(self) -> float:
        """L, the largest eigenvalue of the Gram matrix: the curvature of the data term."""
        atoms = self.atoms
        with threads(self.n_threads):
            small = atoms @ atoms.T if atoms.shape[0] <= atoms.shape[1] else atoms.T @ atoms
            return float(np.linalg.eigvalsh(small)[-1])

    @property
    def n_atoms(self) -> int:
        return self.dictionary.shape[0]

    def _check_penalty(self, penalty: Penalty | str, alpha_ratio: float | None) -> None:
        if isinstance(penalty, str) and alpha_ratio is None:
            raise ValueError(
                f"a penalty given by its name needs alpha_ratio; got {penalty!r} alone. Pass "
                f"alpha_ratio=0.1, say, or a struct such as L1(0.1)."
            )
        checked = check_penalty(penalty, np.sqrt(self.squared_norms))
        self.penalty = checked
        self.convex = formulas(checked).dual_parts is not None
        if alpha_ratio is None:
            self.alpha = np.full(len(self.X), checked.alpha)
        else:
            self.alpha = check_positive("alpha_ratio", alpha_ratio) * self.alpha_max()

    def _check_init(self, init: Any) -> SparseCode | None:
        if init is None:
            return None
        shape = (len(self.X), self.n_atoms)
        if not isinstance(init, SparseCode):
            dense = check_data(init, name="init", dtype=self.X.dtype)
            if dense.shape != shape:
                raise ValueError(f"init must have shape {shape}; got {dense.shape}.")
            return SparseCode.from_dense(dense)
        if init.shape != shape:
            raise ValueError(f"init must have shape {shape}; got {init.shape}.")
        return init

    def tiles(self) -> list[slice]:
        """Return the rows of each tile; their number depends on sizes alone, never on threads."""
        height = int(np.clip(TILE_ENTRIES // self.n_atoms, 16, 1024))
        return [slice(first, first + height) for first in range(0, len(self.X), height)]

    def start(self, rows: slice) -> np.ndarray:
        """Return the dense codes at which some samples start: those of `init`, else 0."""
        shape = self.X[rows].shape[0], self.n_atoms
        if self.init is None:
            return np.zeros(shape, self.X.dtype)
        return np.array(self.init[rows].to_dense().reshape(shape), dtype=self.X.dtype)

    def check_step(self, step: float | None, *, limit: float = 2.0) -> float:
        """Return `step`, 1 / L if None; beyond `limit` / L the iteration would not descend."""
        if step is None:
            return 1.0 / self.curvature
        step = check_positive("step", step)
        if step > limit / self.curvature * (1.0 + 1e-9):  # whoever computed it may round
            raise ValueError(
                f"step must be at most {limit:g} / L = {limit / self.curvature:.6g}, L the largest "
                f"eigenvalue of the Gram matrix, or the iteration diverges; got {step:.6g}."
            )
        return step

    def project(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return Dx of some samples, and which of them no atom sees; there Dx is exactly 0."""
        X = self.X[rows]
        projections = X @ self.dictionary.T
        lengths = np.sqrt(np.einsum("if,if->i", X, X, dtype=np.float64))
        limits = UNSEEN * np.finfo(X.dtype).eps * lengths
        norms = np.sqrt(self.squared_norms)
        largest = np.maximum(projections.max(axis=1), -projections.min(axis=1))
        unseen = largest <= limits * norms.max()
        doubtful = np.flatnonzero(unseen)
        unseen[doubtful] = (np.abs(projections[doubtful]) / norms).max(axis=1) <= limits[doubtful]
        projections[unseen] = 0
        return projections, unseen

    def alpha_max(self) -> np.ndarray:
        """Return, per sample, the smallest alpha at which 0 is coordinate-wise optimal."""
        self.refuse_paper_cel0("alpha_max")
        alphas = np.zeros(len(self.X))
        for rows in self.tiles():
            projections, _ = self.project(rows)
            alpha_max_batch(projections, self.squared_norms, self.penalty, alphas[rows])
        return alphas

    def refuse_paper_cel0(self, name: str) -> None:
        """Raise for an operator that silences every unit atom at a coordinate's own step."""
        if isinstance(self.penalty, PaperCEL0):
            raise TypeError(
                f"{name} takes coordinate steps 1 / ||d||**2, at which PaperCEL0 returns 0 for "
                f"every unit atom; use CEL0, or ista with a step below 1."
            )

    def solve(
        self,
        kernel: Callable[[Tile], None],
        *,
        step: float | None = None,
        met: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
        remedy: str = "Raise max_iter or tol.",
    ) -> SolverResult:
        """Run `kernel` on each tile and certify what it leaves in ``tile.codes``.

        Parameters
        ----------
        kernel : callable
            ``kernel(tile)`` overwrites ``tile.codes`` and ``tile.n_iter``.
        step : float, optional
            Step of the prox residual that certifies penalties that are not convex; 1 / L if
            unset.
        met : callable, optional
            ``met(certificate, objective)`` says which samples met their target; by default those
            whose certificate is at most `tol`.
        remedy : str
            What the warning advises.

        Returns
        -------
        SolverResult
        """
        with threads(self.n_threads):
            pieces, n_iter, certificates, objectives, stationary = [], [], [], [], []
            if step is None and self.penalty is not None and not self.convex:
                step = 1.0 / self.curvature
            for rows in self.tiles():
                tile = Tile(self, rows)
                kernel(tile)
                piece = SparseCode.from_dense(tile.codes)
                certificate, objective, is_stationary = self._certify(tile, piece, step)
                pieces.append(piece)
                n_iter.append(tile.n_iter)
                certificates.append(certificate)
                objectives.append(objective)
                stationary.append(is_stationary)
        if pieces:
            code = SparseCode.concatenate(pieces)
        else:
            code = SparseCode.from_dense(np.zeros((0, self.n_atoms), self.X.dtype))
        certificate = np.concatenate([np.zeros(0), *certificates])
        objective = np.concatenate([np.zeros(0), *objectives])
        converged = met(certificate, objective) if met else certificate <= self.tol
        self._warn(converged, certificate, remedy)
        return SolverResult(
            code=code,
            n_iter=np.concatenate([np.zeros(0, np.int64), *n_iter]),
            converged=converged,
            certificate=certificate,
            objective=objective,
            alpha=self.alpha,
            coordinate_stationary=(
                np.concatenate([np.zeros(0, bool), *stationary]) if self._counts_units() else None
            ),
            certificate_name=self._certificate_name(),
        )

    def _counts_units(self) -> bool:
        return isinstance(self.penalty, L0 | CEL0)

    def _certificate_name(self) -> str:
        if self.penalty is None:
            return "support residual"
        return "duality gap" if self.convex else "prox residual"

    def _certify(
        self, tile: Tile, piece: SparseCode, step: float | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        values = np.asarray(piece.values, dtype=np.float64)
        residuals = np.empty(tile.X.shape)
        residual_batch(tile.X, self.atoms, piece.indptr, piece.indices, values, residuals)
        correlations = residuals @ self.atoms.T
        residual_energies = 0.5 * np.einsum("if,if->i", residuals, residuals)
        projections = tile.projections
        if projections.dtype != np.float64:
            projections = tile.X.astype(np.float64) @ self.atoms.T
            projections[tile.unseen] = 0
        certificate = np.empty(len(tile.X))
        objective = residual_energies.copy()
        stationary = np.zeros(len(tile.X), bool)
        if self.penalty is None:
            support_residual_batch(
                projections, correlations, piece.indptr, piece.indices, certificate
            )
        else:
            certify_batch(
                projections, correlations, tile.energies, residual_energies, self.squared_norms,
                self.penalty, tile.alphas, self.convex, 1.0 if step is None else step, self.tol,
                piece.indptr, piece.indices, values, certificate, objective, stationary,
            )  # fmt: skip
        return certificate, objective, stationary

    def _warn(self, converged: np.ndarray, certificate: np.ndarray, remedy: str) -> None:
        failed = int((~converged).sum())
        if failed:
            warnings.warn(
                f"{failed} of {converged.size} samples did not converge: largest "
                f"{self._certificate_name()} {certificate.max():.1e}, tol {self.tol:.1e}. {remedy}",
                ConvergenceWarning,
                stacklevel=4,
            )
