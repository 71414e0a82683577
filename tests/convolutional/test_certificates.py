"""What `ConvProblem` proves of any code is what plain solvers prove on the explicit dictionary."""

import numpy as np
import pytest

from sparsecode import solvers
from sparsecode.convolutional import correlate
from sparsecode.convolutional._problem import ConvProblem
from sparsecode.penalties import CEL0, L0, L1, MCP, ElasticNet

BOUNDARIES = "circular", "zero", "valid"
#: All with weights, so that no kernel is compiled twice.
ATOM_WEIGHTS = np.array([0.5, 1.0, 3.0])
PENALTIES = [
    penalty._replace(weights=ATOM_WEIGHTS)
    for penalty in (
        L1(0.7), L1(0.7, positive=True), ElasticNet(0.7, l1_ratio=0.4), L0(0.4), CEL0(0.4),
        MCP(0.5, beta=9.0),
    )
]  # fmt: skip
NAMES = ["l1", "positive l1", "elastic net", "l0", "CEL0", "MCP"]
L1_AND_L0 = [PENALTIES[0], PENALTIES[3]]


def certified(problem, code):
    """Return what the driver says of given codes."""
    given = iter(range(len(problem.X)))

    def keep(sample):
        one = code[next(given)]
        units = np.flatnonzero(one)
        sample.keep(units, one.ravel()[units], 1)

    problem.n_threads = 1
    everything = lambda certificate, objective: np.ones(len(objective), bool)  # noqa: E731
    return problem.solve(keep, met=everything)


def case(boundary, penalty, n_axes=2):
    """Return signals, atoms, weights of places and codes that are far from any optimum."""
    rng = np.random.default_rng(BOUNDARIES.index(boundary))
    shape, kernel = ((5, 6), (2, 3)) if n_axes == 2 else ((9,), (4,))
    X, dictionary = rng.standard_normal((3, 2, *shape)), rng.standard_normal((3, 2, *kernel))
    maps = correlate(X, dictionary, boundary=boundary).shape[1:]
    codes = rng.standard_normal((3, *maps)) * (rng.random((3, *maps)) < 0.2) / 4
    codes[0] = 0.0
    return X, dictionary, rng.uniform(0.5, 2.0, maps), abs(codes) if penalty.positive else codes


def flattened(penalty, weights):
    """Return the penalty of the explicit problem: each unit has an atom's weight and its own."""
    own = penalty.weights.reshape(-1, *[1] * (weights.ndim - 1))
    return penalty._replace(weights=(own * weights).ravel())


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("penalty", PENALTIES, ids=NAMES)
@pytest.mark.parametrize("weighted", ["by atom", "by place"])
def test_certificates_are_those_of_the_explicit_problem(weighted, penalty, boundary, plain):
    X, dictionary, weights, codes = case(boundary, penalty)
    given = weights
    if weighted == "by atom":
        given, weights = None, np.ones_like(weights)
    problem = ConvProblem(X, dictionary, penalty, boundary=boundary, weights=given)
    signals, rows = plain(X, dictionary, boundary)
    whole = flattened(penalty, weights)
    found = certified(problem, codes)
    expected = solvers.certify(signals, rows, whole, codes.reshape(3, -1), tol=problem.tol)
    np.testing.assert_allclose(found.objective, expected.objective, rtol=1e-9)
    assert found.certificate_name == expected.certificate_name
    if type(penalty) in (L1, ElasticNet):
        np.testing.assert_allclose(found.certificate, expected.certificate, rtol=1e-7)
        assert found.coordinate_stationary is None
        return
    # the bound on the curvature stands for the largest eigenvalue, and shortens the step
    largest = np.linalg.norm(rows, 2) ** 2
    assert problem.curvature >= largest * (1 - 1e-12)
    problem.curvature = largest
    problem.__dict__.pop("silences", None)
    exact = certified(problem, codes)
    np.testing.assert_allclose(exact.certificate, expected.certificate, rtol=1e-6)
    np.testing.assert_array_equal(found.coordinate_stationary, expected.coordinate_stationary)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("penalty", PENALTIES, ids=NAMES)
def test_alpha_max_is_that_of_the_explicit_problem(penalty, boundary, plain):
    X, dictionary, weights, codes = case(boundary, penalty)
    problem = ConvProblem(
        X, dictionary, penalty, boundary=boundary, weights=weights, alpha_ratio=0.3
    )
    result = certified(problem, codes)
    expected = solvers.alpha_max(*plain(X, dictionary, boundary), flattened(penalty, weights))
    np.testing.assert_allclose(result.alpha, 0.3 * expected, rtol=1e-9)
    again = ConvProblem(
        X[:1], dictionary, penalty._replace(alpha=result.alpha[0]), boundary=boundary,
        weights=weights,
    )  # fmt: skip
    np.testing.assert_allclose(
        certified(again, codes[:1]).certificate, result.certificate[:1], rtol=1e-9
    )


