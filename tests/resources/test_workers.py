"""Worker processes end with the map that they work for."""

import multiprocessing
import time

from resources.workers import Workers, _pool


def test_a_map_that_is_left_early_leaves_no_process_at_work():
    mapped = Workers(processes=2).map(time.sleep, [0, 3600, 3601, 3602])
    assert next(mapped) == (0, None, None)
    workers = list(_pool(2)._processes.values())
    mapped.close()
    assert len(workers) == 2 and not any(worker.is_alive() for worker in workers)
    assert not [child for child in multiprocessing.active_children() if child in workers]
    assert list(Workers(processes=2).map(abs, [-1, -2])) != [], "the next map has a pool of its own"


def test_a_map_that_ends_keeps_its_pool():
    assert sorted(result for _, result, _ in Workers(processes=2).map(abs, [-1, -2, -3])) == [1, 2, 3]
    workers = list(_pool(2)._processes.values())
    assert sorted(result for _, result, _ in Workers(processes=2).map(abs, [-4, -5])) == [4, 5]
    assert list(_pool(2)._processes.values()) == workers
