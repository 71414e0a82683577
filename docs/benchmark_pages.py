"""The page of benchmarks, written from the records that are kept: no number is typed by hand.

A race is a table of ratios, ours against each peer, with the goal that was set beforehand. What is
no race side by side (rescaled figures, memory, first calls) has a table of its own and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from experiments._framework import Experiment, Record
from experiments._framework.experiment import STYLE
from experiments.benchmarks._experiments import BENCHMARKS, make
from experiments.benchmarks._race import on_threads
from experiments.benchmarks._ratios import goals, limits, markdown, ratios
from experiments.benchmarks.dendrites import dendrite_speed
from experiments.benchmarks.first_call import first_call
from experiments.benchmarks.htm import htm
from experiments.benchmarks.map_memory import map_memory
from experiments.benchmarks.memories import memory_speed
from experiments.benchmarks.memories import ratios as memory_ratios
from experiments.benchmarks.peak_memory import peak_memory
from experiments.benchmarks.scale import scale
from experiments.benchmarks.stored_activations import stored_activations

__all__ = ["anchor", "is_bound", "load", "origin", "per_second", "span", "table", "write"]

#: What each race is called, what is asked, and what counts as precise.
RACES = {
    "lasso": (
        "Lasso",
        "Whitened 16 x 16 patches of norm 1 over {config.n_atoms:,} others. *Precision* is the "
        "largest duality gap of all samples, relative to half a sample's energy. scikit-learn's "
        "stopping rule cannot be loosened, and spams follows the exact path; ours is told to stop "
        "at the gap.",
    ),
    "pursuit": (
        "Pursuits",
        "A number of atoms for each sample. `spams.omp` chooses them as orthogonal least squares "
        "does, so that {{func}}`~sparsecode.solvers.ols` is its opponent: its residual must come "
        "within 0.5 %. {{func}}`~sparsecode.solvers.omp` must come within 0.1 % of scikit-learn's. "
        "*Precision* is the mean squared residual. Activations are planted: sums of "
        "{config.n_active} of {config.n_directions:,} random directions in {config.n_features} "
        "dimensions, with noise.",
    ),
    "nonconvex": (
        "Non-convex penalties",
        "*Precision* is the mean objective. skglm starts from its own lasso codes, which are not "
        "timed; ours from 0. CEL0 is offered by no peer, but over atoms of norm 1 it is MCP that "
        "becomes flat at its threshold, which skglm takes. l0 must reach the objective of spams' "
        "greedy search.",
    ),
    "learning": (
        "Dictionary learning",
        "One pass of `spams.trainDL` over {config.n_samples:,} whitened patches sets the objective "
        "of {config.n_held_out:,} other patches that must be reached; ours stops after as many "
        "batches as that takes, in twentieths of a pass. *Precision* is that objective.",
    ),
    "convolutional": (
        "Convolutional codes",
        "Photographs of normalised local contrast and log-Gabors of 12 x 12 pixels, circular, in "
        "float32. At a tenth of the alpha that silences all kernels these have norm 1; at the "
        "paper's, 0.01, they have the published norms. *Precision* is the relative duality gap, or "
        "the objective, which must come within 0.5 % of a certified reference; codes are judged by "
        "the best dual point known. Peers go through iteration counts a fifth apart, and the clock "
        "stops while they are judged; one round, for some take minutes.",
    ),
    "sdr_overlap": (
        "Overlaps of SDRs",
        "Overlaps of a query with all of 100,000 stored SDRs, or the ten largest of a million. "
        "Both sides make them ready beforehand; *precision* is the largest error.",
    ),
}  # fmt: skip


def anchor(name: str) -> str:
    """Return the name that links to a benchmark's section use."""
    return f"benchmark-{name.replace('_', '-')}"


def load(records: Path, name: str, one: Experiment | None = None) -> Record:
    """Return the kept record of a race, or of an experiment that is given."""
    if one is None:
        return make(name).load(records / f"benchmark-{name}")
    return one.load(records / name)


