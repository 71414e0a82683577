"""What both of SPORCO's solvers share."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks.convolutional._iterative import Iterative

__all__ = ["Sporco"]


class Sporco(Iterative):
    """`ConvBPDN` without the statistics of iterations, which take time."""

    requires = "sporco"
    #: Where `ConvBPDN` is.
    module: Any
    options: dict[str, Any]

    def start(self) -> None:
        """Transform photograph and kernels."""
        from sporco import fft

        fft.pyfftw_threads = self.n_threads
        maker = self.module.ConvBPDN
        options = maker.Options(
            {"FastSolve": True, "RelStopTol": 0.0, "DataType": self.X.dtype, **self.options}
        )
        kernels = np.ascontiguousarray(np.moveaxis(self.D[:, 0], 0, -1))
        self.work = maker(kernels, self.X[0, 0], self.penalty.alpha, options)

    def advance(self, n_iter: int) -> None:
        """Iterate some more."""
        self.work.opt["MaxMainIter"] = n_iter
        self.maps = self.work.solve()

    def code(self) -> np.ndarray:
        """Return the maps, of which this one's atoms are the last axis."""
        return np.moveaxis(self.maps.squeeze((2, 3)), -1, 0)
