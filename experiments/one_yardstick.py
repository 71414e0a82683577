"""Codes, cells and transformers that see the same images: measured with the same instruments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments import _yardstick_claims, _yardstick_figures
from experiments import _yardstick_measure as parts
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode.core.rng import Streams

__all__ = ["Config", "one_yardstick"]


@dataclass(frozen=True)
class Config:
    """How do sparse codes, SDRs, Sparsey and transformers compare on the same images?

    Two blocks of stimuli of 16 x 16 pixels with unit variance: whitened patches of photographs,
    whose class is the photograph (left halves to learn from, right halves to test), and digits,
    without the mean digit. Each system learns from `n_train` of them, networks from the classes
    too, and codes `n_test` others: l1, l0 and CEL0 over one learned dictionary and l1 over
    convolutional kernels, all certified; a spatial pooler and a sheet of Sparsey's macs, which see
    bright and dark pixels in binary; the last hidden layer of a ViT and the last code of a CRATE.
    What can be tuned has each of the `densities` on the stimuli measured, others their own.
    Controls are the pixels, l0 codes each unit of which is shuffled over the stimuli, and networks
    that are not trained. `noise` is the standard deviation added to pixels, over theirs. `digits`
    are those of scikit-learn ("digits") or of MNIST ("mnist", from the folder
    ``SPARSECODE_DATA``). Without `networks` the transformers, which need PyTorch, are left out.
    """

    blocks: tuple[str, ...] = parts.BLOCKS
    digits: str = "mnist"
    n_train: int = 6_000
    n_test: int = 2_000
    densities: tuple[float, ...] = (0.02, 0.05)
    n_atoms: int = 512
    n_batches: int = 800
    n_epochs: int = 30
    learning_rate: float = 2e-3
    noise: float = 0.5
    n_repeats: int = 3
    networks: bool = True

    def __post_init__(self) -> None:
        if not self.blocks or not set(self.blocks) <= set(parts.BLOCKS):
            raise ValueError(f"blocks must be of {parts.BLOCKS}; got {self.blocks}.")
        if self.digits not in ("digits", "mnist"):
            raise ValueError(f"digits must be 'digits' or 'mnist'; got {self.digits!r}.")
        if self.n_train < 100 or self.n_test < 50:
            raise ValueError(
                "n_train must be at least 100 and n_test at least 50; got "
                f"{self.n_train} and {self.n_test}."
            )
        if not self.densities or not all(0.01 <= one <= 0.25 for one in self.densities):
            raise ValueError(f"densities must lie between 0.01 and 0.25; got {self.densities}.")
        if self.n_repeats < 2:
            raise ValueError(f"n_repeats must be at least 2; got {self.n_repeats}.")
        if not self.noise > 0.0:
            raise ValueError(f"noise must be above 0; got {self.noise}.")


@experiment(
    "one-yardstick",
    config=Config,
    title="One yardstick",
    cites=(
        "doi:10.3389/fnsys.2023.1178446", "doi:10.1038/222960a0", "doi:10.3389/fncom.2014.00160",
    ),
    smoke=dict(
        blocks=("digits",), digits="digits", n_train=120, n_test=60, densities=(0.05,), n_atoms=64,
        n_batches=4, n_epochs=1, n_repeats=2,
    ),
    quick=dict(
        digits="digits", n_train=600, n_test=300, densities=(0.05,), n_atoms=192, n_batches=60,
        n_repeats=2, networks=False,
    ),
    headline=True,
)  # fmt: skip
def one_yardstick(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Let every system learn and code, and measure the codes."""
    return parts.measure(config, streams, swept)


@one_yardstick.claims
def claims(record: Record) -> list[Claim]:
    """Judge certificates, densities, and how the systems compare."""
    return _yardstick_claims.judge(record)


@one_yardstick.plot
def figure(record: Record, figure: Any) -> None:
    """Draw the table, sparseness, robustness, read-out, memory and the likeness of geometries."""
    _yardstick_figures.draw(record, figure)
