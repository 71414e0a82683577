"""Gradient dictionary learning: the rule, its bookkeeping, and what it finds."""

import warnings
from functools import partial

import numba
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import penalties, solvers
from sparsecode.core import SparseCode, match, normalize
from sparsecode.datasets import planted_codes
from sparsecode.learning import LearningResult, olshausen_field
from sparsecode.penalties import CEL0, L0, L1, MCP, PaperCEL0
from sparsecode.solvers import cd, encode, ista

N_FEATURES, N_ATOMS = 12, 18


@pytest.fixture(scope="module")
def planted():
    return planted_codes(
        1600, n_atoms=N_ATOMS, n_features=N_FEATURES, n_active=2, amplitudes="uniform", rng=3
    )


@pytest.fixture(scope="module")
def batches(planted):
    return planted.X.reshape(16, 100, N_FEATURES)


@pytest.fixture(scope="module")
def atoms():
    return normalize(np.random.default_rng(8).normal(size=(N_ATOMS, N_FEATURES)))


def step_by_formula(X, D, Z, rate):
    """Return D + rate * sum_i z_i^T (x_i - z_i D), rows of norm 1, one sample at a time."""
    new = D.copy()
    for x, z in zip(X, Z):
        new += rate * np.outer(z, x - z @ D)
    return new / np.sqrt((new**2).sum(axis=1, keepdims=True))


# The rule


@pytest.mark.parametrize(("reduction", "scale"), [("mean", 1 / 100), ("sum", 1.0)])
def test_steps_follow_the_formula_and_the_schedule(batches, atoms, reduction, scale):
    eta, decay = (4.0, 0.5) if reduction == "mean" else (0.04, 0.5)
    expected = atoms
    for j, X in enumerate(batches[:3]):
        Z = encode(X, expected, L1(0.1)).code.to_dense()
        expected = step_by_formula(X, expected, Z, scale * eta / (1 + decay * j))
    result = olshausen_field(
        batches[:3], atoms, L1(0.1), learning_rate=eta, decay=decay, reduction=reduction
    )
    np.testing.assert_allclose(result.dictionary, expected, rtol=0, atol=1e-10)
    assert np.abs(expected - atoms).max() > 0.01  # it moved


def test_a_rate_for_means_is_that_for_sums_times_the_batch_size(batches, atoms):
    mean = olshausen_field(batches, atoms, L1(0.1), learning_rate=5.0)
    total = olshausen_field(batches, atoms, L1(0.1), learning_rate=5.0 / 100, reduction="sum")
    np.testing.assert_array_equal(mean.dictionary, total.dictionary)


def test_history_describes_the_codes_before_each_step(batches, atoms):
    result = olshausen_field(batches[:2], 3 * atoms, L1(0.1))
    coded = encode(batches[0], atoms, L1(0.1))
    Z = coded.code.to_dense()
    history = result.history
    np.testing.assert_allclose(history["mse"][0], np.mean((batches[0] - Z @ atoms) ** 2))
    np.testing.assert_allclose(history["objective"][0], coded.objective.mean())
    np.testing.assert_allclose(history["density"][0], np.mean(Z != 0))
    assert history["n_silent"][0] == np.sum(~Z.any(axis=0))
    assert history["n_unconverged"].tolist() == [0, 0]
    assert {len(column) for column in history.values()} == {2}
    assert result.n_batches == 2
    assert repr(result).startswith(f"<LearningResult {N_ATOMS} x {N_FEATURES}, 2 batches, last mse")


def test_alpha_ratio_reaches_the_solver(batches, atoms):
    by_name = olshausen_field(batches[:1], atoms, "l1", alpha_ratio=0.3)
    coded = encode(batches[0], atoms, L1(1.0), alpha_ratio=0.3)
    np.testing.assert_allclose(by_name.history["objective"][0], coded.objective.mean())


# What it finds


@pytest.mark.parametrize(
    ("penalty", "batch_size", "n_batches", "found"),
    [(L1(0.1), 100, 150, 0.95), (CEL0(0.05), 25, 300, 0.9)],
    ids=["l1", "cel0"],
)
def test_planted_atoms_are_found(penalty, batch_size, n_batches, found):
    cosines = []
    for seed in (10, 11, 12):
        truth = planted_codes(
            4000, n_atoms=16, n_features=16, n_active=2, amplitudes="uniform", rng=seed
        )
        # for CEL0, cd finds 94 % of the atoms over 12 seeds, sbr, the default, 91 %
        result = olshausen_field(
            truth.X, 16, penalty, solver="cd", learning_rate=20.0, decay=0.05,
            batch_size=batch_size, n_batches=n_batches, rng=100 + seed, n_threads=1,
        )  # fmt: skip
        np.testing.assert_allclose(np.linalg.norm(result.dictionary, axis=1), 1.0)
        cosines.append(match(result.dictionary, truth.dictionary, signed=False).cosines)
    assert np.mean(np.stack(cosines) > 0.99) >= found


