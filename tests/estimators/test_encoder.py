"""SparseEncoder: the solvers' codes, scikit-learn's manners."""

import warnings
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import SparseCoder
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, orthogonal_mp
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from sparsecode.core import SparseCode, normalize
from sparsecode.core.measures import explained_variance
from sparsecode.estimators import SparseEncoder, negative_objective
from sparsecode.penalties import CEL0, L0, L1, MCP, ElasticNet
from sparsecode.solvers import cd, cel0_macro, encode, htp, omp

N_ATOMS, N_FEATURES = 16, 8


@pytest.fixture(scope="module")
def atoms():
    return normalize(np.random.default_rng(0).normal(size=(N_ATOMS, N_FEATURES)))


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(1).normal(size=(40, N_FEATURES))


# The codes


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, partial(encode, penalty=L1(0.1))),
        ({"penalty": L1(0.3)}, partial(encode, penalty=L1(0.3))),
        ({"alpha": 0.3}, partial(encode, penalty=L1(0.3))),
        ({"penalty": "l1", "alpha": 0.3}, partial(encode, penalty=L1(0.3))),
        ({"penalty": L1(9.0), "alpha": 0.3}, partial(encode, penalty=L1(0.3))),
        ({"alpha_ratio": 0.2}, partial(encode, penalty=L1(1.0), alpha_ratio=0.2)),
        ({"penalty": "l1", "alpha_ratio": 0.2}, partial(encode, penalty="l1", alpha_ratio=0.2)),
        ({"positive": True}, partial(encode, penalty=L1(0.1, positive=True))),
        ({"penalty": L1(0.1, positive=True)}, partial(encode, penalty=L1(0.1, positive=True))),
        ({"solver": "omp", "n_nonzero": 3}, partial(omp, n_nonzero=3)),
        ({"solver": "omp", "n_nonzero": 99}, partial(omp, n_nonzero=N_ATOMS)),
        ({"solver": "omp", "error": 0.5}, partial(omp, error=0.5)),
        ({"solver": partial(omp, n_nonzero=3)}, partial(omp, n_nonzero=3)),
        ({"solver": "htp", "n_nonzero": 3}, partial(htp, n_nonzero=3)),
        ({"solver": "cel0_macro", "alpha": 0.1}, partial(cel0_macro, penalty=CEL0(0.1))),
        ({"solver": partial(cd, penalty=L1(0.3))}, partial(cd, penalty=L1(0.3))),
        ({"solver_options": {"tol": 1e-2}}, partial(encode, penalty=L1(0.1), tol=1e-2)),
        ({"solver": cd, "n_threads": 99}, partial(cd, penalty=L1(0.1))),
    ],
)
def test_parameters_ask_for_the_solvers_codes(X, atoms, parameters, expected):
    encoder = SparseEncoder(atoms, **parameters)
    result, wanted = encoder.encode(X), expected(X, atoms)
    assert result.code == wanted.code
    assert 0 < result.code.nnz < result.code.n_samples * N_ATOMS
    np.testing.assert_array_equal(result.certificate, wanted.certificate)
    np.testing.assert_array_equal(encoder.transform(X), wanted.code.to_dense())
    np.testing.assert_array_equal(encoder.fit_transform(X), wanted.code.to_dense())


class Reached(Exception):
    """Carries the arguments that reached a solver."""


def pursuit(X, dictionary, *, n_nonzero=None, error=None, positive=False, n_threads=None):
    raise Reached(None, {"n_nonzero": n_nonzero, "error": error, "positive": positive})


def either(X, dictionary, penalty=None, *, n_nonzero=None, step=None):
    raise Reached(penalty, {"n_nonzero": n_nonzero, "step": step})


def penalised(X, dictionary, penalty, *, alpha_ratio=None, **options):
    raise Reached(penalty, {"alpha_ratio": alpha_ratio, **options})


