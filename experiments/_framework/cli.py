"""The command line: ``python -m experiments list|run|plot|verify|keep|report``."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from sparsecode.scale.runners import connected

from . import report as html
from .experiment import Experiment, discover, get, registered
from .parts import PartError
from .provenance import source_hash
from .record import PRESETS, Record, Verdict, differences
from .schedule import Board, Schedule

__all__ = ["app", "main"]

app = typer.Typer(
    help="Run the papers' experiments, judge their claims and report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Argument(help="The experiment, as `list` shows it.")]
Preset = Annotated[str, typer.Option(help="smoke (seconds), quick (under a minute) or paper.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change a field: n_units=512, sizes=[1,2]."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the named random streams.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that the parts of a sweep run on.")]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="A dask cluster that they run on instead.")
]
Results = Annotated[Path, typer.Option(help="Where records are kept.")]
#: Bytes of arrays that a record in the repository may have.
MAX_KEPT = 1_000_000


@app.command("list")
def list_experiments() -> None:
    """Show every experiment, what it asks and what it still needs.

    Example: python -m experiments list
    """
    absent = discover()
    width = max(map(len, [*registered(), *absent]), default=0)
    for name, one in registered().items():
        star = "*" if one.headline else " "
        needs = f"  [needs {', '.join(one.missing())}]" if one.missing() else ""
        typer.echo(f"{star} {name:{width}}  {one.question}{needs}")
    for module, need in absent.items():
        typer.echo(f"  {module:{width}}  [needs {need}]")
    typer.echo("\n* headline experiments, which `report` runs without --all")
    if absent or any(one.missing() for one in registered().values()):
        typer.echo("What is needed comes with: pip install '.[all]'")


@app.command()
def run(
    name: Name,
    preset: Preset = "quick",
    changes: Changes = None,
    seed: Seed = 0,
    results: Results = Path("results"),
    workers: Workers = 1,
    scheduler: Scheduler = None,
) -> None:
    """Compute an experiment, judge its claims, keep the record and draw its figure.

    An interrupted run goes on where it stopped. The record does not depend on the workers.

    Example: python -m experiments run v1-penalties --preset smoke --seed 3 --workers 2
    """
    one, config = _resolve(name, preset, changes)
    _needs(one)
    if scheduler is not None and workers > 1:
        _fail(
            f"--workers belongs to this machine and --scheduler to a cluster; got {workers} and "
            f"{scheduler}. Leave one of them out."
        )
    with ExitStack() as stack:
        try:
            client = stack.enter_context(connected(scheduler))
        except (ImportError, OSError) as error:
            _fail(str(error))
        try:
            record = one.run(
                config, seed=seed, results=results, progress=True, n_workers=workers, client=client
            )
        except PartError as error:
            typer.echo("".join(error.__notes__), err=True)
            _fail(str(error))
    _show(record, one.folder(config, seed, results))


@app.command()
def plot(
    name: Name,
    preset: Preset = "quick",
    changes: Changes = None,
    seed: Seed = 0,
    results: Results = Path("results"),
) -> None:
    """Judge and draw a kept record again, without computing anything.

    Example: python -m experiments plot v1-penalties --preset smoke --seed 3
    """
    one, config = _resolve(name, preset, changes)
    folder = one.folder(config, seed, results)
    _kept(one, folder)
    _show(one.refresh(folder), folder)


@app.command()
def verify(
    name: Name,
    preset: Preset = "quick",
    changes: Changes = None,
    seed: Seed = 0,
    results: Results = Path("results"),
    rtol: Annotated[
        float, typer.Option(min=0, help="Tolerance, relative to a column's largest magnitude.")
    ] = 1e-6,
) -> None:
    """Compute a kept record anew and compare; exit with 1 where they differ.

    The kept record stays as it is. With --rtol 0 only equal digests pass.

    Example: python -m experiments verify v1-penalties --preset smoke --seed 3
    """
    one, config = _resolve(name, preset, changes)
    _needs(one)
    old = _kept(one, one.folder(config, seed, results))
    new = one.run(config, seed=seed, progress=True)
    if old.digest == new.digest:
        typer.echo(f"{name}: identical, digest {new.digest[:16]}")
        return
    found = differences(old, new, rtol)
    for difference in found:
        typer.echo(f"{name}: {difference}")
    if found or rtol == 0:
        typer.echo(f"{name}: differs beyond the relative tolerance {rtol:g}")
        raise typer.Exit(1)
    typer.echo(f"{name}: equal within the relative tolerance {rtol:g}, digests differ")


@app.command()
def keep(
    name: Name,
    preset: Preset = "paper",
    changes: Changes = None,
    seed: Seed = 0,
    results: Results = Path("results"),
    records: Annotated[Path, typer.Option(help="Where the docs look for it.")] = Path(
        "docs/records"
    ),
) -> None:
    """Judge a kept record again and copy it to where the docs quote it, without its figure.

    Example: python -m experiments keep cel0-exactness --preset paper
    """
    one, config = _resolve(name, preset, changes)
    folder = one.folder(config, seed, results)
    record = one.judge(_kept(one, folder))
    size = (folder / "arrays.npz").stat().st_size
    if size > MAX_KEPT:
        _fail(f"The arrays of a record in the docs must stay below 1 MB; got {size / 1e6:.1f} MB.")
    if record.provenance["dirty"]:
        typer.echo(f"{name}: it was run with changes that were not committed", err=True)
    record.save(records / one.name)
    typer.echo(_relative(records / one.name))


@app.command()
def report(
    preset: Preset = "quick",
    everything: Annotated[
        bool, typer.Option("--all", help="Every experiment, not only the headline ones.")
    ] = False,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="Take finished records instead of running again.")
    ] = False,
    seed: Seed = 0,
    results: Results = Path("results"),
) -> None:
    """Run the headline experiments and write one HTML page with every figure and claim.

    A table shows what is finished and about how long the rest takes. The last line printed is the
    path of the page. Interrupted, even killed, the same command goes on where it stopped.

    Example: python -m experiments report --preset quick
    """
    if preset not in PRESETS:
        _fail(f"preset must be one of {', '.join(PRESETS)}; got {preset!r}.")
    absent = discover()
    chosen = [one for one in registered().values() if one.headline or everything]
    try:
        entries, schedule = _entries(chosen, preset, seed, results, reuse)
    except KeyboardInterrupt:
        typer.echo("Interrupted; the same command goes on where it stopped.", err=True)
        raise typer.Exit(130) from None
    page = html.write(entries, results / f"report-{preset}.html", preset, absent)
    schedule.close()
    for verdict, count in html.count_verdicts(entries).items():
        typer.echo(f"{count:4d} {verdict}")
    typer.echo(_relative(page))
    if any(entry.problem and not entry.experiment.missing() for entry in entries):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line."""
    app(prog_name="python -m experiments")


