"""The compiled loops of clustering: hashes of keys, exact Jaccard, union-find, and the election.

Importing it imports Numba.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import compiled, lent

SAME, URL, PAYLOAD, EXACT, NEAR, SEMANTIC, SURVIVOR = range(7)
"""How a document relates to its survivor, the strongest first."""

MICRO = 1_000_000  # similarities are whole millionths

_C1, _C2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
_MIX1, _MIX2, _S33 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53), np.uint64(33)
_FIVE, _N1, _N2 = np.uint64(5), np.uint64(0x52DCE729), np.uint64(0x38495AB5)


@lent
def _turn(x, n):  # type: ignore[no-untyped-def]
    return x << np.uint64(n) | x >> np.uint64(64 - n)


@lent
def mixed(x):  # type: ignore[no-untyped-def]
    """MurmurHash3's finaliser."""
    x = (x ^ x >> _S33) * _MIX1
    x = (x ^ x >> _S33) * _MIX2
    return x ^ x >> _S33


@lent
def _word(data, start, n):  # type: ignore[no-untyped-def]
    """Up to eight bytes, little-endian."""
    word = np.uint64(0)
    for i in range(n):
        word |= np.uint64(data[start + i]) << np.uint64(8 * i)
    return word


@compiled
def murmur(data, ends):  # type: ignore[no-untyped-def]
    """MurmurHash3_x64_128 (Appleby 2011, seed 0) of the strings data[ends[i]:ends[i + 1]]: (n, 2)."""
    out = np.zeros((len(ends) - 1, 2), np.uint64)
    for row in range(len(ends) - 1):
        at, size = ends[row], ends[row + 1] - ends[row]
        h1, h2 = np.uint64(0), np.uint64(0)
        for _ in range(size // 16):
            h1 ^= _turn(_word(data, at, 8) * _C1, 31) * _C2
            h1 = (_turn(h1, 27) + h2) * _FIVE + _N1
            h2 ^= _turn(_word(data, at + 8, 8) * _C2, 33) * _C1
            h2 = (_turn(h2, 31) + h1) * _FIVE + _N2
            at += 16
        left = size % 16
        if left > 8:
            h2 ^= _turn(_word(data, at + 8, left - 8) * _C2, 33) * _C1
        if left:
            h1 ^= _turn(_word(data, at, min(left, 8)) * _C1, 31) * _C2
        h1 ^= np.uint64(size)
        h2 ^= np.uint64(size)
        h1 += h2
        h2 += h1
        h1, h2 = mixed(h1), mixed(h2)
        h1 += h2
        h2 += h1
        out[row, 0], out[row, 1] = h1, h2
    return out


@compiled
def row_digests(table, columns, seed):  # type: ignore[no-untyped-def]
    """64 bits of each row's first columns."""
    out = np.empty(len(table), np.uint64)
    for row in range(len(table)):
        h = seed
        for c in range(columns):
            h = mixed(h ^ mixed(table[row, c] + _C1)) + _C2
        out[row] = h
    return out


@compiled
def find(sorted_keys, keys):  # type: ignore[no-untyped-def]
    """Row of each 128-bit key in ascending (n, 2) keys, -1 where there is none; of equal ones the first."""
    out = np.full(len(keys), -1, np.int64)
    for i in range(len(keys)):
        high, low = keys[i, 0], keys[i, 1]
        a, b = 0, len(sorted_keys)
        while a < b:
            middle = (a + b) // 2
            if sorted_keys[middle, 0] < high or (sorted_keys[middle, 0] == high and sorted_keys[middle, 1] < low):
                a = middle + 1
            else:
                b = middle
        if a < len(sorted_keys) and sorted_keys[a, 0] == high and sorted_keys[a, 1] == low:
            out[i] = a
    return out


@compiled
def maybe_repeated(keys, bits):  # type: ignore[no-untyped-def]
    """Which keys may occur twice: all that do, and about len(keys) / 2^bits of the others."""
    shift, low = np.uint64(64 - bits), np.uint64(63)
    once, twice = np.zeros(1 << (bits - 6), np.uint64), np.zeros(1 << (bits - 6), np.uint64)
    for key in keys:
        place = mixed(key) >> shift
        bit = np.uint64(1) << (place & low)
        twice[place >> np.uint64(6)] |= once[place >> np.uint64(6)] & bit
        once[place >> np.uint64(6)] |= bit
    out = np.empty(len(keys), np.bool_)
    for i in range(len(keys)):
        place = mixed(keys[i]) >> shift
        out[i] = twice[place >> np.uint64(6)] >> (place & low) & np.uint64(1)
    return out


@compiled
def among(keys, ordered, bits):  # type: ignore[no-untyped-def]
    """Whether each key is one of the ascending ones; a bit map answers for most."""
    shift, low = np.uint64(64 - bits), np.uint64(63)
    known = np.zeros(1 << (bits - 6), np.uint64)
    for key in ordered:
        place = mixed(key) >> shift
        known[place >> np.uint64(6)] |= np.uint64(1) << (place & low)
    out = np.zeros(len(keys), np.bool_)
    for i in range(len(keys)):
        place = mixed(keys[i]) >> shift
        if known[place >> np.uint64(6)] >> (place & low) & np.uint64(1):
            a = np.searchsorted(ordered, keys[i])
            out[i] = a < len(ordered) and ordered[a] == keys[i]
    return out


@compiled
def compare(now, was, fresh, old, changed):  # type: ignore[no-untyped-def]
    """Marks `fresh` the rows of documents whose (shard, digest) rows are not what they were, and `changed` the old ones; the others keep
    their component in `old`. now: (high, low, shard, digest, row, ...), was: (high, low, shard, digest, component, component);
    both by the first two.
    """
    i, j = 0, 0
    while i < len(now) or j < len(was):
        first = j == len(was) or (i < len(now) and (now[i, 0] < was[j, 0] or (now[i, 0] == was[j, 0] and now[i, 1] <= was[j, 1])))
        high, low = (now[i, 0], now[i, 1]) if first else (was[j, 0], was[j, 1])
        i_end, j_end = i, j
        while i_end < len(now) and now[i_end, 0] == high and now[i_end, 1] == low:
            i_end += 1
        while j_end < len(was) and was[j_end, 0] == high and was[j_end, 1] == low:
            j_end += 1
        equal = i_end - i == j_end - j
        for k in range(i, i_end):
            found = False
            for m in range(j, j_end):
                found |= now[k, 2] == was[m, 2] and now[k, 3] == was[m, 3]
            equal &= found
        for k in range(i, i_end):
            row = np.int64(now[k, 4])
            fresh[row] = not equal
            if equal:
                old[row, 0], old[row, 1] = was[j, 4], was[j, 5]
        for m in range(j, j_end):
            changed[m] = (not equal) + np.int8(i_end == i)
        i, j = i_end, j_end


@compiled
def pairs_within(starts, ends, rows, fresh, all_pairs):  # type: ignore[no-untyped-def]
    """(a, b) with a < b of every group of rows: all its pairs, or those with a fresh row."""
    count = 0
    for g in range(len(starts)):
        size = ends[g] - starts[g]
        count += size * (size - 1) // 2
    out = np.empty((count, 2), np.uint64)
    n = 0
    for g in range(len(starts)):
        for i in range(starts[g], ends[g]):
            for j in range(i + 1, ends[g]):
                if all_pairs[g] or fresh[rows[i]] or fresh[rows[j]]:
                    a, b = rows[i], rows[j]
                    out[n, 0], out[n, 1] = np.uint64(min(a, b)), np.uint64(max(a, b))
                    n += 1
    return out[:n]


@lent
def _jaccard(values, ends, left, right):  # type: ignore[no-untyped-def]
    """|A n B| / |A u B| of two sorted sets in millionths, half to even; 0 for two empty ones."""
    i, i_end, j, j_end = ends[left], ends[left + 1], ends[right], ends[right + 1]
    size = (i_end - i) + (j_end - j)
    both = 0
    while i < i_end and j < j_end:
        a, b = values[i], values[j]
        both += a == b
        i += a <= b
        j += b <= a
    return np.int64(np.rint(both / (size - both) * MICRO)) if size > both else np.int64(0)


@compiled
def verify(left, right, large, bands, values, ends, threshold):  # type: ignore[no-untyped-def]
    """Jaccard in millionths of each pair, and its first common band that is not one of the ascending `large` ones.

    -1 where there is no such band, and below the threshold.
    """
    out, keys = np.full(len(left), -1, np.int64), np.zeros(len(left), np.uint64)
    for p in range(len(left)):
        a, b = left[p], right[p]
        for band in range(bands.shape[1]):
            key = bands[a, band]
            if key == bands[b, band]:
                at = np.searchsorted(large, key)
                if at == len(large) or large[at] != key:
                    similarity = _jaccard(values, ends, a, b)
                    if similarity >= threshold:
                        out[p], keys[p] = similarity, key
                    break
    return out, keys


@lent
def _root(parent, x):  # type: ignore[no-untyped-def]
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@compiled
def unite(parent, linked, left, right):  # type: ignore[no-untyped-def]
    """Joins the trees of each pair under the smaller root."""
    for i in range(len(left)):
        linked[left[i]] = linked[right[i]] = True
        a, b = _root(parent, left[i]), _root(parent, right[i])
        if a < b:
            parent[b] = a
        elif b < a:
            parent[a] = b


@compiled
def flatten(parent, start, end):  # type: ignore[no-untyped-def]
    """Points every node of the range at its root. Nodes before the range must be flat."""
    for i in range(start, end):
        parent[i] = parent[parent[i]]


@compiled
def gather(values, ends, rows, out_ends):  # type: ignore[no-untyped-def]
    """The lists of some rows, end to end."""
    out = np.empty(out_ends[-1], values.dtype)
    for i in range(len(rows)):
        out[out_ends[i] : out_ends[i + 1]] = values[ends[rows[i]] : ends[rows[i] + 1]]
    return out


@compiled
def elect(groups, text_kind, near, semantic, large, sets, threshold, leaders):  # type: ignore[no-untyped-def]
    """Survivor, kind and similarity in millionths of each document; a row is a rank of survival.

    groups: (n, 4) numbers of the document's url, payload, normalised text and text, -1 for none. text_kind: what equal
    normalised texts are. near, semantic: (ends, other, millionths), a list of neighbours for each normalised text and for
    each text. large: (ends, group) of each normalised text. sets: (shingles, ends) of each normalised text. A large group
    remembers its first `leaders` survivors.
    """
    n = len(groups)
    owners = np.full((4, groups.max() + 1 if n else 0), -1, np.int64)
    kinds = (URL, PAYLOAD, text_kind, SEMANTIC)
    n_large = large[1].max() + 1 if len(large[1]) else 0
    led = np.zeros(n_large, np.int64)
    leader = np.empty((n_large, leaders), np.int64)  # normalised texts, their survivors' ranks ascend
    survivor, kind, similarity = np.empty(n, np.int64), np.empty(n, np.int8), np.empty(n, np.int64)
    for u in range(n):
        best, how, much = np.int64(n), SURVIVOR, np.int64(MICRO)
        for level in range(4):
            group = groups[u, level]
            if group >= 0:
                owner = owners[level, group]
                if owner >= 0 and (owner < best or (owner == best and kinds[level] < how)):
                    best, how = owner, kinds[level]
        text, exact_text = groups[u, 2], groups[u, 3]
        if text >= 0:
            for i in range(near[0][text], near[0][text + 1]):
                owner = owners[2, near[1][i]]
                if owner >= 0 and (owner < best or (owner == best and how > NEAR)):
                    best, how, much = owner, NEAR, near[2][i]
            for i in range(large[0][text], large[0][text + 1]):
                group = large[1][i]
                for k in range(led[group]):
                    owner = owners[2, leader[group, k]]
                    if owner > best or (owner == best and how <= NEAR):
                        break
                    found = _jaccard(sets[0], sets[1], text, leader[group, k])
                    if found >= threshold:
                        best, how, much = owner, NEAR, found
                        break
        if exact_text >= 0:
            for i in range(semantic[0][exact_text], semantic[0][exact_text + 1]):
                owner = owners[3, semantic[1][i]]
                if owner >= 0 and (owner < best or (owner == best and how > SEMANTIC)):
                    best, how, much = owner, SEMANTIC, semantic[2][i]
        if best < n:
            survivor[u], kind[u], similarity[u] = best, how, much
            continue
        survivor[u], kind[u], similarity[u] = u, SURVIVOR, MICRO
        for level in range(4):
            if groups[u, level] >= 0:
                owners[level, groups[u, level]] = u
        if text >= 0:
            for i in range(large[0][text], large[0][text + 1]):
                group = large[1][i]
                if led[group] < leaders:
                    leader[group, led[group]] = text
                    led[group] += 1
    return survivor, kind, similarity
