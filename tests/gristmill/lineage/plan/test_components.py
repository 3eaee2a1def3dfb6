"""What is told of two versions of an algorithm: which part moved, from what to what."""

import pytest

from gristmill.edits import clean, personal
from gristmill.lineage.plan.components import difference, parts, said
from gristmill.signals.registry import VERSIONS
from gristmill.views import VERSION as VIEWS

EDITS = f"{clean.VERSION}.{personal.VERSION}.{VIEWS}"


def test_a_part_that_moved_is_named_with_its_old_and_new_number():
    before = f"{clean.VERSION}.0.{VIEWS}"
    assert said(difference("edits", before, EDITS)) == f"personal data 0 -> {personal.VERSION}"


def test_several_parts():
    before = f"0{clean.VERSION[1:]}.0.{VIEWS}"
    assert said(difference("edits", before, EDITS)) == f"clean rules 0 -> {clean.VERSION[0]}, personal data 0 -> {personal.VERSION}"


def test_the_families_that_a_recipe_chose():
    new = f"code{VERSIONS['code']}+language{VERSIONS['language']}.{VIEWS}"
    assert [part.name for part in parts("signals", new)] == ["signals code", "signals language", "views"]
    old = f"code0{VERSIONS['code'][1:]}+language{VERSIONS['language']}.{VIEWS}"
    assert said(difference("signals", old, new)) == f"signals code 0 -> {VERSIONS['code'][0]}"
    assert said(difference("signals", f"language{VERSIONS['language']}.{VIEWS}", new)) == "with signals code"
    assert said(difference("signals", new, f"language{VERSIONS['language']}.0")) == f"views {VIEWS} -> 0, without signals code"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("3", "4", "3 -> 4"),
        ("1.2.1.1", "1.2.2.1", "1.2.1.1 -> 1.2.2.1"),
        ("1-1-1.14.0.0.1-1.14.0.0.1.3", "2", "1-1-1.14.0.0.1-1.14.0.0… -> 2"),
    ],
)
def test_versions_without_named_parts_are_told_as_they_are_and_short(old: str, new: str, told: str):
    assert said(difference("no such asset", old, new)) == told


def test_a_version_that_is_not_of_this_code_is_not_taken_apart():
    assert parts("edits", "1.2.3") == []
    assert said(difference("edits", "1.2.3", "1.2.4")) == "1.2.3 -> 1.2.4"


def test_versions_that_differ_in_how_they_are_written_are_told_whole():
    written = EDITS.replace(".", "-")
    assert written != EDITS and len(difference("edits", written, EDITS)) == 1
    assert difference("edits", written, EDITS)[0].name == ""
