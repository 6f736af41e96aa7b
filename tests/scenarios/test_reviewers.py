"""M9, M22: a share rises only as fast as people can look at what it brings; it falls without them."""

from __future__ import annotations

import pytest

from flows.buttons import rollback
from headgate.adapters.store import reviews
from headgate.ports import ReviewCase, ReviewReason
from headgate.rollout.state import Move, Outcome, Phase, Waiting
from tasks.adopting import told_of
from tests.scenarios.small import DAY, HOUR, better
from tests.scenarios.world import OPERATOR, SERVICE

pytestmark = [pytest.mark.prefect]
ANN = "ann@example.org"


def sure(columns):
    """Answer no whatever the request: nobody needs to look at that, and it is often wrong."""
    return [0.3] * len(columns["signal"])


def unsure_in_the_south(columns):
    """Answer the truth in the north; in the south hardly more than its direction."""
    south = [0.42 if signal < 0.5 else 0.58 for signal in columns["signal"]]
    regions = zip(columns["signal"], south, columns["region"], strict=True)
    return [blurred if region == "south" else signal for signal, blurred, region in regions]


def days(small, count):
    """Let days pass, score them, and tick; in shadow nobody needs callers."""
    small.now += count * DAY
    small.shadow("1d")
    return small.tick()


def caller_waits(small):
    """What a guard puts when nobody could answer."""
    case = ReviewCase(
        SERVICE, "stuck", "N001", small.now, ReviewReason.FALLBACK, None, None, None, small.rollout, "all", {}
    )
    reviews.put(small.engine, case, small.now)


def test_m9_m22_the_share_waits_for_reviewers_rises_when_they_caught_up_and_falls_without_them(small):
    small.incumbent.answer, small.candidate.answer = sure, unsure_in_the_south
    small.open(
        steps=[
            {"percent": 0, "dwell": "1d"},
            {"percent": 10, "dwell": "12h"},
            {"percent": 50},
            {"percent": 100},
        ],
        serving=small.body()["serving"] | {"confidence_below": {"value": 0.6, "then": "review"}},
        review={"capacity": 8, "max_age": "1d", "sample": 0.03},
    )
    small.tick()

    # Of 144 requests a day the candidate alone would send half to people, a tenth of that at 10 %.
    too_many = days(small, 2)
    assert (too_many.decision.move, too_many.decision.waiting_for) == (Move.HOLD, (Waiting.REVIEW_CAPACITY,))
    assert "at 10 % 1" in too_many.decision.reason
    assert "cases a day would come; reviewers manage 8 a day" in too_many.decision.reason
    assert "behind" not in too_many.decision.reason

    # The hard cases end. The forecast falls day by day, but what was drawn of it lies there.
    small.candidate.answer = better
    too_old = days(small, 3)
    assert too_old.decision.waiting_for == (Waiting.REVIEW_CAPACITY,)
    assert "the oldest for 3d (at most 1d)" in too_old.decision.reason
    assert "a day would come" not in too_old.decision.reason
    assert set(small.shares) == {0}

    drawn = reviews.waiting(small.engine, SERVICE, 1_000)
    for one in drawn:
        reviews.confirm(small.engine, one.id, ANN, small.now)
    risen = small.tick()
    assert (risen.decision.move, risen.state.share_bp) == (Move.ADVANCE, 1_000)
    taken = told_of(SERVICE, small.now)["adoption"]
    assert (taken["waiting"], taken["rulings"]) == (0, {"confirmed": len(drawn)})

    # Reviewers fall behind again, and nobody who takes traffic back waits for them.
    caller_waits(small)
    small.now += 30 * HOUR
    behind = small.tick()
    assert Waiting.REVIEW_CAPACITY in behind.decision.waiting_for
    rollback(SERVICE, "callers complain", OPERATOR, now=small.now)
    last = small.tick()
    assert (last.state.phase, last.state.outcome) == (Phase.DONE, Outcome.ROLLED_BACK)
    assert small.plane.observe().share_bp == 0
    assert reviews.backlog(small.engine, SERVICE)[0] == 1
