"""A portal starts with good settings only, and says at once all that is wrong, without showing a value."""

import os
import re
import subprocess
import sys

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from portal.config import OFFICIAL_GATEWAYS, ROOT, BadSettings, Mode, Settings, load_settings
from portal.kit import faults
from tests.support.keys import certificate_pem

CANARY = "canary-7c1e"
SECRET_FIELDS = (
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "WECHATPAY_PRIVATE_KEY",
    "WECHATPAY_APIV3_KEY",
    "LICENSE_KEY_PASSPHRASE",
    "MAIL_URL",
    "METRICS_TOKEN",
)


def private_pem(key, encryption=None):
    form = encryption or NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, form).decode()


def public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


KEY = rsa.generate_private_key(65537, 2048)
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused
CURVE = ec.generate_private_key(ec.SECP256R1())
GOOD = {
    "SECRET_KEY": "k" * 32,
    "WECHATPAY_APPID": "wx0123456789abcdef",
    "WECHATPAY_MCHID": "1900000001",
    "WECHATPAY_CERT_SERIAL_NO": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
    "WECHATPAY_PRIVATE_KEY": private_pem(KEY),
    "WECHATPAY_APIV3_KEY": "a" * 32,
}
LIVE = GOOD | {
    "PORTAL_MODE": "live",
    "PORTAL_BASE_URL": "https://learn.example.com",
    "LICENSE_KEY_PASSPHRASE": "a passphrase",
    "MAIL_URL": "smtp://user:password@mail.example.com?tls=1",
}
REQUIRED = sorted(GOOD)


def problems_of(environ):
    with pytest.raises(BadSettings) as caught:
        load_settings(environ)
    return caught.value.problems


def names_in(problems):
    return [problem.split(":")[0] for problem in problems]


class TestGoodSettings:
    def test_the_required_ones_are_enough(self):
        settings = load_settings(GOOD)
        assert not settings.is_live
        assert settings.WECHATPAY_BASE_URL in OFFICIAL_GATEWAYS
        assert settings.ORDER_TTL_SECONDS == 3600

    def test_an_empty_one_is_one_left_out(self):
        assert load_settings(
            GOOD | dict.fromkeys(set(Settings.model_fields) - set(GOOD), "")
        ) == load_settings(GOOD)

    def test_what_is_no_setting_of_ours_is_left_alone(self):
        assert load_settings(GOOD | {"PORTAL_UNHEARD_OF": "1", "PATH": "/bin"}) == load_settings(GOOD)

    def test_live_mode_starts_with_real_things_only(self):
        assert load_settings(LIVE).is_live
        assert load_settings(LIVE).mode_letter != load_settings(GOOD).mode_letter

    @pytest.mark.parametrize("text", ["https://Learn.Example.COM/", "HTTPS://learn.example.com"])
    def test_an_origin_has_one_spelling(self, text):
        settings = load_settings(LIVE | {"PORTAL_BASE_URL": text})
        assert settings.PORTAL_BASE_URL == "https://learn.example.com"
        assert settings.is_https

    def test_mysql_means_mysqlclient(self):
        url = load_settings(GOOD | {"DATABASE_URL": "mysql://u:p@h/portal"}).DATABASE_URL
        assert url == "mysql+mysqldb://u:p@h/portal"

    def test_former_keys_are_a_list(self):
        former = load_settings(GOOD | {"SECRET_KEY_FALLBACKS": f"{'a' * 32}, {'b' * 32},"})
        assert former.secret_key_fallbacks == ["a" * 32, "b" * 32]

    def test_a_key_may_come_with_windows_line_ends(self):
        key = GOOD["WECHATPAY_PRIVATE_KEY"].replace("\n", "\r\n") + "\r\n\r\n"
        settings = load_settings(GOOD | {"WECHATPAY_PRIVATE_KEY": key})
        assert settings.WECHATPAY_PRIVATE_KEY == load_settings(GOOD).WECHATPAY_PRIVATE_KEY

    def test_a_certificate_of_the_key_with_its_serial_number_is_taken(self):
        text = certificate_pem(KEY, GOOD["WECHATPAY_CERT_SERIAL_NO"])
        assert text == load_settings(GOOD | {"WECHATPAY_CERT": text}).WECHATPAY_CERT

    def test_printing_them_shows_no_secret(self):
        secrets = {"SECRET_KEY_FALLBACKS": CANARY * 4, "LICENSE_KEY_PASSPHRASE": CANARY}
        secrets |= {"MAIL_URL": f"smtp://u:{CANARY}@host", "SECRET_KEY": CANARY * 4}
        shown = repr(load_settings(GOOD | secrets))
        assert CANARY not in shown
        assert "PRIVATE KEY" not in shown
        assert "a" * 32 not in shown


