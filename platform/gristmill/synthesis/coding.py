"""Small code exercises: signature and docstring, then the body, after phi-1's CodeExercises (Gunasekar et al. 2023, section 2.2).

An exercise is put together from parts (which items, what is done to each, what is made of them all). Every part is written
twice: as source code in several styles, and as a function that computes what the tests expect. The sandbox runs the one
against the other, so that a slip in either shows.
"""

# ruff: noqa: E501 - a template, or a part of one, a line
from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

VERSION = "1"

EXAMPLES, HIDDEN_TESTS = 2, 5


@dataclass(frozen=True)
class CodeExercise:
    """`task` names what is asked (two exercises of one task differ in style alone); `tests` are assertions that the text does not show in full."""

    task: str
    text: str
    tests: str


@dataclass(frozen=True)
class Part:
    """Words for the docstring and the name, a Python expression over `x`, and the same as a function."""

    words: str
    name: str
    source: str
    value: Callable[[Any], Any]


def make_code_exercise(dice: random.Random) -> CodeExercise:
    """An exercise decided by `dice`."""
    return dice.choice(FAMILIES)(dice)


def _exercise(
    name: str,
    argument: str,
    kind: str,
    result: str,
    docstring: str,
    body: list[str],
    oracle: Callable[[Any], Any],
    inputs: list[Any],
    dice: random.Random,
) -> CodeExercise:
    """Text and tests; the first inputs become the docstring's examples."""
    examples = "\n".join(f"    >>> {name}({each!r})\n    {oracle(each)!r}" for each in inputs[:EXAMPLES])
    signature = f"def {name}({argument}: {kind}) -> {result}:" if dice.random() < 0.5 else f"def {name}({argument}):"
    text = f'{signature}\n    """{docstring}\n\n{examples}\n    """\n' + "\n".join(f"    {line}" for line in body) + "\n"
    tests = "\n".join(f"assert {name}({each!r}) == {oracle(each)!r}, {f'{name}({each!r})'!r}" for each in inputs)
    return CodeExercise(name, text, tests)


# Lists of numbers: which of them, what is done to each, what is made of them.


def _number_filters(k: int) -> tuple[Part, ...]:
    return (
        Part("all numbers", "numbers", "True", lambda x: True),
        Part("the even numbers", "even_numbers", "x % 2 == 0", lambda x: not x & 1),
        Part("the odd numbers", "odd_numbers", "x % 2 == 1", lambda x: bool(x & 1)),
        Part("the positive numbers", "positive_numbers", "x > 0", lambda x: x >= 1),
        Part("the negative numbers", "negative_numbers", "x < 0", lambda x: x <= -1),
        Part(f"the numbers greater than {k}", f"numbers_above_{k}", f"x > {k}", lambda x: x >= k + 1),
        Part(f"the numbers less than {k}", f"numbers_below_{k}", f"x < {k}", lambda x: x <= k - 1),
        Part(f"the multiples of {k}", f"multiples_of_{k}", f"x % {k} == 0", lambda x: x in range(-k * 100, k * 100, k)),
        Part(
            f"the numbers that end in {k % 10}",
            f"numbers_ending_in_{k % 10}",
            f"abs(x) % 10 == {k % 10}",
            lambda x: str(x)[-1] == str(k % 10),
        ),
        Part(f"the numbers from {-k} to {k}", f"numbers_within_{k}", f"-{k} <= x <= {k}", lambda x: x in range(-k, k + 1)),
    )


def _number_maps(k: int) -> tuple[Part, ...]:
    return (
        Part("", "", "x", lambda x: x),
        Part("the squares of ", "squares_of_", "x * x", lambda x: x**2),
        Part("the doubles of ", "doubles_of_", "2 * x", lambda x: x + x),
        Part("the absolute values of ", "absolute_", "abs(x)", lambda x: max(x, -x)),
        Part(f"{k} times each of ", f"{_number_word(k)}_times_", f"{k} * x", lambda x: sum([x] * k)),
        Part(
            "the digit sums of ", "digit_sums_of_", "sum(int(digit) for digit in str(abs(x)))", lambda x: sum(map(int, str(x).lstrip("-")))
        ),
        Part("the cubes of ", "cubes_of_", "x ** 3", lambda x: x * x * x),
    )


