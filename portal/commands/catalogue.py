"""`catalogue load FILE`: make the catalogue what a YAML file says."""

from dataclasses import asdict
from pathlib import Path

import click
from flask.cli import AppGroup

from portal.audit import services as audit
from portal.catalogue.loading import LARGEST, CatalogueError
from portal.catalogue.loading import load as load_catalogue
from portal.commands.printing import json_option, refuse, show

catalogue = AppGroup("catalogue", help="What is for sale.")


@catalogue.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--only-new", is_flag=True, help="Leave courses that exist as they are.")
@json_option
def load(file: Path, only_new: bool, as_json: bool) -> None:
    """Load the whole FILE or nothing; loading it again changes nothing."""
    try:
        with file.open("rb") as opened:
            text = opened.read(LARGEST + 1).decode("utf-8")
        loaded = load_catalogue(text, only_new, audit.operator())
    except (CatalogueError, UnicodeDecodeError, OSError) as error:
        refuse(f"{file}: nothing was loaded.\n{error}", as_json)
    sentence = f"{loaded.added} added, {loaded.changed} changed, {loaded.unchanged} unchanged."
    show(asdict(loaded), sentence, as_json)
