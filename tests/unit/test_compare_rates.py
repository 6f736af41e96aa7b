"""Rates that need no label, from exchanges: in shadow, and where history says whose a request was."""

from __future__ import annotations

import random
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.compare.rates import window_rows
from headgate.compare.traffic import traffic_rows
from headgate.compare.traffic_state import TrafficState
from headgate.evidence import Entry, RateSum, Source
from headgate.ports import Served, Side
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
    rows = window_rows(PLAN, table, entries, "w")
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


ALL = plan(
    gates=[
        {"name": "errors", "metric": "error_rate", "ceiling": 0.01},
        {"name": "fallbacks", "metric": "fallback_rate", "ceiling": 0.01},
        {"name": "rejects", "metric": "reject_rate", "ceiling": 0.01},
        {"name": "coverage", "metric": "coverage", "floor": 0.97},
        {"name": "disagreement", "metric": "disagreement", "ceiling": 0.05},
    ]
)
RAMP = (Entry(0, 0, 0, APRIL), Entry(1, 1, 2500, APRIL + HOUR), Entry(2, 2, 10_000, APRIL + 3 * HOUR))


def test_a_fallback_in_shadow_is_a_request_the_candidate_was_asked_and_did_not_answer():
    statuses = ["ok", "error", "timeout", "invalid", "rejected"]
    table = exchanges(*(exchange(f"r{i}", candidate_status=status) for i, status in enumerate(statuses)))
    sums = {row.gate: row.sums for row in window_rows(ALL, table, SHADOW, "w")}
    assert sums["fallbacks"] == RateSum(n=4, x=3)
    assert sums["rejects"] == RateSum(n=5, x=1)


def test_disagreement_is_about_decisions_and_only_where_both_sides_answered():
    table = exchanges(
        exchange("same", incumbent_prediction=0.9, candidate_prediction=0.5),  # the threshold says yes
        exchange("apart", incumbent_prediction=0.5, candidate_prediction=0.4999),
        exchange("one-silent", candidate_status="error"),
        exchange("other-silent", incumbent_status="timeout"),
    )
    (row,) = (row for row in window_rows(ALL, table, SHADOW, "w") if row.gate == "disagreement")
    assert (row.sums, row.source) == (RateSum(n=2, x=1), Source.SHADOW)


def test_labels_disagree_when_they_are_not_the_same():
    labels = plan(
        gates=[{"name": "disagreement", "metric": "disagreement", "ceiling": 0.05}],
        prediction={"kind": "label"},
    )
    table = exchanges(
        exchange("a", incumbent_prediction=2.0, candidate_prediction=3.0),
        exchange("b", incumbent_prediction=3.0, candidate_prediction=3.0),
    )
    assert [row.sums for row in window_rows(labels, table, SHADOW, "w")] == [RateSum(n=2, x=1)]


def test_above_share_0_disagreement_goes_on_while_the_planes_log_tells_the_rest():
    table = exchanges(*(exchange(f"r{h}", at=APRIL + h * HOUR) for h in range(5)))
    rows = window_rows(ALL, table, RAMP, "w")
    assert {row.gate for row in rows if row.share_bp} == {"disagreement"}
    seen = [(row.batch, row.entry, row.share_bp) for row in rows if row.gate == "disagreement"]
    stays = [(0, 0), (1, 2500), (1, 2500), (2, 10_000), (2, 10_000)]
    assert seen == [(APRIL + h * HOUR, *stay) for h, stay in enumerate(stays)]


answers = st.sampled_from(["ok", "ok", "ok", "error", "timeout", "invalid", "rejected"])
history = st.lists(
    st.tuples(st.integers(0, 5 * 60 - 1), answers, st.booleans(), st.floats(0, 1), st.floats(0, 1)),
    max_size=40,
)


def drawn_table(drawn):
    return exchanges(
        *(
            exchange(
                f"r{i}", at=APRIL + timedelta(minutes=minute), candidate_status=status,
                incumbent_prediction=ours, candidate_prediction=theirs,
            )
            for i, (minute, status, _, ours, theirs) in enumerate(drawn)
        )
    )  # fmt: skip


def sides(drawn):
    return np.array([side for _, _, side, _, _ in drawn], dtype=bool)


@given(history)
def test_history_above_share_0_counts_what_the_planes_log_would_have(drawn):
    rows = window_rows(ALL, drawn_table(drawn), RAMP, "w", sides(drawn))
    lines = []
    for i, (minute, status, side, _, _) in enumerate(drawn):
        at = APRIL + timedelta(minutes=minute)
        stay = max(entry.entry for entry in RAMP if entry.since <= at)
        assigned = Side.CANDIDATE if side and stay else Side.INCUMBENT
        fell_back = assigned is Side.CANDIDATE and status in ("error", "timeout", "invalid")
        code = 422 if status == "rejected" else 200
        by = Side.INCUMBENT if fell_back else assigned
        lines.append(Served(f"r{i}", f"of-r{i}", at, assigned, by, code, 1.0, "x-1", stay))
    log, *_ = traffic_rows(ALL, lines, [], dict(enumerate(RAMP)), TrafficState(), APRIL, "w")

    def live(rows):
        return {row for row in rows if row.share_bp and isinstance(row.sums, RateSum)}

    assert {row for row in live(rows) if row.gate != "disagreement"} == live(log)


@given(history, st.integers(0, 2**32))
def test_the_order_of_the_exchanges_changes_no_bit_and_their_windows_add_up(drawn, seed):
    table, side = drawn_table(drawn), sides(drawn)
    whole = window_rows(ALL, table, RAMP, "w", side)
    order = list(range(len(drawn)))
    random.Random(seed).shuffle(order)
    assert window_rows(ALL, table.take(pa.array(order, pa.int64())), RAMP, "w", side[order]) == whole
    cut, total = seed % (len(drawn) + 1), {}
    for piece in (slice(0, cut), slice(cut, len(drawn))):
        part = table.slice(piece.start, piece.stop - piece.start)
        for row in window_rows(ALL, part, RAMP, "w", side[piece]):
            n, x = total.get((row.gate, row.batch, row.entry), (0, 0))
            total[row.gate, row.batch, row.entry] = n + row.sums.n, x + row.sums.x
    assert total == {(row.gate, row.batch, row.entry): (row.sums.n, row.sums.x) for row in whole}


def test_a_year_nine_thousand_costs_nothing():
    table = exchanges(exchange("a"), exchange("b", at=APRIL.replace(year=9000)))
    assert [row.batch.year for row in window_rows(PLAN, table, SHADOW, "w")] == [2013, 9000] * 2


@pytest.mark.parametrize("column", ["incumbent_prediction", "candidate_prediction"])
def test_an_answer_that_is_no_number_is_no_answer_to_disagree_with(column):
    table = exchanges(exchange("a", **{column: float("nan")}), exchange("b"))
    (row,) = (row for row in window_rows(ALL, table, SHADOW, "w") if row.gate == "disagreement")
    assert row.sums == RateSum(n=1, x=0)
