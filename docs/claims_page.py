"""The page "What the papers claim and what we found", written from records.

An experiment with a record under ``docs/records/`` is quoted from it. Of any other experiment the
claims are listed as *not tested*, with the command that would test them; their texts come from a
run of the smallest preset.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from experiments._framework import Claim, Experiment, Record, Verdict, discover, registered
from experiments._framework.experiment import STYLE
from experiments._framework.record import jsonable
from experiments._framework.report import MEANINGS, SYMBOLS, duration, link, number
from sparsecode.core.io import load_json

__all__ = ["SCIENCES", "Entry", "Science", "entries", "page", "plain", "saved_claims", "write"]


@dataclass(frozen=True)
class Science:
    """One part of the page: what it is called, its experiments in order, and the pages on it."""

    title: str
    experiments: tuple[str, ...] = ()
    guides: tuple[str, ...] = ()


SCIENCES = (
    Science(
        "Sparse coding",
        ("v1-penalties", "cel0-exactness", "kernel-heterogeneity", "sparse-images-classify"),
        ("sparse_coding", "l0_and_cel0", "convolutional"),
    ),
    Science(
        "Sparse distributed representations",
        (
            *("dendrite-false-positives", "dendrite-noise", "union-property", "scalar-sdr"),
            *("nmda-threshold", "spiking-dendrite", "sequence-robustness"),
        ),
        ("sdrs", "dendrites", "sdr_theory", "spiking_dendrites", "htm"),
    ),
    Science(
        "Associative memories",
        (
            *("memory-capacity", "codes-into-memory", "similar-inputs-similar-codes"),
            *("sparsey-mnist", "sparsey-sequences", "sparsey-capacity"),
        ),
        ("memories", "sparsey", "which_memory"),
    ),
    Science(
        "Sparse networks",
        ("crate-layers", "crate-vs-exact", "lazy-neurons", "top-k-transformer", "one-yardstick"),
        ("crate", "inference_sparsity", "comparing"),
    ),
)


@dataclass(frozen=True)
class Entry:
    """One experiment's section: its claims, and the record that they come from, if there is one."""

    experiment: Experiment
    claims: tuple[Claim, ...]
    record: Record | None = None

    @property
    def counts(self) -> Counter[Verdict]:
        """Return how many claims have each verdict."""
        return Counter(claim.verdict for claim in self.claims)


def entries(records: Path) -> list[Entry]:
    """Return every experiment that claims anything, with its record where one is kept.

    Parameters
    ----------
    records : pathlib.Path
        The folder with one folder a record, named after its experiment.

    Raises
    ------
    ValueError
        If a record was changed by hand, is of another experiment than its folder says, makes
        claims that no experiment declares, or is judged otherwise by the claims of today.
    """
    discover()
    found = []
    for path in sorted(records.glob("*/record.json")):
        if path.parent.name not in registered() and load_json(path)["claims"]:
            raise ValueError(
                f"A record with claims must belong to a declared experiment; {path.parent.name} "
                f"does not. Rename its folder or remove it."
            )
    for one in registered().values():
        if (records / one.name / "record.json").is_file():
            record = one.load(records / one.name)
            if saved_claims(one.judge(record)) != saved_claims(record):
                raise ValueError(
                    f"The record of {one.name} must hold the claims that its experiment makes; "
                    f"they have changed since. Judge it again with `python -m experiments plot` "
                    f"and keep it again."
                )
            found.append(Entry(one, record.claims, record))
        elif not one.missing():
            claims = one.run(one.config("smoke")).claims
            found.append(Entry(one, tuple(_untested(one, claim) for claim in claims)))
    return [entry for entry in found if entry.claims]


def saved_claims(record: Record) -> list[Any]:
    """Return the claims as a record's file has them."""
    return [jsonable(asdict(claim)) for claim in record.claims]


