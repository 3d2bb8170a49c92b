"""A license given by hand has a reason, one ground, and a second person where it is worth much."""

import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from portal.approvals.services import ChangedSinceAsked, OwnRequest
from portal.audit.models import AuditRow
from portal.grants import queries, services
from portal.grants.errors import BadDays, BadReference, NotWaiting, ReferenceKnown, ReferenceUsed
from portal.grants.models import Grant, GrantStatus
from portal.kit.db import db, transaction
from portal.kit.errors import NotFound
from portal.licenses.models import Entitlement, License, LicenseStatus
from portal.licenses.services import AlreadyOwned, LicenseCode, judge
from portal.outbox.models import Job
from portal.payments.rights import BadReason, NotActive, replace_license
from tests.factories.learners import make_learner
from tests.support.shop import COURSE

pytestmark = pytest.mark.database
REASON = "paid by bank transfer"


@pytest.fixture
def strict(tools):
    """The portal's equipment in a shop where everything needs a second person."""
    settings = tools.settings.model_copy(update={"APPROVAL_SINGLE_FEN": 0})
    return type(tools)(**{**vars(tools), "settings": settings})


def ask(person, learner, tools, **options):
    return services.ask_course(person, learner, COURSE, options.pop("reason", REASON), tools, **options)


def look(public_id: str) -> Grant:
    found: Grant = queries.grant_of(public_id).Grant
    return found


def licenses_of(learner) -> list[License]:
    return list(db.session.scalars(sa.select(License).where(License.learner_id == learner.id)))


class TestAlone:
    def test_a_small_one_is_given_at_once_mailed_and_on_record(self, support, learner, tools):
        grant = look(ask(support, learner, tools, reference="4200001234"))
        (made,) = licenses_of(learner)
        assert (grant.status, grant.license_id, grant.approved_by) == (GrantStatus.ISSUED, made.id, None)
        assert judge(made.text, COURSE, tools.key_ring)[0] is LicenseCode.VALID
        assert db.session.scalars(sa.select(Job.subject_id)).all() == [made.id]
        actions = db.session.scalars(sa.select(AuditRow.action).order_by(AuditRow.id)).all()
        assert actions == ["grant.requested", "license.granted", "grant.issued"]

    def test_it_lasts_as_long_as_asked_and_is_worth_that_much(self, support, learner, tools):
        grant = look(ask(support, learner, tools, days=73))
        (made,) = licenses_of(learner)
        assert (made.expires_at - made.issued_at).days == 73
        assert grant.amount_fen == -(-9900 * 73 // 365)

    @pytest.mark.parametrize("days", [-1, 3661])
    def test_odd_days_are_refused(self, support, learner, tools, days):
        with pytest.raises(BadDays):
            ask(support, learner, tools, days=days)
        assert licenses_of(learner) == []

    @pytest.mark.parametrize("reason", ["", "no", "a\nb c", "x" * 201, "<b>bold</b>"])
    def test_a_reason_that_is_none_is_refused(self, support, learner, tools, reason):
        with pytest.raises(BadReason):
            ask(support, learner, tools, reason=reason)
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Grant)) == 0

    def test_what_the_learner_has_is_not_given_again(self, support, learner, tools):
        ask(support, learner, tools)
        with pytest.raises(AlreadyOwned):
            ask(support, learner, tools)
        assert len(licenses_of(learner)) == 1

    def test_there_is_no_such_course(self, support, learner, tools):
        with pytest.raises(NotFound):
            services.ask_course(support, learner, "no-such-course", REASON, tools)


