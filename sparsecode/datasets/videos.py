"""The Weizmann actions: short videos of people who walk, run, bend and wave, and their edges."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from sparsecode._validation import check_count, check_option, check_positive
from sparsecode.core.code import SparseCode
from sparsecode.datasets.digits import check_frame
from sparsecode.datasets.formats import MAX_BYTES
from sparsecode.datasets.images import luminance
from sparsecode.datasets.sequences import CodeSequences

__all__ = ["WEIZMANN_ACTIONS", "LabelledVideos", "edge_sequences", "load_weizmann"]

#: The ten actions, by their names in the files.
WEIZMANN_ACTIONS = (
    "bend", "jack", "jump", "pjump", "run", "side", "skip", "walk", "wave1", "wave2",
)  # fmt: skip

_URL = "https://www.wisdom.weizmann.ac.il/~vision/SpaceTimeActions.html"
_PEOPLE = ("daria", "denis", "eli", "ido", "ira", "lena", "lyova", "moshe", "shahar")
_NAME = re.compile(rf"({'|'.join(_PEOPLE)})_({'|'.join(WEIZMANN_ACTIONS)})([12]?)\.avi")
_PPM = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")
_MAX_FRAMES = 1000  # the longest has 146

Reader = Callable[[Path], Iterable[np.ndarray]]


@dataclass(frozen=True, eq=False, repr=False)
class LabelledVideos:
    """Grey videos, each of one person who does one thing.

    Parameters
    ----------
    names : tuple of str
        The files' names, without their endings.
    videos : tuple of ndarray of shape (n_frames, height, width)
        Relative luminance in [0, 1], float32.
    people : tuple of str
        Who is seen.
    actions : tuple of str
        What is done.
    credit : str
        Who made the set.
    """

    names: tuple[str, ...]
    videos: tuple[np.ndarray, ...]
    people: tuple[str, ...]
    actions: tuple[str, ...]
    credit: str

    def __len__(self) -> int:
        return len(self.videos)

    def __repr__(self) -> str:
        n_frames = sum(len(video) for video in self.videos)
        return f"<LabelledVideos of {len(self)}, {n_frames} frames>"


def load_weizmann(
    path: str | os.PathLike[str],
    *,
    actions: Iterable[str] = WEIZMANN_ACTIONS,
    repeats: bool = False,
    reader: Reader | None = None,
) -> LabelledVideos:
    """Load the Weizmann actions from a copy of one's own; nothing is downloaded.

    Parameters
    ----------
    path : path-like
        A folder with the videos (``daria_bend.avi`` and so on) in it or in folders within it, or
        with the published archives (``bend.zip`` and so on); or one such archive.
    actions : iterable of str, default=WEIZMANN_ACTIONS
        Which of the ten actions.
    repeats : bool, default=False
        Whether to load the second where a person did a thing twice (``lena_run2``). Without them
        the complete set has 90 videos, one of each of nine people for each action, as the papers
        count it.
    reader : callable, optional
        ``reader(path)`` yields the frames of a video, arrays of bytes of shape (height, width) or
        (height, width, 3). By default the FFmpeg that comes with imageio-ffmpeg reads them.

    Returns
    -------
    LabelledVideos
        In the order of actions and names; 180 x 144 pixels and 25 frames a second as published.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ModuleNotFoundError
        If the decoder is not installed.
    ValueError
        If there is no video of these actions, one is there twice or cannot be decoded, or an
        action is not known.

    Notes
    -----
    Only files with the published names are read; backgrounds and videos for tests of robustness,
    which are published beside them, are passed over. Frames are decoded from sRGB to linear light,
    as in :func:`natural_images`. An incomplete copy is loaded as it is: look at the counts.

    References
    ----------
    .. [1] L. Gorelick, M. Blank, E. Shechtman, M. Irani and R. Basri, "Actions as space-time
       shapes", IEEE Trans. Pattern Analysis and Machine Intelligence 29 (2007), 2247-2253,
       https://www.wisdom.weizmann.ac.il/~vision/SpaceTimeActions.html, without a licence.
    """
    path = Path(path)
    wanted = [check_option("action", each, WEIZMANN_ACTIONS) for each in actions]
    if not path.exists():
        raise FileNotFoundError(
            f"{path.name} must be a folder or an archive with the Weizmann actions; there is none. "
            f"Fetch them from {_URL} first."
        )
    read = _read_with_ffmpeg if reader is None else reader
    found: dict[str, np.ndarray] = {}
    with _files(path) as files:
        chosen = _choose(files, wanted, repeats)
        if not chosen:
            raise ValueError(
                f"{path.name or path} must hold videos of {', '.join(wanted) or 'some action'}, "
                f"such as daria_bend.avi; it holds none. Fetch them from {_URL}."
            )
        for file in chosen:
            found[file.stem] = _decode(file, read)
    parts = [_parts(f"{name}.avi") for name in found]
    return LabelledVideos(
        tuple(found),
        tuple(found.values()),
        tuple(person for person, _, _ in parts),
        tuple(action for _, action, _ in parts),
        f"Gorelick et al. 2007, {_URL}",
    )


def _parts(name: str) -> tuple[str, str, str]:
    """Return person, action and repetition of a published file name, empty for any other."""
    match = _NAME.fullmatch(name.lower())
    return (match[1], match[2], match[3]) if match else ("", "", "")


def _choose(files: list[Path], actions: list[str], repeats: bool) -> list[Path]:
    """Return the wanted videos in the order of actions and names, each once."""
    keys: dict[tuple[int, str, str], Path] = {}
    for file in files:
        person, action, number = _parts(file.name)
        if action in actions and (repeats or number != "2"):
            key = WEIZMANN_ACTIONS.index(action), person, number
            if key in keys:
                raise ValueError(
                    f"{file.name} must be there once; it lies in {keys[key].parent.name} and in "
                    f"{file.parent.name}. Remove one."
                )
            keys[key] = file
    return [keys[key] for key in sorted(keys)]


@contextmanager
def _files(path: Path) -> Iterator[list[Path]]:
    """Give all videos of a folder or an archive, those of archives in a folder that goes again."""
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    archives = [each for each in inside if each.suffix.lower() == ".zip" and each.is_file()]
    files = [each for each in inside if _parts(each.name)[1] and each.is_file()]
    with tempfile.TemporaryDirectory() as folder:
        for i, archive in enumerate(archives):
            target = Path(folder) / f"{i}-{archive.stem}"
            target.mkdir()
            files += _extract(archive, target)
        yield files


def _extract(archive: Path, target: Path) -> list[Path]:
    """Write the videos of an archive into a folder, under their own names alone."""
    files, n_bytes = [], 0
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                name = PurePosixPath(member.filename).name
                if not _parts(name)[1] or "__MACOSX" in member.filename:
                    continue
                n_bytes += member.file_size
                if n_bytes > MAX_BYTES:
                    raise ValueError(f"its videos state more than {MAX_BYTES} bytes")
                (target / name).write_bytes(opened.read(member))
                files.append(target / name)
    except Exception as error:  # a damaged archive fails in many ways, all of which mean one thing
        said = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{archive.name} must be a whole zip archive; got: {said}. Fetch it again."
        ) from error
    return files


def _read_with_ffmpeg(file: Path) -> Iterator[np.ndarray]:
    """Yield the frames of a video, which FFmpeg writes as a stream of PPM pictures."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "imageio-ffmpeg must be installed to decode videos; it is not. Run: "
            "pip install 'sparsecode[video]'."
        ) from error
    command = [get_ffmpeg_exe(), "-nostdin", "-v", "error"]
    command += ["-protocol_whitelist", "file,pipe"]  # a playlist in disguise would fetch others
    command += ["-i", f"file:{file}"]
    command += ["-fps_mode", "passthrough", "-frames:v", str(_MAX_FRAMES + 1)]
    command += ["-f", "image2pipe", "-c:v", "ppm", "-"]
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
            assert process.stdout is not None
            stream = process.stdout.read(MAX_BYTES + 1)
            if len(stream) > MAX_BYTES:  # frames may be of any size, however small the file
                process.kill()
        if len(stream) > MAX_BYTES:
            raise ValueError(f"frames of more than {MAX_BYTES} bytes")
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()
            raise ValueError(said[-1] if said else f"exit code {process.returncode}")
    return _split_ppm(stream)


