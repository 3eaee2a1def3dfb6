"""Documents that share a key: canonical URL, payload, normalised text, text. A group is a chain of links, not all its pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gristmill.dedup.keys import absent
from gristmill.dedup.members import EXACT_TEXT, KEYS, TEXT, Documents, Lookup
from gristmill.dedup.spill import Numbers, Spill, by_key, groups, several


class Keyed:
    """`links`: (row, next row) of every group of two or more; `texts` and `exact_texts` find the document that stands for one."""

    def __init__(self, documents: Documents, scratch: Path, memory: int):
        """Marks `representative`, `text_fresh`, and as `touched` the groups that a fresh document is in."""
        self.links = Spill(scratch, "links", 2)
        self.groups_touched = 0
        spills = {key: Spill.sized(scratch, f"key{key}", 3, documents.count, memory) for key in KEYS}
        for first, rows in documents.chunks():
            numbers = np.arange(first, first + len(rows), dtype=np.uint64)
            owner = documents.owner[first : first + len(rows)]
            for key, spill in spills.items():
                chosen = owner & ~absent(rows[:, key : key + 2])
                part = np.column_stack([rows[chosen, key : key + 2], numbers[chosen]])
                spill.add(part, spill.range_of(part[:, 0]))
        for key, spill in spills.items():
            for part in spill.each():
                self._group(documents, key, part if key == TEXT else part[several(part[:, 0])])
            if key not in (TEXT, EXACT_TEXT):
                spill.close()
        self.texts, self.exact_texts = Lookup(spills[TEXT]), Lookup(spills[EXACT_TEXT])

    def _group(self, documents: Documents, key: int, part: Numbers) -> None:
        order, begins = by_key(part[:, :2])
        rows = part[order, 2].view(np.int64)
        fresh = documents.fresh[rows]
        starts, _ = groups(begins)
        if len(starts):
            touched = np.add.reduceat(fresh.astype(np.int64), np.flatnonzero(begins)) > 0
            touched = touched[np.cumsum(begins) - 1]
            inside = ~begins | np.append(~begins[1:], False)
            documents.touched[rows[touched & inside]] = True
            self.groups_touched += int(touched[starts].sum())
            inner = np.flatnonzero(~begins)
            self.links.add(np.stack([rows[inner - 1], rows[inner]], axis=1).view(np.uint64))
        if key == TEXT and len(rows):
            first = np.flatnonzero(begins)
            documents.representative[rows[first]] = True
            documents.text_fresh[rows[first]] = np.logical_and.reduceat(fresh, first)
