"""A slow, obvious twin of the hierarchy: macs as sets of units, weights as sets of pairs."""

from functools import partial
from itertools import product
from math import ceil, floor

import numpy as np

from memory._draws import cue_words, uniforms
from memory._levels import check_levels
from memory._sigmoids import as_sigmoid
from memory._sparsey_setup import as_seed
from memory._tiling import pixel_sheet, receptive_fields, sheet_over
from sparsecode.core import SparseCode

RANKS = [["UHD"], ["UH", "UD", "HD"], ["U", "H", "D"]]


class Mac:
    def __init__(self, level, sees, beside, above):
        self.level, self.sees, self.beside, self.above = level, sees, beside, above
        self.n = level.n_modules * level.n_units
        self.weights = {kind: [set() for _ in range(self.n)] for kind in "UHD"}
        self.fewest = 2**62

    def may_reach(self, kind, source, unit):
        (mac, other), per_module = source, self.level.n_units
        return not (kind == "H" and mac is self and other // per_module == unit // per_module)


class HierarchyTwin:
    """The same network by its definition; `hierarchy` lends its parameters."""

    def __init__(self, hierarchy):
        self.p, self.levels = hierarchy, check_levels(hierarchy.levels)
        self.seed, self.n_stored = as_seed(hierarchy.random_state), 0
        plane = hierarchy.input_shape
        below, self.sheets = pixel_sheet(plane), []
        self.macs = []
        for level in self.levels:
            sheet = sheet_over(plane, level.shape, level.tiling)
            fields = receptive_fields(sheet, below, level.overlap)
            self.macs.append([Mac(level, list(field), [], []) for field in fields])
            for mac, near in zip(self.macs[-1], sheet.neighbours(), strict=True):
                mac.beside = [mac] + [self.macs[-1][j] for j in near]
            if len(self.macs) > 1:
                for mac in self.macs[-1]:
                    mac.sees = [self.macs[-2][j] for j in mac.sees]
                    for lower in mac.sees:
                        lower.above.append(mac)
            below = sheet

    def present(self, frames, in_sequence, *, learning):
        frames = SparseCode.from_dense(frames)
        if learning:
            words, seed = np.arange(self.n_stored, self.n_stored + len(frames)), self.seed
            self.n_stored += len(frames)
        else:
            words, seed = cue_words(frames.indptr, frames.indices), self.seed ^ 0x5EED
            words = words + in_sequence * np.arange(len(frames), dtype=np.uint64)
        everyone = [mac for macs in self.macs for mac in macs]
        draws = uniforms(seed, words, sum(mac.level.n_modules for mac in everyone))
        before, rows, familiarity, given_back = {}, [], [], []
        for frame, numbers in zip(frames, draws, strict=True):
            before = before if in_sequence else {}
            now = self.step(
                set(frame.indices.tolist()), before, iter(numbers), in_sequence, learning
            )
            start, row = 0, []
            for mac in everyone:
                row += [start + unit for unit in now[mac]["code"]] if mac in now else []
                start += mac.n
            rows.append(row)
            familiarity.append(np.mean([one["G"] for one in now.values()]) if now else 0.0)
            given_back.append(self.give_back(now))
            before = now
        code = SparseCode.from_indices(rows, sum(mac.n for mac in everyone))
        return code, np.array(familiarity), np.array(given_back)

    def step(self, pixels, before, numbers, in_sequence, learning):
        now = {}
        for depth, macs in enumerate(self.macs):
            for mac in macs:
                draws = [next(numbers) for _ in range(mac.level.n_modules)]
                inputs, full = self.inputs(mac, depth, pixels, before, now)
                held = before.get(mac)
                if held and held["left"] > 0:
                    now[mac] = {**held, "left": held["left"] - 1}
                else:
                    may_see = depth > 0 or learning or bool(pixels)
                    chosen = self.choose(
                        mac, depth, inputs, full, may_see, draws, in_sequence, learning
                    )
                    if chosen:
                        now[mac] = chosen
                if learning and mac in now:
                    self.learn(mac, now[mac]["code"], inputs, full)
                    if depth == 0 and inputs["U"]:
                        mac.fewest = min(mac.fewest, len(inputs["U"]))
        return now

    def inputs(self, mac, depth, pixels, before, now):
        """Return what is active before each kind of wires, with its strength, and the full sum."""

        def units(macs, when):
            active = [one for one in macs if one in when]
            return {
                (one, unit): when[one]["strength"] for one in active for unit in when[one]["code"]
            }

        inputs = {
            "U": {(None, p): 1.0 for p in mac.sees if p in pixels} if not depth else
            units(mac.sees, now),
            "H": units(mac.beside, before) if "H" in mac.level.wires else {},
            "D": units(mac.above, before) if "D" in mac.level.wires else {},
        }  # fmt: skip
        full = {kind: len(active) for kind, active in inputs.items()}
        if mac in before and "H" in mac.level.wires:
            full["H"] -= 1
        if self.p.normalisation == "bound":
            each = self.levels[depth - 1].n_modules if depth else 1
            full["U"] = mac.level.activation_bounds[0] * each
        return inputs, full

    def choose(self, mac, depth, inputs, full, may_see, draws, in_sequence, learning):
        n_features = len(inputs["U"])
        if depth:
            n_features = len({source for source, _ in inputs["U"]})
        least, most = mac.level.activation_bounds
        if may_see and not least <= n_features <= (most or 2**62):
            return None
        kinds = [kind for kind in "UHD" if full[kind] > 0 and (kind != "U" or may_see)]
        if not kinds:
            return None
        signals = {}
        for kind in kinds:
            sums = [sum(inputs[kind][s] for s in inputs[kind] if s in w) for w in mac.weights[kind]]
            signals[kind] = np.minimum(1.0, np.array(sums) / full[kind])
        V = self.evidence(mac, signals, kinds, in_sequence, learning)
        per_module = V.reshape(mac.level.n_modules, -1)
        G = per_module.max(axis=1).mean()
        if not may_see and self.p.gate >= G:
            return None
        if learning:
            chances = as_sigmoid(self.p.activation).chances(per_module, G)
            ends = np.cumsum(chances, axis=1)
            winners = [int(np.argmax(d * e[-1] < e)) for d, e in zip(draws, ends, strict=True)]
        else:
            best = [np.flatnonzero(row == row.max()) for row in per_module]
            winners = [int(b[int(d * b.size)]) for d, b in zip(draws, best, strict=True)]
        n_held = max(1, floor((self.p.hypothesis_threshold < V).sum() / len(per_module) + 0.5))
        strength = float(n_held) ** self.p.correction_exponent
        return {
            "code": [q * mac.level.n_units + k for q, k in enumerate(winners)],
            "G": G,
            "strength": strength if n_held <= self.p.max_hypotheses else 0.0,
            "left": mac.level.persistence - 1,
        }

    def evidence(self, mac, signals, kinds, in_sequence, learning):
        """Return V of the case that the back-off believes."""
        exponents = dict(zip("UHD", np.broadcast_to(self.p.exponents, 3), strict=True))
        if in_sequence and kinds == ["U"]:
            exponents["U"] = self.p.first_exponent

        def product_of(case):
            V = np.ones(mac.n)
            for kind in case:
                V *= signals[kind] ** exponents[kind]
            return V

        if learning or self.p.backoff_threshold == 0:
            return product_of(kinds)
        found = []
        for rank in RANKS:
            for case in rank:
                must = "U" if "U" in kinds else "H" if "H" in kinds else ""
                must = must if self.p.backoff_keeps_input else ""
                if set(must) <= set(case) <= set(kinds):
                    V = product_of(case)
                    G = V.reshape(mac.level.n_modules, -1).max(axis=1).mean()
                    found.append((G, V))
            if any(self.p.backoff_threshold <= G for G, _ in found):
                break
        return max(found, key=lambda one: one[0])[1]

    def learn(self, mac, code, inputs, full):
        sizes = {
            "U": len(mac.sees) if not isinstance(mac.sees[0], Mac) else sum(m.n for m in mac.sees),
            "H": sum(m.n for m in mac.beside) - mac.level.n_units,
            "D": sum(m.n for m in mac.above),
        }
        share = 1.0 if mac.level.saturation is None else mac.level.saturation
        for kind, unit in product("UHD", code):
            row = mac.weights[kind][unit]
            if full[kind] > 0 and len(row) <= share * sizes[kind]:
                row |= set(filter(partial(self.reaches, mac, kind, unit), inputs[kind]))

    @staticmethod
    def reaches(mac, kind, unit, source):
        return mac.may_reach(kind, source, unit)

    def give_back(self, now):
        given = np.zeros(np.prod(self.p.input_shape), bool)
        for mac in self.macs[0]:
            if mac in now:
                counts = {
                    p: sum((None, p) in mac.weights["U"][unit] for unit in now[mac]["code"])
                    for p in mac.sees
                }
                least = ceil(self.p.feedback_threshold * mac.level.n_modules)
                while least > 1 and sum(c >= least for c in counts.values()) < mac.fewest:
                    least -= 1
                given[[p for p, c in counts.items() if c >= least]] = True
        return given
