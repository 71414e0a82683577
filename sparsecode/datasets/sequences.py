"""Sequences of binary frames: random ones, and edges that move, cut from real photographs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_positive, check_rng
from sparsecode.core._checks import check_code
from sparsecode.core.code import SparseCode, _check_unit_shape
from sparsecode.datasets.digits import check_frame
from sparsecode.datasets.images import as_image_set

__all__ = ["CodeSequences", "moving_edges", "random_sequences"]

_BLOCK = 2**20  # random keys held at once


@dataclass(frozen=True, eq=False, repr=False)
class CodeSequences:
    """Sequences of codes, one after another in a single batch.

    ``sequences[2]`` is the third sequence, a SparseCode with one row per frame; iterating gives
    all of them.

    Parameters
    ----------
    code : SparseCode
        One row per frame.
    lengths : array-like of int, shape (n_sequences,)
        Frames of each sequence, at least one; they add up to the rows.
    credit : str, default=""
        What the frames were made from, and how.

    Raises
    ------
    ValueError, TypeError
        If the lengths do not fit the code.
    """

    code: SparseCode
    lengths: np.ndarray
    credit: str = ""

    def __post_init__(self) -> None:
        check_code("code", self.code)
        lengths = np.array(self.lengths, dtype=np.int64)
        fits = lengths.ndim == 1 and (lengths >= 1).all()
        if not fits or lengths.sum() != self.code.n_samples:
            raise ValueError(
                f"lengths must be at least 1 and add up to {self.code.n_samples}, the rows of "
                f"code; got {self.lengths!r}."
            )
        lengths.setflags(write=False)
        object.__setattr__(self, "lengths", lengths)

    @property
    def sequence(self) -> np.ndarray:
        """Number of the sequence that each frame belongs to, shape (n_frames,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def frame(self) -> np.ndarray:
        """Number of each frame within its sequence, from 0, shape (n_frames,)."""
        return np.arange(self.code.n_samples) - np.repeat(self._starts(), self.lengths)

    def _starts(self) -> np.ndarray:
        return np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return self.lengths.size

    def __getitem__(self, i: int) -> SparseCode:
        start = self._starts()[i]
        return self.code[int(start) : int(start + self.lengths[i])]

    def __iter__(self) -> Iterator[SparseCode]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<CodeSequences of {len(self)}, {self.code!r}>"


def random_sequences(
    n_sequences: int = 10,
    n_frames: int = 13,
    *,
    unit_shape: int | Sequence[int] = (12, 12),
    n_active: int | tuple[int, int] = (9, 12),
    n_distinct: int | None = None,
    rng: np.random.Generator | int | None = None,
) -> CodeSequences:
    """Draw sequences of random frames.

    Parameters
    ----------
    n_sequences : int, default=10
        Number of sequences.
    n_frames : int, default=13
        Frames of each.
    unit_shape : int or sequence of int, default=(12, 12)
        Shape of the units of a frame.
    n_active : int or pair of int, default=(9, 12)
        Active units of every frame, or the fewest and the most: each number between is equally
        likely, and so is every set of that size.
    n_distinct : int, optional
        Draw frames with replacement from so many, shared by all sequences, so that a frame has
        several successors. By default each frame is drawn anew.
    rng : Generator, int or None
        Source of randomness.

    Returns
    -------
    CodeSequences
        Binary frames.

    Raises
    ------
    ValueError, TypeError
        If a count is out of range.

    Notes
    -----
    The defaults are the frames of the capacity studies of R. Rinkus (12 x 12 pixels, 9 to 12 of
    them active); his demonstration has 13 frames of 10 x 10 pixels, 5 of them active. Sequences
    over a lexicon of 100 frames are the "complex" sets of his thesis (1996).

    Examples
    --------
    >>> from sparsecode.datasets import random_sequences
    >>> random_sequences(2, 13, unit_shape=(10, 10), n_active=5, rng=0)
    <CodeSequences of 2, <SparseCode 26 x (10 x 10), 5.0 % active, binary>>
    """
    n_sequences = check_count("n_sequences", n_sequences, minimum=0)
    n_frames = check_count("n_frames", n_frames)
    unit_shape = _check_unit_shape(unit_shape)
    fewest, most = _check_bounds(n_active, int(np.prod(unit_shape)))
    rng = check_rng(rng)
    if n_distinct is None:
        code = _random_frames(n_sequences * n_frames, unit_shape, fewest, most, rng)
    else:
        lexicon = _random_frames(
            check_count("n_distinct", n_distinct), unit_shape, fewest, most, rng
        )
        code = lexicon[rng.integers(lexicon.n_samples, size=n_sequences * n_frames)]
    return CodeSequences(code, np.full(n_sequences, n_frames), "random frames")


def _check_bounds(n_active: Any, n_units: int) -> tuple[int, int]:
    """Return the fewest and the most active units."""
    pair = tuple(n_active) if np.iterable(n_active) else (n_active, n_active)
    if len(pair) != 2:
        raise ValueError(f"n_active must be a number or a pair of them; got {n_active!r}.")
    fewest = check_count("n_active", pair[0], minimum=0, maximum=n_units)
    return fewest, check_count("n_active", pair[1], minimum=fewest, maximum=n_units)


def _random_frames(
    n_frames: int,
    unit_shape: tuple[int, ...],
    fewest: int,
    most: int,
    rng: np.random.Generator,
) -> SparseCode:
    """Return frames whose numbers of active units, and then the units, are uniform."""
    n_units = int(np.prod(unit_shape))
    counts = rng.integers(fewest, most + 1, size=n_frames)
    chosen = [np.empty(0, np.int64)]
    block = max(1, _BLOCK // n_units)
    for start in range(0, n_frames, block):
        part = counts[start : start + block]
        keys = rng.random((len(part), n_units))
        order = keys.argpartition(max(most - 1, 0), axis=1)[:, :most]
        if fewest < most:  # the first of them must be a random part
            ranks = np.take_along_axis(keys, order, axis=1).argsort(axis=1)
            order = np.take_along_axis(order, ranks, axis=1)
        chosen.append(order[np.arange(most) < part[:, None]])
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return SparseCode(indptr, np.concatenate(chosen), None, unit_shape)


def moving_edges(
    images: Any,
    n_sequences: int = 10,
    n_frames: int = 10,
    *,
    shape: Sequence[int] = (12, 12),
    n_active: tuple[int, int] = (9, 24),
    speed: float | tuple[float, float] = (0.5, 2.0),
    sigma: float = 2.0,
    max_draws: int = 1000,
    rng: np.random.Generator | int | None = None,
) -> CodeSequences:
    """Cut sequences of moving edges from photographs: synthetic motion over natural contours.

    A window moves over the edges of a photograph, straight on and at one speed, as the eye that
    follows nothing would: the edges in it move the other way. No real motion is in these frames.

    Parameters
    ----------
    images : ImageSet, LabelledImages, array or sequence of arrays
        Photographs, such as :func:`natural_images`; each larger than the path of the window.
    n_sequences : int, default=10
        Number of sequences.
    n_frames : int, default=10
        Frames of each.
    shape : pair of int, default=(12, 12)
        Height and width of the window.
    n_active : pair of int, default=(9, 24)
        Fewest and most edge pixels of a frame. Windows whose path leaves these bounds are drawn
        again, so that the edges are those of the busier parts of a photograph.
    speed : float or pair of float, default=(0.5, 2.0)
        Pixels per frame, or the slowest and the fastest; the direction is uniform.
    sigma : float, default=2.0
        Standard deviation in pixels of the Gaussian filter before edges are found.
    max_draws : int, default=1000
        Windows that are drawn for a sequence before giving up.
    rng : Generator, int or None
        Source of randomness.

    Returns
    -------
    CodeSequences
        Binary frames with `shape` as their units, and a credit that says they are synthetic and
        names the photographs that they come from.

    Raises
    ------
    ValueError, TypeError
        If a photograph is smaller than a path may be, none has such windows, or an option is out
        of range.

    Notes
    -----
    Edges are Canny's, of :func:`skimage.feature.canny`, its thresholds at the 80th and 92nd
    percentile of the gradient of each photograph, so that contrast and units of brightness do not
    matter.

    References
    ----------
    J. Canny, "A computational approach to edge detection", IEEE Trans. Pattern Analysis and Machine
    Intelligence 8, 1986.
    """
    images = as_image_set(images)
    n_sequences = check_count("n_sequences", n_sequences, minimum=0)
    n_frames = check_count("n_frames", n_frames)
    shape = check_frame(shape)
    fewest, most = _check_bounds(n_active, shape[0] * shape[1])
    slow, fast = _check_speed(speed)
    sigma = check_positive("sigma", sigma)
    max_draws = check_count("max_draws", max_draws)
    rng = check_rng(rng)
    reach = int(np.ceil(fast * (n_frames - 1)))
    for name, image in zip(images.names, images.images):
        if min(image.shape[0] - shape[0], image.shape[1] - shape[1]) < reach:
            raise ValueError(
                f"image {name!r} must have at least {shape[0] + reach} x {shape[1] + reach} "
                f"pixels, room for the window and its way; got {image.shape[0]} x "
                f"{image.shape[1]}. Leave it out, or move slower."
            )
    maps = [_edges(image, sigma) for image in images]
    frames = np.zeros((n_sequences, n_frames, *shape), bool)
    used = set()
    for sequence in frames:
        for _ in range(max_draws):
            which = int(rng.integers(len(maps)))
            _cut(maps[which], _path(maps[which].shape, shape, n_frames, slow, fast, rng), sequence)
            counts = np.count_nonzero(sequence, axis=(1, 2))
            if counts.min() >= fewest and counts.max() <= most:
                used.add(which)
                break
        else:
            raise ValueError(
                f"n_active must be met by windows on these photographs; none of {max_draws} had "
                f"between {fewest} and {most} edge pixels in all {n_frames} frames. Widen the "
                f"bounds, or choose another shape or sigma."
            )
    sources = "; ".join(
        f"{images.names[i]} ({images.credits[i]})" if images.credits[i] else images.names[i]
        for i in sorted(used)
    )
    return CodeSequences(
        SparseCode.from_dense(frames.reshape(-1, *shape)),
        np.full(n_sequences, n_frames),
        f"synthetic motion: a window over the edges of photographs: {sources or 'none'}",
    )


def _check_speed(speed: Any) -> tuple[float, float]:
    """Return the slowest and the fastest speed."""
    pair = tuple(speed) if np.iterable(speed) else (speed, speed)
    if len(pair) != 2:
        raise ValueError(f"speed must be a number or a pair of them; got {speed!r}.")
    slow, fast = check_positive("speed", pair[0]), check_positive("speed", pair[1])
    if slow > fast:
        raise ValueError(f"speed must be the slowest, then the fastest; got {speed!r}.")
    return slow, fast


def _edges(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return which pixels of a photograph are edges."""
    from skimage.feature import canny

    return canny(
        image.astype(np.float64), sigma, low_threshold=0.8, high_threshold=0.92, use_quantiles=True
    )


def _path(
    size: tuple[int, ...],
    shape: tuple[int, int],
    n_frames: int,
    slow: float,
    fast: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the upper left corner of the window in each frame, uniform where it stays inside."""
    angle, speed = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(slow, fast)
    step = speed * np.array([np.sin(angle), np.cos(angle)])
    way = np.rint(np.arange(n_frames)[:, None] * step).astype(np.int64)
    room = np.array(size) - shape - np.ptp(way, axis=0)
    return way - way.min(axis=0) + rng.integers(room + 1)


def _cut(edges: np.ndarray, corners: np.ndarray, frames: np.ndarray) -> None:
    """Fill the frames with what the window shows."""
    height, width = frames.shape[1:]
    for frame, (top, left) in zip(frames, corners):
        frame[...] = edges[top : top + height, left : left + width]