WRONG = [
    ("PORTAL_MODE", "production"),
    ("DATABASE_URL", f"postgresql://u:{CANARY}@h/d"),
    ("DATABASE_URL", f"mysql://u:p@h:{CANARY}/d"),
    ("SECRET_KEY", CANARY),
    ("SECRET_KEY", "密" * 10),
    ("SECRET_KEY_FALLBACKS", f"{'a' * 32},{CANARY}"),
    ("PORTAL_BASE_URL", f"{CANARY}"),
    ("PORTAL_BASE_URL", f"ftp://{CANARY}"),
    ("PORTAL_BASE_URL", f"https://{CANARY}/shop"),
    ("PORTAL_BASE_URL", f"https://{CANARY}?a=b"),
    ("PORTAL_BASE_URL", f"https://{CANARY}#a"),
    ("PORTAL_BASE_URL", f"https://user:{CANARY}@host"),
    ("PORTAL_BASE_URL", f"https://[{CANARY}]"),
    ("PORTAL_BASE_URL", f"https://{CANARY}:99999"),
    ("PORTAL_BASE_URL", f"https://{CANARY}:0"),
    ("PORTAL_BASE_URL", f"https://{CANARY}\nX: y"),
    ("WECHATPAY_BASE_URL", f"http://{CANARY}.example.com"),
    ("WECHATPAY_APPID", f"wx{CANARY}"),
    ("WECHATPAY_APPID", "WX0123456789ABCDEF"),
    ("WECHATPAY_MCHID", CANARY),
    ("WECHATPAY_MCHID", "１９００００００"),
    ("WECHATPAY_CERT_SERIAL_NO", CANARY),
    ("WECHATPAY_CERT_SERIAL_NO", "5157f09efdc096de15ebe81a47057a7232f1b8e1"),
    ("WECHATPAY_PRIVATE_KEY", CANARY),
    ("WECHATPAY_PRIVATE_KEY", GOOD["WECHATPAY_PRIVATE_KEY"][:-100]),
    ("WECHATPAY_PRIVATE_KEY", public_pem(KEY)),
    ("WECHATPAY_PRIVATE_KEY", private_pem(WEAK)),
    ("WECHATPAY_PRIVATE_KEY", private_pem(CURVE)),
    ("WECHATPAY_PRIVATE_KEY", private_pem(KEY, BestAvailableEncryption(b"locked"))),
    ("WECHATPAY_CERT", CANARY),
    ("WECHATPAY_CERT", public_pem(KEY)),
    ("WECHATPAY_CERT", certificate_pem(KEY, "1" * 40)),
    ("WECHATPAY_CERT", certificate_pem(WEAK, GOOD["WECHATPAY_CERT_SERIAL_NO"])),
    ("WECHATPAY_APIV3_KEY", CANARY),
    ("WECHATPAY_APIV3_KEY", "a" * 33),
    ("WECHATPAY_APIV3_KEY", "密" * 32),
    ("WECHATPAY_PUBLIC_KEY_ID", CANARY),
    ("WECHATPAY_PUBLIC_KEY_ID", "PUB_KEY_ID_" + "１" * 20),
    ("WECHATPAY_PUBLIC_KEY", CANARY),
    ("WECHATPAY_PUBLIC_KEY", public_pem(WEAK)),
    ("WECHATPAY_PUBLIC_KEY", public_pem(CURVE)),
    ("CELERY_BROKER_URL", CANARY),
    ("RATELIMIT_STORAGE_URI", f"mongodb://u:{CANARY}@h"),
    ("MAIL_URL", f"https://{CANARY}"),
    ("MAIL_URL", f"smtp://user:p[{CANARY}]@host"),
    ("MAIL_URL", f"smtp://user:password@host:{CANARY}"),
    ("MAIL_URL", f"smtp://host?tls={CANARY}"),
    ("MAIL_URL", "smtp:///x"),
    ("MAIL_FROM", CANARY),
    ("MAIL_FROM", f"Buddy <no-reply@localhost>\nBcc: {CANARY}@example.com"),
    ("SUPPORT_EMAIL", CANARY),
    ("APPROVAL_SINGLE_FEN", "-1"),
    ("APPROVAL_SINGLE_FEN", CANARY),
    ("APPROVAL_DAY_FEN", "-1"),
    ("APPROVAL_ONE_PERSON_SHOP", CANARY),
    ("TRUSTED_PROXIES", "-1"),
    ("TRUSTED_PROXIES", CANARY),
    ("ORDER_TTL_SECONDS", "119"),
    ("ORDER_TTL_SECONDS", "7201"),
    ("ORDER_TTL_SECONDS", CANARY),
    ("TRANSFER_TTL_SECONDS", "3599"),
    ("METRICS_TOKEN", CANARY),
    ("METRICS_TOKEN", f"{CANARY} {CANARY}"),
    ("LOG_LEVEL", CANARY),
    ("PORTAL_FAULT", f"{CANARY}:kill"),
    ("FLASK_DEBUG", CANARY),
]


