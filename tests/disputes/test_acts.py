"""What staff do is written down, sent once, and known to have arrived by the gateway's own history."""

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.disputes.act_pictures import BadPicture
from portal.disputes.acts import BadReply, NotNow
from portal.disputes.models import ActState, DisputeAct, DisputeActPicture
from portal.kit.db import db
from tests.support.complaints import PNG

pytestmark = pytest.mark.database
JPEG = b"\xff\xd8\xff\xe0 a picture"


@pytest.fixture
def complaint_id(complaints) -> str:
    """A complaint that asks for a refund, read."""
    made = complaints.complain(problem_type="REFUND")
    complaints.look()
    return made


def replies(complaints, complaint_id) -> int:
    history = complaints.books(complaint_id)["history"]
    return sum(step["operate_type"] == "MERCHANT_RESPONSE" for step in history)


class TestReplying:
    def test_from_complaint_to_completed(self, app, complaints, complaint_id):
        act = complaints.do(complaint_id, "reply", text="您好，请重新登录。")
        assert act.state == ActState.SENT
        assert act.log_id is not None
        dispute = complaints.dispute(complaint_id)
        assert dispute.state == "processing"
        assert dispute.answered_at is not None
        complaints.do(complaint_id, "complete")
        assert complaints.dispute(complaint_id).state == "processed"
        assert complaints.dispute(complaint_id).completed_at is not None
        assert complaints.books(complaint_id)["state"] == "PROCESSED"
        with app.app_context():
            actions = set(
                db.session.scalars(sa.select(AuditRow.action).where(AuditRow.action.like("dispute%")))
            )
        assert {
            "dispute.found",
            "dispute.reply_asked",
            "dispute.reply_sent",
            "dispute.complete_sent",
        } <= actions

    @pytest.mark.parametrize("fault", ["accept_then_drop", "unsigned", "bad_signature", "signtest"])
    def test_one_that_arrived_without_an_answer_is_not_sent_again(
        self, complaints, complaint_id, clock, fault
    ):
        complaints.fault("complaint_response", fault)
        act = complaints.do(complaint_id, "reply", text="您好")
        assert act.state == ActState.WAITING
        clock.travel(minutes=1)
        complaints.shop.work()
        assert complaints.act(act.id).state == ActState.SENT
        assert replies(complaints, complaint_id) == 1

    def test_blanks_and_signs_that_come_back_otherwise_do_not_make_it_another_reply(
        self, complaints, complaint_id, clock
    ):
        complaints.fault("complaint_response", "accept_then_drop")
        complaints.do(complaint_id, "reply", text="您好，\u3000已处理\ue000。")
        clock.travel(minutes=1)
        complaints.shop.work()
        assert replies(complaints, complaint_id) == 1

    def test_it_may_have_lines(self, complaints, complaint_id):
        assert complaints.do(complaint_id, "reply", text="您好，\r\n请重新登录。").state == ActState.SENT
        assert replies(complaints, complaint_id) == 1

    @pytest.mark.parametrize("fault", ["drop", "5xx", "429"])
    def test_one_that_did_not_arrive_is_sent_again(self, complaints, complaint_id, clock, fault):
        complaints.fault("complaint_response", fault)
        act = complaints.do(complaint_id, "reply", text="您好")
        assert act.state == ActState.WAITING
        clock.travel(minutes=1)
        complaints.shop.work()
        assert complaints.act(act.id).state == ActState.SENT
        assert replies(complaints, complaint_id) == 1

    def test_the_same_words_may_be_sent_again_on_purpose(self, complaints, complaint_id, clock):
        for _ in range(2):
            complaints.do(complaint_id, "reply", text="您好")
        complaints.fault("complaint_response", "drop")
        third = complaints.do(complaint_id, "reply", text="您好")
        clock.travel(minutes=1)
        complaints.shop.work()
        assert complaints.act(third.id).state == ActState.SENT
        assert replies(complaints, complaint_id) == 3

    def test_a_form_sent_twice_is_one_reply(self, complaints, complaint_id, count):
        first, second = (complaints.ask(complaint_id, "reply", text="您好", token="a" * 20) for _ in range(2))
        assert first == second
        assert count(DisputeAct) == 1

    @pytest.mark.parametrize("text", ["", "  ", "x" * 201, "a\u202eb", "a\x00b", "\ud800"])
    def test_a_text_that_cannot_be_sent_is_refused(self, complaints, complaint_id, count, text):
        with pytest.raises(BadReply):
            complaints.ask(complaint_id, "reply", text=text)
        assert count(DisputeAct) == 0

    def test_what_the_gateway_refuses_is_said(self, complaints, complaint_id):
        complaints.fault("complaint_response", "error", status=403, code="NO_AUTH", message="no")
        act = complaints.do(complaint_id, "reply", text="您好")
        assert (act.state, act.failure) == (ActState.REFUSED, "403 NOAUTH")