@dataclass(frozen=True)
class Fold:
    """What is made of many values: by a loop (start, step) and by one expression over `values`."""

    words: str
    name: str
    result: str
    start: str
    step: str
    source: str
    value: Callable[[list[Any]], Any]


FOLDS = (
    Fold("the sum of {}", "sum_of_{}", "int", "result = 0", "result += {}", "sum({})", sum),
    Fold("a list of {}", "list_{}", "list[int]", "result = []", "result.append({})", "list({})", list),
    Fold("a sorted list of {}", "sort_{}", "list[int]", "result = []", "result.append({})", "sorted({})", sorted),
    Fold(
        "how many different values there are among {}",
        "count_different_{}",
        "int",
        "result = set()",
        "result.add({})",
        "len(set({}))",
        lambda v: len(dict.fromkeys(v)),
    ),
    Fold(
        "the largest of {}, or 0 if there are none",
        "largest_of_{}",
        "int",
        "result = None",
        "result = {} if result is None else max(result, {})",
        "max({}, default=0)",
        lambda v: sorted(v)[-1] if v else 0,
    ),
    Fold(
        "the smallest of {}, or 0 if there are none",
        "smallest_of_{}",
        "int",
        "result = None",
        "result = {} if result is None else min(result, {})",
        "min({}, default=0)",
        lambda v: sorted(v)[0] if v else 0,
    ),
)
ENDS = {
    "sort_{}": "sorted(result)",
    "count_different_{}": "len(result)",
    "largest_of_{}": "0 if result is None else result",
    "smallest_of_{}": "0 if result is None else result",
}


def _numbers(dice: random.Random) -> CodeExercise:
    k = dice.randint(3, 9)
    which, each, fold = dice.choice(_number_filters(k)), dice.choice(_number_maps(dice.randint(3, 9))), dice.choice(FOLDS)
    what = f"{each.words}{which.words} in the list"
    item = dice.choice(("number", "n", "value", "x"))
    keep, value = (_rename(part.source, item) for part in (which, each))
    if dice.random() < 0.5:
        inner = [f"{fold.step.format(*[value] * fold.step.count('{}'))}"]
        loop = [f"    {line}" for line in inner] if keep == "True" else [f"    if {keep}:", *(f"        {line}" for line in inner)]
        body = [fold.start, f"for {item} in numbers:", *loop, f"return {ENDS.get(fold.name, 'result')}"]
    else:
        condition = "" if keep == "True" else f" if {keep}"
        if dice.random() < 0.5:
            body = [f"values = [{value} for {item} in numbers{condition}]", f"return {fold.source.format('values')}"]
        else:
            comprehension = f"{value} for {item} in numbers{condition}"
            body = [f"return {fold.source.format(comprehension if 'default' not in fold.source else f'({comprehension})')}"]

    def oracle(numbers: list[int]) -> Any:
        return fold.value([each.value(x) for x in numbers if which.value(x)])

    inputs = [_integers(dice, 3 + i) for i in range(EXAMPLES + HIDDEN_TESTS - 1)] + [[]]
    name = fold.name.format(each.name + which.name)
    return _exercise(name, "numbers", "list[int]", fold.result, f"Return {fold.words.format(what)}.", body, oracle, inputs, dice)


def _integers(dice: random.Random, length: int) -> list[int]:
    return [dice.randint(-30, 60) if dice.random() < 0.4 else dice.randint(-4, 20) for _ in range(length)]


# Strings: which characters or words, what is made of them.

LETTERS = "abcdefghilmnoprstuw"
SENTENCES = (
    "The quick brown fox",
    "rain falls on the tin roof",
    "A man, a plan, a canal",
    "two Birds in 1 bush",
    "Level up",
    "hello",
    "Mississippi river 2000",
    "",
    "ABC abc 123",
    "the end of the long road",
    "Sing a song of sixpence",
    "no lemon no melon",
    "Zebra",
    "seven silver spoons",
    "All that glitters",
    "room 12B is open",
    "one small step",
    "under the old Oak tree",
    "moon and sun",
    "Practice makes perfect",
    "banana bread",
    "to be or not to be",
)


