"""The random mix: the share that is asked for, the same in every run with the same seed."""

from __future__ import annotations

import pytest

KINDS = ["5xx", "429", "unsigned"]


@pytest.fixture
def faults_of(sandbox, merchant):
    """Set a mix and make requests; returns which faults struck each."""

    def run(count=60, **mix):
        sandbox.post("/chaos", **mix)
        before = len(sandbox.get("/requests")["requests"])
        for _ in range(count):
            merchant.query("NOSUCHORDER")
        return [entry["faults"] for entry in sandbox.get("/requests")["requests"][before:]]

    return run


def test_the_same_seed_strikes_the_same_requests(faults_of):
    first = faults_of(rate=0.2, seed=7, kinds=KINDS)
    assert first == faults_of(rate=0.2, seed=7, kinds=KINDS)
    assert first != faults_of(rate=0.2, seed=8, kinds=KINDS)


def test_each_kind_strikes_about_as_often_as_asked(sandbox, faults_of):
    faults_of(300, rate=0.2, seed=1, kinds=KINDS)
    hits = sandbox.get("/state")["chaos"]["hits"]
    assert hits.keys() == set(KINDS)
    assert all(30 <= hits[kind] <= 90 for kind in KINDS)


def test_only_on_the_routes_named(sandbox, merchant, faults_of):
    assert faults_of(10, rate=1, kinds=["5xx"], routes=["create"]) == [[]] * 10
    assert merchant.create(merchant.order()).status_code == 500


def test_it_ends_with_a_rate_of_zero_and_with_a_reset(sandbox, merchant, faults_of):
    assert faults_of(3, rate=1, kinds=["429"]) == [["429"]] * 3
    assert faults_of(3) == [[]] * 3
    sandbox.post("/chaos", rate=1, kinds=["5xx"])
    sandbox.post("/reset")
    assert merchant.create(merchant.order()).status_code == 200


def test_notifications_have_their_share(sandbox, merchant, shop):
    sandbox.post("/chaos", rate=1, kinds=["never_notify"])
    sandbox.post("/pay", code_url=merchant.placed(notify_url=shop.url)[1])
    assert sandbox.get("/state")["notifications"] == {"withheld": 1}
    sandbox.post("/chaos", rate=1, kinds=["duplicate"], arguments={"duplicate": {"copies": 4}})
    sandbox.post("/pay", code_url=merchant.placed(notify_url=shop.url)[1])
    shop.wait_for(5)


def test_without_kinds_it_is_every_kind(sandbox):
    told = sandbox.post("/chaos", rate=0.05, seed=3)
    assert {"delay", "hang", "drip", "accept_then_drop", "signtest", "never_notify"} <= set(told["kinds"])


@pytest.mark.parametrize(
    "mix",
    [
        {"rate": 2},
        {"kinds": ["wrong_hash"]},
        {"kinds": "5xx"},
        {"routes": ["*"]},
        {"arguments": {"delay": 1}},
        {"arguments": {"delay": {"minutes": 1}}},
        {"colour": "red"},
    ],
)
def test_nonsense_is_refused(sandbox, mix):
    assert sandbox.try_post("/chaos", **mix).status_code == 400
