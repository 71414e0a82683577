"""The sigmoids by which Sparsey turns evidence V into chances to win, as published or ported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, fields
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from memory import _sparsey_kernels as kernels
from sparsecode._validation import check_option

__all__ = [
    "Sigmoid",
    "Sigmoid2010",
    "Sigmoid2014",
    "SigmoidCore",
    "SigmoidNeurithmic",
    "as_sigmoid",
]


@dataclass(frozen=True, kw_only=True)
class Sigmoid:
    """Base of the sigmoids: their name, constants, and the chances that they give.

    Raises
    ------
    ValueError, TypeError
        If a constant is no finite number, or a floor of G is not below 1.
    """

    #: Name of this sigmoid as an `activation`.
    name: ClassVar[str] = ""
    kind: ClassVar[int] = -1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) and field.type == "bool":
                continue
            if not isinstance(value, Real) or isinstance(value, bool):
                raise TypeError(f"{field.name} must be a number; got {value!r}.")
            if not math.isfinite(value):
                raise ValueError(f"{field.name} must be finite; got {value!r}.")
        if not 0.0 <= getattr(self, "floor", 0.0) < 1.0:
            raise ValueError(f"floor must lie from 0 to below 1; got {self.floor!r}.")  # type: ignore[attr-defined]
        for name in ("gain", "power", "offset"):
            if getattr(self, name, 0.0) < 0.0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)!r}.")

    @property
    def constants(self) -> np.ndarray:
        """The constants in the order of the fields, as the kernels read them."""
        return np.array(astuple(self), dtype=np.float64)

    def chances(self, V: Any, G: float) -> np.ndarray:
        r"""Return :math:`\mu`, how likely each unit is to win, modules not yet normalised.

        Parameters
        ----------
        V : array-like of shape (n_modules, n_units)
            Evidence for each unit, between 0 and 1.
        G : float
            Familiarity, between 0 and 1.

        Returns
        -------
        ndarray of shape (n_modules, n_units)
        """
        table = np.ascontiguousarray(V, dtype=np.float64)
        found = np.empty(table.size)
        kernels.relative_chances(
            table.reshape(-1), float(G), table.shape[0], self.kind, self.constants, found
        )
        return found.reshape(table.shape)

    def plain(self) -> dict[str, Any]:
        """Return name and constants as JSON holds them."""
        return {"name": self.name, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class Sigmoid2014(Sigmoid):
    r"""The sigmoid of 2014, with the constants of an independent port.

    :math:`\mu = (\eta - 1) / (1 + (\sigma_1 e^{-\sigma_2 (V - \sigma_3)})^{\sigma_4}) + 1`, where
    :math:`\eta = 1 + ([G - G^-]_+ / (1 - G^-))^\gamma \chi K`.

    Parameters
    ----------
    floor : float, default=0.1
        :math:`G^-`, at and below which all units are alike.
    power : float, default=2.0
        :math:`\gamma`.
    gain : float, default=100.0
        :math:`\chi`, per unit of a module.
    scale, steepness, inflection, exponent : float
        :math:`\sigma_1` to :math:`\sigma_4`.
    outside : bool, default=False
        Whether :math:`\sigma_4` is the exponent of the whole denominator.

    Notes
    -----
    After Rinkus (2014). That paper's constants were not at hand; these are those of a port, which
    has the last exponent inside.
    """

    name: ClassVar[str] = "2014"
    kind: ClassVar[int] = kernels.SIGMOID_2014
    floor: float = 0.1
    power: float = 2.0
    gain: float = 100.0
    scale: float = 0.1
    steepness: float = 4.0
    inflection: float = 1.0
    exponent: float = 8.0
    outside: bool = False


@dataclass(frozen=True, kw_only=True)
class Sigmoid2010(Sigmoid):
    r"""The sigmoid of 2010: :math:`\mu = a G^b / (1 + e^{-(\lambda V + \phi)}) + 1`.

    Parameters
    ----------
    gain : float, default=1e4
        :math:`a`.
    power : float, default=7.0
        :math:`b`.
    steepness : float, default=26.0
        :math:`\lambda`.
    shift : float, default=-13.0
        :math:`\phi`.

    Notes
    -----
    After Rinkus (2010), with the constants of a port.
    """

    name: ClassVar[str] = "2010"
    kind: ClassVar[int] = kernels.SIGMOID_2010
    gain: float = 1e4
    power: float = 7.0
    steepness: float = 26.0
    shift: float = -13.0


@dataclass(frozen=True, kw_only=True)
class SigmoidCore(Sigmoid):
    r"""The sigmoid of SparseyCore: :math:`\mu = \max(\eta / (1 + e^{-s (V - x)}), 1)`.

    The inflection :math:`x` goes from `low` to `high` in `n_steps` equal steps as the mean of V
    over the mac rises from 0 to 1; :math:`\eta` is that of :class:`Sigmoid2014`.

    Parameters
    ----------
    floor, power, gain : float
        :math:`G^-`, :math:`\gamma` and :math:`\chi`.
    steepness : float, default=4.0
        :math:`s`.
    low, high : float, default=0.5 and 0.9
        Ends of the inflection.
    n_steps : float, default=5
        Steps of the inflection. Where it steps is not described; equal widths are our reading.
    """

    name: ClassVar[str] = "core"
    kind: ClassVar[int] = kernels.SIGMOID_CORE
    floor: float = 0.1
    power: float = 2.0
    gain: float = 100.0
    steepness: float = 4.0
    low: float = 0.5
    high: float = 0.9
    n_steps: float = 5


@dataclass(frozen=True, kw_only=True)
class SigmoidNeurithmic(Sigmoid):
    r"""The sigmoid of Neurithmic's sparseypy.

    :math:`\mu = \eta' / (1 + e^{-\lambda V + \phi}) + \epsilon` with
    :math:`\eta' = \chi [G - G^-]_+ / (1 - G^-)`.

    Parameters
    ----------
    floor : float, default=0.2
        :math:`G^-`.
    gain : float, default=2.0
        :math:`\chi`; 1.5 to 2.5 there.
    steepness : float, default=28.0
        :math:`\lambda`; 8 in its validation network.
    shift : float, default=5.0
        :math:`\phi`.
    offset : float, default=1e-6
        :math:`\epsilon`.
    """

    name: ClassVar[str] = "neurithmic"
    kind: ClassVar[int] = kernels.SIGMOID_NEURITHMIC
    floor: float = 0.2
    gain: float = 2.0
    steepness: float = 28.0
    shift: float = 5.0
    offset: float = 1e-6


_SIGMOIDS = {one.name: one for one in (Sigmoid2014, Sigmoid2010, SigmoidCore, SigmoidNeurithmic)}


def as_sigmoid(activation: Any) -> Sigmoid:
    """Return the sigmoid of a name, of a mapping of name and constants, or as it is.

    Raises
    ------
    ValueError, TypeError
        If there is none of this name, or its constants do not fit.
    """
    if isinstance(activation, Sigmoid):
        return activation
    if isinstance(activation, Mapping):
        constants = dict(activation)
        return _SIGMOIDS[check_option("activation", constants.pop("name", None), _SIGMOIDS)](
            **constants
        )
    return _SIGMOIDS[check_option("activation", activation, _SIGMOIDS)]()
