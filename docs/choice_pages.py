"""The tables of "Which solver?" and "Which memory?", decided by the records that are kept.

Each row says what to take and quotes the record that says so. A row whose record no longer says so
stops the build, so that a choice cannot outlive its measurement; what no record decides is listed
as undecided.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from benchmark_pages import anchor, load, origin, per_second, span, table

from experiments import _codes_figures, _v1_claims
from experiments._framework import (
    Experiment,
    Record,
    Table,
    Verdict,
    discover,
    registered,
)
from experiments.benchmarks._ratios import ratios
from experiments.benchmarks.first_call import first_call
from experiments.benchmarks.map_memory import map_memory
from experiments.benchmarks.memories import memory_speed
from experiments.benchmarks.memories import ratios as memory_ratios
from experiments.benchmarks.peak_memory import peak_memory

__all__ = ["Choice", "because", "write"]


class Choice(NamedTuple):
    """A row of a decision table."""

    want: str
    take: str
    reason: str


def because(holds: Any, sentence: str) -> str:
    """Return a reason, as long as its record gives it.

    Raises
    ------
    ValueError
        If it does not: the choice has to be made anew.
    """
    if not holds:
        raise ValueError(
            f"A choice must follow from a kept record; this no longer does: {sentence} Choose "
            f"anew in docs/choice_pages.py."
        )
    return sentence


def write(docs: Path) -> None:
    """Write the tables of both pages below ``docs/_generated``."""
    discover()
    records, folder = docs / "records", docs / "_generated"
    folder.mkdir(exist_ok=True)
    for name, parts in (("which_solver", _solver(records)), ("which_memory", _memory(records))):
        (folder / f"{name}.md").write_text("\n\n".join(parts) + "\n", encoding="utf8")


def _boxed(text: str) -> str:
    """Return a decision table in a box, so that a narrow window can stack its cells."""
    return f"```{{container}} choices\n\n{text}\n```"


def _kept(records: Path, name: str) -> Record:
    one: Experiment = registered()[name]
    return load(records, name, one)


def _see(name: str, text: str) -> str:
    """Return a link to a section of the page of benchmarks."""
    return f"[{text}](#{anchor(name)})"


def _claims(name: str, text: str) -> str:
    """Return a link to an experiment's claims."""
    return f"[{text}](#claims-{name})"


# ------------------------------------------------------------------------------- which solver


def _solver(records: Path) -> list[str]:
    """Return the parts of "Which solver?"."""
    choices = [
        _penalty(records), *_convex(records), *_pursuits(records), *_nonconvex(records),
        *_convolutional(records), *_learning(records), *_thrift(records),
    ]  # fmt: skip
    lasso, pursuit = load(records, "lasso"), load(records, "pursuit").config
    sizes = (
        f"Sizes matter: the races are of patches of 16 x 16 pixels over {lasso.config.n_atoms:,} "
        f"atoms, of activations in {pursuit.n_features} dimensions over {pursuit.n_directions:,}, "
        f"and of photographs, on {lasso.provenance['threads']['available']} cores."
    )
    return [
        sizes,
        _boxed(table(("you want", "take", "because"), choices)),
        "## Error at equal activity",
        _penalties(records),
        "## Distance from the global optimum",
        _optima(records),
        "## Precision and threads",
        _widths(records),
    ]


def _penalty(records: Path) -> Choice:
    record = _kept(records, "v1-penalties")
    n_atoms = max(_v1_claims.sizes(record, "certified"))
    errors = {
        name: _v1_claims.error_at(record, name, n_atoms, "certified", "certified")
        for name in record.config.penalties
    }
    best = min(errors, key=lambda name: errors[name])
    return Choice(
        "the penalty with least error for a number of active atoms",
        "{class}`~sparsecode.penalties.CEL0` or {class}`~sparsecode.penalties.L0`",
        because(
            best in ("cel0", "l0") and errors["l1"] > 1.5 * errors[best],
            f"l1 leaves {errors['l1'] / errors[best]:.1f} times the error of {best} with "
            f"{100 * record.config.density:g} % of {n_atoms:,} atoms active, l1/2 "
            f"{errors['half'] / errors[best]:.2f} times (below)",
        ),
    )


