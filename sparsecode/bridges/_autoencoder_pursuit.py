"""The autoencoder whose encoder is matching pursuit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sparsecode._validation import check_count, check_positive
from sparsecode.bridges._autoencoder_base import SparseAutoencoder, as_array
from sparsecode.bridges._torch import torch
from sparsecode.bridges.sae_lens import SAEWeights
from sparsecode.core.code import SparseCode

__all__ = ["MatchingPursuitAutoencoder", "Pursuit"]


class Pursuit(NamedTuple):
    """The course of a pursuit for a batch of samples.

    Attributes
    ----------
    atoms : Tensor of int64, shape (n_samples, n_steps)
        Which atom each step chose.
    values : Tensor of shape (n_samples, n_steps)
        By how much its coefficient grew; 0 once a sample has ended.
    residual : Tensor of shape (n_samples, n_features)
        What is left at the end.
    """

    atoms: torch.Tensor
    values: torch.Tensor
    residual: torch.Tensor


class MatchingPursuitAutoencoder(SparseAutoencoder):
    r"""MP-SAE: the code is a matching pursuit over the decoder, unrolled and learned through.

    From :math:`r = x - b_{dec}`, each step takes :math:`j = \arg\max_j D_j \cdot r` and
    :math:`c = D_j \cdot r`, adds c to :math:`z_j` and subtracts :math:`c D_j` from r. There is no
    encoder of its own. Minimises :math:`\|x - \hat x\|^2 = \|r\|^2` at the end.

    Parameters
    ----------
    n_features, n_latents : int
        Entries of inputs and of codes.
    n_steps : int
        Largest number of steps.
    tolerance : float, optional
        A sample ends when its residual norm falls below this.
    stop_on_repeat : bool, default=False
        Whether a sample ends when an atom would be chosen again.
    positive : bool, default=True
        Choose by the correlation, and end when none is above 0. With ``False`` choose by its
        magnitude, the classical pursuit.
    **options
        Of :class:`SparseAutoencoder`.

    Notes
    -----
    With unit atoms :math:`D_j \cdot r_{t+1} = 0` and :math:`\|r_{t+1}\|^2 = \|r_t\|^2 - c^2`.
    Training therefore renormalises atoms after every step; published toy code does so at the start
    only. Published code differs in correlations below 0 as well: one clips them, another takes
    the largest whatever its sign.

    :func:`sparsecode.solvers.mp` gives the same codes (without `stop_on_repeat`).

    References
    ----------
    V. Costa et al., "From flat to hierarchical: extracting sparse representations with matching
    pursuit", NeurIPS 2025 (arXiv:2506.03093).
    """

    architecture = "mp"

    def __init__(
        self,
        n_features: int,
        n_latents: int,
        *,
        n_steps: int,
        tolerance: float | None = None,
        stop_on_repeat: bool = False,
        positive: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(n_features, n_latents, **options)
        if self.is_transcoder or self.W_skip is not None or not self.apply_b_dec_to_input:
            raise ValueError(
                "a matching pursuit must reconstruct its own input; got n_outputs, skip or "
                "apply_b_dec_to_input=False. Use another architecture for a transcoder."
            )
        self.n_steps = check_count("n_steps", n_steps)
        self.tolerance = None if tolerance is None else check_positive("tolerance", tolerance)
        self.stop_on_repeat = bool(stop_on_repeat)
        self.positive = bool(positive)
        self.options |= {
            "n_steps": self.n_steps,
            "tolerance": self.tolerance,
            "stop_on_repeat": self.stop_on_repeat,
            "positive": self.positive,
        }

    def _make_encoder(self, weights: torch.Tensor) -> None:
        pass

    def pre_activations(self, x: torch.Tensor) -> torch.Tensor:
        return self.centre(x) @ self.W_dec.T

    def pursue(self, x: torch.Tensor) -> Pursuit:
        """Return the course of the pursuit of each sample.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        Pursuit
        """
        atoms = self.W_dec
        residual = self.centre(x)
        running = torch.ones(len(x), dtype=torch.bool, device=x.device)
        used = torch.zeros((len(x), self.n_latents), dtype=torch.bool, device=x.device)
        chosen, values = [], []
        for _ in range(self.n_steps):
            with torch.no_grad():
                scores = residual @ atoms.T
                scores = scores if self.positive else scores.abs()
                best, choice = scores.max(dim=1)
                running = running & (best > 0)
                if self.tolerance is not None:
                    unfit = torch.linalg.vector_norm(residual, dim=1) >= self.tolerance
                    running = running & unfit
                if self.stop_on_repeat:
                    running = running & ~used.gather(1, choice[:, None])[:, 0]
                    used.scatter_(1, choice[:, None], True)
                if not bool(running.any()):
                    break
            atom = atoms[choice]
            value = (residual * atom).sum(dim=1) * running
            residual = residual - value[:, None] * atom
            chosen.append(choice)
            values.append(value)
        if not chosen:
            nothing = x.new_zeros((len(x), 0))
            return Pursuit(nothing.long(), nothing, residual)
        return Pursuit(torch.stack(chosen, dim=1), torch.stack(values, dim=1), residual)

    def code_and_pre(
        self, x: torch.Tensor, gradients: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        course = self.pursue(x)
        z = x.new_zeros((len(x), self.n_latents))
        return z.scatter_add(1, course.atoms, course.values), course.residual

    def _block_code(self, x: torch.Tensor) -> SparseCode:
        course = self.pursue(x)
        n_samples, n_steps = course.atoms.shape
        rows = np.repeat(np.arange(n_samples), n_steps)
        entries = (as_array(course.values).ravel(), (rows, as_array(course.atoms).ravel()))
        matrix = sparse.csr_array(entries, shape=(n_samples, self.n_latents))
        matrix.sum_duplicates()
        return SparseCode.from_scipy(matrix)

    def to_weights(self) -> SAEWeights:
        return SAEWeights(
            self.dictionary, self.bias, architecture=self.architecture, config=dict(self.options)
        )
