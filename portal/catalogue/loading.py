"""Load a catalogue from YAML: idempotent by id, the whole file or nothing, errors with line and field.

courses:
  - id: cpp-primer-5th
    title: {zh: …, en: …}
    summary: {zh: …, en: …}
    level: beginner | intermediate | advanced
    estimated_hours: 120
    price_fen: 9900        # 0 is free
    license_days: 365
    max_downloads: 5
    on_sale: true
    chapters:
      - {id: ch01, title: {zh: …, en: …}, protected: true}
    gitee: {contentRepo: …, trackingRepo: …, branch: main}   # optional
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import sqlalchemy as sa
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from portal.audit import services as audit
from portal.catalogue.models import Course, Price
from portal.catalogue.queries import COURSE_ID
from portal.kit import clock
from portal.kit.db import db, transactional

_Line = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Paragraph = Annotated[str, Field(min_length=1, max_length=1000)]
_CourseId = Annotated[str, Field(pattern=f"^{COURSE_ID.pattern}$")]


LARGEST = 512 * 1024
"""The most bytes a catalogue file may have: room for a few hundred courses."""


_MOST_PROBLEMS = 50


class CatalogueError(Exception):
    """The file cannot be loaded; `problems` says where and why, a sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Loader(yaml.SafeLoader):
    """YAML that says what it seems to say.

    No aliases (a few lines of them fill the memory), no tags, each key once, and whole numbers in one form
    only: to YAML 1.1, `0100` is 64 and `1:30` is 90.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next node.

        Raises:
            ComposerError: for what this loader refuses.
        """
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.tag is not None:
            raise _refused("aliases and tags are not allowed", event)
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.MappingNode):
            keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            counts = Counter(key.value for key in keys)
            for key in keys:
                if counts[key.value] > 1:
                    raise _refused(f"{key.value} stands twice", key)
        return node

    def whole_number(self, node: yaml.ScalarNode) -> int:
        """Return the number of `node`."""
        if not _WHOLE_NUMBER.fullmatch(node.value):
            raise _refused("a whole number is written like 9900", node)
        return int(node.value)


_WHOLE_NUMBER = re.compile(r"0|-?[1-9]\d{0,14}", re.ASCII)
_TAG = "tag:yaml.org,2002:"
_Loader.yaml_constructors = {
    **yaml.SafeLoader.yaml_constructors,
    f"{_TAG}int": _Loader.whole_number,
    # As the text that it is: the schema says what belongs there.
    f"{_TAG}float": yaml.SafeLoader.construct_yaml_str,
    f"{_TAG}timestamp": yaml.SafeLoader.construct_yaml_str,
}


def _refused(problem: str, place: yaml.Node | yaml.Event) -> yaml.MarkedYAMLError:
    mark: Any = place.start_mark
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Title(_Strict):
    zh: _Line
    en: _Line


class _Summary(_Strict):
    zh: _Paragraph
    en: _Paragraph


class _Chapter(_Strict):
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
    title: _Title
    protected: bool


class _Gitee(_Strict):
    contentRepo: Annotated[str, Field(pattern=r"^[A-Za-z0-9_./:-]{1,200}$")]
    trackingRepo: Annotated[str, Field(pattern=r"^[A-Za-z0-9_./:-]{1,200}$")]
    branch: Annotated[str, Field(pattern=r"^[A-Za-z0-9_./-]{1,100}$")]


class _Course(_Strict):
    id: _CourseId
    title: _Title
    summary: _Summary
    level: Literal["beginner", "intermediate", "advanced"]
    estimated_hours: Annotated[int, Field(ge=1, le=10_000)]
    price_fen: Annotated[int, Field(ge=0, le=100_000_000)]
    license_days: Annotated[int, Field(ge=1, le=36_500)]
    max_downloads: Annotated[int, Field(ge=1, le=1000)]
    on_sale: bool = True
    chapters: Annotated[list[_Chapter], Field(max_length=500)]
    gitee: _Gitee | None = None


class _File(_Strict):
    courses: list[_Course]


@dataclass(frozen=True)
class Loaded:
    """How many courses the file added, changed and left as they were."""

    added: int
    changed: int
    unchanged: int


def _line_of(node: yaml.Node, path: tuple[str | int, ...]) -> int:
    """Return the line (from 1) where the field at `path` stands, or the nearest thing around it."""
    for step in path:
        inner: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            inner = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            inner = node.value[step]
        if inner is None:
            break
        node = inner
    return node.start_mark.line + 1


