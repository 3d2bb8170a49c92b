"""Mail a license once more, because its owner or one of the staff asks."""

import sqlalchemy as sa

from portal.audit import services as audit
from portal.kit.db import db, transactional
from portal.learners.models import Learner
from portal.learners.sessions import actor
from portal.licenses.queries import license_of
from portal.outbox import services as outbox
from portal.outbox.models import Job, JobStatus

_KIND = "mail_license"


@transactional
def resend_license(learner: Learner, license_id: str, by: str | None = None, reason: str = "") -> None:
    """Have the license mailed to its owner again; while a mailing is under way, that one is hastened instead.

    A second press of the button finds the first one's mailing, however close together the two are: they
    would have the same effect key.

    Args:
        by: who asks, as an actor; the owner when left out.
        reason: why, in their words.

    Raises:
        NotFound: when there is no such license, or it is another's.
    """
    license_ = license_of(learner.id, license_id)
    mailings = db.session.execute(
        sa.select(Job.effect_key, Job.status).where(Job.kind == _KIND, Job.subject_id == license_.id)
    ).all()
    facts = {"reason": reason} if reason else {}
    for mailing in mailings:
        if mailing.status == JobStatus.PENDING:
            outbox.hasten(mailing.effect_key)
            break
    else:
        outbox.add(_KIND, f"{_KIND}:{license_.id}:again:{len(mailings)}", license_.id)
    audit.record("license.mail_requested", f"license:{license_.id}", by or actor(learner), **facts)
