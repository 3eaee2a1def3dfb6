"""The texts that peers and gristmill both decide on: pages of the demo's crawl, and generated adversarial ones.

Adversarial texts come from a seed alone and are the same on every machine: prose of a small grammar, into which each
kind puts what one rule reads (repetitions, bullets, ellipses, marks, numbers, …) at every rate around its threshold,
and pieces that segmenters cut in different ways (contractions, addresses, numbers, other scripts, control characters).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator

SEED = 20240422  # the day FineWeb came out

NOUNS = (
    "river", "window", "garden", "letter", "teacher", "kitchen", "engine", "mountain", "village", "station", "captain", "doctor",
    "machine", "market", "forest", "island", "painter", "bridge", "harbour", "library", "soldier", "morning", "winter", "summer",
    "journey", "country", "question", "answer", "history", "science", "language", "picture", "number", "reader", "writer", "farmer",
    "driver", "sailor", "student", "parent", "neighbour", "building", "temple", "castle", "tunnel", "valley", "desert", "ocean",
    "planet", "signal",
)  # fmt: skip
VERBS = (
    "follows", "carries", "remembers", "watches", "builds", "repairs", "describes", "crosses", "paints", "measures", "collects",
    "answers", "visits", "studies", "protects", "discovers", "explains", "finishes", "forgets", "imagines", "supports", "teaches",
    "borrows", "delivers", "examines", "gathers", "invents", "observes", "prepares", "reaches",
)  # fmt: skip
ADJECTIVES = (
    "old", "quiet", "bright", "narrow", "heavy", "gentle", "distant", "careful", "golden", "broken", "silent", "modern", "ancient",
    "gradual", "honest", "curious", "steady", "warm", "cold", "early", "late", "famous", "simple", "strange", "northern", "southern",
    "wooden", "empty", "crowded", "patient",
)  # fmt: skip
ADVERBS = (
    "slowly", "quickly", "often", "seldom", "always", "nearly", "together", "yesterday", "today", "again", "perhaps", "quietly",
    "almost", "suddenly", "never", "usually",
)  # fmt: skip
JOINTS = (
    "and", "but", "because", "while", "although", "before", "after", "when", "until", "since",
)  # fmt: skip
PREPOSITIONS = (
    "of", "with", "to", "near", "beyond", "under", "across", "behind", "beside", "through", "around", "without",
)  # fmt: skip

# What segmenters and rules disagree on, to be put into prose.
PIECES = (
    "don't", "can't", "won't", "it's", "they're", "I'll", "we've", "she'd", "John's", "the boys' books",
    "rock 'n' roll", "o'clock", "y'all", "cannot", "gonna", "gotta", "wanna", "d'you", "'tis", "it’s", "don’t",
    "CAN'T", "ain't", "should've", "could'nt", "Mr. Smith", "Mrs. Jones", "Dr. No", "e.g. this", "i.e. that", "U.S.",
    "U.S.A.", "a.m.", "p.m.", "10 a.m.", "Inc.", "Ltd.", "etc.", "vs. them", "No. 5", "St. Paul", "J. R. R. Tolkien",
    "Ph.D.", "Jan. 5", "cf. below", "Fig. 3", "approx. ten", "3.14", "1,000,000", "1.000,50", "10%", "$5.99", "€20",
    "£3.50", "20°C", "5km", "10kg", "3x", "1st", "2nd", "3rd", "4th", "1990s", "'90s", "12:30", "2024-04-22",
    "22/04/2024", "+1-555-0100", "(212) 555-0100", "1/2", "½", "10^6", "x=1", "a+b", "#1", "#hashtag", "@user", "C++",
    "C#", ".NET", "Node.js", "file.txt", "/usr/bin/env", "C:\\Windows", "--flag", "-x", "key=value", "foo_bar",
    "fooBar", "foo()", "foo.bar()", "a[0]", "<b>bold</b>", "&amp;", "`code`", "**bold**", "*it*", "_under_",
    "~/.bashrc", "x->y", "=>", "!=", "&&", "http://example.com", "https://www.example.com/a/b?c=d&e=f#g",
    "www.example.com", "example.com", "mailto:a@b.com", "me@example.com", "first.last+tag@mail.example.co.uk",
    "ftp://example.org/pub/", "192.168.0.1", "::1", "v1.2.3", "ISBN 0-306-40615-2", "well-known", "mother-in-law",
    "twenty-one", "pre-1990", "and/or", "he/she", "24/7", "1-2", "pages 10-20", "2019–2020", "word—word",
    "word -- word", "word – word", "word... word", "word…word", "word.Word", "word,word", "end.Next", "end!Next",
    "wait?!", "what??", "no!!!", "(parenthesis)", "[bracket]", "{brace}", "<angle>", "«guillemets»", "“curly”",
    "‘single’", '"straight"', "'single'", "„low“", ":)", ":-)", ";)", ":D", ":-/", "<3", "^_^", "¯\\_(ツ)_/¯", "XD",
    ":'(", "8)", "(:", "😀", "👩\u200d👩\u200d👧", "🇩🇪", "é", "é", "naïve", "Ångström", "ﬁne", "straße", "İstanbul",
    "ΟΔΥΣΣΕΥΣ", "Привет мир", "γειά σου", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก", "你好，世界。",
    "こんにちは世界", "안녕하세요 세계", "ሰላም", "[1]", "[12]", "[edit]", "[citation needed]", "[]", "[a]", "•", "‣", "–", "—", "…",
    "...", "....", "......", ". . .", "***", "---", "===", "___", "~~~", "|", "||", "| a | b |", "©", "®", "™", "§ 5",
    "¶", "†", "№ 7", "→", "≤", "±5", "×", "\xa0", "\u200b", "\ufeff", "\xad", "\t", "a\xa0b", "a\u200bb",
    "soft\xadhyphen", "tab\tin", "double  space", "IS_ALPHA",
)  # fmt: skip

LINES = (
    "This page uses cookies to make it better.", "Please read our Terms of Use before you go on.",
    "See the privacy policy of this site.", "Cookie Policy", "We make use of cookies here.",
    "You need JavaScript to see this page.", "Please enable javascript and try again.", "lorem ipsum dolor sit amet",
    "Lorem Ipsum is simply dummy text of the printing industry.", "if (x) { return y; }", "{", "} else {", "Home",
    "Next", "Contact us", "Share this", "Read more...", "Read more…", "- an item of a list", "* an item with a star",
    "• a bullet point", "1. first", "2) second", "# A heading", "## Another heading", "| a | b | c |",
    "|---|---|---|", "x" * 1000, "x" * 1001 + " and two more", 'He said "it is done."', "She said 'no'",
    'What is it?"', "It is so!'", "Is it so ...", "And then …", "(It ends in a parenthesis.)",
    "This line is exactly thirty ch", "This line has thirty-one chars.", "これは日本語の文です。", "这是一个句子。", "هل هذا سؤال؟",
    "यह एक वाक्य है।", "ends in a dash -", "ends in a colon:", "ends in a space. ", " starts with a space.",
    "\tstarts with a tab.", "two words", "[1] [2] [3]", "three words [edit]",
    "Copyright © 2024 Example Inc. All rights reserved.",
)  # fmt: skip

SEPARATORS = (
    "\n", "\n\n", "\r\n", "\r", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\n \n", "\n\n\n",
    "\n\r\n",
)  # fmt: skip


class Writer:
    """Prose without meaning whose sentences rarely repeat each other."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def phrase(self) -> str:
        pick = self.random.choice
        return f"{pick(('the', 'a', 'every', 'this', 'that', 'one'))} {pick(ADJECTIVES)} {pick(NOUNS)}"

    def clause(self) -> str:
        pick = self.random.choice
        tail = pick((f" {pick(PREPOSITIONS)} {self.phrase()}", f" {pick(ADVERBS)}", f" to {pick(VERBS)[:-1]} {self.phrase()}", ""))
        return f"{self.phrase()} {pick(VERBS)} {self.phrase()}{tail}"

    def sentence(self, end: str = ".") -> str:
        clause = self.clause() + (f" {self.random.choice(JOINTS)} {self.clause()}" if self.random.random() < 0.4 else "")
        return clause[0].upper() + clause[1:] + end

    def line(self, sentences: int = 2) -> str:
        return " ".join(self.sentence(self.random.choice("....?!")) for _ in range(sentences))

    def lines(self, count: int = 6) -> list[str]:
        return [self.line(self.random.randint(1, 3)) for _ in range(count)]

    def words(self, count: int) -> list[str]:
        found: list[str] = []
        while len(found) < count:
            found += self.sentence("").split()
        return found[:count]

    def sprinkle(self, text: str, pieces: tuple[str, ...], rate: float) -> str:
        out = []
        for word in text.split(" "):
            out.append(word)
            if self.random.random() < rate:
                out.append(self.random.choice(pieces))
        return " ".join(out)


