"""Published image sets: a local copy first, a download only when asked, content always checked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_option
from sparsecode.datasets import formats, sources
from sparsecode.datasets.images import ImageSet, LabelledImages

__all__ = ["RENTZEPERIS_NUMBERS", "load_mnist", "load_olshausen_field", "load_van_hateren"]

_OLSHAUSEN_FIELD_URL = "https://www.rctn.org/bruno/sparsenet/IMAGES.mat"
_VAN_HATEREN_URL = "https://pirsquared.org/research/vhatdb"
_MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist"

_VAN_HATEREN_COUNT = 4212

#: The 137 van Hateren images, without blur or human constructions, of Rentzeperis et al. (2023).
RENTZEPERIS_NUMBERS = (
    61, 94, 199, 225, 353, 369, 388, 472, 477, 538, 619, 699, 764, 791, 827, 887, 960, 1024,
    1041, 1067, 1102, 1116, 1142, 1150, 1186, 1204, 1274, 1288, 1377, 1385, 1692, 1723, 1749,
    1778, 1829, 1848, 1867, 1875, 1893, 1899, 1902, 1966, 1993, 1996, 2066, 2098, 2118, 2131,
    2162, 2198, 2205, 2261, 2280, 2294, 2310, 2341, 2350, 2369, 2397, 2405, 2473, 2508, 2511,
    2516, 2535, 2537, 2562, 2569, 2573, 2597, 2615, 2637, 2671, 2715, 2796, 2822, 2895, 2996,
    3004, 3014, 3038, 3053, 3104, 3116, 3178, 3181, 3198, 3224, 3240, 3251, 3268, 3305, 3335,
    3362, 3371, 3388, 3420, 3421, 3432, 3437, 3451, 3491, 3509, 3527, 3532, 3587, 3613, 3660,
    3664, 3671, 3741, 3748, 3762, 3802, 3808, 3831, 3835, 3848, 3896, 3929, 3969, 3998, 4000,
    4027, 4029, 4049, 4053, 4080, 4089, 4101, 4103, 4115, 4153, 4180, 4184, 4202, 4204,
)  # fmt: skip

PathLike = str | os.PathLike[str]


def load_olshausen_field(
    *, data_dir: PathLike | None = None, sha256: str | None = None, download: bool = False
) -> ImageSet:
    """Load the ten whitened natural images of Olshausen & Field (1996).

    They are whitened already and are never whitened again: the set is marked, and
    :func:`whiten` refuses it.

    Parameters
    ----------
    data_dir : path-like, optional
        Folder with ``olshausen_field_1996.npz`` (array ``images``, (n_images, height, width)) or
        ``IMAGES.mat`` (array ``IMAGES``, (height, width, n_images)). By default the folder that
        the environment variable ``SPARSECODE_DATA`` names, then the user's cache.
    sha256 : str, optional
        The file's SHA-256. Only that of the npz is pinned; nobody has published one for
        ``IMAGES.mat``, which is therefore refused without it. If given, ``IMAGES.mat`` is looked
        for first.
    download : bool, default=False
        Whether ``IMAGES.mat`` may be fetched from its authors where there is no local copy.

    Returns
    -------
    ImageSet
        Float32 images of 512 x 512 pixels; their variances differ, with a mean near 0.08.

    Raises
    ------
    FileNotFoundError
        If there is no local copy and `download` is false.
    OSError
        If the download fails.
    ValueError
        If the checksum is unknown or differs, or the file is damaged. The message names the
        SHA-256 that was found.

    References
    ----------
    .. [1] Olshausen & Field, "Emergence of simple-cell receptive field properties by learning a
       sparse code for natural images", Nature 381 (1996), 607-609. The images are published with
       the *sparsenet* software at https://www.rctn.org/bruno/sparsenet/, without a licence.
    """
    names = ["olshausen_field_1996.npz", "IMAGES.mat"]
    if sha256 is not None:
        names.reverse()
    path = sources.fetch(names, _OLSHAUSEN_FIELD_URL, data_dir=data_dir, download=download)
    (content,) = sources.read_all([path], sha256=sha256)
    if path.suffix == ".mat":
        stack = formats.parse_mat(content, "IMAGES", name=path.name)
        stack = np.moveaxis(stack, -1, 0)
    else:
        stack = formats.parse_npz(content, "images", name=path.name)
    if stack.ndim != 3:
        raise ValueError(f"{path.name} must hold an array of 3 dimensions; got {stack.ndim}.")
    return ImageSet(
        tuple(f"olshausen-field-{i}" for i in range(len(stack))),
        tuple(stack.astype(np.float32)),
        ("Olshausen & Field 1996, https://www.rctn.org/bruno/sparsenet/",) * len(stack),
        whitened=True,
    )


def load_van_hateren(
    numbers: Iterable[int] = RENTZEPERIS_NUMBERS,
    *,
    kind: str = "imc",
    data_dir: PathLike | None = None,
    sha256: str | None = None,
    download: bool = False,
) -> ImageSet:
    """Load natural images of van Hateren & van der Schaaf (1998), linear in luminance.

    Parameters
    ----------
    numbers : iterable of int
        Which of the images 1 to 4212, each once; by default the 137 of Rentzeperis et al. (2023).
    kind : {"imc", "iml"}, default="imc"
        ``"imc"`` are deblurred for the camera's optics, ``"iml"`` are linear as recorded.
    data_dir : path-like, optional
        Folder with ``imk00001.imc`` and so on. By default the folder that the environment
        variable ``SPARSECODE_DATA`` names, then the user's cache.
    sha256 : str, optional
        SHA-256 of the files one after another in the order of `numbers`, as of ``cat imk00061.imc
        imk00094.imc | sha256sum``. None is published, so the files are refused without it.
    download : bool, default=False
        Whether missing files may be fetched. The mirror offers single files for the first 99
        numbers only; the others come in archives of several gigabytes, to be fetched by hand.

    Returns
    -------
    ImageSet
        Float32 images of 1024 x 1536 pixels, in the files' own units.

    Raises
    ------
    FileNotFoundError
        If there is no local copy and `download` is false.
    OSError
        If a download fails.
    ValueError
        If a number or the kind is not known, the checksum is unknown or differs, or a file has
        the wrong size. The message names the SHA-256 that was found.

    References
    ----------
    .. [1] van Hateren & van der Schaaf, "Independent component filters of natural images compared
       with simple cells in primary visual cortex", Proc. R. Soc. Lond. B 265 (1998), 359-366.
       Mirrored at https://pirsquared.org/research/vhatdb/, without a licence.
    .. [2] Rentzeperis, Calatroni, Perrinet & Prandi, "Beyond l1 sparse coding in V1", PLOS
       Computational Biology 19 (2023).
    """
    check_option("kind", kind, ("imc", "iml"))
    numbers = [check_count("number", n, maximum=_VAN_HATEREN_COUNT) for n in numbers]
    if not numbers or len(set(numbers)) != len(numbers):
        raise ValueError(f"numbers must name at least one image, each once; got {numbers}.")
    names = [f"imk{number:05d}.{kind}" for number in numbers]
    base = _VAN_HATEREN_URL + ("/imc" if kind == "imc" else "")
    paths = [
        sources.fetch([name], f"{base}/{name}", data_dir=data_dir, download=download)
        for name in names
    ]
    contents = sources.read_all(paths, sha256=sha256)
    images = [formats.parse_van_hateren(file, name=name) for file, name in zip(contents, names)]
    credit = "van Hateren & van der Schaaf 1998, https://pirsquared.org/research/vhatdb/"
    return ImageSet(tuple(names), tuple(images), (credit,) * len(names))


def load_mnist(
    subset: str = "train",
    *,
    source: str = "idx",
    data_dir: PathLike | None = None,
    sha256: str | None = None,
    download: bool = False,
) -> LabelledImages:
    """Load MNIST's handwritten digits.

    Parameters
    ----------
    subset : {"train", "test"}, default="train"
        The 60,000 training or the 10,000 test images.
    source : {"idx", "openml"}, default="idx"
        ``"idx"`` reads the original files. ``"openml"`` asks
        :func:`sklearn.datasets.fetch_openml`, which needs pandas and, for what its cache lacks,
        the network; the digits must be the very same.
    data_dir : path-like, optional
        Folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and so on (``t10k``
        for the test images), gzipped or not. By default the folder that the environment variable
        ``SPARSECODE_DATA`` names, then the user's cache.
    sha256 : str, optional
        SHA-256 of the file of images followed by the file of labels. By default each must have
        its pinned one.
    download : bool, default=False
        Whether the files may be fetched where there is no local copy; required by ``"openml"``.

    Returns
    -------
    LabelledImages
        Images of shape (28, 28) with values in [0, 1], and their digits 0 to 9.

    Raises
    ------
    FileNotFoundError
        If there is no local copy and `download` is false.
    OSError
        If the download fails.
    ValueError
        If a checksum differs or a file is damaged. The message names the SHA-256 that was found.

    References
    ----------
    .. [1] LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document
       recognition", Proc. IEEE 86 (1998), 2278-2324; CC BY-SA 3.0.
    """
    check_option("subset", subset, ("train", "test"))
    check_option("source", source, ("idx", "openml"))
    prefix = "train" if subset == "train" else "t10k"
    names = [f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"]
    if source == "openml":
        if not download:
            raise ValueError(
                'download must be True for source="openml", which may use the network; got False. '
                'Use source="idx" with local files.'
            )
        contents = _mnist_from_openml(subset)
        sources.verify(names, contents, sha256=sha256)
    else:
        paths = [
            sources.fetch(
                [f"{name}.gz", name],
                f"{_MNIST_URL}/{name}.gz",
                data_dir=data_dir,
                download=download,
            )
            for name in names
        ]
        contents = sources.read_all(paths, sha256=sha256)
    images, labels = (
        formats.parse_idx(content, name=name) for content, name in zip(contents, names)
    )
    if not (
        images.dtype == labels.dtype == np.uint8
        and images.ndim == 3
        and labels.shape == images.shape[:1]
    ):
        raise ValueError(
            f"{names[0]} must hold bytes of shape (n_samples, height, width) and {names[1]} one "
            f"byte for each; got {images.dtype} {images.shape} and {labels.dtype} {labels.shape}."
        )
    return LabelledImages(
        images.astype(np.float32) / np.float32(255.0),
        labels.astype(np.int64),
        "LeCun, Cortes & Burges, MNIST, CC BY-SA 3.0",
    )


def _mnist_from_openml(subset: str) -> list[bytes]:
    """Fetch MNIST from OpenML and return it as the contents of the two IDX files."""
    from sklearn.datasets import fetch_openml

    pixels: Any
    pixels, labels = fetch_openml(
        "mnist_784",
        version=1,
        as_frame=False,
        return_X_y=True,
        data_home=str(sources.cache_folder()),
    )
    rows = slice(None, 60_000) if subset == "train" else slice(60_000, None)
    arrays = pixels[rows].reshape(-1, 28, 28).astype(np.uint8), labels[rows].astype(np.uint8)
    return [formats.idx_header(array.shape) + array.tobytes() for array in arrays]
