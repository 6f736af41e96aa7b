"""A forecast is a simulation of the judge: it must agree with the judge, and with what is known exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import log

import numpy as np
import pytest

from headgate.errors import InputError
from headgate.evidence import BlockSum, EvidenceRow, RateSum, Source, Standing
from headgate.gates import judge
from headgate.power.asking import forecast
from headgate.power.assumptions import Assumptions, Measured
from headgate.power.climb import climb, stays
from headgate.power.course import Course, Runs, first
from headgate.power.courses import Courses, questions_at
from headgate.power.derived import segment_shares
from headgate.power.losses import block_sd, moved, noise
from headgate.power.measured import measure
from headgate.power.telling import as_json, headline
from headgate.power.worlds import World
from headgate.verdicts import Verdict
from tests.builders import plan
from tests.unit.fault_tables import days

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
FEW = Runs(120, 5)
QUALITY = {"name": "quality", "metric": "brier", "margin": 0.02, "expect": -0.01, "variance": 0.0005}


def course(
    world: World, *, known: Assumptions, name: str = "quality", share_bp: int = 0, **changes
) -> Course:
    made = plan(**changes)
    question = next(q for q in questions_at(made, known, share_bp) if q.name == name)
    return Courses(made, known, world, FEW).of(question, share_bp, 24.0 * 60)


# ---------------------------------------------------------------- the same judge


def test_a_block_gate_passes_on_the_day_the_judge_itself_passes_it():
    """The forecast's course of one run, fed to `judge` as evidence, passes at the same block."""
    made = plan(gates=[QUALITY], watch="1d")
    known = Assumptions(rate=1_000)
    question = questions_at(made, known, 0)[0]
    drawn = Courses(made, known, World.BETTER, FEW).of(question, 0, 24.0 * 60)
    sample = moved(noise(question, made, known), -0.01, 0.2)
    picked = sample[FEW.dice("blocks", "quality", World.BETTER, 1_000.0).integers(0, len(sample), (120, 60))]
    for run in range(3):
        rows = [
            EvidenceRow("quality", None, MONDAY + i * DAY, 0, 0, Source.SHADOW, "batch",
                        BlockSum(x, x, x, entities=9, pairs=9))
            for i, x in enumerate(picked[run].tolist())
        ]  # fmt: skip
        passed = first(drawn.passes(question))[run]
        verdicts = [
            judge(made, rows[: n + 1], Standing(0, 0, 0, MONDAY, MONDAY + 99 * DAY)).verdicts[0]
            for n in range(passed + 1)
        ]
        assert [v.verdict is Verdict.PASS for v in verdicts] == [False] * passed + [True]
        assert verdicts[-1].log_e_advance == pytest.approx(drawn.advance[run, passed])


def test_a_rate_passes_in_the_hour_the_judge_itself_passes_it():
    made, known = plan(), Assumptions(rate=12_000, error_rate=0.002)
    question = next(q for q in questions_at(made, known, 500) if q.name == "errors")
    drawn = Courses(made, known, World.EQUAL, FEW).of(question, 500, 24.0 * 60)
    dice = FEW.dice("rate", "errors", World.EQUAL, 500)
    n = dice.poisson(25.0, (FEW.count, drawn.batches))
    x = dice.binomial(n, 0.002)
    for run in range(3):
        passed = first(drawn.passes(question))[run]
        rows = [
            EvidenceRow(
                "errors", None, MONDAY + i * DAY / 24, 1, 500, Source.PLANE, "log", RateSum(int(a), int(b))
            )
            for i, (a, b) in enumerate(zip(n[run], x[run], strict=True))
        ]
        standing = Standing(1, 1, 500, MONDAY, MONDAY + 99 * DAY)
        cards = [judge(made, rows[: hour + 1], standing).verdicts[1] for hour in (passed - 1, passed)]
        assert [v.verdict is Verdict.PASS for v in cards] == [False, True]
        assert cards[-1].log_e_advance == pytest.approx(drawn.advance[run, passed])


