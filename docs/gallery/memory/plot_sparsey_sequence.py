"""
A sequence, seen once, recalled from its first frame
====================================================

Sparsey (:cite:t:`rinkus2014`) stores a sequence in one presentation. Each code is learned together
with the next one, so that the first frame brings back all others.
"""

# %%
# The demonstration of the model's author: 13 frames of 10 x 10 pixels, five of them active, in one
# mac of 10 modules of 18 units. Beside it, an edge that moves in a photograph.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

from memory import Sparsey
from sparsecode.datasets import moving_edges, natural_images, random_sequences

(dots,) = random_sequences(1, 13, unit_shape=(10, 10), n_active=5, rng=3)
(edge,) = moving_edges(natural_images()[:3], 1, 13, shape=(10, 10), rng=5)
memories = [Sparsey(10, 18, random_state=seed) for seed in range(2)]
codes = [memory.store_sequence(frames) for memory, frames in zip(memories, (dots, edge))]
print(memories[0])

# %%
# The cue is the first frame. What follows is recalled: at each step the code before, alone, chooses
# the next code, and that one gives back its pixels.

recalled = [
    memory.recall_sequence(frames[:1], 13) for memory, frames in zip(memories, (dots, edge))
]
for name, found, frames, code in zip(("dots", "edge"), recalled, (dots, edge), codes):
    right = (found.code.to_dense() & code.to_dense()).sum(axis=(1, 2))
    wrong = (found.pattern.to_dense() != frames.to_dense()).sum(axis=(1, 2))
    print(f"{name}: winners right {right.tolist()} of 10, pixels wrong {wrong.tolist()}")

# %%
# All of it, frame by frame.

figure, axes = plt.subplots(2, 3, figsize=(7.2, 5.0), layout="constrained")
columns = []
for found, frames in zip(recalled, (dots, edge)):
    shown = np.zeros((13, 10, 10), bool)
    shown[0] = frames.to_dense()[0]
    columns.append((shown, found.code.to_dense(), found.pattern.to_dense()))
names = ("what is shown", "code (10 modules x 18 units)", "given back")
pictures = []
for row, (name, movies) in zip(axes, zip(("dots", "edge"), columns)):
    row[0].set_ylabel(name)
    for ax, movie, title in zip(row, movies, names):
        picture = ax.imshow(movie[0], cmap="binary", vmin=0, vmax=1,
                            aspect="auto" if title[:4] == "code" else "equal")  # fmt: skip
        ax.set(xticks=[], yticks=[])
        if name == "dots":
            ax.set_title(title, fontsize=10)
        pictures.append((picture, movie))


def update(t):
    """Show frame `t` everywhere."""
    for picture, movie in pictures:
        picture.set_data(movie[t])
    figure.suptitle(f"frame {t + 1} of 13")
    return [picture for picture, _ in pictures]


animation = FuncAnimation(figure, update, frames=13, interval=450)
plt.show()

# %%
# Part of the first frame does as well, here its left half.

half = dots[:1].to_dense()
half[0, :, 5:] = False
found = memories[0].recall_sequence(half.reshape(1, -1), 13)
print(f"from {half.sum()} of 5 pixels: all frames right is {found.pattern == dots}")
