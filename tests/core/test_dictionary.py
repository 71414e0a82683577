import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import codes, dictionaries

from sparsecode.core import (
    SparseCode,
    babel,
    coherence,
    gram,
    match,
    normalize,
    reconstruct,
    reconstruct_tiles,
)


def cosines(a, b):
    """Return the cosines of all pairs of rows."""
    return np.array(
        [[x @ y / (np.linalg.norm(x) * np.linalg.norm(y)) for y in b] for x in a], float
    )


@st.composite
def coded(draw):
    """Draw a dictionary with a code over its atoms."""
    code = draw(codes())
    return code, draw(dictionaries(code.n_units))


@pytest.fixture
def frame():
    return np.random.default_rng(0).normal(size=(30, 12))


# --- scale ---------------------------------------------------------------------------------------


@given(coded())
def test_normalizing_keeps_the_reconstruction(pair):
    code, dictionary = pair
    atoms, rescaled = normalize(dictionary, code)
    np.testing.assert_allclose(np.linalg.norm(atoms, axis=1), 1)
    np.testing.assert_array_equal(atoms, normalize(dictionary))
    dense = code.to_dense().reshape(code.shape).astype(float)
    tolerance = 1e-12 if code.dtype != np.float32 else 1e-5
    np.testing.assert_allclose(
        reconstruct(rescaled, atoms), dense @ dictionary, rtol=tolerance, atol=100 * tolerance
    )
    assert rescaled.dtype == (np.float64 if code.is_binary else code.dtype)
    assert rescaled.unit_shape == code.unit_shape
    assert rescaled.binarize() == code.binarize()


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e200, 1e300])
def test_normalizing_atoms_of_extreme_norm(frame, scale):
    np.testing.assert_allclose(normalize(scale * frame), normalize(frame), rtol=1e-12)
    assert coherence(scale * frame) == pytest.approx(coherence(frame))


def test_values_that_overflow_are_refused():
    code = SparseCode.from_dense(np.array([[1e30]], np.float32))
    with pytest.raises(ValueError, match="values must be finite"):
        normalize([[1e30]], code)


def test_dtype_is_kept(frame):
    atoms = normalize(frame.astype(np.float32))
    assert atoms.dtype == gram(atoms).dtype == np.float32
    assert normalize([[3, 4]]).dtype == np.float64


# --- geometry ------------------------------------------------------------------------------------


@given(dictionaries())
def test_gram_holds_inner_products(dictionary):
    wanted = [[x @ y for y in dictionary] for x in dictionary]
    np.testing.assert_allclose(gram(dictionary), wanted, atol=1e-9)


@given(dictionaries())
def test_coherence_is_the_largest_cosine(dictionary):
    off_diagonal = np.abs(cosines(dictionary, dictionary))
    np.fill_diagonal(off_diagonal, 0)
    assert coherence(dictionary) == pytest.approx(off_diagonal.max(), abs=1e-9)
    assert 0 <= coherence(dictionary) <= 1


@given(st.integers(2, 6).flatmap(dictionaries))
def test_babel_by_brute_force(dictionary):
    n = len(dictionary)
    table = np.abs(cosines(dictionary, dictionary))
    wanted = [
        max(
            sum(table[i, list(others)])
            for i in range(n)
            for others in itertools.combinations(set(range(n)) - {i}, r)
        )
        for r in range(1, n)
    ]
    terms = np.arange(1, n)
    found = babel(dictionary, terms)
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    assert found[0] == coherence(dictionary)
    assert (found <= terms * coherence(dictionary) + 1e-12).all()
    assert babel(dictionary, n - 1).shape == ()


