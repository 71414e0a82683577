"""The one driver under every solver: check, tile, solve, compress, certify."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from sparsecode._jit import threads
from sparsecode._parallel import map_tiles, tiles_of
from sparsecode._simd import padded
from sparsecode._validation import (
    check_count,
    check_data,
    check_dictionary,
    check_positive,
    level_outside,
)
from sparsecode.core.code import SparseCode
from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._certificate_kernels import (
    certify_convex_tile,
    certify_tile,
    residual_tile,
    support_residual_tile,
)
from sparsecode.solvers._parts import replacement_gains
from sparsecode.solvers._replacement_kernels import replacement_stationary_tile
from sparsecode.solvers._request import Request
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._stop_kernels import alpha_max_tile, silences
from sparsecode.solvers._tile import Scratch, Tile

__all__ = ["Problem"]

#: Entries of the dense scratch that a tile may take: 2**19 float64 are 4 MiB.
TILE_ENTRIES = 2**19
#: Samples that a tile holds at most.
TILE_HEIGHT = 256
#: The same two for solvers whose iterations go over a whole batch.
LOCKSTEP_ENTRIES, LOCKSTEP_HEIGHT = 2**21, 1024
#: Density beyond which codes are called dense, of dictionaries of at least so many atoms.
DENSE, MANY_ATOMS = 0.5, 32
#: Bytes that a Gram matrix may take before solvers do without.
GRAM_BYTES = 2**31


def resolve_tol(tol: float | None, dtype: np.dtype) -> float:
    """Return `tol`, or the default of the dtype: 1e-6 for float64, 1e-4 for float32."""
    if tol is None:
        return 1e-6 if dtype == np.float64 else 1e-4
    return check_positive("tol", tol)


class Problem(Request):
    """Checked arguments of one call of a solver.

    Parameters
    ----------
    X, dictionary, penalty, alpha_ratio, init, max_iter, tol, n_threads, progress
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
        progress: bool = False,
    ) -> None:
        atoms = check_dictionary(dictionary)
        # read-only, whatever was given: kernels are compiled for one kind of array
        self.X = check_data(X, n_features=atoms.shape[1]).view()
        self.X.flags.writeable = False
        self.dictionary = np.ascontiguousarray(atoms, dtype=self.X.dtype)
        self.atoms = np.ascontiguousarray(atoms, dtype=np.float64).view()
        self.atoms.flags.writeable = False
        self.squared_norms = np.einsum("jf,jf->j", self.atoms, self.atoms)
        self.max_iter = check_count("max_iter", max_iter)
        self.tol = resolve_tol(tol, self.X.dtype)
        self.n_threads = n_threads
        self.progress = progress
        self.init = self._check_init(init)
        self.scratch, self.part_scratch = Scratch(), Scratch()
        #: correlations up to which an atom surely stays silent, while solving
        self.silences = np.zeros(self.n_atoms)
        #: step at which the prox residual is to be taken; 0 for each atom's own 1 / a**2
        self.step = 0.0
        if penalty is not None:
            self.take_penalty(penalty, alpha_ratio)

    @cached_property
    def gram(self) -> np.ndarray:
        """Inner products of all pairs of atoms; rows are padded with 0 to whole vectors.

        Their number is odd: rows a power of 2 apart would crowd a part of the cache.
        """
        n_atoms = self.n_atoms
        gram = np.zeros((n_atoms, self._gram_width), self.X.dtype)

        def fill(rows: slice) -> None:  # from the diagonal on, and its mirror image
            first = rows.start
            found = self.dictionary[rows] @ self.dictionary[first:].T
            gram[rows, first:n_atoms] = found
            gram[first:, first : first + len(found)] = found.T

        with threads(self.n_threads) as n_threads:
            map_tiles(fill, tiles_of(n_atoms, 64), n_threads)
        return gram

    @property
    def _gram_width(self) -> int:
        """Length of a padded row of the Gram matrix."""
        lanes = padded(1, self.X.dtype)
        return lanes * (-(-self.n_atoms // lanes) | 1)

    @property
    def is_large(self) -> bool:
        """Whether the Gram matrix would take more than GRAM_BYTES."""
        return self.n_atoms * self._gram_width * self.X.dtype.itemsize > GRAM_BYTES

    @cached_property
    def norms(self) -> np.ndarray:
        """Norms of the atoms."""
        return np.sqrt(self.squared_norms)

    @cached_property
    def curvature(self) -> float:
        """L, the largest eigenvalue of the Gram matrix: the curvature of the data term."""
        atoms = self.atoms
        with threads(self.n_threads):
            small = atoms @ atoms.T if atoms.shape[0] <= atoms.shape[1] else atoms.T @ atoms
            return float(np.linalg.eigvalsh(small)[-1])

    @cached_property
    def directions(self) -> np.ndarray:
        """The atoms, scaled to norm 1, in float32."""
        return (self.atoms / self.norms[:, None]).astype(np.float32)

    @property
    def n_atoms(self) -> int:
        return self.dictionary.shape[0]

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

    def restricted(
        self, X: np.ndarray, members: np.ndarray, init: np.ndarray, max_iter: int, tol: float
    ) -> Problem:
        """Return the problem of some samples and some atoms; alphas are for the caller to set.

        Problems of one thread share their memory: the codes of one must be copied before the next
        is made. Their steps are those of the whole problem.
        """
        penalty = self.penalty
        if penalty is not None:
            per_atom = [name for name in ("weights", "norms") if name in penalty._fields]
            penalty = penalty._replace(
                **{name: getattr(penalty, name)[members] for name in per_atom}
            )
        part = Problem(X, self.atoms[members], penalty, init=init, max_iter=max_iter, tol=tol)
        part.n_threads = 1
        part.scratch = self.part_scratch
        part.silences, part.step = self.silences[members], self.step
        if self.penalty is not None and not self.convex:
            part.curvature = self.curvature
        shape = part.n_atoms, part._gram_width
        part.gram = self.part_scratch.array("gram", shape, part.X.dtype)
        part.gram[:, part.n_atoms :] = 0.0
        np.matmul(part.dictionary, part.dictionary.T, out=part.gram[:, : part.n_atoms])
        return part

    def tiles(self, *, lockstep: bool = False) -> list[slice]:
        """Return the rows of each tile; they depend on sizes alone, never on threads."""
        if lockstep:
            height = int(np.clip(LOCKSTEP_ENTRIES // self.n_atoms, 16, LOCKSTEP_HEIGHT))
            return [slice(first, first + height) for first in range(0, len(self.X), height)]
        return tiles_of(len(self.X), int(np.clip(TILE_ENTRIES // self.n_atoms, 8, TILE_HEIGHT)))

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

    def alphas(self, projections: np.ndarray) -> np.ndarray:
        """Return the alpha of each sample of a tile."""
        if self.penalty is None:
            return np.ones(len(projections))
        if self.alpha_ratio is None:
            return np.full(len(projections), self.penalty.alpha)
        return self.alpha_ratio * self.alphas_max(projections)

    def alphas_max(self, projections: np.ndarray) -> np.ndarray:
        """Return, per sample, the smallest alpha at which 0 is coordinate-wise optimal."""
        self.refuse_paper_cel0("alpha_max")
        alphas = np.zeros(len(projections))
        alpha_max_tile(projections, self.squared_norms, self.penalty, alphas)
        return alphas

    def map(self, function: Callable[[Tile], Any], *, lockstep: bool = False) -> list[Any]:
        """Return what `function` makes of every tile."""
        with threads(self.n_threads, parallel=lockstep) as n_threads:
            return map_tiles(
                lambda rows: function(Tile(self, rows)),
                self.tiles(lockstep=lockstep),
                1 if lockstep else n_threads,
                progress=self.progress,
            )

    def solve(
        self,
        kernel: Callable[[Tile], None],
        *,
        step: float | None = None,
        met: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
        remedy: str = "Raise max_iter or tol.",
        lockstep: bool = False,
        replacements: tuple[np.ndarray, int] | None = None,
    ) -> SolverResult:
        """Run `kernel` on each tile and certify the codes that it leaves there.

        Parameters
        ----------
        kernel : callable
            ``kernel(tile)`` overwrites ``tile.codes``, or fills ``tile.rows_to_fill()``, and
            ``tile.n_iter``. Several tiles are solved at a time.
        step : float, optional
            Step of the prox residual that certifies penalties that are not convex; 1 / L if
            unset.
        met : callable, optional
            ``met(certificate, objective)`` says which samples met their target; by default those
            whose certificate is at most `tol`.
        remedy : str
            What the warning advises.
        lockstep : bool, default=False
            Whether the iterations of `kernel` go over all samples of a tile, on threads of its
            own: tiles are large and solved one by one.
        replacements : tuple of ndarray of shape (n_atoms,) and int, optional
            What an active unit of each atom costs, in units of alpha, and how many there may be:
            asks whether any atom could be inserted, removed or swapped to advantage.

        Returns
        -------
        SolverResult
        """
        if self.penalty is not None:
            self.directions  # noqa: B018 - made once, before tiles ask for it side by side
        if self.penalty is not None and not self.convex:
            self.step = step = 1.0 / self.curvature if step is None else step
        shared = self.alpha_ratio is None  # else the silences differ from sample to sample
        if self.penalty is not None and shared and not self.convex:
            silences(self.penalty, self.squared_norms, self.step, self.silences)

        def solve_tile(tile: Tile) -> tuple[Any, ...]:
            kernel(tile)
            piece = tile.compress()
            swap_stationary = self._certify_supports(tile, piece, replacements)
            certificate, objective, stationary = self.certify(tile, piece, step)
            # and the support is fitted already
            swap_stationary &= certificate <= self.tol if self.penalty is None else stationary
            return (
                piece, tile.n_iter, tile.alphas, certificate, objective, stationary,
                swap_stationary,
            )  # fmt: skip

        solved = self.map(solve_tile, lockstep=lockstep)
        if not solved:
            nothing = SparseCode.from_dense(np.zeros((0, self.n_atoms), self.X.dtype))
            numbers, answers = np.zeros(0), np.zeros(0, bool)
            solved = [(nothing, np.zeros(0, np.int64), numbers, numbers, numbers, answers, answers)]
        pieces, *columns = zip(*solved)
        n_iter, alpha, certificate, objective, stationary, swap_stationary = map(
            np.concatenate, columns
        )
        converged = met(certificate, objective) if met else certificate <= self.tol
        self.warn(converged, certificate, remedy)
        code = SparseCode.concatenate(pieces)
        self._warn_of_density(code)
        return SolverResult(
            code=code,
            n_iter=n_iter,
            converged=converged,
            certificate=certificate,
            objective=objective,
            alpha=None if self.penalty is None else alpha,
            coordinate_stationary=stationary if self.counts_units else None,
            swap_stationary=swap_stationary if replacements else None,
            certificate_name=self.certificate_name,
        )

    def certify(
        self, tile: Tile, piece: SparseCode, step: float | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        values = np.asarray(piece.values, dtype=np.float64)
        rows = piece.indptr, piece.indices
        residuals = self.scratch.array("residuals", tile.X.shape, np.float64)
        lengths = np.empty(len(tile.X))
        residual_tile(tile.X, self.atoms, *rows, values, residuals, lengths)
        certificate, objective = np.empty(len(tile.X)), np.empty(len(tile.X))
        stationary = np.zeros(len(tile.X), bool)
        if self.penalty is None:
            support_residual_tile(
                residuals, self.atoms, tile.projections, *rows, certificate, objective
            )
        elif self.convex:
            rough = self._rough_products(residuals, lengths)
            certify_convex_tile(
                tile.X, residuals, lengths, tile.projections, rough, self.atoms, self.norms,
                self.penalty, tile.alphas, *rows, values, certificate, objective,
            )  # fmt: skip
        else:
            rough = self._rough_products(residuals, lengths)
            certify_tile(
                residuals, lengths, tile.projections, rough, self.atoms, self.silences, self.norms,
                self.squared_norms, self.penalty, tile.alphas, step, self.tol, *rows, values,
                certificate, objective, stationary,
            )  # fmt: skip
        return certificate, objective, stationary

    def _certify_supports(
        self, tile: Tile, piece: SparseCode, replacements: tuple[np.ndarray, int] | None
    ) -> np.ndarray:
        stationary = np.zeros(len(tile.X), bool)
        if replacements is None:
            return stationary
        costs, n_nonzero = replacements
        if not self.is_large:
            replacement_stationary_tile(
                tile.projections, tile.energies, self.gram, costs, tile.alphas, n_nonzero,
                self.tol, piece.indptr, piece.indices, stationary,
            )  # fmt: skip
            return stationary
        for i in range(len(tile.X)):
            support = piece.indices[piece.indptr[i] : piece.indptr[i + 1]]
            stationary[i] = support.size == 0
            if tile.projections[i].any():
                gains, _ = replacement_gains(tile, i, support, costs, n_nonzero, self.tol)
                stationary[i] = gains.max() <= self.tol
        return stationary

    def _rough_products(self, residuals: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return products of residuals and atoms, all scaled to norm 1, in float32."""
        unit = self.scratch.array("unit residuals", residuals.shape, np.float32)
        scale = np.where(lengths > 0.0, lengths, 1.0)[:, None]
        np.divide(residuals, scale, out=unit, casting="same_kind")
        shape = len(residuals), padded(self.n_atoms, np.float32)
        rough = self.scratch.array("rough products", shape, np.float32)
        rough[:, self.n_atoms :] = np.nan  # which exceeds nothing
        np.matmul(unit, self.directions.T, out=rough[:, : self.n_atoms])
        return rough

    def _warn_of_density(self, code: SparseCode) -> None:
        """Say that alpha is too small for sparse codes."""
        if self.penalty is None or self.n_atoms < MANY_ATOMS or not len(self.X):
            return
        if code.density > DENSE:
            warnings.warn(
                f"alpha is so small that the codes are dense: {code.density:.0%} of the atoms are "
                f"active. Raise alpha.",
                UserWarning,
                stacklevel=level_outside(),
            )
