"""Families: each computes the columns that the registry names, and nothing imports the compiler before it is needed."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from gristmill.lake.contracts import conform
from gristmill.signals.compute import VERSIONS, compute_family
from gristmill.signals.registry import FAMILIES

DOCUMENTS = pl.DataFrame({"doc_id": ["b", "a"], "text": ["one two", ""], "language_score": [1.00000049, 0.1234567]})
DISTRIBUTION = pl.DataFrame({"token": ["one"], "count": [1], "probability": [0.9]})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_the_columns_of_the_registry(family: str) -> None:
    frame = compute_family(family, DOCUMENTS, DOCUMENTS, distribution=DISTRIBUTION)
    assert frame.columns == ["doc_id", *(f"{family}.{name}" for name in FAMILIES[family])]
    assert frame["doc_id"].to_list() == ["b", "a"]
    conform(f"signals.{family}", frame)
    conform(f"signals.{family}", compute_family(family, DOCUMENTS.head(0), DOCUMENTS.head(0), distribution=DISTRIBUTION))


def test_every_family_has_a_version() -> None:
    assert set(VERSIONS) == set(FAMILIES)


def test_language_is_rounded_and_bounded() -> None:
    assert compute_family("language", DOCUMENTS, DOCUMENTS)["language.score"].to_list() == [1.0, 0.123457]


def test_what_cannot_be_computed_says_so() -> None:
    with pytest.raises(ValueError, match="no module computes"):
        compute_family("astrology", DOCUMENTS, DOCUMENTS)
    with pytest.raises(ValueError, match="token distribution"):
        compute_family("kl", DOCUMENTS, DOCUMENTS)
    with pytest.raises(ValueError, match="not one term"):
        compute_family("kl", DOCUMENTS, DOCUMENTS, distribution=DISTRIBUTION.with_columns(token=pl.lit("two words")))


def test_importing_the_families_does_not_import_numba() -> None:
    code = "import sys, gristmill.signals.compute; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(p for p in sys.path if p)}, check=False).returncode == 0


def test_the_kernels_find_a_cache_where_neither_package_nor_home_can_be_written(tmp_path: Path) -> None:
    """A locator that refuses every folder stands for a read-only file system (root may write anywhere)."""
    code = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = [c.UserProvidedCacheLocator]\n"
        "import polars as pl\n"
        "from gristmill.signals.gopher import gopher\n"
        "print(gopher(pl.DataFrame({'doc_id': ['a'], 'text': ['one two']}))['gopher.word_count'][0])\n"
    )
    env = {"PYTHONPATH": ":".join(p for p in sys.path if p), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "2.0", done.stderr
    assert any(tmp_path.rglob("*.nbc"))