def _untested(one: Experiment, claim: Claim) -> Claim:
    """Return the claim as one that nobody has measured at its size."""
    note = f"Not run yet: python -m experiments run {one.name} --preset {claim.preset}"
    return replace(claim, measured=None, verdict=Verdict.NOT_TESTED, note=note)


def write(docs: Path) -> None:
    """Write the page's text and figures below ``docs/_generated``."""
    found = entries(docs / "records")
    folder = docs / "_generated" / "claims"
    folder.mkdir(parents=True, exist_ok=True)
    for entry in found:
        if entry.record is not None:
            _draw(entry.experiment, entry.record, folder / f"{entry.experiment.name}.png")
    notebooks = {
        path.stem.replace("_", "-"): f"/notebooks/{path.stem}"
        for path in (docs / "notebooks").glob("*_*.md")
        if (docs / "records" / path.stem.replace("_", "-")).is_dir()
    }
    (docs / "_generated" / "claims.md").write_text(page(found, notebooks), encoding="utf8")


def _draw(one: Experiment, record: Record, path: Path) -> None:
    """Draw the record's figure; nothing is computed again."""
    import matplotlib

    figure = one.draw(record)
    with matplotlib.rc_context(fname=STYLE):
        figure.savefig(path)


def page(found: Iterable[Entry], notebooks: Mapping[str, str] | None = None) -> str:
    """Return the page below its heading: counts, the verdicts' meanings, a part for each science.

    Parameters
    ----------
    found : iterable of Entry
    notebooks : mapping of str to str, optional
        The page of each experiment that has one.
    """
    found = list(found)
    groups = list(_grouped(found))
    parts = [_totals(found), _summary(groups, found), _meanings()]
    for science, entries_ in groups:
        parts.append(f"## {science.title}")
        if science.guides:
            guides = ", ".join(f"{{doc}}`/guide/{name}`" for name in science.guides)
            parts.append(f"To read: {guides}.")
        parts += [_section(entry, notebooks or {}) for entry in entries_]
    return "\n\n".join(parts) + "\n"


def _grouped(found: list[Entry]) -> Iterator[tuple[Science, list[Entry]]]:
    """Return the entries of each science; those with a record first, what is in none last."""
    placed = [name for science in SCIENCES for name in science.experiments]
    others = tuple(e.experiment.name for e in found if e.experiment.name not in placed)
    for science in (*SCIENCES, Science("More", others)):
        mine = [entry for entry in found if entry.experiment.name in science.experiments]
        mine.sort(key=lambda entry: science.experiments.index(entry.experiment.name))
        mine.sort(key=lambda entry: entry.record is None)
        if mine:
            yield science, mine


def _totals(found: list[Entry]) -> str:
    """Say in a sentence what came out."""
    total: Counter[Verdict] = sum((entry.counts for entry in found), Counter())
    tested = [entry for entry in found if entry.record is not None]
    waiting = sum(entry.counts.total() for entry in found if entry.record is None)
    listed = ", ".join(
        f"{total[verdict]} {verdict}" for verdict in Verdict if verdict is not Verdict.NOT_TESTED
    )
    missing = total[Verdict.NOT_TESTED] - waiting
    return (
        f"Of {total.total() - waiting} claims in {len(tested)} experiments with a kept record: "
        f"**{listed}**; {missing} could not be tested. Another {waiting} claims, in "
        f"{len(found) - len(tested)} experiments, wait for a record of their published size."
    )


def _summary(groups: list[tuple[Science, list[Entry]]], found: list[Entry]) -> str:
    """Return the table of verdict counts."""

    def cells(entries_: list[Entry]) -> list[str]:
        total: Counter[Verdict] = sum((entry.counts for entry in entries_), Counter())
        return [str(total[verdict]) for verdict in Verdict]

    head = ["experiment", *(f"{SYMBOLS[verdict]} {verdict}" for verdict in Verdict), "record"]
    rows = [head, ["---", *["---:"] * len(Verdict), "---"]]
    for science, entries_ in groups:
        rows.append([f"**{science.title}**", *(f"**{n}**" for n in cells(entries_)), ""])
        for entry in entries_:
            preset = _preset(entry.record) if entry.record else "none yet"
            name = f"[{plain(entry.experiment.title)}](#{_anchor(entry.experiment)})"
            rows.append([name, *cells([entry]), preset])
    rows.append(["all", *cells(found), ""])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _meanings() -> str:
    """Say what the verdicts mean."""
    said = (f"{SYMBOLS[verdict]} *{verdict}*: {MEANINGS[verdict]}" for verdict in Verdict)
    return "; ".join(said).replace("; ·", "; and ·") + "."


