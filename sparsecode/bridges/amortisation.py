"""The amortisation gap: what solvers gain over an encoder with the encoder's own dictionary.

A sparse autoencoder makes its code by one cheap map. For the same atoms a solver finds codes that
are as sparse and reconstruct better; how much better is the price of amortised inference.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import nnls

from sparsecode._validation import check_data, check_dictionary, check_numbers, check_option
from sparsecode.bridges._rows import as_rows, blocks
from sparsecode.core.code import SparseCode
from sparsecode.core.dictionary import normalize, reconstruct
from sparsecode.core.measures import explained_variance
from sparsecode.core.ops import jaccard
from sparsecode.penalties.cel0 import CEL0
from sparsecode.penalties.l1 import L1
from sparsecode.solvers import SolverResult, alpha_for_density, encode, omp

__all__ = ["amortisation_gap", "encode_rows"]

_METHODS = ("refit", "omp", "lasso", "lasso_refit", "cel0")


def encode_rows(
    X: Any,
    encoder: Callable[[np.ndarray], SparseCode | SolverResult],
    *,
    bias: Any = None,
    rows_per_block: int = 8192,
) -> SparseCode:
    """Encode rows block by block from an array, a memory map or a store.

    Parameters
    ----------
    X : array-like or reader of shape (n_samples, n_features)
        Anything with ``shape`` that gives arrays for slices of rows; never read as a whole.
    encoder : callable
        Turns a block of rows into a SparseCode or a SolverResult, such as
        ``partial(omp, dictionary=D, n_nonzero=8)``.
    bias : array-like of shape (n_features,), optional
        Subtracted from all rows, as b_dec of an autoencoder.
    rows_per_block : int, default=8192
        Rows held together.

    Returns
    -------
    SparseCode

    Raises
    ------
    ValueError, TypeError
        If `X` holds no row, has another shape, or NaN or infinity, or what comes back is no code
        of its rows.

    Examples
    --------
    >>> from functools import partial
    >>> import numpy as np
    >>> from sparsecode.bridges.amortisation import encode_rows
    >>> from sparsecode.solvers import omp
    >>> D = np.eye(3)
    >>> encode_rows(np.ones((5, 3)), partial(omp, dictionary=D, n_nonzero=1))
    <SparseCode 5 x 3, 33.3 % active, float64>
    """
    rows = as_rows(X)
    codes = []
    if bias is not None:
        bias = check_numbers(bias, "bias")
        if bias.shape != (rows.shape[1],):
            raise ValueError(f"bias must have shape ({rows.shape[1]},); got {bias.shape}.")
    for _, block in blocks(rows, width=1, rows_per_block=rows_per_block):
        found = encoder(block if bias is None else block - bias.astype(block.dtype))
        code = found.code if isinstance(found, SolverResult) else found
        if not isinstance(code, SparseCode) or code.n_samples != len(block):
            raise TypeError(
                f"encoder must return a SparseCode of {len(block)} samples; got {code!r}."
            )
        codes.append(code)
    if not codes:
        raise ValueError("X must hold at least one row; got none.")
    return SparseCode.concatenate(codes)


def amortisation_gap(
    X: Any,
    autoencoder: Any,
    *,
    methods: Iterable[str] = _METHODS,
    positive: bool = True,
    rtol: float = 0.02,
    n_tuned: int = 1000,
    n_threads: int | None = None,
) -> dict[str, dict[str, float]]:
    r"""Compare an encoder's codes with those of solvers, for the same atoms at the same l0.

    Atoms are scaled to norm 1 first, so that penalties treat them alike; solvers see
    :math:`x - b_{dec}`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Inputs, at least one.
    autoencoder : object or tuple
        With ``dictionary``, ``bias`` and ``to_code(X)``, or the three
        ``(dictionary, bias, code)``.
    methods : iterable of str
        Some of "refit": the encoder's supports with least-squares values, so that what a better
        support brings is told apart from what better values bring; "omp": at each sample's own
        l0; "lasso": alpha tuned to the encoder's mean l0; "lasso_refit": its supports with
        least-squares values, free of shrinkage; "cel0": tuned likewise. By default all.
    positive : bool, default=True
        Whether solvers are held to codes at or above 0, as encoders with a ReLU are.
    rtol : float, default=0.02
        Accepted relative deviation of the mean l0 where alpha is tuned.
    n_tuned : int, default=1000
        Samples, the first ones, on which alpha is tuned.
    n_threads : int, optional
        Threads over samples.

    Returns
    -------
    dict of str to dict of str to float
        For "encoder" and each method: "explained_variance" of x; "gain", how much that is above
        the encoder's; "l0", the mean number of active atoms; "jaccard", the mean agreement with
        the encoder's supports (samples silent in both left out); and, for solvers, "certificate",
        its largest value over samples, "converged", the share of samples that met the tolerance,
        and "alpha". A method for which no alpha gives the l0 is NaN throughout.

    Raises
    ------
    ValueError, TypeError
        If the arrays do not fit, X is empty, no atom is ever used, or a method is unknown.

    Notes
    -----
    OMP may stop early: where it fits exactly, or no atom correlates above 0. A larger l0 of the
    same mean makes comparisons unfair, so that "l0" is reported with every value. The LASSO and
    CEL0 choose how many atoms each sample gets; OMP here does not.

    References
    ----------
    C. O'Neill, A. Gumran and D. Klindt, "Compute optimal inference and provable amortisation gap
    in sparse autoencoders", 2024 (arXiv:2411.13117).
    """
    chosen = [check_option("methods", method, _METHODS) for method in methods]
    X = check_data(X, dtype=np.float64)
    if isinstance(autoencoder, tuple):
        dictionary, bias, code = autoencoder
    else:
        _check_autoencoder(autoencoder)
        dictionary, bias = autoencoder.dictionary, autoencoder.bias
        code = autoencoder.to_code(X)
    dictionary = check_dictionary(dictionary, dtype=np.float64)
    X = check_data(X, n_features=dictionary.shape[1])
    bias = check_numbers(bias, "bias", np.float64)
    if bias.shape != (X.shape[1],):
        raise ValueError(f"bias must have shape ({X.shape[1]},); got {bias.shape}.")
    if not isinstance(code, SparseCode) or code.shape != (len(X), len(dictionary)):
        raise ValueError(
            f"code must be a SparseCode of shape ({len(X)}, {len(dictionary)}); got {code!r}."
        )
    if code.nnz == 0:
        raise ValueError(f"code must use an atom somewhere; got {code!r}.")
    atoms, code = normalize(dictionary, code)
    centred = X - bias

    def report(found: SparseCode, **more: float) -> dict[str, float]:
        explained = explained_variance(X, reconstruct(found, atoms) + bias)
        shared = jaccard(code, found, rowwise=True)
        shared = shared[~np.isnan(shared)]
        return {
            "explained_variance": explained,
            "l0": float(found.n_active.mean()),
            "jaccard": float(shared.mean()) if shared.size else float("nan"),
            **more,
        }

    def tuned(penalty: Any) -> tuple[SolverResult, float] | None:
        sample = slice(0, n_tuned)
        wanted = code[sample].density
        try:
            alpha = alpha_for_density(
                centred[sample], atoms, penalty, wanted, rtol=rtol, n_threads=n_threads
            )
        except ValueError:  # the density jumps over the wanted one, or is out of reach
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "converged" says it
            solved = encode(centred, atoms, penalty._replace(alpha=alpha), n_threads=n_threads)
        return solved, alpha

    found = {"encoder": report(code)}
    lasso: tuple[SolverResult, float] | None = None
    if {"lasso", "lasso_refit"} & set(chosen):
        lasso = tuned(L1(1.0, positive))
    for method in chosen:
        if method == "refit":
            found[method] = report(_refit(centred, atoms, code, positive))
        elif method == "omp":
            solution, certificate, converged = _omp_at(
                centred, atoms, code.n_active, positive, n_threads
            )
            found[method] = report(solution, certificate=certificate, converged=converged)
        else:
            solved = tuned(CEL0(1.0, positive=positive)) if method == "cel0" else lasso
            if solved is None:
                found[method] = dict.fromkeys(("explained_variance", "l0", "jaccard"), np.nan)
                continue
            result, alpha = solved
            solution = result.code
            if method == "lasso_refit":
                found[method] = report(_refit(centred, atoms, solution, positive), alpha=alpha)
                continue
            found[method] = report(
                solution,
                certificate=float(result.certificate.max()),
                converged=float(result.converged.mean()),
                alpha=alpha,
            )
    base = found["encoder"]["explained_variance"]
    return {
        name: {**values, "gain": values["explained_variance"] - base}
        for name, values in found.items()
    }


def _check_autoencoder(autoencoder: Any) -> None:
    """Refuse what does not reconstruct its own input by its atoms alone."""
    is_transcoder = getattr(autoencoder, "is_transcoder", False)
    if is_transcoder or getattr(autoencoder, "W_skip", None) is not None:
        raise ValueError(
            f"autoencoder must reconstruct its own input by its atoms alone; got "
            f"{'a transcoder' if is_transcoder else 'one with a skip connection'}. Compare codes "
            f"of its target with sparsecode.solvers instead."
        )


def _omp_at(
    X: np.ndarray,
    atoms: np.ndarray,
    n_active: np.ndarray,
    positive: bool,
    n_threads: int | None,
) -> tuple[SparseCode, float, float]:
    """Return OMP codes with as many atoms for each sample as are asked for."""
    order = np.argsort(n_active, kind="stable")
    codes, worst, n_converged = [], 0.0, 0
    for k in np.unique(n_active):
        rows = np.flatnonzero(n_active == k)
        if k == 0:
            codes.append(SparseCode.from_dense(np.zeros((len(rows), len(atoms)))))
            n_converged += len(rows)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            solve = partial(omp, positive=positive, n_threads=n_threads)
            result = solve(X[rows], atoms, n_nonzero=int(k))
        codes.append(result.code)
        worst = max(worst, float(result.certificate.max(initial=0.0)))
        n_converged += int(result.converged.sum())
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return SparseCode.concatenate(codes)[back], worst, n_converged / len(X)


def _refit(X: np.ndarray, atoms: np.ndarray, code: SparseCode, positive: bool) -> SparseCode:
    """Return the least-squares values on given supports; with `positive`, none below 0."""
    values = np.zeros(code.nnz)
    for i, (start, stop) in enumerate(zip(code.indptr[:-1], code.indptr[1:])):
        if stop > start:
            used = atoms[code.indices[start:stop]].T
            fit = nnls(used, X[i])[0] if positive else np.linalg.lstsq(used, X[i], rcond=None)[0]
            values[start:stop] = fit
    return SparseCode(code.indptr, code.indices, values, code.unit_shape)
