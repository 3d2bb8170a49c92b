"""What operators type: `flask --app wsgi …`. A file for each noun; every command has `--json`."""

from flask import Flask

from portal.commands.audit import audit
from portal.commands.cases import cases
from portal.commands.catalogue import catalogue
from portal.commands.demo_accounts import demo_accounts
from portal.commands.demo_offer import demo_offer
from portal.commands.disputes import disputes
from portal.commands.doctor import doctor
from portal.commands.hold import hold
from portal.commands.license_keys import license_keys
from portal.commands.licenses import licenses
from portal.commands.payments import payments
from portal.commands.reconcile import reconcile
from portal.commands.reports import reports
from portal.commands.sweep import sweep
from portal.commands.tokens import tokens
from portal.commands.users import users


def register_commands(app: Flask) -> None:
    """Add the portal's commands to the app."""
    for command in (
        audit,
        cases,
        catalogue,
        demo_accounts,
        demo_offer,
        disputes,
        doctor,
        hold,
        license_keys,
        licenses,
        payments,
        reconcile,
        reports,
        sweep,
        tokens,
        users,
    ):
        app.cli.add_command(command)
