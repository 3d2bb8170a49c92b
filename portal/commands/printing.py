"""How commands speak: JSON for scripts, a sentence for people, exit code 2 for bad input."""

import json
from typing import Any, NoReturn

import click

BAD_REASON = "The reason is one line of 3 to 200 characters, without quotation marks, <, > or &."

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def show(facts: Any, sentence: str, as_json: bool) -> None:
    """Print `facts` as JSON, or the sentence."""
    click.echo(json.dumps(facts, ensure_ascii=False, default=str) if as_json else sentence)


def refuse(sentence: str, as_json: bool = False, status: int = 2) -> NoReturn:
    """End the command with a sentence on standard error (as JSON on standard output, if asked for)."""
    if as_json:
        click.echo(json.dumps({"error": sentence}, ensure_ascii=False))
    click.echo(sentence, err=True)
    raise SystemExit(status)
