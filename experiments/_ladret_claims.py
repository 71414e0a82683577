"""What a record of `kernel-heterogeneity` says of Ladret et al. 2023/24, setting by setting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from experiments._framework import Claim, Record, Verdict
from experiments._ladret import PAPER
from experiments._ladret_compare import LONG, Comparison, Difference
from experiments._ladret_measure import CONTROL, CUTOFFS, FIXED, LEARNED, REFIT

__all__ = ["judge"]

#: A difference of the paper counts as found where it lies within this factor.
WITHIN = 2.0
#: Sparsenesses, and PSNRs in dB, that count as equal.
SAME_SPARSENESS, SAME_PSNR = 0.001, 0.3
#: Degrees from 0 or 90 within which an orientation counts as cardinal.
CARDINAL = 7.5
#: Fraction of an atom's variance that a log-Gabor must explain to describe it.
DESCRIBED = 0.5
AUDIT = "not in the paper"


class Judge:
    """Verdicts on one record, in the order of the checklist."""

    def __init__(self, record: Record) -> None:
        self.record, self.config = record, record.config
        self.table = Comparison(record)
        self.own_images = self.config.images == "natural"

    def verdict(self, holds: bool) -> Verdict:
        """Say that a claim holds, with a caveat on images that the paper did not use."""
        if not holds:
            return Verdict.NOT_REPRODUCED
        return Verdict.CAVEAT if self.own_images else Verdict.REPRODUCED

    def where(self, n_crops: int) -> str:
        images = "the offline pool of 12 photographs" if self.own_images else "the paper's images"
        size = self.config.crop_size
        return f"{n_crops} crops of {size} x {size} pixels from {images}."

    @property
    def on_all(self) -> str:
        return self.where(self.config.n_crops)

    # ------------------------------------------------------------- 100 iterations

    def medians(self) -> list[Claim]:
        """Put the paper's table beside ours."""
        claims = []
        for name, published in PAPER["medians"].value.items():
            short = next(key for key, long in LONG.items() if long == name)
            psnr, sparseness = (
                self.table.median(short, "published", column) for column in ("psnr", "sparseness")
            )
            equal = (
                abs(psnr - published["psnr"]) <= 1.0
                and abs(sparseness - published["sparseness"]) <= SAME_SPARSENESS
            )
            claims.append(Claim(
                f"Median PSNR and sparseness at 100 iterations, {name}", PAPER["medians"].cited,
                f"{published['psnr']:.1f} dB, {published['sparseness']:.4f}",
                f"{psnr:.1f} dB, {sparseness:.4f}",
                Verdict.NOT_TESTED if self.own_images else equal,
                "Equal within 1 dB and 0.001. "
                + ("The numbers belong to the authors' images. " if self.own_images else "")
                + self.on_all,
            ))  # fmt: skip
        return claims

    def trade_off(self) -> list[Claim]:
        """Judge the paper's first result, in its setting and with its smaller alpha."""
        claims = []
        for setting, key, label in (
            ("published", "medians", "alpha 0.01"),
            ("small-alpha", "medians_small_alpha", "alpha 0.001"),
        ):
            table = PAPER[key]
            hom, het = (table.value[FIXED[name]] for name in FIXED)
            for column, text, unit in (
                ("sparseness", "Heterogeneous kernels give sparser codes", ""),
                ("psnr", "Homogeneous kernels give the larger PSNR", " dB"),
            ):
                goal = het[column] - hom[column]
                found = self.table.paired("het", "hom", setting, column)
                claims.append(Claim(
                    f"{text} after 100 iterations ({label})", table.cited, signed(goal) + unit,
                    f"{found}{unit}", self.verdict(as_large(found, goal)),
                    f"Heterogeneous minus homogeneous, median over crops with a 95 % interval; the "
                    f"paper's sign, and a size within a factor of {WITHIN:g}, count. "
                    f"{found.tests()} {self.on_all}",
                    preset="quick" if setting == "published" else "paper",
                ))  # fmt: skip
        return claims

    def learned(self) -> list[Claim]:
        cited, setting = PAPER["medians"].cited, "published"
        sparse = {
            name: self.table.paired(name, "het", setting, "sparseness").median for name in LEARNED
        }
        gain = {
            name: min(
                (self.table.paired(name, fixed, setting, "psnr") for fixed in FIXED),
                key=lambda found: found.median,
            )
            for name in LEARNED
        }
        starts = {name: self.table.median(name, setting, "psnr") for name in LEARNED}
        spread = max(starts.values()) - min(starts.values())
        trained = (
            f"Learned in {self.config.n_steps} steps from windows of "
            f"{self.config.learning_size} x {self.config.learning_size} pixels (published: 800 of "
            f"256 x 256), the step per place a {self.config.slowed:g}th of the published one; "
            f"{self.config.n_learning_seeds} seeds. "
        )
        return [
            Claim(
                "Learned dictionaries are as sparse as heterogeneous kernels, after 100 iterations",
                cited, "0.9939 against 0.9940",
                listed(sparse, lambda value: f"{value:+.4f}"),
                self.verdict(max(map(abs, sparse.values())) <= SAME_SPARSENESS),
                f"Differences up to {SAME_SPARSENESS:g} count as none. {trained}{self.on_all}",
            ),
            Claim(
                "Learning raises the PSNR clearly above that of both banks, after 100 iterations",
                cited, "+13.4 dB", listed(gain, lambda found: f"{found} dB"),
                self.verdict(all(found.low > SAME_PSNR for found in gain.values())),
                f"Over the better bank. {trained}{self.on_all}", preset="quick",
            ),
            Claim(
                "What learning starts from makes no difference, after 100 iterations",
                cited, "within 0.2 dB", f"within {spread:.2f} dB",
                self.verdict(spread <= SAME_PSNR),
                f"Median PSNR {listed(starts, lambda value: f'{value:.2f} dB')}; up to "
                f"{SAME_PSNR:g} dB count as none. {trained}{self.on_all}",
            ),
            self.control(trained),
        ]  # fmt: skip

    def control(self, trained: str) -> Claim:
        """Ask whether learning, or merely covering all frequencies, raises the PSNR."""
        best = max(self.table.median(name, "published", "psnr") for name in FIXED)
        noise = self.table.median(CONTROL, "published", "psnr")
        learned = self.table.median("noise-learned", "published", "psnr")
        share = (noise - best) / (learned - best)
        return Claim(
            "Audit: it is learning that raises the PSNR, not only that atoms cover all frequencies",
            AUDIT, "white noise as kernels gains less than half as much",
            f"white noise gains {noise - best:+.1f} dB, learning from it {learned - best:+.1f} dB",
            self.verdict(bool(learned > best and share < 0.5)),
            "Gain of the median over the better bank, after 100 iterations; noise of unit norm, "
            f"untrained. Log-Gabors of one scale leave low and corner frequencies to large "
            f"coefficients. {trained}{self.on_all}", preset="quick",
        )  # fmt: skip

    # ------------------------------------------------------- pruning and statistics

    def pruning(self) -> list[Claim]:
        curves = {name: self.table.pruned(name, "published") for name in (*FIXED, *LEARNED)}
        ahead = [i for i in range(len(CUTOFFS)) if curves["het"][i, 0] > curves["hom"][i, 0]]
        crossing = CUTOFFS[ahead[0]] if ahead else None
        published = PAPER["pruning"].value
        lost = {name: curves[name][0, 0] - curves[name][-1, 0] for name in FIXED}
        said = {
            name: published[FIXED[name]]["psnr"][0] - published[FIXED[name]]["psnr"][-1]
            for name in FIXED
        }
        spread = max(np.ptp([curves[name][i, 0] for name in LEARNED]) for i in range(len(CUTOFFS)))
        return [
            Claim(
                "Pruned below a cutoff of about 0.2, heterogeneous kernels overtake homogeneous "
                "ones in PSNR",
                PAPER["pruning_crossing"].cited, "behind at 0.001, ahead at 0.2",
                "never ahead" if crossing is None else f"ahead from {crossing:.3g} on",
                self.verdict(bool(crossing is not None and CUTOFFS[0] < crossing < 0.25)),
                "Medians; cutoffs " + ", ".join(f"{c:.3g}" for c in CUTOFFS) + f". {self.on_all}",
            ),
            Claim(
                "Pruning to 0.5 costs heterogeneous kernels less PSNR than homogeneous ones",
                PAPER["pruning"].cited,
                listed(said, lambda value: f"{value:.1f} dB"),
                listed(lost, lambda value: f"{value:.1f} dB"),
                self.verdict(lost["het"] < lost["hom"]),
                f"Medians, from a cutoff of 0.001. {self.on_all}", preset="quick",
            ),
            Claim(
                "The three learned dictionaries bear pruning alike", PAPER["pruning"].cited,
                "within 0.2 dB", f"within {spread:.1f} dB", self.verdict(bool(spread <= SAME_PSNR)),
                f"Largest difference of medians at any cutoff; up to {SAME_PSNR:g} dB count as "
                f"none. {self.on_all}",
            ),
        ]  # fmt: skip

    def statistics(self) -> list[Claim]:
        fits = {name: self.table.exponential(name) for name in FIXED}
        said = PAPER["histograms"].value
        mises = self.table.orientations("hom")
        far = [min(peak % 90.0, 90.0 - peak % 90.0) for peak in mises.peak]
        given = PAPER["orientations"].value
        return [
            Claim(
                "Coefficients of heterogeneous kernels fall off faster, and more nearly "
                "exponentially",
                PAPER["histograms"].cited,
                "; ".join(
                    f"{name} b {said[FIXED[name]]['b']}, R2 {said[FIXED[name]]['r2']}"
                    for name in FIXED
                ),
                "; ".join(f"{name} b {b:.2f}, R2 {r2:.3f}" for name, (_, b, r2) in fits.items()),
                self.verdict(fits["het"][1] > fits["hom"][1] and fits["het"][2] > fits["hom"][2]),
                "Absolute coefficients from 0 to 2 in 50 bins (the paper's are unknown, so b "
                f"itself is not compared), alpha 0.001, 100 iterations. {self.on_all}",
            ),
            Claim(
                "Coefficients peak at the cardinal orientations", PAPER["orientations"].cited,
                f"{given['peaks'][0]} and {given['peaks'][1]} degrees, R2 {given['r2']}",
                f"{mises.peak[0]:.1f} and {mises.peak[1]:.1f} degrees, R2 {mises.explained:.3f}",
                self.verdict(max(far) <= CARDINAL and abs(np.ptp(mises.peak) - 90.0) < 30.0),
                f"Two von Mises functions and a constant, fitted to the number of coefficients by "
                f"orientation; standard deviations {mises.width[0]:.1f} and {mises.width[1]:.1f} "
                f"degrees; up to {CARDINAL:g} degrees off count. Homogeneous kernels, alpha 0.001, "
                f"100 iterations. Made things are upright here. {self.on_all}",
            ),
            *self.refits(),
        ]  # fmt: skip

    def refits(self) -> list[Claim]:
        """Judge what log-Gabors say of atoms learned from the heterogeneous bank."""
        found = np.concatenate(
            [
                self.record.arrays[f"refit-het-learned-{seed}"]
                for seed in range(self.config.n_learning_seeds)
            ],
            axis=1,
        )
        column = dict(zip(REFIT, found))
        described = column["explained_variance"] >= DESCRIBED
        at_limit = float(np.mean(column["at_limit"]))
        angle = column["orientation"] % 90.0
        cardinal = float(np.mean(np.minimum(angle, 90.0 - angle) <= CARDINAL))
        chance = 4.0 * CARDINAL / 180.0
        note = (
            f"{100 * described.mean():.0f} % of the atoms are described: a log-Gabor explains at "
            f"least half of their variance (median {np.median(column['explained_variance']):.2f}; "
            f"white noise has 0.04). Atoms learned from heterogeneous kernels, all seeds."
        )
        text = "of the atoms"
        tested = bool(described.mean() >= 0.5)
        return [
            Claim(
                "Bandwidths of learned atoms pile up at the limits of the refit",
                PAPER["refit"].cited, "at 5 and 30 degrees", f"{100 * at_limit:.0f} % {text}",
                self.verdict(at_limit >= 0.5) if tested else Verdict.NOT_TESTED,
                f"Half of them count. {note}",
            ),
            Claim(
                "Orientations of learned atoms pile up at the cardinal ones",
                PAPER["refit"].cited, "at 0, 90 and 180 degrees",
                f"{100 * cardinal:.0f} % {text} within {CARDINAL:g} degrees",
                self.verdict(cardinal >= 1.5 * chance) if tested else Verdict.NOT_TESTED,
                f"{150 * chance:.0f} %, one and a half times chance, count. {note}",
            ),
        ]  # fmt: skip


def as_large(found: Difference, goal: float) -> bool:
    """Say whether a difference has the sign of another for sure, and its size within a factor."""
    sure = found.low > 0.0 if goal > 0.0 else found.high < 0.0
    return bool(sure and 1.0 / WITHIN <= found.median / goal <= WITHIN)


def signed(value: float) -> str:
    return f"{value:+.4f}" if abs(value) < 0.1 else f"{value:+.2f}"


def listed(values: dict[str, Any], write: Callable[[Any], str]) -> str:
    return "; ".join(f"{name} {write(value)}" for name, value in values.items())


def judge(record: Record) -> list[Claim]:
    """Return every claim."""
    from experiments._ladret_audit import audit  # which takes a Judge

    one = Judge(record)
    return [
        *one.medians(), *one.trade_off(), *one.learned(), *one.pruning(), *one.statistics(),
        *audit(one),
    ]  # fmt: skip