def write(docs: Path) -> None:
    """Write the text and figures of the page below ``docs/_generated``."""
    records, folder = docs / "records", docs / "_generated" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_summary(records)]
    for name in BENCHMARKS:
        record = load(records, name)
        _draw(make(name), record, folder / f"{name}.png")
        parts.append(_race(name, record))
    for section in (_dendrites, _htm, _memories, _memory, _scale):
        parts.append(section(records))
    _draw(first_call, load(records, "first-call", first_call), folder / "first-call.png")
    parts.append(_first_calls(records))
    text = "\n\n".join(parts) + "\n"
    (docs / "_generated" / "benchmarks.md").write_text(text, encoding="utf8")


def _draw(one: Experiment, record: Record, path: Path) -> None:
    """Draw the record's figure."""
    figure = one.draw(record)
    with matplotlib.rc_context(fname=STYLE):
        figure.savefig(path)


# ------------------------------------------------------------------------------- pieces


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return a Markdown table; the columns `numbers` are flush right."""
    ruler = ["---:" if column in numbers else "---" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


def origin(record: Record) -> str:
    """Say on which machine, when and at which revision a record was made."""
    where = record.provenance
    cores = where["threads"]["available"]
    changed = " with changes that were not committed" if where["dirty"] else ""
    return (
        f"{where['cpu']}, {cores} core{'s' * (cores > 1)}; {where['date'][:10]}, revision "
        f"{(where['revision'] or 'unknown')[:10]}{changed}"
    )


def span(values: Iterable[float], digits: int = 3) -> str:
    """Return the smallest and the largest of some ratios."""
    low, high = min(values := list(values)), max(values)
    low, high = (f"{one:,.{max(digits - len(f'{one:.0f}'), 0)}f}" for one in (low, high))
    return low if low == high else f"{low}–{high}"


def per_second(rate: float) -> str:
    """Return a rate with its thousands apart."""
    return f"{rate:,.0f}/s".replace(",", "\u202f")


def is_bound(row: dict[str, Any]) -> bool:
    """Say whether a peer never became precise enough, so that its ratio is a lower bound."""
    return bool(row["ours"]["precise"] and not row["theirs"]["precise"])


def _goal(row: dict[str, Any]) -> tuple[str, str]:
    """Return the goal of a row and whether it was reached."""
    if not np.isfinite(row["goal"]):
        return "–", "–"
    return f"{row['goal']:g}", "yes" if row["met"] else "no"


# ------------------------------------------------------------------------------- races


def _summary(records: Path) -> str:
    """Return a row for each peer of each benchmark: the range of ratios, and goals reached."""
    rows = []
    for name in BENCHMARKS:
        record = load(records, name)
        found: dict[str, list[dict[str, Any]]] = {}
        for row in ratios(record):
            if row["theirs"]["solver"] != "sparsecode":
                found.setdefault(row["theirs"]["name"], []).append(row)
        for peer, theirs in found.items():
            goals_set = [row for row in theirs if np.isfinite(row["goal"])]
            slower = sum(row["ratio"] < 1 for row in theirs)
            bounds = sum(map(is_bound, theirs))
            rows.append(
                (
                    f"[{RACES[name][0]}](#{anchor(name)})",
                    peer,
                    theirs[0]["theirs"]["licence"],
                    str(len(theirs)),
                    f"{span(row['ratio'] for row in theirs)}"
                    + (f" ({bounds} at least)" if bounds else ""),
                    str(slower) if slower else "–",
                    f"{sum(row['met'] for row in goals_set)} of {len(goals_set)}"
                    if goals_set
                    else "none set",
                )
            )
    rows += _others_summary(records)
    head = (
        "benchmark",
        "against",
        "licence",
        "settings",
        "times as fast",
        "slower in",
        "goals met",
    )
    meaning = (
        "A row is a peer; its ratios are those of all settings. *Slower in* counts the settings in "
        "which ours is the slower; *at least* those in which the peer never became precise enough "
        "in the time that it was given."
    )
    return f"{table(head, rows, numbers=(3,))}\n\n{meaning}"


def _others_summary(records: Path) -> list[tuple[str, ...]]:
    """Return the rows of what is timed in other ways."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in memory_ratios(load(records, "memory-speed", memory_speed)):
        found.setdefault(row["name"], []).append(row)
    rows = []
    for peer, theirs in found.items():
        with_goal = [row for row in theirs if np.isfinite(row["goal"])]
        slower = sum(row["ratio"] < 1 for row in theirs)
        met = sum(row["ratio"] >= row["goal"] for row in with_goal)
        rows.append(
            (
                "[Associative memories](#benchmark-memories)", peer, "BSD-3", str(len(theirs)),
                span(row["ratio"] for row in theirs), str(slower) if slower else "–",
                f"{met} of {len(with_goal)}" if with_goal else "none set",
            )
        )  # fmt: skip
    return rows


