"""Backtest and live flows share one judge: the same exchanges give the same verdicts, bit for bit."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headgate.adapters.history import open_history
from headgate.backtest.replay import replay
from headgate.compare.caps import Caps
from headgate.compare.closing import closed_rows_of
from headgate.compare.pairs import batch_of
from headgate.compare.rates import window_rows
from headgate.compare.sides import sides_of
from headgate.compare.stays import closed_batches, column_micros
from headgate.evidence import Entry
from headgate.gates import judge
from headgate.rollout import apply, confirmed, decide, settle, standing, stays
from headgate.rollout.state import Answer, Approval, Phase, PlaneView, State, World
from headgate.tables import exchanges_schema
from headgate.tables.slices import slice_of
from tests.builders import APRIL
from tests.histories import exchanges, outcomes, small_plan, two_slices, write

DAY = timedelta(days=1)
SEGMENTED = {"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}}


def in_the_lake(made):
    """Return exchanges as the lake keeps them: one window a day, unsorted."""
    n = made.num_rows
    rows = {name: made[name] for name in made.column_names if name != "origin"}
    rows["window"] = pa.array([f"{at:%Y-%m-%d}" for at in made["at"].to_pylist()])
    rows["seg_origin"] = made["origin"]
    for name in ("incumbent_version", "candidate_version", "reject_reason"):
        rows[name] = pa.nulls(n, pa.string())
    rows["share_bp"] = pa.nulls(n, pa.int32())
    schema = exchanges_schema(["origin"])
    table = pa.table({name: rows[name] for name in schema.names if name in rows})
    return table.drop_columns(["share_bp"]).take(np.random.default_rng(5).permutation(n))


def lived(whole, made, known, name="all"):
    """Live one slice as the flows do: windows and blocks out of whole tables, all evidence judged anew."""
    mine = made.filter(pc.fill_null(pc.equal(slice_of(whole, made), name), False))
    lake, plan = in_the_lake(mine), whole.of_slice(name)
    known = known.rename_columns([plan.requests.id, plan.outcomes.label, plan.outcomes.known_at])
    at = column_micros(lake["at"])
    salt, segments = f"{plan.name}-1", {"origin": ("JFK", "LGA")}
    versions = (plan.incumbent.version, plan.candidate.version)
    state = State(
        salt, Phase.SHADOW, APRIL, APRIL, confirmed_at=APRIL, generation=1, versions=versions, slice=name
    )  # fmt: skip
    entries, rows, closed, caps, answers, told = [Entry(0, 0, 0, APRIL)], [], set(), Caps(), [], []
    now = APRIL
    while state.phase is not Phase.DONE:
        now += DAY
        since, until = (
            (x - APRIL.replace(year=1970, month=1, day=1)) // timedelta(microseconds=1)
            for x in (now - DAY, now)
        )
        window = lake.filter(pa.array((at >= since) & (at < until)))
        _, sides = sides_of(window, entries, column_micros(window["at"]), salt)
        rows += window_rows(whole, window, entries, f"{now}", sides)
        for span in closed_batches(whole, APRIL, now):
            if span not in closed:
                closed.add(span)
                batch = batch_of(whole, lake, known, span, entries, segments, salt=salt, exposed=frozenset())
                rows += closed_rows_of(whole, batch, span, entries, caps.frozen)
                caps = caps.after(whole, batch)
        mixed = [
            replace(rows[i], slice=name) for i in np.random.default_rng(len(rows)).permutation(len(rows))
        ]
        card = judge(plan, mixed, standing(state, now, 1, segments))
        world = World(
            now, PlaneView.AGREES, card, observed_share_bp=state.share_bp, confirmed_at=state.confirmed_at,
            observed_generation=state.generation, approvals=tuple(answers), versions=versions,
        )  # fmt: skip
        before = settle(state, world)
        decision = decide(before, plan, world, whole.hash)
        state = confirmed(apply(before, decision, plan, world), now)
        if state.asked and state.asked.at == now:
            asked = state.asked
            answers.append(
                Approval(
                    asked.step, asked.attempt, asked.digest, whole.hash,
                    "approver 1 of the replay", Answer.APPROVE, "yes", now,
                )
            )  # fmt: skip
        if state.entry != entries[-1].entry:
            entries.append(Entry(state.entry, state.step, state.share_bp, now))
            entries = list(stays(entries))
        told.append((now, decision, card))
    return told


def test_the_same_exchanges_give_the_same_decisions_and_verdicts_bit_for_bit(tmp_path):
    plan = small_plan(segments=SEGMENTED)
    made, known = exchanges(40, 60, errors=0.002, entities=40), outcomes(40, 60)
    told = lived(plan, made, known)
    with open_history(plan, *write(tmp_path, made, known)) as history:
        replayed = replay(plan, history)
    assert replayed.outcome == "promoted"
    assert len(replayed.ticks) == len(told)
    for one, (now, decision, card) in zip(replayed.ticks, told, strict=True):
        assert one.tick.at == now
        assert one.tick.decision == decision
        assert one.tick.verdicts == card.verdicts
        assert one.tick.log_harm == card.log_harm


def test_a_candidate_that_turns_bad_is_rolled_back_by_both_in_the_same_tick(tmp_path):
    plan = small_plan()
    made, known = exchanges(40, 60, worse_by=0.5, worse_from=12), outcomes(40, 60)
    told = lived(plan, made, known)
    with open_history(plan, *write(tmp_path, made, known)) as history:
        replayed = replay(plan, history)
    assert replayed.outcome == "rolled_back"
    moves = [(one.tick.at, one.tick.decision) for one in replayed.ticks]
    assert moves == [(now, decision) for now, decision, _ in told]


def test_two_slices_are_lived_and_replayed_alike_bit_for_bit_though_only_one_of_them_climbs(tmp_path):
    plan = two_slices()
    made, known = exchanges(40, 120, worse_by=-0.1), outcomes(40, 120)
    bad = exchanges(40, 120, worse_by=0.5)["candidate_prediction"]
    place = made.column_names.index("candidate_prediction")
    mixed = pc.if_else(pc.equal(made["origin"], "LGA"), bad, made["candidate_prediction"])
    made = made.set_column(place, "candidate_prediction", mixed)
    with open_history(plan, *write(tmp_path, made, known)) as history:
        replayed = replay(plan, history)
    ends = {}
    for name in ("jfk", "lga"):
        ticks = [one.tick for one in replayed.ticks if one.slice == name]
        told = lived(plan, made, known, name)
        assert [(tick.at, tick.decision) for tick in ticks] == [(now, decision) for now, decision, _ in told]
        assert [tick.verdicts for tick in ticks] == [card.verdicts for *_, card in told]
        assert [tick.log_harm for tick in ticks] == [card.log_harm for *_, card in told]
        ends[name] = ticks[-1].state.outcome
    assert ends == {"jfk": "promoted", "lga": "rolled_back"}
