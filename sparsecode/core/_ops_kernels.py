"""Compiled loops of :mod:`sparsecode.core.ops` over compressed rows."""

from __future__ import annotations

from sparsecode._jit import jit


@jit
def _sift_down(heap, i):
    """Let the entry at `i` sink until no child of a min-heap is smaller than its parent."""
    while 2 * i + 1 < heap.size:
        child = 2 * i + 1
        if child + 1 < heap.size and heap[child + 1] < heap[child]:
            child += 1
        if heap[i] <= heap[child]:
            return
        heap[i], heap[child] = heap[child], heap[i]
        i = child


@jit
def mark_top_k(indptr, magnitudes, k, keep):
    """Mark the `k` largest entries of each row, the lower index first among equals."""
    for i in range(indptr.size - 1):
        start, stop = indptr[i], indptr[i + 1]
        if stop - start <= k:
            keep[start:stop] = True
            continue
        heap = magnitudes[start : start + k].copy()  # the k largest so far, the least on top
        for j in range(k // 2 - 1, -1, -1):
            _sift_down(heap, j)
        for p in range(start + k, stop):
            if magnitudes[p] > heap[0]:
                heap[0] = magnitudes[p]
                _sift_down(heap, 0)
        smallest = heap[0]
        n_equal = 0  # how many entries equal to the k-th largest belong to the k
        for j in range(k):
            n_equal += heap[j] == smallest
        for p in range(start, stop):
            if magnitudes[p] > smallest:
                keep[p] = True
            elif magnitudes[p] == smallest and n_equal > 0:
                keep[p] = True
                n_equal -= 1


@jit
def count_postings(indptr, indices, starts, rows, n_rows, counts, first, stride):
    """Count the units that each row shares with `n_rows` others, which are listed unit by unit.

    ``rows[starts[j]:starts[j + 1]]`` are those in which unit ``j`` is active. `counts` is flat:
    those of row ``i`` begin at ``first + i * stride``.
    """
    for i in range(indptr.size - 1):
        mine = counts[first + i * stride :][:n_rows]
        mine[:] = 0
        for p in range(indptr[i], indptr[i + 1]):
            unit = indices[p]
            for q in range(starts[unit], starts[unit + 1]):
                mine[rows[q]] += 1


@jit
def count_row_overlaps(indptr_a, indices_a, indptr_b, indices_b, overlaps):
    """Count the units shared by row ``i`` of both batches, by merging the sorted rows."""
    for i in range(overlaps.size):
        p, q, shared = indptr_a[i], indptr_b[i], 0
        while p < indptr_a[i + 1] and q < indptr_b[i + 1]:
            left, right = indices_a[p], indices_b[q]
            shared += left == right
            p += left <= right
            q += right <= left
        overlaps[i] = shared