def adversarial(seed: int = SEED) -> list[tuple[str, str]]:
    """(name, text), every name once; the name begins with the kind."""
    texts: list[tuple[str, str]] = []
    for kind, make in KINDS.items():
        writer = Writer(seed ^ int.from_bytes(hashlib.blake2b(kind.encode(), digest_size=4).digest()))
        texts += [(f"{kind}/{number:03}", text) for number, text in enumerate(make(writer))]
    return texts


def _hollow(w: Writer) -> Iterator[str]:
    yield from (
        "",
        " ",
        "\n",
        "\n\n\n",
        " \t \n\x0c\u3000",
        "\x00",
        "\x00" * 200,
        "\u200b",
        "\ufeff",
        ".",
        "...",
        "…",
        "?!",
        "#",
        "-" * 500,
    )
    yield from ("!? " * 100, "... " * 100, "# " * 100, "• " * 100, "\u0301" * 100, "a", "the", "a " * 60, "\n- " * 60, "{" * 10, "1 " * 100)
    yield from ("x" * 2000, "ab " * 3000, "word " * 200, "\n".join("abc"), "the be to of and that have with " * 10)
    yield from ("\n".join(["Same line of words here."] * 20), "\n\n".join(["Same paragraph of words here."] * 20), "\n.\n" * 30, '"\n' * 30)


