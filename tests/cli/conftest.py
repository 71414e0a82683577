"""Files to run the command on."""

import numpy as np
import pytest
from PIL import Image

from sparsecode.core import normalize
from sparsecode.core.io import save_arrays


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """Give a folder of small pictures of several modes and sizes, and a file that is none."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(5)
    for i, mode in enumerate(("RGB", "L", "RGBA", "P", "CMYK")):
        pixels = rng.integers(0, 256, (40 + 8 * i, 60, 3), dtype=np.uint8)
        suffix = "jpg" if mode == "CMYK" else "png"
        Image.fromarray(pixels).convert(mode).save(folder / f"{i}-{mode}.{suffix}")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """Give an array of samples on disk."""
    path = tmp_path_factory.mktemp("samples") / "samples.npy"
    np.save(path, np.random.default_rng(6).normal(size=(300, 12)))
    return path


@pytest.fixture(scope="session")
def atoms(tmp_path_factory):
    """Give a dictionary that fits the samples, with its notes."""
    path = tmp_path_factory.mktemp("atoms") / "dictionary.safetensors"
    dictionary = normalize(np.random.default_rng(7).normal(size=(20, 12)))
    save_arrays(
        path, {"dictionary": dictionary}, {"kind": "dictionary", "penalty": "l1", "alpha": 0.7}
    )
    return path
