"""`payments query ORDER`: what WeChat Pay says about an order, now."""

import re
from dataclasses import asdict

import click
from flask.cli import AppGroup

from portal.commands.printing import json_option, refuse, show
from portal.gateways.base import GatewayError
from portal.kit.errors import NotFound
from portal.payments.ask import NobodyToAsk, ask_gateway
from portal.web.tools import tools

payments = AppGroup("payments", help="Attempts to pay, and what gateways know of them.")
_NUMBER = re.compile(r"[0-9A-Za-z]{6,32}", re.ASCII)


@payments.command("query")
@click.argument("order")
@json_option
def query(order: str, as_json: bool) -> None:
    """Ask about ORDER (its number, or ours at the gateway) and apply the answer; exit 1 without one."""
    if not _NUMBER.fullmatch(order):
        refuse("This is not an order number.", as_json)
    try:
        asked = ask_gateway(order, tools())
    except NotFound:
        refuse("There is no order with this number.", as_json)
    except NobodyToAsk:
        refuse("The order is paid by transfer: no gateway knows of it.", as_json)
    except GatewayError as error:
        refuse(f"No answer that can be believed ({error.reason}). Nothing changed.", as_json, status=1)
    sentence = (
        f"{asked.out_trade_no} is {asked.state.value} at the gateway; "
        f"here the attempt is {asked.payment_status} and the order {asked.order_status}."
    )
    show(asdict(asked), sentence, as_json)
