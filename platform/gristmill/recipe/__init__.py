"""The recipe: one TOML file that says what a build is, typed, with one fingerprint per section.

A section's fingerprint is the hash of its canonical JSON; an asset's code version is its algorithm's
version and the fingerprints of the sections it reads, so editing one section makes stale what reads it
and nothing else. Unknown keys, wrong types and impossible values are errors at load that name the file,
the key and the nearest valid key.
"""

from __future__ import annotations

import fnmatch
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from gristmill.errors import RecipeError
from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import with_floats
from gristmill.recipe.dedup import Decontamination, Dedup
from gristmill.recipe.lists import WordList
from gristmill.recipe.policy import Policy
from gristmill.recipe.section import Section, fingerprint, nearest
from gristmill.signals.registry import FAMILIES, FIXED_VIEWS, LIST_OF, MODULES, VIEWS

Refresh = Literal["manual", "always"]
"""What happens to a held asset (tokenizer, classifier, …) whose inputs moved: nothing, or a rebuild."""


class Source(Section):
    """A group of crawls that the mix, the policy and the reports treat as one."""

    crawls: list[str] = Field(min_length=1)  # glob patterns over crawl names
    priority: int = 0  # higher survives among duplicates


class Sources(Section):
    shard_bytes: int = Field(default=64_000_000, ge=10_000)
    watch: dict[str, str] = {}  # crawl name -> location in which a sensor looks for new files
    groups: dict[str, Source] = {"web": Source(crawls=["*"])}


class Extraction(Section):
    extractor: Literal["resiliparse", "trafilatura"] = "resiliparse"
    max_bytes: int = Field(default=10_000_000, ge=1_000)  # a larger page goes to quarantine
    timeout_seconds: float = Field(default=10.0, gt=0)  # CPU time of one page's extraction, then quarantine


Strip = Literal["citations", "markdown"]
Mask = Literal["email", "ip", "phone", "card", "national_id", "secret"]


class Edits(Section):
    """What the views change beside the lines that the policy's rules remove."""

    strip: list[Strip] = []  # from the clean view; a profile of the policy may add its own
    mask: list[Mask] = ["email", "ip"]  # in the final view
    except_sources: list[str] = []  # sources from which nothing is stripped: source code has no Markdown


List = Literal["domains", "urls", "url_words", "url_soft_words", "url_substrings", "dirty_words", "adult_words", "toxic_words"]


class Signals(Section):
    families: list[str] | None = None  # those that the policy reads, and gopher's; name them to have others stored
    views: dict[str, Literal["extracted", "clean"]] = {}  # family -> view that it reads; a profile of the policy may say its own
    lists: dict[List, WordList] = {}
    distribution_documents: int = Field(default=20_000, ge=1)  # sample behind the KL signal, by doc_id hash
    distribution_refresh: Refresh = "manual"

    @field_validator("families", "views")
    @classmethod
    def _known(cls, families: Any) -> Any:
        for family in families or ():
            if family not in FAMILIES:
                raise ValueError(f"unknown signal family {family!r}{nearest(family, FAMILIES)}")
        return sorted(families) if isinstance(families, list) else families


class Embedder(Section):
    model: str = "all-MiniLM-L6-v2"  # the embedded one; else a folder or a hub name
    max_tokens: int = Field(default=128, ge=8)


class Teacher(Section):
    kind: Literal["embedded", "http"] = "embedded"
    model: str = "SmolLM2-135M-Instruct"
    url: str = "http://127.0.0.1:8000/v1"
    key_variable: str = "GRISTMILL_TEACHER_KEY"  # the environment variable that holds the key
    concurrency: int = Field(default=4, ge=1)
    batch: int = Field(default=8, ge=1)


class Split(Section):
    validation: float = Field(default=0.05, ge=0, le=0.5)
    test: float = Field(default=0.05, ge=0, le=0.5)


class Quality(Section):
    sample: int = Field(default=2_000, ge=20)  # documents that the teacher grades
    passage_chars: int = Field(default=1_500, ge=100)  # of each, from its start
    token_budget: int = Field(default=1_000_000, ge=100)  # prompt tokens that grading may cost
    min_agreement: float = Field(default=0.5, ge=0, le=1)  # AUC margin on constructed contrasts under which the rubric grades
    drop_lowest: float = Field(default=0.1, ge=0, lt=1)  # share of the survivors, by score
    except_sources: list[str] = []  # sources that the score does not judge
    taxonomy: str = "weborganizer"
    refresh: Refresh = "manual"


