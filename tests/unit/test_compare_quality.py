"""Blocks of paired losses, worked by hand."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from headgate.compare.pairs import batch_of
from headgate.compare.quality import paired_rows
from headgate.compare.stays import closed_batches, stay_at
from headgate.errors import EvidenceError, InputError
from headgate.evidence import Entry, Source, from_json, to_json
from headgate.routing import drawn
from tests.builders import APRIL, plan
from tests.unit.exchange_rows import AT_ONCE, BLOCK, NEXT_DAY, exchange, exchanges, outcomes
from tests.unit.small_batches import batch, plan_of

ENTRIES = (Entry(0, 0, 0, APRIL),)
CLOSED = NEXT_DAY + timedelta(days=2)  # the block's end plus the plan's maturity
EXCLUDE = {"exclude": "a cancelled flight never arrives, whatever the models say"}
OUTCOMES = {"path": "lake/outcomes", "label": "late", "known_at": "known_at", "maturity": "2d"}


def block(table, labels, the_plan=None, *, entries=ENTRIES, segments=None, span=BLOCK, caps=None):
    the_plan = the_plan or plan()
    batch = batch_of(the_plan, table, labels, span, entries, segments or {})
    return paired_rows(the_plan, batch, span, stay_at(entries, span[0]), caps or {})


def only(rows):
    (row,) = rows
    return row.sums


def pair(request_id, incumbent, candidate, **more):
    return exchange(request_id, incumbent_prediction=incumbent, candidate_prediction=candidate, **more)


def test_brier_is_the_mean_over_entities_of_each_entitys_mean_difference():
    table = exchanges(
        pair("a1", 0.5, 0.25, entity="A"),  # label 1: .5625 - .25 = .3125
        pair("a2", 0.5, 0.75, entity="A"),  # label 1: .0625 - .25 = -.1875
        pair("b1", 0.5, 0.0, entity="B"),  # label 0: 0 - .25 = -.25
    )
    labels = outcomes(("a1", 1, AT_ONCE), ("a2", 1, AT_ONCE), ("b1", 0, AT_ONCE))
    (row,) = block(table, labels)
    assert (row.gate, row.segment, row.batch, row.entry, row.source) == (
        "quality",
        None,
        APRIL,
        0,
        Source.SHADOW,
    )
    sums = row.sums
    assert sums.observed == sums.worst == sums.best == (0.0625 - 0.25) / 2
    assert (sums.entities, sums.pairs, sums.missing, sums.excluded, sums.unpaired) == (2, 3, 0, 0, 0)
    assert sums.spread == (0.0625 + 0.09375) ** 2 + (-0.25 + 0.09375) ** 2
    assert from_json(to_json(sums)) == sums


def test_a_missing_label_is_taken_at_its_worst_to_advance_and_its_best_to_roll_back():
    table = exchanges(pair("a", 0.5, 0.0), pair("b", 0.5, 0.25))
    sums = only(block(table, outcomes(("a", 0, AT_ONCE))))
    # b: label 0 gives .0625 - .25 = -.1875, label 1 gives .5625 - .25 = .3125
    assert (sums.worst, sums.best, sums.observed) == ((-0.25 + 0.3125) / 2, (-0.25 - 0.1875) / 2, -0.25)
    assert (sums.entities, sums.pairs, sums.missing) == (1, 1, 1)


def test_where_no_label_came_the_bounds_stand_and_no_pair_is_claimed():
    sums = only(block(exchanges(pair("b", 0.5, 0.25)), outcomes()))
    assert (sums.worst, sums.best) == (0.3125, -0.1875)
    assert (sums.pairs, sums.entities, sums.missing, sums.spread) == (0, 0, 1, 0.0)
    assert sums.best <= sums.observed <= sums.worst


def test_excluded_requests_are_counted_and_move_nothing():
    table = exchanges(pair("a", 0.5, 0.0), pair("b", 0.5, 0.25))
    the_plan = plan(outcomes=OUTCOMES | {"missing": EXCLUDE})
    sums = only(block(table, outcomes(("a", 0, AT_ONCE)), the_plan))
    assert sums.worst == sums.best == sums.observed == -0.25
    assert (sums.pairs, sums.missing, sums.excluded) == (1, 0, 1)
    assert block(table, outcomes(), the_plan) == []


@pytest.mark.parametrize("status", ["error", "timeout", "invalid", "rejected"])
@pytest.mark.parametrize("side", ["incumbent", "candidate"])
def test_a_request_that_one_side_did_not_answer_is_no_pair_and_is_counted(side, status):
    table = exchanges(pair("a", 0.5, 0.0), pair("b", 0.5, 0.9, **{f"{side}_status": status}))
    sums = only(block(table, outcomes(("a", 0, AT_ONCE), ("b", 0, AT_ONCE))))
    assert (sums.observed, sums.pairs, sums.unpaired) == (-0.25, 1, 1)


def test_a_block_without_a_single_pair_has_no_row():
    assert block(exchanges(exchange("a", candidate_status="error")), outcomes(("a", 1, AT_ONCE))) == []
    assert block(exchanges(), outcomes()) == []


def test_a_label_known_after_the_block_closed_is_missing_however_late_we_look():
    table = exchanges(pair("a", 0.5, 0.0))
    in_time = only(block(table, outcomes(("a", 0, CLOSED))))
    late = only(block(table, outcomes(("a", 0, CLOSED + timedelta(microseconds=1)))))
    assert (in_time.pairs, in_time.missing) == (1, 0)
    assert (late.pairs, late.missing) == (0, 1)


def test_contradicting_labels_are_missing_and_a_contradiction_after_closing_changes_nothing():
    table = exchanges(pair("a", 0.5, 0.0))
    both = only(block(table, outcomes(("a", 0, AT_ONCE), ("a", 1, AT_ONCE))))
    assert (both.pairs, both.missing) == (0, 1)
    later = only(block(table, outcomes(("a", 0, AT_ONCE), ("a", 1, CLOSED + timedelta(days=9)))))
    assert (later.pairs, later.missing, later.observed) == (1, 0, -0.25)


def test_duplicate_outcomes_count_once_and_outcomes_of_unknown_requests_never():
    table = exchanges(pair("a", 0.5, 0.0))
    labels = outcomes(("a", 0, AT_ONCE), ("a", 0, AT_ONCE), ("stranger", 1, AT_ONCE), (None, 1, AT_ONCE))
    sums = only(block(table, labels))
    assert (sums.pairs, sums.missing, sums.observed) == (1, 0, -0.25)


@pytest.mark.parametrize("label", [2, 0.5, None, float("nan")])
def test_a_label_that_is_neither_0_nor_1_is_missing(label):
    sums = only(block(exchanges(pair("a", 0.5, 0.0)), outcomes(("a", label, AT_ONCE))))
    assert (sums.pairs, sums.missing) == (0, 1)


def test_naive_outcome_times_are_an_error():
    import pyarrow as pa

    labels = outcomes(("a", 0, AT_ONCE))
    naive = labels.set_column(2, "known_at", labels["known_at"].cast(pa.timestamp("us")))
    with pytest.raises(InputError, match="naive"):
        block(exchanges(pair("a", 0.5, 0.0)), naive)


def test_a_request_scored_in_two_windows_counts_once():
    table = exchanges(pair("a", 0.5, 0.0), pair("a", 0.5, 0.9, window="x"))
    sums = only(block(table, outcomes(("a", 0, AT_ONCE))))
    assert (sums.pairs, sums.observed) == (1, -0.25)


def test_a_block_holds_its_start_and_not_its_end():
    table = exchanges(pair("a", 0.5, 0.0, at=APRIL), pair("b", 0.5, 1.0, at=NEXT_DAY))
    sums = only(block(table, outcomes(("a", 0, AT_ONCE), ("b", 0, AT_ONCE))))
    assert (sums.pairs, sums.observed) == (1, -0.25)


def test_zero_one_decides_at_the_plans_threshold():
    the_plan = plan(
        gates=[{"name": "wrong", "metric": "zero_one", "margin": 0.02}],
        prediction={"kind": "probability", "threshold": 0.3},
    )
    table = exchanges(pair("a", 0.2, 0.3), pair("b", 0.2, 0.29))
    sums = only(block(table, outcomes(("a", 0, AT_ONCE), ("b", 1, AT_ONCE)), the_plan))
    assert sums.observed == 0.5  # a: the candidate alone is wrong; b: both are


def test_zero_one_of_labels_compares_the_labels():
    the_plan = plan(
        gates=[{"name": "wrong", "metric": "zero_one", "margin": 0.02}], prediction={"kind": "label"}
    )
    table = exchanges(pair("a", 0.0, 1.0), pair("b", 0.0, 1.0), pair("c", 1.0, 1.0))
    labels = outcomes(("a", 1, AT_ONCE), ("b", 0, AT_ONCE))
    sums = only(block(table, labels, the_plan))
    assert (sums.observed, sums.worst, sums.best) == (0.0, 0.0, 0.0)  # agreeing on c, its label is no matter
    assert sums.missing == 1


def test_segments_split_the_gates_that_ask_for_it_and_strangers_are_other():
    the_plan = plan(
        gates=[
            {"name": "quality", "metric": "brier", "margin": 0.005},
            {"name": "wrong", "metric": "zero_one", "margin": 0.02},
        ],
        segments={"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}},
    )
    table = exchanges(
        pair("a", 0.5, 0.0, seg_origin="JFK"),
        pair("b", 0.5, 1.0, seg_origin="LGA"),
        pair("c", 0.5, 0.0, seg_origin="XNA"),
        pair("d", 0.5, 0.0, seg_origin=None),
        exchange("e", seg_origin="LGA", candidate_status="error"),
    )
    labels = outcomes(*((name, 0, AT_ONCE) for name in "abcde"))
    rows = block(table, labels, the_plan, segments={"origin": ("JFK", "LGA", "EWR")})
    found = {(row.gate, row.segment): (row.sums.observed, row.sums.pairs, row.sums.unpaired) for row in rows}
    assert found == {
        ("quality", None): (0.0, 4, 1),
        ("quality", "origin=JFK"): (-0.25, 1, 0),
        ("quality", "origin=LGA"): (0.75, 1, 1),
        ("quality", "origin=other"): (-0.25, 2, 0),
        ("wrong", None): (-0.75, 4, 1),
    }  # p = .5 counts as a yes: the incumbent is wrong on all four, the candidate on b


def test_the_block_belongs_to_the_stay_in_force_at_its_start():
    noon = APRIL + timedelta(hours=12)
    entries = (Entry(0, 0, 0, APRIL - timedelta(days=9)), Entry(1, 1, 500, noon))
    table = exchanges(pair("a", 0.5, 0.0))
    (row,) = block(table, outcomes(("a", 0, AT_ONCE)), entries=entries)
    assert (row.entry, row.share_bp) == (0, 0)
    (row,) = block(table, outcomes(("a", 0, AT_ONCE)), entries=(Entry(3, 1, 500, noon),))
    assert (row.entry, row.share_bp) == (3, 500)  # it opened inside this block


def test_evidence_of_a_rollout_that_never_started_is_refused():
    with pytest.raises(EvidenceError, match="no entry"):
        block(exchanges(pair("a", 0.5, 0.0)), outcomes(), entries=())


def test_blocks_close_at_their_end_plus_maturity():
    spans = list(closed_batches(plan(), APRIL + timedelta(hours=5), CLOSED + timedelta(days=1)))
    assert spans == [BLOCK, (NEXT_DAY, NEXT_DAY + timedelta(days=1))]
    assert list(closed_batches(plan(), APRIL, CLOSED - timedelta(microseconds=1))) == []
    units = plan(unit={"entity": "tailnum", "block": "none", "independent": True})
    hour = timedelta(hours=1)
    assert next(closed_batches(units, APRIL + hour * 5.5, CLOSED)) == (APRIL + 5 * hour, APRIL + 6 * hour)


# ---------------------------------------------------------------- block: none


UNITS = {"unit": {"entity": "tailnum", "block": "none", "independent": True}}
HOUR = (APRIL, APRIL + timedelta(hours=1))


def units(table, labels, **more):
    return only(block(table, labels, plan(**UNITS, **more), span=HOUR))


def test_units_stand_on_a_grid_with_worst_rounded_up_and_best_down():
    table = exchanges(pair("a", 0.0, 0.01, entity="A"), pair("b", 0.0, 0.01, entity="A"))
    sums = units(table, outcomes(("a", 0, AT_ONCE), ("b", 0, AT_ONCE)))
    assert sums.worst == ((1, 2),)  # .0001 * 4096 = .41: two requests, one entity, counted as two
    assert sums.best == ((0, 2),)


def test_units_of_a_01_loss_are_exact_and_a_missing_label_spans_both():
    table = exchanges(pair("a", 0.0, 1.0), pair("b", 0.0, 1.0), pair("c", 0.0, 0.0))
    wrong = [{"name": "wrong", "metric": "zero_one", "margin": 0.02}]
    sums = units(table, outcomes(("a", 0, AT_ONCE), ("c", 1, AT_ONCE)), gates=wrong)
    assert sums.worst == ((0, 1), (4096, 2))
    assert sums.best == ((-4096, 1), (0, 1), (4096, 1))
    assert sums.missing == 1
    assert from_json(to_json(sums)) == sums


# ---------------------------------------------------------------- every other metric


def of_batch(the_plan, one, caps=None):
    rows = paired_rows(the_plan, one, BLOCK, ENTRIES[0], caps or {})
    return next(row.sums for row in rows if row.gate == "q")


def test_accuracy_is_counted_as_loss_so_that_larger_is_worse():
    sums = of_batch(plan_of("accuracy"), batch([0.2, 0.8], [0.8, 0.8], [1, 1]))
    assert sums.observed == -0.5  # the candidate is right where the incumbent is not


def test_a_payoff_is_the_worth_that_the_candidate_loses():
    payoff = {"true_positive": 10, "false_positive": -2, "false_negative": 0, "true_negative": 0}
    two = batch([0.9, 0.9], [0.1, 0.1], [1, np.nan])
    sums = of_batch(plan_of("value", payoff=payoff), two)
    assert (sums.observed, sums.worst, sums.best) == (10.0, 10.0, 4.0)


def test_each_sides_loss_is_capped_before_the_difference():
    minutes = plan_of("absolute_error", "number", cap=10.0)
    sums = of_batch(minutes, batch([0.0, 0.0], [45.0, 30.0], [60.0, 0.0]))
    assert sums.observed == (0 + 10) / 2  # 10 - 10, then 10 - 0
    assert (sums.cap, sums.capped) == (10.0, 3)


def test_a_missing_number_moves_a_pair_by_no_more_than_its_answers_differ():
    minutes = plan_of("absolute_error", "number", cap=10.0)
    sums = of_batch(minutes, batch([5.0, 5.0, 5.0], [5.0, 8.0, 99.0], [np.nan] * 3))
    assert (sums.best, sums.worst) == (-13 / 3, 13 / 3)
    assert (sums.entities, sums.missing) == (0, 3)


def test_what_excluded_requests_might_have_said_is_kept_beside_the_value():
    one = batch([0.5, 0.5], [0.0, 0.25], [0, np.nan])
    sums = of_batch(plan_of("brier", missing=EXCLUDE), one)
    bound = of_batch(plan_of("brier"), one)
    assert sums.worst == sums.best == sums.observed == -0.25
    assert (sums.worst_with_excluded, sums.best_with_excluded) == (bound.worst, bound.best)
    assert bound.worst_with_excluded is None


def test_the_busiest_entity_is_counted():
    sums = of_batch(plan_of(), batch([0.5] * 5, [0.5] * 5, [1, 0, 1, np.nan, 1], entity=[0, 0, 1, 1, 1]))
    assert sums.largest == 3


def test_a_gate_that_compares_two_arms_has_no_pairs():
    assert paired_rows(plan_of("brier", unpaired=True), batch([0.5], [0.5], [1]), BLOCK, ENTRIES[0], {}) == []


# ---------------------------------------------------------------- audit


AUDIT = {"audit": 0.25}


def test_an_audit_counts_four_times_what_was_drawn_with_a_quarter_and_nothing_else():
    one = batch([0.0] * 4, [1.0] * 4, [0, 1, np.nan, 0], drawn=[True, False, False, False])
    sums = of_batch(plan_of("zero_one", missing=AUDIT), one)
    assert sums.observed == sums.worst == sums.best == 4.0 / 4
    assert (sums.entities, sums.pairs, sums.missing) == (4, 1, 0)


def test_a_drawn_request_without_a_label_is_missing_at_full_weight():
    one = batch([0.0, 0.0], [1.0, 0.0], [np.nan, 0], drawn=[True, False])
    sums = of_batch(plan_of("zero_one", missing=AUDIT), one)
    assert (sums.worst, sums.best, sums.observed) == (2.0, -2.0, 0.0)
    assert (sums.pairs, sums.missing) == (0, 1)


def test_labels_that_came_without_being_sought_are_ignored():
    """They come where somebody complained: counting them advanced whoever is complained about less."""
    known = batch([0.0, 0.0], [1.0, 1.0], [0, 0], drawn=[False, False])
    sums = of_batch(plan_of("zero_one", missing=AUDIT), known)
    assert (sums.observed, sums.worst, sums.best, sums.entities, sums.pairs) == (0.0, 0.0, 0.0, 2, 0)


def test_the_store_draws_as_whoever_fetches_the_labels():
    the_plan = plan_of("zero_one", missing=AUDIT)
    names = [f"r{i}" for i in range(40)]
    table = exchanges(*(pair(name, 0.0, 1.0) for name in names))
    sums = only(block(table, outcomes(*((name, 0, AT_ONCE) for name in names)), the_plan))
    expected = sum(drawn(the_plan.service, name, 0.25) for name in names)
    assert 0 < expected < 40
    assert (sums.pairs, sums.observed) == (expected, pytest.approx(4 * expected / 40))


def test_audited_units_stand_on_a_grid_as_wide_as_their_weight():
    the_plan = plan_of("zero_one", missing={"audit": 0.3}, unit=UNITS["unit"])
    one = batch([0.0] * 3, [1.0] * 3, [0, 0, 1], drawn=[True, False, True])
    (row,) = paired_rows(the_plan, one, HOUR, ENTRIES[0], {})
    assert row.sums.worst == row.sums.best == ((-4096, 1), (0, 1), (4096, 1))
    assert row.sums.scale == 1 / 0.3


def test_capped_units_stand_on_a_grid_of_their_cap():
    the_plan = plan_of("absolute_error", "number", cap=8.0, unit=UNITS["unit"])
    rows = paired_rows(the_plan, batch([0.0, 0.0], [99.0, 4.0], [0.0, 0.0]), HOUR, ENTRIES[0], {})
    assert rows[0].sums.worst == rows[0].sums.best == ((2048, 1), (4096, 1))
    assert (rows[0].sums.scale, rows[0].sums.capped) == (8.0, 1)
    assert rows[1].batch == HOUR[0]
