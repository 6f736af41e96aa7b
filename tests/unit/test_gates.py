"""What the judge says about a rollout: verdicts, harm, alarms, and the sentence an operator reads."""

from dataclasses import replace
from datetime import timedelta
from math import isclose, log, pi

import numpy as np
import pytest

from headgate.errors import EvidenceError
from headgate.evidence import (
    BlockSum,
    EvidenceRow,
    LatencyPairSum,
    LatencySplitSum,
    RateSum,
    Source,
    SplitSum,
    Standing,
    UnitSum,
)
from headgate.gates import judge
from headgate.stats import rates
from headgate.verdicts import Verdict
from tests.builders import APRIL, plan

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
QUALITY = {
    "name": "quality",
    "metric": "brier",
    "margin": 0.005,
    "expect": -0.007,
    "variance": 0.0004,
    "min_samples": 28,
}
ERRORS = {"name": "errors", "metric": "error_rate", "ceiling": 0.01}
SPLIT_LATENCY = {
    "name": "latency",
    "metric": "latency",
    "quantile": 0.95,
    "ratio": 1.25,
    "applies": "split",
}


def days(values, gate="quality", segment=None, entry=0, share=0, **sums):
    """One closed block per value, with fifty entities that differ by a tenth."""
    return [
        EvidenceRow(
            gate, segment, APRIL + n * DAY, entry, share, Source.SHADOW, "",
            BlockSum(value, value, value, entities=50, pairs=60, spread=0.5, **sums),
        )
        for n, value in enumerate(values)
    ]  # fmt: skip


def hours(gate, sums, entry=0, share=0, start=APRIL, source=Source.PLANE):
    return [
        EvidenceRow(gate, None, start + n * HOUR, entry, share, source, "", s) for n, s in enumerate(sums)
    ]


def standing(after=90 * DAY, share=0, entry=0, step=0, **more):
    more = {"confirmed_at": APRIL, **more}
    return Standing(step=step, entry=entry, share_bp=share, now=APRIL + after, **more)


def verdict(scorecard, gate, segment=None):
    return next(v for v in scorecard.verdicts if (v.gate, v.segment) == (gate, segment))


def test_a_better_candidate_passes_once_it_is_proved():
    rows = days([-0.007] * 80) + hours("errors", [RateSum(200, 0)] * 5)
    card = judge(plan(gates=[QUALITY, ERRORS]), rows, standing())
    assert card.passes()
    assert card.failed is None
    quality = verdict(card, "quality")
    assert quality.log_e_advance >= quality.log_threshold_advance == pytest.approx(log(20 * pi**2 / 6))
    assert quality.estimate == pytest.approx(-0.007)
    assert quality.lower < quality.estimate < quality.upper
    assert card.matured_through == APRIL + 80 * DAY
    assert quality.reason.startswith("quality: candidate's Brier score is 0.0070 lower (95 % "), (
        quality.reason
    )


def test_a_verdict_still_open_says_how_much_longer():
    card = judge(plan(gates=[QUALITY]), days([-0.007] * 40), standing())
    quality = verdict(card, "quality")
    assert quality.verdict is Verdict.INCONCLUSIVE
    assert 15 <= quality.needed <= 40
    assert f"about {quality.needed} more days" in quality.reason
    later = verdict(
        judge(plan(gates=[QUALITY]), days([-0.007] * (40 + quality.needed)), standing()), "quality"
    )
    assert later.verdict is Verdict.PASS


@pytest.mark.parametrize("rows", [[], days([])])
def test_no_samples_never_pass(rows):
    card = judge(plan(gates=[QUALITY, ERRORS]), rows, standing())
    assert {v.verdict for v in card.verdicts} == {Verdict.NO_DATA}
    assert not card.passes()
    assert all(v.estimate is None and v.needed is None for v in card.verdicts)
    assert isclose(card.log_harm, 0.0, abs_tol=1e-12)


def test_hours_without_a_request_are_no_data():
    card = judge(plan(gates=[ERRORS]), hours("errors", [RateSum(0, 0)] * 9), standing())
    assert verdict(card, "errors").verdict is Verdict.NO_DATA


def test_a_proof_from_too_few_blocks_is_inconclusive():
    rows = days([-0.15] * 27)
    quality = verdict(judge(plan(gates=[QUALITY]), rows, standing()), "quality")
    assert quality.log_e_advance > quality.log_threshold_advance
    assert quality.verdict is Verdict.INCONCLUSIVE
    assert quality.needed == 1
    assert "27 of at least 28" in quality.reason


