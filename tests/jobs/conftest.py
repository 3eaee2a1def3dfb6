"""A small real crawl (the language reference that ships with the interpreter, as web pages) and a recipe to match."""

import html
import io
import shutil
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from pydoc_data.topics import topics

import dagster as dg
import pytest
from click.testing import CliRunner
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from gristmill.crawl.sources import register
from gristmill.lake.workspace import Workspace
from gristmill.recipe import Recipe, load_recipe
from jobs.cli import main
from jobs.definitions import driver_of
from jobs.driver import Driver, Outcome

TINY = """
namespace = "{namespace}"
[sources]
shard_bytes = 24000
[sources.groups.web]
crawls = ["docs-*"]
priority = 1
[sources.groups.code]
crawls = ["code"]
[policy.except_sources]
"gopher.*" = ["code"]
[policy.thresholds]
"gopher.word_count_min" = {word_count_min}
[dedup.minhash]
shingle_words = 3
[quality]
sample = 24
passage_chars = 160
token_budget = 3000
except_sources = ["code"]
[synthesis]
stories = 1
story_tokens = 16
exercises = 40
[tokenizer]
vocab_size = 400
[split]
validation = 0.1
test = 0.15
[corpus]
sequence_length = 64
[corpus.phases.general]
tokens = 8000
mix = {{ web = 0.6, code = 0.3, "synthetic/exercises" = 0.1 }}
max_epochs = 50.0
[corpus.phases.annealing]
tokens = 2000
mix = {{ web = 0.6, code = 0.2, "synthetic/exercises" = 0.2 }}
max_epochs = 50.0
[models.tiny]
hidden = 32
layers = 2
heads = 2
kv_heads = 1
ffn = 64
[training]
batch_sequences = 4
checkpoint_every = 10
threads = 1
[evaluation]
documents_per_domain = 3
bytes_per_document = 500
prompts = ["The"]
sample_tokens = 8
"""


def write_pages(path: Path, pages: dict[str, str]) -> Path:
    """A WARC 1.1 file of pages: url -> text, paragraphs apart."""
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=True, warc_version="WARC/1.1")
    for url, text in pages.items():
        body = "".join(f"<p>{html.escape(each)}</p>\n" for each in text.split("\n\n"))
        page = f"<html><head><title>{url}</title></head><body><main><h1>{url}</h1>{body}</main></body></html>"
        headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
        record = writer.create_warc_record(
            url,
            "response",
            payload=io.BytesIO(page.encode()),
            http_headers=headers,
            warc_headers_dict={"WARC-Date": "2026-01-01T00:00:00Z"},
        )
        writer.write_record(record)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> dict[str, list[Path]]:
    """Two WARC files of a crawl `docs-1`, with near duplicates and junk, and a folder of source code."""
    folder = tmp_path_factory.mktemp("sources")
    names = sorted(topics)[:44]
    pages = {f"http://reference.example/{name}.html": topics[name][:4000] for name in names}
    first, second = dict(list(pages.items())[:22]), dict(list(pages.items())[22:])
    second |= {f"http://mirror.example/{name}.html": topics[name][:4000] + "\n\nA mirror of the reference." for name in names[:5]}
    second["http://reference.example/short.html"] = "Too short to keep."
    second["http://reference.example/mail.html"] = (
        topics[names[3]][:900] + "\n\nWrite to somebody@mill.example from 93.184.216.34 about the grain."
    )
    code = folder / "code"
    code.mkdir()
    stdlib = Path(sysconfig.get_path("stdlib"))
    for name in ("bisect", "heapq", "keyword", "queue", "sched", "shlex", "stat", "string", "textwrap", "token", "types", "uuid"):
        shutil.copy(stdlib / f"{name}.py", code)
    return {"docs-1": [write_pages(folder / "a.warc.gz", first), write_pages(folder / "b.warc.gz", second)], "code": [code]}


class Mill:
    """A deployment in a folder: an instance, a lake, a recipe."""

    def __init__(self, folder: Path, monkeypatch_env: pytest.MonkeyPatch):
        self.folder = folder
        (folder / "dagster").mkdir(parents=True, exist_ok=True)
        self.env = {
            "GRISTMILL_HOME": str(folder),
            "DAGSTER_HOME": str(folder / "dagster"),
            "GRISTMILL_RECIPE": str(folder / "recipe.toml"),
            "GRISTMILL_WORKERS": "1",
        }
        for name, value in self.env.items():
            monkeypatch_env.setenv(name, value)
        self.instance = dg.DagsterInstance.local_temp(str(folder / "dagster"))

    def recipe(self, namespace: str = "", word_count_min: int = 50, name: str = "recipe.toml") -> Recipe:
        path = self.folder / name
        path.write_text(TINY.format(namespace=namespace, word_count_min=word_count_min))
        return load_recipe(path)

    def driver(self, recipe: Recipe) -> Driver:
        return driver_of(recipe, self.instance)

    def register(self, recipe: Recipe, sources: dict[str, list[Path]]) -> None:
        for crawl, paths in sources.items():
            register(self.driver(recipe).workspace.lake, recipe, crawl, [str(path) for path in paths])

    def drive(self, recipe: Recipe, *until: str) -> Outcome:
        return self.driver(recipe).drive(until)


@pytest.fixture(scope="session")
def mill(tmp_path_factory) -> Iterator[Mill]:
    with pytest.MonkeyPatch.context() as patch:
        yield Mill(tmp_path_factory.mktemp("mill"), patch)


@pytest.fixture(scope="session")
def built(mill, sources) -> tuple[Mill, Recipe, Outcome]:
    """The whole graph, made once for all tests that look at it; a test that edits the recipe puts it back."""
    recipe = mill.recipe()
    mill.register(recipe, sources)
    outcome = mill.drive(recipe)
    assert not outcome.failed, outcome.failed
    assert outcome.left.is_fresh, outcome.left.rows()
    return mill, recipe, outcome


def corpus_hash(workspace: Workspace) -> dict[str, str]:
    """The content hash of each phase of the corpus."""
    return {phase: workspace.version("mixed_corpus", phase) for phase in workspace.partitions("mixed_corpus")}


@pytest.fixture(scope="session")
def corpus_hash_of():
    return corpus_hash


@pytest.fixture(scope="session")
def pages_written():
    return write_pages


@pytest.fixture
def command_line(monkeypatch) -> Callable[..., Callable[..., tuple[int, str]]]:
    """(home, *command) -> what runs that command in the deployment with further arguments; (exit status, what it printed)."""

    def of(home: Path, *command: str) -> Callable[..., tuple[int, str]]:
        monkeypatch.setenv("GRISTMILL_HOME", str(home))
        monkeypatch.setenv("GRISTMILL_RECIPE", str(home / "recipe.toml"))
        monkeypatch.setenv("COLUMNS", "160")

        def run(*arguments: object) -> tuple[int, str]:
            result = CliRunner().invoke(main, [*command, *map(str, arguments)])
            assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
            return result.exit_code, result.output

        return run

    return of
