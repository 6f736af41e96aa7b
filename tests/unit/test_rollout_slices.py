"""Slices of one rollout: how it ends, one write for all, and one slice of everything changes nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.evidence import BlockSum, EvidenceRow, Source, UnitSum
from headgate.gates import judge
from headgate.rollout import apply, decide, standing
from headgate.rollout.ranking import Prospect, prospects_of, rank_words, ranked
from headgate.rollout.slices import one_write, outcome_of, weightiest
from headgate.rollout.state import Decision, Move, Outcome, Phase
from tests.builders import APRIL, PLAN, plan
from tests.rollouts import DAY, VERSIONS, state, world

WORST_FIRST = ["aborted", "rolled_back", "rejected", "expired", "superseded", "promoted"]
EVERYTHING = [{"name": "every", "where": "distance >= 0 or not distance >= 0", "steps": PLAN["steps"]}]
WHOLE, SLICED = plan(), plan(steps=None, slices=EVERYTHING)


def done(name, outcome):
    return state(Phase.DONE, slice=name, outcome=outcome)


# ---------------------------------------------------------------- the outcome


@given(st.lists(st.sampled_from(Outcome), min_size=1, max_size=6))
def test_a_rollout_ends_as_its_worst_slice_and_is_promoted_only_if_all_are(outcomes):
    ended = outcome_of(done(f"s{i}", outcome) for i, outcome in enumerate(outcomes))
    assert ended.value == min((outcome.value for outcome in outcomes), key=WORST_FIRST.index)
    assert (ended is Outcome.PROMOTED) == (set(outcomes) == {Outcome.PROMOTED})


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.DONE])
def test_a_rollout_has_no_outcome_while_a_slice_goes_on(phase):
    going = state(phase, slice="lga", outcome=Outcome.ROLLED_BACK)
    assert outcome_of([done("jfk", Outcome.PROMOTED), going]) is None
    assert outcome_of([]) is None


# ---------------------------------------------------------------- one write


generations = st.integers(0, 9)


@given(
    before=st.lists(generations, min_size=1, max_size=5),
    changed=st.lists(st.booleans(), min_size=5, max_size=5),
    observed=st.none() | generations,
)
def test_all_stays_that_begin_in_one_tick_share_one_generation_newer_than_any(before, changed, observed):
    states = [state(slice=f"s{i}", generation=generation) for i, generation in enumerate(before)]
    after = [
        replace(s, generation=s.generation + 1) if moves else s
        for s, moves in zip(states, changed, strict=False)
    ]
    written = one_write(states, after, observed)
    begun = {new.generation for new, old in zip(written, states, strict=True) if new != old}
    assert len(begun) <= 1
    assert all(generation > max(*before, observed or 0) for generation in begun)
    assert [new for new, moves in zip(written, changed, strict=False) if not moves] == [
        old for old, moves in zip(states, changed, strict=False) if not moves
    ]


def test_a_slice_that_is_done_keeps_its_generation_from_being_used_again():
    jfk, lga = state(slice="jfk", generation=3), replace(done("lga", Outcome.PROMOTED), generation=7)
    (after,) = one_write([jfk, lga], [replace(jfk, generation=4)], 5)
    assert after.generation == 8


def test_the_weightiest_decision_is_told_first():
    hold, up, back = (Decision(move, ("why",)) for move in (Move.HOLD, Move.ADVANCE, Move.ROLL_BACK))
    assert weightiest([hold, up, back]) is back
    assert weightiest([hold, up]) is up
    assert weightiest([hold]) is hold


# ---------------------------------------------------------------- one slice of everything


def blocks(values, slice_="all"):
    return [
        EvidenceRow(
            "quality",
            None,
            APRIL + i * DAY,
            0,
            0,
            Source.SHADOW,
            "w",
            BlockSum(worst=value, best=value, observed=value, entities=30, pairs=90, spread=0.1),
            slice_,
        )
        for i, value in enumerate(values)
    ]


@given(
    values=st.lists(st.floats(-0.2, 0.2), max_size=12),
    phase=st.sampled_from([Phase.SHADOW, Phase.RAMP, Phase.WATCH]),
    day=st.integers(1, 40),
)
def test_one_slice_of_everything_decides_as_the_plan_without_slices(values, phase, day):
    """But for its name: the same evidence gives the same verdicts, decision and state."""
    ends = []
    for of, name in ((WHOLE, "all"), (SLICED, "every")):
        own, now = of.of_slice(name), APRIL + day * DAY
        stands = state(phase, of=own, slice=name)
        card = judge(own, blocks(values, name), standing(stands, now))
        seen = world(stands, now, scorecard=card, versions=VERSIONS)
        decision = decide(stands, own, seen, "the same hash")
        after = apply(stands, decision, own, seen)
        (after,) = one_write([stands], [after], seen.observed_generation)
        ends.append((card, decision, replace(after, slice="any")))
    assert ends[0] == ends[1]


def test_slices_share_the_error_budget_so_that_the_whole_rollout_keeps_it():
    halves = [{**EVERYTHING[0], "name": name, "where": f"origin == '{name}'"} for name in ("jfk", "lga")]
    of = plan(steps=None, slices=halves).of_slice("jfk")
    assert of.errors.promote_bad == WHOLE.errors.promote_bad / 2
    assert of.errors.roll_back_fine == WHOLE.errors.roll_back_fine / 2


# ---------------------------------------------------------------- who goes first


def test_a_sure_small_gain_goes_before_a_large_unsure_one_and_no_evidence_goes_last():
    sure, unsure = Prospect("sure", 0.2, 0.010, 0.001), Prospect("unsure", 0.7, 0.012, 0.010)
    one_block, nothing = Prospect("one-block", 0.9, 0.5), Prospect("nothing", 0.9, None)
    harmful = Prospect("harmful", 0.5, -0.01, 0.001)
    for order in ([nothing, unsure, sure, one_block, harmful], [harmful, one_block, sure, unsure, nothing]):
        assert [one.slice for one in ranked(order)] == ["sure", "unsure", "harmful", "one-block", "nothing"]


def test_without_evidence_the_order_is_by_name_and_says_so():
    said = rank_words([Prospect("lga", 0.6, None), Prospect("jfk", 0.4, None)])
    assert list(said.values()) == [
        "1. jfk (40 % of requests): no evidence yet",
        "2. lga (60 % of requests): no evidence yet",
    ]


def test_the_prospect_of_a_slice_is_what_its_shadow_blocks_gained():
    rows = [*blocks([-0.02, -0.04], "every"), *blocks([0.5], "all")]
    live = [replace(row, share_bp=500, part="live") for row in blocks([0.9], "every")]
    segment = [replace(row, segment="origin=JFK") for row in blocks([0.9], "every")]
    (one,) = prospects_of(SLICED, [*rows, *live, *segment], {"every": 0.5})
    assert (one.slice, one.share) == ("every", 0.5)
    assert one.gain == pytest.approx(0.03)
    assert one.error == pytest.approx(0.01)
    assert one.value == pytest.approx(0.015)
    assert one.cautious == pytest.approx(0.005)
    assert "gains 0.03 ± 0.02 per request" in rank_words([one])["every"]


def test_independent_units_tell_the_same():
    units = [(-4096, 10), (0, 80), (4096, 10)]
    rows = [replace(blocks([0.0], "every")[0], sums=UnitSum(worst=tuple(units), best=tuple(units)))]
    (one,) = prospects_of(SLICED, rows, {"every": 1.0})
    assert (one.gain, one.error) == (0.0, pytest.approx((0.2 / 100) ** 0.5))


@pytest.mark.parametrize(("gain", "word"), [(0.02, "gains"), (-0.02, "loses")])
def test_a_loss_is_called_a_loss(gain, word):
    assert f"{word} 0.02 per request" in rank_words([Prospect("jfk", 1.0, gain)])["jfk"]
