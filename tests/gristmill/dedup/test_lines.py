import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.dedup import lines
from gristmill.dedup.cuts import merged
from gristmill.dedup.lines import buckets, line_cuts, repeated, text_counts
from gristmill.lake.contracts import conform
from gristmill.recipe.dedup import Lines
from gristmill.signals import segment
from gristmill.signals.kernels.base import class_of

ACCENTS = ((0x0300, 0x036F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F))
SENTENCES = st.sampled_from(
    [
        "we use cookies to make this page better",
        "We use COOKIES, to make   this page better!",
        "all rights reserved by the authors 2019",
        "all rights reserved by the authors 2024",
        "the café is open on all days of 7",
        "the cafe\u0301 is open on all days of 9",
        "один два три четыре пять шесть семь",
        "我们在这里买东西吃",
    ]
)
SHORT = st.sampled_from(["", " ", "---", "}", "yes", "1 2 3 4 5 6 7 8", "home", "log in", "\t\u00a0", "read more about it here"])
ENDS = st.sampled_from(["\n", "\n", "\n", "\n\n", "\r\n", "\u2028", "\n \n"])
TEXTS = st.lists(st.tuples(SENTENCES | SHORT, ENDS), max_size=8).map(lambda pairs: "".join(line + end for line, end in pairs))
CORPUS = st.lists(st.tuples(TEXTS, st.booleans()), max_size=7).map(
    lambda many: {f"d{i}": text if whole else text.rstrip("\n") for i, (text, whole) in enumerate(many)}
)

SIX = Lines().min_words


def frame(texts):
    return pl.DataFrame({"doc_id": list(texts), "text": list(texts.values())}, schema={"doc_id": pl.String, "text": pl.String})


def read_as(line):
    """The words that a line is read as, by the definition: one code point after the other."""
    classes, _ = segment.tables()
    words, inside = [], False
    for char in line:
        kind = int(class_of(classes, ord(char)))
        if kind & 15 == segment.FORMAT:
            continue
        if kind & 15 in (segment.SPACE, segment.OTHER):
            inside = False
            continue
        if unicodedata.category(char) == "Nd":
            plain = "0"
        else:
            folded = char.casefold()
            base = "".join(c for c in unicodedata.normalize("NFD", folded) if not any(a <= ord(c) <= b for a, b in ACCENTS))
            plain = base if len(base) <= 1 else folded if len(folded) == 1 else char
        if not plain:
            continue
        alone = bool(kind & segment.UNSPACED)
        if inside and not alone:
            words[-1] += plain
        else:
            words.append(plain)
        inside = not alone
    return tuple(words)


def word_count(line):
    """Words between white space that have a letter; a letter of a script without spaces is one."""
    classes, _ = segment.tables()
    count = 0
    for word in line.split():
        kinds = [int(class_of(classes, ord(char))) for char in word]
        alone = sum(kind == segment.LETTER | segment.UNSPACED for kind in kinds)
        count += alone or any(kind == segment.LETTER for kind in kinds)
    return count


def units_of(text):
    """unit, what it is read as, first and last line (without it), of everything that may be counted."""
    cut = text.splitlines()
    for i, line in enumerate(cut):
        if word_count(line) >= SIX:
            yield "line", read_as(line), i, i + 1
    start = 0
    for i in range(len(cut) + 1):
        if i == len(cut) or not cut[i].strip():
            keyed = [read_as(line) for line in cut[start:i] if read_as(line)]
            if len(keyed) > 1 and sum(map(word_count, cut[start:i])) >= SIX:
                yield "paragraph", tuple(keyed), start, i
            start = i + 1


def plain_counts(texts):
    held = {}
    for doc_id, text in texts.items():
        for unit, read, *_ in units_of(text):
            held.setdefault((unit, read), set()).add(doc_id)
    return {key: len(documents) for key, documents in held.items()}


def plain_result(text, counts, most):
    """What is left: the lines that are not cut, and of the blank lines in a row those that something kept stands before."""
    cut = text.splitlines(keepends=True)
    gone = {i for unit, read, a, b in units_of(text) if counts[unit, read] > most for i in range(a, b)}
    kept = [i for i in range(len(cut)) if i not in gone and cut[i].strip()]
    at_end = max(gone, default=-1) > max(kept, default=-1)  # nothing is left behind what is cut
    left, alone, swallow = [], True, False
    for i, line in enumerate(cut[: max(kept, default=-1) + 1] if at_end else cut):
        if i in gone:
            swallow = alone
        elif line.strip():
            left.append(line)
            alone = swallow = False
        else:
            alone = True
            if not swallow:
                left.append(line)
    return "".join(left).removesuffix(left[-1]) + left[-1].splitlines()[0] if at_end and left else "".join(left)


def applied(texts, cuts):
    left = dict(texts)
    for doc_id, start, end in merged(cuts).sort("start", descending=True).select("doc_id", "start", "end").iter_rows():
        left[doc_id] = left[doc_id][:start] + left[doc_id][end:]
    return left


