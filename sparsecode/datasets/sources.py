"""Where a published file is found, how it is fetched, and when its content is believed."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from sparsecode.datasets.formats import MAX_BYTES

__all__ = ["DATA_VARIABLE", "PINNED", "fetch", "find", "read_all", "verify"]

#: Environment variable that names the folder with local copies.
DATA_VARIABLE = "SPARSECODE_DATA"

#: SHA-256 of the files whose content is known.
PINNED = {
    "olshausen_field_1996.npz": "f8b9c10c42ce208967f693d5917c0c7589f5fe4fee22fc54500541504f171b61",
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def cache_folder() -> Path:
    """Return the user's cache folder of this package, where downloads go."""
    import pooch

    return Path(pooch.os_cache("sparsecode"))


def folders(data_dir: str | os.PathLike[str] | None) -> list[Path]:
    """Return the folders to look in: `data_dir` or the environment's, then the cache."""
    given, named = data_dir, "data_dir"
    if given is None:
        given, named = os.environ.get(DATA_VARIABLE) or None, DATA_VARIABLE
    if given is None:
        return [cache_folder()]
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{named} must name an existing folder; got {str(folder)!r}.")
    return [folder, cache_folder()]


def find(names: Sequence[str], data_dir: str | os.PathLike[str] | None) -> Path | None:
    """Return the first local copy of the first of `names` that there is."""
    for folder in folders(data_dir):
        for name in names:
            if (folder / name).is_file():
                return folder / name
    return None


def fetch(
    names: Sequence[str],
    url: str,
    *,
    data_dir: str | os.PathLike[str] | None,
    download: bool,
) -> Path:
    """Return a local copy of one of `names`, or download the last part of `url`.

    Parameters
    ----------
    names : sequence of str
        The file's possible names, the preferred one first.
    url : str
        Where it is published.
    data_dir : path-like, optional
        Folder with local copies, instead of the environment's.
    download : bool
        Whether the network may be used where there is no local copy.

    Raises
    ------
    FileNotFoundError
        If there is no local copy and `download` is false.
    OSError
        If the download fails.
    ValueError
        If the downloaded file differs from its pinned checksum. It is not kept.
    """
    found = find(names, data_dir)
    if found is not None:
        return found
    if not download:
        looked = " or ".join(str(folder) for folder in folders(data_dir))
        raise FileNotFoundError(
            f"{' or '.join(names)} must lie in {looked}; it was not found. Set {DATA_VARIABLE} or "
            f"data_dir to its folder, or pass download=True to fetch {url}."
        )
    import pooch

    name = url.rsplit("/", 1)[1]
    pinned = PINNED.get(name)
    try:
        path = pooch.retrieve(
            url,
            known_hash=None if pinned is None else f"sha256:{pinned}",
            fname=name,
            path=cache_folder(),
        )
    except OSError as error:
        raise OSError(
            f"{url} must be reachable to download it; got: {error}. Fetch {name} in another way, "
            f"put it into a folder and set {DATA_VARIABLE} or data_dir to that."
        ) from error
    return Path(path)


def read_all(paths: Sequence[Path], *, sha256: str | None = None) -> list[bytes]:
    """Read files and believe them only if their checksum is known; see :func:`verify`."""
    contents = []
    for path in paths:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ValueError(f"{path} must have at most {MAX_BYTES} bytes; got {size}.")
        contents.append(path.read_bytes())
    verify([str(path) for path in paths], contents, sha256=sha256)
    return contents


def verify(names: Sequence[str], contents: Sequence[bytes], *, sha256: str | None = None) -> None:
    """Raise unless the contents have a known checksum.

    Parameters
    ----------
    names : sequence of str
        The files' names or paths; the last part is looked up in `PINNED`.
    contents : sequence of bytes
        Their contents.
    sha256 : str, optional
        The SHA-256 that the contents must have, one after another. By default each file must have
        its pinned one.

    Raises
    ------
    ValueError
        If a checksum differs, or is neither pinned nor given. The message names the one found.
    """
    if sha256 is not None:
        if not isinstance(sha256, str) or not re.fullmatch("[0-9a-fA-F]{64}", sha256):
            raise ValueError(f"sha256 must be a string of 64 hexadecimal digits; got {sha256!r}.")
        found = _sha256(contents)
        if found != sha256.lower():
            raise ValueError(
                f"{_listed(names)} must have the SHA-256 {sha256.lower()} that was passed; got "
                f"{found}. Fetch it again, or pass that one if you trust it."
            )
        return
    for name, content in zip(names, contents):
        pinned = PINNED.get(Path(name).name)
        if pinned is None:
            raise ValueError(
                f"{_listed(names)} must have a known checksum, but none is published; got SHA-256 "
                f"{_sha256(contents)}. Pass sha256={_sha256(contents)!r} if you trust it."
            )
        if _sha256([content]) != pinned:
            raise ValueError(
                f"{name} must have the SHA-256 {pinned}; got {_sha256([content])}. Fetch it again, "
                f"or pass sha256={_sha256(contents)!r} if you trust it."
            )


def _sha256(contents: Sequence[bytes]) -> str:
    """Return the SHA-256 of the contents, one after another."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()


def _listed(names: Sequence[str]) -> str:
    """Name one file or several in a sentence."""
    if len(names) == 1:
        return str(names[0])
    return f"the {len(names)} files {names[0]} to {names[-1]}, one after another,"
