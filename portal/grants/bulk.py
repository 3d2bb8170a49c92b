"""Carry out a list: a few lines a step, each line granted or put into the log, never both and never twice."""

from collections.abc import Sequence

from portal.batches.models import Batch
from portal.batches.services import Step
from portal.catalogue.queries import course_of
from portal.grants.lists import Line, read_list
from portal.kit.csv_text import MARK, Cell, csv_lines
from portal.kit.errors import PortalError
from portal.learners.queries import learner_with
from portal.licenses.services import AlreadyOwned
from portal.payments.rights import grant_course
from portal.tools import Tools

_LINES_A_STEP = 20
_HEADER = ("email", "course_id", "license_id", "expires_at", "problem")


class NoAccount(PortalError):
    """Nobody who may sign in has this address."""

    code = "no_account"


def bulk_step(batch: Batch, tools: Tools) -> Step:
    """Grant the next lines of a list, in the running transaction.

    Raises:
        NoSigningKey: no key can sign now; the whole step is done again.
    """
    lines = read_list(batch.input)
    now = lines[batch.cursor : batch.cursor + _LINES_A_STEP]
    rows: list[Sequence[Cell]] = [_HEADER] if batch.cursor == 0 else []
    problems = {}
    for line in now:
        try:
            cells = _grant(line, batch, tools)
        except (NoAccount, AlreadyOwned) as error:
            problems[line.number] = f"{line.email}, {line.course_id}: {error.code}"
            cells = [None, None, error.code]
        rows.append([line.email, line.course_id, *cells])
    end = batch.cursor + len(now)
    return Step(
        done=len(now),
        cursor=end,
        is_last=end >= len(lines),
        text=(MARK if batch.cursor == 0 else "") + csv_lines(rows),
        problems=problems,
    )


def _grant(line: Line, batch: Batch, tools: Tools) -> list[Cell]:
    learner = learner_with(line.email)
    if learner is None or learner.disabled_at is not None:
        raise NoAccount
    made = grant_course(
        learner, course_of(line.course_id), batch.params["reason"], batch.params["actor"], tools, line.days
    )
    return [made.id, made.expires_at, None]