def test_a_clean_rate_is_proved_after_the_requests_that_the_likelihood_ratio_needs():
    """Without any error every run needs log(threshold) / log(1 / (1 - p0)) requests and a bit."""
    known = Assumptions(rate=2_400, error_rate=0.0)
    drawn = course(World.EQUAL, known=known, name="errors", share_bp=500)
    asked = next(q for q in questions_at(plan(), known, 500) if q.name == "errors")
    at = first(drawn.passes(asked))
    samples = drawn.units[np.arange(len(at)), at]
    least = asked.log_advance / -log(1 - 0.01)
    assert least < np.median(samples) < 1.6 * least


def test_more_traffic_means_fewer_days_and_the_same_samples():
    made = plan()
    asked = next(q for q in questions_at(made, Assumptions(rate=1), 500) if q.name == "errors")
    found = []
    for rate in (2_400, 9_600):
        drawn = course(
            World.EQUAL, known=Assumptions(rate=rate, error_rate=0.001), name="errors", share_bp=500
        )
        at = np.minimum(first(drawn.passes(asked)), drawn.batches - 1)
        found.append((np.median(at), np.median(drawn.units[np.arange(len(at)), at])))
    (slow, some), (fast, as_many) = found
    assert fast < slow / 2
    assert as_many == pytest.approx(some, rel=0.35)


def test_m27_a_candidate_at_the_margin_rarely_passes_however_often_it_is_looked_at():
    """M27: looked at after every block for sixty days, the chance stays below promote_bad."""
    drawn = course(World.AT_MARGIN, known=Assumptions(rate=1_000, block_sd=0.02), gates=[QUALITY])
    asked = questions_at(plan(gates=[QUALITY]), Assumptions(rate=1), 0)[0]
    assert drawn.passes(asked).any(axis=-1).mean() <= 0.05 + 2 * (0.05 * 0.95 / FEW.count) ** 0.5


def test_m26_labels_that_come_late_delay_what_a_block_counts():
    """M26: the first block counts at its end plus the maturity of its labels, not before."""
    drawn = course(World.BETTER, known=Assumptions(rate=1_000), gates=[QUALITY])
    assert drawn.closing()[0] == 24 + 48
    assert drawn.counted(np.array([0.0, 71.0, 72.0, 96.0])).tolist() == [0, 0, 1, 2]


def test_m26_missing_labels_at_their_worst_make_the_proof_slower():
    """M26: the advancing side takes every missing label at its worst."""
    asked = questions_at(plan(gates=[QUALITY]), Assumptions(rate=1), 0)[0]
    passed = []
    for missing in (0.0, 0.2):
        known = Assumptions(rate=1_000, block_sd=0.02, loss_sd=0.1, missing=missing)
        passed.append(np.median(first(course(World.EQUAL, known=known, gates=[QUALITY]).passes(asked))))
    assert passed[0] < passed[1]


def test_m25_failures_a_day_are_forecast_for_every_step():
    made = plan(gates=[QUALITY, {"name": "errors", "metric": "error_rate", "ceiling": 0.01}])
    (found,) = forecast(made, Assumptions(rate=10_000, block_sd=0.005, error_rate=0.002), MONDAY, Runs(20))
    expected = [
        next(g.events_per_day for g in step.gates if g.gate == "errors") for step in found.worlds[0].steps
    ]
    assert expected == pytest.approx([20, 1, 10, 20, 20])  # in shadow every request is tried


# ---------------------------------------------------------------- noise


def test_blocks_of_history_are_drawn_from_moved_to_the_mean_of_the_world():
    blocks = tuple(np.random.default_rng(1).normal(0.5, 0.03, 200))
    known = Assumptions(rate=100, gates={"quality": Measured(blocks={None: blocks})})
    question = questions_at(plan(gates=[QUALITY]), known, 0)[0]
    sample = noise(question, plan(gates=[QUALITY]), known)
    assert len(sample) == 200
    assert np.std(sample) == pytest.approx(np.std(blocks))
    assert np.clip(moved(sample, 0.02, 0.2), -0.2, 0.2).mean() == pytest.approx(0.02)


