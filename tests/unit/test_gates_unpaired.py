"""What the judge says about the arms of a live split."""

from datetime import timedelta
from math import isfinite

import numpy as np
import pytest

from headgate.evidence import EvidenceRow, Source, SplitSum, Standing, UnpairedSum
from headgate.gates import judge
from headgate.stats.betting import Batches
from headgate.stats.display import mean_limit
from headgate.verdicts import Verdict
from tests.builders import APRIL, PLAN, plan

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WHOLE = 4096
GATE = {"name": "wrong", "metric": "zero_one", "margin": 0.05, "unpaired": True}
NONE = {"entity": "tailnum", "block": "none", "independent": True}


def coins(n, x):
    return tuple((index, count) for index, count in ((0, n - x), (WHOLE, x)) if count)


def sums(n1, x1, n0, x0, **more):
    ours, theirs = coins(n1, x1), coins(n0, x0)
    return UnpairedSum(ours, ours, theirs, theirs, **more)


def row(at, one, share=2500, entry=1, gate="wrong"):
    return EvidenceRow(gate, None, at, entry, share, Source.PLANE, "batch", one)


def drawn(batches, n, rate, worse=0.0, *, step=DAY, share=0.25, start=APRIL, seed=5, entry=1):
    rng = np.random.default_rng(seed)
    found = []
    for at in range(batches):
        n1 = int(rng.binomial(n, share))
        x1, x0 = int(rng.binomial(n1, rate + worse)), int(rng.binomial(n - n1, rate))
        found.append(row(start + at * step, sums(n1, x1, n - n1, x0), round(share * 1e4), entry))
    return found


def standing(after=200 * DAY, share=2500, entry=1, **more):
    return Standing(1, entry, share, APRIL, APRIL + after, **more)


def asked(rows, gate=None, where=None, **changes):
    (verdict,) = judge(plan(gates=[GATE | (gate or {})], **changes), rows, where or standing()).verdicts
    return verdict


def test_an_equal_candidate_passes_in_blocks_and_one_that_is_worse_is_rolled_back():
    fine = asked(drawn(150, 800, 0.1))
    assert (fine.verdict, fine.unit, fine.samples) == (Verdict.PASS, "blocks", 150)
    assert fine.lower < fine.estimate < fine.upper
    bad = asked(drawn(150, 800, 0.1, worse=0.05))
    assert bad.verdict is Verdict.FAIL
    assert bad.estimate == pytest.approx(0.05, abs=0.01)


def test_entities_are_units_where_the_plan_has_no_blocks():
    fine = asked(drawn(60, 100, 0.1, step=HOUR), unit=NONE)
    assert (fine.verdict, fine.unit, fine.samples) == (Verdict.PASS, "entities", 6_000)
    assert fine.lower < fine.estimate < fine.upper < 0.1
    assert asked(drawn(90, 100, 0.1, worse=0.08, step=HOUR), unit=NONE).verdict is Verdict.FAIL


def test_only_this_steps_entities_advance_and_all_of_the_rollouts_roll_back():
    before, now = drawn(90, 800, 0.1), drawn(3, 800, 0.1, start=APRIL + 90 * DAY, entry=2, seed=6)
    again = asked(before + now, where=standing(entry=2))
    assert (again.verdict, again.samples) == (Verdict.INCONCLUSIVE, 3)
    harmed = asked(drawn(90, 800, 0.1, worse=0.08) + now, where=standing(entry=2))
    assert harmed.verdict is Verdict.FAIL


def test_a_verdict_is_void_while_the_traffic_split_is_not_as_configured():
    skewed = EvidenceRow("split", None, APRIL, 1, 2500, Source.PLANE, "", SplitSum(4_000, 6_000))
    found = asked([*drawn(150, 800, 0.1, worse=0.2), skewed])
    assert found.verdict is Verdict.ERROR
    assert "split" in found.reason


def test_hours_of_few_entities_are_pooled_until_both_sides_have_enough():
    few = [row(APRIL + n * HOUR, sums(1, 0, 3, 1)) for n in range(25)]
    found = asked(few, unit=NONE)
    assert found.samples == 80  # two pools of ten hours; five hours wait for more
    assert asked(few[:9], unit=NONE).samples == 0


def test_hours_of_two_shares_are_never_pooled():
    turns = [row(APRIL + n * HOUR, sums(6, 0, 6, 1), share=(2500, 5000)[n >= 3]) for n in range(6)]
    assert asked(turns, unit=NONE).log_e_rollback != 0
    assert asked([*turns[:1], *turns[3:4]], unit=NONE).samples == 0


