"""Makes and reads tokenizers: byte-level BPE, trained on a sample of the corpus that a hash chooses.

Sennrich et al. 2016 (BPE) over bytes as in GPT-2 (Radford et al. 2019, section 2.2), with every digit a token
of its own as in SmolLM: numbers are then spelled one way only, which helps small models with arithmetic, and the
pair of pre-tokenizers is one that llama.cpp knows by name (`smollm`).

A tokenizer is a folder with `tokenizer.json` and `tokenizer_config.json`, as `transformers` loads it. Text is
data here: a document that spells out `<|endoftext|>` gets the tokens of those characters, never the special one,
so that boundaries between documents cannot be forged. (`transformers` does so with `split_special_tokens=True`.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from gristmill.errors import GristmillError

VERSION = "1"

END_OF_TEXT = "<|endoftext|>"
PAD = "<|pad|>"
SPECIAL = (END_OF_TEXT, PAD)  # ids 0 and 1


@dataclass(frozen=True)
class Tokenizer:
    """Text to token ids and back. `encode` adds no special token and never makes one out of text."""

    backend: tokenizers.Tokenizer

    @property
    def vocab_size(self) -> int:
        return self.backend.get_vocab_size(with_added_tokens=True)

    @property
    def end_of_text(self) -> int:
        return self._special(END_OF_TEXT)

    @property
    def pad(self) -> int:
        return self._special(PAD)

    def encode(self, text: str) -> list[int]:
        return self.backend.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens spelled out; bytes that are no UTF-8 (a token cut in two) become U+FFFD."""
        return self.backend.decode(list(ids), skip_special_tokens=False)

    def _special(self, token: str) -> int:
        found = self.backend.token_to_id(token)
        if found is None:
            raise GristmillError(f"its vocabulary has no {token}", where="tokenizer.json", fix="Use a tokenizer that was trained here.")
        return found

    def save(self, folder: Path) -> None:
        """Writes `tokenizer.json` and `tokenizer_config.json` into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.backend.save(str(folder / "tokenizer.json"))
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": END_OF_TEXT,
            "eos_token": END_OF_TEXT,
            "pad_token": PAD,
            "clean_up_tokenization_spaces": False,
            "model_input_names": ["input_ids", "attention_mask"],
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def load(folder: Path | str) -> Tokenizer:
    """The tokenizer in `folder`."""
    path = Path(folder) / "tokenizer.json"
    if not path.exists():
        raise GristmillError("holds no tokenizer.json", where=str(folder), fix="Materialize `tokenizer`.")
    return _as_data(tokenizers.Tokenizer.from_file(str(path)))


def sample(doc_ids: Iterable[str], documents: int) -> list[str]:
    """At most `documents` of `doc_ids`, those with the lowest hash, sorted: the same whatever the order or sharding."""
    ranked = sorted({*doc_ids}, key=lambda doc_id: (hashlib.blake2b(f"tokenizer\0{doc_id}".encode(), digest_size=16).digest(), doc_id))
    return sorted(ranked[:documents])


def train(documents: pl.DataFrame, vocab_size: int) -> Tokenizer:
    """A tokenizer learned from `documents` (doc_id, text), which are read in the order of doc_id.

    A corpus that runs out of pairs seen twice gives fewer tokens than `vocab_size`. Equally frequent pairs are
    merged in the order of their ids, which start from the sorted alphabet: nothing hangs on chance.
    """
    if documents.is_empty():
        raise GristmillError("no document to learn a tokenizer from", where="tokenizer", fix="Look at the verdicts of curated_shards.")
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    texts = documents.sort("doc_id")["text"]
    backend.train_from_iterator(iter(texts), trainer=trainer, length=len(texts))
    return _as_data(backend)


def bytes_per_token(tokenizer: Tokenizer, documents: pl.DataFrame) -> pl.DataFrame:
    """Compression by source: `documents` (source, text) to (source, documents, n_bytes, tokens, bytes_per_token)."""
    counted = documents.select(
        "source",
        pl.col("text").str.len_bytes().cast(pl.Int64).alias("n_bytes"),
        pl.Series("tokens", [len(ids) for ids in tokenizer.encode_batch(documents["text"].to_list())], dtype=pl.Int64),
    )
    return (
        counted.group_by("source")
        .agg(pl.len().cast(pl.Int64).alias("documents"), pl.col("n_bytes").sum(), pl.col("tokens").sum())
        .with_columns((pl.col("n_bytes") / pl.col("tokens")).round(3).alias("bytes_per_token"))
        .sort("source")
    )


def _as_data(backend: tokenizers.Tokenizer) -> Tokenizer:
    backend.encode_special_tokens = True
    return Tokenizer(backend)
