"""What pages say of a change of a course that was prepared."""

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.catalogue.drafts import is_overtaken
from portal.catalogue.models import Course, CourseDraft, DraftStatus
from portal.kit import wording

FACTS = {
    "title_zh": _l("Title in Chinese"),
    "title_en": _l("Title in English"),
    "summary_zh": _l("Summary in Chinese"),
    "summary_en": _l("Summary in English"),
    "price_fen": _l("Price"),
    "license_days": _l("Days a license lasts"),
    "max_downloads": _l("Downloads of a license"),
    "is_on_sale": _l("State"),
}

# Each state with the kind of its badge.
STATES = {
    DraftStatus.WAITING: (_l("Waits for approval"), "warn"),
    DraftStatus.APPROVED: (_l("Approved"), "good"),
    DraftStatus.REFUSED: (_l("Refused"), "bad"),
    DraftStatus.WITHDRAWN: (_l("Taken back"), ""),
}
_OVERTAKEN = (_l("Overtaken by a later change"), "")


@dataclass(frozen=True)
class Change:
    """One thing that a draft changes, as its reader is shown it."""

    name: Any
    before: Any
    after: Any


def names_of(draft: CourseDraft) -> list[Any]:
    """Return what a draft changes, by name."""
    return [name for key, name in FACTS.items() if key in draft.changed]


def changes_of(draft: CourseDraft) -> list[Change]:
    """Return what a draft changes, each with how it was and how it is to be."""
    return [
        Change(name, _shown(key, draft.before.get(key)), _shown(key, draft.after.get(key)))
        for key, name in FACTS.items()
        if key in draft.changed
    ]


def _shown(key: str, value: Any) -> Any:
    if value is None:
        return "–"
    if key == "price_fen":
        return wording.price_text(value) if value else _("Free")
    if key == "is_on_sale":
        return _("On sale") if value else _("Not on sale")
    return value


def state_of(draft: CourseDraft, course: Course) -> tuple[Any, str]:
    """Return where a draft stands, and the kind of its badge."""
    return (
        _OVERTAKEN if draft.is_waiting and is_overtaken(draft, course) else STATES[DraftStatus(draft.status)]
    )
