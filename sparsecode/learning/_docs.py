"""The words that the learners' docstrings share, written once."""

from __future__ import annotations

from sparsecode._docs import sharing

__all__ = ["shared_docs"]

shared_docs = sharing(
    {
        "batches": """
        batches : iterable of array-like of shape (n_samples, n_features), or ndarray of that shape
            A stream of batches, which may differ in size, such as
            :func:`~sparsecode.datasets.patch_batches`; or all samples, from which whole batches
            are drawn in a new random order at each pass. The atoms take the dtype of the first
            batch.
        dictionary : int or array-like of shape (n_atoms, n_features)
            Number of atoms, drawn as `init` says; or the atoms to start from, scaled to norm 1.
        penalty : penalty struct, str or None
            Such as ``L1(0.5)``; a registered name needs `alpha_ratio`; None for a solver without a
            penalty.
        solver : str or callable, default="auto"
            "auto" for :func:`sparsecode.solvers.encode`, a name of
            :func:`sparsecode.solvers.registered`; or a function that is called as
            ``solver(X, dictionary, penalty)``, with `alpha_ratio` and `n_threads` if they are
            given, and returns a SolverResult: ``functools.partial(cd, tol=1e-3)``, or without a
            penalty ``functools.partial(omp, n_nonzero=8)``.
        alpha_ratio : float, optional
            Passed to the solver: replaces the penalty's alpha, sample by sample.
        """,
        "atoms": """
        init : {"samples", "gaussian"}
            What atoms are drawn from if `dictionary` is a number: the array, or the first batch of
            a stream, with random mixtures of samples where there are too few; or a Gaussian.
        constraint : {None, "positive", "mean_free"}
            What atoms must be besides of norm 1: without negative entries, or of mean 0. An atom
            of which the constraint leaves nothing is replaced as a dead one is.
        skip_unconverged : bool, default=False
            Whether a batch moves no atoms if some of its codes did not converge.
        dead_after : int or None
            An atom that no sample used in so many batches running is replaced by the largest
            residual of the batch; None keeps dead atoms.
        max_cosine : float or None
            Every `dead_after` batches, of two atoms whose cosine, or its magnitude unless the
            penalty is positive, is larger, the one that fewer samples of the batch use is replaced
            as a dead one is; None keeps both.
        warm_start : bool, default=False
            Whether samples of an array seen again are coded from their last codes on. The solver
            must take `init`. It saves little, a tenth of the time with l1 and ``"cd"``, and with
            a penalty that is not convex supports stick: with CEL0 on natural images the objective
            ended 1 to 4 % higher.
        """,
        "course": """
        held_out : array-like of shape (n_samples, n_features), optional
            Samples whose objective says which atoms are best: those are returned, rather than the
            last ones.
        held_out_every : int
            Batches between evaluations; there is one more at the end.
        patience : int or None, default=5
            Evaluations without improvement after which learning stops; None never stops early.
        checkpoint : path-like, optional
            A ``.safetensors`` file, written whole or not at all. If it exists, learning goes on
            from it, to the same bits as without a break: call with the same arguments, a stream
            from its start (what was learned from is drawn and dropped). Only `n_batches`,
            `callback`, `progress`, `n_threads` and `checkpoint_every` may differ.
        checkpoint_every : int
            Batches between checkpoints; there is one more at the end.
        callback : callable, optional
            ``callback(step, metrics, dictionary)`` after each batch, with the row of the history
            as a dict and the new atoms, read-only.
        progress : bool, default=False
            Whether to show a progress bar.
        rng : Generator, int or None
            Source of the initial atoms and of the order of samples drawn from an array. Not the
            seed that planted a known dictionary: equal seeds would draw equal atoms.
        n_threads : int, optional
            Passed to the solver. The result is the same, bit by bit, for every number.
        """,
        "returns": """
        Returns
        -------
        LearningResult
            The atoms and, batch by batch, error, objective, density and replaced atoms.

        Raises
        ------
        ValueError, TypeError
            If an argument makes no sense, a batch is empty or has other features than the atoms,
            the stream ends before `n_batches`, or the checkpoint is damaged or of another
            configuration, which is named.
        OSError
            If the checkpoint cannot be written; the one before stays whole.

        Warns
        -----
        ConvergenceWarning
            Once, if codes did not converge, with their number.
        UserWarning
            Once, if an array holds fewer samples than there are atoms.
        """,
    }
)
