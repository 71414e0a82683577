"""Branch and bound: codes that are proven to be the best of all, for small problems."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsecode._validation import check_count
from sparsecode.core.code import SparseCode
from sparsecode.penalties.l0 import L0
from sparsecode.solvers._branch_and_bound_kernels import Fit, Node, Task, Tree, prove_tile
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile

__all__ = ["branch_and_bound"]

#: Entries of the tableaux that a thread may keep: 2**23 float64 are 64 MiB.
TABLEAU_ENTRIES = 2**23


class _Proof(Problem):
    """A problem whose certificate is the distance from a proven lower bound."""

    lower: np.ndarray

    def certify(
        self, tile: Tile, piece: SparseCode, step: float | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        _, objective, stationary = super().certify(tile, piece, step)
        gap = np.maximum(objective - self.lower[tile.rows], 0.0)
        scale = np.where(tile.energies > 0.0, tile.energies, 1.0)
        return gap / scale, objective, stationary

    @property
    def certificate_name(self) -> str:
        return "optimality gap"


@shared_docs
def branch_and_bound(
    X: Any,
    dictionary: Any,
    penalty: L0 | str | None = None,
    *,
    n_nonzero: int | None = None,
    positive: bool = False,
    alpha_ratio: float | None = None,
    init: Any = None,
    max_nodes: int = 1_000_000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Find the best of all codes, penalised or k-sparse, and prove that none is better.

    Minimises, per sample, :math:`\frac12 \|x - zD\|^2 + \alpha \sum_j w_j 1\{z_j \ne 0\}` or
    :math:`\frac12 \|x - zD\|^2` over codes with at most `n_nonzero` active atoms, globally. The
    time grows exponentially with the number of active atoms: see the notes.

    Parameters
    ----------
    <X>
    <dictionary>
    penalty : L0 or "l0", optional
        For the penalised form; leave unset with `n_nonzero`.
    <n_nonzero>
    positive : bool, default=False
        With `n_nonzero`: restrict the codes to :math:`z \ge 0`. The penalised form takes
        ``L0(alpha, positive=True)``.
    alpha_ratio : float, optional
        As in the other solvers, for the penalised form. The best code may differ from 0 even at 1:
        several atoms together may pay where none does alone.
    init : SparseCode or array-like of shape (n_samples, n_atoms), optional
        Codes that may be good, such as those of another solver.
    max_nodes : int, default=1000000
        Largest number of nodes of the tree per sample. A search that ends there returns the best
        code it knows, and an honest gap.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    The certificate is the optimality gap: objective minus a proven lower bound, in units of
    1/2 ||x||^2. `n_iter` counts nodes. The tree of included and excluded atoms is that of
    Bertsimas, King & Mazumder 2016 (Ann. Stat. 44, 813-852), Hazimeh, Mazumder & Saab 2022 (Math.
    Program. 196, 347-388) and Ben Mhenni, Bourguignon & Ninin 2022 (Optim. Methods Softw. 37,
    1740-1769), and so is the local search before it (first), forward selection and replacements.
    Their relaxations need a bound of the coefficients or a ridge; the bounds here need neither:

    - One atom more, or two, are tried in closed form, so that nodes hold all atoms but two.
    - A set of atoms that together leave too much of the sample is looked for; a support that may
      be better holds an atom outside the set, and only those have children (the leaps of Furnival &
      Wilson 1974, Technometrics 16, 499-511, for more atoms than features).
    - m atoms of coherence :math:`\mu` explain at most the sum of their squared products with the
      residual over :math:`1 - (m - 1) \mu` (Gershgorin; Tropp 2004, IEEE Trans. Inf. Theory 50,
      2231-2242).

    Where atoms have a cost, sizes of supports are searched one after the other, so that a search
    that ends early has excluded the smaller ones. Within a second or so a sample is proven to be
    coded best with 8 of 32 atoms in 16 dimensions, 6 of 64 in 32 and 5 of 128 in 64 (Gaussian
    atoms, with noise or without; `n_nonzero`). The penalised form is harder, for it must exclude
    all sizes up to the objective over :math:`\alpha`.

    Supports with an atom whose squared distance from the span of the others is at most
    :math:`2^{-26}` of its squared norm count as dependent and are left out: with exact arithmetic,
    and truly dependent atoms, a smaller support is as good. Other rounding is on the safe side.
    """
    if (penalty is None) == (n_nonzero is None):
        raise ValueError(
            f"branch_and_bound needs either a penalty or n_nonzero; got penalty={penalty!r} and "
            f"n_nonzero={n_nonzero!r}."
        )
    if penalty is None and alpha_ratio is not None:
        raise ValueError(
            "alpha_ratio of branch_and_bound belongs to the penalised form; got n_nonzero too."
        )
    if penalty is not None and positive:
        raise ValueError(
            "positive of branch_and_bound belongs to n_nonzero; use L0(alpha, positive=True)."
        )
    max_nodes = check_count("max_nodes", max_nodes)
    problem = _Proof(
        X, dictionary, penalty,
        alpha_ratio=alpha_ratio, init=init, tol=tol, n_threads=n_threads, progress=progress,
    )  # fmt: skip
    most = min(problem.dictionary.shape)
    weights = np.zeros((2, problem.n_atoms))
    if penalty is None:
        most = min(check_count("n_nonzero", n_nonzero, maximum=problem.n_atoms), most)
    else:
        if not isinstance(problem.penalty, L0):
            raise TypeError(
                f"the penalty of branch_and_bound must be L0; got "
                f"{type(problem.penalty).__name__}. Use cd for other penalties."
            )
        positive = problem.positive
        weights[0] = problem.penalty.weights
        weights[1] = np.sort(weights[0])
    problem.lower = np.zeros(len(problem.X))
    atoms = problem.atoms / problem.norms[:, None]
    gram = atoms @ atoms.T

    def kernel(tile: Tile) -> None:
        _prove(tile, atoms, gram, most, positive, weights, max_nodes, problem.lower[tile.rows])

    return problem.solve(kernel, remedy="Raise max_nodes or tol.")


