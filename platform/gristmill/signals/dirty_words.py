"""Dirty and adult words, by the user's lists: Llama 3 (Grattafiori et al. 2024, section 3.1.1), C4, RedPajama-v2.

| peer | rule |
|---|---|
| Llama 3 | "dirty word" counting (Raffel et al. 2020) filters adult sites that domain block lists miss; list and threshold unpublished |
| C4 (Raffel et al. 2020, section 2.2) | one word of the list drops the page |
| RedPajama-v2 | rps_doc_ldnoobw_words: hits in the text |
| Data-Juicer | flagged words per word at most 0.045 |

| signal | is |
|---|---|
| share | share of the document's terms that lie in an entry of the list `dirty_words` |
| count | hits of entries |
| distinct | distinct entries hit |
| adult_share, adult_count | the same for the list `adult_words` |

`signals.phrases` says what is a term and a hit: whole words, phrases of several, and any text in scripts without spaces.
No list ships: the usual one (LDNOOBW, CC BY 4.0) is the user's to point to. With an empty list, and for an empty text,
every signal is 0. C4's own matching is of whole words between non-word characters as well, but finds an entry with
its own punctuation only; RedPajama and DCLM look for substrings in places. Lists do not know contexts: pages on medicine,
law and sexual health are over-represented among the hits, which is why the share counts and not one hit.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals import phrases
from gristmill.signals.chunk import Chunk, References, Values

VERSION = f"1-{phrases.VERSION}"
READS = frozenset({"text", "lists.dirty_words", "lists.adult_words"})
SIGNALS = {
    "share": "share of terms that lie in an entry of dirty_words",
    "count": "hits of entries of dirty_words",
    "distinct": "distinct entries of dirty_words hit",
    "adult_share": "share of terms that lie in an entry of adult_words",
    "adult_count": "hits of entries of adult_words",
}


LIST_OF = {signal: "adult_words" if signal.startswith("adult") else "dirty_words" for signal in SIGNALS}
"""Signal -> the list that it is about."""


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels import phrases as k

    dirty = phrases.count_phrases(chunk, references.lists.get("dirty_words", ()))
    adult = phrases.count_phrases(chunk, references.lists.get("adult_words", ()))
    return {
        "share": dirty[:, k.COVERED] / np.maximum(dirty[:, k.TERMS], 1),
        "count": dirty[:, k.HITS],
        "distinct": dirty[:, k.DISTINCT],
        "adult_share": adult[:, k.COVERED] / np.maximum(adult[:, k.TERMS], 1),
        "adult_count": adult[:, k.HITS],
    }
