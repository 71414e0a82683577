"""Pursuits and k-sparse gradient methods, one sample at a time."""

import numpy as np

from sparsecode._jit import jit, parallel_jit, prange
from sparsecode.solvers._selection_kernels import largest
from sparsecode.solvers._stop_kernels import move, start_correlation

__all__ = ["htp_batch", "mp_batch", "niht_batch", "omp_batch", "positive_omp_batch"]

#: Sweeps of a refit with non-negative coefficients.
MAX_SWEEPS = 10_000


@jit
def _novelty(dtype):
    """Return the fraction of its energy that an atom must add to those chosen before it."""
    return np.finfo(dtype).eps ** 0.75


@jit
def _best_atom(correlation, norms, positive, closed):
    """Return the atom that correlates best with the residual; -1 if none does."""
    best = -1
    highest = 0.0
    for j in range(correlation.size):
        score = np.float64(correlation[j]) if positive else np.float64(abs(correlation[j]))
        score /= norms[j]
        if score > highest and not closed[j]:
            highest = score
            best = j
    return best


@parallel_jit
def mp_batch(
    projections, energies, gram, norms, positive, n_nonzero, target, max_iter, codes, n_iter
):
    """Pursue every sample of a tile by matching; `target` is a residual energy."""
    for i in prange(codes.shape[0]):
        correlation = projections[i].copy()
        closed = np.zeros(correlation.size, np.bool_)
        residual = energies[i]
        floor = energies[i] * np.finfo(codes.dtype).eps ** 2
        active = 0
        for iteration in range(max_iter):
            if residual <= max(target, floor):
                break
            j = _best_atom(correlation, norms, positive, closed)
            if j < 0 or (codes[i, j] == 0.0 and active == n_nonzero):
                break
            change = correlation[j] / (norms[j] * norms[j])
            if abs(change) * norms[j] <= np.sqrt(2.0 * floor):
                break
            before = codes[i, j]
            codes[i, j] = before + change
            active += int(before == 0.0) - int(codes[i, j] == 0.0)
            residual -= 0.5 * np.float64(change) * np.float64(correlation[j])
            move(correlation, gram[j], codes[i, j] - before)
            n_iter[i] = iteration + 1


@jit
def _back_substitute(rows, chosen, size, moments, codes):
    """Solve for the coefficients of the chosen atoms from their orthogonalised rows."""
    solution = np.empty(size)
    for a in range(size - 1, -1, -1):
        total = moments[a]
        for b in range(a + 1, size):
            total -= rows[a, chosen[b]] * solution[b]
        solution[a] = total / rows[a, chosen[a]]
    for a in range(size):
        codes[chosen[a]] = solution[a]


