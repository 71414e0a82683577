"""Declare an experiment once; configure, run, judge, draw and load it everywhere."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.util
import inspect
import io
import json
import pkgutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sparsecode._validation import check_count
from sparsecode.core.io import write_bytes
from sparsecode.core.rng import Streams

from .parts import Parts
from .progress import silent, track
from .provenance import provenance, source_hash
from .record import PRESETS, Claim, Outcome, Record, Table, Verdict, as_arrays, jsonable

__all__ = ["REGISTRY", "Experiment", "discover", "experiment", "get", "registered"]

#: Every declared experiment by name.
REGISTRY: dict[str, Experiment] = {}
STYLE = Path(__file__).with_name("figure.mplstyle")


def experiment(
    name: str,
    *,
    config: type,
    title: str = "",
    question: str = "",
    cites: Iterable[str] = (),
    smoke: Mapping[str, Any] | None = None,
    quick: Mapping[str, Any] | None = None,
    paper: Mapping[str, Any] | None = None,
    headline: bool = False,
    requires: Iterable[str] = (),
) -> Callable[[Callable[..., Any]], Experiment]:
    """Declare the decorated function an experiment.

    The function takes ``(config, streams)`` and returns a table (a mapping of columns) or an
    :class:`Outcome`. It may ask, by the name of a parameter, for three more things:

    - ``progress(iterable, description="", total=None)`` wraps a loop in a progress bar;
    - ``cached(key, function, *arguments)`` computes a part once, however often the run is
      interrupted; see :class:`~.parts.Parts`;
    - ``swept({key: (function, *arguments), ...}, description="parts")`` does so for many parts that
      do not depend on one another, on as many workers as the run is given, and shows how far it
      has come. Workers import the functions by name.

    Parameters
    ----------
    name : str
        What one types: lower-case words joined by hyphens.
    config : type
        A frozen dataclass. Its defaults, changed by `smoke`, `quick` or `paper`, are the presets.
    title, question : str
        A heading, and what is asked; by default from `name` and the config's docstring.
    cites : iterable of str
        Sources, such as ``"doi:10.1371/journal.pcbi.1011459"`` or ``"arXiv:1503.07469"``.
    smoke, quick, paper : mapping, optional
        Fields that differ from the config's defaults: seconds, under a minute, as published.
    headline : bool
        Whether ``report`` runs it without ``--all``.
    requires : iterable of str
        Modules it cannot do without, beyond the package's own dependencies.
    """

    def declare(function: Callable[..., Any]) -> Experiment:
        declared = Experiment(
            name, function, config, title, question, tuple(cites),
            dict(zip(PRESETS, (dict(smoke or {}), dict(quick or {}), dict(paper or {})))),
            headline, tuple(requires),
        )  # fmt: skip
        known = REGISTRY.get(name)
        if known is not None and known.function.__module__ != function.__module__:
            raise ValueError(
                f"An experiment's name must be unique; {name!r} is declared in "
                f"{known.function.__module__} and in {function.__module__}."
            )
        REGISTRY[name] = declared
        return declared

    return declare


class Experiment:
    """A config, a function of it, a figure and claims; made by :func:`experiment`."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        config: type,
        title: str,
        question: str,
        cites: tuple[str, ...],
        presets: dict[str, dict[str, Any]],
        headline: bool,
        requires: tuple[str, ...],
    ) -> None:
        if not getattr(getattr(config, "__dataclass_params__", None), "frozen", False):
            raise TypeError(f"The config of {name!r} must be a frozen dataclass; got {config!r}.")
        self.name, self.function, self.Config = name, function, config
        self.title = title or name.replace("-", " ").capitalize()
        self.question = question or (inspect.getdoc(config) or "").split("\n\n")[0]
        self.cites, self.headline, self.requires = cites, headline, requires
        self._adapter: TypeAdapter[Any] = TypeAdapter(config)
        self._draw: Callable[..., Any] | None = None
        self._claims: Callable[[Record], Iterable[Claim]] | None = None
        self._changes = presets
        self.presets = {preset: self.config(preset) for preset in PRESETS}

    def __repr__(self) -> str:
        return f"<Experiment {self.name}>"

    # ---------------------------------------------------------------- declaring

    def plot(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate the figure: ``(record, ax)``, or ``(record, figure)`` for several axes."""
        self._draw = function
        return function

    def claims(self, function: Callable[[Record], Iterable[Claim]]) -> Callable[..., Any]:
        """Decorate the claims: a function of the record that returns :class:`Claim` objects."""
        self._claims = function
        return function

    # ------------------------------------------------------------- configuring

    def config(self, preset: str | None = None, /, **changes: Any) -> Any:
        """Return a checked config: the defaults, changed by a preset and by `changes`.

        Raises
        ------
        ValueError
            One sentence: the unknown preset or field with the known ones, or the value that
            its field does not accept.
        """
        if preset is not None and preset not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}; got {preset!r}.")
        changes = (self._changes[preset] if preset else {}) | changes
        known = [field.name for field in dataclasses.fields(self.Config)]
        unknown = [name for name in changes if name not in known]
        if unknown:
            raise ValueError(
                f"{self.name} has no field {unknown[0]!r}; its fields are {', '.join(known)}."
            )
        try:
            return self._adapter.validate_python(jsonable(changes))
        except ValidationError as error:
            raise ValueError(_first_sentence(error)) from None

    def preset_of(self, config: Any) -> str | None:
        """Return the largest preset that equals `config`, or None."""
        equal = [preset for preset in PRESETS if self.presets[preset] == config]
        return equal[-1] if equal else None

    def missing(self) -> list[str]:
        """Return the required modules that are not installed."""
        return [name for name in self.requires if importlib.util.find_spec(name) is None]

    def folder(self, config: Any, seed: int, results: str | Path) -> Path:
        """Return where the record of `config` and `seed` lives under `results`."""
        text = json.dumps(jsonable(dataclasses.asdict(config)), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return Path(results) / self.name / f"{digest}-seed{seed}"

    # ------------------------------------------------------------------ running

    def run(
        self,
        config: Any = None,
        *,
        seed: int = 0,
        results: str | Path | None = None,
        progress: bool = False,
        n_workers: int = 1,
        client: Any = None,
    ) -> Record:
        """Compute the table and judge the claims.

        Parameters
        ----------
        config : dataclass, optional
            What :meth:`config` returned; by default the config's own defaults.
        seed : int
            Seed of the named random streams.
        results : path-like, optional
            Keep the record, its arrays and its figure in :meth:`folder` there, and resume the
            parts that an interrupted run had finished. By default nothing is written.
        progress : bool
            Show progress bars on standard error.
        n_workers : int, default=1
            Processes of this machine that the parts of a sweep run on, started by joblib.
        client : dask.distributed.Client, optional
            A cluster that they run on instead. The record is the same.

        Returns
        -------
        Record
        """
        missing = self.missing()
        if missing:
            raise ModuleNotFoundError(
                f"{self.name} must have {' and '.join(missing)} installed; run "
                "pip install '.[all]' in the checkout."
            )
        config = self.config(**dataclasses.asdict(config)) if config is not None else self.config()
        seed = check_count("seed", seed, minimum=0)
        source = self.source_file()
        folder = None if results is None else self.folder(config, seed, results)
        shown = track if progress else silent
        parts = Parts(
            None if folder is None else folder / "parts" / source_hash(source),
            shown, n_workers, client,
        )  # fmt: skip
        offered = {"progress": shown, "cached": parts.cached, "swept": parts.swept}
        wanted = inspect.signature(self.function).parameters
        start = time.perf_counter()
        outcome = self.function(
            config, Streams(seed), **{k: v for k, v in offered.items() if k in wanted}
        )
        seconds = time.perf_counter() - start
        table, arrays = outcome if isinstance(outcome, Outcome) else Outcome(outcome)
        record = Record(
            experiment=self.name,
            config=config,
            preset=self.preset_of(config),
            seed=seed,
            table=Table(table),
            arrays=as_arrays(arrays),
            seconds=seconds,
            n_resumed=parts.n_resumed,
            provenance=provenance(source) | {"workers": "cluster" if client else n_workers},
        )
        if folder is None:
            return self.judge(record)
        record.save(folder)  # before claims and figure, so that a slip there costs nothing
        parts.discard()
        return self.refresh(folder, record)

    def judge(self, record: Record) -> Record:
        """Return `record` with its claims, *not tested* where they do not count at its size."""
        if self._claims is None:
            return record
        reached = -1 if record.preset is None else PRESETS.index(record.preset)
        claims = []
        for claim in self._claims(record):
            if reached < PRESETS.index(claim.preset):
                note = (
                    f"Not tested at this size: the verdict counts from the {claim.preset} preset."
                )
                if claim.verdict == Verdict.NOT_TESTED:
                    note = f"{claim.note} {note}"
                claim = dataclasses.replace(claim, verdict=Verdict.NOT_TESTED, note=note)
            claims.append(claim)
        return dataclasses.replace(record, claims=tuple(claims))

    def draw(self, record: Record) -> Any:
        """Return the matplotlib figure of `record`; nothing is computed again."""
        import matplotlib
        from matplotlib.figure import Figure

        if self._draw is None:
            raise ValueError(f"{self.name} has no figure; declare one with @{self.name}.plot.")
        second = list(inspect.signature(self._draw).parameters)[1]
        with matplotlib.rc_context(fname=STYLE):
            figure = Figure()
            self._draw(record, figure.add_subplot() if second == "ax" else figure)
            figure.draw_without_rendering()  # the style must still hold when text is laid out
        return figure

    # ------------------------------------------------------------------ keeping

    def load(self, folder: str | Path) -> Record:
        """Read the record kept in `folder`."""
        record = Record.load(Path(folder), lambda fields: self.config(**fields))
        if record.experiment != self.name:
            raise ValueError(
                f"{Path(folder).name} must hold a record of {self.name}; it is one of "
                f"{record.experiment}."
            )
        return record

    def refresh(self, folder: str | Path, record: Record | None = None) -> Record:
        """Judge and draw the record in `folder` again and keep both; nothing is recomputed."""
        import matplotlib

        folder = Path(folder)
        record = self.judge(record or self.load(folder))
        record.save(folder)
        if self._draw is not None:
            figure = self.draw(record)
            with matplotlib.rc_context(fname=STYLE):
                for kind, dates in (("png", {}), ("pdf", {"CreationDate": None})):
                    picture = io.BytesIO()
                    figure.savefig(picture, format=kind, metadata=dates)
                    write_bytes(folder / f"figure.{kind}", picture.getvalue())
        return record

    def source_file(self) -> Path | None:
        """Return the module that declares this experiment, where it is a file."""
        try:
            path = Path(inspect.getfile(self.function))
        except TypeError:
            return None
        return path if path.is_file() else None


def registered() -> dict[str, Experiment]:
    """Return every declared experiment by name, in alphabetical order."""
    return dict(sorted(REGISTRY.items()))


def get(name: str) -> Experiment:
    """Return the experiment called `name`."""
    if name not in REGISTRY:
        known = ", ".join(registered()) or "none"
        raise ValueError(f"No experiment is called {name!r}; the known ones are {known}.")
    return REGISTRY[name]


def discover(package: str = "experiments") -> dict[str, str]:
    """Import every module of `package`, so that its experiments are registered.

    Names that start with an underscore and ``benchmarks`` are passed over.

    Returns
    -------
    dict of str to str
        The modules that need something that is not installed, and what they need.
    """
    absent = {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if module.name.startswith("_") or module.name == "benchmarks":
            continue
        try:
            importlib.import_module(f"{package}.{module.name}")
        except ModuleNotFoundError as error:
            top = (error.name or "").partition(".")[0]
            if top in ("", "experiments", "sparsecode", "sdr", "memory", package):
                raise  # a slip of ours, not an extra that is missing
            absent[module.name] = top
    return absent


def _first_sentence(error: ValidationError) -> str:
    """Say in one sentence which value a config refuses, and why."""
    first = error.errors()[0]
    if first["type"] == "value_error":  # the config's own __post_init__
        return str(first["ctx"]["error"])
    name = str(first["loc"][0]) + "".join(f"[{index}]" for index in first["loc"][1:])
    return f"{name} {first['msg'].replace('Input should', 'must', 1)}; got {first['input']!r}."
