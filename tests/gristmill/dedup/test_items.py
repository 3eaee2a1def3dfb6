"""Evaluation items are read as they stand, or refused with file, line and field."""

import json

import polars as pl
import pytest

from gristmill.dedup.items import held_out, read_items
from gristmill.errors import RecipeError
from gristmill.recipe.section import content_digest


def read(path, data: bytes, name: str = "arc") -> pl.DataFrame:
    path.write_bytes(data)
    return read_items(name, path, content_digest(data))


def test_ids_texts_and_nothing_else(tmp_path):
    lines = [{"id": "a/1", "text": "Which\u2028one?", "answer": 3}, {"text": "", "id": 7}]
    data = "\ufeff" + "\r\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    assert read(tmp_path / "arc.jsonl", data.encode()).rows() == [("arc/a/1", "Which\u2028one?"), ("arc/7", "")]
    assert read(tmp_path / "none.jsonl", b"\n").schema == {"item": pl.String, "text": pl.String}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"id": 1', "is not JSON"),
        (b"[1]", "is no JSON object"),
        (b'{"id": 1, "Text": "x"}', "lacks the field `text`\n  It has: id, Text."),
        (b'{"text": "x"}', "lacks the field `id`"),
        (b'{"id": null, "text": "x"}', "`id` must be text or an integer, is null"),
        (b'{"id": true, "text": "x"}', "`id` must be text or an integer, is true"),
        (b'{"id": 1, "text": ["x"]}', '`text` must be text, is ["x"]'),
        (b'{"id": 0, "text": "x"}', "the `id` '0' is that of line 1 too"),
        (b'{"id": 1, "text": "\\ud800"}', "half a surrogate pair"),
        (b'{"id": 1, "text": "\xff"}', "is not UTF-8: byte 20 of the line is 0xff"),
    ],
)
def test_what_is_no_item_is_refused(tmp_path, line, says):
    with pytest.raises(RecipeError) as error:
        read(tmp_path / "arc.jsonl", b'{"id": "0", "text": "y"}\n' + line)
    assert "arc.jsonl, line 2: " in str(error.value) and says in str(error.value)


def test_a_changed_or_missing_file_is_refused(tmp_path):
    path = tmp_path / "arc.jsonl"
    path.write_bytes(b'{"id": 1, "text": "x"}')
    with pytest.raises(RecipeError, match="changed after the recipe was loaded"):
        read_items("arc", path, "another")
    with pytest.raises(RecipeError, match="No such file"):
        read_items("arc", tmp_path / "gone.jsonl", "")
    for name in ("held_out", "a/b", ""):
        with pytest.raises(RecipeError, match="cannot be called"):
            read_items(name, path, "")


def test_held_out_documents_are_items():
    texts = pl.DataFrame({"doc_id": ["a", "b", "c", "d"], "text": ["1", "2", "3", "4"]})
    splits = pl.DataFrame({"doc_id": ["a", "b", "c"], "split": ["train", "test", "validation"]})
    assert held_out(texts, splits).rows() == [("held_out/b", "2"), ("held_out/c", "3")]