class TestReference:
    def test_a_transaction_gives_one_license(self, support, learner, tools):
        first = ask(support, learner, tools, reference="4200001234")
        with pytest.raises(ReferenceUsed) as refused:
            ask(support, make_learner(), tools, reference="4200001234")
        assert refused.value.facts["grant_id"] == first

    def test_two_at_once_with_one_number_give_one(self, app, support, tools):
        learners = [make_learner() for _ in range(6)]
        start, said = threading.Barrier(6), []

        def act(learner) -> None:
            start.wait(10)
            with app.app_context():
                try:
                    said.append(ask(support, learner, tools, reference="4200001234"))
                except ReferenceUsed:
                    said.append("")
                db.session.remove()

        threads = [threading.Thread(target=act, args=[learner]) for learner in learners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(map(bool, said)) == [False] * 5 + [True]
        assert db.session.scalar(sa.select(sa.func.count()).select_from(License)) == 1

    def test_a_payment_that_the_portal_has_goes_its_own_way(self, shop, support, learner, tools):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        shop.notify(order_id)
        paid = shop.payment(order_id)
        for number in (paid.transaction_id, paid.out_trade_no):
            with pytest.raises(ReferenceKnown) as refused:
                ask(support, learner, tools, reference=number)
            assert refused.value.facts["order_id"] == order_id

    @pytest.mark.parametrize("reference", ["12345", "x" * 65, "4200 1234", "４２００００１２３４", "a'b--c"])
    def test_an_odd_number_is_refused(self, support, learner, tools, reference):
        with pytest.raises(BadReference):
            ask(support, learner, tools, reference=reference)

    def test_one_that_was_refused_may_be_asked_for_again(self, support, finance, learner, strict):
        services.refuse_grant(
            finance, ask(support, learner, strict, reference="4200001234"), "no such payment"
        )
        assert look(ask(support, learner, strict, reference="4200001234")).is_waiting


class TestTwoPersons:
    def test_a_dear_one_waits_and_another_approves_it(self, support, finance, learner, strict):
        public_id = ask(support, learner, strict)
        assert look(public_id).is_waiting
        assert licenses_of(learner) == []
        services.approve_grant(finance, public_id, look(public_id).digest, strict)
        assert (look(public_id).status, look(public_id).approved_by) == (GrantStatus.ISSUED, finance.id)
        assert len(licenses_of(learner)) == 1

    def test_nobody_approves_their_own(self, support, learner, strict):
        public_id = ask(support, learner, strict)
        with pytest.raises(OwnRequest):
            services.approve_grant(support, public_id, look(public_id).digest, strict)
        assert licenses_of(learner) == []

    def test_nobody_gives_to_themselves(self, support, finance, learner, tools, strict):
        listed = f"email,course_id\n{learner.email},{COURSE}\n{support.email},{COURSE}\n"
        ask(support, learner, tools)
        [license_] = licenses_of(learner)
        for own in (
            lambda: ask(support, support, tools),
            lambda: services.ask_extension(learner, license_.id, 30, REASON, tools),
            lambda: services.ask_bulk(support, listed, REASON, tools),
        ):
            with pytest.raises(OwnRequest):
                own()
        for public_id in (ask(support, finance, strict), services.ask_bulk(finance, listed, REASON, strict)):
            approver = finance if look(public_id).learner_id else support
            with pytest.raises(OwnRequest):
                services.approve_grant(approver, public_id, look(public_id).digest, strict)
        assert licenses_of(support) == licenses_of(finance) == []

    def test_the_database_refuses_it_too(self, support, learner, strict):
        public_id = ask(support, learner, strict)
        with pytest.raises(DatabaseError), transaction():
            db.session.execute(
                sa.update(Grant).where(Grant.public_id == public_id).values(approved_by=support.id)
            )

    @pytest.mark.parametrize("change", [{"days": 3000}, {"reason": "another one"}, {"amount_fen": 1}])
    def test_what_changed_since_it_was_asked_is_not_approved(self, support, finance, learner, strict, change):
        public_id = ask(support, learner, strict)
        digest = look(public_id).digest
        with transaction():
            db.session.execute(sa.update(Grant).where(Grant.public_id == public_id).values(**change))
        with pytest.raises(ChangedSinceAsked):
            services.approve_grant(finance, public_id, digest, strict)
        with pytest.raises(ChangedSinceAsked):
            services.approve_grant(finance, public_id, "", strict)

    def test_of_eight_approvals_at_once_one_counts(self, app, support, learner, strict):
        public_id = ask(support, learner, strict)
        digest = look(public_id).digest
        approvers = [make_learner() for _ in range(8)]
        start, said = threading.Barrier(8), []

        def act(person) -> None:
            start.wait(10)
            with app.app_context():
                try:
                    services.approve_grant(person, public_id, digest, strict)
                    said.append(True)
                except NotWaiting:
                    said.append(False)
                db.session.remove()

        threads = [threading.Thread(target=act, args=[person]) for person in approvers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(said) == [False] * 7 + [True]
        assert len(licenses_of(learner)) == 1

    def test_what_was_bought_meanwhile_is_not_given_and_still_waits(
        self, support, finance, learner, strict, tools
    ):
        public_id = ask(support, learner, strict)
        ask(support, learner, tools, reason="another way")
        with pytest.raises(AlreadyOwned):
            services.approve_grant(finance, public_id, look(public_id).digest, strict)
        assert look(public_id).is_waiting

    def test_whoever_asked_takes_it_back_and_another_refuses(self, support, finance, learner, strict):
        mine, other = ask(support, learner, strict), ask(support, make_learner(), strict)
        services.refuse_grant(support, mine, "asked by mistake")
        services.refuse_grant(finance, other, "no such payment")
        assert (look(mine).status, look(other).status) == (GrantStatus.WITHDRAWN, GrantStatus.REFUSED)
        with pytest.raises(NotWaiting):
            services.approve_grant(finance, other, look(other).digest, strict)


class TestReplacing:
    @pytest.fixture
    def license_(self, support, learner, tools):
        """A license that the learner has."""
        ask(support, learner, tools)
        return licenses_of(learner)[0]

    def test_reissued_it_ends_when_it_did_and_the_old_text_is_no_longer_good(
        self, license_, learner, support, tools
    ):
        new_id = replace_license(license_.id, "lost on a shared computer", "staff:x", tools)
        old, new = db.session.get_one(License, license_.id), db.session.get_one(License, new_id)
        db.session.refresh(old)
        assert (old.status, new.status) == (LicenseStatus.SUPERSEDED, LicenseStatus.ACTIVE)
        assert (new.expires_at, new.revision) == (old.expires_at, 2)
        assert judge(old.text, COURSE, tools.key_ring)[0] is LicenseCode.REVOKED
        assert judge(new.text, COURSE, tools.key_ring)[0] is LicenseCode.VALID
        assert old.revoked_at
        with pytest.raises(NotActive):
            replace_license(license_.id, "once more", "staff:x", tools)

    def test_extended_the_right_and_the_license_hold_longer(self, license_, support, learner, tools):
        grant = look(services.ask_extension(support, license_.id, 30, REASON, tools))
        new = db.session.get_one(License, grant.license_id)
        assert (new.expires_at - license_.expires_at).days == 30
        right = db.session.get_one(Entitlement, new.entitlement_id, populate_existing=True)
        assert right.expires_at == new.expires_at

    def test_what_another_has_taken_the_place_of_is_not_extended(
        self, license_, support, finance, learner, tools, strict, clock
    ):
        """Its right ended, and the course was given again: a second good license is not made."""
        late = services.ask_extension(support, license_.id, 400, REASON, strict)
        clock.travel(days=366)
        ask(support, learner, tools)
        with pytest.raises(NotActive):
            services.approve_grant(finance, late, look(late).digest, strict)
        good = [one for one in licenses_of(learner) if judge(one.text, COURSE, tools.key_ring)[0] == "VALID"]
        assert len(good) == 1

    def test_an_extension_worth_much_waits(self, license_, support, finance, strict):
        public_id = services.ask_extension(support, license_.id, 30, REASON, strict)
        assert look(public_id).license_id == license_.id
        services.approve_grant(finance, public_id, look(public_id).digest, strict)
        assert look(public_id).license_id != license_.id

    def test_of_two_at_once_one_replaces_it(self, app, license_, tools):
        start, said = threading.Barrier(4), []

        def act() -> None:
            start.wait(10)
            with app.app_context():
                try:
                    said.append(replace_license(license_.id, REASON, "staff:x", tools))
                except NotActive:
                    said.append("")
                db.session.remove()

        threads = [threading.Thread(target=act) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(map(bool, said)) == [False] * 3 + [True]
