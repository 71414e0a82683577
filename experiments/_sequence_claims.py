"""What a record of `sequence-robustness` says of Hawkins & Ahmad 2016, sentence by sentence."""

from __future__ import annotations

import numpy as np

from experiments._framework import Claim, Record, Verdict, expected

__all__ = ["judge"]

PAPER = expected("hawkins_ahmad2016_simulation")
#: Loss of accuracy, relative, that is as good as none.
SLIGHT = 0.05
MEASURE = (
    "Accuracy: the letter with most predicted columns is the one that comes. How the authors "
    "computed theirs, and which letters their sequences share, is not known: this measure and the "
    "letters (the second, third and fifth) are ours, chosen after seeing results with others."
)


def judge(record: Record) -> list[Claim]:
    """Judge each sentence."""
    return [*course_claims(record), *death_claims(record), *noise_claims(record)]


def course_claims(record: Record) -> list[Claim]:
    """Judge learning, and learning anew."""
    config, courses = record.config, record.arrays["course"].mean(axis=1)[:, :, 0]
    cut = config.n_before // config.stretch
    before, after = courses[:, :cut], courses[:, cut:]
    high, low = before[:, -5:].mean(axis=1)
    ceiling, slight = PAPER["ceiling"].value, PAPER["ceiling"].tolerance or 0.0
    reached = _reached(before[0], (1.0 - slight) * ceiling, config.stretch)
    dip, again = after[0, 0], after[0, -5:].mean()
    return [
        _claim(
            "ceiling", "Half of the elements are predicted, which is all that can be",
            f"{100 * high:.1f} %, in the last {5 * config.stretch} elements before the swap",
            _ours(abs(high - ceiling) <= slight * ceiling), MEASURE,
        ),
        _claim(
            "elements_to_ceiling", "The ceiling is reached after about 2,500 elements",
            f"{reached:,.0f} elements to {100 * (1.0 - slight) * ceiling:.1f} %",
            _ours(reached <= 3000), f"How soon depends on the letters that are shared. {MEASURE}",
        ),
        _claim(
            "swap", "After a swap of the set, accuracy drops and recovers",
            f"{100 * dip:.1f} % in the next {config.stretch} elements, {100 * again:.1f} % at the "
            f"end",
            _ours(dip < 0.5 * high and again > (1.0 - 2 * SLIGHT) * high), MEASURE,
        ),
        _claim(
            "first_order", "A network with one cell per column stays lower",
            f"{100 * low:.1f} % against {100 * high:.1f} %",
            _ours(low < 0.9 * high),
            "It cannot know which of five letters follows the third and the fifth; a guess among "
            "them would give 34 %. With letters 2 to 5 shared the difference is a few per cent of "
            f"the accuracy only. {MEASURE}",
        ),
    ]  # fmt: skip


def _reached(course: np.ndarray, level: float, stretch: int) -> float:
    """Return the elements after which a course has reached a level and stays there."""
    below = np.flatnonzero(course < level)
    return float(stretch * (below[-1] + 2 if below.size else 1))


def death_claims(record: Record) -> list[Claim]:
    """Judge cells that die."""
    found = {
        part: record.table.where(part=f"death, {part}")
        for part in ("first", "last", "not learning")
    }
    level = found["first"]["level"]
    upto = level <= 0.4
    loss = {
        part: 1.0 - rows["guessed"][upto].min() / rows["guessed"][0] for part, rows in found.items()
    }
    most = level[-1]
    worst = found["not learning"]["guessed"][-1] / found["not learning"]["guessed"][0]
    kept = loss["not learning"] <= SLIGHT and loss["last"] <= SLIGHT
    n_first = record.config.n_probed
    rows = found["not learning"]
    index = 1.0 - rows["jaccard"][upto].min() / rows["jaccard"][0]
    return [
        _claim(
            "cell_death", "Up to 40 % of the cells may die at about no loss",
            f"{100 * max(loss['not learning'], 0.0):.1f} % less accuracy without learning; with "
            f"it {100 * max(loss['first'], 0.0):.1f} % in the next {n_first:,} elements and "
            f"{100 * max(loss['last'], 0.0):.1f} % at the end",
            _ours(kept),
            f"While columns without their cell learn anew there is a dip, which the verdict does "
            f"not bound. By the Jaccard index, which must fall with the cells, {100 * index:.0f} % "
            f"are lost without learning. {MEASURE} Of {100 * most:.0f} % "
            f"dead, {100 * worst:.0f} % of the accuracy is left without learning.",
        ),
    ]  # fmt: skip


def noise_claims(record: Record) -> list[Claim]:
    """Judge bits that move."""
    claims = []
    for row in record.table.where(part="one sequence").rows():
        theta = int(row["level"])
        key = f"noise_theta_{theta}"
        n = record.config.n_noisy * record.config.n_active
        spread = np.sqrt(row["predicted"] * (1.0 - row["predicted"]) / n)
        error = max(row["error"], spread)
        known = key in PAPER
        source = PAPER[key].cited if known else "not in the paper"
        claims.append(
            Claim(
                f"With half of the bits moved, a segment of {record.config.n_synapses} synapses "
                f"and threshold {theta} still fires as often as theory says",
                source, PAPER[key].value if known else None,
                f"{row['guessed']:.5f}; theory {row['predicted']:.5f}",
                bool(abs(row["guessed"] - row["predicted"]) <= 4.0 * error),
                f"One sequence, one cell per column, {n:,} cells; four standard errors are "
                f"{4.0 * error:.5f}.",
                preset="quick",
            )
        )  # fmt: skip
    return claims


def _ours(passed: bool) -> Verdict | bool:
    """Return the verdict on what a measure of our own shows: no better than with a caveat."""
    return Verdict.CAVEAT if passed else False


def _claim(key: str, text: str, found: str, verdict: Verdict | bool, note: str = "") -> Claim:
    """Return a claim of the paper."""
    return Claim(text, PAPER[key].cited, PAPER[key].value, found, verdict, note, "quick")
