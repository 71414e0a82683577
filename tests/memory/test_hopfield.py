"""Attractor networks are what their definitions say, and hold what textbooks say."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import Hopfield, SparseHopfield, hopfield
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

    @pytest.mark.parametrize("max_iter", [1, 2, 3, 100, 101])
    def test_the_last_synchronous_step_counts_alone_or_in_company(self, patterns, max_iter):
        """Cycles of two states end where so many steps end, whatever the other cues do."""
        one = filled(Hopfield(update="synchronous", max_iter=max_iter), patterns)
        cues = np.random.default_rng(7).random((80, 60)) < 0.5
        found = one.recall(cues).code.to_dense()
        s = np.where(cues, 1.0, -1.0)
        for _ in range(max_iter):
            before, fields = s, s @ one._weights
            s = np.where(fields == 0, s, np.sign(fields))
        np.testing.assert_array_equal(found, s > 0)
        alone = [one.recall(cue[None]).code.to_dense()[0] for cue in cues]
        np.testing.assert_array_equal(found, alone)
        assert (s != before).any(axis=1).sum() > 2

    @pytest.mark.parametrize("update", ["asynchronous", "synchronous"])
    def test_fields_beyond_what_float32_holds(self, patterns, update, monkeypatch):
        one = filled(Hopfield(update=update), patterns)
        cues = np.random.default_rng(8).random((20, 60)) < 0.5
        found = one.recall(cues).code
        monkeypatch.setattr(hopfield, "EXACT", 0)
        assert one._fields(np.ones((1, 60), np.float32)).dtype == np.float64
        assert one.recall(cues).code == found

    @settings(max_examples=25, deadline=None)
    @given(st.integers(1, 30), st.integers(0, 2**32 - 1))
    def test_what_has_settled_stays_and_lies_no_higher(self, n_stored, seed):
        rng = np.random.default_rng(seed)
        one = filled(Hopfield(random_state=seed), rng.random((n_stored, 40)) < rng.random())
        cues = rng.random((6, 40)) < rng.random()
        settled = one.recall(cues).code
        assert one.recall(settled).code == settled
        assert (one.energy(settled) <= one.energy(cues)).all()

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
        for load in (0.12, 0.14, 0.18, 0.19):
            patterns = rng.random((round(1000 * load), 1000)) < 0.5
            found = filled(Hopfield(), patterns).recall(patterns[:40]).code.to_dense()
            overlaps[load] = 2 * (found == patterns[:40]).mean(axis=1) - 1
        assert np.mean(overlaps[0.12]) > 0.95
        assert np.mean(overlaps[0.18]) < 0.75
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
        assert one.recall(cues, n_threads=1).code == one.recall(cues, n_threads=2).code

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

    @pytest.mark.parametrize("density", [0.04, 0.3])
    def test_pairs_are_counted(self, density):
        patterns = np.random.default_rng(3).random((50, 60)) < density
        one = filled(SparseHopfield(), patterns)
        X = patterns.astype(float)
        np.testing.assert_array_equal(one._pairs, X.T @ X)

    @pytest.mark.parametrize(("k", "load"), [(50, 0.4), (25, 0.8), (10, 1.5)])
    def test_sparser_patterns_fit_in_larger_numbers(self, k, load):
        """Most are kept at .4, .8 and 1.5 patterns for each of 500 units, and lost at twice that.

        At N = 1,000 the limits are about .5, 1 and 2.5; in the limit of no activity 1/(2 f |ln f|).
        """
        kept = {}
        for times in (1, 2):
            patterns = draw(round(500 * load * times), 500, k, np.random.default_rng(9))
            one = filled(SparseHopfield(), patterns)
            found = one.recall(patterns[:100]).code
            kept[times] = np.mean(
                [len(np.intersect1d(a.indices, b.indices)) / k for a, b in zip(found, patterns)]
            )
        assert kept[1] > 0.93 > 0.8 > kept[2]

    def test_threads_and_company_change_no_bit(self):
        rng = np.random.default_rng(10)
        one = filled(SparseHopfield(), draw(200, 100, 8, rng))
        cues = draw(300, 100, 8, rng)
        found = one.recall(cues, n_threads=1).code
        assert found == one.recall(cues, n_threads=2).code
        assert found == SparseCode.concatenate([one.recall(cue).code for cue in cues])

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
        for wrong in ("high", True):
            with pytest.raises(TypeError, match="threshold must be a number"):
                SparseHopfield(threshold=wrong)
