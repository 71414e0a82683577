"""``python -m experiments.benchmarks``: ours and the peers side by side, as tables of ratios."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.benchmarks._experiments import BENCHMARKS, make
from experiments.benchmarks._ratios import goals, limits, markdown

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

#: The presets by the names that benchmarks give them.
PRESETS = {"smoke": "smoke", "quick": "quick", "full": "paper"}


@app.command()
def main(
    benchmarks: Annotated[
        list[str] | None, typer.Argument(help=f"Some of {', '.join(BENCHMARKS)}; by default all.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="smoke (seconds), quick (minutes) or full.")
    ] = "quick",
    rounds: Annotated[int | None, typer.Option(min=1, help="Timed runs of everybody.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the data.")] = 0,
    results: Annotated[Path, typer.Option(help="Where records are kept.")] = Path("results"),
    keep: Annotated[bool, typer.Option(help="Keep it in docs/records too.")] = False,
) -> None:
    """Time ours and every peer that is installed in turn, and print how many times as fast ours is.

    Nothing is downloaded. Peers come with: pip install -c constraints.txt '.[bench,experiments]'.

    Example: python -m experiments.benchmarks lasso --preset full --keep
    """
    chosen = benchmarks or list(BENCHMARKS)
    unknown = [name for name in chosen if name not in BENCHMARKS]
    if unknown or preset not in PRESETS:
        what, known = (unknown[0], BENCHMARKS) if unknown else (preset, PRESETS)
        typer.echo(f"Error: must be one of {', '.join(known)}; got {what!r}.", err=True)
        raise typer.Exit(2)
    for name in chosen:
        one = make(name)
        changes = {} if rounds is None else {"n_rounds": rounds}
        config = one.config(PRESETS[preset], **changes)
        record = one.run(config, seed=seed, results=results, progress=True)
        typer.echo(f"\n{one.title}\n\n{markdown(record)}\n\n{limits(record)}")
        typer.echo("{} of {} goals met".format(*goals(record)))
        if keep:
            record.save(Path("docs/records") / one.name)


if __name__ == "__main__":
    app(prog_name="python -m experiments.benchmarks")
