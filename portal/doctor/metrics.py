"""The doctor's figures in Prometheus' text format 0.0.4 (prometheus.io, "Exposition formats")."""

from collections.abc import Mapping
from datetime import timedelta

from portal.doctor import figures, heartbeat

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render() -> str:
    """Return all figures, one gauge each. What has never happened has no sample.

    Raises:
        SQLAlchemyError: the database does not answer.
    """
    gauges = (
        ("outbox_lag_seconds", "How long the oldest work that is due has waited", figures.outbox_lag()),
        ("outbox_dead", "Pieces of work that were given up, ever", figures.dead_work()),
        (
            "orders_paid_without_license",
            "Paid orders that wait for a license",
            figures.paid_without_license(),
        ),
        ("payments_unknown", "Live attempts without an answer for ten minutes", figures.long_unknown()),
        ("worker_silence_seconds", "Since the worker's last sign of life", heartbeat.silence()),
        ("reconciliation_age_seconds", "Since a bill was last compared", figures.since_reconciliation()),
    )
    lines = [line for name, text, value in gauges for line in _gauge(name, text, {"": value})]
    by_kind = {f'{{kind="{kind}"}}': count for kind, count in figures.open_cases().items()}
    breakers = {f'{{gateway="{gateway}"}}': since for gateway, since in figures.open_breakers().items()}
    lines += _gauge("cases_open", "Cases that wait for a person", by_kind)
    lines += _gauge("gateway_breaker_open_seconds", "For how long calls have been held back", breakers)
    return "\n".join(lines) + "\n"


def _gauge(name: str, text: str, samples: Mapping[str, int | timedelta | None]) -> list[str]:
    """Return one metric's lines; `samples` are values by their labels."""
    lines = [f"# HELP portal_{name} {text}.", f"# TYPE portal_{name} gauge"]
    for labels, value in sorted(samples.items()):
        if value is not None:
            number = value.total_seconds() if isinstance(value, timedelta) else value
            lines.append(f"portal_{name}{labels} {number}")
    return lines
