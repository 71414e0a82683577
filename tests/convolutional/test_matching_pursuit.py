"""Matching pursuit against the greedy rule on the explicit dictionary."""

import tracemalloc

import numpy as np
import pytest
import twins
from sklearn.exceptions import ConvergenceWarning

from sparsecode._jit import jit
from sparsecode.convolutional import correlate, reconstruct
from sparsecode.convolutional._problem import ConvProblem
from sparsecode.convolutional._pursuit_simd import WINDOWS, best_products, largest_of, loosen
from sparsecode.convolutional._sample import Sample
from sparsecode.convolutional.matching_pursuit import _Bank, _start, mp
from sparsecode.core import SparseCode

BOUNDARIES = "circular", "zero", "valid"


def greedy(x, rows, n_iter, positive=False):
    """Follow the rule itself: the first of the best rows changes its coefficient."""
    squared, z = (rows**2).sum(axis=1), np.zeros(len(rows))
    for _ in range(n_iter):
        scores = rows @ (x - z @ rows) / np.sqrt(squared)
        j = (scores if positive else np.abs(scores)).argmax()
        z[j] += scores[j] / np.sqrt(squared[j])
    return z


@pytest.mark.filterwarnings("ignore:.*did not converge")
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("n_axes", "n_channels"), [(1, 1), (2, 1), (2, 3)])
@pytest.mark.parametrize("positive", [False, True])
def test_codes_are_those_of_the_greedy_rule(positive, n_axes, n_channels, boundary, problem, plain):
    X, dictionary = problem(n_axes, n_channels)
    signals, rows = plain(X, dictionary, boundary)
    result = mp(X, dictionary, error=1e-9, boundary=boundary, positive=positive, max_iter=60)
    assert (result.n_iter == 60).all()
    assert not result.converged.any()
    for x, code, residual in zip(signals, result.code.to_dense(), result.certificate):
        np.testing.assert_allclose(code.ravel(), greedy(x, rows, 60, positive), atol=1e-9)
        assert residual == pytest.approx(twins.support_residual(x, rows, code.ravel()), abs=1e-9)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("kernel", [(5, 4), (1, 4), (5, 1), (4, 3)])
def test_atoms_as_large_as_the_signal_meet_themselves(kernel, boundary, plain):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((1, 1, 5, 4))
    dictionary = rng.standard_normal((20, 1, *kernel))  # of two groups
    result = mp(X, dictionary, n_nonzero=6, boundary=boundary)
    (x,), rows = plain(X, dictionary, boundary)
    expected = greedy(x, rows, result.n_iter[0])
    np.testing.assert_allclose(result.code.to_dense().ravel(), expected, atol=1e-10)
    assert result.code.nnz == 6
    assert result.converged.all()


def test_wide_signals_span_several_blocks(plain):
    rng = np.random.default_rng(4)
    X, dictionary = rng.standard_normal((1, 1, 150)), rng.standard_normal((3, 1, 7))
    for boundary in BOUNDARIES:
        result = mp(X, dictionary, n_nonzero=60, boundary=boundary)
        (x,), rows = plain(X, dictionary, boundary)
        expected = greedy(x, rows, result.n_iter[0])
        np.testing.assert_allclose(result.code.to_dense().ravel(), expected, atol=1e-9)


def test_of_equal_units_the_lowest_is_chosen():
    dictionary = np.zeros((40, 1, 2, 2))
    dictionary[:, 0, 0, 0] = np.where(np.arange(40) % 2, 2.0, -4.0)  # one score for all
    X = np.zeros((1, 1, 70, 80))
    X[0, 0, [50, 3, 3], [1, 70, 66]] = 1.0
    for n in (1, 2, 3):
        found = np.argwhere(mp(X, dictionary, n_nonzero=n).code.to_dense()[0])
        np.testing.assert_array_equal(found, [[0, 3, 66], [0, 3, 70], [0, 50, 1]][:n])


def test_targets_are_met_or_reported(problem):
    X, dictionary = problem()
    for boundary in BOUNDARIES:
        for error in (5.0, 1.0):
            result = mp(X, dictionary, error=error, boundary=boundary)
            assert result.converged.all()
            assert (np.sqrt(2 * result.objective) <= error * (1 + 1e-6)).all()
            residual = X - reconstruct(result.code, dictionary, boundary=boundary)
            norms = np.linalg.norm(residual.reshape(len(X), -1), axis=1)
            assert (norms <= error * (1 + 1e-6)).all()
            with pytest.warns(ConvergenceWarning, match="2 of 2 samples did not converge"):
                mp(X, dictionary, error=error, boundary=boundary, max_iter=result.n_iter.min() - 1)
    with pytest.warns(ConvergenceWarning, match="Raise n_nonzero, error or max_iter"):
        short = mp(X, dictionary, error=1.0, n_nonzero=4)
    assert (short.code.n_active == 4).all()
    assert not short.converged.any()
    with pytest.warns(ConvergenceWarning, match="2 of 2"):
        short = mp(X, dictionary, n_nonzero=20, max_iter=7)
    assert (short.n_iter == 7).all()
    assert not short.converged.any()


