"""Run by datatrove's own interpreter: what its FineWeb filters decide of texts, and the words that they saw.

    python peer_datatrove.py decide texts.jsonl decisions.jsonl
    python peer_datatrove.py time texts.jsonl seconds.json
    python peer_datatrove.py crawl pages.warc.gz seconds.json

`decide`: a line per text ({"id", "text"}) with `filters` (the reason of each filter alone on the text as it stands, null
where it keeps it; `c4_ended` is C4's with its rule on how lines end, which FineWeb switches off), `chain` (the first
reason in the order of `examples/fineweb.py` from the language filter on, each filter seeing what the one before left;
null where all keep it), `fineweb_after_c4` (the FineWeb filter's on the text that C4's leaves), `words` (the
tokenizer's, of the text), `sentences` (sentences of each of `text.splitlines()` as the C4 filter counts them, whether it
keeps the line or not), `clean` (the text that the C4 filter leaves, null where it drops the document) and
`clean_words`. A filter that raises has the exception's name as its reason, after `raises `.

`time`: processor seconds for the chain, and for all four filters without stopping at the first that drops; the words of
nothing are computed beside. `crawl`: processor seconds of datatrove's own WARC reader, Trafilatura and the chain.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.filters.c4_filters import CITATION_REGEX
from datatrove.utils.typeshelper import Languages
from datatrove.utils.word_tokenizers import load_word_tokenizer
from loguru import logger

FILTERS = {
    "repetition": GopherRepetitionFilter(),
    "quality": GopherQualityFilter(),
    "c4": C4QualityFilter(filter_no_terminal_punct=False),
    "fineweb": FineWebQualityFilter(),
}
ENDED = {"c4_ended": C4QualityFilter()}
TOKENIZER = load_word_tokenizer(Languages.english)


def reason(name: str, document: Document) -> str | None:
    try:
        result = {**FILTERS, **ENDED}[name].filter(document)
    except Exception as error:
        return f"raises {type(error).__name__}"
    return None if result is True else result[1]


def decide(text: str) -> dict[str, object]:
    filters = {}
    clean = None
    for name in (*FILTERS, *ENDED):
        document = Document(text=text, id="")
        filters[name] = reason(name, document)
        if name == "c4" and filters[name] is None:
            clean = document.text
    chain = filters["repetition"] or filters["quality"] or filters["c4"]
    after = None if clean is None else reason("fineweb", Document(text=clean, id=""))
    lines = [CITATION_REGEX.sub("", line.strip()) for line in text.splitlines()]
    return {
        "filters": filters,
        "chain": chain or after,
        "fineweb_after_c4": after,
        "words": TOKENIZER.word_tokenize(text),
        "sentences": [len(TOKENIZER.sent_tokenize(line)) for line in lines],
        "clean": clean,
        "clean_words": None if clean is None else TOKENIZER.word_tokenize(clean),
    }


def chain(text: str) -> bool:
    document = Document(text=text, id="")
    return all(reason(name, document) is None for name in FILTERS)


def every(text: str) -> list[str | None]:
    document = Document(text=text, id="")
    return [reason(name, document) for name in FILTERS]


def seconds(function, texts: list[str]) -> float:
    started = time.process_time()
    for text in texts:
        function(text)
    return time.process_time() - started


def crawl(path: str) -> float:
    """Processor seconds from the WARC file to the filters' answers."""
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.readers import WarcReader

    chain("A first document, so that the tokenizer is there.")
    reader = WarcReader(str(Path(path).parent), glob_pattern=Path(path).name)
    started, children = time.process_time(), sum(_children())
    for document in Trafilatura(favour_precision=True, timeout=10).run(reader.run()):
        chain(document.text)
    return time.process_time() - started + sum(_children()) - children


def _children() -> tuple[float, float]:
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime, usage.ru_stime


def main(mode: str, source: str, target: str) -> None:
    logger.remove()
    if mode == "crawl":
        Path(target).write_text(json.dumps({"cpu": crawl(source)}))
        return
    with open(source, encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    if mode == "time":
        texts = [row["text"] for row in rows]
        seconds(chain, texts[:2])  # loads the tokenizer
        Path(target).write_text(json.dumps({"chain": seconds(chain, texts), "every": seconds(every, texts)}))
        return
    with open(target, "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps({"id": row["id"], **decide(row["text"])}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
