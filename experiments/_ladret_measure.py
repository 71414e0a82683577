"""What `kernel-heterogeneity` computes: crops, dictionaries, codes and what describes them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from experiments._ladret import (
    ALPHA,
    PAPER,
    SMALL_ALPHA,
    load,
    local_contrast,
    prepare_for_learning,
    prune,
    psnr,
)
from sparsecode.convolutional import (
    admm,
    fit_log_gabor,
    greedy_cd,
    interior_point,
    learn_online,
    log_gabor_preset,
    reconstruct,
)
from sparsecode.core import SparseCode
from sparsecode.core.rng import Streams
from sparsecode.penalties import L1
from sparsecode.solvers import SolverResult

__all__ = [
    "CONTROL",
    "CUTOFFS",
    "EDGES",
    "FIXED",
    "LEARNED",
    "REFIT",
    "Setting",
    "Task",
    "certified_code",
    "crops",
    "fixed_bank",
    "learn",
    "measure",
    "noise",
    "refit",
    "settings",
    "with_fewer",
]

#: The two published banks, a control that is none, and what learning starts from.
FIXED = {"hom": "homogeneous", "het": "heterogeneous"}
CONTROL = "noise"
LEARNED = {"hom-learned": "hom", "het-learned": "het", "noise-learned": "noise"}
#: Coefficients below these are set to 0.
CUTOFFS = tuple(PAPER["pruning_cutoffs"].value)
#: Bins of the histograms of absolute coefficients.
EDGES = np.linspace(0.0, 2.0, 51)
#: Columns of the log-Gabors that describe learned atoms.
REFIT = ("orientation", "orientation_bandwidth", "explained_variance", "at_limit")
#: Part of the gap that may be spent on zeros.
SPENT = 0.3
#: Windows of the masked images are drawn where this much of the mask lies on average.
WITHIN_MASK = 0.5


class Setting(NamedTuple):
    """How codes are computed.

    Attributes
    ----------
    name : str
    alpha : float
    normalize : str
        Of the fixed dictionaries: "published" or "unit".
    n_iter : int or None
        Iterations of the published solver; None codes to a certified gap.
    """

    name: str
    alpha: float = ALPHA
    normalize: str = "published"
    n_iter: int | None = PAPER["coding"].value["n_iterations"]


class Task(NamedTuple):
    """One crop, one dictionary, one setting."""

    setting: Setting
    dictionary: str
    seed: int
    crop: int

    @property
    def key(self) -> str:
        """The name of the part that keeps it."""
        return f"{self.setting.name}-{self.dictionary}-{self.seed}-{self.crop}"


def settings(config: Any) -> Iterator[Task]:
    """Yield everything that is to be coded, in the order of the table."""
    seeds = range(config.n_learning_seeds)
    fixed = [(name, 0) for name in FIXED]
    others = [*fixed, (CONTROL, 0)]
    unit = Setting("certified-unit", normalize="unit", n_iter=None)
    plan = [
        (Setting("published"), others + [(name, seed) for name in LEARNED for seed in seeds],
         config.n_crops),
        (Setting("published-unit", normalize="unit"), fixed, config.n_crops),
        (Setting("small-alpha", alpha=SMALL_ALPHA), fixed, config.n_crops),
        (Setting("certified", n_iter=None), others + [(name, 0) for name in LEARNED],
         config.n_certified),
        (unit, fixed, config.n_certified),
    ]  # fmt: skip
    plan += [(Setting(f"course-{n}", n_iter=n), fixed, config.n_course) for n in config.course]
    for setting, dictionaries, n_crops in plan:
        for crop in range(n_crops):  # the slow codes come crop by crop
            for name, seed in dictionaries:
                yield Task(setting, name, seed, crop)


# Images


@cache
def photographs(images: str) -> Any:
    return load(images)


@cache
def learning_images(images: str) -> list[np.ndarray]:
    return [prepare_for_learning(image) for image in photographs(images)]


def crops(config: Any, streams: Streams) -> tuple[np.ndarray, list[str]]:
    """Return crops of normalised contrast, one photograph after another, and their photographs.

    Photographs are cut into tiles; each gives one tile in turn, so that a few crops show as many
    photographs as possible.
    """
    pool, size = photographs(config.images), config.crop_size
    rng = streams("crops")
    tiles = {}
    for i in rng.permutation(len(pool)):
        n_rows, n_columns = (n // size for n in pool[int(i)].shape)
        order = rng.permutation(n_rows * n_columns)
        tiles[int(i)] = [divmod(int(place), n_columns) for place in order]
    n_tiles = sum(map(len, tiles.values()))
    if config.n_crops > n_tiles:
        raise ValueError(
            f"n_crops must be at most {n_tiles}, the tiles of {size} x {size} pixels that "
            f"{len(pool)} photographs have; got {config.n_crops}."
        )
    found: list[np.ndarray] = []
    names: list[str] = []
    while len(found) < config.n_crops:
        for i, left in tiles.items():
            if left and len(found) < config.n_crops:
                row, column = left.pop()
                rows = slice(row * size, (row + 1) * size)
                columns = slice(column * size, (column + 1) * size)
                found.append(local_contrast(pool[i][rows, columns]))
                names.append(pool.names[i])
    return np.array(found, np.float32), names


def windows(config: Any, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield windows of the whitened and masked photographs, one at a time."""
    images, size = learning_images(config.images), config.learning_size
    side = len(images[0])
    while True:
        image = images[rng.integers(len(images))]
        top, left = rng.integers(side - size + 1, size=2)
        centre = (np.array([top, left]) + 0.5 * size) / side - 0.5
        if 4.0 * centre @ centre < WITHIN_MASK:
            yield image[top : top + size, left : left + size][None, None].astype(np.float32)