def test_the_objective_falls_on_samples_it_never_saw(planted):
    held_out, seen = planted.X[:200], planted.X[200:]
    objectives = []

    def measure(step, metrics, dictionary):
        if step % 20 == 0:
            objectives.append(encode(held_out, dictionary, L1(0.1)).objective.mean())

    olshausen_field(seen, N_ATOMS, L1(0.1), batch_size=100, n_batches=61, callback=measure, rng=1)
    assert np.all(np.diff(objectives) < 0)
    assert objectives[-1] < 0.8 * objectives[0]


# Dead atoms


def test_dead_atoms_become_the_largest_residuals(batches, atoms):
    wide = np.pad(batches, ((0, 0), (0, 0), (0, 2)))
    start = np.vstack([np.pad(atoms, ((0, 0), (0, 2))), np.eye(N_FEATURES + 2)[-2:]])
    after = []
    result = olshausen_field(
        wide[:5], start, L1(0.1), dead_after=3, callback=lambda j, m, D: after.append(D)
    )
    assert result.history["n_silent"].tolist() == [2, 2, 2, 0, 0]
    assert result.history["n_replaced"].tolist() == [0, 0, 2, 0, 0]
    residuals = wide[2] - encode(wide[2], after[1], L1(0.1)).code.to_dense() @ after[1]
    worst = np.argsort(-(residuals**2).sum(axis=1))[:2]
    np.testing.assert_allclose(after[2][-2:], normalize(residuals[worst]), atol=1e-12)

    kept = olshausen_field(wide[:5], start, L1(0.1), dead_after=None)
    np.testing.assert_array_equal(kept.dictionary[-2:], start[-2:])


def test_samples_to_take_are_shared_out_fairly_among_the_dead(atoms):
    X = np.zeros((3, N_FEATURES))
    X[:2] = 1e-3  # too faint for any atom; the third is nothing at all
    result = olshausen_field([X] * 3, atoms, L1(1.0), dead_after=2)
    assert result.history["n_silent"].tolist() == [N_ATOMS] * 3
    assert result.history["n_replaced"].tolist() == [0, 2, 2]
    replaced = ~np.isclose(result.dictionary, atoms).all(axis=1)
    assert np.flatnonzero(replaced).tolist() == [0, 1, 2, 3]


def test_an_atom_in_use_now_and_then_is_alive(atoms):
    used, faint = atoms[:1], 1e-3 * atoms[1:2]
    stream = [used, faint, faint, used, faint, faint]
    alive = olshausen_field(stream, atoms[:1], L1(0.1), dead_after=3)
    assert alive.history["n_silent"].tolist() == [0, 1, 1, 0, 1, 1]
    assert alive.history["n_replaced"].sum() == 0
    dead = olshausen_field(stream, atoms[:1], L1(0.1), dead_after=2)
    assert dead.history["n_replaced"][:3].tolist() == [0, 0, 1]


# Streams


def test_an_array_is_drawn_in_whole_batches_in_a_new_order_at_each_pass(planted):
    seen = []

    def spy(X, dictionary, penalty):
        seen.append(X.copy())
        return encode(X, dictionary, penalty)

    X = planted.X[:10]
    result = olshausen_field(X, 4, L1(0.1), batch_size=4, n_batches=4, solver=spy, rng=0)
    assert result.n_batches == 4
    assert [len(batch) for batch in seen] == [4] * 4
    first, second = (np.vstack(seen[i : i + 2]) for i in (0, 2))
    for drawn in (first, second):
        assert len(np.unique(drawn, axis=0)) == 8
        assert all((row == X).all(axis=1).any() for row in drawn)
    assert not np.array_equal(first, second)
    assert olshausen_field(X, 4, L1(0.1), batch_size=4).n_batches == 2
    assert olshausen_field(X, 4, L1(0.1), batch_size=99).n_batches == 1


def test_streams_may_change_their_batch_size_and_are_not_drawn_too_far(planted):
    sizes = iter([3, 50, 1, 7])
    stream = (planted.X[: next(sizes)] for _ in range(4))
    assert olshausen_field(stream, 6, L1(0.1), n_batches=3).n_batches == 3
    assert len(next(stream)) == 7


