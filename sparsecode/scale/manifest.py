"""What is done, line by line: a file that only grows, and that a killed run leaves readable."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

__all__ = ["NAME", "Manifest", "read_manifest", "sha256"]

#: The manifest's file in the folder of the shards.
NAME = "manifest.jsonl"
_FORMAT, _VERSION = "sparsecode shards", 1


class Manifest:
    """The lines of a folder's manifest, and the file that more are added to.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the shards, locked by the caller.
    configuration : dict of str to str
        What the shards depend on. A manifest that is there must have the same.
    about : dict
        What readers want to know; kept with the configuration.
    """

    def __init__(self, folder: Path, configuration: dict[str, str], about: dict[str, Any]) -> None:
        self.path = folder / NAME
        self.lines: dict[int, dict[str, Any]] = {}
        if self.path.exists() and self.path.stat().st_size:
            header, self.lines, size = _parse(self.path)
            if header is not None:
                _compare(folder, header["configuration"], configuration)
                if size < self.path.stat().st_size:
                    os.truncate(self.path, size)  # a line that a killed run began
                return
        header = {
            "format": _FORMAT, "version": _VERSION, "about": about, "configuration": configuration,
        }  # fmt: skip
        self.path.unlink(missing_ok=True)
        self._write(header)

    def append(self, line: dict[str, Any]) -> None:
        """Add a line, which is on the disk when this returns."""
        self._write(line)
        self.lines[line["shard"]] = line

    def _write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False) + "\n"
        size = self.path.stat().st_size if self.path.exists() else 0
        try:
            with open(self.path, "a+b") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if self.path.exists():
                os.truncate(self.path, size)
            raise OSError(
                error.errno,
                f"{NAME} could not be written: {error.strerror}. Make room, and run again: it "
                f"goes on from there.",
            ) from error


def read_manifest(folder: Path) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """Return header and lines, by shard.

    Raises
    ------
    ValueError
        If there is no manifest, or it is damaged.
    """
    path = folder / NAME
    if not path.is_file():
        raise ValueError(
            f"{folder.name} must hold {NAME}, which encode_shards writes; got none. Pass the "
            f"folder that it wrote to."
        )
    header, lines, _ = _parse(path)
    if header is None:
        raise _damaged(path, 1)
    return header, lines


def sha256(path: Path) -> str:
    """Return the hash of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(path: Path) -> tuple[dict[str, Any] | None, dict[int, dict[str, Any]], int]:
    """Return the header, the lines by shard, and how many bytes of the file are whole lines."""
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    if not whole:
        return None, {}, 0
    header: dict[str, Any] | None = None
    lines: dict[int, dict[str, Any]] = {}
    for number, text in enumerate(whole.split(b"\n"), 1):
        try:
            line = json.loads(text)
            if header is None:
                known = line["format"] == _FORMAT and line["version"] == _VERSION
                if not known or not isinstance(line["configuration"], dict):
                    raise ValueError("another format")
                header = line
            else:
                _check_line(line)
                lines[line["shard"]] = line
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _damaged(path, number) from error
    return header, lines, len(whole) + 1


def _check_line(line: dict[str, Any]) -> None:
    """Raise an error unless a line names a shard, its rows and its file in this folder."""
    numbers = ["shard", "start", "stop"]
    hashes: list[str] = []
    if "failed" not in line:
        numbers += ["bytes", "n_nonzero", "n_unconverged"]
        hashes += ["sha256", "rows_sha256", "some_rows_sha256"]
        if line["file"] != f"{line['shard']:06d}.safetensors":
            raise ValueError("file")
    for name in numbers:
        if type(line[name]) is not int or line[name] < 0:
            raise ValueError(name)
    for name in hashes:
        if not isinstance(line[name], str):
            raise ValueError(name)


def _compare(folder: Path, theirs: dict[str, str], ours: dict[str, str]) -> None:
    differing = [
        f"{name} = {theirs.get(name)} there, {ours.get(name)} here"
        for name in {**theirs, **ours}
        if theirs.get(name) != ours.get(name)
    ]
    if differing:
        raise ValueError(
            f"{folder.name} must hold shards of the same run; got {'; '.join(differing)}. Pass the "
            f"same arguments, or another folder."
        )


def _damaged(path: Path, number: int) -> ValueError:
    return ValueError(
        f"{path.name} must be a whole manifest of version {_VERSION}; line {number} is not one. "
        f"Restore it, or begin in another folder."
    )
