"""A toxicity score from a lexicon. It is no model: it counts words, and hears neither irony nor quotation nor a threat in polite words.

With s the share of the document's terms that lie in an entry of the list `toxic_words` (see `signals.phrases`):

    score = s / (s + HALF)

| term | threshold | source |
|---|---|---|
| score | none shipped; 0.4 of a classifier's probability, per sentence, is Dolma's | Soldaini et al. 2024, section 3.2 |
| HALF | 0.02: the share at which the score is 0.5 | ours |
| count | none shipped; one hit of its list drops a page in C4 | Raffel et al. 2020, section 2.2 |

0 without a hit, 0.5 where two words in a hundred are toxic, towards 1 beyond; it grows with s, so a threshold on it is a
threshold on the share. `count` is the number of hits. Both are 0 for an empty text.

Dolma (Soldaini et al. 2024, section 3.2) tags sentences with fastText classifiers learned from Jigsaw's comments and
removes those above 0.4. Such a classifier reads some context and this score none: thresholds do not carry over.

Without a list of the user's own, SEED is read: English expletives and insults, our own selection, which shows the signal
at work and is a start for a list. It holds no slur against any group, so it overlooks the worst of what a
toxicity filter is for: give a list for your languages. A user's list replaces it.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals import phrases
from gristmill.signals.chunk import Chunk, References, Values

VERSION = f"1-{phrases.VERSION}"
READS = frozenset({"text", "lists.toxic_words"})
SIGNALS = {
    "score": "s / (s + 0.02), where s is the share of terms that lie in an entry of toxic_words: a lexicon's score, 0 to 1",
    "count": "hits of entries of toxic_words",
}

LIST_OF = dict.fromkeys(SIGNALS, "toxic_words")
"""Signal -> the list that it is about."""

HALF = 0.02

_SEED = """
arsehole, arseholes, asshole, assholes, bastard, bastards, bitch, bitches, bullshit, dickhead, dickheads, dipshit, drop dead, dumbass,
fuck, fucked, fucker, fuckers, fucking, fuckwit, go to hell, i hope you die, i will kill you, imbecile, jackass, kill yourself, moron,
morons, motherfucker, motherfuckers, motherfucking, nobody likes you, piece of shit, prick, pricks, scumbag, scumbags, shit, shithead,
shitheads, shitty, shut the fuck up, shut your mouth, son of a bitch, twat, twats, wanker, wankers, you are disgusting, you are
pathetic, you are worthless, you disgust me
"""
SEED = frozenset(" ".join(_SEED.split()).split(", "))


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels import phrases as k

    counts = phrases.count_phrases(chunk, references.lists.get("toxic_words") or SEED)
    share = counts[:, k.COVERED] / np.maximum(counts[:, k.TERMS], 1)
    return {"score": share / (share + HALF), "count": counts[:, k.HITS]}
