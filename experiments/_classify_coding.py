"""How pictures are coded for classification, as published and as codes, and what is pruned."""

from __future__ import annotations

from math import log10
from typing import Any, NamedTuple

import numpy as np
from scipy import fft

from experiments._framework import expected
from sparsecode._jit import threads
from sparsecode._parallel import map_tiles

__all__ = ["CUTOFFS", "INPUTS", "PAPER", "Maps", "admm_pair", "explained", "network_input", "pool"]

PAPER = expected("ladret2023_classify")
#: What is fed to the network: the published path and that of the codes, each with its cutoffs.
CUTOFFS = tuple(PAPER["accuracy"].value["cutoffs"])
INPUTS = tuple((form, cutoff) for form in ("published", "code") for cutoff in CUTOFFS)
#: Pictures that are coded at a time: few enough to stay in the processor's cache.
TOGETHER = 4


class Maps(NamedTuple):
    """Both variables of ADMM.

    Attributes
    ----------
    fit, code : ndarray of shape (n_images, n_atoms, height, width)
        The dense variable of the fit, x, and the sparse one of the penalty, y.
    n_iter : ndarray of shape (n_images,)
    """

    fit: np.ndarray
    code: np.ndarray
    n_iter: np.ndarray


def norms(maps: np.ndarray) -> np.ndarray:
    """Return the norm of each image's maps."""
    flat = maps.reshape(len(maps), -1)
    return np.sqrt(np.einsum("ni,ni->n", flat, flat))


def admm_pair(
    images: np.ndarray, bank: np.ndarray, *, tol: float | None = None, max_iter: int | None = None
) -> Maps:
    r"""Code images as the authors' program for classification does, and return both variables.

    Descends, without coming near, to the minimum of
    :math:`\frac12 \|s - \sum_k d_k * z_k\|^2 + \alpha w \sum |z|` on a circular domain.
    Beside what :func:`sparsecode.convolutional.admm` has as the paper's preset, it stops early,
    weighs alpha by 1/2, only ever lowers rho, and keeps x: hence this function, which the two
    share nothing with but the algorithm.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width)
        Float32.
    bank : ndarray of shape (n_atoms, kernel_height, kernel_width)
    tol, max_iter : optional
        Relative residuals to stop at, and the largest number of iterations; by default the
        published ones, 0.1 and 250.

    Returns
    -------
    Maps
    """
    given = PAPER["coding"].value
    tol = given["tol"] if tol is None else tol
    max_iter = given["max_iter"] if max_iter is None else max_iter
    n, height, width = images.shape
    shape = n, len(bank), height, width
    out = Maps(np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(n, np.int64))
    spectra = fft.rfft2(bank.astype(np.float32), (height, width), workers=1)
    power = np.sum(spectra.real**2 + spectra.imag**2, axis=0)
    conjugates, targets = spectra.conj(), fft.rfft2(images, workers=1)
    threshold = np.float32(given["alpha"] * given["weight"])
    relaxation = np.float32(given["relaxation"])
    target = 1.0 + 18.3 ** (log10(given["alpha"]) + 1.0)
    running = np.arange(n)
    code, dual = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    rho = np.full(n, 50.0 * given["alpha"] + 1.0, np.float32)
    for iteration in range(1, max_iter + 1):
        maps = fft.rfft2(code - dual, workers=1)
        left = targets - np.einsum("kyx,nkyx->nyx", spectra, maps)
        left /= power + rho[:, None, None]
        maps += conjugates * left[:, None]
        fit = fft.irfft2(maps, (height, width), workers=1, overwrite_x=True)
        relaxed = relaxation * fit
        relaxed += (1 - relaxation) * code
        size = norms(relaxed)
        relaxed += dual
        limit = (threshold / rho)[:, None, None, None]
        dual = np.clip(relaxed, -limit, limit)
        new = np.subtract(relaxed, dual, out=relaxed)
        primal_residual, dual_residual = norms(fit - new), rho * norms(code - new)
        code = new
        still = (primal_residual >= tol * np.maximum(size, norms(new))) | (
            dual_residual >= tol * rho * norms(dual)
        )
        if iteration == max_iter:
            still[:] = False
        if not still.all():
            ended = running[~still]
            out.fit[ended], out.code[ended], out.n_iter[ended] = (
                fit[~still],
                code[~still],
                iteration,
            )
            running, targets, rho = running[still], targets[still], rho[still]
            code, dual = code[still], dual[still]
            primal_residual, dual_residual = primal_residual[still], dual_residual[still]
            if not running.size:
                break
        lower = dual_residual > given["ratio"] / target * primal_residual
        balance = dual_residual * target / np.maximum(primal_residual, 1e-30)
        change = np.sqrt(np.maximum(balance, 1.0 / np.maximum(balance, 1e-30)))
        factor = np.where(lower, np.minimum(change, given["largest_change"]), 1.0)
        rho = (rho / factor).astype(np.float32)
        dual *= factor.astype(np.float32)[:, None, None, None]
    return out


