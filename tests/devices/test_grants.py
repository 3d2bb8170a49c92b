"""The device authorization grant: every answer of RFC 8628, and one use of each code."""

import threading

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.devices import grants, tokens
from portal.devices.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    Refused,
    SlowDown,
)
from portal.devices.models import DeviceGrant, GrantState, Token, TokenFamily
from portal.devices.queries import holder_of
from portal.kit.db import db
from portal.learners import passwords, services, sessions
from portal.learners.models import Learner
from portal.learners.sessions import SignedOut
from portal.learners.throttle import TooManyTries
from portal.outbox.models import Job
from tests.factories.learners import PASSWORD, make_learner
from tests.support.losing import lost_commit

pytestmark = pytest.mark.database

CLIENT = grants.CLIENT_ID


def start(scope="", name="VS Code on box", client=CLIENT):
    return grants.start_grant(client, scope, name, "203.0.113.9")


def grant_of(started, learner):
    return grants.grant_with_user_code(started.user_code, learner)


def approved(learner, **options):
    started = start(**options)
    grants.approve(grant_of(started, learner), learner)
    return started


def exchange(started, client=CLIENT):
    return grants.exchange(started.device_code, client)


def stored():
    db.session.rollback()  # a read made before has its own snapshot
    return db.session.scalars(sa.select(DeviceGrant).execution_options(populate_existing=True)).one()


class TestStart:
    def test_it_tells_two_codes_and_keeps_their_hashes(self):
        started = start()
        assert (started.expires_in, started.interval) == (600, 5)
        assert len(started.device_code) == 43
        grant = stored()
        kept = " ".join(str(value) for value in vars(grant).values())
        for code in (started.device_code, started.user_code, started.user_code.replace("-", "")):
            assert code not in kept
        assert grant.state == GrantState.PENDING

    @pytest.mark.parametrize(
        ("asked", "kept"),
        [
            ("", "catalog purchase licenses"),
            ("licenses", "licenses"),
            ("licenses catalog licenses", "catalog licenses"),
        ],
    )
    def test_scopes_are_kept_once_and_in_order(self, asked, kept):
        start(asked)
        assert stored().scope == kept

    @pytest.mark.parametrize("scope", ["admin", "catalog admin", "CATALOG", "catalog,licenses", "x" * 500])
    def test_an_unknown_scope_is_refused(self, scope, count):
        with pytest.raises(InvalidScope):
            start(scope)
        assert count(DeviceGrant) == 0

    @pytest.mark.parametrize("client", ["", "somebody", "LEARNING-BUDDY-VSCODE", "command-line"])
    def test_an_unknown_client_is_refused(self, client):
        with pytest.raises(InvalidClient):
            start(client=client)

    @pytest.mark.parametrize(
        ("told", "shown"),
        [
            ("VS Code on box", "VS Code on box"),
            ("  a\r\nb\tc\x00d  ", "a b c d"),
            ("safe\u202egnp.exe", "safe gnp.exe"),
            ("王的电脑 🖥", "王的电脑 🖥"),
            ("x" * 500, "x" * 80),
            ("\u200b\ufeff", ""),
            ("", ""),
        ],
    )
    def test_a_name_is_made_fit_to_be_shown(self, told, shown):
        start(name=told)
        assert stored().device_name == shown


