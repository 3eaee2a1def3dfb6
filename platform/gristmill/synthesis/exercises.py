"""The set of exercises: arithmetic word problems and small code exercises by turns, all made and all verified by program.

They carry the volume of the synthetic part (a teacher on a laptop writes a few hundred words a minute, this a few hundred
exercises a second), and only what a program verifies is trusted (Llama 3, section 4.3: execution feedback).
"""

from __future__ import annotations

import json
import random
from typing import Any

import polars as pl

from gristmill.errors import GristmillError
from gristmill.lake.contracts import CONTRACTS
from gristmill.synthesis.arithmetic import check_solution, make_problem
from gristmill.synthesis.coding import make_code_exercise
from gristmill.synthesis.identity import document_id
from gristmill.synthesis.sandbox import Program, run_programs

VERSION = "1"

AUTHOR = f"program gristmill.synthesis.exercises/{VERSION}"
TRIES = 200  # draws for a new exercise before the templates count as used up


def make_exercises(count: int, seed: int, isolation: str | None = None) -> pl.DataFrame:
    """The table `synthetic` of `count` exercises; a longer set of the same seed begins with the shorter one.

    No two arithmetic texts are equal, and no two code exercises have the same task. `attempts` counts the draws.
    """
    rows: list[dict[str, Any]] = []
    tests: dict[str, str] = {}
    taken: set[str] = set()
    for index in range(count):
        row, test = _draw(index, seed, taken)
        rows.append(row)
        if test is not None:
            tests[row["doc_id"]] = test
    programs = [row for row in rows if row["doc_id"] in tests]
    outcomes = run_programs([Program(row["text"], tests[row["doc_id"]]) for row in programs], isolation=isolation)
    verdicts = {
        row["doc_id"]: {
            "method": "executed",
            "tests": tests[row["doc_id"]].count("assert "),
            "verdict": outcome.verdict,
            "detail": outcome.detail,
            "isolation": outcome.isolation,
        }
        for row, outcome in zip(programs, outcomes, strict=True)
    }
    for row in rows:
        found = verdicts.get(row["doc_id"]) or verify_arithmetic(row["text"])
        row["verified"] = found["verdict"] == "passed"
        row["verification"] = json.dumps(found, sort_keys=True)
    return pl.DataFrame(rows, schema=CONTRACTS["synthetic"].schema) if rows else CONTRACTS["synthetic"].empty()


def verify_arithmetic(text: str) -> dict[str, Any]:
    """The verification of a word problem: recomputed from its text."""
    wrong = check_solution(text)
    return {"method": "recomputed", "verdict": "failed" if wrong else "passed", "detail": "; ".join(wrong)}


def _draw(index: int, seed: int, taken: set[str]) -> tuple[dict[str, Any], str | None]:
    """Exercise `index`: its row, still without a verdict, and its tests if it is code."""
    for attempt in range(TRIES):
        own = random.Random(f"{seed}/exercise/{index}/{attempt}").getrandbits(31)
        dice = random.Random(own)
        tests = None
        if index % 2:
            exercise = make_code_exercise(dice)
            key, text, tests = exercise.task, exercise.text, exercise.tests
            plan: dict[str, Any] = {"kind": "code", "task": exercise.task, "tests": exercise.tests}
        else:
            problem, text = make_problem(dice)
            key, plan = text, {"kind": "arithmetic", "template": problem.template, "answer": problem.answer}
        if key not in taken:
            taken.add(key)
            return {
                "doc_id": document_id("exercises", text),
                "set": "exercises",
                "text": text,
                "plan": json.dumps(plan),
                "teacher": AUTHOR,
                "seed": own,
                "attempts": attempt + 1,
            }, tests
    raise GristmillError(
        f"no new exercise in {TRIES} draws after {index}",
        where="recipe, synthesis.exercises",
        fix="The templates are used up: ask for fewer exercises.",
    )