def test_the_interval_of_entities_is_of_both_arms_each_at_half_the_error():
    found = asked([row(APRIL, sums(100, 20, 300, 30))], unit=NONE)
    ours, theirs = ((np.array([[0.0], [1.0]]), np.array([[n - x], [x]])) for n, x in ((100, 20), (300, 30)))
    most = mean_limit(Batches(*ours), 1.0, 0.05 / 4) + mean_limit(
        Batches(-theirs[0], theirs[1]), 0.0, 0.05 / 4
    )
    assert found.upper == pytest.approx(most)
    assert found.estimate == pytest.approx(0.1)


def test_of_a_block_in_which_the_share_changed_the_larger_part_counts_once():
    parts = [row(APRIL, sums(10, 1, 30, 2)), row(APRIL, sums(40, 9, 40, 2), share=5000)]
    found = asked(parts, where=standing(share=5000))
    assert found.samples == 1
    assert found.estimate == pytest.approx(9 / 40 - 2 / 40)


def test_entities_whose_days_share_shocks_are_refused_as_units():
    rng = np.random.default_rng(7)
    days = []
    for n in range(20):
        ours, theirs = rng.binomial(200, rng.beta(1, 9)), rng.binomial(200, rng.beta(1, 9))
        days.append(row(APRIL + n * DAY, sums(200, int(ours), 200, int(theirs)), share=5000))
    where = standing(share=5000)
    found = asked(days, where=where, unit=NONE | {"independent": False})
    assert found.verdict is Verdict.ERROR
    assert found.design_effect > 1.5
    assert "share their shocks" in found.reason
    assert asked(days, where=where).verdict is not Verdict.ERROR
    few = asked(days[:4], where=where, unit=NONE | {"independent": False})
    assert (few.verdict, few.design_effect) == (Verdict.INCONCLUSIVE, None)
    assert "before 5 days" in few.reason


def test_missing_labels_widen_the_interval_and_move_each_verdict_the_careful_way():
    ours, theirs = coins(200, 20), coins(600, 60)
    bounded = UnpairedSum(coins(210, 30), coins(210, 20), theirs, theirs, missing=10)
    complete = UnpairedSum(ours, ours, theirs, theirs)
    one, other = (asked([row(APRIL + n * DAY, s) for n in range(40)]) for s in (complete, bounded))
    assert other.log_e_advance < one.log_e_advance
    assert other.log_e_rollback <= one.log_e_rollback + 1e-9
    assert other.upper > one.upper
    assert "400 labels missing, taken at their worst" in other.reason


def test_when_nobody_new_comes_any_more_the_reason_says_so():
    done = [*drawn(5, 800, 0.1), row(APRIL + 5 * DAY, UnpairedSum())]
    found = asked(done)
    assert "every entity has been seen: waits for new ones" in found.reason
    assert found.samples == 5
    assert "every entity" not in asked(done[:5]).reason
    hour = [*drawn(5, 800, 0.1, step=HOUR), row(APRIL + 5 * HOUR, UnpairedSum())]
    assert "every entity" not in asked(hour, unit=NONE).reason  # one quiet hour is no end


def test_no_entity_is_no_data():
    for rows in ([], [row(APRIL, UnpairedSum())]):
        found = asked(rows)
        assert (found.verdict, found.estimate, found.samples) == (Verdict.NO_DATA, None, 0)
        assert "no entity has met the live split yet" in found.reason


def test_one_side_alone_is_no_estimate_and_no_verdict():
    alone = [row(APRIL + n * DAY, sums(0, 0, 50, 5)) for n in range(9)]
    found = asked(alone)
    assert (found.verdict, found.estimate) == (Verdict.INCONCLUSIVE, None)
    assert abs(found.log_e_advance) < 1e-9


def test_accuracy_keeps_its_sign():
    found = asked(drawn(40, 800, 0.1, worse=0.05), {"metric": "accuracy"})
    assert found.estimate == pytest.approx(-0.05, abs=0.02)
    assert found.lower < found.estimate < found.upper
    assert "accuracy is 0.0" in found.reason


def test_evidence_of_different_caps_is_refused():
    mixed = [row(APRIL, sums(9, 1, 9, 1)), row(APRIL + DAY, sums(9, 1, 9, 1, scale=2.0))]
    assert "different caps" in asked(mixed).reason
    assert "the plan's is 1" in asked([row(APRIL, sums(9, 1, 9, 1, scale=2.0))]).reason


RATIO = {"margin": None, "ratio": 1.5}