def test_a_harmful_candidate_fails_by_name_and_its_siblings_are_not_shown_as_successful():
    rows = days([0.05] * 40) + hours("errors", [RateSum(20, 0)])
    card = judge(plan(gates=[QUALITY, ERRORS]), rows, standing())
    assert card.failed == "quality"
    assert card.log_harm >= card.log_harm_threshold
    assert verdict(card, "quality").verdict is Verdict.FAIL
    assert verdict(card, "errors").verdict is Verdict.INCONCLUSIVE
    assert not card.passes()


def test_fail_and_inconclusive_both_over_their_limits_is_fail():
    gate = {**QUALITY, "min_samples": 60}
    quality = verdict(judge(plan(gates=[gate]), days([0.1] * 40), standing()), "quality")
    assert quality.samples < 60
    assert quality.verdict is Verdict.FAIL
    assert "harm is proven" in quality.reason


def test_every_guardrail_that_alone_is_enough_fails():
    rows = days([0.1] * 60) + hours("errors", [RateSum(100, 20)] * 5)
    card = judge(plan(gates=[QUALITY, ERRORS]), rows, standing())
    assert {v.verdict for v in card.verdicts} == {Verdict.FAIL}
    assert card.failed == "errors"


def test_report_gates_change_neither_passes_nor_failed():
    report = {"name": "told", "metric": "coverage", "floor": 0.97, "role": "report"}
    rows = days([-0.007] * 80)
    bad = hours("told", [RateSum(100, 90)] * 20)
    without, with_report = (
        judge(plan(gates=gates), evidence, standing())
        for gates, evidence in (([QUALITY], rows), ([QUALITY, report], rows + bad))
    )
    assert verdict(with_report, "told").verdict is Verdict.FAIL
    assert (with_report.passes(), with_report.failed, with_report.alarmed) == (True, None, ())
    assert with_report.log_harm == without.log_harm
    assert with_report.digest(("a", "b")) == without.digest(("a", "b"))


def test_a_signal_alarms_by_itself_and_never_fails_the_rollout():
    signal = {**ERRORS, "role": "signal"}
    rows = days([-0.007] * 80) + hours("errors", [RateSum(100, 10)] * 9)
    card = judge(plan(gates=[QUALITY, signal]), rows, standing())
    assert card.alarmed == ("errors",)
    assert card.failed is None
    assert not card.passes()
    assert verdict(card, "errors").weight == 0


def test_a_resumed_signal_starts_anew_at_half_its_level():
    signal = {**ERRORS, "role": "signal"}
    rows = hours("errors", [RateSum(100, 10)] * 9 + [RateSum(100, 0)] * 9)
    again = standing(restarts=(("errors", APRIL + 9 * HOUR, 0.5),))
    found = verdict(judge(plan(gates=[QUALITY, signal]), rows, again), "errors")
    assert found.log_e_rollback < 0
    assert found.log_threshold_rollback == pytest.approx(found.log_threshold_advance + log(2))


def test_a_later_attempt_needs_more_evidence():
    first, third = (judge(plan(gates=[QUALITY]), days([-0.007] * 80), standing(attempt=i)) for i in (1, 3))
    assert third.log_harm_threshold == pytest.approx(first.log_harm_threshold + log(9))
    assert (first.passes(), third.passes()) == (True, False)


def test_operation_counts_only_this_entry_and_only_once_it_is_confirmed():
    before = hours("errors", [RateSum(500, 0)] * 5, entry=0)
    now = hours("errors", [RateSum(100, 0)], entry=1, share=500, start=APRIL + DAY)
    at_step = {"share": 500, "entry": 1, "step": 1}
    card = judge(plan(gates=[ERRORS]), before + now, standing(**at_step))
    assert verdict(card, "errors").samples == 100
    assert not card.passes()
    unconfirmed = judge(plan(gates=[ERRORS]), before + now, standing(**at_step, confirmed_at=None))
    assert verdict(unconfirmed, "errors").verdict is Verdict.NO_DATA


def test_harm_counts_over_the_whole_rollout_whatever_the_entry():
    rows = hours("errors", [RateSum(100, 20)] * 3, entry=0)
    card = judge(plan(gates=[ERRORS]), rows, standing(share=500, entry=1, step=1, confirmed_at=None))
    assert card.failed == "errors"


