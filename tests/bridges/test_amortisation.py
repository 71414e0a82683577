"""What solvers gain over an encoder, and codes made block by block."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from sparsecode.bridges import amortisation_gap, encode_rows
from sparsecode.core import SparseCode
from sparsecode.core.measures import explained_variance
from sparsecode.solvers import omp


@pytest.fixture(scope="module")
def problem():
    """Return data of planted codes, atoms of unequal norms, a bias and a thresholding encoder."""
    rng = np.random.default_rng(0)
    atoms = rng.standard_normal((24, 12))
    unit = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    z = np.where(rng.random((150, 24)) < 0.12, rng.uniform(0.5, 2, (150, 24)), 0)
    bias = rng.standard_normal(12)
    X = z @ unit + bias + 0.02 * rng.standard_normal((150, 12))
    h = np.maximum((X - bias) @ unit.T - 0.4, 0)
    h[0] = 0  # a silent sample
    code = SparseCode.from_dense(h / np.linalg.norm(atoms, axis=1))
    return X, atoms, bias, code


def test_gap_of_every_method(problem):
    X, atoms, bias, code = problem
    gap = amortisation_gap(X, (atoms, bias, code))
    assert list(gap) == ["encoder", "refit", "omp", "lasso", "lasso_refit", "cel0"]
    dense = code.to_dense()
    encoder = gap["encoder"]
    assert encoder["explained_variance"] == pytest.approx(
        explained_variance(X, dense @ atoms + bias)
    )
    assert encoder["gain"] == 0
    assert encoder["jaccard"] == 1
    for name in ("refit", "lasso_refit", "omp", "cel0"):
        assert gap[name]["gain"] > 0, name
    # refitting values cannot hurt, on the encoder's support or the LASSO's
    assert gap["lasso_refit"]["explained_variance"] > gap["lasso"]["explained_variance"]
    for name in ("lasso", "cel0"):
        assert gap[name]["l0"] == pytest.approx(encoder["l0"], rel=0.02)
    assert gap["omp"]["l0"] <= encoder["l0"]
    for name in ("omp", "lasso", "cel0"):
        assert 0 < gap[name]["jaccard"] < 1
    assert gap["lasso"]["certificate"] < 1e-4
    assert gap["lasso"]["converged"] == 1


def test_refit_is_least_squares_on_the_support(problem):
    X, atoms, bias, code = problem
    gap = amortisation_gap(X, (atoms, bias, code), methods=["refit"], positive=False)
    best = np.array([
        np.linalg.lstsq(atoms[z != 0].T, x - bias, rcond=None)[0] @ atoms[z != 0] + bias
        for x, z in zip(X, code.to_dense())
    ])  # fmt: skip
    assert gap["refit"]["explained_variance"] == pytest.approx(explained_variance(X, best))
    assert gap["refit"]["jaccard"] == 1
    assert list(gap) == ["encoder", "refit"]


def test_the_solvers_own_code_leaves_no_gap(problem):
    X, atoms, bias, _ = problem
    code = omp(X - bias, atoms, n_nonzero=4, positive=True).code
    sae = SimpleNamespace(dictionary=atoms, bias=bias, to_code=lambda X: code)
    gap = amortisation_gap(X, sae, methods=["omp"])
    assert gap["omp"]["gain"] == pytest.approx(0, abs=1e-12)
    assert gap["omp"]["jaccard"] == 1


def test_codes_of_blocks_are_those_of_the_whole(problem):
    X, atoms, bias, _ = problem
    encoder = partial(omp, dictionary=atoms, n_nonzero=3)
    whole = encoder(X - bias).code
    blocks = encode_rows(X, encoder, bias=bias, rows_per_block=41)
    assert np.array_equal(blocks.indices, whole.indices)
    np.testing.assert_allclose(blocks.values, whole.values)


def test_bad_input_is_refused(problem):
    X, atoms, bias, code = problem
    for call, message in (
        (lambda: amortisation_gap(X, (atoms, bias[:3], code)), "bias must have shape"),
        (lambda: amortisation_gap(X[:9], (atoms, bias, code)), "code must be a SparseCode"),
        (lambda: amortisation_gap(X[:, :5], (atoms, bias, code)), "X must have shape"),
        (lambda: amortisation_gap(X[:1], (atoms, bias, code[:1])), "must use an atom"),
        (lambda: amortisation_gap(np.nan * X, (atoms, bias, code)), "X must be finite"),
        (lambda: amortisation_gap(X, (atoms, bias, code), methods=["x"]), "methods must be one"),
        (lambda: amortisation_gap(X, SimpleNamespace(is_transcoder=True)), "got a transcoder"),
        (lambda: amortisation_gap(X, SimpleNamespace(W_skip=1)), "got one with a skip connection"),
        (lambda: encode_rows(X[:0], lambda x: code), "at least one row"),
        (lambda: encode_rows(X, lambda x: code, bias=bias[:2]), "bias must have shape"),
        (lambda: encode_rows(X, lambda x: code, rows_per_block=9), "must return a SparseCode of 9"),
        (lambda: encode_rows(X * np.inf, lambda x: code), "must be finite"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            call()