@pytest.mark.parametrize(
    ("parameters", "penalty", "options"),
    [
        ({"solver": pursuit, "n_nonzero": 3}, None, {"n_nonzero": 3, "positive": False}),
        ({"solver": pursuit, "error": 0.5, "positive": True}, None, {"positive": True}),
        ({"solver": either, "n_nonzero": 2}, None, {"n_nonzero": 2, "step": None}),
        ({"solver": either, "penalty": "l0", "alpha": 0.2}, L0(0.2), {"n_nonzero": None}),
        ({"solver": either, "solver_options": {"step": 3}}, None, {"step": 3}),
        ({"solver": penalised}, L1(0.1), {"alpha_ratio": None}),
        ({"solver": penalised, "penalty": L0(0.2), "positive": True}, L0(0.2, True), {}),
        ({"solver": penalised, "penalty": "mcp", "alpha": 0.2}, MCP(0.2), {}),
        ({"solver": penalised, "alpha_ratio": 0.2, "error": 1.0}, L1(0.1), {"alpha_ratio": 0.2}),
        ({"solver": partial(penalised, speed=3)}, L1(0.1), {"speed": 3}),
    ],
)
def test_parameters_reach_any_solver(X, atoms, parameters, penalty, options):
    with pytest.raises(Reached) as caught:
        SparseEncoder(atoms, **parameters).encode(X)
    found, given = caught.value.args
    assert found == penalty
    assert type(found) is type(penalty)
    assert options.items() <= given.items()


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("algorithm", ["lasso_lars", "lasso_cd"])
def test_l1_codes_are_those_of_sparse_coder(X, atoms, algorithm, positive):
    theirs = SparseCoder(
        atoms, transform_algorithm=algorithm, transform_alpha=0.3, positive_code=positive,
        transform_max_iter=100_000,
    ).transform(X)  # fmt: skip
    encoder = SparseEncoder(
        atoms, penalty="l1", alpha=0.3, positive=positive, solver_options={"tol": 1e-12}
    )
    np.testing.assert_allclose(encoder.transform(X), theirs, atol=1e-6)


def test_pursuits_are_those_of_sparse_coder(X, atoms):
    theirs = SparseCoder(atoms, transform_algorithm="omp", transform_n_nonzero_coefs=3)
    ours = SparseEncoder(atoms, solver="omp", n_nonzero=3)
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), atol=1e-10)
    to_error = orthogonal_mp(atoms.T, X.T, tol=0.5).T  # SparseCoder ignores its alpha here
    ours = SparseEncoder(atoms, solver="omp", error=np.sqrt(0.5))
    np.testing.assert_allclose(ours.transform(X), to_error, atol=1e-10)


