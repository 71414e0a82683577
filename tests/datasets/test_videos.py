"""The loader of the Weizmann actions, on videos made here under the published names."""

from __future__ import annotations

import builtins
import subprocess
import zipfile

import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from sparsecode.datasets import WEIZMANN_ACTIONS, edge_sequences, load_weizmann

NAMES = ("daria_walk", "eli_walk", "lena_run1", "lena_run2", "daria_bend")


def video(i, n_frames=6):
    """A bright bar that moves to the right, 144 x 180 pixels, in three colours."""
    frames = np.zeros((n_frames, 144, 180, 3), np.uint8)
    for t in range(n_frames):
        frames[t, 40:100, 20 + 16 * t + 4 * i : 36 + 16 * t + 4 * i] = 255
    return frames


def read(path):
    """Stand in for a decoder: the number in the file says which video it is."""
    return iter(video(int(path.read_bytes())))


@pytest.fixture
def folder(tmp_path):
    """Videos in folders, beside files that are not of the set."""
    for i, name in enumerate(NAMES):
        file = tmp_path / name.split("_")[1].rstrip("12") / f"{name}.avi"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(str(i).encode())
    for other in ("bg_015.avi", "walk/moonwalk.avi", "classification_masks.mat", "daria_walk.txt"):
        (tmp_path / other).write_bytes(b"other")
    return tmp_path


def test_a_folder_is_read_in_the_order_of_actions_and_names(folder):
    found = load_weizmann(folder, reader=read)
    assert found.names == ("daria_bend", "lena_run1", "daria_walk", "eli_walk")
    assert found.actions == ("bend", "run", "walk", "walk")
    assert found.people == ("daria", "lena", "daria", "eli")
    assert [each.shape for each in found.videos] == [(6, 144, 180)] * 4
    np.testing.assert_allclose(found.videos[2], video(0)[..., 0] / 255, atol=1e-4)
    assert "Gorelick" in found.credit
    assert len(load_weizmann(folder, repeats=True, reader=read)) == 5
    assert load_weizmann(folder, actions=["walk"], reader=read).names == ("daria_walk", "eli_walk")


def test_archives_are_read_alone_and_from_a_folder(tmp_path):
    for action in ("walk", "run"):
        with zipfile.ZipFile(tmp_path / f"{action}.zip", "w") as archive:
            for i, name in enumerate(NAMES):
                if action in name:
                    archive.writestr(f"../{action}/{name}.avi", str(i))
                    archive.writestr(f"__MACOSX/{name}.avi", "no video")
    assert load_weizmann(tmp_path, reader=read).names == ("lena_run1", "daria_walk", "eli_walk")
    assert load_weizmann(tmp_path / "walk.zip", reader=read).names == ("daria_walk", "eli_walk")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["run.zip", "walk.zip"]


def test_a_real_video_is_decoded(tmp_path):
    command = [get_ffmpeg_exe(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", "180x144", "-r", "25", "-i", "-", "-c:v", "ffv1", "-pix_fmt", "bgr0"]
    file = tmp_path / "ira_side.avi"
    subprocess.run([*command, str(file)], input=video(0).tobytes(), check=True)
    (found,) = load_weizmann(tmp_path).videos
    assert found.shape == (6, 144, 180)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, video(0)[..., 0] / 255, atol=1e-4)
    whole = file.read_bytes()
    file.write_bytes(b"no video" + whole[8:200])
    with pytest.raises(ValueError, match=r"ira_side\.avi must be a video that can be decoded; its"):
        load_weizmann(tmp_path)


def test_a_missing_decoder_is_named_with_the_command(folder, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "imageio_ffmpeg":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'sparsecode\[video\]'"):
        load_weizmann(folder)


def test_edges_of_videos_are_sequences(folder):
    found = load_weizmann(folder, reader=read)
    made = edge_sequences(found, shape=(36, 45), n_frames=4)
    assert made.code.unit_shape == (36, 45)
    assert made.lengths.tolist() == [4] * 4
    assert "Gorelick" in made.credit
    outline = made[2].to_dense()[0]
    rows, columns = np.flatnonzero(outline.any(1)), np.flatnonzero(outline.any(0))
    assert abs(rows - np.clip(rows, 9, 25)).max() <= 1  # 40:100 of 144 rows, a quarter of each
    assert abs(columns - np.clip(columns, 4, 9)).max() <= 1
    last = np.flatnonzero(made[2].to_dense()[-1].any(0))
    assert abs(last.mean() - columns.mean() - 20) <= 1  # five steps of 16, a quarter of that
    assert edge_sequences(found, n_frames=None).lengths.tolist() == [6] * 4


def test_there_are_ten_actions():
    assert len(set(WEIZMANN_ACTIONS)) == 10


def test_bad_copies_are_named(folder, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(FileNotFoundError, match="nowhere must be a folder or an archive"):
        load_weizmann(empty / "nowhere")
    with pytest.raises(ValueError, match=r"must hold videos of walk, such as daria_bend\.avi"):
        load_weizmann(empty, actions=["walk"])
    with pytest.raises(ValueError, match="action must be one of 'bend'"):
        load_weizmann(folder, actions=["fly"])
    with pytest.raises(ValueError, match=r"daria_bend\.avi must be a video that can be decoded"):
        load_weizmann(folder, reader=lambda path: iter([np.zeros(3)]))
    with pytest.raises(ValueError, match=r"daria_bend\.avi .* ValueError: no frame"):
        load_weizmann(folder, reader=lambda path: iter([]))
    (folder / "daria_walk.avi").write_bytes(b"0")
    with pytest.raises(ValueError, match=r"daria_walk\.avi must be there once; it lies in"):
        load_weizmann(folder, reader=read)
    (empty / "walk.zip").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"walk\.zip must be a whole zip archive"):
        load_weizmann(empty)
    with pytest.raises(ValueError, match="videos must hold at least one video; got none"):
        edge_sequences([])
    with pytest.raises(ValueError, match=r"got one of shape \(3, 3\)"):
        edge_sequences([np.zeros((3, 3))])
