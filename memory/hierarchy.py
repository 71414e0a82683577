"""`Hierarchy`: levels of Sparsey's macs, in space and time."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from memory._draws import cue_words
from memory._hierarchy_inside import TILE, HierarchyInside, as_shape, units_between
from memory._hierarchy_setup import Network
from memory._levels import Description, Level, LevelDescription, check_levels
from memory._protocol import Recall
from sparsecode._jit import available_threads, threads
from sparsecode._parallel import map_tiles, tiles_of
from sparsecode._validation import check_count, check_option
from sparsecode.core._checks import as_binary_code
from sparsecode.core.code import SparseCode
from sparsecode.core.ops import reshape

__all__ = ["Description", "Hierarchy", "Level", "LevelDescription"]


class Hierarchy(ClassNamePrefixFeaturesOutMixin, TransformerMixin, HierarchyInside, BaseEstimator):
    r"""Store patterns and sequences, in one presentation each, in levels of Sparsey's macs.

    A mac (see :class:`memory.Sparsey`) has Q modules of K units; its code is one winner in every
    module. Macs of level 1 see the pixels of their receptive fields, those above see macs of the
    level below (U). From the step before, they receive the codes of their own and the neighbouring
    macs (H), own module excluded, and those of the macs above that see them (D). A mac is active
    if its U features are neither too few nor too many, and it holds its code for a while. It then
    goes by :math:`V_i = U_i^{\lambda_U} H_i^{\lambda_H} D_i^{\lambda_D}`, of the signals that
    there are; by the mean G over modules of their largest V; in learning it draws winners from
    :math:`\mu(V, G)`, in recall it takes the largest V. All weights from what is active to the
    winners are set to 1.

    Parameters
    ----------
    levels : sequence of Level
        The levels, the lowest first.
    input_shape : int or tuple of int, optional
        Rows and columns of pixels; by default the ``unit_shape`` of the first patterns. One axis
        is one row.
    activation : {"2014", "2010", "core", "neurithmic"}, sigmoid or dict, default="2014"
        :math:`\mu`.
    exponents : float or (float, float, float), default=1.0
        :math:`\lambda_U, \lambda_H, \lambda_D`.
    first_exponent : float, default=1.0
        The exponent of U in sequences where U is alone, as in the first frame.
    normalisation : {"active", "bound"}, default="active"
        Whether U is divided by its active features, or by the fewest with which a mac is active.
    hypothesis_threshold : float, default=0.95
        Evidence above which a unit counts as a hypothesis.
    correction_exponent, max_hypotheses : float and int, default=1.0 and 3
        A and B of :math:`F(\zeta) = \zeta^A`, 0 above B: the strength of a mac with
        :math:`\zeta` hypotheses as a source of others.
    backoff_threshold : float, default=0.7
        Least G with which recall believes the product of all signals; below, it tries products of
        two, then single ones. 0 does without.
    backoff_keeps_input : bool, default=True
        Whether these must contain U where there is U, and else H where there is H. Otherwise H and
        D together may overrule what is seen, which bridges a frame of noise but not a change of
        speed, and D alone repeats the end of a sequence.
    gate : float, default=0.5
        Without pixels, macs of level 1 are active where their G from H and D is larger.
    feedback_threshold : float, default=1.0
        Share of the winners that must have learned a pixel for it to be given back.
    transform_levels : int or sequence of int, optional
        Levels that `transform` and `encode` return, 1 being the lowest; by default all.
    output : {"dense", "sparse"}, default="dense"
        Whether `transform` returns an array of bool or a CSR array.
    n_threads : int, optional
        Threads of `recall`, which change no bit; by default all that Numba may use.
    random_state : int, optional
        Seed of all draws.

    Attributes
    ----------
    n_features_in_ : int
        Number of pixels.

    See Also
    --------
    memory.Sparsey : One mac, with 8-bit weights and decay.
    memory.ClassField : A read-out that learns in one trial, too.

    Notes
    -----
    After Rinkus (2010, 2014); Sparsey is a trademark of Neurithmic Systems, with which this
    package has no connection. Written from published descriptions, which leave much open:

    * `code` holds the units of all levels, the lowest first; :meth:`by_level` parts them.
      `familiarity` is the mean G of all macs that are active, 0 if none is.
    * A held code keeps its G and hypotheses, and learns at every step: from what it sees, and from
      the codes of the step before, itself among them.
    * A frame of a sequence without a pixel is, in recall, one not seen. Level 1 then goes by H and
      D, the others go on as always; each level gives back pixels only through level 1, whose U
      weights are read backwards: D wires to pixels would hold the same bits.
    * A pixel is given back if a mac that sees it does so. Where fewer pixels reach the
      `feedback_threshold` than the mac ever learned with, the best so many do.
    * H is divided by the active units that reach a module, D by the active units above. Signals
      whose sources are silent are left out, rather than 0.

    The cost of an item is that of the network, whatever is stored. Weights take a bit each.
    Left out: 8-bit weights and decay, and D wires that pass over levels.

    Examples
    --------
    >>> import numpy as np
    >>> from memory import Hierarchy, Level
    >>> hierarchy = Hierarchy([Level(10, 18)], input_shape=(10, 10), random_state=0)
    >>> print(hierarchy.describe())
    input of 10 x 10 pixels
    level 1: 1 macs (square, 1 x 1) of 10 modules x 18 units
      each sees 100 pixels, is active with 1 or more, holds a code for 1
      weights: U 18,000, H 29,160, D 0, together 47,160 in 7,200 bytes
    in all: 1 macs, 180 units, 47,160 weights, 7,200 bytes
    >>> rng = np.random.default_rng(0)
    >>> frames = np.zeros((13, 100), bool)
    >>> for frame in frames:
    ...     frame[rng.choice(100, 5, replace=False)] = True
    >>> codes = hierarchy.store_sequence(frames)
    >>> found = hierarchy.recall_sequence(frames[:1], 13)
    >>> bool((found.pattern.to_dense().reshape(13, 100) == frames).all())
    True
    """

    _parameters = (
        "levels", "input_shape", "activation", "exponents", "first_exponent", "normalisation",
        "hypothesis_threshold", "correction_exponent", "max_hypotheses", "backoff_threshold",
        "backoff_keeps_input", "gate", "feedback_threshold", "transform_levels", "output",
        "n_threads", "random_state",
    )  # fmt: skip

    def __init__(
        self,
        levels: Sequence[Level],
        *,
        input_shape: int | Sequence[int] | None = None,
        activation: Any = "2014",
        exponents: float | Sequence[float] = 1.0,
        first_exponent: float = 1.0,
        normalisation: str = "active",
        hypothesis_threshold: float = 0.95,
        correction_exponent: float = 1.0,
        max_hypotheses: int = 3,
        backoff_threshold: float = 0.7,
        backoff_keeps_input: bool = True,
        gate: float = 0.5,
        feedback_threshold: float = 1.0,
        transform_levels: int | Sequence[int] | None = None,
        output: str = "dense",
        n_threads: int | None = None,
        random_state: int | None = None,
    ) -> None:
        self.levels = levels
        self.input_shape = input_shape
        self.activation = activation
        self.exponents = exponents
        self.first_exponent = first_exponent
        self.normalisation = normalisation
        self.hypothesis_threshold = hypothesis_threshold
        self.correction_exponent = correction_exponent
        self.max_hypotheses = max_hypotheses
        self.backoff_threshold = backoff_threshold
        self.backoff_keeps_input = backoff_keeps_input
        self.gate = gate
        self.feedback_threshold = feedback_threshold
        self.transform_levels = transform_levels
        self.output = output
        self.n_threads = n_threads
        self.random_state = random_state

    # ------------------------------------------------------------------ what it consists of

    def describe(self, input_shape: int | Sequence[int] | None = None) -> Description:
        """Return what the network consists of, before it is built or after.

        Parameters
        ----------
        input_shape : int or tuple of int, optional
            Shape of the input, if neither the constructor nor a pattern gave it.

        Returns
        -------
        Description
            Macs, modules, weights and bytes of every level as data; printed, to be read.

        Raises
        ------
        ValueError, TypeError
            If the levels make no sense, or nothing says what the input is.
        """
        shape = self.unit_shape or self.input_shape
        if input_shape is not None:
            shape = input_shape
        if shape is None:
            raise ValueError(
                "input_shape must be known to describe a hierarchy; got none. Give it here or to "
                "the constructor."
            )
        return Network(check_levels(self.levels), as_shape(shape)).describe()

    # ------------------------------------------------------------------ storing

    def store(self, patterns: Any) -> SparseCode:
        """Choose codes for every pattern and learn them, one pattern after the other.

        Parameters
        ----------
        patterns : SparseCode, array-like or sparse array of shape (n_samples, n_pixels)
            Binary: a binary code, bool, or numbers that are all 0 or 1.

        Returns
        -------
        SparseCode
            The codes, over the units of all levels.

        Raises
        ------
        ValueError, TypeError
            If the patterns are not binary, not over the units of those before, or a parameter
            makes no sense.
        """
        code = self._check_patterns(patterns)
        rules = self._begin(code)
        parts = [self._learn(code[rows], rules) for rows in tiles_of(code.n_samples, TILE)]
        return SparseCode.concatenate([self._as_code(self._no_winners()), *parts])

    def store_sequence(self, frames: Any) -> SparseCode:
        """Store the frames of one sequence, in their order and in one pass.

        Parameters
        ----------
        frames : SparseCode, array-like or sparse array of shape (n_frames, n_pixels)
            Binary, as for `store`.

        Returns
        -------
        SparseCode
            The codes, over the units of all levels.

        Raises
        ------
        ValueError, TypeError
            As for `store`.
        """
        code = self._check_patterns(frames, "frames")
        return self._learn(code, self._begin(code), in_sequence=True)

    def freeze(self, n_levels: int = 1) -> Hierarchy:
        """End the learning of the lowest levels, the lowest first as in a critical period.

        Parameters
        ----------
        n_levels : int, default=1
            How many levels learn no more; 0 for all to learn.

        Returns
        -------
        Hierarchy
            Itself.

        Raises
        ------
        ValueError, TypeError
            If there are not so many levels.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        self._check_cues(np.zeros((0, prod(self.unit_shape or (1,)))))
        n_all = self._is_frozen.size
        n_levels = check_count("n_levels", n_levels, minimum=0, maximum=n_all)
        self._is_frozen = np.arange(n_all) < n_levels
        return self

    def fit(self, X: Any, y: Any = None) -> Hierarchy:
        """Forget everything, and store every sample.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_pixels)
            Binary, as for `store`.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        Hierarchy
            Itself.

        Raises
        ------
        ValueError, TypeError
            As for `store`; what was known is kept then.
        """
        code = as_binary_code("X", X)
        known = self.n_stored, self.unit_shape
        self.n_stored, self.unit_shape = 0, None
        try:
            return self.partial_fit(code)
        except Exception:
            self.n_stored, self.unit_shape = known
            raise

    def partial_fit(self, X: Any, y: Any = None) -> Hierarchy:
        """Store every sample, in addition to those before.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_pixels)
            Binary, as for `store`.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        Hierarchy
            Itself.

        Raises
        ------
        ValueError, TypeError
            As for `store`.
        """
        self.store(X)
        return self

    # ------------------------------------------------------------------ recalling

    def recall(self, cues: Any) -> Recall:
        """Return the codes of every cue, how familiar it is, and the pattern they give back.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_samples, n_pixels)
            Binary, over the units of the patterns.

        Returns
        -------
        Recall
            Codes over the units of all levels; nothing is active, and the familiarity is 0, where
            no mac is active.

        Raises
        ------
        ValueError, TypeError
            If the cues are not binary, or not over the units of the patterns.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        code = self._check_cues(cues)
        rules = self._check_rules()
        words = cue_words(code.indptr, code.indices)

        def recall_tile(rows: slice) -> Recall:
            return self._recall(code[rows], words[rows], rules)

        n_threads = self.n_threads and min(self.n_threads, available_threads())
        with threads(n_threads) as width:
            parts = map_tiles(recall_tile, tiles_of(code.n_samples, TILE), width)
        parts = parts or [recall_tile(slice(0, 0))]
        return Recall(
            SparseCode.concatenate([part.code for part in parts]),
            np.concatenate([part.familiarity for part in parts]),
            SparseCode.concatenate([part.pattern for part in parts]),
        )

    def recall_sequence(self, cues: Any, n_frames: int | None = None) -> Recall:
        """Return what follows from the first frames of a sequence, or from all of them.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_cues, n_pixels)
            The first frames, perhaps noisy, or faster or slower than they were stored. A frame
            without active pixels is one not seen.
        n_frames : int, optional
            Frames to recall, at least those of `cues`; by default these.

        Returns
        -------
        Recall
            A row for each frame; nothing is active where the sequence has ended.

        Raises
        ------
        ValueError, TypeError
            As for `recall`, or if there are fewer frames than cues.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        code = self._check_cues(cues)
        rules = self._check_rules()
        n_more = 0
        if n_frames is not None:
            n_more = check_count("n_frames", n_frames, minimum=code.n_samples) - code.n_samples
        unseen = SparseCode.from_indices([[]] * n_more, code.unit_shape)
        code = SparseCode.concatenate([code, unseen])
        words = cue_words(code.indptr, code.indices) + np.arange(code.n_samples, dtype=np.uint64)
        with threads(1):
            return self._recall(code, words, rules, in_sequence=True)

    def familiarity(self, cues: Any) -> np.ndarray:
        """Return the mean G of the macs that are active, for every cue.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_samples, n_pixels)
            Binary, over the units of the patterns.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError, TypeError, sklearn.exceptions.NotFittedError
            As for `recall`.
        """
        return self.recall(cues).familiarity

    def by_level(self, code: SparseCode) -> list[SparseCode]:
        """Part a code over all units into those of the levels.

        Parameters
        ----------
        code : SparseCode of shape (n_samples, n_units)
            What `store` returned or `recall` found.

        Returns
        -------
        list of SparseCode
            One for each level, of unit_shape (rows, columns, n_modules, n_units).

        Raises
        ------
        ValueError
            If the code has other units.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        self._check_cues(np.zeros((0, prod(self.unit_shape or (1,)))))
        if code.unit_shape != (self._network.n_units,):
            raise ValueError(
                f"code must have unit_shape ({self._network.n_units},), all units of the "
                f"hierarchy; got {code.unit_shape}."
            )
        parts = []
        for i, level in enumerate(self._network.levels):
            part = units_between(code, [self._network.units_of(i)])
            parts.append(reshape(part, (*level.shape, level.n_modules, level.n_units)))
        return parts

    def encode(self, X: Any, *, learn: bool = False) -> SparseCode:
        """Return the codes of every sample in the `transform_levels`.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_pixels)
            Binary, as for `store`.
        learn : bool, default=False
            Learn from each sample, as `partial_fit` does.

        Returns
        -------
        SparseCode

        Raises
        ------
        ValueError, TypeError
            As for `store`.
        sklearn.exceptions.NotFittedError
            Without `learn`, before anything is stored.
        """
        code = self.store(X) if learn else self.recall(X).code
        return units_between(code, self._chosen(self.transform_levels))

    def transform(self, X: Any) -> Any:
        """Return the codes of every sample, as scikit-learn expects them.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_pixels)
            Binary, as for `store`.

        Returns
        -------
        ndarray or scipy.sparse.csr_array of bool, shape (n_samples, n_units)
            The units of the `transform_levels`, as `output` says.

        Raises
        ------
        ValueError, TypeError
            As for `store`.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        check_option("output", self.output, ("dense", "sparse"))
        code = self.encode(X)
        return code.to_scipy(copy=True) if self.output == "sparse" else code.to_dense()

    def __sklearn_is_fitted__(self) -> bool:
        return self.n_stored > 0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags
