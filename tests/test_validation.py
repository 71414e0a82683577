"""Bad arguments are refused in one voice: what must hold; what arrived; what to do."""

import math
import re

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import reals

from sparsecode._validation import (
    check_count,
    check_data,
    check_dictionary,
    check_fraction,
    check_option,
    check_positive,
    check_rng,
)


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


class TestData:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_contiguous_floats_pass_uncopied(self, dtype):
        X = np.ones((3, 4), dtype)
        assert check_data(X, n_features=4) is X

    @pytest.mark.parametrize(
        "given_dtype", ["int8", "int64", "uint16", "bool", "float16", "longdouble", ">f4", ">f8"]
    )
    def test_other_numbers_become_native_float64(self, given_dtype):
        X = check_data(np.array([[1, 0], [1, 1]], dtype=given_dtype))
        assert X.dtype == np.float64
        assert X.dtype.isnative
        np.testing.assert_array_equal(X, [[1, 0], [1, 1]])

    @given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2), elements=reals))
    def test_any_layout_becomes_c_contiguous(self, X):
        for layout in (np.asfortranarray(X), X[::-1], X.T[::2], np.repeat(X, 2, axis=1)[:, ::2]):
            checked = check_data(layout)
            assert checked.flags.c_contiguous
            np.testing.assert_array_equal(checked, layout)

    def test_lists_and_an_empty_batch(self):
        np.testing.assert_array_equal(check_data([[1, 2], [3, 4]]), [[1.0, 2.0], [3.0, 4.0]])
        assert check_data(np.empty((0, 20)), n_features=20).shape == (0, 20)

    def test_a_wanted_dtype(self):
        assert check_data([[1, 2]], dtype=np.float32).dtype == np.float32

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            (
                np.ones((6, 3)),
                "X must have shape (n_samples, 20), the dictionary's n_features; got (6, 3).",
            ),
            (
                np.ones(20),
                "X must have shape (n_samples, n_features); got (20,). "
                "Use X[None, :] for one sample.",
            ),
            (np.ones((2, 3, 20)), "X must have shape (n_samples, n_features); got (2, 3, 20)."),
            (
                np.array([[1, math.nan], [math.inf, -math.inf]]),
                "X must be finite; got 3 NaN or infinite entries, the first in row 0. Remove or "
                "impute them.",
            ),
            ([[1, 2], [3]], "X must be a rectangular array; got rows that differ."),
        ],
    )
    def test_bad_values(self, X, message):
        with refuses(ValueError, message):
            check_data(X, n_features=20)

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            (
                scipy.sparse.eye_array(3).tocsr(),
                "X must be a dense array; got csr_array. Call .toarray() first.",
            ),
            (np.ones((2, 2), complex), "X must hold real numbers; got dtype complex128."),
            ([["a", "b"]], "X must hold real numbers; got dtype <U1."),
            ([[None, 1]], "X must hold real numbers; got dtype object."),
            (
                np.zeros((1, 1), "datetime64[s]"),
                "X must hold real numbers; got dtype datetime64[s].",
            ),
        ],
        ids=["sparse", "complex", "text", "object", "time"],
    )
    def test_bad_types(self, X, message):
        with refuses(TypeError, message):
            check_data(X)

    def test_the_message_names_the_argument(self):
        with refuses(ValueError, "init must have shape (n_samples, n_features); got (2, 1, 1)."):
            check_data(np.ones((2, 1, 1)), name="init")


class TestDictionary:
    def test_a_good_one_passes_uncopied(self):
        atoms = np.eye(3, 5)
        assert check_dictionary(atoms) is atoms

    @pytest.mark.parametrize(
        ("atoms", "message"),
        [
            (
                [[1, 2], [0, 0], [1, 0], [0, 0]],
                "dictionary must have no atom of norm 0; got 2, the first in row 1. "
                "Remove or replace them.",
            ),
            (
                [[1e-200, 1e-200]],  # no number is its square
                "dictionary must have no atom of norm 0; got 1, the first in row 0. "
                "Remove or replace them.",
            ),
            (
                np.empty((0, 5)),
                "dictionary must have shape (n_atoms, n_features) with at least one atom; "
                "got (0, 5).",
            ),
            (
                np.empty((5, 0)),
                "dictionary must have shape (n_atoms, n_features) with at least one atom; "
                "got (5, 0).",
            ),
            (
                np.ones(5),
                "dictionary must have shape (n_atoms, n_features) with at least one atom; "
                "got (5,).",
            ),
            (
                [[1, math.nan]],
                "dictionary must be finite; got 1 NaN or infinite entries, the first in row 0. "
                "Remove or impute them.",
            ),
        ],
    )
    def test_bad_ones(self, atoms, message):
        with refuses(ValueError, message):
            check_dictionary(atoms)

    def test_tiny_float32_atoms_are_atoms(self):
        atoms = np.full((2, 3), 1e-30, np.float32)
        assert check_dictionary(atoms) is atoms


class TestNumbers:
    @given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
    def test_positive_numbers_are_returned_as_floats(self, number):
        assert check_positive("tol", number) == number

    @pytest.mark.parametrize("number", [2, np.int64(2), np.float32(2), 2.0])
    def test_any_number_type(self, number):
        assert type(check_positive("tol", number)) is float
        assert check_positive("tol", number) == 2.0

    @pytest.mark.parametrize("number", [0, -1.5, math.nan, math.inf, np.float64(-2)])
    def test_numbers_not_above_0(self, number):
        with refuses(ValueError, f"tol must be finite and above 0; got {number!r}."):
            check_positive("tol", number)

    @pytest.mark.parametrize("thing", ["1", None, True, 1j, [1.0]])
    def test_things_that_are_no_number(self, thing):
        with refuses(TypeError, f"tol must be a number above 0; got {thing!r}."):
            check_positive("tol", thing)

    def test_fractions(self):
        assert check_fraction("density", 1) == 1.0
        with refuses(ValueError, "density must lie above 0 and at most at 1; got 1.5."):
            check_fraction("density", 1.5)
        with refuses(ValueError, "density must be finite and above 0; got 0."):
            check_fraction("density", 0)

    def test_counts(self):
        assert check_count("k", np.int32(3), maximum=3) == 3
        assert type(check_count("k", np.int32(3))) is int
        assert check_count("k", 0, minimum=0) == 0
        with refuses(ValueError, "k must be at least 1 and at most 3; got 4."):
            check_count("k", 4, maximum=3)
        with refuses(ValueError, "k must be at least 1; got 0."):
            check_count("k", 0)
        for thing in (1.0, "1", None, True):
            with refuses(TypeError, f"k must be an integer; got {thing!r}."):
                check_count("k", thing)


def test_options():
    assert check_option("method", "max", ("hungarian", "max")) == "max"
    with refuses(ValueError, "method must be one of 'hungarian', 'max'; got 'min'."):
        check_option("method", "min", iter(("hungarian", "max")))
    with refuses(ValueError, "method must be one of 'max'; got ['max']."):
        check_option("method", ["max"], {"max": 1})


def test_random_generators():
    rng = np.random.default_rng(3)
    assert check_rng(rng) is rng
    assert check_rng(3).random() == np.random.default_rng(3).random()
    assert check_rng(None).random() != check_rng(None).random()
    with pytest.raises(TypeError, match=r"^rng must be a numpy Generator.*got a RandomState"):
        check_rng(np.random.RandomState(0))
