"""Latency from history is what the plane's log would have given for the same requests."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import astuple
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.compare import latency
from headgate.compare.latency import Reference
from headgate.compare.timed import latency_rows
from headgate.compare.traffic import traffic_rows
from headgate.compare.traffic_state import TrafficState
from headgate.evidence import Entry, LatencyPairSum, LatencySplitSum, Source
from headgate.ports import Mirrored, Served, Side
from tests.builders import APRIL, plan
from tests.unit.exchange_rows import exchange, exchanges

HOUR = timedelta(hours=1)
GATE = {"metric": "latency", "quantile": 0.95, "ratio": 1.5}
PLAN = plan(
    gates=[
        {"name": "mirror", "applies": "shadow", **GATE},
        {"name": "latency", "applies": "split", "tolerate": 1.2, **GATE},
        {"name": "median", "applies": "split", **GATE, "quantile": 0.5},
    ]
)
STAYS = (Entry(0, 0, 0, APRIL), Entry(1, 1, 2500, APRIL + 2 * HOUR), Entry(2, 2, 10_000, APRIL + 4 * HOUR))
GENERATIONS = dict(enumerate(STAYS))
SILENT = ("error", "timeout", "invalid")


@pytest.fixture(autouse=True, scope="module")
def short_reference():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "needed", lambda quantile: 7 if quantile > 0.9 else 4)
        yield


def table(rows):
    """Exchanges with their latencies; None is not known."""
    made = exchanges(
        *(exchange(f"r{i}", **{k: v for k, v in row.items() if k in KEPT}) for i, row in enumerate(rows))
    )
    for side in Side:
        times = [row[f"{side}_latency_ms"] for row in rows]
        made = made.append_column(f"{side}_latency_ms", pa.array(times, pa.float64()))
    return made, np.array([row["ours"] for row in rows], dtype=bool)


KEPT = ("at", "incumbent_status", "candidate_status")


def logged(rows):
    """The same requests as lines of the plane's log and copies of the mirror's."""
    live, copies = [], []
    for i, row in enumerate(rows):
        stay = max(e.entry for e in STAYS if e.since <= row["at"])
        assigned = Side.CANDIDATE if row["ours"] and stay else Side.INCUMBENT
        status = {side: 503 if row[f"{side}_status"] in SILENT else 200 for side in Side}
        by = None if status[assigned] == 503 else assigned
        time = row[f"{assigned}_latency_ms"]
        live.append(Served(f"r{i}", f"of-r{i}", row["at"], assigned, by, status[assigned], time, "x-1", stay))
        if not stay:
            copies.append(Mirrored(f"r{i}", row["at"], status[Side.CANDIDATE], row["candidate_latency_ms"]))
    return live, copies


times = st.integers(1, 60).map(float)
statuses = st.sampled_from(["ok", "ok", "ok", "ok", *SILENT])
requests = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 299).map(lambda m: APRIL + timedelta(minutes=m)),
            "ours": st.booleans(),
            "incumbent_latency_ms": times,
            "candidate_latency_ms": times,
            "incumbent_status": statuses,
            "candidate_status": statuses,
        }
    ),
    max_size=60,
).map(lambda rows: sorted(rows, key=lambda row: row["at"]))


def keyed(rows):
    return {
        (row.gate, row.batch, row.entry, row.share_bp, row.source): row.sums
        for row in rows
        if isinstance(row.sums, LatencyPairSum | LatencySplitSum)
    }


@given(requests)
def test_history_gives_the_sums_and_the_taus_of_the_planes_log(drawn):
    log, state, _ = traffic_rows(PLAN, *logged(drawn), GENERATIONS, TrafficState(), APRIL, "w")
    history, ours = table(drawn)
    rows, reference = latency_rows(PLAN, history, STAYS, "w", Reference(), ours)
    assert keyed(rows) == keyed(log)
    assert reference == state.reference
    assert rows == [
        row for row in log if (row.gate, row.batch, row.entry, row.share_bp, row.source) in keyed(rows)
    ]


@given(requests, st.integers(0, 60))
def test_windows_cut_anywhere_add_up_to_one(drawn, cut):
    history, ours = table(drawn)
    total = {}
    for pieces in ([slice(None)], [slice(0, cut), slice(cut, None)]):
        counted, reference = Counter(), Reference()
        for piece in pieces:
            start, stop, _ = piece.indices(len(drawn))
            rows, reference = latency_rows(
                PLAN, history.slice(start, max(stop - start, 0)), STAYS, "w", reference, ours[piece]
            )
            for key, sums in keyed(rows).items():
                for place, count in enumerate(astuple(sums)):
                    counted[*key, place] += count
        total[len(pieces)] = (+counted, reference)
    assert total[1] == total[2]


def row(at=APRIL, ours=True, incumbent=10.0, candidate=10.0, **more):
    times = {"incumbent_latency_ms": incumbent, "candidate_latency_ms": candidate}
    return {"at": at, "ours": ours, "incumbent_status": "ok", "candidate_status": "ok", **times, **more}


FROZEN = Reference((), {"mirror": 10.0, "latency": 10.0, "median": 10.0})


def test_a_request_without_a_known_time_is_left_out_unless_nobody_answered():
    history, ours = table(
        [row(candidate=None), row(incumbent=None), row(candidate=None, candidate_status="timeout")]
    )
    ((found,), _) = latency_rows(PLAN, history, STAYS, "w", FROZEN, ours)
    assert (found.gate, found.source) == ("mirror", Source.MIRROR)
    assert found.sums == LatencyPairSum(n=1, adv_c=1, adv_i=0, rb_c=0, rb_i=0)


def test_in_a_split_only_the_side_it_belongs_to_has_a_time():
    at = APRIL + 2 * HOUR
    history, ours = table(
        [
            row(at, candidate=99.0),
            row(at, candidate=None),
            row(at, ours=False, incumbent=11.0, candidate=None),
        ]
    )
    rows, _ = latency_rows(PLAN, history, STAYS, "w", FROZEN, ours)
    assert {found.gate: found.sums for found in rows}["latency"] == LatencySplitSum(1, 1, 1, 1, 1)


def test_without_knowing_the_sides_nothing_of_a_split_is_counted_and_without_columns_nothing_at_all():
    history, ours = table([row(), row(APRIL + 2 * HOUR)])
    rows, _ = latency_rows(PLAN, history, STAYS, "w", FROZEN)
    assert {found.gate for found in rows} == {"mirror"}
    bare = history.drop_columns(["candidate_latency_ms"])
    assert latency_rows(PLAN, bare, STAYS, "w", FROZEN, ours) == ([], FROZEN)


def test_a_time_that_is_no_time_is_not_known():
    history, ours = table([row(incumbent=float("nan")), row(incumbent=-1.0), row(candidate=float("inf"))])
    assert latency_rows(PLAN, history, STAYS, "w", FROZEN, ours) == ([], FROZEN)


@given(requests, st.integers(0, 2**32))
def test_once_the_reference_is_frozen_the_order_of_the_requests_changes_no_bit(drawn, seed):
    history, ours = table(drawn)
    order = list(range(len(drawn)))
    random.Random(seed).shuffle(order)
    mixed = history.take(pa.array(order, pa.int64()))
    straight = latency_rows(PLAN, history, STAYS, "w", FROZEN, ours)
    assert latency_rows(PLAN, mixed, STAYS, "w", FROZEN, ours[order]) == straight
