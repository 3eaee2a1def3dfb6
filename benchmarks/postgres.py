"""A Postgres server of its own for a benchmark or a test, where one is installed."""

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def server() -> Iterator[dict | None]:
    """Dagster's storage configuration for a fresh server; None without `initdb` and `postgres`, or without dagster-postgres."""
    found = [_program(name) for name in ("initdb", "postgres")]
    if None in found or importlib.util.find_spec("dagster_postgres") is None:
        yield None
        return
    initdb, postgres = found
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        data = Path(folder) / "data"
        who = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "nobody")
            who = {"user": "nobody"}
        subprocess.run([initdb, "-D", data, "-U", "mill", "-A", "trust", "-E", "UTF8"], check=True, stdout=subprocess.DEVNULL, **who)
        process = subprocess.Popen(
            [postgres, "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **who,
        )
        try:
            _wait(port, process)
            db = {"username": "mill", "password": "", "hostname": "127.0.0.1", "port": port, "db_name": "postgres"}
            yield {"postgres": {"postgres_db": db}}
        finally:
            process.terminate()
            process.wait()


def _program(name: str) -> str | None:
    """On the path, or where Debian keeps it."""
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(beside[-1]) if beside else None)


def _wait(port: int, process: subprocess.Popen) -> None:
    import psycopg2

    for _ in range(300):
        try:
            psycopg2.connect(host="127.0.0.1", port=port, user="mill", dbname="postgres").close()
            return
        except psycopg2.OperationalError:
            if process.poll() is not None:
                raise
            time.sleep(0.1)
    raise TimeoutError("postgres does not answer")
