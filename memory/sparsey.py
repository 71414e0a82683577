"""`Sparsey`: one macrocolumn that stores binary patterns, and sequences of them, in one trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from memory._code_choice import CodeChoice, explain
from memory._draws import cue_words, uniforms
from memory._protocol import Recall
from memory._sparsey_batch_kernels import FEWEST, MOST
from memory._sparsey_inside import TILE
from memory._sparsey_setup import Choices
from memory._sparsey_transformer import SparseyTransformer
from sparsecode._jit import available_threads, threads
from sparsecode._parallel import map_tiles, tiles_of
from sparsecode._validation import check_count
from sparsecode.core.code import SparseCode

__all__ = ["Sparsey"]


class Sparsey(SparseyTransformer):
    r"""Give similar patterns similar codes, in one presentation each: one mac of Sparsey.

    A mac has Q modules of K units; a code is one winner in every module. For an item, each code
    unit i sums the weights from the active inputs (U), from the code before (H, in sequences) and
    from a code given from above (D). Divided by the largest possible sums these are its evidence
    :math:`V_i = U_i^{\lambda_U} H_i^{\lambda_H} D_i^{\lambda_D}`, of the signals that there are.
    The mean over modules of the largest V is the familiarity G. In learning each module draws its
    winner in proportion to :math:`\mu(V, G)`, a sigmoid whose reach grows with G: what is
    familiar gets the code it had, what is new gets a code by chance. Then the weights from all
    that is active to the winners are set to their largest value. In retrieval the largest V wins.

    Parameters
    ----------
    n_modules, n_units : int, default=24 and 8
        Q and K.
    activation : {"2014", "2010", "core", "neurithmic"}, sigmoid or dict, default="2014"
        :math:`\mu`, with the constants of the papers' ports, or a sigmoid of
        ``memory`` with others, or a dict of its name and constants.
    exponents : float or (float, float, float), default=1.0
        :math:`\lambda_U, \lambda_H, \lambda_D`.
    first_exponent : float, default=1.0
        The exponent of U at the first frame of a sequence, where U is alone.
    normalisation : {"active", "bound"}, default="active"
        Whether U is divided by the largest weight times the number of active inputs, or times
        the lower of the `activation_bounds` (:math:`\pi^-`; larger sums count as 1).
    activation_bounds : (int, int or None), default=(1, None)
        :math:`\pi^-, \pi^+`: with fewer or more active inputs the mac stays inactive; it has no
        code, a familiarity of 0, and learns nothing.
    hypothesis_threshold : float, default=0.95
        :math:`V_\zeta`: units with more evidence count as hypotheses; :math:`\zeta` is their mean
        number in a module, rounded, and at least 1.
    correction_exponent, max_hypotheses : float and int, default=1.0 and 3
        A and B of :math:`F(\zeta) = \zeta^A`, 0 above B, by which H signals are multiplied.
    backoff_threshold : float, default=0.0
        Least G with which retrieval believes the product of all signals; below it tries products
        of two, then single ones. 0 does without.
    weights : {"binary", "8-bit"}, default="binary"
        Whether weights are 0 and 1, or 0 to 127.
    decay : {None, "table", "smooth"}, law or dict, default=None
        How 8-bit weights fade with the number of items since they were raised.
    saturation : float or (float, float, float) or None, default=0.5
        Share of its U (and H, and D) weights ever raised beyond which these freeze at a unit: they
        grow and fade no more. None is never.
    feedback_threshold : float, default=1.0
        Share of the largest possible feedback from the code that an input must have to be given
        back in recall.
    output : {"dense", "sparse"}, default="dense"
        Whether `transform` returns an array of bool or a CSR array.
    n_threads : int, optional
        Threads of recall, which change no bit; by default all that Numba may use. Learning goes
        from item to item on one.
    random_state : int, RandomState, Generator or None, default=None
        Seed of all draws.

    Attributes
    ----------
    n_features_in_ : int
        Number of inputs.
    feature_names_in_ : ndarray of str
        Their names, if the samples had any.
    familiarity_ : ndarray of shape (n_samples,)
        G of the items stored last, before they were learned.
    n_operations_ : ndarray of int64, shape (n_samples,)
        Weights that were added up, and then looked at for raising, for each of these.

    See Also
    --------
    memory.Recall : What `recall` returns.

    Notes
    -----
    Sparsey is a trademark of Neurithmic Systems, with which this package has no connection. The
    model is that of Rinkus (2010), "A cortical sparse distributed coding model linking mini- and
    macrocolumn-scale functionality", Rinkus (2014), "Sparsey: event recognition via deep
    hierarchical sparse distributed codes", and Rinkus & Leveille (2017), "Superposed episodic and
    semantic memory via sparse distributed representation". It was written from published
    descriptions of the model and of its ports, not from any code, and those leave much open. Ours
    are:

    * The defaults of A, B and :math:`V_\zeta`, all exponents of 1, and no :math:`F` on U and D,
      whose sources tell no number of hypotheses. :math:`\zeta` rounds halves up.
    * A single pattern is no first frame: it has the exponent of U, and D if given.
    * An empty code above gives no D signal. H and D are divided by the active units that reach
      a code unit, so H by Q - 1: wires do not lead into the own module.
    * Where no case of the back-off passes, the one of largest G is believed.
    * A frame of `recall_sequence` without active inputs runs on H alone; where no unit has any H
      signal the sequence has ended, and the code is empty.
    * What is *given back* are the inputs whose U weights to the winners, read backwards, sum to
      `feedback_threshold` of their largest value. These are the weights D wires to the inputs
      would have after the same items, as long as none freeze. Where fewer inputs qualify than the
      smallest pattern stored had, the threshold falls to the feedback of the input in that place
      (with all its equals, and never to 0).
    * Frozen weights neither grow nor fade; "ever raised" counts each weight once.
    * A synapse that has faded to 0 begins anew when raised; one that is no longer at its largest
      becomes young again without becoming stiffer.

    Draws depend on `random_state` and the place of an item among all stored, or on the cue: the
    same items in other batches get the same codes, and a cue the same answer. Cost per item is
    that of (active inputs) x Q x K additions, whatever is stored. A weight takes one byte (six
    with decay), in files a bit where binary; there are inputs x Q x K of them, and (QK)\ :sup:`2`
    once sequences are stored, of which Q(Q - 1)K\ :sup:`2` are modifiable.

    Left out here: several macs, and codes that persist.

    Examples
    --------
    >>> import numpy as np
    >>> from memory import Sparsey
    >>> X = np.random.default_rng(0).random((5, 100)) < 0.2
    >>> sparsey = Sparsey(16, 8, random_state=0)
    >>> codes = sparsey.store(X)
    >>> halves = X & (np.arange(100) < 50)
    >>> found = sparsey.recall(halves)
    >>> found.code == codes, found.pattern.to_dense().tolist() == X.tolist()
    (True, True)
    """

    _parameters = (
        "n_modules", "n_units", "activation", "exponents", "first_exponent", "normalisation",
        "activation_bounds", "hypothesis_threshold", "correction_exponent", "max_hypotheses",
        "backoff_threshold", "weights", "decay", "saturation", "feedback_threshold", "output",
        "n_threads", "random_state",
    )  # fmt: skip

    def __init__(
        self,
        n_modules: int = 24,
        n_units: int = 8,
        *,
        activation: Any = "2014",
        exponents: float | Sequence[float] = 1.0,
        first_exponent: float = 1.0,
        normalisation: str = "active",
        activation_bounds: Sequence[int | None] = (1, None),
        hypothesis_threshold: float = 0.95,
        correction_exponent: float = 1.0,
        max_hypotheses: int = 3,
        backoff_threshold: float = 0.0,
        weights: str = "binary",
        decay: Any = None,
        saturation: float | Sequence[float | None] | None = 0.5,
        feedback_threshold: float = 1.0,
        output: str = "dense",
        n_threads: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_modules = n_modules
        self.n_units = n_units
        self.activation = activation
        self.exponents = exponents
        self.first_exponent = first_exponent
        self.normalisation = normalisation
        self.activation_bounds = activation_bounds
        self.hypothesis_threshold = hypothesis_threshold
        self.correction_exponent = correction_exponent
        self.max_hypotheses = max_hypotheses
        self.backoff_threshold = backoff_threshold
        self.weights = weights
        self.decay = decay
        self.saturation = saturation
        self.feedback_threshold = feedback_threshold
        self.output = output
        self.n_threads = n_threads
        self.random_state = random_state

    # ------------------------------------------------------------------ storing

    def store(self, patterns: Any, *, top_down: Any = None) -> SparseCode:
        """Choose a code for every pattern and learn it, one after the other.

        Parameters
        ----------
        patterns : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary: a binary code, bool, or numbers that are all 0 or 1.
        top_down : SparseCode, array-like or sparse array, optional
            A binary row for each pattern, the D input.

        Returns
        -------
        SparseCode
            The codes, of unit_shape (n_modules, n_units).

        Raises
        ------
        ValueError, TypeError
            If the patterns are not binary, not over the units of those before, or a parameter
            makes no sense.
        """
        return self._store(patterns, top_down, sequence=False)

    def store_sequence(self, patterns: Any, *, top_down: Any = None) -> SparseCode:
        """Store the frames of one sequence: from the second on, the code before is an input too.

        Parameters
        ----------
        patterns : SparseCode, array-like or sparse array of shape (n_frames, n_units)
            Binary frames in the order of time.
        top_down : SparseCode, array-like or sparse array, optional
            A binary row for each frame, the D input; that of the first frame is not used.

        Returns
        -------
        SparseCode
            The codes, of unit_shape (n_modules, n_units).

        Raises
        ------
        ValueError, TypeError
            As for `store`.
        """
        return self._store(patterns, top_down, sequence=True)

    # ------------------------------------------------------------------ recalling

    def recall(
        self, cues: Any, *, top_down: Any = None, soft: bool = False, rng: Any = None
    ) -> Recall:
        """Return the code of every cue, its familiarity G, and the pattern it gives back.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, over the units of the patterns.
        top_down : SparseCode, array-like or sparse array, optional
            A binary row for each cue, the D input.
        soft : bool, default=False
            Draw winners as in learning, without learning.
        rng : Generator or int, optional
            For other draws than those of `random_state`.

        Returns
        -------
        Recall
            Nothing active and familiarity 0 where a cue is outside the `activation_bounds`.

        Raises
        ------
        ValueError, TypeError
            If the cues are not binary, or not over the units of the patterns.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        code, plan = self._check_cues(cues), self._check_plan()
        top = self._check_top(top_down, code.n_samples)
        words = cue_words(code.indptr, code.indices)
        if top_down is not None:
            words = words + np.uint64(2) * cue_words(top.indptr, top.indices)
        seed = self._recall_seed(rng)

        def recall_tile(rows: slice) -> tuple[Choices, np.ndarray]:
            draws = uniforms(seed, words[rows], plan.n_modules)
            found = self._present(plan, code[rows], top[rows], draws, soft=soft)
            return found, self._reinstate(plan, found.winners)

        n_threads = self.n_threads and min(self.n_threads, available_threads())
        with threads(n_threads) as width:
            parts = map_tiles(recall_tile, tiles_of(code.n_samples, TILE), width)
        parts = parts or [recall_tile(slice(0, 0))]
        codes = [self._as_code(one.winners) for one, _ in parts]
        active = np.concatenate([pattern for _, pattern in parts])
        return Recall(
            SparseCode.concatenate(codes),
            np.concatenate([one.familiarity for one, _ in parts]),
            SparseCode.from_dense(active, self.unit_shape),
        )

    def recall_sequence(
        self,
        cues: Any,
        n_frames: int | None = None,
        *,
        top_down: Any = None,
        soft: bool = False,
        rng: Any = None,
    ) -> Recall:
        """Return what follows from the first frames of a sequence, or from all of them.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_cues, n_units)
            The first frames, perhaps noisy. A frame without active inputs is one not seen.
        n_frames : int, optional
            Frames to recall, at least those of `cues`; by default these.
        top_down : SparseCode, array-like or sparse array, optional
            A binary row for each of `cues`.
        soft : bool, default=False
            Draw winners as in learning, without learning.
        rng : Generator or int, optional
            For other draws than those of `random_state`.

        Returns
        -------
        Recall
            A row for each frame.

        Raises
        ------
        ValueError, TypeError
            As for `recall`, or if there are fewer frames than cues.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        code, plan = self._check_cues(cues), self._check_plan()
        top = self._check_top(top_down, code.n_samples)
        n_more = 0
        if n_frames is not None:
            n_more = check_count("n_frames", n_frames, minimum=code.n_samples) - code.n_samples
        unseen = SparseCode.from_indices([[]] * n_more, code.unit_shape)
        code = SparseCode.concatenate([code, unseen])
        top = SparseCode.concatenate([top, SparseCode.from_indices([[]] * n_more, top.unit_shape)])
        words = cue_words(code.indptr, code.indices) + np.arange(code.n_samples, dtype=np.uint64)
        draws = uniforms(self._recall_seed(rng), words, plan.n_modules)
        with threads(1):
            found = self._present(plan, code, top, draws, soft=soft, sequence=True)
            active = self._reinstate(plan, found.winners)
        pattern = SparseCode.from_dense(active, self.unit_shape)
        return Recall(self._as_code(found.winners), found.familiarity, pattern)

    def familiarity(self, cues: Any, *, top_down: Any = None) -> np.ndarray:
        """Return G for every cue.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, over the units of the patterns.
        top_down : SparseCode, array-like or sparse array, optional
            A binary row for each cue, the D input.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError, TypeError, sklearn.exceptions.NotFittedError
            As for `recall`.
        """
        return self.recall(cues, top_down=top_down).familiarity

    def explain(self, cue: Any, *, top_down: Any = None) -> CodeChoice:
        """Return the steps from one cue to its code, to look at.

        Parameters
        ----------
        cue : SparseCode, array-like or sparse array of shape (1, n_units)
            Binary, over the units of the patterns, with an active unit.
        top_down : SparseCode, array-like or sparse array, optional
            A binary row, the D input.

        Returns
        -------
        CodeChoice
            Evidence, familiarity, number of hypotheses and chances to win.

        Raises
        ------
        ValueError, TypeError, sklearn.exceptions.NotFittedError
            As for `recall`, or if there is not one cue inside the `activation_bounds`.
        """
        code, plan = self._check_cues(cue), self._check_plan()
        top = self._check_top(top_down, code.n_samples)
        least, most = plan.settings[FEWEST], plan.settings[MOST]
        if code.n_samples != 1 or not least <= code.nnz <= most:
            raise ValueError(
                f"cue must be one row with {least:g} to {most:g} active units; got {code!r}."
            )
        return explain(plan, self._wires.weights, code.indices, top.indices)