def _convex(records: Path) -> list[Choice]:
    rows = ratios(load(records, "lasso"))
    lowest = min(rows, key=lambda row: row["ratio"])
    worst = max(row["ours"]["value"] / row["ours"]["limit"] for row in rows)
    return [
        Choice(
            "l1 or elastic-net codes of many samples",
            "{func}`~sparsecode.solvers.encode`, which takes "
            "{func}`~sparsecode.solvers.feature_sign`",
            because(
                lowest["ratio"] > 1 and worst <= 1,
                f"at least {lowest['ratio']:.3g} times as fast as every peer in every setting, the "
                f"closest being {lowest['theirs']['name']}, each code within its certified gap "
                f"({_see('lasso', 'lasso')})",
            ),
        )
    ]


def _pursuits(records: Path) -> list[Choice]:
    rows = ratios(load(records, "pursuit"))
    same = [
        (one["ours"], other["ours"])
        for one in rows
        for other in rows
        if one["race"].startswith("OLS, patches")
        and other["race"] == one["race"].replace("OLS", "OMP")
        and one["theirs"]["name"] == "spams"
    ]
    lower = ", ".join(f"{ols['value']:.3g} against {omp['value']:.3g}" for ols, omp in same)
    rates = ", ".join(f"{ols['cost'] / omp['cost']:.2f}" for ols, omp in same)
    omp = [r for r in rows if r["race"].startswith("OMP") and r["theirs"]["name"] != "spams"]
    ours, theirs = (
        [r for r in rows if ("without Gram" in r["race"]) is which and "OLS" in r["race"]]
        for which in (False, True)
    )
    slow = [1 / row["ratio"] for row in theirs]
    return [
        Choice(
            "a number of atoms for each sample, with little error",
            "{func}`~sparsecode.solvers.ols`",
            because(
                same and all(ols["value"] < omp["value"] for ols, omp in same),
                f"residual {lower} by `omp` with as many atoms, in {rates} times its time "
                f"(float32, one thread); {span(row['ratio'] for row in ours)} times as fast as "
                f"`spams.omp`, which chooses alike ({_see('pursuit', 'pursuits')})",
            ),
        ),
        Choice(
            "the same codes as orthogonal matching pursuit elsewhere",
            "{func}`~sparsecode.solvers.omp`",
            because(
                min(row["ratio"] for row in omp) > 1,
                f"{span(row['ratio'] for row in omp)} times as fast as scikit-learn's at its "
                f"residual ({_see('pursuit', 'pursuits')})",
            ),
        ),
        Choice(
            "a pursuit over so many atoms that their Gram matrix would take more than 2 GiB",
            "{func}`~sparsecode.solvers.ols`, which then does without; or a peer that makes it",
            because(
                min(slow) > 1,
                f"without the matrix ours takes {span(slow)} times as long as `spams.omp` with it, "
                f"where memory allows one ({_see('pursuit', 'pursuits')})",
            ),
        ),
    ]


def _nonconvex(records: Path) -> list[Choice]:
    rows = {row["race"]: row for row in ratios(load(records, "nonconvex"))}
    l0 = [row for race, row in rows.items() if race.startswith("l0")]
    mcp, cel0 = rows["mcp, float64, 1 thread"], rows["cel0, float64, 1 thread"]
    link = _see("nonconvex", "non-convex penalties")
    exact = _kept(records, "cel0-exactness").table
    gaps = {part: _quantity(exact, part, GAP) for part in DESCENTS}
    best = min(gaps, key=lambda part: gaps[part])
    return [
        Choice(
            "l0 codes",
            "{func}`~sparsecode.solvers.encode` with {class}`~sparsecode.penalties.L0`, which "
            "takes {func}`~sparsecode.solvers.sbr`",
            because(
                all(row["ours"]["value"] < row["theirs"]["value"] for row in l0),
                f"mean objective {l0[0]['ours']['value']:.4f} against "
                f"{l0[0]['theirs']['value']:.4f} by a greedy search, in about its time "
                f"({span(row['ratio'] for row in l0)} times as fast; {link})",
            ),
        ),
        Choice(
            "CEL0 codes",
            "{func}`~sparsecode.solvers.encode` with {class}`~sparsecode.penalties.CEL0`, which "
            "takes {func}`~sparsecode.solvers.sbr`",
            because(
                cel0["ratio"] > 1 and cel0["ours"]["value"] < cel0["theirs"]["value"],
                f"mean objective {cel0['ours']['value']:.4f} against "
                f"{cel0['theirs']['value']:.4f} by skglm, {cel0['ratio']:.3g} times as fast "
                f"({link})",
            ),
        ),
        Choice(
            "MCP codes",
            "{func}`~sparsecode.solvers.encode` with {class}`~sparsecode.penalties.MCP`, which "
            "takes {func}`~sparsecode.solvers.irl1`",
            because(
                mcp["ratio"] > 1 and mcp["ours"]["precise"],
                f"skglm's objective, {mcp['ratio']:.3g} times as fast ({link})",
            ),
        ),
        Choice(
            "to compare published descents on CEL0 and l0 from many starts",
            "{func}`~sparsecode.solvers.cel0_macro`",
            because(
                best == "CEL0, macro",
                f"ends {gaps[best]:.0%} above the global optimum in the mean, proximal gradient on "
                f"CEL0 {gaps['CEL0, step 1/L']:.0%}, hard thresholding "
                f"{gaps['l0, step 1/L']:.0%} (see below); `sbr` is not in that record",
            ),
        ),
    ]