def _prose(w: Writer) -> Iterator[str]:
    for count in range(1, 25):
        yield "\n".join(w.lines(count))
    for count in range(5, 15):
        yield "\n\n".join(w.lines(count))
        yield " ".join(w.lines(count))


def _lengths(w: Writer) -> Iterator[str]:
    for count in (*range(40, 60), 64, 72):
        words = w.words(count)
        cuts = [" ".join(words[i : i + 8]) for i in range(0, count, 8)]
        yield ". ".join(cuts) + "."
        yield ".\n".join(cuts) + "."
        yield ",\n- ".join(cuts)


def _word_lengths(w: Writer) -> Iterator[str]:
    for short in range(30, 100, 5):
        words = [
            w.random.choice(("to", "of", "a", "I", "be", "it", "as")) if w.random.random() * 100 < short else word for word in w.words(120)
        ]
        yield ".\n".join(" ".join(words[i : i + 12]) for i in range(0, 120, 12)) + "."
    for long in range(10, 100, 10):
        words = [word * 3 if w.random.random() * 100 < long else word for word in w.words(120)]
        yield ".\n".join(" ".join(words[i : i + 12]) for i in range(0, 120, 12)) + "."


def _symbols(w: Writer) -> Iterator[str]:
    for mark in ("#", "##", "#tag", "...", "…", "....", ". . .", "*", "@", "&", "-", "•"):
        for rate in (0.05, 0.09, 0.11, 0.13, 0.2, 0.4):
            yield "\n".join(w.sprinkle(line, (mark,), rate) for line in w.lines(8))


def _line_marks(w: Writer) -> Iterator[str]:
    for start in ("- ", "• ", "* ", "– ", "‣ ", "-", " - ", "\t• "):
        for share in (0.5, 0.85, 0.9, 0.95, 1.0):
            lines = w.lines(20)
            yield "\n".join(start + line if i < share * 20 else line for i, line in enumerate(lines))
    for end in ("...", "…", " ...", "… ", "....", "..", '..."', "...\u00a0"):
        for share in (0.2, 0.3, 0.35, 0.5):
            lines = w.lines(20)
            yield "\n".join(line[:-1] + end if i < share * 20 else line for i, line in enumerate(lines))
    for end in (
        ".",
        "!",
        "?",
        '"',
        "'",
        '."',
        ".'",
        "”",
        "’",
        ".”",
        ")",
        ":",
        ";",
        ",",
        "。",
        "؟",
        "।",
        "…",
        ". ",
        ".\t",
        "",
        "¡",
        "‼",
        "۔",
        "։",
    ):
        for share in (0.05, 0.1, 0.15, 0.3):
            lines = w.lines(20)
            yield "\n".join(line[:-1] + (end if i < share * 20 else " indeed") for i, line in enumerate(lines))


def _letters(w: Writer) -> Iterator[str]:
    for rate in (0.1, 0.15, 0.18, 0.2, 0.22, 0.25, 0.3, 0.4, 0.6):
        yield "\n".join(w.sprinkle(line, ("12", "3.14", "1990", "7", "100%"), rate) for line in w.lines(8))
        yield "\n".join(w.sprinkle(line, (",", "-", "(", ")", ";", "|"), rate) for line in w.lines(8))
        yield "\n".join(w.sprinkle(line, ("१२", "٣", "½", "²", "Ⅳ", "①"), rate) for line in w.lines(8))


