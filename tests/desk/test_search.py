"""An order is found by any number that a person may hold in their hands, and only by whoever may see it."""

import pytest

from portal.desk.search import Found, search
from portal.desk.story import story_of
from portal.kit.errors import NotFound
from portal.licenses.models import License

pytestmark = pytest.mark.database
CPP, JS = "cpp-primer-5th", "javascript-complete"


@pytest.fixture
def bought(app, shop):
    """A paid order, and the application context to read it in."""
    buyer = shop.buyer(email="li.lei@example.com")
    order_id = buyer.buy()
    shop.pay(order_id)
    shop.notify(order_id)
    with app.app_context():
        yield story_of(order_id, None)


def numbers_of(story):
    (payment,), (license_,) = story.payments, story.licenses
    transaction = payment.transaction_id
    spaced = " ".join((transaction[:4], transaction[4:]))
    order_id = story.order.public_id
    return [
        order_id,
        order_id.upper(),
        transaction,
        spaced,
        payment.out_trade_no,
        license_.id,
        license_.id.upper(),
    ]


def test_each_number_leads_to_the_order(bought):
    for number in numbers_of(bought):
        assert search(number, None) == Found(orders=(bought.order.public_id,)), number
        assert search(f"  {number}\n", [CPP]) == Found(orders=(bought.order.public_id,)), number


def test_an_address_leads_to_its_owner(bought):
    assert search("Li.Lei@Example.com ", None) == Found(learner=bought.learner.public_id)
    assert search("li.lei@example.com", [CPP]).learner == bought.learner.public_id


def test_who_teaches_another_course_finds_nothing(bought):
    for number in [*numbers_of(bought), "li.lei@example.com"]:
        for courses in ([JS], []):
            assert search(number, courses) == Found()
    with pytest.raises(NotFound):
        story_of(bought.order.public_id, [JS])


@pytest.mark.parametrize(
    "text",
    ["", " ", "0", "1", "%", "_" * 20, "' OR 1=1 --", "４２００", "\x00" * 8, "a" * 10_000, "@", "é@example.com",
     "nobody@example.com", "42000000", "0" * 28, "ffffffff-ffff-ffff-ffff-ffffffffffff", "🙂" * 10],
)  # fmt: skip
def test_anything_else_finds_nothing_and_does_no_harm(bought, text):
    assert search(text, None) == Found()


def test_a_license_without_an_order_has_none(app, shop, tools, bought):
    from portal.catalogue.queries import course_of
    from portal.payments.rights import grant_course
    from tests.factories.learners import make_learner

    granted: License = grant_course(make_learner(), course_of(CPP), "a good friend", "operator:test", tools)
    assert search(granted.id, None) == Found()
