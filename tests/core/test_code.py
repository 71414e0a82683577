import copy
import multiprocessing
import pickle
import tracemalloc
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.svm import LinearSVC
from strategies import code_pairs, codes, unit_shapes

from sparsecode.core import SparseCode


def row_by_row(code):
    """Return a dense array, filled by the obvious loop."""
    dense = np.zeros((code.n_samples, code.n_units), code.dtype)
    for i in range(code.n_samples):
        for p in range(code.indptr[i], code.indptr[i + 1]):
            dense[i, code.indices[p]] = True if code.is_binary else code.values[p]
    return dense.reshape(code.n_samples, *code.unit_shape)


@pytest.fixture
def code():
    return SparseCode.from_dense(np.array([[0.0, 2.0, 0.0, -1.0], [0.0, 0.0, 0.0, 0.5]]))


@given(codes())
def test_arrays_keep_every_promise(code):
    assert code.indptr.dtype == np.int64
    assert code.indices.dtype == np.int32
    assert code.indptr[0] == 0
    assert code.indptr[-1] == code.nnz
    for i in range(code.n_samples):
        row = code.indices[code.indptr[i] : code.indptr[i + 1]]
        assert (np.diff(row) > 0).all()
        assert ((row >= 0) & (row < code.n_units)).all()
    if not code.is_binary:
        assert code.values.dtype in (np.float32, np.float64)
        assert (code.values != 0).all()
    for array in (code.indptr, code.indices, code.values):
        assert array is None or not array.flags.writeable


@given(codes())
def test_dense_and_scipy_and_constructor_give_the_same_code(code):
    dense = code.to_dense()
    assert dense.dtype == code.dtype
    assert dense.shape == (code.n_samples, *code.unit_shape)
    np.testing.assert_array_equal(dense, row_by_row(code))
    assert SparseCode.from_dense(dense) == code
    flat = dense.reshape(code.shape)
    assert SparseCode.from_dense(flat, code.unit_shape) == code
    assert SparseCode.from_scipy(code.to_scipy(), code.unit_shape) == code
    np.testing.assert_array_equal(code.to_scipy().toarray(), flat)
    assert SparseCode(code.indptr, code.indices, code.values, code.unit_shape) == code
    rows = [np.flatnonzero(row) for row in flat]
    assert SparseCode.from_indices(rows, code.unit_shape) == code.binarize()


@given(codes())
def test_counts(code):
    dense = code.to_dense().reshape(code.shape)
    np.testing.assert_array_equal(code.n_active, np.count_nonzero(dense, axis=1))
    assert len(code) == code.n_samples == len(dense)
    assert code.nnz == np.count_nonzero(dense)
    if code.n_samples:
        assert code.density == np.count_nonzero(dense) / dense.size
    else:
        assert np.isnan(code.density)


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda x: x[::-1, ::-1], lambda x: x[::2]])
def test_any_memory_layout(layout):
    array = layout(np.arange(24.0).reshape(4, 6) % 5)
    np.testing.assert_array_equal(SparseCode.from_dense(array).to_dense(), array)


@pytest.mark.parametrize(
    ("given_dtype", "kept"),
    [
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.float16, np.float64),
        (">f8", np.float64),
        (np.int8, np.float64),
        (np.uint64, np.float64),
        (bool, bool),
    ],
)
def test_dtype_is_kept_or_becomes_float64(given_dtype, kept):
    array = np.array([[0, 1], [1, 0]], given_dtype)
    made = [
        SparseCode.from_dense(array),
        SparseCode([0, 1, 2], [1, 0], np.ones(2, given_dtype), (2,)),
    ]
    if given_dtype not in (np.float16, ">f8"):  # SciPy holds neither
        made.append(SparseCode.from_scipy(sparse.csr_array(array)))
    for code in made:
        assert code.dtype == kept
        assert code.is_binary == (kept is bool)
        np.testing.assert_array_equal(code.to_dense(), array)


def test_reading_a_dense_array_needs_little_memory():
    array = np.zeros((4000, 1024), np.float32)
    array[::3, 7] = 1
    SparseCode.from_dense(array[:1])
    tracemalloc.start()
    try:
        SparseCode.from_dense(array)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < array.nbytes / 4


