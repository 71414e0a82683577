"""The rules of MOD, K-SVD and online learning, beside slow twins that follow the formulas."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sparsecode.core import SparseCode, normalize
from sparsecode.datasets import planted_codes
from sparsecode.learning import ksvd, mod, online
from sparsecode.learning._atoms import project
from sparsecode.learning._rule import Coded
from sparsecode.learning.ksvd import KSVDRule
from sparsecode.learning.mod import ModRule
from sparsecode.learning.online import BLOCK, OnlineRule
from sparsecode.penalties import L0, L1, PaperCEL0, check_penalty, prox, value
from sparsecode.solvers import cd, encode, ista, omp

N_ATOMS, N_FEATURES = 40, 12
CONSTRAINTS = (None, "positive", "mean_free")


@pytest.fixture(scope="module")
def batches():
    planted = planted_codes(300, n_atoms=N_ATOMS, n_features=N_FEATURES, n_active=3, rng=3)
    return planted.X.reshape(3, 100, N_FEATURES)


@pytest.fixture(scope="module")
def atoms():
    return normalize(np.random.default_rng(8).normal(size=(N_ATOMS, N_FEATURES)))


def constrained(atom, constraint):
    if constraint == "positive":
        atom = np.maximum(atom, 0.0)
    if constraint == "mean_free":
        atom = atom - atom.mean()
    return atom / np.linalg.norm(atom)


def coded(X, D, penalty):
    result = encode(X, D, penalty)
    codes = result.code.to_scipy(copy=True)
    return Coded(X, codes, X - codes @ D, result.alpha)


def started(rule, shape, constraint=None, penalty=None, dtype=float):
    if penalty is not None:
        penalty = check_penalty(penalty, np.ones(shape[0]))
    rule.start(shape, np.dtype(dtype), constraint, penalty)
    return rule


# MOD


def test_mod_solves_the_normal_equations(batches, atoms):
    X = batches[0]
    Z = encode(X, atoms, L1(0.1)).code.to_dense()
    assert Z.any(axis=0).all()
    ridge = 1e-3 * (Z**2).sum(axis=0).max()
    expected = np.linalg.inv(Z.T @ Z + ridge * np.eye(N_ATOMS)) @ Z.T @ X
    result = mod(X, atoms, L1(0.1), ridge=1e-3, n_batches=1)
    np.testing.assert_allclose(result.dictionary, normalize(expected), atol=1e-9)


def test_mod_leaves_atoms_that_are_not_used(batches, atoms):
    X = batches[0][:2]
    used = encode(X, atoms, L1(0.1)).code.n_active.sum()
    assert used < N_ATOMS
    result = mod([X], atoms, L1(0.1), dead_after=None)
    moved = ~np.isclose(result.dictionary, atoms).all(axis=1)
    Z = encode(X, atoms, L1(0.1)).code.to_dense()
    assert np.all(moved <= Z.any(axis=0))
    assert moved.any()


def test_mod_fits_better_than_any_other_atoms(batches, atoms):
    batch = coded(batches[0], atoms, L1(0.1))
    best = ModRule(1e-12).update(0, atoms, batch)
    error = np.linalg.norm(batch.X - batch.codes @ best)
    rng = np.random.default_rng(0)
    for size in (1e-1, 1e-3):
        rival = best + size * rng.normal(size=best.shape)
        assert error < np.linalg.norm(batch.X - batch.codes @ rival)


# K-SVD


def ksvd_by_formula(X, D, Z, penalty, constraint):
    D, Z = D.copy(), Z.copy()
    for j in range(len(D)):
        used = Z[:, j] != 0
        if used.any():
            E = X[used] - Z[used] @ D + np.outer(Z[used, j], D[j])
            D[j] = constrained(E.T @ Z[used, j], constraint)
            Z[used, j] = E @ D[j]
            if penalty is not None:
                Z[used, j] = [prox(penalty, g, 1.0, j) for g in Z[used, j]]
    return D, Z


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("penalty", [None, L1(0.1), L1(0.1, positive=True), L0(0.05)], ids=str)
def test_ksvd_follows_the_formula(batches, atoms, penalty, constraint):
    start, _ = project(atoms, constraint)
    batch = coded(batches[0], start, L1(0.1) if penalty is None else penalty)
    D, Z = ksvd_by_formula(batch.X, start, batch.codes.toarray(), penalty, constraint)
    rule = started(KSVDRule(), atoms.shape, constraint, penalty)
    moved = rule.update(0, start, batch)
    np.testing.assert_allclose(moved, D, atol=1e-10)
    np.testing.assert_allclose(batch.codes.toarray(), Z, atol=1e-10)
    np.testing.assert_allclose(batch.residuals, batch.X - Z @ D, atol=1e-10)


@pytest.mark.parametrize("penalty", [None, L1(0.1), L0(0.05)], ids=str)
def test_a_sweep_of_ksvd_never_raises_the_objective(batches, atoms, penalty):
    def objective(X, D, Z):
        price = 0.0 if penalty is None else sum(value(penalty, z, 0) for z in Z[Z != 0])
        return 0.5 * np.sum((X - Z @ D) ** 2) + price

    batch = coded(batches[0], atoms, L1(0.1) if penalty is None else penalty)
    rule = started(KSVDRule(), atoms.shape, None, penalty)
    before = [objective(batch.X, atoms, batch.codes.toarray())]
    D = atoms
    for step in range(5):
        D = rule.update(step, D, batch)
        before.append(objective(batch.X, D, batch.codes.toarray()))
    assert np.all(np.diff(before) < 1e-10)
    assert before[-1] < 0.98 * before[0]


def test_ksvd_refuses_an_operator_that_silences_every_atom(batches):
    with pytest.raises(TypeError, match="PaperCEL0 returns 0 for every unit atom; use CEL0"):
        ksvd(batches[0], 8, PaperCEL0(0.1), solver=ista)


def test_ksvd_weighs_each_sample_by_its_own_alpha(batches, atoms):
    X = batches[0]
    result = encode(X, atoms, "l1", alpha_ratio=0.3)
    D, Z = atoms.copy(), result.code.to_dense()
    for j in range(N_ATOMS):
        used = Z[:, j] != 0
        E = X[used] - Z[used] @ D + np.outer(Z[used, j], D[j])
        D[j] = constrained(E.T @ Z[used, j], None)
        fit = E @ D[j]
        Z[used, j] = np.sign(fit) * np.maximum(np.abs(fit) - result.alpha[used], 0)
    learned = ksvd(X, atoms, "l1", alpha_ratio=0.3, n_batches=1, dead_after=None)
    np.testing.assert_allclose(learned.dictionary, D, atol=1e-10)


def test_ksvd_comes_to_the_leading_singular_pair(batches):
    X = batches[0]
    batch = Coded(X, SparseCode.from_dense(np.ones((100, 1))).to_scipy(copy=True), X * 1.0, None)
    D = np.zeros((1, N_FEATURES))
    D[0, 0] = 1.0
    batch.residuals[:] = X - batch.codes @ D
    rule = started(KSVDRule(), D.shape)
    for step in range(300):
        D = rule.update(step, D, batch)
    _, singular, right = np.linalg.svd(X)
    assert abs(D[0] @ right[0]) > 1 - 1e-9
    np.testing.assert_allclose(np.linalg.norm(batch.codes.data), singular[0], rtol=1e-9)


def test_warm_ksvd_starts_from_the_codes_of_its_sweep(batches, atoms):
    starts = []

    def spy(X, dictionary, penalty, *, init=None):
        starts.append(init)
        return encode(X, dictionary, penalty, init=init)

    X = batches[0]
    ksvd(X, atoms, L1(0.1), solver=spy, warm_start=True, n_batches=2, dead_after=None)
    _, Z = ksvd_by_formula(X, atoms, encode(X, atoms, L1(0.1)).code.to_dense(), L1(0.1), None)
    assert starts[0].nnz == 0
    np.testing.assert_allclose(starts[1].to_dense(), Z, atol=1e-10)


# Online


def online_by_formula(batches, D, penalty, rho, constraint, n_sweeps):
    A, B = np.zeros((len(D), len(D))), np.zeros(D.shape)
    n = 0
    for X in batches:
        Z = encode(X, D, penalty).code.to_dense()
        n += len(X)
        beta = (1 - len(X) / n) ** rho
        A, B = beta * A + Z.T @ Z, beta * B + Z.T @ X
        D = swept(A, B, D, constraint, n_sweeps)
    return D


def swept(A, B, D, constraint, n_sweeps):
    D = D.copy()
    for _ in range(n_sweeps):
        for j in np.flatnonzero(A.diagonal() > 0):
            D[j] = constrained(D[j] + (B[j] - A[j] @ D) / A[j, j], constraint)
    return D


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize(("rho", "n_sweeps"), [(0.0, 1), (2.0, 3)])
def test_online_follows_the_formula(batches, atoms, rho, n_sweeps, constraint):
    uneven = [batches[0], batches[1][:30], batches[2]]
    start, _ = project(atoms, constraint)
    result = online(
        uneven, start, L1(0.1), forgetting=rho, n_sweeps=n_sweeps, dead_after=None,
        constraint=constraint, solver=partial(cd, tol=1e-9),
    )  # fmt: skip
    expected = online_by_formula(uneven, start, L1(0.1), rho, constraint, n_sweeps)
    np.testing.assert_allclose(result.dictionary, expected, atol=1e-4)
    assert np.abs(expected - start).max() > 0.1


def test_online_ends_where_no_atom_alone_can_lower_the_surrogate(batches, atoms):
    rule = started(OnlineRule(n_sweeps=500), atoms.shape)
    batch = coded(batches[0], atoms, L1(0.1))
    D = rule.update(0, atoms, batch)
    A, B = rule.second_moment, rule.cross_moment
    best = normalize(np.diag(A)[:, None] * D + B - A @ D)
    np.testing.assert_allclose(D, best, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_statistics_are_sums_that_fade(batches, atoms, dtype):
    rule = started(OnlineRule(forgetting=3.0), atoms.shape, dtype=dtype)
    D, A, B = atoms.astype(dtype), 0.0, 0.0
    uneven = [batches[0], batches[1][:30]]
    for X, kept in zip(uneven, (0.0, (100 / 130) ** 3)):
        batch = coded(X.astype(dtype), D, L1(0.1))
        D = rule.update(0, D, batch)
        Z = batch.codes.toarray().astype(float)
        A, B = kept * A + Z.T @ Z, kept * B + Z.T @ X
    assert rule.second_moment.dtype == rule.cross_moment.dtype == dtype
    rtol = 50 * np.finfo(dtype).eps
    np.testing.assert_allclose(rule.second_moment, A, rtol=rtol, atol=rtol * A.max())
    np.testing.assert_allclose(rule.cross_moment, B, rtol=rtol, atol=rtol * np.abs(B).max())
    np.testing.assert_array_equal(rule.second_moment, rule.second_moment.T)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_online_follows_couplings_beyond_a_block(constraint):
    rng = np.random.default_rng(4)
    n_atoms, n_features = 2 * BLOCK + 5, 21
    D, _ = project(rng.normal(size=(n_atoms, n_features)), constraint)
    Z, unused = rng.normal(size=(400, n_atoms)) * (rng.random((400, n_atoms)) < 0.1), [3, BLOCK + 1]
    Z[:, unused] = 0.0
    X = rng.normal(size=(400, n_features))
    rule = started(OnlineRule(n_sweeps=2), D.shape, constraint)
    found = rule.update(0, D, Coded(X, sparse.csr_array(Z), X - Z @ D, None))
    expected = swept(Z.T @ Z, Z.T @ X, D, constraint, 2)
    np.testing.assert_allclose(found, expected, atol=1e-10)
    np.testing.assert_array_equal(found[unused], D[unused])


def test_an_atom_replaced_takes_its_statistics_with_it(batches, atoms):
    rule = started(OnlineRule(), atoms.shape)
    rule.update(0, atoms, coded(batches[0], atoms, L1(0.1)))
    kept = rule.second_moment[1:, 1:].copy()
    rule.forget(np.array([0]))
    assert not rule.second_moment[0].any()
    assert not rule.second_moment[:, 0].any()
    assert not rule.cross_moment[0].any()
    np.testing.assert_array_equal(rule.second_moment[1:, 1:], kept)


@pytest.mark.parametrize("learn", [mod, ksvd, online])
def test_single_precision_is_kept_and_near(batches, atoms, learn):
    run = partial(learn, dictionary=atoms, penalty=L1(0.1), n_batches=2, dead_after=None)
    single = run(batches[0].astype(np.float32)).dictionary
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, run(batches[0]).dictionary, atol=2e-2)


def test_pursuits_learn_too(batches):
    for learn in (mod, ksvd, online):
        result = learn(batches[0], 8, None, solver=partial(omp, n_nonzero=2), n_batches=10, rng=0)
        assert result.history["objective"][-1] < 0.9 * result.history["objective"][0]


@pytest.mark.parametrize(
    ("learn", "changes", "said"),
    [
        (mod, {"ridge": 0.0}, "ridge must be finite and above 0; got 0.0"),
        (online, {"forgetting": -1.0}, "forgetting must be finite and above 0; got -1.0"),
        (online, {"n_sweeps": 0}, "n_sweeps must be at least 1; got 0"),
    ],
)
def test_bad_numbers(learn, changes, said):
    with pytest.raises(ValueError, match=said):
        learn(np.ones((4, 3)), 2, L1(0.1), **changes)


# The projection


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@given(
    atom=st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=6),
    rival=st.lists(st.floats(-1, 1), min_size=6, max_size=6),
)
def test_the_projection_is_the_nearest_of_norm_1(constraint, atom, rival):
    atom = np.array(atom)
    unit, norms = project(atom[None], constraint)
    if norms[0] == 0:
        assert not unit.any()
        return
    np.testing.assert_allclose(np.linalg.norm(unit), 1.0)
    np.testing.assert_allclose(atom @ unit[0], norms[0], rtol=1e-6)
    rival = np.array(rival)[: atom.size]
    if constraint == "positive":
        rival = np.abs(rival)
        assert unit.min() >= 0
    if constraint == "mean_free":
        rival = rival - rival.mean()
        assert abs(unit.sum()) < 1e-6
    if np.linalg.norm(rival) > 1e-9:  # of two atoms of norm 1, the one that correlates more
        rival /= np.linalg.norm(rival)
        assert atom @ unit[0] >= atom @ rival - 1e-6 * np.linalg.norm(atom)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize(
    ("dtype", "sizes"),
    [(np.float32, (1e-42, 1e-25, 1.0, 1e25)), (np.float64, (1e-310, 1e-200, 1.0, 1e200))],
)
def test_the_projection_knows_no_scale(constraint, dtype, sizes):
    atoms = np.random.default_rng(0).normal(size=(5, 37))
    expected = np.array([constrained(atom, constraint) for atom in atoms])
    for size in sizes:
        given = (size * atoms).astype(dtype)
        unit, norms = project(given, constraint)
        rounding = 1e-2 if size < np.finfo(dtype).tiny else 1e-5
        np.testing.assert_allclose(unit, expected, atol=rounding)
        np.testing.assert_allclose(norms / size, (atoms * expected).sum(axis=1), rtol=rounding)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_nothing_is_left_of_some_atoms(constraint):
    unit, norms = project(np.array([[0.0, 0.0, 0.0], [0.1, 0.1, 0.1], [-1, -1, -1]]), constraint)
    lost = {None: [0], "positive": [0, 2], "mean_free": [0, 1, 2]}[constraint]
    np.testing.assert_array_equal(np.flatnonzero(norms == 0), lost)
    np.testing.assert_array_equal(np.flatnonzero(~unit.any(axis=1)), lost)
