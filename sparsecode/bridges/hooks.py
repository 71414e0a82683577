"""Record what any PyTorch module computes, by the path of its parts."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral
from typing import Any, overload

import numpy as np

from sparsecode.bridges._torch import nn, torch
from sparsecode.bridges.store import ActivationWriter, check_activations

__all__ = ["collect", "sites_of"]

_ENDS = ("input", "output")

#: What says which positions are real: a function of the batch, or one array a batch.
Mask = Callable[[Any], Any] | Iterable[Any]


def sites_of(model: nn.Module) -> list[str]:
    """List the module paths at which :func:`collect` can record.

    Parameters
    ----------
    model : torch.nn.Module
        Any network.

    Returns
    -------
    list of str
        Such as ``"layers.0.linear1"``, in the order of definition; the model itself is ``""``
        (``":output"`` where a store needs a name).

    Raises
    ------
    TypeError
        If `model` is not a module.
    """
    _check_module(model)
    return [name for name, _ in model.named_modules()]


@overload
def collect(
    model: nn.Module,
    batches: Iterable[Any],
    sites: str | Sequence[str],
    *,
    store: None = None,
    mask: Mask | bool | None = None,
    skip_positions: Sequence[int] = (),
    sample_axis: int = 0,
    feature_axis: int = -1,
) -> dict[str, np.ndarray]: ...


@overload
def collect(
    model: nn.Module,
    batches: Iterable[Any],
    sites: str | Sequence[str],
    *,
    store: ActivationWriter,
    mask: Mask | bool | None = None,
    skip_positions: Sequence[int] = (),
    sample_axis: int = 0,
    feature_axis: int = -1,
) -> None: ...


def collect(
    model: nn.Module,
    batches: Iterable[Any],
    sites: str | Sequence[str],
    *,
    store: ActivationWriter | None = None,
    mask: Mask | bool | None = None,
    skip_positions: Sequence[int] = (),
    sample_axis: int = 0,
    feature_axis: int = -1,
) -> dict[str, np.ndarray] | None:
    """Run a network and record the activations at some of its sites, one row a position.

    The network runs in evaluation mode without gradients; each module's mode is restored and
    every hook removed, after an error too. Only the named sites are kept, and no more than one
    batch of them (and, with a store, its open shards).

    Parameters
    ----------
    model : torch.nn.Module
        Any network. Batches are moved to the device of its first parameter.
    batches : iterable
        Each a tensor or array (the one argument), a tuple or list (positional arguments) or a
        dict (keyword arguments, such as ``input_ids`` and ``attention_mask``).
    sites : str or sequence of str
        Module paths as in :func:`sites_of`, with ``":output"`` (the default) or ``":input"``
        behind them. A module that returns several tensors gives its first, one that takes
        several gives its first.
    store : ActivationWriter, optional
        Where the rows go, with their sample and position ids. Rows of a resumed store are not
        recorded again, which asks for the same batches in the same order: batches of samples
        that all sites have are not run. Without a store the rows are returned, and must fit in
        memory.
    mask : callable, iterable of array-like of bool, bool or None
        Which positions are real rather than padding: per batch shape (n_samples, n_positions),
        or (n_samples,), True to keep. A callable gets the batch as it came. None takes
        ``attention_mask`` from a dict that has one, False keeps all rows.
    skip_positions : sequence of int, default=()
        Positions to leave out, counted among those that `mask` keeps of each sample: 0 the
        first (such as a class or start token), -1 the last. Nothing is left out unless it is
        named.
    sample_axis : int, default=0
        Axis of samples in batches and activations; 1 for sequence-first transformers. The mask
        always has samples first.
    feature_axis : int, default=-1
        Axis of features in the activations; 1 for channels-first convolutional maps.

    Returns
    -------
    dict of str to ndarray of shape (n_rows, n_features), or None
        Rows of each site, without a store. Samples are in order, positions in order within a
        sample. float16 and float64 are kept, bfloat16 arrives as float32.

    Raises
    ------
    ValueError, TypeError
        If a site does not exist (near matches are listed), is not reached or runs twice; if the
        model has no forward; if an activation is not finite; if mask and activations do not fit.

    Notes
    -----
    Evaluation mode may take shortcuts past submodules: hooks turn off the fused path of
    ``nn.TransformerEncoderLayer``, but ``self_attn.out_proj`` never runs as a module. Such a
    site is an error, not an empty array. With as many positions as samples in a batch a wrong
    `sample_axis` cannot be noticed.
    """
    wanted = _check_sites(model, sites)
    skip = _check_positions(skip_positions)
    if store is not None and not isinstance(store, ActivationWriter):
        raise TypeError(
            f"store must be an ActivationWriter; got {type(store).__name__}. Use `with "
            "ActivationStore.create(folder) as store`."
        )
    if store is not None:
        if again := sorted(store.collected & set(wanted)):
            raise ValueError(
                f"sites must be recorded once by one writer, which counts samples from 0; got "
                f"{again} again. Chain the batches into one call, or use another store."
            )
        store.collected |= set(wanted)
    after = {site: store.last_id(site) for site in wanted} if store is not None else {}
    rows: dict[str, list[np.ndarray]] = {site: [] for site in wanted}
    masks = iter(mask) if isinstance(mask, Iterable) else None
    first = 0
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    with _recording(model, wanted) as caught:
        for number, batch in enumerate(batches):
            args, kwargs = _arguments(batch, device)
            n_samples = _n_samples(args, kwargs, sample_axis)
            real = _mask_of(batch, mask, masks, number)
            is_stored = store is not None and all(
                last is not None and last[0] >= first + n_samples for last in after.values()
            )
            if not is_stored:
                caught.clear()
                model(*args, **kwargs)
                for site, (_, end) in wanted.items():
                    block, samples, positions = _rows_of(
                        site, caught, n_samples, real, skip, sample_axis, feature_axis
                    )
                    samples = samples + first
                    check_activations(f"{site} (batch {number})", block)
                    if store is None:
                        rows[site].append(block)
                        continue
                    last = after[site]
                    if last is not None:
                        new = (samples > last[0]) | ((samples == last[0]) & (positions > last[1]))
                        block, samples, positions = block[new], samples[new], positions[new]
                    store.append(site, block, sample_ids=samples, position_ids=positions, kind=end)
            first += n_samples
    if first == 0:
        raise ValueError("batches must give at least one sample; got none.")
    return {site: np.concatenate(parts) for site, parts in rows.items()} if store is None else None


@contextmanager
def _recording(
    model: nn.Module, wanted: Mapping[str, tuple[str, str]]
) -> Iterator[dict[str, list[torch.Tensor]]]:
    """Catch what goes through the sites, in evaluation mode; leave the model as it was."""
    caught: dict[str, list[torch.Tensor]] = {}
    modes = [(module, module.training) for module in model.modules()]
    handles = []
    try:
        for site, (path, end) in wanted.items():
            module = model.get_submodule(path)
            if end == "output":
                handles.append(module.register_forward_hook(_output_hook(site, caught)))
            else:
                hook = _input_hook(site, caught)
                handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))
        model.eval()
        with torch.no_grad():
            yield caught
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes:
            module.training = mode


def _output_hook(
    site: str, caught: dict[str, list[torch.Tensor]]
) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, args: Any, output: Any) -> None:
        caught.setdefault(site, []).append(_first_tensor(site, output))

    return hook


def _input_hook(
    site: str, caught: dict[str, list[torch.Tensor]]
) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
        caught.setdefault(site, []).append(_first_tensor(site, [*args, *kwargs.values()]))

    return hook


def _first_tensor(site: str, value: Any) -> torch.Tensor:
    """Return a copy, on the CPU, of the first tensor in `value`: a later step may write into it."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, tuple | list):
        value = next((one for one in value if isinstance(one, torch.Tensor)), None)
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"site {site!r} must pass a tensor; got {type(value).__name__}.")
    if value.is_nested or value.is_sparse:
        raise ValueError(
            f"site {site!r} must pass a dense tensor; got a nested or sparse one. Build the "
            "encoder with enable_nested_tensor=False."
        )
    if not value.is_floating_point():
        raise TypeError(f"site {site!r} must pass floating-point numbers; got {value.dtype}.")
    value = value.detach()
    if value.dtype == torch.bfloat16:
        value = value.float()
    return value.to("cpu", copy=True)


