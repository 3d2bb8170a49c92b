"""An admin pauses the sale and puts up a banner; keys are shown, and no secrets."""

import pytest

from portal.learners.models import Role
from tests.support.shop import COURSE, Buyer

pytestmark = pytest.mark.database
SETTINGS = "/admin/settings"


@pytest.fixture
def admin(shop) -> Buyer:
    """An admin at a browser, a code just entered."""
    return shop.buyer(role=Role.ADMIN)


@pytest.fixture(autouse=True)
def fresh_board(tools):
    """Forget what the test before switched."""
    tools.board.forget()


def turn(admin: Buyer, name: str, version: str = "0", **fields):
    form = {"is_on": "y", "text_zh": "盘点中，请稍后", "text_en": "Stocktaking, back soon", **fields}
    data = {
        f"{name}-{field}": value for field, value in {"version": version, **form}.items() if value is not None
    }
    return admin.post(f"{SETTINGS}/{name}", data, page=SETTINGS)


class TestSwitches:
    def test_a_pause_is_said_everywhere_and_stops_new_orders_only(self, admin, shop):
        begun, late = shop.buyer(), shop.buyer()
        order_id = begun.buy()
        assert turn(admin, "sales_pause").status_code == 303
        assert "Stocktaking, back soon" in late.get("/courses").get_data(as_text=True)
        refused = late.post(f"/courses/{COURSE}/buy", page=f"/courses/{COURSE}")
        assert refused.location == f"/courses/{COURSE}"
        assert begun.state(order_id) == "awaiting_payment"
        shop.pay(order_id)
        assert shop.notify(order_id).status_code == 200
        assert begun.state(order_id) == "delivered"
        turn(admin, "sales_pause", "1", is_on=None)
        assert late.buy()

    def test_a_banner_is_in_the_readers_language(self, admin, client):
        turn(admin, "banner", text_en="<b>Sale</b>")
        page = client.get("/courses", headers={"Accept-Language": "en"}).get_data(as_text=True)
        assert "&lt;b&gt;Sale&lt;/b&gt;" in page
        assert "盘点中" in client.get("/courses", headers={"Accept-Language": "zh-CN"}).get_data(as_text=True)

    @pytest.mark.parametrize(
        "fields",
        [
            {"text_zh": ""},
            {"text_en": " "},
            {"text_en": "x" * 301},
            {"text_en": "two\nlines"},
            {"text_zh": "\u202eabc"},
            {"version": "-1"},
            {"version": "x"},
        ],
    )
    def test_what_says_nothing_or_too_much_is_not_switched_on(self, admin, client, fields):
        response = turn(admin, "banner", **fields)
        assert response.status_code == 422
        assert "error-summary" in response.get_data(as_text=True)
        assert "shop-notice" not in client.get("/courses").get_data(as_text=True)

    def test_a_page_that_is_old_turns_nothing(self, admin):
        turn(admin, "banner")
        assert turn(admin, "banner", "0", text_en="another").status_code == 409
        assert "another" not in admin.get("/courses").get_data(as_text=True)

    def test_there_is_no_such_switch(self, admin):
        assert turn(admin, "everything").status_code == 404

    def test_keys_are_shown_and_secrets_are_not(self, admin, tools):
        page = admin.get(SETTINGS).get_data(as_text=True)
        assert tools.key_ring.infos()[-1].kid in page
        settings = tools.settings
        for secret in (settings.SECRET_KEY, settings.WECHATPAY_APIV3_KEY, settings.LICENSE_KEY_PASSPHRASE):
            assert secret.get_secret_value() not in page
        assert "PRIVATE KEY" not in page
