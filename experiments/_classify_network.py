"""A small convolutional network in PyTorch, trained to the same bits whenever it is asked to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Schedule", "one_thread", "train_and_test"]

#: Pictures that are classified at a time once the network is trained.
AT_ONCE = 512


class Schedule(NamedTuple):
    """How the network is trained: Adam, one cycle of the learning rate, dropout of whole maps."""

    n_epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    dropout: float
    width: int
    flip: bool


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch compute on one thread, on which sums have one order; runs go side by side."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def network(n_channels: int, n_classes: int, width: int, generator: Any) -> tuple[Any, Any]:
    """Return the first convolution and what follows the dropout, with weights from `generator`."""
    from torch import nn

    def convolution(before: int, after: int, stride: int, mode: str = "zeros") -> Any:
        layer = nn.utils.skip_init(
            nn.Conv2d, before, after, 3, stride=stride, padding=1, padding_mode=mode, bias=False
        )
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        return nn.Sequential(layer, nn.BatchNorm2d(after), nn.ReLU())

    last = nn.utils.skip_init(nn.Linear, 4 * width, n_classes)
    nn.init.normal_(last.weight, std=(4 * width) ** -0.5, generator=generator)
    nn.init.zeros_(last.bias)
    # Maps are circular. Beside zeros, the constant that the published shift leaves in every map
    # would make the rim so strong that normalisation hides all else from a network of this size.
    first = convolution(n_channels, width, 1, "circular")
    rest = nn.Sequential(
        convolution(width, 2 * width, 2), convolution(2 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), last,
    )  # fmt: skip
    return first, rest


def train_and_test(
    inputs: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray,
    schedule: Schedule, seed: int, scale: float = 1.0,
) -> tuple[float, float]:  # fmt: skip
    """Train on some pictures and return the share of the others, and of these, that is right.

    The network is that of the last epoch: none is chosen by what it is tested with.

    Parameters
    ----------
    inputs : ndarray of shape (n_images, n_channels, height, width)
    labels : ndarray of shape (n_images,)
    train, test : ndarray of int
        Indices.
    seed : int
        Of weights, order and dropout.
    scale : float, default=1.0
        What inputs are divided by.

    Returns
    -------
    tested, fitted : float
    """
    import torch
    from torch.nn.functional import cross_entropy

    torch.set_num_threads(1)  # of this Python thread
    generator = torch.Generator().manual_seed(seed)
    first, rest = network(inputs.shape[1], int(labels.max()) + 1, schedule.width, generator)
    parameters = [*first.parameters(), *rest.parameters()]

    def tensors(some: np.ndarray) -> tuple[Any, Any]:
        values = inputs[some].astype(np.float32) / np.float32(scale)
        return torch.from_numpy(values), torch.from_numpy(labels[some])

    x, y = tensors(train)
    n_batches = max(1, len(train) // schedule.batch_size)
    optimizer = torch.optim.Adam(
        parameters, lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.learning_rate, total_steps=schedule.n_epochs * n_batches
    )
    for _ in range(schedule.n_epochs):
        order = torch.randperm(len(train), generator=generator)
        for chosen in order.tensor_split(n_batches):
            batch = x[chosen]
            if schedule.flip:
                turned = torch.rand(len(batch), generator=generator) < 0.5
                batch[turned] = batch[turned].flip(-1)
            maps = first(batch)
            kept = torch.rand(*maps.shape[:2], 1, 1, generator=generator) >= schedule.dropout
            loss = cross_entropy(rest(maps * kept / (1.0 - schedule.dropout)), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
    first.eval()
    rest.eval()

    def right(pictures: Any, classes: Any) -> float:
        with torch.inference_mode():
            said = torch.cat([rest(first(part)).argmax(1) for part in pictures.split(AT_ONCE)])
        return float((said == classes).double().mean())

    return right(*tensors(test)), right(x, y)