class TestABadSetting:
    @pytest.mark.parametrize(
        ("name", "value"), WRONG, ids=[f"{name}-{number}" for number, (name, _) in enumerate(WRONG)]
    )
    def test_it_is_named_and_its_value_is_not_shown(self, name, value):
        pair = {"WECHATPAY_PUBLIC_KEY_ID": f"PUB_KEY_ID_{'1' * 20}", "WECHATPAY_PUBLIC_KEY": public_pem(KEY)}
        problems = problems_of(GOOD | pair | {name: value})
        assert names_in(problems) == [name]
        assert CANARY not in problems[0]
        assert value not in problems[0]

    @pytest.mark.parametrize("name", REQUIRED)
    def test_one_that_is_required_is_missed(self, name):
        assert problems_of({key: value for key, value in GOOD.items() if key != name}) == [
            f"{name}: is required"
        ]

    def test_every_setting_with_a_form_has_a_bad_example_here(self):
        free = {"LICENSE_KEY_DIR", "LICENSE_KEY_PASSPHRASE", "MAIL_DIR", "VAR_DIR"}
        assert {name for name, _ in WRONG} == set(Settings.model_fields) - free

    @pytest.mark.parametrize("given", ["WECHATPAY_PUBLIC_KEY_ID", "WECHATPAY_PUBLIC_KEY"])
    def test_half_of_the_public_key_pair_is_refused(self, given):
        pair = {"WECHATPAY_PUBLIC_KEY_ID": f"PUB_KEY_ID_{'1' * 20}", "WECHATPAY_PUBLIC_KEY": public_pem(KEY)}
        problems = problems_of(GOOD | {given: pair[given]})
        assert problems == ["WECHATPAY_PUBLIC_KEY: goes together with WECHATPAY_PUBLIC_KEY_ID"]


