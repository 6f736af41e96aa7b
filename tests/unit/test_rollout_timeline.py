"""What was in force when."""

from __future__ import annotations

from headgate.evidence import Entry
from headgate.rollout import entries, standing
from headgate.rollout.state import Outcome, Phase
from tests.builders import APRIL
from tests.rollouts import DAY, HOUR, state


def test_a_stay_lasts_from_its_confirmation_to_the_next_one():
    states = (
        state(Phase.PREFLIGHT),
        state(Phase.SHADOW, confirmed_at=None),
        state(Phase.SHADOW, confirmed_at=APRIL + HOUR),
        state(step=1, entered_at=APRIL + DAY, confirmed_at=None),
        state(step=1, entered_at=APRIL + DAY, confirmed_at=APRIL + 2 * DAY),
        state(
            Phase.ROLLING_BACK, 1, entry=2, generation=3, entered_at=APRIL + 3 * DAY, outcome=Outcome.EXPIRED
        ),
    )
    assert entries(states) == (
        Entry(0, 0, 0, APRIL + HOUR, APRIL + 2 * DAY),
        Entry(1, 1, 500, APRIL + 2 * DAY),
    )
    assert entries(states, {3: APRIL + 4 * DAY})[1:] == (
        Entry(1, 1, 500, APRIL + 2 * DAY, APRIL + 4 * DAY),
        Entry(2, 1, 0, APRIL + 4 * DAY),
    )


def test_a_step_that_was_never_confirmed_has_no_stay():
    states = (
        state(Phase.SHADOW),
        state(step=1, confirmed_at=None, entered_at=APRIL + DAY),
        state(Phase.SHADOW, entry=2, generation=3, confirmed_at=APRIL + 3 * DAY, entered_at=APRIL + 2 * DAY),
    )
    assert [(stay.entry, stay.since) for stay in entries(states)] == [(0, APRIL), (2, APRIL + 3 * DAY)]


def test_before_the_first_confirmation_there_is_no_stay():
    assert entries((state(Phase.PREFLIGHT, generation=0),), {}) == ()


def test_the_watch_is_a_stay_of_its_own_at_the_same_share():
    states = (state(step=3), state(Phase.WATCH, entry=4, entered_at=APRIL + DAY, confirmed_at=APRIL + DAY))
    assert [(s.entry, s.share_bp, s.until) for s in entries(states)] == [
        (3, 10_000, APRIL + DAY),
        (4, 10_000, None),
    ]


def test_every_re_entry_is_a_further_attempt_to_the_judge():
    where = standing(state(reentries=2), APRIL + DAY, attempt=3, segments={"origin": ("JFK",)})
    assert (where.attempt, where.step, where.entry, where.share_bp) == (5, 1, 1, 500)
    assert where.segments == {"origin": ("JFK",)}