def test_a_rare_event_is_held_to_its_ratio():
    fine = asked(drawn(30, 5_000, 0.01, share=0.5), RATIO, standing(share=5000))
    assert (fine.verdict, fine.unit) == (Verdict.PASS, "entities")
    assert fine.estimate == pytest.approx(1.0, abs=0.15)
    assert fine.lower < fine.estimate < fine.upper < 1.5
    assert "x the incumbent's" in fine.reason
    bad = asked(drawn(30, 5_000, 0.01, worse=0.006, share=0.5), RATIO, standing(share=5000))
    assert bad.verdict is Verdict.FAIL
    assert bad.estimate == pytest.approx(1.6, abs=0.2)


def test_without_an_event_a_ratio_has_no_upper_limit_and_is_no_number():
    found = asked([row(APRIL, sums(9, 0, 9, 0))], RATIO)
    assert (found.estimate, found.upper, found.lower) == (None, None, 0.0)


def test_audited_rare_events_count_by_their_weight():
    audit = PLAN["outcomes"] | {"missing": {"audit": 0.5}}
    rows = [row(APRIL + n * DAY, sums(2_000, 20, 2_000, 20, scale=2.0), share=5000) for n in range(30)]
    found = asked(rows, RATIO, standing(share=5000), outcomes=audit)
    assert found.estimate == pytest.approx(1.0)
    assert found.verdict is Verdict.PASS


def test_values_of_the_arms_lie_within_their_cap_on_both_sides_of_zero():
    gate = {"metric": "value", "margin": 5.0, "cap": 50.0}
    ours, theirs = ((-400, 30), (-800, 30)), ((-200, 90), (-600, 90))
    one = UnpairedSum(ours, ours, theirs, theirs, scale=50.0)
    rows = [row(APRIL + n * DAY, one) for n in range(30)]
    found = next(v for v in judge(plan(gates=[GATE | gate]), rows, standing()).verdicts if v.gate == "wrong")
    assert found.estimate == pytest.approx((600 - 400) / WHOLE * 50)
    assert isfinite(found.log_e_advance)
    assert "value per request" in found.reason
    apart = UnpairedSum(((-WHOLE, 9),), ((-WHOLE, 9),), ((WHOLE, 9),), ((WHOLE, 9),), scale=50.0)
    far = judge(plan(gates=[GATE | gate]), [row(APRIL + n * DAY, apart) for n in range(30)], standing())
    assert {v.gate: v.estimate for v in far.verdicts}["wrong"] == 100.0


def test_amounts_without_their_column_say_which_was_not_found():
    gate = {"metric": "cost", "margin": 5.0, "cap": 50.0}
    found = next(v for v in judge(plan(gates=[GATE | gate]), [], standing()).verdicts if v.gate == "wrong")
    assert found.verdict is Verdict.NO_DATA
    assert "incumbent_cost or candidate_cost" in found.reason


def test_the_gate_on_how_often_a_cap_is_passed_waits_for_the_split_as_well():
    gate = {"metric": "cost", "margin": 5.0, "cap": 50.0}
    for share, counts in ((0, False), (2500, True)):
        card = judge(plan(gates=[GATE | gate]), [], standing(share=share))
        assert {v.gate: v.applies for v in card.verdicts} == {"wrong": counts, "wrong-capped": counts}


@pytest.mark.parametrize("limit", [{"margin": 0.05}, {"margin": None, "ratio": 1.5}])
def test_a_first_hour_with_too_few_entities_of_a_side_is_no_verdict_yet(limit):
    gate = {key: value for key, value in (GATE | limit).items() if value is not None}
    (found,) = judge(plan(gates=[gate], unit=NONE), [row(APRIL, sums(2, 0, 30, 1))], standing()).verdicts
    assert (found.verdict, found.samples, found.log_e_rollback) == (Verdict.NO_DATA, 0, 0)


@pytest.mark.parametrize("limit", [{"margin": 0.05}, {"margin": None, "ratio": 1.5}])
def test_an_estimate_of_entities_is_of_one_share_also_where_history_recorded_several(limit):
    gate = {key: value for key, value in (GATE | limit).items() if value is not None}
    rows = [row(APRIL, sums(100, 0, 1900, 0), share=500)]
    rows += [row(APRIL + i * DAY, sums(1000, 200, 1000, 200), share=5_000) for i in range(1, 9)]
    (found,) = judge(plan(gates=[gate], unit=NONE), rows, standing()).verdicts
    assert found.estimate == pytest.approx(1.0 if "ratio" in gate else 0.0)