def test_a_heavy_sample_is_moved_so_that_what_is_judged_has_the_mean():
    sample = np.array([-0.1] * 99 + [9.9])
    assert np.clip(moved(sample, 0.005, 0.2), -0.2, 0.2).mean() == pytest.approx(0.005)


def test_a_segment_varies_more_than_all_requests_and_shared_shocks_bound_how_much():
    made = plan(gates=[QUALITY], segments={"by": ["region"], "floor": 0.02, "gates": {"quality": 0.05}})
    known = Assumptions(rate=1_000, block_sd=0.02, within=0.05, segments={"region=north": 0.1})
    whole, north = questions_at(made, known, 0)
    assert block_sd(whole, made, known) == pytest.approx(0.02)
    assert 0.02 < block_sd(north, made, known) < 0.04


def test_segments_nobody_described_are_split_alike_or_stand_at_the_floor():
    rows = {"by": ["region", "carrier"], "floor": 0.04, "gates": {"quality": 0.05}}
    columns = {"region": {"type": "category", "values": ["n", "s"]}, "carrier": {"type": "category"}}
    made = plan(gates=[QUALITY], segments=rows, input={"columns": columns})
    assert segment_shares(made, Assumptions(rate=1)) == {"region=n": 0.5, "region=s": 0.5, "carrier=?": 0.04}


# ---------------------------------------------------------------- the climb


def test_a_stay_lasts_its_dwell_and_waits_for_the_labels_of_its_cohort():
    made = plan(gates=[{**QUALITY, "min_samples": 1}], calendar={"advance": "mon-sun 00:00-24:00"})
    known = Assumptions(rate=100_000, block_sd=0.0001)
    story = climb(Courses(made, known, World.BETTER, FEW), MONDAY)
    # Shadow dwells 2 days; the second day's labels are complete 2 days later; proof takes longer.
    assert (story[0].left >= 96).all()
    assert [stay.name for stay in stays(made)] == ["0 %", "5 %", "50 %", "100 %", "watch"]
    assert (story[-1].left - story[-1].entered >= 48 + 48).all()


def test_a_calendar_that_opens_on_mondays_alone_is_waited_for():
    made = plan(gates=[QUALITY], calendar={"timezone": "UTC", "advance": "mon 09:00-17:00"})
    story = climb(Courses(made, Assumptions(rate=10_000, block_sd=0.002), World.BETTER, FEW), MONDAY)
    left = story[0].left[np.isfinite(story[0].left)]
    assert left.size
    weekday = {(MONDAY + timedelta(hours=h)).strftime("%a %H")[:6] for h in left.tolist()}
    assert {day[:3] for day in weekday} == {"Mon"}
    assert min(int(day[4:]) for day in weekday) >= 9


def test_fresh_gates_start_anew_on_every_step_and_carried_ones_come_proved():
    made = plan(gates=[QUALITY, {"name": "errors", "metric": "error_rate", "ceiling": 0.05, "from": 5}])
    known = Assumptions(rate=20_000, block_sd=0.002, error_rate=0.005)
    story = climb(Courses(made, known, World.BETTER, FEW), MONDAY)
    assert "errors" not in story[0].waits
    assert np.nanmax(story[2].waits["quality"]) == 0
    assert np.nanmin(story[2].waits["errors"]) > 0


# ---------------------------------------------------------------- the whole answer


def test_a_plan_that_cannot_finish_is_refused_with_the_gate_the_days_and_what_would_help():
    made = plan(
        gates=[{"name": "quality", "metric": "brier", "margin": 0.005}],
        deadline={"step": "20d", "rollout": "60d"},
    )
    (found,) = forecast(made, Assumptions(rate=1_000, block_sd=0.015), MONDAY, FEW)
    (reason,) = found.refusals
    assert "cannot finish before its deadline" in headline(found)
    for part in (
        "at 0 %",
        "quality is proved in",
        "the step has 20",
        "a margin of",
        "say `expect`",
        "deadline",
    ):
        assert part in reason


