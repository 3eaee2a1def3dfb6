"""Shipped profiles: named sets of rules, each rule with its source.

`gopher`: the quality rules of Rae et al. 2021 (Gopher), Appendix A1.1, plus a language threshold as in
FineWeb (Penedo et al. 2024, section 3.2: 0.65) and the KL outlier rule of Llama 3.1 (Grattafiori et al.
2024, section 3.1.1; they give no threshold).

The threshold of `kl.outlier` was measured on 2,610 pages of documentation and manuals in some 14 languages (36 MB,
5.7 million terms; the distribution learned from the same pages, as one source). Divergence in nats: median 2.7, 95%
below 5.2; of the 1,862 pages that pass every other rule, mean 2.5 and 99% below 4.9. Above 5.0 lie 151 pages, of which
133 also break another rule. Of the 18 that break no other, 10 are in a language that is rare in the crawl, 1 is text
in the wrong character set, and 7 are generated stubs and lists of links or names (the one regrettable: a reference
page that lists twelve functions). Above 5.5 only 4 are left, all foreign or garbled; at 4.5 there are 39, and whole
short pages in good English begin to fall.
"""

from __future__ import annotations

from gristmill.policy.rules import Rule

_GOPHER = "Rae et al. 2021, Gopher, Appendix A1.1"
_FINEWEB = "Penedo et al. 2024, FineWeb, section 3.2"
_LLAMA = "Grattafiori et al. 2024, Llama 3, section 3.1.1"

PROFILES: dict[str, tuple[Rule, ...]] = {
    "gopher": (
        Rule(name="language.confidence", signal="language.score", drop_when="<", threshold=0.65, source=_FINEWEB),
        Rule(name="gopher.word_count_min", signal="gopher.word_count", drop_when="<", threshold=50, source=_GOPHER),
        Rule(name="gopher.word_count_max", signal="gopher.word_count", drop_when=">", threshold=100_000, source=_GOPHER),
        Rule(name="gopher.mean_word_length_min", signal="gopher.mean_word_length", drop_when="<", threshold=3, source=_GOPHER),
        Rule(name="gopher.mean_word_length_max", signal="gopher.mean_word_length", drop_when=">", threshold=10, source=_GOPHER),
        Rule(name="gopher.hash_to_word", signal="gopher.hash_to_word", drop_when=">", threshold=0.1, source=_GOPHER),
        Rule(name="gopher.ellipsis_to_word", signal="gopher.ellipsis_to_word", drop_when=">", threshold=0.1, source=_GOPHER),
        Rule(name="gopher.bullet_lines", signal="gopher.bullet_line_share", drop_when=">", threshold=0.9, source=_GOPHER),
        Rule(name="gopher.ellipsis_lines", signal="gopher.ellipsis_line_share", drop_when=">", threshold=0.3, source=_GOPHER),
        Rule(name="gopher.alphabetic_words", signal="gopher.alphabetic_word_share", drop_when="<", threshold=0.8, source=_GOPHER),
        Rule(name="gopher.stop_words", signal="gopher.stop_word_count", drop_when="<", threshold=2, source=_GOPHER),
        Rule(name="kl.outlier", signal="kl.divergence", drop_when=">", threshold=5.0, source=_LLAMA),
    ),
}