class TestTyping:
    def test_the_code_is_found_however_it_is_typed(self, learner):
        started = start()
        typed = started.user_code.lower().replace("-", "  ")
        assert grants.grant_with_user_code(typed, learner).id == stored().id

    @pytest.mark.parametrize("typed", ["", "WDJB-MTHX", "x" * 5000, "中文", "' OR 1=1"])
    def test_another_is_unknown(self, learner, typed):
        start()
        with pytest.raises(grants.UnknownCode):
            grants.grant_with_user_code(typed, learner)

    def test_ten_tries_in_ten_minutes_right_ones_too(self, learner, clock):
        started = start()
        for _ in range(9):
            with pytest.raises(grants.UnknownCode):
                grants.grant_with_user_code("WDJB-MTHX", learner)
        assert grant_of(started, learner)
        for _ in range(3):
            with pytest.raises(TooManyTries) as locked:
                grant_of(started, learner)
        assert 590 <= locked.value.retry_after <= 600
        assert grant_of(started, make_learner())
        clock.travel(minutes=10, seconds=1)
        assert grant_of(start(), learner)

    def test_many_at_once_do_not_slip_through(self, app, learner):
        outcomes = []

        def guess():
            with app.app_context():
                try:
                    grants.grant_with_user_code("WDJB-MTHX", learner)
                except (grants.UnknownCode, TooManyTries) as error:
                    outcomes.append(type(error))

        for _ in range(5):
            threads = [threading.Thread(target=guess) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert outcomes.count(grants.UnknownCode) == 10
        assert outcomes.count(TooManyTries) == 10

    def test_trying_codes_does_not_lock_signing_in(self, learner):
        for _ in range(12):
            with pytest.raises((grants.UnknownCode, TooManyTries)):
                grants.grant_with_user_code("WDJB-MTHX", learner)
        assert services.authenticate(learner.email, PASSWORD, "")

    def test_one_that_somebody_else_decided_is_unknown(self, learner):
        started = approved(learner)
        with pytest.raises(grants.UnknownCode):
            grant_of(started, make_learner())

    def test_a_used_one_says_so_to_whom_it_was(self, learner):
        started = approved(learner)
        exchange(started)
        with pytest.raises(grants.UsedCode):
            grant_of(started, learner)


class TestPolling:
    def test_it_is_pending_until_the_learner_decides(self, clock):
        started = start()
        for _ in range(3):
            with pytest.raises(AuthorizationPending):
                exchange(started)
            clock.travel(seconds=5)

    def test_too_soon_slows_down_by_five_seconds_for_good(self, clock):
        started = start()
        with pytest.raises(AuthorizationPending):
            exchange(started)
        clock.travel(seconds=4)
        with pytest.raises(SlowDown):
            exchange(started)
        assert stored().interval_seconds == 10
        # The old interval is too short now, and costs another five seconds.
        clock.travel(seconds=6)
        with pytest.raises(SlowDown):
            exchange(started)
        for _ in range(2):
            clock.travel(seconds=15)
            with pytest.raises(AuthorizationPending):
                exchange(started)
        assert stored().interval_seconds == 15

    def test_an_answer_is_not_kept_from_who_asks_soon(self, learner):
        started = start()
        with pytest.raises(AuthorizationPending):
            exchange(started)
        grants.approve(grant_of(started, learner), learner)
        assert exchange(started).access_token

    @pytest.mark.parametrize("code", ["", "x", "x" * 43, "中文"])
    def test_an_unknown_code_is_an_invalid_grant(self, code):
        start()
        with pytest.raises(InvalidGrant):
            grants.exchange(code, CLIENT)

    def test_so_is_the_user_code_or_another_client(self, learner):
        started = approved(learner)
        with pytest.raises(InvalidGrant):
            grants.exchange(started.user_code, CLIENT)
        with pytest.raises(InvalidGrant):
            exchange(started, "another-client")
        assert exchange(started).access_token


class TestDeciding:
    def test_denied_stays_denied(self, learner, clock, count):
        started = start()
        grant = grant_of(started, learner)
        grants.deny(grant, learner)
        grants.deny(grant, learner)
        for _ in range(2):
            with pytest.raises(AccessDenied):
                exchange(started)
        with pytest.raises(grants.GrantOver):
            grants.approve(grant, learner)
        assert count(Token) == 0

    def test_its_time_is_ten_minutes(self, learner, clock):
        started = start()
        grant = grant_of(started, learner)
        clock.travel(minutes=9, seconds=50)
        with pytest.raises(AuthorizationPending):
            exchange(started)
        clock.travel(seconds=11)
        with pytest.raises(grants.GrantOver):
            grants.approve(grant, learner)
        with pytest.raises(ExpiredToken):
            exchange(started)

    def test_allowed_and_not_fetched_in_time_is_expired(self, learner, clock, count):
        started = approved(learner)
        clock.travel(minutes=11)
        with pytest.raises(ExpiredToken):
            exchange(started)
        assert count(Token) == 0

    def test_allowing_twice_is_once_and_nobody_else_can(self, learner):
        started = start()
        other, grant = make_learner(), grant_of(started, learner)
        grants.approve(grant, learner)
        grants.approve(grant, learner)
        for decide in (grants.approve, grants.deny):
            with pytest.raises(grants.GrantOver):
                decide(grant, other)
        holder = holder_of(exchange(started).access_token)
        assert holder.learner.id == learner.id
        query = sa.select(sa.func.count()).where(AuditRow.action == "device_grant.approved")
        assert db.session.scalar(query) == 1

    def test_allow_and_deny_at_once_are_one_of_them(self, app, learner):
        grant = grant_of(start(), learner)
        outcomes = []

        def decide(verb):
            with app.app_context():
                try:
                    verb(grant, learner)
                    outcomes.append(verb.__name__)
                except grants.GrantOver:
                    outcomes.append(None)

        threads = [
            threading.Thread(target=decide, args=(verb,))
            for verb in (grants.approve, grants.deny, grants.approve, grants.deny)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        state = {"approve": "approved", "deny": "denied"}
        assert {state[verb] for verb in outcomes if verb} == {stored().state}


class TestExchange:
    def test_it_gives_tokens_for_what_was_allowed(self, learner):
        issued = exchange(approved(learner, scope="catalog licenses"))
        assert issued.scope == "catalog licenses"
        holder = holder_of(issued.access_token)
        assert holder.learner.public_id == learner.public_id
        assert holder.scopes == {"catalog", "licenses"}
        family = db.session.scalars(sa.select(TokenFamily)).one()
        assert (family.id, family.name, family.address) == (holder.family_id, "VS Code on box", "203.0.113.9")

    def test_after_a_lost_commit_too(self, learner, count):
        started = approved(learner)
        with lost_commit():
            issued = exchange(started)
        assert holder_of(issued.access_token)
        assert tokens.refresh(issued.refresh_token, CLIENT)
        assert (count(TokenFamily), count(Job)) == (1, 1)

    def test_a_used_code_is_refused_for_ever(self, learner, clock, count):
        started = approved(learner)
        issued = exchange(started)
        for step in (0, 3, 300, 3600, 90_000):
            clock.travel(seconds=step)
            with pytest.raises(InvalidGrant):
                exchange(started)
        grants.sweep_grants()
        assert count(DeviceGrant) == 0
        with pytest.raises(InvalidGrant):
            exchange(started)
        assert count(TokenFamily) == 1
        assert issued.refresh_token

    def test_many_exchanges_of_one_code_at_once_are_one_editor(self, app, learner, count):
        started, outcomes = approved(learner), []
        barrier = threading.Barrier(8)

        def fetch():
            with app.app_context():
                barrier.wait()
                try:
                    outcomes.append(exchange(started).access_token)
                except Refused as error:
                    outcomes.append(error.code)

        threads = [threading.Thread(target=fetch) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(len(outcome) == 43 for outcome in outcomes) == [False] * 7 + [True]
        assert outcomes.count("invalid_grant") == 7
        assert (count(TokenFamily), count(Token)) == (1, 2)

    def test_the_mail_and_the_audit_are_born_with_it(self, learner):
        exchange(approved(learner))
        family = db.session.scalars(sa.select(TokenFamily)).one()
        job = db.session.scalars(sa.select(Job)).one()
        assert (job.kind, job.subject_id) == ("mail_new_device", str(family.id))
        query = sa.select(AuditRow).where(AuditRow.action == "editor.connected")
        row = db.session.scalars(query).one()
        assert row.actor == f"learner:{learner.public_id}"

    def test_an_account_disabled_meanwhile_gives_nothing(self, learner, clock, count):
        started = approved(learner)
        db.session.execute(sa.update(Learner).values(disabled_at=learner.created_at))
        db.session.commit()
        with pytest.raises(AccessDenied):
            exchange(started)
        assert count(Token) == 0

    @pytest.mark.parametrize("what", ["password", "sign-out"])
    def test_nor_is_one_allowed_by_who_was_signed_out_meanwhile(self, learner, what):
        started = start()
        known = sessions.session_of(sessions.start_session(learner, "Firefox", "203.0.113.9"))
        assert known
        if what == "password":
            services.set_password(learner, passwords.hashed("another quiet password"), "test")
        else:
            sessions.end_other_sessions(learner, None)
        with pytest.raises(SignedOut):
            grants.approve(grant_of(started, known), known)
        assert stored().state == GrantState.PENDING

    def test_nor_does_one_whose_password_was_changed_meanwhile(self, learner, count):
        started = approved(learner)
        account = db.session.scalars(sa.select(Learner)).one()
        services.set_password(account, passwords.hashed("another quiet password"), "test")
        with pytest.raises(AccessDenied):
            exchange(started)
        assert count(Token) == 0