def _split_ppm(stream: bytes) -> Iterator[np.ndarray]:
    """Yield the pictures of a stream of binary PPM, arrays of shape (height, width, 3)."""
    start = 0
    while start < len(stream):
        header = _PPM.match(stream, start)
        if header is None:
            raise ValueError("no picture where one should begin")
        width, height = int(header[1]), int(header[2])
        start = header.end() + 3 * height * width
        if start > len(stream):
            raise ValueError("a picture that was cut short")
        yield np.frombuffer(stream[header.end() : start], np.uint8).reshape(height, width, 3)


def _decode(file: Path, read: Reader) -> np.ndarray:
    """Return a video as luminance, shape (n_frames, height, width)."""
    frames = []
    try:
        for pixels in read(file):
            pixels = np.asarray(pixels)
            if pixels.ndim not in (2, 3):
                raise ValueError(f"a frame of shape {pixels.shape}")
            frames.append(luminance(pixels))
            if len(frames) > _MAX_FRAMES:
                raise ValueError(f"more than {_MAX_FRAMES} frames")
        if not frames:
            raise ValueError("no frame")
        return np.stack(frames)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # every decoder has errors of its own
        raise ValueError(
            f"{file.name} must be a video that can be decoded; its decoder says "
            f"{type(error).__name__}: {' '.join(str(error).split())[:300]}."
        ) from error


