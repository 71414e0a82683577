"""What `v1-penalties` computes: dictionaries, error against activity, tuning, hysteresis."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from experiments._framework import expected
from experiments._rentzeperis import published_coder
from sparsecode import datasets, penalties
from sparsecode.core import SparseCode, normalize
from sparsecode.core.rng import Streams
from sparsecode.learning import olshausen_field
from sparsecode.receptive_fields import fit_gabors, orientation_tuning
from sparsecode.solvers import SolverResult, alpha_for_density, cd, iht, ista, lca

__all__ = [
    "GABOR",
    "HYSTERESIS",
    "PAPER",
    "describe",
    "hysteresis",
    "learn",
    "learn_as_the_authors",
    "load",
    "sweep",
]

PAPER = expected("rentzeperis2023")
#: How alpha scales with the data: a sweep multiplies amplitudes, not units that differ.
UNITS = {"l1": 1.0, "half": 1.5, "l0": 2.0, "cel0": 2.0}
#: Amplitudes of the sweep, relative to the alpha that gives the wanted density.
SWEEP = (0.4, 2.5)
#: When alpha is set anew, as fractions of all batches; it stays from the last one on.
RETUNED = (0.0, 1 / 16, 1 / 8, 1 / 4)
#: Columns of the fitted Gabor functions that a record keeps.
GABOR = (
    "x", "y", "orientation", "peak_frequency", "aspect", "n_x", "n_y", "error", "at_limit",
)  # fmt: skip
#: Columns of the study of hysteresis, one row per step.
HYSTERESIS = (
    "step", "alpha", "density", "mse", "smallest_active", "largest_missed", "converged",
)  # fmt: skip

Coder = Callable[..., SolverResult]


def authors_rates(name: str, n_atoms: int) -> dict[str, float]:
    """Return the steps and decays of the authors' programs for coding and for learning."""
    if name == "cel0" and n_atoms > 500:  # their release of 2023
        given = PAPER["hyper_parameters_1000_atoms"].value
        step, rate = given["cel0"]["step"], given["learning_rate"]
        return {"step": step, "step_decay": step / 50, "rate": rate, "rate_decay": rate / 50}
    given = PAPER["hyper_parameters_500_atoms"].value
    step, rate = given[name]["step"], given["learning_rate"]
    return {"step": step, "step_decay": 0.0, "rate": rate, "rate_decay": 0.0}


def coder(protocol: str, name: str, n_atoms: int) -> Coder:
    """Return what codes a batch under a protocol.

    ``published`` is the authors' short fixed step and early stop; the others run until they are
    certified: ``certified`` coordinate descent, ``step 1/L`` proximal gradient with the longest
    safe step, ``lca`` the dynamics of a network with the penalty's threshold.
    """
    if protocol == "published":
        rates = authors_rates(name, n_atoms)
        return partial(published_coder, step=rates["step"], decay=rates["step_decay"])
    return {
        "certified": partial(cd, tol=1e-4),
        "step 1/L": partial(iht, tol=1e-3, max_iter=5000),
        "lca": partial(lca, tol=1e-3, max_iter=5000),
    }[protocol]


def quiet(code: Coder) -> Coder:
    """Silence the warnings of a coder whose certificates the record keeps."""

    def coded(*arguments: Any, **options: Any) -> SolverResult:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return code(*arguments, **options)

    return coded


@cache
def load(images: str) -> datasets.ImageSet:
    """Return whitened images of mean variance 0.1."""
    if images == "van-hateren":
        return datasets.whiten(datasets.load_van_hateren(), method="rentzeperis")
    if images == "natural":
        return datasets.whiten(datasets.natural_images())
    published = datasets.load_olshausen_field()  # whitened, but of another variance
    scale = np.sqrt(0.1 / np.mean([image.var(dtype=np.float64) for image in published]))
    scaled = tuple((scale * image).astype(image.dtype) for image in published)
    return datasets.ImageSet(published.names, scaled, published.credits, whitened=True)


def patches(config: Any, streams: Streams, name: str, n_patches: int) -> np.ndarray:
    """Draw patches from a random stream of their own."""
    return datasets.extract_patches(
        load(config.images), config.patch_size, n_patches=n_patches, rng=streams(name),
        dtype=np.float32,
    )  # fmt: skip


