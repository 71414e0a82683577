"""What a record of `sparse-images-classify` says of Ladret et al. 2023/24, and of their path."""

from __future__ import annotations

import numpy as np

from experiments._classify_coding import CUTOFFS, PAPER
from experiments._classify_measure import DICTIONARIES, PIXELS, interval, overlap
from experiments._framework import Claim, Record, Verdict

__all__ = ["accuracies", "judge"]

#: Loss of accuracy, in points, below which pruning is said to cost nothing.
MARGIN = 1.0
#: Difference to a published accuracy, in points, up to which a measurement counts as equal.
NEAR = 2.0
HOM, HOM_LEARNED, HET, HET_LEARNED = DICTIONARIES
LAST = CUTOFFS[-1]
#: What is written for a dictionary in a line of numbers.
SHORT = {HOM: "hom", HOM_LEARNED: "hom learned", HET: "het", HET_LEARNED: "het learned"}


def accuracies(
    record: Record, dictionary: str, form: str, cutoff: float = 0.0, classifier: str = "network"
) -> np.ndarray:
    """Return the accuracy of each seed in per cent."""
    rows = record.table.where(
        dictionary=dictionary, classifier=classifier, form=form, cutoff=cutoff
    )
    return 100.0 * rows["accuracy"]


class Judge:
    """Verdicts on one record."""

    def __init__(self, record: Record) -> None:
        self.record, self.config = record, record.config
        self.shared = overlap(record.config)
        self.paper = PAPER["accuracy"]
        self.as_the_paper = record.config.data == "cifar10"

    @property
    def where(self) -> str:
        """Say what the numbers are of."""
        data = "CIFAR-10" if self.as_the_paper else "Digits of scikit-learn, another data set"
        learned = (
            "photographs" if self.config.learned_from == "photographs" else "training pictures"
        )
        return (
            f"{data}; {self.config.n_train:,} pictures to train on and {self.config.n_test:,} to "
            f"test with, {self.config.n_seeds} seeds; a network of three convolutions instead of a "
            f"ResNet-18; kernels learned from {learned}. Intervals are of 95 %; "
            "one that holds 0 tells no difference."
        )

    def verdict(self, holds: bool) -> Verdict:
        """Say that an order holds, with a caveat: the network, and mostly the data, are others."""
        return Verdict.CAVEAT if holds else Verdict.NOT_REPRODUCED

    def of(self, dictionary: str, form: str, cutoff: float = 0.0, by: str = "network") -> str:
        mean, half = interval(accuracies(self.record, dictionary, form, cutoff, by), self.shared)
        return f"{mean:.1f} ± {half:.1f}"

    def difference(
        self, one: str, other: str, form: str, cutoffs: tuple[float, float] = (0.0, 0.0),
        by: str = "network",
    ) -> tuple[float, float]:  # fmt: skip
        """Return the mean difference of two dictionaries over seeds, and its half interval."""
        values = accuracies(self.record, one, form, cutoffs[0], by)
        return interval(values - accuracies(self.record, other, form, cutoffs[1], by), self.shared)

    def line(self, form: str, by: str = "network") -> str:
        """Return the accuracies of all dictionaries on whole maps."""
        return "; ".join(f"{SHORT[name]} {self.of(name, form, by=by)}" for name in DICTIONARIES)

    def published(self, cutoff: float = 0.0) -> str:
        place = CUTOFFS.index(cutoff)
        return "; ".join(
            f"{SHORT[name]} {self.paper.value[name][place]:.2f}" for name in DICTIONARIES
        )

    def drops(self, dictionary: str, form: str) -> dict[float, tuple[float, float]]:
        """Return what pruning changes, for each cutoff above 0."""
        return {
            cutoff: self.difference(dictionary, dictionary, form, (cutoff, 0.0))
            for cutoff in CUTOFFS
            if cutoff
        }

    def drop_line(self, names: tuple[str, ...], form: str) -> str:
        return "; ".join(
            f"{SHORT[name]} "
            + ", ".join(
                f"{mean:+.1f} ± {half:.1f} at {cutoff:g}"
                for cutoff, (mean, half) in self.drops(name, form).items()
            )
            for name in names
        )

    # ------------------------------------------------------------------ the order

    def order(self) -> list[Claim]:
        """Judge which dictionary is best."""
        better, half = self.difference(HET, HOM, "published")
        leads = [
            self.difference(HET_LEARNED, other, "published")
            for other in DICTIONARIES
            if other != HET_LEARNED
        ]
        worse, worse_half = self.difference(HOM_LEARNED, HOM, "published")
        return [
            Claim(
                "Heterogeneous kernels are classified better than homogeneous ones",
                self.paper.cited, f"{self.paper.value[HET][0] - self.paper.value[HOM][0]:+.2f}",
                f"{better:+.1f} ± {half:.1f} points ({self.line('published')})",
                self.verdict(better > half), self.where,
            ),
            Claim(
                "Heterogeneous kernels, learned, are classified better than the other three",
                self.paper.cited, self.published(),
                ", ".join(f"{mean:+.1f} ± {half:.1f}" for mean, half in leads)
                + f" points ({self.line('published')})",
                self.verdict(all(mean > half for mean, half in leads)),
                f"Against {', '.join(SHORT[n] for n in DICTIONARIES if n != HET_LEARNED)}. "
                f"{self.where}",
            ),
            Claim(
                "Learning from homogeneous kernels makes classification worse",
                self.paper.cited,
                f"{self.paper.value[HOM_LEARNED][0] - self.paper.value[HOM][0]:+.2f}",
                f"{worse:+.1f} ± {worse_half:.1f} points",
                self.verdict(worse < -worse_half), self.where,
            ),
        ]  # fmt: skip

    # ------------------------------------------------------------------ pruning

    def pruning(self) -> list[Claim]:
        """Judge what pruning costs on the published path."""
        learned = self.drops(HET_LEARNED, "published").values()
        fixed = [self.drops(name, "published")[LAST] for name in (HOM, HET)]
        changes = {
            name: ", ".join(f"{value - values[0]:+.2f}" for value in values[1:])
            for name, values in self.paper.value.items()
            if name in DICTIONARIES
        }
        untouched = 100.0 * self.removed(HET_LEARNED)[:, 2].min()
        return [
            Claim(
                "Pruning costs nothing with heterogeneous kernels that were learned",
                self.paper.cited, changes[HET_LEARNED],
                self.drop_line((HET_LEARNED,), "published") + " points",
                self.verdict(all(mean - half > -MARGIN for mean, half in learned)),
                f"Counts as nothing if the interval lies above -{MARGIN:g} point. Pruning leaves "
                f"{untouched:.0f} % of the pictures as they are, so that there is nothing to "
                f"withstand. {self.where}",
            ),
            Claim(
                f"Pruning at {LAST:g} costs accuracy with fixed kernels, homogeneous or "
                "heterogeneous",
                self.paper.cited, f"hom {changes[HOM]}; het {changes[HET]}",
                self.drop_line((HOM, HET), "published") + " points",
                self.verdict(all(mean < -half for mean, half in fixed)), self.where,
            ),
        ]  # fmt: skip

    def removed(self, dictionary: str) -> np.ndarray:
        """Return shares of small and large entries removed, and of untouched images, by cutoff."""
        return self.record.arrays[f"removed-{list(DICTIONARIES).index(dictionary)}"]

    def audit(self) -> list[Claim]:
        """Ask what the published pruning removes, and what pruning of codes would cost."""
        small, large, whole = (100.0 * np.array([self.removed(n)[-1] for n in DICTIONARIES])).T
        numbers = "; ".join(
            f"{SHORT[name]} {a:.0f} % of small, {b:.0f} % of large, {c:.0f} % of images untouched"
            for name, a, b, c in zip(DICTIONARIES, small, large, whole)
        )
        drops = self.drops(HET_LEARNED, "code").values()
        better, half = self.difference(HET, HOM, "code")
        probe, probe_half = self.difference(HET, HOM, "code", by="probe")
        against = interval(
            accuracies(self.record, HET_LEARNED, "code")
            - accuracies(self.record, PIXELS, PIXELS), self.shared
        )  # fmt: skip
        return [
            Claim(
                "Audit: pruning after the shift removes small entries and leaves large ones",
                PAPER["shift"].cited, "entries below max / 2 are set to 0",
                numbers,
                self.verdict(bool((small > 50.0).all() and (large < 50.0).all())),
                f"At {LAST:g}; small and large by magnitude before the shift. It removes what is "
                "near 0.5, and nothing where no entry exceeds 0.5. Maps are small here: scale and "
                f"data decide what it does. {self.where}",
            ),
            Claim(
                "Audit: with heterogeneous kernels that were learned, pruning of the codes "
                "themselves costs nothing either",
                self.paper.cited, None, self.drop_line(tuple(DICTIONARIES), "code") + " points",
                self.verdict(all(mean - half > -MARGIN for mean, half in drops)),
                "Coefficients below a share of the picture's largest are set to 0 before anything "
                f"else. Counts as nothing as above. {self.where}",
            ),
            Claim(
                "Audit: heterogeneous codes are classified better than homogeneous ones, too",
                self.paper.cited, None,
                f"{better:+.1f} ± {half:.1f} points ({self.line('code')})",
                self.verdict(better > half),
                f"The sparse variable of ADMM, not the dense one, without a shift. {self.where}",
            ),
            Claim(
                "Audit: so says a linear probe of pooled codes",
                self.paper.cited, None,
                f"{probe:+.1f} ± {probe_half:.1f} points ({self.line('code', 'probe')}; pixels "
                f"{self.of(PIXELS, PIXELS, by='probe')})",
                self.verdict(probe > probe_half),
                f"Logistic regression on mean magnitudes of each map's quarters. {self.where}",
            ),
            Claim(
                "Audit: codes of learned kernels are classified better than pixels are",
                self.paper.cited, None,
                f"{against[0]:+.1f} ± {against[1]:.1f} points (pixels {self.of(PIXELS, PIXELS)})",
                self.verdict(against[0] > against[1]),
                f"The same network; het learned against grey pictures. {self.where}",
            ),
        ]  # fmt: skip

    # ------------------------------------------------------------------ the numbers

    def numbers(self) -> Claim:
        """Compare accuracies with the published ones, which are of CIFAR-10."""
        measured = self.line("published")
        text = "A network on whole maps reaches these accuracies on CIFAR-10"
        if not self.as_the_paper:
            return Claim(
                text, self.paper.cited, self.published(), None, Verdict.NOT_TESTED,
                "CIFAR-10 is missing: put its binary version into a folder and pass --set "
                "data=cifar10 --set folder=FOLDER, with as many pictures as memory holds.",
            )  # fmt: skip
        near = [
            abs(interval(accuracies(self.record, name, "published"), 0.0)[0] - values[0]) < NEAR
            for name, values in self.paper.value.items()
            if name in DICTIONARIES
        ]
        return Claim(
            text, self.paper.cited, self.published(), measured, self.verdict(all(near)),
            f"Equal means within {NEAR:g} points. {self.where}",
        )  # fmt: skip


def judge(record: Record) -> list[Claim]:
    """Return every claim."""
    one = Judge(record)
    return [*one.order(), *one.pruning(), one.numbers(), *one.audit()]
