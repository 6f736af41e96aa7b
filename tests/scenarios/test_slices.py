"""M4: the whole scope is never scaled at once; slices climb alone, each by its own evidence."""

from __future__ import annotations

from copy import deepcopy

import pytest

from headgate.adapters import store
from headgate.errors import InputError
from headgate.evidence import SplitSum, TrafficSum
from headgate.ports import SliceShare
from headgate.rollout.slices import outcome_of
from headgate.rollout.state import LIVE, Outcome, Phase, Verb
from tasks import verbs
from tasks.standing import all_standings
from tests.scenarios.small import SMALL, better
from tests.scenarios.world import OPERATOR, SERVICE, told

pytestmark = [pytest.mark.prefect]

SLICES = [
    {"name": name, "where": f"region == '{name}'", "steps": deepcopy(SMALL["steps"])}
    for name in ("north", "south")
]


def worse_in_the_south(columns):
    """Answer the truth in the north, and upside down in the south."""
    return [1 - s if r == "south" else s for s, r in zip(columns["signal"], columns["region"], strict=True)]


@pytest.fixture
def sliced(small):
    """The small world, its requests in two slices; callers in a third region are in none."""
    small.slices = ("north", "south", "west")
    small.open(steps=None, segments=None, slices=SLICES, watch="2d")
    small.tick()
    return small


def states(small):
    return {name: store.last_tick(small.engine, small.rollout, name).state for name in ("north", "south")}


def shares(small):
    return {part.name: part.share_bp for part in small.plane.observe().slices}


def until(small, reached, hours=18, most=20):
    """Go on, approving whatever is asked, until the slices are where the story wants them."""
    for _ in range(most):
        small.after(hours)
        for name, state in states(small).items():
            if state.asked is not None and state.phase is not Phase.DONE:
                small.approve(slice_=name)
        if reached(states(small)):
            return states(small)
    ticks = {name: store.ticks(small.engine, small.rollout, name)[-3:] for name in ("north", "south")}
    raise AssertionError({name: [told(tick) for tick in last] for name, last in ticks.items()})


def test_a_harmful_slice_falls_back_while_the_other_is_promoted(sliced):
    """M4, laws 5, 12: of one rollout, one slice ends at full traffic and one at none."""
    assert sliced.plane.observe().slices == (
        SliceShare("north", 0, mirror=True),
        SliceShare("south", 0, mirror=True),
    )
    until(sliced, lambda now: all(state.share_bp == 1_000 for state in now.values()))
    assert shares(sliced) == {"north": 1_000, "south": 1_000}

    sliced.candidate.answer = worse_in_the_south
    fallen = until(sliced, lambda now: now["south"].share_bp == 0, hours=6)
    assert fallen["north"].share_bp >= 1_000
    assert fallen["north"].phase in LIVE
    assert store.holder(sliced.engine, SERVICE) is not None

    ended = until(sliced, lambda now: all(state.phase is Phase.DONE for state in now.values()))
    assert (ended["north"].outcome, ended["south"].outcome) == (Outcome.PROMOTED, Outcome.ROLLED_BACK)
    assert outcome_of(ended.values()) is Outcome.ROLLED_BACK
    assert shares(sliced) == {"north": 10_000, "south": 0}
    assert store.holder(sliced.engine, SERVICE) is None

    _every_slice_kept_its_own_record(sliced)
    assert [(row["slice"], row["outcome"], row["ended"], row["percent"]) for row in all_standings()] == [
        ("north", "promoted", "rolled_back", 100),
        ("south", "rolled_back", "rolled_back", 0),
    ]


def _every_slice_kept_its_own_record(small):
    rows = small.evidence()
    assert {row.slice for row in rows} == {"north", "south"}
    for name in ("north", "south"):
        mine = [row for row in rows if row.slice == name]
        assert any(isinstance(row.sums, SplitSum) for row in mine)
        assert max(row.share_bp for row in mine) == (5_000 if name == "north" else 1_000) or any(
            isinstance(row.sums, TrafficSum) and row.share_bp == 10_000 for row in mine
        )
        assert [a.step for a in store.approvals(small.engine, small.rollout, name)] == [1]
        ticks = store.ticks(small.engine, small.rollout, name)
        assert [tick.tick for tick in ticks] == list(range(len(ticks)))
    assert (
        sum(row.sums.n1 + row.sums.n0 for row in rows if isinstance(row.sums, TrafficSum)) < small.sent * 0.7
    )


def test_buttons_act_on_one_slice_where_it_is_named_and_on_all_otherwise(sliced):
    sliced.candidate.answer = better
    verbs.press(SERVICE, Verb.PAUSE, OPERATOR, "looking into the south", sliced.now, "south")
    sliced.tick()
    assert [state.paused is not None for state in states(sliced).values()] == [False, True]
    with pytest.raises(InputError, match=r"asked the slice 'west'.*it has north, south"):
        verbs.press(SERVICE, Verb.PAUSE, OPERATOR, "no such slice", sliced.now, "west")
    verbs.press(SERVICE, Verb.ABORT, OPERATOR, "not today", sliced.now)
    sliced.tick()
    assert {state.outcome for state in states(sliced).values()} == {Outcome.ABORTED}
    assert store.open_orders(sliced.engine, sliced.rollout) == ()
    assert store.holder(sliced.engine, SERVICE) is None
