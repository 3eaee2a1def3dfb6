"""`code`: the heuristics of The Stack and StarCoder, and what a textbook of code asks for beyond them."""

from __future__ import annotations

from gristmill.policy.rules import Profile, Rule

_STACK = "Chen et al. 2021, Codex, section 3.1; Kocetkov et al. 2022, The Stack; Li et al. 2023, StarCoder"
_SANTACODER = "Ben Allal et al. 2023, SantaCoder: comments to code"
_PYTHON_EDU = "Ben Allal et al. 2024, SmolLM, Python-Edu"
_PHI = "Gunasekar et al. 2023, Textbooks Are All You Need, section 2.1"

HEURISTICS = (
    Rule(name="code.max_line_length", signal="code.max_line_length", when=">", threshold=1_000, source=_STACK),
    Rule(name="code.mean_line_length", signal="code.mean_line_length", when=">", threshold=100, source=_STACK),
    Rule(name="code.alphanumeric_share", signal="code.alphanumeric_share", when="<", threshold=0.25, source=_STACK),
    Rule(name="code.generated", signal="code.generated", when=">=", threshold=1, source=_STACK),
    Rule(name="code.few_comments", signal="code.comment_share", when="<", threshold=0.01, source=_SANTACODER),
    Rule(name="code.mostly_comments", signal="code.comment_share", when=">", threshold=0.8, source=_SANTACODER),
)

TEXTBOOK = (
    Rule(name="code.parses", signal="code.parses", when="<", threshold=1, source=_PYTHON_EDU),
    Rule(name="code.boilerplate_share", signal="code.boilerplate_share", when=">", threshold=0.5, source=_PHI),
    Rule(name="code.data_share", signal="code.data_share", when=">", threshold=0.5, source=_PHI),
    Rule(
        name="code.self_containedness",
        signal="code.self_containedness",
        when="<",
        threshold=0.5,
        action="down_weight",
        weight=0.5,
        source=_PHI,
    ),
)

PROFILE = Profile(
    rules=(*HEURISTICS, *TEXTBOOK),
    differences="The papers' rules run per programming language with exceptions that they tune by eye (long lines are kept in HTML, JSON, "
    "Markdown); here one threshold serves all languages of source code, and other documents pass. The alphanumeric share leaves white "
    "space out, and so does SantaCoder's share of comments, whose docstrings Python's parser finds; here a docstring is a string of "
    "three quotes that begins a line. Generated files are known by marks in their first 2,000 characters, where Codex does not say "
    "how it knows them. Python-Edu and phi-1 score files with a model; what is counted here (parses, little boilerplate, little data, "
    "names that the file itself explains) stands for the part of it that can be counted, with thresholds of our own.",
)
