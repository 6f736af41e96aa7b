"""Errors and coverage in shadow."""

from __future__ import annotations

from datetime import timedelta

from headgate.compare.rates import shadow_rate_rows
from headgate.evidence import Entry, RateSum, Source
from tests.builders import APRIL, plan
from tests.unit.exchange_rows import exchange, exchanges

HOUR = timedelta(hours=1)
PLAN = plan(
    gates=[
        {"name": "quality", "metric": "brier", "margin": 0.005},
        {"name": "errors", "metric": "error_rate", "ceiling": 0.01},
        {"name": "coverage", "metric": "coverage", "floor": 0.97},
    ]
)
SHADOW = (Entry(0, 0, 0, APRIL),)


def found(table, entries=SHADOW):
    rows = shadow_rate_rows(PLAN, table, entries, "w")
    assert all(row.source is Source.SHADOW and row.part == "w" and row.share_bp == 0 for row in rows)
    return {(row.gate, row.batch, row.entry): row.sums for row in rows}


def test_errors_are_among_the_asked_and_coverage_among_all():
    statuses = ["ok", "error", "timeout", "invalid", "rejected", "ok"]
    table = exchanges(*(exchange(f"r{i}", candidate_status=status) for i, status in enumerate(statuses)))
    assert found(table) == {
        ("errors", APRIL, 0): RateSum(n=5, x=3),
        ("coverage", APRIL, 0): RateSum(n=6, x=4),
    }


def test_an_hour_in_which_all_were_rejected_says_nothing_about_errors():
    table = exchanges(exchange("r", candidate_status="rejected", incumbent_status="rejected"))
    assert found(table) == {("coverage", APRIL, 0): RateSum(n=1, x=1)}


def test_hours_are_apart_and_the_incumbents_failures_are_not_the_candidates():
    table = exchanges(
        exchange("a", at=APRIL + HOUR / 2, incumbent_status="error"),
        exchange("b", at=APRIL + HOUR, candidate_status="timeout"),
    )
    sums = found(table)
    assert sums["errors", APRIL, 0] == RateSum(1, 0)
    assert sums["errors", APRIL + HOUR, 0] == RateSum(1, 1)


def test_only_exchanges_from_stays_at_share_0_count_each_under_its_stay():
    entries = (
        Entry(0, 0, 0, APRIL),
        Entry(1, 1, 500, APRIL + HOUR / 3),
        Entry(2, 0, 0, APRIL + 2 * HOUR / 3),
    )
    table = exchanges(*(exchange(f"r{m}", at=APRIL + timedelta(minutes=m)) for m in range(60)))
    sums = found(table, entries)
    assert {key[2]: value.n for key, value in sums.items() if key[0] == "errors"} == {0: 20, 2: 20}


def test_no_exchanges_are_no_rows():
    assert found(exchanges()) == {}