def pool(maps: np.ndarray, factor: int) -> np.ndarray:
    """Return means over squares of `factor` x `factor` places."""
    *batch, height, width = maps.shape
    cut = maps.reshape(*batch, height // factor, factor, width // factor, factor)
    return cut.mean(axis=(-3, -1), dtype=np.float32)


def shifted(maps: np.ndarray, cutoff: float) -> np.ndarray:
    """Return the published input of the network: shifted, scaled, and only then pruned."""
    centre, scale = PAPER["shift"].value
    moved = (maps - np.float32(centre)) / np.float32(scale)
    if cutoff:
        limit = cutoff * moved.max(axis=(1, 2, 3), keepdims=True)
        moved[np.abs(moved) < limit] = 0.0
    return moved


def pruned(code: np.ndarray, cutoff: float) -> np.ndarray:
    """Return a code without coefficients below `cutoff` times its largest in magnitude."""
    if not cutoff:
        return code
    size = np.abs(code)
    return np.where(size < cutoff * size.max(axis=(1, 2, 3), keepdims=True), np.float32(0.0), code)


def network_input(maps: Maps, form: str, cutoff: float, factor: int) -> np.ndarray:
    """Return one input of the network; places are averaged so that maps are as small as pictures.

    Parameters
    ----------
    form : {"published", "code"}
        Dense maps that are pruned after a shift, as published, or codes that are pruned as such.
    """
    if form == "published":
        return shifted(pool(maps.fit, factor), cutoff)
    return pool(pruned(maps.code, cutoff), factor)


def explained(images: np.ndarray, maps: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """Return the share of each image's energy that its maps explain."""
    spectra = fft.rfft2(bank.astype(np.float32), images.shape[1:], workers=1)
    sums = np.einsum("kyx,nkyx->nyx", spectra, fft.rfft2(maps, workers=1))
    left = images - fft.irfft2(sums, images.shape[1:], workers=1)
    return 1.0 - np.sum(left**2, axis=(1, 2)) / np.sum(images**2, axis=(1, 2))


def removed(maps: Maps, cutoff: float, factor: int) -> tuple[float, float, float]:
    """Return what the published pruning removes: shares of small and of large entries, of images.

    Large are entries of at least `cutoff` times the image's largest magnitude before the shift.
    The last share is of images that stay as they are: where no entry exceeds the shift, the limit
    is negative.
    """
    before = pool(maps.fit, factor)
    size = np.abs(before)
    large = size >= cutoff * size.max(axis=(1, 2, 3), keepdims=True)
    gone = shifted(before, cutoff) == 0.0
    whole = ~gone.any(axis=(1, 2, 3))
    return float(gone[~large].mean()), float(gone[large].mean()), float(whole.mean())


def code_all(images: np.ndarray, bank: np.ndarray, factor: int) -> dict[str, Any]:
    """Code all pictures, a few at a time, and return every input of the network.

    Returns
    -------
    dict
        ``inputs``: one array of shape (n_images, n_atoms, height, width) for each of `INPUTS`.
        ``nonzero``: for each of them the share of entries other than 0, before places of codes
        are averaged. ``coding``: means over pictures of iterations, coefficients a pixel,
        explained energy of x and of y. ``removed``: for each cutoff above 0, what the published
        pruning removes, see :func:`removed`.
    """

    def part(tile: slice) -> tuple[Any, ...]:
        maps = admm_pair(images[tile], bank)
        inputs = [network_input(maps, form, cutoff, factor) for form, cutoff in INPUTS]
        nonzero = [
            np.count_nonzero(one if form == "published" else pruned(maps.code, cutoff))
            / (one.size if form == "published" else maps.code.size)
            for one, (form, cutoff) in zip(inputs, INPUTS)
        ]
        n = len(maps.n_iter)
        coding = [
            maps.n_iter.mean(), np.count_nonzero(maps.code) / images[tile].size,
            explained(images[tile], maps.fit, bank).mean(),
            explained(images[tile], maps.code, bank).mean(),
        ]  # fmt: skip
        gone = [removed(maps, cutoff, factor) for cutoff in CUTOFFS if cutoff]
        return inputs, n, np.array(nonzero), np.array(coding), np.array(gone)

    tiles = [slice(k, k + TOGETHER) for k in range(0, len(images), TOGETHER)]
    with threads() as n_threads:
        inputs, sizes, *sums = zip(*map_tiles(part, tiles, n_threads))
    means = [np.average(np.stack(one), axis=0, weights=sizes) for one in sums]
    return {
        "inputs": [np.concatenate(one) for one in zip(*inputs)],
        **dict(zip(("nonzero", "coding", "removed"), means)),
    }
