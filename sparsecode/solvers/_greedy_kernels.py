"""Refits of supports: k-sparse gradient methods and positive pursuits, one sample at a time."""

import numpy as np

from sparsecode._jit import jit
from sparsecode._simd import largest_magnitude
from sparsecode.solvers._stop_kernels import move, start_correlation

__all__ = ["htp_tile", "niht_tile", "positive_omp_tile"]


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


@jit
def _least_squares(gram, projection, support, codes):
    """Write the least-squares coefficients of `support`; dependent atoms get 0."""
    members = np.empty(codes.size, np.int64)
    size = 0
    for j in range(codes.size):
        codes[j] = 0.0
        if support[j]:
            members[size] = j
            size += 1
    factor = np.empty((size, size))
    moments = np.empty(size)
    novelty = np.finfo(codes.dtype).eps ** 0.75
    used = 0
    for position in range(size):
        j = members[position]
        row = factor[used]
        fresh = np.float64(gram[j, j])
        moment = np.float64(projection[j])
        for a in range(used):
            inner = np.float64(gram[j, members[a]])
            for b in range(a):
                inner -= row[b] * factor[a, b]
            row[a] = inner / factor[a, a]
            fresh -= row[a] * row[a]
            moment -= row[a] * moments[a]
        if fresh <= novelty * gram[j, j]:
            continue
        row[used] = np.sqrt(fresh)
        moments[used] = moment / row[used]
        members[used] = j
        used += 1
    for a in range(used - 1, -1, -1):
        for b in range(a + 1, used):
            moments[a] -= factor[b, a] * moments[b]
        moments[a] /= factor[a, a]
        codes[members[a]] = moments[a]


@jit
def _reach(code, trial):
    """Return which fraction of the way from ``code >= 0`` to ``trial <= 0`` stays feasible."""
    return np.float64(code) / max(np.float64(code) - np.float64(trial), 1e-300)


@jit
def _refit_positive(gram, projection, support, trial, codes):
    """Make `codes` non-negative least squares on `support`; atoms that it silences leave.

    Lawson & Hanson's inner loop: walk towards the least-squares code of the support as far as no
    coefficient becomes negative, drop the atoms that stopped the walk, and start again.
    """
    reach = 0.0
    while reach < 1.0:
        _least_squares(gram, projection, support, trial)
        reach = 1.0
        for j in range(codes.size):
            if support[j] and trial[j] <= 0.0:
                reach = min(reach, _reach(codes[j], trial[j]))
        for j in range(codes.size):
            if support[j] and trial[j] <= 0.0 and _reach(codes[j], trial[j]) == reach:
                support[j] = False
                codes[j] = 0.0
            elif support[j]:
                codes[j] += reach * (trial[j] - codes[j])


@jit
def _positive_omp_sample(projection, energy, gram, norms, n_nonzero, target, codes):
    """Pursue one sample with non-negative coefficients; return the refits."""
    correlation = projection.copy()
    trial = np.empty_like(codes)
    support = np.zeros(codes.size, np.bool_)
    refused = np.zeros(codes.size, np.bool_)
    closed = np.zeros(codes.size, np.bool_)
    rounding = energy * np.finfo(codes.dtype).eps
    floor = 64.0 * np.finfo(codes.dtype).eps * np.sqrt(2.0 * energy)
    residual = energy
    active = 0
    refits = 0
    while active < n_nonzero and residual > target - 4.0 * rounding and refits < 3 * codes.size:
        j = _best_atom(correlation, norms, True, closed)
        if j < 0 or correlation[j] <= floor * norms[j]:  # an exact fit
            break
        support[j] = True
        _refit_positive(gram, projection, support, trial, codes)
        start_correlation(projection, gram, codes, correlation)
        refused[j] = not support[j]  # it depends on the others: never try it again
        residual = energy
        active = 0
        for k in range(codes.size):
            closed[k] = support[k] or refused[k]
            active += int(support[k])
            residual -= 0.5 * codes[k] * (np.float64(projection[k]) + correlation[k])
        refits += 1
    return refits


@jit
def positive_omp_tile(projections, energies, gram, norms, n_nonzero, target, codes, n_iter):
    """Orthogonal matching pursuit with non-negative coefficients, refitted at every step."""
    for i in range(codes.shape[0]):
        n_iter[i] = _positive_omp_sample(
            projections[i], energies[i], gram, norms, n_nonzero, target, codes[i]
        )


@jit
def _kth_largest(values, k):
    """Return the entry that would stand at place `k` in descending order (Hoare's selection)."""
    low, high = 0, values.size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while values[left] > pivot:
                left += 1
            while values[right] < pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if k <= right:
            high = right
        elif k >= left:
            low = left
        else:
            break
    return values[k]


