"""Factoids and reasoning: golden counts, an oracle in plain Python, and pairs of texts on one subject."""

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals import reasoning
from gristmill.signals.compute import compute_families


def densities(text: str, language: str = "en") -> tuple[float, float, float]:
    documents = pl.DataFrame({"doc_id": ["a"], "text": [text], "language": [language]})
    row = compute_families(["reasoning"], documents)["reasoning"].row(0)
    return row[1], row[2], row[3]


def counts(text: str) -> tuple[int, int]:
    """Factoids and cues, from their densities."""
    words = len(words_of(text))
    factoid, cue, _ = densities(text)
    return round(factoid * words / 100), round(cue * words / 100)


def words_of(text: str) -> list[re.Match[str]]:
    return list(re.finditer(r"[^\W_]+", text))


@pytest.mark.parametrize(
    ("text", "factoids", "cues"),
    [
        ("", 0, 0),
        ("It rained.", 0, 0),
        ("Arsenal beat Manchester United 3–1 at Old Trafford on 12 May 2019.", 6, 0),
        ("He met Jean-Luc O'Neil and McDonald, then I saw HTTP and DataFrame.", 2, 0),
        ("1,000.50 and 12:30 and 2019-05-12, 1 2 3", 6, 0),
        ("Because it is so, we get more; therefore, for example, stop.", 0, 4),
        ("It grows so that we can see why: suppose x = 2 = 3.", 2, 5),
        ("a = 1\nb = 2 = 3\nc == 4 => 5", 5, 2),
        ("since 2019, since May, since it grew, since", 2, 2),
        ("so\nthat, so. that e.g. e. g. i.e.", 0, 3),
        ("x ⇒ y ∴ z", 0, 2),
        ("means that is in order to", 0, 2),
        ("BECAUSE Because beCause becauses be-cause", 1, 3),
        ("Paris\nLondon “Rome” said: Berlin • Bonn but Wien", 1, 0),
    ],
)
def test_golden_counts(text: str, factoids: int, cues: int) -> None:
    assert counts(text) == (factoids, cues)


@pytest.mark.parametrize("language", ["de", "code", "und", "zh"])
def test_only_english_is_read(language: str) -> None:
    assert densities("Because Arsenal beat Chelsea 3-1 in 2019, therefore x = 2.", language) == (0, 0, 0)


def test_difference_is_of_the_two_densities() -> None:
    factoid, cue, difference = densities("It is so because Arsenal beat Chelsea today.")
    assert (factoid, cue) == (25.0, 12.5)
    assert difference == -12.5


def test_no_phrase_begins_with_another_cue() -> None:
    """Else the shorter one would be taken first, and the longer one never."""
    for cue in reasoning.CUES:
        words = cue.split()
        assert len(words) <= 3
        assert not {" ".join(words[start:end]) for end in range(1, len(words)) for start in range(end)} & set(reasoning.CUES), cue


RESULTS = [
    "Arsenal beat Chelsea 3-1 at the Emirates Stadium on Saturday 14 March 2015. Olivier Giroud scored in the 12th minute "
    "and Alexis Sanchez "
    "added two goals, in the 44th and 71st minutes. Diego Costa replied for Chelsea. Attendance was 59,982. Manchester City "
    "lost 2-0 to Burnley.",
    "The Treaty of Westphalia was signed in Osnabrück and Münster on 24 October 1648. Emperor Ferdinand III, Louis XIV of "
    "France and Christina of "
    "Sweden were parties. Sweden received 5 million Thaler, Western Pomerania and Wismar; France took Metz, Toul and Verdun.",
    "Aspirin was first made by Felix Hoffmann at Bayer in Elberfeld on 10 August 1897. It went on sale in 1899. Tablets of "
    "100 mg, 300 mg and "
    "500 mg are sold. In 2019 some 40,000 tonnes were made. John Vane received the Nobel Prize in 1982.",
    "Release 3.11.4 appeared on 6 June 2023. Release 3.11.3 appeared on 5 April 2023. Guido van Rossum announced 3.0 on 3 "
    "December 2008. In 2022 "
    "the Python Software Foundation in Delaware had 1,500 members and Deb Nicholson led it.",
]  # fmt: skip
EXPLANATIONS = [
    "A team that presses high wins the ball closer to the goal, and therefore needs fewer passes before it can shoot. "
    "However, it leaves space behind "
    "its defence; so if the other side plays a long ball, the defenders must turn and run. This means that pressing pays "
    "only when all do it together, "
    "because one player who stays back opens the way for a pass. Suppose the midfield tires: then the line has to drop.",
    "Peace lasted because each party could hope for more from the settlement than from fighting on. If a prince broke it, "
    "the others had a reason to "
    "join against him, which means that the weak were protected by the balance of the strong. Thus sovereignty came to be "
    "understood as a rule of "
    "mutual restraint rather than a right to do as one likes.",
    "The drug blocks an enzyme, and as a result less of the messenger is made that tells nerves of an injury. Hence pain "
    "falls, although its cause "
    "remains. For example, a sprain hurts less, but it does not heal faster. Because the same enzyme protects the stomach, "
    "taking much of it leads to "
    "bleeding; this explains why it should be taken with food.",
    "Why does the interpreter need a lock? Consider two threads that both count references to one object. If each reads the "
    "count before the other "
    "writes it, one step is lost, and it follows that the object may be freed while it is used. Therefore only one may run "
    "at a time, unless the "
    "counts are made atomic, which would slow down every assignment.",
]