def test_what_atoms_made_is_found_exactly():
    rng = np.random.default_rng(5)
    dictionary = rng.standard_normal((3, 1, 3, 4))
    code = np.zeros((1, 3, 20, 21))
    code[0, [0, 1, 2], [1, 7, 18], [2, 10, 19]] = 3.0, -2.0, 5.0  # far from each other
    X = reconstruct(SparseCode.from_dense(code), dictionary)
    for dtype in (np.float32, np.float64):
        result = mp(X.astype(dtype), dictionary, n_nonzero=50)
        assert result.converged.all()
        assert result.n_iter[0] == 3
        assert result.code.dtype == dtype
        np.testing.assert_allclose(result.code.to_dense(), code, rtol=1e-5)
    silent = mp(np.zeros_like(X), dictionary, n_nonzero=5)
    assert silent.code.nnz == 0
    assert silent.converged.all()
    assert silent.certificate[0] == 0.0
    assert mp(X[:0], dictionary, n_nonzero=5).code.n_samples == 0


def test_bits_do_not_depend_on_threads_and_pursuits_go_on(problem):
    X, dictionary = problem(n_samples=5, dtype=np.float32)
    one, two = (mp(X, dictionary, n_nonzero=40, n_threads=n) for n in (1, 2))
    for name in ("indptr", "indices", "values"):
        np.testing.assert_array_equal(getattr(one.code, name), getattr(two.code, name))
    part = mp(X, dictionary, n_nonzero=15, n_threads=1)
    whole = mp(X, dictionary, n_nonzero=40, init=part.code)
    np.testing.assert_array_equal(part.n_iter + whole.n_iter, one.n_iter)
    np.testing.assert_allclose(whole.code.to_dense(), one.code.to_dense(), atol=1e-4)
    precise = mp(X.astype(np.float64), dictionary, n_nonzero=40)
    np.testing.assert_allclose(one.objective, precise.objective, rtol=1e-3)


@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_room_for_coefficients_grows(monkeypatch, problem):
    X, dictionary = problem()
    expected = mp(X, dictionary, n_nonzero=50).code.to_dense()
    monkeypatch.setattr("sparsecode.convolutional.matching_pursuit.ROOM", 2)
    np.testing.assert_array_equal(mp(X, dictionary, n_nonzero=50).code.to_dense(), expected)


def test_bounds_take_less_memory_than_maps():
    rng = np.random.default_rng(6)
    X = rng.standard_normal((1, 1, 128, 128)).astype(np.float32)
    dictionary = rng.standard_normal((64, 1, 6, 6)).astype(np.float32)
    maps = correlate(X, dictionary).nbytes
    mp(X, dictionary, n_nonzero=5)
    tracemalloc.start()
    problem = ConvProblem(X, dictionary)
    bank = _Bank(problem)
    kept = _start(Sample(problem, 0, 1), bank, False)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept.bounds.size > 0
    assert size < maps / 3


def test_bad_arguments_get_one_sentence(problem):
    X, dictionary = problem()
    for options, message in (
        ({}, "a pursuit needs n_nonzero or error to know when to stop; got neither"),
        ({"n_nonzero": 0}, "n_nonzero must be at least 1 and at most 728; got 0"),
        ({"n_nonzero": 729}, "n_nonzero must be at least 1 and at most 728; got 729"),
        ({"error": -1.0}, "error must be finite and above 0; got -1"),
        ({"n_nonzero": 2, "max_iter": 0}, "max_iter must be at least 1; got 0"),
        ({"n_nonzero": 2, "boundary": "same"}, "boundary must be one of"),
        ({"n_nonzero": 2, "init": np.ones((2, 4, 13, 14))}, "at most n_nonzero = 2 .*; got 728"),
        (
            {"n_nonzero": 728, "positive": True, "init": -np.ones((2, 4, 13, 14))},
            "no coefficient below 0 with positive=True; got -1",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            mp(X, dictionary, **options)


@jit
def compiled_products(signal, starts, taps, atoms, signed, best):
    best_products(signal, starts, taps, atoms, signed, best)


@jit
def compiled_loosen(bounds, drift, first, offset, n, scale):
    return loosen(bounds, drift, first, offset, n, scale)


@jit
def compiled_largest(values, first, last):
    return largest_of(values, first, last)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vector_instructions_compute_what_their_twins_say(dtype):
    rng = np.random.default_rng(7)
    signal = rng.integers(-9, 9, 300).astype(dtype)  # sums are exact
    starts, taps = rng.integers(0, 200, WINDOWS), np.array([0, 1, 2, 30, 31, 32])
    for width in (16, 48):
        atoms = rng.integers(-9, 9, (6, width)).astype(dtype)
        for signed in (False, True):
            found, expected = np.zeros((2, WINDOWS), dtype)
            compiled_products(signal, starts, taps, atoms, signed, found)
            best_products(signal, starts, taps, atoms, signed, expected)
            np.testing.assert_array_equal(found, expected)
    for first, n in ((0, 0), (3, 1), (5, 16), (7, 23), (100, 64)):
        bounds, drift = signal.copy(), np.abs(signal[::-1])
        expected = bounds.copy()
        largest = compiled_loosen(bounds, drift, first, 2, n, dtype(0.5))
        assert largest == loosen(expected, drift, first, 2, n, 0.5)
        np.testing.assert_array_equal(bounds, expected)
        assert largest == compiled_largest(bounds, first, first + n)
