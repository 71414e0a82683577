"""
A photograph without its noise, in one piece
============================================

Noise has no sparse code. Here the photograph is not cut into patches: small log-Gabors of three
frequencies stand at every place of it, and the l1 penalty asks each for its price.
"""

# %%
# A part of a photograph that ships with scikit-image, with Gaussian noise of a standard deviation
# of 0.1. The kernels see no slow changes of light: these are left to a wide Gaussian.

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

from sparsecode.convolutional import greedy_cd, log_gabor_bank, reconstruct
from sparsecode.penalties import L1

sigma = 0.1
clean = data.camera()[60:188, 140:268] / 255.0
noisy = clean + sigma * np.random.default_rng(0).standard_normal(clean.shape)
light = gaussian_filter(noisy, 4.0)
banks = [
    log_gabor_bank(8, (25.0,), size=16, frequency=frequency, normalize="unit")[0]
    for frequency in (0.06, 0.12, 0.24)
]
bank = np.concatenate(banks)
print(bank.shape)

# %%
# One unit of noise on every pixel is ``sigma`` on every kernel of norm 1, so that two of them is a
# price that little of it can pay. The duality gap says how far the code is from the best one.

result = greedy_cd((noisy - light)[None, None], bank, L1(2 * sigma), tol=1e-3)
restored = light + reconstruct(result.code, bank)[0, 0]
print(result)

pictures = {
    "photograph": clean,
    "noisy": noisy,
    "Gaussian filter": gaussian_filter(noisy, 0.9),
    "restored": restored,
}
figure, axes = plt.subplots(1, 4, figsize=(11, 3.1), layout="constrained")
for ax, (title, picture) in zip(axes, pictures.items()):
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
    if picture is not clean:
        title += f", {peak_signal_noise_ratio(clean, picture, data_range=1.0):.1f} dB"
    ax.set_title(title)
    ax.axis("off")
plt.show()

# %%
# Which units are active? Each is a kernel at a place: drawn is how much all kernels of a frequency
# are used there.

used = np.abs(result.code.to_dense()[0]).reshape(3, 16, *clean.shape).sum(axis=1)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for ax, frequency, picture in zip(axes, (0.06, 0.12, 0.24), used):
    ax.imshow(gaussian_filter(picture, 1.0), cmap="magma")
    ax.set_title(f"{frequency} cycles a pixel")
    ax.axis("off")
plt.show()
