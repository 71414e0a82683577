"""Sparsey as the papers have it: slow, with one matrix for each kind of wire and no kernel."""

import numpy as np

from memory._draws import cue_words, uniforms


def soft_winners(mu, draws):
    """Draw one unit of every module, mu of shape (Q, K)."""
    return [
        int(np.searchsorted(np.cumsum(row), draw * row.sum(), side="right"))
        for row, draw in zip(mu, draws, strict=True)
    ]


def hard_winners(V, draws):
    """Take the largest V of every module, drawing between equals."""
    equals = [np.flatnonzero(row == row.max()) for row in V]
    return [int(e[int(draw * len(e))]) for e, draw in zip(equals, draws, strict=True)]


class SparseyTwin:
    """A mac with the sigmoid of 2014 and binary weights."""

    def __init__(self, Q, K, seed, n_inputs, *, saturation=0.5, A=1.0, B=3, threshold=0.95):
        self.Q, self.K, self.seed, self.saturation = Q, K, seed, saturation
        self.A, self.B, self.threshold = A, B, threshold
        self.WU = np.zeros((n_inputs, Q, K))
        self.WH = np.zeros((Q, K, Q, K))
        self.frozen_U = np.zeros((Q, K), bool)
        self.frozen_H = np.zeros((Q, K), bool)
        self.t, self.smallest = 0, n_inputs

    def evidence(self, x, before, zeta):
        """Return V, G and zeta for an input and the code before (None if there is none)."""
        V = np.ones((self.Q, self.K))
        if x.any():
            V *= np.minimum(1, self.WU[x].sum(axis=0) / x.sum())
        if before is not None:
            strength = zeta**self.A if zeta <= self.B else 0.0
            h = sum(strength * self.WH[q, k] for q, k in enumerate(before))
            V *= np.minimum(1, h / (self.Q - 1))
        G = np.mean([row.max() for row in V])
        n_above = np.count_nonzero(self.threshold < V)
        return V, G, max(1, int(np.floor(n_above / self.Q + 0.5)))

    def mu(self, V, G):
        """Return the chances of 2014."""
        eta = 1 + (max(0, G - 0.1) / 0.9) ** 2 * 100 * self.K
        return (eta - 1) / (1 + (0.1 * np.exp(-4 * (V - 1))) ** 8) + 1

    def learn(self, x, before, code):
        """Raise the weights that are not frozen, then freeze."""
        for q, k in enumerate(code):
            if not self.frozen_U[q, k]:
                self.WU[x, q, k] = 1
            self.frozen_U[q, k] |= self.WU[:, q, k].mean() > self.saturation
            if before is None:
                continue
            for p, j in enumerate(before):
                if p != q and not self.frozen_H[q, k]:
                    self.WH[p, j, q, k] = 1
            share = self.WH[:, :, q, k].sum() / ((self.Q - 1) * self.K)
            self.frozen_H[q, k] |= share > self.saturation

    def store(self, X, sequence=False):
        """Store items, and return winners and G of each."""
        codes, found, before, zeta = [], [], None, 1
        draws = uniforms(self.seed, np.arange(len(X)) + self.t, self.Q)
        for x, draw in zip(X, draws, strict=True):
            V, G, zeta = self.evidence(x, before if sequence else None, zeta)
            code = soft_winners(self.mu(V, G), draw)
            self.learn(x, before if sequence else None, code)
            codes.append(code)
            found.append(G)
            before, self.t = code, self.t + 1
            self.smallest = min(self.smallest, x.sum())
        return np.array(codes), np.array(found)

    def recall(self, X):
        """Return winners, G and what is given back."""
        codes, found, patterns = [], [], []
        rows = [np.flatnonzero(x) for x in X]
        indptr = np.cumsum([0, *map(len, rows)])
        words = cue_words(indptr, np.concatenate(rows))
        for x, draw in zip(X, uniforms(self.seed ^ 0x5EED, words, self.Q), strict=True):
            V, G, _ = self.evidence(x, None, 1)
            code = hard_winners(V, draw)
            feedback = sum(self.WU[:, q, k] for q, k in enumerate(code))
            least = min(self.Q, max(1, np.sort(feedback)[::-1][self.smallest - 1]))
            codes.append(code)
            found.append(G)
            patterns.append(feedback >= least)
        return np.array(codes), np.array(found), np.array(patterns)