def _stop_words(w: Writer) -> Iterator[str]:
    plain = [word for word in w.words(900) if word not in {"the", "be", "to", "of", "and", "that", "have", "with", "The", "That"}]
    for extra in (
        [],
        ["the"],
        ["The", "Of"],
        ["the", "the"],
        ["the", "of"],
        ["the.", "of"],
        ["(the)", "with,"],
        ["THE", "be"],
        ["and", "that"],
    ):
        for _ in range(3):
            chosen = [w.random.choice(plain).lower() for _ in range(90)] + extra
            w.random.shuffle(chosen)
            yield ".\n".join(" ".join(chosen[i : i + 10]) for i in range(0, len(chosen), 10)) + "."


def _repeated_lines(w: Writer) -> Iterator[str]:
    for separator in ("\n", "\n\n"):
        for copies in range(1, 16):
            lines = w.lines(20)
            yield separator.join([*lines, *[lines[0]] * copies])
            yield separator.join([*lines, *lines[:copies]])
        for copies in range(1, 8):
            yield separator.join([*w.lines(12), *["Next page."] * copies])
            yield separator.join([*w.lines(12), *[" "] * copies, *[""] * copies])


def _repeated_words(w: Writer) -> Iterator[str]:
    for n in range(2, 11):
        gram = " ".join(w.words(n))
        for copies in range(2, 26, 2):
            lines = w.lines(8)
            for copy in range(copies):
                at = copy % 8
                lines[at] = f"{lines[at]} {gram}"
            yield "\n".join(lines)
    for sentences in 6 * (1, 2, 3, 4, 5):
        repeated = w.line(sentences)
        yield "\n".join([repeated, *w.lines(6), f"{repeated} {w.line(1)}", *w.lines(2)])
    yield "ab c abc a bc abc ab c abc a bc abc " * 8 + w.line(4)  # joined without spaces these are the same


def _sentences(w: Writer) -> Iterator[str]:
    for count in range(1, 9):
        for end in (". ", "! ", "? ", "... ", ".) ", '." ', ".' ", ".\u201d ", "; ", ".", "。", ".[1] ", " . ", "?! "):
            long = end.join(w.sentence("") + f" {w.phrase()} {w.clause()}" for _ in range(count)) + end
            yield long if count % 2 else long + "\n" + " ".join(w.words(30))
    for piece in (
        "Mr. Smith",
        "e.g. this",
        "U.S. law",
        "3.14 cm",
        "No. 5",
        "J. R. Tolkien",
        "etc. and",
        "a.m. or",
        "Dr. No",
        "vs. them",
        "v. 2.0",
    ):
        yield " ".join(f"{w.clause().capitalize()} {piece} {w.clause()}" for _ in range(6)) + "."


def _odd_lines(w: Writer) -> Iterator[str]:
    for line in LINES:
        for copies in (1, 3):
            lines = w.lines(7) + [line] * copies
            w.random.shuffle(lines)
            yield "\n".join(lines)
    for _ in range(60):
        lines = w.lines(8) + [w.random.choice(LINES) for _ in range(w.random.randint(1, 6))]
        w.random.shuffle(lines)
        yield "\n".join(lines)


def _short_lines(w: Writer) -> Iterator[str]:
    for length in (28, 29, 30, 31, 32):
        for share in (0.5, 0.6, 0.65, 0.7, 0.75):
            short = [(" ".join(w.words(12)))[: length - 1] + "." for _ in range(int(share * 20))]
            lines = short + w.lines(20 - len(short))
            w.random.shuffle(lines)
            yield "\n".join(lines)
    for words in range(2, 8):
        yield "\n".join(" ".join(w.words(words)) + "." for _ in range(30))
        yield "\n\n".join(" ".join(w.words(words)) + "." for _ in range(20))


def _lists(w: Writer) -> Iterator[str]:
    for ended in (2, 4, 6, 8, 12):
        for words in (2, 3, 4):
            items = [" ".join(w.random.choice(NOUNS + VERBS)[:9].ljust(10, "s") for _ in range(words)) for _ in range(30)]
            yield "\n".join(item + "." * (i < ended) for i, item in enumerate(items))
            yield "\n".join(f"the {item} of" + "." * (i < ended) for i, item in enumerate(items))
            yield "\n\n".join(f"the {item} of" + "." * (i < ended) for i, item in enumerate(items))