class TestPictures:
    def test_they_arrive_with_the_reply_and_are_not_kept(self, app, complaints, complaint_id):
        act = complaints.do(complaint_id, "reply", text="见图", pictures=[PNG, JPEG])
        assert act.state == ActState.SENT
        history = complaints.books(complaint_id)["history"]
        assert len(history[0]["image_list"]) == 2
        assert complaints.picture(complaint_id, 2).content == JPEG
        with app.app_context():
            rows = db.session.execute(sa.select(DisputeActPicture.content, DisputeActPicture.media_id)).all()
        assert [(content, bool(media_id)) for content, media_id in rows] == [(None, True), (None, True)]

    def test_what_has_arrived_is_not_uploaded_again(self, complaints, complaint_id, clock):
        complaints.fault("complaint_response", "drop")
        act = complaints.do(complaint_id, "reply", text="见图", pictures=[PNG, JPEG])
        assert act.state == ActState.WAITING
        clock.travel(minutes=1)
        complaints.shop.work()
        assert replies(complaints, complaint_id) == 1
        uploads = complaints.sandbox.control("GET", "/control/requests?route=image_upload")["requests"]
        assert len(uploads) == 2

    def test_an_upload_that_fails_is_tried_again_and_the_reply_waits(self, complaints, complaint_id, clock):
        complaints.fault("image_upload", "5xx")
        complaints.do(complaint_id, "reply", text="见图", pictures=[PNG])
        assert replies(complaints, complaint_id) == 0
        clock.travel(minutes=1)
        complaints.shop.work()
        assert replies(complaints, complaint_id) == 1

    def test_what_is_no_picture_is_refused(self, complaints, complaint_id, count):
        for pictures in ([b"GIF89a"], [PNG] * 5, [PNG + bytes(2 << 20)]):
            with pytest.raises(BadPicture):
                complaints.ask(complaint_id, "reply", text="见图", pictures=pictures)
        assert count(DisputeAct) == 0


class TestDeciding:
    def test_it_is_not_completed_before_a_reply(self, complaints, complaint_id):
        with pytest.raises(NotNow):
            complaints.ask(complaint_id, "complete")

    def test_a_promise_refunds_nothing_and_is_made_once(self, complaints, complaint_id):
        complaints.do(complaint_id, "approve_refund", days=1)
        assert complaints.dispute(complaint_id).state == "processing"
        assert complaints.books(complaint_id)["history"][0]["operate_type"] == "MERCHANT_APPROVE_REFUND"
        with pytest.raises(NotNow):
            complaints.ask(complaint_id, "approve_refund", days=1)

    def test_a_refusal_ends_it(self, complaints, complaint_id):
        complaints.do(complaint_id, "reject_refund", text="课程已学完")
        assert complaints.dispute(complaint_id).state == "processed"

    def test_two_people_do_not_decide_at_once(self, complaints, complaint_id):
        complaints.ask(complaint_id, "approve_refund", days=0)
        with pytest.raises(NotNow):
            complaints.ask(complaint_id, "reject_refund", text="不退")

    @pytest.mark.parametrize("days", [None, -1, 11])
    def test_days_that_are_none_are_refused(self, complaints, complaint_id, days):
        with pytest.raises(BadReply):
            complaints.ask(complaint_id, "approve_refund", days=days)

    def test_only_a_complaint_for_a_refund_has_one_to_decide(self, complaints):
        other = complaints.complain(problem_type="OTHERS")
        complaints.look()
        with pytest.raises(NotNow):
            complaints.ask(other, "approve_refund", days=0)
