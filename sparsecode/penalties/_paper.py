"""The weights of Rentzeperis et al. 2023, converted."""

from __future__ import annotations

from sparsecode._validation import check_option
from sparsecode.penalties._dispatch import Penalty
from sparsecode.penalties.cel0 import PaperCEL0
from sparsecode.penalties.half import Half
from sparsecode.penalties.l0 import L0
from sparsecode.penalties.l1 import L1

__all__ = ["paper"]

#: Struct and factor on the weight, by the paper's own names and by ours.
_CONVERSIONS = {
    "soft": (L1, 1.0),
    "l1": (L1, 1.0),
    "hard": (L0, 0.5),
    "l0": (L0, 0.5),
    "half": (Half, 0.5),
    "cel0": (PaperCEL0, 1.0),
}


def paper(name: str, alpha: float) -> Penalty:
    """Return the penalty that Rentzeperis et al. 2023 name, with their weight converted.

    Their hard operator keeps ``|u| >= sqrt(alpha * step)`` and their half operator is scaled
    for a data term without the factor 1/2: both weights are twice ours.

    Parameters
    ----------
    name : {"soft", "hard", "half", "cel0"}
        The paper's name; "l1" and "l0" stand for "soft" and "hard".
    alpha : float
        The paper's weight.

    Returns
    -------
    L1, L0, Half or PaperCEL0

    Raises
    ------
    ValueError
        If the paper compares no penalty of that name.
    """
    check_option("name", name, _CONVERSIONS)
    struct, factor = _CONVERSIONS[name]
    return struct(factor * alpha)