def batches(config: Any, streams: Streams) -> Any:
    """Stream the batches that every dictionary learns from."""
    return datasets.patch_batches(
        load(config.images), config.batch_size, size=config.patch_size, rng=streams("patches"),
        dtype=np.float32,
    )  # fmt: skip


def first_atoms(config: Any, streams: Streams, n_atoms: int) -> np.ndarray:
    shape = n_atoms, config.patch_size**2
    return normalize(streams("atoms").standard_normal(shape, dtype=np.float32))


def learn(
    config: Any, streams: Streams, protocol: str, name: str, n_atoms: int, n_batches: int
) -> dict[str, np.ndarray]:
    """Learn one dictionary at equal activity: alpha is retuned early and then stays.

    The rates are the authors' unless `config` sets its own.
    """
    sample = patches(config, streams, "calibration", config.n_calibration)
    struct, code = penalties.make(name), coder(protocol, name, n_atoms)
    rates = authors_rates(name, n_atoms)
    rate, decay = rates["rate"], rates["rate_decay"]
    if config.learning_rate is not None:
        rate, decay = config.learning_rate / config.batch_size, config.decay
    stream = batches(config, streams)
    atoms = first_atoms(config, streams, n_atoms)
    history, alpha = [], 0.0
    stages = [round(fraction * n_batches) for fraction in (*RETUNED, 1.0)]
    for first, last in pairwise(dict.fromkeys(stages)):
        alpha = alpha_for_density(sample, atoms, struct, config.density, solver=code, rtol=0.05)
        slowed = 1.0 + decay * first  # the schedule goes on over all stages
        result = olshausen_field(
            stream, atoms, struct._replace(alpha=alpha), solver=code, reduction="sum",
            learning_rate=rate / slowed, decay=decay / slowed, n_batches=last - first,
            skip_unconverged=protocol == "published", dead_after=config.dead_after,
            rng=streams(f"order-{first}"),
        )  # fmt: skip
        atoms = result.dictionary
        history.append(np.stack([result.history["mse"], result.history["density"]]))
    return {"atoms": atoms, "history": np.concatenate(history, axis=1), "alpha": np.array(alpha)}


def learn_as_the_authors(
    config: Any, streams: Streams, name: str, n_atoms: int, n_batches: int
) -> dict[str, np.ndarray]:
    """Learn with a published weight, steps, decays and all, whatever activity it gives."""
    given = PAPER[f"hyper_parameters_{n_atoms}_atoms"].value[name]
    rates = authors_rates(name, n_atoms)
    result = olshausen_field(
        batches(config, streams), first_atoms(config, streams, n_atoms),
        penalties.paper(name, given["alpha"]), solver=coder("published", name, n_atoms),
        learning_rate=rates["rate"], decay=rates["rate_decay"], reduction="sum",
        skip_unconverged=True, dead_after=None, n_batches=n_batches,
    )  # fmt: skip
    return {"history": np.stack([result.history["mse"], result.history["density"]])}


