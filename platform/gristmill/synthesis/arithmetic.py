"""Arithmetic word problems with worked solutions, and a checker that shares nothing with the templates but the text.

The checker reads a problem as a reader would: it finds every equation, recomputes its left side exactly with a parser of its
own, wants every operand to have been given before (in the question, as an earlier result or in words such as "60 minutes
in an hour"), every number of the question used, and the answer to be the last result.
"""

# ruff: noqa: E501 - a template, or a part of one, a line
from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from gristmill.synthesis.words import NAMES, listed

VERSION = "1"

THINGS = listed("""
apples marbles stickers pencils books coins shells cards buttons cookies eggs pears stamps stones beads flowers oranges candles ribbons carrots
tickets bottles cups balloons peaches plums nuts crayons badges postcards leaflets lemons tomatoes muffins potatoes feathers acorns tiles plates spoons
""")
BOXES = (
    ("box", "boxes"),
    ("bag", "bags"),
    ("basket", "baskets"),
    ("crate", "crates"),
    ("jar", "jars"),
    ("tray", "trays"),
    ("drawer", "drawers"),
    ("shelf", "shelves"),
)
PLACES = (
    "at the market",
    "in a small shop",
    "at the fair",
    "in the school kitchen",
    "at a garden sale",
    "in the library",
    "on the farm",
    "in the workshop",
)
GOODS = (
    ("notebook", "notebooks"),
    ("pen", "pens"),
    ("sandwich", "sandwiches"),
    ("ticket", "tickets"),
    ("ball", "balls"),
    ("cup", "cups"),
    ("scarf", "scarves"),
    ("plant", "plants"),
    ("puzzle", "puzzles"),
    ("candle", "candles"),
    ("torch", "torches"),
    ("map", "maps"),
)


@dataclass(frozen=True)
class Problem:
    """A question, its worked solution as sentences with equations, and the answer with its unit (`{}` stands for the number)."""

    template: str
    question: str
    steps: tuple[str, ...]
    answer: int
    unit: str

    def text(self, layout: int) -> str:
        answer = self.unit.format(self.answer)
        if layout == 0:
            return f"Question: {self.question}\n\nSolution: {' '.join(self.steps)}\n\nAnswer: {answer}"
        if layout == 1:
            numbered = "\n".join(
                f"Step {number}. {step}" for number, step in zip(("one", "two", "three", "four", "five"), self.steps, strict=False)
            )
            return f"{self.question}\n\nSolution, step by step:\n{numbered}\n\nAnswer: {answer}"
        return f"{self.question}\n\nSolution:\n" + "\n".join(f"- {step}" for step in self.steps) + f"\n\nAnswer: {answer}"


LAYOUTS = 3


def make_problem(dice: random.Random) -> tuple[Problem, str]:
    """A problem and its text, both decided by `dice`."""
    problem = dice.choice(TEMPLATES)(dice)
    return problem, problem.text(dice.randrange(LAYOUTS))


# The templates. Each draws its numbers so that every result is a whole, positive number.


def _gain_and_loss(dice: random.Random) -> Problem:
    who, thing, where = dice.choice(NAMES), dice.choice(THINGS), dice.choice(PLACES)
    a, b = dice.randint(8, 90), dice.randint(5, 60)
    c = dice.randint(2, a + b - 2)
    question = dice.choice(
        (
            f"{who} has {a} {thing}, buys {b} more {where} and then gives {c} to a friend. How many {thing} does {who} have now?",
            f"There were {a} {thing} in {who}'s bag. {who} got {b} more {where} and lost {c} on the way home. How many {thing} are in the bag now?",
        )
    )
    return Problem(
        "gain and loss",
        question,
        (f"With the new {thing} there are {a} + {b} = {a + b}.", f"Take away the {c} that are gone: {a + b} - {c} = {a + b - c}."),
        a + b - c,
        f"{{}} {thing}",
    )


