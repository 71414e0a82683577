"""Convolutional matching pursuit."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from scipy import fft
from scipy.ndimage import uniform_filter

from sparsecode._simd import padded
from sparsecode._validation import check_count, check_positive
from sparsecode.convolutional._docs import shared_docs
from sparsecode.convolutional._problem import ConvProblem
from sparsecode.convolutional._pursuit_kernels import BLOCK, SPARE, Pursuit, match, score_all
from sparsecode.convolutional._pursuit_simd import WINDOWS
from sparsecode.convolutional._sample import Sample
from sparsecode.solvers._result import SolverResult

__all__ = ["mp"]

#: Atoms of a group, which share one map of bounds.
GROUP = 16
#: Coefficients that there is room for at first.
ROOM = 1024
#: Scores below this many roundings of the largest window count as an exact fit.
ROUNDINGS = 64.0
#: Choices of one turn.
TURN = 8192


@shared_docs
def mp(
    X: Any,
    dictionary: Any,
    *,
    n_nonzero: int | None = None,
    error: float | None = None,
    boundary: str = "circular",
    positive: bool = False,
    init: Any = None,
    max_iter: int = 1_000_000,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Subtract the best atom at its best place again and again, to k coefficients or an error.

    The unit, atom k at place p, with the largest :math:`|c_k(p)| / \|d_k\|` changes its
    coefficient by :math:`c_k(p) / \|d_k\|^2`, where c are the correlations of the residual (see
    :func:`correlate`); units may be chosen again. Of equal ones the lowest is chosen.

    Parameters
    ----------
    <X>
    <dictionary>
    n_nonzero : int, optional
        Largest number of active units per sample, at most n_atoms times the places.
    error : float, optional
        Stop as soon as the norm of the residual is at most this, in units of the data. The
        residual is that of the boundary's domain: with "zero", what atoms leave beyond the edge
        counts too.
    <boundary>
    positive : bool, default=False
        Choose positive correlations only.
    <init>
    max_iter : int, default=1000000
        Largest number of choices per sample.
    <n_threads>

    <returns>

    Notes
    -----
    Mallat & Zhang 1993 (IEEE Trans. Signal Process. 41, 3397-3415), over all translations; for
    images as in Fischer, Redondo, Perrinet & Cristobal 2007 (EURASIP J. Adv. Signal Process.
    2007, 90727). It ends before a unit beyond `n_nonzero` would enter, and at an exact fit. At
    least one of `n_nonzero` and `error` is needed; the first that is met stops.

    The certificate, the support residual, shows how far the code is from the least-squares one on
    its support; it is not bounded by a tolerance. A sample counts as converged if its error is
    met, where one is given, else if it ended by itself.

    No map is kept for each atom: 16 atoms share one, of bounds on their scores, and only what may
    be the best unit is correlated anew, so that of each step's neighbourhood little is looked at
    again. The choice is exact but for rounding. A sample runs on one thread.
    """
    problem = ConvProblem(
        X, dictionary, boundary=boundary, init=init, max_iter=max_iter, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip
    if n_nonzero is None and error is None:
        raise ValueError("a pursuit needs n_nonzero or error to know when to stop; got neither.")
    n_units = problem.n_atoms * problem.geometry.n_positions
    limit = n_units
    if n_nonzero is not None:
        limit = check_count("n_nonzero", n_nonzero, maximum=n_units)
    target = 0.0 if error is None else 0.5 * check_positive("error", error) ** 2
    _check_start(problem, limit, positive)
    bank = _Bank(problem)

    def kernel(sample: Sample) -> None:
        _match(sample, bank, limit, target, positive)

    def met(objective: np.ndarray, n_iter: np.ndarray) -> np.ndarray:
        if error is None:
            return n_iter < problem.max_iter
        return objective <= target * (1.0 + problem.tol)

    return problem.solve(kernel, met=met, remedy="Raise n_nonzero, error or max_iter.")


def _check_start(problem: ConvProblem, limit: int, positive: bool) -> None:
    """Refuse codes that a pursuit could not have reached."""
    if problem.init is None:
        return
    values = problem.init.values
    if positive and values is not None and values.min(initial=0.0) < 0.0:
        raise ValueError(
            f"init must have no coefficient below 0 with positive=True; got {values.min()}."
        )
    largest = int(problem.init.n_active.max(initial=0))
    if largest > limit:
        raise ValueError(
            f"init must have at most n_nonzero = {limit} active units per sample; got {largest}."
        )


class _Bank:
    """What all samples share of the atoms, scaled to norm 1, in groups of a like spectrum.

    Attributes
    ----------
    members : ndarray of shape (n_groups, group)
        Ascending atoms of each group; -1 where there are none left.
    atoms : ndarray of shape (n_groups, n_entries, group)
    drift : ndarray of shape (n_atoms * n_groups * (2 * height - 1) * (2 * width - 1) + SPARE,)
        The largest inner product of an atom, at 0, and any of a group, at each shift.
    """

    def __init__(self, problem: ConvProblem) -> None:
        dtype = problem.kernels.dtype
        units = problem.atoms / problem.norms[:, None, None, None]
        height, width = problem.geometry.kernel
        shape = [fft.next_fast_len(2 * n - 1, real=True) for n in (height, width)]
        spectra = fft.rfft2(units.astype(dtype), shape)
        size = max(GROUP, padded(1, dtype))
        self.members = _groups(np.abs(spectra).reshape(len(units), -1), size)
        flat = np.concatenate([units.reshape(len(units), -1), np.zeros((1, units[0].size))])
        self.atoms = np.ascontiguousarray(flat[self.members].transpose(0, 2, 1), dtype=dtype)
        rows = np.arange(1 - height, height) % shape[0]
        columns = np.arange(1 - width, width) % shape[1]
        used = self.members[self.members >= 0]
        firsts = np.arange(0, len(used), size)
        conjugate = spectra[used].conj()
        drift = np.empty((len(units), len(firsts), len(rows), len(columns)), dtype)
        for j, spectrum in enumerate(spectra):
            products = fft.irfft2((spectrum * conjugate).sum(axis=1), shape)
            largest = np.maximum.reduceat(np.abs(products), firsts)
            drift[j] = largest[:, rows[:, None], columns]
        drift += 32.0 * np.finfo(dtype).eps  # scores round
        self.drift = np.append(drift, np.zeros(SPARE, dtype))


def _groups(spectra: np.ndarray, size: int) -> np.ndarray:
    """Group atoms of a like spectrum: the one least like those left takes its nearest along."""
    spectra = spectra / np.linalg.norm(spectra, axis=1, keepdims=True)
    likeness = spectra @ spectra.T
    left = np.arange(len(spectra))
    groups = np.full((-(-len(spectra) // size), size), -1)
    for group in groups:
        seed = left[likeness[np.ix_(left, left)].sum(axis=1).argmin()]
        nearest = left[np.argsort(-likeness[seed, left], kind="stable")[:size]]
        group[: len(nearest)] = np.sort(nearest)
        left = np.setdiff1d(left, nearest)
    return groups


def _start(sample: Sample, bank: _Bank, positive: bool) -> Pursuit:
    """Return what is known of a sample at its first code."""
    problem = sample.problem
    geometry, dtype = problem.geometry, problem.kernels.dtype
    residual = sample.residual(dtype)
    energy = 0.5 * float(np.sum(residual.astype(np.float64) ** 2))
    if geometry.is_circular:
        height, width = geometry.kernel
        residual = np.pad(residual, [(0, 0), (0, height - 1), (0, width - 1)], mode="wrap")
    taps = np.arange(residual.size).reshape(residual.shape)
    (n_groups, n_entries, group), (rows, columns) = bank.atoms.shape, geometry.maps
    bounds = np.zeros((rows, -(-columns // BLOCK), n_groups, BLOCK), dtype)
    within = np.arange(bounds.shape[1] * BLOCK).reshape(-1, 1, BLOCK) < columns
    bounds[:, np.broadcast_to(within, bounds.shape[1:])] = -np.inf
    n_blocks = rows * bounds.shape[1]
    n_shifts = prod(2 * n - 1 for n in geometry.kernel)
    return Pursuit(
        kernels=problem.kernels,
        norms=problem.norms,
        residual=residual,
        taps=taps[:, : geometry.kernel[0], : geometry.kernel[1]].ravel(),
        atoms=bank.atoms,
        members=bank.members,
        drift=bank.drift,
        bounds=np.append(bounds, np.zeros(SPARE, dtype)),
        tops=np.zeros(n_blocks + SPARE, dtype),
        stale=np.zeros(max(BLOCK, n_shifts), np.int64),
        starts=np.zeros(WINDOWS, np.int64),
        scores=np.zeros(WINDOWS, dtype),
        window=np.zeros(n_entries, dtype),
        order=np.arange(n_entries),
        products=np.zeros(group, dtype),
        heads=np.full(geometry.n_positions, -1, np.int64),
        counts=np.zeros(3, np.int64),
        energy=np.array([energy]),
        maps=geometry.maps,
        n_blocks=n_blocks,
        circular=geometry.is_circular,
        positive=bool(positive),
    )


def _match(sample: Sample, bank: _Bank, limit: int, target: float, positive: bool) -> None:
    """Pursue one sample, with more room for coefficients whenever it is needed."""
    problem = sample.problem
    pursuit = _start(sample, bank, positive)
    n_given = len(sample.units)
    room = min(max(ROOM, 2 * n_given), problem.n_atoms * problem.geometry.n_positions)
    units, links = np.full(room, -1, np.int64), np.full(room, -1, np.int64)
    values = np.zeros(room, problem.kernels.dtype)
    units[:n_given], values[:n_given] = sample.units, sample.values
    pursuit.counts[:2] = n_given
    for slot, position in enumerate(sample.units % problem.geometry.n_positions):
        links[slot], pursuit.heads[position] = pursuit.heads[position], slot
    score_all(pursuit)
    floor = ROUNDINGS * float(np.finfo(values.dtype).eps) * _largest_window(sample)
    done = -1
    while done < pursuit.counts[2] < problem.max_iter:  # in turns, so that Ctrl-C is heard
        done = int(pursuit.counts[2])
        last = min(done + TURN, problem.max_iter)
        while match(limit, target, floor, last, pursuit, units, values, links):
            units, values, links = (np.resize(one, 2 * len(one)) for one in (units, values, links))
    n_slots, _, n_iter = pursuit.counts
    sample.keep(units[:n_slots], values[:n_slots], int(n_iter))


def _largest_window(sample: Sample) -> float:
    """Return the largest norm of a window of the signal."""
    height, width = sample.problem.geometry.kernel
    squares = (sample.signal.astype(np.float64) ** 2).sum(axis=0)
    means = uniform_filter(squares, (height, width), mode="wrap")
    return float(np.sqrt(height * width * max(means.max(), 0.0)))
