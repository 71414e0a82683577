"""Tensors on disk: safetensors with a checksum, never a pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sparsecode.bridges._torch import torch
from sparsecode.core.io import load_arrays, load_metadata, save_arrays

__all__ = ["load_state", "optimizer_state", "restore_optimizer", "save_state"]


def save_state(path: str | os.PathLike[str], tensors: Mapping[str, Any], meta: Any) -> None:
    """Write tensors and what JSON can hold to one ``.safetensors`` file, atomically.

    Parameters
    ----------
    path : path-like
        File to write or replace.
    tensors : mapping of str to Tensor
        On any device.
    meta : object
        Anything :func:`sparsecode.core.save_json` takes.
    """
    _check_suffix(path)
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    save_arrays(path, arrays, meta)


def load_state(path: str | os.PathLike[str]) -> tuple[dict[str, torch.Tensor], Any]:
    """Read what :func:`save_state` wrote.

    Parameters
    ----------
    path : path-like
        A ``.safetensors`` file.

    Returns
    -------
    tensors : dict of str to Tensor
        On the CPU.
    meta : object

    Raises
    ------
    ValueError
        If the file is a pickle, damaged, or was cut short.
    """
    _check_suffix(path)
    tensors = {name: torch.tensor(np.asarray(a)) for name, a in load_arrays(path).items()}
    return tensors, load_metadata(path)


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return the state of an optimiser of one parameter group as named tensors."""
    return {
        f"{index}/{name}": torch.as_tensor(value)
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Give an optimiser the state that :func:`optimizer_state` returned."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        index, _, field = name.partition("/")
        state.setdefault(int(index), {})[field] = value
    check_state(optimizer, state)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def check_state(
    optimizer: torch.optim.Optimizer, state: Mapping[int, Mapping[str, torch.Tensor]]
) -> None:
    """Raise a ValueError unless the state of each parameter has its shape, or is one number."""
    shapes = [p.shape for group in optimizer.param_groups for p in group["params"]]
    if set(state) - set(range(len(shapes))):
        raise ValueError(f"a state of parameters {sorted(state)}; there are {len(shapes)}")
    for index, entries in state.items():
        for name, value in entries.items():
            if value.shape not in ((), shapes[index]):
                raise ValueError(f"{name} of parameter {index} has shape {tuple(value.shape)}")


def _check_suffix(path: str | os.PathLike[str]) -> None:
    if Path(path).suffix != ".safetensors":
        raise ValueError(
            f"tensors must be kept in a .safetensors file, for other formats may be pickles, which "
            f"run code when they are read; got {Path(path).name}. Convert it where it comes from."
        )