def test_paired_evidence_carries_unless_the_plan_wants_it_fresh():
    rows = days([-0.007] * 80)
    at_step = standing(share=500, entry=1, step=1, confirmed_at=APRIL + 79 * DAY + HOUR)
    assert judge(plan(gates=[QUALITY]), rows, at_step).passes()
    fresh = judge(plan(gates=[{**QUALITY, "evidence": "fresh"}]), rows, at_step)
    assert verdict(fresh, "quality").verdict is Verdict.NO_DATA
    assert verdict(fresh, "quality").log_e_rollback != 0


def test_evidence_about_another_incumbent_does_not_advance():
    rows = days([-0.007] * 80)
    card = judge(plan(gates=[QUALITY]), rows, standing(fresh_since=APRIL + 70 * DAY))
    assert verdict(card, "quality").samples == 10
    assert not card.passes()


def test_an_hour_that_is_not_over_is_not_counted():
    rows = hours("errors", [RateSum(100, 0)] * 2)
    early = judge(plan(gates=[ERRORS]), rows, standing(after=2 * HOUR - timedelta(seconds=1)))
    assert verdict(early, "errors").samples == 100
    assert verdict(judge(plan(gates=[ERRORS]), rows, standing(after=2 * HOUR)), "errors").samples == 200


def test_missing_labels_are_taken_at_their_worst_for_both_verdicts():
    rows = [
        replace(row, sums=replace(row.sums, worst=0.03, best=-0.04, missing=4)) for row in days([-0.007] * 80)
    ]
    quality = verdict(judge(plan(gates=[QUALITY]), rows, standing()), "quality")
    assert quality.verdict is Verdict.INCONCLUSIVE
    assert quality.log_e_rollback < 1
    assert quality.lower < -0.04 < 0.03 < quality.upper
    assert "320 labels missing" in quality.reason


def test_clipped_blocks_are_counted_and_told():
    quality = verdict(judge(plan(gates=[QUALITY]), days([-0.5] * 30), standing()), "quality")
    assert quality.estimate == pytest.approx(-0.2)
    assert "30 of 30 blocks clipped at 0.2" in quality.reason


def test_a_gate_below_its_first_share_is_listed_and_rolls_back_all_the_same():
    late = {**ERRORS, "from": 25}
    rows = hours("errors", [RateSum(100, 20)] * 3, entry=1, share=500)
    card = judge(plan(gates=[QUALITY, late]), rows, standing(share=500, entry=1, step=1))
    assert not verdict(card, "errors").applies
    assert card.failed == "errors"
    fine = judge(plan(gates=[QUALITY, late]), days([-0.007] * 80), standing(share=500, entry=1, step=1))
    assert fine.passes()
    assert "does not count towards advancing at this share" in verdict(fine, "errors").reason


def test_one_gate_that_cannot_be_judged_does_not_silence_the_others():
    wrong = {**QUALITY, "margin": 0.5}
    rows = days([0.05] * 60) + hours("errors", [RateSum(100, 20)] * 5)
    card = judge(plan(gates=[wrong, ERRORS]), rows, standing())
    assert verdict(card, "quality").verdict is Verdict.ERROR
    assert "cannot be judged: a margin of 0.5" in verdict(card, "quality").reason
    assert card.failed == "errors"


@pytest.mark.parametrize(
    "sums", [BlockSum(float("nan"), 0.0, 0.0, 5, 5), RateSum(5, 0), BlockSum(float("inf"), 0.0, 0.0, 5, 5)]
)
def test_sums_that_mean_nothing_are_an_error_of_their_gate(sums):
    rows = [replace(days([0.0])[0], sums=sums)]
    card = judge(plan(gates=[QUALITY]), rows, standing())
    assert verdict(card, "quality").verdict is Verdict.ERROR
    assert card.failed is None


def test_a_block_that_comes_in_parts_is_an_error():
    row = days([0.0])[0]
    for other in (replace(row, part="b"), replace(row, entry=1, share_bp=100)):
        card = judge(plan(gates=[QUALITY]), [row, other], standing())
        assert verdict(card, "quality").verdict is Verdict.ERROR


