"""Which documents are scored, and in which view."""

from gristmill.evaluation.documents import domains, held_out


def test_only_curated_documents_of_the_test_split(built):
    found = held_out(built)
    assert dict(found.group_by("domain").len().iter_rows()) == {"web": 4, "code": 4}
    assert found["n_bytes"].max() <= built.recipe.evaluation.bytes_per_document
    allowed = set()
    for shard in built.partitions("curated_shards"):
        kept = built.scan("curated_shards", shard).filter("kept").collect()
        splits = built.read("deduplicated_shards", shard, "splits")
        allowed |= set(kept["doc_id"]) & set(splits.filter(splits["split"] == "test")["doc_id"])
    assert set(found["doc_id"]) <= allowed


def test_domains_are_the_sources_with_curated_documents(built):
    assert domains(built) == ["code", "web"]
