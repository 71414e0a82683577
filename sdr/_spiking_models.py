"""Cells with an active dendrite: their constants, and their equations in Brian2's language."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import ClassVar, Literal

from sdr._spiking_cell import Cell, Pathway
from sparsecode._validation import check_count, check_option

__all__ = ["BLOCKS", "EventPlateau", "NMDADendrite", "ThreeCompartment"]

#: How the magnesium block of NMDA channels may depend on voltage.
BLOCKS = ("steep", "standard")
#: Jahr & Stevens 1990: 1 / (1 + [Mg] exp(-0.062 V) / 3.57), with [Mg] in mM and V in mV.
STANDARD_SLOPE, STANDARD_MAGNESIUM = 0.062, 3.57


# The fast conductance, and the two-compartment cell that models (a) and (b) share.
_AMPA = "ds_a/dt = -s_a / tau_a : 1\n"
_SOMA = "dv_s/dt = (g_s * (rest - v_s) + g_c * (v_d - v_s)) / c_s : volt\n"
# Receptors' two exponentials; their difference, divided by its peak, is the gate f of NMDA.
_NMDA = "ds_n/dt = -s_n / tau_n : 1\nds_r/dt = -s_r / tau_r : 1\n"
_SYNAPSES = (
    "(g_ampa * s_a + g_nmda * (s_n - s_r) / peak / (1 + exp(-slope * (v_d - middle)))) * v_d"
)


@dataclass(frozen=True)
class NMDADendrite(Cell):
    r"""A passive soma and a dendritic compartment whose NMDA channels switch.

    .. math::

        C_d \dot V_d &= g_d (E - V_d) + g_c (V_s - V_d)
            - [g_A s_A + g_N f B(V_d)] V_d \\
        C_s \dot V_s &= g_s (E - V_s) + g_c (V_d - V_s), \quad
            B(V) = 1 / (1 + e^{-k (V - V_{1/2})})

    An input spike adds 1 to the fast gate :math:`s_A` and to both exponentials whose difference,
    divided by its peak, is the slow gate :math:`f`. The more the dendrite is depolarised, the more
    NMDA channels open: with a steep block the dendrite either stays near rest or jumps to a
    plateau, from which it falls as the transmitter leaves. A plateau starts when the dendrite
    crosses `trigger`.

    Parameters
    ----------
    rest : float, default=-70
        Reversal of the leaks :math:`E`, in mV; that of the synapses is 0.
    dendrite_capacitance, soma_capacitance : float, default=20 and 200
        In pF.
    dendrite_leak, soma_leak, coupling : float, default=1, 10 and 4
        Conductances :math:`g_d`, :math:`g_s` and :math:`g_c`, in nS.
    ampa : float, default=0.3
        Fast conductance of one input, in nS.
    ampa_decay : float, default=2
        Its time constant, in ms.
    plateau_level : float, default=-40
        Potential above which the dendrite counts as being on a plateau, in mV: the duration of a
        plateau is the time spent above it.
    lockout : float, default=200
        Time after the start of a plateau in which no other one is counted, in ms.
    nmda : float, default=1.5
        Largest NMDA conductance of one input, in nS.
    nmda_rise, nmda_decay : float, default=2 and 60
        Time constants of the gate, in ms.
    block : {"steep", "standard"}, default="steep"
        How magnesium leaves the channel: "steep" uses `block_slope` and `block_middle`,
        "standard" the block of Jahr & Stevens with `magnesium`, which makes the response of this
        cell graded.
    block_slope : float, default=0.15
        :math:`k` of the steep block, in 1/mV.
    block_middle : float, default=-40
        Potential at which half the channels of the steep block are open, in mV.
    magnesium : float, default=1
        Concentration outside the cell, in mM, for the standard block.
    trigger : float, default=-35
        Dendritic potential at which a plateau is counted, in mV.

    Raises
    ------
    ValueError, TypeError
        If a constant is no finite number, or is not positive where it must be, or the block is
        unknown, or the gate does not rise faster than it decays.

    Notes
    -----
    The number of inputs that it takes follows from `nmda`, `ampa` and the middle of the block;
    with the defaults it is 10. The biology to be met: 8 to 20 synapses within 1 to 5 ms, plateaus
    of 50 to 200 ms [1]_. The standard block is that of [2]_.

    References
    ----------
    .. [1] S. Ahmad, J. Hawkins (2016). How do neurons operate on sparse distributed
       representations? arXiv:1601.00720.
    .. [2] C. E. Jahr, C. F. Stevens (1990). Voltage dependence of NMDA-activated macroscopic
       conductances predicted by single-channel kinetics. Journal of Neuroscience 10: 3178-3182.

    Examples
    --------
    >>> from sdr.spiking import NMDADendrite
    >>> NMDADendrite(nmda=1.0, ampa=0.5).nmda
    1.0
    """

    nmda: float = 1.5
    nmda_rise: float = 2.0
    nmda_decay: float = 60.0
    block: Literal["steep", "standard"] = "steep"
    block_slope: float = 0.15
    block_middle: float = -40.0
    magnesium: float = 1.0
    trigger: float = -35.0

    signed: ClassVar[tuple[str, ...]] = (*Cell.signed, "block_middle", "trigger")
    may_be_zero: ClassVar[tuple[str, ...]] = (*Cell.may_be_zero, "nmda")
    plateau_condition: ClassVar[str] = "v_d > trigger"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_option("block", self.block, BLOCKS)
        if self.nmda_rise >= self.nmda_decay:
            raise ValueError(
                f"nmda_rise must be below nmda_decay, {self.nmda_decay:g} ms; got "
                f"{self.nmda_rise:g}."
            )

    @property
    def pathways(self) -> tuple[Pathway, ...]:
        """Return what each input spike does."""
        return (Pathway("s_a_post += 1; s_n_post += 1; s_r_post += 1", 0.0),)

    @property
    def equations(self) -> str:
        """Return the differential equations, in Brian2's language."""
        dendrite = f"g_d * (rest - v_d) + g_c * (v_s - v_d) - {_SYNAPSES}"
        return f"dv_d/dt = ({dendrite}) / c_d : volt\n{_SOMA}{_AMPA}{_NMDA}"

    def constants(self) -> dict[str, tuple[float, str]]:
        """Return each constant of the equations as a number and its unit."""
        rise, decay = self.nmda_rise, self.nmda_decay
        latest = rise * decay / (decay - rise) * log(decay / rise)  # when the gate is at its peak
        slope, middle = self.block_slope, self.block_middle
        if self.block == "standard":
            slope = STANDARD_SLOPE
            middle = log(self.magnesium / STANDARD_MAGNESIUM) / STANDARD_SLOPE
        return super().constants() | {
            "g_nmda": (self.nmda, "nS"),
            "tau_r": (rise, "ms"),
            "tau_n": (decay, "ms"),
            "peak": (exp(-latest / decay) - exp(-latest / rise), ""),
            "slope": (slope, "1/mV"),
            "middle": (middle, "mV"),
            "trigger": (self.trigger, "mV"),
        }


