"""Estimators of dask arrays: lazy, with the right shape, dtype and meta."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
from scipy import sparse

from sparsecode.estimators import DictionaryLearner, SparseEncoder
from sparsecode.penalties import L1
from sparsecode.scale import LazyResult
from sparsecode.solvers import alpha_for_density, encode


@pytest.fixture
def encoder(X, atoms):
    return SparseEncoder(atoms, solver="omp", n_nonzero=2).fit(X)


@pytest.mark.parametrize("output", ["dense", "sparse"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("chunks", [(100, 6), (70, 4), (230, 6)])
def test_transform_is_lazy_and_the_same(output, dtype, chunks, X, encoder):
    encoder.set_params(output=output)
    X = X.astype(dtype)
    lazy = encoder.transform(da.from_array(X, chunks=chunks))
    whole = encoder.transform(X)
    assert isinstance(lazy, da.Array)
    assert (lazy.shape, lazy.dtype) == (whole.shape, whole.dtype)
    assert type(lazy._meta) is type(whole)
    assert lazy._meta.dtype == dtype
    with dask.config.set(scheduler="threads"):
        found = lazy.compute()
    assert type(found) is type(whole)
    both = (found, whole) if output == "dense" else (found.toarray(), whole.toarray())
    np.testing.assert_array_equal(*both)


def test_rows_of_unknown_number_and_no_rows(X, encoder):
    lazy = da.from_array(X, chunks=(50, 6))
    some = encoder.transform(lazy[lazy[:, 0] > 0])
    assert np.isnan(some.shape[0])
    np.testing.assert_array_equal(some.compute(), encoder.transform(X[X[:, 0] > 0]))
    assert encoder.transform(lazy[:0]).compute().shape == (0, 12)


def test_encode_has_the_certificates(X, encoder):
    calls = []
    encode = encoder._encode
    encoder._encode = lambda X: calls.append(len(X)) or encode(X)
    lazy = encoder.encode(da.from_array(X, chunks=(100, 6)))
    assert not calls
    whole = encode(X)
    code, certificate, converged = dask.compute(
        lazy.code, lazy.certificate, lazy.converged, scheduler="synchronous"
    )
    assert sorted(calls) == [30, 100, 100]  # each block once
    assert isinstance(code, sparse.csr_array)
    np.testing.assert_array_equal(code.toarray(), whole.code.to_dense())
    np.testing.assert_array_equal(certificate, whole.certificate)
    np.testing.assert_array_equal(converged, whole.converged)
    for name in ("n_iter", "converged", "certificate", "objective"):
        found = getattr(lazy, name)
        assert (found.shape, found.dtype) == ((230,), getattr(whole, name).dtype), name


def test_the_function_encode_takes_them_too(X, atoms):
    whole = encode(X, atoms, "l1", alpha_ratio=0.2)
    lazy = encode(da.from_array(X, chunks=(100, 4)), atoms, "l1", alpha_ratio=0.2)
    assert isinstance(lazy, LazyResult)
    code, certificate = dask.compute(lazy.code, lazy.certificate)
    np.testing.assert_array_equal(code.toarray(), whole.code.to_dense())
    np.testing.assert_array_equal(certificate, whole.certificate)
    assert lazy.code.shape == (len(X), len(atoms))
    with pytest.raises(ValueError, match="needs alpha_ratio"):  # at once
        encode(da.from_array(X), atoms, "l1")
    with pytest.raises(ValueError, match="max_iter must be at least 1"):
        encode(da.from_array(X), atoms, L1(0.1), max_iter=0)
    eager = alpha_for_density(X, atoms, "l1", 0.3)
    assert alpha_for_density(da.from_array(X, chunks=(100, 6)), atoms, "l1", 0.3) == eager
    with pytest.raises(ValueError, match="init must be None where the samples are a dask array"):
        encode(da.from_array(X), atoms, L1(0.1), init=np.zeros((len(X), len(atoms))))
    with pytest.raises(ValueError, match=r"\(n_samples, 6\).*got \(230, 5\)"):
        encode(da.from_array(X[:, :5]), atoms, L1(0.1))


def test_other_widths_are_refused_at_once(X, encoder):
    for call in (encoder.transform, encoder.encode):
        with pytest.raises(ValueError, match=r"\(n_samples, 6\).*got \(230, 5\)"):
            call(da.from_array(X[:, :5]))


def test_a_learner_takes_them_too(X):
    learner = DictionaryLearner(8, n_epochs=1, random_state=0, solver="omp", n_nonzero=2).fit(X)
    lazy = learner.transform(da.from_array(X, chunks=(100, 6)))
    np.testing.assert_array_equal(lazy.compute(), learner.transform(X))
