"""The gates' benchmark draws what it says, judges as the engine does, and calls a broken promise broken."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from benchmarks.gates import __main__ as command
from benchmarks.gates import contests, quality, rivals, rollouts, watching
from benchmarks.gates.alone import Drawn, Speed, ever, seeded, speed, wrong
from benchmarks.gates.everything import Found, Runs, measure, pieces, sides
from benchmarks.gates.fragment import fragment
from benchmarks.gates.oracles import (
    Population,
    bounded_arms,
    brier,
    coin,
    costs,
    errors,
    growth,
    losses,
    paired_costs,
    rare,
    relative_entropy,
    two_arms,
)
from benchmarks.gates.scenarios import SCENARIOS
from headgate.plan.lint import lint
from headgate.stats.blocks import design_effect

TINY = Runs(nulls=4, speeds=4, rollouts=2)


def named(name):
    return next(scenario for scenario in SCENARIOS if scenario.name.startswith(name))


@pytest.mark.parametrize("population", [coin(), brier(), errors(1)[0], errors(2)[0], paired_costs()[0]])
def test_paired_populations_are_fair_and_tilt_to_any_mean_exactly(population):
    assert population.mean == pytest.approx(0, abs=1e-12)
    for part in (-0.2, 0.1):
        tilted = population.tilted(part * population.square**0.5)
        assert tilted.mean == pytest.approx(part * population.square**0.5, rel=1e-9)
        assert tilted.chances.sum() == pytest.approx(1)
        assert (tilted.chances >= 0).all()


@pytest.mark.parametrize("population", [coin(), losses(), costs()[0]])
def test_shared_shocks_leave_the_mean_alone_and_correlate_units_as_told(population):
    n, shared = 20, 0.2
    counts = population.counts(np.random.default_rng(1), (1, 40_000), n, shared)
    assert (counts.sum(axis=0) == n).all()
    means = np.tensordot(population.values, counts, axes=1) / n
    variance = population.square - population.mean**2
    assert means.mean() == pytest.approx(population.mean, abs=5 * np.sqrt(variance * shared / 40_000) + 1e-9)
    assert means.var() / variance == pytest.approx(shared + (1 - shared) / n, rel=0.15)


def test_the_oracles_know_the_information_of_coins():
    fair = Population(np.array([-1.0, 1.0]), np.array([0.25, 0.75]))
    assert growth(fair.values, fair.chances) == pytest.approx(relative_entropy(0.75, 0.5), rel=1e-6)
    assert growth(fair.values, fair.chances, bound=10.0) < growth(fair.values, fair.chances)
    assert relative_entropy(0.0, 0.01) == pytest.approx(-np.log(0.99))
    for harm, margin, ours in ((True, 0.0, 0.13), (False, 0.03, 0.1)):
        exact = two_arms(0.25, ours, 0.1, margin)
        assert bounded_arms(0.25, rare(ours), rare(0.1), margin, 1.0, harm=harm) == pytest.approx(
            exact, rel=1e-3
        )


def test_every_gate_can_be_drawn_and_judged_at_every_look_under_every_promise():
    assert len({(side.name, side.unit) for side in sides()}) == len(sides())
    for side in sides():
        # A block's information is drawn, not calculated: that takes a while.
        assert side.unit == "blocks" or side.information(1.0) > 0
        for shared in side.shared:
            log_e = side.log_e(seeded(side.name), (2, 12), Drawn(1.0, shared))
            assert log_e.shape == (2, 12)
            assert np.isfinite(log_e).all()


def test_blocks_at_the_margin_have_the_margin_as_their_clipped_mean():
    values = quality._around(0.04, 0.2, coin().counts(np.random.default_rng(2), (1, 50_000), 20, 0.2), coin())
    assert np.abs(values).max() <= 0.2
    assert values.mean() == pytest.approx(0.04, abs=0.002)


def test_single_requests_are_refused_by_the_design_effect_the_engine_measures():
    counts = coin().counts(np.random.default_rng(3), (1, 9), 50, 0.05)
    mean = np.tensordot(coin().values, counts, axes=1)[0] / 50
    square = np.tensordot(coin().values ** 2, counts, axes=1)[0] - 50 * mean**2
    told = quality.refused(counts, coin().values)[0]
    assert np.isnan(told[:4]).all()
    for days in (5, 9):
        predicted = (square[:days] / 49 / 50).tolist()
        assert told[days - 1] == pytest.approx(design_effect(mean[:days].tolist(), predicted))


def test_a_row_has_randomness_of_its_own_and_comes_out_the_same_twice():
    side = sides()[0]
    assert speed(side, 2.0, 6) == speed(side, 2.0, 6)
    assert wrong(side, 0.0, 6) == wrong(side, 0.0, 6)
    assert seeded("a").random() != seeded("b").random()


def test_the_rank_test_is_that_of_mann_and_whitney():
    rng = np.random.default_rng(4)
    for ours, theirs in (
        (rng.pareto(2, (30, 3)), rng.pareto(2, (30, 3))),
        (rng.integers(0, 2, (30, 3)).astype(float), rng.integers(0, 2, (30, 3)).astype(float)),
    ):
        from_ranks = contests._ranked(ours, theirs)
        for run in range(3):
            found = mannwhitneyu(
                ours[:, run], theirs[:, run], alternative="greater", use_continuity=False, method="asymptotic"
            )
            assert float(rivals.norm.sf(from_ranks[run])) == pytest.approx(found.pvalue, rel=1e-6)


def test_checks_in_a_row_need_to_fail_in_a_row():
    means = rivals.Means.of(np.array([[[0.2, 0.2, 0.0, 0.2, 0.2, 0.2]]]))
    level = rivals.Means.of(np.zeros((1, 1, 6)))
    nothing = np.zeros((1, 6))
    seen = rivals.Seen(1, 1, means, level, nothing, nothing, nothing, margin=0.05, expected=0.1, planned=3)
    assert rivals.in_a_row(seen)[0].tolist() == [[False] * 5 + [True]]
    assert rivals.in_all(seen)[0].tolist() == [[False] * 5 + [True]]
    assert not rivals.fixed_once(seen)[1][0, :2].any()


def test_every_rival_is_asked_about_the_same_traffic():
    events, costly = contests.traffics()
    assert {r.rule for r in contests.measured(events, 3)} == set(rivals.RULES)
    history = np.random.default_rng(5).pareto(2.0, 200_000)
    worse = costly.draw(np.random.default_rng(5), (200_000,), True)
    assert np.minimum(worse, costly.high).mean() - np.minimum(history, costly.high).mean() == pytest.approx(
        costly.margin
    )


def test_the_simulated_plan_is_one_that_the_lint_accepts():
    for scenario in SCENARIOS:
        assert not lint(rollouts.plan(**scenario.changes)), scenario.name


def test_a_much_worse_candidate_is_never_promoted_and_a_better_one_climbs():
    worse, better = (rollouts.lives(named(name), 0, 3) for name in ("much worse", "better"))
    assert {life.ending for life in worse} <= {"rolled_back", "expired"}
    assert "promoted" in {life.ending for life in better}
    assert all(life.harmed == 0 for life in better)
    assert all(life.served == 0 for life in worse)


def test_errors_in_live_traffic_alone_are_found_where_they_harm():
    lived = rollouts.lives(named("5 % errors"), 0, 3)
    assert all(0 < life.harmed == life.served for life in lived if life.ending == "rolled_back")
    assert "promoted" not in {life.ending for life in lived}


def test_rollouts_are_the_same_however_they_are_cut_and_their_shares_sum_to_one():
    scenario = named("equal, split")
    whole = rollouts.lives(scenario, 0, 3)
    assert whole == rollouts.lives(scenario, 0, 1) + rollouts.lives(scenario, 1, 2)
    told = rollouts.told(scenario, whole)
    assert told.promoted + told.rolled_back + told.paused + told.expired + told.running == pytest.approx(1)
    held = rollouts.held(scenario, whole)
    assert held.nominal == pytest.approx(0.05 * 6 / np.pi**2)
    assert rollouts.held(named("worse once"), whole) is None


def test_the_watch_keeps_its_run_length_in_a_few_runs():
    found = watching.watched(0.0, 4)
    assert found.kept
    assert 0 < found.delay < 1000


def test_everything_is_measured_and_told():
    few = [work for work in pieces(TINY, ("alone",)) if work[0] == "speed"]
    assert len(few) == 3 * len(sides())
    found = measure(replace(TINY, rollouts=2), ("rivals",), processes=1)
    found.speeds = [speed(side, far, 3) for side in sides()[:2] for far in (0.5, 1.0, 2.0)]
    found.wrongs = [wrong(sides()[0], 0.0, 3)]
    scenario = named("much worse")
    found.rollouts = [rollouts.told(scenario, rollouts.lives(scenario, 0, 2))]
    page = fragment(found)
    for words in ("N*", "Ever wrong", "Argo Rollouts", "Whole rollouts", "| much worse | 2 |"):
        assert words in page
    assert "nan" not in page
    assert json.loads(json.dumps(asdict(found)))["rivals"]


def test_a_wrong_null_and_a_slow_gate_break_the_promise_and_a_row_as_judged_does_not(monkeypatch, capsys):
    slow = Speed("slow", "advance", "requests", 10, 1.0, 100.0, 161.0, 1.61, 0.0, 9)
    found = Found(
        speeds=[slow, replace(slow, gate="told", judged=True), replace(slow, far=2.0)],
        wrongs=[
            ever(np.ones((100, 3)), 0.5, "always wrong", 0.05),
            ever(np.zeros((100, 3)), 0.5, "never", 0.05),
        ],
    )
    missed = found.missed(1.6)
    assert len(missed) == 2
    assert "always wrong" in missed[0]
    assert missed[1].startswith("slow, advance")
    monkeypatch.setattr(command, "measure", lambda *_: found)
    assert command.main([]) == 1
    assert command.main(["--quick"]) == 0
    assert "Promises broken: always wrong" in capsys.readouterr().out
