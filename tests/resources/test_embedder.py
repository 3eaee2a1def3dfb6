"""The embedded MiniLM: vectors that depend on nothing but the text."""

import socket
import subprocess
import sys

import numpy as np
import pytest

from gristmill.dedup.vectors import DECIMALS
from gristmill.errors import RecipeError
from gristmill.lake.cache import KeyedCache
from gristmill.recipe import Embedder as Section
from resources import embedder as module
from resources.embedder import (
    MOST_ROWS,
    PASSAGES,
    ROWS,
    SHARE,
    TOKENS,
    EmbedderResource,
    KnownEmbedder,
    SentenceTransformersEmbedder,
    passages,
    rows_that_fit,
)

SETTINGS = Section(max_tokens=32)
TEXTS = [
    "The cat sat on the mat and purred.",
    "A kitten was purring on a rug.",
    "Interest rates rose by a quarter of a point.",
    "",
    "word",
    "un texte en français",
    " ".join(f"sentence number {i} about databases." for i in range(40)),
]


@pytest.fixture(scope="module")
def embedder():
    with pytest.MonkeyPatch.context() as patch:  # the embedded default needs no network
        patch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the embedder reached for the network"))
        return EmbedderResource().open(SETTINGS)


def test_unit_vectors_of_the_promised_shape(embedder) -> None:
    found = embedder.encode(TEXTS)
    assert found.shape == (len(TEXTS), embedder.dimension) == (len(TEXTS), 384) and found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)
    assert np.array_equal(found, found.round(DECIMALS)) and not np.signbit(found[found == 0]).any()
    assert embedder.encode([]).shape == (0, 384)


def test_a_model_that_is_known_is_loaded_for_the_first_text(embedder, tmp_path) -> None:
    names = KeyedCache(tmp_path / "names.sqlite")
    assert EmbedderResource(device="cpu").open(SETTINGS, names).name == embedder.name
    script = f"""
import sys
from pathlib import Path
from gristmill.lake.cache import KeyedCache
from gristmill.recipe import Embedder
from resources.embedder import EmbedderResource
settings, names = Embedder.model_validate_json({SETTINGS.model_dump_json()!r}), KeyedCache(Path({str(names.path)!r}))
port = EmbedderResource(device="cpu").open(settings, names)
assert "torch" not in sys.modules
print(port.name, port.dimension)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert said.stdout.split() == [embedder.name, "384"], said.stderr
    known = EmbedderResource(device="cpu").open(SETTINGS, names)
    assert isinstance(known, KnownEmbedder) and np.array_equal(known.encode(TEXTS[:2]), embedder.encode(TEXTS[:2]))


def test_a_model_of_other_bytes_is_not_known(tmp_path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"1")
    keys = {module._key(tmp_path / "model", "m", tokens) for tokens in (64, 128)}
    module._key.cache_clear()
    (tmp_path / "model" / "weights").write_bytes(b"2")
    assert len({*keys, module._key(tmp_path / "model", "m", 128)}) == 3


def test_meaning_shows(embedder) -> None:
    cats, kittens, rates = embedder.encode(TEXTS[:3])
    assert cats @ kittens > 0.5 > cats @ rates


def test_company_and_order_do_not_matter(embedder) -> None:
    whole = embedder.encode(TEXTS)
    assert np.array_equal(np.vstack([embedder.encode([text]) for text in TEXTS]), whole)
    for first in range(len(TEXTS)):  # each text in each row of a batch, and batches of all that there are
        turned = [*range(first, len(TEXTS)), *range(first)]
        assert np.array_equal(embedder.encode([TEXTS[i] for i in turned]), whole[turned])
    many = np.random.default_rng(0).permutation(np.repeat(np.arange(len(TEXTS)), 3))
    assert np.array_equal(embedder.encode([TEXTS[i] for i in many]), whole[many])


@pytest.mark.parametrize(("max_tokens", "rows"), [(8, ROWS), (128, ROWS), (256, TOKENS // 256)])
def test_a_batch_on_a_cpu_has_a_shape_that_no_machine_changes(max_tokens, rows) -> None:
    embedder = SentenceTransformersEmbedder(SETTINGS.model, max_tokens, device="cpu")
    assert embedder.rows == rows and rows * max_tokens <= TOKENS


def test_a_batch_on_a_gpu_has_the_rows_that_its_memory_holds() -> None:
    assert rows_that_fit(0, 37_000, 128) == rows_that_fit(SHARE * 37_000 * 128 - 1, 37_000, 128) == 1
    assert rows_that_fit(SHARE * 37_000 * 128 * 100, 37_000, 128) == 64
    assert rows_that_fit(10**15, 37_000, 128) == MOST_ROWS


def test_a_long_text_is_read_all_over(embedder) -> None:
    """Two long texts with the same start and different bodies are not the same."""
    start = "This notice stands on every page of the manual. " * 4
    one, other = (
        start + "Baking bread needs flour, water and patience. " * 40,
        start + "The court ruled on the appeal of the tax case. " * 40,
    )
    a, b = embedder.encode([one, other])
    assert a @ b < 0.9
    assert "".join(passages(one)) == one and len(passages(one)) == PASSAGES and len({len(p) for p in passages(one)}) <= 2


def test_the_name_tells_what_a_vector_depends_on(embedder) -> None:
    longer = EmbedderResource().open(SETTINGS.model_copy(update={"max_tokens": 64}))
    assert embedder.name != longer.name
    assert embedder.name.startswith("all-MiniLM-L6-v2-")


def test_what_cannot_be_loaded_is_said(tmp_path) -> None:
    with pytest.raises(RecipeError, match=r"embedder\.model"):
        EmbedderResource().open(SETTINGS.model_copy(update={"model": str(tmp_path)}))
    with pytest.raises(RecipeError, match="more than the 256"):
        EmbedderResource().open(SETTINGS.model_copy(update={"max_tokens": 512}))
