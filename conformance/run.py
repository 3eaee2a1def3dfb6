"""`make conformance`: our profiles against the peers they are named after, and the golden decisions that the tests hold.

Installs each peer in an environment of its own (once), has it decide on the demo's pages and on adversarial texts,
compares, writes docs/conformance.md and the golden files. The exit status is 1 where a profile, given the peer's own
pieces, does not agree on every document, where with our segmentation it agrees on less than ENOUGH, or where a
disagreement has no explanation, and where our near-duplicate pairs are off the theory of their bands.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from conformance import golden, peers
from conformance.causes import RULES, cause
from conformance.compare import ALL, OWN, Row, compare
from conformance.duplicates import compared
from conformance.duplicates_report import section
from conformance.pages import crawled_pages
from conformance.profiles import CONFORMANCES
from conformance.report import ENOUGH, Disagreement, Outcome, write_report
from conformance.texts import adversarial

REPORT = peers.ROOT / "docs" / "conformance.md"
Texts = list[tuple[str, str]]


def decisions(peer: peers.Peer, texts: Texts) -> list[dict[str, Any]]:
    """What the peer decides on each text, asked once: the answers are kept under `.peers/decisions`."""
    asked = "".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in texts).encode()
    script = (Path(__file__).parent / peer.script).read_bytes()
    key = hashlib.sha256(b"\0".join([asked, script, peer.stamp.encode()])).hexdigest()[:16]
    answers = peers.PEERS / "decisions" / f"{peer.name}-{peer.version}-{key}.jsonl"
    if not answers.exists():
        answers.parent.mkdir(parents=True, exist_ok=True)
        questions, partial = answers.with_suffix(".texts"), answers.with_suffix(".part")
        questions.write_bytes(asked)
        print(f"{peer.name} {peer.version} decides on {len(texts):,} texts ...", file=sys.stderr, flush=True)
        peers.run(peer, "decide", str(questions), str(partial))
        questions.unlink()
        partial.rename(answers)
    with answers.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def main() -> int:
    sets: dict[str, Texts] = {
        "pages": list(crawled_pages().select("url", "text").iter_rows()),
        "adversarial": adversarial(),
        "golden": list(golden.texts().items()),
    }
    outcomes = []
    for conformance in CONFORMANCES:
        rows: dict[tuple[str, str], list[Row]] = {}
        found: list[Disagreement] = []
        for name in ("pages", "adversarial"):
            texts, answers = sets[name], decisions(conformance.peer, sets[name])
            at = {text[0]: place for place, text in enumerate(texts)}
            for cut, handed in (("own", OWN), ("given", ALL)):
                rows[name, cut] = compare(conformance, texts, answers, handed)
                for row in rows[name, cut]:
                    if row.theirs != row.ours:
                        text, answer = texts[at[row.name]], answers[at[row.name]]
                        hangs_on = cause(conformance, text, answer, row.part) if cut == "own" else RULES
                        found.append(Disagreement(name, cut, row, hangs_on, text[1], answer))
        outcomes.append(Outcome(conformance, rows, found))
    for peer in peers.ALL:
        answers = {answer["id"]: answer for answer in decisions(peer, sets["golden"])}
        golden.write(golden.FOLDER / f"{peer.name}-{peer.version}.json.xz", answers)
    text, failures = write_report(outcomes, {name: sets[name] for name in ("pages", "adversarial")})
    pairs, wrong = section(compared())
    text, failures = f"{text}\n{pairs}", failures + wrong
    REPORT.write_text(text)
    print(text)
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    print(f"Written to {REPORT.relative_to(peers.ROOT)}; at least {ENOUGH:.0%} is asked for with our own segmentation.", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
