"""What the tests of log-Gabor kernels and of their fits share."""

import numpy as np
import strategies  # noqa: F401 - which sets no deadline, and the same examples every time
from hypothesis import strategies as st


def circular_distance(a, b, period):
    return np.abs((np.asarray(a) - b + period / 2) % period - period / 2)


def norms(dictionary):
    return np.sqrt(np.square(dictionary).sum(axis=(1, 2, 3)))


def with_noise(dictionary, noise, rng):
    """Add white noise of a fraction of every atom's energy, in expectation."""
    size = np.sqrt(noise / dictionary[0].size) * norms(dictionary)
    return dictionary + size[:, None, None, None] * rng.normal(size=dictionary.shape)


planted = st.fixed_dictionaries(
    dict(
        orientation=st.floats(0, 179.99),
        orientation_bandwidth=st.floats(6, 28),
        phase=st.floats(0, 359.99),
    )
)
shapes = st.fixed_dictionaries(
    dict(frequency=st.floats(0.15, 0.5), frequency_bandwidth=st.floats(0.2, 0.8))
)
