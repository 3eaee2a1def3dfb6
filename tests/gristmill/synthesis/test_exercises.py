import ast
import json
import random

import polars as pl
import pytest

from gristmill.errors import GristmillError
from gristmill.lake.contracts import conform
from gristmill.synthesis import exercises
from gristmill.synthesis.coding import EXAMPLES, HIDDEN_TESTS, make_code_exercise
from gristmill.synthesis.exercises import make_exercises, verify_arithmetic
from gristmill.synthesis.identity import document_id
from gristmill.synthesis.sandbox import Program, run_programs


@pytest.fixture(scope="module")
def made() -> pl.DataFrame:
    return make_exercises(300, seed=1)


def test_every_exercise_is_verified_and_the_table_keeps_its_contract(made: pl.DataFrame) -> None:
    frame = conform("synthetic", made)
    assert frame.height == 300
    assert frame.filter(~pl.col("verified"))["verification"].to_list() == []
    kinds = [json.loads(plan)["kind"] for plan in made["plan"]]
    assert kinds == ["arithmetic", "code"] * 150
    methods = {json.loads(row)["method"] for row in made["verification"]}
    assert methods == {"recomputed", "executed"}


def test_code_names_the_isolation_that_it_ran_in(made: pl.DataFrame) -> None:
    found = [json.loads(row) for row in made["verification"]][1]
    assert found["isolation"] in ("bubblewrap", "rlimits")
    assert (found["tests"], found["verdict"]) == (EXAMPLES + HIDDEN_TESTS, "passed")


def test_no_two_are_alike(made: pl.DataFrame) -> None:
    assert made["text"].n_unique() == made.height
    tasks = [plan["task"] for plan in map(json.loads, made["plan"]) if plan["kind"] == "code"]
    assert len(set(tasks)) == len(tasks)


def test_a_longer_set_begins_with_the_shorter_and_a_seed_decides(made: pl.DataFrame) -> None:
    assert make_exercises(20, seed=1)["doc_id"].to_list() == made["doc_id"][:20].to_list()
    assert not set(make_exercises(20, seed=2)["doc_id"]) & set(made["doc_id"])


def test_identity_is_set_and_text(made: pl.DataFrame) -> None:
    row = made.row(0, named=True)
    assert row["doc_id"] == document_id("exercises", row["text"]) != document_id("stories", row["text"])


def test_golden_text() -> None:
    """The templates' output is an input of corpora: a change here wants a new VERSION."""
    assert make_exercises(1, seed=1)["text"][0] == (
        "Lina buys 2 tickets at 8 dollars each and 5 torches at 4 dollars each in the school kitchen, and pays with 50 dollars. "
        "How much change does Lina get?\n\n"
        "Solution:\n- The tickets cost 2 * 8 = 16 dollars.\n- The torches cost 5 * 4 = 20 dollars.\n"
        "- Together that is 16 + 20 = 36 dollars.\n- The change is 50 - 36 = 14 dollars.\n\nAnswer: 14 dollars"
    )


def test_none() -> None:
    assert make_exercises(0, seed=1).height == 0


def test_used_up_templates_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exercises, "TRIES", 1)
    with pytest.raises(GristmillError, match="used up"):
        make_exercises(3_000, seed=1, isolation="rlimits")


def test_a_wrong_solution_is_found() -> None:
    assert verify_arithmetic("2 and 3? Solution: 2 + 3 = 6. Answer: 6")["verdict"] == "failed"


def test_the_tests_of_an_exercise_catch_changed_code() -> None:
    """Mutation: of each sampled exercise, one constant or comparison is changed; nearly all must be noticed."""
    programs = []
    for seed in range(60):
        exercise = make_code_exercise(random.Random(seed))
        tree = ast.parse(exercise.text)
        numbers = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) is int]
        if numbers:
            numbers[0].value += 1  # type: ignore[operator]
            programs.append(Program(ast.unparse(tree), exercise.tests))
    outcomes = run_programs(programs)
    assert len(outcomes) > 30
    assert sum(outcome.passed for outcome in outcomes) / len(outcomes) < 0.15


def test_examples_in_the_docstring_are_what_the_tests_say() -> None:
    for seed in range(100):
        exercise = make_code_exercise(random.Random(seed))
        doc = ast.get_docstring(ast.parse(exercise.text).body[0])  # type: ignore[arg-type]
        assert doc is not None
        lines = doc.splitlines()
        shown = [(lines[i].removeprefix(">>> "), lines[i + 1]) for i in range(len(lines)) if lines[i].startswith(">>> ")]
        assert len(shown) == EXAMPLES
        for call, result in shown:
            assert f"assert {call} == {result}," in exercise.tests