@dataclass(frozen=True)
class EventPlateau(Cell):
    """A passive dendrite and soma that receive a rectangular current when enough inputs coincide.

    A plateau starts as soon as `theta` input spikes lie within `window`: the abstract segment,
    which counts, with time added. A current of `current` then flows into the dendrite for
    `plateau_duration`. Each input also opens the fast conductance, which has no say in that.

    Parameters
    ----------
    rest : float, default=-70
        Reversal of the leaks, in mV; that of the synapses is 0.
    dendrite_capacitance, soma_capacitance : float, default=20 and 200
        In pF.
    dendrite_leak, soma_leak, coupling : float, default=1, 10 and 4
        Conductances, in nS.
    ampa : float, default=0.3
        Fast conductance of one input, in nS.
    ampa_decay : float, default=2
        Its time constant, in ms.
    plateau_level : float, default=-40
        Potential above which the dendrite counts as being on a plateau, in mV.
    lockout : float, default=200
        Time after the start of a plateau in which no other one starts, in ms.
    theta : int, default=10
        Inputs that it takes.
    window : float, default=5
        Time within which they must arrive, in ms.
    plateau_duration : float, default=100
        How long the current flows, in ms; measured plateaus last 50 to 200 ms.
    current : float, default=190
        In pA; with the other defaults it holds the dendrite at about -21 mV.

    Raises
    ------
    ValueError, TypeError
        If a constant is no finite number, or is not positive where it must be, or `theta` is not
        an integer of at least 1.

    Notes
    -----
    The time course of plateaus is that of [1]_, which takes it from measurements.

    References
    ----------
    .. [1] S. Ahmad, J. Hawkins (2016). How do neurons operate on sparse distributed
       representations? arXiv:1601.00720.
    """

    theta: int = 10
    window: float = 5.0
    plateau_duration: float = 100.0
    current: float = 190.0

    plateau_condition: ClassVar[str] = "count >= theta - 0.5"
    on_plateau: ClassVar[str] = "until = t + lasting"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("theta", self.theta)

    @property
    def pathways(self) -> tuple[Pathway, ...]:
        """Return what each input spike does."""
        return (Pathway("s_a_post += 1; count_post += 1", 0.0),
                Pathway("count_post -= 1", self.window))  # fmt: skip

    @property
    def equations(self) -> str:
        """Return the differential equations, in Brian2's language."""
        dendrite = (
            "g_d * (rest - v_d) + g_c * (v_s - v_d) - g_ampa * s_a * v_d + current * int(t < until)"
        )
        counted = "count : 1\nuntil : second\n"  # whole, yet a float: every language adds to it
        return f"dv_d/dt = ({dendrite}) / c_d : volt\n{_SOMA}{_AMPA}{counted}"

    @property
    def least_synapses(self) -> int:
        """Return the number of inputs below which no plateau can start, whatever their timing."""
        return self.theta

    def constants(self) -> dict[str, tuple[float, str]]:
        """Return each constant of the equations as a number and its unit."""
        return super().constants() | {
            "theta": (float(self.theta), ""),
            "lasting": (self.plateau_duration, "ms"),
            "current": (self.current, "pA"),
        }


