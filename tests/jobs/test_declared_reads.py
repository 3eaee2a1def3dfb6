"""What an asset declares (`deps`, `sections`) is what its make function and its checks read, on the tiny graph.

What is read and not declared leaves an asset fresh that is not: its input moves and nobody notices. The make functions run over a
workspace that notes every head that it is asked for, and a recipe that notes every key. Branches that the tiny recipe does not take
(word lists, items, paragraphs by meaning, an HTTP teacher) are not seen.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import numpy as np
import pytest

from assets.graph import recipe_assets
from gristmill.lake.workspace import Output, Partition, Workspace
from gristmill.lineage.cards import write_cards
from gristmill.recipe.section import Section
from jobs.definitions import resource_definitions
from resources.embedder import EmbedderResource
from resources.event_log import DagsterGraph

EVERYTHING = "*"  # the list of an asset's partitions
METHODS = {"source_of": "sources.groups", "takes": "sources.groups", "document_rules": "policy", "line_rules": "policy.line_rules"}
AS = {"signals.lists": "lists", "signals.families": "families", "signals.views": "views", "decontamination.items": "item_digests"}
"""Keys that are declared by what they come to."""

CHANGES_NOTHING = {
    "teacher.concurrency": "requests at a time",
    "teacher.url": "where the model is, not which",
}
READ_AND_NOT_DECLARED = {
    ("documents", "sources.groups"): "of its check: every page would be extracted anew for a count by source",
    ("filtered_shards", "families"): "of its counts; `signals`, which it reads, holds the families",
    ("quality_annotations", "teacher.batch"): "passages are scored alone",
    ("tokenizer", "sources.groups"): "of its measurements by source; a new source may not move a held tokenizer",
    ("checkpoints", "corpus"): "of the run's record: under what it was trained, which stays true when the same comes out of another",
    ("checkpoints", "tokenizer"): "the same",
    ("checkpoints", "corpus.phases"): "which partitions of the corpus there are",
    ("eval_reports", "corpus.phases"): "which partitions of the corpus there are",
    ("eval_reports", "models"): "which partitions there are, in its check",
    ("eval_reports", "quantization.schemes"): "the same",
    ("lineage_audit", "policy"): "how many rules there are: not worth an audit at each threshold that flips nothing",
    ("lineage_audit", "policy.line_rules"): "the same",
}
DECLARED_AND_NOT_READ = {
    ("tombstones", "extraction"): "where a tombstone knows words",
    ("semantic_centroids", "embedder.model"): "held, and of the vectors of one model",
    ("semantic_centroids", "embedder.max_tokens"): "the same",
    ("lineage_audit", "audit"): "only its cards are made here",
}


class Reads:
    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.heads: set[tuple[str, Partition]] = set()

    def taken(self) -> tuple[set[str], set[tuple[str, Partition]]]:
        """What was read since the last call."""
        taken = self.keys, self.heads
        self.keys, self.heads = set(), set()
        return taken


class NotedSection:
    """A section of the recipe, of which it is noted what is read; all of it where it is handed on whole."""

    def __init__(self, section: Section, path: str, reads: Reads):
        self._noted = section, path, reads

    def __getattr__(self, name: str) -> Any:
        section, path, reads = self._noted
        value, where = getattr(section, name), f"{path}.{name}" if path else name
        if isinstance(value, Section):
            return NotedSection(value, where, reads)
        if callable(value):
            return self._method(name, value)
        reads.keys.add(AS.get(where, where))
        return value

    def _method(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            _, path, reads = self._noted
            if name == "fingerprint":
                reads.keys.update(arguments)
            elif named.get("include"):
                reads.keys.update(f"{path}.{each}" for each in named["include"])
            else:
                reads.keys.add(METHODS.get(name, path))
            return method(*arguments, **named)

        return called

    def __reduce__(self) -> Any:  # into another process
        section, path, reads = self._noted
        reads.keys.add(path)
        return section.__reduce__()


class NotedWorkspace(Workspace):
    """Remembers nothing, so that everything is made again from what it reads."""

    def __init__(self, workspace: Workspace, reads: Reads):
        super().__init__(workspace.lake, workspace.recipe)
        self.recipe = NotedSection(workspace.recipe, "", reads)  # type: ignore[assignment]
        self.reads = reads

    def head(self, asset: str, partition: Partition = None) -> Output | None:
        self.reads.heads.add((asset, partition))
        return super().head(asset, partition)

    def has(self, asset: str, partition: Partition = None) -> bool:
        self.reads.heads.add((asset, partition))
        return super().has(asset, partition)

    def partitions(self, asset: str) -> list[str]:
        self.reads.heads.add((asset, EVERYTHING))
        return super().partitions(asset)

    def memo(self, keys: Any, make: Any) -> Any:
        return dict(make(list(keys)))


class Quick:
    """The recipe's embedder by name; other vectors, since the real ones of a taxonomy's sentences take half a minute."""

    def __init__(self, resource: EmbedderResource):
        self.resource = resource

    def open(self, settings: Any, known: Any = None) -> Quick:
        real = self.resource.open(settings, known)
        self.name, self.dimension = real.name, real.dimension
        return self

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        seeds = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") for text in texts]
        found = np.stack([np.random.default_rng(seed).normal(size=self.dimension) for seed in seeds])
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def given(asset: dg.AssetsDefinition) -> dict[str, Any]:
    """What `made_asset` was given: name, make, deps, sections, checks, resources."""
    return dict(inspect.getclosurevars(asset.op.compute_fn.decorated_fn).nonlocals)  # type: ignore[attr-defined]


class Looked:
    """What an asset's make function and checks read: recipe keys, and asset -> partition -> partitions of it that were read."""

    def __init__(self, asset: dict[str, Any], graph: DagsterGraph, workspace: NotedWorkspace):
        resources = {**resource_definitions(), "embedder": Quick(EmbedderResource())}
        node = next(node for node in graph.nodes() if node.name == asset["name"])
        self.name, self.sections, self.parents = node.name, set(asset["sections"]), node.parents
        self.keys: set[str] = set()
        self.strangers: set[str] = set()
        reads = workspace.reads
        reads.taken()
        for partition in node.partitions:
            asset["make"](workspace, partition, **{each: resources[each] for each in asset["resources"]})
            keys, heads = reads.taken()
            self.keys |= keys
            self.strangers |= {stranger for head in heads if (stranger := self._stranger(graph, partition, *head))}
        for look in asset["checks"].values():
            look(workspace)
        keys, heads = reads.taken()
        self.keys |= keys
        self.strangers |= {f"{read}, in a check" for read, _ in heads if read not in (*node.parents, node.name)}

    def _stranger(self, graph: DagsterGraph, partition: Partition, read: str, of: Partition) -> str:
        if read == self.name:  # an incremental one goes on from what stands; the result does not depend on it
            return ""
        if read not in self.parents:
            return read
        known = graph.parent_partitions(self.name, partition, read)
        every = next(node.partitions for node in graph.nodes() if node.name == read)
        if of == EVERYTHING:
            return "" if set(known) == set(every) else f"all of {read}"
        return "" if of in known else f"{read}[{of}] for {partition}"

    def undeclared(self) -> set[str]:
        return {key for key in self.keys if key not in CHANGES_NOTHING and not any(_holds(section, key) for section in self.sections)}

    def unread(self) -> set[str]:
        return {section for section in self.sections if not any(_holds(section, key) or _holds(key, section) for key in self.keys)}


