"""Pursuit kernels with sparse output against twins that refit by least squares at every step."""

import numpy as np
import pytest

from sparsecode._simd import padded
from sparsecode.solvers._pursuit_kernels import mp_tile, ols_tile, omp_tile

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
KERNELS = pytest.mark.parametrize("kernel", [omp_tile, ols_tile], ids=["omp", "ols"])


def orthogonal_to(atoms, D):
    """Return the part of every row of D that is orthogonal to some atoms."""
    if len(atoms) == 0:
        return D
    return D - D @ np.linalg.pinv(atoms) @ atoms


def twin(kernel, x, D, k, target=0.0, novelty=1e-8):
    """Refit by least squares at every step; return the support in order and its coefficients."""
    norms = np.linalg.norm(D, axis=1)
    support, z, residual = [], np.zeros(0), x
    while len(support) < k and 0.5 * residual @ residual > target:
        if np.linalg.norm(residual) <= 1e-10 * np.linalg.norm(x):
            break
        rest = np.linalg.norm(orthogonal_to(D[support], D), axis=1)
        is_open = rest > np.sqrt(novelty) * norms
        scale = np.where(is_open, rest, 1.0) if kernel is ols_tile else norms
        score = np.where(is_open, np.abs(D @ residual) / scale, 0.0)
        score[np.abs(D @ residual) <= 1e-10 * norms * np.linalg.norm(x)] = 0.0
        if score.max() == 0.0:
            break
        # scores equal but for rounding tie
        support.append(int(np.flatnonzero(score >= score.max() * (1 - 1e-9))[0]))
        z = np.linalg.lstsq(D[support].T, x, rcond=None)[0]
        residual = x - z @ D[support]
    return support, z


def inputs(X, D, dtype):
    """Return projections, energies, padded Gram matrix and norms as the driver makes them."""
    X, D = np.asarray(X, dtype), np.asarray(D, dtype)
    gram = np.zeros((len(D), padded(len(D), dtype)), dtype)
    gram[:, : len(D)] = D.astype(np.float64) @ D.T.astype(np.float64)
    energies = 0.5 * (X.astype(np.float64) ** 2).sum(1)
    return X @ D.T, energies, gram, np.linalg.norm(D.astype(np.float64), axis=1)


def empty(n, K, dtype):
    return np.full((n, K), -7, np.int32), np.full((n, K), np.nan, dtype), np.full(n, -7)


def pursue(kernel, X, D, k, dtype, target=0.0):
    X = np.atleast_2d(X)
    indices, values, counts = empty(len(X), len(D), dtype)
    kernel(*inputs(X, D, dtype), k, target, indices, values, counts)
    for i, count in enumerate(counts):  # only the part used is touched
        assert (indices[i, count:] == -7).all()
        assert np.isnan(values[i, count:]).all()
        assert np.unique(indices[i, :count]).size == count
    return indices, values, counts


def match(X, D, k, dtype, target=0.0, positive=False, max_iter=1000):
    indices, values, counts = empty(len(X), len(D), dtype)
    n_iter = np.full(len(X), -7)
    mp_tile(*inputs(X, D, dtype), positive, k, target, max_iter, indices, values, counts, n_iter)
    codes = dense(indices, values, counts, len(D))
    return codes, counts, n_iter


def dense(indices, values, counts, K):
    codes = np.zeros((len(counts), K))
    for code, row, entries, count in zip(codes, indices, values, counts):
        code[row[:count]] = entries[:count]
    return codes


def residuals(X, D, codes):
    return 0.5 * ((X - codes @ D) ** 2).sum(1)


@pytest.fixture(params=[(30, 12), (150, 20), (300, 25)], ids=str)
def problem(request):
    """More atoms than fill a strip, and fewer; norms from 0.3 to 3."""
    K, d = request.param
    rng = np.random.default_rng(K)
    D = rng.standard_normal((K, d)) * rng.uniform(0.3, 3.0, (K, 1))
    # all can be written in either dtype
    return rng.standard_normal((15, d)).astype(np.float32), D.astype(np.float32)


@DTYPES
@KERNELS
@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_codes_are_those_of_the_twin(kernel, k, dtype, problem):
    X, D = np.asarray(problem[0], float), np.asarray(problem[1], float)
    indices, values, counts = pursue(kernel, X, D, k, dtype)
    assert (counts == k).all()
    tolerance = 1e-9 if dtype == np.float64 else 1e-3
    for x, row, entries in zip(X, indices, values):
        support, z = twin(kernel, x, D, k)
        np.testing.assert_array_equal(row[:k], support)  # in the order of choice
        np.testing.assert_allclose(entries[:k], z, atol=tolerance * np.abs(z).max())


