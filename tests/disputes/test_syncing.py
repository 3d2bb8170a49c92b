"""Complaints are copied from the gateway: each once, with its deadlines, whatever comes twice or late."""

import base64
from datetime import timedelta

import pytest

from portal.cases.models import Case, CaseKind
from portal.disputes.keeping import keep
from portal.disputes.models import Dispute, DisputePicture
from portal.gateways.wechat_pay import complaints as complaints_v2
from portal.outbox.models import Job
from tests.support.complaints import PNG

pytestmark = pytest.mark.database


class TestReading:
    def test_an_hourly_look_finds_it_with_its_deadlines_and_its_order(self, complaints, shop):
        number = complaints.paid()
        complaint_id = complaints.complain(
            out_trade_no=number, problem_type="REFUND", apply_refund_amount=500
        )
        complaints.look()
        dispute = complaints.dispute(complaint_id)
        assert (dispute.state, dispute.problem_type, dispute.text) == ("pending", "refund", "看不了课")
        assert (dispute.out_trade_no, dispute.wanted_fen) == (number, 500)
        assert dispute.order_id is not None
        assert dispute.payment_id is not None
        assert dispute.first_due_at - dispute.complained_at == timedelta(hours=24)
        assert dispute.done_due_at - dispute.complained_at == timedelta(hours=72)
        assert complaints.steps(complaint_id) == ["USER_CREATE_COMPLAINT"]

    def test_looking_again_changes_nothing(self, complaints, clock, count):
        complaint_id = complaints.complain()
        complaints.look()
        before = complaints.dispute(complaint_id)
        clock.travel(hours=1)
        complaints.look()
        after = complaints.dispute(complaint_id)
        assert (after.id, after.first_due_at, after.state) == (before.id, before.first_due_at, before.state)
        assert complaints.steps(complaint_id) == ["USER_CREATE_COMPLAINT"]

    def test_within_an_hour_it_looks_once(self, app, complaints, count):
        complaints.look()
        complaints.look()
        assert count(Job, Job.kind == "sync_disputes") == 1

    def test_a_sweep_looks_by_itself(self, complaints):
        complaint_id = complaints.complain()
        complaints.shop.work(2)
        assert complaints.dispute(complaint_id).state == "pending"

    def test_more_than_a_page_is_read(self, complaints, count, monkeypatch):
        monkeypatch.setattr(complaints_v2, "_PER_PAGE", 2)
        monkeypatch.setattr(complaints_v2, "_STEPS_PER_PAGE", 1)
        ids = [complaints.complain() for _ in range(3)]
        for words in ("一", "二"):
            facts = {"detail": words}
            complaints.sandbox.control("POST", f"/control/complaints/{ids[0]}/answer_back", facts)
        complaints.look()
        assert count(Dispute) == 3
        assert complaints.steps(ids[0]) == ["USER_CREATE_COMPLAINT", "USER_RESPONSE", "USER_RESPONSE"]

    def test_the_phone_is_kept_encrypted(self, complaints):
        dispute_id = complaints.complain()
        complaints.look()
        kept = complaints.dispute(dispute_id).sealed_phone
        assert kept is not None
        assert "13800138000" not in kept

    def test_an_unknown_order_is_kept_and_opens_a_case(self, app, complaints, count):
        complaint_id = complaints.complain()
        complaints.fault(
            "complaint",
            "mutate",
            set={
                "complaint_order_info": [
                    {"transaction_id": "4200000000", "out_trade_no": "SOMEBODYELSES", "amount": 1}
                ]
            },
        )
        complaints.look()
        assert complaints.dispute(complaint_id).order_id is None
        assert count(Case, Case.kind == CaseKind.UNKNOWN_DISPUTE.value) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"complaint_state": "ODD"},
            {"complaint_id": "1"},
            {"complainted_mchid": "1900000999"},
            {"complaint_time": "x"},
        ],
    )
    def test_an_answer_that_is_not_about_it_changes_nothing_and_is_asked_for_again(
        self, complaints, clock, count, change
    ):
        complaint_id = complaints.complain()
        complaints.fault("complaint", "mutate", set=change)
        complaints.look()
        assert count(Dispute) == 0
        clock.travel(minutes=1)
        complaints.shop.work()
        assert complaints.dispute(complaint_id).state == "pending"

    def test_no_answer_is_asked_for_again(self, complaints, clock, count):
        complaint_id = complaints.complain()
        complaints.fault("complaint_history", "unsigned")
        complaints.look()
        assert count(Dispute) == 0
        clock.travel(minutes=1)
        complaints.shop.work()
        assert complaints.dispute(complaint_id).state == "pending"