def _groups_and_more(dice: random.Random) -> Problem:
    who, thing, (_, boxes) = dice.choice(NAMES), dice.choice(THINGS), dice.choice(BOXES)
    a, b, c = dice.randint(3, 15), dice.randint(4, 24), dice.randint(1, 40)
    question = dice.choice(
        (
            f"{who} fills {a} {boxes} with {b} {thing} each and has {c} {thing} left. How many {thing} did {who} have at first?",
            f"In the kitchen there are {a} {boxes} with {b} {thing} in each of them, and {c} more {thing} on the table. How many {thing} are there in all?",
        )
    )
    return Problem(
        "groups and more",
        question,
        (f"The {boxes} hold {a} * {b} = {a * b} {thing}.", f"With the other {c} that makes {a * b} + {c} = {a * b + c}."),
        a * b + c,
        f"{{}} {thing}",
    )


def _equal_shares(dice: random.Random) -> Problem:
    who, thing = dice.choice(NAMES), dice.choice(THINGS)
    n, each, own = dice.randint(3, 12), dice.randint(3, 25), dice.randint(2, 30)
    total = n * each + own
    return Problem(
        "equal shares",
        dice.choice(
            (
                f"{who} has {total} {thing}, keeps {own} and shares the rest equally among {n} friends. How many {thing} does each friend get?",
                f"A class collected {total} {thing}. They put {own} on the wall and divided the others equally among {n} groups. How many {thing} did every group get?",
            )
        ),
        (f"There are {total} - {own} = {n * each} {thing} to share.", f"Each share is {n * each} / {n} = {each}."),
        each,
        f"{{}} {thing}",
    )


def _left_over(dice: random.Random) -> Problem:
    who, thing, (box, boxes) = dice.choice(NAMES), dice.choice(THINGS), dice.choice(BOXES)
    size, full = dice.randint(4, 16), dice.randint(3, 15)
    rest = dice.randint(1, size - 1)
    total = size * full + rest
    return Problem(
        "left over",
        f"{who} packs {total} {thing} into {boxes} of {size}. {full} {boxes} are full and no {box} is partly filled. How many {thing} are left over?",
        (f"The full {boxes} hold {full} * {size} = {full * size} {thing}.", f"Left over are {total} - {full * size} = {rest}."),
        rest,
        f"{{}} {thing}",
    )


def _change(dice: random.Random) -> Problem:
    who, where = dice.choice(NAMES), dice.choice(PLACES)
    (_, first), (_, second) = dice.sample(GOODS, 2)
    a, b, p, q = dice.randint(2, 6), dice.randint(2, 6), dice.randint(2, 9), dice.randint(2, 9)
    total = a * p + b * q
    note = next(note for note in (20, 50, 100, 200) if note > total)
    return Problem(
        "change",
        f"{who} buys {a} {first} at {p} dollars each and {b} {second} at {q} dollars each {where}, and pays with {note} dollars. How much change does {who} get?",
        (
            f"The {first} cost {a} * {p} = {a * p} dollars.",
            f"The {second} cost {b} * {q} = {b * q} dollars.",
            f"Together that is {a * p} + {b * q} = {total} dollars.",
            f"The change is {note} - {total} = {note - total} dollars.",
        ),
        note - total,
        "{} dollars",
    )


def _two_legs(dice: random.Random) -> Problem:
    who, how = dice.choice(NAMES), dice.choice(("rides a bicycle", "drives a tractor", "sails a boat", "goes by bus"))
    v, t, w, s = dice.randint(8, 60), dice.randint(2, 6), dice.randint(8, 60), dice.randint(2, 6)
    return Problem(
        "two legs",
        f"{who} {how} for {t} hours at {v} kilometres an hour and then for {s} hours at {w} kilometres an hour. How far does {who} get?",
        (
            f"The first part is {t} * {v} = {t * v} kilometres long.",
            f"The second part is {s} * {w} = {s * w} kilometres long.",
            f"In all that is {t * v} + {s * w} = {t * v + s * w} kilometres.",
        ),
        t * v + s * w,
        "{} kilometres",
    )