def test_constructor_sorts_rows_and_drops_zeros():
    code = SparseCode([0, 3, 3, 5], [3, 0, 2, 1, 0], [3.0, 1.0, 0.0, -0.0, 5.0], 4)
    assert code == SparseCode([0, 2, 2, 3], [0, 3, 0], [1.0, 3.0, 5.0], 4)
    assert SparseCode([0, 2], [1, 0], [True, False], 3) == SparseCode([0, 1], [1], None, 3)


def test_constructors_copy():
    indptr, indices, values = np.array([0, 2]), np.array([0, 1], np.int32), np.array([1.0, 2.0])
    code = SparseCode(indptr, indices, values, (2,))
    matrix = sparse.csr_array((values, indices, indptr), (1, 2))
    from_matrix = SparseCode.from_scipy(matrix)
    indptr[:], indices[:], values[:] = 0, 0, 0
    np.testing.assert_array_equal(code.to_dense(), [[1.0, 2.0]])
    np.testing.assert_array_equal(from_matrix.to_dense(), [[1.0, 2.0]])


def test_scipy_entries_given_twice_add_up():
    matrix = sparse.csr_array(([1.0, 2.0, 3.0], [1, 1, 0], [0, 3]), (1, 2))
    np.testing.assert_array_equal(SparseCode.from_scipy(matrix).to_dense(), [[3.0, 3.0]])
    assert matrix.nnz == 3
    coo = sparse.coo_array(([1.0, -1.0], ([0, 0], [1, 1])), (1, 2))
    assert SparseCode.from_scipy(coo).nnz == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [4], None, 4), r"indices must lie between 0 and 3.*got 4"),
        (([0, 1], [-1], None, 4), r"indices must lie between 0 and 3.*got -1"),
        (([0, 1], [2**32], None, 4), r"got 4294967296"),
        (([0, 2], [1, 1], None, 4), r"got unit 1 twice in row 0"),
        (([0, 1, 4], [1, 3, 2, 3], None, 4), r"got unit 3 twice in row 1"),
        (([0, 2, 1, 2], [1, 2], None, 4), r"indptr must never decrease"),
        (([1, 2], [1, 2], None, 4), r"indptr must start at 0 and end at 2.*got 1 and 2"),
        (([0, 1], [1, 2], None, 4), r"indptr must start at 0 and end at 2.*got 0 and 1"),
        (([], [], None, 4), r"indptr must start at 0 and end at 0.*got no entry"),
        (([0, 1], [1], [np.nan], 4), r"values must be finite; got 1 NaN"),
        (([0, 2], [1, 2], [np.inf, -np.inf], 4), r"got 2 NaN or infinite"),
        (([0, 1], [1], [1.0, 2.0], 4), r"values must have shape \(1,\).*got \(2,\)"),
        (([0, 1], [1], None, ()), r"unit_shape must have at least one axis"),
        (([0, 1], [1], None, (4, 0)), r"unit_shape must be at least 1; got 0"),
        (([0, 1], [1], None, 2**31), r"at most 2147483647 units"),
        (([0, 1], [1], None, (2**16, 2**15)), r"at most 2147483647 units"),
    ],
)
def test_bad_values_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SparseCode(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ([0, 1], [1.0], None, 4),
        ([0.0, 1.0], [1], None, 4),
        ([0, 1], [[1]], None, 4),
        ([0, 1], [1], [1j], 4),
        ([0, 1], [1], ["a"], 4),
        ([0, 1], [1], None, 4.0),
        ([0, 1], [1], None, True),
    ],
)
def test_bad_types_are_refused(arguments):
    with pytest.raises(TypeError):
        SparseCode(*arguments)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_dense_entries_must_be_finite(bad):
    with pytest.raises(ValueError, match="array must be finite; got 1 NaN or infinite"):
        SparseCode.from_dense([[0.0, bad], [1.0, 0.0]])


def test_dense_shape_and_type_are_checked(code):
    with pytest.raises(ValueError, match=r"array must have shape .*got \(3,\)"):
        SparseCode.from_dense([1.0, 0.0, 2.0])
    with pytest.raises(ValueError, match=r"or \(n_samples, 6\); got \(2, 4\)"):
        SparseCode.from_dense(np.ones((2, 4)), (2, 3))
    with pytest.raises(TypeError, match="real numbers"):
        SparseCode.from_dense(np.ones((2, 4), complex))
    with pytest.raises(TypeError, match=r"Use SparseCode\.from_scipy"):
        SparseCode.from_dense(code.to_scipy())
    with pytest.raises(TypeError, match=r"Use SparseCode\.from_dense"):
        SparseCode.from_scipy(np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"got \(4,\)"):
        SparseCode.from_scipy(sparse.coo_array(np.ones(4)))
    with pytest.raises(ValueError, match=r"6 columns.*got 4"):
        SparseCode.from_scipy(code.to_scipy(), (2, 3))
    with pytest.raises(ValueError, match="twice in row 1"):
        SparseCode.from_indices([[0], [2, 2]], 4)
    with pytest.raises(TypeError, match="integers"):
        SparseCode.from_indices([[0.5]], 4)


