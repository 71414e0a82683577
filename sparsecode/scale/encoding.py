"""Codes of more rows than memory holds, shard by shard."""

from __future__ import annotations

import hashlib
import inspect
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from tqdm import tqdm

from sparsecode import solvers
from sparsecode._jit import threads
from sparsecode._validation import check_count, check_data, check_dictionary
from sparsecode.core._course import describe
from sparsecode.core._locks import hold_lock
from sparsecode.core.io import RowReader, save_code
from sparsecode.penalties import Penalty, make
from sparsecode.scale.codes import StoredCodes
from sparsecode.scale.manifest import Manifest, sha256
from sparsecode.scale.readers import open_rows
from sparsecode.scale.runners import (
    Failure,
    Shard,
    ShardError,
    check_runner,
    run_shards,
    shards_of,
)
from sparsecode.solvers import SolverResult

__all__ = ["Coding", "EncodingRun", "bind_solver", "default_shard_rows", "encode_shards", "locked"]

_SHARD_BYTES = 2**25  # of rows, unless shard_rows is given


@dataclass(frozen=True)
class Coding:
    """How rows are coded: what a worker needs, and what tells one coding from another."""

    solver: Callable[..., SolverResult]
    arguments: tuple[Penalty, ...]
    options: dict[str, Any]
    n_threads: int | None

    def __call__(self, X: np.ndarray, dictionary: np.ndarray) -> SolverResult:
        """Code rows on the threads that this worker may use, silent about convergence."""
        with threads(self.n_threads), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return self.solver(X, dictionary, *self.arguments, **self.options)

    def described(self) -> dict[str, str]:
        """Return what the codes depend on, as text."""
        return {
            "solver": describe(self.solver),
            "penalty": describe(self.arguments[0]) if self.arguments else "none",
            **{f"option {name}": describe(given) for name, given in sorted(self.options.items())},
        }


def bind_solver(
    solver: str | Callable[..., SolverResult],
    penalty: Penalty | str | None,
    options: dict[str, Any],
    n_threads: int | None,
) -> Coding:
    """Return the solver with its penalty and options, once it is clear that it takes them."""
    solve = solvers.get(solver) if isinstance(solver, str) else solver
    if not callable(solve):
        raise TypeError(f"solver must be a name or a callable; got {solver!r}.")
    if isinstance(penalty, str) and options.get("alpha_ratio") is None:
        raise ValueError(
            f"a penalty given by its name needs alpha_ratio; got {penalty!r} alone. Pass "
            f"alpha_ratio=0.1, say, or a struct such as L1(0.1)."
        )
    arguments = () if penalty is None else (make(penalty) if isinstance(penalty, str) else penalty,)
    if n_threads is not None:
        options = {**options, "n_threads": check_count("n_threads", n_threads)}
    signature = inspect.signature(solve)
    draws = {"rng": None} if "rng" in signature.parameters else {}  # each shard brings its own
    try:
        signature.bind(None, None, *arguments, **(draws | options))
    except TypeError as error:
        raise TypeError(
            f"solver must take (X, dictionary{', penalty' * len(arguments)}) and "
            f"{sorted(options)}; got {solver!r}: {error}. A penalty goes with 'auto', n_nonzero "
            f"with 'omp', say."
        ) from None
    options.pop("n_threads", None)
    return Coding(solve, arguments, options, n_threads)


@dataclass(frozen=True)
class _Job:
    """All that a worker needs to code any shard."""

    rows: RowReader
    dictionary: np.ndarray
    coding: Coding
    folder: Path
    seed: int


@dataclass(frozen=True)
class EncodingRun:
    """What a call of :func:`encode_shards` did.

    Attributes
    ----------
    codes : StoredCodes
        All codes, of this call and of those before it.
    n_encoded, n_skipped : int
        Shards that this call coded, and those that were done before.
    n_unconverged : int
        Rows, of all, whose codes did not meet the solver's tolerance.
    """

    codes: StoredCodes
    n_encoded: int
    n_skipped: int
    n_unconverged: int


