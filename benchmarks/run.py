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


def measure(name: str, unit: str, amount: float, ours: Callable[[], object], peer: Callable[[], object], peer_name: str) -> None:
    """Runs both in turns and prints the line; figures are `amount` per second."""
    rates: dict[str, list[float]] = {"ours": [], "peer": []}
    for round_ in range(ROUNDS + 1):
        for who, function in (("ours", ours), ("peer", peer)):
            start = time.perf_counter()
            function()
            if round_:  # the first round warms caches and compilers
                rates[who].append(amount / (time.perf_counter() - start))
    mine, other = statistics.median(rates["ours"]), statistics.median(rates["peer"])
    print(
        json.dumps(
            {
                "name": name,
                "ours": round(mine, 3),
                "peer": round(other, 3),
                "ratio": round(mine / other, 2),
                "unit": unit,
                "against": peer_name,
            }
        ),
        flush=True,
    )


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