def _convolutional(records: Path) -> list[Choice]:
    rows = ratios(load(records, "convolutional"))
    few = [row for row in rows if "0.1 alpha_max" in row["race"]]
    peers = [row for row in few if row["theirs"]["solver"] != "sparsecode"]
    many = [row for row in rows if "alpha 0.01" in row["race"]]
    own = {row["race"]: row for row in many if "greedy_cd" in row["theirs"]["name"]}
    loose = next(row for race, row in own.items() if race.endswith("gap 0.01"))
    memory = {
        row["coder"]: row["beyond"] for row in load(records, "map-memory", map_memory).table.rows()
    }
    greedy, barrier = memory["sparsecode greedy_cd"], memory["sparsecode interior_point"]
    link = _see("convolutional", "convolutional codes")
    others = [row for row in many if row["theirs"]["solver"] != "sparsecode"]
    return [
        Choice(
            "convolutional codes with few active units (a tenth of the largest alpha)",
            "{func}`~sparsecode.convolutional.greedy_cd`",
            because(
                min(row["ratio"] for row in peers) > 1 and greedy == min(memory.values()),
                f"{span(row['ratio'] for row in peers)} times as fast as SPORCO and PyTorch, in "
                f"{greedy:.3f} GiB ({link})",
            ),
        ),
        Choice(
            "convolutional codes with about a unit a pixel (alpha 0.01)",
            "{func}`~sparsecode.convolutional.interior_point`",
            because(
                loose["ratio"] > 1 and min(row["ratio"] for row in others) > 1,
                f"{loose['ratio']:.3g} times as fast as `greedy_cd` to a gap of 0.01, and "
                f"precise to 0.0001, which that did not reach; "
                f"{span(row['ratio'] for row in others)} times as fast as the peers. It takes "
                f"{barrier:.2f} GiB where `greedy_cd` takes {greedy:.3f} "
                f"({link}, {_see('memory', 'memory')})",
            ),
        ),
    ]


def _learning(records: Path) -> list[Choice]:
    rows = ratios(load(records, "learning"))
    return [
        Choice(
            "a dictionary from many samples",
            "{func}`~sparsecode.learning.online`",
            because(
                min(row["ratio"] for row in rows) > 1,
                f"{span(row['ratio'] for row in rows)} times as fast as spams and scikit-learn to "
                f"the same objective of other samples ({_see('learning', 'dictionary learning')})",
            ),
        )
    ]


def _thrift(records: Path) -> list[Choice]:
    """Return the choices by precision, memory and first calls."""
    peak = {
        row["coder"]: row["beyond_per_million"]
        for row in load(records, "peak-memory", peak_memory).table.rows()
    }
    calls = load(records, "first-call", first_call).table.rows()
    solvers = [row for row in calls if not row["solver"].startswith("the example")]
    quick = sorted(solvers, key=lambda row: row["cold"])[:3]
    slow = max(solvers, key=lambda row: row["cold"])
    return [
        Choice(
            "many codes in little memory",
            "{func}`~sparsecode.solvers.encode`; any solver, as codes are written sparse",
            because(
                peak["sparsecode"] < peak["scikit-learn"],
                f"{peak['sparsecode']:.2f} GiB beyond a million patches, scikit-learn "
                f"{peak['scikit-learn']:.1f} ({_see('memory', 'memory')})",
            ),
        ),
        Choice(
            "a few codes, once, with nothing compiled yet",
            ", ".join(f"{{func}}`~sparsecode.solvers.{row['solver']}`" for row in quick),
            because(
                quick[-1]["cold"] < slow["cold"],
                f"compiled in {quick[0]['cold']:.1f} to {quick[-1]['cold']:.1f} s, "
                f"`{slow['solver']}` in {slow['cold']:.1f}; from disk all take "
                f"{min(row['warm'] for row in solvers):.1f} to "
                f"{max(row['warm'] for row in solvers):.1f} s "
                f"({_see('first-call', 'the first call')})",
            ),
        ),
    ]


