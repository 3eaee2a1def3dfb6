"""A receipt's hash and signature: what they hold, and what is refused."""

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from gristmill.crawl import tombstones
from gristmill.crawl.tombstones import Tombstone
from gristmill.errors import LakeError
from gristmill.lineage.takedown.receipt import receipt, signed, verified

FORM = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()


@pytest.fixture
def value(workspace) -> dict:
    """The receipt of a tombstone in a lake that holds nothing."""
    stone = tombstones.take_down(workspace.lake, Tombstone("", "domain", "a.example", "Ann", "asked", tombstones.now()))
    return receipt(workspace, stone)


def test_in_an_empty_lake_everything_is_absent(value):
    assert value["status"] == "absent" and all(claim["passed"] for claim in value["stands"] + value["left"])
    assert "not signed" in verified(json.loads(json.dumps(value)))


def test_a_signed_one_names_its_key_and_bears_no_change(value, tmp_path):
    key = tmp_path / "key.pem"
    key.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(*FORM))
    good = signed(value, key)
    public = good["signature"]["public_key"]
    assert public in verified(good, public)
    with pytest.raises(LakeError, match="was changed"):
        verified(good | {"status": "present"})
    with pytest.raises(LakeError, match="not by"):
        verified(good, "AAAA")
    with pytest.raises(LakeError, match="no signature"):
        verified(value, public)
    other = good["signature"] | {"value": "A" * 86 + "=="}
    with pytest.raises(LakeError, match="does not fit"):
        verified(good | {"signature": other})


def test_what_is_no_key_is_refused(value, tmp_path):
    key = tmp_path / "key.pem"
    key.write_text("nothing")
    with pytest.raises(LakeError, match="no readable private key"):
        signed(value, key)
    key.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(*FORM))
    with pytest.raises(LakeError, match="no Ed25519 key"):
        signed(value, key)


def test_an_undone_takedown_has_no_receipt(workspace):
    stone = tombstones.take_down(workspace.lake, Tombstone("", "domain", "a.example", "Ann", "asked", tombstones.now()))
    with pytest.raises(LakeError, match="was undone"):
        receipt(workspace, tombstones.undo(workspace.lake, stone.id, "Bob", "a mistake"))
