"""The small graph of `tests/jobs/gated_mill.py` rebuilt on another host.

`unshare --uts python host_mill.py HOST FOLDER HOME PATIENCE [SHARD]`: the lake lies in FOLDER, the instance is HOME's; a holder
elsewhere is given up after PATIENCE seconds without a beat.
"""

import importlib.util
import socket
import sys
from pathlib import Path

import dagster as dg

from gristmill.lake import lease
from jobs.plan_cli import print_outcome

spec = importlib.util.spec_from_file_location("gated_mill", Path(__file__).parents[1] / "jobs" / "gated_mill.py")
gated_mill = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gated_mill)

if __name__ == "__main__":
    host, folder, home, patience, *gated = sys.argv[1:]
    socket.sethostname(host)
    gated_mill.FOLDER, gated_mill.GATED = Path(folder), next(iter(gated), "")
    lease.BEAT, lease.PATIENCE, lease.POLL = float(patience) / 10, float(patience), 0.05
    with dg.DagsterInstance.from_config(home) as instance:
        outcome = gated_mill.driver(Path(folder), instance).drive(say=lambda text: print(text, flush=True))  # noqa: T201
    print_outcome(outcome)
    sys.exit(0 if outcome.succeeded else 1)
