"""Links for a new password: mailed to the owner, used once."""

import re
import threading

import pytest
import sqlalchemy as sa

from portal.delivery.account_mail import mail_register_again, mail_reset
from portal.kit import ids
from portal.kit.db import db
from portal.learners import resets, services, sessions
from portal.learners.models import Learner, Locale, PasswordReset
from portal.learners.passwords import WeakPassword
from portal.learners.resets import LinkSpent
from portal.outbox.models import Job
from tests.factories.learners import PASSWORD, make_learner
from tests.support.losing import lost_commit

pytestmark = pytest.mark.database

NEW = "another quiet password"


class Mailbox:
    """A mailer that keeps what it is given."""

    def __init__(self):
        self.messages = []

    def send(self, message):
        self.messages.append(message)


@pytest.fixture
def learner():
    return make_learner()


def rows():
    return list(db.session.scalars(sa.select(PasswordReset).execution_options(populate_existing=True)))


def link(learner):
    """Ask for a link, draw its secret as the mail does, and return the secret."""
    resets.request_reset(learner.email)
    return resets.draw_token(rows()[-1].id).token


class TestRequest:
    def test_it_is_work_for_the_outbox_and_holds_no_secret(self, learner):
        resets.request_reset(f" {learner.email.upper()}")
        job = db.session.scalars(sa.select(Job)).one()
        assert (job.kind, job.subject_id) == ("mail_reset", str(rows()[0].id))
        assert rows()[0].token_hash is None

    @pytest.mark.parametrize("email", ["nobody@example.com", "王@example.com", ""])
    def test_an_unknown_address_ends_alike(self, email):
        resets.request_reset(email)
        assert not rows()

    def test_a_disabled_account_gets_none(self, learner):
        db.session.execute(sa.update(Learner).values(disabled_at=learner.created_at))
        db.session.commit()
        resets.request_reset(learner.email)
        assert not rows()

    def test_three_an_hour_are_mailed_and_the_rest_ends_alike(self, learner, clock):
        for _ in range(5):
            resets.request_reset(learner.email)
        assert len(rows()) == 3
        clock.travel(hours=1, seconds=1)
        resets.request_reset(learner.email)
        assert len(rows()) == 4

    def test_asking_does_not_lock_signing_in(self, learner):
        for _ in range(20):
            resets.request_reset(learner.email)
        assert services.authenticate(learner.email, PASSWORD, "")


