"""What holds for every solver whatever the data: scale, order, precision, one warning a call.

Other invariants stand beside what they are about: certificates and supports in ``tests/common``,
minimisers of l0 and CEL0 in ``tests/reference``, the explicit matrix of a convolution in
``tests/convolutional``, saved and read back beside every class that is saved.
"""

import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from strategies import code_pairs

import memory
from sparsecode import convolutional, learning, solvers
from sparsecode.core import intersection, normalize, overlap, union
from sparsecode.estimators import ConvDictionaryLearner, DictionaryLearner, SparseEncoder
from sparsecode.penalties import CEL0, L0, L1, ElasticNet

#: For every solver a penalty, how its alpha follows a doubling of the samples, and options.
CALLS = {
    "branch_and_bound": (None, {"n_nonzero": 2}),
    "cd": (L1(0.3), {}),
    "cel0_macro": (CEL0(0.05), {}),
    "feature_sign": (ElasticNet(0.3, 1.0), {}),
    "fista": (L1(0.3), {}),
    "homotopy": (L1(0.3), {}),
    "htp": (None, {"n_nonzero": 2}),
    "iht": (L0(0.05), {}),
    "irl1": (CEL0(0.05), {}),
    "ista": (L1(0.3), {}),
    "lca": (L0(0.05), {}),
    "mp": (None, {"n_nonzero": 2}),
    "ols": (None, {"n_nonzero": 2}),
    "omp": (None, {"n_nonzero": 2}),
    "sbr": (None, {"n_nonzero": 2}),
}
CONVEX = ("cd", "feature_sign", "fista", "homotopy", "ista")
EVERY = pytest.mark.parametrize("name", sorted(CALLS))
few = settings(max_examples=6)
seeds = st.integers(0, 2**31)


def problem(seed, n_samples=5, n_atoms=9, n_features=7):
    rng = np.random.default_rng(seed)
    atoms = normalize(rng.standard_normal((n_atoms, n_features)))
    return rng.standard_normal((n_samples, n_features)), atoms