def _race(name: str, record: Record) -> str:
    """Return one benchmark's section."""
    title, what = RACES[name]
    met, all_ = goals(record)
    preset = "full" if record.preset == "paper" else record.preset or "with other sizes"
    n_rounds = record.config.n_rounds
    said = [
        f"{met} of {all_} goals met. {origin(record)}, preset {preset}, {n_rounds} "
        f"round{'s' * (n_rounds > 1)}.",
        f"The machine's limits in the same run: {limits(record)}.",
        *(f"{sentence}." for sentence in record.arrays["absent"]),
    ]
    parts = [
        f"({anchor(name)})=\n## {title}",
        what.format(config=record.config),
        " ".join(said),
        f"```{{image}} /_generated/benchmarks/{name}.png\n:alt: Times as fast as each peer, {title}"
        "\n:width: 100%\n```",
        f"```{{container}} races\n\n{_settings(record)}\n```",
        *(more(record) for more in MORE.get(name, ())),
    ]
    return "\n\n".join(parts)


def _settings(record: Record) -> str:
    """Return the table of ratios with what counts first: ratio, goal, and whether it was met."""
    lines = [line.strip("| ").split(" | ") for line in markdown(record).splitlines()]
    race, peer, ours, theirs, ratio, rounds, precision, their_precision, limit, goal, met = zip(
        *(line for line in lines if len(line) > 1)
    )
    their_precision = ("precision: theirs", *their_precision[1:])
    first = race, peer, ratio, goal, met, ours, theirs, rounds
    head, *rows = zip(*first, precision, their_precision, limit)
    return table(head, rows)


def _without_gram(record: Record) -> str:
    """Say what products of matrices alone would allow."""
    config = record.config
    limit = dict(zip(record.arrays["limit_name"], record.arrays["limit"]))
    gigaflop = config.n_active * 2e-9 * config.n_features * config.n_directions
    found = []
    for row in ratios(record):
        if "without Gram" in row["race"]:
            n_threads = row["ours"]["threads"]
            most = limit[f"GEMM float32, {on_threads(n_threads)}, GFLOP/s"] / gigaflop
            found.append(
                f"on {on_threads(n_threads)} at most {most:,.0f} samples a second "
                f"(ours {1 / row['ours']['cost']:,.0f}, spams {1 / row['theirs']['cost']:,.0f})"
            )
    return (
        "Without a Gram matrix each choice multiplies the newest basis vectors of a tile of "
        f"samples by the dictionary, 2 x {config.n_features} x {config.n_directions:,} operations "
        "a sample. What products of matrices reached in the same run allows such a method "
        f"{'; '.join(found)}. spams always makes the matrix, here of "
        f"{4e-6 * config.n_directions**2:.0f} MB."
    )


def _l0learn(record: Record) -> str:
    """Say what L0Learn did elsewhere."""
    l0 = next(row for row in ratios(record) if row["race"] == "l0, float64, 1 thread")
    return (
        "L0Learn is an R package and was not run here. On another machine its descent with swaps "
        "coded 9.8 signals a second of this l0 problem, while `spams.omp` with the same weight "
        "coded 4,565, to a lower objective. Rescaled by the rate of spams in this run, on one "
        f"thread, ours is {l0['ratio'] * 4565 / 9.8:.0f} times as fast; that was not measured."
    )


def _dicodile(record: Record) -> str:
    return (
        "dicodile needs MPI and was not run. On another machine it took 12.5 s for its own, "
        "zero-padded model of a 256 x 256 photograph with 72 kernels, where SPORCO's ADMM took "
        "21.4 s for a hundred iterations."
    )


MORE: dict[str, tuple[Callable[[Record], str], ...]] = {
    "pursuit": (_without_gram,),
    "nonconvex": (_l0learn,),
    "convolutional": (_dicodile,),
}


# ------------------------------------------------------------------------------- other benchmarks


