"""Costs and values by column: hourly sums of capped differences, and what is judged of them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from headgate.compare.money import money_rows
from headgate.errors import InputError
from headgate.evidence import Entry, EvidenceRow, RateSum, Source, Standing, UnitSum
from headgate.gates import judge
from headgate.stats import amounts
from headgate.stats.betting import Batches
from headgate.stats.hours import held, hourly_evidence, shocks
from headgate.stats.paired import Design, advance_evidence, rollback_evidence
from headgate.verdicts import Verdict
from tests.builders import APRIL, plan
from tests.unit.exchange_rows import exchange, exchanges

HOUR = timedelta(hours=1)
WHOLE = 4096
COST = {"name": "spent", "metric": "cost", "margin": 0.5, "cap": 8.0}
VALUE = {"name": "worth", "metric": "value", "margin": 0.5, "cap": 8.0}
ENTRIES = (Entry(0, 0, 0, APRIL), Entry(1, 1, 500, APRIL + 30 * timedelta(minutes=1)))
RUNS = 2_000
SURE = np.log(20)
ALLOWED = 0.05 + 2 * (0.05 * 0.95 / RUNS) ** 0.5


def table(*pairs, metric="cost", at=APRIL):
    rows = exchanges(*(exchange(f"r{n}", at=at) for n in range(len(pairs))))
    for name, values in zip(("incumbent", "candidate"), zip(*pairs, strict=True), strict=True):
        rows = rows.append_column(f"{name}_{metric}", pa.array(values, pa.float64()))
    return rows


def rows_of(some, gate=COST, caps=None):
    return money_rows(plan(gates=[gate]), some, ENTRIES, "w", caps or {})


def test_a_cost_is_the_candidates_minus_the_incumbents_on_a_grid_of_the_cap():
    spent, rate = rows_of(table((1.0, 3.0), (4.0, 2.0)))
    assert (spent.gate, spent.batch, spent.entry, spent.source, spent.part) == (
        "spent",
        APRIL,
        0,
        Source.SHADOW,
        "w",
    )
    assert spent.sums == UnitSum(*[((-WHOLE // 4, 1), (WHOLE // 4, 1))] * 2, scale=8.0)
    assert (rate.gate, rate.sums) == ("spent-capped", RateSum(2, 0))


def test_rounding_helps_neither_to_advance_nor_to_roll_back():
    spent, _ = rows_of(table((0.0, 1.0001)))
    assert (spent.sums.worst, spent.sums.best) == (((513, 1),), ((512, 1),))


def test_amounts_are_capped_and_the_candidates_share_above_the_cap_is_a_rate():
    spent, rate = rows_of(table((1.0, 99.0), (50.0, 2.0)))
    assert spent.sums.worst == ((-WHOLE * 6 // 8, 1), (WHOLE * 7 // 8, 1))
    assert (spent.sums.capped, rate.sums) == (2, RateSum(2, 1))


def test_a_larger_value_is_less_of_a_loss_and_may_be_negative():
    worth, rate = rows_of(table((3.0, -5.0), (-9.0, 9.0), metric="value"), VALUE)
    assert worth.sums.worst == ((-2 * WHOLE, 1), (WHOLE, 1))
    assert rate.sums == RateSum(2, 1)


@pytest.mark.parametrize("useless", [None, float("nan"), float("inf"), -1.0])
def test_a_request_without_both_amounts_is_unpaired(useless):
    spent, rate = rows_of(table((1.0, useless), (useless, 1.0), (1.0, 1.0)))
    assert (spent.sums.worst, spent.sums.unpaired) == (((0, 1),), 2)
    assert rate.sums == RateSum(1, 0)


def test_hours_and_stays_are_kept_apart():
    some = pa.concat_tables([table((1.0, 1.0)), table((1.0, 1.0), at=APRIL + 45 * timedelta(minutes=1)),
                             table((1.0, 1.0), at=APRIL + HOUR)])  # fmt: skip
    found = [(row.batch, row.entry, row.share_bp) for row in rows_of(some) if row.gate == "spent"]
    assert found == [(APRIL, 0, 0), (APRIL, 1, 500), (APRIL + HOUR, 1, 500)]


def test_without_the_columns_or_before_the_cap_is_frozen_there_is_no_row():
    free = {key: value for key, value in COST.items() if key != "cap"}
    assert rows_of(exchanges(exchange("a"))) == []
    assert rows_of(table((1.0, 1.0)), free) == []
    assert rows_of(table((1.0, 1.0)), free, {"spent": 4.0})[0].sums.scale == 4.0
    assert rows_of(table((1.0, 1.0)), COST | {"unpaired": True}) == []


def test_a_column_of_something_else_is_an_error_that_names_it():
    words = exchanges(exchange("a")).append_column("incumbent_cost", pa.array(["much"]))
    with pytest.raises(InputError, match="'incumbent_cost' as numbers; found string"):
        rows_of(words.append_column("candidate_cost", pa.array([1.0])))


def hours(values, gate="spent", scale=8.0, **more):
    """One hour of requests per list of grid indices."""
    found = []
    for n, indices in enumerate(values):
        cells, counts = np.unique(np.asarray(indices, dtype=int), return_counts=True)
        grid = tuple(zip(cells.tolist(), counts.tolist(), strict=True))
        one = UnitSum(grid, grid, scale=scale, **more)
        found.append(EvidenceRow(gate, None, APRIL + n * HOUR, 0, 0, Source.SHADOW, "w", one))
    return found


def asked(rows, gate=COST, **more):
    standing = Standing(0, 0, 0, APRIL, APRIL + timedelta(days=90), **more)
    return next(v for v in judge(plan(gates=[gate]), rows, standing).verdicts if v.gate == gate["name"])


def around(mean, n=100, batches=40, seed=3):
    rng = np.random.default_rng(seed)
    return [np.clip(rng.normal(mean, 300, n).round(), -WHOLE, WHOLE) for _ in range(batches)]


def test_an_equal_cost_passes_and_a_larger_one_is_rolled_back():
    fine = asked(hours(around(0)))
    assert (fine.verdict, fine.unit, fine.samples) == (Verdict.PASS, "requests", 4_000)
    assert fine.lower < fine.estimate < fine.upper < 0.5
    bad = asked(hours(around(300)))
    assert bad.verdict is Verdict.FAIL
    assert bad.estimate == pytest.approx(300 / WHOLE * 8, abs=0.05)
    assert "cost per request is 0." in bad.reason


def test_a_value_keeps_its_sign():
    found = asked(hours(around(300), gate="worth"), VALUE)
    assert found.estimate == pytest.approx(-300 / WHOLE * 8, abs=0.05)
    assert found.lower < found.estimate < found.upper


def test_values_at_both_ends_are_two_caps_apart():
    found = asked(hours([[-2 * WHOLE] * 20] * 20, gate="worth"), VALUE)
    assert (found.estimate, found.verdict) == (16.0, Verdict.PASS)


def test_by_the_hour_a_proof_is_that_of_the_hours_means():
    seen = amounts.hours(Batches(np.array([[1.0, -1.0]]), np.array([[4.0, 4.0]])))
    fine, harm = (amounts.hourly(seen, 2.0, 8.0, harm=side, any_start=False) for side in (False, True))
    assert fine == pytest.approx(hourly_evidence(np.array([1.0, 3.0]), 6.0, any_start=False))
    assert harm == pytest.approx(hourly_evidence(np.array([1.0, -1.0]), 8.0, any_start=False))


def test_requests_of_an_hour_that_cost_alike_are_counted_by_the_hour():
    rng = np.random.default_rng(4)
    shared = [np.full(100, value) for value in rng.normal(0, 300, 40).round()]
    found = asked(hours(shared))
    assert (found.unit, found.samples) == ("hours", 40)
    assert found.design_effect > 1.5
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "counts hours: requests of one hour cost alike, design effect" in found.reason


def test_every_step_starts_anew():
    now = Standing(1, 1, 500, APRIL, APRIL + timedelta(days=90))
    found = next(v for v in judge(plan(gates=[COST]), hours(around(0)), now).verdicts if v.gate == "spent")
    assert (found.verdict, found.samples) == (Verdict.NO_DATA, 0)


def test_no_amounts_say_which_columns_were_not_found():
    found = asked([])
    assert found.verdict is Verdict.NO_DATA
    assert "no exchange has both incumbent_cost and candidate_cost" in found.reason


def test_hours_of_different_caps_are_refused():
    assert "different caps" in asked(hours(around(0), scale=4.0)).reason


def test_heavy_tails_against_an_asymptotic_interval():
    """Differences of which few make up the mean: capped bets hold where a normal interval does not."""
    rng, batches, n = np.random.default_rng(12), 100, 20
    cap = 0.001 ** (-1 / 1.2)
    sides = [np.minimum(rng.random((n, RUNS, batches)) ** (-1 / 1.2), cap) for _ in range(2)]
    differences = sides[0] - sides[1]
    paid = Batches(differences, np.ones(differences.shape))
    log_e = rollback_evidence(paid, Design(margin=1.0, limit=cap))
    assert (log_e >= SURE).any(axis=1).mean() <= ALLOWED
    seen = n * np.arange(1, batches + 1)
    mean = np.cumsum(differences.sum(axis=0), axis=1) / seen
    error = np.sqrt(np.cumsum((differences**2).sum(axis=0), axis=1) / seen / seen)
    assert (np.abs(mean) > 1.96 * error).any(axis=1).mean() > 0.2


def test_shared_hours_are_rolled_back_as_rarely_as_promised():
    rng, shape, limit = np.random.default_rng(14), (RUNS, 150), 8.0
    n = np.array([50.0])
    shock = np.clip(rng.normal(0, 1, shape), -3, 3)
    paid = Batches(np.stack([shock + 1, shock - 1]), np.broadcast_to(n / 2, (2, *shape)))
    found = amounts.hours(paid)
    by_request = rollback_evidence(paid, Design(margin=0.5, limit=limit))
    assert (by_request >= SURE).any(axis=1).mean() > 2 * ALLOWED
    judged = held(by_request, amounts.hourly(found, 0.5, limit, harm=True), shocks(found), harm=True)
    assert (judged >= SURE).any(axis=1).mean() <= ALLOWED


def test_a_worse_cost_is_hardly_ever_passed():
    rng, limit = np.random.default_rng(15), 8.0
    chances = np.full(RUNS, 1 / 16)  # 8 with this chance: a mean of the margin
    hits = rng.binomial(50, chances[:, np.newaxis], (RUNS, 150)).astype(float)
    paid = Batches(np.stack([np.full(hits.shape, 8.0), np.zeros(hits.shape)]), np.stack([hits, 50 - hits]))
    log_e = advance_evidence(paid, Design(margin=0.5, limit=limit))
    assert (log_e >= SURE).any(axis=1).mean() <= ALLOWED
