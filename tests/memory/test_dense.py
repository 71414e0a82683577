"""Dense associative memories against their energies, and at their capacities."""

import numpy as np
import pytest
from scipy import stats

from memory._attention import attend
from memory.dense import DenseMemory
from sparsecode._jit import available_threads


def words(n_samples, n_units, seed=0, density=0.5):
    return (np.random.default_rng(seed).random((n_samples, n_units)) < density).astype(np.uint8)


def energy(X, state, separation, degree):
    """Return the energy of a state of 0 and 1, in integers or from exponentials."""
    agreements = [int(h) for h in (2 * X.astype(int) - 1) @ (2 * state.astype(int) - 1)]
    if separation == "polynomial":
        return -sum(h**degree for h in agreements)
    return -sum(np.exp(float(h)) for h in agreements)


def settled(X, cue, separation, degree, n_steps, asynchronous):
    """Return a cue after sweeps: every flip is tried, and kept if the energy falls."""
    state = cue.copy()
    for _ in range(n_steps):
        seen = state if asynchronous else state.copy()
        for unit in range(state.size):
            flipped = seen.copy()
            flipped[unit] = 1 - flipped[unit]
            before = energy(X, seen, separation, degree)
            if energy(X, flipped, separation, degree) < before - 1e-12 * abs(before):
                state[unit] = flipped[unit]
    return state


@pytest.mark.parametrize(
    ("separation", "degree"),
    [("polynomial", 2), ("polynomial", 3), ("polynomial", 4), ("exponential", 3)],
)
@pytest.mark.parametrize("update", ["asynchronous", "synchronous"])
def test_sweeps_lower_the_energy(separation, degree, update):
    X, cues = words(70, 21), words(12, 21, seed=1)
    memory = DenseMemory(separation, degree=degree, update=update, n_steps=2)
    with np.testing.suppress_warnings() as hidden:
        hidden.filter(UserWarning)
        memory.store(X)
    found = memory.recall(cues).code.to_dense()
    wanted = [settled(X, cue, separation, degree, 2, update == "asynchronous") for cue in cues]
    np.testing.assert_array_equal(found, wanted)
    energies = memory.energy(cues)
    exact = np.array([energy(X, cue, separation, degree) for cue in cues], float)
    exact = exact / 21.0**degree if separation == "polynomial" else -np.log(-exact)
    np.testing.assert_allclose(energies, exact, rtol=1e-10, atol=1e-12)
    if update == "asynchronous":
        assert (memory.energy(found.astype(np.uint8)) <= energies + 1e-12).all()


def test_exponential_recalls_far_more_than_hopfield_and_never_overflows():
    X = words(2000, 64)  # Hopfield: 0.138 * 64 = 9
    memory = DenseMemory("exponential", n_steps=5)
    memory.store(X)
    noisy = X[:100].copy()
    noisy[:, :6] = 1 - noisy[:, :6]
    np.testing.assert_array_equal(memory.recall(X[:300]).code.to_dense(), X[:300])
    np.testing.assert_array_equal(memory.recall(noisy).code.to_dense(), X[:100])
    wide = DenseMemory("exponential")
    X = words(10, 3000)  # exp(3000) is no number of float64
    wide.store(X)
    np.testing.assert_array_equal(wide.recall(X ^ words(10, 3000, 1, 0.3)).code.to_dense(), X)
    assert np.isfinite(wide.energy(X)).all()


@pytest.mark.parametrize(("degree", "odd"), [(2, 1), (3, 3), (4, 15)])
def test_polynomials_hold_powers_of_the_units(degree, odd):
    n_units = 100
    n_stored = int(n_units ** (degree - 1) / (2 * odd * np.log(n_units)))
    memory = DenseMemory("polynomial", degree=degree, update="synchronous")
    memory.store(words(n_stored, n_units))
    cues = words(n_stored, n_units)[:100]
    errors = int((memory.recall(cues).code.to_dense() != cues).sum())
    expected = cues.size * stats.norm.sf(np.sqrt(2 * np.log(n_units)))  # noise of that many SD
    assert errors <= stats.poisson.isf(1e-6, expected)
    with pytest.warns(UserWarning, match="recalls about .* without error"):
        memory.store(words(9 * n_stored + 10, n_units, seed=2))
    assert (memory.recall(cues).code.to_dense() != cues).mean() > 0.05


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-4), ("float64", 1e-11)])
def test_softmax_is_as_defined(dtype, rtol):
    rng = np.random.default_rng(0)
    X, cues = rng.normal(size=(700, 30)), rng.normal(size=(150, 30))
    memory = DenseMemory(values="real", beta=0.3, n_steps=2, dtype=dtype)
    memory.store(X)
    state = cues
    for _ in range(2):
        state = softmax(0.3 * state @ X.T) @ X
    found = memory.retrieve(cues)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, state, rtol=rtol, atol=rtol)
    answer = memory.recall(cues)
    np.testing.assert_array_equal(answer.code.to_dense(), found)
    lengths = np.linalg.norm(cues, axis=1) * np.linalg.norm(state, axis=1)
    cosines = np.clip((cues * state).sum(axis=1) / lengths, 0, 1)
    np.testing.assert_allclose(answer.familiarity, cosines, atol=1e-4)
    wanted = -np.log(np.exp(0.3 * cues @ X.T).sum(axis=1)) / 0.3 + 0.5 * (cues**2).sum(axis=1)
    if dtype == "float64":
        np.testing.assert_allclose(memory.energy(cues), wanted)
        assert (memory.energy(found) <= memory.energy(cues)).all()


