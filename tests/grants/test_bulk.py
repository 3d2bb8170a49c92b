"""A list is read whole or not at all, and carried out line by line, each once."""

import pytest
import sqlalchemy as sa

from portal import jobs
from portal.batches import queries as batches
from portal.batches.models import BatchStatus
from portal.grants import queries, services
from portal.grants.errors import BadList
from portal.grants.lists import LARGEST_LIST, read_list
from portal.kit.db import db
from portal.licenses.models import License
from tests.factories.learners import make_learner
from tests.support.shop import COURSE

pytestmark = pytest.mark.database


def listed(*rows: str, header: str = "email,course_id,days") -> str:
    return "\n".join([header, *rows]) + "\n"


def row(email: str, days: str = "") -> str:
    return f"{email},{COURSE},{days}"


class TestReading:
    def test_a_good_one(self):
        (line,) = read_list("\ufeff" + listed(f" A@Example.com ,{COURSE},30"))
        assert (line.number, line.email, line.course_id, line.days) == (1, "a@example.com", COURSE, 30)
        assert line.worth_fen == -(-9900 * 30 // 365)

    @pytest.mark.parametrize(
        ("text", "line", "problem"),
        [
            ("", 0, "header"),
            ("email\n", 0, "header"),
            ("email,course_id,role\na@b.cn,x,admin\n", 0, "header"),
            ("email,course_id,email\n", 0, "header"),
            (listed(), 0, "empty"),
            (listed("a@example.com"), 1, "cells"),
            (listed(row("not an address")), 1, "email"),
            (listed(row("=cmd()@example.com\x07")), 1, "email"),
            (listed("a@example.com,no-such-course,"), 1, "course"),
            (listed(row("a@example.com", "0")), 1, "days"),
            (listed(row("a@example.com", "1e2")), 1, "days"),
            (listed(row("a@example.com", "３０")), 1, "days"),
            (listed(row("a@example.com", "3661")), 1, "days"),
            (listed(row("a@example.com"), row("A@example.com")), 2, "twice"),
            ('email,course_id\n"a@example.com,x\n', 2, "not_csv"),
            ("email,course_id\na@exam\x00ple.com,x\n", 0, "nul"),
        ],
    )
    def test_a_bad_one_is_refused_whole_and_says_where(self, text, line, problem):
        with pytest.raises(BadList) as refused:
            read_list(text)
        assert (refused.value.facts["line"], refused.value.facts["problem"]) == (line, problem)

    def test_one_too_long(self):
        with pytest.raises(BadList) as refused:
            read_list(listed(*(row(f"a{number}@example.com") for number in range(LARGEST_LIST + 1))))
        assert refused.value.facts["problem"] == "too_many"


class TestRunning:
    def test_each_gets_a_license_and_what_cannot_be_done_is_in_the_log(self, support, finance, tools):
        learners = [make_learner(email=f"pupil{number}@example.com") for number in range(25)]
        services.ask_course(support, learners[3], COURSE, "has it already", tools)
        text = listed(*(row(learner.email) for learner in learners), row("nobody@example.com"))
        public_id = services.ask_bulk(support, text, "class of autumn", tools)
        found = queries.grant_of(public_id)
        assert found.Grant.is_waiting
        assert found.Grant.amount_fen == 26 * 9900
        services.approve_grant(finance, public_id, found.Grant.digest, tools)
        batch = batches.batch_of(queries.grant_of(public_id).batch)
        jobs.run_due(tools)
        jobs.run_due(tools)
        ended = batches.batch_of(batch.public_id)
        assert (ended.status, ended.done, ended.total) == (BatchStatus.DONE, 26, 26)
        problems = {found.item: found.text for found in batches.problems_of(batch.id)}
        assert problems == {
            4: f"pupil3@example.com, {COURSE}: already_owned",
            26: f"nobody@example.com, {COURSE}: no_account",
        }
        assert db.session.scalar(sa.select(sa.func.count()).select_from(License)) == 25
        result = "".join(batches.result_of(batch.id)).splitlines()
        assert len(result) == 27
        assert result[0] == "\ufeffemail,course_id,license_id,expires_at,problem"

    def test_a_key_that_is_away_ends_no_list(self, support, finance, tools, clock):
        make_learner(email="pupil@example.com")
        settings = tools.settings.model_copy(update={"APPROVAL_ONE_PERSON_SHOP": True})
        one_person = type(tools)(**{**vars(tools), "settings": settings})
        public_id = services.ask_bulk(
            support, listed(row("pupil@example.com")), "class of autumn", one_person
        )
        batch = batches.batch_of(queries.grant_of(public_id).batch)
        index = tools.settings.LICENSE_KEY_DIR / "key-ring.json"
        hidden = index.rename(index.with_suffix(".away"))
        try:
            for _ in range(5):
                jobs.run_due(tools)
                clock.travel(seconds=31)
            assert batches.batch_of(batch.public_id).is_open
        finally:
            hidden.rename(index)
        jobs.run_due(tools)
        assert batches.batch_of(batch.public_id).status == BatchStatus.DONE