def _penalties(records: Path) -> str:
    """Return the errors of certified codes at equal activity."""
    record = _kept(records, "v1-penalties")
    names, learned = record.config.penalties, "certified"
    rows = []
    for n_atoms in _v1_claims.sizes(record, learned):
        errors = [_v1_claims.error_at(record, name, n_atoms, learned, learned) for name in names]
        bold = [f"**{e:.4f}**" if e == min(errors) else f"{e:.4f}" for e in errors]
        rows.append((f"{n_atoms:,}", *bold))
    said = (
        "Mean squared error of certified codes of image patches with "
        f"{100 * record.config.density:g} % of the atoms active, by penalty, over dictionaries "
        f"learned with the same penalty. l0 and CEL0 have the same minimisers, so that their "
        f"difference is that of their dictionaries and solvers. {origin(record)}; more in "
        f"{_claims('v1-penalties', 'its claims')}."
    )
    return f"{said}\n\n{table(('atoms', *names), rows, range(len(names) + 1))}"


GAP = "gap to the global optimum, mean"
#: The descents of `cel0-exactness`, by the name of its table.
DESCENTS = {
    "CEL0, macro": "{func}`~sparsecode.solvers.cel0_macro`",
    "coordinate descent": "{func}`~sparsecode.solvers.cd` on l0",
    "CEL0, step 1/L": "{func}`~sparsecode.solvers.ista` on CEL0",
    "l0, step 1/L": "{func}`~sparsecode.solvers.ista` on l0, hard thresholding",
}


def _quantity(found: Table, part: str, quantity: str) -> float:
    return float(found.where(part=part, quantity=quantity)["measured"][0])


def _optima(records: Path) -> str:
    """Return how far descents end from the global optimum of l0."""
    record = _kept(records, "cel0-exactness")
    c = record.config
    rows = [
        (
            name,
            f"{_quantity(record.table, part, GAP):.0%}",
            f"{_quantity(record.table, part, 'gap from the start at 0, mean'):.0%}",
            f"{_quantity(record.table, part, 'distinct limits, mean'):.0f}",
        )
        for part, name in DESCENTS.items()
    ]
    said = (
        f"l0 costs above the global optimum, which is known by listing all supports: "
        f"{c.n_problems} problems of {c.n_atoms} atoms in {c.n_features} dimensions, "
        f"{c.n_starts} random starts each. {origin(record)}; more in "
        f"{_claims('cel0-exactness', 'its claims')}."
    )
    head = ("descent", "above it, mean", "from the start at 0", "different ends")
    return f"{said}\n\n{table(head, rows, (1, 2, 3))}"


def _widths(records: Path) -> str:
    """Return what float32 and a second thread bring."""
    rates: dict[str, tuple[str, float, float]] = {}
    for name in ("lasso", "pursuit", "nonconvex"):
        for row in load(records, name).table.rows():
            if row["solver"] == "sparsecode":
                rates[row["race"]] = (name, 1 / row["cost"], row["limit"])
    rows = []
    for race, (name, rate, limit) in rates.items():
        for text, other in (
            ("float64 → float32", race.replace("float64", "float32")),
            ("1 → 2 threads", race.replace("1 thread", "2 threads")),
        ):
            if other != race and other in rates:
                _, faster, asked = rates[other]
                same = np.isclose(asked, limit, rtol=1e-3)
                asked_for = "" if same else f", precise to {asked:g} instead of {limit:g}"
                rows.append(
                    (
                        _see(name, race), text + asked_for, per_second(rate), per_second(faster),
                        f"**{faster / rate:.2f}**",
                    )
                )  # fmt: skip
    said = (
        "Rates of the same work in the same records. They were not raced against each other, "
        "so that differences below a fifth mean little."
    )
    return f"{said}\n\n{table(('work', 'change', 'before', 'after', 'ratio'), rows, (2, 3, 4))}"


