"""`ConvDictionaryLearner`: learn small atoms from whole signals, then code with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import repeat
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, check_is_fitted

from sparsecode._validation import check_count, check_dictionary, check_numbers, check_option
from sparsecode.convolutional import draw_atoms, reconstruct
from sparsecode.convolutional._learners import (
    AlternatingConvLearner,
    ConvLearner,
    OnlineConvLearner,
)
from sparsecode.convolutional._loop import Callback, learn, of_array, warn_unconverged
from sparsecode.core import SparseCode
from sparsecode.core._course import Checkpoint, check_callback
from sparsecode.core.measures import explained_variance
from sparsecode.estimators._coding import (
    DTYPES,
    Coding,
    Stored,
    appended,
    as_generator,
    check_coding,
    check_threads,
)
from sparsecode.estimators._packing import CONV_SOLVERS
from sparsecode.penalties import Penalty
from sparsecode.solvers import SolverResult

__all__ = ["ConvDictionaryLearner"]

KIND = "ConvDictionaryLearner checkpoint"
#: Parameters in which a checkpoint and the learner that goes on from it may differ; the first
#: atoms and the random state are compared by what they are.
_FREE = {
    *("n_atoms", "kernel_shape", "init", "n_epochs", "n_steps", "output", "n_threads"),
    *("random_state", "progress", "callback", "checkpoint", "checkpoint_every", "solver_options"),
}


# scikit-learn's stubs know nothing of the keyword, which leaves `transform` as it is written
class ConvDictionaryLearner(Stored, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    r"""Learn convolutional atoms of norm 1, and code whole signals or images with them.

    Descends the mean over samples of

    .. math:: \min_z \tfrac12 \Bigl\|x - \sum_k d_k * z_k\Bigr\|^2 + \mathrm{penalty}(z), \qquad
              \|d_k\| = 1.

    Samples have shape (n_samples, n_channels, width), or (n_samples, n_channels, height, width).
    What is learned from them is no column: later samples may have any size that holds an atom.

    Parameters
    ----------
    n_atoms : int, default=64
        Number of atoms.
    kernel_shape : int or tuple of int, default=12
        Width of the atoms, or their height and width; an int is both.
    method : {"online", "alternating"}, default="online"
        How `fit` learns: :func:`~sparsecode.convolutional.learn_online` or
        :func:`~sparsecode.convolutional.learn_alternating`.
    penalty : penalty struct, str or None, default=None
        A struct such as ``L1(0.1)``, or a registered name such as ``"cel0"``, which needs `alpha`
        or `alpha_ratio`. None is ``L1(0.1)``, or no penalty for ``"mp"``.
    alpha : float, optional
        Replaces the penalty's alpha, so that one can search over it whatever the penalty. In units
        of data times atom for l1.
    alpha_ratio : float, optional
        Replaces alpha, sample by sample, by this fraction of the smallest alpha at which the code
        0 is optimal: a choice that does not depend on the scale of the data.
    positive : bool, default=False
        Restrict the codes to be at least 0, whatever the penalty or pursuit.
    n_nonzero : int, optional
        For ``"mp"``: the largest number of active units per sample, an atom at a place each.
    error : float, optional
        For ``"mp"``: stop as soon as the norm of the residual is at most this, in units of the
        data.
    solver : str or callable, default="greedy_cd"
        ``"greedy_cd"``, ``"mp"``, ``"fista"``, ``"admm"`` or ``"interior_point"``, or a function
        that is called as those of :mod:`sparsecode.convolutional` are.
    solver_options : dict, optional
        Further options of the solver by name, such as ``{"tol": 1e-2, "max_iter": 500}``.
    boundary : {"circular", "zero", "valid"}, default="circular"
        What lies beyond the edges of a signal, as in the solvers.
    constraint : {None, "positive", "mean_free"}, default=None
        What holds for the atoms beside norm 1: no entry below 0, or a mean of 0.
    init : {"windows", "noise"} or array-like of shape (n_atoms, n_channels, \*kernel_shape)
        The first atoms: windows of the samples, from
        :func:`~sparsecode.convolutional.draw_atoms`, by default; or Gaussian noise; or the atoms
        to start from, scaled to norm 1, such as a bank of
        :func:`~sparsecode.convolutional.log_gabor_preset`.
    step : tuple of float, default=(100.0, 1000.0)
        Of online learning: the numbers a and b of the rate :math:`a / (j + b)` of step j. The
        gradient is a sum over places, so that larger images want a smaller a.
    n_sweeps : int, default=1
        Of alternation: times that the atoms are gone over in an epoch.
    dead_after : int, None or "auto", default="auto"
        An atom that no sample used in so many steps running is replaced by the window in which
        most of the residual lies; None keeps dead atoms, "auto" is 1 for alternation, else 50.
    batch_size : int, default=1
        Of online learning: samples in a batch of `fit`; all of them if there are fewer.
    n_epochs : int, default=10
        Passes over the samples in `fit`.
    n_steps : int, optional
        Of online learning: batches of `fit`, in place of `n_epochs`.
    output : {"code", "sparse", "dense"}, default="code"
        Whether `transform` returns a :class:`~sparsecode.core.SparseCode`, a SciPy CSR array with
        a row for each sample, as pipelines like it, or an array of maps.
    n_threads : int, optional
        Threads, at most those that Numba may use, and all of them if unset. Atoms and codes are
        the same, bit by bit, for every number.
    random_state : int, RandomState, Generator or None, default=None
        Source of the initial atoms and of the order of the samples.
    progress : bool, default=False
        Whether `fit` shows a progress bar.
    callback : callable, optional
        ``callback(step, metrics, dictionary)`` after each step, with the row of the history as a
        dict and the new atoms, read-only.
    checkpoint : path-like, optional
        A ``.safetensors`` file, written whole or not at all. If it exists, `fit` goes on from it,
        to the same bits as without a break, if samples and parameters are the same; the numbers
        of steps and threads, `output`, `callback` and `progress` may differ.
    checkpoint_every : int, default=50
        Steps between checkpoints; there is one more at the end.

    Attributes
    ----------
    dictionary_ : ndarray of shape (n_atoms, n_channels, \*kernel_shape)
        Atoms of norm 1, in the dtype of the samples.
    penalty_ : penalty struct or None
        The penalty that the parameters describe.
    n_steps_ : int
        Steps learned from: batches, or epochs of alternation.
    history_ : dict of str to ndarray of shape (n_steps\_,)
        Error, objective, density, silent, replaced and unconverged, step by step, as in
        :class:`~sparsecode.convolutional.ConvLearningResult`.
    n_features_in_ : int
        Number of channels, which is all that samples must agree in.

    See Also
    --------
    DictionaryLearner : Learn from rows, such as patches.
    sparsecode.convolutional : The functions behind it, which learn from streams, too.

    Notes
    -----
    `fit` learns from one array; images of differing sizes go to `partial_fit`, which takes one
    online step on a batch as it stands, and goes on after `fit` by either method, after other
    calls of `partial_fit`, and after `save` and :func:`~sparsecode.estimators.load`, to the same
    bits. `callback` and `checkpoint` belong to one run, and are not saved.

    Maps are as large as the images, so that there are no names of columns that come out, nor
    ``set_output``.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.estimators import ConvDictionaryLearner
    >>> images = np.random.default_rng(0).standard_normal((4, 1, 24, 24))
    >>> learner = ConvDictionaryLearner(6, 5, alpha=1.0, n_epochs=2, random_state=0).fit(images)
    >>> learner.dictionary_.shape, learner.n_steps_
    ((6, 1, 5, 5), 8)
    >>> code = learner.transform(images[:2])
    >>> code.unit_shape, learner.reconstruct(code).shape
    ((6, 24, 24), (2, 1, 24, 24))
    """

    _fitted = (*Stored._fitted, "dictionary_", "penalty_", "n_steps_", "history_", "_silent_for")
    _unsaved = ("callback", "checkpoint")

    def __init__(
        self,
        n_atoms: int = 64,
        kernel_shape: int | tuple[int, ...] = 12,
        *,
        method: str = "online",
        penalty: Penalty | str | None = None,
        alpha: float | None = None,
        alpha_ratio: float | None = None,
        positive: bool = False,
        n_nonzero: int | None = None,
        error: float | None = None,
        solver: str | Callable[..., SolverResult] = "greedy_cd",
        solver_options: dict[str, Any] | None = None,
        boundary: str = "circular",
        constraint: str | None = None,
        init: Any = "windows",
        step: tuple[float, float] = (100.0, 1000.0),
        n_sweeps: int = 1,
        dead_after: int | str | None = "auto",
        batch_size: int = 1,
        n_epochs: int = 10,
        n_steps: int | None = None,
        output: str = "code",
        n_threads: int | None = None,
        random_state: Any = None,
        progress: bool = False,
        callback: Callback | None = None,
        checkpoint: Any = None,
        checkpoint_every: int = 50,
    ) -> None:
        self.n_atoms = n_atoms
        self.kernel_shape = kernel_shape
        self.method = method
        self.penalty = penalty
        self.alpha = alpha
        self.alpha_ratio = alpha_ratio
        self.positive = positive
        self.n_nonzero = n_nonzero
        self.error = error
        self.solver = solver
        self.solver_options = solver_options
        self.boundary = boundary
        self.constraint = constraint
        self.init = init
        self.step = step
        self.n_sweeps = n_sweeps
        self.dead_after = dead_after
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.n_steps = n_steps
        self.output = output
        self.n_threads = n_threads
        self.random_state = random_state
        self.progress = progress
        self.callback = callback
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every

    def fit(self, X: Any, y: Any = None) -> ConvDictionaryLearner:
        r"""Learn atoms from signals, from the start, or from the checkpoint if there is one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, \*shape)
            Signals of shape (width,) or images of shape (height, width); float32 and float64 are
            kept, other real types become float64.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        ConvDictionaryLearner
            Itself.

        Raises
        ------
        ValueError, TypeError
            If signals or a parameter make no sense, or the checkpoint is damaged or of another
            configuration, which is named.
        OSError
            If the checkpoint cannot be written; the one before stays whole.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            Once, if codes did not converge, with their number.
        """
        X = _check_signals(X)
        online = check_option("method", self.method, ("online", "alternating")) == "online"
        batch_size = min(check_count("batch_size", self.batch_size), len(X))
        n_steps = self._n_steps(len(X) // batch_size if online else 1, online)
        coding = self._coding()
        learner = self._learner(coding, online)
        file = Checkpoint(self.checkpoint, self.checkpoint_every, KIND)
        if file.path and isinstance(self.init, str) and self.random_state is None:
            raise ValueError(
                "random_state must be an integer for a checkpoint to be gone on from, unless init "
                "is an array; got None."
            )
        generator = as_generator(self.random_state)
        drawn_from = None if self.random_state is None else deepcopy(generator)
        learner.start(self._first_atoms(X, generator), X.dtype)
        configuration = self._configuration() | {
            "dictionary": learner.atoms, "samples": X, "rng": drawn_from
        }  # fmt: skip
        stream = of_array(X, batch_size, generator) if online else repeat(X)
        result = learn(
            learner, stream, n_steps, file, configuration, generator, self.callback, self.progress
        )
        self._keep(learner, coding, result.history)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> ConvDictionaryLearner:
        r"""Take one more online step, on one batch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, \*shape)
            The batch; the first one sets dtype, channels and axes, and its windows are the first
            atoms unless `init` says otherwise. The next ones may differ in size.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        ConvDictionaryLearner
            Itself.

        Raises
        ------
        ValueError, TypeError
            If the batch or a parameter makes no sense.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            Once, if codes did not converge, with their number.
        """
        X = _check_signals(X)
        begun = hasattr(self, "dictionary_")
        coding = self._coding()
        learner = self._learner(coding, online=True)
        if begun:
            learner.start(self.dictionary_, self.dictionary_.dtype)
            learner.restore(
                {
                    "atoms": self.dictionary_,
                    "silent_for": self._silent_for,
                    "n_steps": np.array(self.n_steps_),
                }
            )
        else:
            learner.start(self._first_atoms(X, as_generator(self.random_state)), X.dtype)
        row = learner.step(X)
        columns = {name: np.array([value]) for name, value in row.items()}
        self._keep(learner, coding, appended(self.history_ if begun else {}, columns))
        if self.callback is not None:
            self.callback(learner.n_steps - 1, row, learner.atoms)
        warn_unconverged(columns["n_unconverged"], len(X))
        return self

    def encode(self, X: Any) -> SolverResult:
        r"""Code signals, and return all that the solver knows of the codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, \*shape)
            Signals, at least as large as an atom.

        Returns
        -------
        SolverResult
            Codes, iterations, certificates and objectives.

        Raises
        ------
        ValueError, TypeError
            If the signals or a parameter make no sense.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            Once, with the number of samples that did not converge.
        """
        check_is_fitted(self)
        return self._coding()(_check_signals(X, least=0), self.dictionary_)

    def transform(self, X: Any) -> Any:
        r"""Code signals.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, \*shape)
            Signals, at least as large as an atom.

        Returns
        -------
        SparseCode, or ndarray of shape (n_samples, n_atoms, \*map_shape), or scipy.sparse.csr_array
            The codes, as `output` says; a CSR array has shape (n_samples, n_units), the maps of a
            sample in a row.
        """
        check_is_fitted(self)
        check_option("output", self.output, ("code", "sparse", "dense"))
        code = self.encode(X).code
        if self.output == "code":
            return code
        return code.to_scipy(copy=True) if self.output == "sparse" else code.to_dense()

    def reconstruct(self, code: Any) -> np.ndarray:
        r"""Return the signals that codes stand for, :math:`\sum_k d_k * z_k`.

        Parameters
        ----------
        code : SparseCode or array-like of shape (n_samples, n_atoms, \*map_shape)
            Codes. The shape of the signals is that of the maps, or with boundary "zero" smaller
            and with "valid" larger by the atoms' size less 1.

        Returns
        -------
        ndarray of shape (n_samples, n_channels, \*shape)
            In the dtype of the codes.

        Raises
        ------
        ValueError, TypeError
            If these are no codes over maps of the atoms. A CSR array is none, for it does not say
            how large the maps are.
        """
        check_is_fitted(self)
        if hasattr(code, "toarray"):
            raise TypeError(
                f"code must be a SparseCode or an array of maps; got {type(code).__name__}, which "
                f'does not say how large maps are. Use output="code".'
            )
        if not isinstance(code, SparseCode):
            maps = check_numbers(code, "code")
            if maps.ndim != self.dictionary_.ndim:
                raise ValueError(
                    f"code must have {self.dictionary_.ndim} axes, (n_samples, n_atoms, "
                    f"*map_shape); got {maps.shape}."
                )
            code = SparseCode.from_dense(maps)
        return reconstruct(code, self.dictionary_, boundary=self.boundary)

    def inverse_transform(self, X: Any) -> np.ndarray:
        r"""Return the signals that codes stand for: `reconstruct`, by scikit-learn's name.

        Parameters
        ----------
        X : SparseCode or array-like of shape (n_samples, n_atoms, \*map_shape)
            Codes.

        Returns
        -------
        ndarray of shape (n_samples, n_channels, \*shape)
            In the dtype of the codes.
        """
        return self.reconstruct(X)

    def score(self, X: Any, y: Any = None) -> float:
        r"""Return the share of the variance of signals that their codes explain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, \*shape)
            Signals.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        float
            :func:`sparsecode.core.measures.explained_variance` with a sample for each place of
            each signal, so that variance is around the mean of each channel: 1 if nothing is lost.

        Raises
        ------
        ValueError, TypeError
            If there are no signals, or these or a parameter make no sense.
        """
        check_is_fitted(self)
        X = _check_signals(X)
        n_channels = X.shape[1]
        rows = [
            np.moveaxis(signals, 1, -1).reshape(-1, n_channels)
            for signals in (X, self.reconstruct(self.encode(X).code))
        ]
        return explained_variance(*rows)

    def _n_steps(self, a_pass: int, online: bool) -> int:
        """Return the number of steps of `fit`, of which a pass over the samples has so many."""
        if self.n_steps is None:
            return check_count("n_epochs", self.n_epochs) * a_pass
        if not online:
            raise ValueError(
                f"n_steps must be None for method='alternating'; got {self.n_steps!r}. Use "
                f"n_epochs."
            )
        return check_count("n_steps", self.n_steps)

    def _coding(self) -> Coding:
        """Return the solver that the parameters ask for."""
        return check_coding(self, None, find=_find, boundary=self.boundary)

    def _learner(self, coding: Coding, online: bool) -> ConvLearner:
        """Return a learner as the parameters describe it, without atoms yet."""
        check_callback(self.callback)
        dead_after: Any = self.dead_after
        if isinstance(dead_after, str):
            if dead_after != "auto":
                raise ValueError(
                    f"dead_after must be an integer, None or 'auto'; got {dead_after!r}. Pass None "
                    f"to keep dead atoms."
                )
            dead_after = 50 if online else 1
        common: dict[str, Any] = {
            "boundary": self.boundary,
            "solver": coding.solve,
            "constraint": self.constraint,
            "dead_after": dead_after,
            "n_threads": check_threads(self.n_threads),
        }
        if online:
            return OnlineConvLearner(coding.penalty, step=self.step, **common)
        return AlternatingConvLearner(coding.penalty, n_sweeps=self.n_sweeps, **common)

    def _first_atoms(self, X: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return the atoms to start from."""
        n_atoms, n_axes = check_count("n_atoms", self.n_atoms), X.ndim - 2
        sides: Any = self.kernel_shape
        sides = sides.tolist() if isinstance(sides, np.ndarray) else sides  # an axis or none
        sides = tuple(sides) if isinstance(sides, Iterable) else (sides,) * n_axes
        if len(sides) != n_axes:
            raise ValueError(
                f"kernel_shape must be an integer or have the {n_axes} axes of X; got "
                f"{self.kernel_shape!r}."
            )
        shape = (n_atoms, X.shape[1], *(check_count("kernel_shape", side) for side in sides))
        if isinstance(self.init, str):
            if check_option("init", self.init, ("windows", "noise")) == "windows":
                return draw_atoms(X, n_atoms, shape[2:], rng=generator)
            return generator.standard_normal(shape)
        atoms = check_numbers(self.init, "init")
        if atoms.shape != shape:
            raise ValueError(
                f"init must have shape {shape}, (n_atoms, n_channels, *kernel_shape), or be "
                f'"windows" or "noise"; got {atoms.shape}.'
            )
        check_dictionary(atoms.reshape(n_atoms, -1), name="init")
        return atoms

    def _configuration(self) -> dict[str, Any]:
        """Return the parameters that a checkpoint and who goes on from it must agree in."""
        given = self.get_params(deep=False)
        options = self.solver_options or {}
        return {name: given[name] for name in given if name not in _FREE} | {
            f"solver_options.{name}": value for name, value in options.items()
        }

    def _keep(self, learner: ConvLearner, coding: Coding, history: dict[str, np.ndarray]) -> None:
        """Store what was learned."""
        self.dictionary_ = np.array(learner.atoms)
        self.penalty_ = coding.penalty
        self.n_steps_ = learner.n_steps
        self.history_ = history
        self._silent_for = learner.state()["silent_for"]
        self.n_features_in_ = self.dictionary_.shape[1]

    def _restore(self, fitted: dict[str, Any]) -> None:
        super()._restore(fitted)
        if not fitted:
            return
        atoms = check_numbers(self.dictionary_, "dictionary_")
        if atoms.ndim not in (3, 4) or atoms.shape[1] != self.n_features_in_:
            raise ValueError(
                f"dictionary_ must have {self.n_features_in_} channels; got {atoms.shape}"
            )
        check_dictionary(atoms.reshape(len(atoms), -1), name="dictionary_")
        if np.shape(self._silent_for) != (len(atoms),):
            raise ValueError("a learner must know for how long each atom has been silent")
        check_count("n_steps_", self.n_steps_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def _find(name: str) -> Callable[..., SolverResult]:
    """Return the convolutional solver of a name."""
    return CONV_SOLVERS[check_option("solver", name, CONV_SOLVERS)]


def _check_signals(X: Any, *, least: int = 1) -> np.ndarray:
    """Return signals of one size over one axis or two, in float32 or float64."""
    if isinstance(X, list | tuple):
        sizes = {np.shape(signal) for signal in X}
        if len(sizes) > 1:
            first, second, *_ = sorted(sizes)
            raise ValueError(
                f"X must hold signals of one shape; got {first} and {second}. Pass those of each "
                f"shape to partial_fit."
            )
    X = check_array(
        X, dtype=DTYPES, ensure_2d=False, allow_nd=True, ensure_all_finite=False,
        ensure_min_samples=0, ensure_min_features=0, input_name="X",
    )  # fmt: skip
    if X.ndim not in (3, 4) or 0 in X.shape[1:]:
        raise ValueError(
            f"X must have shape (n_samples, n_channels, width) or (n_samples, n_channels, height, "
            f"width); got {X.shape}. Insert an axis of length 1 for a single channel."
        )
    if len(X) < least:
        raise ValueError("X must hold at least one sample; got none.")
    return check_numbers(X, "X")
