"""The process in which pages are extracted, so that one that hangs or crashes in C takes nothing else with it.

Says READY, then reads requests from its standard input and answers on its standard output, one at a time (`extract.py` is
the other end). A request says where in the memory that both share a JSON header and a payload lie (8 bytes), and how long each is
(4 bytes); an answer is two lengths (4 bytes), a JSON header and the text, not tidied yet. All numbers are big-endian; an answer with a
text has no header.
"""

from __future__ import annotations

import functools
import json
import mmap
import os
import resource
import signal
import struct
import sys

READY = b"ready"

MEMORY_BYTES = 4 << 30
"""Address space of the worker: a page that wants more fails alone."""


def main() -> None:
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up among the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seconds, shelf, extractors = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]

    from gristmill.crawl.content import laid_out

    for extractor in extractors:
        laid_out(b"<html><body><p>warm</p></body></html>", None, extractor)  # type: ignore[arg-type]
    answers.write(READY)
    answers.flush()
    header_of = functools.cache(json.loads)
    memory = mmap.mmap(shelf, 0, prot=mmap.PROT_READ)
    while place := requests.read(16):
        begin, header_length, payload_length = struct.unpack(">QII", place)
        middle = begin + header_length
        end = middle + payload_length
        if end > len(memory):
            memory.close()
            memory = mmap.mmap(shelf, 0, prot=mmap.PROT_READ)
        header, payload = header_of(memory[begin:middle]), memory[middle:end]
        # ITIMER_PROF counts this process's CPU time; SIGPROF's default action ends it, also in the middle of a C call.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            text, answer = laid_out(payload, header["charset"], header["extractor"]).encode("utf-8", "surrogatepass"), b""
        except Exception as error:  # any library's: the page is quarantined with it
            text, answer = b"", json.dumps({"error": type(error).__name__, "message": str(error)[:500]}).encode()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(struct.pack(">II", len(answer), len(text)) + answer + text)
        answers.flush()


if __name__ == "__main__":
    main()
