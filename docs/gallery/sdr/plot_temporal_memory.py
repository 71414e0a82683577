"""
A temporal memory notices what does not belong
==============================================

Two things are wrong with a series: a level that never occurred before, and a busy day where a
quiet one was due, so that all levels are familiar but come at the wrong time. A temporal memory,
which predicts each step from those before it, notices both.
"""

# %%
# Busy days and quiet days take turns, two hours a step. In the sixth and the tenth pair of days
# something is wrong.

import matplotlib.pyplot as plt
import numpy as np

from sdr.temporal import TemporalMemory
from sparsecode.core import SparseCode

wave = np.sin(2 * np.pi * (np.arange(12) + 0.5) / 12)
pair = np.concatenate([np.round(10 * wave), np.round(4 * wave)]).astype(int) + 10
levels = np.tile(pair, (14, 1))
levels[5, 8] = 24  # a level never seen
levels[9, 12:] = levels[9, :12]  # another busy day

# %%
# Each level activates twenty columns of its own: an encoder, in HTM's words. For inputs that are
# binary patterns already, a :class:`sdr.SpatialPooler` finds the columns.


def encode(values):
    """Return the columns of some levels."""
    return SparseCode.from_indices([range(20 * n, 20 * n + 20) for n in values], 500)


# %%
# The memory sees the usual pair of days 12 times. Its anomaly score is the share of active columns
# that it had not predicted; the first step after a reset cannot be, and is left out.

memory = TemporalMemory(500, 16, rng=0)
learning = []
for _ in range(12):
    memory.reset()
    learning.append(memory.anomaly(encode(pair), learn=True)[1:].mean())
print(memory)

# %%
# Then it watches without learning.

watched = np.zeros(levels.shape)
for scores, values in zip(watched, levels):
    memory.reset()
    scores[1:] = memory.anomaly(encode(values))[1:]
for number, step in np.argwhere(watched > 0):
    print(f"pair {number + 1}, step {step}: {watched[number, step]:.2f}")

# %%
# The new level surprises it, and so does the step after it, whose context is lost. The second busy
# day surprises it once: then it finds out from the levels where it is. Levels that occur on both
# kinds of days, and twice on each, activate the same columns, but other cells.

figure, axes = plt.subplots(2, 1, figsize=(9, 4.6), sharex=True, layout="constrained")
days = np.arange(levels.size) / 12
axes[0].plot(days, levels.ravel(), linewidth=1.4)
axes[0].set(ylabel="level", xlim=(0, days[-1]))
axes[1].vlines(days, 0, watched.ravel(), color="C3", linewidth=2.5)
axes[1].set(ylabel="anomaly score", xlabel="day", ylim=(0, 1.05))
for text, first, last in (("never seen", 10 + 8 / 12, 10 + 9 / 12), ("too busy", 19, 20)):
    for ax in axes:
        ax.axvspan(first, last, color="0.88", zorder=0)
    axes[1].annotate(text, (last, 0.9), xytext=(8, 0), textcoords="offset points", va="center")
plt.show()

# %%
# How the surprise goes while it learns: a synapse needs three repetitions until it is connected.

figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(np.arange(1, 13), learning, "o-")
ax.set(xlabel="times that the days were seen", ylabel="mean anomaly score", ylim=(0, 1.05))
plt.show()
