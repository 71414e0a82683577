"""The pictures of `sparse-images-classify`: scikit-learn's digits, or CIFAR-10 of the user's."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import zoom

from experiments._ladret import local_contrast
from sparsecode.core.rng import Streams
from sparsecode.datasets import sources

__all__ = ["Pictures", "Split", "enlarge", "load", "parse_cifar10", "prepare", "splits"]

ARCHIVE = "cifar-10-binary.tar.gz"
ARCHIVE_URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
ARCHIVE_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
TRAIN_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST_FILES = ("test_batch.bin",)
#: Bytes of one picture: its class, then 32 x 32 red, green and blue pixels.
RECORD = 1 + 3 * 32 * 32
#: Largest file of the archive that is believed.
MAX_MEMBER = 10_000 * RECORD
#: What red, green and blue weigh in grey.
LUMA = np.array([0.2989, 0.587, 0.114], np.float32)


class Pictures(NamedTuple):
    """Grey pictures with their classes.

    Attributes
    ----------
    images : ndarray of shape (n_images, height, width)
        Values from 0 to 1, float32.
    labels : ndarray of shape (n_images,)
        Classes from 0 on.
    n_train : int
        How many of them, the first ones, are to be trained on; 0 if splits are drawn at random.
    """

    images: np.ndarray
    labels: np.ndarray
    n_train: int = 0


class Split(NamedTuple):
    """Indices of the pictures to train on and to test with."""

    train: np.ndarray
    test: np.ndarray


def load(config: Any, streams: Streams) -> Pictures:
    """Return as many pictures as `config` asks for, drawn at random."""
    rng = streams("pictures")
    if config.data == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        n = config.n_train + config.n_test
        chosen = draw(rng, len(digits.images), n, "n_train + n_test")
        images = (digits.images[chosen] / 16.0).astype(np.float32)
        return Pictures(images, digits.target[chosen].astype(np.int64))
    train, test = (read_cifar10(config, names) for names in (TRAIN_FILES, TEST_FILES))
    parts = []
    for pictures, n, name in ((train, config.n_train, "n_train"), (test, config.n_test, "n_test")):
        chosen = draw(rng, len(pictures.images), n, name)
        parts.append((pictures.images[chosen], pictures.labels[chosen]))
    images, labels = (np.concatenate(pair) for pair in zip(*parts))
    return Pictures(images, labels, config.n_train)


def draw(rng: np.random.Generator, n_all: int, n: int, name: str) -> np.ndarray:
    """Draw `n` of `n_all` pictures without replacement."""
    if n > n_all:
        raise ValueError(f"{name} must be at most {n_all}, the pictures that there are; got {n}.")
    return rng.permutation(n_all)[:n]


def read_cifar10(config: Any, names: tuple[str, ...]) -> Pictures:
    """Read files of CIFAR-10's binary version from the folder of `config`, or its archive.

    The five or six files may lie in the folder or in ``cifar-10-batches-bin`` below it. Else
    ``cifar-10-binary.tar.gz`` is looked for there and in the package's cache, and downloaded if
    `config` allows it; its checksum must be the known one. (The Python version is pickled, and
    is never read.)
    """
    folder = Path(config.folder).expanduser()
    for place in (folder, folder / "cifar-10-batches-bin"):
        if config.folder and all((place / name).is_file() for name in names):
            return joined((name, (place / name).read_bytes()) for name in names)
    path = sources.fetch(
        [ARCHIVE], ARCHIVE_URL, data_dir=config.folder or None, download=config.download
    )
    (content,) = sources.read_all([path], sha256=ARCHIVE_SHA256)
    return joined((name, member(content, name)) for name in names)


def joined(files: Iterable[tuple[str, bytes]]) -> Pictures:
    """Parse files, given by name and content, one after another."""
    images, labels = zip(*(parse_cifar10(content, name=name) for name, content in files))
    return Pictures(np.concatenate(images), np.concatenate(labels))


def member(archive: bytes, name: str) -> bytes:
    """Return one file of the archive; nothing is unpacked to the disk."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for entry in tar:
            if entry.isfile() and Path(entry.name).name == name and entry.size <= MAX_MEMBER:
                file = tar.extractfile(entry)
                if file is not None:
                    return file.read(MAX_MEMBER)
    raise ValueError(f"{ARCHIVE} must hold {name}; it does not. Fetch it again.")


def parse_cifar10(content: bytes, *, name: str = "file") -> tuple[np.ndarray, np.ndarray]:
    """Parse a file of CIFAR-10's binary version.

    Returns
    -------
    images : ndarray of shape (n_images, 32, 32)
        Grey values from 0 to 1.
    labels : ndarray of shape (n_images,)

    Raises
    ------
    ValueError
        If the file is not of whole records, or names an eleventh class.

    References
    ----------
    .. [1] Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
       https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
    """
    if not content or len(content) % RECORD:
        raise ValueError(
            f"{name} must hold whole records of {RECORD} bytes; got {len(content)} bytes. It must "
            "be of the binary version of CIFAR-10."
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() > 9:
        raise ValueError(
            f"{name} must begin every record with a class from 0 to 9; got {labels.max()}. It must "
            "be of the binary version of CIFAR-10."
        )
    colours = records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / np.float32(255.0)
    return np.einsum("c,ncyx->nyx", LUMA, colours), labels


def enlarge(images: np.ndarray, factor: int) -> np.ndarray:
    """Enlarge by linear interpolation between the centres of pixels."""
    larger = zoom(images, (1, factor, factor), order=1, mode="nearest", grid_mode=True)
    return larger.astype(np.float32)


def prepare(images: np.ndarray, factor: int) -> np.ndarray:
    """Return what is coded: enlarged pictures of normalised local contrast."""
    return np.stack([local_contrast(image) for image in enlarge(images, factor)]).astype(np.float32)


def splits(config: Any, streams: Streams, pictures: Pictures) -> list[Split]:
    """Return one split for each seed: CIFAR-10's own, or one drawn at random, class by class.

    Pictures that dictionaries are learned from are never tested with.
    """
    from sklearn.model_selection import train_test_split

    everything = np.arange(len(pictures.labels))
    if pictures.n_train:
        own = Split(everything[: pictures.n_train], everything[pictures.n_train :])
        return [own] * config.n_seeds
    free = everything[config.n_reserved :]
    found = []
    for seed in range(config.n_seeds):
        train, test = train_test_split(
            free, test_size=config.n_test, stratify=pictures.labels[free],
            random_state=int(streams(f"split-{seed}").integers(2**31)),
        )  # fmt: skip
        found.append(Split(np.sort(np.concatenate([everything[: config.n_reserved], train])), test))
    return found