def _sentences(error: ValidationError, root: yaml.Node) -> list[str]:
    problems = error.errors()
    sentences = []
    for problem in problems[:_MOST_PROBLEMS]:
        field = ".".join(map(str, problem["loc"])) or "file"
        # Pydantic would name our class.
        text = "must hold fields" if problem["type"] == "model_type" else problem["msg"]
        sentences.append(f"line {_line_of(root, problem['loc'])}: {field}: {text}")
    rest = len(problems) - len(sentences)
    return [*sentences, f"and {rest} more"] if rest else sentences


def _read(text: str) -> tuple[yaml.Node | None, Any]:
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        return root, loader.construct_document(root) if root is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "holds characters that are no text"
        raise CatalogueError([f"{line}not YAML: {problem}"]) from None
    except RecursionError:
        raise CatalogueError(["not YAML: nested too deeply"]) from None


def parse(text: str) -> list[Any]:
    """Read and check a catalogue file.

    Raises:
        CatalogueError: naming line and field of everything wrong.
    """
    if len(text.encode()) > LARGEST:
        raise CatalogueError([f"the file is larger than {LARGEST // 1024} KiB"])
    root, data = _read(text)
    if root is None:
        raise CatalogueError(["line 1: the file is empty"])
    try:
        courses = _File.model_validate(data).courses
    except ValidationError as error:
        raise CatalogueError(_sentences(error, root)) from None
    seen: set[str] = set()
    twice = [
        f"line {_line_of(root, ('courses', index, 'id'))}: courses.{index}.id: {course.id} stands twice"
        for index, course in enumerate(courses)
        if course.id in seen or seen.add(course.id)  # type: ignore[func-returns-value]
    ]
    if twice:
        raise CatalogueError(twice)
    return courses


def load(text: str, only_new: bool = False, actor: str = audit.SYSTEM) -> Loaded:
    """Make the catalogue what the file says: the whole file or nothing.

    Courses that the file does not name stay as they are; `on_sale: false` withdraws one.

    Args:
        only_new: leave the courses that exist as they are too, as staff may have edited them.
        actor: who loads it, as the audit names them.

    Raises:
        CatalogueError: nothing was changed.
    """
    return _store(parse(text), only_new, actor)


@transactional
def _store(courses: list[Any], only_new: bool, actor: str) -> Loaded:
    known = {course.id: course for course in db.session.scalars(sa.select(Course).with_for_update())}
    added = changed = 0
    prices: dict[str, list[int | None]] = {}
    for position, entry in enumerate(courses):
        values = _values(entry, position)
        course = known.get(entry.id)
        if course is None:
            db.session.add(Course(id=entry.id, currency="CNY", updated_at=clock.now(), **values))
            db.session.flush()
            note_price(entry.id, entry.price_fen)
            prices[entry.id] = [None, entry.price_fen]
            added += 1
        elif not only_new and _differs(course, values):
            if course.price_fen != entry.price_fen:
                note_price(entry.id, entry.price_fen)
                prices[entry.id] = [course.price_fen, entry.price_fen]
            for name, value in values.items():
                setattr(course, name, value)
            course.updated_at = clock.now()
            changed += 1
    if added or changed:
        audit.record("catalogue.loaded", "catalogue", actor, added=added, changed=changed, prices_fen=prices)
    return Loaded(added, changed, len(courses) - added - changed)


def _differs(course: Course, values: dict[str, Any]) -> bool:
    return any(getattr(course, name) != value for name, value in values.items())


def note_price(product_id: str, amount_fen: int) -> None:
    """Add what a product costs from now on to its history, in the running transaction."""
    db.session.add(
        Price(product_id=product_id, amount_fen=amount_fen, currency="CNY", valid_from=clock.now())
    )


def _values(entry: _Course, position: int) -> dict[str, Any]:
    return {
        "title_zh": entry.title.zh,
        "title_en": entry.title.en,
        "summary_zh": entry.summary.zh,
        "summary_en": entry.summary.en,
        "level": entry.level,
        "estimated_hours": entry.estimated_hours,
        "price_fen": entry.price_fen,
        "license_days": entry.license_days,
        "max_downloads": entry.max_downloads,
        "is_on_sale": entry.on_sale,
        "position": position,
        "chapters": [
            {
                "id": chapter.id,
                "title_zh": chapter.title.zh,
                "title_en": chapter.title.en,
                "protected": chapter.protected,
            }
            for chapter in entry.chapters
        ],
        "gitee": entry.gitee.model_dump() if entry.gitee else None,
    }
