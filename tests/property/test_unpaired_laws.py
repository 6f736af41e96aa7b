"""Laws of unpaired evidence: no order, no partition and no later batch changes a bit."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headgate.compare.unpaired import unpaired_rows
from headgate.evidence import Entry, EvidenceRow, Source, Standing, UnpairedSum, from_json, to_json
from headgate.gates import judge
from headgate.gates.rows import joined
from headgate.stats import ratio, unpaired
from headgate.stats.betting import Batches
from tests.builders import APRIL, plan
from tests.unit.small_batches import batch

GATES = [
    {"name": "wrong", "metric": "zero_one", "margin": 0.05, "unpaired": True},
    {"name": "brier", "metric": "brier", "margin": 0.05, "unpaired": True},
]
STAY = Entry(1, 1, 2500, APRIL)
BLOCK = (APRIL, APRIL + timedelta(days=1))

counts = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
histories = st.lists(counts, min_size=1, max_size=15)
evidences = st.sampled_from([unpaired.unit_evidence, unpaired.block_evidence])


def arms(history, runs=()):
    found = np.array(history, dtype=float).reshape(-1, 4)
    found = np.broadcast_to(found, (*runs, *found.shape))
    sides = [np.stack([found[..., at], found[..., at + 1]]) for at in (0, 2)]
    values = np.stack([np.zeros(found.shape[:-1]), np.ones(found.shape[:-1])])
    return unpaired.Arms(*(Batches(values, side) for side in sides))


def events(history):
    found = np.array(history, dtype=float)
    return ratio.Events(found[:, 0] + found[:, 1], found[:, 1], found[:, 2] + found[:, 3], found[:, 3])


@given(histories, evidences, st.booleans(), st.data())
def test_the_first_batches_give_the_first_numbers(history, evidence, harm, data):
    cut = data.draw(st.integers(1, len(history)))
    design = unpaired.Design(margin=0.1)
    whole, part = (evidence(arms(some), design, harm=harm) for some in (history, history[:cut]))
    assert whole[:cut].tobytes() == part.tobytes()
    assert np.all(np.isfinite(whole))


@given(histories, evidences, st.booleans())
def test_many_runs_at_once_are_the_same_bits_as_each_alone(history, evidence, harm):
    design = unpaired.Design(margin=0.1)
    together = evidence(arms(history, runs=(3,)), design, harm=harm)
    alone = evidence(arms(history), design, harm=harm)
    assert all(run.tobytes() == alone.tobytes() for run in together)


@given(histories, st.booleans(), st.data())
def test_the_first_batches_give_the_first_numbers_of_a_ratio(history, harm, data):
    cut = data.draw(st.integers(1, len(history)))
    evidence = ratio.rollback_evidence if harm else ratio.advance_evidence
    whole, part = (evidence(events(some), 1.5) for some in (history, history[:cut]))
    assert whole[:cut].tobytes() == part.tobytes()
    assert np.all(np.isfinite(whole))


@given(histories, evidences, st.booleans(), st.floats(-3, 3))
def test_what_moves_both_sides_alike_moves_no_block(history, evidence, harm, shift):
    """Up to rounding: losses in [0, 1] and the same ones shifted, with their range."""
    plain = arms(history)
    moved = unpaired.Arms(*(Batches(s.values + shift, s.counts) for s in (plain.candidate, plain.incumbent)))
    one = evidence(plain, unpaired.Design(margin=0.1), harm=harm)
    other = evidence(moved, unpaired.Design(margin=0.1, low=shift, high=1 + shift), harm=harm)
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


requests = st.lists(
    st.tuples(
        st.sampled_from("ABCDE"), st.sampled_from([0.0, 1.0, np.nan]), st.floats(0, 1), st.booleans(),
        st.sampled_from([0, 2500, 5000]), st.integers(0, 5),
    ),
    max_size=25,
)  # fmt: skip


def summed(drawn, members=None):
    """Rows of requests, sorted as batches are; request ids are places in ``drawn``."""
    numbered = sorted(
        (one[0], at, *one[1:]) for at, one in enumerate(drawn) if members is None or one[0] in members
    )
    if not numbered:
        return []
    entity, _, label, answer, side, share, at = zip(*numbered, strict=True)
    some = batch(
        answer, [1 - a for a in answer], label, ["ABCDE".index(e) for e in entity],
        candidate_side=side, share_bp=np.array(share, dtype=np.int32), at=np.array(at, dtype=np.int64),
    )  # fmt: skip
    return unpaired_rows(plan(gates=GATES), some, BLOCK, STAY, {})


@given(requests)
def test_entities_of_two_parts_join_to_the_same_bits_as_all_together(drawn):
    """A partition by entity: each is in one part, as buckets and lake partitions are."""
    found = {}
    for members in ("ACE", "BD"):
        for row in summed(drawn, members):
            key = row.gate, row.share_bp
            found[key] = joined(found[key], row.sums) if key in found else row.sums
    together = {(row.gate, row.share_bp): row.sums for row in summed(drawn)}
    empty = {key for key in found.keys() - together.keys() if not found[key].candidate_worst}
    assert {key: one for key, one in found.items() if key not in empty} == together


@given(requests)
def test_sums_survive_the_store(drawn):
    for row in summed(drawn):
        assert from_json(to_json(row.sums)) == row.sums


@given(histories, st.randoms(use_true_random=False), st.sampled_from(["1d", "none"]))
def test_the_order_of_rows_changes_no_bit_of_a_verdict(history, random, block):
    rows = []
    for n, (a, b, c, d) in enumerate(history):
        ours, theirs = (
            tuple((i, x) for i, x in ((0, zero), (4096, one)) if x) for zero, one in ((a, b), (c, d))
        )
        rows.append(
            EvidenceRow(
                "wrong", None, APRIL + timedelta(hours=n), 1, 2500, Source.PLANE, "batch",
                UnpairedSum(ours, ours, theirs, theirs),
            )
        )  # fmt: skip
    the_plan = plan(gates=GATES[:1], unit={"entity": "tailnum", "block": block, "independent": True})
    standing = Standing(1, 1, 2500, APRIL, APRIL + timedelta(days=9))
    straight = judge(the_plan, rows, standing)
    random.shuffle(rows)
    assert judge(the_plan, rows, standing) == straight