def run(name, X, atoms, *, scale=1.0, **changes):
    penalty, options = CALLS[name]
    arguments = ()
    if penalty is not None:
        power = 1 if isinstance(penalty, L1 | ElasticNet) else 2
        arguments = (penalty._replace(alpha=penalty.alpha * scale**power),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return solvers.get(name)(X, atoms, *arguments, **{**options, **changes})


def test_every_registered_solver_is_here():
    assert set(CALLS) == set(solvers.registered())


@EVERY
@few
@given(seed=seeds)
def test_codes_scale_with_the_samples(name, seed):
    """By 4 to the bit: powers of two round nothing. An l1 weight scales too, an l0 weight twice."""
    X, atoms = problem(seed)
    one, other = run(name, X, atoms), run(name, 4 * X, atoms, scale=4.0)
    np.testing.assert_array_equal(other.code.to_dense(), 4 * one.code.to_dense())
    np.testing.assert_allclose(other.objective, 16 * one.objective, rtol=1e-12)


@EVERY
@few
@given(seed=seeds)
def test_the_order_of_samples_means_nothing(name, seed):
    X, atoms = problem(seed)
    order = np.random.default_rng(seed).permutation(len(X))
    one, other = run(name, X, atoms), run(name, X[order], atoms)
    assert other.code == one.code[order]
    np.testing.assert_array_equal(other.n_iter, one.n_iter[order])


@pytest.mark.parametrize("name", [*CONVEX, "branch_and_bound", "mp", "ols", "omp"])
@few
@given(seed=seeds)
def test_the_order_and_the_signs_of_atoms_mean_nothing(name, seed):
    """Where the answer is unique; a descent on l0 may end elsewhere when atoms change places."""
    X, atoms = problem(seed)
    rng = np.random.default_rng(seed)
    order, signs = rng.permutation(len(atoms)), rng.choice([-1.0, 1.0], len(atoms))
    changes = {} if name == "mp" else {"tol": 1e-10}
    one = run(name, X, atoms, **changes).code.to_dense()
    other = run(name, X, signs[:, None] * atoms[order], **changes).code.to_dense()
    np.testing.assert_allclose(other * signs, one[:, order], atol=1e-4)


@EVERY
@few
@given(seed=seeds)
def test_certificates_are_never_negative(name, seed):
    X, atoms = problem(seed)
    for max_iter in (1, 3, None):
        if max_iter and name in ("branch_and_bound", "mp", "ols", "omp"):
            continue
        result = run(name, X, atoms, **({"max_iter": max_iter} if max_iter else {}))
        assert (result.certificate >= 0).all()
        silent = 0.5 * (X**2).sum(axis=1)
        if name not in ("lca", "fista"):  # the two that may overshoot on their way
            assert (result.objective <= silent * (1 + 1e-12)).all()


@pytest.mark.parametrize("name", ["cd", "cel0_macro", "feature_sign", "iht", "irl1", "ista"])
@few
@given(seed=seeds)
def test_no_start_is_left_upwards(name, seed):
    X, atoms = problem(seed)
    before, code = 0.5 * (X**2).sum(axis=1), None
    for max_iter in (1, 1, 2, 5, 100):
        result = run(name, X, atoms, max_iter=max_iter, init=code)
        assert (result.objective <= before * (1 + 1e-12) + 1e-12).all()
        before, code = result.objective, result.code


@EVERY
def test_float32_codes_are_those_of_float64(name):
    """Objectives to 2e-5 of a sample's energy, the certificate's tolerance of float32 included."""
    X, atoms = problem(3, n_samples=40)
    single = run(name, X.astype(np.float32), atoms.astype(np.float32))
    double = run(name, X.astype(np.float32).astype(np.float64),
                 atoms.astype(np.float32).astype(np.float64))  # fmt: skip
    energy = 0.5 * (X**2).sum(axis=1)
    apart = np.abs(single.objective - double.objective) / energy
    # a descent on l0 may take another turn at a near tie, which is rare
    n_turns = 0 if name in CONVEX or CALLS[name][0] is None else 2
    assert np.count_nonzero(apart > (1e-4 if name in CONVEX else 2e-5)) <= n_turns


CONV = {
    "admm": partial(convolutional.admm, penalty=L1(0.3)),
    "fista": partial(convolutional.fista, penalty=L1(0.3)),
    "greedy_cd": partial(convolutional.greedy_cd, penalty=L1(0.3)),
    "interior_point": partial(convolutional.interior_point, penalty=L1(0.3)),
    "mp": partial(convolutional.mp, n_nonzero=3),
}


def signals(seed=0):
    rng = np.random.default_rng(seed)
    kernels = rng.standard_normal((3, 1, 4))
    kernels /= np.sqrt((kernels**2).sum(axis=2, keepdims=True))
    return rng.standard_normal((3, 1, 20)), kernels


@pytest.mark.parametrize("name", CONV)
def test_convolutional_codes_in_both_precisions_and_on_two_threads(name):
    X, kernels = signals()
    one = CONV[name](X, kernels, n_threads=1)
    assert CONV[name](X, kernels, n_threads=2).code == one.code
    single = CONV[name](X.astype(np.float32), kernels.astype(np.float32))
    assert single.code.dtype == np.float32
    energy = 0.5 * (X**2).sum(axis=(1, 2))
    np.testing.assert_allclose(single.objective / energy, one.objective / energy, atol=1e-4)
    shifted = CONV[name](np.roll(X, 5, axis=2), kernels, n_threads=1)
    np.testing.assert_allclose(shifted.objective, one.objective, rtol=1e-3)


def test_learners_in_both_precisions_and_on_two_threads():
    X, _ = problem(5, n_samples=60)
    learn = partial(learning.online, penalty=L1(0.2), batch_size=20, n_batches=6, rng=0)
    one = learn(X, 6, n_threads=1).dictionary
    np.testing.assert_array_equal(learn(X, 6, n_threads=2).dictionary, one)
    single = learn(X.astype(np.float32), one.astype(np.float32)).dictionary
    double = learn(X.astype(np.float32).astype(float), one.astype(np.float32).astype(float))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double.dictionary, atol=2e-3)


