"""Contracts that every registered solver keeps."""

import warnings

import numpy as np
import pytest
import twins
from sklearn.exceptions import ConvergenceWarning

from sparsecode import solvers
from sparsecode.core import SparseCode, normalize
from sparsecode.penalties import CEL0, L0, L1, ElasticNet

#: For every solver: the penalty and options of a call, tight enough to converge.
CALLS = {
    "branch_and_bound": ((), {"n_nonzero": 3}),
    "cd": ((L1(0.3),), {}),
    "cel0_macro": ((CEL0(0.05),), {}),
    "feature_sign": ((ElasticNet(0.4),), {}),
    "fista": ((ElasticNet(0.4),), {}),
    "homotopy": ((L1(0.3),), {}),
    "htp": ((), {"n_nonzero": 3}),
    "iht": ((), {"n_nonzero": 3}),
    "irl1": ((CEL0(0.05),), {}),
    "ista": ((L1(0.3),), {}),
    "lca": ((L0(0.05),), {}),
    "mp": ((), {"n_nonzero": 3}),
    "ols": ((), {"n_nonzero": 3}),
    "omp": ((), {"n_nonzero": 3}),
    "sbr": ((), {"n_nonzero": 3}),
}
PENALISED = [name for name, (penalties, _) in CALLS.items() if penalties]
WARM = [name for name in CALLS if name not in ("homotopy", "mp", "ols", "omp")]
EVERY = pytest.mark.parametrize("name", sorted(CALLS))


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(7)
    dictionary = normalize(rng.standard_normal((20, 12)))
    return rng.standard_normal((9, 12)), dictionary


def run(name, X, dictionary, **changes):
    penalties, options = CALLS[name]
    return solvers.get(name)(X, dictionary, *penalties, **{**options, **changes})


def test_every_registered_solver_is_examined():
    assert set(CALLS) == set(solvers.registered())


@EVERY
def test_result_has_its_shapes_and_the_objective_of_its_codes(name, problem):
    X, dictionary = problem
    result = run(name, X, dictionary)
    assert result.code.shape == (9, 20)
    assert result.code.dtype == np.float64
    for field in ("n_iter", "converged", "certificate", "objective"):
        assert getattr(result, field).shape == (9,)
    assert result.converged.all()
    codes = result.code.to_dense()
    energy = 0.5 * ((X - codes @ dictionary) ** 2).sum(axis=1)
    penalties, _ = CALLS[name]
    if penalties:
        from sparsecode.penalties import check_penalty, value

        penalty = check_penalty(penalties[0], np.linalg.norm(dictionary, axis=1))
        energy += [sum(value(penalty, z, j) for j, z in enumerate(code)) for code in codes]
        assert (result.alpha == penalty.alpha).all()
    else:
        assert result.alpha is None
    np.testing.assert_allclose(result.objective, energy, rtol=1e-12)


@EVERY
def test_objectives_and_certificates_are_those_of_plain_numpy(name, problem):
    X, dictionary = problem
    if name != "lca":  # which wants unit atoms
        dictionary = dictionary * np.geomspace(0.5, 2.0, 20)[:, None]
    penalties, _ = CALLS[name]
    result = run(name, X, dictionary, **({"tol": 1e-3} if name != "mp" else {}))
    for x, z, objective, certificate in zip(
        X, result.code.to_dense(), result.objective, result.certificate
    ):
        if not penalties:
            assert objective == pytest.approx(0.5 * ((x - z @ dictionary) ** 2).sum())
            if name == "branch_and_bound":  # whose twin is brute force, in its own tests
                continue
            twin = twins.support_residual(x, dictionary, z)
        else:
            assert objective == pytest.approx(twins.objective(*penalties, x, dictionary, z))
            measure = {"duality gap": twins.relative_gap, "prox residual": twins.prox_residual}
            twin = measure[result.certificate_name](*penalties, x, dictionary, z)
        assert certificate == pytest.approx(twin, rel=1e-6, abs=1e-12)


@EVERY
def test_bits_do_not_depend_on_threads_or_memory_order(name, problem):
    X, dictionary = problem
    one = run(name, X, dictionary, n_threads=1)
    for again in (
        run(name, X, dictionary, n_threads=2),
        run(name, np.asfortranarray(X), np.asfortranarray(dictionary)),
        run(name, np.repeat(X, 2, axis=0)[::2], dictionary),
    ):
        assert again.code == one.code
        np.testing.assert_array_equal(again.certificate, one.certificate)