def test_softmax_of_bits_is_that_of_signs():
    X, cues = words(300, 90), words(20, 90, seed=1)
    memory = DenseMemory(beta=0.07, dtype="float64")
    memory.store(X)
    wanted = softmax(0.07 * (2.0 * cues - 1) @ (2.0 * X - 1).T) @ (2.0 * X - 1)
    np.testing.assert_allclose(memory.retrieve(cues), wanted, atol=1e-12)
    found = memory.recall(cues)
    np.testing.assert_array_equal(found.code.to_dense(), wanted > 0)
    winners = DenseMemory(beta=0.07, dtype="float64", n_winners=9)
    winners.store(X)
    best = np.argsort(-wanted, axis=1)[:, :9]
    np.testing.assert_array_equal(winners.recall(cues).code.indices.reshape(20, 9), np.sort(best))
    shared = cues.astype(int) @ X.T
    most = np.maximum(cues.sum(axis=1)[:, None].astype(int), X.sum(axis=1).astype(int))
    np.testing.assert_allclose(found.familiarity, (shared / most).max(axis=1))


def test_large_beta_recalls_the_nearest_pattern():
    X, cues = words(200, 101), words(50, 101, seed=1)
    memory = DenseMemory(beta=1e4)
    memory.store(X)
    distances = (X[None] != cues[:, None]).sum(axis=2)
    clear = np.sort(distances, axis=1)[:, 0] < np.sort(distances, axis=1)[:, 1]
    found = memory.recall(cues).code.to_dense()
    assert clear.sum() > 20
    np.testing.assert_array_equal(found[clear], X[distances.argmin(axis=1)][clear])


@pytest.mark.parametrize("separation", ["softmax", "exponential"])
def test_threads_make_no_difference(separation):
    X, cues = words(600, 65), words(140, 65, seed=1)
    memory = DenseMemory(separation, beta=0.1)
    memory.store(X)
    one, all_of_them = (memory.recall(cues, n_threads=n) for n in (1, available_threads()))
    assert one.code == all_of_them.code
    np.testing.assert_array_equal(one.familiarity, all_of_them.familiarity)
    if separation == "softmax":
        a, b = (memory.retrieve(cues, n_threads=n) for n in (1, available_threads()))
        np.testing.assert_array_equal(a, b)


def test_only_tiles_of_scores_are_held():
    X = np.random.default_rng(0).normal(size=(5000, 4))
    asked = []

    def rows(first, stop):
        asked.append(stop - first)
        return X[first:stop]

    attend(rows, 5000, X[:3].copy(), 1.0, 1)
    assert max(asked) <= 256
    assert sum(asked) == 5000


def test_real_patterns_come_back_from_files(tmp_path):
    X = np.random.default_rng(0).normal(size=(6, 9)).astype(np.float32)
    memory = DenseMemory(values="real", beta=2.0)
    np.testing.assert_array_equal(memory.store(X[:4]).to_dense(), X[:4])
    memory.save(tmp_path / "memory.safetensors")
    other = DenseMemory.load(tmp_path / "memory.safetensors")
    np.testing.assert_array_equal(other.retrieve(X), memory.retrieve(X))
    assert other.nbytes == memory.nbytes == 4 * 9 * 4 + 4 * 8
    assert other.n_weights == 36


def test_bad_input_is_refused():
    for parameters, said in (
        ({"separation": "linear"}, "separation must be one of 'softmax'"),
        ({"degree": 1}, "degree must be at least 2"),
        ({"beta": 0.0}, "beta must be finite and above 0"),
        ({"separation": "polynomial", "values": "real"}, 'must go with separation="softmax"'),
        ({"values": "real", "n_winners": 3}, 'n_winners must go with values="binary"'),
    ):
        with pytest.raises(ValueError, match=said):
            DenseMemory(**parameters)
    with pytest.raises(ValueError, match=r"n_winners must be .*at most 5"):
        DenseMemory(n_winners=6).store(words(2, 5))
    memory = DenseMemory("exponential")
    memory.store(words(2, 5))
    with pytest.raises(ValueError, match='separation must be "softmax" to retrieve'):
        memory.retrieve(words(2, 5))
    real = DenseMemory(values="real")
    real.store(np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"cues must have shape \(n_samples, 5\), like the stored"):
        real.recall(np.ones((2, 4)))
    with pytest.raises(ValueError, match="patterns must be finite"):
        real.store(np.full((1, 5), np.nan))
