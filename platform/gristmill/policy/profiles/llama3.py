"""`llama3`: the heuristic filters of Grattafiori et al. 2024 ("The Llama 3 Herd of Models"), section 3.1.1.

| paper | here |
|---|---|
| duplicated n-gram coverage ratio (after Rae et al. 2021) against logs and error messages | llama3.duplicate_5grams ... _10grams |
| dirty word counting (after Raffel et al. 2020) against adult sites that block lists miss | llama3.dirty_words |
| Kullback-Leibler divergence of the token distribution, against excessive outlier tokens | kl.outlier |
| domain block lists: adult content, much personal information | llama3.banned_domain |
| Markdown markers removed from web text | strips |

The paper gives no threshold for any of them. Coverage: Gopher's for each n (table A1), since the paper cites it. Dirty words: 0.045 of
the words, which Data-Juicer uses for English. KL: measured, see `kl`.
"""

from __future__ import annotations

from gristmill.policy.profiles import kl
from gristmill.policy.rules import Profile, Rule

_PAPER = "Grattafiori et al. 2024, Llama 3, section 3.1.1"
_COVERAGE = f"{_PAPER}; thresholds of Rae et al. 2021, Gopher, table A1"
_DIRTY = f"{_PAPER}; threshold of Data-Juicer's flagged_words_filter for English"

RULES = (
    Rule(name="llama3.banned_domain", signal="url.banned_domain", when=">=", threshold=1, source=_PAPER),
    *(
        Rule(
            name=f"llama3.duplicate_{n}grams", signal=f"repetition.duplicate_{n}gram_char_share", when=">", threshold=most, source=_COVERAGE
        )
        for n, most in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1))
    ),
    Rule(name="llama3.dirty_words", signal="dirty_words.share", when=">", threshold=0.045, source=_DIRTY),
    *kl.RULES,
)

PROFILE = Profile(
    rules=RULES,
    differences="The paper gives neither thresholds nor word lists nor tokens. It removes lines by their n-gram coverage; here the "
    "document's coverage is judged, with Gopher's thresholds. Lists of domains and dirty words are the user's, and without them the two "
    "rules fire on nothing. KL is over words, against the documents' own source. Which Markdown goes is in `edits.markdown`, which is "
    "careful where the paper removes all markers. De-duplication by URL, document and line, the model-based quality filters and the "
    "extraction of code and mathematics are other stages here, or none. It has no rule on length, nor has the paper: texts of fewer than "
    "50 terms, which have a divergence of 0, stay (`Click here.`, a thousand NULs, a hundred thousand underscores), unless "
    "`dedup.min_chars` or another profile drops them; name `gopher` beside it for rules on length.",
    strips=("markdown",),
)
