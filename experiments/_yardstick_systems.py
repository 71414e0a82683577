"""The systems of `one-yardstick` that need no PyTorch: each learns, then makes codes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from experiments._yardstick_stimuli import SIZE, Stimuli, on_off
from memory import Hierarchy, Level
from sdr import SpatialPooler
from sparsecode import penalties
from sparsecode.convolutional import log_gabor_bank
from sparsecode.core import SparseCode, normalize
from sparsecode.learning import online
from sparsecode.solvers import SolverResult, alpha_for_density, encode

if TYPE_CHECKING:
    from experiments.one_yardstick import Config

__all__ = ["DICTIONARY", "OWN", "TUNED", "Fitted", "fit"]

#: Penalties over the learned dictionary.
DICTIONARY = ("l1", "l0", "cel0")
#: Systems that are tuned to each density.
TUNED = (*DICTIONARY, "convolutional l1", "spatial pooler", "Sparsey", "l0, shuffled")
#: Systems shown at the density that they have.
OWN = ("pixels",)
#: Samples on which densities are tuned, of those that are measured.
CALIBRATION = 500
#: Macs of the sheet, modules of a mac, and how many pixels a mac needs.
SHEET, MODULES, LEAST = (8, 8), 4, 4
#: Convolutional kernels: orientations, of two phases each, and their side in pixels.
ORIENTATIONS, KERNEL = 8, 8


class Fitted(NamedTuple):
    """A system that has learned.

    Attributes
    ----------
    encode : callable
        Takes pixels of shape (n_samples, 256), returns a SparseCode.
    certificate : callable or None
        The largest relative certificate, and the share of samples that converged, of the last
        call of `encode`.
    """

    encode: Callable[[np.ndarray], SparseCode]
    certificate: Callable[[], tuple[float, float]] | None = None


class Solved:
    """Codes with a certificate, kept until the next call."""

    def __init__(self, solve: Callable[[np.ndarray], SolverResult]) -> None:
        self.solve = solve
        self.worst, self.converged = 0.0, 1.0

    def __call__(self, X: np.ndarray) -> SparseCode:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = self.solve(X)
        self.worst = float(np.max(result.certificate))
        self.converged = float(np.mean(result.converged))
        return result.code

    def last(self) -> tuple[float, float]:
        """Return the largest certificate, and the share that converged."""
        return self.worst, self.converged


def learn_atoms(config: Config, stimuli: Stimuli, rng: np.random.Generator) -> np.ndarray:
    """Learn the atoms that l1, l0 and CEL0 share, from l1 codes with a twentieth of the atoms."""
    X = stimuli.X
    atoms = normalize(rng.standard_normal((config.n_atoms, X.shape[1]), dtype=np.float32))
    for n_batches in (config.n_batches // 4, config.n_batches - config.n_batches // 4):
        alpha = alpha_for_density(X[:CALIBRATION], atoms, "l1", 0.05, rtol=0.05)
        atoms = online(
            X, atoms, penalties.make("l1", alpha), n_batches=n_batches, rng=rng
        ).dictionary
    return atoms


def fit(
    config: Config, name: str, density: float, stimuli: Stimuli, atoms: np.ndarray, seed: int
) -> Fitted:
    """Let a system learn, and tune it to a density."""
    if name == "pixels":
        return Fitted(lambda X: SparseCode.from_dense(np.maximum(np.concatenate([X, -X], 1), 0)))
    if name in DICTIONARY:
        return _with_dictionary(name, density, stimuli, atoms)
    if name == "l0, shuffled":
        return _shuffled(_with_dictionary("l0", density, stimuli, atoms), seed)
    if name == "convolutional l1":
        return _convolutional(density, stimuli)
    if name == "spatial pooler":
        pooler = SpatialPooler(1024, density=density, boost_strength=3.0, random_state=seed)
        pooler.fit(on_off(stimuli.X))
        return Fitted(lambda X: pooler.encode(on_off(X)))
    return _sparsey(density, stimuli, seed)


def _with_dictionary(name: str, density: float, stimuli: Stimuli, atoms: np.ndarray) -> Fitted:
    alpha = alpha_for_density(stimuli.X_test[:CALIBRATION], atoms, name, density, rtol=0.02)
    solved = Solved(lambda X: encode(X, atoms, penalties.make(name, alpha)))
    return Fitted(solved, solved.last)


def _shuffled(fitted: Fitted, seed: int) -> Fitted:
    """Let every unit give its responses to other stimuli: how often it is active is all it says."""
    rng = np.random.default_rng(seed)

    def encode_shuffled(X: np.ndarray) -> SparseCode:
        return SparseCode.from_dense(rng.permuted(fitted.encode(X).to_dense(), axis=0))

    return Fitted(encode_shuffled)


def _convolutional(density: float, stimuli: Stimuli) -> Fitted:
    """Code with log-Gabor kernels at every place within the image.

    For images as small as this the kernels at all places are a dictionary of dense atoms, which
    the solvers of such dictionaries code fastest; the objective and the code are the same.
    """
    atoms = shifted(log_gabor_bank(ORIENTATIONS, 30.0, 2, KERNEL, normalize="unit")[0])
    return _with_dictionary("l1", density, stimuli, atoms.astype(np.float32))


def shifted(bank: np.ndarray) -> np.ndarray:
    """Return kernels of one channel at every place where they lie within the image, as rows."""
    n_places = SIZE - bank.shape[-1] + 1
    atoms = np.zeros((len(bank), n_places, n_places, SIZE, SIZE))
    for i in range(n_places):
        for j in range(n_places):
            atoms[:, i, j, i : i + bank.shape[-1], j : j + bank.shape[-1]] = bank[:, 0]
    return atoms.reshape(-1, SIZE * SIZE)


def _sparsey(density: float, stimuli: Stimuli, seed: int) -> Fitted:
    """Store every stimulus once in a sheet of macs, one winner of 1 / density in every module."""
    level = Level(
        MODULES, round(1.0 / density), SHEET, tiling="hexagonal", overlap=2.0,
        activation_bounds=(LEAST, None), wires="U", saturation=0.1,
    )  # fmt: skip
    sheet = Hierarchy([level], input_shape=(SIZE, 2 * SIZE), random_state=seed)

    def seen(X: np.ndarray) -> np.ndarray:
        """Put the bright and the dark signal of a pixel side by side."""
        halves = on_off(X).reshape(len(X), 2, SIZE * SIZE)
        return np.ascontiguousarray(halves.transpose(0, 2, 1)).reshape(len(X), -1)

    sheet.store(seen(stimuli.X))
    return Fitted(lambda X: sheet.encode(seen(X)))