# ------------------------------------------------------------------------------- which memory

NAMES = {
    "Willshaw": "{class}`~memory.Willshaw`",
    "Tsodyks-Feigelman": "{class}`~memory.SparseHopfield`",
    "BCPNN": "{class}`~memory.BCPNN`",
    "Sparsey": "{class}`~memory.Sparsey`",
    "nearest": "{class}`~memory.NearestPattern`",
    "Hopfield": "{class}`~memory.Hopfield`",
    "Kanerva": "{class}`~memory.SparseDistributedMemory`",
    "dense, cubic": '{class}`~memory.DenseMemory` (`"polynomial"`, degree 3)',
}


class Held(NamedTuple):
    """What a memory holds: the largest tried load with nine in ten exact, and bits a byte there."""

    load: int
    bits: float
    most: bool


def _held(record: Record, kind: str) -> dict[str, Held]:
    """Return what each memory holds of one kind of patterns."""
    found = {}
    rows = record.table.where(kind=kind)
    for name in dict.fromkeys(rows["memory"].tolist()):
        mine = rows.where(memory=name)
        loads = np.unique(mine["load"])
        exact = np.array([mine.where(load=one)["exact"].mean() for one in loads])
        good = loads[exact >= 0.9]
        largest = int(good.max()) if good.size else 0
        bits = float(mine.where(load=largest)["bits_per_byte"].mean()) if good.size else 0.0
        found[name] = Held(largest, bits, bool(largest == loads[-1]))
    return found


def _largest(held: dict[str, Held], column: str) -> str:
    """Return the memory with most of a column; the oracle that keeps its patterns is left out."""
    return max((name for name in held if name != "nearest"), key=lambda n: getattr(held[n], column))


def _memory(records: Path) -> list[str]:
    """Return the parts of "Which memory?"."""
    record = _kept(records, "memory-capacity")
    held = {kind: _held(record, kind) for kind in ("random", "images", "dense")}
    codes = _kept(records, "codes-into-memory")
    choices = [
        *_by_load(record, held), *_by_codes(codes), *_by_speed(records, codes),
        *_by_sequence(records),
    ]  # fmt: skip
    sizes = (
        f"Sizes matter: capacities are of networks of {record.config.n_units:,} units, rates of "
        f"{load(records, 'memory-speed', memory_speed).config.n_units:,}."
    )
    return [
        sizes,
        _boxed(table(("you have, or want", "take", "because"), choices)),
        "## What they hold",
        _held_table(record, held),
        "## Codes of images",
        _codes_table(codes),
    ]


def _by_load(record: Record, held: dict[str, dict[str, Held]]) -> list[Choice]:
    c = record.config
    random, dense = held["random"], held["dense"]
    link = _claims("memory-capacity", "memory-capacity")
    top, crowd = max(c.loads), 1600  # a load at which none of them recalls all
    share = {
        name: float(record.table.where(kind="random", memory=name, load=crowd)["exact"].mean())
        for name in random
    }
    few = record.table.where(kind="random", load=min(c.loads))
    bytes_ = few.where(memory="Willshaw")["bits_per_byte"].mean()
    bytes_ /= few.where(memory="BCPNN")["bits_per_byte"].mean()
    half = _largest(dense, "load")
    return [
        Choice(
            "sparse random patterns, most bits in a byte",
            NAMES["Willshaw"],
            because(
                _largest(random, "bits") == "Willshaw",
                f"{random['Willshaw'].bits:.2f} bits a byte with {random['Willshaw'].load} "
                f"patterns of {c.n_active} in {c.n_units} units, "
                f"{NAMES['BCPNN']} {random['BCPNN'].bits:.3f} ({link})",
            ),
        ),
        Choice(
            "sparse patterns, as many as possible in a network of pairs",
            NAMES["BCPNN"],
            because(
                max((n for n in share if n != "nearest"), key=lambda n: share[n]) == "BCPNN",
                f"of {crowd:,} such patterns {share['BCPNN']:.0%} are recalled exactly, by "
                f"Willshaw's memory {share['Willshaw']:.0%}, by {NAMES['Tsodyks-Feigelman']} "
                f"{share['Tsodyks-Feigelman']:.0%}; it takes {bytes_:.0f} times the bytes of "
                f"Willshaw's ({link})",
            ),
        ),
        Choice(
            "every pattern back, and room to keep them",
            NAMES["nearest"],
            because(
                random["nearest"].most and held["images"]["nearest"].most,
                f"all of the {top:,} that were tried, random ones or codes of images ({link}); it "
                "keeps the patterns, so that its cost grows with their number",
            ),
        ),
        Choice(
            "patterns of which half of the units are active",
            NAMES["dense, cubic"],
            because(
                half == "dense, cubic",
                f"all of the {dense[half].load} that were tried, {NAMES['Hopfield']} "
                f"{dense['Hopfield'].load}, {NAMES['Kanerva']} "
                f"{dense['Kanerva'].load or 'fewer than ' + str(min(c.loads))} ({link}); it keeps "
                "the patterns too",
            ),
        ),
    ]


