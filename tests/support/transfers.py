"""Courses paid by transfer, for tests that are about money: who offers, who sends, who confirms."""

import dataclasses
import io
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from PIL import Image
from werkzeug.test import TestResponse

from portal.catalogue import offers
from portal.catalogue.models import OfferMode
from portal.kit.db import db, transaction
from portal.learners.models import Learner, Role
from portal.orders.models import Order
from portal.pictures.formats import strip
from portal.staff.models import CourseInstructor
from portal.tools import Tools
from portal.transfers import confirm
from portal.transfers.confirm import Received
from portal.transfers.models import Transfer
from tests.factories.learners import make_learner
from tests.support.shop import COURSE, Buyer, Shop

PRICE = 9900


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    """Draw a picture."""
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind, **options)
    return out.getvalue()


class TransferDesk:
    """A shop with a course sold by transfer, and the people who confirm."""

    def __init__(self, shop: Shop, tools: Tools) -> None:
        self.shop = shop
        self.tools = tools

    def limits(self, single_fen: int) -> None:
        """Set how much one person may decide alone."""
        settings = self.tools.settings.model_copy(update={"APPROVAL_SINGLE_FEN": single_fen})
        self.tools = dataclasses.replace(self.tools, settings=settings)

    def within(self, work: Callable[[], Any]) -> Any:
        """Do something as a process of its own would."""
        with self.shop.app.app_context():
            return work()

    def offer(self, mode: OfferMode = OfferMode.BESIDE, course_id: str = COURSE) -> None:
        """Have a course sold by transfer."""
        facts = offers.OfferFacts(mode, "Teacher Wang", "", "", strip(picture()))
        self.within(lambda: offers.set_offer(course_id, facts, 0, "system"))

    def person(self, role: Role = Role.FINANCE) -> Learner:
        """Hire somebody."""
        learner: Learner = self.within(lambda: make_learner(role=role))
        return learner

    def teacher(self, course_id: str = COURSE) -> Learner:
        """Hire an instructor of a course."""
        person = self.person(Role.INSTRUCTOR)

        def teach() -> None:
            with transaction():
                db.session.add(CourseInstructor(learner_id=person.id, course_id=course_id))

        self.within(teach)
        return person

    def order(self, buyer: Buyer, course_id: str = COURSE) -> str:
        """Press *pay by transfer*; return the order's id."""
        response = buyer.post(f"/courses/{course_id}/transfer", page=f"/courses/{course_id}")
        assert response.status_code == 303, response.get_data(as_text=True)[-2000:]
        return str(response.location.rsplit("/", 1)[1])

    def tell(self, buyer: Buyer, order_id: str, **form: Any) -> TestResponse:
        """Say that it was transferred, with a picture unless told."""
        form.setdefault("picture", (io.BytesIO(picture()), "proof.png"))
        address = f"/checkout/{order_id}/transfer"
        return buyer.post(address, form, page=address, content_type="multipart/form-data")

    def told(self, buyer: Buyer | None = None) -> str:
        """Order and say that it was transferred; return the order's id."""
        someone = buyer or self.shop.buyer()
        order_id = self.order(someone)
        assert self.tell(someone, order_id).status_code == 303
        return order_id

    def transfer(self, order_id: str) -> Transfer:
        """Return the transfer of an order as it is now."""
        with self.shop.app.app_context():
            query = sa.select(Transfer).join(Order, Order.id == Transfer.order_id)
            found = db.session.scalars(query.where(Order.public_id == order_id)).one()
            db.session.expunge(found)
            return found

    def check(
        self,
        order_id: str,
        number: str = "1000050001",
        amount_fen: int = PRICE,
        person: Learner | None = None,
        with_picture: bool = False,
    ) -> str:
        """Enter what came; return how the transfer stands."""
        someone, reference = person or self.person(), self.transfer(order_id).reference
        received = Received(amount_fen, number, strip(picture()) if with_picture else None)
        return str(
            self.within(lambda: confirm.check_transfer(someone, reference, received, None, self.tools))
        )

    def digest(self, order_id: str) -> str:
        """Return what the page of a transfer fixes now."""
        found = self.transfer(order_id)
        return str(self.within(lambda: confirm.digest(found)))

    def approve(self, order_id: str, person: Learner | None = None, digest: str | None = None) -> str:
        """Agree with what the page shows now, or what `digest` is of."""
        someone, shown = person or self.person(), digest or self.digest(order_id)
        reference = self.transfer(order_id).reference
        return str(self.within(lambda: confirm.approve_transfer(someone, reference, shown, None, self.tools)))

    def refuse(self, order_id: str, reason: str = "nothing came") -> None:
        """Say that no money came."""
        someone, reference = self.person(), self.transfer(order_id).reference
        self.within(lambda: confirm.refuse_transfer(someone, reference, reason, None))

    def send_back(self, order_id: str, reason: str = "typed wrong") -> None:
        """Take back what was entered."""
        someone, reference = self.person(), self.transfer(order_id).reference
        self.within(lambda: confirm.send_back(someone, reference, reason, None))
