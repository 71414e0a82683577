"""`sporco.pgm.cbpdn.ConvBPDN`."""

from __future__ import annotations

from experiments.benchmarks.convolutional._sporco import Sporco


class Solver(Sporco):
    """Accelerated proximal gradient, told the largest step that is safe."""

    name = "sporco-pgm"
    parameters = {"dtype": ["float32"], "n_threads": [1]}  # noqa: RUF012

    def start(self) -> None:
        """Transform photograph and kernels."""
        from sporco.pgm import cbpdn

        self.module, self.options = cbpdn, {"L": self.curvature()}
        super().start()