def _by_codes(record: Record) -> list[Choice]:
    found = _codes_figures.capacities(record)
    middle = {key: float(np.median(each)) for key, each in found.items()}
    l0 = {name: value for (source, name), value in middle.items() if source == "l0"}
    best = max((name for name in l0 if name != "nearest"), key=lambda name: l0[name])
    moved = {
        name: float(np.median(each))
        for (source, name), each in _codes_figures.capacities(record, "moved").items()
        if source == "l0"
    }
    best_moved = max((name for name in moved if name != "nearest"), key=lambda name: moved[name])
    link = _claims("codes-into-memory", "codes-into-memory")
    return [
        Choice(
            "sparse codes of images, made binary",
            NAMES["BCPNN"],
            because(
                best == "BCPNN",
                f"{l0['BCPNN']:.0f} l0 codes from cues that lack {record.config.missing:.0%}, "
                f"{NAMES['Willshaw']} {l0['Willshaw']:.0f}, {NAMES['Tsodyks-Feigelman']} "
                f"{l0['Tsodyks-Feigelman']:.0f}, {NAMES['Sparsey']} {l0['Sparsey']:.0f} ({link})",
            ),
        ),
        Choice(
            f"cues with {record.config.moved:.0%} of the active units moved elsewhere",
            NAMES[best_moved],
            because(
                moved[best_moved] > moved["Willshaw"],
                f"{moved[best_moved]:.0f} l0 codes, "
                + ", ".join(
                    f"{NAMES[name]} {'fewer than ' * (moved[name] <= min(record.config.loads))}"
                    f"{moved[name]:.0f}"
                    for name in moved
                    if name not in ("nearest", best_moved)
                )
                + f" ({link})",
            ),
        ),
        Choice(
            "a penalty for codes that shall be stored",
            "{class}`~sparsecode.penalties.L0` or {class}`~sparsecode.penalties.CEL0`",
            because(
                all(middle["l0", name] >= middle["l1", name] for name in l0 if name != "nearest"),
                "times as many as of l1: "
                + ", ".join(
                    f"{name} {middle['l0', name] / middle['l1', name]:.2f}"
                    for name in l0
                    if name != "nearest"
                )
                + f" ({link})",
            ),
        ),
    ]


def _by_speed(records: Path, codes: Record) -> list[Choice]:
    l0 = {
        name: float(np.median(each))
        for (source, name), each in _codes_figures.capacities(codes).items()
        if source == "l0"
    }
    record = load(records, "memory-speed", memory_speed)
    rows = [row for row in memory_ratios(record) if row["task"].startswith("Willshaw")]
    times = [1e6 * record.arrays[f"sparsey_{one}"] for one in ("store", "recall")]
    worst = max(float(each.max() / each.min()) for each in times)
    stored = record.config.stored
    link = _see("memories", "associative memories")
    recall = [row["ours"] for row in rows if "recall" in row["task"]]
    return [
        Choice(
            "the most recalls a second",
            NAMES["Willshaw"],
            because(
                min(row["ratio"] for row in rows) > 1
                and min(recall)
                > max(
                    row["per_second"]
                    for row in record.table.rows()
                    if row["name"] == "sparsecode" and "Willshaw" not in row["task"]
                ),
                f"{min(recall):,.0f} to {max(recall):,.0f} cues a second, "
                f"{span(row['ratio'] for row in rows)} times NumPy ({link})",
            ),
        ),
        Choice(
            "a time that does not grow with what is stored, and similar codes for similar inputs",
            NAMES["Sparsey"],
            because(
                worst < 1.5 and min(l0, key=lambda name: l0[name]) == "Sparsey",
                f"an item takes {worst:.2f} times as long at most, from {min(stored):,} to "
                f"{max(stored):,} stored ({link}); similar digits get similar codes "
                f"({_claims('similar-inputs-similar-codes', 'similar inputs')}). It holds fewest "
                "codes of images, see below",
            ),
        ),
    ]


