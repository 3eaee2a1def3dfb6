"""What a takedown touches, and its receipt, as pages."""

from dataclasses import replace

import pytest

from gristmill.crawl.tombstones import Sketch, Tombstone
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.lineage.plan.cost import Step
from gristmill.lineage.takedown.page import ROWS, receipt_page, takedown_page
from gristmill.lineage.takedown.receipt import ABSENT, LEFT, PRESENT, receipt
from gristmill.lineage.takedown.takedown import Touched
from gristmill.lineage.takedown.terminal import alike
from gristmill.recipe import Recipe

URL = "http://mill.example/<b>page</b>\x1b[31m"


def answer(documents: int = 2) -> Touched:
    found = tuple(
        {
            "doc_id": f"{i:032x}",
            "url": URL,
            "shard": "web/0000",
            "by": "near" if i else "url",
            "similarity": 0.8,
            "text_hashes": [],
            "payload_digest": "",
        }
        for i in range(documents)
    )
    seen = {"model": "small", "checkpoint": "c" * 32, "tokens": 1234, "steps": 3, "first_step": 1, "last_step": 9}
    texts = (Sketch("0" * 32, (1, 2)),)
    tombstone = Tombstone("t7", "url", URL, "Ann <i>", "asked & agreed", "2026-01-02T03:04:05", texts=texts, found=found, seen_by=(seen,))
    levels = [{"level": "documents", "asset": "documents", "count": 12345, "unit": "rows", "detail": "web/0000"}]
    rising = [{"doc_id": "e" * 32, "shard": "web/0001", "kind": "near", "similarity": 0.9, "survivor": "0" * 32, "url": None}]
    return Touched(tombstone, levels, rising, [("quality_annotations", None)])


def test_the_proposal_says_what_it_touches_and_escapes_what_came_from_outside():
    page = takedown_page("trial", [answer()], None)
    assert "nothing was taken down" in page and "The rebuild plan" not in page
    for said in (
        "12,345",
        "80% alike",
        "quality_annotations",
        "1,234",
        "Ann &lt;i&gt;",
        "asked &amp; agreed",
        "90%",
        "the same words elsewhere",
    ):
        assert said in page, said
    assert "<b>page</b>" not in page and "\x1b" not in page and "<script" not in page and "src=" not in page


def test_many_documents_are_counted():
    page = takedown_page("trial", [answer(ROWS + 30)], None)
    assert f"{'0' * 24}{ROWS - 1:x}"[:12] in page and "And 30 more" in page and "<details>" in page


def test_what_is_on_the_list_comes_with_the_rebuild_plan():
    page = takedown_page("trial", [answer()], [Step("documents", "stale", ("input tombstones changed",), (), "", ["web/0000"])])
    assert "<code>t7</code>; it is gone after the next rebuild" in page and "input tombstones changed" in page
    assert "stale for other reasons" not in page
    assert "Nothing is to be made for it" in takedown_page("trial", [answer()], [])
    assert "And 12 partitions are stale for other reasons. <code>gristmill plan</code>" in takedown_page("trial", [answer()], [], 12)
    assert "And 1 partition is stale" in takedown_page("trial", [answer()], [], 1)
    nothing = Touched(answer(0).tombstone)
    page = takedown_page("trial", [nothing], None)
    assert "it will be caught when it comes" in page and "Did you mean" not in page
    page = takedown_page("trial", [Touched(answer(0).tombstone, near=["http://mill.example/<i>"])], None)
    assert "Did you mean" in page and "<li>http://mill.example/&lt;i&gt;</li>" in page


def test_a_draft_names_nobody_and_two_versions_of_a_page_have_no_similarity():
    shown = answer()
    shown.tombstone = replace(shown.tombstone, who="", why="")
    shown.rising[0] |= {"kind": "url", "similarity": None}
    page = takedown_page("trial", [shown], None)
    assert "Asked for by" not in page and "same URL" in page
    assert alike(shown.rising[0]) == "another version of the page, at the same URL"
    assert alike({"kind": "near", "similarity": 0.9}) == "near, 90% alike"


@pytest.mark.parametrize(("status", "style"), [(ABSENT, "gained"), (LEFT, "open"), (PRESENT, "lost")])
def test_the_receipt_shows_every_claim_and_holds_itself(tmp_path, status, style):
    value = receipt(Workspace(Lake(tmp_path), Recipe()), answer().tombstone) | {"status": status}
    value["left"][0] |= {"passed": False, "found": ["tables/<x>"], "fix": "gristmill takedown purge"}
    page = receipt_page(value)
    assert f'<span class="{style}">{status}</span>' in page
    assert all(claim["claim"] in page for claim in (*value["stands"], *value["left"]))
    assert "tables/&lt;x&gt;" in page and "Way out: gristmill takedown purge" in page and ">fails<" in page
    assert value["hash"] in page and "Not signed" in page and "&#34;not_covered&#34;" in page
    signed = value | {"signature": {"algorithm": "ed25519", "public_key": "S2V5", "value": "x"}}
    assert "Signed with Ed25519 by the key <code>S2V5</code>" in receipt_page(signed)
    assert "<b>page</b>" not in page and "<script" not in page
