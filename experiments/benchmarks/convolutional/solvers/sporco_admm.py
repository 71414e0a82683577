"""`sporco.admm.cbpdn.ConvBPDN`."""

from __future__ import annotations

from experiments.benchmarks.convolutional._sporco import Sporco


class Solver(Sporco):
    """The alternating direction method of multipliers, with its own choice of the penalty's weight.

    Its sparse variable is the code.
    """

    name = "sporco-admm"
    parameters = {"dtype": ["float32"], "n_threads": [1]}  # noqa: RUF012

    def start(self) -> None:
        """Transform photograph and kernels."""
        from sporco.admm import cbpdn

        self.module, self.options = cbpdn, {}
        super().start()
