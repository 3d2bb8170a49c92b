"""A learner at a browser without script, over real HTTP."""

import html
import re
from typing import Any

import requests

CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
PASSWORD = "a long and quiet password"


class Browser:
    """One visitor of a running portal."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Accept-Language"] = "en"

    def get(self, path: str, **options: Any) -> requests.Response:
        """Open a page."""
        return self.session.get(self.url + path, timeout=20, **options)

    def post(
        self, path: str, form: dict[str, str] | None = None, page: str = "/courses"
    ) -> requests.Response:
        """Send a form with the token of `page`; redirects are not followed."""
        match = CSRF.search(self.get(page).text)
        assert match, f"no form on {page}"
        facts = {"csrf_token": html.unescape(match[1]), **(form or {})}
        return self.session.post(self.url + path, data=facts, timeout=20, allow_redirects=False)

    def register(self, email: str) -> None:
        """Make an account and be signed in."""
        form = {"email": email, "password": PASSWORD, "password_again": PASSWORD}
        response = self.post("/register", form, page="/register")
        assert response.status_code == 303, response.text[:2000]

    def buy(self, course_id: str = "cpp-primer-5th") -> str:
        """Press *buy* and return the order's id."""
        response = self.post(f"/courses/{course_id}/buy", page=f"/courses/{course_id}")
        assert response.status_code == 303, response.text[:2000]
        return response.headers["Location"].rsplit("/", 1)[1]

    def state(self, order_id: str) -> str:
        """Return the state that the page of an order polls."""
        return str(self.get(f"/checkout/{order_id}/status").json()["state"])
