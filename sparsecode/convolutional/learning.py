"""Convolutional dictionary learning: online, an image a step, or in alternation with codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import repeat
from typing import Any

import numpy as np

from sparsecode._docs import sharing
from sparsecode._validation import check_count, check_rng
from sparsecode.convolutional._arguments import check_signals, kernels_of
from sparsecode.convolutional._fits import energies_of_windows, project
from sparsecode.convolutional._geometry import Geometry
from sparsecode.convolutional._learners import AlternatingConvLearner, OnlineConvLearner
from sparsecode.convolutional._loop import KIND, Callback, learn, of_array, of_stream
from sparsecode.convolutional._result import ConvLearningResult
from sparsecode.convolutional.greedy_cd import greedy_cd
from sparsecode.core._course import Checkpoint
from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._result import SolverResult

__all__ = ["draw_atoms", "learn_alternating", "learn_online"]


def draw_atoms(
    X: Any,
    n_atoms: int,
    kernel_shape: int | tuple[int, ...],
    *,
    rng: np.random.Generator | int | None = None,
) -> np.ndarray:
    r"""Draw windows of signals, scaled to norm 1, as atoms to start from.

    They are drawn with a probability that is proportional to their energy, and lie within the
    signals.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_channels, \*shape)
        Signals of shape (width,) or images of shape (height, width).
    n_atoms : int
        Number of windows, no two of which are the same.
    kernel_shape : int or tuple of int
        Their width, or height and width; an int is both.
    rng : Generator, int or None
        Source of the draws.

    Returns
    -------
    ndarray of shape (n_atoms, n_channels, \*kernel_shape)
        In the dtype of the signals.

    Raises
    ------
    TypeError, ValueError
        If the shapes make no sense, a window is larger than the signals, or these have fewer
        windows that are not 0 than there are atoms to draw.
    """
    n_atoms = check_count("n_atoms", n_atoms)
    if np.ndim(X) not in (3, 4):
        raise ValueError(
            f"X must have shape (n_samples, n_channels, width) or (n_samples, n_channels, height, "
            f"width); got {np.shape(X)}. Insert an axis of length 1 for a single channel."
        )
    n_axes = np.ndim(X) - 2
    sides: Any = kernel_shape.tolist() if isinstance(kernel_shape, np.ndarray) else kernel_shape
    given = tuple(sides) if isinstance(sides, Iterable) else (sides,) * n_axes
    if len(given) != n_axes:
        raise ValueError(f"kernel_shape must have {n_axes} axes, as X has; got {kernel_shape!r}.")
    wanted = tuple(check_count("kernel_shape", n) for n in given)
    like = np.ones((1, np.shape(X)[1], *wanted))
    X = check_signals(X, like, kernels_of(like))
    geometry = Geometry(X.shape[2:], kernels_of(like).shape[2:], "valid")
    energies = np.array([energies_of_windows(geometry, signal) for signal in X]).reshape(-1)
    if np.count_nonzero(energies) < n_atoms:
        raise ValueError(
            f"X must have at least n_atoms = {n_atoms} windows that are not 0; got "
            f"{np.count_nonzero(energies)}. Use more signals, or fewer atoms."
        )
    drawn = check_rng(rng).choice(
        energies.size, n_atoms, replace=False, p=energies / energies.sum()
    )
    atoms = np.zeros((n_atoms, *like.shape[1:]))
    for atom, place in zip(atoms, drawn):
        i, position = divmod(int(place), geometry.n_positions)
        y, x = divmod(position, geometry.maps[1])
        atom[:] = geometry.windows(X[i], slice(y, y + 1))[x].reshape(atom.shape)
    return project(atoms, None)[0].astype(X.dtype)


_shared = sharing(
    {
        "dictionary": r"""
        dictionary : array-like of shape (n_atoms, n_channels, \*kernel_shape)
            Atoms to start from, scaled to norm 1: random numbers, windows of the signals, or a
            bank such as :func:`~sparsecode.convolutional.log_gabor_preset`. Their support stays.
        penalty : penalty struct, str or None
            Such as ``L1(0.01)``; a registered name needs `alpha_ratio`; None for a solver without
            a penalty.
        boundary : {"circular", "zero", "valid"}, default="circular"
            As in the solvers.
        solver : callable, default=greedy_cd
            Called as ``solver(X, dictionary, penalty, boundary=boundary)``, with `alpha_ratio` and
            `n_threads` if they are given; returns a SolverResult. Options go with it:
            ``functools.partial(greedy_cd, tol=1e-3)``, or without a penalty
            ``functools.partial(mp, n_nonzero=500)``.
        alpha_ratio : float, optional
            Passed to the solver: replaces the penalty's alpha, sample by sample.
        """,
        "constraint": """
        constraint : {None, "positive", "mean_free"}
            What atoms must be besides of norm 1: without negative entries, or of mean 0. An atom
            of which the constraint leaves nothing is replaced as a dead one is.
        """,
        "course": """
        callback : callable, optional
            ``callback(step, metrics, dictionary)`` after each step, with the row of the history as
            a dict and the new atoms, read-only.
        checkpoint : path-like, optional
            A ``.safetensors`` file, written whole or not at all. If it exists, learning goes on
            from it, to the same bits as without a break: call with the same arguments, a stream
            from its start. Only the number of steps, `callback`, `progress`, `n_threads` and
            `checkpoint_every` may differ.
        checkpoint_every : int
            Steps between checkpoints; there is one more at the end.
        progress : bool, default=False
            Whether to show a progress bar.
        """,
        "n_threads": """
        n_threads : int, optional
            Threads; all that Numba may use if unset. The result is the same, bit by bit, for every
            number.
        """,
        "returns": """
        Returns
        -------
        ConvLearningResult
            The atoms and, step by step, error, objective, density and replaced atoms.

        Raises
        ------
        TypeError, ValueError
            If an argument makes no sense, shapes or channels disagree, a signal is smaller than an
            atom or not finite, a batch is empty, the stream ends early, or the checkpoint is
            damaged or of another configuration, which is named.
        OSError
            If the checkpoint cannot be written; the one before stays whole.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            Once, if codes did not converge, with their number.
        """,
    }
)


@_shared
def learn_online(
    batches: Any,
    dictionary: Any,
    penalty: Penalty | str | None,
    *,
    boundary: str = "circular",
    solver: Callable[..., SolverResult] = greedy_cd,
    alpha_ratio: float | None = None,
    step: tuple[float, float] = (100.0, 1000.0),
    constraint: str | None = None,
    dead_after: int | None = 50,
    batch_size: int = 1,
    n_steps: int | None = None,
    callback: Callback | None = None,
    checkpoint: Any = None,
    checkpoint_every: int = 50,
    progress: bool = False,
    rng: np.random.Generator | int | None = None,
    n_threads: int | None = None,
) -> ConvLearningResult:
    r"""Learn atoms by a gradient step after each image, or batch of images.

    Descends the mean over samples of

    .. math:: \min_z \tfrac12 \Bigl\|x - \sum_k d_k * z_k\Bigr\|^2 + \mathrm{penalty}(z), \qquad
              \|d_k\| = 1.

    With the codes of batch j, whose residuals are r,

    .. math:: d_k \leftarrow \Pi\Bigl(d_k + \eta_j \operatorname{mean}
              \sum_p z_k(p)\, r(p + \cdot)\Bigr), \qquad \eta_j = \frac{a}{j + b},

    where :math:`\Pi` keeps the atom's support, applies the constraint and scales to norm 1.

    Parameters
    ----------
    batches : iterable of array-like of shape (n_samples, n_channels, \*shape), or ndarray of it
        A stream of batches, whose images may differ in size from batch to batch; or all samples,
        from which whole batches are drawn in a new random order at each pass. The atoms take the
        dtype of the first batch.
    <dictionary>
    step : tuple of float, default=(100.0, 1000.0)
        The numbers a and b. The sum goes over places, so that it grows with the size of images:
        what suits one size is to be divided by as much for larger ones.
    <constraint>
    dead_after : int or None, default=50
        An atom that no sample used in so many batches running is replaced by the window in which
        most of the residual lies; None keeps dead atoms.
    batch_size : int, default=1
        Samples in a batch drawn from an array; all of them if it holds fewer.
    n_steps : int, optional
        Number of batches; by default all of the stream, or one pass over the array.
    <course>
    rng : Generator, int or None
        Source of the order of samples drawn from an array.
    <n_threads>

    <returns>

    Notes
    -----
    First-order online convolutional dictionary learning [1]_, one image a step, with its rate
    :math:`a / (j + b)` and projection. The gradient is summed over the active units alone, from
    windows of the residual; no map is ever dense.

    References
    ----------
    .. [1] Liu, Garcia-Cardona, Wohlberg & Yin, "First- and second-order methods for online
       convolutional dictionary learning", SIAM J. Imaging Sci. 11 (2018), 1589-1628.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.convolutional import learn_online
    >>> from sparsecode.penalties import L1
    >>> rng = np.random.default_rng(0)
    >>> images = rng.standard_normal((4, 1, 24, 24))
    >>> learned = learn_online(images, rng.standard_normal((6, 1, 5, 5)), L1(1.0), rng=1)
    >>> learned.dictionary.shape, learned.n_steps
    ((6, 1, 5, 5), 4)
    """
    kernels = kernels_of(dictionary)
    learner = OnlineConvLearner(
        penalty, boundary=boundary, solver=solver, alpha_ratio=alpha_ratio, step=step,
        constraint=constraint, dead_after=dead_after, n_threads=n_threads,
    )  # fmt: skip
    generator = check_rng(rng)
    drawn_from = None if rng is None else deepcopy(generator)
    batch_size = check_count("batch_size", batch_size)
    if n_steps is not None:
        n_steps = check_count("n_steps", n_steps)
    is_array = isinstance(batches, np.ndarray) and batches.ndim != np.ndim(dictionary) + 1
    if is_array:
        samples = check_signals(batches, dictionary, kernels)
        if not len(samples):
            raise ValueError("batches must hold samples to learn from; got none.")
        batch_size = min(batch_size, len(samples))
        n_steps = n_steps or len(samples) // batch_size
        whole = samples if np.ndim(dictionary) == 4 else samples[:, :, 0]
    else:
        first, stream = of_stream(batches, n_steps)
        samples = check_signals(first, dictionary, kernels)
    learner.start(dictionary, samples.dtype)
    file = Checkpoint(checkpoint, checkpoint_every, KIND)
    configuration = dict(
        learner="online", penalty=penalty, boundary=boundary, solver=solver,
        alpha_ratio=alpha_ratio, step=(learner.a, learner.b), constraint=constraint,
        dead_after=dead_after, batch_size=batch_size, dictionary=learner.atoms,
        samples=samples, rng=drawn_from,
    )  # fmt: skip
    if is_array:
        stream = of_array(whole, batch_size, generator)
    return learn(learner, stream, n_steps, file, configuration, generator, callback, progress)


@_shared
def learn_alternating(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str | None,
    *,
    boundary: str = "circular",
    solver: Callable[..., SolverResult] = greedy_cd,
    alpha_ratio: float | None = None,
    n_epochs: int = 20,
    n_sweeps: int = 1,
    constraint: str | None = None,
    dead_after: int | None = 1,
    callback: Callback | None = None,
    checkpoint: Any = None,
    checkpoint_every: int = 1,
    progress: bool = False,
    n_threads: int | None = None,
) -> ConvLearningResult:
    r"""Learn atoms from all signals at once, in alternation with their codes.

    Minimises, over codes and atoms in turn, the mean over samples of

    .. math:: \tfrac12 \Bigl\|x - \sum_k d_k * z_k\Bigr\|^2 + \mathrm{penalty}(z), \qquad
              \|d_k\| = 1.

    Each epoch codes all samples, from the codes of the last one on, and then goes over the atoms,
    each of which descends while the others and all codes are held.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_channels, \*shape)
        Signals of shape (width,) or images of shape (height, width), whose dtype the atoms take.
    <dictionary>
    n_epochs : int, default=20
        Times that all samples are coded and the atoms updated.
    n_sweeps : int, default=1
        Times that the atoms are gone over in an epoch. On natural images 3 or 10 times lowered the
        objective no faster: codes hold the atoms back.
    <constraint>
    dead_after : int or None, default=1
        An atom that no sample used in so many epochs running is replaced by the window in which
        most of the residual lies; None keeps dead atoms.
    <course>
    <n_threads>

    <returns>

    Notes
    -----
    With the codes held, the objective of one atom is a quadratic whose matrix holds the
    autocorrelation of its maps at lags below the kernel's size, and whose slope is the sum of the
    residual's windows at its units: both are summed over the active units alone. Projected
    gradient steps of 1 / L, with L the largest eigenvalue of that matrix, minimise it over atoms
    of norm 1 without ever raising it, so that no update of the atoms raises the objective. Nor
    does a solver that descends from where it starts, as `greedy_cd` does. (A replaced atom had no
    active units: the objective stays.) Norms stay 1 throughout, so that codes need no rescaling.
    With `alpha_ratio`, alpha depends on the atoms, and the objective may rise.

    Atoms move little while the codes of all samples hold them: on 8 natural images of 128 x 128
    with 48 atoms of 12 x 12 from noise, :func:`learn_online` reached in 40 codings of an image a
    lower objective on other images (286) than alternation in 120 (294; 327 at the start). Like any
    learner of this kind it may end with an atom that is shifted and cut off at its edge: take
    kernels a little larger than what is to be found, or the best of several starts.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.convolutional import learn_alternating
    >>> from sparsecode.penalties import L1
    >>> rng = np.random.default_rng(0)
    >>> images = rng.standard_normal((4, 1, 24, 24))
    >>> learned = learn_alternating(
    ...     images, rng.standard_normal((6, 1, 5, 5)), L1(1.0), n_epochs=3
    ... )
    >>> bool((np.diff(learned.history["objective"]) < 0).all())
    True
    """
    learner = AlternatingConvLearner(
        penalty, n_sweeps=n_sweeps, boundary=boundary, solver=solver, alpha_ratio=alpha_ratio,
        constraint=constraint, dead_after=dead_after, n_threads=n_threads,
    )  # fmt: skip
    n_epochs = check_count("n_epochs", n_epochs)
    samples = check_signals(X, dictionary, kernels_of(dictionary))
    if not len(samples):
        raise ValueError("X must hold samples to learn from; got none.")
    learner.start(dictionary, samples.dtype)
    file = Checkpoint(checkpoint, checkpoint_every, KIND)
    configuration = dict(
        learner="alternating", penalty=penalty, boundary=boundary, solver=solver,
        alpha_ratio=alpha_ratio, n_sweeps=n_sweeps, constraint=constraint,
        dead_after=dead_after, dictionary=learner.atoms, samples=samples,
    )  # fmt: skip
    whole = samples if np.ndim(dictionary) == 4 else samples[:, :, 0]
    return learn(learner, repeat(whole), n_epochs, file, configuration, None, callback, progress)
