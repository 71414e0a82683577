"""`correlate` and `reconstruct` against the dense matrix that slow loops fill."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecode.convolutional import correlate, reconstruct
from sparsecode.core import SparseCode

BOUNDARIES = "circular", "zero", "valid"


def map_shape(shape, kernel, boundary):
    """Return how many places an atom may take along each axis."""
    change = {"circular": 0, "zero": 1, "valid": -1}[boundary]
    return tuple(n + change * (m - 1) for n, m in zip(shape, kernel))


def toeplitz(dictionary, shape, boundary):
    """Return the matrix from codes to signals, entry by entry; what lies outside is cut off."""
    n_atoms, n_channels, *kernel = dictionary.shape
    maps = map_shape(shape, kernel, boundary)
    matrix = np.zeros((n_channels, *shape, n_atoms, *maps))
    margin = [m - 1 if boundary == "zero" else 0 for m in kernel]
    for k, c in itertools.product(range(n_atoms), range(n_channels)):
        for place in itertools.product(*(range(n) for n in maps)):
            for tap in itertools.product(*(range(m) for m in kernel)):
                at = [p + q - m for p, q, m in zip(place, tap, margin)]
                if boundary == "circular":
                    at = [i % n for i, n in zip(at, shape)]
                if all(0 <= i < n for i, n in zip(at, shape)):
                    matrix[(c, *at, k, *place)] += dictionary[(k, c, *tap)]
    return matrix.reshape(n_channels * int(np.prod(shape)), -1)


@st.composite
def problems(draw):
    """Draw a boundary, signals and atoms; atoms may be as large as the signals."""
    n_axes = draw(st.integers(1, 2))
    shape = draw(st.tuples(*[st.integers(1, 5)] * n_axes))
    kernel = tuple(draw(st.integers(1, n)) for n in shape)
    n_channels, n_atoms = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    X = rng.standard_normal((draw(st.integers(0, 2)), n_channels, *shape))
    return draw(st.sampled_from(BOUNDARIES)), X, rng.standard_normal((n_atoms, n_channels, *kernel))


@given(problems())
def test_operators_are_the_explicit_matrix(problem):
    boundary, X, dictionary = problem
    maps = map_shape(X.shape[2:], dictionary.shape[2:], boundary)
    matrix = toeplitz(dictionary, X.shape[2:], boundary)
    products = correlate(X, dictionary, boundary=boundary)
    assert products.shape == (len(X), len(dictionary), *maps)
    np.testing.assert_allclose(
        products.reshape(len(X), matrix.shape[1]), X.reshape(len(X), len(matrix)) @ matrix,
        atol=1e-12,
    )  # fmt: skip
    codes = np.where(np.arange(products.size).reshape(products.shape) % 3, 0.0, products)
    signals = reconstruct(SparseCode.from_dense(codes), dictionary, boundary=boundary)
    assert signals.shape == X.shape
    np.testing.assert_allclose(
        signals.reshape(len(X), len(matrix)), codes.reshape(len(X), matrix.shape[1]) @ matrix.T,
        atol=1e-12,
    )  # fmt: skip
    assert np.sum(signals * X) == pytest.approx(np.sum(codes * products), abs=1e-10)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept_and_binary_codes_are_ones(boundary, dtype):
    rng = np.random.default_rng(0)
    X, dictionary = rng.standard_normal((2, 1, 6, 7)), rng.standard_normal((3, 1, 3, 2))
    products = correlate(X.astype(dtype), dictionary, boundary=boundary)
    assert products.dtype == dtype
    np.testing.assert_allclose(products, correlate(X, dictionary, boundary=boundary), atol=1e-5)
    dense = (products > 1).astype(dtype)
    signals = reconstruct(SparseCode.from_dense(dense), dictionary, boundary=boundary)
    assert signals.dtype == dtype
    binary = reconstruct(SparseCode.from_dense(products > 1), dictionary, boundary=boundary)
    assert binary.dtype == np.float64
    np.testing.assert_allclose(binary, signals, atol=1e-5)


def test_results_do_not_depend_on_the_strips(monkeypatch):
    rng = np.random.default_rng(1)
    X, dictionary = rng.standard_normal((1, 2, 9, 8)), rng.standard_normal((3, 2, 4, 3))
    for boundary in BOUNDARIES:
        whole = correlate(X, dictionary, boundary=boundary)
        with monkeypatch.context() as patch:
            patch.setattr("sparsecode.convolutional._geometry.STRIP_ENTRIES", 1)
            lines = correlate(X, dictionary, boundary=boundary)
        np.testing.assert_allclose(whole, lines, atol=1e-12)


IMAGE, ATOMS = np.ones((1, 2, 6, 7)), np.ones((3, 2, 3, 4))


@pytest.mark.parametrize(
    ("X", "dictionary", "message"),
    [
        (np.ones((1, 2, 6, 3)), ATOMS, "at least as large as an atom, 3 x 4; got 6 x 3"),
        (np.ones((1, 2, 1, 7)), ATOMS, "at least as large as an atom, 3 x 4; got 1 x 7"),
        (np.ones((1, 2, 3)), np.ones((1, 2, 4)), "at least as large as an atom, .*4; got .*3"),
        (np.ones((1, 3, 6, 7)), ATOMS, "X must have 2 channels, as the dictionary has; got 3"),
        (IMAGE, ATOMS * [[[[1]]], [[[0]]], [[[1]]]], "no atom of norm 0; got 1, .* in row 1"),
        (np.where(np.arange(7) == 2, np.nan, IMAGE), ATOMS, "X must be finite; got 12 NaN"),
        (IMAGE, np.full(ATOMS.shape, np.inf), "dictionary must be finite; got 72 NaN or infinite"),
        (IMAGE[0], ATOMS, r"X must have shape .*4 axes; got \(2, 6, 7\). Use X\[None\]"),
        (IMAGE, ATOMS[0], r"X must have shape .*3 axes; got \(1, 2, 6, 7\)"),
        (IMAGE, ATOMS[0, 0], r"dictionary must have shape .*; got \(3, 4\). Insert an axis"),
        (IMAGE, ATOMS[:0], r"with at least one atom; got \(0, 2, 3, 4\)"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(X, dictionary, message):
    with pytest.raises(ValueError, match=message):
        correlate(X, dictionary)


def test_bad_boundaries_and_types_get_one_sentence():
    code = SparseCode.from_dense(np.zeros((1, 3, 6, 7)))
    for call in (
        lambda **o: correlate(IMAGE, ATOMS, **o),
        lambda **o: reconstruct(code, ATOMS, **o),
    ):
        with pytest.raises(ValueError, match="boundary must be one of 'circular', 'zero', 'valid'"):
            call(boundary="reflect")
    with pytest.raises(TypeError, match="X must hold real numbers; got dtype complex128"):
        correlate(IMAGE * 1j, ATOMS)
    with pytest.raises(TypeError, match="code must be a SparseCode; got ndarray"):
        reconstruct(code.to_dense(), ATOMS)


@pytest.mark.parametrize(
    ("unit_shape", "boundary", "message"),
    [
        ((4, 6, 7), "circular", r"with 3 atoms and 2 axes; got \(4, 6, 7\)"),
        ((3, 6), "circular", r"with 3 atoms and 2 axes; got \(3, 6\)"),
        ((3, 2, 7), "circular", "at least as large as an atom, 3 x 4; got maps of 2 x 7"),
        ((3, 4, 7), "zero", "at least as large as an atom, 3 x 4; got maps of 4 x 7"),
    ],
)
def test_codes_must_suit_the_atoms(unit_shape, boundary, message):
    code = SparseCode.from_dense(np.zeros((1, *unit_shape)))
    with pytest.raises(ValueError, match=message):
        reconstruct(code, ATOMS, boundary=boundary)


def test_an_image_of_one_row_suits_atoms_of_one_row():
    rng = np.random.default_rng(2)
    X, dictionary = rng.standard_normal((2, 1, 1, 9)), rng.standard_normal((3, 1, 1, 4))
    for boundary in BOUNDARIES:
        image = correlate(X, dictionary, boundary=boundary)
        line = correlate(X[:, :, 0], dictionary[:, :, 0], boundary=boundary)
        np.testing.assert_array_equal(image[:, :, 0], line)