@EVERY
def test_dtype_of_the_samples_is_kept_and_integers_become_float64(name, problem):
    X, dictionary = problem
    result = run(name, X.astype(np.float32), dictionary)
    assert result.code.dtype == np.float32
    assert result.converged.all()
    assert run(name, np.rint(3 * X).astype(int), dictionary).code.dtype == np.float64


@EVERY
def test_degenerate_samples_have_a_defined_answer(name, problem):
    X, dictionary = problem
    assert run(name, X[:0], dictionary).code.shape == (0, 20)
    padded = np.hstack([dictionary, np.zeros((20, 1))])
    unseen = np.zeros((2, 13))
    unseen[1, -1] = 5.0  # no atom sees this sample
    result = run(name, unseen, padded)
    assert result.code.nnz == 0
    assert (result.certificate == 0.0).all()
    assert result.converged.all()
    assert run(name, np.ones((1, 12)), dictionary).converged.all()  # a constant patch


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_patch_is_not_seen_by_atoms_without_mean(name, dtype, problem):
    """Its correlations are rounding errors: they must not be coded."""
    _, dictionary = problem
    dictionary = normalize(dictionary - dictionary.mean(axis=1, keepdims=True)).astype(dtype)
    flat = np.full((1, 12), 0.7, dtype)
    assert (flat @ dictionary.T).any()
    result = run(name, flat, dictionary)
    assert result.code.nnz == 0
    assert result.converged.all()
    if name in PENALISED:
        ratio = solvers.get(name)(flat, dictionary, CALLS[name][0][0], alpha_ratio=0.1)
        assert ratio.code.nnz == 0
        assert ratio.alpha[0] == 0.0
    if name in WARM:
        assert run(name, flat, dictionary, init=np.ones((1, 20), dtype)).code.nnz == 0


@EVERY
def test_dictionaries_of_one_atom_and_of_twins(name, problem):
    X, dictionary = problem
    changes = {"n_nonzero": 1} if "n_nonzero" in CALLS[name][1] else {}
    assert run(name, X, dictionary[:1], **changes).converged.all()
    twins = np.vstack([dictionary, dictionary[:4]])
    with warnings.catch_warnings():
        if name == "lca":  # twins cross the hard threshold together, and may do so for ever
            warnings.simplefilter("ignore", ConvergenceWarning)
        result = run(name, X, twins)
    silent = 0.5 * (X**2).sum(axis=1)
    assert (result.objective[result.converged] <= silent[result.converged]).all()
    assert result.converged.mean() >= (0.8 if name == "lca" else 1.0)


@EVERY
def test_bad_arguments_get_one_sentence(name, problem):
    X, dictionary = problem
    for bad, message in ((np.nan, "must be finite"), (np.inf, "must be finite")):
        spoilt = X.copy()
        spoilt[0, 0] = bad
        with pytest.raises(ValueError, match=message):
            run(name, spoilt, dictionary)
    with pytest.raises(ValueError, match=r"\(n_samples, 12\).*got \(9, 11\)"):
        run(name, X[:, :11], dictionary)
    with pytest.raises(ValueError, match="shape"):
        run(name, X[0], dictionary)
    silent = dictionary.copy()
    silent[3] = 0.0
    with pytest.raises(ValueError, match=r"norm 0.*row\s3"):
        run(name, X, silent)
    with pytest.raises(ValueError, match="n_threads"):
        run(name, X, dictionary, n_threads=10_000)
    if name != "mp":
        with pytest.raises(ValueError, match="tol must be finite and above 0"):
            run(name, X, dictionary, tol=0.0)
    if name not in ("branch_and_bound", "ols", "omp"):
        with pytest.raises(ValueError, match="max_iter must be at least 1; got 0"):
            run(name, X, dictionary, max_iter=0)
        with pytest.raises(TypeError, match=r"max_iter must be an integer; got 1\.5"):
            run(name, X, dictionary, max_iter=1.5)


@pytest.mark.parametrize("name", PENALISED)
def test_alpha_must_be_positive_and_names_known(name, problem):
    X, dictionary = problem
    penalty = CALLS[name][0][0]
    solve = solvers.get(name)
    for alpha in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="alpha"):
            solve(X, dictionary, penalty._replace(alpha=alpha))
    with pytest.raises(ValueError, match=r"'l1'.*got 'l7'"):
        solve(X, dictionary, "l7", alpha_ratio=0.1)
    with pytest.raises(ValueError, match="needs alpha_ratio"):
        solve(X, dictionary, "l1")
    with pytest.raises(ValueError, match="alpha_ratio"):
        run(name, X, dictionary, alpha_ratio=-0.5)