@given(coded().filter(lambda pair: len(pair[1]) > 1), st.data())
def test_babel_within_supports(pair, data):
    code, dictionary = pair
    r = data.draw(st.integers(1, len(dictionary) - 1))
    found = babel(dictionary, r, supports=code)
    assert found.shape == (len(code),)
    for row, value in zip(code.to_dense().reshape(code.shape), found):
        used = dictionary[row != 0]
        if len(used) < 2:
            np.testing.assert_equal(value, 0.0 if len(used) else np.nan)
        else:
            assert value == pytest.approx(babel(used, min(r, len(used) - 1)), abs=1e-12)
            assert value <= babel(dictionary, r) + 1e-12
    several = babel(dictionary, [r, 1], supports=code)
    np.testing.assert_array_equal(several[:, 0], found)


def test_geometry_of_known_frames():
    assert coherence(np.eye(5)) == 0
    assert coherence([[1.0, 2.0]]) == 0
    assert coherence(np.float32([[1, 1], [1, 1], [0, 1]])) == pytest.approx(1)
    angles = np.arange(3) * 2 * np.pi / 3
    star = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # each pair at cosine -1/2
    np.testing.assert_allclose(babel(star, [1, 2]), [0.5, 1.0])


def test_geometry_of_many_atoms_needs_no_whole_gram(monkeypatch, frame):
    from sparsecode.core import dictionary as module

    whole = babel(frame, [1, 5, 29]), match(frame, frame[::-1], method="max")
    monkeypatch.setattr(module, "_BLOCK", 70)  # two rows at a time
    np.testing.assert_allclose(babel(frame, [1, 5, 29]), whole[0], rtol=1e-12)
    tiled = match(frame, frame[::-1], method="max")
    np.testing.assert_array_equal(tiled.columns, whole[1].columns)


# --- matching ------------------------------------------------------------------------------------


@given(dictionaries(3, 4), st.integers(1, 5).flatmap(lambda n: dictionaries(n, 4)), st.booleans())
def test_matching_by_brute_force(a, b, signed):
    table = cosines(a, b) if signed else np.abs(cosines(a, b))
    best = match(a, b, method="max", signed=signed)
    np.testing.assert_allclose(best.cosines, table.max(axis=1), atol=1e-9)
    assert best.score == pytest.approx(table.max(axis=1).mean(), abs=1e-9)
    paired = match(a, b, signed=signed)
    n_pairs = min(len(a), len(b))
    assert len(set(paired.rows)) == len(set(paired.columns)) == n_pairs
    np.testing.assert_allclose(table[paired.rows, paired.columns], paired.cosines, atol=1e-9)
    wanted = max(
        sum(table[i, j] for i, j in zip(rows, columns))
        for rows in itertools.combinations(range(len(a)), n_pairs)
        for columns in itertools.permutations(range(len(b)), n_pairs)
    )
    assert paired.cosines.sum() == pytest.approx(wanted, abs=1e-9)
    if len(b) >= len(a):
        assert best.score >= paired.score - 1e-12


def test_a_shuffled_rescaled_dictionary_is_found(frame):
    rng = np.random.default_rng(1)
    order = rng.permutation(len(frame))
    scale = rng.uniform(0.1, 10, len(frame))[:, None]
    for method in ("hungarian", "max"):
        found = match(frame, (scale * frame)[order], method=method)
        np.testing.assert_array_equal(order[found.columns], np.arange(len(frame)))
        assert found.score == pytest.approx(1)
        flipped = match(frame, -(scale * frame)[order], method=method, signed=False)
        np.testing.assert_array_equal(flipped.columns, found.columns)
        assert match(frame, -(scale * frame)[order], method=method).score < 0.9


def test_max_is_asymmetric_and_many_to_one():
    a, b = np.eye(3), np.eye(3)[:1]
    assert match(b, a, method="max").score == 1
    assert match(a, b, method="max").score == pytest.approx(1 / 3)
    np.testing.assert_array_equal(match(a, b, method="max").columns, [0, 0, 0])
    assert match(a, b).score == 1


# --- reconstruction ------------------------------------------------------------------------------