@settings(deadline=None)
@given(CORPUS, st.integers(1, 3))
def test_what_more_documents_hold_goes(texts, most):
    given_ = frame(texts)
    counts = text_counts(given_, Lines())
    expected = plain_counts(texts)
    assert sorted(counts.select("unit", "documents").rows()) == sorted((unit, n) for (unit, _), n in expected.items())
    assert counts.select("unit", "bucket", "key").is_unique().all()
    found = repeated(counts.lazy(), most)
    assert found.height == sum(n > most for n in expected.values())
    cuts = line_cuts(given_, found, Lines())
    assert conform("cuts", cuts).equals(cuts)
    spans = {}
    for doc_id, text in texts.items():
        ends = [0]
        for line in text.splitlines(keepends=True):
            ends.append(ends[-1] + len(line))
        for unit, read, a, b in units_of(text):
            if expected[unit, read] > most:
                spans[doc_id, lines.RULES[unit], ends[a], ends[b]] = expected[unit, read]
    assert cuts.height == len(spans)
    assert sorted(cuts["documents"]) == sorted(spans.values())
    assert applied(texts, cuts) == {doc_id: plain_result(text, expected, most) for doc_id, text in texts.items()}


@settings(deadline=None, max_examples=40)
@given(CORPUS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_order_shards_and_ranges_have_no_say(texts, count, random):
    setting = Lines(max_documents=1, buckets=count)
    whole = repeated(text_counts(frame(texts), setting).lazy(), 1)
    items = list(texts.items())
    random.shuffle(items)
    shards = [frame(dict(items[i::3])) for i in range(3)]
    counts = [text_counts(shard, setting) for shard in shards]
    assert repeated(pl.concat(counts).lazy(), 1, keys_at_once=3).equals(whole)
    cuts = pl.concat([line_cuts(shard, whole, setting) for shard in shards]).sort("doc_id", "start", "rule")
    assert cuts.equals(line_cuts(frame(texts), whole, setting))
    alone = pl.concat(counts)
    assert alone.equals(pl.concat([conform("text_counts", each) for each in counts]))


def test_buckets_are_counted_apart():
    texts = {f"d{i}": "the same notice stands on each of these pages" for i in range(40)}
    of = dict(zip(texts, buckets(pl.Series(list(texts)), 4).tolist(), strict=True))
    assert set(of.values()) == {0, 1, 2, 3}
    counts = text_counts(frame(texts), Lines(buckets=4), ["line"])
    assert dict(counts.select("bucket", "documents").iter_rows()) == {b: list(of.values()).count(b) for b in range(4)}
    most = sorted(counts["documents"])[1]
    cuts = line_cuts(frame(texts), repeated(counts.lazy(), most), Lines(buckets=4))
    assert set(cuts["doc_id"]) == {doc_id for doc_id, b in of.items() if list(of.values()).count(b) > most}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Über UNS: das Café ist 12 Jahre alt", "uber uns das cafe ist 34 jahre alt", True),
        ("Straße und Weg sind beide sehr lang", "Strasse und Weg sind beide sehr lang", False),
        ("eight of us went home on 1 May", "eight of us went home on 10 May", False),
        ("a soft\u00adhyphen is not there at all", "a softhyphen is not there at all", True),
        ("don't do it to me again", "don’t do it to me again", True),
        ("its parts are not to be run together", "it s parts are not to be run together", False),
        ("가나 다라 마바 사아 자차 카타", "가나 다라 마바 사아 자차 카하", False),
        ("कि यह वह कौन कब कहाँ क्यों", "कु यह वह कौन कब कहाँ क्यों", False),  # vowel signs are no accents
        ("我们在这里买东西", "我们,在这里 买东西。", True),
        ("abcdefgh six words that are to come", "abcdefg h six words that are to come", False),
        ("abcdefgh-ijklmnop six words that are to come", "abcdefgh ijklmnop six words that are to come", True),
    ],
)
def test_how_a_line_is_read(one, other, same):
    counts = text_counts(frame({"a": one, "b": other}), Lines())
    assert counts["documents"].to_list() == ([2] if same else [1, 1])
    assert (read_as(one) == read_as(other)) == same


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=6))
def test_any_characters_are_read_alike(texts):
    """Lines, keys and word counts of anything against the definition, whatever stands beside a text."""
    from gristmill.signals.chunk import Chunk

    table = lines.line_table(Chunk(frame({str(i): text for i, text in enumerate(texts)})))
    keys = {}
    expected = [(i, line) for i, text in enumerate(texts) for line in text.splitlines()]
    assert table.rows.tolist() == [i for i, _ in expected]
    for n, (i, line) in enumerate(expected):
        assert texts[i][table.starts[n] : table.ends[n]] == line
        assert keys.setdefault(read_as(line), table.keys[n]) == table.keys[n]
        assert (table.keys[n] == 0) == (not read_as(line))
    assert len(set(keys.values())) == len(keys)


def test_short_lines_go_only_with_their_paragraph():
    menu = "Home\nNews\nAbout us\nContact\nLog in"
    texts = {f"d{i}": f"HAMLET.\n\n{menu}\n\nThis is page number {'abcdefgh'[i]} of all that we have.\n" for i in range(8)}
    found = repeated(text_counts(frame(texts), Lines()).lazy(), 6)
    left = applied(texts, line_cuts(frame(texts), found, Lines()))
    assert left["d0"] == "HAMLET.\n\nThis is page number a of all that we have.\n"
    only_lines = repeated(text_counts(frame(texts), Lines(), ["line"]).lazy(), 6)
    assert line_cuts(frame(texts), only_lines, Lines()).is_empty()


def test_nothing_of_nothing():
    counts = text_counts(frame({}), Lines())
    assert counts.is_empty() and repeated(counts.lazy(), 6).is_empty()
    assert line_cuts(frame({"a": "", "b": "one"}), repeated(counts.lazy(), 6), Lines()).is_empty()
