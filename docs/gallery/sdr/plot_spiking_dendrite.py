"""
A dendrite that spikes, and one that counts
===========================================

In the theory of sparse distributed representations a segment of dendrite recognises an input if at
least theta of its synapses are hit. A real segment knows no theta: it has NMDA channels, which open
when they hold transmitter *and* the dendrite is depolarised, and so depolarise it further. This
script simulates such a dendrite in Brian2 and asks it for its theta.
"""

# %%
# Nine inputs within two milliseconds leave the dendrite below its threshold, ten start a plateau
# that lasts for 70 ms, and ten more do little but prolong it. The soma, ten times as large, is
# depolarised by some 15 mV: not enough for a spike, but enough to be closer to one.

import matplotlib.pyplot as plt
import numpy as np

from sdr.spiking import (
    EventPlateau,
    NMDADendrite,
    draw_strangers,
    fit_threshold,
    psychometric_curve,
    recognise,
    simulate_dendrites,
)
from sdr.theory import false_positive

counts = [9, 10, 20]
shades = ["#8fbcdb", "#0072b2", "#003a5d"]
trials = simulate_dendrites(NMDADendrite(), counts, record=True, rng=0)

figure, axes = plt.subplots(2, 1, figsize=(7, 5), sharex=True, layout="constrained")
for k, color, dendrite, soma in zip(counts, shades, trials.dendrite, trials.soma):
    axes[0].plot(trials.time, dendrite, color=color, label=f"{k} inputs")
    axes[1].plot(trials.time, soma, color=color)
axes[0].set(ylabel="dendrite (mV)", title="One input more makes a plateau")
axes[0].legend(frameon=False)
axes[1].set(ylabel="soma (mV)", xlabel="time (ms)", xlim=(0, 250), ylim=(-71, -49))
plt.show()

# %%
# Where does the threshold come from? From the steepness with which magnesium leaves the channels.
# With the block that Jahr & Stevens measured, the response of this cell is graded: it has no
# overlap at which it switches.

inputs = np.arange(4, 21)
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for block, style in {"steep": "o-", "standard": "o--"}.items():
    peaks = simulate_dendrites(NMDADendrite(block=block), inputs, rng=0).peak_dendrite
    filled = {"mfc": "white"} if block == "standard" else {}
    ax.plot(inputs, peaks, style, color="#0072b2", label=f"{block} block", **filled)
ax.set(xlabel="inputs", ylabel="peak of the dendrite (mV)", xticks=inputs[::2])
ax.legend(frameon=False)
plt.show()

# %%
# How often is there a plateau, if the inputs do not come at once? A cell that counts spikes within
# 5 ms, as the theory's segment would, is lost when they are spread over more. The NMDA dendrite
# integrates for as long as its receptors stay open, and needs one or two inputs more.

figure, ax = plt.subplots(figsize=(8.4, 3.8), layout="constrained")
overlaps = np.arange(6, 28)
for model, color, width, name in (
    (NMDADendrite(), "#0072b2", 3.0, "NMDA dendrite"),
    (EventPlateau(), "#d55e00", 1.5, "coincidence counter"),
):
    for jitter, style in ((2.0, "-"), (10.0, "--"), (20.0, ":")):
        curve = psychometric_curve(model, overlaps, 100, jitter=jitter, duration=60, rng=0)
        low, high = curve.interval
        ax.fill_between(overlaps, low, high, color=color, alpha=0.12, linewidth=0)
        ax.plot(overlaps, curve.probability, style, color=color, linewidth=width)
        fit = fit_threshold(curve)
        print(f"{name}, {jitter:g} ms: theta {fit.theta}, {fit.width:.1f} overlaps wide")
    ax.plot([], [], color=color, linewidth=width, label=name)
for jitter, style in ((2, "-"), (10, "--"), (20, ":")):
    ax.plot([], [], style, color="0.4", label=f"within {jitter} ms")
ax.set(xlabel="inputs", ylabel="probability of a plateau", xlim=(6, 27), xticks=overlaps[::3])
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
plt.show()

# %%
# Now the question of the theory. Draw 4,000 segments of 30 synapses on 300 cells and an input of
# 64 cells for each; how many are recognised, though none was ever stored? The hypergeometric tail
# at the threshold that the cell has shown predicts it, as long as spikes are coincident.

segments, patterns = draw_strangers(300, 64, 30, 4000, rng=0)
predicted = false_positive(300, 64, 30, 10)
for jitter in (2.0, 20.0):
    found = recognise(NMDADendrite(), segments, patterns, jitter=jitter, duration=60, rng=1)
    print(
        f"within {jitter:g} ms: {found.rate:.4f}, theory {predicted:.4f}, "
        f"{found.deviation(predicted):+.1f} standard errors"
    )
