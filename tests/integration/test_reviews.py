"""The review queue on both databases: nothing doubled, nothing lost, one person's word at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from headgate.adapters.store import audit, reviews
from headgate.errors import IllegalTransition, InputError, StoreError
from headgate.ports import ReviewCase, ReviewReason, Side
from headgate.review.case import Decided, Ruling
from tests.builders import APRIL
from tests.integration.stores import opened

SERVICE = "flight-delays"
HOUR = timedelta(hours=1)
ANN, BOB = "ann@example.org", "bob@example.org"


def case(number: int = 1, **changes) -> ReviewCase:
    made = ReviewCase(
        service=SERVICE,
        request_id=f"r{number}",
        entity="N1",
        at=APRIL,
        reason=ReviewReason.SAMPLED,
        side=Side.CANDIDATE,
        answer=0.7,
        confidence=0.7,
        rollout="flights-gbm-1",
        slice="all",
        inputs={"origin": "JFK", "dep_hour": 7, "wind": None},
    )
    return replace(made, **changes)


def put(engine, *numbers: int, after: int = 0, **changes) -> None:
    for number in numbers:
        assert reviews.put(engine, case(number, **changes), APRIL + after * HOUR)


def test_m9_a_case_put_twice_or_by_many_at_once_is_one_case(store_engine):
    with ThreadPoolExecutor(4) as guards:
        news = list(guards.map(lambda _: reviews.put(store_engine, case(), APRIL), range(8)))
    assert sorted(news) == [False] * 7 + [True]
    assert not reviews.put(store_engine, case(answer=0.1), APRIL + HOUR)
    assert [one.case for one in reviews.waiting(store_engine, SERVICE)] == [case()]
    assert reviews.put(store_engine, case(service="another"), APRIL)
    assert reviews.services(store_engine) == ["another", SERVICE]


def test_m9_a_window_is_put_once_and_whole(store_engine):
    rollout = opened(store_engine)
    window = reviews.Drawn(
        APRIL, APRIL + HOUR, {"all": {"requests": 9, "if_incumbent": 1, "if_candidate": 2}}
    )
    cases = [(case(1), "origin=JFK"), (case(2), "")]
    with pytest.raises(InputError, match="asked a service"):
        reviews.put_window(store_engine, rollout.id, window, [*cases, (case(request_id=" "), "")], APRIL)
    assert (reviews.backlog(store_engine, SERVICE), reviews.windows(store_engine, rollout.id)) == (
        (0, None),
        [],
    )
    assert reviews.put_window(store_engine, rollout.id, window, cases, APRIL) == 2
    assert reviews.put_window(store_engine, rollout.id, window, [(case(3), "")], APRIL) == 0
    assert reviews.windows(store_engine, rollout.id) == [window]
    assert [one.stratum for one in reviews.waiting(store_engine, SERVICE)] == ["origin=JFK", ""]


def test_whoever_waits_for_an_answer_comes_first_then_the_oldest_and_nobody_gets_anothers_case(store_engine):
    put(store_engine, 1)
    put(store_engine, 2, after=1)
    put(store_engine, 3, after=2, reason=ReviewReason.FALLBACK, side=None, answer=None, confidence=None)
    now = APRIL + 3 * HOUR
    seen = [
        reviews.next(store_engine, SERVICE, who, now)
        for who in (ANN, BOB, " ANN@example.org", "cy@example.org")
    ]
    assert [one and one.case.request_id for one in seen] == ["r3", "r1", "r3", "r2"]
    assert reviews.next(store_engine, SERVICE, "dee@example.org", now) is None
    reviews.skip(store_engine, seen[1].id, ANN, now)
    assert reviews.next(store_engine, SERVICE, BOB, now) == seen[1], "nobody puts aside what he looks at"
    reviews.skip(store_engine, seen[1].id, BOB, now)
    assert reviews.next(store_engine, SERVICE, BOB, now) is None, "skipped by him for now"
    assert reviews.next(store_engine, SERVICE, "eve@example.org", now).case.request_id == "r1", "not by her"
    later = now + reviews.HELD_FOR
    assert reviews.next(store_engine, SERVICE, "dee@example.org", later).case.request_id == "r3", (
        "it is free again"
    )
    assert reviews.backlog(store_engine, SERVICE) == (3, APRIL)
    came = reviews.arrivals(store_engine, SERVICE, APRIL + HOUR)
    assert came == {("fallback", "all"): 1, ("sampled", "all"): 1}
    seen = reviews.waiting(store_engine, SERVICE, 2, skip=1)
    assert [one.case.request_id for one in seen] == ["r2", "r3"]


def test_m9_the_first_word_stands_until_its_own_speaker_takes_it_back(store_engine):
    put(store_engine, 1)
    (one,) = reviews.waiting(store_engine, SERVICE)
    said = reviews.override(store_engine, one.id, 0.0, ANN, APRIL + HOUR, "it was sunny")
    assert said.decided == Decided(Ruling.OVERRIDDEN, 0.0, ANN, "it was sunny", APRIL + HOUR)
    assert reviews.override(store_engine, one.id, 0.0, ANN, APRIL + 2 * HOUR) == said, (
        "said twice is said once"
    )
    with pytest.raises(IllegalTransition, match=r"overridden by ann@example\.org"):
        reviews.confirm(store_engine, one.id, BOB, APRIL + HOUR)
    back = Decided(Ruling.WITHDRAWN, None, BOB, "", APRIL + HOUR)
    with pytest.raises(IllegalTransition, match="ask them"):
        reviews.decide(store_engine, one.id, back)
    assert reviews.next(store_engine, SERVICE, BOB, APRIL + HOUR) is None
    reviews.decide(store_engine, one.id, replace(back, reviewer=ANN))
    assert reviews.next(store_engine, SERVICE, BOB, APRIL + HOUR).decided is None
    assert reviews.confirm(store_engine, one.id, BOB, APRIL + 3 * HOUR).decided.ruling is Ruling.CONFIRMED
    assert reviews.find(store_engine, SERVICE, "r1").decided.reviewer == BOB
    assert reviews.find(store_engine, SERVICE, "r9") is None


def test_two_people_at_once_are_one_decision(store_engine):
    put(store_engine, 1)
    (one,) = reviews.waiting(store_engine, SERVICE)

    def say(who: str) -> str:
        try:
            return reviews.confirm(store_engine, one.id, who, APRIL).decided.reviewer
        except (IllegalTransition, StoreError):
            return "refused"

    with ThreadPoolExecutor(4) as people:
        heard = list(people.map(say, [ANN, BOB, "cy@example.org", "dee@example.org"]))
    stands = reviews.get(store_engine, one.id).decided.reviewer
    assert sorted(heard) == sorted([stands, "refused", "refused", "refused"])


def test_what_is_no_case_no_person_and_no_answer_is_refused_and_the_chain_vouches_for_the_rest(store_engine):
    put(store_engine, 1, side=None, answer=None)
    (one,) = reviews.waiting(store_engine, SERVICE)
    with pytest.raises(InputError, match="none of this number"):
        reviews.confirm(store_engine, 99, ANN, APRIL)
    with pytest.raises(InputError, match="nobody answered it"):
        reviews.confirm(store_engine, one.id, ANN, APRIL)
    with pytest.raises(InputError, match="say who you are"):
        reviews.override(store_engine, one.id, 1.0, "  ", APRIL)
    with pytest.raises(InputError, match="give a number"):
        reviews.override(store_engine, one.id, float("nan"), ANN, APRIL)
    assert reviews.override(store_engine, one.id, 1.0, ANN, APRIL).decided.ruling is Ruling.ANSWERED
    assert reviews.put(store_engine, case(2, inputs={"wind": float("nan"), "at": APRIL}), APRIL)
    assert reviews.find(store_engine, SERVICE, "r2").case.inputs == {
        "wind": None,
        "at": "2013-04-01T00:00:00.000000Z",
    }
    queue = reviews.StoreQueue(store_engine, lambda: APRIL)
    with pytest.raises(StoreError, match="cannot be kept"):
        queue.put(case(3, entity="N\x001"))
    assert not queue.put(case(2)), "the guard's own port: it is there already"
    checked = audit.verify(store_engine)
    assert (checked.findings, checked.rows) == ((), 3)
    assert [line.kind for line in audit.lines_of(store_engine, "flights-gbm-1")] == [
        "review_case", "review_decision", "review_case",
    ]  # fmt: skip