@pytest.mark.parametrize("penalty", L1_AND_L0, ids=["l1", "l0"])
def test_signals_over_one_axis(penalty, plain):
    for boundary in BOUNDARIES:
        X, dictionary, weights, codes = case(boundary, penalty, n_axes=1)
        problem = ConvProblem(X, dictionary, penalty, boundary=boundary, weights=weights)
        signals, rows = plain(X, dictionary, boundary)
        expected = solvers.certify(
            signals, rows, flattened(penalty, weights), codes.reshape(3, -1), tol=problem.tol
        )
        problem.curvature = np.linalg.norm(rows, 2) ** 2
        found = certified(problem, codes)
        np.testing.assert_allclose(found.objective, expected.objective, rtol=1e-9)
        np.testing.assert_allclose(found.certificate, expected.certificate, rtol=1e-6)


@pytest.mark.parametrize("penalty", [None, *L1_AND_L0], ids=["none", "l1", "l0"])
def test_results_do_not_depend_on_the_strips(penalty, monkeypatch):
    for boundary in BOUNDARIES:
        X, dictionary, weights, codes = case(boundary, penalty or PENALTIES[0])
        given = {} if penalty is None else {"weights": weights, "alpha_ratio": 0.2}
        problem = ConvProblem(X, dictionary, penalty, boundary=boundary, **given)
        assert len(problem.strips) == 1
        whole = certified(problem, codes)
        with monkeypatch.context() as patch:
            patch.setattr("sparsecode.convolutional._geometry.STRIP_ENTRIES", 1)
            assert len(problem.strips) > 3
            lines = certified(problem, codes)
        np.testing.assert_allclose(lines.certificate, whole.certificate, rtol=1e-9)
        np.testing.assert_allclose(lines.objective, whole.objective, rtol=1e-12)
        if penalty is not None:
            np.testing.assert_allclose(lines.alpha, whole.alpha, rtol=1e-12)


@pytest.mark.parametrize("n_axes", [1, 2])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_curvature_bounds_every_eigenvalue_closely(n_channels, n_axes, plain):
    rng = np.random.default_rng(5)
    for kernel in ([3, 4], [1, 5], [4, 4]):
        dictionary = rng.standard_normal((4, n_channels, *kernel[2 - n_axes :]))
        problem = ConvProblem(np.zeros((1, *dictionary.shape[1:])), dictionary, L1(1.0))
        spectra = np.fft.fftn(dictionary, [128] * n_axes, axes=range(2, 2 + n_axes))
        by_frequency = np.moveaxis(spectra.reshape(4, n_channels, -1), 2, 0)
        supremum = np.linalg.norm(by_frequency, 2, axis=(1, 2)).max() ** 2
        assert supremum * (1 - 1e-12) <= problem.curvature <= 1.1 * supremum
        for boundary in BOUNDARIES:
            X = np.zeros((1, n_channels, *[n + 1 for n in dictionary.shape[2:]]))
            _, rows = plain(X, dictionary, boundary)
            assert np.linalg.norm(rows, 2) ** 2 <= problem.curvature


def test_silent_signals_and_empty_batches():
    dictionary = np.ones((3, 1, 2, 2))
    for penalty in L1_AND_L0:
        silent = certified(
            ConvProblem(np.zeros((1, 1, 4, 4)), dictionary, penalty), np.zeros((1, 48))
        )
        assert silent.certificate[0] == 0.0
        assert silent.objective[0] == 0.0
        empty = certified(
            ConvProblem(np.zeros((0, 1, 4, 4)), dictionary, penalty), np.zeros((0, 48))
        )
        assert empty.code.unit_shape == (3, 4, 4)
        assert empty.certificate.shape == (0,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": np.ones((2, 3))}, r"weights must have a shape that broadcasts to \(3, 6, 7\)"),
        ({"weights": -1.0}, "weights must be above 0; got -1.0"),
        ({"init": np.zeros((1, 3, 6, 6))}, r"init must have shape .*; got \(1, 3, 6, 6\)"),
        ({"alpha_ratio": 0.0}, "alpha_ratio must be finite and above 0; got 0"),
        ({"max_iter": 0}, "max_iter must be at least 1; got 0"),
        ({"tol": -1.0}, "tol must be finite and above 0; got -1"),
        ({"boundary": "same"}, "boundary must be one of .*; got 'same'"),
        ({"penalty": "l1"}, "a penalty given by its name needs alpha_ratio; got 'l1' alone"),
    ],
)  # fmt: skip
def test_bad_arguments_get_one_sentence(options, message):
    given = {"penalty": L1(1.0), **options}
    with pytest.raises(ValueError, match=message):
        ConvProblem(np.ones((1, 1, 6, 7)), np.ones((3, 1, 2, 2)), **given)
