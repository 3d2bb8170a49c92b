"""A license proves what was paid for, to our code and to the extension's, and to nobody what was not."""

import base64
import json
import re
import shutil
import subprocess
import uuid
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from portal import jobs
from portal.catalogue.models import Course
from portal.kit import faults
from portal.kit.db import db, transaction
from portal.ledger.models import LedgerEntry
from portal.licenses import text
from portal.licenses.models import Entitlement, License
from portal.licenses.services import LicenseCode, judge
from portal.orders.models import OrderStatus
from portal.payments.models import PaymentStatus

pytestmark = pytest.mark.database

NODE = """
const [text, pem] = JSON.parse(require("fs").readFileSync(0, "utf8"));
const [b64, signature] = text.split("|");
const verify = require("crypto").createVerify("SHA256");
verify.update(b64);
const isGood = verify.verify(pem, signature, "base64");
console.log(JSON.stringify(isGood ? JSON.parse(Buffer.from(b64, "base64").toString("utf8")) : null));
"""


def licenses(app):
    with app.app_context():
        found = list(db.session.scalars(sa.select(License).order_by(License.issued_at)))
        db.session.expunge_all()
        return found


def fields_of(license_text):
    return json.loads(base64.b64decode(license_text.split("|")[0]))


@pytest.fixture
def buyer(shop, clock):
    """Somebody at a browser."""
    return shop.buyer()


@pytest.fixture
def order_id(shop, buyer):
    """A paid order."""
    paid = buyer.buy()
    shop.pay(paid)
    assert shop.notify(paid).status_code == 200
    return paid


@pytest.fixture
def license_(app, order_id):
    """Its license."""
    (issued,) = licenses(app)
    return issued


@pytest.fixture
def public_key(tools, license_):
    """The PEM of the license's key."""
    return next(info.pem for info in tools.key_ring.infos() if info.kid == license_.kid)


class TestText:
    def test_it_is_verified_by_what_the_contract_says_alone(self, license_, public_key):
        b64, bar, signature = license_.text.partition("|")
        assert bar == "|"
        key = load_pem_public_key(public_key.encode())
        assert isinstance(key, rsa.RSAPublicKey)
        assert key.key_size >= 2048
        key.verify(base64.b64decode(signature, validate=True), b64.encode(), PKCS1v15(), SHA256())
        with pytest.raises(InvalidSignature):
            key.verify(base64.b64decode(signature), base64.b64decode(b64), PKCS1v15(), SHA256())

    def test_it_is_verified_by_node_as_in_the_extension(self, license_, public_key):
        node = shutil.which("node")
        assert node, "node is not on this machine. Mend it with: apt-get install nodejs"
        for license_text, fields in (
            (license_.text, fields_of(license_.text)),
            (f"A{license_.text[1:]}", None),
        ):
            said = subprocess.run(
                [node, "-e", NODE],
                input=json.dumps([license_text, public_key]),
                capture_output=True,
                text=True,
                check=True,
            )
            assert json.loads(said.stdout) == fields

    def test_it_has_the_fields_of_the_contract_and_no_other(self, app, license_, buyer, tools):
        fields = fields_of(license_.text)
        assert list(fields) == [
            "id",
            "createdAt",
            "expiresAt",
            "contentPermissions",
            "courseId",
            "kid",
            "subject",
            "limits",
            "gitee",
        ]
        assert str(uuid.UUID(fields["id"])) == fields["id"] == license_.id
        assert fields["contentPermissions"] == ["all_chapters"]
        assert fields["courseId"] == "cpp-primer-5th"
        assert fields["kid"] == license_.kid == tools.key_ring.signer()[0]
        assert fields["subject"] == buyer.learner.public_id
        assert fields["limits"] == {"maxDownloads": 5}
        with app.app_context():
            assert fields["gitee"] == db.session.get(Course, "cpp-primer-5th").gitee
        assert buyer.learner.email not in base64.b64decode(license_.text.split("|")[0]).decode()

    def test_moments_have_milliseconds_and_z(self, license_):
        fields = fields_of(license_.text)
        for name in ("createdAt", "expiresAt"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields[name], re.ASCII)
        created, expires = (datetime.fromisoformat(fields[name]) for name in ("createdAt", "expiresAt"))
        assert expires - created == timedelta(days=365)

    def test_a_course_without_a_repository_has_none_in_its_license(self, app, shop, buyer):
        paid = buyer.buy("javascript-complete")
        shop.pay(paid)
        shop.notify(paid)
        (issued,) = licenses(app)
        assert "gitee" not in fields_of(issued.text)
        assert fields_of(issued.text)["courseId"] == "javascript-complete"


def signed(tools, **fields):
    """Return a text signed with our key that was never stored."""
    kid, sign = tools.key_ring.signer()
    return text.write({"id": str(uuid.uuid4()), "kid": kid, "courseId": "cpp-primer-5th", **fields}, sign)


