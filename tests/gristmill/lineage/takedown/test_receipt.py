"""A receipt's hash and signature: what they hold, and what is refused."""

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from gristmill.crawl import tombstones
from gristmill.crawl.tombstones import Tombstone
from gristmill.errors import LakeError
from gristmill.lineage.takedown.receipt import public_key_of, receipt, signed, verified

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
    with pytest.raises(LakeError, match="not by A"):
        verified(good, "A" * 43 + "=")
    with pytest.raises(LakeError, match="no signature"):
        verified(value, public)
    other = good["signature"] | {"value": "A" * 86 + "=="}
    with pytest.raises(LakeError, match="does not fit"):
        verified(good | {"signature": other})


def test_a_public_key_may_be_a_pem_file(value, tmp_path):
    private, public = ed25519.Ed25519PrivateKey.generate(), tmp_path / "key.pub"
    key = tmp_path / "key.pem"
    key.write_bytes(private.private_bytes(*FORM))
    pem = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(private.public_key().public_bytes(*pem))
    good = signed(value, key)
    assert "signed by the key" in verified(good, str(public)) and public_key_of(str(public)) == good["signature"]["public_key"]
    public.write_bytes(ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*pem))
    with pytest.raises(LakeError, match="was signed by the key"):
        verified(good, str(public))
    public.write_bytes(ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*pem))
    for given, said in (
        (str(public), "no Ed25519 one"),
        (str(key), "no public key in PEM"),
        (str(tmp_path / "missing.pub"), "no file and no Ed25519 key"),
        ("AAAA", "no file and no Ed25519 key"),
        ("x" * 5000, "no file"),
    ):
        with pytest.raises(LakeError, match=said) as caught:
            verified(good, given)
        assert "PEM file with an Ed25519 public key" in str(caught.value)


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