def _character_filters(letter: str) -> tuple[Part, ...]:
    return (
        Part("vowels", "vowels", "x.lower() in 'aeiou'", lambda x: x in set("aeiouAEIOU")),
        Part("digits", "digits", "x.isdigit()", lambda x: x in set("0123456789")),
        Part("capital letters", "capitals", "x.isupper()", lambda x: "A" <= x <= "Z"),
        Part("small letters", "small_letters", "x.islower()", lambda x: "a" <= x <= "z"),
        Part("letters", "letters", "x.isalpha()", lambda x: "A" <= x <= "Z" or "a" <= x <= "z"),
        Part(
            "consonants",
            "consonants",
            "x.isalpha() and x.lower() not in 'aeiou'",
            lambda x: x in set("bcdfghjklmnpqrstvwxyzBCDFGHJKLMNPQRSTVWXYZ"),
        ),
        Part("spaces", "spaces", "x == ' '", lambda x: not x.strip()),
        Part(f"letters {letter!r}", f"letter_{letter}", f"x == {letter!r}", lambda x: x == letter),
        Part(
            f"characters that come before {letter!r} in the alphabet",
            f"letters_before_{letter}",
            f"x.isalpha() and x.lower() < {letter!r}",
            lambda x: x.lower() in set("abcdefghijklmnopqrstuvwxyz".partition(letter)[0]),
        ),
    )


CHARACTER_ACTIONS: tuple[tuple[str, str, str, str, str, str, Callable[[str, Callable[[str], bool]], Any]], ...] = (
    (
        "Return how many {} the text has.",
        "count_{}",
        "int",
        "result = 0",
        "if {}: result += 1",
        "sum(1 for x in text if {})",
        lambda t, f: len([c for c in t if f(c)]),
    ),
    (
        "Return the text without its {}.",
        "remove_{}",
        "str",
        "result = ''",
        "if not ({}): result += x",
        "''.join(x for x in text if not ({}))",
        lambda t, f: "".join("" if f(c) else c for c in t),
    ),
    (
        "Return only the {} of the text, in order.",
        "keep_{}",
        "str",
        "result = ''",
        "if {}: result += x",
        "''.join(x for x in text if {})",
        lambda t, f: "".join(c if f(c) else "" for c in t),
    ),
    (
        "Return the text with its {} replaced by stars.",
        "star_{}",
        "str",
        "result = ''",
        "result += '*' if {} else x",
        "''.join('*' if {} else x for x in text)",
        lambda t, f: "".join({True: "*", False: c}[f(c)] for c in t),
    ),
    (
        "Return the text with its {} doubled.",
        "double_{}",
        "str",
        "result = ''",
        "result += x + x if {} else x",
        "''.join(x * 2 if {} else x for x in text)",
        lambda t, f: "".join(c * (1 + f(c)) for c in t),
    ),
    (
        "Return the positions of the {} of the text.",
        "positions_of_{}",
        "list[int]",
        "result = []",
        "if {}: result.append(i)",
        "[i for i, x in enumerate(text) if {}]",
        lambda t, f: [i for i in range(len(t)) if f(t[i])],
    ),
)


def _characters(dice: random.Random) -> CodeExercise:
    which = dice.choice(_character_filters(dice.choice(LETTERS)))
    docstring, name, result, start, step, expression, value = dice.choice(CHARACTER_ACTIONS)
    item = dice.choice(("character", "c", "letter", "sign"))
    keep = _rename(which.source, item)
    if dice.random() < 0.5:
        head = f"for i, {item} in enumerate(text):" if "append(i)" in step else f"for {item} in text:"
        line = _rename(step, item).format(keep)
        condition, _, then = line.partition(": ")
        body = [start, head, *((f"    {condition}:", f"        {then}") if then else (f"    {line}",)), "return result"]
    else:
        body = [f"return {_rename(expression, item).format(keep)}"]
    inputs = dice.sample(SENTENCES, EXAMPLES + HIDDEN_TESTS)
    return _exercise(
        name.format(which.name), "text", "str", result, docstring.format(which.words), body, lambda t: value(t, which.value), inputs, dice
    )


