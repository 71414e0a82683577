"""Pursuits in rounds: one atom for every sample of a tile, without the Gram matrix.

A round of the driver multiplies one vector of every sample still running, all stacked, by the
dictionary; the kernels here move the correlations by these products and choose the next vectors.
The chosen atoms are made orthonormal in the space of the samples, in float64.
"""

import math
from typing import Any, NamedTuple

from sparsecode._jit import jit
from sparsecode._simd import dot, subtract_rows
from sparsecode.solvers._pursuit_kernels import (
    PursuitScratch,
    advance,
    exponent_of,
    nothing_left,
    start_correlations,
    substitute_back,
)
from sparsecode.solvers._pursuit_simd import best_correlated

__all__ = ["Rounds", "matching_round", "orthogonal_round", "start_rounds"]


class Rounds(NamedTuple):
    """What is known of the samples of a tile between two rounds; atoms are scaled to norm 1."""

    eps: float  #: machine epsilon of the samples
    running: Any  #: the samples that go on, in the order of `stack` and `products`
    stack: Any  #: the vector of each of them that the dictionary is to be multiplied by
    products: Any  #: of these vectors and all atoms; rows are padded with 0 to whole vectors
    weights: Any  #: 1 / norm of every atom, 0 where a strip goes beyond the atoms
    strips: Any  #: room for one row
    correlations: Any  #: of every sample's residual and all atoms
    energies: Any  #: of all atoms, orthogonal to the chosen ones, for every sample of ols
    residuals: Any  #: energies of the residuals
    moments: Any  #: what the last vector changes: inner products with the samples
    basis: Any  #: the chosen atoms of every sample, made orthonormal; rows fill whole vectors
    order: Any  #: 0, 1, 2, ...: the rows of a basis
    closed: Any  #: atoms of every sample that were chosen or passed over
    n_closed: Any
    sample: Any  #: room for one sample in float64
    coefficients: Any  #: what a new atom shares with the chosen ones
    factor: Any  #: room for the triangular factor of the chosen atoms
    inverses: Any  #: of its diagonal
    fits: Any  #: room for coefficients of the chosen atoms


@jit
def _levels(energy, target, eps):
    """Return the scale of a sample, and on it: energy, floor of correlations, rounding and goal.

    They mean what they mean in a pursuit with the Gram matrix.
    """
    unit = math.ldexp(1.0, exponent_of(energy))
    residual = energy * unit * unit
    rounding = eps * residual
    floor = 64.0 * eps * math.sqrt(2.0 * residual)
    return unit, residual, floor, rounding, target * unit * unit - 4.0 * rounding


@jit
def _products(r, rounds):
    """Return row `r` of the products, and what stands for it where nothing moves."""
    width = min(rounds.products.shape[1], rounds.weights.size)
    return rounds.products[r, :width], rounds.weights[:width]


@jit
def start_rounds(projections, energies, target, rounds, counts, n_iter):
    """Begin with empty codes; return how many samples are above the target."""
    n_running = 0
    rounds.energies[:] = 1.0
    rounds.correlations[:] = 0.0
    for i in range(counts.size):
        unit, residual, _, _, goal = _levels(energies[i], target, rounds.eps)
        scaled = rounds.weights.dtype.type(unit)
        start_correlations(projections[i], scaled, rounds.correlations[i], rounds.weights)
        rounds.residuals[i] = residual
        rounds.moments[i] = 0.0
        rounds.n_closed[i] = counts[i] = n_iter[i] = 0
        if residual > goal:
            rounds.running[n_running] = i
            n_running += 1
    return n_running


@jit
def _orthogonalise(atom, norm, size, basis, order, coefficients):
    """Write the part of a unit atom that is new as the next row of the basis; return its energy.

    Gram-Schmidt twice, without scaling: once leaves rounding where little of the atom is new.
    """
    fresh = basis[size]
    fresh[:] = 0.0
    for f in range(atom.size):
        fresh[f] = atom[f] / norm
    for _ in range(2):
        for a in range(size):
            coefficients[a] = dot(basis[a], fresh)
        subtract_rows(fresh, coefficients, order, basis, size)
    return dot(fresh, fresh)


@jit
def _choose(ols, r, energy, atoms, norms, target, rounds, size):
    """Advance sample `r` of those running; return the atom that joins its `size`, -1 if none.

    The next row of the basis and the moment are then those of the atom.
    """
    i = rounds.running[r]
    unit, _, floor, rounding, _ = _levels(energy, target, rounds.eps)
    novelty = math.sqrt(rounds.eps) if ols else 64.0 * rounds.eps
    scratch = PursuitScratch(
        rounds.weights, rounds.correlations[i], rounds.energies[i if ols else 0], rounds.strips,
        rounds.stack[0], rounds.factor, rounds.inverses, rounds.fits, rounds.closed[i],
    )  # fmt: skip
    products, nothing = _products(r, rounds)
    for a in range(rounds.n_closed[i]):
        rounds.weights[rounds.closed[i, a]] = 0.0
    if size == 0:
        j = advance(ols, nothing, 0, 0.0, 0.0, novelty, scratch)
    else:
        j = advance(ols, products, 0, 1.0, rounds.moments[i], novelty, scratch)
    chosen = -1
    while chosen < 0 and not nothing_left(j, ols, floor, novelty, scratch):
        inner = abs(rounds.correlations[i, j])
        rounds.weights[j] = 0.0
        rounds.correlations[i, j] = 0.0
        rounds.closed[i, rounds.n_closed[i]] = j
        rounds.n_closed[i] += 1
        basis = rounds.basis[i]
        fresh = _orthogonalise(
            atoms[j], norms[j], size, basis, rounds.order, rounds.coefficients
        )  # fmt: skip
        if fresh > novelty and inner > floor:
            basis[size] /= math.sqrt(fresh)
            moment = dot(basis[size], rounds.sample) * unit
            if 0.5 * moment * moment <= rounds.residuals[i] + 64.0 * rounding:
                rounds.moments[i] = moment
                chosen = j
                continue
        # spanned by the atoms chosen before, or noise
        j = advance(ols, nothing, 0, 0.0, 0.0, novelty, scratch)
    for a in range(rounds.n_closed[i]):
        j = rounds.closed[i, a]
        rounds.weights[j] = 1.0 / norms[j]
    return chosen