def test_a_gate_whose_share_is_too_small_is_told_from_which_share_it_can_be_proved():
    gates = [
        QUALITY,
        {"name": "latency", "metric": "latency", "quantile": 0.95, "ratio": 1.5, "applies": "split"},
    ]
    steps = [{"percent": 0}, {"percent": 1}, {"percent": 50}, {"percent": 100}]
    made = plan(gates=gates, steps=steps, deadline={"step": "40d", "rollout": "150d"})
    (found,) = forecast(made, Assumptions(rate=60, block_sd=0.005), MONDAY, FEW)
    (share,) = found.shares
    assert share.gate == "latency"
    assert share.smallest is not None
    assert share.smallest > 1
    assert any(f"from: {share.smallest:g}" in reason for reason in found.refusals)
    assert any((a.where, a.key, a.value) == ("latency", "from", f"{share.smallest:g}") for a in found.advice)


def test_a_refusal_names_the_gates_further_up_as_well():
    gates = [QUALITY, {"name": "errors", "metric": "error_rate", "ceiling": 0.001, "from": 5}]
    made = plan(gates=gates, deadline={"step": "20d", "rollout": "90d"})
    (found,) = forecast(made, Assumptions(rate=500, block_sd=0.005, error_rate=0.0), MONDAY, FEW)
    first_reason, *others = found.refusals
    assert "at 0 % quality is proved" in first_reason
    assert any("further up errors cannot be proved at 5 %" in reason for reason in others)


def test_a_plan_that_finishes_is_not_refused_and_its_bottleneck_is_named():
    made = plan(gates=[QUALITY, {"name": "errors", "metric": "error_rate", "ceiling": 0.01, "from": 5}])
    (found,) = forecast(made, Assumptions(rate=5_000, block_sd=0.01, error_rate=0.001), MONDAY, FEW)
    better = found.worlds[-1]
    assert not found.refusals
    assert better.promoted > 0.9
    assert better.steps[0].bottleneck == "quality"
    assert better.days.half is not None
    assert better.days.half <= (better.days.nearly_all or 0)
    assert {row.gate for row in found.at_margin} == {"quality", "errors"}
    assert all(row.wrongly <= 0.12 for row in found.at_margin)
    assert all(row.wrongly + row.rolled_back + row.expired == pytest.approx(1) for row in found.at_margin)


def test_every_guess_is_told_and_what_was_given_is_not_called_one():
    made = plan(gates=[{"name": "quality", "metric": "brier", "margin": 0.02}])
    (blind,) = forecast(made, Assumptions(rate=5_000), MONDAY, Runs(20))
    assert {name for name, _, source in blind.assumptions if source == "guessed"} == {
        "disagreement",
        "within",
    }
    (told,) = forecast(made, Assumptions(rate=5_000, disagreement=0.1, within=0.05), MONDAY, Runs(20))
    assert not [name for name, _, source in told.assumptions if source == "guessed"]


def test_slices_share_the_traffic_and_the_error_budget():
    slices = [
        {"name": "big", "where": "region == 'n'", "steps": [{"percent": 0}, {"percent": 100}]},
        {"name": "small", "where": "region == 's'", "steps": [{"percent": 0}, {"percent": 100}]},
    ]
    made = plan(
        gates=[{"name": "errors", "metric": "error_rate", "ceiling": 0.01}], steps=None, slices=slices
    )
    known = Assumptions(rate=10_000, error_rate=0.001, slices={"big": 0.9, "small": 0.1})
    big, small = forecast(made, known, MONDAY, FEW)
    assert (big.slice, small.slice) == ("big", "small")
    days_of = [one.worlds[0].steps[0].gates[0].days.half for one in (big, small)]
    assert days_of[0] < days_of[1]


