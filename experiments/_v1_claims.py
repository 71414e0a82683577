"""What a record of `v1-penalties` says of Rentzeperis et al. 2023, item by item."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Claim, Record, Verdict
from experiments._v1_measure import GABOR, HYSTERESIS, PAPER

__all__ = ["GABOR_ERROR", "error_at", "gabor", "judge", "sizes"]

#: A ratio of the paper counts as found where it lies within this factor.
WITHIN = 2.0
#: Fraction of an atom's energy that a Gabor function may leave for the atom to count as one.
GABOR_ERROR = 0.5
#: Factor below which two errors count as equal: densities are tuned to 5 %.
BETTER = 1.1
EQUAL = f"Errors within {100 * (BETTER - 1):.0f} % of each other count as equal."
#: The images that the paper used.
ITS_IMAGES = "van-hateren"


def curve(
    record: Record, name: str, n_atoms: int, protocol: str, learned: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithms of density and error of one sweep, by density."""
    rows = record.table.where(penalty=name, n_atoms=n_atoms, learned=learned, protocol=protocol)
    order = np.argsort(rows["density"])
    return np.log(rows["density"][order]), np.log(rows["mse"][order])


def error_at(
    record: Record, name: str, n_atoms: int, protocol: str, learned: str,
    density: float | None = None,
) -> float:  # fmt: skip
    """Return the error at one density, the wanted one by default, between points of the sweep."""
    density = record.config.density if density is None else density
    return float(
        np.exp(np.interp(np.log(density), *curve(record, name, n_atoms, protocol, learned)))
    )


def sizes(record: Record, learned: str) -> list[int]:
    """Return the sizes of the dictionaries that were learned from such codes."""
    rows = record.table.where(learned=learned)
    return sorted(set(rows["n_atoms"].tolist()))


def gabor(record: Record, name: str, n_atoms: int, learned: str) -> dict[str, np.ndarray]:
    """Return the parameters of the fitted Gabor functions by name."""
    return dict(zip(GABOR, record.arrays[f"gabor-{learned}-{name}-{n_atoms}"]))


def common_densities(record: Record, n_atoms: int, protocol: str, learned: str) -> np.ndarray:
    """Return densities that the sweeps of all penalties reach."""
    ranges = [
        curve(record, name, n_atoms, protocol, learned)[0] for name in record.config.penalties
    ]
    low, high = max(each[0] for each in ranges), min(each[-1] for each in ranges)
    return np.exp(np.linspace(low, high, 9))


def atoms_for(goal: float, errors: dict[int, float]) -> tuple[float, bool]:
    """Return how many atoms reach an error first, or the most that were tried, and which it is."""
    sizes = np.array(sorted(errors), dtype=float)
    best = np.minimum.accumulate([errors[n] for n in sorted(errors)])
    reached = np.flatnonzero(best <= goal)
    if not reached.size:
        return float(sizes[-1]), False
    k = int(reached[0])
    if k == 0:
        return float(sizes[0]), True
    between = np.interp(np.log(goal), np.log(best[[k, k - 1]]), np.log(sizes[[k, k - 1]]))
    return float(np.exp(between)), True


