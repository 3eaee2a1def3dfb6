"""Reasoning against factoids: does a page explain, or does it list what happened?

Phi-3 (Abdin et al. 2024, arXiv:2404.14219, section 2, "Data Optimal Regime") keeps for a small model the web pages that may
raise its reasoning, and leaves out those that only fill its memory; its example of the latter is the result of a game in
the Premier League on a particular day. The paper says nothing of how; its filter is a model. These signals are the plain
reading of its example, per 100 words:

- **factoids**: names (a run of capitalised words with small letters, which no sentence or line begins with: "Manchester
  United" is one; `DataFrame` and `HTTP` are none) and numbers (years, dates, scores, quantities; digits joined by
  `.,:/-–`, as in "3–1", count once).
- **reasoning**: connectives of cause and consequence (because, therefore, thus, implies, so that, due to), conditions
  and suppositions (if, suppose, let, consider, unless), explanation (for example, in other words, means, why, explain),
  definition and derivation (define, proof, it follows, we get, step), and marks: ∴ ∵ ⇒ ∀ ∃, and a line with an equation
  (` = ` between spaces), counted once a line. `since` counts unless a number or a name follows ("since 2019").

A word is a run of letters and digits. The cues are English: for a document in any other language, for source code, for an
unidentified text and for an empty one every signal is 0, which no rule of ours acts on.

What it cannot do: it sees words, not sense. A page that repeats `because` scores high (the repetition rules are there
for it), headings in title case count as names, and reference pages full of `if` and code score as reasoning; it
orders documents of one kind better than kinds. No peer ships such a signal.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from gristmill.signals import segment
from gristmill.signals.chunk import Chunk, References, Values

VERSION = f"1-{segment.VERSION}"
READS = frozenset({"text", "documents"})
SIGNALS = {
    "factoid_density": "names inside sentences and numbers per 100 words",
    "reasoning_density": "connectives and marks of explanation and derivation per 100 words",
    "reasoning_minus_factoid": "the second less the first",
}

LANGUAGE = "en"

CUES = (
    # cause and consequence
    "because", "therefore", "thus", "hence", "consequently", "accordingly", "thereby", "whereby", "since", "implies", "imply", "implying",
    "causes",
    "so that", "such that", "due to", "as a result", "leads to", "results in", "which means", "this means", "that means", "in order to",
    "so we",
    # conditions and suppositions
    "if", "unless", "otherwise", "whenever", "whether", "suppose", "supposing", "assume", "assuming", "consider", "imagine", "let",
    "given that", "in case",
    # contrast
    "although", "whereas", "however", "nevertheless", "instead of", "rather than", "the other hand", "in contrast", "compared to",
    # explanation
    "why", "explain", "explains", "explained", "explanation", "reason", "reasons", "reasoning", "understand", "understanding",
    "intuition", "intuitively",
    "meaning", "means that", "for example", "for instance", "e g", "i e", "in other words", "that is", "namely", "notice", "observe",
    "recall",
    "in general", "in particular", "analogous", "analogy", "depends on", "how does", "how do",
    # definition and derivation
    "define", "defined as", "definition", "denote", "denotes", "prove", "proof", "proves", "theorem", "lemma", "derive", "derived",
    "derivation",
    "deduce", "infer", "conclude", "conclusion", "it follows", "follows from", "follows that", "we get", "we obtain", "we have", "we see",
    "we can", "we find",
    "substitute", "substituting", "simplify", "solve", "solving", "step", "steps", "equals", "equivalent", "equivalently",
)  # fmt: skip
"""Lower-cased words and phrases of up to three words, which nothing but white space parts; a word counts in one cue alone."""

MARKS = "∴∵⇒⟹⇔∀∃"


@cache
def _cues() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_], np.uint64]:
    from gristmill.signals.kernels.reasoning import cue_table

    return cue_table(tuple(cue.encode() for cue in CUES))


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels import reasoning as k

    data, offsets = chunk.bytes
    marks = np.array(sorted(map(ord, MARKS)), np.uint32)
    english = chunk.frame["language"].eq(LANGUAGE).fill_null(False).to_numpy()
    counts = k.reasoning_counts(data, offsets, english, *segment.tables(), *_cues(), marks)
    words = np.maximum(counts[:, k.WORDS], 1)
    factoid, reasoning = 100 * counts[:, k.FACTOIDS] / words, 100 * counts[:, k.CUES] / words
    return {"factoid_density": factoid, "reasoning_density": reasoning, "reasoning_minus_factoid": reasoning - factoid}
