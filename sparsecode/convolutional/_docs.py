"""The words that the convolutional docstrings share, written once."""

from __future__ import annotations

from sparsecode._docs import sharing

__all__ = ["shared_docs"]

shared_docs = sharing(
    {
        "X": r"""
        X : array-like of shape (n_samples, n_channels, \*shape)
            Signals of shape (width,) or images of shape (height, width); float32 and float64 are
            kept, other real types become float64.
        """,
        "dictionary": r"""
        dictionary : array-like of shape (n_atoms, n_channels, \*kernel_shape)
            Atoms, of any norm but 0, no larger than the signals.
        """,
        "penalty": """
        penalty : penalty struct or str
            Such as ``L1(0.1)``; a registered name needs `alpha_ratio`.
        """,
        "boundary": """
        boundary : {"circular", "zero", "valid"}, default="circular"
            "circular": signals go on at their other end, and maps have their shape. "zero": they
            are surrounded by zeros, which the atoms that overlap the edge must fit too; maps are
            larger by the kernel's size less 1. "valid": atoms lie within the signal; maps are
            smaller by as much.
        """,
        "alpha": r"""
        alpha_ratio : float, optional
            Replaces the penalty's alpha, sample by sample, by this fraction of the smallest
            alpha at which the code 0 is coordinate-wise optimal.
        weights : array-like, optional
            What alpha is multiplied by at each place; broadcast to (n_atoms, \*map_shape), above
            0. The penalty's own weights, one an atom, multiply it too.
        """,
        "init": r"""
        init : SparseCode or array-like of shape (n_samples, n_atoms, \*map_shape), optional
            Where to start; 0 if unset.
        """,
        "tol": """
        tol : float, optional
            Largest certificate of a converged sample; 1e-4 if unset.
        """,
        "n_threads": """
        n_threads : int, optional
            Threads, over samples or within a single one; all that Numba may use if unset. The
            codes are the same, bit by bit, for every number.
        progress : bool, default=False
            Whether to show a progress bar over samples.
        """,
        "returns": r"""
        Returns
        -------
        SolverResult
            Codes over units of shape (n_atoms, \*map_shape), iterations, certificate, objective
            and the alpha of each sample.

        Raises
        ------
        TypeError
            If an argument has a type this solver cannot use.
        ValueError
            If shapes or channels disagree, entries are not finite, an atom has norm 0 or is larger
            than the signals, the boundary is unknown, or a number lies outside its range.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            Once per call, with the number of samples that did not converge.
        """,
    }
)