def _entries(
    chosen: list[Experiment], preset: str, seed: int, results: Path, reuse: bool
) -> tuple[list[html.Entry], Schedule]:
    """Run what a report consists of, or take what an interrupted one had finished."""
    schedule = Schedule(results, preset, seed)
    board = Board([one.name for one in chosen], preset)
    entries: list[html.Entry] = []
    taken: list[float] = []
    for index, one in enumerate(chosen):
        waiting = [each.name for each in chosen[index:]]
        board.begin(index, schedule.seconds_left(waiting, taken))
        start = time.perf_counter()
        entry, state = _entry(one, preset, seed, results, reuse, schedule)
        seconds = time.perf_counter() - start
        if entry.record is not None and not entry.reused:
            taken.append(seconds)
        entries.append(entry)
        board.end(index, state, seconds, schedule.seconds_left(waiting[1:], taken))
    return entries, schedule


def _entry(
    one: Experiment, preset: str, seed: int, results: Path, reuse: bool, schedule: Schedule
) -> tuple[html.Entry, str]:
    """Run one experiment for the report; a failure is an entry, not the end of the report."""
    config = one.presets[preset]
    folder = one.folder(config, seed, results)
    if one.missing():
        problem = f"Not run: it needs {', '.join(one.missing())}."
        return html.Entry(one, folder, problem=problem), problem
    if (resumed := schedule.resumed(one, folder)) is not None:
        return html.Entry(one, folder, one.refresh(folder, resumed)), "finished before"
    if reuse and (folder / "record.json").is_file():
        try:
            record = one.refresh(folder)
        except ValueError as error:
            typer.echo(f"  {error}", err=True)
        else:
            same = record.provenance["source"] == source_hash(one.source_file())
            entry = html.Entry(one, folder, record, reused=True, outdated=not same)
            return entry, f"taken from {record.provenance['date']}"
    start = time.perf_counter()
    try:
        record = one.run(config, seed=seed, results=results, progress=True)
    except Exception as error:
        problem = f"It failed with {type(error).__name__}: {error}"
        return html.Entry(one, folder, problem=problem), problem
    schedule.finish(one, record, time.perf_counter() - start)
    counts = Counter(str(claim.verdict) for claim in record.claims)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    return html.Entry(one, folder, record), said or "no claims"