def _prove(
    tile: Tile,
    atoms: np.ndarray,
    gram: np.ndarray,
    most: int,
    positive: bool,
    weights: np.ndarray,
    max_nodes: int,
    lower: np.ndarray,
) -> None:
    """Solve a tile, with atoms of norm 1; `lower` becomes the proven bounds."""
    n_atoms, n_features = atoms.shape
    task = Task(
        atoms, np.zeros(n_features), np.zeros(n_atoms), np.zeros(n_atoms + 1), 0, most, positive
    )
    indices, values, counts = tile.rows_to_fill()
    coefficients = np.zeros(values.shape)
    start = tile.start
    samples = tile.X.astype(np.float64)
    prove_tile(
        samples, tile.projections.any(axis=1), task,
        np.zeros(len(samples)) if tile.problem.penalty is None else tile.alphas,
        weights, max_nodes, start.indptr.copy(), start.indices.copy(),  # writable, as all others
        start.values * tile.problem.norms[start.indices], _make_fit(n_atoms, n_features),
        _make_tree(gram, most), _make_node(n_atoms + 1), indices, coefficients, counts, lower,
        tile.n_iter,
    )  # fmt: skip
    for i, count in enumerate(counts):
        values[i, :count] = coefficients[i, :count] / tile.problem.norms[indices[i, :count]]


def _make_fit(n_atoms: int, n_features: int) -> Fit:
    """Return scratch for fits."""
    return Fit(
        value=np.zeros(1), size=np.zeros(1, np.int64), support=np.zeros(n_atoms, np.int64),
        coefficients=np.zeros(n_atoms), fitted=np.zeros(n_atoms + 1, np.int64),
        basis=np.zeros((n_features, n_features)), triangle=np.zeros((n_features, n_features)),
        solution=np.zeros(n_features), residual=np.zeros(n_features), rest=np.zeros(n_features),
        trial=np.zeros(n_atoms + 1, np.int64),
    )  # fmt: skip


def _make_tree(gram: np.ndarray, most: int) -> Tree:
    """Return a stack for supports of at most `most` atoms, the Gram matrix in its first level."""
    n_members = len(gram) + 1
    depth = int(np.clip(TABLEAU_ENTRIES // n_members**2, 2, max(most - 1, 2)))
    tables = np.empty((depth, n_members, n_members))
    tables[0] = 0.0
    tables[0, 0, 0] = 1.0
    tables[0, 1:, 1:] = gram
    return Tree(
        tables=tables, moments=np.zeros((depth, n_members)),
        members=np.zeros((depth, n_members), np.int64), sizes=np.zeros(depth, np.int64),
        following=np.zeros(depth, np.int64), stops=np.zeros(depth, np.int64),
        energies=np.zeros(depth), paid=np.zeros(depth), volumes=np.ones(depth),
        path=np.zeros(depth, np.int64),
    )  # fmt: skip


def _make_node(n_members: int) -> Node:
    """Return scratch for nodes."""
    return Node(
        slopes=np.zeros(n_members), diagonal=np.zeros(n_members), projected=np.zeros(n_members),
        prices=np.zeros(n_members), scores=np.zeros(n_members), alive=np.zeros(n_members, np.bool_),
        order=np.zeros(n_members, np.int64), kept=np.zeros(n_members, np.int64),
    )  # fmt: skip
