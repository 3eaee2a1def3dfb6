"""The peers that profiles are named after, each installed from its wheel in an environment of its own.

`.peers/<peer>-<version>/` holds a virtual environment with exactly the packages of `locks/<peer>-<version>.txt`: the
peer's wheel and what its filters import, no more (pip's resolver is not asked). It is made once and made again when the
lock or the Python changes. NLTK's Punkt model for English (what datatrove 0.3 cuts sentences with) is on no package
index under its own name and NLTK's server may be out of reach; llama-index-core 0.10.38 carries NLTK's own file, which
is taken from that wheel and checked by its digest.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PEERS = Path(os.environ.get("GRISTMILL_PEERS", ROOT / ".peers"))

PUNKT_WHEEL = "llama-index-core==0.10.38.post1"
PUNKT_FILE = "llama_index/core/_static/nltk_cache/tokenizers/punkt/PY3/english.pickle"
PUNKT_SHA256 = "5cad3758596392364e3be9803dbd7ebeda384b68937b488a01365f5551bb942c"


@dataclass(frozen=True)
class Peer:
    """A system at one version: the script that its own interpreter runs, and whether it needs NLTK's Punkt model."""

    name: str
    version: str
    script: str
    punkt: bool = False

    @property
    def lock(self) -> Path:
        return Path(__file__).parent / "locks" / f"{self.name}-{self.version}.txt"

    @property
    def folder(self) -> Path:
        return PEERS / f"{self.name}-{self.version}"

    @property
    def stamp(self) -> str:
        """What the environment is made of."""
        parts = [self.lock.read_bytes(), sys.version.encode(), PUNKT_SHA256.encode() if self.punkt else b""]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


DATATROVE = Peer("datatrove", "0.10.1", "peer_datatrove.py")
DATATROVE_03 = Peer("datatrove", "0.3.0", "peer_datatrove.py", punkt=True)
DOLMA = Peer("dolma", "1.2.1", "peer_dolma.py", punkt=True)  # its import looks for Punkt and would try to download it
ALL = (DATATROVE, DATATROVE_03, DOLMA)

DATATROVE_MINHASH = Peer("datatrove", "0.10.1", "peer_datatrove_minhash.py")
DATASKETCH = Peer("datasketch", "2.0.0", "peer_datasketch.py")
RENSA = Peer("rensa", "0.5.0", "peer_rensa.py")
SEMHASH = Peer("semhash", "0.5.0", "peer_semhash.py")


def interpreter(peer: Peer) -> Path:
    """The peer's own Python, installed first where it is not yet."""
    python, stamp = peer.folder / "bin" / "python", peer.folder / "stamp"
    if python.exists() and stamp.exists() and stamp.read_text() == peer.stamp:
        return python
    print(f"Installing {peer.name} {peer.version} in {peer.folder} ...", file=sys.stderr, flush=True)
    shutil.rmtree(peer.folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(peer.folder)], check=True)
    _pip(python, "install", "--no-deps", "--requirement", str(peer.lock))
    if peer.punkt:
        _punkt(python, peer.folder / "nltk_data")
    stamp.write_text(peer.stamp)
    return python


def run(peer: Peer, *arguments: str) -> None:
    """Runs the peer's script by its own interpreter, which sees nothing of ours but that file."""
    python = interpreter(peer)
    environment = {**os.environ, "NLTK_DATA": str(peer.folder / "nltk_data"), "PYTHONHASHSEED": "0", "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    script = Path(__file__).parent / peer.script
    done = subprocess.run([str(python), str(script), *arguments], env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{peer.name} {peer.version} failed:\n{done.stderr[-4000:]}")


def _punkt(python: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as downloads:
        _pip(python, "download", "--no-deps", "--dest", downloads, PUNKT_WHEEL)
        (wheel,) = Path(downloads).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            model = archive.read(PUNKT_FILE)
    if hashlib.sha256(model).hexdigest() != PUNKT_SHA256:
        raise SystemExit(f"{PUNKT_FILE} of {PUNKT_WHEEL} is not NLTK's English Punkt model as it was recorded")
    target = folder / "tokenizers" / "punkt" / "PY3" / "english.pickle"
    target.parent.mkdir(parents=True)
    target.write_bytes(model)


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"pip {arguments[0]} failed:\n{done.stderr[-4000:]}")


if __name__ == "__main__":
    for each in (*ALL, DATASKETCH, RENSA, SEMHASH):
        print(interpreter(each))