def _section(entry: Entry, notebooks: Mapping[str, str]) -> str:
    """Return one experiment's section: question, sources, provenance, figure, claims."""
    one = entry.experiment
    parts = [f"({_anchor(one)})=\n### {plain(one.title)}", plain(one.question)]
    if one.name in notebooks:
        parts.append(f"Step by step, with more figures: {{doc}}`{notebooks[one.name]}`.")
    parts.append(f"Sources: {', '.join(_cited(source) for source in one.cites)}.")
    parts.append(_provenance(one, entry.record))
    if entry.record is not None:
        parts.append(
            f"```{{image}} /_generated/claims/{one.name}.png\n:alt: {one.title}\n:width: 100%\n```"
        )
    parts.append(_claims(entry))
    return "\n\n".join(parts)


def _provenance(one: Experiment, record: Record | None) -> str:
    """Say what was run, when, at which revision, and how to run it again."""
    if record is None:
        return "No record of this experiment is kept yet; what it claims is listed below."
    origin = record.provenance
    revision = (origin["revision"] or "unknown")[:10]
    changed = " with changes that were not committed" if origin["dirty"] else ""
    changes = "" if record.preset else " with settings of its own"
    resumed = f" ({record.n_resumed} parts were done before)" if record.n_resumed else ""
    return (
        f"Preset {_preset(record)}, seed {record.seed}, revision {revision}{changed}, "
        f"{origin['date'][:10]}; {duration(record.seconds)}{resumed} on {plain(origin['cpu'])}; "
        f"digest {record.digest[:16]}. `python -m experiments run {one.name} --preset "
        f"{record.preset or 'paper'} --seed {record.seed}`{changes} computes it again."
    )


def _claims(entry: Entry) -> str:
    """Return the table of claims."""
    lines = ["```{list-table}", ":class: judged", ":header-rows: 1", ":widths: 18 42 20 20", ""]
    rows = [("verdict", "claim", "in the paper", "measured")]
    rows += [_row(claim) for claim in entry.claims]
    for row in rows:
        for bullet, cell in zip("*   ", row):
            first, *others = cell.split("\n")
            lines.append(f"{bullet} - {first}")
            lines += [f"    {other}".rstrip() for other in others]
    return "\n".join([*lines, "```"])


def _row(claim: Claim) -> tuple[str, str, str, str]:
    """Return the cells of one claim."""
    source = f"{plain(claim.source)}; counts from the {claim.preset} preset."
    text = [f"{plain(claim.text)}.", f"*{source}*"]
    if claim.note:
        text.append(plain(claim.note))
    return (
        f"{SYMBOLS[claim.verdict]} {claim.verdict}",
        "\n\n".join(text),
        plain(number(claim.published)),
        plain(number(claim.measured)),
    )


def plain(text: str) -> str:
    """Return `text` so that MyST shows it as it stands, on one line."""
    escaped = re.sub(r"([\\`*_{}\[\]()<>#|$~^!&%:+-])", r"\\\1", " ".join(text.split()))
    return re.sub(r"^(\d+)([.)])", r"\1\\\2", escaped)


def _preset(record: Record) -> str:
    return record.preset or "of its own"


def _anchor(one: Experiment) -> str:
    return f"claims-{one.name}"


def _cited(source: str) -> str:
    address = link(source)
    return f"[{plain(source)}]({address})" if address else plain(source)