def _resolve(name: str, preset: str, changes: list[str] | None) -> tuple[Experiment, Any]:
    """Return the experiment and its config, or end with one sentence."""
    absent = discover()
    try:
        one = get(name)
        values = dict(_parsed(change) for change in changes or ())
        return one, one.config(preset, **values)
    except ValueError as error:
        need = absent.get(name.replace("-", "_"))
        _fail(f"{name} needs {need}: pip install '.[all]'." if need else str(error))


def _parsed(change: str) -> tuple[str, Any]:
    """Return field and value of ``field=value``, the value read as JSON where it is JSON."""
    field, equals, value = change.partition("=")
    if not equals or not field.isidentifier():
        raise ValueError(f"--set must look like field=value; got {change!r}.")
    try:
        return field, json.loads(value)
    except json.JSONDecodeError:
        if value.startswith("[") and value.endswith("]"):  # [l1,cel0], as a shell leaves it
            return field, [part.strip() for part in value[1:-1].split(",")]
        return field, value


def _needs(one: Experiment) -> None:
    """End with one sentence if a required module is missing."""
    if one.missing():
        _fail(f"{one.name} needs {', '.join(one.missing())}: pip install '.[all]'.")


def _kept(one: Experiment, folder: Path) -> Record:
    """Return the record in `folder`, or end with one sentence."""
    try:
        return one.load(folder)
    except FileNotFoundError:
        _fail(f"{one.name} has no finished record in {_relative(folder)}; run it first.")
    except ValueError as error:
        _fail(str(error))


def _show(record: Record, folder: Path) -> None:
    """Print the claims and where the record is."""
    for claim in record.claims:
        typer.echo(f"{html.SYMBOLS[claim.verdict]} {claim.text}: {claim.verdict}")
        values = f"published {html.number(claim.published)}, measured {html.number(claim.measured)}"
        typer.echo(f"    {values} ({claim.source})")
        if claim.note:
            typer.echo(f"    {claim.note}")
    typer.echo(f"{record.experiment}: {record.seconds:.1f} s, digest {record.digest[:16]}")
    typer.echo(_relative(folder))


def _relative(path: Path) -> str:
    """Return `path` as seen from the working directory, where it lies below it."""
    path = path.resolve()
    here = Path.cwd()
    return os.fspath(path.relative_to(here) if path.is_relative_to(here) else path)


def _fail(message: str) -> NoReturn:
    """Print one sentence and end with exit status 2."""
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(2)