def test_as_many_units_as_an_int32_can_name():
    n_units = 2**31 - 1
    code = SparseCode.from_indices([[n_units - 1, 0], []], n_units)
    assert code.n_units == n_units
    assert SparseCode.from_scipy(code.to_scipy()) == code
    assert SparseCode.concatenate([code, code[:1]]).n_active.tolist() == [2, 0, 2]


@given(codes(), st.data())
def test_selecting_samples_is_selecting_rows_of_the_dense_array(code, data):
    n = code.n_samples
    ends = st.none() | st.integers(-8, 8)
    step = st.none() | st.integers(-3, 3).filter(bool)
    positions = st.lists(st.integers(-n, n - 1), max_size=8) if n else st.just([])
    rows = data.draw(
        st.builds(slice, ends, ends, step)
        | positions
        | positions.map(lambda p: np.array(p, np.int64))
        | st.lists(st.booleans(), min_size=n, max_size=n).map(lambda m: np.array(m, bool))
    )
    dense = code.to_dense()
    wanted = dense[rows] if not isinstance(rows, list) else dense[np.array(rows, int)]
    assert code[rows] == SparseCode.from_dense(wanted)


def test_one_sample_is_a_code_of_one_row(code):
    assert code[-1] == code[1:] == code[np.int64(1)]
    assert [row.nnz for row in code] == [2, 1]
    assert all(isinstance(row, SparseCode) for row in code)


@pytest.mark.parametrize("rows", [2, -3, [5], np.ones(3, bool)])
def test_samples_out_of_range(code, rows):
    with pytest.raises(IndexError):
        code[rows]


@pytest.mark.parametrize("rows", [(0, 1), 1.0, "0", [0.5], [[0]], None, (slice(None), 0), True])
def test_units_cannot_be_indexed(code, rows):
    with pytest.raises(TypeError):
        code[rows]


@given(code_pairs(), st.data())
def test_concatenating_stacks_samples(pair, data):
    a = pair[0]
    b = data.draw(codes(unit_shape=a.unit_shape, binary=a.is_binary))
    both = SparseCode.concatenate(iter([a, b, a[:0]]))
    np.testing.assert_array_equal(both.to_dense(), np.concatenate([a.to_dense(), b.to_dense()]))
    assert both.dtype == np.result_type(a.dtype, b.dtype)
    assert both[: len(a)] == SparseCode.from_dense(a.to_dense().astype(both.dtype))


def test_concatenating_unlike_codes_is_refused(code):
    for other in (code.binarize(), SparseCode.from_dense(np.ones((1, 5)))):
        with pytest.raises(ValueError, match="share one unit_shape and be all binary or all real"):
            SparseCode.concatenate([code, other])
    with pytest.raises(ValueError, match="at least one"):
        SparseCode.concatenate([])


def k_largest(dense, k):
    """Mark the k largest magnitudes above 0 of each row, the lower index first."""
    marks = np.zeros(dense.shape, bool)
    for row, mark in zip(np.abs(dense), marks):
        order = sorted(range(row.size), key=lambda j: (-row[j], j))
        mark[order[:k]] = True
    return marks & (dense != 0)


@given(codes(), st.data())
def test_binarizing_by_k(code, data):
    k = data.draw(st.integers(1, code.n_units))
    dense = code.to_dense().reshape(code.shape).astype(float)
    wanted = SparseCode.from_dense(k_largest(dense, k), code.unit_shape)
    assert code.binarize(k=k) == wanted


@pytest.mark.parametrize("k", [1, 7, 50, 199])
def test_binarizing_long_rows_with_many_ties(k):
    rng = np.random.default_rng(k)
    dense = rng.integers(-20, 21, size=(50, 200)) * (rng.random((50, 1)) < 0.9)
    wanted = SparseCode.from_dense(k_largest(dense, k))
    assert SparseCode.from_dense(dense).binarize(k=k) == wanted


