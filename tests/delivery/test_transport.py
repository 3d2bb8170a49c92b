"""A mail is sent until a server has taken it; twice at most in form, never in content (F24)."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller

from portal.cases.models import Case
from portal.delivery.transport import FolderMailer, MailNotSent, SmtpMailer, mailer_for
from portal.kit import faults
from portal.kit.db import db
from portal.licenses.models import License
from portal.outbox.models import Job, JobStatus
from portal.payments.rights import revoke_license
from scripts.processes import free_port


class MailServer:
    """An SMTP server on this machine that answers as told; with no answer left it takes the mail."""

    def __init__(self) -> None:
        self.port = free_port()
        self.taken: list[EmailMessage] = []
        self.answers: list[str] = []
        self._controller: Controller | None = None

    async def handle_DATA(self, server, _session, envelope):
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith(("250", "drop")):
            self.taken.append(message_from_bytes(envelope.content, policy=policy.default))
        if answer == "drop":
            server.transport.abort()
        return answer

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None


@pytest.fixture
def server():
    """A mail server that runs."""
    started = MailServer()
    started.start()
    yield started
    started.stop()


def message(effect="1"):
    made = EmailMessage()
    made["Message-ID"] = f"<{effect}@example.com>"
    made["From"] = "Learning Buddy <no-reply@example.com>"
    made["To"] = "learner@example.com"
    made["Subject"] = "许可证"
    made.set_content("你好\n")
    return made


class TestSmtpMailer:
    def test_a_mail_arrives_as_it_was_composed(self, server):
        SmtpMailer(f"smtp://127.0.0.1:{server.port}").send(message())
        (taken,) = server.taken
        assert (taken["Subject"], taken["Message-ID"]) == ("许可证", "<1@example.com>")
        assert taken.get_content().splitlines() == ["你好"]

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            ("451 Try later", "SMTPDataError 451"),
            ("554 No", "SMTPDataError 554"),
            ("drop", "SMTPServerDisconnected"),
        ],
    )
    def test_what_was_not_surely_taken_was_not_sent(self, server, answer, why):
        server.answers = [answer]
        with pytest.raises(MailNotSent, match=why):
            SmtpMailer(f"smtp://127.0.0.1:{server.port}").send(message())

    def test_nobody_there(self):
        with pytest.raises(MailNotSent, match="ConnectionRefusedError"):
            SmtpMailer(f"smtp://127.0.0.1:{free_port()}").send(message())

    @pytest.mark.parametrize("query", ["?tls=1", "?tls=2"])
    def test_without_the_encryption_that_is_asked_for_nothing_is_sent(self, server, query):
        with pytest.raises(MailNotSent):
            SmtpMailer(f"smtp://user:secret@127.0.0.1:{server.port}{query}").send(message())
        assert server.taken == []

    def test_a_refused_password_is_not_in_the_reason(self, server):
        with pytest.raises(MailNotSent) as caught:
            SmtpMailer(f"smtp://user:secret@127.0.0.1:{server.port}").send(message())
        assert "secret" not in str(caught.value)
        assert server.taken == []

    @pytest.mark.parametrize(
        ("url", "port"),
        [
            ("smtp://h", 25),
            ("smtp://h?tls=1", 587),
            ("smtp://h?tls=2", 465),
            ("smtp://h:2525?tls=1", 2525),
        ],
    )
    def test_the_usual_ports(self, url, port):
        assert SmtpMailer(url)._port == port

    def test_user_and_password_may_hold_anything(self):
        mailer = SmtpMailer("smtp://me%40example.com:p%3A%2F%40ss@h")
        assert (mailer._user, mailer._password) == ("me@example.com", "p:/@ss")


class TestFolderMailer:
    def test_one_file_for_a_message_id(self, tmp_path):
        mailer = FolderMailer(tmp_path / "mail")
        for effect in ("1", "1", "2"):
            mailer.send(message(effect))
        assert sorted(path.name for path in (tmp_path / "mail").iterdir()) == ["1.eml", "2.eml"]

    def test_a_name_cannot_lead_out_of_the_folder(self, tmp_path):
        FolderMailer(tmp_path / "mail").send(message("../../out"))
        assert [path.parent for path in tmp_path.rglob("*.eml")] == [tmp_path / "mail"]

    def test_a_folder_that_cannot_be_written_is_tried_later(self, tmp_path):
        (tmp_path / "mail").write_text("a file in the way")
        with pytest.raises(MailNotSent):
            FolderMailer(tmp_path / "mail").send(message())


def test_without_a_server_mail_is_kept_in_the_folder(tmp_path):
    assert isinstance(mailer_for(None, tmp_path), FolderMailer)
    assert isinstance(mailer_for("smtp://h", tmp_path), SmtpMailer)


@pytest.mark.database
class TestALicense:
    @pytest.fixture
    def mail_server(self, app, tools, monkeypatch):
        """A mail server that the portal uses and that is down."""
        down = MailServer()
        tools = replace(tools, mailer=SmtpMailer(f"smtp://127.0.0.1:{down.port}"))
        monkeypatch.setitem(app.extensions, "portal_tools", tools)
        yield down
        down.stop()
        faults.arm(None)

    @pytest.fixture
    def order_id(self, clock, shop, mail_server):
        """An order that is paid and delivered on its page."""
        buyer = shop.buyer()
        paid = buyer.buy()
        shop.pay(paid)
        shop.notify(paid)
        assert buyer.state(paid) == "delivered"
        return paid

    def job(self, app):
        with app.app_context(), db.engine.connect() as connection:
            return connection.execute(sa.select(Job.__table__).where(Job.kind == "mail_license")).one()

    def test_it_is_mailed_when_the_server_is_back(self, app, order_id, clock, shop, mail_server):
        for seconds in (11, 61, 301):
            shop.work()
            assert self.job(app).status == JobStatus.PENDING
            clock.travel(seconds=seconds)
        mail_server.start()
        shop.work(rounds=2)
        (mail,) = mail_server.taken
        assert self.job(app).status == JobStatus.DONE
        assert mail["Message-ID"]

    def test_revoked_while_its_mail_waited_it_is_not_mailed(self, app, order_id, shop, clock, mail_server):
        shop.work()
        with app.app_context():
            license_id = db.session.scalars(sa.select(License.id)).one()
            revoke_license(license_id, "misused", "staff:x")
        mail_server.start()
        clock.travel(minutes=10)
        shop.work(rounds=2)
        (mail,) = mail_server.taken
        assert "misused" in mail.get_body(("plain",)).get_content()

    @pytest.mark.parametrize("answer", ["451 Try later", "554 No"])
    def test_refused_and_then_taken_it_is_one_mail(self, app, order_id, clock, shop, mail_server, answer):
        mail_server.start()
        mail_server.answers = [answer, answer]
        for _ in range(3):
            shop.work()
            clock.travel(seconds=61)
        assert len(mail_server.taken) == 1
        assert self.job(app).status == JobStatus.DONE

    @pytest.mark.parametrize("where", ["server", "worker"])
    def test_killed_after_data_it_comes_again_under_the_same_message_id(
        self, app, order_id, clock, shop, mail_server, where
    ):
        mail_server.start()
        if where == "server":
            mail_server.answers = ["drop"]
        else:
            faults.arm("mail.after_send:raise")
        shop.work()
        assert self.job(app).status == JobStatus.PENDING
        clock.travel(seconds=11)
        shop.work()
        first, second = mail_server.taken
        assert first["Message-ID"] == second["Message-ID"]
        assert first["Subject"] == second["Subject"]
        assert self.job(app).status == JobStatus.DONE

    def test_a_day_without_a_server_is_a_case(self, app, order_id, clock, shop, count):
        shop.work()
        clock.travel(hours=24, seconds=10)
        shop.work()
        assert self.job(app).status == JobStatus.DEAD
        assert count(Case, Case.kind == "dead_letter") == 1
