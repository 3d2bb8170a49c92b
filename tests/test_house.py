"""What holds for the whole house: its layers, its doors, its templates, and what every answer carries."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from jinja2 import Environment, nodes

from portal.app import create_app
from portal.cases.models import CaseKind
from portal.config import ROOT, load_settings
from portal.delivery import messages
from portal.job_kinds import KINDS
from portal.kit import faults
from portal.payments.checkout_state import CheckoutState
from tests.support.processes import portal_environment

PORTAL = ROOT / "portal"
TEMPLATES = ROOT / "templates"
PAGES = sorted(path for path in TEMPLATES.rglob("*.html") if "email" not in path.parts)
ALL_TEMPLATES = sorted(path for path in TEMPLATES.rglob("*") if path.is_file())
SOURCES = sorted(PORTAL.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(TEMPLATES).as_posix()


def called(name: str) -> list[tuple[Path, ast.Call]]:
    """Return every call of `….name(…)` or `name(…)` in the portal."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                function = node.func
                own = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                if own == name:
                    found.append((path, node))
    return found


def test_the_layers_hold():
    ended = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:]


class TestRoutes:
    def test_none_vanishes_and_none_appears(self, session_app):
        listed = (ROOT / "tests/routes.txt").read_text(encoding="utf-8").splitlines()
        made = {
            (rule.endpoint, ",".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})), rule.rule)
            for rule in session_app.url_map.iter_rules()
        }
        assert made == {tuple(line.split()) for line in listed}
        assert listed == sorted(listed)

    def test_what_changes_something_cannot_be_a_link(self, session_app):
        harmless = {"sign_in.login", "sign_in.register", "sign_in.forgot", "sign_in.reset"}
        harmless |= {"admin.confirm", "admin.set_up_second_factor"}
        for rule in session_app.url_map.iter_rules():
            if "POST" in rule.methods and rule.endpoint not in harmless:
                assert "GET" not in rule.methods, rule.endpoint