def _reading(dice: random.Random) -> Problem:
    who, per, days, done = dice.choice(NAMES), dice.randint(6, 40), dice.randint(3, 15), dice.randint(5, 80)
    pages = per * days + done
    what, unit, verb = dice.choice((("book", "pages", "reads"), ("fence", "boards", "paints"), ("garden wall", "stones", "lays")))
    return Problem(
        "daily work",
        f"A {what} has {pages} {unit}. {who} has finished {done} of them and now {verb} {per} {unit} a day. How many days does the rest take?",
        (f"There are {pages} - {done} = {per * days} {unit} to go.", f"At {per} a day that takes {per * days} / {per} = {days} days."),
        days,
        "{} days",
    )


def _rectangle(dice: random.Random) -> Problem:
    what = dice.choice(("garden", "room", "field", "playground", "yard", "picture"))
    a, b, price = dice.randint(6, 40), dice.randint(3, 30), dice.randint(2, 12)
    if dice.random() < 0.5:
        return Problem(
            "fence",
            f"A {what} is {a} metres long and {b} metres wide. A border all around it costs {price} dollars a metre. What does the border cost?",
            (
                f"One long and one short side measure {a} + {b} = {a + b} metres.",
                f"There are 2 of each, so the border is 2 * {a + b} = {2 * (a + b)} metres long.",
                f"It costs {2 * (a + b)} * {price} = {2 * (a + b) * price} dollars.",
            ),
            2 * (a + b) * price,
            "{} dollars",
        )
    return Problem(
        "floor",
        f"A {what} is {a} metres long and {b} metres wide. Covering it costs {price} dollars a square metre. What does the cover cost?",
        (f"The area is {a} * {b} = {a * b} square metres.", f"The cover costs {a * b} * {price} = {a * b * price} dollars."),
        a * b * price,
        "{} dollars",
    )


def _discount(dice: random.Random) -> Problem:
    who, (good, _) = dice.choice(NAMES), dice.choice(GOODS)
    percent, price = dice.choice((5, 10, 20, 25, 30, 40, 50, 60, 75)), 20 * dice.randint(1, 30)
    off = price * percent // 100
    return Problem(
        "discount",
        f"{who} wants a {dice.choice(('painted', 'silver', 'handmade', 'large', 'rare'))} {good} that costs {price} dollars. In the sale it is {percent} percent cheaper. What does {who} pay?",
        (
            f"One percent is one part in 100: {percent} percent of {price} is {price} * {percent} / 100 = {off} dollars.",
            f"{who} pays {price} - {off} = {price - off} dollars.",
        ),
        price - off,
        "{} dollars",
    )


def _ages(dice: random.Random) -> Problem:
    a, b, c = dice.sample(NAMES, 3)
    age, more, times = dice.randint(3, 15), dice.randint(2, 12), dice.randint(2, 4)
    return Problem(
        "ages",
        f"{a} is {age} years old. {b} is {more} years older than {a}, and {c} is {times} times as old as {b}. How old is {c}?",
        (f"{b} is {age} + {more} = {age + more} years old.", f"{c} is {times} * {age + more} = {times * (age + more)} years old."),
        times * (age + more),
        "{} years",
    )


def _average(dice: random.Random) -> Problem:
    who, what = (
        dice.choice(NAMES),
        dice.choice(("points in a game", "minutes of exercise", "pages of homework", "birds at the window", "visitors at the stand")),
    )
    mean = dice.randint(10, 60)
    x, y = dice.randint(-8, 8), dice.randint(-8, 8)
    a, b, c = mean + x, mean + y, mean - x - y
    if c < 1 or len({a, b, c}) < 3:
        return _average(dice)
    return Problem(
        "average",
        f"On Monday {who} counted {a} {what}, on Tuesday {b} and on Wednesday {c}. What is the average of the 3 days?",
        (f"The sum is {a} + {b} + {c} = {3 * mean}.", f"Divided by the number of days that is {3 * mean} / 3 = {mean}."),
        mean,
        "{}",
    )


