r"""
A neuron that learnt patterns recognises noisy ones
===================================================

Each segment of a neuron samples a few of the cells that are active in one pattern. That is enough
to tell the pattern from others, though half of it is replaced by noise.
"""

# %%
# A sheet of 40 by 50 cells, of which 80 are active in each pattern. A neuron with six segments
# learns six patterns: every segment grows 24 synapses from active cells, chosen at random.

import matplotlib.pyplot as plt
import numpy as np

from sdr import SDRSpace, SegmentBank
from sdr.theory import any_false_positive, false_negative

rng = np.random.default_rng(1)
sheet, n_active, n_synapses, threshold = (40, 50), 80, 24, 10
n_cells = sheet[0] * sheet[1]
space = SDRSpace(n_cells, n_active, sheet)

patterns = space.sample(6, rng)
neuron = SegmentBank(sheet, n_neurons=1, n_segments=6)
neuron.learn(patterns, np.arange(6), n_synapses=n_synapses, rng=2)

# %%
# The first pattern, and what is left of it when 40 of its 80 active cells have moved elsewhere.
# Rings are the synapses of the first segment, filled where their cell is active: more than the
# threshold of 10 still are. To the other segments the same input is noise.

half = space.corrupt(patterns, n_moved=40, rng=3)
overlaps = neuron.overlaps(half).to_dense()[:, 0]
ours, other = "#0072b2", "#b8c0ca"

figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained", width_ratios=(3, 3, 2))
synapses = neuron.synapses[0].indices
for ax, code, title in zip(axes, (patterns, half), ("the pattern", "half of it moved")):
    cells = code[0].indices
    ax.plot(cells % 50, cells // 50, "s", color=other, markersize=4, label="active cell")
    hit = np.isin(synapses, cells)
    for these, face in ((synapses[~hit], "none"), (synapses[hit], ours)):
        ax.plot(
            these % 50, these // 50, "o", markersize=6.5, markeredgecolor=ours,
            markerfacecolor=face, markeredgewidth=1.3,
        )  # fmt: skip
    ax.set(xticks=[], yticks=[], xlim=(-1, 50), ylim=(-1, 40), aspect="equal")
    ax.set_title(f"{title}: {hit.sum()} of {n_synapses} synapses", fontsize=11)
axes[2].bar(range(1, 7), overlaps[0], color=[ours] + [other] * 5)
axes[2].axhline(threshold, color="#d55e00", linestyle="--")
axes[2].text(6.5, threshold + 0.2, "threshold", color="#d55e00", ha="right", va="bottom")
axes[2].set(xlabel="segment", xticks=range(1, 7), ylabel="active synapses")
axes[2].set_title("noisy input", fontsize=11)
axes[2].spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# How much noise does it bear? A thousand neurons learn six patterns each, and are shown all of them
# with more and more of their cells moved; a pattern is missed when fewer than ten synapses are
# left. Then they are shown patterns that none has learned, at lower thresholds: a neuron is
# mistaken when one of its six segments has so many synapses among the active cells by chance. Dots
# are counted, lines the theory's.

n_neurons = 1000
learned = space.sample(6 * n_neurons, rng)
neurons = SegmentBank(sheet, n_neurons=n_neurons, n_segments=6)
neurons.learn(learned, np.arange(6 * n_neurons), n_synapses=n_synapses, rng=4)
own = np.arange(6 * n_neurons) // 6

moved = np.arange(0, n_active + 1, 8)
recognised = []
for v in moved:
    active = neurons.active_neurons(space.corrupt(learned, n_moved=int(v), rng=v), threshold)
    recognised.append(active.to_dense()[np.arange(6 * n_neurons), own].mean())

unknown = space.sample(500, rng)
thresholds = np.arange(2, 11)
mistaken = np.array([neurons.active_neurons(unknown, int(theta)).density for theta in thresholds])

figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
fine = np.arange(n_active + 1)
missed = false_negative(n_active, n_synapses, fine, threshold)
axes[0].plot(100 * fine / n_active, 1 - missed, color=ours)
axes[0].plot(100 * moved / n_active, recognised, "o", color=ours)
axes[0].set(xlabel="active cells that moved, %", ylabel="patterns recognised")
law = any_false_positive(n_cells, n_active, n_synapses, thresholds, 6)
axes[1].plot(thresholds, law, color="#d55e00")
axes[1].plot(thresholds[mistaken > 0], mistaken[mistaken > 0], "o", color="#d55e00")
axes[1].set(yscale="log", xlabel="threshold", ylabel="unknown patterns recognised")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# At the threshold of ten, a neuron recognises nearly everything of which 40 % is noise, and
# mistakes one unknown pattern of some twenty million for one of its own.

print(f"a mistake in {1 / law[-1]:,.0f} unknown patterns")
