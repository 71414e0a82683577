"""One trainer for every architecture, over rows that need not fit into memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_data, check_positive, check_probability
from sparsecode.bridges._autoencoder_base import SparseAutoencoder
from sparsecode.bridges._rows import as_rows
from sparsecode.bridges._torch import torch
from sparsecode.bridges._torch_checkpoint import (
    load_state,
    optimizer_state,
    restore_optimizer,
    save_state,
)
from sparsecode.core.io import understood

__all__ = ["train_autoencoder"]

_CHUNK = 256  # rows read together


def train_autoencoder(
    model: SparseAutoencoder,
    data: Any,
    *,
    target: Any = None,
    gradients: Any = None,
    n_steps: int,
    batch_size: int = 4096,
    learning_rate: float = 3e-4,
    n_warmup: int = 0,
    decay_share: float = 0.2,
    decay_to: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    clip: float | None = 1.0,
    centre: bool = True,
    pool_rows: int = 2**16,
    seed: int = 0,
    device: Any = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 1000,
    record_every: int = 100,
    progress: Callable[[dict[str, float]], None] | None = None,
) -> dict[str, np.ndarray]:
    """Train an autoencoder by Adam, in place.

    Each step removes from the decoder's gradient what would only change norms of atoms, and
    renormalises the atoms afterwards, where the architecture keeps them at norm 1
    (``unit_atoms``).

    Parameters
    ----------
    model : SparseAutoencoder
        Trained in place.
    data : array-like or reader of shape (n_samples, n_features)
        Inputs: anything with ``shape`` that gives arrays for slices of rows.
    target : array-like or reader of shape (n_samples, n_outputs), optional
        What a transcoder predicts, row by row.
    gradients : array-like or reader of shape (n_samples, n_features), optional
        Gradients of a loss with respect to the inputs, for the gradient autoencoder.
    n_steps : int
        Steps in all, those of a checkpoint included.
    batch_size : int, default=4096
        Samples per step, at most n_samples.
    learning_rate : float, default=3e-4
        Its height between warm-up and decay.
    n_warmup : int, default=0
        Steps in which it rises linearly.
    decay_share : float, default=0.2
        Share of the steps, the last ones, in which it falls linearly.
    decay_to : float, default=0.0
        What share of it is left at the end.
    betas : pair of float, default=(0.9, 0.999)
        Of Adam.
    clip : float, optional
        Largest norm of the gradient of all parameters together.
    centre : bool, default=True
        Whether b_dec starts at the mean of the first rows of the target.
    pool_rows : int, default=65536
        Rows held and shuffled together; the pool gathers chunks of 256 neighbouring rows from all
        over the data.
    seed : int, default=0
        Of the order of rows.
    device : torch device, optional
        Where to train; by default where the model is.
    checkpoint : path-like, optional
        A ``.safetensors`` file written every `checkpoint_every` steps and at the end. If it
        exists, training goes on from it: with the same data, threads and device to the same bits.
    checkpoint_every : int, default=1000
        Steps between writes.
    record_every : int, default=100
        Steps between rows of the history; the last step is always one.
    progress : callable, optional
        Called with each row of the history.

    Returns
    -------
    dict of str to ndarray
        A column each for "step", "learning_rate", "loss" and its terms, "l0" (mean number of
        active latents) and "n_dead" (latents silent for the model's `dead_after` samples).

    Raises
    ------
    ValueError, TypeError
        If data do not fit the model, an option is out of range, a checkpoint belongs to another
        training, or the loss is no longer finite.
    """
    rows = as_rows(data, n_features=model.n_features, name="data")
    n_samples = int(rows.shape[0])
    sources = {"x": rows}
    if target is not None:
        sources["target"] = as_rows(target, n_features=model.n_outputs, name="target")
    if gradients is not None:
        sources["gradients"] = as_rows(gradients, n_features=model.n_features, name="gradients")
    for name, source in sources.items():
        if source.shape[0] != n_samples:
            raise ValueError(
                f"{name} must have {n_samples} rows, as data has; got {source.shape[0]}."
            )
    if model.is_transcoder and target is None:
        raise ValueError("a transcoder needs target, the outputs to predict; got none.")
    n_steps = check_count("n_steps", n_steps)
    if n_samples == 0:
        raise ValueError("data must hold at least one row; got none.")
    batch_size = check_count("batch_size", batch_size, maximum=n_samples)
    pool_rows = check_count("pool_rows", pool_rows, minimum=batch_size)
    rate = check_positive("learning_rate", learning_rate)
    settings = {
        "architecture": model.architecture, "n_features": model.n_features,
        "n_latents": model.n_latents, "options": model.options, "n_samples": n_samples,
        "sources": sorted(sources), "n_steps": n_steps, "batch_size": batch_size,
        "learning_rate": rate, "n_warmup": check_count("n_warmup", n_warmup, minimum=0),
        "decay_share": check_probability("decay_share", decay_share),
        "decay_to": check_probability("decay_to", decay_to),
        "betas": [check_probability("betas", beta) for beta in betas],
        "clip": None if clip is None else check_positive("clip", clip),
        "pool_rows": pool_rows, "seed": check_count("seed", seed, minimum=0),
        "centre": bool(centre),
    }  # fmt: skip
    checkpoint_every = check_count("checkpoint_every", checkpoint_every)
    record_every = check_count("record_every", record_every)

    if device is not None:
        model.to(device)
    model.train()
    parameters = list(model.parameters())
    where = model.W_dec.device
    optimizer = torch.optim.Adam(parameters, lr=rate, betas=(betas[0], betas[1]))
    history: list[dict[str, float]] = []
    done = 0
    if checkpoint is not None and Path(checkpoint).exists():
        done, history = _resume(checkpoint, model, optimizer, settings)
    elif centre:
        with torch.no_grad():
            first = sources.get("target", rows)[: min(n_samples, pool_rows)]
            mean = check_data(first, name="data", dtype=np.float64).mean(axis=0)
            model.b_dec.copy_(torch.tensor(mean, dtype=torch.float32))

    batches = _batches(sources, n_samples, batch_size, pool_rows, seed, first=done)
    for step in range(done + 1, n_steps + 1):
        batch = {name: torch.from_numpy(part).to(where) for name, part in next(batches).items()}
        now = rate * _schedule(step, n_steps, n_warmup, decay_share, decay_to)
        for group in optimizer.param_groups:
            group["lr"] = now
        optimizer.zero_grad(set_to_none=True)
        terms = model.loss(**batch)
        terms["loss"].backward()
        model.project_gradients()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        model.project()
        if step % record_every == 0 or step == n_steps:
            row = {"step": step, "learning_rate": now}
            row |= {name: float(term.detach()) for name, term in terms.items()}
            row["n_dead"] = int(model.dead.sum())
            if not isfinite(row["loss"]):
                raise ValueError(
                    f"the loss must stay finite; it was {row['loss']} at step {step}. Lower "
                    f"learning_rate or scale the data."
                )
            history.append(row)
            if progress is not None:
                progress(dict(row))
        due = step % checkpoint_every == 0 or step == n_steps
        if checkpoint is not None and due and _finite(parameters):
            tensors = {f"model/{name}": value for name, value in model.state_dict().items()}
            state = optimizer_state(optimizer)
            tensors |= {f"optimizer/{name}": value for name, value in state.items()}
            save_state(
                checkpoint, tensors, {"settings": settings, "step": step, "history": history}
            )
    model.eval()
    names = history[0] if history else {}
    return {name: np.array([row[name] for row in history]) for name in names}


def _finite(parameters: list[Any]) -> bool:
    """Say whether weights are worth keeping: NaN would replace the last good ones."""
    return all(bool(torch.isfinite(one).all()) for one in parameters)


def _resume(
    checkpoint: str | os.PathLike[str],
    model: SparseAutoencoder,
    optimizer: torch.optim.Optimizer,
    settings: dict[str, Any],
) -> tuple[int, list[dict[str, float]]]:
    tensors, meta = load_state(checkpoint)
    known = meta.get("settings") if isinstance(meta, dict) else None
    if known != settings:
        known = known if isinstance(known, dict) else {}
        differ = [name for name in settings if known.get(name) != settings[name]]
        raise ValueError(
            f"{Path(checkpoint).name} must be of the same training; it differs in "
            f"{', '.join(differ)}. Give the same arguments or another file."
        )
    with understood(checkpoint, "be a whole checkpoint of training"):
        parts: dict[str, dict[str, torch.Tensor]] = {"model": {}, "optimizer": {}}
        for name, value in tensors.items():
            kind, _, rest = name.partition("/")
            parts[kind][rest] = value
        step = check_count("step", meta["step"], maximum=settings["n_steps"])
        history = list(meta["history"])
        if any(row.keys() != history[0].keys() for row in history):
            raise ValueError("a history whose rows differ")
        model.load_state_dict(parts["model"])
        restore_optimizer(optimizer, parts["optimizer"])
        return step, history


def _schedule(step: int, n_steps: int, n_warmup: int, decay_share: float, decay_to: float) -> float:
    """Return the share of the learning rate at a step, the first being 1."""
    factor = min(1.0, step / n_warmup) if n_warmup else 1.0
    n_decay = decay_share * n_steps
    if n_decay >= 1 and step > n_steps - n_decay:
        # one step short of the end value, so that the last step still learns where that is 0
        gone = (step - 1 - (n_steps - n_decay)) / n_decay
        factor *= 1.0 - (1.0 - decay_to) * max(gone, 0.0)
    return factor


def _batches(
    sources: dict[str, Any],
    n_samples: int,
    batch_size: int,
    pool_rows: int,
    seed: int,
    *,
    first: int,
) -> Iterator[dict[str, np.ndarray]]:
    """Yield batches from the `first` one on; which rows they hold depends on the seed alone.

    An epoch reads chunks in random order into pools, shuffles each pool and cuts it into batches;
    what is left of a pool waits for another epoch.
    """
    chunk = min(_CHUNK, max(1, n_samples // 2))
    n_chunks = -(-n_samples // chunk)
    # a pool must always fill one batch, the short last chunk included
    per_pool = min(n_chunks, -(-pool_rows // chunk) + (n_samples % chunk > 0))
    epoch, skip = 0, first
    while True:
        rng = np.random.default_rng([seed, epoch])
        chunks = rng.permutation(n_chunks)
        pools = [chunks[i : i + per_pool] for i in range(0, n_chunks, per_pool)]
        for number, pool in enumerate(pools):
            spans = [slice(int(c) * chunk, min((int(c) + 1) * chunk, n_samples)) for c in pool]
            size = sum(span.stop - span.start for span in spans)
            n_batches = size // batch_size
            if skip >= n_batches:
                skip -= n_batches
                continue
            order = np.random.default_rng([seed, epoch, number]).permutation(size)
            held = {
                name: np.concatenate(
                    [check_data(source[span], name=name, dtype=np.float32) for span in spans]
                )
                for name, source in sources.items()
            }
            for index in range(skip, n_batches):
                rows = order[index * batch_size : (index + 1) * batch_size]
                yield {name: array[rows] for name, array in held.items()}
            skip = 0
        epoch += 1
