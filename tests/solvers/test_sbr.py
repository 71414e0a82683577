"""Single best replacement: what it promises is checked by refitting every neighbouring support."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecode.core import normalize
from sparsecode.penalties import CEL0, L0, L1
from sparsecode.solvers import cd, certify, encode, ols, sbr


def cost(x, dictionary, support, costs):
    """Return the objective of a support, its coefficients refitted."""
    atoms = dictionary[list(support)]
    z = np.linalg.lstsq(atoms.T, x, rcond=None)[0] if len(support) else np.zeros(0)
    return 0.5 * ((x - z @ atoms) ** 2).sum() + costs[list(support)].sum()


def neighbours(support, n_atoms, n_nonzero, swaps=True):
    """Yield every support one replacement away."""
    idle = [j for j in range(n_atoms) if j not in support]
    for i in support:
        rest = [other for other in support if other != i]
        yield rest
        if swaps:
            yield from ([*rest, j] for j in idle)
    if len(support) < n_nonzero:
        yield from ([*support, j] for j in idle)


def best_gain(x, dictionary, support, costs, n_nonzero, swaps=True):
    """Return by how much the best replacement lowers the objective."""
    here = cost(x, dictionary, support, costs)
    around = neighbours(support, len(dictionary), n_nonzero, swaps)
    return here - min(cost(x, dictionary, other, costs) for other in around)


def supports(result):
    return [list(row.indices) for row in result.code]


@pytest.fixture
def problem():
    rng = np.random.default_rng(3)
    dictionary = rng.standard_normal((24, 10)) * rng.uniform(0.5, 2, (24, 1))
    return rng.standard_normal((30, 10)), dictionary


@pytest.mark.parametrize("swaps", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("penalty", [L0, CEL0])
def test_no_replacement_helps_where_it_ends(problem, penalty, weighted, swaps):
    X, dictionary = problem
    weights = np.linspace(0.5, 2.0, 24) if weighted else None
    result = sbr(X, dictionary, penalty(0.2, weights=weights), swaps=swaps)
    assert result.converged.all()
    assert result.coordinate_stationary.all()
    costs = 0.2 * (np.ones(24) if weights is None else weights)
    gains = [
        best_gain(x, dictionary, support, costs, 10, swaps)
        for x, support in zip(X, supports(result))
    ]
    assert max(gains) <= 1e-12
    objectives = [cost(x, dictionary, s, costs) for x, s in zip(X, supports(result))]
    np.testing.assert_allclose(result.objective, objectives, rtol=1e-10)
    if swaps:
        assert result.swap_stationary.all()


@pytest.mark.parametrize("n_nonzero", [1, 3, 10])
def test_no_replacement_helps_a_code_of_k_atoms(problem, n_nonzero):
    X, dictionary = problem
    result = sbr(X, dictionary, n_nonzero=n_nonzero)
    assert (result.code.n_active <= n_nonzero).all()
    assert result.swap_stationary.all()
    assert result.alpha is None
    for x, support in zip(X, supports(result)):
        gain = best_gain(x, dictionary, support, np.zeros(24), n_nonzero)
        assert gain <= 1e-12
    assert (result.objective <= ols(X, dictionary, n_nonzero=n_nonzero).objective + 1e-12).all()


def test_swaps_lower_the_objective_and_never_raise_it(problem):
    X, dictionary = problem
    plain = sbr(X, dictionary, L0(0.2), swaps=False)
    swapped = sbr(X, dictionary, L0(0.2), init=plain.code)
    assert (swapped.objective <= plain.objective + 1e-12).all()
    assert swapped.objective.mean() < plain.objective.mean()
    assert not plain.swap_stationary.all()
    np.testing.assert_array_equal(plain.swap_stationary, swapped.objective > plain.objective - 1e-9)


def test_the_certificate_agrees_with_refits_of_all_neighbours(problem):
    X, dictionary = problem
    codes = cd(X, dictionary, L0(0.2)).code
    judged = certify(X, dictionary, L0(0.2), codes, swaps=True)
    gains = [
        best_gain(x, dictionary, list(row.indices), np.full(24, 0.2), 10)
        for x, row in zip(X, codes)
    ]
    limits = 1e-6 * 0.5 * (X**2).sum(axis=1)
    np.testing.assert_array_equal(judged.swap_stationary, np.array(gains) <= limits)
    assert judged.swap_stationary.any()
    assert not judged.swap_stationary.all()
    assert certify(X, dictionary, L0(0.2), codes).swap_stationary is None


def test_it_beats_descent_over_single_coordinates(problem):
    X, dictionary = problem
    descended = cd(X, dictionary, L0(0.2), init=encode(X, dictionary, L1(0.4)).code)
    assert sbr(X, dictionary, L0(0.2)).objective.mean() < descended.objective.mean()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dependent_atoms_and_crowded_starts(dtype, problem):
    X, dictionary = problem
    X, dictionary = X.astype(dtype), dictionary.astype(dtype)
    crowded = np.vstack([dictionary, dictionary[:6], dictionary[:6] + dictionary[6:12]])
    start = np.ones((30, 36), dtype)  # more atoms than features
    for init in (None, start):
        result = sbr(X, crowded, n_nonzero=5, init=init)
        assert result.converged.all()
        assert (result.code.n_active <= 5).all()
        assert (result.objective <= 0.5 * (X.astype(float) ** 2).sum(axis=1)).all()


def test_an_exact_fit_ends_it(problem):
    _, dictionary = problem
    X = dictionary[[0, 5]] + 2 * dictionary[[1, 6]]
    result = sbr(X, dictionary, n_nonzero=10)
    np.testing.assert_allclose(result.objective, 0, atol=1e-24)
    assert (result.code.n_active == 2).all()


def test_bad_arguments_get_one_sentence(problem):
    X, dictionary = problem
    with pytest.raises(ValueError, match="either a penalty or n_nonzero; got penalty=None"):
        sbr(X, dictionary)
    with pytest.raises(ValueError, match="either a penalty or n_nonzero"):
        sbr(X, dictionary, L0(0.1), n_nonzero=3)
    with pytest.raises(ValueError, match="belongs to the penalised form"):
        sbr(X, dictionary, n_nonzero=3, alpha_ratio=0.1)
    with pytest.raises(TypeError, match="must be L0 or CEL0 for sbr; got L1"):
        sbr(X, dictionary, L1(0.1))
    with pytest.raises(ValueError, match="got a positive penalty"):
        sbr(X, dictionary, L0(0.1, positive=True))
    with pytest.raises(ValueError, match="norms of CEL0 must be those of the atoms"):
        sbr(X, dictionary, CEL0(0.1, norms=np.ones(24)))
    with pytest.raises(TypeError, match="must be L0 or CEL0"):
        certify(X, dictionary, L1(0.1), np.zeros((30, 24)), swaps=True)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 7)),
    alpha=st.floats(0.01, 1.0),
)
def test_random_problems_end_where_nothing_helps(seed, shape, alpha):
    rng = np.random.default_rng(seed)
    dictionary = normalize(rng.standard_normal(shape) + 1e-3)
    X = rng.standard_normal((3, shape[1]))
    result = sbr(X, dictionary, L0(alpha))
    assert result.converged.all()
    assert result.swap_stationary.all()
    for x, support in zip(X, supports(result)):
        if support:
            gain = best_gain(x, dictionary, support, np.full(shape[0], alpha), min(shape))
            assert gain <= 1e-6 * (1.0 + x @ x)


def worst(result, X):
    """Return the largest objective, in units of what the code 0 has."""
    return (result.objective / (0.5 * (X.astype(float) ** 2).sum(axis=1))).max()


def unit_rows(rng, *shape):
    rows = rng.standard_normal(shape)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.filterwarnings("ignore:.*did not converge")  # to 1e-4 in float32
@pytest.mark.parametrize("seed", range(3))
def test_hundreds_of_replacements_do_not_drift(seed):
    """Supports that come near the number of features, at costs over four orders of magnitude."""
    rng = np.random.default_rng(seed)
    dictionary = unit_rows(rng, 288, 144)
    weights = 10.0 ** rng.uniform(-2, 2, 288)
    X = unit_rows(rng, 10, 144)
    for dtype in (np.float64, np.float32):
        result = sbr(X.astype(dtype), dictionary, L0(1e-8, weights=weights))
        assert worst(result, X) <= 1.0


@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_float32_codes_of_full_supports_never_cost_more_than_none():
    rng = np.random.default_rng(94)
    dictionary = unit_rows(rng, 24, 15)
    X = rng.standard_normal((8, 15)).astype(np.float32)
    for alpha in (1e-2, 1e-4, 1e-6):
        assert worst(sbr(X, dictionary, L0(alpha)), X) <= 1.0


def test_a_code_that_is_not_fitted_is_not_swap_stationary(problem):
    X, dictionary = problem
    good = sbr(X, dictionary, L0(0.2)).code.to_dense()
    assert certify(X, dictionary, L0(0.2), good, swaps=True).swap_stationary.all()
    for bad in (100 * good, 1.001 * good):
        judged = certify(X, dictionary, L0(0.2), bad, swaps=True)
        assert not judged.swap_stationary[good.any(axis=1)].any()


@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_never_more_than_n_nonzero_atoms_even_when_stopped(problem):
    X, dictionary = problem
    result = sbr(X, dictionary, n_nonzero=2, init=np.ones((30, 24)), max_iter=1)
    assert (result.code.n_active <= 2).all()