@pytest.mark.parametrize("name", PENALISED)
def test_alpha_ratio_is_a_fraction_of_what_silences_each_sample(name, problem):
    X, dictionary = problem
    penalty = CALLS[name][0][0]
    limits = solvers.alpha_max(X, dictionary, penalty)
    result = run(name, X, dictionary, alpha_ratio=0.3)
    np.testing.assert_array_equal(result.alpha, 0.3 * limits)
    assert result.code.nnz > 0
    assert run(name, X, dictionary, alpha_ratio=1.0).code.nnz == 0


@pytest.mark.parametrize("name", PENALISED)
def test_positive_and_weighted_codes(name, problem):
    X, dictionary = problem
    penalty = CALLS[name][0][0]._replace(positive=True)
    result = solvers.get(name)(X, dictionary, penalty)
    assert result.converged.all()
    assert (result.code.values > 0).all()
    weights = np.ones(20)
    weights[::2] = 1e3
    weighted = solvers.get(name)(X, dictionary, CALLS[name][0][0]._replace(weights=weights))
    assert weighted.converged.all()
    assert (weighted.code.indices % 2 == 1).all()


@pytest.mark.parametrize("name", ["branch_and_bound", "iht", "mp", "omp"])
def test_positive_pursuits(name, problem):
    X, dictionary = problem
    result = run(name, X, dictionary, positive=True)
    assert (result.code.values > 0).all()
    assert (result.code.n_active <= 3).all()


@pytest.mark.parametrize("name", WARM)
def test_a_solution_is_kept_as_a_start(name, problem):
    X, dictionary = problem
    solved = run(name, X, dictionary, tol=1e-9)
    again = run(name, X, dictionary, init=solved.code)
    np.testing.assert_allclose(again.code.to_dense(), solved.code.to_dense(), atol=1e-6)
    assert (again.n_iter <= solved.n_iter).all()
    with pytest.raises(ValueError, match="init must be finite"):
        run(name, X, dictionary, init=np.full((9, 20), np.nan))
    dense = run(name, X, dictionary, init=solved.code.to_dense())
    assert dense.code == again.code
    with pytest.raises(ValueError, match=r"init must have shape \(9, 20\)"):
        run(name, X, dictionary, init=solved.code[:3])


@pytest.mark.parametrize(
    "name", [name for name in CALLS if name not in ("branch_and_bound", "mp", "ols", "omp", "htp")]
)
def test_one_warning_says_how_many_samples_failed(name, problem):
    X, dictionary = problem
    with pytest.warns(ConvergenceWarning, match=r"9 of 9 samples did not converge") as caught:
        result = run(name, X, dictionary, max_iter=1, tol=1e-14)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert not result.converged.any()


@pytest.mark.parametrize("name", ["branch_and_bound", "htp", "iht", "mp", "ols", "omp", "sbr"])
def test_at_most_n_nonzero_atoms_and_never_more_than_there_are(name, problem):
    X, dictionary = problem
    assert (run(name, X, dictionary).code.n_active <= 3).all()
    for bad in (0, 21):
        with pytest.raises(ValueError, match="n_nonzero"):
            run(name, X, dictionary, n_nonzero=bad)
    with pytest.raises(TypeError, match="n_nonzero"):
        run(name, X, dictionary, n_nonzero=2.5)


@pytest.mark.parametrize("name", ["fista", "ista", "lca"])
def test_steps_that_diverge_are_refused(name, problem):
    X, dictionary = problem
    with pytest.raises(ValueError, match="step must be at most"):
        run(name, X, dictionary, step=50.0)


@pytest.mark.parametrize(
    ("name", "penalty"), [("fista", L0(0.1)), ("irl1", L0(0.1)), ("lca", CEL0(0.1))]
)
def test_penalties_that_a_solver_cannot_use_are_refused_early(name, penalty, problem):
    X, dictionary = problem
    with pytest.raises(TypeError, match=f"penalty of {name}"):
        solvers.get(name)(X, dictionary, penalty)


def test_unknown_solver_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'cd', .*got 'newton'"):
        solvers.get("newton")


def test_certify_takes_codes_of_any_origin(problem):
    X, dictionary = problem
    result = solvers.cd(X, dictionary, L1(0.3))
    proof = solvers.certify(X, dictionary, L1(0.3), result.code)
    np.testing.assert_array_equal(proof.certificate, result.certificate)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        poor = solvers.certify(X, dictionary, L1(0.3), SparseCode.from_dense(np.zeros((9, 20))))
    assert (poor.certificate > 0.01).all()
