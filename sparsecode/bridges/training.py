"""Training of small networks on arrays in memory, with checkpoints; networks as safe files.

Runs are short: minutes on two cores, less on a GPU if there is one. Weights are a function of the
seed, the data and the arguments on one machine and version of PyTorch, and so they are after a run
was broken off and went on from its checkpoint. Files are safetensors; nothing is ever pickled.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sparsecode._validation import (
    check_count,
    check_numbers,
    check_option,
    check_positive,
    check_probability,
)
from sparsecode.bridges._network import Network
from sparsecode.bridges._torch import nn, torch
from sparsecode.bridges._torch_checkpoint import check_state
from sparsecode.bridges.crate import Crate, CrateAlpha
from sparsecode.bridges.vit import MLP, Mixer, ViT
from sparsecode.core._course import Checkpoint, History
from sparsecode.core.io import load_arrays, load_metadata, save_arrays, understood

__all__ = ["TrainingResult", "load_model", "save_model", "train"]

KIND = "training checkpoint"
MODEL_KIND = "network"
MODELS: dict[str, type[Network]] = {m.__name__: m for m in (Crate, CrateAlpha, MLP, Mixer, ViT)}
#: Suffixes of formats that run code when they are read.
PICKLES = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
OPTIMIZERS = ("adamw", "adam", "sgd")


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """The course of a training.

    Parameters
    ----------
    history : dict of str to ndarray of shape (n_epochs + 1,)
        Row 0 is the network before its first step, on all training samples; the others are one
        epoch each:

        - ``epoch``: 0, 1, ...;
        - ``loss``: mean over training samples, each as its batch met it, label smoothing included;
        - ``train_accuracy``: of the same outputs, against the labels given;
        - ``test_accuracy``: after the epoch; NaN without test samples.
    seconds : ndarray of shape (n_epochs + 1,)
        Wall time of each row, of which nothing else depends.
    """

    history: dict[str, np.ndarray]
    seconds: np.ndarray

    def __repr__(self) -> str:
        last = {name: column[-1] for name, column in self.history.items()}
        return (
            f"<TrainingResult {len(self.seconds) - 1} epochs, loss {last['loss']:.3g}, accuracy "
            f"{last['train_accuracy']:.3f} (train), {last['test_accuracy']:.3f} (test)>"
        )


def train(
    model: nn.Module,
    X: Any,
    y: Any,
    *,
    X_test: Any = None,
    y_test: Any = None,
    n_epochs: int = 20,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    optimizer: str = "adamw",
    momentum: float = 0.9,
    label_smoothing: float = 0.0,
    transform: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    | None = None,
    seed: int = 0,
    device: str | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 1,
    progress: bool = False,
    on_epoch: Callable[[int, dict[str, float], nn.Module], object] | None = None,
) -> TrainingResult:
    """Minimise the mean cross-entropy of a classifier by stochastic gradient steps.

    Parameters
    ----------
    model : torch.nn.Module
        Maps a batch to logits (batch, n_classes). It is trained in place, and left on `device` in
        evaluation mode.
    X : array-like of shape (n_samples, ...)
        Inputs, such as images (n_samples, n_channels, height, width).
    y : array-like of int of shape (n_samples,)
        Labels from 0.
    X_test, y_test : array-like, optional
        Samples to measure the accuracy on after every epoch; both or neither.
    n_epochs : int, default=20
        Passes over the samples, each in an order of its own. The last batch may be smaller.
    batch_size : int, default=64
        Samples per step.
    learning_rate : float, default=1e-3
        Constant throughout. How sparse a ReLU network becomes depends on it.
    weight_decay : float, default=0.0
        Decoupled from the gradient by "adamw", added to it by the others.
    optimizer : {"adamw", "adam", "sgd"}, default="adamw"
        Adam with PyTorch's other defaults, or gradient descent with `momentum`.
    momentum : float, default=0.9
        Of "sgd"; the others have none.
    label_smoothing : float, default=0.0
        Share of each target that is spread over all classes.
    transform : callable, optional
        ``transform(inputs, labels)`` returns what a batch is trained on, such as fresh noise or
        augmented images, drawn from PyTorch's stream, which `seed` determines.
    seed : int, default=0
        Of the order of samples, and of all that the network and `transform` draw. PyTorch's own
        stream is as it was afterwards. Initial weights are the network's affair.
    device : str, optional
        Such as "cpu"; a CUDA device if there is one and it is unset.
    checkpoint : path-like, optional
        A ``.safetensors`` file that is replaced every so many epochs. If it exists, training goes
        on from it, and ends with the same bits as a run that was never broken off.
    checkpoint_every : int, default=1
        Epochs between two checkpoints; the last epoch has one too.
    progress : bool, default=False
        Whether to show a progress bar.
    on_epoch : callable, optional
        ``on_epoch(epoch, row, model)`` after each row of the history, with the network in
        evaluation mode; epoch 0 is before the first step. Epochs behind a checkpoint are not
        repeated.

    Returns
    -------
    TrainingResult

    Raises
    ------
    TypeError, ValueError
        If arguments do not fit each other or the checkpoint, in one sentence and before training.
    FloatingPointError
        If the loss is no longer finite.

    Notes
    -----
    Kingma & Ba 2015 (ICLR, arXiv:1412.6980) for Adam; Loshchilov & Hutter 2019 (ICLR,
    arXiv:1711.05101) for AdamW. A checkpoint holds weights, the optimizer's state, PyTorch's random
    state and the history.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module; got {type(model).__name__}.")
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise ValueError("model must have parameters to train; got none.")
    place = _device(device)
    model.to(place)
    rule = _optimizer(parameters, optimizer, learning_rate, weight_decay, momentum)
    n_epochs = check_count("n_epochs", n_epochs)
    batch_size = check_count("batch_size", batch_size)
    seed = check_count("seed", seed, minimum=0)
    label_smoothing = check_probability("label_smoothing", label_smoothing)
    for name, function in {"transform": transform, "on_epoch": on_epoch}.items():
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be callable or None; got {function!r}.")
    inputs, labels = _samples(X, y, parameters[0].dtype, "X", "y")
    if (X_test is None) != (y_test is None):
        raise ValueError("X_test and y_test must both be given or neither; got one of the two.")
    held_out = None
    if X_test is not None:
        held_out = _samples(X_test, y_test, parameters[0].dtype, "X_test", "y_test")
    model.eval()
    _check_logits(model, inputs, labels if held_out is None else torch.cat([labels, held_out[1]]))
    refuse_pickle("checkpoint", checkpoint)
    file = Checkpoint(checkpoint, checkpoint_every, KIND)

    run = _Run(model, rule, place)
    history = History("epoch", "loss", "train_accuracy", "test_accuracy", "seconds")
    file.resume(
        {"run": run, "history": history},
        {
            "model": _describe(model), "X": inputs.numpy(), "y": labels.numpy(),
            "X_test": held_out and held_out[0].numpy(), "y_test": held_out and held_out[1].numpy(),
            "batch_size": batch_size, "learning_rate": learning_rate,
            "weight_decay": weight_decay, "optimizer": optimizer,
            "momentum": momentum if optimizer == "sgd" else None,
            "label_smoothing": label_smoothing, "transform": transform, "seed": seed,
            "device": place.type,
        },
    )  # fmt: skip
    n_done = len(history.rows) - 1
    if n_done > n_epochs:
        raise ValueError(
            f"n_epochs must be at least {n_done}, those behind the checkpoint; got {n_epochs}."
        )
    inputs, labels = inputs.to(place), labels.to(place)
    if held_out is not None:
        held_out = held_out[0].to(place), held_out[1].to(place)
    criterion = nn.CrossEntropyLoss(label_smoothing=label_smoothing, reduction="none")

    def evaluate(x: torch.Tensor, target: torch.Tensor) -> tuple[float, float]:
        total, n_right = 0.0, 0
        with torch.no_grad():
            for part, wanted in zip(x.split(1024), target.split(1024)):
                logits = model(part)
                total += float(criterion(logits, wanted).sum())
                n_right += int((logits.argmax(dim=1) == wanted).sum())
        return total / len(x), n_right / len(x)

    def learn() -> tuple[float, float]:
        model.train()
        total, n_right = torch.zeros((), device=place), torch.zeros((), device=place)
        n_seen = 0
        order = torch.randperm(len(inputs)).to(place)
        for rows in order.split(batch_size):
            x, target = inputs[rows], labels[rows]
            if transform is not None:
                x, target = transform(x, target)
            logits = model(x)
            losses = criterion(logits, target)
            rule.zero_grad(set_to_none=True)
            losses.mean().backward()
            rule.step()
            total += losses.detach().sum()
            n_right += (logits.detach().argmax(dim=1) == target).sum()
            n_seen += len(target)
        model.eval()
        return float(total) / n_seen, float(n_right) / n_seen

    devices = [place] if place.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), _bar(n_epochs, max(n_done, 0), progress) as bar:
        run.seed(seed)
        for epoch in range(n_done + 1, n_epochs + 1):
            started = time.perf_counter()
            loss, accuracy = evaluate(inputs, labels) if epoch == 0 else learn()
            if not np.isfinite(loss):
                raise FloatingPointError(
                    f"the loss must stay finite; it was {loss} in epoch {epoch}. Lower "
                    f"learning_rate, {learning_rate:g}."
                )
            row = {"epoch": epoch, "loss": loss, "train_accuracy": accuracy}
            row["test_accuracy"] = np.nan if held_out is None else evaluate(*held_out)[1]
            history.append({**row, "seconds": time.perf_counter() - started}, len(inputs))
            if epoch > 0:
                bar.update()
            if on_epoch is not None:
                on_epoch(epoch, dict(row), model)
                model.eval()
            due = epoch == n_epochs or (epoch > 0 and file.due(epoch))
            if due and file.path is not None:
                file.save(None)
    columns = history.columns()
    seconds = columns.pop("seconds")
    return TrainingResult(columns, seconds)


