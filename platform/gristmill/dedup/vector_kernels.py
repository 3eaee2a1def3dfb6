"""Compiled loops over vectors of small integers: exact dot products, nearest centroids, sums of blocks.

Integers are what make these exact: a sum is the same in every order, on any number of threads and for any batch. Scores
come from a float32 matrix product, which is not; so they only say what is worth an exact look, within a slack that is
larger than their error.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import compiled, lent


@lent
def dot(a, b):  # type: ignore[no-untyped-def]
    total = np.int64(0)
    for d in range(len(a)):
        total += np.int64(a[d]) * np.int64(b[d])
    return total


@compiled
def dots(rows, left, right):  # type: ignore[no-untyped-def]
    """Exact dot products of the rows left[i] and right[i]."""
    found = np.empty(len(left), np.int64)
    for i in range(len(left)):
        found[i] = dot(rows[left[i]], rows[right[i]])
    return found


@compiled
def nearest(scores, slack, rows, centroids, probes):  # type: ignore[no-untyped-def]
    """Per row the `probes` centroids of largest exact dot product, nearest first and the lower number at a tie, and the
    products. `scores` (rows, centroids) are off by less than `slack` of their row."""
    n, k = scores.shape
    blocks, products = np.empty((n, probes), np.int32), np.empty((n, probes), np.int64)
    top = np.empty(probes, scores.dtype)
    for i in range(n):
        top[:] = -np.inf
        for b in range(k):
            if scores[i, b] > top[probes - 1]:
                p = probes - 1
                while p > 0 and scores[i, b] > top[p - 1]:
                    top[p] = top[p - 1]
                    p -= 1
                top[p] = scores[i, b]
        bound = top[probes - 1] - 2 * slack[i]
        filled = 0
        for b in range(k):
            if scores[i, b] < bound:
                continue
            product = dot(rows[i], centroids[b])
            if filled < probes:
                filled += 1
            elif product <= products[i, probes - 1]:
                continue
            p = filled - 1
            while p > 0 and product > products[i, p - 1]:
                blocks[i, p], products[i, p] = blocks[i, p - 1], products[i, p - 1]
                p -= 1
            blocks[i, p], products[i, p] = b, product
    return blocks, products


@compiled
def block_sums(rows, blocks, k):  # type: ignore[no-untyped-def]
    """The sum of the rows of each block, exact, and how many they are."""
    sums, counts = np.zeros((k, rows.shape[1]), np.int64), np.zeros(k, np.int64)
    for i in range(len(rows)):
        counts[blocks[i]] += 1
        for d in range(rows.shape[1]):
            sums[blocks[i], d] += rows[i, d]
    return sums, counts


@compiled
def lengths(rows):  # type: ignore[no-untyped-def]
    """Euclidean length of every row, its squares added from left to right."""
    found = np.empty(len(rows), np.float64)
    for i in range(len(rows)):
        total = 0.0
        for d in range(rows.shape[1]):
            total += np.float64(rows[i, d]) * np.float64(rows[i, d])
        found[i] = np.sqrt(total)
    return found


@compiled
def elect(starts, ends, neighbours, weights, taken_by, similarity):  # type: ignore[no-untyped-def]
    """Greedy election over nodes 0..n-1 in that order: the first one left survives and takes every neighbour left.
    `neighbours[starts[i]:ends[i]]` are node i's; writes to each node its survivor (itself, if it survives) and the weight of the link."""
    for node in range(len(taken_by)):
        if taken_by[node] >= 0:
            continue
        taken_by[node], similarity[node] = node, 1.0
        for at in range(starts[node], ends[node]):
            other = neighbours[at]
            if taken_by[other] < 0:
                taken_by[other], similarity[other] = node, weights[at]
