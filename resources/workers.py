"""Workers: maps a function over shards, in this process or in a pool of local ones."""

from __future__ import annotations

import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from typing import Any

import dagster as dg


@lru_cache(maxsize=1)
def _pool(processes: int) -> ProcessPoolExecutor:
    # spawned, not forked: the orchestrator's process has threads; kept, since a start imports the world
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    """A killed parent's workers would wait for work for ever, and one in the middle of its partition publish what a later rebuild
    has overtaken."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="ends-with-its-parent").start()


class Workers(dg.ConfigurableResource):
    """`processes` shards at a time; 1 works in this process, 0 takes one process per core."""

    processes: int = 0

    def map(self, function: Callable[..., Any], items: Sequence[Any], *args: Any) -> Generator[tuple[Any, Any, str | None]]:
        """Yields (item, result, None) or (item, None, traceback) as each call `function(item, *args)` ends, in any order. Closed
        before the end, it kills the processes that are at work."""
        processes = min(self.processes or os.cpu_count() or 1, len(items))
        if processes <= 1:
            for item in items:
                yield item, *_caught(function, item, *args)
            return
        pool = _pool(self.processes or os.cpu_count() or 1)
        futures = {pool.submit(_caught, function, item, *args): item for item in items}
        try:
            for future in as_completed(futures):
                if error := future.exception():  # a worker died; the pool is broken for the rest too
                    _pool.cache_clear()
                    yield futures[future], None, f"worker process died: {error}"
                else:
                    yield futures[future], *future.result()
        finally:
            if not all(future.done() for future in futures):  # interrupted: what runs must not publish after this
                _pool.cache_clear()
                for process in list((pool._processes or {}).values()):
                    process.kill()
                pool.shutdown(cancel_futures=True)


def _caught(function: Callable[..., Any], item: Any, *args: Any) -> tuple[Any, str | None]:
    try:
        return function(item, *args), None
    except Exception:  # one shard's failure must not end the others; reported by the caller
        return None, traceback.format_exc()