def save_model(path: str | os.PathLike[str], model: Network) -> None:
    """Write a network of this package to one file, atomically.

    Parameters
    ----------
    path : path-like
        A ``.safetensors`` file.
    model : Crate, CrateAlpha, MLP, Mixer or ViT
        The network.

    Raises
    ------
    TypeError, ValueError
        If it is another network, or the suffix another.
    OSError
        If the file cannot be written.
    """
    _check_suffix(path)
    if type(model).__name__ not in MODELS or type(model) is not MODELS[type(model).__name__]:
        raise TypeError(
            f"model must be one of {', '.join(MODELS)}; got {type(model).__name__}. Save the "
            f"arrays of other networks with save_arrays."
        )
    metadata = {"kind": MODEL_KIND, "class": type(model).__name__, "config": model.config}
    save_arrays(path, _arrays(model.state_dict()), metadata)


def load_model(path: str | os.PathLike[str]) -> Network:
    """Read a network that :func:`save_model` wrote.

    Parameters
    ----------
    path : path-like
        A ``.safetensors`` file. Sizes are compared before memory is set aside for the network.

    Returns
    -------
    Crate, CrateAlpha, MLP, Mixer or ViT
        On the CPU, in evaluation mode.

    Raises
    ------
    ValueError
        If the file is damaged, holds something else, or is a pickle by its suffix.
    OSError
        If it cannot be opened.
    """
    _check_suffix(path)
    name = Path(path).name
    metadata = load_metadata(path)
    if not isinstance(metadata, dict) or metadata.get("kind") != MODEL_KIND:
        raise ValueError(f"{name} must hold a network; got other arrays. Use load_arrays.")
    arrays = load_arrays(path)
    with understood(path, "hold a network of this version"):
        kind, config = MODELS[metadata["class"]], metadata["config"]
        if any(n > len(arrays) for n in _counts(config, ("depth", "n_layers"))):
            raise ValueError("more layers than it has arrays")  # before so many are made
        with torch.device("meta"):
            sizes = {key: tuple(t.shape) for key, t in kind(**config).state_dict().items()}
        if sizes != {key: array.shape for key, array in arrays.items()}:
            raise ValueError("its arrays are not those of its configuration")
        if len({array.dtype for array in arrays.values()}) > 1:
            raise ValueError("arrays of several types")
        model = kind(**config, seed=0)
        model.to(torch.from_numpy(next(iter(arrays.values()))).dtype)
        model.load_state_dict({key: torch.from_numpy(array) for key, array in arrays.items()})
        return model.eval()