def _fraction(dice: random.Random) -> Problem:
    who, thing = dice.choice(NAMES), dice.choice(THINGS)
    lower = dice.randint(3, 9)
    upper, part = dice.randint(2, lower - 1), dice.randint(3, 24)
    total = lower * part
    return Problem(
        "fraction",
        f"{who} has {total} {thing} and sells {upper} out of every {lower}. How many {thing} does {who} keep?",
        (
            f"There are {total} / {lower} = {part} groups of {lower}.",
            f"So {who} sells {part} * {upper} = {part * upper} {thing}.",
            f"{who} keeps {total} - {part * upper} = {total - part * upper}.",
        ),
        total - part * upper,
        f"{{}} {thing}",
    )


def _rate(dice: random.Random) -> Problem:
    what, verb, thing = dice.choice(
        (
            ("machine", "makes", "screws"),
            ("printer", "prints", "pages"),
            ("pump", "moves", "litres"),
            ("oven", "bakes", "rolls"),
            ("robot", "sorts", "parcels"),
        )
    )
    per, minutes, hours = dice.randint(3, 40), dice.choice((2, 3, 4, 5, 6, 10, 12, 15, 20, 30)), dice.randint(2, 8)
    rounds = hours * 60 // minutes
    return Problem(
        "rate",
        f"A {what} {verb} {per} {thing} in {minutes} minutes. How many {thing} is that in {hours} hours?",
        (
            f"There are 60 minutes in an hour, so the time is {hours} * 60 = {hours * 60} minutes.",
            f"That is {hours * 60} / {minutes} = {rounds} times as long.",
            f"The {what} {verb} {rounds} * {per} = {rounds * per} {thing}.",
        ),
        rounds * per,
        f"{{}} {thing}",
    )


def _compare(dice: random.Random) -> Problem:
    (a, b), thing = dice.sample(NAMES, 2), dice.choice(THINGS)
    x, y, times = dice.randint(10, 60), dice.randint(2, 9), dice.randint(2, 5)
    return Problem(
        "compare",
        f"{a} has {x} {thing}. {b} had {times} times as many as {a} but gave {y} away. How many more {thing} than {a} does {b} have now?",
        (
            f"{b} had {times} * {x} = {times * x} {thing}.",
            f"Now {b} has {times * x} - {y} = {times * x - y}.",
            f"That is {times * x - y} - {x} = {times * x - y - x} more.",
        ),
        times * x - y - x,
        f"{{}} {thing}",
    )


def _growth(dice: random.Random) -> Problem:
    what, unit = dice.choice(
        (
            ("sunflower", "centimetres"),
            ("beanstalk", "centimetres"),
            ("stack of newspapers", "centimetres"),
            ("pool's depth", "millimetres"),
            ("snowman", "millimetres"),
        )
    )
    start, step, weeks = dice.randint(3, 40), dice.randint(2, 15), dice.randint(3, 14)
    return Problem(
        "growth",
        f"A {what} measures {start} {unit} and grows by {step} {unit} every week. What does it measure after {weeks} weeks?",
        (
            f"It grows by {weeks} * {step} = {weeks * step} {unit}.",
            f"Then it measures {start} + {weeks * step} = {start + weeks * step} {unit}.",
        ),
        start + weeks * step,
        f"{{}} {unit}",
    )


