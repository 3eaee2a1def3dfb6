"""The embedded teacher for real, at tiny lengths, and the resource that opens either kind."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from gristmill.errors import TeacherError
from gristmill.lake.workspace import Workspace
from gristmill.recipe import Recipe
from gristmill.synthesis.teacher import CachedTeacher
from resources.embedded_teacher import EMBEDDED, EmbeddedTeacher, _draw
from resources.http_teacher import HttpTeacher
from resources.teacher import TeacherResource


@pytest.fixture(scope="module")
def teacher() -> EmbeddedTeacher:
    return EmbeddedTeacher(EMBEDDED, rows=3, threads=2)


PROMPTS = ["Name a colour.", "What do bees make? Answer in one word, please.", "Say hello."]


def test_the_name_holds_the_weights(teacher: EmbeddedTeacher) -> None:
    assert teacher.name == "SmolLM2-135M-Instruct@0ba7c6f96872/1"


def test_scores_are_log_probabilities_and_no_company_moves_them(teacher: EmbeddedTeacher) -> None:
    together = teacher.score(PROMPTS, ["0", "1", "2"])
    np.testing.assert_allclose(np.exp(together).sum(1), 1, atol=1e-4)
    np.testing.assert_array_equal(teacher.score(PROMPTS[1:2], ["0", "1", "2"]), together[1:2])
    np.testing.assert_array_equal(teacher.score(PROMPTS[::-1], ["0", "1", "2"]), together[::-1])


def test_scores_follow_the_prompt(teacher: EmbeddedTeacher) -> None:
    three, seven = teacher.score(["Repeat this digit: 3", "Repeat this digit: 7"], ["3", "7"])
    assert three[0] > seven[0] and seven[1] > three[1]


def test_texts_depend_on_prompt_and_seed_alone(teacher: EmbeddedTeacher) -> None:
    texts = teacher.generate(PROMPTS, 6, 0.7, [1, 2, 3])
    assert all(texts) and len(set(texts)) == 3
    assert teacher.generate(PROMPTS[1:2], 6, 0.7, [2]) == texts[1:2]
    assert teacher.generate([*PROMPTS[::-1], PROMPTS[0]], 6, 0.7, [3, 2, 1, 1]) == [*texts[::-1], texts[0]]


def test_the_number_of_threads_changes_nothing_and_is_given_back(teacher: EmbeddedTeacher) -> None:
    before = torch.get_num_threads()
    single = EmbeddedTeacher(EMBEDDED, rows=1, threads=1)
    double = EmbeddedTeacher(EMBEDDED, rows=1, threads=2)
    single._network = double._network = teacher._network
    assert single.generate(PROMPTS, 4, 0.7, [1, 2, 3]) == double.generate(PROMPTS, 4, 0.7, [1, 2, 3])
    np.testing.assert_array_equal(single.score(PROMPTS, ["0", "1"]), double.score(PROMPTS, ["0", "1"]))
    assert torch.get_num_threads() == before


def test_without_temperature_the_seed_says_nothing_and_the_answer_is_on_the_subject(teacher: EmbeddedTeacher) -> None:
    first, second = (teacher.generate(["What do bees make?"], 5, 0.0, [seed])[0] for seed in (1, 2))
    assert first == second and "bees" in first.lower()


def test_lengths_are_kept(teacher: EmbeddedTeacher) -> None:
    text = teacher.generate(["Tell me a very long story."], 3, 0.7, [1])[0]
    assert teacher.count_tokens(text) <= 3
    assert teacher.count_tokens("") == 0 and teacher.count_tokens("hello there") == 2
    assert teacher.generate([], 3, 0.7, []) == []


def test_choices_must_differ_in_their_first_token(teacher: EmbeddedTeacher) -> None:
    with pytest.raises(TeacherError, match="apart"):
        teacher.score(["?"], ["10", "11"])


def test_it_travels_to_a_worker_without_its_network(teacher: EmbeddedTeacher) -> None:
    assert teacher.count_tokens("a") == 1
    assert len(pickle.dumps(teacher)) < 1_000
    assert pickle.loads(pickle.dumps(teacher)).name == teacher.name


def test_unknown_models_and_empty_folders_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match=r"teacher\.kind"):
        EmbeddedTeacher("GPT-7", 1).count_tokens("a")
    with pytest.raises(TeacherError, match="safetensors"):
        EmbeddedTeacher(str(tmp_path), 1).count_tokens("a")


@pytest.mark.parametrize(("u", "token"), [(0.0, 7), (0.64, 7), (0.67, 8), (0.999999, 8)])
def test_a_draw_keeps_to_the_likeliest(u: float, token: int) -> None:
    """Probabilities .64, .32, .04: the third falls outside of 95 percent."""
    assert _draw(np.log([0.64, 0.32, 0.04]), np.array([7, 8, 9]), 1.0, u) == token


def test_the_resource_opens_what_the_recipe_names(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = TeacherResource(threads=1).open(workspace)
    assert isinstance(embedded, CachedTeacher) and isinstance(embedded.teacher, EmbeddedTeacher)
    assert (embedded.teacher.rows, embedded.teacher.threads) == (workspace.recipe.teacher.batch, 1)

    monkeypatch.setenv("A_KEY", "secret-key")
    section = {"kind": "http", "model": "tutor", "url": "http://127.0.0.1:9/v1", "key_variable": "A_KEY"}
    served = TeacherResource(retries=0).open(Workspace(workspace.lake, Recipe.model_validate({"teacher": section})))
    assert isinstance(served, CachedTeacher) and isinstance(served.teacher, HttpTeacher)
    assert served.name == "tutor at http://127.0.0.1:9/v1"
    assert served.teacher._client.headers["authorization"] == "Bearer secret-key"
