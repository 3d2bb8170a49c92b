"""The signing keys: kept encrypted, rotated, never the burned one, and back as soon as they are back."""

import hashlib
import json
import shutil
import stat
import threading
from contextlib import suppress
from dataclasses import asdict, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from portal.audit.models import AuditRow
from portal.licenses import key_ring
from portal.licenses.key_ring import BurnedKey, KeyNotRevocable, KeyRing, KeyState, NoSigningKey, spki_sha256

PASSPHRASE = "words that open"


@pytest.fixture(autouse=True)
def small_keys(monkeypatch):
    """Make keys that are made quickly; how large a real one is has a test of its own."""
    monkeypatch.setattr(key_ring, "_NEW_KEY_BITS", 2048)


@pytest.fixture
def folder(tmp_path):
    """A directory that does not exist yet."""
    return tmp_path / "keys" / "license"


@pytest.fixture
def ring(folder):
    """A key ring with one key."""
    made = KeyRing(folder, PASSPHRASE)
    made.rotate()
    return made


def states(ring):
    return [info.state.value for info in ring.infos()]


def is_good(ring, kid, signature):
    known = ring.public_key(kid)
    assert known
    known[1].verify(signature, b"data", PKCS1v15(), SHA256())
    return True


def pem_of(key, passphrase=PASSPHRASE):
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def replace_key(folder, kid, content):
    (folder / f"{kid}.pem").unlink()
    (folder / f"{kid}.pem").write_bytes(content)