def _dendrites(records: Path) -> str:
    """Return the section on segments."""
    record = load(records, "dendrite-speed", dendrite_speed)
    c = record.config
    rows = [
        (row["task"], row["name"], str(row["threads"]), per_second(row["per_second"]))
        for row in record.table.rows()
    ]
    return "\n\n".join(
        (
            f"({anchor('dendrites')})=\n## Dendritic segments",
            f"*draw*: segments drawn with their inputs, unit by unit, $n = {c.n_units}$, "
            f"$a = {c.n_active}$, $s = {c.n_synapses}$ (the goal was 10 million pairs a second on "
            f"two threads); *detect*: patterns shown to a bank of {c.n_neurons * c.n_segments:,} "
            f"segments. {origin(record)}.",
            table(("task", "by", "threads", "rate"), rows, (2, 3)),
        )
    )


def _htm(records: Path) -> str:
    """Return the section beside htm.core's figures."""
    record = load(records, "htm", htm)
    rows = []
    for row in record.table.rows():
        low, high = sorted((row["by_arithmetic"], row["by_memory"]))
        met = "yes" if low >= row["goal"] else "by one of the two" if high >= row["goal"] else "no"
        rows.append(
            (
                row["task"], per_second(row["ours"]), per_second(row["htm_core_figure"]),
                f"{row['by_arithmetic']:.1f}", f"{row['by_memory']:.1f}", f"{row['goal']:g}", met,
            )
        )  # fmt: skip
    arithmetic, memory = (float(record.arrays[one]) for one in ("arithmetic", "memory"))
    return "\n\n".join(
        (
            f"({anchor('htm')})=\n## Spatial pooler and temporal memory",
            "htm.core has to be built by hand and was not run here. Its figures, from another "
            "machine, are multiplied by how much faster this one does arithmetic "
            f"({arithmetic:.2f}), or reads and writes memory ({memory:.2f}); which of the two held "
            f"it back is not known, so that these ratios are no race side by side. "
            f"{origin(record)}, one thread.",
            table(
                ("task", "ours", "htm.core, elsewhere", "times, by arithmetic", "times, by memory",
                 "goal", "met"),
                rows, (1, 2, 3, 4, 5),
            ),
        )
    )  # fmt: skip


def _memories(records: Path) -> str:
    """Return the section on associative memories."""
    record = load(records, "memory-speed", memory_speed)
    c = record.config
    rows = [
        (
            row["task"], str(row["threads"]), row["name"], per_second(row["ours"]),
            per_second(row["per_second"]), f"**{row['ratio']:.3g}**",
            *_goal({"goal": row["goal"], "met": row["ratio"] >= row["goal"]}),
        )
        for row in memory_ratios(record)
    ]  # fmt: skip
    times = {one: 1e6 * record.arrays[f"sparsey_{one}"] for one in ("store", "recall")}
    listed = "; ".join(
        f"to {name} one it takes "
        + ", ".join(f"{t:.1f} with {n:,} stored" for t, n in zip(each, c.stored))
        for name, each in times.items()
    )
    seconds = float(np.median(record.arrays["sparsey_digits"]))
    return "\n\n".join(
        (
            f"({anchor('memories')})=\n## Associative memories",
            f"Networks of {c.n_units:,} units. NumPy keeps a byte or, packed, a bit for each pair "
            "in Willshaw's memory, and lists the units that it recalls. "
            f"{origin(record)}; medians of {c.n_rounds} rounds.",
            table(
                ("task", "threads", "peer", "ours", "theirs", "ratio", "goal", "met"),
                rows, (1, 3, 4, 5, 6),
            ),
            f"Sparsey, 70 modules of 20 units on 16 x 24 pixels, stored {c.n_digits:,} patterns in "
            f"one trial each in {seconds:.2f} s on one thread; in microseconds, {listed}.",
            "hflayers, whose softmax retrieval read 481 cues a second on another machine, and "
            "torchhd, whose Hopfield network wrote 1,500 patterns and read 2,100 a second there "
            "and whose Kanerva memory read 4,000, were not run here.",
        )
    )  # fmt: skip


