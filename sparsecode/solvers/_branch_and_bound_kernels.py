"""Branch and bound over supports, one sample at a time.

Atoms and samples have norm 1 here, and energies are squared norms: a support costs the squared norm
of its residual and the sum of `costs` of its atoms.

The tree adds atoms one by one. The tableau of a node holds, of all atoms that may still come, what
the atoms before them leave: inner products (a Schur complement of the Gram matrix) and moments with
the sample. One more atom, or two more, are then tried in closed form for all atoms and all pairs;
only three more ask for children.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from sparsecode._jit import jit
from sparsecode._row_kernels import copy_row
from sparsecode._simd import dot

__all__ = ["DEPENDENT", "SLACK", "Fit", "Node", "Task", "Tree", "prove_tile"]

#: Squared distance from the span of other atoms up to which an atom depends on them.
DEPENDENT = 2.0**-26
#: Largest coefficient of a unit sample on unit atoms that are no closer than that to each other.
LARGEST = 2.0**13
#: How far below the incumbent a support must lie to count, in units of ||x||^2.
SLACK = 2.0**-36
#: Largest support whose atoms the local search tries to replace; no larger one is ever proven.
LARGEST_SEARCHED = 32
#: Fewest atoms still to be added for which it pays to look for a set that must be hit.
WORTH_CUTTING = 4

#: Compile a kernel that only others call: what Python needs to call it takes long with structs.
inner = partial(jit, no_cpython_wrapper=True, no_cfunc_wrapper=True)


class Task(NamedTuple):
    """What is to be minimised for one sample.

    Parameters
    ----------
    atoms : ndarray of shape (n_atoms, n_features)
        Of norm 1.
    x : ndarray of shape (n_features,)
        Of norm 1.
    costs : ndarray of shape (n_atoms,)
        What each active atom costs, in units of ||x||^2.
    cheapest : ndarray of shape (n_atoms + 1,)
        Entry m is the least that m atoms cost.
    least, most : int
        How many active atoms are of interest; fewer are known not to be better.
    positive : bool
        Whether coefficients must be above 0.
    """

    atoms: np.ndarray
    x: np.ndarray
    costs: np.ndarray
    cheapest: np.ndarray
    least: int
    most: int
    positive: bool


class Fit(NamedTuple):
    """Scratch of least-squares fits of single supports, and the incumbent.

    The incumbent is `value`, its cost, the first `size` entries of `support` and their
    `coefficients`.
    """

    value: np.ndarray
    size: np.ndarray
    support: np.ndarray
    coefficients: np.ndarray
    fitted: np.ndarray
    basis: np.ndarray
    triangle: np.ndarray
    solution: np.ndarray
    residual: np.ndarray
    rest: np.ndarray
    trial: np.ndarray


class Tree(NamedTuple):
    """The stack of the search: a level for each atom of the path, where its children stand."""

    tables: np.ndarray
    moments: np.ndarray
    members: np.ndarray
    sizes: np.ndarray
    following: np.ndarray
    stops: np.ndarray
    energies: np.ndarray
    paid: np.ndarray
    volumes: np.ndarray
    path: np.ndarray


class Node(NamedTuple):
    """Scratch of the node that is looked at: one entry for each member of the level above it."""

    slopes: np.ndarray
    diagonal: np.ndarray
    projected: np.ndarray
    prices: np.ndarray
    scores: np.ndarray
    alive: np.ndarray
    order: np.ndarray
    kept: np.ndarray


@inner
def _subtract_span(basis, size, vector):
    """Subtract from `vector` what the first `size` rows of an orthonormal basis span of it."""
    for b in range(size):
        product = dot(basis[b], vector)
        for f in range(vector.size):
            vector[f] -= product * basis[b, f]


@inner
def _fit(task, size, fit):
    """Fit the first `size` atoms of ``fit.fitted``; return the residual energy.

    Leaves an orthonormal basis, the residual and the coefficients. Atoms that depend on each other
    return infinity.
    """
    residual = fit.residual
    copy_row(task.x, residual)
    for a in range(size):
        fresh = fit.basis[a]
        fresh[:] = task.atoms[fit.fitted[a]]
        for b in range(a):
            fit.triangle[a, b] = dot(fit.basis[b], fresh)
        for _ in range(2):  # twice is enough
            _subtract_span(fit.basis, a, fresh)
        energy = dot(fresh, fresh)
        if energy <= DEPENDENT:
            return np.inf
        fit.triangle[a, a] = np.sqrt(energy)
        for f in range(fresh.size):
            fresh[f] /= fit.triangle[a, a]
        fit.solution[a] = dot(fresh, residual)
        for f in range(fresh.size):
            residual[f] -= fit.solution[a] * fresh[f]
    for a in range(size - 1, -1, -1):
        for b in range(a + 1, size):
            fit.solution[a] -= fit.triangle[b, a] * fit.solution[b]
        fit.solution[a] /= fit.triangle[a, a]
    return dot(residual, residual)


@inner
def _sort(members, size):
    """Sort the first `size` members in place: a support has one value, whoever finds it."""
    for a in range(1, size):
        member = members[a]
        b = a
        while b > 0 and members[b - 1] > member:
            members[b] = members[b - 1]
            b -= 1
        members[b] = member


@inner
def _evaluate(task, size, fit):
    """Return the cost of the support in ``fit.fitted``, infinity where it breaks a constraint.

    The incumbent becomes this support if it is better.
    """
    _sort(fit.fitted, size)
    value = _fit(task, size, fit)
    if value == np.inf:
        return value
    for a in range(size):
        if task.positive and fit.solution[a] <= 0.0:
            return np.inf
        value += task.costs[fit.fitted[a]]
    if value < fit.value[0] - 0.25 * SLACK:
        fit.value[0] = value
        fit.size[0] = size
        copy_row(fit.fitted[:size], fit.support)
        copy_row(fit.solution[:size], fit.coefficients)
    return value


@inner
def _best_insertion(task, size, fit):
    """Return the atom that lowers the cost most beside the support just fitted, and by how much."""
    best, highest = -1, -np.inf
    for j in range(task.costs.size):
        copy_row(task.atoms[j], fit.rest)
        _subtract_span(fit.basis, size, fit.rest)
        energy = dot(fit.rest, fit.rest)
        moment = dot(fit.rest, fit.residual)
        if energy <= DEPENDENT or (task.positive and moment <= 0.0):
            continue
        gain = moment * moment / energy - task.costs[j]
        if gain > highest:
            best, highest = j, gain
    return best, highest


@inner
def _set_without(fit, size, dropped):
    """Write the trial support without its member `dropped`, if any, to be fitted; return its size.

    `dropped` is a position, and `size` for none.
    """
    n_kept = 0
    for a in range(size):
        if a != dropped:
            fit.fitted[n_kept] = fit.trial[a]
            n_kept += 1
    return n_kept


@inner
def _best_change(task, size, fit):
    """Return what to drop (a position) and to add (an atom) to lower the cost of the trial most.

    `size` stands for dropping none, -1 for adding none; the last value returned is the cost.
    """
    dropped, added, lowest = size, -1, np.inf
    for a in range(size, -1 if size <= LARGEST_SEARCHED else size - 1, -1):
        n_kept = _set_without(fit, size, a)
        value = _fit(task, n_kept, fit)
        if value == np.inf:
            continue
        for b in range(n_kept):
            value += task.costs[fit.fitted[b]]
        if a < size and value < lowest - SLACK:
            dropped, added, lowest = a, -1, value
        if n_kept < task.most:
            j, gain = _best_insertion(task, n_kept, fit)
            if j >= 0 and value - gain < lowest - SLACK:
                dropped, added, lowest = a, j, value - gain
        if a == size and lowest < value - SLACK:
            break  # it grows while it can
    return dropped, added, lowest


@inner
def _improve(task, size, fit):
    """Insert, remove and replace single atoms of the trial support while its cost falls."""
    copy_row(fit.trial[:size], fit.fitted)
    value = _evaluate(task, size, fit)
    while True:
        dropped, added, lowest = _best_change(task, size, fit)
        if not lowest < value - SLACK:
            return
        changed = _set_without(fit, size, dropped)
        if added >= 0:
            fit.fitted[changed] = added
            changed += 1
        reached = _evaluate(task, changed, fit)
        if not reached < value - 0.5 * SLACK:
            return
        size, value = changed, reached
        copy_row(fit.fitted[:size], fit.trial)


@inner
def _most_to_add(task, paid, n_chosen, fit):
    """Return how many atoms may be added at most before their costs alone reach the incumbent."""
    most = 0
    limit = fit.value[0] - SLACK - paid
    while n_chosen + most < task.most and task.cheapest[most + 1] < limit:
        most += 1
    return most


@inner
def _project(level, a, tree, node):
    """Project the atoms that follow atom `a` of a level, and the sample, off this atom."""
    table, moments, size = tree.tables[level], tree.moments[level], tree.sizes[level]
    for p in range(a + 1, size):
        slope = table[a, p] / table[a, a]
        energy = table[p, p] - slope * table[a, p]
        node.slopes[p] = slope
        node.alive[p] = energy > DEPENDENT
        node.diagonal[p] = energy if node.alive[p] else 1.0
        node.projected[p] = moments[p] - slope * moments[a] if node.alive[p] else 0.0


@inner
def _try(task, level, first, second, fit, tree):
    """Evaluate the path with one or two (or no: -1) members of a level in addition."""
    size = level
    for depth in range(level):
        fit.fitted[depth] = tree.path[depth + 1]
    for member in (first, second):
        if member >= 0:
            fit.fitted[size] = tree.members[level, member]
            size += 1
    _evaluate(task, size, fit)


@inner
def _count_suspects(row, pivot, slope, first, size, node, energy, moment, needed, margin):
    """Count the partners of one atom with which its pair may lower the residual as needed.

    A pair explains N / V, with V its Gram determinant; it is suspect if N + margin > needed * V.
    """
    diagonal, projected, prices = node.diagonal, node.projected, node.prices
    count = 0
    for q in range(first, size):
        inner = row[q] - slope * pivot[q]
        lacking = needed + prices[q]
        other = projected[q]
        volume = energy * diagonal[q] - inner * inner
        explained = (
            moment * moment * diagonal[q] + energy * other * other - 2.0 * inner * moment * other
        )
        count += explained - lacking * volume > -margin
    return count


@inner
def _try_pairs_with(task, level, a, p, needed, margin, fit, tree, node):
    """Evaluate every suspect pair of member `p` and a later one."""
    row, pivot = tree.tables[level, p], tree.tables[level, a]
    energy, moment = node.diagonal[p], node.projected[p]
    for q in range(p + 1, tree.sizes[level]):
        inner = row[q] - node.slopes[p] * pivot[q]
        other = node.projected[q]
        volume = energy * node.diagonal[q] - inner * inner
        if not node.alive[q] or volume <= DEPENDENT * max(energy, node.diagonal[q]):
            continue
        one = moment * node.diagonal[q] - inner * other  # coefficients, times the volume
        two = other * energy - inner * moment
        if task.positive and (one < -margin or two < -margin):
            continue
        if moment * one + other * two - (needed + node.prices[q]) * volume > -margin:
            _try(task, level, p, q, fit, tree)


@inner
def _try_pairs(task, level, a, energy, paid, margin, fit, tree, node):
    """Evaluate every pair beside the path that may beat the incumbent."""
    size = tree.sizes[level]
    pivot = tree.tables[level, a]
    for p in range(a + 1, size - 1):
        if not node.alive[p]:
            continue
        needed = energy + paid + node.prices[p] - (fit.value[0] - SLACK)
        row = tree.tables[level, p]
        if _count_suspects(
            row, pivot, node.slopes[p], p + 1, size, node, node.diagonal[p], node.projected[p],
            needed, margin,
        ):  # fmt: skip
            _try_pairs_with(task, level, a, p, needed, margin, fit, tree, node)


@inner
def _try_singles(task, level, a, energy, paid, margin, fit, tree, node):
    """Evaluate every single atom beside the path that may beat the incumbent."""
    for p in range(a + 1, tree.sizes[level]):
        needed = energy + paid + node.prices[p] - (fit.value[0] - SLACK)
        if node.alive[p] and node.projected[p] ** 2 + margin > needed * node.diagonal[p]:
            _try(task, level, p, -1, fit, tree)


@inner
def _rank(level, a, tree, node):
    """Order the live members after `a` by what each alone explains, least first; count them."""
    n_live = 0
    for p in range(a + 1, tree.sizes[level]):
        if node.alive[p]:
            node.scores[p] = node.projected[p] ** 2 / node.diagonal[p]
            b = n_live
            while b > 0 and node.scores[node.order[b - 1]] > node.scores[p]:
                node.order[b] = node.order[b - 1]
                b -= 1
            node.order[b] = p
            n_live += 1
    return n_live


@inner
def _coherence(level, a, n_live, margin, tree, node):
    """Return the largest cosine of two live members, projected off the path, but for rounding."""
    table = tree.tables[level]
    largest = 0.0
    for b in range(n_live):
        p = node.order[b]
        for e in range(b):
            q = node.order[e]
            inner = abs(table[p, q] - node.slopes[p] * table[a, q]) + margin
            largest = max(largest, inner * inner / (node.diagonal[p] * node.diagonal[q]))
    return np.sqrt(largest)


@inner
def _most_by_coherence(task, level, a, n_live, most, energy, paid, margin, fit, tree, node):
    """Return how many atoms may be added at most, given how incoherent they are; 2 for fewer.

    m unit atoms explain at most the sum of their m squared products with the residual over their
    least eigenvalue, which is at least 1 - (m - 1) times the coherence (Gershgorin).
    """
    limit = fit.value[0] - SLACK - paid
    explained = 0.0
    coherence = -1.0
    result = 2
    fewest = max(task.least - level, 3)
    for m in range(1, min(most, n_live) + 1):
        p = node.order[n_live - m]
        explained += node.scores[p] + margin / node.diagonal[p]
        if m < fewest:
            continue
        needed = energy + task.cheapest[m] - limit
        if explained >= needed:
            return most  # even orthogonal atoms would do
        if coherence < 0.0:
            coherence = _coherence(level, a, n_live, margin, tree, node)
        least = 1.0 - (m - 1) * coherence
        if least <= 0.0:
            return most
        if explained / least >= needed:
            result = m
    return result


@inner
def _distance(task, basis_size, n_chosen, n_kept, fit, tree, node):
    """Return a safe lower bound of the squared distance of x from all supports of some atoms.

    The atoms are the path and the members ``node.kept``. With u the residual, any code z on them
    has ||x - zD|| >= (x - zD).u / ||u||, and (zD).u is rounding: at most the largest product of an
    atom with u, times the coefficients' sum.
    """
    u = fit.residual
    _subtract_span(fit.basis, basis_size, u)
    defect = 0.0
    for depth in range(n_chosen):
        defect = max(defect, abs(dot(task.atoms[tree.path[depth + 1]], u)))
    for b in range(n_kept):
        defect = max(defect, abs(dot(task.atoms[node.kept[b]], u)))
    length = np.sqrt(dot(u, u))
    if length == 0.0:
        return 0.0
    n_active = min(task.most, task.x.size)
    product = dot(task.x, u) - n_active * LARGEST * defect
    return max(product / length - 2.0**-46, 0.0) ** 2


@inner
def _start_distance(task, n_chosen, fit, tree):
    """Make the basis of the path and the residual beside it."""
    for depth in range(n_chosen):
        fit.fitted[depth] = tree.path[depth + 1]
    _fit(task, n_chosen, fit)


@inner
def _absorb(task, j, size, least, fit):
    """Add atom `j` to the basis unless the residual energy would fall below `least`.

    Returns the new size of the basis, -1 for a refusal.
    """
    copy_row(task.atoms[j], fit.rest)
    _subtract_span(fit.basis, size, fit.rest)
    energy = dot(fit.rest, fit.rest)
    if energy <= DEPENDENT or size == task.x.size:
        return size  # spanned already
    moment = dot(fit.rest, fit.residual)
    if dot(fit.residual, fit.residual) - moment * moment / energy <= least:
        return -1
    length = np.sqrt(energy)
    for f in range(task.x.size):
        fit.basis[size, f] = fit.rest[f] / length
        fit.residual[f] -= moment / energy * fit.rest[f]
    return size + 1


@inner
def _split(task, level, n_live, target, fit, tree, node):
    """Reorder the live members: first those of which one is needed, the best first; count these.

    The others together leave more than `target` of the sample's energy, and so does every support
    among them: supports that may count hold at least one of the first.
    """
    _start_distance(task, level, fit, tree)
    size, n_kept, n_needed = level, 0, 0
    for b in range(n_live):
        p = node.order[b]
        j = tree.members[level, p]
        grown = _absorb(task, j, size, 1.0001 * target + 1e-9, fit)
        if grown < 0:
            node.order[n_needed] = p
            n_needed += 1
        else:
            size = grown
            node.kept[n_kept] = j
            node.scores[n_kept] = p
            n_kept += 1
    safe = _distance(task, size, level, n_kept, fit, tree, node) > target
    for b in range(n_needed // 2):
        e = n_needed - 1 - b
        node.order[b], node.order[e] = node.order[e], node.order[b]
    for b in range(n_kept):
        node.order[n_needed + b] = int(node.scores[n_kept - 1 - b])
    return n_needed if safe else n_live


@inner
def _reverse(order, size):
    for b in range(size // 2):
        order[b], order[size - 1 - b] = order[size - 1 - b], order[b]


@inner
def _push(level, a, n_live, n_children, energy, paid, volume, tree, node):
    """Write the tableau of the node that takes member `a` into the next level."""
    old, new = tree.tables[level], tree.tables[level + 1]
    for b in range(n_live):
        p = node.order[b]
        new[b, b] = node.diagonal[p]
        for e in range(b):
            q = node.order[e]
            inner = old[p, q] - node.slopes[p] * old[a, q]
            new[b, e] = inner
            new[e, b] = inner
        tree.moments[level + 1, b] = node.projected[p]
        tree.members[level + 1, b] = tree.members[level, p]
    tree.sizes[level + 1] = n_live
    tree.following[level + 1] = 0
    tree.stops[level + 1] = n_children
    tree.energies[level + 1] = energy
    tree.paid[level + 1] = paid
    tree.volumes[level + 1] = volume


@inner
def _bound_of(task, n_chosen, level, first, paid, fit, tree, node):
    """Return a lower bound of supports with the path and three or more members of a level.

    The members are those from `first` on.
    """
    _start_distance(task, n_chosen, fit, tree)
    size, n_kept = n_chosen, 0
    for p in range(first, tree.sizes[level]):
        node.kept[n_kept] = tree.members[level, p]
        size = _absorb(task, node.kept[n_kept], size, -1.0, fit)
        n_kept += 1
    count = min(max(task.least - n_chosen, 3), task.costs.size)
    return paid + task.cheapest[count] + _distance(task, size, n_chosen, n_kept, fit, tree, node)


@inner
def _visit(task, level, a, fit, tree, node):
    """Look at the node that adds member `a` of a level to the path.

    Returns whether it was pushed as a new level, and a lower bound of what is left undone: infinity
    but for a full stack.
    """
    pivot = tree.tables[level, a, a]
    energy = tree.energies[level] - tree.moments[level, a] ** 2 / pivot
    j = tree.members[level, a]
    paid, volume = tree.paid[level], tree.volumes[level] * pivot
    tree.path[level] = j
    if j >= 0:
        paid += task.costs[j]
    most = _most_to_add(task, paid, level, fit)
    fewest = max(task.least - level, 1)
    if most < fewest or (level > 0 and most == 1):  # pairs of the node above were these singles
        return False, np.inf
    _project(level, a, tree, node)
    for p in range(a + 1, tree.sizes[level]):
        node.prices[p] = task.costs[tree.members[level, p]]
    # rounding of the tableau, as a change of the Gram matrix; its least eigenvalue exceeds V / e
    margin = 2.0**-48 * (task.x.size + level) * (level + 3) / volume
    if level == 0 and fewest == 1:
        _try_singles(task, level, a, energy, paid, margin, fit, tree, node)
    if most >= 2 and fewest <= 2:
        _try_pairs(task, level, a, energy, paid, margin, fit, tree, node)
    most = _most_to_add(task, paid, level, fit)
    fewest = max(fewest, 3)
    if most < fewest:
        return False, np.inf
    n_live = _rank(level, a, tree, node)
    if n_live < fewest:
        return False, np.inf
    if _most_by_coherence(task, level, a, n_live, most, energy, paid, margin, fit, tree, node) < 3:
        return False, np.inf
    n_children = n_live - fewest + 1
    if most >= WORTH_CUTTING or level == 0:
        target = fit.value[0] - SLACK - paid - task.cheapest[fewest]
        n_children = min(_split(task, level, n_live, target, fit, tree, node), n_children)
    else:
        _reverse(node.order, n_live)
    if n_children == 0:
        return False, np.inf
    if level + 1 == tree.sizes.size:
        return False, _bound_of(task, level, level, a + 1, paid, fit, tree, node)
    _push(level, a, n_live, n_children, energy, paid, volume, tree, node)
    return True, np.inf


@inner
def _search_sizes(task, max_nodes, fit, tree, node):
    """Go through the tree of the sizes of interest, depth first.

    Returns the nodes and a lower bound of what is left undone, infinity for nothing.
    """
    nodes, level = 0, 0
    open_bound = np.inf
    tree.following[0], tree.stops[0] = 0, 1
    while level >= 0:
        if tree.following[level] == tree.stops[level]:
            level -= 1
            continue
        if nodes == max_nodes:
            for open_level in range(level + 1):
                first = tree.following[open_level]
                if first < tree.stops[open_level]:
                    bound = _bound_of(
                        task,
                        open_level - 1,
                        open_level,
                        first,
                        tree.paid[open_level],
                        fit,
                        tree,
                        node,
                    )
                    open_bound = min(open_bound, bound)
            break
        a = tree.following[level]
        tree.following[level] += 1
        nodes += 1
        pushed, left = _visit(task, level, a, fit, tree, node)
        open_bound = min(open_bound, left)
        if pushed:
            level += 1
    return nodes, open_bound


@inner
def _search(task, max_nodes, fit, tree, node):
    """Search for a better support; return the nodes and a lower bound of all supports.

    Where atoms cost something, size by size: larger supports must leave less of the sample, and a
    search that ends early has at least excluded the smaller ones.
    """
    if task.cheapest[1] == 0.0:
        nodes, undone = _search_sizes(task, max_nodes, fit, tree, node)
        return nodes, min(fit.value[0] - SLACK, undone)
    nodes, undone = 0, np.inf
    least, most = 0, min(3, task.most)
    while True:
        sizes = Task(
            task.atoms, task.x, task.costs, task.cheapest, least, most, task.positive
        )  # fmt: skip
        visited, left = _search_sizes(sizes, max_nodes - nodes, fit, tree, node)
        nodes += visited
        undone = min(undone, left)
        least = most + 1
        if least > task.most or task.cheapest[least] >= fit.value[0] - SLACK:
            return nodes, min(fit.value[0] - SLACK, undone)
        if nodes >= max_nodes or left < np.inf:
            return nodes, min(fit.value[0] - SLACK, undone, task.cheapest[least])
        most = least


@inner
def _start_root(task, fit, tree):
    """Set up the tableau of all atoms, behind a member that stands for no atom."""
    fit.value[0] = 1.0
    fit.size[0] = 0
    tree.energies[0] = 1.0
    tree.paid[0] = 0.0
    tree.volumes[0] = 1.0
    tree.sizes[0] = task.costs.size + 1
    tree.members[0, 0] = -1
    tree.moments[0, 0] = 0.0
    for j in range(task.costs.size):
        tree.members[0, j + 1] = j
        tree.moments[0, j + 1] = dot(task.atoms[j], task.x)


@inner
def _set_trial(task, members, values, fit, node):
    """Take as trial support the atoms of a given code, the smallest left out where too many."""
    size = 0
    for position in range(members.size):
        if not values[position] > 0.0 and (task.positive or values[position] == 0.0):
            continue
        fit.trial[size] = members[position]
        node.scores[size] = abs(values[position])
        b = size
        while b > 0 and node.scores[b - 1] < node.scores[b]:
            node.scores[b - 1], node.scores[b] = node.scores[b], node.scores[b - 1]
            fit.trial[b - 1], fit.trial[b] = fit.trial[b], fit.trial[b - 1]
            b -= 1
        size += 1
    return min(size, task.most)


@inner
def _set_costs(task, scale, weights):
    """Write the costs of atoms and of m atoms at least; `weights` come sorted in their last row."""
    task.cheapest[0] = 0.0
    for j in range(task.costs.size):
        task.costs[j] = scale * weights[0, j]
        task.cheapest[j + 1] = task.cheapest[j] + scale * weights[1, j]


@jit
def prove_tile(
    samples, seen, task, alphas, weights, max_nodes, indptr, members, values, fit, tree, node,
    indices, codes, counts, lowers, n_iter,
):  # fmt: skip
    """Find the best support of every sample; `lowers` become proven bounds of its cost.

    `task` holds what samples share, and place for what they do not; `codes` are coefficients of
    unit atoms, `lowers` and `alphas` are in units of energy, 1/2 ||x||^2.
    """
    for i in range(samples.shape[0]):
        counts[i] = 0
        n_iter[i] = 0
        squared = dot(samples[i], samples[i])
        lowers[i] = 0.5 * squared
        if not seen[i]:
            continue
        length = np.sqrt(squared)
        for f in range(samples.shape[1]):
            task.x[f] = samples[i, f] / length
        _set_costs(task, 2.0 * alphas[i] / squared, weights)
        _start_root(task, fit, tree)
        _improve(task, 0, fit)
        first, last = indptr[i], indptr[i + 1]
        if last > first:
            size = _set_trial(task, members[first:last], values[first:last], fit, node)
            _improve(task, size, fit)
        n_iter[i], lower = _search(task, max_nodes, fit, tree, node)
        lowers[i] = 0.5 * squared * max(lower, 0.0)
        counts[i] = fit.size[0]
        for a in range(counts[i]):
            indices[i, a] = fit.support[a]
            codes[i, a] = length * fit.coefficients[a]
