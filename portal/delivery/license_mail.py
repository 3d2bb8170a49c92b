"""Mails about licenses: the receipt with the license, and that one was taken away."""

from typing import Any

import sqlalchemy as sa

from portal.catalogue.models import Product
from portal.config import Settings
from portal.delivery.messages import compose
from portal.delivery.transport import Mailer
from portal.kit import faults
from portal.kit.db import db, forbid_open_transaction
from portal.learners.models import Learner
from portal.licenses.models import Entitlement, License, LicenseStatus
from portal.orders.models import Order


def mail_license(license_id: str, effect_key: str, mailer: Mailer, settings: Settings) -> None:
    """Mail a license to its owner, in the owner's language; one that was granted comes without a receipt.

    One that was revoked or replaced while its mail waited is not sent: what ended it has its own mail.

    Raises:
        MailNotSent: try again later.
    """
    found = _found(license_id, settings)
    if found is None:
        return
    learner, license_, facts = found
    if license_.status != LicenseStatus.ACTIVE:
        return
    message = compose("license", learner.locale, learner.email, effect_key, settings, **facts)
    message.add_attachment(license_.text + "\n", subtype="plain", filename=f"{license_.course_id}.lic.txt")
    forbid_open_transaction()
    faults.point("mail.before_send")
    mailer.send(message)
    faults.point("mail.after_send")


def mail_license_revoked(license_id: str, effect_key: str, mailer: Mailer, settings: Settings) -> None:
    """Tell the owner that staff took a license away, why, and what can be done.

    Raises:
        MailNotSent: try again later.
    """
    found = _found(license_id, settings)
    if found is None:
        return
    learner, _license, facts = found
    message = compose("license_revoked", learner.locale, learner.email, effect_key, settings, **facts)
    forbid_open_transaction()
    mailer.send(message)


def _found(license_id: str, settings: Settings) -> tuple[Learner, License, dict[str, Any]] | None:
    """Return the owner, the license, and what a mail about it says."""
    row = db.session.execute(
        sa.select(License, Order, Learner, Product)
        .join(Entitlement, Entitlement.id == License.entitlement_id)
        .join(Product, Product.id == License.course_id)
        .outerjoin(Order, Order.id == Entitlement.order_id)
        .join(Learner, Learner.id == License.learner_id)
        .where(License.id == license_id)
    ).first()
    if row is None:
        return None
    license_, order, learner, product = row
    facts = {
        "order": order,
        "license": license_,
        "course_title": (order or product).title(learner.locale),
        "license_url": f"{settings.PORTAL_BASE_URL}/account/licenses/{license_.id}",
    }
    return learner, license_, facts
