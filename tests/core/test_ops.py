import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from strategies import code_pairs, codes

from sparsecode.core import (
    SparseCode,
    concatenate_units,
    coordinates,
    difference,
    intersection,
    jaccard,
    overlap,
    reshape,
    symmetric_difference,
    top_k,
    union,
)


def supports(code):
    """Return the set of active units of each sample."""
    return [set(np.flatnonzero(row)) for row in code.to_dense().reshape(code.shape)]


@given(code_pairs())
def test_overlap_counts_shared_units_of_all_pairs(pair):
    a, b = pair
    wanted = [[len(x & y) for y in supports(b)] for x in supports(a)]
    found = overlap(a, b)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, np.reshape(wanted, (len(a), len(b))))
    np.testing.assert_array_equal(found, overlap(b, a).T)
    np.testing.assert_array_equal(np.diag(overlap(a, a)), a.n_active)


@given(code_pairs(same_length=True))
def test_row_by_row_is_the_diagonal_of_all_pairs(pair):
    a, b = pair
    np.testing.assert_array_equal(overlap(a, b, rowwise=True), np.diag(overlap(a, b)))
    np.testing.assert_array_equal(jaccard(a, b, rowwise=True), np.diag(jaccard(a, b)))


@given(code_pairs())
def test_jaccard_is_shared_over_either(pair):
    a, b = pair
    wanted = [
        [len(x & y) / len(x | y) if x | y else np.nan for y in supports(b)] for x in supports(a)
    ]
    np.testing.assert_array_equal(jaccard(a, b), np.reshape(wanted, (len(a), len(b))))


@given(code_pairs(same_length=True))
def test_union_and_intersection_row_by_row(pair):
    a, b = pair
    for operation, on_sets in (
        (union, set.__or__),
        (intersection, set.__and__),
        (difference, set.__sub__),
        (symmetric_difference, set.__xor__),
    ):
        found = operation(a, b)
        assert found.is_binary
        assert found.unit_shape == a.unit_shape
        assert supports(found) == [on_sets(x, y) for x, y in zip(supports(a), supports(b))]
    shared = overlap(a, b, rowwise=True)
    np.testing.assert_array_equal(intersection(a, b).n_active, shared)
    np.testing.assert_array_equal(union(a, b).n_active, a.n_active + b.n_active - shared)


@given(codes())
def test_union_and_intersection_of_a_batch(code):
    assert supports(union(code)) == [set().union(*supports(code))]
    if len(code):
        assert supports(intersection(code)) == [set.intersection(*supports(code))]
    else:
        with pytest.raises(ValueError, match="at least one sample"):
            intersection(code)


@given(codes(), st.data())
def test_top_k_keeps_values_where_binarizing_keeps_units(code, data):
    k = data.draw(st.integers(1, code.n_units))
    kept = top_k(code, k)
    assert kept.binarize() == code.binarize(k=k)
    assert kept.dtype == code.dtype
    chosen = code.binarize(k=k).to_dense()
    np.testing.assert_array_equal(kept.to_dense(), np.where(chosen, code.to_dense(), 0))
    assert top_k(code, code.n_units) == code


def test_top_k_breaks_ties_by_index():
    code = SparseCode.from_dense([[1.0, -2.0, 2.0, 0.0, -2.0]])
    np.testing.assert_array_equal(top_k(code, 2).to_dense(), [[0.0, -2.0, 2.0, 0.0, 0.0]])
    assert top_k(code.binarize(), 3).indices.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="k must be at least 1 and at most 5; got 6"):
        top_k(code, 6)


def test_large_batches_agree_with_scipy_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    a, b = (
        SparseCode.from_scipy(sparse.random_array((n, 500), density=0.03, rng=rng) > 0)
        for n in (300, 170)
    )
    wanted = (a.to_scipy(copy=True).astype(int) @ b.to_scipy().astype(int).T).toarray()
    for n_threads in (None, 1):
        np.testing.assert_array_equal(overlap(a, b, n_threads=n_threads), wanted)


@given(codes(), st.data())
def test_units_keep_their_places_in_another_shape(code, data):
    for axis, places in enumerate(coordinates(code)):
        np.testing.assert_array_equal(places, np.nonzero(code.to_dense())[axis])
    flat = reshape(code, code.n_units)
    np.testing.assert_array_equal(flat.to_dense(), code.to_dense().reshape(code.shape))
    assert reshape(flat, code.unit_shape) == code
    with pytest.raises(ValueError, match=f"must hold the {code.n_units} units of the code"):
        reshape(code, (code.n_units, 2))


@given(codes(), st.data())
def test_units_are_concatenated_along_any_axis(code, data):
    axis = data.draw(st.integers(-len(code.unit_shape), len(code.unit_shape) - 1))
    shape = list(code.unit_shape)
    shape[axis] = data.draw(st.integers(1, 3))
    dtype = None if code.is_binary else code.dtype.type
    other = data.draw(codes(len(code), tuple(shape), code.is_binary, dtype))
    joined = concatenate_units([code, other, code], axis=axis)
    parts = [one.to_dense() for one in (code, other, code)]
    wanted = np.concatenate(parts, axis=axis + 1 if axis >= 0 else axis)
    assert joined == SparseCode.from_dense(wanted)
    assert concatenate_units([code], axis=axis) == code


def test_what_cannot_be_concatenated():
    code = SparseCode.from_indices([[0], [3]], (2, 2))
    with pytest.raises(ValueError, match="at least one SparseCode"):
        concatenate_units([])
    with pytest.raises(ValueError, match="axis must lie between -2 and 1; got 2"):
        concatenate_units([code, code], axis=2)
    for other in (
        code[:1],
        SparseCode.from_dense(np.ones((2, 2, 2))),
        SparseCode.from_indices([[0], [3]], (2, 3)),
        SparseCode.from_indices([[0], [3]], 4),
    ):
        with pytest.raises(ValueError, match="as many samples, one unit_shape but for the axis"):
            concatenate_units([code, other])


@pytest.mark.parametrize(
    "operation", [overlap, jaccard, union, intersection, difference, symmetric_difference]
)
def test_pairs_are_checked(operation):
    code = SparseCode.from_indices([[0], [1]], 4)
    with pytest.raises(ValueError, match=r"share one unit_shape; got \(4,\) and \(2, 2\)"):
        operation(code, SparseCode.from_indices([[0], [1]], (2, 2)))
    with pytest.raises(TypeError, match="must be a SparseCode; got ndarray"):
        operation(code, code.to_dense())
    rowwise = {"rowwise": True} if operation in (overlap, jaccard) else {}
    with pytest.raises(ValueError, match=r"as many samples.*2 and 1"):
        operation(code, code[:1], **rowwise)