@DTYPES
@KERNELS
def test_as_many_atoms_as_features_fit_exactly(kernel, dtype, problem):
    X, D = problem
    indices, values, counts = pursue(kernel, X, D, D.shape[1], dtype)
    left = residuals(X, D, dense(indices, values, counts, len(D)))
    assert (left <= 1e9 * np.finfo(dtype).eps ** 2 * (X**2).sum(1)).all()


@DTYPES
@KERNELS
@pytest.mark.parametrize("fraction", [0.5, 0.05])
def test_error_targets_are_met_with_the_fewest_atoms(kernel, fraction, dtype, problem):
    X, D = np.asarray(problem[0], float), np.asarray(problem[1], float)
    target = fraction * residuals(X, D, np.zeros((len(X), len(D)))).min()
    indices, values, counts = pursue(kernel, X, D, D.shape[1], dtype, target)
    left = residuals(X, D, dense(indices, values, counts, len(D)))
    assert (left <= target * (1 + 100 * np.finfo(dtype).eps)).all()
    for x, count in zip(X, counts):
        assert len(twin(kernel, x, D, D.shape[1], target)[0]) == count


@DTYPES
@KERNELS
def test_a_target_beyond_the_energy_takes_no_atoms(kernel, dtype, problem):
    X, D = problem
    assert (pursue(kernel, X, D, 3, dtype, target=1e4)[2] == 0).all()


@DTYPES
@KERNELS
def test_exact_fits_end_early(kernel, dtype):
    rng = np.random.default_rng(8)
    D = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    codes = np.zeros((10, 40))
    for code in codes:
        code[rng.choice(40, 4, replace=False)] = rng.uniform(1, 2, 4)
    indices, values, counts = pursue(kernel, codes @ D, D, 20, dtype)
    assert (counts == 4).all()
    tolerance = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(dense(indices, values, counts, 40), codes, atol=tolerance)


@DTYPES
@KERNELS
def test_ties_go_to_the_lower_index_and_duplicates_are_passed_over(kernel, dtype):
    atoms = np.vstack([np.eye(3)[[0, 1]], np.eye(3), np.zeros((200, 3)) + np.eye(3)[2], np.eye(3)])
    indices, values, counts = pursue(kernel, [[3.0, -3.0, 3.0], [0.0, 0.0, 1.0]], atoms, 3, dtype)
    np.testing.assert_array_equal(counts, [3, 1])
    np.testing.assert_array_equal(indices[0, :3], [0, 1, 4])
    np.testing.assert_array_equal(values[0, :3], [3.0, -3.0, 3.0])
    assert indices[1, 0] == 4
    assert values[1, 0] == 1.0


@DTYPES
@KERNELS
@pytest.mark.parametrize(("first", "second"), [(3, 4), (3, 60), (3, 140), (130, 257), (120, 299)])
@pytest.mark.parametrize("n_before", [0, 1, 2])
def test_ties_in_any_strip_and_at_any_step(kernel, first, second, n_before, dtype):
    D = np.zeros((300, 8))
    D[:, 7] = 1.0  # orthogonal to the samples
    D[[first, second]] = np.eye(8)[5]
    for a in range(n_before):
        D[150 + a] = np.eye(8)[a]
    x = np.array([[9.0, 8.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]])
    x[0, n_before:5] = 0.0
    indices, _, counts = pursue(kernel, x, D, 8, dtype)
    assert counts[0] == n_before + 1
    assert indices[0, n_before] == first


@DTYPES
@KERNELS
def test_samples_that_no_atom_sees_get_the_empty_code(kernel, dtype):
    rng = np.random.default_rng(1)
    D = rng.standard_normal((30, 10))
    D[:, 9] = 0.0
    X = np.zeros((3, 10))
    X[1, 9] = 1.0
    X[2] = rng.standard_normal(10)
    np.testing.assert_array_equal(pursue(kernel, X, D, 2, dtype)[2], [0, 0, 2])
    assert (match(X[:2], D, 2, dtype)[0] == 0).all()


@DTYPES
@KERNELS
@pytest.mark.parametrize("exponent", [-40, 30])
def test_scaling_a_sample_scales_its_code(kernel, exponent, dtype, problem):
    X, D = problem
    factor = 2.0**exponent
    indices, values, _ = pursue(kernel, X, D, 6, dtype)
    others = pursue(kernel, X * factor, D, 6, dtype)
    np.testing.assert_array_equal(others[0], indices)
    np.testing.assert_array_equal(others[1], values * dtype(factor))


@DTYPES
def test_a_code_depends_on_its_own_sample_only(dtype, problem):
    X, D = problem
    projections, energies, *rest = inputs(X, D, dtype)

    def block(kernel, rows):
        output = empty(len(rows), len(D), dtype)
        if kernel is mp_tile:
            mp_tile(
                projections[rows], energies[rows], *rest, False, 7, 0.0, 50, *output,
                np.empty(len(rows), np.int64),
            )  # fmt: skip
        else:
            kernel(projections[rows], energies[rows], *rest, 7, 0.0, *output)
        return output

    for kernel in (omp_tile, ols_tile, mp_tile):
        together = block(kernel, np.arange(15))
        for rows in ([0], [6, 3], [14, 0, 1]):
            for mine, theirs in zip(block(kernel, rows), together):
                np.testing.assert_array_equal(mine, theirs[rows])