class TestRotation:
    def test_the_new_key_is_active_and_the_old_ones_verify(self, ring):
        old_kid, sign_old = ring.signer()
        signature = sign_old(b"data")
        ring.rotate()
        newest = ring.rotate()
        assert states(ring) == ["verify_only", "verify_only", "active"]
        assert ring.signer()[0] == newest.kid
        assert is_good(ring, old_kid, signature)
        assert ring.infos()[0].not_after is not None
        assert newest.not_after is None

    def test_what_is_signed_is_verified_by_the_key_of_its_kid_only(self, ring):
        kid, sign = ring.signer()
        other = ring.rotate()
        assert is_good(ring, kid, sign(b"data"))
        known = ring.public_key(other.kid)
        assert known
        with pytest.raises(Exception, match="^$"):
            known[1].verify(sign(b"data"), b"data", PKCS1v15(), SHA256())

    def test_another_process_sees_it_at_once(self, ring, folder):
        running = KeyRing(folder, PASSPHRASE)
        first = running.signer()[0]
        made = ring.rotate()
        assert running.signer()[0] == made.kid != first
        assert running.public_key(made.kid)

    def test_several_at_once_lose_no_key(self, ring, folder, monkeypatch):
        private = rsa.generate_private_key(65537, 2048)
        made, read = threading.Barrier(4), threading.Barrier(2)
        read_index = KeyRing._read_index

        def generate(**_options: object) -> rsa.RSAPrivateKey:
            made.wait(10)  # all of them come to the index together
            return private

        def read_slowly(self: KeyRing) -> list[key_ring.KeyInfo]:
            found = read_index(self)
            with suppress(threading.BrokenBarrierError):
                read.wait(0.05)  # whoever is not kept out reads the same
            return found

        monkeypatch.setattr(rsa, "generate_private_key", generate)
        monkeypatch.setattr(KeyRing, "_read_index", read_slowly)
        threads = [threading.Thread(target=KeyRing(folder, PASSPHRASE).rotate) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(states(ring)) == ["active"] + ["verify_only"] * 4

    def test_threads_sign_while_keys_are_rotated(self, ring):
        signed: list[tuple[str, bytes]] = []
        is_over = threading.Event()

        def sign_on() -> None:
            while not is_over.is_set():
                kid, sign = ring.signer()
                signed.append((kid, sign(b"data")))

        threads = [threading.Thread(target=sign_on) for _ in range(2)]
        for thread in threads:
            thread.start()
        ring.rotate()
        ring.rotate()
        is_over.set()
        for thread in threads:
            thread.join()
        assert signed
        assert all(is_good(ring, kid, signature) for kid, signature in signed)

    def test_without_a_passphrase_no_key_is_made(self, folder):
        with pytest.raises(NoSigningKey, match="PASSPHRASE"):
            KeyRing(folder, None).rotate()
        assert not folder.exists()

    @pytest.mark.parametrize("damage", ["garbage", "missing"])
    def test_an_index_that_cannot_be_read_is_not_replaced(self, ring, folder, damage):
        index = folder / "key-ring.json"
        index.unlink()
        if damage == "garbage":
            index.write_text("[{]")
        with pytest.raises(NoSigningKey, match=r"key-ring\.json"):
            ring.rotate()
        assert index.exists() == (damage == "garbage")


class TestRevocation:
    def test_a_key_of_before_is_revoked_for_every_process(self, ring, folder):
        old = ring.signer()[0]
        with pytest.raises(KeyNotRevocable, match="rotate"):
            ring.revoke(old)
        ring.rotate()
        running = KeyRing(folder, None)
        assert running.public_key(old)[0].state is KeyState.VERIFY_ONLY
        ring.revoke(old)
        retired_at = ring.infos()[0].not_after
        ring.revoke(old)
        assert running.public_key(old)[0].state is KeyState.REVOKED
        assert (states(ring), ring.infos()[0].not_after) == (["revoked", "active"], retired_at)
        with pytest.raises(KeyNotRevocable, match="no key"):
            ring.revoke("lb-nobody")


class TestFiles:
    def test_the_private_key_is_encrypted_and_for_its_owner_only(self, ring, folder):
        kid = ring.signer()[0]
        file = folder / f"{kid}.pem"
        assert file.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        assert stat.S_IMODE(file.stat().st_mode) == 0o400
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with pytest.raises(TypeError):
            load_pem_private_key(file.read_bytes(), None)

    def test_what_others_may_read_holds_nothing_private(self, ring, folder):
        for path in folder.iterdir():
            if stat.S_IMODE(path.stat().st_mode) & 0o044:
                assert "PRIVATE" not in path.read_text(encoding="utf-8")

    def test_a_new_key_has_3072_bits(self, folder, monkeypatch):
        monkeypatch.undo()
        assert key_ring._NEW_KEY_BITS == 3072

    def test_no_unfinished_file_is_left(self, ring, folder):
        assert {path.suffix for path in folder.iterdir() if path.name != ".lock"} == {".pem", ".json"}

    def test_a_kid_holds_only_what_may_be_printed_anywhere(self, ring):
        kid = ring.signer()[0]
        assert set(kid) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert len(kid) <= 64


def take_away(folder, kid):
    (folder / f"{kid}.pem").rename(folder / "away")


def spoil(folder, kid):
    shutil.copy(folder / f"{kid}.pem", folder / "away")
    replace_key(folder, kid, b"-----BEGIN ENCRYPTED PRIVATE KEY-----\ngarbage\n")


def lock_with_another(folder, kid):
    shutil.copy(folder / f"{kid}.pem", folder / "away")
    key = load_pem_private_key((folder / f"{kid}.pem").read_bytes(), PASSPHRASE.encode())
    replace_key(folder, kid, pem_of(key, "other words"))


def unlock(folder, kid):
    shutil.copy(folder / f"{kid}.pem", folder / "away")
    key = load_pem_private_key((folder / f"{kid}.pem").read_bytes(), PASSPHRASE.encode())
    replace_key(folder, kid, pem_of(key, None))


def exchange(folder, kid):
    shutil.copy(folder / f"{kid}.pem", folder / "away")
    replace_key(folder, kid, pem_of(rsa.generate_private_key(65537, 2048)))


def exchange_for_a_curve(folder, kid):
    shutil.copy(folder / f"{kid}.pem", folder / "away")
    replace_key(folder, kid, pem_of(ec.generate_private_key(ec.SECP256R1())))


class TestAKeyThatIsAway:
    @pytest.mark.parametrize(
        "damage", [take_away, spoil, lock_with_another, unlock, exchange, exchange_for_a_curve]
    )
    def test_nothing_is_signed_until_it_is_back(self, ring, folder, damage):
        kid, sign = ring.signer()
        signature = sign(b"data")
        damage(folder, kid)
        for _ in range(2):
            with pytest.raises(NoSigningKey) as caught:
                ring.signer()
        assert PASSPHRASE not in str(caught.value)
        assert is_good(ring, kid, signature), "verifying needs no private key"
        (folder / "away").replace(folder / f"{kid}.pem")
        assert ring.signer()[0] == kid

    @pytest.mark.parametrize("content", [None, b"", b"[", b"{}", b"5", b"[1]", b'[{"kid": "x"}]', b"\xff"])
    def test_nor_without_an_index(self, ring, folder, content):
        kid = ring.signer()[0]
        index = folder / "key-ring.json"
        index.rename(folder / "away")
        if content is not None:
            index.write_bytes(content)
        with pytest.raises(NoSigningKey):
            ring.signer()
        assert ring.infos() == []
        assert ring.public_key(kid) is None
        (folder / "away").replace(index)
        assert ring.signer()[0] == kid
        assert ring.public_key(kid)

    @pytest.mark.parametrize("passphrase", ["other words", None])
    def test_nor_with_a_wrong_passphrase(self, ring, folder, passphrase):
        with pytest.raises(NoSigningKey):
            KeyRing(folder, passphrase).signer()

    def test_nor_before_the_first_key(self, folder):
        empty = KeyRing(folder, PASSPHRASE)
        with pytest.raises(NoSigningKey, match="no active key"):
            empty.signer()
        assert (empty.infos(), empty.public_key("lb-1")) == ([], None)


class TestBurnedKey:
    def test_the_key_in_the_extensions_repository_is_on_the_list(self):
        assert (
            "b5c8bbb8b3f50d3a9b72a1d8bf866e1b66f620c8ca732afd107bd183ed6bbb91" in key_ring.BURNED_SPKI_SHA256
        )

    def test_a_fingerprint_is_the_sha256_of_the_spki(self):
        key = rsa.generate_private_key(65537, 2048).public_key()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert spki_sha256(key) == hashlib.sha256(der).hexdigest()

    def test_it_neither_signs_nor_verifies(self, ring, folder, monkeypatch):
        kid = ring.signer()[0]
        known = ring.public_key(kid)
        assert known
        monkeypatch.setattr(key_ring, "BURNED_SPKI_SHA256", frozenset({spki_sha256(known[1])}))
        fresh = KeyRing(folder, PASSPHRASE)
        assert fresh.public_key(kid) is None
        with pytest.raises(NoSigningKey, match="burned"):
            fresh.signer()
        with pytest.raises(BurnedKey):
            key_ring.check_not_burned(known[1])
        made = fresh.rotate()
        assert fresh.signer()[0] == made.kid, "another key takes its place"


class TestCommands:
    @pytest.fixture
    def run(self, app, ring, monkeypatch):
        """Run a command on the key ring of this test."""
        tools = replace(app.extensions["portal_tools"], key_ring=ring)
        monkeypatch.setitem(app.extensions, "portal_tools", tools)
        return lambda *words: app.test_cli_runner().invoke(args=["license-keys", *words])

    def test_list_shows_each_with_its_state(self, run, ring):
        ring.rotate()
        lines = run("list").stdout.splitlines()
        assert [line.split()[:2] for line in lines] == [[info.kid, info.state.value] for info in ring.infos()]
        listed = json.loads(run("list", "--json").stdout)
        assert [(key["kid"], key["state"]) for key in listed] == [
            (key.kid, key.state) for key in ring.infos()
        ]

    def test_rotate_makes_the_next_and_is_audited(self, run, ring, count):
        result = run("rotate", "--json")
        made = json.loads(result.stdout)
        assert (result.exit_code, made) == (0, {"kid": ring.signer()[0], "made": True})
        assert states(ring) == ["verify_only", "active"]
        assert count(AuditRow, AuditRow.subject == f"license_key:{made['kid']}") == 1

    def test_rotate_first_makes_none_where_one_is_active(self, run, ring):
        result = run("rotate", "--first", "--json")
        assert (result.exit_code, json.loads(result.stdout)) == (0, {"kid": ring.signer()[0], "made": False})
        assert states(ring) == ["active"]

    def test_rotate_first_makes_one_where_none_is(self, run, ring, folder):
        shutil.rmtree(folder)
        assert json.loads(run("rotate", "--first", "--json").stdout)["made"]
        assert states(ring) == ["active"]

    def test_a_rotation_that_fails_is_exit_code_1_and_a_sentence(self, run, folder):
        (folder / "key-ring.json").write_text("[")
        result = run("rotate")
        assert result.exit_code == 1
        assert "No key was made" in result.stderr
        assert "Traceback" not in result.output

    def test_export_gives_the_public_keys_and_nothing_else(self, run, ring):
        ring.rotate()
        text = run("export").stdout
        assert text.strip() == "".join(info.pem for info in ring.infos()).strip()
        assert "PRIVATE" not in text
        keys = json.loads(run("export", "--json").stdout)["keys"]
        assert [(key["kid"], key["alg"], key["status"]) for key in keys] == [
            (info.kid, "RS256", info.state.value) for info in ring.infos()
        ]

    def test_a_key_that_is_only_prepared_is_not_published(self, run, ring, folder):
        prepared = {**asdict(ring.infos()[0]), "kid": "lb-next", "state": KeyState.PREPARED.value}
        entries = [asdict(info) for info in ring.infos()]
        (folder / "key-ring.json").unlink()
        (folder / "key-ring.json").write_text(json.dumps([*entries, prepared]))
        assert [key["kid"] for key in json.loads(run("export", "--json").stdout)["keys"]] == [
            entries[0]["kid"]
        ]