class TestLiveMode:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORTAL_BASE_URL", "http://learn.example.com"),
            ("PORTAL_BASE_URL", ""),
            ("WECHATPAY_BASE_URL", "http://127.0.0.1:8001"),
            ("WECHATPAY_BASE_URL", "https://sandbox.example.com"),
            ("WECHATPAY_BASE_URL", "https://api.mch.weixin.qq.com.example.com"),
            ("WECHATPAY_BASE_URL", "http://api.mch.weixin.qq.com"),
            ("LICENSE_KEY_PASSPHRASE", ""),
            ("MAIL_URL", ""),
            ("PORTAL_FAULT", f"{min(faults.POINTS)}:raise"),
            ("FLASK_DEBUG", "1"),
        ],
    )
    def test_what_is_only_for_trying_is_refused(self, name, value):
        assert names_in(problems_of(LIVE | {name: value})) == [name]

    def test_all_of_it_is_listed_at_once(self):
        trying = {"PORTAL_FAULT": f"{min(faults.POINTS)}:raise", "FLASK_DEBUG": "true"}
        trying |= {"WECHATPAY_BASE_URL": "http://127.0.0.1:1"}
        problems = problems_of(GOOD | trying | {"PORTAL_MODE": "live"})
        assert sorted(names_in(problems)) == [
            "FLASK_DEBUG",
            "LICENSE_KEY_PASSPHRASE",
            "MAIL_URL",
            "PORTAL_BASE_URL",
            "PORTAL_FAULT",
            "WECHATPAY_BASE_URL",
        ]


class TestEverythingAtOnce:
    def test_an_empty_environment_misses_all_that_is_required(self):
        assert sorted(problems_of({})) == [f"{name}: is required" for name in REQUIRED]

    def test_bad_by_itself_and_bad_together_come_in_one_list(self):
        worst = {
            "PORTAL_MODE": "live",
            "SECRET_KEY": CANARY,
            "PORTAL_BASE_URL": "http://learn.example.com",
            "WECHATPAY_BASE_URL": "https://sandbox.example.com",
            "WECHATPAY_PUBLIC_KEY_ID": CANARY,
            "ORDER_TTL_SECONDS": CANARY,
        }
        problems = problems_of(worst)
        assert set(names_in(problems)) == {
            *worst.keys() - {"PORTAL_MODE"},
            *REQUIRED,
            "LICENSE_KEY_PASSPHRASE",
            "MAIL_URL",
            "WECHATPAY_PUBLIC_KEY",
        }
        assert CANARY not in "\n".join(problems)

    def test_each_is_named_once(self):
        names = names_in(problems_of(dict.fromkeys(Settings.model_fields, "\x01") | {"PORTAL_MODE": "live"}))
        assert len(names) == len(set(names))


class TestFiles:
    @pytest.mark.parametrize("name", SECRET_FIELDS)
    def test_a_secret_may_be_the_content_of_a_file(self, name, tmp_path):
        examples = {
            "SECRET_KEY_FALLBACKS": "f" * 32,
            "LICENSE_KEY_PASSPHRASE": "words",
            "MAIL_URL": "smtp://h",
            "METRICS_TOKEN": "t" * 16,
        }
        value = {**examples, **GOOD}[name]
        file = tmp_path / "secret"
        file.write_text(f"{value}\n")
        file.chmod(0o600)
        environ = {key: text for key, text in GOOD.items() if key != name}
        found = getattr(load_settings(environ | {f"{name}_FILE": str(file)}), name)
        assert found.get_secret_value().strip() == value.strip()

    def test_the_variable_itself_goes_before_the_file(self, tmp_path):
        settings = load_settings(GOOD | {"SECRET_KEY_FILE": str(tmp_path / "none")})
        assert settings.SECRET_KEY.get_secret_value() == GOOD["SECRET_KEY"]

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
    def test_a_private_key_that_others_may_read_is_refused(self, tmp_path, mode):
        file = tmp_path / "key.pem"
        file.write_text(GOOD["WECHATPAY_PRIVATE_KEY"])
        file.chmod(mode)
        environ = GOOD | {"WECHATPAY_PRIVATE_KEY": "", "WECHATPAY_PRIVATE_KEY_FILE": str(file)}
        (problem,) = problems_of(environ)
        assert problem.startswith("WECHATPAY_PRIVATE_KEY_FILE: ")
        assert "chmod 600" in problem

    @pytest.mark.parametrize(
        "content", [None, b"", b" \n", b"\xff\xfe"], ids=["missing", "empty", "blank", "odd"]
    )
    def test_a_file_that_holds_nothing_readable_is_named_with_all_else(self, tmp_path, content):
        file = tmp_path / CANARY
        if content is not None:
            file.write_bytes(content)
        problems = problems_of({"LICENSE_KEY_PASSPHRASE_FILE": str(file), "SECRET_KEY_FILE": str(file)})
        # What is optional may be an empty file: then it is not given.
        optional = set() if content in (b"", b" \n") else {"LICENSE_KEY_PASSPHRASE_FILE"}
        assert sorted(names_in(problems)) == sorted(
            {*REQUIRED, *optional, "SECRET_KEY_FILE"} - {"SECRET_KEY"}
        )
        assert CANARY not in "\n".join(problems)

    def test_half_of_a_pair_that_cannot_be_read_is_one_problem(self, tmp_path):
        environ = {"WECHATPAY_PUBLIC_KEY": public_pem(KEY), "WECHATPAY_PUBLIC_KEY_ID_FILE": str(tmp_path)}
        assert names_in(problems_of(GOOD | environ)) == ["WECHATPAY_PUBLIC_KEY_ID_FILE"]