def _memory(records: Path) -> str:
    """Return the section on the memory that codes take."""
    peak = load(records, "peak-memory", peak_memory)
    rows = [
        (
            row["coder"], f"{row['n_samples']:,}", f"{row['input']:.2f}", f"{row['density']:.1%}",
            f"{row['beyond']:.2f}", f"**{row['beyond_per_million']:.2f}**",
        )
        for row in peak.table.rows()
    ]  # fmt: skip
    maps = load(records, "map-memory", map_memory)
    map_rows = [
        (row["coder"], f"{row['maps']:.3f}", f"**{row['beyond']:.3f}**")
        for row in maps.table.rows()
    ]
    c = maps.config
    stored = load(records, "stored-activations", stored_activations)
    s = stored.config
    names = {
        "record": "recorded", "topk": f"TopK, {s.n_steps} steps of training included",
        "omp": "OMP, shard by shard",
    }  # fmt: skip
    stored_rows = [
        (names[row["step"]], f"**{row['peak']:.2f}**", f"{row['seconds']:.0f}")
        for row in stored.table.rows()
    ]
    return "\n\n".join(
        (
            f"({anchor('memory')})=\n## Memory",
            "By the operating system's peak, in a process of its own. "
            f"Lasso codes of patches over {peak.config.n_atoms:,} atoms, in GiB "
            "(`python -m experiments.benchmarks.peak_memory`). " + origin(peak) + ".",
            table(
                ("coder", "patches", "the patches", "active", "beyond them", "a million patches"),
                rows, (1, 2, 3, 4, 5),
            ),
            f"Of a photograph of {c.side} x {c.side} pixels and {c.n_atoms} kernels at a tenth of "
            "the largest alpha, in GiB (`python -m experiments.benchmarks.map_memory`). "
            f"{origin(maps)}.",
            table(("coder", "one dense code", "beyond the photograph"), map_rows, (1, 2)),
            f"A store of {stored.table.rows()[0]['rows']:,.0f} activations of {s.d_model} entries, "
            f"{stored.table.rows()[0]['on_disk']:.2f} GiB on disk: recorded from a ViT, coded by a "
            f"TopK autoencoder of {s.n_latents:,} latents and by OMP over its atoms, {s.k} active "
            "each. Peaks are those of whole processes, libraries and mapped pages included "
            f"(`python -m experiments.benchmarks.stored_activations`). {origin(stored)}.",
            table(("step", "GiB at most", "seconds"), stored_rows, (1, 2)),
        )
    )  # fmt: skip


def _scale(records: Path) -> str:
    """Return the section on data beyond memory."""
    record = load(records, "scale", scale)
    c = record.config
    rows = []
    for row in record.table.rows():
        if row["what"] == "shards are the same":
            value = "yes" if row["value"] == 1.0 else "**no**"
        elif row["unit"] in ("rows", "rows a second"):
            value = f"{row['value']:,.0f} {row['unit']}"
        else:
            value = f"{row['value']:.3g} {row['unit']}".strip()
        rows.append((row["what"], value))
    return "\n\n".join(
        (
            f"({anchor('scale')})=\n## Data beyond memory",
            f"{c.n_rows:,} rows of {c.n_features} float32 on disk, {c.n_nonzero} of {c.n_atoms} "
            f"atoms each by OMP, in shards of {c.shard_rows:,}: killed {c.n_kills} times with "
            "SIGKILL at random moments, resumed, and compared with a run that nobody stopped; then "
            f"{c.n_timed:,} rows on one and two workers, medians of {c.n_rounds}, and what a shard "
            f"costs beyond its {c.tiny_rows} rows (`python -m experiments.benchmarks.scale`). "
            f"{origin(record)}.",
            table(("what", "measured"), rows, (1,)),
        )
    )  # fmt: skip


def _first_calls(records: Path) -> str:
    """Return the section on compiling."""
    record = load(records, "first-call", first_call)
    rows = [
        (row["solver"], f"{row['cold']:.1f} s", f"{row['warm']:.2f} s", f"{row['later']:.4f} s")
        for row in sorted(record.table.rows(), key=lambda row: -row["cold"])
    ]
    return "\n\n".join(
        (
            f"({anchor('first-call')})=\n## The first call",
            "A kernel is compiled when it is first needed, and kept on disk. Seconds of the "
            "processor in fresh processes, imports left out; `sparsecode warm-up` compiles ahead. "
            f"{origin(record)}.",
            "```{image} /_generated/benchmarks/first-call.png\n:alt: Seconds of the first call of "
            "each solver\n:width: 100%\n```",
            table(("solver", "nothing compiled", "kernels on disk", "next call"), rows, (1, 2, 3)),
        )
    )