class TestVerdict:
    def verdict(self, app, tools, license_text, course_id=None):
        with app.app_context():
            code, found = judge(license_text, course_id, tools.key_ring)
            assert (found is not None) == (code in {"VALID", "EXPIRED", "REVOKED", "COURSE_MISMATCH"})
            return code.value

    def test_valid(self, app, tools, license_):
        assert self.verdict(app, tools, license_.text) == "VALID"
        assert self.verdict(app, tools, license_.text, "cpp-primer-5th") == "VALID"

    def test_course_mismatch(self, app, tools, license_):
        assert self.verdict(app, tools, license_.text, "javascript-complete") == "COURSE_MISMATCH"
        assert self.verdict(app, tools, license_.text, "") == "COURSE_MISMATCH"

    def test_expired(self, app, tools, license_, clock):
        clock.travel(days=364, hours=23)
        assert self.verdict(app, tools, license_.text) == "VALID"
        clock.travel(hours=2)
        assert self.verdict(app, tools, license_.text) == "EXPIRED"

    @pytest.mark.parametrize("status", ["revoked", "superseded"])
    def test_revoked(self, app, tools, license_, status):
        with app.app_context(), transaction():
            db.session.execute(sa.update(License).values(status=status, active_key=None))
        assert self.verdict(app, tools, license_.text) == "REVOKED"

    def test_revoked_with_its_key(self, app, tools, license_):
        index = tools.settings.LICENSE_KEY_DIR / "key-ring.json"
        before = index.read_bytes()
        try:
            index.write_bytes(before.replace(b'"active"', b'"revoked"'))
            assert self.verdict(app, tools, license_.text) == "REVOKED"
        finally:
            index.write_bytes(before)

    def test_bad_signature(self, app, tools, license_):
        b64, _, signature = license_.text.partition("|")
        fields = fields_of(license_.text) | {"expiresAt": "2099-01-01T00:00:00.000Z"}
        forged = base64.b64encode(json.dumps(fields).encode()).decode()
        other = rsa.generate_private_key(65537, 2048)
        foreign = base64.b64encode(other.sign(b64.encode(), PKCS1v15(), SHA256())).decode()
        for license_text in (f"{forged}|{signature}", f"{b64}|{foreign}", f"{b64}|", f"{b64}|AAAA"):
            assert self.verdict(app, tools, license_text) == "BAD_SIGNATURE"

    def test_unknown_key(self, app, tools, license_):
        assert self.verdict(app, tools, signed(tools, kid="lb-20200101-somebody")) == "UNKNOWN_KEY"
        assert self.verdict(app, tools, signed(tools, kid=["x"])) == "UNKNOWN_KEY"

    def test_what_our_key_signed_and_nobody_bought_is_not_valid(self, app, tools):
        assert self.verdict(app, tools, signed(tools)) == "UNKNOWN_KEY"

    @pytest.mark.parametrize(
        "license_text",
        [
            "",
            "|",
            "abc",
            "a|b|c",
            "not base64|AAAA",
            "e30=|not base64",
            "W10=|AAAA",  # []
            "bnVsbA==|AAAA",  # null
            "e30|AAAA",  # without its padding
            "_-8=|AAAA",  # the alphabet of URLs
            "e30=\n|AAAA",
            " e30=|AAAA",
            "许可证|AAAA",
            "x" * 20_000,
            f"{base64.b64encode(b'[' * 9000).decode()}|AAAA",
            f"{base64.b64encode(b'1' * 9000).decode()}|AAAA",
            f"{base64.b64encode(bytes([0xFF, 0xFE])).decode()}|AAAA",
            "e30=|AAAA\x00",
        ],
    )
    def test_malformed(self, app, tools, license_text):
        assert self.verdict(app, tools, license_text) == "MALFORMED"

    def test_every_code_of_the_contract_is_there(self):
        named = "VALID|MALFORMED|BAD_SIGNATURE|UNKNOWN_KEY|EXPIRED|REVOKED|COURSE_MISMATCH"
        assert [code.value for code in LicenseCode] == named.split("|")


def move(folder, kid):
    (folder / f"{kid}.pem").rename(folder / "away")
    return lambda: (folder / "away").rename(folder / f"{kid}.pem")


def spoil(folder, kid):
    file = folder / f"{kid}.pem"
    file.rename(folder / "away")
    file.write_text("no key at all")
    return lambda: (folder / "away").replace(file)


def lose_the_index(folder, _kid):
    index = folder / "key-ring.json"
    index.rename(folder / "away")
    return lambda: (folder / "away").rename(index)


