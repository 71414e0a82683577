"""Accelerated proximal gradient in PyTorch, as one would write it down."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks.convolutional._iterative import Iterative


class Solver(Iterative):
    """FISTA on dense maps by fast Fourier transforms, restarted where momentum points uphill."""

    name = "torch"
    parameters = {"dtype": ["float32"], "n_threads": [1]}  # noqa: RUF012
    requires = "torch"
    uses_blas_threads = True

    def start(self) -> None:
        """Transform photograph and kernels."""
        import torch

        torch.set_num_threads(self.n_threads)
        self.shape = self.X.shape[2:]
        self.step = 1.0 / self.curvature()
        self.atoms = torch.fft.rfft2(torch.from_numpy(self.D[:, 0]), s=self.shape)
        self.signal = torch.fft.rfft2(torch.from_numpy(self.X[0, 0]))
        self.spectra = torch.empty_like(self.atoms)
        self.conjugates = self.atoms.conj().resolve_conj()
        self.maps = torch.zeros(len(self.D), *self.shape)
        self.ahead, self.momentum = torch.zeros_like(self.maps), 1.0
        self.other, self.clipped = torch.empty_like(self.maps), torch.empty_like(self.maps)

    def advance(self, n_iter: int) -> None:
        """Iterate some more."""
        import torch

        torch.set_num_threads(self.n_threads)
        with torch.inference_mode():
            for _ in range(n_iter):
                self.iterate(torch)

    def iterate(self, torch: Any) -> None:
        """Step once from the point ahead, in place: fresh memory would take half the time."""
        ahead, older, maps = self.ahead, self.maps, self.other
        limit = self.step * self.penalty.alpha
        torch.fft.rfft2(ahead, out=self.spectra)
        missing = self.signal - self.spectra.mul_(self.atoms).sum(dim=0)
        torch.mul(self.conjugates, missing, out=self.spectra)
        torch.fft.irfft2(self.spectra, s=self.shape, out=maps)
        maps.mul_(self.step).add_(ahead)
        maps.sub_(torch.clamp(maps, -limit, limit, out=self.clipped))  # soft thresholding
        ahead.sub_(maps)
        older.sub_(maps)
        if torch.dot(ahead.ravel(), older.ravel()) < 0.0:  # momentum points uphill
            self.momentum = 1.0
        following = 0.5 * (1.0 + (1.0 + 4.0 * self.momentum**2) ** 0.5)
        torch.add(maps, older, alpha=-(self.momentum - 1.0) / following, out=ahead)
        self.maps, self.other, self.momentum = maps, older, following

    def code(self) -> np.ndarray:
        """Return the maps."""
        return self.maps.numpy()