def test_a_row_that_is_there_twice_or_belongs_to_no_gate_stops_the_judgement():
    row = days([0.0])[0]
    with pytest.raises(EvidenceError, match="twice"):
        judge(plan(gates=[QUALITY]), [row, row], standing())
    with pytest.raises(EvidenceError, match="does not have"):
        judge(plan(gates=[QUALITY]), [replace(row, gate="other")], standing())


def test_the_design_effect_of_blocks_is_shown():
    quality = verdict(judge(plan(gates=[QUALITY]), days([0.03, -0.04] * 20), standing()), "quality")
    assert quality.design_effect == pytest.approx(6.2, abs=0.3)  # 0.00126 found, 0.5 / 49 / 50 predicted
    assert quality.autocorrelation < -0.9


def mirror(slow, fast):
    return [LatencyPairSum(200, adv_c=fast, adv_i=10, rb_c=slow, rb_i=10)] * 20


def test_the_mirror_proves_a_fast_candidate_and_fails_a_slow_one():
    gate = {**SPLIT_LATENCY, "name": "mirror", "applies": "shadow"}
    good = judge(plan(gates=[gate]), hours("mirror", mirror(10, 4), source=Source.MIRROR), standing())
    assert good.passes(), good.verdicts[0].reason
    assert good.verdicts[0].estimate == pytest.approx(-0.03)
    bad = judge(plan(gates=[gate]), hours("mirror", mirror(25, 20), source=Source.MIRROR), standing())
    assert bad.failed == "mirror"
    in_ramp = judge(plan(gates=[QUALITY, gate]), [], standing(share=500, entry=1, step=1))
    assert not verdict(in_ramp, "mirror").applies


def live(c_adv, c_rb):
    sums = [LatencySplitSum(n1=50, n0=150, c_adv=c_adv, c_rb=c_rb, i_tau=7)] * 60
    return hours("latency", sums, entry=2, share=2500)


def test_a_live_split_proves_a_fast_candidate_and_fails_a_slow_one():
    at = standing(share=2500, entry=2, step=2)
    assert judge(plan(gates=[SPLIT_LATENCY]), live(1, 2), at).passes()
    assert judge(plan(gates=[SPLIT_LATENCY]), live(6, 8), at).failed == "latency"


def test_a_latency_gate_that_does_not_say_where_is_an_error_not_a_guess():
    gate = {**SPLIT_LATENCY, "applies": "all"}
    card = judge(plan(gates=[gate]), live(1, 2), standing(share=2500, entry=2, step=2))
    assert card.verdicts[0].verdict is Verdict.ERROR


def split(n1, n0, start=APRIL):
    return hours("split", [SplitSum(n1, n0)], entry=2, share=2500, start=start)


def test_a_split_that_is_not_as_configured_voids_latency_and_nothing_else():
    at = standing(share=2500, entry=2, step=2)
    gates = plan(gates=[QUALITY, ERRORS, SPLIT_LATENCY])
    errors = hours("errors", [RateSum(100, 20)] * 3, entry=2, share=2500)
    assert not judge(gates, split(2500, 7500), at).split_alarm
    card = judge(gates, split(3000, 7000) + live(6, 8) + errors, at)
    assert card.split_alarm
    assert verdict(card, "latency").verdict is Verdict.ERROR
    assert verdict(card, "latency").log_e_rollback == 0
    assert card.failed == "errors"


def test_a_resumed_split_forgets_what_was_before():
    rows = split(3000, 7000) + split(250, 750, start=APRIL + DAY)
    again = standing(share=2500, entry=2, step=2, restarts=(("split", APRIL + DAY, 0.5),))
    assert not judge(plan(gates=[QUALITY]), rows, again).split_alarm


def test_coverage_is_shown_the_right_way_up():
    gate = {"name": "coverage", "metric": "coverage", "floor": 0.97}
    card = judge(plan(gates=[gate]), hours("coverage", [RateSum(500, 5)] * 4), standing())
    coverage = card.verdicts[0]
    assert coverage.verdict is Verdict.PASS
    assert coverage.estimate == pytest.approx(0.99)
    assert coverage.lower < coverage.estimate < coverage.upper
    assert "coverage 99.00 %" in coverage.reason
    assert (
        judge(plan(gates=[gate]), hours("coverage", [RateSum(500, 50)] * 6), standing()).failed == "coverage"
    )


