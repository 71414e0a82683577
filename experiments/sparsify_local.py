"""How sparse can the feed-forward blocks of a model from a local folder be made, at what error?"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from experiments import _sparsify_claims, _sparsify_figures
from experiments import _sparsify_measure as parts
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode._validation import check_count
from sparsecode.core.rng import Streams

__all__ = ["Config", "sparsify_local"]


@dataclass(frozen=True)
class Config:
    """What do rules for sparse inference lose in a transformer of one's own?

    `folder` holds a BERT-like encoder (config.json, model.safetensors, tokenizer.json); by default
    it is what the variable ``SPARSECODE_MODEL`` names, and without one only the control is
    measured: an encoder of random weights on random tokens. Texts are docstrings of NumPy, SciPy
    and scikit-learn, `n_texts` of at most `n_tokens` tokens, half to calibrate on and half to
    measure. Every rule is calibrated for each of the `sparsities` of the inputs of both matrices
    of each feed-forward block, and judged by the error of the matrix's output on the other texts.
    """

    folder: str = field(default_factory=lambda: os.environ.get("SPARSECODE_MODEL", ""))
    n_texts: int = 96
    n_tokens: int = 128
    sparsities: tuple[float, ...] = (0.25, 0.4, 0.5)
    cett: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3)
    n_grid: int = 11

    def __post_init__(self) -> None:
        check_count("n_texts", self.n_texts, minimum=2 * parts.GROUPS)
        check_count("n_tokens", self.n_tokens, minimum=4)
        check_count("n_grid", self.n_grid, minimum=2)
        for name in ("sparsities", "cett"):
            values = getattr(self, name)
            if not values or not all(0 < one < 1 for one in values):
                raise ValueError(f"{name} must lie between 0 and 1, at least one; got {values}.")


@experiment(
    "sparsify-local",
    config=Config,
    title="Sparse inference in a model of one's own",
    cites=("arXiv:2408.14690", "arXiv:2404.08763", "arXiv:2504.19449"),
    smoke=dict(
        folder="", n_texts=16, n_tokens=12, sparsities=(0.5,), cett=(0.2,), n_grid=3,
    ),
    quick=dict(n_texts=32, n_tokens=96, n_grid=6),
    requires=("torch",),
)  # fmt: skip
def sparsify_local(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Record every feed-forward block, calibrate every rule on half of the texts, judge on half."""
    models = ["untrained", *(["local"] if config.folder else [])]
    arrays: dict[str, Any] = {}
    tasks = {name: (parts.one_model, config, streams, name) for name in models}
    for name, found in swept(tasks, "models").items():
        arrays |= {f"{name} {key}": value for key, value in found.items()}
    return Outcome(parts.table(config, arrays), arrays)


@sparsify_local.claims
def claims(record: Record) -> list[Claim]:
    """Judge sparsity that is kept on other texts, the order of rules, and GELU."""
    return _sparsify_claims.judge(record)


@sparsify_local.plot
def figure(record: Record, figure: Any) -> None:
    """Draw active shares, CETT and the error of every rule."""
    _sparsify_figures.draw(record, figure)
