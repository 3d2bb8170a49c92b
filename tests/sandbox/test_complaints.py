"""Complaints: what the payer does, what the merchant may, and what the merchant hears."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime, timedelta, timezone

import pytest
import requests

BASE = "/v3/merchant-service"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURE = base64.b64encode(PNG).decode()


def refusal(answer):
    return answer.status_code, answer.json()["code"]


@pytest.fixture(autouse=True)
def nobody_settles(sandbox):
    sandbox.post("/switch", refund_mode="manual")


@pytest.fixture
def complained(sandbox, paid):
    def complain(**fields):
        return sandbox.post(
            "/complaints", **{"out_trade_no": fields.pop("out_trade_no", None) or paid()} | fields
        )

    return complain


@pytest.fixture
def today(sandbox):
    now = datetime.fromtimestamp(sandbox.world.clock.now(), timezone(timedelta(hours=8)))
    return f"{now:%Y-%m-%d}"


@pytest.fixture
def act(merchant):
    """Do something about a complaint as the merchant."""

    def post(complaint, what, **fields):
        target = f"{BASE}/complaints-v2/{complaint['complaint_id']}/{what}"
        named = {} if what == "update-refund-progress" else {"complainted_mchid": merchant.mchid}
        return merchant.call("POST", target, named | fields)

    return post


@pytest.fixture
def detail(merchant):
    def get(complaint):
        answer = merchant.call("GET", f"{BASE}/complaints-v2/{complaint['complaint_id']}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture
def upload(merchant):
    def post(content=PNG, meta=None, boundary="xyz", name="a.png"):
        told = {"filename": name, "sha256": hashlib.sha256(content).hexdigest()} if meta is None else meta
        text = json.dumps(told).encode()
        body = (
            b"--" + boundary.encode() + b'\r\nContent-Disposition: form-data; name="meta"\r\n'
            b"Content-Type: application/json\r\n\r\n" + text + b"\r\n"
            b"--"
            + boundary.encode()
            + b'\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
            b"Content-Type: image/png\r\n\r\n" + content + b"\r\n--" + boundary.encode() + b"--\r\n"
        )
        target = f"{BASE}/images/upload"
        headers = {
            "Authorization": merchant.authorization("POST", target, text),
            "Content-Type": "multipart/form-data",
        }
        return merchant.call("POST", target, body=body, headers=headers)

    return post


class TestReading:
    def test_the_list_has_the_complaints_of_some_days(self, merchant, complained, today):
        first, second = complained(), complained(problem_type="OTHERS")
        target = f"{BASE}/complaints-v2?begin_date={today}&end_date={today}"
        told = merchant.call("GET", target + "&limit=1").json()
        assert (told["total_count"], told["limit"], told["offset"]) == (2, 1, 0)
        assert [c["complaint_id"] for c in told["data"]] == [second["complaint_id"]]
        told = merchant.call("GET", target + "&offset=1").json()
        assert [c["complaint_id"] for c in told["data"]] == [first["complaint_id"]]
        assert "payer_openid" not in told["data"][0]

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "?begin_date=2026-01-01",
            "?begin_date=2026-01-01&end_date=2026-02-15",
            "?begin_date=2026-01-02&end_date=2026-01-01",
            "?begin_date=2026-01-01&end_date=2026-01-02&limit=51",
            "?begin_date=2026-01-01&end_date=2026-01-02&limit=x",
            "?begin_date=2026-13-01&end_date=2026-01-02",
            "?begin_date=2026-01-01&end_date=2026-01-02&state=PENDING",
        ],
    )
    def test_other_questions_are_refused(self, merchant, query):
        assert refusal(merchant.call("GET", f"{BASE}/complaints-v2{query}")) == (400, "PARAM_ERROR")

    def test_one_complaint(self, merchant, complained, paid, detail):
        number = paid()
        told = detail(complained(out_trade_no=number, detail="看不了课", images=[PICTURE]))
        assert told["complaint_state"] == "PENDING"
        assert told["complaint_detail"] == "看不了课"
        assert told["complaint_order_info"][0] == {
            "transaction_id": merchant.query(number).json()["transaction_id"],
            "out_trade_no": number,
            "amount": 9900,
        }
        assert (told["problem_type"], told["apply_refund_amount"]) == ("REFUND", 9900)
        assert (told["incoming_user_response"], told["user_complaint_times"]) == (True, 1)
        assert told["complaint_full_refunded"] is False
        assert merchant.unseal(told["payer_phone"]) == "13800138000"
        assert told["payer_openid"]

    def test_a_picture_is_fetched_with_a_signature_and_comes_without_one(
        self, merchant, other_merchant, complained, detail
    ):
        (media,) = detail(complained(images=[PICTURE]))["complaint_media_list"]
        target = media["media_url"][0].removeprefix(merchant.url)
        answer = merchant.call("GET", target)
        assert (answer.content, answer.headers["Content-Type"]) == (PNG, "image/png")
        assert "Wechatpay-Signature" not in answer.headers
        assert requests.get(merchant.url + target, timeout=5).status_code == 401
        assert refusal(other_merchant.call("GET", target)) == (403, "NO_AUTH")

    def test_the_history_tells_each_step_newest_first(self, merchant, sandbox, complained, act):
        complaint = complained(images=[PICTURE])
        act(complaint, "response", response_content="您好")
        sandbox.post(f"/complaints/{complaint['complaint_id']}/answer_back", detail="还是不行")
        target = f"{BASE}/complaints-v2/{complaint['complaint_id']}/negotiation-historys"
        told = merchant.call("GET", target).json()
        assert [entry["operate_type"] for entry in told["data"]] == [
            "USER_RESPONSE",
            "MERCHANT_RESPONSE",
            "USER_CREATE_COMPLAINT",
        ]
        assert told["data"][-1]["complaint_media_list"]["media_type"] == "USER_COMPLAINT_IMAGE"
        assert told["total_count"] == 3

    def test_another_merchants_complaint_is_not_there(self, other_merchant, complained):
        target = f"{BASE}/complaints-v2/{complained()['complaint_id']}"
        assert refusal(other_merchant.call("GET", target)) == (400, "INVALID_REQUEST")


class TestActing:
    def test_the_first_reply_begins_and_complete_ends(self, complained, act, detail):
        complaint = complained()
        assert refusal(act(complaint, "complete")) == (400, "INVALID_REQUEST")
        answer = act(complaint, "response", response_content="您好，马上处理")
        assert (answer.status_code, answer.content) == (204, b"")
        told = detail(complaint)
        assert (told["complaint_state"], told["incoming_user_response"]) == ("PROCESSING", False)
        assert act(complaint, "complete").status_code == 204
        assert act(complaint, "complete").status_code == 204
        assert detail(complaint)["complaint_state"] == "PROCESSED"

    def test_a_user_may_go_on_after_the_end(self, sandbox, complained, act, detail):
        complaint = complained()
        act(complaint, "response", response_content="您好")
        act(complaint, "complete")
        sandbox.post(f"/complaints/{complaint['complaint_id']}/go_on")
        told = detail(complaint)
        assert (told["complaint_state"], told["user_complaint_times"]) == ("PENDING", 2)
        assert told["incoming_user_response"] is True

    def test_a_reply_may_have_pictures_we_uploaded(self, merchant, complained, act, upload):
        complaint = complained()
        media_id = upload().json()["media_id"]
        assert (
            act(complaint, "response", response_content="见图", response_images=[media_id]).status_code == 204
        )
        answer = act(complaint, "response", response_content="见图", response_images=["NOSUCH.png"])
        assert refusal(answer) == (400, "PARAM_ERROR")

    def test_approving_does_not_refund_and_the_refund_ends_it(
        self, sandbox, merchant, complained, act, detail
    ):
        complaint = complained()
        assert (
            act(complaint, "update-refund-progress", action="APPROVE", launch_refund_day=0).status_code == 204
        )
        assert detail(complaint)["complaint_state"] == "PROCESSING"
        assert merchant.query(complaint["out_trade_no"]).json()["trade_state"] == "SUCCESS"
        refund = merchant.refunded(complaint["out_trade_no"])
        assert detail(complaint)["complaint_state"] == "PROCESSING"
        sandbox.post(f"/refunds/{refund['out_refund_no']}/settle")
        told = detail(complaint)
        assert (told["complaint_state"], told["complaint_full_refunded"]) == ("PROCESSED", True)

    def test_a_refund_nobody_approved_is_only_noted(self, sandbox, merchant, complained, detail):
        complaint = complained()
        refund = merchant.refunded(complaint["out_trade_no"], 100)
        sandbox.post(f"/refunds/{refund['out_refund_no']}/settle")
        assert detail(complaint)["complaint_state"] == "PENDING"
        history = sandbox.get(f"/complaints/{complaint['complaint_id']}")["history"]
        assert history[0]["operate_type"] == "COMPLAINT_PARTIAL_REFUNDED_SYSTEM_MESSAGE"

    def test_rejecting_ends_it(self, complained, act, detail):
        complaint = complained()
        answer = act(complaint, "update-refund-progress", action="REJECT", reject_reason="课程已学完")
        assert answer.status_code == 204
        assert detail(complaint)["complaint_state"] == "PROCESSED"
        answer = act(complaint, "update-refund-progress", action="APPROVE", launch_refund_day=0)
        assert refusal(answer) == (400, "INVALID_REQUEST")

    @pytest.mark.parametrize(
        ("what", "fields"),
        [
            ("response", {}),
            ("response", {"response_content": "长" * 201}),
            ("response", {"response_content": "x", "response_images": ["a"] * 5}),
            ("response", {"response_content": "x", "jump_url": "http://a.example"}),
            ("complete", {"x": 1}),
            ("update-refund-progress", {}),
            ("update-refund-progress", {"action": "MAYBE"}),
            ("update-refund-progress", {"action": "APPROVE"}),
            ("update-refund-progress", {"action": "REJECT"}),
            ("update-refund-progress", {"action": "REJECT", "reject_reason": "x", "launch_refund_day": 1}),
            ("update-refund-progress", {"action": "APPROVE", "launch_refund_day": -1}),
        ],
    )
    def test_a_field_that_breaks_a_rule(self, complained, act, what, fields):
        assert refusal(act(complained(), what, **fields)) == (400, "PARAM_ERROR")

    def test_only_a_complaint_about_a_refund_has_its_progress(self, complained, act):
        complaint = complained(problem_type="OTHERS")
        answer = act(complaint, "update-refund-progress", action="APPROVE", launch_refund_day=0)
        assert refusal(answer) == (400, "INVALID_REQUEST")


class TestPictures:
    def test_an_upload_is_signed_over_its_meta_and_needs_no_boundary_in_the_header(self, merchant, upload):
        answer = upload()
        assert merchant.verifies(answer.headers, answer.content)
        media_id = answer.json()["media_id"]
        assert merchant.call("GET", f"{BASE}/images/{media_id}").content == PNG

    @pytest.mark.parametrize(
        "options",
        [
            {"content": b"GIF89a"},
            {"content": PNG + bytes(2 << 20)},
            {"name": "a.exe"},
            {"meta": {"filename": "a.png", "sha256": "0" * 64}},
            {"meta": {"filename": "a.png"}},
            {"meta": []},
        ],
    )
    def test_others_are_refused(self, upload, options):
        assert refusal(upload(**options)) == (400, "PARAM_ERROR")

    def test_a_body_that_is_no_upload(self, merchant):
        answer = merchant.call("POST", f"{BASE}/images/upload", body=b"--\r\nrubbish")
        assert refusal(answer) == (400, "INVALID_REQUEST")


class TestNotifications:
    TARGET = f"{BASE}/complaint-notifications"

    def test_the_address_is_set_changed_shown_and_deleted(self, merchant):
        assert refusal(merchant.call("GET", self.TARGET)) == (404, "RESOURCE_NOT_EXISTS")
        fields = {"url": "https://shop.example.com/complaints"}
        assert refusal(merchant.call("PUT", self.TARGET, fields)) == (404, "RESOURCE_NOT_EXISTS")
        told = merchant.call("POST", self.TARGET, fields).json()
        assert told == {"mchid": merchant.mchid} | fields
        assert refusal(merchant.call("POST", self.TARGET, fields)) == (400, "RESOURCE_ALREADY_EXISTS")
        changed = {"url": "https://shop.example.com/other"}
        assert merchant.call("PUT", self.TARGET, changed).json()["url"] == changed["url"]
        assert merchant.call("GET", self.TARGET).json()["url"] == changed["url"]
        assert merchant.call("DELETE", self.TARGET).status_code == 204
        assert refusal(merchant.call("DELETE", self.TARGET)) == (404, "RESOURCE_NOT_EXISTS")
        assert refusal(merchant.call("POST", self.TARGET, {"url": "ftp://x"})) == (400, "PARAM_ERROR")

    def test_each_step_is_told(self, sandbox, merchant, complained, act, shop):
        merchant.call("POST", self.TARGET, {"url": shop.url})
        complaint = complained()
        act(complaint, "response", response_content="您好")
        sandbox.post(f"/complaints/{complaint['complaint_id']}/answer_back")
        act(complaint, "complete")
        sandbox.post(f"/complaints/{complaint['complaint_id']}/be_satisfied")
        received = shop.wait_for(4)
        told = []
        for headers, body in received:
            assert merchant.verifies(headers, body)
            outer = json.loads(body)
            inner = json.loads(merchant.decrypt(outer["resource"]))
            assert inner["complaint_id"] == complaint["complaint_id"]
            assert outer["resource"]["original_type"] == "complaint"
            told.append((outer["event_type"], inner["action_type"]))
        assert sorted(told) == sorted(
            [
                ("COMPLAINT.CREATE", "CREATE_COMPLAINT"),
                ("COMPLAINT.STATE_CHANGE", "MERCHANT_RESPONSE"),
                ("COMPLAINT.STATE_CHANGE", "USER_RESPONSE"),
                ("COMPLAINT.STATE_CHANGE", "MERCHANT_CONFIRM_COMPLETE"),
            ]
        )

    def test_without_an_address_nobody_is_told(self, sandbox, complained):
        complaint = complained()
        found = sandbox.get("/notifications", out_trade_no=complaint["out_trade_no"])["notifications"]
        assert [n["event_type"] for n in found] == ["TRANSACTION.SUCCESS"]


class TestThePayer:
    def test_complains_about_what_was_paid_once_at_a_time(self, sandbox, merchant, complained):
        unpaid, _ = merchant.placed()
        assert sandbox.try_post("/complaints", out_trade_no=unpaid).status_code == 409
        complaint = complained()
        again = sandbox.try_post("/complaints", out_trade_no=complaint["out_trade_no"])
        assert again.status_code == 409
        assert sandbox.try_post("/complaints", out_trade_no="NOSUCH").status_code == 404

    def test_the_books_have_the_deadlines(self, complained):
        complaint = complained()
        assert complaint["reply_by"] == complaint["created_at"] + 24 * 3600
        assert complaint["complete_by"] == complaint["created_at"] + 72 * 3600

    def test_on_the_phone_with_a_picture(self, sandbox, merchant, paid, act):
        number = paid()
        address = f"{sandbox.url}/phone/orders/{number}"
        page = requests.post(
            f"{address}/complain?mchid={merchant.mchid}",
            data={"problem_type": "REFUND", "detail": "<i>看不了</i>"},
            files={"pictures": ("a.png", PNG)},
            timeout=5,
        )
        assert page.status_code == 200
        assert "&lt;i&gt;看不了&lt;/i&gt;" in page.text
        (complaint,) = sandbox.get("/complaints")["complaints"]
        assert json.loads(complaint["images"])
        act(complaint, "response", response_content="您好")
        go_on = f"{address}/complaints/{complaint['complaint_id']}?mchid={merchant.mchid}"
        for action in ("answer_back", "go_on", "be_satisfied"):
            assert requests.post(go_on, data={"action": action}, timeout=5).status_code == 200
        kinds = [
            s["operate_type"] for s in sandbox.get(f"/complaints/{complaint['complaint_id']}")["history"]
        ]
        assert kinds[:3] == ["USER_SUBMIT_SATISFACTION", "USER_CONTINUE_COMPLAINT", "USER_RESPONSE"]

    @pytest.mark.parametrize("data", [{"problem_type": "HATE"}, {"detail": "x" * 10}])
    def test_what_the_phone_refuses_is_told_on_the_page(self, sandbox, merchant, complained, data):
        number = complained()["out_trade_no"]
        page = requests.post(
            f"{sandbox.url}/phone/orders/{number}/complain?mchid={merchant.mchid}", data=data, timeout=5
        )
        assert page.status_code in (400, 409)
        assert 'role="alert"' in page.text