class Synthesis(Section):
    stories: int = Field(default=100, ge=0)
    story_tokens: int = Field(default=160, ge=16)
    exercises: int = Field(default=1_000, ge=0)
    seed: int = 1


class TokenizerSection(Section):
    vocab_size: int = Field(default=4_096, ge=300)
    sample_documents: int = Field(default=20_000, ge=1)
    refresh: Refresh = "manual"


class Phase(Section):
    tokens: int = Field(ge=1)
    mix: dict[str, float] = Field(min_length=1)  # source, source/topic, or synthetic/<set> -> share of tokens
    max_epochs: float = Field(default=4.0, gt=0)  # how often a document may repeat

    @field_validator("mix", mode="before")
    @classmethod
    def _integers_are_numbers(cls, value: Any) -> Any:
        return with_floats(value)

    @field_validator("mix")
    @classmethod
    def _is_a_mix(cls, mix: dict[str, float]) -> dict[str, float]:
        if any(share < 0 for share in mix.values()):
            raise ValueError("a share of the mix is negative")
        if abs(sum(mix.values()) - 1) > 1e-6:
            raise ValueError(f"the mix sums to {sum(mix.values()):.6g}, not to one")
        return mix


PHASES = ("general", "annealing")


class Corpus(Section):
    sequence_length: int = Field(default=256, ge=8)
    seed: int = 1
    phases: dict[Literal["general", "annealing"], Phase] = {
        "general": Phase(tokens=1_000_000, mix={"web": 1.0}),
        "annealing": Phase(tokens=100_000, mix={"web": 1.0}),
    }