@given(coded(), st.integers(1, 7))
def test_reconstruction_is_the_dense_product(pair, tile):
    code, dictionary = pair
    wanted = code.to_dense().reshape(code.shape).astype(float) @ dictionary
    np.testing.assert_allclose(reconstruct(code, dictionary), wanted, atol=1e-9)
    out = np.full(wanted.shape, np.nan)
    assert reconstruct(code, dictionary, out=out) is out
    np.testing.assert_allclose(out, wanted, atol=1e-9)
    seen = np.zeros(len(code), int)
    for samples, block in reconstruct_tiles(code, dictionary, tile=tile):
        np.testing.assert_allclose(block, wanted[samples], atol=1e-9)
        assert len(block) <= tile
        seen[samples] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize(
    ("code_dtype", "dictionary_dtype", "wanted"),
    [
        (np.float32, np.float32, np.float32),
        (np.float32, np.float64, np.float64),
        (np.float64, np.float32, np.float64),
        (bool, np.float32, np.float32),
        (bool, np.float64, np.float64),
    ],
)
def test_precision_of_the_reconstruction(code_dtype, dictionary_dtype, wanted):
    code = SparseCode.from_dense(np.eye(3, dtype=code_dtype))
    assert reconstruct(code, np.ones((3, 2), dictionary_dtype)).dtype == wanted


def test_a_large_code_is_never_made_dense():
    n_units = 20_000
    code = SparseCode.from_indices([[i] for i in range(5000)], n_units)  # 800 MB if dense
    dictionary = np.ones((n_units, 2))
    tracemalloc.start()
    try:
        reconstruct(code, dictionary)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20e6


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        normalize,
        gram,
        coherence,
        lambda D: babel(D, 1),
        lambda D: match(D, np.eye(2)),
        lambda D: match(np.eye(2), D),
        lambda D: reconstruct(SparseCode.from_indices([[0]], len(D)), D),
        lambda D: next(reconstruct_tiles(SparseCode.from_indices([[0]], len(D)), D)),
    ],
)
@pytest.mark.parametrize(
    ("dictionary", "message"),
    [
        (np.zeros((2, 2)), "norm 0"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), "finite"),
        (np.ones((3,)), "must have shape"),
    ],
)
def test_bad_dictionaries_are_refused(function, dictionary, message):
    with pytest.raises(ValueError, match=message):
        function(dictionary)


def test_bad_arguments_are_refused(frame):
    code = SparseCode.from_indices([[0]], 29)
    for function in (reconstruct, lambda c, D: next(reconstruct_tiles(c, D))):
        with pytest.raises(ValueError, match="code must have 30 units, the dictionary's n_atoms"):
            function(code, frame)
        with pytest.raises(TypeError, match="code must be a SparseCode; got ndarray"):
            function(np.ones((1, 30)), frame)
    with pytest.raises(ValueError, match="code must have 30 units"):
        normalize(frame, code)
    with pytest.raises(ValueError, match="code must have 30 units"):
        babel(frame, 1, supports=code)
    with pytest.raises(ValueError, match=r"out must have shape \(1, 12\).*got \(2, 12\)"):
        reconstruct(SparseCode.from_indices([[0]], 30), frame, out=np.empty((2, 12)))
    with pytest.raises(ValueError, match="tile must be at least 1"):
        next(reconstruct_tiles(code, frame, tile=0))
    for n_terms in (0, 30, [1, 30]):
        with pytest.raises(ValueError, match="n_terms must lie between 1 and 29"):
            babel(frame, n_terms)
    with pytest.raises(TypeError, match="n_terms must hold integers"):
        babel(frame, 1.5)
    with pytest.raises(ValueError, match="at least two atoms"):
        babel([[1.0]], 1)
    with pytest.raises(ValueError, match="method must be one of 'hungarian', 'max'; got 'greedy'"):
        match(frame, frame, method="greedy")
    with pytest.raises(ValueError, match="as many features; got 12 and 11"):
        match(frame, frame[:, 1:])