def _word_filters(letter: str, k: int) -> tuple[Part, ...]:
    return (
        Part("words", "words", "True", lambda w: True),
        Part(f"words longer than {k} characters", f"words_longer_than_{k}", f"len(x) > {k}", lambda w: w[k:] != ""),
        Part(f"words of at most {k} characters", f"words_up_to_{k}", f"len(x) <= {k}", lambda w: w[k:] == ""),
        Part(f"words that start with {letter!r}", f"words_starting_with_{letter}", f"x.startswith({letter!r})", lambda w: w[0] == letter),
        Part(f"words that end in {letter!r}", f"words_ending_in_{letter}", f"x.endswith({letter!r})", lambda w: w[-1] == letter),
        Part(f"words that contain {letter!r}", f"words_with_{letter}", f"{letter!r} in x", lambda w: w.find(letter) >= 0),
        Part("words that start with a capital letter", "capitalised_words", "x[0].isupper()", lambda w: "A" <= w[0] <= "Z"),
    )


WORD_ACTIONS: tuple[tuple[str, str, str, str, Callable[[list[str]], Any]], ...] = (
    ("Return how many {} there are in the text.", "count_{}", "int", "len({})", len),
    ("Return a list of the {} of the text.", "list_{}", "list[str]", "{}", list),
    (
        "Return the {} of the text joined by dashes.",
        "dash_{}",
        "str",
        "'-'.join({})",
        lambda w: "".join("-" * (i > 0) + x for i, x in enumerate(w)),
    ),
    (
        "Return the {} of the text in reverse order, separated by spaces.",
        "reverse_{}",
        "str",
        "' '.join(reversed({}))",
        lambda w: " ".join(w[::-1]),
    ),
    (
        "Return the longest of the {} of the text (the first of several), or '' if there are none.",
        "longest_of_{}",
        "str",
        "max({}, key=len, default='')",
        lambda w: next((x for x in w if len(x) == max(len(y) for y in w)), ""),
    ),
    ("Return the {} of the text in alphabetical order.", "sort_{}", "list[str]", "sorted({})", lambda w: sorted(w)),
    (
        "Return the first letters of the {} of the text as one string.",
        "initials_of_{}",
        "str",
        "''.join(word[0] for word in {})",
        lambda w: "".join(x[:1] for x in w),
    ),
    (
        "Return how many characters the {} of the text have in all.",
        "characters_in_{}",
        "int",
        "sum(len(word) for word in {})",
        lambda w: len("".join(w)),
    ),
)


def _words(dice: random.Random) -> CodeExercise:
    which = dice.choice(_word_filters(dice.choice(LETTERS), dice.randint(2, 6)))
    docstring, name, result, expression, value = dice.choice(WORD_ACTIONS)
    keep = _rename(which.source, "word")
    if dice.random() < 0.5:
        grow = ["    words.append(word)"] if keep == "True" else [f"    if {keep}:", "        words.append(word)"]
        body = ["words = []", "for word in text.split():", *grow, f"return {expression.format('words')}"]
    else:
        body = [
            f"words = {'text.split()' if keep == 'True' else f'[word for word in text.split() if {keep}]'}",
            f"return {expression.format('words')}",
        ]
    inputs = dice.sample(SENTENCES, EXAMPLES + HIDDEN_TESTS)
    return _exercise(
        name.format(which.name),
        "text",
        "str",
        result,
        docstring.format(which.words),
        body,
        lambda t: value([w for w in t.split() if which.value(w)]),
        inputs,
        dice,
    )


# Single numbers: a small loop each, with a constant that changes the task.