def _by_sequence(records: Path) -> list[Choice]:
    once = _kept(records, "sparsey-sequences")
    robust = _kept(records, "sequence-robustness")
    c = once.config
    claims = {claim.text: claim for claim in (*once.claims, *robust.claims)}
    whole = claims[
        "A sequence of 13 frames, presented once, is recalled perfectly from its first frame"
    ]
    edges = claims["At low load sequences of natural edges are recalled from their first frame"]
    half = claims["Half of the elements are predicted, which is all that can be"]
    return [
        Choice(
            "sequences, each shown once, recalled from their beginning",
            "{class}`~memory.Sparsey`",
            because(
                whole.verdict is Verdict.REPRODUCED and edges.verdict is Verdict.NOT_REPRODUCED,
                f"13 frames from the first: {whole.measured} of {c.n_modules} modules of "
                f"{c.n_units} units; of natural edges less, {edges.measured} of the winners by "
                f"the rule ({_claims('sparsey-sequences', 'sequences')})",
            ),
        ),
        Choice(
            "a stream whose next element is to be predicted, with context and anomalies",
            "{class}`~sdr.TemporalMemory`",
            because(
                half.verdict in (Verdict.REPRODUCED, Verdict.CAVEAT),
                f"{half.measured}, of the 50 % that can be known "
                f"({_claims('sequence-robustness', 'robustness of sequences')})",
            ),
        ),
    ]


def _held_table(record: Record, held: dict[str, dict[str, Held]]) -> str:
    """Return the largest loads and bits a byte, by kind of patterns."""
    c = record.config
    rows = []
    for name in NAMES:
        cells = [NAMES[name]]
        for kind in ("random", "images", "dense"):
            one = held[kind].get(name)
            tried = int(record.table.where(kind=kind)["load"].min())
            cells += (
                ["–", "–"]
                if one is None
                else [f"fewer than {tried}", "–"]
                if not one.load
                else [f"{'≥ ' * one.most}{one.load:,}", f"{one.bits:.3g}"]
            )
        rows.append(tuple(cells))
    said = (
        f"The largest load that was tried ({', '.join(f'{n:,}' for n in c.loads)}) at which nine "
        f"patterns in ten are recalled exactly, from cues that lack {c.missing:.0%} of the active "
        f"units, and the bits of completion in a byte at that load: random patterns of "
        f"{c.n_active} in {c.n_units} units, certified l0 codes of image patches with as many, and "
        f"random patterns of which half are active. ≥ marks the largest load of all. Memories that "
        f"keep patterns have, by the byte, always the bits of the patterns. {origin(record)}; more "
        f"in {_claims('memory-capacity', 'its claims')}."
    )
    head = ("memory", "random", "bits/byte", "codes of images", "bits/byte", "half active",
            "bits/byte")  # fmt: skip
    return f"{said}\n\n{table(head, rows, range(1, 7))}"


def _codes_table(record: Record) -> str:
    """Return how many codes of each source each memory holds."""
    c = record.config
    found = _codes_figures.capacities(record)
    sources = list(dict.fromkeys(source for source, _ in found))
    rows = []
    for name in dict.fromkeys(name for _, name in found):
        cells = [NAMES[name]]
        for source in sources:
            value = float(np.median(found[source, name]))
            less = f"fewer than {c.loads[0]}"
            cells.append(
                f"{'≥ ' * (value >= c.loads[-1])}{value:,.0f}" if value >= c.loads[0] else less
            )
        rows.append(tuple(cells))
    said = (
        f"Patterns of {c.n_active} in {c.n_atoms} units that are stored before fewer than "
        f"{c.level:.0%} are recalled exactly, from cues that lack {c.missing:.0%}: codes of image "
        "patches by three penalties and by a spatial pooler, random ones, and random ones that use "
        f"each atom as often as l0 does. Medians of {c.n_repeats} repeats. {origin(record)}; more "
        f"in {_claims('codes-into-memory', 'its claims')}."
    )
    return f"{said}\n\n{table(('memory', *sources), rows, range(1, len(sources) + 1))}"
