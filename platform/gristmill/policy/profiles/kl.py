"""`kl`: documents whose words are too far from their source's, as in Llama 3.

The threshold was measured on 2,610 pages of documentation and manuals in some 14 languages (36 MB,
5.7 million terms; the distribution learned from the same pages, as one source). Divergence in nats: median 2.7, 95%
below 5.2; of the 1,862 pages that pass every other rule, mean 2.5 and 99% below 4.9. Above 5.0 lie 151 pages, of which
133 also break another rule. Of the 18 that break no other, 10 are in a language that is rare in the crawl, 1 is text
in the wrong character set, and 7 are generated stubs and lists of links or names (the one regrettable: a reference
page that lists twelve functions). Above 5.5 only 4 are left, all foreign or garbled; at 4.5 there are 39, and whole
short pages in good English begin to fall.
"""

from __future__ import annotations

from gristmill.policy.rules import Profile, Rule

RULES = (
    Rule(
        name="kl.outlier",
        signal="kl.divergence",
        when=">",
        threshold=5.0,
        source="Grattafiori et al. 2024, Llama 3, section 3.1.1",
    ),
)

PROFILE = Profile(
    rules=RULES,
    differences="Llama 3 gives neither units, smoothing nor threshold; ours are in `signals.kl`, with a distribution for each source. "
    "Texts of fewer than 50 terms are left to rules on length.",
)
