import operator
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.synthesis.arithmetic import TEMPLATES, check_solution, evaluate, make_problem


@given(st.integers(min_value=0))
def test_every_problem_holds(seed: int) -> None:
    problem, text = make_problem(random.Random(seed))
    assert check_solution(text) == []
    assert problem.answer > 0
    assert text.endswith(f"Answer: {problem.unit.format(problem.answer)}")


def test_every_template_is_drawn_and_varies() -> None:
    drawn = [make_problem(random.Random(seed)) for seed in range(2_000)]
    assert len({problem.template for problem, _ in drawn}) >= len(TEMPLATES)
    assert len({text for _, text in drawn}) > 1_980


GOOD = """Ada has 3 apples and buys 4 bags of 5. How many are there?

Solution: The bags hold 4 * 5 = 20. In all 3 + 20 = 23.

Answer: 23 apples"""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("4 * 5 = 20", "4 * 5 = 21", "4 * 5 is 20, not 21"),
        ("3 + 20 = 23", "3 + 21 = 24", "uses 21, which was not given"),
        ("Answer: 23", "Answer: 24", "not the last result"),
        ("Answer: 23 apples", "Answer: many apples", "not the last result"),
        ("Answer: 23 apples", "The end", "no solution or no answer"),
        ("has 3 apples", "has 3 apples, 7 pears", "the 7 of the question is not used"),
        ("In all 3 + 20 = 23.", "", "the 3 of the question is not used"),
        ("4 * 5 = 20", "four times five = twenty", "cannot be read"),
        ("4 * 5 = 20", "4 * (5 = 20", "bracket"),
    ],
)
def test_the_checker_finds(old: str, new: str, complaint: str) -> None:
    assert check_solution(GOOD) == []
    assert old in GOOD
    assert any(complaint in wrong for wrong in check_solution(GOOD.replace(old, new)))


def test_a_number_given_in_words_may_be_used() -> None:
    text = "How many minutes are 3 hours? Solution: There are 60 minutes in an hour: 3 * 60 = 180. Answer: 180 minutes"
    assert check_solution(text) == []
    assert check_solution(text.replace("There are 60 minutes in an hour: ", ""))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", Fraction(14)),
        ("(2 + 3) * 4", Fraction(20)),
        ("10 - 4 - 3", Fraction(3)),
        ("8 / 4 / 2", Fraction(1)),
        ("1.5 * 2", Fraction(3)),
        ("7 / 2", Fraction(7, 2)),
        ("2 - -3", Fraction(5)),
    ],
)
def test_evaluate(expression: str, value: Fraction) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize("expression", ["", "1 +", "(1", "1)", "1 / 0", "1 ** 2", "__import__('os')", "1 1"])
def test_evaluate_refuses(expression: str) -> None:
    with pytest.raises(ValueError):
        evaluate(expression)


@given(st.integers(0, 999), st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 999)), max_size=6))
def test_evaluate_agrees_with_left_to_right_brackets(first: int, rest: list[tuple[str, int]]) -> None:
    text, value = str(first), first
    for sign, number in rest:
        text, value = f"({text}) {sign} {number}", {"+": operator.add, "-": operator.sub, "*": operator.mul}[sign](value, number)
    assert evaluate(text) == value
