"""Attractor networks are what their definitions say, and hold what textbooks say."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from memory import BCPNN, Hopfield, SparseHopfield
from memory._coactivation import best_units
from sparsecode.core import SparseCode


def draw(n_samples: int, n_units: int, k: int, rng: np.random.Generator) -> SparseCode:
    rows = [rng.choice(n_units, k, replace=False) for _ in range(n_samples)]
    return SparseCode.from_indices(rows, n_units)


def filled(one, patterns):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        one.store(patterns)
    return one


class TestHopfield:
    @pytest.fixture
    def patterns(self):
        return np.random.default_rng(0).random((12, 60)) < 0.5

    def test_asynchronous_recall_is_as_defined(self, patterns):
        one = filled(Hopfield(random_state=3), patterns)
        S = np.where(patterns, 1.0, -1.0)
        weights = S.T @ S
        np.fill_diagonal(weights, 0.0)
        np.testing.assert_array_equal(one._weights, weights)
        cues = np.random.default_rng(1).random((10, 60)) < 0.5
        order = np.random.default_rng(3).permutation(60)
        for cue, found in zip(cues, one.recall(cues).code):
            s = np.where(cue, 1.0, -1.0)
            for _ in range(100):
                before = s.copy()
                for unit in order:
                    field = weights[unit] @ s
                    if field:
                        s[unit] = np.sign(field)
                if (s == before).all():
                    break
            np.testing.assert_array_equal(found.to_dense()[0], s > 0)

    def test_synchronous_recall_is_as_defined(self, patterns):
        one = filled(Hopfield(update="synchronous", max_iter=1), patterns)
        cues = np.random.default_rng(1).random((10, 60)) < 0.5
        s = np.where(cues, 1.0, -1.0)
        fields = s @ one._weights
        expected = np.where(fields == 0, s, fields) > 0
        np.testing.assert_array_equal(one.recall(cues).code.to_dense(), expected)

    def test_recall_never_raises_the_energy(self, patterns):
        one = filled(Hopfield(max_iter=1), patterns)
        cues = np.random.default_rng(2).random((50, 60)) < 0.5
        S = np.where(cues, 1.0, -1.0)
        energies = -0.5 * np.einsum("ni,ij,nj->n", S, one._weights.astype(float), S)
        np.testing.assert_allclose(one.energy(cues), energies)
        following = one.recall(cues).code
        assert (one.energy(following) <= energies).all()
        assert (one.energy(following) < energies).any()

    def test_familiarity_is_likeness_beyond_chance(self, patterns):
        one = filled(Hopfield(), patterns)
        cues = np.random.default_rng(3).random((20, 60)) < 0.5
        found = one.recall(cues)
        same = (found.code.to_dense() == cues).mean(axis=1)
        np.testing.assert_allclose(found.familiarity, np.maximum(0, 2 * same - 1))

    def test_the_textbook_capacity(self):
        """m > .95 at .12 patterns a unit; half of N = 1,000 units' patterns are lost at .162."""
        rng, overlaps = np.random.default_rng(4), {}
        for load in (0.12, 0.14, 0.19):
            patterns = rng.random((round(1000 * load), 1000)) < 0.5
            found = filled(Hopfield(), patterns).recall(patterns[:40]).code.to_dense()
            overlaps[load] = 2 * (found == patterns[:40]).mean(axis=1) - 1
        assert np.mean(overlaps[0.12]) > 0.95
        assert np.mean(overlaps[0.14] > 0.9) > 0.5 > np.mean(overlaps[0.19] > 0.9)

    def test_a_full_network_says_so_once(self):
        rng = np.random.default_rng(5)
        one = Hopfield()
        one.store(rng.random((8, 60)) < 0.5)
        with pytest.warns(UserWarning, match="60 units holds at most some 8 patterns; got 9"):
            one.store(rng.random((1, 60)) < 0.5)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            one.store(rng.random((1, 60)) < 0.5)

    def test_threads_change_no_bit(self, patterns):
        one = filled(Hopfield(), patterns)
        cues = np.random.default_rng(6).random((300, 60)) < 0.5
        assert one.recall(cues, n_threads=1).code == one.recall(cues).code

    def test_bad_parameters(self):
        for options, said in (
            ({"update": "both"}, "update must be one of"),
            ({"max_iter": 0}, "max_iter must be at least 1"),
            ({"random_state": -1}, "random_state must be at least 0"),
        ):
            with pytest.raises(ValueError, match=said):
                Hopfield(**options)


def test_the_first_of_equals_are_the_best():
    fields = np.array([[1.0, 3.0, 3.0, 0.0, 3.0], [2.0, 2.0, 2.0, 2.0, 2.0]])
    expected = [[False, True, True, False, False], [True, True, False, False, False]]
    np.testing.assert_array_equal(best_units(fields, 2), expected)
    assert best_units(fields, 9).all()


def assert_best(active, fields, k):
    """Assert that `k` units are active, none of which has a smaller field than one that is not."""
    assert (active.sum(axis=1) == k).all()
    worst = np.where(active, fields, np.inf).min(axis=1)
    assert (worst >= np.where(active, -np.inf, fields).max(axis=1) - 1e-5).all()