# Dictionaries


def noise(streams: Streams, seed: int) -> np.ndarray:
    """Return white noise of unit norm as kernels."""
    atoms = streams(f"noise-{seed}").standard_normal((144, 1, 12, 12), dtype=np.float32)
    return atoms / np.linalg.norm(atoms, axis=(2, 3), keepdims=True)


def fixed_bank(name: str, normalize: str) -> np.ndarray:
    """Return one of the two published banks."""
    return log_gabor_preset(FIXED[name], normalize=normalize, dtype=np.float32)[0]


def learn(config: Any, streams: Streams, start: str, seed: int) -> dict[str, np.ndarray]:
    """Learn a dictionary online, one window a step, from a bank or from noise.

    The published step is that of sums over 256 x 256 places, so it grows as windows get smaller;
    then it is divided by what the config says. All starts of one seed see the same windows.
    """
    first = noise(streams, seed) if start == CONTROL else fixed_bank(start, "unit")
    given = PAPER["learning"].value
    a, b = given["step"]
    a *= (given["side"] / config.learning_size) ** 2 / config.slowed
    result = quietly(
        learn_online, windows(config, streams(f"windows-{seed}")), first, L1(ALPHA),
        solver=partial(greedy_cd, tol=config.learning_tol, max_iter=config.learning_sweeps),
        step=(a, b), n_steps=config.n_steps, dead_after=None,
    )  # fmt: skip
    course = np.stack([result.history[name] for name in ("objective", "mse", "density")])
    return {"atoms": result.dictionary, "course": course.astype(np.float32)}


