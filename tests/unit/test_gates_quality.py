"""What the judge says of paired losses: every metric in its own unit and sign, and what to know of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from headgate.evidence import BlockSum, EvidenceRow, Source, Standing, UnitSum
from headgate.gates import judge
from headgate.verdicts import Verdict
from tests.builders import APRIL
from tests.unit.small_batches import plan_of

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
UNITS = {"entity": "tailnum", "block": "none", "independent": True}
PAYOFF = {"true_positive": 10, "false_positive": -10}


def days(values, **more):
    """One closed block of fifty entities per value."""
    sums = [BlockSum(v, v, v, entities=50, pairs=60, spread=0.5) for v in values]
    return [
        EvidenceRow("q", None, APRIL + n * DAY, 0, 0, Source.SHADOW, "", replace(one, **more))
        for n, one in enumerate(sums)
    ]


def hours(*sums):
    return [
        EvidenceRow("q", None, APRIL + n * HOUR, 0, 0, Source.SHADOW, "", one) for n, one in enumerate(sums)
    ]


def verdict(the_plan, rows, segment=None):
    where = Standing(step=0, entry=0, share_bp=0, confirmed_at=APRIL, now=APRIL + 900 * DAY)
    scorecard = judge(the_plan, rows, where)
    return next(v for v in scorecard.verdicts if (v.gate, v.segment) == ("q", segment))


@pytest.mark.parametrize(
    ("the_plan", "sentence"),
    [
        (plan_of("brier"), "q: candidate's Brier score is 0.0200 lower (95 % "),
        (plan_of("accuracy"), "q: candidate's accuracy is 0.0200 higher (95 % "),
        (plan_of("zero_one"), "q: candidate's error rate (0/1 loss) is 0.0200 lower"),
        (plan_of("value", payoff=PAYOFF, margin=0.1), "q: candidate's value per request is 0.02 higher"),
        (
            plan_of("absolute_error", "number", cap=50.0, margin=0.1),
            "candidate's absolute error is 0.02 lower",
        ),
        (plan_of("squared_error", "number", cap=50.0, margin=0.1), "candidate's squared error is 0.02 lower"),
        (plan_of("a.b:lost", "number", cap=50.0, margin=0.1), "candidate's loss a.b:lost is 0.02 lower"),
    ],
)
def test_the_sentence_and_the_estimate_keep_the_metrics_own_sign(the_plan, sentence):
    cap = the_plan.gates[0].cap
    found = verdict(the_plan, days([-0.02] * 40, cap=cap))
    better = -1 if "lower" in sentence else 1
    assert sentence in found.reason
    assert found.estimate == pytest.approx(better * 0.02)
    assert found.lower < found.estimate < found.upper


@pytest.mark.parametrize("metric", ["accuracy", "zero_one"])
def test_better_passes_and_worse_fails_whichever_sign_is_shown(metric):
    the_plan = plan_of(metric, margin=0.02, variance=0.0004)
    assert verdict(the_plan, days([-0.02] * 60)).verdict is Verdict.PASS
    assert verdict(the_plan, days([0.05] * 60)).verdict is Verdict.FAIL


def test_no_difference_at_all_is_told_as_such():
    found = verdict(plan_of(margin=0.02), days([0.0] * 200, spread=0.0))
    assert "candidate's Brier score equals the incumbent's on average (95 % -" in found.reason
    assert "nothing tells the sides apart" in found.reason
    assert found.verdict is Verdict.PASS
    assert found.autocorrelation is None
    assert found.design_effect == 1.0


def test_zero_variance_is_no_division_by_zero_and_is_told():
    found = verdict(plan_of(), days([0.004] * 30, spread=0.0))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "every block shows the very same difference" in found.reason


def test_a_block_is_clipped_to_a_fifth_of_the_range_or_cap():
    minutes = plan_of("absolute_error", "number", cap=50.0, margin=1.0)
    found = verdict(minutes, days([30.0] * 5, cap=50.0))
    assert found.estimate == 10.0
    assert "5 of 5 blocks clipped at 10" in found.reason


def test_a_frozen_cap_is_read_off_the_blocks():
    minutes = plan_of("absolute_error", "number", margin=1.0)
    assert verdict(minutes, []).verdict is Verdict.NO_DATA
    found = verdict(minutes, days([30.0] * 5, cap=50.0, capped=12))
    assert found.estimate == 10.0
    assert "60 losses (10 % of both sides') capped at 50" in found.reason


def test_blocks_of_different_caps_cannot_be_judged():
    minutes = plan_of("absolute_error", "number", margin=1.0)
    rows = days([1.0] * 4, cap=50.0)
    found = verdict(minutes, [*rows[:3], replace(rows[3], sums=replace(rows[3].sums, cap=51.0))])
    assert found.verdict is Verdict.ERROR
    assert "different caps" in found.reason
    said = plan_of("absolute_error", "number", margin=1.0, cap=40.0)
    assert verdict(said, rows).verdict is Verdict.ERROR


def test_missing_labels_are_told_with_both_bounds():
    rows = days([0.0] * 9, worst=0.03, best=-0.01, missing=4)
    assert (
        "36 labels missing, taken at their worst (whatever they are, the mean difference lies in "
        "-0.01..+0.03)" in verdict(plan_of(), rows).reason
    )
    assert "lies in -0.03..+0.01" in verdict(plan_of("accuracy"), rows).reason


def test_excluded_labels_are_told_with_both_bounds_and_judge_nothing():
    the_plan = plan_of(missing={"exclude": "cancelled flights never arrive"}, margin=0.02, variance=0.0004)
    with_bounds = days([-0.02] * 60, excluded=3, worst_with_excluded=0.5, best_with_excluded=-0.1)
    found = verdict(the_plan, with_bounds)
    assert found.verdict is Verdict.PASS
    assert "180 unlabelled requests excluded by the plan (whatever they are, the mean" in found.reason
    assert "lies in -0.1..+0.2)" in found.reason  # clipped like the blocks themselves


def test_an_entity_with_more_than_a_fifth_of_the_traffic_is_told():
    assert (
        "one entity has 50 % of a block's requests" in verdict(plan_of(), days([0.0] * 3, largest=30)).reason
    )
    assert "one entity" not in verdict(plan_of(), days([0.0] * 3, largest=12)).reason


# ---------------------------------------------------------------- audit


def test_audited_blocks_are_not_clipped_and_bounded_by_their_weight():
    the_plan = plan_of(missing={"audit": 0.1})
    found = verdict(the_plan, days([0.9] * 30, pairs=6))
    assert found.estimate == pytest.approx(0.9)
    assert "clipped" not in found.reason
    assert "labels of 10 % of the requests audited" in found.reason
    assert verdict(the_plan, days([10.1] * 3)).verdict is Verdict.ERROR  # more than 1 / q cannot be


def test_a_block_in_which_nobody_was_drawn_counts():
    """Leaving it out would count only blocks with draws, and 1/q is too much for these."""
    the_plan = plan_of(missing={"audit": 0.1})
    found = verdict(the_plan, [*days([0.5]), *(days([0.0] * 4, pairs=0, spread=0.0)[1:])])
    assert found.samples == 4
    assert found.estimate == pytest.approx(0.125)


# ---------------------------------------------------------------- units


def test_units_are_judged_on_the_grid_of_their_scale():
    minutes = plan_of("absolute_error", "number", cap=8.0, margin=1.0, unit=UNITS)
    grid = ((-2048, 3), (0, 5), (2048, 1))
    found = verdict(minutes, hours(*[UnitSum(grid, grid, scale=8.0)] * 9))
    assert found.estimate == pytest.approx(-2 * 4 / 9)
    assert found.samples == 81
    assert "candidate's absolute error is 0.889 lower" in found.reason


def test_audited_units_are_bounded_by_their_weight():
    the_plan = plan_of("zero_one", missing={"audit": 0.25}, unit=UNITS, margin=0.1)
    grid = ((-4096, 30), (0, 300), (4096, 10))
    found = verdict(the_plan, hours(*[UnitSum(grid, grid, scale=4.0)] * 9))
    assert found.estimate == pytest.approx(-20 * 4 / 340)
    assert found.verdict is Verdict.PASS


def test_units_on_another_grid_than_the_plans_cannot_be_judged():
    grid = ((0, 5),)
    found = verdict(plan_of("zero_one", unit=UNITS), hours(UnitSum(grid, grid, scale=4.0)))
    assert found.verdict is Verdict.ERROR
    two = hours(UnitSum(grid, grid, scale=4.0), UnitSum(grid, grid, scale=5.0))
    assert "grids of [4.0, 5.0]" in verdict(plan_of("absolute_error", "number", unit=UNITS), two).reason


def test_parts_of_an_hour_add_up_their_capped_losses():
    minutes = plan_of("absolute_error", "number", margin=1.0, unit=UNITS)
    (row,) = hours(UnitSum(((0, 5),), ((0, 5),), scale=8.0, capped=2))
    assert "4 losses capped at 8" in verdict(minutes, [row, replace(row, part="2")]).reason
    other = replace(row, part="2", sums=replace(row.sums, scale=9.0))
    assert "different grids" in verdict(minutes, [row, other]).reason