@DTYPES
@KERNELS
@pytest.mark.parametrize("k", [2, 5, 12])
def test_coherent_atoms_keep_codes_least_squares(kernel, k, dtype):
    """Smooth bumps, nearly dependent: supports may differ from a twin's, fits may not."""
    rng = np.random.default_rng(19)
    centres, axis = np.linspace(-1, 12, 90)[:, None], np.arange(12.0)
    D = np.exp(-0.15 * (axis - centres) ** 2) * rng.uniform(0.3, 3.0, (90, 1))
    X = rng.standard_normal((20, 12))
    indices, values, counts = pursue(kernel, X, D, k, dtype)
    for x, row, entries, count in zip(X, indices, values, counts):
        assert count > 0
        support = row[:count]
        correlation = D[support] @ (x - entries[:count] @ D[support])
        limit = 1e-7 if dtype == np.float64 else 2e-2
        assert np.abs(correlation).max() <= limit * np.abs(D @ x).max()
    assert (residuals(X, D, dense(indices, values, counts, 90)) < (X**2).sum(1) / 2).all()


@DTYPES
@pytest.mark.parametrize("k", [2, 6])
def test_least_squares_choices_beat_correlations_on_average(k, dtype):
    rng = np.random.default_rng(5)
    D = rng.standard_normal((200, 24))
    X = rng.standard_normal((300, 24))
    left = [
        residuals(X, D, dense(*pursue(kernel, X, D, k, dtype), 200)).mean()
        for kernel in (omp_tile, ols_tile)
    ]
    assert left[1] < left[0]


def matching_twin(x, D, k, positive, max_iter, target=0.0):
    squared, z = (D**2).sum(1), np.zeros(len(D))
    for step in range(max_iter):
        residual = x - z @ D
        score = D @ residual / np.sqrt(squared)
        j = (score if positive else np.abs(score)).argmax()
        if 0.5 * residual @ residual <= target or np.abs(score[j]) < 1e-10:
            return z, step
        if z[j] == 0 and np.count_nonzero(z) == k:
            return z, step
        z[j] += D[j] @ residual / squared[j]
    return z, max_iter


@DTYPES
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(("k", "max_iter"), [(1, 5), (4, 100), (12, 3), (12, 60)])
def test_matching_is_that_of_the_twin(k, max_iter, positive, dtype, problem):
    X, D = np.asarray(problem[0], float), np.asarray(problem[1], float)
    codes, counts, n_iter = match(X, D, k, dtype, positive=positive, max_iter=max_iter)
    np.testing.assert_array_equal(counts, np.count_nonzero(codes, axis=1))
    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    for x, code, steps in zip(X, codes, n_iter):
        z, expected = matching_twin(x, D, k, positive, max_iter)
        assert steps == expected
        np.testing.assert_allclose(code, z, atol=tolerance * np.abs(z).max())


@DTYPES
def test_matching_meets_targets_and_ends_on_exact_fits(dtype, problem):
    X, D = np.asarray(problem[0], float), np.asarray(problem[1], float)
    target = 0.1 * (X**2).sum(1).min()
    codes, _, n_iter = match(X, D, D.shape[0], dtype, target=target)
    assert (residuals(X, D, codes) <= target * (1 + 100 * np.finfo(dtype).eps)).all()
    for x, steps in zip(X, n_iter):
        assert matching_twin(x, D, len(D), False, 1000, target)[1] == steps
    codes, _, n_iter = match(np.eye(5)[:2] * 3, np.eye(5), 5, dtype)
    np.testing.assert_array_equal(codes, np.eye(5)[:2] * 3)
    np.testing.assert_array_equal(n_iter, 1)


@DTYPES
def test_an_atom_that_matching_silences_leaves_the_code(dtype):
    projections, energies, gram, norms = inputs([[4.0, 3.0, 2.0]], np.eye(3), dtype)
    gram[1, 0] = 4.0 / 3.0  # choosing atom 1 pulls the correlation of atom 0 to -4
    indices, values, counts = empty(1, 3, dtype)
    n_iter = np.empty(1, np.int64)
    energies[0] = 100.0
    mp_tile(projections, energies, gram, norms, False, 3, 0.0, 4, indices, values, counts, n_iter)
    codes = dense(indices, values, counts, 3)
    np.testing.assert_allclose(codes, [[0.0, 3.0, 2.0]], atol=1e-6)
    assert counts[0] == np.count_nonzero(codes)
