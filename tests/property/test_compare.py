"""Laws of the sums: no order, no partition and no cut of a log changes a bit."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import astuple, replace
from datetime import timedelta
from itertools import pairwise, product
from math import prod

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.compare import latency
from headgate.compare.pairs import batch_of
from headgate.compare.quality import paired_rows
from headgate.compare.rates import window_rows
from headgate.compare.stays import stay_at
from headgate.compare.traffic import traffic_rows
from headgate.compare.traffic_state import TrafficState
from headgate.evidence import BlockSum, Entry, UnitSum, to_json
from headgate.gates.rows import merged
from headgate.plan.model import Audit, Exclude, Unit
from headgate.ports import Mirrored, Served, Side, Status
from tests.builders import APRIL, plan
from tests.unit.exchange_rows import BLOCK, exchange, exchanges, outcomes

ENTRIES = (Entry(0, 0, 0, APRIL), Entry(1, 1, 500, APRIL + timedelta(hours=6)))
SEGMENTS = {"origin": ("JFK", "LGA")}
PLAN = plan(
    gates=[
        {"name": "quality", "metric": "brier", "margin": 0.005},
        {"name": "wrong", "metric": "zero_one", "margin": 0.02},
        {"name": "errors", "metric": "error_rate", "ceiling": 0.01},
        {"name": "coverage", "metric": "coverage", "floor": 0.97},
        {"name": "mirror", "metric": "latency", "quantile": 0.95, "ratio": 1.5, "applies": "shadow"},
        {"name": "latency", "metric": "latency", "quantile": 0.95, "ratio": 1.5, "applies": "split"},
    ],
    segments={"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}},
)

UNITS = {"unit": Unit(entity="tailnum", block="none", independent=True)}
#: Keys of the plan that make other sums of the same requests.
KINDS = [
    {},
    UNITS,
    {"outcomes": PLAN.outcomes.model_copy(update={"missing": Audit(audit=0.4)})},
    {"outcomes": PLAN.outcomes.model_copy(update={"missing": Exclude(exclude="a flight that never flew")})},
    UNITS | {"outcomes": PLAN.outcomes.model_copy(update={"missing": Audit(audit=0.4)})},
]
probabilities = st.floats(0, 1)
statuses = st.sampled_from([Status.OK, Status.OK, Status.OK, Status.ERROR, Status.INVALID, Status.REJECTED])
requests = st.lists(
    st.fixed_dictionaries(
        {
            "entity": st.sampled_from(["A", "B", "C", "D"]),
            "incumbent_prediction": probabilities,
            "candidate_prediction": probabilities,
            "candidate_status": statuses.map(str),
            "seg_origin": st.sampled_from(["JFK", "LGA", "XNA", None]),
            "at": st.integers(0, 24 * 60 - 1).map(lambda m: APRIL + timedelta(minutes=m)),
        }
    ),
    max_size=30,
)
few = requests.map(lambda drawn: drawn[:5])
days_late = st.lists(st.sampled_from([0, 1, 9, None]), min_size=30, max_size=30)
seeds = st.integers(0, 2**32)


def tables(drawn, late, seed):
    rows = [exchange(f"r{i}", **row) for i, row in enumerate(drawn)]
    known = [
        (f"r{i}", (seed >> i) & 1, row["at"] + timedelta(days=wait))
        for i, (row, wait) in enumerate(zip(rows, late, strict=False))
        if wait is not None
    ]
    return exchanges(*rows), outcomes(*known)


def summed(the_plan, table, labels, span=BLOCK):
    batch = batch_of(the_plan, table, labels, span, ENTRIES, SEGMENTS)
    return paired_rows(the_plan, batch, span, stay_at(ENTRIES, span[0]), {})


def shuffled(table, seed):
    order = list(range(table.num_rows))
    random.Random(seed).shuffle(order)
    half = len(order) // 2
    return pa.concat_tables([table.take(pa.array(part, pa.int64())) for part in (order[half:], order[:half])])


@given(requests, days_late, seeds, st.sampled_from(KINDS))
def test_the_order_and_partitioning_of_the_rows_change_no_bit(drawn, late, seed, changes):
    table, labels = tables(drawn, late, seed)
    straight = summed(PLAN.model_copy(update=changes), table, labels)
    mixed = summed(PLAN.model_copy(update=changes), shuffled(table, seed), shuffled(labels, seed + 1))
    assert [json.dumps(to_json(row.sums)) for row in straight] == [json.dumps(to_json(r.sums)) for r in mixed]
    assert [(row.gate, row.segment) for row in straight] == [(row.gate, row.segment) for row in mixed]


@given(requests, days_late, seeds)
def test_every_request_is_counted_once_and_the_bounds_hold_the_truth(drawn, late, seed):
    table, labels = tables(drawn, late, seed)
    everything = outcomes(*((f"r{i}", (seed >> i) & 1, row["at"]) for i, row in enumerate(drawn)))
    rows = summed(PLAN, table, labels)
    truth = {(r.gate, r.segment): r.sums for r in summed(PLAN, table, everything)}
    for row in rows:
        sums, true = row.sums, truth[row.gate, row.segment]
        members = len(drawn) if row.segment is None else None
        assert members in (None, sums.pairs + sums.missing + sums.excluded + sums.unpaired)
        assert sums.best - 1e-12 <= true.observed <= sums.worst + 1e-12
        assert (sums.worst == sums.best == sums.observed) or sums.missing
    parts = [r.sums for r in rows if r.gate == "quality" and r.segment]
    whole = [r.sums for r in rows if r.gate == "quality" and r.segment is None]
    assert sum(p.pairs + p.missing for p in parts) == sum(w.pairs + w.missing for w in whole)


@given(requests, days_late, seeds)
def test_a_tick_that_looks_later_sees_the_same_block(drawn, late, seed):
    table, labels = tables(drawn, late, seed)
    later = pa.concat_tables(
        [labels, outcomes(*((f"r{i}", 1, APRIL + timedelta(days=40)) for i in range(len(drawn))))]
    )
    assert summed(PLAN, table, later) == summed(PLAN, table, labels)


@given(requests, days_late, seeds, st.sampled_from(KINDS))
def test_the_worst_is_never_below_the_best_and_what_was_observed_with_every_label_lies_between(
    drawn, late, seed, changes
):
    table, labels = tables(drawn, late, seed)
    for row in summed(PLAN.model_copy(update=changes), table, labels):
        if isinstance(row.sums, BlockSum):
            assert row.sums.best - 1e-12 <= row.sums.worst
            assert row.sums.missing or row.sums.best == row.sums.observed == row.sums.worst
        else:
            worst, best = (sum(i * n for i, n in grid) for grid in (row.sums.worst, row.sums.best))
            assert best <= worst
            assert sum(n for _, n in row.sums.worst) == sum(n for _, n in row.sums.best)


@given(requests, days_late, seeds)
def test_grids_of_parts_of_an_hour_add_up_to_the_grid_of_the_hour(drawn, late, seed):
    table, labels = tables(drawn, late, seed)
    units = PLAN.model_copy(update=UNITS)
    cut = seed % (table.num_rows + 1)
    whole, parts = (
        sums_by_gate([row for piece in pieces for row in summed(units, piece, labels)])
        for pieces in ([table], [table.slice(0, cut), table.slice(cut)])
    )
    assert whole == parts


def sums_by_gate(rows):
    """Merge the parts of every gate as the judge does; what has no pair at all has no row to count it."""
    grouped = {}
    for n, row in enumerate(rows):
        grouped.setdefault((row.gate, row.segment), []).append(replace(row, part=str(n)))
    return {key: replace(merged(parts, UnitSum)[0][1], unpaired=0) for key, parts in grouped.items()}


@given(few, st.sampled_from([0.1, 0.5]), seeds)
def test_an_audit_is_right_on_average_over_its_draws(drawn, q, seed):
    table, labels = tables(drawn, [0] * len(drawn), seed)
    one = batch_of(PLAN, table, labels, BLOCK, ENTRIES, SEGMENTS)
    outcomes = PLAN.outcomes.model_copy(update={"missing": Audit(audit=q)})
    audited = PLAN.model_copy(update={"outcomes": outcomes})
    mean = Counter()
    for draw in product([False, True], repeat=len(one.label)):
        chance = prod(q if sought else 1 - q for sought in draw)
        seen = replace(one, drawn=np.array(draw, dtype=bool))
        for row in paired_rows(audited, seen, BLOCK, ENTRIES[0], {}):
            mean[row.gate, row.segment] += chance * row.sums.worst
    for row in paired_rows(PLAN, one, BLOCK, ENTRIES[0], {}):
        assert mean[row.gate, row.segment] == pytest.approx(row.sums.observed, abs=1e-9)


@given(requests, seeds)
def test_rates_of_windows_add_up_to_the_rates_of_the_whole(drawn, seed):
    table, _ = tables(drawn, [], 0)
    cut = seed % (table.num_rows + 1)
    whole, parts = Counter(), Counter()
    for total, pieces in ((whole, [table]), (parts, [table.slice(0, cut), table.slice(cut)])):
        for piece in pieces:
            for row in window_rows(PLAN, piece, ENTRIES, "w"):
                total.update({(row.gate, row.batch, row.entry, "n"): row.sums.n})
                total.update({(row.gate, row.batch, row.entry, "x"): row.sums.x})
    assert +whole == +parts


GENERATIONS = {1: Entry(0, 0, 0, APRIL), 2: Entry(1, 1, 500, APRIL), 3: Entry(2, 2, 10_000, APRIL)}
lines = st.builds(
    Served,
    request_id=st.integers(0, 8).map(str),
    entity=st.integers(0, 6).map(str),
    at=st.integers(0, 300).map(lambda m: APRIL + timedelta(minutes=m)),
    assigned=st.sampled_from(Side),
    served=st.sampled_from([*Side, None]),
    status=st.sampled_from([200, 200, 200, 0, 404, 503]),
    latency_ms=st.floats(1, 100),
    rollout=st.just("x-1"),
    generation=st.sampled_from([1, 1, 2, 3, 99]),
)
copies = st.builds(
    Mirrored,
    request_id=st.integers(0, 8).map(str),
    at=st.just(APRIL),
    status=st.sampled_from([200, 200, 503]),
    latency_ms=st.floats(1, 100),
)


@pytest.fixture(scope="module", autouse=True)
def short_reference():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "needed", lambda _quantile: 5)
        yield


def read(chunks):
    """Fold chunks of the log one after the other, the state going through JSON in between."""
    state, total, seen = TrafficState(), Counter(), {}
    for part, (served, mirrored) in enumerate(chunks):
        rows, state, new = traffic_rows(PLAN, served, mirrored, GENERATIONS, state, APRIL, str(part))
        for entry, entities in new.items():
            assert not seen.setdefault(entry, {}).keys() & entities.keys()
            seen[entry] |= entities
        for row in rows:
            key = (row.gate, row.batch, row.entry, row.share_bp, row.source, type(row.sums).__name__)
            for place, count in enumerate(astuple(row.sums)):
                total[*key, place] += count
        state = TrafficState.from_json(json.loads(json.dumps(state.to_json())), seen)
    return +total, seen, state.counts, state.reference


@given(st.lists(lines, max_size=40), st.lists(copies, max_size=20), st.lists(st.integers(0, 40), max_size=5))
def test_a_log_cut_anywhere_gives_the_sums_of_the_log_in_one_piece(served, mirrored, cuts):
    edges = [0, *sorted(cuts), 40]
    pieces = [(served[a:b], mirrored[a:b]) for a, b in pairwise(edges)]
    assert read(pieces) == read([(served, mirrored)])