def test_thresholded_projections_are_codes_over_unit_vectors(X, atoms):
    theirs = SparseCoder(atoms, transform_algorithm="threshold", transform_alpha=0.5).transform(X)
    projections = SparseEncoder(np.eye(N_ATOMS), alpha=0.5)
    np.testing.assert_allclose(projections.transform(X @ atoms.T), theirs, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_threads", [None, 1, 2, 64])
@pytest.mark.parametrize("output", ["dense", "sparse"])
def test_the_dtype_of_samples_is_kept_and_bits_do_not_depend_on_threads(
    X, atoms, dtype, n_threads, output
):
    encoder = SparseEncoder(atoms, penalty=L1(0.3), n_threads=n_threads, output=output)
    codes = encoder.transform(X.astype(dtype))
    assert codes.dtype == dtype
    assert encoder.inverse_transform(codes).dtype == dtype
    as_code = SparseCode.from_scipy if output == "sparse" else SparseCode.from_dense
    assert as_code(codes) == encode(X.astype(dtype), atoms, L1(0.3), n_threads=1).code


def test_sparse_codes_belong_to_the_caller(X, atoms):
    codes = SparseEncoder(atoms, output="sparse").transform(X)
    assert isinstance(codes, sparse.csr_array)
    codes.data *= 2  # they are not read-only views
    assert codes.has_canonical_format


def test_codes_of_every_form_are_turned_back(X, atoms):
    encoder = SparseEncoder(atoms)
    code = encoder.encode(X).code
    expected = code.to_dense() @ atoms
    for codes in (code, code.to_dense(), code.to_scipy(), sparse.csc_matrix(code.to_scipy())):
        np.testing.assert_allclose(encoder.inverse_transform(codes), expected, atol=1e-14)


def test_score_is_the_explained_variance_of_the_reconstruction(X, atoms):
    encoder = SparseEncoder(atoms, alpha=0.3)
    expected = explained_variance(X, encoder.inverse_transform(encoder.transform(X)))
    assert encoder.score(X) == expected
    assert 0.5 < expected < 1.0


def test_negative_objective_is_minus_the_mean_objective(X, atoms):
    encoder = SparseEncoder(atoms, penalty=L1(0.2))
    expected = -encode(X, atoms, L1(0.2)).objective.mean()
    assert negative_objective(encoder, X) == expected
    assert negative_objective(make_pipeline(encoder).fit(X), X) == expected
    scaled = make_pipeline(StandardScaler(), encoder).fit(X)
    again = -encode(StandardScaler().fit_transform(X), atoms, L1(0.2)).objective.mean()
    assert negative_objective(scaled, X) == again != expected


def test_no_sample_gives_no_code(atoms):
    encoder = SparseEncoder(atoms)
    assert encoder.transform(np.empty((0, N_FEATURES))).shape == (0, N_ATOMS)
    assert encoder.inverse_transform(np.empty((0, N_ATOMS))).shape == (0, N_FEATURES)


def test_unconverged_samples_are_said_once_a_call(X, atoms):
    encoder = SparseEncoder(
        atoms, penalty=L1(0.01), solver="cd", solver_options={"max_iter": 1, "tol": 1e-12}
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encoder.transform(X)
    assert [warning.category for warning in caught] == [ConvergenceWarning]
    assert "39 of 40 samples did not converge" in str(caught[0].message)


# The manners


def test_the_dictionary_is_stored_untouched_and_cloned(X, atoms):
    for given in (atoms, atoms.tolist(), np.asfortranarray(atoms, np.float32)):
        encoder = SparseEncoder(given)
        assert encoder.fit(X).dictionary is given
        np.testing.assert_allclose(
            clone(encoder).transform(X), encoder.transform(X), rtol=0, atol=0
        )


def test_names_of_columns_and_of_codes(X, atoms):
    frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(N_FEATURES)])
    encoder = SparseEncoder(atoms)
    names = [f"sparseencoder{j}" for j in range(N_ATOMS)]
    assert encoder.get_feature_names_out().tolist() == names
    codes = encoder.fit(frame).set_output(transform="pandas").transform(frame)
    assert isinstance(codes, pd.DataFrame)
    assert codes.columns.tolist() == names
    assert encoder.feature_names_in_.tolist() == frame.columns.tolist()
    with pytest.raises(ValueError, match="feature names should match"):
        encoder.transform(frame.rename(columns={"pixel0": "other"}))