def _pieces(w: Writer) -> Iterator[str]:
    for piece in PIECES:
        yield "\n".join(w.sprinkle(line, (piece,), 0.2) for line in w.lines(6))
    for rate in (0.05, 0.1, 0.2, 0.3, 0.5):
        for _ in range(30):
            yield "\n".join(w.sprinkle(line, PIECES, rate) for line in w.lines(8))


def _separators(w: Writer) -> Iterator[str]:
    for separator in SEPARATORS:
        yield separator.join(w.lines(8))
        yield separator.join([*w.lines(8), *["Next page."] * 4])
        yield separator.join("- " + line for line in w.lines(8)) + separator
    for _ in range(20):
        yield "".join(line + w.random.choice(SEPARATORS) for line in w.lines(10))


def _scripts(w: Writer) -> Iterator[str]:
    samples = (
        "这是一个关于历史的句子。", "東京は日本の首都です。", "이 문장은 한국어로 쓰였다.", "ประเทศไทยเป็นประเทศในเอเชีย",
        "هذا نص باللغة العربية.", "זה משפט בעברית.",
        "यह हिन्दी का वाक्य है।", "Это предложение на русском языке.", "Αυτή είναι μια πρόταση.", "Đây là một câu tiếng Việt.", "áb́ć d́éf́ ǵh́í.",
        "ეს არის წინადადება.", "Սա նախադասություն է։", "இது ஒரு வாக்கியம்.", "ဒါက စာကြောင်းတစ်ကြောင်း။", "នេះគឺជាប្រយោគ។", "ይህ ዓረፍተ ነገር ነው።",
    )  # fmt: skip
    for sample in samples:
        yield "\n".join(f"{sample}{w.random.randint(0, 999)} {sample[::-1]}" for _ in range(12))
        yield "\n".join(w.sprinkle(line, (sample,), 0.15) for line in w.lines(6))
        yield sample * 40


def _controls(w: Writer) -> Iterator[str]:
    for mark in ("\x00", "\x01", "\x07", "\x08", "\x1b", "\x1c", "\x1f", "\x7f", "\x80", "\x85", "\x9f", "\u00a0", "\u00ad",
                 "\u200b", "\u200d", "\u200e",
                 "\u2028", "\u2029", "\u202e", "\u3000", "\ufeff", "\ufffd", "\U000e0001", "\t"):  # fmt: skip
        yield "\n".join(w.sprinkle(line, (mark,), 0.2) for line in w.lines(6))
        yield "\n".join(line.replace(" ", mark, 4) for line in w.lines(8))


def _code(w: Writer) -> Iterator[str]:
    for _ in range(10):
        name, other = w.random.choice(NOUNS), w.random.choice(VERBS)
        yield (
            "\n".join(w.lines(3))
            + f"\n\n>>> {name}.{other}(1, 'two')\n[1, 2, 3]\n>>> for i in range(10):\n...     print(i)\n...\n0\n1\n"
            + w.line(5)
        )
        yield f"def {name}({other}=None):\n    # {w.clause()}\n    return {other} + 1\n\n\nclass {name.title()}:\n    pass\n" + "\n".join(
            w.lines(4)
        )
        yield "\n".join(f"| {w.random.choice(NOUNS)} | {w.random.randint(0, 99)} | {w.phrase()} |" for _ in range(20)) + "\n" + w.line(5)
        yield (
            f"# {w.phrase().title()}\n\n{w.line(3)}\n\n"
            + "\n".join(f"* **{w.random.choice(NOUNS)}**: {w.clause()}." for _ in range(8))
            + f"\n\n```\n{name}\n```"
        )


def _long(w: Writer) -> Iterator[str]:
    yield " ".join(w.lines(300))
    yield "\n".join(w.lines(200))
    yield "to " * 100_001
    yield "one line of words " * 8_000


KINDS: dict[str, Callable[[Writer], Iterator[str]]] = {
    "hollow": _hollow, "prose": _prose, "lengths": _lengths, "word_lengths": _word_lengths, "symbols": _symbols, "line_marks": _line_marks,
    "letters": _letters, "stop_words": _stop_words, "repeated_lines": _repeated_lines, "repeated_words": _repeated_words,
    "sentences": _sentences, "odd_lines": _odd_lines, "short_lines": _short_lines, "lists": _lists, "pieces": _pieces,
    "separators": _separators, "scripts": _scripts, "controls": _controls, "code": _code, "long": _long,
}  # fmt: skip