@pytest.mark.parametrize(("result", "explanation"), zip(RESULTS, EXPLANATIONS, strict=True))
def test_an_explanation_outranks_results_on_the_same_subject(result: str, explanation: str) -> None:
    listed, explained = densities(result), densities(explanation)
    assert listed[0] > 10 > explained[0]
    assert explained[1] > 5 > listed[1]
    assert explained[2] > 0 > listed[2]


def naive(text: str) -> tuple[int, int]:
    """Factoids and cues by the definition, over words and what parts them."""
    cues = sum(" = " in line for line in text.split("\n")) + sum(text.count(mark) for mark in reasoning.MARKS)
    factoids = free = at = 0
    before: list[str] = []
    was_name = was_number = pending = False
    for word in words_of(text):
        gap, at = text[at : word.start()], word.end()
        letters = word[0]
        dotted = bool(gap) and gap.endswith(".") and letters[0].isascii()  # a dot inside: e.g, 3.5
        ends = gap[:-1] if dotted else gap
        starts = not before or any(char in ends for char in '.!?:"“•\n')
        if ends.strip():
            free = 0
        number = letters[0].isdigit()
        name = bool(re.fullmatch(r"[A-Z][A-Z0-9]*[a-zé0-9]*", letters)) and any(map(str.islower, letters)) and not starts
        factoids += number and not (was_number and bool(gap) and not set(gap) - set(".,:/-–"))
        factoids += name and not (was_name and bool(gap) and not set(gap) - set(" -'’"))
        if pending and not name and not number:
            cues += 1
        pending = False
        before.append(letters.lower())
        for size in (3, 2, 1):
            if free >= size - 1 and " ".join(before[-size:]) in reasoning.CUES and len(before) >= size:
                if before[-1] == "since" and size == 1:
                    pending = True
                else:
                    cues += 1
                free = 0
                break
        else:
            free = min(free + 1, 2)
        was_name, was_number = name, number
    return factoids, cues + pending


PIECES = st.sampled_from([
    " ", " ", " ", "\n", ".", ". ", ", ", "-", "'", ":", "!", "“", "_", "=", " = ", "∴", "é", "because", "Because",
    "so", "that", "in", "order", "to", "since",
    "if", "we", "get", "e.g.", "i.e.", "Old", "Trafford", "HTTP", "iPhone", "McX", "3", "2019", "1,000", "3–1", "x",
    "A", "means", "is", "2nd", "B2",
])  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=24).map("".join))
def test_the_kernel_agrees_with_the_definition(text: str) -> None:
    assert counts(text) == naive(text) or not words_of(text)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_text_has_finite_densities(text: str) -> None:
    factoid, cue, difference = densities(text.encode(errors="ignore").decode())
    assert 0 <= factoid <= 100
    assert cue >= 0
    assert difference == pytest.approx(cue - factoid, abs=2e-6)


@pytest.mark.parametrize(
    "text",
    ["x" * 2_000_000, "a " * 1_000_000, "because " * 250_000, "\0" * 1_000_000, "مرحبا " * 200_000, "漢字" * 300_000, "e\u0301" * 500_000],
)
def test_long_and_odd_texts(text: str) -> None:
    factoid, cue, _ = densities(text)
    assert factoid == 0
    assert cue == (100 if text.startswith("because") else 0)


def test_documents_do_not_leak_into_each_other() -> None:
    texts = ["so", "that since", "2019", "Old", "Trafford = "]
    together = pl.DataFrame({"doc_id": [f"{n}" for n in range(5)], "text": texts, "language": ["en"] * 5})
    rows = compute_families(["reasoning"], together)["reasoning"].drop("doc_id").rows()
    assert rows == [densities(text) for text in texts]