def refit(atoms: np.ndarray, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Describe some atoms by log-Gabors of the published frequency, as the paper does."""
    fits = fit_log_gabor(atoms[chosen])
    columns = [np.asarray(getattr(fits, name), np.float32) for name in REFIT]
    return {"refit": np.stack(columns)}


# Codes


def quietly(function: Any, *arguments: Any, **options: Any) -> Any:
    """Call without warnings of convergence: the record keeps every gap."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return function(*arguments, **options)


def certified_code(
    image: np.ndarray, bank: np.ndarray, alpha: float, *, tol: float, max_iter: int, n_removing: int
) -> SolverResult:
    """Code one image until the duality gap is `tol` of half its energy, or `max_iter` is over.

    The one place that says by which solver. Its codes still have small coefficients that an optimal
    code has not: see `with_fewer`.
    """
    code = quietly(
        interior_point, image, bank, L1(alpha), tol=tol * (1.0 - SPENT), max_iter=max_iter
    )
    return with_fewer(code, image, bank, alpha, tol=tol, n_removing=n_removing)


def with_fewer(
    known: SolverResult, image: np.ndarray, bank: np.ndarray, alpha: float, *, tol: float,
    n_removing: int,
) -> SolverResult:  # fmt: skip
    """Let ADMM remove coefficients from a code, where its gap then is `tol` still.

    ADMM's own dual points are poor; that of the known code certifies any other as well, for a gap
    is an objective less a dual value, whatever code the dual point came from.
    """
    fewer = quietly(admm, image, bank, L1(alpha), tol=1e-9, max_iter=n_removing, init=known.code)
    energy = 0.5 * np.sum(np.square(image, dtype=np.float64))
    gap = known.certificate + (fewer.objective - known.objective) / energy
    if gap.max() > tol or fewer.code.nnz > known.code.nnz:
        return known
    return replace(fewer, certificate=gap, converged=gap <= tol, n_iter=known.n_iter)


def code_of(config: Any, image: np.ndarray, bank: np.ndarray, setting: Setting) -> SolverResult:
    """Code one image as a setting asks for."""
    X = image[None, None]
    if setting.n_iter is None:
        return certified_code(
            X, bank, setting.alpha, tol=config.tol, max_iter=config.max_iter,
            n_removing=config.n_removing,
        )  # fmt: skip
    return quietly(
        admm, X, bank, L1(setting.alpha), preset="paper", max_iter=setting.n_iter,
        tol=PAPER["coding"].value["tol"],
    )  # fmt: skip


def measure(
    config: Any, image: np.ndarray, bank: np.ndarray, setting: Setting
) -> dict[str, np.ndarray]:
    """Code one image and describe the code.

    Returns
    -------
    dict of ndarray
        ``row``: PSNR, sparseness, sparseness without coefficients below the first cutoff,
        coefficients a pixel, objective, half the image's energy, relative gap and iterations.
        ``pruned``: PSNR and sparseness for each cutoff. ``histogram``: counts of absolute
        coefficients over `EDGES`. ``usage``: number and sum of absolute coefficients by atom.
        ``picture``: the reconstruction.
    """
    result = code_of(config, image, bank, setting)
    code = result.code
    picture = reconstruct(code, bank)[0, 0]
    pruned = np.array([pruned_row(image, code, bank, cutoff) for cutoff in CUTOFFS])
    sizes = np.abs(np.asarray(code.values))
    atom = code.indices // image.size
    row = [
        psnr(image, picture), 1.0 - code.nnz / code.n_units, pruned[0, 1],
        code.nnz / image.size, result.objective[0],
        0.5 * np.sum(np.square(image, dtype=np.float64)), result.certificate[0], result.n_iter[0],
    ]  # fmt: skip
    return {
        "row": np.array(row, np.float64),
        "pruned": pruned,
        "histogram": np.histogram(sizes, EDGES)[0],
        "usage": np.stack([np.bincount(atom, weights, len(bank)) for weights in (None, sizes)]),
        "picture": picture.astype(np.float16),
    }


def pruned_row(
    image: np.ndarray, code: SparseCode, bank: np.ndarray, cutoff: float
) -> tuple[float, float]:
    """Return PSNR and sparseness of a code without its small coefficients."""
    values = np.asarray(code.values)
    kept = prune(values, cutoff)
    indptr = np.array([0, np.count_nonzero(kept)])
    left = SparseCode(indptr, code.indices[kept], values[kept], code.unit_shape)
    return psnr(image, reconstruct(left, bank)[0, 0]), 1.0 - left.nnz / left.n_units
