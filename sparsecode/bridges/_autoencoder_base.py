"""What all sparse autoencoders share: parameters, reconstruction, silent latents, codes."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import numpy as np

from sparsecode._validation import check_count, check_rng
from sparsecode.bridges._rows import as_rows, blocks
from sparsecode.bridges._torch import nn, torch
from sparsecode.bridges.sae_lens import SAEWeights
from sparsecode.core.code import SparseCode

__all__ = ["SparseAutoencoder", "as_array", "auxiliary_loss", "squared_error"]


class SparseAutoencoder(nn.Module):
    r"""Base of all architectures: :math:`\hat x = z W_{dec} + b_{dec}` from a sparse code z.

    The pre-activation is :math:`h = (x - b_{dec}) W_{enc} + b_{enc}`; an architecture says how h
    becomes z and what is added to :math:`\|x - \hat x\|^2`, summed over features and averaged
    over samples.

    Parameters
    ----------
    n_features : int
        Entries of an input.
    n_latents : int
        Entries of a code, the number of atoms.
    n_outputs : int, optional
        Entries of the target of a transcoder; by default inputs are reconstructed.
    skip : bool, default=False
        Whether the input reaches the output through a linear map ``W_skip`` of its own too.
    apply_b_dec_to_input : bool, default=True
        Whether b_dec is subtracted from inputs. A transcoder never does so: its b_dec lives with
        the outputs.
    dead_after : int, default=10_000_000
        Samples of training without firing after which a latent counts as dead.
    rng : int, Generator or None
        For the first weights: random unit atoms, and their transpose as encoder.

    Raises
    ------
    ValueError, TypeError
        If an option is out of range.
    """

    architecture: ClassVar[str] = ""
    #: Whether training keeps atoms at norm 1, where the loss would reward other norms.
    unit_atoms: ClassVar[bool] = True

    silent: torch.Tensor

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, member in vars(cls).items():  # overriding methods say what the base says
            if inspect.isfunction(member) and not member.__doc__ and not name.startswith("_"):
                member.__doc__ = getattr(super(cls, cls), name).__doc__

    def __init__(
        self,
        n_features: int,
        n_latents: int,
        *,
        n_outputs: int | None = None,
        skip: bool = False,
        apply_b_dec_to_input: bool = True,
        dead_after: int = 10_000_000,
        rng: Any = None,
    ) -> None:
        super().__init__()
        self.n_features = check_count("n_features", n_features)
        self.n_latents = check_count("n_latents", n_latents)
        self.is_transcoder = n_outputs is not None
        self.n_outputs = n_features if n_outputs is None else check_count("n_outputs", n_outputs)
        self.apply_b_dec_to_input = bool(apply_b_dec_to_input) and not self.is_transcoder
        self.dead_after = check_count("dead_after", dead_after)
        self.options: dict[str, Any] = {
            "n_outputs": n_outputs,
            "skip": bool(skip),
            "apply_b_dec_to_input": bool(apply_b_dec_to_input),
            "dead_after": self.dead_after,
        }
        rng = check_rng(rng)
        atoms = _unit(rng.standard_normal((self.n_latents, self.n_outputs)))
        encoder = (
            _unit(rng.standard_normal((self.n_latents, self.n_features)))
            if self.is_transcoder
            else atoms
        )
        self.W_dec = nn.Parameter(torch.tensor(atoms, dtype=torch.float32))
        self.b_dec = nn.Parameter(torch.zeros(self.n_outputs))
        self._make_encoder(torch.tensor(encoder.T.copy(), dtype=torch.float32))
        self.W_skip = nn.Parameter(torch.zeros(self.n_features, self.n_outputs)) if skip else None
        self.register_buffer("silent", torch.zeros(self.n_latents, dtype=torch.int64))

    def _make_encoder(self, weights: torch.Tensor) -> None:
        self.W_enc = nn.Parameter(weights)
        self.b_enc = nn.Parameter(torch.zeros(self.n_latents))

    # ---- from inputs to codes and back

    def centre(self, x: torch.Tensor) -> torch.Tensor:
        """Return inputs without b_dec, where the architecture subtracts it."""
        return x - self.b_dec if self.apply_b_dec_to_input else x

    def pre_activations(self, x: torch.Tensor) -> torch.Tensor:
        """Return h, of shape (n_samples, n_latents)."""
        return self.centre(x) @ self.W_enc + self.b_enc

    def activate(self, h: torch.Tensor, gradients: torch.Tensor | None = None) -> torch.Tensor:
        """Return the code of pre-activations; in training mode as the loss needs it."""
        raise NotImplementedError

    def code_and_pre(
        self, x: torch.Tensor, gradients: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return codes and what they were made from."""
        h = self.pre_activations(x)
        return self.activate(h, gradients), h

    def encode(self, x: torch.Tensor, gradients: torch.Tensor | None = None) -> torch.Tensor:
        """Return codes, dense, of shape (n_samples, n_latents).

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_features)
            Inputs.
        gradients : Tensor of shape (n_samples, n_features), optional
            Gradients of a loss with respect to the inputs, which only the gradient autoencoder
            looks at.

        Returns
        -------
        Tensor
        """
        return self.code_and_pre(x, gradients)[0]

    def decode(self, z: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
        """Return outputs of codes; `x`, their inputs, serves the skip connection alone."""
        out = z @ self.W_dec + self.b_dec
        if self.W_skip is None:
            return out
        if x is None:
            raise ValueError("decode needs the inputs x of a skip connection; got none.")
        return out + x @ self.W_skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of inputs, or the prediction of a transcoder."""
        return self.decode(self.encode(x), x)

    # ---- the loss

    def loss(
        self,
        x: torch.Tensor,
        target: torch.Tensor | None = None,
        *,
        gradients: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Return the loss of a batch and its terms; in training mode, count silent latents too.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_features)
            Inputs.
        target : Tensor of shape (n_samples, n_outputs), optional
            What a transcoder predicts; by default `x`.
        gradients : Tensor of shape (n_samples, n_features), optional
            As :meth:`encode` takes them.

        Returns
        -------
        dict of str to Tensor
            "loss", the sum of all terms; "mse" (summed over features, averaged over samples) and
            the terms of the architecture; "l0", the mean number of active latents, which is none.
        """
        if target is None:
            if self.is_transcoder:
                raise ValueError("a transcoder needs target, the outputs to predict; got none.")
            target = x
        z, h = self.code_and_pre(x, gradients)
        if self.training:
            self.follow(z.detach())
        out = self.decode(z, x)
        terms = {"mse": self.reconstruction_loss(x, target, z, out)}
        terms |= self.penalties(x, target, out, h, z)
        total = torch.stack(list(terms.values())).sum()
        active = z.detach() != 0
        if self.training:
            self.silent += len(x)
            self.silent[active.any(dim=0)] = 0
        return {"loss": total, **terms, "l0": active.sum(dim=1).float().mean()}

    def follow(self, z: torch.Tensor) -> None:
        """Take note of a training batch's codes, where the rule of inference is a running mean."""

    def reconstruction_loss(
        self, x: torch.Tensor, target: torch.Tensor, z: torch.Tensor, out: torch.Tensor
    ) -> torch.Tensor:
        """Return the squared error, summed over features and averaged over samples."""
        return squared_error(target, out)

    def penalties(
        self,
        x: torch.Tensor,
        target: torch.Tensor,
        out: torch.Tensor,
        h: torch.Tensor,
        z: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Return the terms that are added to the squared error."""
        return {}

    @property
    def dead(self) -> torch.Tensor:
        """Which latents have been silent for `dead_after` samples of training."""
        return self.silent >= self.dead_after

    # ---- training

    @torch.no_grad()
    def project_gradients(self) -> None:
        """Remove from the decoder's gradient what would only change norms of atoms."""
        if self.unit_atoms and self.W_dec.grad is not None:
            along = (self.W_dec.grad * self.W_dec).sum(dim=1, keepdim=True)
            norms = (self.W_dec**2).sum(dim=1, keepdim=True)
            self.W_dec.grad -= along / norms * self.W_dec

    @torch.no_grad()
    def project(self) -> None:
        """Bring parameters back to where they are allowed, here atoms to norm 1."""
        if self.unit_atoms:
            self.W_dec.div_(torch.linalg.vector_norm(self.W_dec, dim=1, keepdim=True))

    # ---- NumPy

    @property
    def dictionary(self) -> np.ndarray:
        """The atoms, rows of W_dec, as an ndarray of shape (n_latents, n_outputs)."""
        return as_array(self.W_dec)

    @property
    def bias(self) -> np.ndarray:
        """b_dec as an ndarray of shape (n_outputs,)."""
        return as_array(self.b_dec)

    def to_code(self, X: Any, *, rows_per_block: int | None = None) -> SparseCode:
        """Encode rows from an array, a memory map or a store.

        Parameters
        ----------
        X : array-like or reader of shape (n_samples, n_features)
            Finite inputs. A reader has ``shape`` and gives arrays for slices of rows.
        rows_per_block : int, optional
            Samples encoded together; by default as many as give 2**22 pre-activations. Only a
            block is ever dense.

        Returns
        -------
        SparseCode of shape (n_samples, n_latents)
            In float32, by the rule of inference, whatever mode the module is in.

        Raises
        ------
        ValueError, TypeError
            If `X` has another shape, or NaN or infinity.
        """
        rows = as_rows(X, n_features=self.n_features)
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                codes = [
                    self._block_code(torch.tensor(block, dtype=torch.float32).to(self.W_dec.device))
                    for _, block in blocks(
                        rows, width=self.n_latents, rows_per_block=rows_per_block
                    )
                ]
        finally:
            self.train(was_training)
        if not codes:
            return SparseCode.from_dense(np.zeros((0, self.n_latents), np.float32))
        return SparseCode.concatenate(codes)

    def _block_code(self, x: torch.Tensor) -> SparseCode:
        return SparseCode.from_dense(as_array(self.encode(x)))

    def reconstruct(self, X: Any) -> np.ndarray:
        """Return the outputs for an array of inputs, as float32 of shape (n_samples, n_outputs)."""
        rows = as_rows(X, n_features=self.n_features)
        was_training = self.training
        self.eval()
        out = np.empty((rows.shape[0], self.n_outputs), np.float32)
        try:
            with torch.no_grad():
                for part, block in blocks(rows, width=self.n_latents):
                    x = torch.tensor(block, dtype=torch.float32).to(self.W_dec.device)
                    out[part] = as_array(self(x))
        finally:
            self.train(was_training)
        return out

    def _thresholds(self) -> np.ndarray | None:
        """Return what each latent must exceed, where the architecture has thresholds."""
        return None

    def to_weights(self) -> SAEWeights:
        """Return the weights as NumPy arrays, from which the same codes follow.

        Returns
        -------
        SAEWeights
        """
        k = self.options.get("k")
        return SAEWeights(
            self.dictionary,
            self.bias,
            as_array(self.W_enc),
            as_array(self.b_enc),
            self._thresholds(),
            k=int(k) if k is not None and float(k).is_integer() else None,
            architecture=self.architecture,
            config=dict(self.options),
        )


def squared_error(target: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """Return the squared error, summed over features and averaged over samples."""
    return ((target - out) ** 2).sum(dim=-1).mean()


def auxiliary_loss(
    error: torch.Tensor, h: torch.Tensor, eligible: torch.Tensor, k: int, atoms: torch.Tensor
) -> torch.Tensor:
    """Return how badly the `k` strongest eligible latents of each sample rebuild what was missed.

    The error is held fixed, so that only latents that took no part learn from it.
    """
    error = error.detach()
    k = min(k, int(eligible.sum()))
    if k == 0:
        return error.new_zeros(())
    best, chosen = h.masked_fill(~eligible, -torch.inf).topk(k, dim=1)
    z = torch.zeros_like(h).scatter(1, chosen, torch.relu(best))
    return squared_error(error, z @ atoms)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def as_array(tensor: torch.Tensor) -> np.ndarray:
    """Return a copy of a tensor as an array."""
    return tensor.detach().cpu().numpy().copy()