@pytest.mark.parametrize(
    "gate",
    [
        {"name": "wrong", "metric": "zero_one", "margin": 0.29, "unpaired": True},
        {"name": "wrong", "metric": "zero_one", "ratio": 2.0, "unpaired": True},
        {"name": "cost", "metric": "cost", "margin": 0.2, "cap": 5.0},
        {"name": "differ", "metric": "disagreement", "ceiling": 0.3},
        {"name": "worth", "metric": "value", "margin": 0.2, "payoff": {"true_positive": 2.0}},
        {"name": "mirror", "metric": "latency", "quantile": 0.9, "ratio": 2.0, "applies": "shadow"},
    ],
    ids=lambda gate: f"{gate['metric']}-{'ratio' if 'ratio' in gate else 'margin'}",
)
@pytest.mark.parametrize("block", ["1d", "none"])
def test_every_kind_of_gate_has_a_forecast(gate, block):
    made = plan(
        gates=[QUALITY, gate], unit={"entity": "tailnum", "block": block, "independent": block == "none"}
    )
    known = Assumptions(rate=20_000, entities=4_000, cost_sd=0.5, block_sd=0.005, base_rate=0.3)
    (found,) = forecast(made, known, MONDAY, Runs(40))
    better = found.worlds[-1]
    assert better.promoted > 0.5, found.refusals
    assert any(row.gate == gate["name"] for row in found.at_margin)


def test_a_cost_nobody_described_cannot_be_guessed():
    made = plan(gates=[QUALITY, {"name": "cost", "metric": "cost", "margin": 0.2}])
    with pytest.raises(InputError, match=r"cost: asked how much cost differs .* give --cost-sd"):
        forecast(made, Assumptions(rate=1_000), MONDAY, Runs(20))


@pytest.mark.parametrize(
    ("name", "value"), [("rate", 0.0), ("rate", float("nan")), ("disagreement", 1.5), ("loss_sd", -1.0)]
)
def test_assumptions_out_of_range_are_named(name, value):
    with pytest.raises(InputError, match=f"asked {name} "):
        Assumptions(**{"rate": 100.0, name: value})


def test_the_same_seed_gives_the_same_forecast_and_json_has_no_surprises():
    one, two = (forecast(plan(gates=[QUALITY]), Assumptions(rate=5_000), MONDAY, Runs(30)) for _ in range(2))
    assert one == two
    (body,) = as_json(one)
    assert body["start"] == "2026-03-02T00:00:00Z"
    assert body["finishes"] is True
    assert body["assumptions"][0] == {"name": "rate", "value": "5,000 requests a day", "source": "given"}


# ---------------------------------------------------------------- measured


def test_history_is_measured_by_the_sums_that_judge_it():
    made = plan(
        gates=[QUALITY, {"name": "errors", "metric": "error_rate", "ceiling": 0.05, "from": 5},
               {"name": "latency", "metric": "latency", "quantile": 0.9, "ratio": 2.0, "applies": "split"}],
        segments={"by": ["region"], "floor": 0.25, "gates": {"quality": 0.05}},
    )  # fmt: skip
    history = days(12)
    known = measure(made, history)
    assert known.rate == pytest.approx(400, rel=0.03)
    assert known.segments.keys() == {"region=north", "region=south"}
    assert len(known.gates["quality"].blocks[None]) == 12
    assert known.gates["errors"].rate == 0
    assert known.gates["latency"].slow[0] == pytest.approx(0.01, abs=0.008)
    assert known.base_rate == pytest.approx(0.5, abs=0.05)
    assert known.missing == 0
    assert measure(made, history, rate=7.0).rate == 7.0


def test_an_hour_of_history_measures_nothing():
    history = days(1, n=4)
    with pytest.raises(InputError, match="at least a day of history"):
        measure(plan(gates=[QUALITY]), history)
