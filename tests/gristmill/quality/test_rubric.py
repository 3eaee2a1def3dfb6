"""The declared rubric: each point moves with what it says it rewards."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.quality import rubric

LESSON = (
    "A recursive function is a function that calls itself. For example, the factorial of a number means the product of that number and of "
    "every smaller one, because each step leaves a smaller problem. If the number is zero, then the function returns one; otherwise it "
    "multiplies the number by the factorial of its predecessor. This means that the chain of calls ends, since every call has a smaller "
    "argument. Consider what happens when the stopping rule is missing: the calls never end and the memory of the machine runs out. "
    "Therefore a programmer writes the stopping rule first. Such a rule is called the base case. Why does it matter? Without the base case "
    "an answer would never come back, however fast the computer may be. Many algorithms on trees are written in this way, whereas loops "
    "suit long lists."
)
MENU = "\n".join(["Home", "Contact us", "Log in", "Products", "Next page", "Privacy policy", "Search", "Site map"] * 12)


def test_a_lesson_is_graded_high_and_a_menu_low():
    assert rubric.grade(LESSON) == pytest.approx(
        4.983333, abs=1e-6
    )  # 89 distinct words of the first 150: (89 - 30) / 60; the other points are full
    assert rubric.grade(MENU) == pytest.approx(0.0, abs=1e-6)


def test_points_are_named_described_and_sum_to_the_grade():
    earned = rubric.points(LESSON)
    assert list(earned) == [p.name for p in rubric.POINTS] == list(rubric.measures(LESSON))
    assert sum(earned.values()) == pytest.approx(rubric.grade(LESSON))
    assert all(p.rewards and p.low < p.high for p in rubric.POINTS)


@pytest.mark.parametrize(
    ("point", "damaged"),
    [
        ("prose", "\n".join(LESSON.replace(".", "").split(" ", 60))),
        ("explains", " ".join("The function returns one number." for _ in range(30))),
        ("teaches", " ".join("The river carries water to the sea." for _ in range(30))),
        ("grammar", " ".join(sorted(LESSON.split()))),
        ("substance", "The function returns a number because the number is small. " * 12),
    ],
)
def test_each_point_is_lost_by_its_own_damage(point, damaged):
    assert rubric.points(damaged)[point] < 0.5 < rubric.points(LESSON)[point]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400))
def test_any_text_has_a_grade_between_zero_and_five(text):
    assert 0.0 <= rubric.grade(text) <= 5.0
    assert rubric.grade(text) == rubric.grade(text)


def test_the_empty_text_earns_nothing():
    assert rubric.grade("") == 0.0