@dataclass(frozen=True)
class ThreeCompartment(NMDADendrite):
    r"""A distal dendrite with NMDA channels, a proximal one that is driven, and a spiking soma.

    The distal compartment is that of :class:`NMDADendrite`, coupled to a passive proximal one,
    and this to a leaky integrate-and-fire soma. From `drive_onset` on, a constant current `drive`
    flows into the proximal compartment: feed-forward input. A plateau alone depolarises the soma
    without a spike; a cell on a plateau answers the drive sooner, which is what the temporal
    memory of Hawkins & Ahmad calls a prediction.

    Parameters
    ----------
    rest : float, default=-70
        Reversal of the leaks, in mV; that of the synapses is 0.
    dendrite_capacitance, soma_capacitance : float, default=20 and 200
        In pF; the first is the distal compartment's.
    dendrite_leak, soma_leak : float, default=1 and 10
        In nS; the first is the distal compartment's.
    coupling : float, default=4
        Conductance between the distal and the proximal compartment, in nS.
    ampa : float, default=0.3
        Fast conductance of one input, in nS.
    ampa_decay : float, default=2
        Its time constant, in ms.
    plateau_level : float, default=-40
        Potential above which the distal compartment counts as being on a plateau, in mV.
    lockout : float, default=200
        Time after the start of a plateau in which no other one is counted, in ms.
    nmda : float, default=1.5
        Largest NMDA conductance of one input, in nS.
    nmda_rise, nmda_decay : float, default=2 and 60
        Time constants of the gate, in ms.
    block : {"steep", "standard"}, default="steep"
        See :class:`NMDADendrite`.
    block_slope : float, default=0.15
        In 1/mV.
    block_middle : float, default=-40
        In mV.
    magnesium : float, default=1
        In mM.
    trigger : float, default=-35
        Distal potential at which a plateau is counted, in mV.
    proximal_capacitance : float, default=60
        In pF.
    proximal_leak : float, default=3
        In nS.
    proximal_coupling : float, default=20
        Conductance between the proximal compartment and the soma, in nS.
    drive : float, default=0
        Current into the proximal compartment, in pA.
    drive_onset : float, default=30
        When it sets in, in ms after the start.
    soma_trigger, soma_rest_after : float, default=-52 and -60
        Potentials at which the soma spikes and from which it goes on, in mV.
    soma_refractory : float, default=5
        Time for which it is held there, in ms.

    Raises
    ------
    ValueError, TypeError
        If a constant is no finite number, or is not positive where it must be, or potentials or
        time constants are in the wrong order.

    Notes
    -----
    After the pyramidal cell of [1]_, whose distal segments predict and whose proximal ones drive.

    References
    ----------
    .. [1] J. Hawkins, S. Ahmad (2016). Why neurons have thousands of synapses, a theory of
       sequence memory in neocortex. Frontiers in Neural Circuits 10: 23.
    """

    proximal_capacitance: float = 60.0
    proximal_leak: float = 3.0
    proximal_coupling: float = 20.0
    drive: float = 0.0
    drive_onset: float = 30.0
    soma_trigger: float = -52.0
    soma_rest_after: float = -60.0
    soma_refractory: float = 5.0

    signed: ClassVar[tuple[str, ...]] = (
        *NMDADendrite.signed, "drive", "soma_trigger", "soma_rest_after",
    )  # fmt: skip
    may_be_zero: ClassVar[tuple[str, ...]] = (
        *NMDADendrite.may_be_zero, "drive_onset", "soma_refractory",
    )  # fmt: skip
    soma_threshold: ClassVar[str] = "v_s > soma_trigger"
    soma_reset: ClassVar[str] = "v_s = soma_after"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.soma_rest_after < self.soma_trigger:
            raise ValueError(
                f"soma_rest_after must be below soma_trigger, {self.soma_trigger:g} mV; got "
                f"{self.soma_rest_after:g}."
            )

    @property
    def equations(self) -> str:
        """Return the differential equations, in Brian2's language."""
        distal = f"g_d * (rest - v_d) + g_c * (v_p - v_d) - {_SYNAPSES}"
        proximal = (
            "g_p * (rest - v_p) + g_c * (v_d - v_p) + g_ps * (v_s - v_p)"
            " + drive * int(t >= drive_onset)"
        )
        return (
            f"dv_d/dt = ({distal}) / c_d : volt\n"
            f"dv_p/dt = ({proximal}) / c_p : volt\n"
            "dv_s/dt = (g_s * (rest - v_s) + g_ps * (v_p - v_s)) / c_s : volt (unless refractory)\n"
            f"{_AMPA}{_NMDA}"
        )

    def constants(self) -> dict[str, tuple[float, str]]:
        """Return each constant of the equations as a number and its unit."""
        return super().constants() | {
            "c_p": (self.proximal_capacitance, "pF"),
            "g_p": (self.proximal_leak, "nS"),
            "g_ps": (self.proximal_coupling, "nS"),
            "drive": (self.drive, "pA"),
            "drive_onset": (self.drive_onset, "ms"),
            "soma_trigger": (self.soma_trigger, "mV"),
            "soma_after": (self.soma_rest_after, "mV"),
            "refractory": (self.soma_refractory, "ms"),
        }