class TestKeyAway:
    """F21: the money is taken, so the payment stands; the license follows by itself."""

    @pytest.fixture(params=[move, spoil, lose_the_index])
    def put_back(self, request, tools):
        """Take the key away; return what puts it back."""
        mend = request.param(tools.settings.LICENSE_KEY_DIR, tools.key_ring.signer()[0])
        undone: list[bool] = []

        def once() -> None:
            if not undone:
                undone.append(True)
                mend()

        yield once
        once()

    def test_the_license_follows_when_it_is_back(self, app, shop, buyer, clock, mails, count, put_back):
        order_id = buyer.buy()
        shop.pay(order_id)
        assert shop.notify(order_id).status_code == 200
        assert (shop.payment(order_id).status, shop.order(order_id).status) == (
            PaymentStatus.PAID,
            OrderStatus.PAID,
        )
        assert (count(LedgerEntry), count(Entitlement), count(License)) == (1, 1, 0)
        assert buyer.state(order_id) == "delivering"
        assert "your license is being made" in buyer.get(f"/checkout/{order_id}").get_data(as_text=True)
        for _ in range(4):
            clock.travel(seconds=31)
            shop.work()
        assert (buyer.state(order_id), count(License), mails()) == ("delivery_delayed", 0, [])
        put_back()
        clock.travel(seconds=31)
        shop.work(rounds=3)
        assert buyer.state(order_id) == "delivered"
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        assert (count(License), count(LedgerEntry), len(mails())) == (1, 1, 1)
        shop.work(rounds=2)
        assert (count(License), len(mails())) == (1, 1)

    def test_a_notification_that_comes_again_meanwhile_changes_nothing(
        self, shop, buyer, clock, count, put_back
    ):
        order_id = buyer.buy()
        notification = shop.notification(order_id)
        assert [shop.deliver(notification).status_code for _ in range(2)] == [200, 200]
        put_back()
        assert shop.notify(order_id, new_event_id=True).status_code == 200
        clock.travel(seconds=31)
        shop.work(rounds=2)
        assert (count(License), count(LedgerEntry)) == (1, 1)


class TestFailureAfterSigning:
    """F22: what was signed and not stored was never shown; it is signed again."""

    @pytest.fixture(autouse=True)
    def disarmed(self):
        """Arm nothing beyond the test."""
        yield
        faults.arm(None)

    def test_nothing_of_it_stays_and_the_next_news_issues_one(self, app, shop, buyer, count, mails):
        order_id = buyer.buy()
        notification = shop.notification(order_id)
        faults.arm("license.after_sign:raise")
        assert shop.deliver(notification).status_code >= 500
        assert (count(License), count(Entitlement), count(LedgerEntry)) == (0, 0, 0)
        assert shop.payment(order_id).status != PaymentStatus.PAID
        assert shop.deliver(notification).status_code == 200
        shop.work()
        assert (count(License), count(Entitlement), count(LedgerEntry), len(mails())) == (1, 1, 1, 1)

    def test_nor_when_it_is_issued_late(self, app, shop, buyer, clock, tools, count, mails):
        put_back = move(tools.settings.LICENSE_KEY_DIR, tools.key_ring.signer()[0])
        try:
            order_id = buyer.buy()
            shop.pay(order_id)
            shop.notify(order_id)
        finally:
            put_back()
        faults.arm("license.after_sign:raise")
        shop.work()
        assert (buyer.state(order_id), count(License)) == ("delivering", 0)
        clock.travel(seconds=31)
        shop.work(rounds=2)
        assert (buyer.state(order_id), count(License), len(mails())) == ("delivered", 1, 1)


class TestRotation:
    """F23: each license has the key it was signed with, and all of them verify."""

    def verdicts(self, app, tools):
        with app.app_context():
            return [judge(issued.text, None, tools.key_ring)[0].value for issued in licenses(app)]

    def test_between_payment_and_issue(self, app, shop, buyer, tools):
        before = tools.key_ring.signer()[0]
        order_id = buyer.buy()
        after = tools.key_ring.rotate().kid
        shop.pay(order_id)
        shop.notify(order_id)
        (issued,) = licenses(app)
        assert issued.kid == after != before
        assert self.verdicts(app, tools) == ["VALID"]

    def test_in_the_middle_of_a_batch(self, app, shop, buyer, clock, tools):
        folder, first = tools.settings.LICENSE_KEY_DIR, tools.key_ring.signer()[0]
        put_back = move(folder, first)
        try:
            for _ in range(3):
                paying = shop.buyer()
                order_id = paying.buy()
                shop.pay(order_id)
                assert shop.notify(order_id).status_code == 200
        finally:
            put_back()
        kids = []
        with app.app_context():
            for _ in range(3):
                kids.append(tools.key_ring.signer()[0])
                assert jobs.run_due(tools, limit=1)
                tools.key_ring.rotate()
        assert sorted(issued.kid for issued in licenses(app)) == sorted(kids)
        assert len(set(kids)) == 3
        assert self.verdicts(app, tools) == ["VALID"] * 3
        published = {info.kid for info in tools.key_ring.infos()}
        assert set(kids) <= published