@given(codes(), st.floats(0, 9))
def test_binarizing_by_threshold_is_strict(code, threshold):
    wanted = np.abs(code.to_dense()) > threshold
    assert code.binarize(threshold=threshold) == SparseCode.from_dense(wanted)
    assert code.binarize() == SparseCode.from_dense(code.to_dense() != 0)


def test_binarizing_is_checked(code):
    with pytest.raises(ValueError, match="k must be at least 1 and at most 4; got 5"):
        code.binarize(k=5)
    with pytest.raises(ValueError, match="at least 1"):
        code.binarize(k=0)
    with pytest.raises(TypeError, match="integer"):
        code.binarize(k=1.0)
    with pytest.raises(ValueError, match="not both"):
        code.binarize(k=1, threshold=0.5)
    for threshold in (-1.0, np.nan, np.inf, "high"):
        with pytest.raises(ValueError, match="threshold must be finite and at least 0"):
            code.binarize(threshold=threshold)


@given(code_pairs(same_length=True))
def test_equality_is_equality_of_content(pair):
    a, b = pair
    same = a.dtype == b.dtype and np.array_equal(a.to_dense(), b.to_dense())
    assert (a == b) == same
    assert (a != b) == (not same)
    assert copy.deepcopy(a) == a


def test_unlike_things_are_unequal(code):
    assert code != code.binarize()
    assert code != SparseCode.from_dense(code.to_dense().astype(np.float32))
    assert code != SparseCode.from_dense(code.to_dense().reshape(2, 2, 2))
    assert code != "code"
    with pytest.raises(TypeError, match="unhashable"):
        hash(code)


def test_nothing_can_be_changed(code):
    with pytest.raises(FrozenInstanceError):
        code.values = None
    with pytest.raises((AttributeError, TypeError)):
        code.label = "a"
    for array in (code.values, code[1:].indices, code.to_scipy().data):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    matrix = code.to_scipy(copy=True)
    matrix.data[:] = 7
    assert code.values.max() == 2.0


def test_it_never_turns_into_an_array_unasked(code):
    with pytest.raises(TypeError, match=r"Call \.to_dense\(\)"):
        np.asarray(code)
    with pytest.raises(TypeError):
        np.ones(4) * code


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@given(code=codes())
def test_pickled_codes_are_equal_and_still_read_only(protocol, code):
    again = pickle.loads(pickle.dumps(code, protocol))
    assert again == code
    assert not again.indices.flags.writeable
    assert again.unit_shape == code.unit_shape


def test_codes_travel_between_processes(code):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(SparseCode.binarize, (code,)) == code.binarize()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            SparseCode.from_indices([range(41)] * 100, 2048),
            "<SparseCode 100 x 2048, 2.0 % active, binary>",
        ),
        (
            SparseCode.from_dense(np.eye(4, dtype=np.float32).reshape(4, 2, 2)),
            "<SparseCode 4 x (2 x 2), 25.0 % active, float32>",
        ),
        (
            SparseCode.from_indices([[3]], 10**6),
            "<SparseCode 1 x 1000000, 0.0001 % active, binary>",
        ),
        (SparseCode.from_indices([[]], 5), "<SparseCode 1 x 5, 0.0 % active, binary>"),
        (SparseCode.from_dense(np.empty((0, 5))), "<SparseCode 0 x 5, float64>"),
    ],
)
def test_repr(code, text):
    assert repr(code) == text


@given(unit_shapes)
def test_empty_batches_work_everywhere(unit_shape):
    code = SparseCode.from_dense(np.empty((0, *unit_shape)))
    assert code.shape == (0, np.prod(unit_shape))
    assert code.to_dense().shape == (0, *unit_shape)
    assert code.to_scipy().shape == code.shape
    assert code.binarize(k=1).n_samples == code[:].n_samples == code[[]].n_samples == 0
    assert list(code) == []


def test_scikit_learn_takes_the_scipy_form():
    code = SparseCode.from_dense(np.eye(4, dtype=np.float32))
    matrix = code.to_scipy()
    assert matrix.indices.dtype == matrix.indptr.dtype == np.int32
    assert np.shares_memory(matrix.indices, code.indices)
    LinearSVC().fit(matrix, [0, 0, 1, 1])