class TestSparseHopfield:
    def test_weights_and_one_step_are_as_defined(self):
        rng = np.random.default_rng(0)
        patterns, cues = draw(30, 50, 5, rng), draw(9, 50, 5, rng)
        one = filled(SparseHopfield(density=0.1, max_iter=1), patterns)
        X = patterns.to_dense() - 0.1
        weights = X.T @ X / (0.1 * 0.9 * 50)
        np.fill_diagonal(weights, 0.0)
        found = one.recall(cues).code
        np.testing.assert_allclose(one._made[0], weights, atol=1e-6)
        fields = cues.to_dense().astype(float) @ weights
        assert_best(found.to_dense(), fields, 5)
        one = filled(SparseHopfield(density=0.1, threshold=0.3, max_iter=1), patterns)
        np.testing.assert_array_equal(one.recall(cues).code.to_dense(), fields > 0.3)

    def test_the_density_of_all_patterns_counts(self):
        rng = np.random.default_rng(1)
        one = filled(SparseHopfield(), draw(10, 80, 4, rng))
        filled(one, draw(30, 80, 8, rng))
        assert one._f == pytest.approx(7 / 80)
        assert (one.recall(draw(3, 80, 8, rng)).code.n_active == 7).all()

    def test_sparse_patterns_beat_the_hopfield_limit(self):
        """A Hopfield network holds .138 patterns a unit, and not one of them without an error."""
        rng = np.random.default_rng(2)
        patterns = draw(140, 400, 20, rng)
        one = filled(SparseHopfield(), patterns)
        found = one.recall(patterns)
        assert np.mean([a == b for a, b in zip(found.code, patterns)]) > 0.95
        assert len(patterns) > 2 * 0.138 * 400

    def test_bad_parameters(self):
        for options, said in (
            ({"density": 0.0}, "density must"),
            ({"density": 1.0}, "density must be below 1"),
            ({"n_winners": 0}, "n_winners must be at least 1"),
            ({"threshold": np.nan}, "threshold must be finite"),
            ({"n_winners": 3, "threshold": 0.5}, "n_winners or threshold must be None; got both"),
        ):
            with pytest.raises(ValueError, match=said):
                SparseHopfield(**options)


class TestBCPNN:
    def test_weights_are_logarithms_of_probabilities(self):
        rng = np.random.default_rng(0)
        patterns = draw(30, 50, 5, rng)
        one = filled(BCPNN(prior=2.0, max_iter=1), patterns)
        X, p0 = patterns.to_dense().astype(float), 0.1
        alone = (X.sum(axis=0) + 2.0 * p0) / 32
        pairs = (X.T @ X + 2.0 * p0**2) / 32
        weights = np.log(pairs / np.outer(alone, alone))
        np.fill_diagonal(weights, 0.0)
        cues = draw(9, 50, 5, rng)
        found = one.recall(cues).code
        np.testing.assert_allclose(one._made[0], weights, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(one._made[1], np.log(alone), rtol=1e-5)
        assert_best(found.to_dense(), cues.to_dense().astype(float) @ weights + np.log(alone), 5)

    def test_traces_fade_with_tau(self):
        rng = np.random.default_rng(1)
        patterns = draw(40, 30, 3, rng)
        at_once = filled(BCPNN(tau=10.0), patterns)
        one_by_one = BCPNN(tau=10.0)
        for row in patterns:
            filled(one_by_one, row)
        X = patterns.to_dense().astype(float)
        age = 0.9 ** np.arange(40)[::-1]
        for one in (at_once, one_by_one):
            np.testing.assert_allclose(one._pairs, (X * age[:, None]).T @ X, rtol=1e-5, atol=1e-6)
            assert one._mass == pytest.approx(age.sum())
        assert at_once.n_stored == 40

    def test_old_patterns_are_forgotten_and_new_ones_are_not(self):
        rng = np.random.default_rng(2)
        patterns = draw(1200, 100, 8, rng)
        exact = {}
        for tau in (None, 40.0):
            found = filled(BCPNN(tau=tau), patterns).recall(patterns[-15:]).code
            exact[tau] = np.mean([a == b for a, b in zip(found, patterns[-15:])])
        assert exact[40.0] > 0.8 > exact[None]

    def test_one_unit_wins_in_each_hypercolumn(self):
        rng = np.random.default_rng(3)
        units = rng.integers(0, 10, (40, 12)) + 10 * np.arange(12)
        patterns = SparseCode.from_indices(units, (12, 10))
        one = filled(BCPNN(hypercolumns=True), patterns)
        cues = SparseCode.from_indices(units[:, :6], (12, 10))
        found = one.recall(cues)
        assert (found.code.to_dense().sum(axis=2) == 1).all()
        assert np.mean([a == b for a, b in zip(found.code, patterns)]) > 0.95
        with pytest.raises(ValueError, match=r"\(\.\.\., n_hypercolumns, n_units\); got \(120,\)"):
            BCPNN(hypercolumns=True).store(draw(3, 120, 5, rng))

    def test_bad_parameters(self):
        for options, said in (
            ({"tau": 0.5}, "tau must be at least 1 pattern"),
            ({"tau": -1.0}, "tau must"),
            ({"prior": 0.0}, "prior must"),
            ({"n_winners": 0}, "n_winners must be at least 1"),
        ):
            with pytest.raises(ValueError, match=said):
                BCPNN(**options)
