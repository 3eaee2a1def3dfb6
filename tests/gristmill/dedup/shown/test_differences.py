"""Differences say where two texts differ, all of it and in order."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.dedup.shown.differences import CONTEXT, Part, difference

ALL = 10**9
words = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "12", "x_1"]), max_size=60).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(words, words)
def test_every_word_is_shown_or_equal(left, right):
    found = difference(left, right, ALL, ALL)
    assert found.same + found.left == len(left.split()) and found.same + found.right == len(right.split())
    assert found.total == len(found.places) and (found.total == 0) == (left.split() == right.split())
    a, b = left.split(), right.split()
    at = to = 0
    for place in found.places:  # what is skipped is equal; what is shown is each side's own, in place
        assert a[at : at + place.skipped] == b[to : to + place.skipped]
        at, to = at + place.skipped, to + place.skipped
        mine, theirs = ("".join(part[side] for part in place.parts).split() for side in (0, 1))
        assert a[at : at + len(mine)] == mine and b[to : to + len(theirs)] == theirs
        assert all(part.left.split() == part.right.split() for part in place.parts if part.same)
        assert not any(part.left.split() == part.right.split() for part in place.parts if not part.same)
        at, to = at + len(mine), to + len(theirs)
    assert a[at:] == b[to:]


def test_a_changed_word_stands_in_its_context():
    text = [f"w{i}" for i in range(100)]
    other = [*text[:50], "new", "words", *text[51:]]
    found = difference(" ".join(text), "\n\n".join(other), 5, 5)
    (place,) = found.places
    assert place.skipped == 50 - CONTEXT and (found.same, found.left, found.right) == (99, 1, 2)
    assert place.parts[1] == Part("w50 ", "new words ", False)
    assert place.parts[0].left.split() == text[50 - CONTEXT : 50] and place.parts[2].left.split() == text[51 : 51 + CONTEXT]


def test_only_the_first_places_and_words_are_quoted():
    left = [f"w{i}" for i in range(400)]
    right = [word if i % 40 else "x" for i, word in enumerate(left)]
    found = difference(" ".join(left), " ".join(right), 3, 5)
    assert (len(found.places), found.total) == (3, 10)
    (place,) = difference("a", "a " + " ".join(left), 3, 5).places
    assert place.parts[0] == Part("a", "a ", True) and place.parts[1].right == "w0 w1 w2 w3 w4 … (395 more words) "


def test_scripts_without_spaces_differ_by_the_letter():
    (place,) = difference("我喜欢喝茶。", "我喜欢喝咖啡。", 3, 9).places
    assert place.parts[1] == Part("茶。", "咖啡。", False)


def test_what_deduplication_does_not_compare_makes_no_difference():
    assert difference("**A**  b,\nc", "a b 'C'.", 3, 9).total == 0
    assert difference("", " ... ", 3, 9).total == 0
    (place,) = difference("* A  `b`, old" + "-" * 99 + "\n", "a b new?", 3, 9).places
    assert place.parts == [Part("* A `b`, ", "a b ", True), Part("old------------… ", "new?", False)]


def test_long_texts_that_share_little_are_aligned_at_once():
    draw = random.Random(1)
    left, right = (["".join(draw.choices("abcdefgh", k=2)) for _ in range(30_000)] for _ in range(2))
    right[10_000:12_000] = left[15_000:17_000]
    found = difference(" ".join(left), " ".join(right), 3, 20)
    assert found.same >= 2_000 and found.same + found.left == 30_000
