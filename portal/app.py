"""Where everything meets: `create_app` binds the settings, the tools, the database, the doors and the errors."""

import os
import sys
from pathlib import Path

import click
from flask import Flask
from flask_migrate import Migrate
from werkzeug.middleware.proxy_fix import ProxyFix

from portal import logs
from portal.commands import register_commands
from portal.config import ROOT, BadSettings, Settings, load_settings
from portal.delivery.transport import mailer_for
from portal.gateways.wechat_pay import WeChatPayGateway
from portal.kit import faults
from portal.kit.db import Patience, db, engine_options, watch_connections
from portal.licenses.key_ring import KeyRing
from portal.licenses.revocations import RevocationList
from portal.staff.seeds import SeedBox
from portal.switchboard.services import Board
from portal.tools import Tools
from portal.web import (
    account,
    admin,
    api,
    checkout,
    device,
    errors,
    filters,
    frame,
    headers,
    health,
    language,
    notify,
    oauth,
    provider,
    request_dates,
    request_log,
    sign_in,
    static_files,
    storefront,
)
from portal.web.application import Application
from portal.web.auth import init_auth
from portal.web.body_size import init_body_size
from portal.web.csrf import csrf, init_csrf
from portal.web.limits import init_limits
from portal.web.view_counter import init_view_counter

_LARGEST_BODY = 256 * 1024


def create_app(settings: Settings | None = None, patience: Patience | None = None) -> Flask:
    """Build the portal.

    Args:
        patience: how long the database is waited for; when left out, long under `flask …`, else as the web must.
        settings: for tests; read from the environment when left out, and the process ends with status 2
            and a list of everything missing or wrong when they are not good.
    """
    settings = settings or _settings_or_exit()
    app = Application(__name__, static_folder=str(ROOT / "static"), template_folder=str(ROOT / "templates"))
    # A doubled slash is no other spelling of an address.
    app.url_map.merge_slashes = False
    if patience is None:
        is_command = click.get_current_context(silent=True) is not None
        patience = Patience.COMMAND if is_command else Patience.WEB
    _configure(app, settings, patience)
    logs.configure(settings.LOG_LEVEL, request_log.context)
    faults.arm(settings.PORTAL_FAULT)
    app.extensions["portal_tools"] = make_tools(settings)
    _bind_database(app)
    # First, so that what is refused on the way in has its id and its line too.
    request_log.init_request_log(app)
    request_dates.init_request_dates(app)
    init_body_size(app)
    init_auth(app, settings)
    init_csrf(app, settings)
    init_limits(settings)
    language.init_language(app)
    filters.init_filters(app)
    frame.init_frame(app)
    headers.init_headers(app, settings)
    static_files.init_static_files(app)
    init_view_counter(app)
    errors.init_errors(app)
    for door in (storefront, sign_in, checkout, account, admin, device, language, notify, oauth, health):
        app.register_blueprint(door.bp)
    for exempt in (notify.bp, oauth.bp, health.bp):
        csrf.exempt(exempt)
    app.register_blueprint(provider.bp)
    app.register_blueprint(api.docs_bp)
    api.init_api(app)
    register_commands(app)
    gateway = app.extensions["portal_tools"].gateway(WeChatPayGateway.name)
    app.wsgi_app = notify.Gate(app, gateway)  # type: ignore[method-assign]
    return app


def make_tools(settings: Settings) -> Tools:
    """Make the portal's equipment."""
    gateway = WeChatPayGateway(settings)
    passphrase = settings.LICENSE_KEY_PASSPHRASE
    mail_url = settings.MAIL_URL
    key_ring = KeyRing(
        _absolute(settings.LICENSE_KEY_DIR), passphrase.get_secret_value() if passphrase else None
    )
    return Tools(
        settings=settings,
        gateways={gateway.name: gateway},
        key_ring=key_ring,
        mailer=mailer_for(mail_url.get_secret_value() if mail_url else None, _absolute(settings.MAIL_DIR)),
        revocations=RevocationList(key_ring),
        seeds=SeedBox([settings.SECRET_KEY.get_secret_value(), *settings.secret_key_fallbacks]),
        board=Board(),
    )


def _settings_or_exit() -> Settings:
    try:
        return load_settings(os.environ)
    except BadSettings as error:
        print("The portal cannot start. Settings to mend:", *error.problems, sep="\n  ", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None


def _absolute(path: Path) -> Path:
    return path if path.is_absolute() else ROOT / path


def _configure(app: Flask, settings: Settings, patience: Patience) -> None:
    app.config.update(
        SECRET_KEY=settings.SECRET_KEY.get_secret_value(),
        SECRET_KEY_FALLBACKS=settings.secret_key_fallbacks,
        MAX_CONTENT_LENGTH=_LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=_LARGEST_BODY,
        MAX_FORM_PARTS=100,
        SQLALCHEMY_DATABASE_URI=_database_url(settings.DATABASE_URL),
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.DATABASE_URL, patience),
    )
    if settings.TRUSTED_PROXIES:
        hops = settings.TRUSTED_PROXIES
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]


def _database_url(url: str) -> str:
    """Return the URL with a relative SQLite file made absolute, and its folder made."""
    prefix, _, path = url.partition("sqlite:///")
    if prefix or not path or path == ":memory:":
        return url
    absolute = _absolute(Path(path))
    absolute.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{absolute}"


def _bind_database(app: Flask) -> None:
    db.init_app(app)
    Migrate(app, db, directory=str(ROOT / "migrations"))
    with app.app_context():
        watch_connections(db.engine)