@jit
def _keep_largest(values, n_nonzero, positive, ranked, keep):
    """Mark the `n_nonzero` largest magnitudes (values, if positive); ties go to lower indices."""
    for j in range(values.size):
        ranked[j] = max(values[j], 0.0) if positive else abs(values[j])
    cut = _kth_largest(ranked, n_nonzero - 1)
    room = n_nonzero
    for j in range(values.size):
        keep[j] = (values[j] if positive else abs(values[j])) > cut
        room -= int(keep[j])
    for j in range(values.size):
        if room > 0 and cut > 0.0 and (values[j] if positive else abs(values[j])) == cut:
            keep[j] = True
            room -= 1


@jit
def _curvature(gram, direction):
    """Return ||direction D||^2 of a sparse direction."""
    total = 0.0
    for a in range(direction.size):
        if direction[a] != 0.0:
            inner = 0.0
            for b in range(direction.size):
                if direction[b] != 0.0:
                    inner += gram[a, b] * np.float64(direction[b])
            total += direction[a] * inner
    return total


@jit
def _niht_sample(projection, gram, positive, n_nonzero, step, max_iter, tol, codes):
    correlation = np.empty_like(codes)
    start_correlation(projection, gram, codes, correlation)
    trial, move_by, ranked = np.empty_like(codes), np.empty_like(codes), np.empty_like(codes)
    support, keep = np.empty(codes.size, np.bool_), np.empty(codes.size, np.bool_)
    # from the code 0 the first support is that of the gradient
    _keep_largest(
        codes if largest_magnitude(codes) > 0.0 else correlation,
        n_nonzero, positive, ranked, support,
    )  # fmt: skip
    goal = tol * largest_magnitude(projection)
    for iteration in range(max_iter):
        size = step
        if step == 0.0:
            energy = 0.0
            for j in range(codes.size):
                move_by[j] = correlation[j] if support[j] else 0.0
                energy += np.float64(move_by[j]) ** 2
            curvature = _curvature(gram, move_by)
            size = energy / curvature if curvature > 0.0 else 1.0
        while True:
            for j in range(codes.size):
                trial[j] = codes[j] + size * correlation[j]
            _keep_largest(trial, n_nonzero, positive, ranked, keep)
            same = True
            length = 0.0
            largest = 0.0
            for j in range(codes.size):
                if not keep[j]:
                    trial[j] = 0.0
                same = same and keep[j] == support[j]
                move_by[j] = trial[j] - codes[j]
                length += np.float64(move_by[j]) ** 2
                largest = max(largest, np.float64(abs(move_by[j])))
            if step > 0.0 or same or length == 0.0:
                break
            if size * _curvature(gram, move_by) <= 0.99 * length:
                break
            size *= 0.5
        if largest <= goal * size:
            return iteration
        for j in range(codes.size):
            if move_by[j] != 0.0:
                codes[j] = trial[j]
                move(correlation, gram[j], move_by[j])
            support[j] = keep[j]
    return max_iter


@jit
def niht_tile(projections, gram, positive, n_nonzero, step, max_iter, tol, codes, n_iter):
    """Hard-threshold every sample to `n_nonzero`; a `step` of 0 asks for the normalised one."""
    for i in range(codes.shape[0]):
        n_iter[i] = _niht_sample(
            projections[i], gram, positive, n_nonzero, step, max_iter, tol, codes[i]
        )


@jit
def _htp_sample(projection, gram, n_nonzero, step, max_iter, codes):
    correlation = np.empty_like(codes)
    trial, ranked = np.empty_like(codes), np.empty_like(codes)
    support, keep = np.zeros(codes.size, np.bool_), np.empty(codes.size, np.bool_)
    for iteration in range(max_iter):
        start_correlation(projection, gram, codes, correlation)
        for j in range(codes.size):
            trial[j] = codes[j] + step * correlation[j]
        _keep_largest(trial, n_nonzero, False, ranked, keep)
        same = iteration > 0
        for j in range(codes.size):
            same = same and keep[j] == support[j]
            support[j] = keep[j]
        if same:
            return iteration
        _least_squares(gram, projection, support, codes)
    return max_iter


@jit
def htp_tile(projections, gram, n_nonzero, step, max_iter, codes, n_iter):
    """Hard thresholding pursuit on every sample of a tile; stops when a support repeats."""
    for i in range(codes.shape[0]):
        n_iter[i] = _htp_sample(projections[i], gram, n_nonzero, step, max_iter, codes[i])
