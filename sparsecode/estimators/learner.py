"""`DictionaryLearner`: learn the atoms, then code with them, for scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import islice
from typing import Any

import numpy as np
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data

from sparsecode._validation import (
    check_count,
    check_dictionary,
    check_option,
    warn_of_few_samples,
)
from sparsecode.estimators._coding import (
    DTYPES,
    Coder,
    Coding,
    appended,
    as_generator,
    check_coding,
    check_options,
    coding_docs,
)
from sparsecode.learning._learner import Learner
from sparsecode.learning.gradient import GradientRule
from sparsecode.learning.ksvd import KSVDRule
from sparsecode.learning.mod import ModRule
from sparsecode.learning.online import OnlineRule
from sparsecode.penalties import Penalty
from sparsecode.solvers import SolverResult

__all__ = ["DictionaryLearner"]

_RULES = {"gradient": GradientRule, "ksvd": KSVDRule, "mod": ModRule, "online": OnlineRule}


@coding_docs
class DictionaryLearner(CallbackSupportMixin, Coder):
    r"""Learn atoms of norm 1 that give sparse codes.

    Descends the mean over samples of

    .. math:: \min_z \tfrac12 \|x - zD\|^2 + \mathrm{penalty}(z), \qquad \|d_j\| = 1,

    by turns: code a batch of samples, then move the atoms.

    Parameters
    ----------
    n_atoms : int, default=64
        Number of atoms.
    method : {"online", "gradient", "mod", "ksvd"}, default="online"
        How a batch moves the atoms: :func:`~sparsecode.learning.online`,
        :func:`~sparsecode.learning.olshausen_field`, :func:`~sparsecode.learning.mod` or
        :func:`~sparsecode.learning.ksvd`.
    method_options : dict, optional
        Numbers of that method by name, such as ``{"learning_rate": 5.0, "decay": 0.02}``.
    <coding>
    constraint : {None, "positive", "mean_free"}, default=None
        What holds for the atoms beside norm 1: no entry below 0, or a mean of 0.
    init : {"samples", "gaussian"} or array-like of shape (n_atoms, n_features)
        What the first atoms are drawn from, by default the samples; or the atoms to start from,
        scaled to norm 1.
    dead_after : int, None or "auto", default="auto"
        An atom that no sample used in so many batches running is replaced by the largest
        residual of the batch; None keeps dead atoms, "auto" is 1 for "mod" and "ksvd", else 50.
    max_cosine : float or None, default=0.99
        Every `dead_after` batches, of two atoms that are more alike the one that fewer samples
        use is replaced, too; None keeps both.
    batch_size : int, None or "auto", default="auto"
        Most samples in a batch of `fit`, which cuts each pass into batches of one size, but for
        one sample; None takes all at once, and "auto" does for "mod" and "ksvd", else 256.
    n_epochs : int, default=10
        Passes over the samples in `fit`.
    shuffle : bool, default=True
        Whether each pass of `fit` takes the samples in a new random order.
    verbose : bool, default=False
        Whether to show a progress bar. scikit-learn's callbacks serve too:
        ``learner.set_callbacks(sklearn.callback.ProgressBar())``.
    random_state : int, RandomState, Generator or None, default=None
        Source of the initial atoms and of the order of the samples.

    Attributes
    ----------
    dictionary_ : ndarray of shape (n_atoms, n_features)
        Atoms of norm 1 as rows, in the dtype of the samples.
    components_ : ndarray of shape (n_atoms, n_features)
        The same, by scikit-learn's name.
    penalty_ : penalty struct or None
        The penalty that the parameters describe.
    n_iter_ : int
        Batches learned from.
    history_ : dict of str to ndarray of shape (n_iter\_,)
        Error, objective, density, dead atoms and unconverged samples, batch by batch, as in
        :class:`~sparsecode.learning.LearningResult`.
    n_features_in_ : int
        Number of features of the samples.
    feature_names_in_ : ndarray of str
        Their names, if the samples had any.

    See Also
    --------
    SparseEncoder : Code over a dictionary that is given.
    sparsecode.learning : The functions behind it, with checkpoints and held-out samples.

    Notes
    -----
    `partial_fit` learns from one batch as it stands, and goes on after `fit`, after other calls
    of `partial_fit`, and after `save` and :func:`~sparsecode.estimators.load`, to the same bits.
    Callbacks are called once an epoch. Sparse `X` is refused, as by scikit-learn's own
    ``DictionaryLearning``.

    Examples
    --------
    >>> from sparsecode.datasets import planted_codes
    >>> from sparsecode.estimators import DictionaryLearner
    >>> X = planted_codes(2000, n_atoms=24, n_features=16, n_active=2, rng=0).X
    >>> learner = DictionaryLearner(24, alpha=0.1, batch_size=100, random_state=1).fit(X)
    >>> learner.dictionary_.shape, learner.n_iter_
    ((24, 16), 200)
    >>> bool(learner.score(X) > 0.9)
    True
    >>> learner.transform(X[:2]).shape
    (2, 24)
    """

    _fitted = (*Coder._fitted, "dictionary_", "penalty_", "n_iter_", "history_", "_rule")

    def __init__(
        self,
        n_atoms: int = 64,
        *,
        method: str = "online",
        method_options: dict[str, Any] | None = None,
        penalty: Penalty | str | None = None,
        alpha: float | None = None,
        alpha_ratio: float | None = None,
        positive: bool = False,
        n_nonzero: int | None = None,
        error: float | None = None,
        solver: str | Callable[..., SolverResult] = "auto",
        solver_options: dict[str, Any] | None = None,
        output: str = "dense",
        n_threads: int | None = None,
        constraint: str | None = None,
        init: Any = "samples",
        dead_after: int | str | None = "auto",
        max_cosine: float | None = 0.99,
        batch_size: int | str | None = "auto",
        n_epochs: int = 10,
        shuffle: bool = True,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_atoms = n_atoms
        self.method = method
        self.method_options = method_options
        self.penalty = penalty
        self.alpha = alpha
        self.alpha_ratio = alpha_ratio
        self.positive = positive
        self.n_nonzero = n_nonzero
        self.error = error
        self.solver = solver
        self.solver_options = solver_options
        self.output = output
        self.n_threads = n_threads
        self.constraint = constraint
        self.init = init
        self.dead_after = dead_after
        self.max_cosine = max_cosine
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.shuffle = shuffle
        self.verbose = verbose
        self.random_state = random_state

    @property
    def components_(self) -> np.ndarray:
        """The atoms, by scikit-learn's name."""
        return self.dictionary_

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> DictionaryLearner:
        """Learn atoms from samples, from the start.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples; float32 and float64 are kept, other real types become float64.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        DictionaryLearner
            Itself.

        Raises
        ------
        ValueError, TypeError
            If samples or a parameter make no sense.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            Once, if codes did not converge, with their number.
        UserWarning
            If there are fewer samples than atoms.
        """
        X = validate_data(self, X, dtype=DTYPES)
        n_epochs = check_count("n_epochs", self.n_epochs)
        size = self._chosen("batch_size", whole=None, else_=256)
        n_batches = 1 if size is None else -(-len(X) // check_count("batch_size", size))
        generator = as_generator(self.random_state)
        learner, coding = self._begin(X, generator)
        warn_of_few_samples(len(X), len(learner.atoms), stacklevel=3)
        root = self._init_callback_context(max_subtasks=n_epochs)
        root.call_on_fit_task_begin(estimator=self, X=X, y=y)
        history: dict[str, np.ndarray] = {}
        picks = self._picks(len(X), n_batches, n_epochs, generator)
        for _ in range(n_epochs):
            epoch = root.subcontext(task_name="epoch")
            epoch.call_on_fit_task_begin(estimator=self, X=X, y=y)
            rows = [learner.step(X[picked]) for picked in islice(picks, n_batches)]
            history = self._keep(learner, coding, history, rows)
            fitted = {name: vars(self)[name] for name in ("dictionary_", "penalty_")}
            if epoch.call_on_fit_task_end(
                estimator=self, X=X, y=y, reconstruction_attributes=fitted
            ):
                break
        root.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=fitted)
        _warn_of_unconverged(history["n_unconverged"], learner.n_batches // n_batches * len(X))
        return self

    def partial_fit(self, X: Any, y: Any = None) -> DictionaryLearner:
        """Learn from one more batch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The batch, which makes one step; the first one sets dtype and features.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        DictionaryLearner
            Itself.

        Raises
        ------
        ValueError, TypeError
            If the batch or a parameter makes no sense, or `method` is not the one that began.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            Once, if codes did not converge, with their number.
        """
        begun = hasattr(self, "dictionary_")
        X = validate_data(self, X, dtype=DTYPES, reset=not begun)
        if begun:
            learner, coding = self._go_on()
        else:
            learner, coding = self._begin(X, as_generator(self.random_state))
        row = learner.step(X)
        self._keep(learner, coding, self.history_ if begun else {}, [row])
        _warn_of_unconverged(row["n_unconverged"], len(X))
        return self

    def _begin(self, X: np.ndarray, generator: np.random.Generator) -> tuple[Learner, Coding]:
        """Return a learner with its first atoms."""
        n_atoms = check_count("n_atoms", self.n_atoms)
        learner, coding = self._learner(n_atoms)
        start: Any = n_atoms
        if isinstance(self.init, str):
            check_option("init", self.init, ("samples", "gaussian"))
        else:
            start = check_dictionary(self.init, name="init")
            if start.shape != (n_atoms, X.shape[1]):
                raise ValueError(
                    f"init must have shape {(n_atoms, X.shape[1])}, (n_atoms, n_features), or "
                    f'be "samples" or "gaussian"; got {start.shape}.'
                )
        samples = X if isinstance(self.init, str) and self.init == "samples" else None
        learner.start(start, X.shape[1], X.dtype, generator, samples=samples)
        return learner, coding

    def _go_on(self) -> tuple[Learner, Coding]:
        """Return a learner as it was left."""
        atoms = self.dictionary_
        if self._rule["method"] != self.method:
            raise ValueError(
                f"method must stay {self._rule['method']!r} for partial_fit to go on; got "
                f"{self.method!r}. Call fit to start anew."
            )
        learner, coding = self._learner(len(atoms))
        learner.start(atoms, atoms.shape[1], atoms.dtype, np.random.default_rng())
        learner.restore({**self._rule["state"], "atoms": atoms})
        return learner, coding

    def _learner(self, n_atoms: int) -> tuple[Learner, Coding]:
        """Return a learner as the parameters describe it, without atoms yet."""
        rule = _RULES[check_option("method", self.method, _RULES)]
        options = check_options("method_options", self.method_options)
        known = [field.name for field in fields(rule)]
        for name in options:
            check_option(f"method_options of {self.method!r}", name, known)
        coding = check_coding(self, n_atoms)
        learner = Learner(
            rule(**options), coding.penalty, solver=coding.solve, constraint=self.constraint,
            dead_after=self._chosen("dead_after", whole=1, else_=50), max_cosine=self.max_cosine,
        )  # fmt: skip
        learner.positive |= self.positive is True  # of a pursuit, whose penalty cannot say so
        return learner, coding

    def _chosen(self, name: str, *, whole: Any, else_: Any) -> Any:
        """Return a parameter; "auto" depends on whether the method is made for all samples."""
        given = getattr(self, name)
        if isinstance(given, str) and check_option(name, given, ("auto",)):
            return whole if self.method in ("ksvd", "mod") else else_
        return given

    def _picks(
        self, n_samples: int, n_batches: int, n_epochs: int, generator: np.random.Generator
    ) -> Iterator[np.ndarray]:
        """Return the rows of each batch, one pass after the other."""

        def one_by_one() -> Iterator[np.ndarray]:
            for _ in range(n_epochs):
                rows = generator.permutation(n_samples) if self.shuffle else np.arange(n_samples)
                yield from np.array_split(rows, n_batches)

        if not self.verbose:
            return one_by_one()
        from tqdm.auto import tqdm  # which speaks up in notebooks without widgets

        return iter(tqdm(one_by_one(), "learning", n_epochs * n_batches, leave=False))

    def _keep(
        self,
        learner: Learner,
        coding: Coding,
        before: dict[str, np.ndarray],
        rows: list[dict[str, Any]],
    ) -> dict[str, np.ndarray]:
        """Store what was learned, and return its history: `rows` after those `before`."""
        self.dictionary_ = np.array(learner.atoms)
        self.penalty_ = coding.penalty
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        self.history_ = appended(before, columns)
        self.n_iter_ = learner.n_batches
        state = learner.state()
        del state["atoms"]
        self._rule: dict[str, Any] = {"method": self.method, "state": state}
        return self.history_

    def _atoms(self) -> np.ndarray:
        return self.dictionary_

    def _restore(self, fitted: dict[str, Any]) -> None:
        super()._restore(fitted)
        if hasattr(self, "dictionary_"):
            atoms = check_dictionary(self.dictionary_, name="dictionary_")
            if atoms.shape[1] != self.n_features_in_:
                raise ValueError(
                    f"dictionary_ must have {self.n_features_in_} features; got {atoms.shape[1]}"
                )


def _warn_of_unconverged(counts: Any, n_samples: int) -> None:
    n_unconverged = np.sum(counts)
    if n_unconverged:
        warnings.warn(
            f"{n_unconverged} of {n_samples} samples did not converge, and were learned from all "
            f'the same. Raise max_iter or tol, as in solver_options={{"max_iter": 100_000}}.',
            ConvergenceWarning,
            stacklevel=4,
        )