@jit
def _fit(basis, atoms, rounds, indices, values, size):
    """Write the least-squares coefficients of the chosen atoms."""
    for b in range(size):
        atom = atoms[indices[b]]
        for a in range(b + 1):
            rounds.factor[b, a] = dot(atom, basis[a, : atom.size])
        rounds.inverses[b] = 1.0 / rounds.factor[b, b]
        rounds.fits[b] = dot(basis[b], rounds.sample)
    substitute_back(size, rounds.factor, rounds.inverses, rounds.fits)
    for b in range(size):
        values[b] = rounds.fits[b]


@jit
def orthogonal_round(
    ols, X, energies, atoms, norms, n_nonzero, target, rounds, n_running, indices, values, counts,
    n_iter,
):  # fmt: skip
    """Add an atom to every running sample of orthogonal pursuits; return how many go on.

    Those that end are fitted; their rows of the stack go to others.
    """
    n_left = 0
    for r in range(n_running):
        i = rounds.running[r]
        rounds.sample[: X.shape[1]] = X[i]
        j = _choose(ols, r, energies[i], atoms, norms, target, rounds, counts[i])
        goal = _levels(energies[i], target, rounds.eps)[4]
        if j >= 0:
            indices[i, counts[i]] = j
            counts[i] += 1
            n_iter[i] += 1
            rounds.residuals[i] -= 0.5 * rounds.moments[i] * rounds.moments[i]
        if j < 0 or counts[i] == n_nonzero or rounds.residuals[i] <= goal:
            _fit(rounds.basis[i], atoms, rounds, indices[i], values[i], counts[i])
            continue
        rounds.running[n_left] = i
        for f in range(X.shape[1]):
            rounds.stack[n_left, f] = rounds.basis[i, counts[i] - 1, f]
        n_left += 1
    return n_left


@jit
def _slot(j, indices, size):
    """Return the place of atom `j` among the active ones, `size` if it is not there."""
    slot = 0
    while slot < size and indices[slot] != j:
        slot += 1
    return slot


@jit
def _match_once(r, positive, floor, norms, n_nonzero, rounds, indices, values, size, n_steps):
    """Change one coefficient of sample `r` of those running; return its atom and the active ones.

    The atom is -1 where nothing changes.
    """
    scalar = values.dtype.type
    i = rounds.running[r]
    products, nothing = _products(r, rounds)
    source = products if n_steps > 0 else nothing
    correlation = rounds.correlations[i]
    j = best_correlated(
        source, rounds.weights, rounds.stack[0], rounds.strips, 0, scalar(1.0),
        scalar(rounds.moments[i]), positive, correlation,
    )  # fmt: skip
    inner = float(correlation[j])
    if not (inner if positive else abs(inner)) > floor:  # an exact fit
        return -1, size
    slot = _slot(j, indices, size)
    if slot == size:
        if size == n_nonzero:
            return -1, size
        indices[size] = j
        values[size] = 0.0
        size += 1
    before = values[slot]
    values[slot] = before + inner / norms[j]
    rounds.moments[i] = values[slot] - before
    rounds.residuals[i] -= 0.5 * inner * inner
    if values[slot] == 0.0:  # the atom has left: the last one takes its place
        size -= 1
        indices[slot] = indices[size]
        values[slot] = values[size]
    return j, size


@jit
def matching_round(
    positive, energies, atoms, norms, n_nonzero, target, max_iter, rounds, n_running, indices,
    values, counts, n_iter,
):  # fmt: skip
    """Take one step of matching pursuit for every running sample; return how many go on."""
    n_left = 0
    for r in range(n_running):
        i = rounds.running[r]
        _, _, floor, _, goal = _levels(energies[i], target, rounds.eps)
        j, counts[i] = _match_once(
            r, positive, floor, norms, n_nonzero, rounds, indices[i], values[i], counts[i],
            n_iter[i],
        )  # fmt: skip
        if j >= 0:
            n_iter[i] += 1
        if j < 0 or n_iter[i] == max_iter or rounds.residuals[i] <= goal:
            exponent = exponent_of(energies[i])
            for a in range(counts[i]):
                values[i, a] = math.ldexp(float(values[i, a]), -exponent)
            continue
        rounds.running[n_left] = i
        rounds.stack[n_left] = atoms[j]
        n_left += 1
    return n_left