def encode_shards(
    source: Any,
    dictionary: Any,
    folder: str | os.PathLike[str],
    *,
    solver: str | Callable[..., SolverResult] = "auto",
    penalty: Penalty | str | None = None,
    shard_rows: int | None = None,
    n_workers: int = 1,
    client: Any = None,
    n_threads: int | None = None,
    resume: bool = True,
    verify: bool = False,
    seed: int = 0,
    progress: bool = False,
    **options: Any,
) -> EncodingRun:
    r"""Code every row of a file, a shard at a time, and keep each shard as soon as it is done.

    Minimises what `solver` minimises, :math:`\frac12 \|x - zD\|^2 + \mathrm{penalty}(z)` per row
    for those with a penalty.

    Parameters
    ----------
    source : path-like, ndarray or RowReader
        What :func:`open_rows` takes: (n_samples, n_features). Integers and float16 become float64,
        a shard at a time.
    dictionary : array-like of shape (n_atoms, n_features)
        Atoms as rows.
    folder : path-like
        Where shards and their manifest go; made if it is not there. With `client` every worker
        must see it under the same path.
    solver : str or callable, default="auto"
        Name of a solver, such as "omp", or a function that other processes can import.
    penalty : Penalty or str, optional
        For solvers that take one.
    shard_rows : int, optional
        Rows of a shard, of which each worker holds one; by default about 32 MiB of rows.
    n_workers : int, default=1
        Processes of this machine, started by joblib; 1 codes in this process.
    client : dask.distributed.Client, optional
        A cluster to run on. It is only used, never closed.
    n_threads : int, optional
        Threads that each worker computes on; by default 1 if there are several workers or a
        client, else all. BLAS is kept to one.
    resume : bool, default=True
        Whether to go on in a folder that holds shards of the same run.
    verify : bool, default=False
        Whether to read all rows and files of shards that are there, and to code again those whose
        file has another hash than in the manifest. Otherwise the file's size must agree, and three
        of its rows.
    seed : int, default=0
        For solvers that draw numbers: shard i has ``SeedSequence(seed, spawn_key=(i,))``.
    progress : bool, default=False
        Whether to show how many shards are done.
    **options
        For the solver, such as ``n_nonzero=8``, ``alpha_ratio=0.1`` or ``tol=1e-4``.

    Returns
    -------
    EncodingRun

    Raises
    ------
    ShardError
        If some shards failed, once all others are done and kept. The next call tries them again.
    ValueError, TypeError
        If an argument makes no sense, the folder holds another run or anything else, or another
        run writes to it.
    OSError
        If the disk is full. What was done is kept.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        Once, with the number of rows that did not converge.

    Notes
    -----
    Each shard is written under a temporary name, renamed when it is whole, and then named by a line
    of the manifest: its rows, size and SHA-256, the hash of the rows it was made from, the
    certificate, and the time it took. A process may be killed at any moment; what the manifest
    names is done, the rest is coded by the next call. The shards' bytes do not depend on the number
    of workers, on who runs them, or on interruptions.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sparsecode.scale import encode_shards
    >>> rng = np.random.default_rng(0)
    >>> X, D = rng.standard_normal((1000, 16)), rng.standard_normal((32, 16))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = encode_shards(X, D, folder, solver="omp", n_nonzero=4, shard_rows=300)
    ...     print(run.n_encoded, run.codes[100:500])
    4 <SparseCode 400 x 32, 12.5 % active, float64>
    """
    rows = open_rows(source)
    atoms = check_dictionary(dictionary)
    if atoms.shape[1] != rows.shape[1]:
        raise ValueError(
            f"source must have shape (n_samples, {atoms.shape[1]}), the dictionary's n_features; "
            f"got {tuple(rows.shape)}."
        )
    n_workers = check_runner(n_workers, client)
    if n_threads is None and (n_workers > 1 or client is not None):
        n_threads = 1
    coding = bind_solver(solver, penalty, options, n_threads)
    shard_rows = (
        default_shard_rows(rows) if shard_rows is None else check_count("shard_rows", shard_rows)
    )
    seed = check_count("seed", seed, minimum=0)
    target = Path(folder).absolute()
    shards = shards_of(len(rows), shard_rows)
    configuration = {
        **coding.described(),
        "dictionary": describe(atoms),
        "source": f"{rows.dtype} {tuple(rows.shape)}",
        "shard_rows": str(shard_rows),
        "seed": str(seed),
    }
    about = {
        "n_samples": len(rows), "n_atoms": len(atoms), "n_shards": len(shards),
        "dtype": str(_code_dtype(rows)),
    }  # fmt: skip
    with locked(target):
        _check_content(target, resume)
        manifest = Manifest(target, configuration, about)
        skipped = {
            shard.index for shard in shards
            if _is_done(target, shard, manifest.lines.get(shard.index), rows, verify)
        }  # fmt: skip
        left = [shard for shard in shards if shard.index not in skipped]
        job = _Job(rows, atoms, coding, target, seed)
        failed: dict[int, str] = {}
        bar = tqdm(
            total=len(shards), initial=len(skipped), desc="encoding", unit=" shards",
            disable=not progress,
        )  # fmt: skip
        with bar:
            for shard, line in run_shards(
                _encode_shard, job, left, n_workers=n_workers, client=client
            ):
                if isinstance(line, Failure):
                    if line.is_final:
                        raise OSError(
                            f"{shard} could not be kept: {line.reason}. Make room, and run again: "
                            f"it goes on from there."
                        )
                    failed[shard.index] = line.reason
                    bar.write(f"{shard}: {line.reason}") if progress else None
                    rows_of = {"start": shard.start, "stop": shard.stop}
                    line = {"shard": shard.index, **rows_of, "failed": line.reason}
                elif not _has_size(target, line):
                    raise ValueError(
                        f"{folder} must be the same folder for this process and its workers; got "
                        f"no {line['file']} of {line['bytes']} bytes here. Use a shared folder."
                    )
                manifest.append(line)
                bar.update()
        if failed:
            first = shards[min(failed)]
            raise ShardError(
                f"every shard must be coded; got {len(failed)} of {len(shards)} that failed, the "
                f"first {first}: {failed[first.index]}. The others are kept; mend the rows and run "
                f"again.",
                failed,
            )
        n_unconverged = sum(manifest.lines[shard.index]["n_unconverged"] for shard in shards)
    if n_unconverged:
        warnings.warn(
            f"{n_unconverged} of {len(rows)} rows did not converge; raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return EncodingRun(StoredCodes(target), len(left), len(skipped), n_unconverged)


def default_shard_rows(rows: RowReader) -> int:
    """Return how many rows make a shard of the usual size."""
    row_bytes = int(rows.shape[1]) * np.dtype(rows.dtype).itemsize
    return max(1, _SHARD_BYTES // row_bytes)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for one run, and remove what killed ones had begun."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = hold_lock(folder / ".lock")
    except OSError as error:
        raise ValueError(
            f"{folder.name} must be written by one run at a time; another one is at work. Wait for "
            f"it, or use another folder."
        ) from error
    try:
        for begun in folder.glob(".*.tmp*"):
            begun.unlink(missing_ok=True)
        yield
    finally:
        lock.close()


def _encode_shard(job: _Job, shard: Shard) -> dict[str, Any]:
    """Code one shard, keep it, and return the manifest's line."""
    start = time.perf_counter()
    raw = np.ascontiguousarray(job.rows[shard.start : shard.stop])
    if len(raw) != shard.stop - shard.start:
        raise ValueError(f"{shard} must have as many rows; got {len(raw)}. Was the source cut?")
    X = check_data(raw, n_features=job.dictionary.shape[1], name=str(shard))
    options = job.coding.options
    if "rng" in inspect.signature(job.coding.solver).parameters and "rng" not in options:
        stream = np.random.SeedSequence(job.seed, spawn_key=(shard.index,))
        options = {**options, "rng": np.random.default_rng(stream)}
    coding = Coding(job.coding.solver, job.coding.arguments, options, job.coding.n_threads)
    result = coding(X, job.dictionary)
    path = job.folder / f"{shard.index:06d}.safetensors"
    save_code(path, result.code)
    return {
        "shard": shard.index,
        "start": shard.start,
        "stop": shard.stop,
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "rows_sha256": _sha256_of(raw),
        "some_rows_sha256": _sha256_of(_some(raw, 0, len(raw))),
        "seed": [job.seed, shard.index],
        "n_nonzero": len(result.code.indices),
        "n_unconverged": int((~result.converged).sum()),
        "certificate": float(result.certificate.max(initial=0.0)),
        "certificate_name": result.certificate_name,
        "seconds": round(time.perf_counter() - start, 6),
    }


def _check_content(folder: Path, resume: bool) -> None:
    """Refuse a folder of other things, or of a run that is not to go on."""
    found = {path.name for path in folder.iterdir()} - {".lock"}
    if "manifest.jsonl" not in found and found:
        raise ValueError(
            f"{folder.name} must be empty or hold shards; got {sorted(found)[0]!r} and "
            f"{len(found) - 1} more. Pass another folder."
        )
    if found and not resume:
        raise ValueError(
            f"{folder.name} must be empty unless resume is asked for; it holds a run. Pass "
            f"resume=True, or another folder."
        )


def _is_done(
    folder: Path, shard: Shard, line: dict[str, Any] | None, rows: RowReader, verify: bool
) -> bool:
    """Say whether a shard's file is what the manifest says, made from these very rows."""
    if line is None or "failed" in line or not _has_size(folder, line):
        return False
    if (line["start"], line["stop"]) != (shard.start, shard.stop):
        return False
    if verify:
        digest = _sha256_of(np.ascontiguousarray(rows[shard.start : shard.stop]))
    else:
        digest = _sha256_of(_some(rows, shard.start, shard.stop))
    if digest != line["rows_sha256" if verify else "some_rows_sha256"]:
        raise ValueError(
            f"source must hold the rows that the shards of {folder.name} were made from; {shard} "
            f"has others. Pass the same source, or another folder."
        )
    return not verify or sha256(folder / line["file"]) == line["sha256"]


def _some(rows: Any, start: int, stop: int) -> np.ndarray:
    """Return the first, the middle and the last of some rows."""
    chosen = (start, (start + stop) // 2, stop - 1)
    return np.concatenate([np.asarray(rows[i : i + 1]) for i in chosen])


def _has_size(folder: Path, line: dict[str, Any]) -> bool:
    path = folder / line["file"]
    return path.is_file() and path.stat().st_size == line["bytes"]


def _sha256_of(raw: np.ndarray) -> str:
    return hashlib.sha256(raw.reshape(-1).view(np.uint8).data).hexdigest()


def _code_dtype(rows: RowReader) -> np.dtype[Any]:
    dtype = np.dtype(rows.dtype)
    return dtype if dtype in (np.float32, np.float64) else np.dtype(np.float64)
