"""`reports check|rebuild`: whether the counts behind the reports are what ledger and orders say."""

from flask.cli import AppGroup

from portal.commands.printing import json_option, show
from portal.reports.check import rebuild as rebuild_counts
from portal.reports.check import wrong_days

reports = AppGroup("reports", help="The counts behind the reports.")


@reports.command("check")
@json_option
def check(as_json: bool) -> None:
    """Count every day once more and compare; exit 1 and name the days when any differs.

    Today may be among them while the shop sells: the worker counts every half minute.
    """
    wrong = [day.isoformat() for day in wrong_days()]
    sentence = f"Days that differ: {', '.join(wrong)}." if wrong else "Every day is as ledger and orders say."
    show({"ok": not wrong, "days": wrong}, sentence, as_json)
    if wrong:
        raise SystemExit(1)


@reports.command("rebuild")
@json_option
def rebuild(as_json: bool) -> None:
    """Count every day anew, one after the other, while the shop goes on."""
    days = rebuild_counts()
    show({"days": days}, f"{days} days counted anew.", as_json)