def sweep(
    config: Any, streams: Streams, protocol: str, name: str, atoms: np.ndarray
) -> dict[str, np.ndarray]:
    """Code held-out patches at alphas around the one that gives the wanted density.

    Least squares on the supports of l1 are added as ``debiased``.
    """
    X = patches(config, streams, "test", config.n_test)
    struct, code = penalties.make(name), quiet(coder(protocol, name, len(atoms)))
    sample = X[: config.n_calibration]
    centre = alpha_for_density(sample, atoms, struct, config.density, solver=code, rtol=0.05)
    alphas = centre * np.geomspace(*SWEEP, config.n_sweep) ** UNITS[name]
    columns: dict[str, list[Any]] = {
        key: [] for key in ("density", "mse", "certificate", "debiased", "usage")
    }
    for alpha in alphas:
        density, errors, debiased, certificates = 0.0, 0.0, 0.0, []
        usage = np.zeros(len(atoms), np.int64)
        for first in range(0, len(X), config.batch_size):  # the authors' stop looks at a batch
            batch = X[first : first + config.batch_size]
            result = code(batch, atoms, struct._replace(alpha=alpha))
            density += result.code.density * len(batch) / len(X)
            errors += squared_error(batch, result.code, atoms)
            if name == "l1" and protocol == "certified":
                debiased += debiased_error(batch, result.code, atoms)
            usage += np.bincount(result.code.indices, minlength=len(atoms))
            certificates.append(result.certificate)
        columns["density"].append(density)
        columns["mse"].append(errors / X.size)
        columns["debiased"].append(debiased / X.size)
        columns["certificate"].append(np.median(np.concatenate(certificates)))
        columns["usage"].append(usage)
    usage = columns.pop("usage")[config.n_sweep // 2]
    return {"alpha": alphas, "usage": usage, **columns}


def squared_error(X: np.ndarray, code: SparseCode, atoms: np.ndarray) -> float:
    return float(np.sum(np.square(X - code.to_scipy() @ atoms), dtype=np.float64))


def debiased_error(X: np.ndarray, code: SparseCode, atoms: np.ndarray) -> float:
    """Return the squared error after least squares on the support of each code."""
    total = 0.0
    for i, x in enumerate(X):
        support = code.indices[code.indptr[i] : code.indptr[i + 1]]
        basis = np.linalg.qr(atoms[support].T.astype(np.float64))[0]
        total += np.sum(np.square(x - basis @ (basis.T @ x)))
    return float(total)


def describe(
    config: Any, streams: Streams, name: str, atoms: np.ndarray, part: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Fit Gabor functions to some of the atoms in use, and measure how broadly all are tuned.

    Tuning is that of the atoms as linear filters, and that of certified codes of gratings whose
    energy is that of the patches; `part` is the certified sweep.
    """
    used = np.flatnonzero(part["usage"])
    shape = (config.patch_size, config.patch_size)
    some = np.sort(streams("fits").permutation(used)[: config.n_fits])
    fits = fit_gabors(atoms[some], shape)
    linear = orientation_tuning(atoms[used], shape)
    energy = np.mean(np.square(patches(config, streams, "calibration", config.n_calibration)))
    penalty = penalties.make(name)._replace(alpha=float(part["alpha"][config.n_sweep // 2]))

    def respond(X: np.ndarray) -> SparseCode:
        scaled = X - X.mean(axis=1, keepdims=True)
        scaled *= np.sqrt(energy / np.mean(np.square(scaled)))
        return coder("certified", name, len(atoms))(scaled.astype(np.float32), atoms, penalty).code

    fitted = orientation_tuning(atoms[some], shape)
    coded = orientation_tuning(
        atoms, shape, n_orientations=config.n_orientations, n_phases=4, response=respond,
        frequencies=np.geomspace(1.0 / config.patch_size, 0.5, 8),
    )  # fmt: skip
    return {
        "gabor": np.stack([getattr(fits, column) for column in GABOR]).astype(np.float32),
        "linear_tuning": linear.circular_variance.astype(np.float32),
        "fitted_tuning": fitted.circular_variance.astype(np.float32),
        "coded_tuning": coded.circular_variance[used].astype(np.float32),
    }


def hysteresis(config: Any, streams: Streams, atoms: np.ndarray) -> dict[str, np.ndarray]:
    """Find the fixed points of forward-backward steps of several lengths, at equal activity.

    For l0 the fixed points depend on the step: an active coefficient is at least
    ``sqrt(2 step alpha)``, the correlation of an inactive atom with the residual at most
    ``sqrt(2 alpha / step)``. For CEL0 both bounds are ``sqrt(2 alpha)``, whatever the step.
    At equal activity the ratio alpha / step, and with it what may be missed, hardly changes.
    """
    X = patches(config, streams, "hysteresis", config.n_calibration)
    longest = 1.0 / float(np.linalg.eigvalsh(atoms.T @ atoms)[-1])
    found = {}
    for name in ("l0", "cel0"):
        rows = []
        for step in np.geomspace(min(0.01, 0.5 * longest), 0.99 * longest, config.n_steps):
            struct = penalties.make(name)
            code = quiet(partial(ista, step=step, tol=1e-3, max_iter=5000))
            alpha = alpha_for_density(X, atoms, struct, config.density, solver=code, rtol=0.05)
            result = code(X, atoms, struct._replace(alpha=alpha))
            coded = result.code
            Z = coded.to_dense()
            correlations = np.abs((X - Z @ atoms) @ atoms.T)
            rows.append((
                step, alpha, coded.density, squared_error(X, coded, atoms) / X.size,
                np.abs(Z[Z != 0]).min(), correlations[Z == 0].max(), result.converged.mean(),
            ))  # fmt: skip
        found[name] = np.array(rows)
    return found
