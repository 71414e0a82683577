"""What an experiment leaves behind: a table, arrays, claims, their digest and their files."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparsecode.core.io import load_arrays, load_json, save_arrays, save_json

__all__ = [
    "PRESETS",
    "Claim",
    "Outcome",
    "Record",
    "Table",
    "Verdict",
    "as_arrays",
    "differences",
    "jsonable",
]

#: The sizes of an experiment, smallest first.
PRESETS = ("smoke", "quick", "paper")
#: The layout of ``record.json``.
FORMAT = 1
#: How the names of arrays of measured times begin.
TIMES = "time of "


class Verdict(StrEnum):
    """The four things that can be said of a published claim."""

    REPRODUCED = "reproduced"
    CAVEAT = "reproduced with a caveat"
    NOT_REPRODUCED = "not reproduced"
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Claim:
    """One published statement beside what was measured here.

    Parameters
    ----------
    text : str
        The statement, as a sentence without a full stop.
    source : str
        The paper and its figure, table or number.
    published, measured : float, str or None
        The two values; a string where one number does not say it.
    verdict : Verdict or bool
        ``True`` is *reproduced*, ``False`` is *not reproduced*.
    note : str
        The caveat, or which data, extra or size is missing; required for those two verdicts.
    preset : {"smoke", "quick", "paper"}
        The smallest size at which the verdict counts. Below it the framework makes it
        *not tested*.
    """

    text: str
    source: str
    published: float | str | None
    measured: float | str | None
    verdict: Any  # a Verdict from __post_init__ on
    note: str = ""
    preset: str = "paper"

    def __post_init__(self) -> None:
        verdict = self.verdict
        if isinstance(verdict, bool | np.bool_):
            verdict = Verdict.REPRODUCED if verdict else Verdict.NOT_REPRODUCED
        if verdict not in list(Verdict):
            known = ", ".join(repr(str(one)) for one in Verdict)
            raise ValueError(
                f"A claim's verdict must be a bool or one of {known}; got {verdict!r}."
            )
        if self.preset not in PRESETS:
            raise ValueError(f"A claim's preset must be one of {PRESETS}; got {self.preset!r}.")
        if verdict in (Verdict.CAVEAT, Verdict.NOT_TESTED) and not self.note:
            raise ValueError(
                f"A claim that is {str(verdict)!r} must say why; got no note. Pass note=."
            )
        object.__setattr__(self, "verdict", Verdict(verdict))
        for name in ("published", "measured"):
            value = getattr(self, name)
            object.__setattr__(self, name, value.item() if isinstance(value, np.generic) else value)


class Table(Mapping[str, np.ndarray]):
    """Named columns of equal length, one row per measurement.

    Parameters
    ----------
    columns : mapping of str to array_like of shape (n_rows,)
        Numbers (kept as float64 or int64), booleans or text. A scalar is a column of one row.

    Raises
    ------
    TypeError
        If a column holds anything else; missing numbers are NaN, never None.
    ValueError
        If a column has more than one dimension or a length of its own.
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = {str(name): _column(name, values) for name, values in columns.items()}
        lengths = {name: column.size for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"A table's columns must be equally long; got lengths {lengths}. Return what is "
                "not one value per row as arrays: Outcome(table, arrays)."
            )
        self.n_rows = next(iter(lengths.values()), 0)

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return self._columns[name]
        except KeyError:
            known = ", ".join(self._columns)
            raise KeyError(f"no column {name!r}; the table has {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"<Table {self.n_rows} rows: {', '.join(self)}>"

    def where(self, **values: Any) -> Table:
        """Return the rows whose columns equal `values`: ``table.where(penalty="l1")``."""
        keep = np.ones(self.n_rows, dtype=bool)
        for name, value in values.items():
            keep &= self[name] == value
        return Table({name: column[keep] for name, column in self.items()})

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries of Python values."""
        columns = [column.tolist() for column in self.values()]
        return [dict(zip(self, row)) for row in zip(*columns)]


class Outcome(NamedTuple):
    """What an experiment returns when columns are not enough.

    `table` holds one value per row and is readable in ``record.json``; `arrays` (dictionaries,
    images, spectra: any shape) go to ``arrays.npz``.
    """

    table: Mapping[str, Any]
    arrays: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Record:
    """The outcome of one run, and where it came from.

    Attributes
    ----------
    experiment : str
        Name of the experiment.
    config : dataclass
        The configuration that was run.
    preset : str or None
        The largest preset that equals `config`; None for a configuration of one's own.
    seed : int
    table : Table
    arrays : dict of str to ndarray
    claims : tuple of Claim
    digest : str
        SHA-256 of experiment, config, seed, table and arrays: equal digests are equal results,
        whenever and wherever they were computed. Arrays of times, which are never equal, are left
        out: their names begin with "time of".
    seconds : float
        Wall time of the computation.
    n_resumed : int
        How many parts an earlier, interrupted run had finished; `seconds` leaves them out.
    provenance : dict
        Revision, source hash, versions, machine and date.
    """

    experiment: str
    config: Any
    preset: str | None
    seed: int
    table: Table
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    seconds: float = 0.0
    n_resumed: int = 0
    provenance: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", self.compute_digest())

    def compute_digest(self) -> str:
        """Return the SHA-256 of what was asked and what came out, and of nothing else."""
        asked = [self.experiment, jsonable(asdict(self.config)), self.seed]
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode())
        for kind, group in (("table", self.table), ("arrays", self.arrays)):
            for name in sorted(group):
                if kind == "arrays" and name.startswith(TIMES):
                    continue
                array = _canonical(group[name])
                digest.update(f"\n{kind} {name} {array.dtype.str} {array.shape}\n".encode())
                digest.update(array.tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``arrays.npz``, then ``record.json``, whose presence means *finished*."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "record.json").unlink(missing_ok=True)
        save_arrays(folder / "arrays.npz", self.arrays)
        save_json(
            folder / "record.json",
            {
                "format": FORMAT,
                "experiment": self.experiment,
                "preset": self.preset,
                "seed": self.seed,
                "config": jsonable(asdict(self.config)),
                "digest": self.digest,
                "seconds": self.seconds,
                "n_resumed": self.n_resumed,
                "claims": [jsonable(asdict(claim)) for claim in self.claims],
                "dtypes": {name: column.dtype.kind for name, column in self.table.items()},
                "table": {name: jsonable(column) for name, column in self.table.items()},
                "provenance": self.provenance,
            },
        )

    @classmethod
    def load(cls, folder: Path, make_config: Any) -> Record:
        """Read a record back; `make_config` turns its dictionary of fields into a config.

        Raises
        ------
        FileNotFoundError
            If the folder holds no finished record.
        ValueError
            If its files are damaged or of another layout.
        """
        folder = Path(folder)
        if not (folder / "record.json").is_file():
            raise FileNotFoundError(f"{folder.name} holds no finished record; run it first.")
        saved = load_json(folder / "record.json")
        try:
            if saved["format"] != FORMAT:
                raise ValueError(f"its format is {saved['format']!r}, not {FORMAT}")
            dtypes = saved["dtypes"]
            record = cls(
                experiment=saved["experiment"],
                config=make_config(saved["config"]),
                preset=saved["preset"],
                seed=saved["seed"],
                table=Table({n: _restored(v, dtypes[n]) for n, v in saved["table"].items()}),
                arrays=load_arrays(folder / "arrays.npz"),
                claims=tuple(Claim(**claim) for claim in saved["claims"]),
                seconds=saved["seconds"],
                n_resumed=saved["n_resumed"],
                provenance=saved["provenance"],
                digest=saved["digest"],
            )
        except Exception as error:  # whatever a changed file leads to
            said = " ".join(str(error).split())[:300]
            raise ValueError(f"{folder.name} holds no readable record: {said}") from error
        if record.compute_digest() != record.digest:
            raise ValueError(
                f"The record in {folder.name} must match its digest; it does not, so a file was "
                "changed or damaged. Run it again."
            )
        return record


def differences(old: Record, new: Record, rtol: float) -> list[str]:
    """Say, one sentence each, where two records differ by more than `rtol`.

    Numbers may differ by `rtol` times the largest finite magnitude of their column or array;
    names, shapes, types, text and the places of NaN and infinity must agree.
    """
    found = []
    for kind, a, b in (("column", old.table, new.table), ("array", old.arrays, new.arrays)):
        for name in sorted({*a, *b}):
            if kind == "array" and name.startswith(TIMES):
                continue
            what = f"{kind} {name!r}"
            if name not in a or name not in b:
                found.append(f"{what} is only in the {'new' if name in b else 'old'} record")
            elif (a[name].shape, a[name].dtype.kind) != (b[name].shape, b[name].dtype.kind):
                found.append(
                    f"{what} was {a[name].dtype} {a[name].shape}, "
                    f"is {b[name].dtype} {b[name].shape}"
                )
            elif a[name].dtype.kind not in "fc":
                changed = int(np.sum(a[name] != b[name]))
                found += [f"{what} differs in {changed} of {a[name].size} entries"] * bool(changed)
            else:
                found += [f"{what} {how}" for how in _float_difference(a[name], b[name], rtol)]
    return found


def as_arrays(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return named arrays of numbers, booleans or text, which files and digests can hold."""
    arrays = {name: np.asarray(value) for name, value in values.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biufcU":
            raise TypeError(
                f"Arrays must hold numbers, booleans or text; got {name!r} of dtype {array.dtype}."
            )
    return arrays


def jsonable(value: Any) -> Any:
    """Return `value` in JSON's types.

    NaN and infinities become the strings "NaN", "Infinity" and "-Infinity", which every JSON
    reader accepts and pydantic turns back into numbers.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, StrEnum):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [jsonable(item) for item in value]
    raise TypeError(
        f"Configs and claims must hold numbers, text, lists and mappings; got {value!r}."
    )


def _column(name: str, values: Any) -> np.ndarray:
    """Return a one-dimensional column of float64, int64, bool or text."""
    column = np.atleast_1d(np.asarray(values))
    if column.ndim != 1:
        raise ValueError(
            f"A table's column must have one dimension; got {name!r} of shape {column.shape}. "
            "Return it as an array: Outcome(table, arrays)."
        )
    if column.size == 0 and column.dtype.kind == "O":
        column = column.astype(float)
    if column.dtype.kind == "U":
        return np.array(column.tolist(), dtype=str)  # the narrowest type, however it was made
    kinds = {"f": np.float64, "i": np.int64, "u": np.int64, "b": np.bool_}
    if column.dtype.kind not in kinds:
        raise TypeError(
            f"A table's column must hold numbers, booleans or text; got {name!r} of dtype "
            f"{column.dtype}. Use NaN for a missing number."
        )
    return column.astype(kinds[column.dtype.kind])


def _restored(values: list[Any], kind: str) -> np.ndarray:
    """Return a column read from JSON in the type it had."""
    if kind == "f":
        return np.array([float(value) for value in values], dtype=np.float64)
    return np.array(values, dtype={"i": np.int64, "b": np.bool_, "U": str}[kind])


def _canonical(array: np.ndarray) -> np.ndarray:
    """Return `array` with little-endian bytes and one kind of NaN."""
    array = np.asarray(array)
    if array.dtype.kind in "fc":
        array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))


def _float_difference(a: np.ndarray, b: np.ndarray, rtol: float) -> list[str]:
    """Return at most one description of how `b` differs from `a`."""
    finite = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return ["has NaN or infinity in other places"]
    scale = np.max(np.abs(a[finite]), initial=0.0)
    largest = np.max(np.abs(a[finite] - b[finite]), initial=0.0)
    if largest <= rtol * scale:
        return []
    relative = largest / scale if scale else math.inf
    return [f"differs by {largest:.3g} ({relative:.2g} of its largest magnitude)"]
