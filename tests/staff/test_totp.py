"""One-time passwords, by the vectors of RFC 6238 (appendix B) and RFC 4226 (appendix D)."""

from datetime import UTC, datetime, timedelta

import pytest

from portal.staff import totp

SEED = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_codes_are_those_of_rfc_6238(seconds, code):
    step = totp.step_at(datetime.fromtimestamp(seconds, UTC))
    assert totp.code_at(SEED, step, digits=8) == code
    assert totp.code_at(SEED, step) == code[2:]


@pytest.mark.parametrize("step", range(10))
def test_the_codes_are_those_of_rfc_4226(step):
    codes = [
        "755224",
        "287082",
        "359152",
        "969429",
        "338314",
        "254676",
        "287922",
        "162583",
        "399871",
        "520489",
    ]
    assert totp.code_at(SEED, step) == codes[step]


def test_a_code_is_good_one_step_early_and_one_late():
    moment = datetime(2026, 11, 26, 12, 0, 15, tzinfo=UTC)
    step = totp.step_at(moment)
    for ahead in (-2, -1, 0, 1, 2):
        found = totp.matching_step(SEED, totp.code_at(SEED, step + ahead), moment)
        assert found == (step + ahead if abs(ahead) < 2 else None)


def test_a_step_lasts_thirty_seconds():
    start = datetime(2026, 11, 26, tzinfo=UTC)
    assert totp.step_at(start + timedelta(seconds=29)) == totp.step_at(start)
    assert totp.step_at(start + timedelta(seconds=30)) == totp.step_at(start) + 1


def test_apps_get_the_seed_as_text_and_as_address():
    assert totp.seed_text(SEED) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
    assert totp.seed_uri(SEED, "wang@qq.com") == (
        "otpauth://totp/Learning%20Buddy:wang%40qq.com"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Learning%20Buddy"
    )
