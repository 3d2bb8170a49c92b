"""Writes `docs/openapi.json`, the API's description as it is served; a test says when it is out of date.

.venv/bin/python -m scripts.openapi
"""

import json
import sys
from typing import Any

from flask import Flask

from portal.web.api import init_api
from portal.web.api.openapi import description
from scripts.processes import ROOT

PATH = ROOT / "docs" / "openapi.json"


def described() -> dict[str, Any]:
    """Return the description; it depends on no setting, so the bare doors are enough."""
    app = Flask("portal")
    init_api(app)
    with app.app_context():
        return description()


def main() -> int:
    """Write the file."""
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(
        json.dumps(described(), ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
