"""Entities of a live split, worked by hand."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import numpy as np
import pytest

from headgate.compare.pairs import Batch
from headgate.compare.unpaired import unpaired_rows
from headgate.evidence import Entry, RateSum, Source, UnpairedSum, from_json, to_json
from tests.builders import APRIL, PLAN, plan
from tests.unit.exchange_rows import BLOCK

STAY = Entry(2, 1, 2500, APRIL)
GATE = {"name": "wrong", "metric": "zero_one", "margin": 0.02, "unpaired": True}
OUTCOMES = PLAN["outcomes"]
WRONG, RIGHT = ((1, 1),), ((0, 1),)
WHOLE = 4096


def request(entity, ours, label, **more):
    """A request of a split at 25 %; the incumbent says 0, the candidate 1, in the order of the hours."""
    return {
        "entity": entity, "candidate_side": ours, "label": label, "incumbent": 0.0, "candidate": 1.0,
        "share_bp": 2500, "exposed_before": False, "drawn": True, "at": 0, "origin": "JFK",
        "amount": (1.0, 1.0),
    } | more  # fmt: skip


def batch(*requests, amounts=None):
    rows = [row | {"at": row["at"] or n} for row, n in zip(requests, count(1), strict=False)]
    rows.sort(key=lambda row: row["entity"])  # as batches come: stable, so request ids rise
    names = sorted({row["entity"] for row in rows})

    def column(key, kind):
        return np.array([row[key] for row in rows], dtype=kind)

    label = np.array([np.nan if row["label"] is None else row["label"] for row in rows], dtype=float)
    sides = np.array([row["amount"] for row in rows], dtype=float).reshape(-1, 2)
    origin = np.array([row["origin"] for row in rows], dtype=object)
    return Batch(
        entity=np.array([names.index(row["entity"]) for row in rows], dtype=np.int64),
        incumbent=column("incumbent", float),
        candidate=column("candidate", float),
        label=label,
        paired=np.ones(len(rows), dtype=bool),
        parts={None: np.ones(len(rows), dtype=bool)} | {f"origin={o}": origin == o for o in ("JFK", "LGA")},
        at=column("at", np.int64),
        drawn=column("drawn", bool),
        candidate_side=column("candidate_side", bool),
        share_bp=column("share_bp", np.int32),
        exposed_before=column("exposed_before", bool),
        overridden=np.full(len(rows), np.nan),
        amounts={amounts: (sides[:, 0], sides[:, 1])} if amounts else {},
    )  # fmt: skip


def rows_of(*requests, gate=None, caps=None, amounts=None, stay=STAY, **changes):
    the_plan = plan(gates=[GATE | (gate or {})], **changes)
    return unpaired_rows(the_plan, batch(*requests, amounts=amounts), BLOCK, stay, caps or {})


def only(rows):
    (row,) = rows
    return row.sums


def test_each_entity_counts_by_the_loss_of_the_side_that_served_it():
    (row,) = rows_of(request("a", True, 0), request("b", False, 0), request("c", False, 1))
    assert (row.gate, row.segment, row.batch, row.entry, row.share_bp) == ("wrong", None, APRIL, 2, 2500)
    assert row.source is Source.PLANE
    assert row.sums.candidate_worst == row.sums.candidate_best == ((WHOLE, 1),)
    assert row.sums.incumbent_worst == row.sums.incumbent_best == ((0, 1), (WHOLE, 1))
    assert from_json(to_json(row.sums)) == row.sums


def test_y_known_only_for_the_served_side_is_enough():
    """A refused loan never defaults: what the other side would have said is not looked at."""
    served = (request("a", True, 1), request("b", False, 1))
    blind = (request("a", True, 1, incumbent=np.nan), request("b", False, 1, candidate=np.nan))
    gate = {"name": "wrong", "metric": "zero_one", "margin": 0.02}
    depends = OUTCOMES | {"depends_on_decision": True}
    found = [
        unpaired_rows(plan(gates=[gate], outcomes=depends), batch(*some), BLOCK, STAY, {})
        for some in (served, blind)
    ]
    assert found[0] == found[1]
    assert only(found[0]).candidate_worst == ((0, 1),)


def test_an_entity_counts_once_per_batch_by_its_mean_over_it():
    sums = only(rows_of(*(request("a", True, label) for label in (0, 1, 1, 1)), request("b", False, 0)))
    assert sums.candidate_worst == ((WHOLE // 4, 1),)


def test_an_entity_that_met_the_split_before_never_counts_again():
    sums = only(rows_of(request("a", True, 0, exposed_before=True), request("b", False, 0)))
    assert sums.candidate_worst == ()
    assert sums.incumbent_worst == ((0, 1),)


def test_requests_outside_a_split_are_left_out():
    assert rows_of(request("a", True, 0, share_bp=0), request("b", True, 0, share_bp=10_000)) == []


def test_a_batch_of_known_entities_says_that_nobody_is_new():
    assert only(rows_of(request("a", True, 0, exposed_before=True))) == UnpairedSum()


def test_the_window_of_an_entity_is_at_the_share_it_met_first():
    rows = rows_of(
        request("a", False, 1, at=1), request("a", True, 1, at=9, share_bp=5000),
        request("b", True, 0, at=9, share_bp=5000),
    )  # fmt: skip
    assert [row.share_bp for row in rows] == [2500, 5000]
    assert (rows[0].sums.candidate_worst, rows[0].sums.incumbent_worst) == ((), ((WHOLE, 1),))
    assert (rows[1].sums.candidate_worst, rows[1].sums.incumbent_worst) == (((WHOLE, 1),), ())


def test_the_side_of_an_entity_is_that_of_its_first_request_in_time():
    later_first = (request("a", False, 1, at=9), request("a", True, 1, at=1))
    sums = only(rows_of(*later_first))
    # The candidate answered the first request right, the incumbent the second one wrong.
    assert (sums.candidate_worst, sums.incumbent_worst) == (((WHOLE // 2, 1),), ())


def test_a_missing_label_is_bounded_against_and_for_the_candidate_on_each_side():
    sums = only(rows_of(request("a", True, None), request("b", False, None)))
    assert (sums.candidate_worst, sums.candidate_best) == (((WHOLE, 1),), ((0, 1),))
    assert (sums.incumbent_worst, sums.incumbent_best) == (((0, 1),), ((WHOLE, 1),))
    assert sums.missing == 2


def test_excluded_labels_move_nothing_and_are_counted():
    exclude = OUTCOMES | {"missing": {"exclude": "a cancelled flight never arrives at all"}}
    sums = only(
        rows_of(request("a", True, None), request("a", True, 0), request("b", False, None), outcomes=exclude)
    )
    assert (sums.candidate_worst, sums.incumbent_worst, sums.excluded, sums.missing) == (
        ((WHOLE, 1),),
        (),
        2,
        0,
    )


def test_audited_losses_are_weighed_and_labels_not_drawn_are_ignored():
    audit = OUTCOMES | {"missing": {"audit": 0.25}}
    sums = only(
        rows_of(
            request("a", True, 0), request("b", True, 0, drawn=False), request("c", False, None),
            outcomes=audit,
        )
    )  # fmt: skip
    assert sums.scale == 4.0
    assert sums.candidate_worst == ((0, 1), (WHOLE, 1))  # 1 / q, and 0 for the request not drawn
    assert (sums.incumbent_worst, sums.incumbent_best, sums.missing) == (((0, 1),), ((WHOLE, 1),), 1)


def test_a_request_that_its_side_did_not_answer_is_left_out_and_counted():
    sums = only(rows_of(request("a", True, 0, candidate=np.nan), request("b", False, 0)))
    assert (sums.candidate_worst, sums.unanswered) == ((), 1)


def test_grids_are_rounded_against_the_candidate_to_advance_and_for_it_to_roll_back():
    brier = {"metric": "brier"}
    sums = only(
        rows_of(request("a", True, 0, candidate=0.3), request("b", False, 0, incumbent=0.3), gate=brier)
    )
    low = int(0.09 * WHOLE)
    assert (sums.candidate_worst, sums.candidate_best) == (((low + 1, 1),), ((low, 1),))
    assert (sums.incumbent_worst, sums.incumbent_best) == (((low, 1),), ((low + 1, 1),))


def test_segments_are_those_of_the_entitys_first_request():
    rows = rows_of(
        request("a", True, 0, origin="LGA"), request("a", True, 1, origin="JFK"), request("b", False, 0),
        segments={"by": ["origin"], "gates": {"wrong": 0.05}},
    )  # fmt: skip
    found = {row.segment: row.sums for row in rows}
    assert found["origin=LGA"].candidate_worst == ((WHOLE // 2, 1),)
    assert (found["origin=JFK"].candidate_worst, found["origin=JFK"].incumbent_worst) == ((), ((0, 1),))


NUMBER = {"kind": "number"}


def test_losses_of_numbers_are_capped_and_how_many_of_the_candidates_were_is_a_rate():
    gate = {"metric": "absolute_error", "margin": 1.0}
    requests = (
        request("a", True, 9.0), request("b", True, 3.0), request("c", False, 50.0), request("d", False, None)
    )  # fmt: skip
    assert rows_of(*requests, gate=gate, prediction=NUMBER) == []  # no cap yet
    loss, rate = rows_of(*requests, gate=gate, prediction=NUMBER, caps={"wrong": 4.0})
    assert (loss.sums.scale, loss.sums.capped) == (4.0, 2)
    assert loss.sums.candidate_worst == ((WHOLE // 2, 1), (WHOLE, 1))
    assert loss.sums.incumbent_worst == ((0, 1), (WHOLE, 1))
    assert loss.sums.incumbent_best == ((WHOLE, 2),)
    assert (rate.gate, rate.sums) == ("wrong-capped", RateSum(2, 1))


def test_costs_are_of_the_side_that_served_and_useless_ones_are_left_out():
    gate = {"metric": "cost", "margin": 1.0, "cap": 8.0}
    loss, rate = rows_of(
        request("a", True, None, amount=(np.nan, 2.0)), request("b", False, None, amount=(4.0, np.nan)),
        request("c", True, None, amount=(1.0, np.nan)), request("d", True, None, amount=(1.0, -3.0)),
        request("e", True, None, amount=(1.0, np.inf)), gate=gate, amounts="cost",
    )  # fmt: skip
    assert loss.sums.candidate_worst == ((WHOLE // 4, 1),)
    assert loss.sums.incumbent_worst == ((WHOLE // 2, 1),)
    assert (loss.sums.unanswered, rate.sums) == (3, RateSum(1, 0))


def test_values_may_be_negative_and_larger_is_better():
    gate = {"metric": "value", "margin": 1.0, "cap": 8.0}
    loss, rate = rows_of(
        request("a", True, None, amount=(0.0, -20.0)), request("b", False, None, amount=(4.0, 0.0)),
        gate=gate, amounts="value",
    )  # fmt: skip
    assert loss.sums.candidate_worst == ((WHOLE, 1),)
    assert loss.sums.incumbent_worst == ((-WHOLE // 2, 1),)
    assert rate.sums == RateSum(1, 1)


def test_amounts_without_their_column_have_no_row():
    gate = {"metric": "cost", "margin": 1.0, "cap": 8.0}
    assert rows_of(request("a", True, None), gate=gate) == []


@pytest.mark.parametrize("unit", ["1d", "none"])
def test_gates_that_pair_are_left_to_others(unit):
    assert (
        rows_of(request("a", True, 0), gate={"unpaired": False}, unit={"entity": "tailnum", "block": unit})
        == []
    )


def test_stays_do_not_matter_where_the_share_is_recorded():
    shadow = Entry(0, 0, 0, APRIL - timedelta(days=1))
    (row,) = rows_of(request("a", True, 0), stay=shadow)
    assert (row.entry, row.share_bp) == (0, 2500)


def test_losses_above_the_cap_are_counted_per_share():
    gate = {"metric": "cost", "margin": 1.0, "cap": 8.0}
    found = rows_of(
        request("a", True, None, amount=(0.0, 9.0)),
        request("b", True, None, amount=(0.0, 1.0), share_bp=5000),
        gate=gate, amounts="cost",
    )  # fmt: skip
    assert [(row.share_bp, row.sums) for row in found if row.gate == "wrong-capped"] == [
        (2500, RateSum(1, 1)), (5000, RateSum(1, 0)),
    ]  # fmt: skip
