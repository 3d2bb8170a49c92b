"""`flask reconcile`: exit codes that scripts can rely on, and no traceback whatever is typed."""

import json
from datetime import timedelta

import pytest

from portal.cases.services import close_case
from portal.kit import beijing
from portal.kit import clock as portal_clock
from portal.licenses.models import License
from portal.payments.models import VerifiedBy
from portal.reconciliation.models import BillRun, ImportedLine
from tests.support.bills import Bill

pytestmark = pytest.mark.database


@pytest.fixture
def run(app):
    """Run the command; return its exit code and what it printed for scripts."""

    def command(*words):
        result = app.test_cli_runner().invoke(args=["reconcile", *words])
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stdout

    return command


@pytest.fixture
def noon(clock):
    """It is noon in Beijing, tomorrow."""
    tomorrow = beijing.begin_of(beijing.day_of(clock.now()) + timedelta(days=1))
    clock.travel(seconds=(tomorrow + timedelta(hours=12) - clock.now()).total_seconds())


@pytest.fixture
def sold(shop, noon):
    """A course was sold at noon."""
    order_id = shop.buyer().buy()
    shop.pay(order_id)
    shop.notify(order_id)
    return shop.payment(order_id)


@pytest.fixture
def day(sold, clock):
    """The day before, whose bill is there."""
    clock.travel(days=1)
    return str(beijing.day_of(sold.paid_at))


@pytest.fixture
def file(tmp_path, sold, day):
    """Write a bill of the day to a file."""

    def write(change=lambda bill: bill):
        bill = Bill(beijing.day_of(sold.paid_at), sold.mchid, sold.appid)
        bill.paid(sold.transaction_id, sold.out_trade_no, sold.amount_fen)
        changed = change(bill)
        path = tmp_path / "bill.csv.gz"
        path.write_bytes(changed if isinstance(changed, bytes) else changed.packed())
        return str(path)

    return write


def test_a_balanced_day_ends_with_0(run, day, sold):
    status, text = run(day, "--json")
    facts = json.loads(text)
    assert (status, facts["state"], facts["lines"], facts["differences"]) == (0, "balanced", 1, 0)
    assert facts["theirs"] == facts["ours"] == {"paid_fen": sold.amount_fen, "refunded_fen": 0}
    assert "balanced" in run(day)[1]


def test_a_difference_ends_with_1_until_somebody_has_decided(run, app, day, file, count):
    path = file(lambda bill: bill.paid("4200000009", "SHOP00001", 700))
    status, text = run(day, "--file", path, "--json")
    facts = json.loads(text)
    assert (status, facts["state"], facts["open_differences"]) == (1, "different", 1)
    assert str(facts["cases"][0]) in run(day, "--file", path)[1]
    with app.app_context():
        close_case(facts["cases"][0], "another shop's", "operator:test")
    assert run(day, "--file", path)[0] == 0


def test_a_bill_that_is_not_ready_ends_with_1(run, day, sandbox):
    sandbox.control("POST", "/control/faults", {"route": "bill", "kind": "bill_not_ready"})
    status, text = run(day, "--json")
    assert (status, json.loads(text)["state"]) == (1, "waiting")


@pytest.mark.parametrize(
    "content",
    [b"", b"no bill", b"\x1f\x8b\x08", b"\x00" * 100],
    ids=["empty", "text", "half a gzip", "zeros"],
)
def test_a_file_that_is_no_bill_ends_with_2_and_changes_nothing(run, day, file, count, content):
    status, text = run(day, "--file", file(lambda _bill: content), "--json")
    assert (status, "error" in json.loads(text)) == (2, True)
    assert count(ImportedLine) == 0


def test_another_bill_for_the_same_day_ends_with_2(run, day, file, count):
    assert run(day, "--file", file())[0] == 0
    other = file(lambda bill: bill.paid("4200000009", "SHOP00001", 700))
    assert run(day, "--file", other)[0] == 2
    assert count(ImportedLine) == 1


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["x"],
        ["2026-13-01"],
        ["20261119"],
        ["2026-1-1"],
        ["９９９９-01-01"],
        ["9999-01-01"],
        ["0001-01-01"],
        ["2020-01-01"],
        ["2026-11-19", "--since", "2026-11-19"],
        ["--since", "x"],
        ["--since", "9999-01-01"],
        ["2026-11-19", "--file", "/no/such/file"],
        ["2026-11-19", "--file", "/"],
        ["--since", "2026-11-19", "--file", "/etc/hostname"],
    ],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_bad_input_ends_with_2_and_changes_nothing(run, app, words, count):
    assert run(*words)[0] == 2
    assert count(BillRun) == 0


def test_today_is_not_over(run, app):
    assert run(str(beijing.day_of(portal_clock.now())))[0] == 2


class TestSinceABackup:
    def test_attempts_are_asked_about_and_then_every_day_is_reconciled(
        self, run, shop, day, sold, clock, count
    ):
        order_id = shop.buyer().buy()
        shop.pay(order_id)
        clock.travel(days=2)
        status, text = run("--since", day, "--json")
        assert (status, [each["state"] for each in json.loads(text)]) == (0, ["balanced"] * 3)
        assert shop.payment(order_id).verified_by == VerifiedBy.QUERY
        assert count(License) == 2

    def test_what_the_backup_does_not_know_is_a_case(self, run, app, shop, day, sold, sandbox):
        lost = {
            "route": "bill",
            "kind": "bill_line",
            "change": "added",
            "number": "LBT261124LOST",
            "amount": 9900,
        }
        sandbox.control("POST", "/control/faults", lost)
        status, text = run("--since", day, "--json")
        (facts,) = json.loads(text)
        assert (status, facts["open_differences"]) == (1, 1)
