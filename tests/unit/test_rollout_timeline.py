"""What was in force when."""

from __future__ import annotations

from headgate.evidence import Entry
from headgate.rollout import standing, stays
from tests.builders import APRIL
from tests.rollouts import DAY, state


def test_a_stay_lasts_from_its_confirmation_to_the_next_one():
    shadow, live = Entry(0, 0, 0, APRIL), Entry(1, 1, 500, APRIL + 2 * DAY)
    assert stays([shadow, live]) == (Entry(0, 0, 0, APRIL, APRIL + 2 * DAY), live)


def test_a_second_generation_of_a_stay_does_not_begin_it_anew():
    again = Entry(1, 1, 500, APRIL + 3 * DAY)
    assert stays([Entry(1, 1, 500, APRIL), again]) == (Entry(1, 1, 500, APRIL),)


def test_a_step_that_was_never_confirmed_has_no_stay():
    found = stays([Entry(0, 0, 0, APRIL), Entry(2, 0, 0, APRIL + 3 * DAY)])
    assert [(stay.entry, stay.until) for stay in found] == [(0, APRIL + 3 * DAY), (2, None)]


def test_before_the_first_confirmation_there_is_no_stay():
    assert stays([]) == ()


def test_every_re_entry_is_a_further_attempt_to_the_judge():
    where = standing(state(reentries=2), APRIL + DAY, attempt=3, segments={"origin": ("JFK",)})
    assert (where.attempt, where.step, where.entry, where.share_bp) == (5, 1, 1, 500)
    assert where.segments == {"origin": ("JFK",)}