def test_it_takes_part_in_pipelines_and_searches(X, atoms):
    y = X[:, 0] > 0
    model = make_pipeline(
        StandardScaler(), SparseEncoder(atoms, output="sparse"), LogisticRegression()
    )
    grid = {"sparseencoder__alpha": [0.05, 0.2], "sparseencoder__penalty": [L1(1.0), L1(1.0, True)]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.score(X, y) > 0.7
    search = GridSearchCV(SparseEncoder(atoms), {"alpha": [0.5, 0.05]}, cv=2).fit(X)
    assert search.best_params_ == {"alpha": 0.05}  # explained variance, the default
    search = GridSearchCV(
        SparseEncoder(atoms),
        {"dictionary": [atoms[:4], atoms]},
        scoring=negative_objective,
        cv=2,
    ).fit(X)
    assert search.best_params_["dictionary"] is atoms


def test_it_stands_beside_other_transformers(X, atoms):
    encoder = SparseEncoder(atoms, output="sparse", alpha=0.3)
    union = FeatureUnion([("codes", encoder), ("scaled", StandardScaler())]).fit(X)
    assert union.transform(X).shape == (40, N_ATOMS + N_FEATURES)
    assert union.get_feature_names_out()[0] == "codes__sparseencoder0"
    columns = ColumnTransformer([("codes", encoder, slice(0, N_FEATURES))], sparse_threshold=1.0)
    np.testing.assert_array_equal(
        columns.fit_transform(X).toarray(), encoder.transform(X).toarray()
    )


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_jobs_give_the_same_codes(X, atoms, backend):
    X = X.astype(np.float32)
    encoder = SparseEncoder(atoms, penalty=L1(0.3), n_threads=2)  # a worker may have only one
    with joblib.parallel_config(backend=backend):
        parts = joblib.Parallel(n_jobs=2)(
            joblib.delayed(encoder.transform)(part) for part in (X[:20], X[20:])
        )
    codes = np.concatenate(parts)
    assert codes.dtype == np.float32
    np.testing.assert_array_equal(codes[:20], encoder.transform(X[:20]))
    np.testing.assert_array_equal(codes[20:], encoder.transform(X[20:]))


# Bad input


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"penalty": "l1"}, ValueError, "a penalty given by its name needs alpha or alpha_ratio"),
        ({"penalty": "l7", "alpha": 1}, ValueError, "penalty must be one of .*; got 'l7'"),
        ({"penalty": 3}, TypeError, "penalty must be a registered struct"),
        ({"penalty": 3, "alpha": 1.0}, TypeError, "penalty must be a registered struct"),
        ({"solver_options": 3}, TypeError, "solver_options must be a dict or None; got 3"),
        ({"alpha": -1.0}, ValueError, "alpha of l1 must be finite and above 0; got -1.0"),
        ({"alpha": 1.0, "alpha_ratio": 0.1}, ValueError, "alpha and alpha_ratio exclude"),
        ({"solver": "omp", "n_nonzero": 3, "alpha": 1.0}, ValueError, "alpha belongs to a penalty"),
        ({"solver": "omp"}, ValueError, "a pursuit needs n_nonzero or error"),
        ({"solver": "omp", "n_nonzero": 0}, ValueError, "n_nonzero must be at least 1; got 0"),
        ({"solver": "omp", "penalty": L1(0.1)}, TypeError, "solver must take .X, dictionary, pen"),
        ({"n_nonzero": 3}, TypeError, "which the other parameters ask for; got 'auto'"),
        ({"solver_options": {"speed": 3}}, TypeError, "penalty, speed.*; got 'auto'"),
        ({"solver": "newton"}, ValueError, "solver must be one of"),
        ({"solver": 3}, TypeError, "solver must be a name or a callable; got 3"),
        ({"output": "csr"}, ValueError, "output must be one of 'dense', 'sparse'; got 'csr'"),
        ({"n_threads": 0}, ValueError, "n_threads must be at least 1; got 0"),
        ({"positive": "yes"}, TypeError, "positive of l1 must be True or False; got 'yes'"),
        ({"penalty": ElasticNet(1.0, l1_ratio=3.0)}, ValueError, "l1_ratio of elastic_net"),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused_in_one_sentence(X, atoms, parameters, error, message):
    with pytest.raises(error, match=message):
        SparseEncoder(atoms, **parameters).transform(X)


def test_bad_dictionaries_are_refused(X, atoms):
    silent, undefined = atoms.copy(), atoms.copy()
    silent[3] = 0
    undefined[3, 0] = np.nan
    for given, message in (
        (silent, "no atom of norm 0; got 1, the first in row 3"),
        (undefined, "dictionary must be finite; got 1"),
        (atoms[:0], "with at least one atom; got"),
        (atoms[0], "must have shape"),
    ):
        for method in ("fit", "transform", "fit_transform", "score"):
            with pytest.raises(ValueError, match=message):
                getattr(SparseEncoder(given), method)(X)


def test_bad_samples_are_refused(X, atoms):
    encoder = SparseEncoder(atoms)
    for method in ("fit", "transform", "encode", "score"):
        call = getattr(encoder, method)
        with pytest.raises(ValueError, match="Input X contains NaN"):
            call(np.full((2, N_FEATURES), np.nan))
        with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 8\)"):
            call(X[:, 1:])
        with pytest.raises(ValueError, match="Reshape your data"):
            call(X[0])
        with pytest.raises(TypeError, match=r"dense data is required\. Use '\.toarray"):
            call(sparse.csr_array(X))
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        encoder.fit(X[:0])
    with pytest.raises(ValueError, match="Expected 16, got 15"):
        encoder.inverse_transform(np.ones((2, N_ATOMS - 1)))