@parallel_jit
def omp_batch(projections, energies, gram, norms, n_nonzero, target, codes, n_iter):
    """Orthogonal matching pursuit on every sample of a tile; `target` is a residual energy.

    Row a of `rows` holds the inner products of all atoms with the a-th chosen atom made
    orthonormal to those before it. These rows are the columns of the progressive Cholesky
    factor and the updates of the correlations at once, so each step reads one Gram row.
    """
    n_atoms = codes.shape[1]
    chunk_size = 16
    for chunk in prange((codes.shape[0] + chunk_size - 1) // chunk_size):
        rows = np.empty((n_nonzero, n_atoms), codes.dtype)
        chosen = np.empty(n_nonzero, np.int64)
        moments = np.empty(n_nonzero)
        closed = np.empty(n_atoms, np.bool_)
        novelty = _novelty(codes.dtype)
        for i in range(chunk * chunk_size, min((chunk + 1) * chunk_size, codes.shape[0])):
            correlation = projections[i].copy()
            closed[:] = False
            residual = energies[i]
            floor = 64.0 * np.finfo(codes.dtype).eps * np.sqrt(2.0 * energies[i])
            size = 0
            while size < n_nonzero and residual > target:
                j = _best_atom(correlation, norms, False, closed)
                if j < 0 or abs(correlation[j]) <= floor * norms[j]:  # an exact fit
                    break
                closed[j] = True
                fresh = np.float64(gram[j, j])
                for a in range(size):
                    fresh -= np.float64(rows[a, j]) ** 2
                if fresh <= novelty * gram[j, j]:  # spanned by the atoms chosen before
                    continue
                row = rows[size]
                row[:] = gram[j]
                for a in range(size):
                    move(row, rows[a], rows[a, j])
                inverse = codes.dtype.type(1.0 / np.sqrt(fresh))
                for f in range(n_atoms):
                    row[f] *= inverse
                moment = np.float64(correlation[j]) * inverse
                move(correlation, row, codes.dtype.type(moment))
                residual -= 0.5 * moment * moment
                moments[size] = moment
                chosen[size] = j
                size += 1
            _back_substitute(rows, chosen, size, moments, codes[i])
            n_iter[i] = size


@jit
def _refit_positive(gram, squared_norms, members, goal, correlation, codes):
    """Descend over `members` with non-negative coefficients until no move exceeds `goal`."""
    for _ in range(MAX_SWEEPS):
        largest = 0.0
        for j in members:
            moved = max(codes[j] + correlation[j] / squared_norms[j], 0.0)
            change = codes.dtype.type(moved) - codes[j]
            if change != 0.0:
                codes[j] += change
                move(correlation, gram[j], change)
                largest = max(largest, abs(change) * squared_norms[j])
        if largest <= goal:
            break


@parallel_jit
def positive_omp_batch(projections, energies, gram, norms, n_nonzero, target, tol, codes, n_iter):
    """Orthogonal matching pursuit with non-negative coefficients, refitted at every step."""
    n_atoms = codes.shape[1]
    for i in prange(codes.shape[0]):
        correlation = projections[i].copy()
        closed = np.zeros(n_atoms, np.bool_)
        members = np.empty(n_atoms, np.int64)
        squared_norms = norms * norms
        goal = 0.1 * tol * np.max(np.abs(projections[i]))
        floor = goal / np.sqrt(np.max(squared_norms))
        size = 0
        active = 0
        residual = energies[i]
        while active < n_nonzero and residual > target and size < n_atoms:
            j = _best_atom(correlation, norms, True, closed)
            if j < 0 or correlation[j] / norms[j] <= floor:
                break
            closed[j] = True
            members[size] = j
            size += 1
            _refit_positive(gram, squared_norms, members[:size], goal, correlation, codes[i])
            active = 0
            residual = energies[i]
            for k in members[:size]:
                z = np.float64(codes[i, k])
                active += int(z > 0.0)
                residual -= 0.5 * z * (np.float64(projections[i, k]) + correlation[k])
            n_iter[i] += 1


@jit
def _keep_largest(values, n_nonzero, positive, keep):
    """Mark the `n_nonzero` largest magnitudes (values, if positive); ties go to lower indices."""
    chosen = np.empty(n_nonzero, np.int64)
    scores = np.empty_like(values)
    for j in range(values.size):
        scores[j] = values[j] if positive else abs(values[j])
        keep[j] = False
    for position in range(largest(scores, n_nonzero, chosen)):
        keep[chosen[position]] = True


@jit
def _curvature(gram, direction, support):
    """Return ||direction restricted to `support`, times D||^2."""
    total = 0.0
    for a in range(support.size):
        if support[a] and direction[a] != 0.0:
            inner = 0.0
            for b in range(support.size):
                if support[b]:
                    inner += gram[a, b] * np.float64(direction[b])
            total += direction[a] * inner
    return total


@parallel_jit
def niht_batch(projections, gram, positive, n_nonzero, step, max_iter, tol, codes, n_iter):
    """Hard-threshold every sample to `n_nonzero`; a `step` of 0 asks for the normalised one."""
    n_atoms = codes.shape[1]
    for i in prange(codes.shape[0]):
        correlation = np.empty_like(codes[i])
        start_correlation(projections[i], gram, codes[i], correlation)
        keep = np.empty(n_atoms, np.bool_)
        support = codes[i] != 0.0
        if not support.any():
            _keep_largest(correlation, n_nonzero, positive, support)
        goal = tol * np.max(np.abs(projections[i]))
        trial = np.empty_like(codes[i])
        n_iter[i] = max_iter
        for iteration in range(max_iter):
            size = step
            if step == 0.0:
                curvature = _curvature(gram, correlation, support)
                energy = 0.0
                for j in range(n_atoms):
                    if support[j]:
                        energy += np.float64(correlation[j]) ** 2
                size = energy / curvature if curvature > 0.0 else 1.0
            while True:
                for j in range(n_atoms):
                    trial[j] = codes[i, j] + size * correlation[j]
                _keep_largest(trial, n_nonzero, positive, keep)
                same = True
                length = 0.0
                for j in range(n_atoms):
                    if not keep[j]:
                        trial[j] = 0.0
                    same = same and keep[j] == support[j]
                    length += np.float64(trial[j] - codes[i, j]) ** 2
                if step > 0.0 or same or length == 0.0:
                    break
                stretched = _curvature(gram, trial - codes[i], keep | support)
                if size * stretched <= 0.99 * length:
                    break
                size *= 0.5
            largest = 0.0
            for j in range(n_atoms):
                if trial[j] != 0.0 or codes[i, j] != 0.0:
                    largest = max(largest, abs(trial[j] - codes[i, j]) / size)
            if largest <= goal:
                n_iter[i] = iteration
                break
            for j in range(n_atoms):
                change = trial[j] - codes[i, j]
                if change != 0.0:
                    codes[i, j] = trial[j]
                    move(correlation, gram[j], change)
                support[j] = keep[j]


@jit
def _least_squares(gram, projection, support, codes):
    """Write the least-squares coefficients of `support`; dependent atoms get 0."""
    members = np.flatnonzero(support)
    size = members.size
    factor = np.zeros((size, size))
    moments = np.zeros(size)
    used = 0
    novelty = _novelty(codes.dtype)
    for j in members:
        row = factor[used]
        for a in range(used):
            total = np.float64(gram[j, members[a]])
            for b in range(a):
                total -= row[b] * factor[a, b]
            row[a] = total / factor[a, a]
        fresh = np.float64(gram[j, j])
        for a in range(used):
            fresh -= row[a] * row[a]
        if fresh <= novelty * gram[j, j]:
            continue
        row[used] = np.sqrt(fresh)
        total = np.float64(projection[j])
        for a in range(used):
            total -= row[a] * moments[a]
        moments[used] = total / row[used]
        members[used] = j
        used += 1
    codes[:] = 0.0
    for a in range(used - 1, -1, -1):
        total = moments[a]
        for b in range(a + 1, used):
            total -= factor[b, a] * moments[b]
        moments[a] = total / factor[a, a]
        codes[members[a]] = moments[a]


@parallel_jit
def htp_batch(projections, gram, n_nonzero, step, max_iter, codes, n_iter):
    """Hard thresholding pursuit on every sample of a tile; stops when a support repeats."""
    n_atoms = codes.shape[1]
    for i in prange(codes.shape[0]):
        correlation = np.empty_like(codes[i])
        support = codes[i] != 0.0
        keep = np.empty(n_atoms, np.bool_)
        start_correlation(projections[i], gram, codes[i], correlation)
        n_iter[i] = max_iter
        for iteration in range(max_iter):
            trial = codes[i] + codes.dtype.type(step) * correlation
            _keep_largest(trial, n_nonzero, False, keep)
            same = True
            for j in range(n_atoms):
                same = same and keep[j] == support[j]
            if same and iteration > 0:
                n_iter[i] = iteration
                break
            support[:] = keep
            _least_squares(gram, projections[i], support, codes[i])
            start_correlation(projections[i], gram, codes[i], correlation)