def test_memories_on_two_threads():
    rng = np.random.default_rng(0)
    patterns = rng.random((30, 60)) < 0.1
    cues = patterns ^ (rng.random(patterns.shape) < 0.05)
    for made in (memory.Willshaw(n_winners=6), memory.DenseMemory(), memory.NearestPattern()):
        made.store(patterns)
        one, two = made.recall(cues, n_threads=1), made.recall(cues, n_threads=2)
        assert one.code == two.code
        np.testing.assert_array_equal(one.familiarity, two.familiarity)


@few
@given(pair=code_pairs(same_length=True))
def test_overlaps_lie_between_their_bounds(pair):
    a, b = pair
    n_units = int(np.prod(a.unit_shape))
    shared = overlap(a, b)
    n_a, n_b = a.n_active[:, None], b.n_active[None, :]
    assert (shared <= np.minimum(n_a, n_b)).all()
    assert (shared >= np.maximum(0, n_a + n_b - n_units)).all()
    together, both = union(a, b).n_active, intersection(a, b).n_active
    np.testing.assert_array_equal(together + both, a.n_active + b.n_active)
    np.testing.assert_array_equal(overlap(b, a), shared.T)


# --- one warning a call ---------------------------------------------------------------------------


def warnings_of(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [one for one in caught if issubclass(one.category, ConvergenceWarning)]


@pytest.mark.parametrize(
    "name", sorted(set(CALLS) - {"branch_and_bound", "mp", "ols", "omp", "htp"})
)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_one_warning_for_many_tiles(name, n_threads):
    X, atoms = problem(0, n_samples=300)
    penalty, options = CALLS[name]
    arguments = () if penalty is None else (penalty,)
    call = partial(solvers.get(name), X, atoms, *arguments, **options)
    (one,) = warnings_of(partial(call, max_iter=1, tol=1e-14, n_threads=n_threads))
    assert "of 300 samples did not converge" in str(one.message)
    assert one.filename.endswith(("test_invariants.py", "functools.py"))


@pytest.mark.parametrize("name", sorted(set(CONV) - {"mp"}))
def test_one_warning_for_many_signals(name):
    X, kernels = signals()
    changes = {"max_iter": 1, "tol": 1e-14, "n_threads": 2}
    (one,) = warnings_of(partial(CONV[name], X, kernels, **changes))
    assert "3 of 3 samples did not converge" in str(one.message)


def test_one_warning_from_estimators():
    X, atoms = problem(0, n_samples=300)
    hurried = {"max_iter": 1, "tol": 1e-14}
    encoder = SparseEncoder(atoms, penalty=L1(0.1), solver="cd", solver_options=hurried)
    learner = DictionaryLearner(
        9, penalty=L1(0.1), solver="cd", solver_options=hurried, n_epochs=2, batch_size=50,
        random_state=0,
    )  # fmt: skip
    conv = ConvDictionaryLearner(
        2, 3, penalty=L1(0.1), solver_options=hurried, n_epochs=2, random_state=0
    )
    Y, _ = signals()
    calls = [
        lambda: encoder.fit(X).transform(X), lambda: encoder.encode(X), lambda: learner.fit(X),
        lambda: learner.partial_fit(X), lambda: learner.transform(X), lambda: conv.fit(Y),
        lambda: conv.partial_fit(Y), lambda: conv.transform(Y),
    ]  # fmt: skip
    assert [len(warnings_of(call)) for call in calls] == [1] * len(calls)
