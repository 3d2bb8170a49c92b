"""A catalogue file is loaded whole or not at all, and its mistakes are said with line and field."""

import json
import time
from copy import deepcopy
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from portal.audit import services as audit
from portal.audit.models import AuditRow
from portal.catalogue import loading
from portal.catalogue.loading import CatalogueError, load, parse
from portal.catalogue.models import Course, Price
from portal.catalogue.queries import course_of, courses_on_sale
from portal.config import ROOT
from portal.kit.db import db, transaction
from portal.kit.errors import NotFound

DEMO = (ROOT / "portal/catalogue/demo.yaml").read_text(encoding="utf-8")
COURSE = {
    "id": "rust-book",
    "title": {"zh": "Rust 权威指南", "en": "The Rust Book"},
    "summary": {"zh": "所有权", "en": "Ownership"},
    "level": "beginner",
    "estimated_hours": 40,
    "price_fen": 6900,
    "license_days": 365,
    "max_downloads": 5,
    "chapters": [{"id": "ch01", "title": {"zh": "开始", "en": "Start"}, "protected": True}],
}


class _Plain(yaml.SafeDumper):
    """YAML as a person writes it: the same thing twice is written twice."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def text_of(*courses):
    return yaml.dump({"courses": list(courses)}, Dumper=_Plain, allow_unicode=True, sort_keys=False)


def changed(**values):
    return {**deepcopy(COURSE), **values}


def problems_of(text):
    with pytest.raises(CatalogueError) as caught:
        parse(text)
    return caught.value.problems


class TestWrongFields:
    @pytest.mark.parametrize("name", sorted(COURSE))
    def test_a_missing_one_is_named_with_its_course(self, name):
        course = {key: value for key, value in COURSE.items() if key != name}
        assert problems_of(text_of(course)) == [f"line 2: courses.0.{name}: Field required"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("id", "Rust"),
            ("id", "rust book"),
            ("id", "rust\nbook"),
            ("id", "-rust"),
            ("id", "r"),
            ("id", "r" * 65),
            ("id", "课程"),
            ("id", 4711),
            ("title", "Rust"),
            ("title", {"zh": "Rust"}),
            ("title", {"zh": "", "en": "Rust"}),
            ("title", {"zh": "x" * 121, "en": "Rust"}),
            ("title", {"zh": "two\nlines", "en": "Rust"}),
            ("title", {"zh": "Rust", "en": "Rust", "fr": "Rust"}),
            ("summary", {"zh": "x" * 1001, "en": "x"}),
            ("level", "expert"),
            ("estimated_hours", 0),
            ("estimated_hours", "40"),
            ("price_fen", -1),
            ("price_fen", 69.5),
            ("price_fen", "6900"),
            ("price_fen", True),
            ("price_fen", 100_000_001),
            ("price_fen", None),
            ("license_days", 0),
            ("license_days", 40_000),
            ("max_downloads", 0),
            ("on_sale", "yes, please"),
            ("on_sale", 1),
            ("chapters", "none"),
            ("chapters", ["ch01"]),
            ("chapters", [{**COURSE["chapters"][0], "protected": "no"}]),
            ("chapters", [{**COURSE["chapters"][0], "id": "Chapter 1"}]),
            ("gitee", {"contentRepo": "a/b"}),
            ("gitee", {"contentRepo": "a b", "trackingRepo": "a/b", "branch": "main"}),
            ("gitee", {"contentRepo": "a/b", "trackingRepo": "a/b", "branch": "main", "token": "t"}),
            ("price", 6900),
            ("__class__", "x"),
        ],
    )
    def test_a_wrong_one_is_named(self, field, value):
        problems = problems_of(text_of(COURSE, changed(**{"id": "second", field: value})))
        assert problems
        for problem in problems:
            line, name, _ = problem.split(": ", 2)
            assert name.startswith(f"courses.1.{field}")
            assert int(line.removeprefix("line ")) > len(text_of(COURSE).splitlines())

    def test_the_line_is_the_one_where_it_stands(self):
        text = DEMO.replace("price_fen: 12900", "price_fen: free")
        number = next(nth for nth, line in enumerate(text.splitlines(), 1) if "price_fen: free" in line)
        assert problems_of(text) == [f"line {number}: courses.1.price_fen: Input should be a valid integer"]

    def test_all_are_listed_at_once(self):
        problems = problems_of(
            text_of(changed(level="expert", price_fen=-1), changed(id="b b", max_downloads=0))
        )
        fields = [problem.split(": ")[1] for problem in problems]
        assert sorted(fields) == [
            "courses.0.level",
            "courses.0.price_fen",
            "courses.1.id",
            "courses.1.max_downloads",
        ]

    def test_an_id_that_stands_twice_is_named_where_it_stands_again(self):
        text = text_of(COURSE, changed(id="other"), COURSE)
        number = max(nth for nth, line in enumerate(text.splitlines(), 1) if "id: rust-book" in line)
        assert problems_of(text) == [f"line {number}: courses.2.id: rust-book stands twice"]

    def test_thousands_of_mistakes_are_cut_short(self):
        problems = problems_of("courses:\n" + "- x\n" * 2000)
        assert len(problems) < 100
        assert problems[-1].endswith("more")


class TestWrongFiles:
    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "line 1: the file is empty"),
            ("# only a comment\n", "line 1: the file is empty"),
            ("courses: [", "line 1: not YAML"),
            ("courses:\n  - {id: a", "line 2: not YAML"),
            ("courses:\n\t- id: a", "line 2: not YAML"),
            ("a: 1\n---\na: 2", "line 2: not YAML"),
            ("courses: \x00", "not YAML"),
            ("just words", "line 1: file: must hold fields"),
            ("- a\n- b", "line 1: file: must hold fields"),
            ("{}", "line 1: courses: Field required"),
            ("courses: 5", "line 1: courses: Input should be a valid list"),
            ("courses: []\nprices: []", "line 2: prices: Extra inputs are not permitted"),
            ("1: 2\ncourses: []", "line 1: 1: Keys should be strings"),
            ("{[a]: b}", "line 1: not YAML"),
            ("a: !!python/object/apply:os.getcwd []", "line 1: not YAML: aliases and tags are not allowed"),
            ("a: &x [1]\nb: *x", "line 2: not YAML: aliases and tags are not allowed"),
            ("courses: []\ncourses: []", "line 1: not YAML: courses stands twice"),
            ("a:\n  price_fen: 9900\n  price_fen: 1", "line 2: not YAML: price_fen stands twice"),
        ],
    )
    def test_it_is_a_sentence_with_the_line(self, text, problem):
        problems = problems_of(text)
        assert len(problems) == 1 or problem.endswith("Field required") or "Keys" in problem
        assert problems[0].startswith(problem)

    @pytest.mark.parametrize("number", ["0100", "1_000", "0x10", "0b11", "1:30", "+5", "9" * 5000, "-0"])
    def test_a_number_that_means_another_is_refused(self, number):
        text = DEMO.replace("price_fen: 9900", f"price_fen: {number}")
        (problem,) = problems_of(text)
        assert "a whole number is written like 9900" in problem

    @pytest.mark.parametrize(
        "bomb",
        [
            # A billion laughs, by aliases and by merging.
            "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 12)),
            "a0: &a0 {x: 1}\n"
            + "".join(f"a{n}: &a{n} {{<<: [{f'*a{n - 1}, ' * 9}]}}\n" for n in range(1, 12)),
            "a: &a [*a]",
            "[" * 20_000,
            "{" * 20_000,
            "- " * 100_000,
            "a: " + "x" * loading.LARGEST,
            "课" * (loading.LARGEST // 2),
            "{" + ",".join(f"a{n}: 1" for n in range(3000)) + "}",
        ],
        ids=["laughs", "merges", "itself", "lists", "objects", "items", "large", "large in bytes", "keys"],
    )
    def test_a_bomb_is_refused_at_once(self, bomb):
        begun = time.process_time()
        assert problems_of(bomb)
        assert time.process_time() - begun < 3


@pytest.mark.database
class TestLoading:
    @pytest.fixture(autouse=True)
    def inside(self, app):
        """Be inside an application context; the demo catalogue is loaded."""
        with app.app_context():
            yield

    def prices(self, course_id):
        wanted = sa.select(Price.amount_fen).where(Price.product_id == course_id).order_by(Price.id)
        return list(db.session.scalars(wanted))

    def test_again_changes_nothing(self, count):
        before = count(Price), count(AuditRow)
        result = load(DEMO)
        assert (result.added, result.changed, result.unchanged) == (0, 0, 6)
        assert (count(Price), count(AuditRow)) == before

    def test_a_new_course_is_as_the_file_says(self):
        result = load(text_of(changed(gitee={"contentRepo": "a/b", "trackingRepo": "a/c", "branch": "main"})))
        assert (result.added, result.changed, result.unchanged) == (1, 0, 0)
        course = course_of("rust-book")
        assert (course.title("zh_Hans_CN"), course.title("en")) == ("Rust 权威指南", "The Rust Book")
        assert (course.price_fen, course.license_days, course.max_downloads) == (6900, 365, 5)
        assert course.has_protected_content
        assert course.chapters[0]["title_zh"] == "开始"
        assert course.gitee == {"contentRepo": "a/b", "trackingRepo": "a/c", "branch": "main"}
        assert self.prices("rust-book") == [6900]

    def test_a_changed_price_is_added_to_the_history(self):
        load(text_of(COURSE))
        load(text_of(changed(price_fen=7900)))
        result = load(text_of(changed(price_fen=0)))
        assert result.changed == 1
        assert course_of("rust-book").is_free
        assert self.prices("rust-book") == [6900, 7900, 0]

    def test_another_change_is_no_change_of_price(self):
        load(text_of(COURSE))
        before = course_of("rust-book").updated_at
        result = load(text_of(changed(level="advanced")))
        assert result.changed == 1
        assert self.prices("rust-book") == [6900]
        assert course_of("rust-book").updated_at > before

    def test_a_course_that_the_file_does_not_name_stays(self):
        load(text_of(COURSE))
        assert course_of("cpp-primer-5th").is_on_sale

    def test_a_course_can_be_withdrawn_and_come_back(self):
        load(text_of(changed(on_sale=False)))
        assert "rust-book" not in [course.id for course in courses_on_sale()]
        assert course_of("rust-book").title("en") == "The Rust Book"
        load(text_of(COURSE))
        assert "rust-book" in [course.id for course in courses_on_sale()]

    def test_one_mistake_and_nothing_is_loaded(self, count):
        before = count(Course), count(Price), count(AuditRow)
        with pytest.raises(CatalogueError):
            load(text_of(COURSE, changed(id="second", price_fen=-1)))
        assert (count(Course), count(Price), count(AuditRow)) == before

    def test_a_failure_in_the_middle_and_nothing_is_loaded(self, count, monkeypatch):
        before = count(Course), count(Price), count(AuditRow)

        def fail(*_args: object, **_facts: object) -> None:
            raise KeyError

        monkeypatch.setattr(audit, "record", fail)
        with pytest.raises(KeyError):
            load(text_of(COURSE, changed(id="second")))
        assert (count(Course), count(Price), count(AuditRow)) == before

    def test_it_is_audited_with_what_it_did(self):
        load(text_of(COURSE))
        load(text_of(changed(price_fen=100)), actor="operator:x")
        rows = db.session.execute(
            sa.select(AuditRow.facts, AuditRow.actor)
            .where(AuditRow.action == "catalogue.loaded")
            .order_by(AuditRow.id)
        ).all()
        (first, _), (second, actor) = rows[-2:]
        before, course_id = COURSE["price_fen"], COURSE["id"]
        assert json.loads(first) == {"added": 1, "changed": 0, "prices_fen": {course_id: [None, before]}}
        assert json.loads(second) == {"added": 0, "changed": 1, "prices_fen": {course_id: [before, 100]}}
        assert actor == "operator:x"


@pytest.mark.database
class TestQueries:
    @pytest.fixture(autouse=True)
    def inside(self, app):
        """Be inside an application context; the demo catalogue is loaded."""
        with app.app_context():
            yield

    def found(self, search=None):
        return [course.id for course in courses_on_sale(search)]

    def test_courses_stand_in_the_order_of_the_file(self):
        ids = [course["id"] for course in yaml.safe_load(DEMO)["courses"]]
        assert self.found() == ids
        load(text_of(*reversed(yaml.safe_load(DEMO)["courses"])))
        assert self.found() == ids[::-1]

    @pytest.mark.parametrize(
        "search", ["javascript", "JAVASCRIPT", "完全指南", "javascript-complete", "异步、模块"]
    )
    def test_title_summary_and_id_are_searched_in_both_languages(self, search):
        assert self.found(search) == ["javascript-complete"]

    @pytest.mark.parametrize("search", ["%", "_____", "\\", "' OR 1=1 --", "no such course", "\x00"])
    def test_nothing_in_a_search_is_special(self, search):
        assert self.found(search) == []

    @pytest.mark.parametrize("search", ["", None])
    def test_no_search_is_all(self, search):
        assert len(self.found(search)) == 6

    def test_a_withdrawn_course_is_not_found_by_a_search(self):
        load(text_of(changed(on_sale=False)))
        assert self.found("rust") == []

    @pytest.mark.parametrize(
        "course_id",
        ["unknown", "", "CPP-PRIMER-5TH", "cpp-primer-5th ", "cpp-primer-5th\n", "cpp_primer", "％"],
    )
    def test_only_the_exact_id_is_a_course(self, course_id):
        assert course_of("cpp-primer-5th").id == "cpp-primer-5th"
        with pytest.raises(NotFound):
            course_of(course_id)


@pytest.mark.database
class TestCommand:
    @pytest.fixture
    def run(self, app, tmp_path):
        """Load a file by the command."""
        runner = app.test_cli_runner()

        def invoke(content: bytes, *options: str):
            file: Path = tmp_path / "catalogue.yaml"
            file.write_bytes(content)
            return runner.invoke(args=["catalogue", "load", str(file), *options])

        return invoke

    def test_it_says_what_it_did(self, run):
        result = run(text_of(COURSE).encode())
        assert (result.exit_code, result.stdout) == (0, "1 added, 0 changed, 0 unchanged.\n")
        assert run(text_of(COURSE).encode()).stdout == "0 added, 0 changed, 1 unchanged.\n"

    def test_or_as_json(self, run):
        result = run(text_of(COURSE).encode(), "--json")
        assert json.loads(result.stdout) == {"added": 1, "changed": 0, "unchanged": 0}

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "line 1: the file is empty"),
            (b"courses: [", "not YAML"),
            ("标题".encode("gb18030"), "utf-8"),
            (b"\xff\xfe" + "courses: []".encode("utf-16-le"), "utf-8"),
            (b"x" * (loading.LARGEST + 1), "larger than"),
            (text_of(changed(level="expert")).encode(), "courses.0.level"),
        ],
        ids=["empty", "no YAML", "GB18030", "UTF-16", "large", "wrong field"],
    )
    @pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
    def test_a_bad_file_is_a_sentence_and_exit_code_2(self, run, content, sentence, options):
        result = run(content, *options)
        assert result.exit_code == 2
        assert "nothing was loaded" in result.stderr
        assert sentence in result.stderr
        assert "Traceback" not in result.output
        if options:
            assert sentence in json.loads(result.stdout)["error"]

    def test_no_file_is_exit_code_2(self, app, tmp_path):
        result = app.test_cli_runner().invoke(args=["catalogue", "load", str(tmp_path / "none.yaml")])
        assert result.exit_code == 2


def test_only_new_leaves_what_staff_edited(app):
    with app.app_context():
        text = (ROOT / "portal/catalogue/demo.yaml").read_text(encoding="utf-8")
        with transaction():
            db.session.get_one(Course, "cpp-primer-5th").price_fen = 12_300
        assert loading.load(text, only_new=True).changed == 0
        assert db.session.get_one(Course, "cpp-primer-5th", populate_existing=True).price_fen == 12_300
        assert loading.load(text).changed == 1