class Judge:
    """Verdicts on one record, in the order of the checklist."""

    def __init__(self, record: Record) -> None:
        self.record, self.config = record, record.config
        self.learned = self.config.learned_from[0]
        self.as_the_paper = self.config.images == ITS_IMAGES

    def verdict(self, holds: bool) -> Verdict:
        """Say that a claim holds, with a caveat on images that the paper did not use."""
        if not holds:
            return Verdict.NOT_REPRODUCED
        return Verdict.REPRODUCED if self.as_the_paper else Verdict.CAVEAT

    @property
    def where(self) -> str:
        images = {
            "natural": "the embedded photographs", "olshausen-field": "the images of Olshausen "
            "and Field", ITS_IMAGES: "the images of van Hateren",
        }[self.config.images]  # fmt: skip
        sizes = " and ".join(f"{n:,}" for n in self.config.n_atoms)
        return (
            f"{100 * self.config.density:g} % active, dictionaries of {sizes} atoms learned from "
            f"{self.learned} codes of {images}."
        )

    def errors(self, n_atoms: int, protocol: str, learned: str | None = None) -> dict[str, float]:
        return {
            name: error_at(self.record, name, n_atoms, protocol, learned or self.learned)
            for name in self.config.penalties
        }

    def ranking(self, protocol: str, learned: str | None = None) -> str:
        """Return the penalties by error, for each size."""
        lines = []
        for n_atoms in sizes(self.record, learned or self.learned):
            errors = self.errors(n_atoms, protocol, learned)
            ranked = sorted((value, name) for name, value in errors.items())
            lines.append(f"{n_atoms:,}: " + " < ".join(f"{k} {v:.4f}" for v, k in ranked))
        return "; ".join(lines)

    def everywhere(self, test: Any, protocol: str, learned: str | None = None) -> bool:
        return all(
            test(self.errors(n, protocol, learned))
            for n in sizes(self.record, learned or self.learned)
        )

    # ------------------------------------------------------------------ the paper's order

    def order(self) -> list[Claim]:
        order, claims = PAPER["order_of_mse"], []
        measured = self.ranking("published")
        for text, expected, test in (
            ("CEL0 has the smallest error at equal activity", "cel0 first", cel0_first),
            ("Soft thresholding has the largest error at equal activity", "l1 last", soft_last),
        ):
            claims.append(
                Claim(
                    f"{text}, at every number of atoms",
                    order.cited,
                    expected,
                    measured,
                    self.verdict(self.everywhere(test, "published")),
                    f"{EQUAL} {self.where}",
                    preset="quick",
                )
            )
        n_atoms = self.config.n_atoms[0]
        densities = common_densities(self.record, n_atoms, "published", self.learned)
        held = [
            ordered({
                name: error_at(self.record, name, n_atoms, "published", self.learned, density)
                for name in self.config.penalties
            })
            for density in densities
        ]  # fmt: skip
        claims.append(
            Claim(
                "CEL0 < {half, hard} < soft at every matched number of active units",
                "Rentzeperis et al. 2023, Fig. 2",
                "at every one",
                f"at {sum(held)} of {len(held)} between {100 * densities[0]:.2g} and "
                f"{100 * densities[-1]:.2g} % active, {n_atoms:,} atoms",
                self.verdict(all(held)),
                f"{EQUAL} {self.where}",
                preset="quick",
            )
        )
        return claims

    # ------------------------------------------------------------------ the paper's ratios

    def ratios(self) -> list[Claim]:
        published = PAPER["ratio_mse_l1_l0_type"]
        errors = {n: self.errors(n, "published") for n in self.config.n_atoms}
        ratios = {n: error["l1"] / error["cel0"] for n, error in errors.items()}
        closest = min(
            (ratios[n] for n in self.trained()),
            key=lambda ratio: abs(np.log(ratio / published.value)),
        )
        return [
            Claim(
                "Soft thresholding has about five times the error of an l0-type penalty",
                published.cited, published.value,
                ", ".join(f"{n:,} atoms: {ratio:.2f}" for n, ratio in ratios.items()),
                self.verdict(1 / WITHIN <= closest / published.value <= WITHIN),
                f"Over CEL0; within a factor of {WITHIN:g} at some size counts. "
                f"{self.shorter()}{self.where}",
            ),
            self.atoms_needed("published"),
            self.atoms_needed("certified"),
        ]  # fmt: skip

    def atoms_needed(self, protocol: str) -> Claim:
        """Compare how many atoms l1 needs for the error of CEL0's smallest dictionary."""
        published, audit = PAPER["ratio_n_atoms_l1_cel0"], protocol == "certified"
        soft = {n: self.errors(n, protocol)["l1"] for n in self.config.n_atoms}
        first, goal = self.config.n_atoms[0], self.errors(self.config.n_atoms[0], protocol)["cel0"]
        needed, reached = atoms_for(goal, {n: soft[n] for n in self.trained()})
        times = needed / first
        verdict = self.verdict(reached and 1 / WITHIN <= times / published.value <= WITHIN)
        if not reached and times <= WITHIN * published.value:
            verdict = Verdict.NOT_TESTED  # more than so many: it could be the paper's number
        text = "Soft thresholding needs about ten times the atoms of CEL0 for equal error"
        return Claim(
            f"Audit: {text[0].lower()}{text[1:]}, when every code is certified" if audit else text,
            "not in the paper" if audit else published.cited, published.value,
            f"{'' if reached else 'more than '}{times:.2g}", verdict,
            f"CEL0 with {first:,} atoms has the error {goal:.4f}; l1 has "
            + ", ".join(f"{error:.4f} with {n:,}" for n, error in soft.items())
            + f". {self.shorter()}{self.where}",
        )  # fmt: skip

    # ------------------------------------------------------------------ the authors' run

    def authors_run(self) -> list[Claim]:
        claims = []
        history = self.record.arrays.get("authors-cel0")
        for batch in (100, 1000, 1600, 4000):
            published = PAPER[f"mse_cel0_batch_{batch}"]
            measured = None
            if history is not None and history.shape[1] >= batch:
                measured = float(history[0, batch - 100 : batch].mean())
            tested = measured is not None and self.as_the_paper
            tolerance = published.tolerance or 0.05
            claims.append(
                Claim(
                    f"CEL0 with 1,000 atoms and the authors' setting has this error at batch "
                    f"{batch:,}",
                    published.cited,
                    published.value,
                    None if measured is None else round(measured, 4),
                    abs(measured / published.value - 1.0) <= tolerance
                    if tested
                    else Verdict.NOT_TESTED,
                    f"Mean over the 100 batches before it, to within {100 * tolerance:g} %. "
                    + ("" if tested else "The number belongs to the images of van Hateren."),
                )
            )
        return [*claims, *self.weights()]

    def weights(self) -> list[Claim]:
        """Judge whether the weights of the authors' notebook give equal activity."""
        densities = {
            name: float(self.record.arrays[f"notebook-{name}"][1, -100:].mean())
            for name in self.config.penalties
            if f"notebook-{name}" in self.record.arrays
        }
        text = "The weights of the authors' notebook of 2022 give the four penalties equal activity"
        if not densities:
            return [
                Claim(
                    text,
                    "Fig. 2 and the notebook",
                    "equal",
                    None,
                    Verdict.NOT_TESTED,
                    "Needs 500 atoms and the authors' settings.",
                )
            ]
        return [
            Claim(
                text, "Fig. 2 and the notebook", "equal",
                ", ".join(f"{name} {100 * value:.1f} %" for name, value in densities.items()),
                self.verdict(max(densities.values()) < 1.5 * min(densities.values())),
                "Active fraction in the last batches; the paper says that weights were tuned to a "
                "fixed sparsity, and not which. " + self.where,
            )
        ]  # fmt: skip

    # ------------------------------------------------------------------ receptive fields

    def trained(self) -> list[int]:
        """Return the sizes of the dictionaries that learned from as many batches as any."""
        most = max(self.config.n_batches)
        return [
            n for n, batches in zip(self.config.n_atoms, self.config.n_batches) if batches == most
        ]

    def shorter(self) -> str:
        """Say which dictionaries learned from fewer batches, and so do not count for shapes."""
        most = max(self.config.n_batches)
        short = [
            f"{n:,} atoms ({batches:,} batches instead of {most:,})"
            for n, batches in zip(self.config.n_atoms, self.config.n_batches)
            if batches < most
        ]
        return f"Left out of the verdict: {', '.join(short)}. " if short else ""

    def by_size(self, values: Any) -> str:
        """Say what ``values(penalty, n_atoms)`` is, for each penalty at each size."""
        return "; ".join(
            f"{n:,}: " + ", ".join(f"{name} {values(name, n)}" for name in self.config.penalties)
            for n in self.config.n_atoms
        )

    def shapes(self) -> list[Claim]:
        """Judge fitted Gabor functions and tuning curves."""

        def fitted(name: str, n_atoms: int) -> float:
            return float(np.mean(self.fit(name, n_atoms)["error"] < GABOR_ERROR))

        def at_limit(name: str, n_atoms: int) -> float:
            fit = self.fit(name, n_atoms)
            good = fit["error"] < GABOR_ERROR
            return float(np.mean(fit["at_limit"][good])) if good.any() else 0.0

        sizes = [(name, n) for n in self.trained() for name in self.config.penalties]
        edges = [at_limit(name, n) for name, n in sizes]
        return [
            Claim(
                "Receptive fields are localised and oriented under every penalty",
                "Rentzeperis et al. 2023", "all four",
                self.by_size(lambda name, n: f"{100 * fitted(name, n):.0f} %"),
                self.verdict(min(fitted(name, n) for name, n in sizes) > 0.5),
                f"Atoms of which a Gabor function explains more than "
                f"{100 * (1 - GABOR_ERROR):g} % of the energy; more than half at every size "
                f"counts. Of these {100 * min(edges):.0f} to {100 * max(edges):.0f} % are edges or "
                f"lie on the border: some parameter is at its limit. {self.shorter()}{self.where}",
                preset="quick",
            ),
            self.tuning("linear_tuning", "all atoms, as linear filters"),
            self.tuning("fitted_tuning", "atoms that a Gabor function fits, as linear filters"),
            self.tuning("coded_tuning", "all atoms, in certified codes"),
        ]  # fmt: skip

    def fit(self, name: str, n_atoms: int) -> dict[str, np.ndarray]:
        return gabor(self.record, name, n_atoms, self.learned)

    def tuning(self, column: str, whose: str) -> Claim:
        """Compare how broadly atoms of small and of large dictionaries are tuned."""
        variance = PAPER["circular_variance"]

        def median(name: str, n_atoms: int) -> float:
            values = self.record.arrays[f"{column}-{self.learned}-{name}-{n_atoms}"]
            if column == "fitted_tuning":
                values = values[self.fit(name, n_atoms)["error"] < GABOR_ERROR]
            return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")

        sizes = self.trained()
        finest = 1.0 - np.cos(np.pi / self.config.n_orientations)
        resolved = column != "coded_tuning" or all(
            median(name, n) > 2.0 * finest for name in self.config.penalties for n in sizes
        )
        rises = [median(name, sizes[-1]) > median(name, sizes[0]) for name in self.config.penalties]
        return Claim(
            f"Tuning broadens with the number of atoms ({whose})",
            variance.cited, variance.value,
            self.by_size(lambda name, n: f"{median(name, n):.3f}"),
            self.verdict(all(rises)) if resolved else Verdict.NOT_TESTED,
            ("" if resolved else "Some medians are as small as the steps of orientation allow. ")
            + f"Median circular variance of responses to gratings; a rise from {sizes[0]:,} to "
            f"{sizes[-1]:,} atoms under every penalty counts. Atoms that are still noise are "
            f"broadly tuned too. {self.shorter()}{self.where}",
        )  # fmt: skip

    # ------------------------------------------------------------------ the audit

    def audit(self) -> list[Claim]:
        claims = []
        for learned in self.config.learned_from:
            for text, expected, test in (
                ("CEL0 still has the smallest error", "cel0 first", cel0_first),
                ("soft thresholding still has the largest error", "l1 last", soft_last),
            ):
                claims.append(
                    Claim(
                        f"Audit: {text} when every code is certified (dictionaries learned from "
                        f"{learned} codes)",
                        "not in the paper",
                        expected,
                        self.ranking("certified", learned),
                        self.verdict(self.everywhere(test, "certified", learned)),
                        f"{EQUAL} Coordinate descent has the same fixed points for l0 and for "
                        f"CEL0, so a tie between them is what theory predicts. {self.where}",
                        preset="quick",
                    )
                )
        return [*claims, self.debiased(), *self.other_solvers(), self.steps()]

    def debiased(self) -> Claim:
        ratios = [
            error_at(self.record, "l1", n, "debiased", self.learned)
            / self.errors(n, "certified")["cel0"]
            for n in self.config.n_atoms
        ]
        plain = [
            errors["l1"] / errors["cel0"]
            for errors in (self.errors(n, "certified") for n in self.config.n_atoms)
        ]
        pairs = zip(self.config.n_atoms, plain, ratios)
        return Claim(
            "Audit: soft thresholding still has the larger error after least squares on its "
            "supports",
            "not in the paper", f"above {BETTER:g}",
            ", ".join(f"{n:,} atoms: {a:.2f} becomes {b:.2f}" for n, a, b in pairs),
            self.verdict(min(ratios) > BETTER),
            f"Error over that of certified CEL0. {EQUAL} {self.where}", preset="quick",
        )  # fmt: skip

    def other_solvers(self) -> list[Claim]:
        """Judge whether CEL0 is still better than l0 when l0 is solved to a fixed point."""
        n_atoms = self.config.n_atoms[0]
        if n_atoms > self.config.largest_audit:
            return []
        goal, hard = (self.errors(n_atoms, p) for p in ("certified", "published"))
        claims = []
        for protocol, what in (
            ("step 1/L", "iterative hard thresholding when it converges with steps of 1/L"),
            ("lca", "LCA with a hard threshold"),
        ):
            error = error_at(self.record, "l0", n_atoms, protocol, self.learned)
            claims.append(
                Claim(
                    f"Audit: CEL0 has a smaller error than {what}",
                    "not in the paper",
                    f"below 1 / {BETTER:g} of it",
                    f"cel0 {goal['cel0']:.4f}; l0 {error:.4f}, as published {hard['l0']:.4f}",
                    self.verdict(goal["cel0"] * BETTER < error),
                    f"CEL0 by coordinate descent; {n_atoms:,} atoms. {EQUAL} {self.where}",
                    preset="quick",
                )
            )
        return claims

    def steps(self) -> Claim:
        """Judge the bounds on fixed points, and what the step does to the error."""
        l0, cel0 = (
            dict(zip(HYSTERESIS, self.record.arrays[f"hysteresis-{name}"].T))
            for name in ("l0", "cel0")
        )
        step, alpha = l0["step"], l0["alpha"]
        held = (l0["smallest_active"] >= 0.99 * np.sqrt(2 * step * alpha)) & (
            l0["largest_missed"] <= 1.01 * np.sqrt(2 * alpha / step)
        )
        gain, left = l0["mse"][0] / l0["mse"][-1], l0["mse"][-1] / cel0["mse"][-1]
        return Claim(
            "Audit: steps of 1/L make up for what iterative hard thresholding loses to CEL0",
            "its fixed points: |z| >= sqrt(2 step alpha), |correlation| <= sqrt(2 alpha / step)",
            "a lower error of l0, equal to that of cel0",
            f"from step {step[0]:.3g} to {step[-1]:.3g} the error of l0 falls {gain:.2f} times, to "
            f"{left:.2f} times that of cel0",
            self.verdict(bool(gain > BETTER and left < BETTER)),
            f"The bounds hold at {held.sum()} of {held.size} steps. From codes of 0 and at equal "
            f"activity alpha / step stays nearly the same ({(alpha / step).min():.3g} to "
            f"{(alpha / step).max():.3g}), and with it the correlation that is missed. The bounds "
            f"meet at a step of 1, which is safe for single coordinates alone: hence coordinate "
            f"descent and LCA. One dictionary of {self.config.n_atoms[0]:,} atoms. {EQUAL}",
            preset="quick",
        )


def cel0_first(error: dict[str, float]) -> bool:
    """Say whether CEL0 is better than the other two by more than counts as equal."""
    return BETTER * error["cel0"] < min(error["half"], error["l0"])


def soft_last(error: dict[str, float]) -> bool:
    """Say whether l1 is worse than the other three by more than counts as equal."""
    return error["l1"] > BETTER * max(error["half"], error["l0"], error["cel0"])


def ordered(error: dict[str, float]) -> bool:
    return cel0_first(error) and soft_last(error)


def judge(record: Record) -> list[Claim]:
    """Return every claim, or none if a penalty is missing."""
    if not {"l1", "half", "l0", "cel0"} <= set(record.config.penalties):
        return []
    one = Judge(record)
    return [*one.order(), *one.ratios(), *one.authors_run(), *one.shapes(), *one.audit()]