def test_fewer_samples_than_atoms_is_fine(planted):
    with pytest.warns(UserWarning, match="X has 3 samples, fewer than the 9 atoms") as caught:
        learned = olshausen_field(planted.X[:3], 9, L1(0.1), n_batches=4)
    assert learned.dictionary.shape == (9, N_FEATURES)
    assert [w.filename for w in caught] == [__file__]


def test_the_callback_sees_each_row_and_atoms_it_cannot_change(batches, atoms):
    calls = []
    result = olshausen_field(batches[:2], atoms, L1(0.1), callback=lambda *c: calls.append(c))
    assert [step for step, _, _ in calls] == [0, 1]
    assert [row["mse"] for _, row, _ in calls] == result.history["mse"].tolist()
    np.testing.assert_array_equal(calls[-1][2], result.dictionary)
    with pytest.raises(ValueError, match="read-only"):
        calls[0][2][0] = 0.0


def test_progress_is_shown(batches, atoms, capsys):
    olshausen_field(batches[:2], atoms, L1(0.1), progress=True)
    assert "learning" in capsys.readouterr().err


# Sameness


def test_bits_do_not_depend_on_threads_or_repetition(planted):
    def run(**options):
        return olshausen_field(planted.X, N_ATOMS, CEL0(0.05), batch_size=100, rng=5, **options)

    one = run(n_threads=1)
    for other in (run(n_threads=1), run(n_threads=numba.config.NUMBA_NUM_THREADS), run()):
        np.testing.assert_array_equal(one.dictionary, other.dictionary)
        for name, column in one.history.items():
            np.testing.assert_array_equal(column, other.history[name])
    assert not np.array_equal(one.dictionary, run(dead_after=None, decay=0.1).dictionary)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_the_batches_is_kept(batches, atoms, dtype):
    start = atoms.astype(np.float64)
    result = olshausen_field(batches[:2].astype(dtype), start, L1(0.1), dead_after=1)
    assert result.dictionary.dtype == dtype
    drawn = olshausen_field(batches[0].astype(dtype), N_ATOMS, L1(0.1), batch_size=50)
    assert drawn.dictionary.dtype == dtype


def test_arguments_are_left_alone(batches, atoms):
    start, X = 2 * atoms, batches[:2].copy()
    olshausen_field(X, start, L1(0.1))
    np.testing.assert_array_equal(start, 2 * atoms)
    np.testing.assert_array_equal(X, batches[:2])


def test_codes_are_never_made_dense(batches, atoms, monkeypatch):
    def refuse(code):
        raise AssertionError("a code was made dense")

    monkeypatch.setattr(SparseCode, "to_dense", refuse)
    olshausen_field(batches[:2], atoms, L1(0.1))


# Any solver, any penalty

SOLVERS = {
    "branch_and_bound": (None, {"n_nonzero": 1}),
    "cd": (L1(0.1), {}),
    "cel0_macro": (CEL0(0.05), {}),
    "feature_sign": (L1(0.1), {}),
    "fista": (L1(0.1), {}),
    "homotopy": (L1(0.1), {}),
    "htp": (None, {"n_nonzero": 2}),
    "iht": (None, {"n_nonzero": 2}),
    "irl1": (MCP(0.2), {}),
    "ista": (L1(0.1), {}),
    "lca": (L1(0.1), {}),
    "mp": (None, {"n_nonzero": 2}),
    "ols": (None, {"n_nonzero": 2}),
    "omp": (None, {"n_nonzero": 2}),
    "sbr": (L0(0.05), {}),
}


def test_every_registered_solver_is_tried():
    assert set(SOLVERS) == set(solvers.registered())


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_learns(planted, batches, name):
    penalty, options = SOLVERS[name]
    solver = partial(solvers.get(name), **options) if options else name
    result = olshausen_field(batches, N_ATOMS, penalty, solver=solver, learning_rate=5.0, rng=0)
    assert result.history["objective"][-1] < 0.8 * result.history["objective"][0]


@pytest.mark.parametrize("name", penalties.registered())
def test_every_penalty_learns(batches, name):
    solve = ista if penalties.registered()[name] is PaperCEL0 else cd
    solver = partial(solve, tol=1e-3)
    result = olshausen_field(
        batches, N_ATOMS, penalties.make(name, 0.2), solver=solver, learning_rate=5.0, rng=0
    )
    assert result.history["objective"][-1] < 0.8 * result.history["objective"][0]


# Codes that did not converge


