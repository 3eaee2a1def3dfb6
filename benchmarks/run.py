"""`make bench [ONLY=name]`: one JSON line per benchmark: name, ours, peer, ratio, unit.

Ours and the peer's are measured in the same run on the same input, in turns; the median of each is printed.
Quote ratios: absolute figures are this machine's.
"""

import importlib
import json
import pkgutil
import statistics
import sys
import time
from collections.abc import Callable

import benchmarks

ROUNDS = 3


def measure(
    name: str,
    unit: str,
    amount: float,
    ours: Callable[[], object],
    peer: Callable[[], object],
    peer_name: str,
    peer_amount: float | None = None,
) -> None:
    """Runs both in turns and prints the line; figures are `amount` per second. A peer that is too slow for all of it gets `peer_amount`."""
    rates: dict[str, list[float]] = {"ours": [], "peer": []}
    for round_ in range(ROUNDS + 1):
        for who, function in (("ours", ours), ("peer", peer)):
            start = time.perf_counter()
            function()
            if round_:  # the first round warms caches and compilers
                done = amount if who == "ours" or peer_amount is None else peer_amount
                rates[who].append(done / (time.perf_counter() - start))
    mine, other = statistics.median(rates["ours"]), statistics.median(rates["peer"])
    report(name, unit, mine, other, peer_name)


def report(name: str, unit: str, ours: float, peer: float | None = None, peer_name: str = "") -> None:
    """Prints a line of figures that were measured elsewhere; without a peer, ours alone."""
    line: dict[str, object] = {"name": name, "ours": round(ours, 3), "unit": unit}
    if peer is not None:
        line = {
            "name": name,
            "ours": round(ours, 3),
            "peer": round(peer, 3),
            "ratio": round(ours / peer, 2),
            "unit": unit,
            "against": peer_name,
        }
    print(json.dumps(line), flush=True)


def main() -> int:
    names = sorted(each.name.removeprefix("bench_") for each in pkgutil.iter_modules(benchmarks.__path__) if each.name.startswith("bench_"))
    wanted = sys.argv[1:] or names
    if unknown := [name for name in wanted if name not in names]:
        print(f"no benchmark named {', '.join(unknown)}; known: {', '.join(names)}", file=sys.stderr)
        return 2
    for name in wanted:
        importlib.import_module(f"benchmarks.bench_{name}").run(measure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
