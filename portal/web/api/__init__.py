"""The JSON API for the extension: bearer tokens, problem+json, OpenAPI; thin over the services of the pages.

A file in `v1/` for each resource, its shapes in `v1/schemas.py`. What all share: `resource.py` (what is
checked before any view), `parsing.py` (strict bodies and queries), `answers.py` (JSON with an ETag),
`limits.py`. `openapi.py` describes it all, and `docs.py` shows that description as a page.
"""

from portal.web.api.docs import bp as docs_bp
from portal.web.api.openapi import init_api

__all__ = ["docs_bp", "init_api"]