@pytest.mark.parametrize("skip", [False, True])
def test_unconverged_batches_are_said_once_and_skipped_on_request(batches, atoms, skip):
    short = partial(ista, max_iter=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = olshausen_field(
            batches[:3], atoms, L1(0.1), solver=short, skip_unconverged=skip, dead_after=None
        )
    assert [w.category for w in caught] == [ConvergenceWarning]
    assert caught[0].filename == __file__
    message = str(caught[0].message)
    assert message.startswith(f"{result.history['n_unconverged'].sum()} of 300 samples")
    assert ("skipped" in message) == skip
    assert np.allclose(result.dictionary, atoms, atol=1e-12) == skip


# Bad arguments


def bad(**changes):
    return {"batches": np.ones((4, N_FEATURES)), "dictionary": 3, "penalty": L1(0.1)} | changes


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (bad(learning_rate=0.0), ValueError, "learning_rate must be finite and above 0; got 0.0"),
        (bad(learning_rate=-1.0), ValueError, "learning_rate"),
        (bad(decay=-0.1), ValueError, "decay must be finite and above 0; got -0.1"),
        (bad(reduction="max"), ValueError, "reduction must be one of 'mean', 'sum'; got 'max'"),
        (bad(solver="cdd"), ValueError, "solver must be one of .*'cd'.*; got 'cdd'"),
        (bad(solver=3), TypeError, "solver must be a name or a callable; got 3"),
        (bad(solver="omp"), TypeError, "solver must take .X, dictionary, penalty.*penalty=None"),
        (bad(penalty="l3"), ValueError, "penalty must be one of .*'l1'.*; got 'l3'"),
        (bad(penalty="l1"), ValueError, "a penalty given by its name needs alpha_ratio"),
        (bad(penalty=L1(-1.0)), ValueError, "alpha of l1 must be finite and above 0; got -1"),
        (bad(penalty=L1(1.0, weights=np.ones(2))), ValueError, "weights of the penalty must have"),
        (bad(dictionary=0), ValueError, "number of atoms, must be at least 1; got 0"),
        (bad(dictionary="many"), TypeError, "number of atoms, must be an integer; got 'many'"),
        (bad(dictionary=np.zeros((2, N_FEATURES))), ValueError, "no atom of norm 0; got 2"),
        (bad(dictionary=np.ones((2, 5))), ValueError, r"\(n_samples, 5\).*got \(4, 12\)"),
        (bad(batches=[]), ValueError, "batches must yield at least one batch"),
        (bad(batches=iter(())), ValueError, "batches must yield at least one batch"),
        (bad(batches=7), TypeError, "batches must be an array .* or an iterable of such; got int"),
        (bad(batches=np.ones(5)), ValueError, r"X must have shape \(n_samples, n_features\)"),
        (bad(batches=np.ones((0, 5))), ValueError, "X must hold samples to learn from; got none"),
        (bad(batches=np.full((4, 2), np.nan)), ValueError, "X must be finite; got 8"),
        (bad(batches=[np.ones((2, 3)), np.ones((2, 4))]), ValueError, r"batch 1 .*\(n_samples, 3"),
        (bad(batches=[np.ones((2, 3)), np.ones((0, 3))]), ValueError, "batch 1 is empty"),
        (bad(batches=[np.ones((2, 3))], n_batches=2), ValueError, "n_batches = 2 batches; got 1"),
        (bad(batches=iter([np.ones((2, 3))]), n_batches=2), ValueError, "= 2 batches; got 1"),
        (bad(n_batches=0), ValueError, "n_batches must be at least 1; got 0"),
        (bad(batch_size=0), ValueError, "batch_size must be at least 1; got 0"),
        (bad(dead_after=0), ValueError, "dead_after must be at least 1; got 0"),
        (bad(rng=np.random.RandomState(0)), TypeError, "rng must be a numpy Generator"),
        (bad(n_threads=10**6), ValueError, "n_threads must lie between 1 and"),
    ],
)
def test_bad_arguments(arguments, error, said):
    with pytest.raises(error, match=said):
        olshausen_field(**arguments)


def test_arguments_are_checked_before_the_stream_is_touched(batches):
    stream = iter(batches)
    with pytest.raises(ValueError, match="solver"):
        olshausen_field(stream, 3, L1(0.1), solver="unknown")
    assert len(list(stream)) == len(batches)


def test_results_cannot_be_reassigned(batches, atoms):
    result = olshausen_field(batches[:1], atoms, L1(0.1))
    assert isinstance(result, LearningResult)
    with pytest.raises(AttributeError):
        result.dictionary = atoms
