"""How fast whitened patches get certified l1 codes, beside every installed peer."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from experiments._framework import Outcome, Record, experiment
from sparsecode import datasets
from sparsecode._jit import threads as limited_threads
from sparsecode.core.rng import Streams
from sparsecode.penalties import L1
from sparsecode.solvers import alpha_for_density, certify, encode

__all__ = ["Config", "encode_l1"]


@dataclass(frozen=True)
class Config:
    """How many whitened 16 x 16 patches a second get an l1 code of a known duality gap?

    Dictionary: as many other patches. Patches and atoms have unit norm. All coders run in turn,
    round after round, after a warm-up; slow ones code the first patches only.
    """

    n_samples: int = 10_000
    n_atoms: int = 1024
    density: float = 0.05
    n_rounds: int = 5
    n_samples_slow: int = 200
    n_samples_single: int = 40


class Coder(NamedTuple):
    """A way to code patches: ``encode(X, dictionary, alpha)`` gives a dense or sparse code."""

    name: str
    licence: str
    n_threads: int
    dtype: type
    tol: float
    n_samples: int
    encode: Callable[[np.ndarray, np.ndarray, float], Any]


def _ours(tol: float, n_threads: int) -> Callable[..., Any]:
    return lambda X, D, alpha: encode(X, D, L1(alpha), tol=tol, n_threads=n_threads).code


def _scikit_learn(X: np.ndarray, D: np.ndarray, alpha: float) -> np.ndarray:
    from sklearn.decomposition import sparse_encode

    return sparse_encode(X, D, algorithm="lasso_cd", alpha=alpha, max_iter=10_000)


def _per_sample(make: Callable[[float, float], Any], tol: float) -> Callable[..., Any]:
    """Fit one regression per sample; these peers divide the data term by n_features."""

    def encode(X: np.ndarray, D: np.ndarray, alpha: float) -> np.ndarray:
        model = make(alpha / D.shape[1], tol)
        columns = np.asfortranarray(D.T)
        return np.array([model.fit(columns, x).coef_.copy() for x in X])

    return encode


def _celer(alpha: float, tol: float) -> Any:
    from celer import Lasso

    return Lasso(alpha=alpha, tol=tol, fit_intercept=False)


def _skglm(alpha: float, tol: float) -> Any:
    from skglm import Lasso

    return Lasso(alpha=alpha, tol=tol, fit_intercept=False)


def _spams(n_threads: int) -> Callable[..., Any]:
    def encode(X: np.ndarray, D: np.ndarray, alpha: float) -> Any:
        import spams

        codes = spams.lasso(
            np.asfortranarray(X.T), np.asfortranarray(D.T), lambda1=alpha, numThreads=n_threads
        )
        return codes.T.tocsr()

    return encode


def coders(config: Config) -> list[Coder]:
    """Return our encoder and every peer that is installed."""
    n, slow, single = config.n_samples, config.n_samples_slow, config.n_samples_single
    found = [
        Coder("sparsecode", "BSD-3", n_threads, dtype, tol, n, _ours(tol, n_threads))
        for dtype, tol in ((np.float64, 1e-6), (np.float64, 1e-8), (np.float32, 1e-4))
        for n_threads in (1, 2)
    ]
    found.append(Coder("scikit-learn", "BSD-3", 1, np.float64, 1e-8, slow, _scikit_learn))
    for name, make, tol in (("celer", _celer, 1e-6), ("skglm", _skglm, 1e-9)):
        if find_spec(name):
            encode = _per_sample(make, tol)
            found.append(Coder(name, "BSD-3", 1, np.float64, tol, single, encode))
    if find_spec("spams"):
        found += [Coder("spams", "GPL-3", t, np.float64, 0.0, n, _spams(t)) for t in (1, 2)]
    return found


@experiment("encode-l1", config=Config, title="Certified l1 codes, side by side with the peers")
def encode_l1(config: Config, streams: Streams, progress: Any) -> Outcome:
    """Time every coder in turn and certify what each returns."""
    images = datasets.whiten(datasets.natural_images())

    def unit_patches(n_patches: int, name: str) -> np.ndarray:
        X = datasets.extract_patches(images, 16, n_patches=n_patches, rng=streams(name))
        return X / np.linalg.norm(X, axis=1, keepdims=True)

    X = unit_patches(config.n_samples, "samples")
    D = unit_patches(config.n_atoms, "atoms")
    alpha = alpha_for_density(X[:500], D, "l1", config.density)
    contest = coders(config)
    seconds = np.zeros((config.n_rounds + 1, len(contest)))
    codes: list[Any] = [None] * len(contest)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the certificates say who did not converge
        for round_, index in progress(list(np.ndindex(seconds.shape)), "coders"):
            coder = contest[index]
            batch, atoms = X[: coder.n_samples].astype(coder.dtype), D.astype(coder.dtype)
            with limited_threads(coder.n_threads):
                start = time.perf_counter()
                codes[index] = coder.encode(batch, atoms, alpha)
                seconds[round_, index] = time.perf_counter() - start
    proofs = [
        certify(X[: coder.n_samples], D, L1(alpha), _dense(code))
        for coder, code in zip(contest, codes)
    ]
    return Outcome(
        {
            "coder": [coder.name for coder in contest],
            "licence": [coder.licence for coder in contest],
            "threads": [coder.n_threads for coder in contest],
            "dtype": [np.dtype(coder.dtype).name for coder in contest],
            "samples": [coder.n_samples for coder in contest],
            "per_second": [
                coder.n_samples / np.median(seconds[1:, index])
                for index, coder in enumerate(contest)
            ],
            "median_gap": [float(np.median(proof.certificate)) for proof in proofs],
            "largest_gap": [float(proof.certificate.max()) for proof in proofs],
            "density": [proof.code.density for proof in proofs],
        },
        {"seconds": seconds},
    )


def _dense(code: Any) -> np.ndarray:
    if hasattr(code, "to_dense"):
        code = code.to_dense()
    elif hasattr(code, "toarray"):
        code = code.toarray()
    return np.asarray(code, dtype=np.float64)


@encode_l1.plot
def figure(record: Record, ax: Any) -> None:
    """Draw the rates, fastest on top."""
    rows = sorted(record.table.rows(), key=lambda row: row["per_second"])
    labels = [
        f"{row['coder']}, {row['dtype']}, {row['threads']} thread{'s'[: row['threads'] - 1]}, "
        f"gap {row['largest_gap']:.0e}"
        for row in rows
    ]
    colors = ["C0" if row["coder"] == "sparsecode" else "0.7" for row in rows]
    ax.barh(labels, [row["per_second"] for row in rows], color=colors)
    ax.set(xscale="log", xlabel="patches per second (median)")


if __name__ == "__main__":
    kept = encode_l1.run(results="results", progress=True)
    for row in kept.table.rows():
        print(
            f"{row['coder']:>14} {row['dtype']} {row['threads']} threads: "
            f"{row['per_second']:9.0f} patches/s, largest gap {row['largest_gap']:.1e}"
        )
