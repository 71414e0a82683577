"""Dictionaries learned from the sums that shards leave."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from sparsecode._jit import threads
from sparsecode._validation import (
    check_count,
    check_data,
    check_dictionary,
    check_option,
    check_rng,
)
from sparsecode.core._course import Checkpoint, History, describe, taken
from sparsecode.core.io import RowReader, understood
from sparsecode.learning import LearningResult
from sparsecode.learning._atoms import CONSTRAINTS, draw_atoms, project, replace
from sparsecode.learning.mod import ModRule
from sparsecode.learning.online import OnlineRule
from sparsecode.penalties import Penalty
from sparsecode.scale.encoding import Coding, bind_solver, default_shard_rows
from sparsecode.scale.readers import fingerprint, open_rows
from sparsecode.scale.runners import (
    Failure,
    Shard,
    ShardError,
    check_runner,
    run_shards,
    shards_of,
)
from sparsecode.solvers import SolverResult

__all__ = ["learn_shards"]

_WORST = 16  # residuals that a shard sends, for atoms to be replaced by
COLUMNS = ("mse", "objective", "density", "n_silent", "n_replaced", "n_unconverged")
_DRAWN = 4  # samples drawn for each atom to begin with


@dataclass(frozen=True)
class _Job:
    """All that a worker needs to gather the sums of any shard."""

    rows: RowReader
    atoms: np.ndarray
    coding: Coding


@dataclass
class _Sums:
    """What a dictionary is learned from: sums over samples, and the worst of them."""

    second: np.ndarray
    cross: np.ndarray
    usage: np.ndarray
    squared_error: float
    objective: float
    n_unconverged: int
    n_samples: int
    worst: np.ndarray
    errors: np.ndarray

    def add(self, more: _Sums) -> None:
        """Add those of another shard; the order decides the last bits."""
        for name in (
            "second", "cross", "usage", "squared_error", "objective", "n_unconverged", "n_samples",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(more, name))
        self.worst = np.vstack([self.worst, more.worst])
        self.errors = np.concatenate([self.errors, more.errors])


class _State:
    """What the next round depends on."""

    def __init__(self, atoms: np.ndarray, rule: ModRule | OnlineRule) -> None:
        self.atoms, self.rule = atoms, rule
        self.silent_for = np.zeros(len(atoms), np.int64)

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays."""
        return {"atoms": self.atoms, "silent_for": self.silent_for, **self.rule.state()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what :meth:`state` returned."""
        self.atoms = taken(arrays, "atoms", self.atoms)
        self.silent_for = taken(arrays, "silent_for", self.silent_for)
        if isinstance(self.rule, OnlineRule):
            self.rule.restore(arrays)


def learn_shards(
    source: Any,
    dictionary: Any,
    *,
    method: str = "mod",
    solver: str | Callable[..., SolverResult] = "auto",
    penalty: Penalty | str | None = None,
    n_passes: int = 10,
    round_shards: int | None = None,
    forgetting: float = 2.0,
    n_sweeps: int = 1,
    ridge: float = 1e-6,
    constraint: str | None = None,
    dead_after: int | None = 1,
    shard_rows: int | None = None,
    n_workers: int = 1,
    client: Any = None,
    n_threads: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    rng: np.random.Generator | int | None = None,
    **options: Any,
) -> LearningResult:
    r"""Learn atoms of norm 1 from more rows than memory holds, on several workers.

    Each shard is coded with the atoms of the round, and leaves the sums

    .. math:: A_s = \sum_{i \in s} z_i^\top z_i, \qquad B_s = \sum_{i \in s} z_i^\top x_i,

    on which the dictionary depends alone. With ``method="mod"`` a round is a pass over all shards
    and :math:`D = (A + \varepsilon I)^{-1} B` [1]_; with ``method="online"`` it is some shards, and
    the atoms descend on the surrogate that the sums of all rounds define [2]_, as
    :func:`~sparsecode.learning.mod` and :func:`~sparsecode.learning.online` do batch by batch.

    Parameters
    ----------
    source : path-like, ndarray or RowReader
        What :func:`open_rows` takes: (n_samples, n_features).
    dictionary : array-like of shape (n_atoms, n_features), or int
        Atoms to begin with, or how many to draw from the rows.
    method : {"mod", "online"}, default="mod"
        How the sums become atoms.
    solver : str or callable, default="auto"
        Name of a solver, such as "omp", or a function that other processes can import.
    penalty : Penalty or str, optional
        For solvers that take one.
    n_passes : int, default=10
        Times that all shards are gone through.
    round_shards : int, optional
        Shards between two updates with "online"; 4 by default. It is a batch size: it decides what
        is learned, while the number of workers does not.
    forgetting, n_sweeps : float and int
        Those of :func:`~sparsecode.learning.online`.
    ridge : float
        That of :func:`~sparsecode.learning.mod`.
    constraint : {"positive", "mean_free"}, optional
        What atoms must be besides.
    dead_after : int or None, default=1
        Rounds after which an atom that no row has used gives way to a row that is coded badly.
    shard_rows : int, optional
        Rows of a shard; by default about 32 MiB of rows.
    n_workers : int, default=1
        As for :func:`encode_shards`.
    client : dask.distributed.Client, optional
        As for :func:`encode_shards`.
    n_threads : int, optional
        As for :func:`encode_shards`.
    checkpoint : path-like, optional
        A ``.safetensors`` file that holds everything after each round; the same call goes on from
        it, to the same bits.
    rng : Generator or int, optional
        For drawing atoms.
    **options
        For the solver, such as ``n_nonzero=8``.

    Returns
    -------
    LearningResult
        Its history has a row for each round: ``mse``, ``objective``, ``density``, ``n_silent``,
        ``n_replaced``, ``n_unconverged``.

    Raises
    ------
    ShardError
        If a shard failed; the rounds before it are in the checkpoint.
    ValueError, TypeError
        If an argument makes no sense, or the checkpoint belongs to another run.

    Notes
    -----
    Sums are added in the order of the shards, whoever finishes first: atoms are the same to the bit
    for any number of workers. A shard sends n_atoms (n_atoms + n_features) numbers, whatever its
    rows: take shards of many more rows than atoms.

    References
    ----------
    .. [1] Engan, Aase & Husoy, "Method of optimal directions for frame design", ICASSP (1999),
       2443-2446.
    .. [2] Mairal, Bach, Ponce & Sapiro, "Online learning for matrix factorization and sparse
       coding", J. Mach. Learn. Res. 11 (2010), 19-60.

    Examples
    --------
    >>> from sparsecode.core import match
    >>> from sparsecode.datasets import planted_codes
    >>> from sparsecode.scale import learn_shards
    >>> planted = planted_codes(4000, n_atoms=24, n_features=16, n_active=2, rng=0)
    >>> learned = learn_shards(
    ...     planted.X, 24, solver="omp", n_nonzero=2, n_passes=20, shard_rows=1000, rng=1
    ... )
    >>> found = match(learned.dictionary, planted.dictionary, signed=False).cosines
    >>> bool((found > 0.95).mean() > 0.8)
    True
    """
    rows = open_rows(source)
    rng = check_rng(rng)
    check_option("method", method, ("mod", "online"))
    check_option("constraint", constraint, CONSTRAINTS)
    n_passes = check_count("n_passes", n_passes)
    dead_after = None if dead_after is None else check_count("dead_after", dead_after)
    n_workers = check_runner(n_workers, client)
    if n_threads is None and (n_workers > 1 or client is not None):
        n_threads = 1
    coding = bind_solver(solver, penalty, options, n_threads)
    shard_rows = (
        default_shard_rows(rows) if shard_rows is None else check_count("shard_rows", shard_rows)
    )
    shards = shards_of(len(rows), shard_rows)
    if method == "mod" and round_shards is not None:
        raise ValueError(
            f"round_shards belongs to method='online'; got {round_shards!r} with 'mod', whose "
            f"round is a pass. Leave it out."
        )
    size = len(shards) if method == "mod" else check_count("round_shards", round_shards or 4)
    given = describe(dictionary) if np.ndim(dictionary) == 0 else describe(np.asarray(dictionary))
    configuration = {
        **coding.described(), "method": method, "n_passes": n_passes, "round_shards": size,
        "forgetting": forgetting, "n_sweeps": n_sweeps, "ridge": ridge, "constraint": constraint,
        "dead_after": dead_after, "shard_rows": shard_rows, "source": fingerprint(rows),
        "dictionary": given, "rng": rng,
    }  # fmt: skip
    kept = Checkpoint(checkpoint, 1, "checkpoint of learn_shards")
    atoms = _first_atoms(dictionary, rows, constraint, rng)
    rule: ModRule | OnlineRule = (
        ModRule(ridge) if method == "mod" else OnlineRule(forgetting, n_sweeps)
    )
    rule.start(
        atoms.shape, atoms.dtype, constraint, coding.arguments[0] if coding.arguments else None
    )
    state, history = _State(atoms, rule), History(*COLUMNS)
    note = kept.resume({"learning": state, "history": history}, configuration)
    rounds = [shards[i : i + size] for i in range(0, len(shards), size)] * n_passes
    n_done = 0
    if note is not None:
        with understood(checkpoint or "", "be a whole checkpoint of learn_shards"):
            n_done = check_count("its rounds", note, maximum=len(rounds))
            if len(history.rows) != n_done:
                raise ValueError(f"{len(history.rows)} rows of {n_done} rounds")
    for number, some in enumerate(rounds[n_done:], n_done + 1):
        sums = _gather(_Job(rows, state.atoms, coding), some, n_workers, client)
        history.append(_learn(state, sums, constraint, dead_after), sums.n_samples)
        if kept.due(number):
            kept.save(number)
    return LearningResult(state.atoms, history.columns())


def _first_atoms(
    dictionary: Any, rows: RowReader, constraint: str | None, rng: np.random.Generator
) -> np.ndarray:
    """Return given atoms, or some drawn from rows all over the source, of norm 1."""
    if np.ndim(dictionary):
        atoms = check_dictionary(dictionary, dtype=np.float64)
        if atoms.shape[1] != rows.shape[1]:
            raise ValueError(
                f"source must have shape (n_samples, {atoms.shape[1]}), the dictionary's "
                f"n_features; got {tuple(rows.shape)}."
            )
    else:
        n_atoms = check_count("dictionary", dictionary)
        drawn = np.sort(rng.permutation(len(rows))[: _DRAWN * n_atoms])
        samples = np.concatenate([np.asarray(rows[i : i + 1]) for i in drawn.tolist()])
        samples = check_data(samples.astype(np.float64), name="source")
        atoms = draw_atoms(n_atoms, rows.shape[1], samples, rng)
    atoms, norms = project(atoms, constraint)
    if not norms.all():
        raise ValueError(
            f"constraint={constraint!r} must leave something of every atom; got "
            f"{int((norms == 0).sum())} of which nothing is left. Replace them, or pass "
            f"another rng."
        )
    return atoms


def _gather(job: _Job, shards: list[Shard], n_workers: int, client: Any) -> _Sums:
    """Return the sums over some shards, added in their order."""
    waiting: dict[int, _Sums] = {}
    following: Iterator[Shard] = iter(shards)
    turn, total = next(following, None), None
    failed: dict[int, str] = {}
    for shard, found in run_shards(_sum_shard, job, shards, n_workers=n_workers, client=client):
        if isinstance(found, Failure):
            failed[shard.index] = found.reason
            continue
        waiting[shard.index] = found
        while turn is not None and turn.index in waiting:
            sums = waiting.pop(turn.index)
            if total is None:
                total = sums
            else:
                total.add(sums)
            turn = next(following, None)
    if failed:
        first = next(shard for shard in shards if shard.index in failed)
        raise ShardError(
            f"every shard must be learned from; got {len(failed)} that failed, the first {first}: "
            f"{failed[first.index]}. Mend the rows, and learn again.",
            failed,
        )
    assert total is not None
    return total


def _sum_shard(job: _Job, shard: Shard) -> _Sums:
    """Code one shard and return its sums."""
    raw = np.asarray(job.rows[shard.start : shard.stop])
    X = check_data(raw, n_features=job.atoms.shape[1], name=str(shard)).astype(np.float64)
    with threads(job.coding.n_threads):
        result = job.coding(X, job.atoms)
        codes = result.code.to_scipy(copy=True)
        residuals = X - codes @ job.atoms
        errors = np.square(residuals).sum(axis=1)
        worst = np.argsort(-errors, kind="stable")[:_WORST]
        by_atom = sparse.csr_array(codes.T)
        return _Sums(
            (by_atom @ codes).toarray(), by_atom @ X,
            np.bincount(result.code.indices, minlength=len(job.atoms)), float(errors.sum()),
            float(result.objective.sum()), int((~result.converged).sum()), len(X),
            residuals[worst], errors[worst],
        )  # fmt: skip


def _learn(
    state: _State, sums: _Sums, constraint: str | None, dead_after: int | None
) -> dict[str, Any]:
    """Move the atoms by the sums of a round; return its row of the history."""
    before, rule = state.atoms, state.rule
    if isinstance(rule, ModRule):
        moved = rule.solved(before, sums.second, sums.cross)
    else:
        rule.add(sums.second, sums.cross, sums.n_samples)
        moved = rule.descended(np.array(before))
    atoms, norms = project(moved, constraint)
    gone = norms == 0
    atoms[gone] = before[gone]
    state.silent_for = np.where(sums.usage > 0, 0, state.silent_for + 1)
    if dead_after is not None:
        gone |= state.silent_for >= dead_after
    order = np.argsort(-sums.errors, kind="stable")
    replaced = replace(atoms, np.flatnonzero(gone), sums.worst[order], constraint)
    rule.forget(replaced)
    state.silent_for[replaced] = 0
    state.atoms = atoms
    n_values = sums.n_samples * atoms.shape[1]
    return {
        "mse": sums.squared_error / n_values,
        "objective": sums.objective / sums.n_samples,
        "density": float(sums.usage.sum()) / (sums.n_samples * len(atoms)),
        "n_silent": int(np.count_nonzero(sums.usage == 0)),
        "n_replaced": int(replaced.size),
        "n_unconverged": sums.n_unconverged,
    }
