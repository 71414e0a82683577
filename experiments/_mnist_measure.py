"""What `sparsey-mnist` measures: digits presented one after the other, then others recognised."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.metrics import confusion_matrix
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from experiments._framework import Record
from memory import ClassField, Hierarchy, Level, Sigmoid2014
from sparsecode.core.rng import Streams
from sparsecode.datasets import load_digits16, load_mnist, prepare_digits

if TYPE_CHECKING:
    from experiments.sparsey_mnist import Config

#: What recognises, in the order of the tables; the first is Sparsey.
METHODS = {
    "sparsey": "Sparsey, class field",
    "sparsey, linear": "Sparsey's codes, linear",
    "by chance": "codes drawn by chance, class field",
    "one mac": "one mac, class field",
    "thinned, nearest": "thinned pixels, nearest neighbour",
    "thinned, linear": "thinned pixels, linear",
    "greys, nearest": "grey pixels, nearest neighbour",
    "greys, linear": "grey pixels, linear",
}
#: Methods that are measured at every count; the others at `n_per_class` only.
AT_EVERY_COUNT = (
    "sparsey",
    "thinned, nearest",
    "thinned, linear",
    "greys, nearest",
    "greys, linear",
)
FRAME = (24, 16)
#: Name of the array of times: seconds for a digit, of every ten digits learned.
TIMES = "time of an item"
#: How much a linear classifier may fit, for pixels and for codes.
C_PIXELS, C_CODES = 0.03, 0.01
#: Modules of the single mac.
ONE_MAC = 96


class Digits(NamedTuple):
    """Digits as grey and as thinned pixels, a row each, with their classes."""

    greys: np.ndarray
    thinned: np.ndarray
    labels: np.ndarray


@cache
def load(data: str, crop: int, download: bool) -> Digits:
    """Return all digits, prepared."""
    found = load_digits16() if data == "digits" else load_mnist("test", download=download)
    thinned = prepare_digits(found.images, shape=FRAME, crop=crop).to_dense()
    n = len(found.labels)
    return Digits(found.images.reshape(n, -1), thinned.reshape(n, -1), found.labels)


def drawn(labels: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return an order of digits in which every run of ten holds each class once.

    Classes with fewer than `most` digits end earlier.
    """
    ranks = np.full(labels.size, -1)
    for label in range(10):
        members = rng.permutation(np.flatnonzero(labels == label))[:most]
        ranks[members] = np.arange(members.size)
    shuffled = rng.permutation(np.flatnonzero(ranks >= 0))
    return shuffled[np.argsort(ranks[shuffled], kind="stable")]


def sheet(config: Config, seed: int, **options: Any) -> Hierarchy:
    """Return the macs, one level of them, before they have seen anything."""
    level = Level(
        config.n_modules, config.n_units, config.shape, tiling="hexagonal",
        overlap=config.overlap, activation_bounds=config.active_pixels, wires="U",
        saturation=config.saturation,
    )  # fmt: skip
    return Hierarchy(
        [level], input_shape=FRAME, output="sparse", n_threads=1, random_state=seed, **options
    )


def one_repeat(config: Config, streams: Streams, repeat: int) -> dict[str, Any]:
    """Return the shares recognised, by method and count, of one draw of digits."""
    digits = load(config.data, config.crop, config.download)
    rng = streams(f"repeat-{repeat}")
    order = config.learned[0] + drawn(
        digits.labels[slice(*config.learned)], max(config.counts), rng
    )
    test = np.arange(*config.reported)
    if test[-1] >= digits.labels.size:
        raise ValueError(
            f"reported must end at most at {digits.labels.size}, the digits that there are; got "
            f"{config.reported[1]}."
        )
    labels = digits.labels[test]
    found: dict[str, Any] = {
        f"share-{method}": np.full(len(config.counts), np.nan) for method in METHODS
    }
    seed = int(rng.integers(2**31))
    memory, field = sheet(config, seed), ClassField()
    sheet(config, seed).store(digits.thinned[order[:10]])  # compile before times are taken
    start, seconds = 0, []
    for i, count in enumerate(config.counts):
        stop = min(10 * count, order.size)
        while start < stop:  # ten at a time, which are timed
            some = order[start : min(start + 10, stop)]
            begun = time.perf_counter()
            code = memory.store(digits.thinned[some])
            field.partial_fit(code, digits.labels[some], classes=np.arange(10))
            seconds.append((time.perf_counter() - begun) / some.size)
            start += some.size
        given = field.predict(memory.transform(digits.thinned[test]))
        found["share-sparsey"][i] = np.mean(given == labels)
        for name, share in baselines(digits, order[:stop], test).items():
            found[f"share-{name}"][i] = share
        if count == config.n_per_class:
            found["confusion"] = confusion_matrix(labels, given, labels=np.arange(10))
            for name, share in others(config, digits, order[:stop], test, seed).items():
                found[f"share-{name}"][i] = share
    found["seconds"] = np.array(seconds)
    return found


def baselines(digits: Digits, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Return the shares of the classifiers of pixels."""
    shares = {}
    for kind, pixels in (("thinned", digits.thinned), ("greys", digits.greys)):
        for name, model in (
            ("nearest", KNeighborsClassifier(1)),
            ("linear", LinearSVC(C=C_PIXELS, random_state=0)),
        ):
            model.fit(pixels[train].astype(np.float64), digits.labels[train])
            shares[f"{kind}, {name}"] = model.score(
                pixels[test].astype(np.float64), digits.labels[test]
            )
    return shares


def others(
    config: Config, digits: Digits, train: np.ndarray, test: np.ndarray, seed: int
) -> dict[str, float]:
    """Return the shares of a linear read-out, of codes drawn by chance, and of one mac."""
    labels, patterns = digits.labels, digits.thinned
    memory = sheet(config, seed)
    codes = memory.store(patterns[train]).to_scipy().astype(np.float64)
    linear = LinearSVC(C=C_CODES, random_state=0).fit(codes, labels[train])
    shares = {
        "sparsey, linear": linear.score(
            memory.transform(patterns[test]).astype(np.float64), labels[test]
        )
    }
    single = Level(ONE_MAC, config.n_units, wires="U", saturation=config.saturation)
    controls = {
        "by chance": sheet(config, seed, activation=Sigmoid2014(gain=0.0)),
        "one mac": Hierarchy(
            [single], input_shape=FRAME, output="sparse", n_threads=1, random_state=seed
        ),
    }
    for name, control in controls.items():
        field = ClassField().fit(control.store(patterns[train]), labels[train])
        shares[name] = field.score(control.transform(patterns[test]), labels[test])
    return shares


def table(config: Config, repeats: list[dict[str, np.ndarray]]) -> dict[str, list[Any]]:
    """Return the shares in long form: a row for each method, count and repeat."""
    rows = [
        (method, int(count), repeat, float(one[f"share-{method}"][i]))
        for method in METHODS
        for i, count in enumerate(config.counts)
        if method in AT_EVERY_COUNT or count == config.n_per_class
        for repeat, one in enumerate(repeats)
    ]
    return dict(zip(("method", "count", "repeat", "share"), map(list, zip(*rows))))


def shares(record: Record, method: str, count: int) -> np.ndarray:
    """Return the share of every repeat."""
    return record.table.where(method=method, count=count)["share"]