class TestWork:
    def test_every_kind_that_is_added_anywhere_has_a_handler(self):
        added = set()
        for path, call in (*called("add"), *called("ensure")):
            if ast.unparse(call.func) not in {"outbox.add", "outbox.ensure"} or path.name == "mend.py":
                continue  # what is mended was added elsewhere
            kind = call.args[0]
            if isinstance(kind, ast.Name):
                constant = re.search(rf'^{kind.id} = "(\w+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
                assert constant, f"{path.name}: {ast.unparse(call)}"
                added.add(constant[1])
            else:
                added.add(ast.literal_eval(kind))
        assert added == set(KINDS)

    def test_every_point_of_a_fault_stands_once_in_the_code(self):
        marked = [
            ast.literal_eval(call.args[0])
            for _, call in called("point")
            if ast.unparse(call.func) == "faults.point"
        ]
        assert set(marked) == faults.POINTS

    def test_every_kind_of_case_is_opened_somewhere(self):
        text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
        assert [kind for kind in CaseKind if f"CaseKind.{kind.name}" not in text] == []


class TestKit:
    @pytest.mark.parametrize(
        ("pattern", "home"),
        [
            (r"datetime\.now\(|datetime\.utcnow|\btime\.time\(", {"kit/clock.py", "web/limits.py"}),
            (r"\btime\.sleep\(|import sleep", {"kit/clock.py"}),
            (r"^import random|^from random|^import secrets|^import uuid|os\.urandom", {"kit/ids.py"}),
            (r"os\.environ|getenv", {"config.py", "app.py"}),
            (r"\.commit\(\)", {"kit/db.py"}),
        ],
        ids=["time", "waiting", "randomness", "environment", "commit"],
    )
    def test_it_is_the_only_place_for(self, pattern, home):
        users = {
            path.relative_to(PORTAL).as_posix()
            for path in SOURCES
            if re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
        }
        assert users <= home

    def test_nothing_says_that_it_is_unfinished(self):
        words = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")))
        unfinished = [
            path.relative_to(ROOT).as_posix()
            for folder in ("portal", "templates", "static", "migrations")
            for path in (ROOT / folder).rglob("*")
            if path.suffix in {".py", ".html", ".txt", ".css", ".js"}
            and words.search(path.read_text("utf-8"))
        ]
        assert unfinished == []


class TestTemplates:
    @pytest.fixture
    def environment(self, session_app: Flask) -> Environment:
        """What draws the pages."""
        return session_app.jinja_env

    @pytest.mark.parametrize("path", ALL_TEMPLATES, ids=name_of)
    def test_each_can_be_read(self, environment, path):
        if "email" in path.parts:
            messages._environment("en").get_template(path.relative_to(TEMPLATES / "email").as_posix())
        else:
            environment.get_template(name_of(path))

    def test_each_is_used(self, environment):
        used = set()
        for path in PAGES:
            tree = environment.parse(path.read_text(encoding="utf-8"))
            for node in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
                if isinstance(node.template, nodes.Const):
                    used.add(node.template.value)
        used |= {f"checkout/states/_{state}.html" for state in CheckoutState}
        for path in SOURCES:
            text = path.read_text(encoding="utf-8")
            used |= set(re.findall(r'"((?:\w+/)+\w+\.html)"', text))
        used |= {f"sign_in/{page}.html" for page in ("login", "register", "forgot", "reset")}  # by endpoint
        used |= {f"device/{page}.html" for page in ("confirm", "denied", "done", "expired")}  # by state
        mails = {ast.literal_eval(call.args[0]) for _, call in called("compose")}
        for mail in mails:
            used |= {f"email/{mail}/{part}" for part in ("subject.txt", "body.txt", "body.html")}
        used |= {f"errors/{status}.html" for status in (400, 403, 404, 413, 429, 500, 503)}
        assert {name_of(path) for path in ALL_TEMPLATES} == used

    @pytest.mark.parametrize("path", PAGES, ids=name_of)
    def test_each_form_that_changes_something_has_a_token(self, path):
        forms = re.findall(r"<form\b.*?</form>", path.read_text(encoding="utf-8"), re.DOTALL)
        for form in forms:
            opening = form[: form.index(">\n") + 1] if ">\n" in form else form
            is_search = 'method="post"' not in opening.lower()
            assert is_search or 'name="csrf_token"' in form or "form.csrf_token" in form, opening

    @pytest.mark.parametrize("path", PAGES, ids=name_of)
    def test_no_style_or_script_stands_in_a_page(self, path):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle\s*=", text)
        assert not re.search(r"\son[a-z]+\s*=\s*[\"'{]", text)
        assert not re.search(r"<style|javascript:", text, re.IGNORECASE)
        for script in re.findall(r"<script\b[^>]*>", text):
            assert "src=" in script

    @pytest.mark.parametrize("path", ALL_TEMPLATES, ids=name_of)
    def test_nothing_is_shown_unescaped(self, path):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape\s+false", text)

    @pytest.mark.parametrize("path", ALL_TEMPLATES, ids=name_of)
    def test_nothing_comes_from_elsewhere(self, path):
        text = path.read_text(encoding="utf-8")
        sources = re.findall(r"(?:src|srcset)=[\"']([^\"']*)", text)
        sources += re.findall(r"<link[^>]*href=[\"']([^\"']*)", text)
        assert [source for source in sources if "//" in source] == []


CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; "
    "report-uri /csp"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def check_headers(response, status):
    assert response.status_code == status
    for name, value in HEADERS.items():
        assert response.headers.getlist(name) == [value], name
    for power in ("camera", "geolocation", "microphone", "payment", "usb"):
        assert f"{power}=()" in response.headers["Permissions-Policy"]
    assert "Server" not in response.headers
    assert not [name for name, _ in response.headers if name.lower().startswith("access-control-")]
    assert response.headers["X-Request-ID"]


class TestHeaders:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/courses", 200),
            ("HEAD", "/courses", 200),
            ("OPTIONS", "/courses", 200),
            ("GET", "/courses/cpp-primer-5th", 200),
            ("GET", "/", 302),
            ("GET", "/account", 303),
            ("GET", "/healthz", 200),
            ("GET", "/readyz", 200),
            ("GET", "/static/css/portal.css", 200),
            ("GET", "/static/none.css", 404),
            ("GET", "/static/%2e%2e/portal/config.py", 404),
            ("GET", "/no-such-page", 404),
            ("GET", "/courses/no-such-course", 404),
            ("DELETE", "/courses", 405),
            ("GET", "/notify/wechat", 405),
            ("POST", "/login", 403),
            ("POST", "/notify/wechat", 401),
            ("GET", "/checkout/8k3hq2v9x0m4t7w1c5zr", 303),
        ],
    )
    def test_every_answer_has_them(self, app, method, path, status):
        response = app.test_client().open(
            path, method=method, headers={"Origin": "https://elsewhere.example"}
        )
        check_headers(response, status)

    def test_so_has_one_to_a_script(self, client):
        check_headers(client.get("/no-such-page", headers={"Accept": "application/json"}), 404)

    def test_so_has_what_is_not_modified(self, client):
        etag = client.get("/static/css/portal.css").headers["ETag"]
        check_headers(client.get("/static/css/portal.css", headers={"If-None-Match": etag}), 304)

    def test_so_has_a_refusal_of_too_much(self, client):
        check_headers(client.post("/login", data={"email": "x" * 300_000}), 413)
        check_headers(client.post("/notify/wechat", data=b"x" * 70_000), 413)

    def test_so_has_a_refusal_of_too_often(self, client):
        for _ in range(10):
            client.post("/csp", data=b"{}")
        response = client.post("/csp", data=b"{}")
        check_headers(response, 429)
        assert int(response.headers["Retry-After"]) >= 1

    @pytest.mark.parametrize(
        ("error", "status"),
        [(ZeroDivisionError("a secret"), 500), (sa.exc.OperationalError("SELECT", {}, Exception(2013)), 503)],
        ids=["mistake", "database away"],
    )
    def test_so_has_a_failure_of_ours_and_it_tells_nothing(self, client, monkeypatch, error, status):
        def fail(_search: str) -> None:
            raise error

        monkeypatch.setattr("portal.web.storefront.views.cards_on_sale", fail)
        response = client.get("/courses")
        check_headers(response, status)
        text = response.get_data(as_text=True)
        for told in ("secret", "Traceback", "ZeroDivision", "OperationalError", "SELECT", "sqlalchemy"):
            assert told not in text
        assert response.headers["X-Request-ID"] in text

    def test_so_has_everything_of_a_purchase_and_none_of_it_is_stored(self, shop):
        buyer = shop.buyer()
        bought = buyer.post("/courses/cpp-primer-5th/buy", page="/courses/cpp-primer-5th")
        check_headers(bought, 303)
        order_id = bought.location.rsplit("/", 1)[1]
        for path in ("", "/status", "/qr.svg"):
            response = buyer.get(f"/checkout/{order_id}{path}")
            check_headers(response, 200)
            assert response.headers["Cache-Control"] == "no-store", path
        shop.pay(order_id)
        check_headers(shop.notify(order_id), 200)
        for path in ("/account", "/account/orders", "/account/licenses", "/account/settings", "/courses"):
            response = buyer.get(path)
            check_headers(response, 200)
            assert "no-store" in response.headers["Cache-Control"], path

    @pytest.mark.parametrize(
        "path", ["/login", "/register", "/forgot", "/reset/x", "/no-such-page", "/account"]
    )
    def test_pages_with_something_of_ones_own_are_not_stored(self, client, path):
        assert "no-store" in client.get(path).headers["Cache-Control"]

    def test_an_https_origin_asks_for_https_for_a_year(self, client, session_sandbox, tmp_path):
        assert "Strict-Transport-Security" not in client.get("/healthz").headers
        origin = {"PORTAL_BASE_URL": "https://learn.example.com"}
        url = f"sqlite:///{tmp_path / 'none.db'}"
        environ = portal_environment(tmp_path / "var", url, session_sandbox) | origin
        secure = create_app(load_settings(environ)).test_client()
        response = secure.get("/healthz", base_url="https://learn.example.com")
        assert response.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
