"""What each kind of the worker's work is called."""

from flask_babel import lazy_gettext as _l

WORK = {
    "open_payment": _l("Getting the code from WeChat Pay"),
    "watch_payment": _l("Watching for a lost notification"),
    "close_order": _l("Closing the order"),
    "look_again": _l("Asking about an ended order once more"),
    "issue_license": _l("Making the license"),
    "run_batch": _l("Going on with a job"),
    "reconcile_day": _l("Comparing a day with its bill"),
    "refund_call": _l("Sending a refund"),
    "refund_query": _l("Asking about a refund"),
    "refund_overdue": _l("Noticing a refund without an end"),
    "learn_refunds": _l("Finding a refund made at WeChat Pay"),
    "mail_refund_started": _l("Mailing that a refund is under way"),
    "mail_refund_done": _l("Mailing that a refund was made"),
    "mail_refund_refused": _l("Mailing that a refund was refused"),
    "sync_dispute": _l("Reading a complaint"),
    "sync_disputes": _l("Looking for complaints"),
    "send_dispute_act": _l("Answering a complaint"),
    "transfer_overdue": _l("Noticing a transfer that waits too long"),
    "mail_transfer_told": _l("Mailing who confirms a transfer"),
    "mail_transfer_refused": _l("Mailing that a transfer was refused"),
    "mail_license": _l("Mailing the license"),
    "mail_license_revoked": _l("Mailing that a license was revoked"),
    "mail_new_device": _l("Mailing about a new device"),
    "mail_register_again": _l("Mailing who registers again"),
    "mail_reset": _l("Mailing the link for a new password"),
}
