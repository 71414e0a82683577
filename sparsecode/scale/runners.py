"""The same task for each shard: in a loop, on processes of this machine, or on a dask cluster."""

from __future__ import annotations

import errno
import secrets
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar

from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from sparsecode._validation import check_count
from sparsecode.scale.readers import need_dask

__all__ = ["Failure", "Shard", "ShardError", "check_runner", "connected", "run_shards", "shards_of"]


class _Numbered(Protocol):
    @property
    def index(self) -> int: ...


Piece = TypeVar("Piece", bound=_Numbered)
_ATTEMPTS = 3  # on a cluster whose workers come and go
_AHEAD = 4  # tasks a thread of a cluster that are submitted before their turn


@dataclass(frozen=True)
class Shard:
    """Some consecutive rows.

    Parameters
    ----------
    index : int
        Number of the shard.
    start, stop : int
        Its rows.
    """

    index: int
    start: int
    stop: int

    def __str__(self) -> str:
        return f"shard {self.index} (rows {self.start} to {self.stop - 1})"


@dataclass(frozen=True)
class Failure:
    """Why a shard has no result, whether any other would fare better, and where it happened."""

    reason: str
    is_final: bool = False
    trace: str = ""


class ShardError(RuntimeError):
    """Some shards failed, after all others were done and kept.

    Attributes
    ----------
    failed : dict of int to str
        The reasons, by the shard's number.
    """

    def __init__(self, message: str, failed: dict[int, str]) -> None:
        super().__init__(message, failed)
        self.message, self.failed = message, failed

    def __str__(self) -> str:
        return self.message


def shards_of(n_rows: int, shard_rows: int) -> list[Shard]:
    """Cut rows into shards; the last may have fewer."""
    starts = range(0, n_rows, shard_rows)
    return [Shard(i, start, min(start + shard_rows, n_rows)) for i, start in enumerate(starts)]


def check_runner(n_workers: Any, client: Any) -> int:
    """Return how many processes to use, once it is clear who runs them."""
    n_workers = check_count("n_workers", n_workers)
    if client is None:
        return n_workers
    missing = [name for name in ("submit", "scatter", "cancel") if not hasattr(client, name)]
    if missing:
        raise TypeError(
            f"client must be a dask.distributed.Client; got {type(client).__name__}. Make one with "
            f"Client(address)."
        )
    if n_workers > 1:
        raise ValueError(
            f"n_workers belongs to this machine and client to a cluster; got {n_workers} and a "
            f"client. Leave one of them out."
        )
    return n_workers


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Connect to a cluster, if there is an address, without ending it."""
    if address is None:
        yield None
        return
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise need_dask("--scheduler", "dask.distributed") from error
    try:
        client = Client(address, timeout=30)
    except Exception as error:  # of many kinds, some without a word
        why = str(error).rstrip(".") or type(error).__name__
        raise OSError(
            f"a scheduler must answer at the address; got {address!r}: {why}. Pass one such as "
            f"tcp://host:8786."
        ) from error
    with client:
        yield client


def run_shards(
    task: Callable[[Any, Piece], Any],
    job: Any,
    shards: Sequence[Piece],
    *,
    n_workers: int = 1,
    client: Any = None,
) -> Iterator[tuple[Piece, Any]]:
    """Run `task(job, shard)` for every shard, and yield each with its result as it is done.

    A shard is anything that a process can be sent and that has a number of its own. What a task
    raises becomes a :class:`Failure`; so does the death of its process, once it has been tried
    again.
    """
    if not shards:
        return
    if client is not None:
        yield from _on_cluster(client, task, job, shards)
    elif n_workers > 1 and len(shards) > 1:
        yield from _on_processes(min(n_workers, len(shards)), task, job, shards)
    else:
        for shard in shards:
            yield shard, _guarded(task, job, shard)


def _guarded(task: Callable[[Any, Piece], Any], job: Any, shard: Piece) -> Any:
    """Return a task's result, or why there is none."""
    try:
        return task(job, shard)
    except Exception as error:  # whatever a reader or a solver raises
        is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        return Failure(f"{type(error).__name__}: {error}", is_full, traceback.format_exc())


def _named(task: Callable[[Any, Piece], Any], job: Any, shard: Piece) -> tuple[Piece, Any]:
    return shard, _guarded(task, job, shard)


def _on_processes(
    n_workers: int, task: Callable[[Any, Piece], Any], job: Any, shards: Iterable[Piece]
) -> Iterator[tuple[Piece, Any]]:
    """Run on processes of this machine; if one dies, go on with new ones."""
    left = {shard.index: shard for shard in shards}
    for _ in range(2):
        try:
            for shard, result in Parallel(
                n_jobs=n_workers, backend="loky", return_as="generator_unordered"
            )(delayed(_named)(task, job, shard) for shard in list(left.values())):
                del left[shard.index]
                yield shard, result
            return
        except TerminatedWorkerError:
            continue
    for shard in left.values():  # one process at a time tells whose death it is
        try:
            yield get_reusable_executor(max_workers=1).submit(_named, task, job, shard).result()
        except TerminatedWorkerError:
            yield shard, Failure("its process was killed, perhaps for want of memory")


def _on_cluster(
    client: Any, task: Callable[[Any, Piece], Any], job: Any, shards: Iterable[Piece]
) -> Iterator[tuple[Piece, Any]]:
    """Run on the workers of a client that somebody else has made, and will close."""
    from dask.distributed import as_completed

    client.wait_for_workers(1)
    token, attempts = secrets.token_hex(4), Counter[int]()
    held = client.scatter(job, broadcast=True, hash=False)  # once, whatever the number of shards
    waiting = iter(shards)
    running: dict[Any, Piece] = {}

    def submit(shard: Piece) -> Any:
        attempts[shard.index] += 1
        key = f"sparsecode-{token}-{shard.index}-{attempts[shard.index]}"
        future = client.submit(_guarded, task, held, shard, key=key, pure=False)
        running[future] = shard
        return future

    ahead = _AHEAD * max(1, sum(client.nthreads().values()))
    done = as_completed([submit(shard) for shard in islice(waiting, ahead)])
    try:
        for future in done:
            shard = running.pop(future)
            if future.status == "finished":
                yield shard, future.result()
                done.update([submit(following) for following in islice(waiting, 1)])
            elif attempts[shard.index] < _ATTEMPTS:  # its worker died, or who held the job
                if held.status != "finished":
                    client.wait_for_workers(1)
                    held = client.scatter(job, broadcast=True, hash=False)
                done.add(submit(shard))
            else:
                why = "was cancelled" if future.cancelled() else f"failed: {future.exception()}"
                yield shard, Failure(f"its task {why}")
                done.update([submit(following) for following in islice(waiting, 1)])
    finally:
        client.cancel(list(running))