def _holds(section: str, key: str) -> bool:
    return key == section or key.startswith(f"{section}.")


@pytest.fixture(scope="module")
def looked(built, tmp_path_factory) -> list[Looked]:
    mill, recipe, _ = built
    driver = mill.driver(recipe)
    workspace, graph = NotedWorkspace(driver.workspace, Reads()), driver.graph()
    claims, folder, found = driver.workspace.read("lineage_audit"), tmp_path_factory.mktemp("cards"), []

    def cards(of: Workspace, partition: Partition) -> None:
        write_cards(of, claims, folder)

    for asset in map(given, recipe_assets(recipe)):
        if asset["name"] == "lineage_audit":  # it makes everything anew by each asset's own keys, and quotes some on its cards
            asset |= {"make": cards, "resources": (), "checks": {}}
        found.append(Looked(asset, graph, workspace))
    return found


def test_every_input_that_is_read_is_declared(looked):
    assert {each.name: each.strangers for each in looked if each.strangers} == {}


def test_every_key_of_the_recipe_that_is_read_is_declared(looked):
    assert {(each.name, key) for each in looked for key in each.undeclared()} == READ_AND_NOT_DECLARED.keys()


def test_what_is_declared_is_read(looked):
    """Else an edit remakes what it cannot change. Listed: what only another recipe or lake would read."""
    assert {(each.name, section) for each in looked for section in each.unread()} == DECLARED_AND_NOT_READ.keys()


def test_a_key_that_is_read_and_not_declared_is_found(built):
    mill, recipe, _ = built
    driver = mill.driver(recipe)
    node = next(node for node in driver.graph().nodes() if node.name == "deduplicated_shards")

    def make(workspace: Workspace, partition: Partition) -> None:
        workspace.read("filtered_shards", partition)
        workspace.read("documents", partition)
        workspace.read("filtered_shards", node.partitions[0])
        assert workspace.recipe.split.test + workspace.recipe.audit.sample

    asset = {"name": node.name, "make": make, "sections": ["split"], "resources": (), "checks": {}}
    found = Looked(asset, driver.graph(), NotedWorkspace(driver.workspace, Reads()))
    assert found.undeclared() == {"audit.sample"}
    assert "documents" in found.strangers and f"filtered_shards[{node.partitions[0]}] for {node.partitions[1]}" in found.strangers