def edge_sequences(
    videos: LabelledVideos | Iterable[np.ndarray],
    *,
    shape: Sequence[int] = (84, 120),
    n_frames: int | None = 30,
    sigma: float = 1.0,
) -> CodeSequences:
    """Turn videos into sequences of binary edges.

    Parameters
    ----------
    videos : LabelledVideos or iterable of ndarray of shape (n_frames, height, width)
        Grey videos.
    shape : pair of int, default=(84, 120)
        Height and width that frames are scaled to.
    n_frames : int or None, default=30
        Frames kept of a longer video, evenly spaced, its first and last among them; None keeps all.
    sigma : float, default=1.0
        Standard deviation in pixels, of scaled frames, of the Gaussian filter before edges are
        found.

    Returns
    -------
    CodeSequences
        Binary frames with `shape` as their units, one sequence per video.

    Raises
    ------
    ValueError, TypeError
        If a video is not an array of finite frames, or an option is out of range.

    Notes
    -----
    The defaults are the frames of the published runs of Sparsey on the Weizmann actions, 84 x 120
    pixels and about 30 of 80 frames; their edge filter is not said. Here it is Canny's with
    :func:`skimage.feature.canny`'s own thresholds on frames scaled to a largest value of 1.
    """
    from skimage.feature import canny
    from skimage.transform import resize

    shape = check_frame(shape)
    sigma = check_positive("sigma", sigma)
    if n_frames is not None:
        n_frames = check_count("n_frames", n_frames)
    credit = videos.credit if isinstance(videos, LabelledVideos) else ""
    codes = []
    for video in videos.videos if isinstance(videos, LabelledVideos) else videos:
        video = np.asarray(video)
        if video.ndim != 3 or 0 in video.shape or not np.isfinite(video).all():
            raise ValueError(
                "videos must hold finite arrays of shape (n_frames, height, width); got one of "
                f"shape {video.shape}."
            )
        largest = float(np.abs(video).max()) or 1.0
        kept = np.arange(len(video))
        if n_frames is not None and n_frames < len(video):
            kept = np.rint(np.linspace(0, len(video) - 1, n_frames)).astype(np.int64)
        scaled = [resize(video[i] / largest, shape, order=1, anti_aliasing=True) for i in kept]
        codes.append(SparseCode.from_dense(np.stack([canny(each, sigma) for each in scaled])))
    if not codes:
        raise ValueError("videos must hold at least one video; got none.")
    lengths = np.array([code.n_samples for code in codes])
    return CodeSequences(SparseCode.concatenate(codes), lengths, f"edges of videos, {credit}")