def _one_number(dice: random.Random) -> CodeExercise:
    k, m = dice.sample(range(2, 13), 2)
    tasks: tuple[tuple[str, str, str, list[str], Callable[[int], Any]], ...] = (
        (
            f"sum_of_multiples_of_{k}",
            "int",
            f"Return the sum of the multiples of {k} from 1 to n.",
            [f"return sum(range({k}, n + 1, {k}))"],
            lambda n: sum(x for x in range(1, n + 1) if x % k == 0),
        ),
        (
            f"count_multiples_of_{k}_or_{m}",
            "int",
            f"Return how many numbers from 1 to n are multiples of {k} or of {m}.",
            ["count = 0", "for i in range(1, n + 1):", f"    if i % {k} == 0 or i % {m} == 0:", "        count += 1", "return count"],
            lambda n: len({*range(k, n + 1, k), *range(m, n + 1, m)}),
        ),
        (
            f"count_digit_{k % 10}",
            "int",
            f"Return how often the digit {k % 10} occurs in n.",
            [f"return str(n).count({str(k % 10)!r})"],
            lambda n: sum(c == str(k % 10) for c in str(n)),
        ),
        (
            f"sequence_from_{k}_by_{m}",
            "list[int]",
            f"Return the first n numbers of the sequence that starts at {k} and grows by {m}.",
            ["result = []", f"value = {k}", "for _ in range(n):", "    result.append(value)", f"    value += {m}", "return result"],
            lambda n: [k + m * i for i in range(n)],
        ),
        (
            f"digits_in_base_{k}",
            "list[int]",
            f"Return the digits of n in base {k}, the lowest first; 0 has no digits.",
            ["digits = []", "while n > 0:", f"    digits.append(n % {k})", f"    n //= {k}", "return digits"],
            lambda n: [n // k**i % k for i in range(20) if k**i <= n],
        ),
        (
            f"remainder_steps_{k}",
            "int",
            f"Return how often n can be divided by {k} without a remainder; 0 for n = 0.",
            ["steps = 0", f"while n > 0 and n % {k} == 0:", f"    n //= {k}", "    steps += 1", "return steps"],
            lambda n: max((e for e in range(20) if n and n % k**e == 0), default=0),
        ),
        (
            f"clamp_to_{min(k, m)}_and_{max(k, m)}",
            "int",
            f"Return n, or the nearer end of the range from {min(k, m)} to {max(k, m)} if n lies outside.",
            [f"if n < {min(k, m)}:", f"    return {min(k, m)}", f"if n > {max(k, m)}:", f"    return {max(k, m)}", "return n"],
            lambda n: sorted((min(k, m), n, max(k, m)))[1],
        ),
        (
            f"round_up_to_{k}",
            "int",
            f"Return the smallest multiple of {k} that is not less than n.",
            [f"return (n + {k - 1}) // {k} * {k}"],
            lambda n: next(x for x in range(n, n + k) if x % k == 0),
        ),
        (
            f"power_of_{k}_above",
            "int",
            f"Return the smallest power of {k} that is greater than n.",
            ["power = 1", "while power <= n:", f"    power *= {k}", "return power"],
            lambda n: next(k**e for e in range(20) if k**e > n),
        ),
        (
            f"divisors_above_{k}",
            "list[int]",
            f"Return the divisors of n that are greater than {k}, in order.",
            [f"return [d for d in range({k + 1}, n + 1) if n % d == 0]"],
            lambda n: sorted({d for i in range(1, n + 1) if n % i == 0 for d in (i, n // i) if d > k}),
        ),
        (
            f"is_multiple_of_{k}_but_not_{m}",
            "bool",
            f"Return whether n is a multiple of {k} but not of {m}.",
            [f"return n % {k} == 0 and n % {m} != 0"],
            lambda n: n in range(0, n + 1, k) and n not in range(0, n + 1, m),
        ),
        (
            f"fizz_{k}_buzz_{m}",
            "str",
            f"Return 'fizz' for multiples of {k}, 'buzz' for multiples of {m}, 'fizzbuzz' for both, and the number as text otherwise.",
            ["word = ''", f"if n % {k} == 0:", "    word += 'fizz'", f"if n % {m} == 0:", "    word += 'buzz'", "return word or str(n)"],
            lambda n: {(True, True): "fizzbuzz", (True, False): "fizz", (False, True): "buzz"}.get((n % k == 0, n % m == 0), str(n)),
        ),
    )
    name, result, docstring, body, oracle = dice.choice(tasks)
    inputs = [*dice.sample(range(1, 60), EXAMPLES), *dice.sample(range(60, 200), HIDDEN_TESTS - 2), 0, k * m]
    return _exercise(name, "n", "int", result, docstring, body, oracle, inputs, dice)


# Dictionaries of names and numbers.

PEOPLE = ("Ada", "Ben", "Chen", "Dana", "Emil", "Fay", "Gus", "Hana")


def _dictionary(dice: random.Random) -> CodeExercise:
    k, things = dice.randint(3, 9), dice.choice(("scores", "ages", "prices", "stock", "votes", "marks"))
    tasks: tuple[tuple[str, str, str, list[str], Callable[[dict[str, int]], Any]], ...] = (
        (
            f"names_with_{things}_above_{k}",
            "list[str]",
            f"Return the names whose value is greater than {k}, in alphabetical order.",
            [f"return sorted(name for name, value in {things}.items() if value > {k})"],
            lambda d: [n for n in sorted(d) if d[n] >= k + 1],
        ),
        (
            f"raise_{things}_by_{k}",
            "dict[str, int]",
            f"Return a new dictionary with every value raised by {k}.",
            ["result = {}", f"for name, value in {things}.items():", f"    result[name] = value + {k}", "return result"],
            lambda d: dict(zip(d, [v + k for v in d.values()], strict=True)),
        ),
        (
            f"drop_{things}_below_{k}",
            "dict[str, int]",
            f"Return a new dictionary without the entries whose value is less than {k}.",
            ["return {name: value for name, value in " + things + ".items() if value >= " + str(k) + "}"],
            lambda d: {n: d[n] for n in d if not d[n] < k},
        ),
        (
            f"total_{things}_above_{k}",
            "int",
            f"Return the sum of the values that are greater than {k}.",
            ["total = 0", f"for value in {things}.values():", f"    if value > {k}:", "        total += value", "return total"],
            lambda d: sum(v for v in d.values() if v >= k + 1),
        ),
        (
            f"group_{things}_by_{k}",
            "dict[int, list[str]]",
            f"Group the names by what remains when their value is divided by {k}.",
            [
                "groups = {}",
                f"for name, value in {things}.items():",
                f"    groups.setdefault(value % {k}, []).append(name)",
                "return groups",
            ],
            lambda d: {r: [n for n in d if d[n] % k == r] for r in {v % k: 0 for v in d.values()}},
        ),
        (
            f"best_of_{things}_up_to_{k}",
            "str",
            f"Return the name with the largest value that is at most {k} (the first of several), or '' if there is none.",
            [
                "best = ''",
                f"for name, value in {things}.items():",
                f"    if value <= {k} and (best == '' or value > {things}[best]):",
                "        best = name",
                "return best",
            ],
            lambda d: max((n for n in d if d[n] < k + 1), key=lambda n: d[n], default=""),
        ),
    )
    name, result, docstring, body, oracle = dice.choice(tasks)
    inputs: list[dict[str, int]] = [
        {person: dice.randint(0, 14) for person in dice.sample(PEOPLE, 2 + i % 4)} for i in range(EXAMPLES + HIDDEN_TESTS - 1)
    ]
    return _exercise(name, things, "dict[str, int]", result, docstring, body, oracle, [*inputs, {}], dice)


FAMILIES: tuple[Callable[[random.Random], CodeExercise], ...] = (
    _numbers,
    _numbers,
    _numbers,
    _characters,
    _words,
    _one_number,
    _dictionary,
)
"""Numbers three times: they have the most tasks."""


def _rename(source: str, item: str) -> str:
    """The part's `x` under another name; no part has an `x` in a word of its own."""
    return "".join(item if token == "x" else token for token in re.findall(r"'[^']*'|\w+|\W", source))


def _number_word(k: int) -> str:
    return ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")[k]