def _pieces(dice: random.Random) -> Problem:
    who, (what, large, small, factor) = (
        dice.choice(NAMES),
        dice.choice(
            (
                ("rope", "metres", "centimetres", 100),
                ("sack of flour", "kilograms", "grams", 1000),
                ("barrel of juice", "litres", "millilitres", 1000),
            )
        ),
    )
    piece = dice.choice([p for p in (20, 25, 40, 50, 100, 125, 200, 250, 500) if p < factor])
    amount = dice.randint(2, 12)
    many = amount * factor // piece
    if amount * factor % piece:
        return _pieces(dice)
    return Problem(
        "pieces",
        f"{who} divides a {what} of {amount} {large} into portions of {piece} {small}. How many portions are there?",
        (
            f"There are {factor} {small} to each of the {large}, so there are {amount} * {factor} = {amount * factor} {small}.",
            f"That gives {amount * factor} / {piece} = {many} portions.",
        ),
        many,
        "{} portions",
    )


def _backwards(dice: random.Random) -> Problem:
    who, thing = dice.choice(NAMES), dice.choice(THINGS)
    first, gone, more = dice.randint(20, 90), dice.randint(3, 18), dice.randint(3, 30)
    now = first - gone + more
    return Problem(
        "backwards",
        f"{who} gave away {gone} {thing} and then found {more} more. Now {who} has {now} {thing}. How many were there at first?",
        (
            f"Before finding {more} there were {now} - {more} = {now - more}.",
            f"Before giving {gone} away there were {now - more} + {gone} = {first}.",
        ),
        first,
        f"{{}} {thing}",
    )


def _ratio(dice: random.Random) -> Problem:
    (a, b), thing = dice.sample(NAMES, 2), dice.choice(THINGS)
    x, y, part = dice.randint(1, 7), dice.randint(1, 7), dice.randint(3, 20)
    if x == y:
        return _ratio(dice)
    total = (x + y) * part
    return Problem(
        "ratio",
        f"{a} and {b} share {total} {thing} in the ratio {x} to {y}. How many {thing} does {b} get?",
        (
            f"There are {x} + {y} = {x + y} parts.",
            f"One part is {total} / {x + y} = {part} {thing}.",
            f"{b} gets {y} * {part} = {y * part}.",
        ),
        y * part,
        f"{{}} {thing}",
    )


def _missing_side(dice: random.Random) -> Problem:
    what = dice.choice(("field", "carpet", "poster", "table", "pond", "window"))
    width, length = dice.randint(3, 30), dice.randint(31, 80)
    around = 2 * (width + length)
    return Problem(
        "missing side",
        f"The way around a rectangular {what} is {around} centimetres long. The {what} is {length} centimetres long. How wide is it?",
        (
            f"The 2 long sides measure 2 * {length} = {2 * length} centimetres.",
            f"The other 2 sides measure {around} - {2 * length} = {2 * width} centimetres.",
            f"One of them measures {2 * width} / 2 = {width} centimetres.",
        ),
        width,
        "{} centimetres",
    )


def _saving(dice: random.Random) -> Problem:
    who, what = dice.choice(NAMES), dice.choice(("bicycle", "telescope", "guitar", "tent", "camera", "kite", "chess set", "drum"))
    week, weeks, has = dice.randint(3, 20), dice.randint(3, 20), dice.randint(5, 60)
    price = week * weeks + has
    return Problem(
        "saving",
        f"A {what} costs {price} dollars. {who} has {has} dollars and saves {week} dollars a week. After how many weeks can {who} buy it?",
        (f"There are {price} - {has} = {week * weeks} dollars missing.", f"Saving them takes {week * weeks} / {week} = {weeks} weeks."),
        weeks,
        "{} weeks",
    )


def _rows_lost(dice: random.Random) -> Problem:
    what, thing = dice.choice(
        (("garden", "bushes"), ("hall", "seats"), ("orchard", "trees"), ("field", "cabbages"), ("car park", "places"))
    )
    rows, each, bad = dice.randint(4, 20), dice.randint(5, 25), dice.randint(1, 4)
    return Problem(
        "rows",
        f"A {what} has {rows} rows of {each} {thing}. In every row {bad} {thing} cannot be used. How many can be used?",
        (
            f"In a row {each} - {bad} = {each - bad} {thing} can be used.",
            f"In {rows} rows that is {rows} * {each - bad} = {rows * (each - bad)}.",
        ),
        rows * (each - bad),
        f"{{}} {thing}",
    )