class Model(Section):
    """A decoder: RMSNorm, RoPE, grouped-query attention, SwiGLU, tied embeddings."""

    hidden: int = Field(default=128, ge=8)
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=4, ge=1)
    kv_heads: int = Field(default=2, ge=1)
    ffn: int = Field(default=384, ge=8)
    rope_theta: float = 10_000.0
    layerwise_scaling: bool = False  # OpenELM: heads and ffn grow with depth
    seed: int = 1

    @model_validator(mode="after")
    def _shapes_fit(self) -> Model:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not divisible by heads {self.heads}")
        if (self.hidden // self.heads) % 2:
            raise ValueError(f"the head size {self.hidden // self.heads} is odd; rotary embeddings need an even one")
        if self.heads % self.kv_heads:
            raise ValueError(f"heads {self.heads} is not divisible by kv_heads {self.kv_heads}")
        return self


class Training(Section):
    batch_sequences: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup: float = Field(default=0.05, ge=0, le=1)  # share of the steps
    decay: float = Field(default=0.2, ge=0, le=1)  # share of the steps, 1 - sqrt to zero
    weight_decay: float = Field(default=0.1, ge=0)
    clip: float = Field(default=1.0, gt=0)
    checkpoint_every: int = Field(default=50, ge=1)  # steps between two resume points
    average_last: int = Field(default=5, ge=1)  # resume points averaged into the final weights
    threads: int = Field(default=2, ge=1)  # fixed: sums in another order are other bits


class Quantization(Section):
    bits: list[Literal[8, 4, 2]] = [8, 4, 2]
    group_size: int = Field(default=32, ge=4)
    max_loss_increase: dict[str, float] = {"8": 0.01, "4": 0.15}  # relative, in bits per byte, against the float model

    @property
    def schemes(self) -> list[str]:
        return [f"w{bits}" for bits in sorted(self.bits, reverse=True)]


class Evaluation(Section):
    documents_per_domain: int = Field(default=40, ge=1)
    bytes_per_document: int = Field(default=4_000, ge=100)
    prompts: list[str] = ["Once upon a time", "The following function", "To connect to a database"]
    sample_tokens: int = Field(default=48, ge=1)


class Audit(Section):
    sample: int = Field(default=500, ge=0)  # documents whose payload digest is recomputed; 0 means all


class Recipe(Section):
    """What a build is. `fingerprint(*sections)` is what code versions are made of."""

    namespace: str = Field(default="", pattern=r"^[a-z0-9_]*$")
    sources: Sources = Sources()
    extraction: Extraction = Extraction()
    edits: Edits = Edits()
    signals: Signals = Signals()
    policy: Policy = Policy()
    dedup: Dedup = Dedup()
    decontamination: Decontamination = Decontamination()
    embedder: Embedder = Embedder()
    teacher: Teacher = Teacher()
    split: Split = Split()
    quality: Quality = Quality()
    synthesis: Synthesis = Synthesis()
    tokenizer: TokenizerSection = TokenizerSection()
    corpus: Corpus = Corpus()
    models: dict[str, Model] = {"small": Model()}
    training: Training = Training()
    quantization: Quantization = Quantization()
    evaluation: Evaluation = Evaluation()
    audit: Audit = Audit()

    @model_validator(mode="after")
    def _hangs_together(self) -> Recipe:
        stored = self.families
        for rule in self.policy.document_rules():
            family = rule.signal.split(".")[0]
            if family not in stored:
                raise ValueError(f"policy: {rule.name} reads {rule.signal}, whose family {family!r} is not in signals.families")
        for family, view in self.signals.views.items():
            if family in FIXED_VIEWS and view != VIEWS[family]:
                raise ValueError(f"signals.views: {family} is made of positions in the {VIEWS[family]} view and can read no other")
        read = {name for family in stored for name in MODULES[family].READS}
        for words in self.signals.lists:
            if f"lists.{words}" not in read:
                readers = " or ".join(family for family, module in MODULES.items() if f"lists.{words}" in module.READS)
                raise ValueError(f"signals.lists.{words}: no stored family reads it; add {readers} to signals.families, or a rule on it")
            signals = [signal for signal, of in LIST_OF.items() if of == words]
            named = {signal.split(".")[0] for signal in signals} & {*(self.signals.families or ())}  # stored to be looked at
            if not named and not self.policy.reads(signals):
                raise ValueError(
                    f"signals.lists.{words}: no rule of the policy reads {' or '.join(signals)}, so the list would do nothing; "
                    f"add a rule on it, or {signals[0].split('.')[0]} to signals.families"
                )
        known = [*self.sources.groups, "synthetic"]
        for where, sources in (
            *((f"policy: {rule.name}.except_sources", rule.except_sources) for rule in self.policy.rules),
            *((f"policy.except_sources.{p}", s) for p, s in self.policy.except_sources.items()),
            ("edits.except_sources", self.edits.except_sources),
            ("quality.except_sources", self.quality.except_sources),
            ("dedup.lines.except_sources", self.dedup.lines.except_sources),
            ("dedup.substrings.except_sources", self.dedup.substrings.except_sources),
            *((f"corpus.phases.{name}.mix", [key.split("/")[0] for key in phase.mix]) for name, phase in self.corpus.phases.items()),
        ):
            for source in sources:
                if source not in known:
                    raise ValueError(f"{where}: no source named {source!r}{nearest(source, known)}")
        for name, phase in self.corpus.phases.items():
            for key in phase.mix:
                if key.startswith("synthetic") and key not in ("synthetic/stories", "synthetic/exercises"):
                    raise ValueError(f"corpus.phases.{name}.mix: {key!r}{nearest(key, ['synthetic/stories', 'synthetic/exercises'])}")
        if self.split.validation + self.split.test >= 1:
            raise ValueError("split: validation and test leave nothing to train on")
        return self

    def fingerprint(self, *sections: str) -> str:
        """12 hex digits over the canonical JSON of the sections (dotted: `corpus.phases.general`)."""
        return fingerprint({name: self._section(name) for name in sorted(sections)})

    def values(self, *sections: str) -> dict[str, Any]:
        """What the sections hold, as fingerprinted; of the policy the rules in force."""
        return {
            name: dict(zip(("name", "version", "rules"), self._section(name), strict=True)) if name == "policy" else self._section(name)
            for name in sorted(sections)
        }

    def _section(self, dotted: str) -> Any:
        value: Any = self
        for part in dotted.split("."):
            value = value[part] if isinstance(value, dict) else getattr(value, part)
        if isinstance(value, Policy):  # what the rules come to, so that a profile's own change is seen
            return [value.name, value.version, _plain(value.document_rules())]
        return _plain(value() if callable(value) else value)

    @property
    def families(self) -> list[str]:
        """The families of signals that are stored."""
        if self.signals.families is not None:
            return self.signals.families
        return sorted({"gopher", *(rule.signal.split(".")[0] for rule in self.policy.document_rules())})

    @property
    def views(self) -> dict[str, str]:
        """Family -> the view that it reads."""
        said = {family: view for name in self.policy.profiles for family, view in PROFILES[name].views.items()}
        return {family: self.signals.views.get(family, said.get(family, VIEWS[family])) for family in self.families}

    @property
    def strips(self) -> list[str]:
        """What is stripped from the clean view."""
        return sorted({*self.edits.strip, *(strip for name in self.policy.profiles for strip in PROFILES[name].strips)})

    @property
    def lists(self) -> dict[str, str]:
        """The user's lists -> the digest of what they hold."""
        return {name: words.digest or fingerprint(sorted(words.entries)) for name, words in sorted(self.signals.lists.items())}

    @property
    def item_digests(self) -> dict[str, str]:
        """The files of evaluation items -> the digest of what they hold."""
        return {name: items.digest for name, items in sorted(self.decontamination.items.items())}

    def prefixed(self, name: str) -> str:
        """A job's, sensor's or partition set's name in the recipe's namespace."""
        return f"{self.namespace}_{name}" if self.namespace else name

    def takes(self, crawl: str) -> bool:
        """Whether a source group of the recipe matches the crawl."""
        return self._group_of(crawl) is not None

    def source_of(self, shard: str) -> str:
        """The source group of a shard key `<crawl>/<shard>`; the first group in the recipe that matches."""
        crawl = shard.split("/")[0]
        group = self._group_of(crawl)
        if group is None:
            raise RecipeError(
                f"no source group of the recipe matches the crawl {crawl!r}",
                where="sources.groups",
                fix="Add its name, or a pattern that fits it, to a group's `crawls`.",
            )
        return group

    def _group_of(self, crawl: str) -> str | None:
        groups = self.sources.groups.items()
        return next((name for name, source in groups if any(fnmatch.fnmatchcase(crawl, each) for each in source.crawls)), None)


def _plain(value: Any) -> Any:
    """Sections, and tables or lists of them, as what JSON holds."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def load_recipe(path: str | Path) -> Recipe:
    """The recipe in a TOML file; RecipeError naming file, key and nearest valid key otherwise."""
    path = Path(path)
    try:
        raw = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise RecipeError(
            "no such recipe", where=str(path), fix="recipes/ holds worked examples; GRISTMILL_RECIPE names the one to load."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"is not TOML: {error}", where=str(path)) from None
    _find_files(raw, path.parent)
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise RecipeError("\n  ".join(_explain(e) for e in error.errors()), where=str(path)) from None


def _find_files(raw: dict[str, Any], folder: Path) -> None:
    """Paths of lists and items are relative to the recipe, wherever the process stands."""
    for section, table in (("signals", "lists"), ("decontamination", "items")):
        named = raw.get(section)
        entries = named.get(table) if isinstance(named, dict) else None
        for entry in entries.values() if isinstance(entries, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get("path"), str):
                entry["path"] = str(folder / entry["path"])


def _explain(error: Any) -> str:
    location = [str(part) for part in error["loc"] if part != "[key]"]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"unknown key `{key}`{nearest(location[-1], _keys_at(location[:-1]))}"
    message = error["msg"].removeprefix("Value error, ")
    given = "" if error["type"] == "value_error" else f" (given: {error['input']!r})"
    return f"`{key}`: {message}{given}" if key else f"{message}{given}"


def _keys_at(location: list[str]) -> list[str]:
    """The valid keys of the section at `location`."""
    model: Any = Recipe
    for part in location:
        # any other part is a key of a table of sections, or an index of a list
        if isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
            model = model.model_fields[part].annotation
        inner = [a for a in getattr(model, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        if inner:
            model = inner[-1]
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
