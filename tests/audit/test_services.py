"""The audit chain: what was written cannot be changed unnoticed."""

import json
import threading

import pytest
import sqlalchemy as sa

from portal.audit import services as audit
from portal.audit.models import AuditHead, AuditRow
from portal.kit.db import db, transaction
from portal.learners.models import LoginSession
from portal.ledger.models import LedgerEntry
from portal.licenses.audit_heads import chain_state, sign_audit_head
from portal.licenses.key_ring import KeyRing
from tests.support import databases

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def inside(app):
    """Be inside an application context, with nothing to be sealed."""
    with app.app_context():
        yield


def write(*names):
    for name in names:
        with transaction():
            audit.record("test.written", f"test:{name}", audit.SYSTEM, amount_fen=9900, name=name)


def behind_its_back(statement):
    """Change the table as somebody who administers the database could."""
    with db.engine.begin() as connection, databases.unguarded(connection, "audit_rows"):
        assert connection.execute(statement).rowcount == 1


def subject_of(name):
    return AuditRow.subject == f"test:{name}"


@pytest.fixture
def chain():
    """Five sealed rows: a to e."""
    write("a", "b", "c", "d", "e")
    assert audit.seal() == 5


class TestSealing:
    def test_each_row_is_sealed_once(self):
        write("a", "b")
        assert (audit.seal(), audit.seal()) == (2, 0)
        write("c")
        assert audit.seal() == 1
        assert audit.verify() == audit.ChainState(sealed=3, unsealed=0, broken_at=None)

    def test_each_row_holds_the_hash_of_the_one_before(self, chain):
        rows = db.session.scalars(sa.select(AuditRow).order_by(AuditRow.seq)).all()
        assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
        assert rows[0].prev_hash == "0" * 64
        assert [row.prev_hash for row in rows[1:]] == [row.hash for row in rows[:-1]]

    def test_a_row_of_a_transaction_that_failed_is_not_there(self):
        def written_in_vain() -> None:
            audit.record("test.written", "test:a", audit.SYSTEM)
            raise KeyError

        with pytest.raises(KeyError), transaction():
            written_in_vain()
        assert audit.seal() == 0

    def test_what_is_written_is_unsealed_until_then(self):
        write("a")
        assert audit.verify() == audit.ChainState(sealed=0, unsealed=1, broken_at=None)

    def test_two_sealers_at_once_do_not_fork_the_chain(self, app):
        write(*[f"row-{number}" for number in range(20)])
        start = threading.Barrier(4)
        sealed: list[int] = []

        def seal() -> None:
            start.wait(10)
            with app.app_context():
                sealed.append(audit.seal())

        threads = [threading.Thread(target=seal) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert audit.verify() == audit.ChainState(sealed=20, unsealed=0, broken_at=None)
        assert sum(sealed) == 20

    def test_chinese_and_every_other_text_can_be_sealed(self):
        with transaction():
            audit.record("test.written", "test:a", audit.SYSTEM, title="C++ 第五版 😀", odd='"\\\n')
        audit.seal()
        assert audit.verify().broken_at is None
        assert json.loads(db.session.scalars(sa.select(AuditRow.facts)).one())["title"] == "C++ 第五版 😀"


class TestVerifying:
    def test_an_empty_chain_is_whole(self):
        assert audit.verify() == audit.ChainState(sealed=0, unsealed=0, broken_at=None)

    @pytest.mark.parametrize(
        "values",
        [
            {"facts": '{"amount_fen":1,"name":"c"}'},
            {"actor": "operator:somebody"},
            {"action": "test.erased"},
            {"subject": "test:x"},
            {"at": sa.func.coalesce(None, "2026-01-01 00:00:00.000000")},
            {"address": "203.0.113.9"},
            {"session": "forged"},
            {"hash": "f" * 64},
            {"prev_hash": "f" * 64},
            {"seq": 4711},
        ],
        ids=lambda values: next(iter(values)),
    )
    def test_a_changed_row_is_named(self, chain, values):
        behind_its_back(sa.update(AuditRow).where(subject_of("c")).values(values))
        state = audit.verify()
        row_id = db.session.scalars(sa.select(AuditRow.id).order_by(AuditRow.id)).all()[2]
        assert (state.broken_at, state.sealed) == (3, 2)
        assert state.row_id == (None if "seq" in values else row_id)
        assert not state.is_whole

    def test_a_deleted_row_is_named(self, chain):
        behind_its_back(sa.delete(AuditRow).where(subject_of("c")))
        assert (audit.verify().broken_at, audit.verify().row_id) == (3, None)

    def test_the_first_row_too(self, chain):
        behind_its_back(sa.delete(AuditRow).where(subject_of("a")))
        assert audit.verify().broken_at == 1

    def test_rows_that_changed_places_are_named(self, chain):
        for name, seq in (("b", 100), ("c", 2), ("b", 3)):
            behind_its_back(sa.update(AuditRow).where(subject_of(name)).values(seq=seq))
        assert audit.verify().broken_at == 2

    def test_a_row_put_in_between_is_named(self, chain):
        prev_hash = db.session.scalars(sa.select(AuditRow.hash).where(AuditRow.seq == 5)).one()
        write("forged")
        behind_its_back(
            sa.update(AuditRow).where(subject_of("forged")).values(seq=6, prev_hash=prev_hash, hash="f" * 64)
        )
        assert audit.verify().broken_at == 6

    def test_of_several_the_first_is_named(self, chain):
        for name in ("d", "b"):
            behind_its_back(sa.update(AuditRow).where(subject_of(name)).values(actor="x"))
        assert audit.verify().broken_at == 2


class TestGuards:
    """What the database itself refuses."""

    @pytest.mark.parametrize(
        "statement",
        [
            sa.update(AuditRow).where(AuditRow.seq == 3).values(actor="x"),
            sa.update(AuditRow).where(AuditRow.seq == 3).values(facts='{"amount_fen":1}'),
            sa.update(AuditRow).where(AuditRow.seq == 3).values(seq=None, prev_hash=None, hash=None),
            sa.update(AuditRow).where(AuditRow.seq == 3).values(hash="f" * 64),
            sa.delete(AuditRow).where(AuditRow.seq == 3),
            sa.delete(AuditRow),
        ],
        ids=["content", "facts", "unsealing", "hash", "deletion", "deletion of all"],
    )
    def test_a_sealed_row_stays_as_it_is(self, chain, statement):
        with pytest.raises(sa.exc.DBAPIError, match="audit rows are never"), db.engine.begin() as connection:
            connection.execute(statement)
        assert audit.verify() == audit.ChainState(sealed=5, unsealed=0, broken_at=None)

    @pytest.mark.parametrize(
        "statement",
        [
            sa.update(AuditRow).values(facts='{"AMOUNT_FEN":9900,"name":"a"}'),
            sa.update(AuditRow).values(at=AuditRow.at, address="203.0.113.9"),
            sa.delete(AuditRow),
        ],
        ids=["facts", "address", "deletion"],
    )
    def test_so_does_one_that_waits_for_its_seal(self, statement):
        write("a")
        with pytest.raises(sa.exc.DBAPIError, match="audit rows are never"), db.engine.begin() as connection:
            connection.execute(statement)
        assert audit.seal() == 1

    @pytest.mark.parametrize(
        "statement",
        [sa.update(LedgerEntry).values(amount_fen=1), sa.delete(LedgerEntry)],
        ids=["change", "deletion"],
    )
    def test_so_does_the_ledger(self, shop, statement):
        order_id = shop.buyer().buy()
        shop.pay(order_id)
        shop.notify(order_id)
        with (
            pytest.raises(sa.exc.DBAPIError, match="ledger entries are never"),
            db.engine.begin() as connection,
        ):
            connection.execute(statement)


class TestHeads:
    def test_the_end_of_the_chain_is_signed_once_a_day(self, chain, tools, clock, caplog):
        with caplog.at_level("INFO"):
            assert [sign_audit_head(tools.key_ring) for _ in range(2)] == [True, False]
        assert [record.seq for record in caplog.records if record.message == "audit head signed"] == [5]
        clock.travel(days=1)
        write("f")
        audit.seal()
        assert sign_audit_head(tools.key_ring) is True
        assert chain_state(tools.key_ring).is_whole
        assert db.session.scalars(sa.select(AuditHead.seq).order_by(AuditHead.day)).all() == [5, 6]

    def test_an_empty_chain_has_none(self, tools):
        assert sign_audit_head(tools.key_ring) is False

    def test_without_a_key_it_waits(self, chain, tools, tmp_path):
        assert sign_audit_head(KeyRing(tmp_path, None)) is False

    def test_rows_cut_off_at_the_end_are_missed(self, chain, tools):
        sign_audit_head(tools.key_ring)
        behind_its_back(sa.delete(AuditRow).where(subject_of("e")))
        state = chain_state(tools.key_ring)
        assert (state.broken_at, state.bad_head) == (None, db.session.scalars(sa.select(AuditHead.day)).one())

    def test_so_is_a_chain_made_anew(self, chain, tools):
        sign_audit_head(tools.key_ring)
        with db.engine.begin() as connection, databases.unguarded(connection, "audit_rows"):
            connection.execute(sa.update(AuditRow).values(seq=None, prev_hash=None, hash=None))
            connection.execute(sa.update(AuditRow).where(subject_of("b")).values(actor="x"))
        assert audit.seal() == 5
        assert audit.verify().broken_at is None
        assert not chain_state(tools.key_ring).is_whole

    @pytest.mark.parametrize(
        "forged", [{"signature": "AAAA"}, {"signature": "no base64!"}, {"kid": "lb-of-nobody"}], ids=str
    )
    def test_a_head_that_we_did_not_sign_is_none(self, chain, tools, forged):
        sign_audit_head(tools.key_ring)
        with db.engine.begin() as connection:
            connection.execute(sa.update(AuditHead).values(forged))
        assert chain_state(tools.key_ring).bad_head is not None

    def test_the_command_names_the_day(self, app, chain, tools):
        sign_audit_head(tools.key_ring)
        behind_its_back(sa.delete(AuditRow).where(subject_of("e")))
        result = app.test_cli_runner().invoke(args=["audit", "verify"])
        day = db.session.scalars(sa.select(AuditHead.day)).one()
        assert result.exit_code == 1
        assert f"The signed end of the chain of {day} does not fit" in result.stderr


class TestOrigin:
    def test_an_act_in_a_browser_has_its_address_and_session(self, shop):
        buyer = shop.buyer()
        buyer.post("/account/settings/language", {"locale": "en"}, page="/account/settings")
        row = db.session.scalars(sa.select(AuditRow).where(AuditRow.action == "learner.locale_changed")).one()
        assert (row.address, row.session) == (
            "127.0.0.1",
            db.session.scalars(sa.select(LoginSession.public_id)).one(),
        )

    def test_one_elsewhere_has_none(self):
        write("a")
        row = db.session.scalars(sa.select(AuditRow)).one()
        assert (row.address, row.session) == (None, None)


class TestCommand:
    @pytest.fixture
    def run(self, app):
        """Run `audit verify` and return its result."""
        return lambda *options: app.test_cli_runner().invoke(args=["audit", "verify", *options])

    def test_an_unbroken_chain_is_exit_code_0(self, chain, run):
        write("later")
        result = run()
        assert (result.exit_code, result.stdout) == (0, "5 rows sealed and unbroken, 1 not sealed yet.\n")
        assert json.loads(run("--json").stdout) == {
            "sealed": 5,
            "unsealed": 1,
            "broken_at": None,
            "row_id": None,
            "bad_head": None,
        }

    @pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
    def test_a_broken_one_is_exit_code_1_and_names_the_row(self, chain, run, options):
        behind_its_back(sa.update(AuditRow).where(subject_of("d")).values(actor="x"))
        result = run(*options)
        assert result.exit_code == 1
        assert "broken at row 4" in result.stderr
        if options:
            assert "broken at row 4" in json.loads(result.stdout)["error"]


def test_the_operator_is_named_and_never_too_long():
    assert audit.operator().startswith("operator:")
    assert len(audit.operator()) <= 64
