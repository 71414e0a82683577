"""The words that the solvers' docstrings share, written once."""

from __future__ import annotations

from sparsecode._docs import sharing

__all__ = ["shared_docs"]

shared_docs = sharing(
    {
        "X": """
        X : array-like of shape (n_samples, n_features)
            Samples; float32 and float64 are kept, other real types become float64.
        """,
        "dictionary": """
        dictionary : array-like of shape (n_atoms, n_features)
            Atoms as rows, of any norm but 0.
        """,
        "penalty": """
        penalty : penalty struct or str
            Such as ``L1(0.1)``; a registered name needs `alpha_ratio`.
        alpha_ratio : float, optional
            Replaces the penalty's alpha, sample by sample, by this fraction of the smallest
            alpha at which the code 0 is coordinate-wise optimal.
        """,
        "init": """
        init : SparseCode or array-like of shape (n_samples, n_atoms), optional
            Where to start; 0 if unset.
        """,
        "n_nonzero": """
        n_nonzero : int, optional
            Largest number of active atoms per sample, at most n_atoms.
        """,
        "error": """
        error : float, optional
            Stop as soon as ``||x - zD||`` is at most this, in units of the data.
        """,
        "tol": """
        tol : float, optional
            Largest certificate of a converged sample; 1e-6 for float64 and 1e-4 for float32 if
            unset.
        """,
        "n_threads": """
        n_threads : int, optional
            Threads over samples, all that Numba may use if unset. The codes are the same, bit by
            bit, for every number.
        progress : bool, default=False
            Whether to show a progress bar.
        """,
        "returns": """
        Returns
        -------
        SolverResult
            Codes, iterations, certificate, objective and the alpha of each sample.

        Raises
        ------
        TypeError
            If an argument has a type this solver cannot use.
        ValueError
            If shapes disagree, entries are not finite, an atom has norm 0, or a number lies
            outside its range.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            Once per call, with the number of samples that did not converge.
        """,
    }
)