class TestNotifications:
    def test_the_gateway_is_asked_to_tell_us(self, app, complaints):
        complaints.look()
        desk = app.extensions["portal_tools"].gateway("wechat_pay").complaints
        with app.app_context():
            assert desk.notify_url().endswith("/notify/wechat")

    def test_told_twice_it_is_read_once(self, app, complaints, count):
        complaint_id = complaints.complain()
        notice = complaints.told(complaint_id)
        answers = [complaints.shop.deliver(notice).status_code for _ in range(2)]
        assert answers == [200, 200]
        assert count(Job, Job.kind == "sync_dispute") == 1
        complaints.shop.work()
        assert complaints.dispute(complaint_id).state == "pending"

    def test_news_without_an_id_is_a_case(self, complaints, count):
        notice = complaints.told("not an id!")
        assert complaints.shop.deliver(notice).status_code == 200
        assert count(Case, Case.kind == CaseKind.UNREADABLE.value) == 1


class TestDeadlines:
    def test_a_payer_who_goes_on_after_the_end_begins_them_anew(self, app, complaints, clock):
        complaint_id = complaints.complain()
        complaints.look()
        complaints.do(complaint_id, "reply", text="好的")
        complaints.do(complaint_id, "complete")
        assert complaints.dispute(complaint_id).completed_at is not None
        clock.travel(hours=30)
        complaints.sandbox.control(
            "POST", f"/control/complaints/{complaint_id}/go_on", {"detail": "还是不行"}
        )
        complaints.look()
        dispute = complaints.dispute(complaint_id)
        assert (dispute.state, dispute.times, dispute.completed_at, dispute.answered_at) == (
            "pending",
            2,
            None,
            None,
        )
        assert dispute.first_due_at - dispute.complained_at > timedelta(hours=53)

    def test_an_older_answer_does_not_replace_a_newer(self, app, complaints, tools, clock):
        complaint_id = complaints.complain()
        desk = tools.gateway("wechat_pay").complaints
        with app.app_context():
            early, history, asked_at = desk.complaint(complaint_id), desk.history(complaint_id), clock.now()
        clock.travel(seconds=5)
        complaints.look()
        complaints.do(complaint_id, "reply", text="好的")
        with app.app_context():
            keep(early, history, asked_at)
        assert complaints.dispute(complaint_id).state == "processing"


class TestPictures:
    def test_only_their_ids_are_kept(self, complaints, count):
        complaint_id = complaints.complain(images=[base64.b64encode(PNG).decode()])
        complaints.look()
        assert count(DisputePicture) == 1
        assert complaints.picture(complaint_id, 1).content == PNG

    def test_one_at_another_host_is_never_fetched(self, complaints, count):
        complaints.complain(images=[base64.b64encode(PNG).decode()])
        media = [
            {
                "media_type": "USER_COMPLAINT_IMAGE",
                "media_url": ["https://evil.example/v3/merchant-service/images/A.png"],
            }
        ]
        complaints.fault("complaint", "mutate", set={"complaint_media_list": media})
        complaints.fault("complaint_history", "mutate", set={"data.0.complaint_media_list": media[0]})
        complaints.look()
        assert count(DisputePicture) == 0