class TestTheProcess:
    def test_it_ends_with_status_2_and_the_list_on_standard_error(self, tmp_path):
        environ = {"PATH": os.environ["PATH"], "SECRET_KEY": CANARY, "ORDER_TTL_SECONDS": CANARY}
        ended = subprocess.run(
            [sys.executable, "-c", "import wsgi"],
            env=environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stdout) == (2, "")
        for name in [*REQUIRED, "ORDER_TTL_SECONDS"]:
            assert f"  {name}: " in ended.stderr
        assert "Traceback" not in ended.stderr
        assert CANARY not in ended.stderr


class TestDocumentation:
    def test_the_example_names_every_setting_and_no_other(self):
        text = (ROOT / ".env.example").read_text(encoding="utf-8")
        named = re.findall(r"^([A-Z0-9_]+)=", text, re.MULTILINE)
        # A key of many lines is shown as the file it comes from.
        assert sorted(name.removesuffix("_FILE") for name in named) == sorted(Settings.model_fields)

    def test_the_example_holds_the_defaults(self):
        lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
        shown = [line.split("=", 1) for line in lines if re.match(r"[A-Z0-9_]+=.", line)]
        assert shown
        for name, value in shown:
            default = Settings.model_fields[name].default
            assert value.strip('"') == str(default.value if isinstance(default, Mode) else default), name

    def test_the_containers_are_given_every_setting(self):
        """What stands in `.env` or in a secret, and never arrives, would be found out when it is needed."""
        of_the_image = {"VAR_DIR", "MAIL_DIR", "LICENSE_KEY_DIR"}
        never_for_real = {"PORTAL_FAULT", "FLASK_DEBUG"}
        given = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["x-portal"]
        named = {name.removesuffix("_FILE") for name in given["environment"]}
        assert named == set(Settings.model_fields) - of_the_image - never_for_real
        files = {path for name, path in given["environment"].items() if name.endswith("_FILE")}
        assert files == {f"/run/secrets/{name}" for name in given["secrets"]}

    @pytest.mark.parametrize("page", ["README.md", "docs/operations.md", "compose.yaml", "Dockerfile"])
    def test_nothing_else_names_a_setting_that_is_not(self, page):
        text = (ROOT / page).read_text(encoding="utf-8")
        prefixes = "PORTAL|WECHATPAY|LICENSE|MAIL|SECRET|DATABASE|CELERY|RATELIMIT|ORDER|TRUSTED"
        named = set(re.findall(rf"\b(?:{prefixes})_[A-Z0-9_]+\b", text))
        known = {*Settings.model_fields, *(f"{name}_FILE" for name in Settings.model_fields)}
        assert {name for name in named if not name.startswith("PORTAL_TEST_")} <= known