def _counts(config: dict[str, Any], names: tuple[str, ...]) -> list[int]:
    return [config[name] for name in names if isinstance(config.get(name), int)]


class _Run:
    """All that the next epoch depends on, as a part of a checkpoint."""

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
    ) -> None:
        self.model, self.optimizer, self.device = model, optimizer, device
        self.random: dict[str, torch.Tensor] | None = None

    def seed(self, seed: int) -> None:
        """Begin the random stream, or go on with the one of the checkpoint."""
        torch.manual_seed(seed)
        if self.random is not None:
            torch.set_rng_state(self.random["cpu"])
            if self.device.type == "cuda":
                torch.cuda.set_rng_state(self.random["cuda"], self.device)

    def state(self) -> dict[str, np.ndarray]:
        """Return weights, the optimizer's state and the random state."""
        arrays = {f"model.{k}": v for k, v in _arrays(self.model.state_dict()).items()}
        for index, entries in self.optimizer.state_dict()["state"].items():
            tensors = {k: v for k, v in entries.items() if isinstance(v, torch.Tensor)}
            arrays |= {f"optimizer.{index}.{k}": v for k, v in _arrays(tensors).items()}
        arrays["random.cpu"] = torch.get_rng_state().numpy()
        if self.device.type == "cuda":
            arrays["random.cuda"] = torch.cuda.get_rng_state(self.device).numpy()
        return arrays

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what :meth:`state` returned."""
        groups: dict[str, dict[str, torch.Tensor]] = {"model": {}, "optimizer": {}, "random": {}}
        for name, array in arrays.items():
            group, _, rest = name.partition(".")
            groups[group][rest] = torch.from_numpy(np.array(array))
        self.model.load_state_dict(groups["model"])
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in groups["optimizer"].items():
            index, _, entry = name.partition(".")
            state.setdefault(int(index), {})[entry] = tensor
        check_state(self.optimizer, state)
        whole = self.optimizer.state_dict()
        self.optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
        if not all(torch.isfinite(value).all() for value in groups["model"].values()):
            raise ValueError("weights must be finite")
        self.random = groups["random"]
        if self.random["cpu"].dtype != torch.uint8:
            raise ValueError("a random state must be bytes")


def refuse_pickle(name: str, path: Any) -> None:
    """Raise a ValueError for a file whose format runs code when it is read."""
    if isinstance(path, str | os.PathLike) and Path(path).suffix.lower() in PICKLES:
        raise ValueError(
            f"{name} must be a .safetensors file; got {Path(path).name}, a format of pickles, "
            f"which run code when they are read. Export the tensors with safetensors."
        )


def _check_suffix(path: str | os.PathLike[str]) -> None:
    refuse_pickle("path", path)
    check_option("the suffix of path", Path(path).suffix, (".safetensors",))


def _arrays(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def _describe(model: nn.Module) -> str:
    """Return text that tells networks of another shape or configuration apart."""
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return f"{type(model).__name__} {getattr(model, 'config', None)} {shapes}"


def _device(device: str | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError):
        raise ValueError(f'device must be such as "cpu" or "cuda"; got {device!r}.') from None
    if place.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device must be there; got {device!r}, and no CUDA device. Use 'cpu'.")
    return place


def _optimizer(
    parameters: list[nn.Parameter],
    name: str,
    learning_rate: float,
    weight_decay: float,
    momentum: float,
) -> torch.optim.Optimizer:
    learning_rate = check_positive("learning_rate", learning_rate)
    if weight_decay != 0:
        weight_decay = check_positive("weight_decay", weight_decay)
    momentum = check_probability("momentum", momentum)
    check_option("optimizer", name, OPTIMIZERS)
    if name == "sgd":
        return torch.optim.SGD(
            parameters, learning_rate, momentum=momentum, weight_decay=weight_decay
        )
    kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    return kind(parameters, learning_rate, weight_decay=weight_decay)


def _samples(
    X: Any, y: Any, dtype: torch.dtype, x_name: str, y_name: str
) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = check_numbers(X, x_name)
    if inputs.ndim < 2 or 0 in inputs.shape:
        raise ValueError(
            f"{x_name} must have shape (n_samples, ...) with at least one sample; got "
            f"{inputs.shape}."
        )
    labels = np.asarray(y)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{y_name} must hold integer labels; got dtype {labels.dtype}.")
    if labels.shape != (len(inputs),):
        raise ValueError(
            f"{y_name} must have shape ({len(inputs)},), a label for each sample; got "
            f"{labels.shape}."
        )
    if labels.min() < 0:
        raise ValueError(f"{y_name} must hold labels from 0; got {labels.min()}.")
    return torch.tensor(inputs, dtype=dtype), torch.tensor(labels.astype(np.int64))


def _check_logits(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> None:
    place = next(model.parameters()).device
    with torch.no_grad():
        logits = model(inputs[:1].to(place))
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != 1:
        kind = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise ValueError(f"model must give logits of shape (batch, n_classes); got {kind}.")
    if int(labels.max()) >= logits.shape[1]:
        raise ValueError(
            f"labels must lie below {logits.shape[1]}, the network's number of classes; got "
            f"{int(labels.max())}."
        )


def _bar(n_epochs: int, n_done: int, progress: bool) -> Any:
    from tqdm.auto import tqdm  # which speaks up in notebooks without widgets

    return tqdm(total=n_epochs, initial=n_done, desc="training", leave=False, disable=not progress)
