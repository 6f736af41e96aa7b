"""A closed batch knows who answered whom, at which share, and whom it may judge."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from headgate.compare.pairs import batch_of
from headgate.evidence import Entry
from headgate.routing import bucket, buckets, drawn
from tests.builders import APRIL, plan
from tests.unit.exchange_rows import AT_ONCE, BLOCK, exchange, exchanges, outcomes

ARMS = plan(
    gates=[
        {"name": "quality", "metric": "brier", "margin": 0.02},
        {"name": "arms", "metric": "brier", "margin": 0.02, "unpaired": True},
    ]
)
HALF = [Entry(1, 1, 5_000, APRIL)]


def batch(table, *, of=ARMS, entries=HALF, known=None, **more):
    return batch_of(of, table, known or outcomes(), BLOCK, entries, {}, salt="s-1", **more)


def several(**more):
    return exchanges(*(exchange(f"r{i}", **more) for i in range(20)))


def without_share(table):
    return table.drop_columns(["share_bp"])


def test_without_a_record_the_bucket_at_the_stays_share_says_whose_a_request_is():
    found = batch(without_share(several()))
    names = sorted(f"of-r{i}" for i in range(20))
    assert found.candidate_side.tolist() == [bucket("s-1", name) < 5_000 for name in names]
    assert set(found.share_bp.tolist()) == {5_000}
    assert buckets("s-1", [name.encode() for name in names]).tolist() == [bucket("s-1", n) for n in names]


def test_a_split_on_record_goes_before_the_stays_and_what_is_not_on_record_does_not():
    table = several(share_bp=2_000)
    served = pa.array(["candidate", None] * 10)
    found = batch(table.append_column("served_by", served))
    mine = dict(zip(table["entity"].to_pylist(), served.to_pylist(), strict=True))
    for name, side, share in zip(
        sorted(mine), found.candidate_side.tolist(), found.share_bp.tolist(), strict=True
    ):
        assert side is (True if mine[name] else bucket("s-1", name) < 5_000)
        assert share == (2_000 if mine[name] else 5_000)


@pytest.mark.parametrize(("stay", "recorded"), [(0, 2_000), (10_000, 2_000), (5_000, 0), (5_000, 10_000)])
def test_a_record_counts_only_where_both_it_and_the_rollout_are_on_a_split(stay, recorded):
    table = several(share_bp=recorded).append_column("served_by", pa.array(["candidate"] * 20))
    found = batch(table, entries=[Entry(1, 1, stay, APRIL)])
    names = sorted(table["entity"].to_pylist())
    assert found.candidate_side.tolist() == [bucket("s-1", name) < stay for name in names]
    assert set(found.share_bp.tolist()) == {stay}


def test_a_served_side_without_its_share_is_no_record():
    table = without_share(several()).append_column("served_by", pa.array(["candidate"] * 20))
    assert not batch(table).candidate_side.all()


def test_the_stay_changes_in_the_middle_of_a_batch():
    noon = APRIL + timedelta(hours=12)
    entries = [Entry(0, 0, 0, APRIL), Entry(1, 1, 5_000, noon)]
    table = exchanges(exchange("a"), exchange("b", at=noon))
    assert batch(without_share(table), entries=entries).share_bp.tolist() == [0, 5_000]


def test_whoever_was_in_a_split_before_is_known():
    assert batch(several(), exposed={"of-r3"}).exposed_before.sum() == 1


def test_an_audit_seeks_labels_of_those_drawn_alone():
    audited = plan(outcomes={**ARMS.canonical()["outcomes"], "missing": {"audit": 0.5}})
    found = batch(several(), of=audited)
    names = sorted(f"r{i}" for i in range(20))
    assert found.drawn.tolist() == [drawn("flight-delays", name, 0.5) for name in names]
    assert batch(several()).drawn.all()


def test_a_side_that_did_not_answer_has_no_prediction_whatever_stands_there():
    table = exchanges(exchange("a"))
    table = table.set_column(
        table.column_names.index("candidate_status"), "candidate_status", pa.array(["timeout"])
    )
    found = batch(table)
    assert np.isnan(found.candidate).all()
    assert not found.paired.any()


def test_amounts_come_where_their_columns_are():
    table = several().append_column("incumbent_cost", pa.array([1.0] * 20))
    assert batch(table).amounts == {}
    amounts = batch(table.append_column("candidate_cost", pa.array([2.0] * 20))).amounts
    assert [side.sum() for side in amounts["cost"]] == [20.0, 40.0]


def test_overruled_answers_come_with_the_outcomes_and_are_unknown_without():
    watched = plan(outcomes={**ARMS.canonical()["outcomes"], "overridden": "overruled"})
    known = outcomes(("a", 1, AT_ONCE)).append_column("overruled", pa.array([1]))
    found = batch(exchanges(exchange("a"), exchange("b")), of=watched, known=known)
    assert found.overridden[0] == 1
    assert np.isnan(found.overridden[1])
