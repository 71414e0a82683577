"""Slow, obvious twins of the spatial pooler and the temporal memory, from their definitions."""

import numpy as np


class PoolerTwin:
    """A spatial pooler by its definition, column by column.

    `pooler` lends its parameters and its first permanences; `rivals` lists, for each column, those
    it competes with, itself among them.
    """

    def __init__(self, pooler, rivals):
        self.p, self.rivals = pooler, rivals
        self.permanences, self.duty = pooler.permanences_, np.zeros(len(rivals))

    def winners(self, x):
        p, n = self.p, len(self.rivals)
        connected = self.permanences >= np.float32(p.connected)  # NaN, no synapse, is not
        overlaps = [int((row & x).sum()) for row in connected]
        scores = [overlaps[c] * self.boost(c) for c in range(n)]
        found = []
        for c in range(n):
            able = [r for r in self.rivals[c] if overlaps[r] >= p.stimulus_threshold]
            better = sorted(able, key=lambda r: (-scores[r], r))
            n_winners = max(1, int(p.density * len(self.rivals[c]) + 0.5))
            found.append(c in better[:n_winners])
        return np.array(found)

    def boost(self, c):
        mean = self.duty[self.rivals[c]].mean()
        target = self.p.density if self.p.inhibition_radius is None else mean
        return np.exp(self.p.boost_strength * (target - self.duty[c]))

    def learn(self, x):
        p, winners = self.p, self.winners(x)
        change = np.where(x, np.float32(p.increment), np.float32(-p.decrement))
        for c in np.flatnonzero(winners):
            self.permanences[c] = np.clip(self.permanences[c] + change, 0, 1)
        self.duty = ((p.duty_period - 1) * self.duty + winners) / p.duty_period
        return winners


class Segment:
    def __init__(self, cell, step, born):
        self.cell, self.used, self.born = cell, step, born
        self.synapses = {}  # presynaptic cell: permanence

    def count(self, cells, bar=0.0):
        return sum(cell in cells and p >= bar for cell, p in self.synapses.items())


class TemporalTwin:
    """A temporal memory by its definition; `memory` lends its parameters and its first draw.

    They share the draws alone, by multiply with carry, and the order in which they are made.
    """

    def __init__(self, memory):
        self.p = memory
        self.bar = np.float32(memory.connected)
        self.dead, self.segments, self.free = set(), {}, []
        self.n_numbers = self.n_steps = self.n_born = 0
        self.active, self.winners = set(), []
        self.draw, self.carry = (int(x) for x in memory._store.state[5:7])

    def below(self, n):
        total = 698769069 * self.draw + self.carry
        self.draw, self.carry = total % 2**32, total // 2**32
        return self.draw * n // 2**32

    def reset(self):
        self.active, self.winners = set(), []

    def kill(self, cells):
        for cell in sorted(cells):
            own = [n for n, s in self.segments.items() if s.cell == cell]
            for number in sorted(own, key=lambda n: -self.segments[n].born):
                self.remove(number)
        self.dead |= set(cells)
        self.active -= self.dead
        self.winners = [w for w in self.winners if w not in self.dead]

    def firing(self):
        counts = {n: s.count(self.active, self.bar) for n, s in self.segments.items()}
        return sorted(n for n in counts if counts[n] >= self.p.activation_threshold)

    def matching(self):
        counts = {n: s.count(self.active) for n, s in self.segments.items()}
        return sorted(n for n in counts if counts[n] >= self.p.min_threshold)

    def table(self):
        """Return cell and synapses of every segment, in an order of their own."""
        return sorted((s.cell, tuple(sorted(s.synapses.items()))) for s in self.segments.values())

    def predictive(self):
        return sorted({self.segments[n].cell for n in self.firing()})

    def remove(self, number):
        del self.segments[number]
        self.free.append(number)

    def adapt(self, number, gain, loss):
        synapses = self.segments[number].synapses
        for cell, old in list(synapses.items()):
            new = (
                min(old + np.float32(gain), np.float32(1.0))
                if cell in self.active
                else old - np.float32(loss)
            )
            if new <= 0:
                del synapses[cell]
            else:
                synapses[cell] = new
        if not synapses:
            self.remove(number)

    def grow(self, number, n_wanted):
        if n_wanted <= 0 or number not in self.segments:
            return
        synapses = self.segments[number].synapses
        candidates = [w for w in self.winners if w not in synapses]
        n_new = min(n_wanted, len(candidates))
        weak = sorted((p, cell) for cell, p in synapses.items() if cell not in self.winners)
        while len(synapses) + n_new > self.p.max_synapses and weak:
            del synapses[weak.pop(0)[1]]
        n_new = min(n_new, self.p.max_synapses - len(synapses))
        for i in range(n_new):
            if n_new < len(candidates):
                j = i + self.below(len(candidates) - i)
                candidates[i], candidates[j] = candidates[j], candidates[i]
            synapses[candidates[i]] = np.float32(self.p.initial_permanence)

    def new_segment(self, cell):
        own = [n for n, s in self.segments.items() if s.cell == cell]
        while len(own) >= self.p.max_segments:
            oldest = min(own, key=lambda n: (self.segments[n].used, n))
            own.remove(oldest)
            self.remove(oldest)
        if self.free:
            number = self.free.pop()
        else:
            number, self.n_numbers = self.n_numbers, self.n_numbers + 1
        self.n_born += 1
        self.segments[number] = Segment(cell, self.n_steps, self.n_born)
        return number

    def least_used(self, cells):
        own = {c: sum(s.cell == c for s in self.segments.values()) for c in cells}
        least = [c for c in cells if own[c] == min(own.values())]
        return least[self.below(len(least)) if len(least) > 1 else 0]

    def step(self, columns, learn):
        p, n = self.p, self.p.n_cells
        self.n_steps += 1
        firing, matching = self.firing(), self.matching()
        most = {k: self.segments[k].count(self.active) for k in {*firing, *matching}}
        home = {k: self.segments[k].cell // n for k in most}
        active, winners, n_predicted = set(), [], 0
        for column in columns:
            mine = [k for k in firing if home[k] == column]
            if mine:
                n_predicted += 1
                cells = sorted({self.segments[k].cell for k in mine})
                for k in mine:
                    if learn:
                        self.adapt(k, p.increment, p.decrement)
                        self.grow(k, p.max_new_synapses - most[k])
                active |= set(cells)
                winners += cells
                continue
            living = [c for c in range(column * n, (column + 1) * n) if c not in self.dead]
            active |= set(living)
            rivals = [k for k in matching if home[k] == column]
            best = max(rivals, key=lambda k: (most[k], -k), default=None)
            if best is not None:
                winners.append(self.segments[best].cell)
                if learn:
                    self.adapt(best, p.increment, p.decrement)
                    self.grow(best, p.max_new_synapses - most[best])
            elif living:
                winners.append(self.least_used(living))
                if learn and self.winners:
                    self.grow(self.new_segment(winners[-1]), p.max_new_synapses)
        if learn and p.predicted_segment_decrement > 0:
            for k in matching:
                if home[k] not in columns:
                    self.adapt(k, -p.predicted_segment_decrement, 0.0)
        self.active, self.winners = active, winners
        if learn:
            for k in self.firing():
                self.segments[k].used = self.n_steps
        return 1 - n_predicted / len(columns) if len(columns) else 0.0