class TestUse:
    def test_it_sets_the_password_once_and_ends_all_sessions(self, learner):
        here = sessions.start_session(learner, "browser", "203.0.113.9")
        token = link(learner)
        resets.reset_password(token, NEW)
        assert services.authenticate(learner.email, NEW, "")
        assert sessions.session_of(here) is None
        with pytest.raises(LinkSpent):
            resets.reset_password(token, "a third quiet password")

    def test_looking_at_the_link_does_not_use_it_up(self, learner):
        token = link(learner)
        for _ in range(3):
            assert resets.learner_of_link(token).id == learner.id
        resets.reset_password(token, NEW)

    def test_it_works_for_30_minutes(self, learner, clock):
        token = link(learner)
        clock.travel(minutes=29)
        assert resets.learner_of_link(token)
        clock.travel(minutes=2)
        with pytest.raises(LinkSpent):
            resets.reset_password(token, NEW)

    def test_a_weak_password_does_not_use_it_up(self, learner):
        token = link(learner)
        with pytest.raises(WeakPassword):
            resets.reset_password(token, "password123")
        resets.reset_password(token, NEW)

    def test_one_used_makes_the_others_useless(self, learner):
        first, second = link(learner), link(learner)
        resets.reset_password(second, NEW)
        with pytest.raises(LinkSpent):
            resets.reset_password(first, "a third quiet password")

    def test_a_password_changed_otherwise_makes_all_useless_sent_or_not(self, learner):
        sent = link(learner)
        resets.request_reset(learner.email)
        services.change_password(learner, PASSWORD, NEW, None)
        with pytest.raises(LinkSpent):
            resets.reset_password(sent, "a third quiet password")
        assert resets.draw_token(rows()[-1].id) is None

    def test_a_lost_commit_does_not_make_it_a_spent_one(self, learner):
        token = link(learner)
        with lost_commit():
            resets.reset_password(token, NEW)
        assert services.authenticate(learner.email, NEW, "")

    def test_it_opens_a_locked_address(self, learner):
        for _ in range(10):
            with pytest.raises(services.BadCredentials):
                services.authenticate(learner.email, "not the password", "")
        resets.reset_password(link(learner), NEW)
        assert services.authenticate(learner.email, NEW, "")

    @pytest.mark.parametrize("token", ["", "x", "x" * 43])
    def test_an_unknown_one_is_spent(self, learner, token):
        link(learner)
        with pytest.raises(LinkSpent):
            resets.reset_password(token, NEW)

    def test_two_at_once_are_one(self, app, learner):
        token, outcomes = link(learner), []

        def use(password):
            with app.app_context():
                try:
                    resets.reset_password(token, password)
                    outcomes.append(password)
                except LinkSpent:
                    outcomes.append(None)

        threads = [threading.Thread(target=use, args=(f"quiet password no {n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [password for password in outcomes if password]
        assert len(winners) == 1
        assert services.authenticate(learner.email, winners[0], "")


class TestMail:
    def test_it_carries_a_link_to_the_stored_address_in_the_owners_language(self, learner, tools):
        resets.request_reset(learner.email)
        mailbox = Mailbox()
        mail_reset(str(rows()[0].id), "mail_reset:1", mailbox, tools.settings)
        message = mailbox.messages[0]
        body = message.get_body(("plain",)).get_content()
        token = re.search(rf"{re.escape(tools.settings.PORTAL_BASE_URL)}/reset/(\S+)", body)[1]
        assert message["To"] == learner.email
        assert token in message.get_body(("html",)).get_content()
        assert rows()[0].token_hash == ids.secret_hash(token)
        resets.reset_password(token, NEW)

    def test_each_try_has_a_secret_and_a_message_id_of_its_own(self, learner, tools):
        resets.request_reset(learner.email)
        mailbox = Mailbox()
        for _ in range(2):
            mail_reset(str(rows()[0].id), "mail_reset:1", mailbox, tools.settings)
        first, second = mailbox.messages
        assert first["Message-ID"] != second["Message-ID"]

    def test_a_link_that_was_used_is_not_mailed_again(self, learner, tools):
        token = link(learner)
        resets.reset_password(token, NEW)
        mailbox = Mailbox()
        mail_reset(str(rows()[0].id), "mail_reset:1", mailbox, tools.settings)
        assert not mailbox.messages

    def test_the_owner_of_an_address_registered_again_is_shown_the_way_in(self, tools):
        learner = make_learner(locale=Locale.EN)
        mailbox = Mailbox()
        mail_register_again(str(learner.id), "mail_register_again:1", mailbox, tools.settings)
        for kind in ("plain", "html"):
            text = mailbox.messages[0].get_body((kind,)).get_content()
            assert f"{tools.settings.PORTAL_BASE_URL}/login" in text
            assert f"{tools.settings.PORTAL_BASE_URL}/forgot" in text

    def test_an_account_that_is_gone_is_not_written_to(self, tools):
        mailbox = Mailbox()
        mail_register_again("4711", "mail_register_again:1", mailbox, tools.settings)
        mail_reset("4711", "mail_reset:1", mailbox, tools.settings)
        assert not mailbox.messages


def test_links_whose_time_is_over_are_swept(learner, clock):
    link(learner)
    assert resets.sweep_resets() == 0
    clock.travel(minutes=31)
    assert resets.sweep_resets() == 1