TEMPLATES: tuple[Callable[[random.Random], Problem], ...] = (
    _gain_and_loss,
    _groups_and_more,
    _equal_shares,
    _left_over,
    _change,
    _two_legs,
    _reading,
    _rectangle,
    _discount,
    _ages,
    _average,
    _fraction,
    _rate,
    _compare,
    _growth,
    _pieces,
    _backwards,
    _ratio,
    _missing_side,
    _saving,
    _rows_lost,
)


# The checker: reads text, knows no template.

NUMBER = re.compile(r"\d+(?:\.\d+)?")
EQUATION = re.compile(r"([\d.()][\d.\s+\-*/()]*?[\d.)])\s*=\s*(-?\d+(?:\.\d+)?)")


def check_solution(text: str) -> list[str]:
    """What is wrong with a worked problem; empty when it holds. Needs the marks `Solution` and `Answer:` in the text."""
    question, mark, rest = text.partition("Solution")
    solution, mark2, answer = rest.rpartition("Answer:")
    if not mark or not mark2:
        return ["has no solution or no answer"]
    equations = list(EQUATION.finditer(solution))
    if not equations:
        return ["has no equation"]
    if solution.count("=") != len(equations):
        return ["has an equation that cannot be read"]
    wrong, given, operands = [], {Fraction(n) for n in NUMBER.findall(question)}, set()
    asked, position, result = set(given), 0, Fraction(0)
    for equation in equations:
        given |= {Fraction(n) for n in NUMBER.findall(solution[position : equation.start()])}
        left, result = equation.group(1), Fraction(equation.group(2))
        used = {Fraction(n) for n in NUMBER.findall(left)}
        try:
            value = evaluate(left)
        except ValueError as error:
            return [f"{left}: {error}"]
        if value != result:
            wrong.append(f"{left} is {value}, not {result}")
        wrong += [f"{left} uses {n}, which was not given" for n in sorted(used - given)]
        operands |= used
        given.add(result)
        position = equation.end()
    wrong += [f"the {n} of the question is not used" for n in sorted(asked - operands)]
    numbers = [Fraction(n) for n in NUMBER.findall(answer)]
    if numbers != [result]:
        wrong.append(f"the answer is not the last result, {result}")
    return wrong


def evaluate(expression: str) -> Fraction:
    """The exact value of `+ - * / ( )` over decimal numbers, by recursive descent; ValueError for anything else."""
    tokens = re.findall(r"\d+(?:\.\d+)?|[-+*/()]|\S", expression)
    position = 0

    def peek() -> str:
        return tokens[position] if position < len(tokens) else ""

    def take() -> str:
        nonlocal position
        position += 1
        return tokens[position - 1]

    def primary() -> Fraction:
        if peek() == "(":
            take()
            value = total()
            if peek() != ")":
                raise ValueError("a bracket is not closed")
            take()
            return value
        if peek() == "-":
            take()
            return -primary()
        if not NUMBER.fullmatch(peek()):
            raise ValueError(f"a number is missing at {peek()!r}")
        return Fraction(take())

    def product() -> Fraction:
        value = primary()
        while peek() in ("*", "/"):
            if take() == "*":
                value *= primary()
            elif divisor := primary():
                value /= divisor
            else:
                raise ValueError("divides by zero")
        return value

    def total() -> Fraction:
        value = product()
        while peek() in ("+", "-"):
            value = value + product() if take() == "+" else value - product()
        return value

    value = total()
    if position < len(tokens):
        raise ValueError(f"goes on with {peek()!r}")
    return value
