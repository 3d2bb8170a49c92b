"""Tokens: who holds one, how they are renewed, and how an editor is cut off."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.delivery.device_mail import mail_new_device
from portal.devices import grants, tokens
from portal.devices.errors import InvalidGrant, InvalidScope, Refused
from portal.devices.models import Token, TokenFamily
from portal.devices.queries import editors_of, holder_of
from portal.devices.tokens import Issued
from portal.kit import ids
from portal.kit.db import db
from portal.kit.errors import NotFound
from portal.learners import passwords, services
from portal.learners.models import Learner, Locale
from tests.factories.devices import make_token
from tests.factories.learners import PASSWORD, make_learner
from tests.support.losing import lost_commit
from tests.support.statements import counted_statements

pytestmark = pytest.mark.database

CLIENT = grants.CLIENT_ID
NEW = "another quiet password"


def connect(learner, scope="", name="VS Code"):
    started = grants.start_grant(CLIENT, scope, name, "203.0.113.9")
    grants.approve(grants.grant_with_user_code(started.user_code, learner), learner)
    return grants.exchange(started.device_code, CLIENT)


def refresh(token, scope="", client=CLIENT):
    return tokens.refresh(token, client, scope)


def stored(learner: Learner) -> Learner:
    return db.session.scalars(sa.select(Learner).where(Learner.id == learner.id)).one()


def public_id_of(issued: Issued) -> str:
    return db.session.scalars(
        sa.select(TokenFamily.public_id).where(TokenFamily.id == issued.family_id)
    ).one()


@pytest.fixture
def issued(learner):
    return connect(learner)


class TestHolder:
    def test_it_is_one_statement(self, app, issued):
        with counted_statements(app) as statements:
            assert holder_of(issued.access_token)
        assert len(statements) == 1, statements

    @pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 100_000, "中文", "\x00"])
    def test_an_unknown_token_is_nobodys(self, issued, token):
        assert holder_of(token) is None

    def test_a_refresh_token_is_no_access_token(self, issued):
        assert holder_of(issued.refresh_token) is None

    def test_nor_is_a_hash(self, issued):
        assert holder_of(ids.secret_hash(issued.access_token)) is None

    def test_it_lives_an_hour(self, issued, clock):
        clock.travel(minutes=59)
        assert holder_of(issued.access_token)
        clock.travel(minutes=2)
        assert holder_of(issued.access_token) is None

    def test_a_disabled_account_holds_nothing(self, issued):
        db.session.execute(sa.update(Learner).values(disabled_at=sa.text("CURRENT_TIMESTAMP")))
        db.session.commit()
        assert holder_of(issued.access_token) is None

    def test_only_hashes_are_stored(self, issued):
        for token in db.session.scalars(sa.select(Token)):
            assert token.token_hash in {
                ids.secret_hash(issued.access_token),
                ids.secret_hash(issued.refresh_token),
            }

    def test_a_new_password_voids_it_and_lets_new_ones_live(self, learner, issued):
        services.change_password(services.authenticate(learner.email, PASSWORD, ""), PASSWORD, NEW, None)
        assert holder_of(issued.access_token) is None
        assert editors_of(learner.id) == []
        with pytest.raises(InvalidGrant):
            refresh(issued.refresh_token)
        assert holder_of(connect(stored(learner)).access_token)

    def test_so_does_a_reset(self, learner, issued):
        services.set_password(stored(learner), passwords.hashed(NEW), "test")
        assert holder_of(issued.access_token) is None


class TestRefresh:
    def test_it_gives_new_tokens_of_the_same_editor(self, learner, issued, clock):
        clock.travel(hours=2)
        renewed = refresh(issued.refresh_token)
        assert holder_of(renewed.access_token).family_id == issued.family_id
        assert renewed.refresh_token != issued.refresh_token
        assert len(editors_of(learner.id)) == 1
        assert refresh(renewed.refresh_token).access_token

    def test_a_second_use_ends_the_family(self, learner, issued, clock):
        renewed = refresh(issued.refresh_token)
        clock.travel(minutes=1)
        with pytest.raises(InvalidGrant):
            refresh(issued.refresh_token)
        for token in (issued.access_token, renewed.access_token):
            assert holder_of(token) is None
        with pytest.raises(InvalidGrant):
            refresh(renewed.refresh_token)
        assert editors_of(learner.id) == []

    def test_a_lost_commit_is_no_second_use(self, learner, issued):
        with lost_commit():
            renewed = refresh(issued.refresh_token)
        assert holder_of(renewed.access_token)
        assert refresh(renewed.refresh_token)
        assert len(editors_of(learner.id)) == 1

    def test_another_editor_goes_on(self, learner, issued):
        other = connect(learner)
        refresh(issued.refresh_token)
        with pytest.raises(InvalidGrant):
            refresh(issued.refresh_token)
        assert holder_of(other.access_token)

    def test_two_at_once_are_one_at_most(self, app, issued):
        outcomes, barrier = [], threading.Barrier(4)

        def renew():
            with app.app_context():
                barrier.wait()
                try:
                    outcomes.append(refresh(issued.refresh_token).access_token)
                except Refused as error:
                    outcomes.append(error.code)

        threads = [threading.Thread(target=renew) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count("invalid_grant") == 3

    @pytest.mark.parametrize("token", ["", "x", "x" * 43, "中文"])
    def test_an_unknown_one_is_refused(self, issued, token):
        with pytest.raises(InvalidGrant):
            refresh(token)

    def test_an_access_token_or_another_client_is_refused(self, issued):
        with pytest.raises(InvalidGrant):
            refresh(issued.access_token)
        with pytest.raises(InvalidGrant):
            refresh(issued.refresh_token, client="another")
        assert refresh(issued.refresh_token)

    def test_it_dies_after_90_days_without_use(self, learner, issued, clock):
        clock.travel(days=89)
        renewed = refresh(issued.refresh_token)
        clock.travel(days=89)
        assert editors_of(learner.id)
        clock.travel(days=2)
        assert editors_of(learner.id) == []
        with pytest.raises(InvalidGrant):
            refresh(renewed.refresh_token)

    def test_less_may_be_asked_for_and_more_may_not(self, learner):
        issued = connect(learner, "catalog licenses")
        with pytest.raises(InvalidScope):
            refresh(issued.refresh_token, "catalog purchase")
        less = refresh(issued.refresh_token, "catalog")
        assert holder_of(less.access_token).scopes == {"catalog"}
        # What was granted stays granted (RFC 6749, section 6).
        assert refresh(less.refresh_token).scope == "catalog licenses"


class TestEnding:
    @pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
    def test_either_token_given_back_ends_the_editor(self, learner, issued, kind):
        tokens.revoke(getattr(issued, kind))
        tokens.revoke(getattr(issued, kind))
        assert holder_of(issued.access_token) is None
        assert editors_of(learner.id) == []
        with pytest.raises(InvalidGrant):
            refresh(issued.refresh_token)

    def test_an_unknown_one_ends_nothing(self, issued):
        for token in ("", "x" * 43, "中文"):
            tokens.revoke(token)
        assert holder_of(issued.access_token)

    def test_the_learner_ends_one_of_several(self, learner, issued):
        other = connect(learner)
        for _ in range(2):
            tokens.end_editor(learner, public_id_of(issued))
        assert holder_of(issued.access_token) is None
        assert holder_of(other.access_token)

    def test_anothers_is_not_found(self, learner, issued):
        with pytest.raises(NotFound):
            tokens.end_editor(make_learner(), public_id_of(issued))
        with pytest.raises(NotFound):
            tokens.end_editor(learner, "0" * 20)
        assert holder_of(issued.access_token)

    def test_the_eleventh_editor_takes_the_place_of_the_oldest(self, learner, issued, clock):
        for _ in range(10):
            clock.travel(minutes=11)
            newest = connect(learner)
        assert len(editors_of(learner.id)) == 10
        assert holder_of(newest.access_token)
        with pytest.raises(InvalidGrant):
            refresh(issued.refresh_token)


class TestByHand:
    def test_a_token_has_its_scopes_and_its_end(self, learner, clock):
        made = make_token(learner, "licenses", lifetime=timedelta(days=1))
        assert holder_of(made.access_token).scopes == {"licenses"}
        assert made.refresh_token is None
        assert [editor.name for editor in editors_of(learner.id)] == ["Test editor"]
        clock.travel(days=1, seconds=1)
        assert holder_of(made.access_token) is None
        assert editors_of(learner.id) == []


class TestSweep:
    def test_what_is_over_is_deleted_and_what_is_not_stays(self, issued, clock, count):
        refresh(issued.refresh_token)
        assert tokens.sweep_tokens() == 0
        clock.travel(hours=2)
        assert tokens.sweep_tokens() == 2
        clock.travel(days=30)
        assert tokens.sweep_tokens() == 1
        assert count(Token) == 1


class Mailbox:
    """A mailer that keeps what it is given."""

    def __init__(self):
        self.messages = []

    def send(self, message):
        self.messages.append(message)


class TestMail:
    @pytest.mark.parametrize(("locale", "word"), [(Locale.EN, "disconnect it"), (Locale.ZH, "断开")])
    def test_it_tells_the_learner_in_their_language_and_leads_to_the_end(self, tools, locale, word):
        learner = make_learner(locale=locale)
        issued = connect(learner, name="<b>box</b>")
        mailbox = Mailbox()
        mail_new_device(str(issued.family_id), "mail_new_device:1", mailbox, tools.settings)
        message = mailbox.messages[0]
        plain, rich = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))
        assert message["To"] == learner.email
        for text in (plain, rich):
            assert f"{tools.settings.PORTAL_BASE_URL}/account/devices" in text
            assert word in text
            assert "203.0.113.9" in text
            assert issued.access_token not in text
        assert "<b>box" not in rich

    def test_the_worker_sends_it(self, shop, learner, mails):
        connect(learner)
        shop.work()
        assert len(mails()) == 1

    def test_an_editor_that_is_gone_is_not_written_of(self, tools):
        mailbox = Mailbox()
        mail_new_device("4711", "mail_new_device:1", mailbox, tools.settings)
        assert not mailbox.messages