def _rows_of(
    site: str,
    caught: dict[str, list[torch.Tensor]],
    n_samples: int,
    real: np.ndarray | None,
    skip: Sequence[int],
    sample_axis: int,
    feature_axis: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows of one site in one batch, and the sample and position of each."""
    calls = caught.pop(site, [])
    if len(calls) != 1:
        raise ValueError(
            f"site {site!r} must run once in a forward pass; got {len(calls)} calls. "
            + ("Name a module around it." if not calls else "Name the modules before or after it.")
        )
    tensor = calls[0]
    if tensor.ndim < 2:
        raise ValueError(f"site {site!r} must pass samples by features; got {tuple(tensor.shape)}.")
    if not -tensor.ndim <= feature_axis < tensor.ndim:
        raise ValueError(
            f"feature_axis must be an axis of site {site!r}, shape {tuple(tensor.shape)}; got "
            f"{feature_axis}."
        )
    tensor = tensor.movedim(feature_axis, -1)
    if tensor.ndim > 2:
        tensor = tensor.movedim(sample_axis, 0)
    lead = tuple(tensor.shape[:-1])
    rows = tensor.reshape(-1, tensor.shape[-1]).numpy()
    if real is not None and len(real) != n_samples:
        raise ValueError(
            f"mask must have shape (n_samples, n_positions) with {n_samples} samples, as the "
            f"batch; got {real.shape}."
        )
    flattened = len(lead) == 1 and real is not None and real.ndim == 2 and lead[0] == real.size
    if lead[0] != n_samples and not flattened:
        raise ValueError(
            f"site {site!r} must pass {n_samples} samples on axis {sample_axis}; got shape "
            f"{tuple(calls[0].shape)}. Set sample_axis, or give a mask if positions are flattened."
        )
    n_positions = len(rows) // n_samples if n_samples else 0
    samples = np.repeat(np.arange(n_samples), n_positions)
    positions = np.tile(np.arange(n_positions), n_samples)
    keep: np.ndarray = np.ones((n_samples, n_positions), bool)
    if real is not None and real.ndim == 1:
        real = np.repeat(real[:, None], n_positions, axis=1)
    if lead == (n_samples,):  # one row a sample: only a mask of whole samples concerns it
        if real is not None:
            keep = np.asarray(real.any(axis=1, keepdims=True))
    else:
        if real is not None and real.shape != keep.shape:
            raise ValueError(
                f"mask must have shape {keep.shape}, samples and positions of site {site!r}; got "
                f"{real.shape}. Pass mask=False to keep all rows."
            )
        keep = keep if real is None else real.copy()
        rank = np.cumsum(keep, axis=1) - 1
        n_real = keep.sum(axis=1, keepdims=True)
        for position in skip:
            keep &= rank != (position if position >= 0 else n_real + position)
    kept = keep.reshape(-1)
    return rows[kept], samples[kept], positions[kept]


def _mask_of(
    batch: Any, mask: Mask | bool | None, masks: Iterator[Any] | None, number: int
) -> np.ndarray | None:
    """Return which positions of a batch are real, None for all."""
    if mask is None:
        found = batch.get("attention_mask") if isinstance(batch, Mapping) else None
    elif isinstance(mask, bool):
        if mask:
            raise ValueError(
                "mask must be a function, one array a batch, None or False; got True. None takes "
                "the batch's attention_mask."
            )
        found = None
    elif masks is not None:
        try:
            found = next(masks)
        except StopIteration:
            raise ValueError(
                f"mask must give one array a batch; got {number} arrays and more batches."
            ) from None
    elif callable(mask):
        found = mask(batch)
    else:
        raise TypeError(f"mask must be a function, one array a batch, None or False; got {mask!r}.")
    if found is None:
        return None
    array = found.detach().cpu().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
    if array.ndim not in (1, 2) or not np.isin(array, (0, 1)).all():
        raise ValueError(
            "mask must hold booleans (or 0 and 1) of shape (n_samples, n_positions); got "
            f"{array.dtype} of shape {array.shape}."
        )
    return array.astype(bool)


def _arguments(batch: Any, device: torch.device) -> tuple[tuple[Any, ...], dict[str, Any]]:
    def move(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            value = torch.as_tensor(value)
        return value.to(device) if isinstance(value, torch.Tensor) else value

    if isinstance(batch, Mapping):
        return (), {name: move(value) for name, value in batch.items()}
    if isinstance(batch, tuple | list):
        return tuple(move(value) for value in batch), {}
    return (move(batch),), {}


def _n_samples(args: tuple[Any, ...], kwargs: dict[str, Any], axis: int) -> int:
    values = [*args, *kwargs.values()]
    tensor = next((value for value in values if isinstance(value, torch.Tensor)), None)
    if tensor is None or not -tensor.ndim <= axis < tensor.ndim:
        arrived = "none" if tensor is None else f"shape {tuple(tensor.shape)}"
        raise ValueError(f"a batch must hold a tensor with samples on axis {axis}; got {arrived}.")
    return int(tensor.shape[axis])


def _check_module(model: Any) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model must be a torch.nn.Module; got {type(model).__name__}. Build the network and "
            "load its safetensors; a pickled checkpoint is not loaded."
        )


def _check_sites(model: Any, sites: str | Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return path and end ("input" or "output") of each site, by its name as given."""
    _check_module(model)
    if type(model).forward is nn.Module.forward:
        raise TypeError(
            f"model must have a forward method; got {type(model).__name__}, which has none."
        )
    names = [sites] if isinstance(sites, str) else list(sites)
    if not names:
        raise ValueError("sites must name at least one module; got none. See sites_of(model).")
    known = {name for name, _ in model.named_modules(remove_duplicate=False)}
    wanted: dict[str, tuple[str, str]] = {}
    for site in names:
        if not isinstance(site, str):
            raise TypeError(f"sites must be module paths; got {site!r}.")
        path, colon, end = site.rpartition(":")
        if not colon:
            path, end = site, "output"
        if end not in _ENDS:
            raise ValueError(f"a site must end in ':input' or ':output'; got {site!r}.")
        if path not in known:
            near = difflib.get_close_matches(path, known, n=4, cutoff=0.4)
            hint = f"near are {', '.join(map(repr, near))}" if near else "none is near"
            raise ValueError(
                f"sites must be modules of the model; got {site!r}, and {hint}. See "
                "sites_of(model)."
            )
        if site in wanted:
            raise ValueError(f"sites must be named once; got {site!r} twice.")
        wanted[site] = path, end
    return wanted


def _check_positions(positions: Any) -> tuple[int, ...]:
    try:
        listed = tuple(positions)
    except TypeError:
        listed = (None,)
    if not all(isinstance(p, Integral) and not isinstance(p, bool) for p in listed):
        raise TypeError(f"skip_positions must be a sequence of integers; got {positions!r}.")
    return tuple(int(p) for p in listed)
