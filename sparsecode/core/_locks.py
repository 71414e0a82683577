"""One writer for a folder: a lock that the system lets go of when its process ends."""

from __future__ import annotations

import os
import sys
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["hold_lock"]


def hold_lock(path: str | os.PathLike[str]) -> IO[bytes]:
    """Take the lock that a file stands for; closing what is returned lets it go.

    Raises
    ------
    OSError
        If another process holds it, or the file cannot be made.
    """
    file = open(path, "a+b")  # noqa: SIM115 - held until it is closed
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file