SEGMENTED = {
    "gates": [QUALITY, ERRORS],
    "segments": {"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}},
}
ORIGINS = {"origin": ("EWR", "JFK")}


def test_each_segment_above_the_floor_must_prove_its_own_margin():
    rows = days([-0.007] * 80) + hours("errors", [RateSum(200, 0)] * 5)
    at = standing(segments=ORIGINS)
    silent = judge(plan(**SEGMENTED), rows, at)
    assert verdict(silent, "quality", "origin=JFK").verdict is Verdict.NO_DATA
    assert not silent.passes()
    rows += days([0.0] * 80, segment="origin=JFK") + days([0.0] * 80, segment="origin=EWR")
    assert judge(plan(**SEGMENTED), rows, at).passes()


def test_a_segment_that_suffers_fails_by_its_name_at_its_share_of_the_budget():
    rows = days([-0.007] * 60) + days([0.15] * 60, segment="origin=JFK")
    card = judge(plan(**SEGMENTED), rows, standing(segments=ORIGINS))
    assert card.failed == "quality[origin=JFK]"
    assert verdict(card, "quality", "origin=JFK").weight == pytest.approx(1 / 8)
    assert sum(v.weight for v in card.verdicts) == pytest.approx(1)


def test_a_segment_below_the_floor_is_exempt_and_the_report_says_so():
    rows = days([-0.007] * 80) + hours("errors", [RateSum(200, 0)] * 5)
    rows += [row for name in ("EWR", "JFK") for row in days([0.0] * 80, segment=f"origin={name}")]
    rows += days([0.19] * 80, segment="origin=LGA")
    card = judge(plan(**SEGMENTED), rows, standing(segments=ORIGINS))
    other = verdict(card, "quality", "origin=LGA")
    assert (other.applies, other.weight) == (False, 0.0)
    assert "exempt" in other.reason
    assert card.passes()


def test_segments_that_are_not_frozen_yet_hold_the_rollout():
    rows = days([-0.007] * 80) + hours("errors", [RateSum(200, 0)] * 5)
    card = judge(plan(**SEGMENTED), rows, standing(segments=None))
    assert verdict(card, "quality").verdict is Verdict.INCONCLUSIVE
    nobody = judge(plan(**SEGMENTED), rows, standing(segments={"origin": ()}))
    assert nobody.passes()
    assert "no segment is above the floor" in verdict(nobody, "quality").reason


def units(lost, won, same, shift=0):
    """Eight days of 24 hours; ``shift`` moves that many requests from won to lost every other day."""
    rows = []
    for n in range(8 * 24):
        moved = shift if n // 24 % 2 else -shift
        counts = ((-4096, won - moved), (0, same), (4096, lost + moved))
        rows += hours("quality", [UnitSum(counts, counts)], start=APRIL + n * HOUR, source=Source.SHADOW)
    return rows


def unit_plan(**unit):
    gate = {"name": "quality", "metric": "zero_one", "margin": 0.02, "variance": 0.1}
    return plan(gates=[gate], unit={"entity": "tailnum", "block": "none", **unit})


def test_single_requests_are_judged_once_they_proved_independent():
    # Equal days vary less than chance would have them: there is no shared shock to fear.
    card = judge(unit_plan(), units(5, 5, 90), standing())
    assert card.passes(), card.verdicts[0].reason
    assert card.verdicts[0].samples == 8 * 24 * 100
    early = judge(unit_plan(), units(5, 5, 90)[: 4 * 24], standing())
    assert early.verdicts[0].verdict is Verdict.INCONCLUSIVE
    assert "before 5 days" in early.verdicts[0].reason


def test_single_requests_are_refused_while_days_share_their_shocks():
    shocked = units(5, 5, 90, shift=3)
    card = judge(unit_plan(), shocked, standing())
    assert card.verdicts[0].verdict is Verdict.ERROR
    assert "design effect" in card.verdicts[0].reason
    assert card.verdicts[0].log_e_rollback == 0
    trusted = judge(unit_plan(independent=True), shocked, standing())
    assert trusted.verdicts[0].verdict is not Verdict.ERROR


def errors(counts, **more):
    return verdict(judge(plan(gates=[ERRORS | more]), hours("errors", counts), standing()), "errors")


def test_independent_requests_are_counted_one_by_one_with_the_same_bits_as_ever():
    x = np.random.default_rng(1).binomial(50, 0.008, 60).astype(float)
    found = errors([RateSum(50, int(count)) for count in x])
    assert found.design_effect < 1.5
    assert (found.unit, found.samples) == ("requests", 3000)
    assert found.log_e_rollback == rates.rollback_evidence(x, np.full(60, 50.0), 0.01)[-1]
    assert found.log_e_advance == rates.advance_evidence(x, np.full(60, 50.0), 0.01)[-1]
    assert "counts hours" not in found.reason


def test_requests_that_fail_together_are_counted_by_the_hour_and_the_reason_says_so():
    quiet_then_burst = [RateSum(50, 0)] * 59 + [RateSum(50, 9)]
    found = errors(quiet_then_burst)
    by_request = rates.rollback_evidence([s.x for s in quiet_then_burst], np.full(60, 50.0), 0.01)
    assert by_request[-1] > found.log_threshold_rollback > found.log_e_rollback
    assert found.verdict is Verdict.INCONCLUSIVE
    assert (found.unit, found.samples) == ("hours", 60)
    assert found.design_effect == pytest.approx(9.0, abs=0.1)
    assert "counts hours: requests of one hour fail together, design effect 9.0" in found.reason
    assert found.estimate == pytest.approx(9 / 3000)
    assert found.lower < found.estimate < found.upper


def test_a_least_number_of_requests_is_that_of_their_hours_where_hours_are_counted():
    bursts = [RateSum(50, 8 if n % 100 == 0 else 0) for n in range(700)]
    gate = {"ceiling": 0.03}
    assert errors(bursts, min_samples=700 * 50, **gate).verdict is Verdict.PASS
    few = errors(bursts, min_samples=700 * 50 + 1, **gate)
    assert (few.verdict, few.needed) == (Verdict.INCONCLUSIVE, 1)
    assert "700 of at least 701 hours" in few.reason


def test_a_burst_in_the_first_hours_does_not_roll_back_by_itself():
    burst = [RateSum(46, 0), RateSum(46, 0), RateSum(46, 8)]
    by_request = rates.rollback_evidence([s.x for s in burst], [s.n for s in burst], 0.01)
    found = errors(burst)
    assert by_request[-1] > found.log_threshold_rollback > found.log_e_rollback
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.design_effect is None
    assert "until 8 hours and 5 events tell" in found.reason


@pytest.mark.parametrize(("quiet", "hours_later"), [(0, 2), (5, 3), (50, 4)])
def test_an_outage_is_harm_within_a_few_hours(quiet, hours_later):
    counts = [RateSum(200, 0)] * quiet + [RateSum(200, 120)] * hours_later
    others = [QUALITY, {**ERRORS, "name": "spare"}, {**ERRORS, "name": "other"}]
    card = judge(plan(gates=[ERRORS, *others]), hours("errors", counts), standing())
    assert card.failed == "errors"


def test_one_burst_of_slowness_proves_no_latency_harm():
    quiet, burst = LatencySplitSum(70, 70, 3, 3, 3), LatencySplitSum(70, 68, 30, 30, 3)
    at = standing(share=5000, entry=2, step=2)
    for before in (0, 3, 20):
        rows = hours("latency", [*[quiet] * before, burst], entry=2, share=5000)
        found = judge(plan(gates=[SPLIT_LATENCY]), rows, at)
        assert found.failed is None, found.verdicts[0].reason
    assert found.verdicts[0].unit == "hours"
    lasting = hours("latency", [burst] * 12, entry=2, share=5000)
    assert judge(plan(gates=[SPLIT_LATENCY]), lasting, at).failed == "latency"


def test_a_mirror_that_is_slow_in_bursts_is_counted_by_the_hour():
    gate = {**SPLIT_LATENCY, "name": "mirror", "applies": "shadow"}
    calm, burst = LatencyPairSum(100, 3, 4, 4, 4), LatencyPairSum(100, 40, 0, 40, 0)
    rows = hours("mirror", [*[calm] * 20, burst, *[calm] * 10], source=Source.MIRROR)
    found = judge(plan(gates=[gate]), rows, standing()).verdicts[0]
    assert (found.unit, found.samples, found.verdict) == ("hours", 31, Verdict.INCONCLUSIVE)
    assert found.lower < found.estimate < found.upper


def test_no_gate_at_all_that_may_roll_back_never_passes():
    card = judge(
        plan(gates=[{**ERRORS, "role": "signal"}]), hours("errors", [RateSum(500, 0)] * 5), standing()
    )
    assert card.verdicts[0].verdict is Verdict.PASS
    assert not card.passes()
    assert card.failed is None
