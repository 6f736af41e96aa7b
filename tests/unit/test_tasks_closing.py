"""Closing batches: caps frozen once, exposure to a split, and every batch closed once whatever its gates."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headgate.adapters import store
from headgate.compare.caps import FEWEST
from headgate.evidence import BlockSum, UnpairedSum
from headgate.rollout.state import Phase
from headgate.tables import exchanges_schema
from tasks.closing import CAP, CLOSED, caps_of, close_blocks
from tests.builders import APRIL, PLAN
from tests.unit.task_cases import opened, standing_at

DAY = timedelta(days=1)
MINUTES = {
    "name": "minutes", "metric": "absolute_error", "margin": 2.0, "harm": 4.0, "variance": 9.0,
}  # fmt: skip
NUMBERS = {
    "prediction": {"kind": "number"},
    "gates": [MINUTES],
    "unit": {"entity": "tailnum", "block": "1d"},
    "requests": {"path": "requests", "id": "request_id", "at": "at"},
    "outcomes": {**PLAN["outcomes"], "path": "outcomes", "maturity": "1d"},
}
PER_DAY = 400


def world(wired, tmp_path, days=6, *, share_bp=0, sliced=False, **changes):
    """A rollout with this many scored days of exchanges and their outcomes; return its case."""
    case = opened(**{**NUMBERS, **changes})
    rollout, rng = case.rollout.id, np.random.default_rng(1)
    names = ("north", "south") if sliced else ("all",)
    for name in names:
        store.confirm(
            wired.engine, rollout, generation=1, at=APRIL, share_bp=share_bp, entry=0, step=0, slice_=name
        )
    columns = {"request_id": [], "late": [], "known_at": []}
    for day in range(days):
        start = APRIL + day * DAY
        ids = [f"r{day}-{i}" for i in range(PER_DAY)]
        at = [start + i * DAY / PER_DAY for i in range(PER_DAY)]
        truth = rng.exponential(20, PER_DAY)
        table = {
            "request_id": ids,
            "entity": [f"N{(day * 31 + i) % 900}" for i in range(PER_DAY)],
            "at": at,
            "window": [f"w{day}"] * PER_DAY,
            "incumbent_prediction": truth + rng.normal(0, 3, PER_DAY),
            "candidate_prediction": truth + rng.normal(0, 2, PER_DAY),
            "incumbent_status": ["ok"] * PER_DAY,
            "candidate_status": ["ok"] * PER_DAY,
            "incumbent_version": ["logistic-1"] * PER_DAY,
            "candidate_version": ["gbm-2"] * PER_DAY,
            "reject_reason": [None] * PER_DAY,
            "share_bp": [share_bp] * PER_DAY,
            **({"slice": [names[i % 2] for i in range(PER_DAY)]} if sliced else {}),
        }
        schema = exchanges_schema([], sliced=sliced)
        wired.lake.keep_exchanges(rollout, f"w{day}", pa.table(table, schema=schema), {"scored": PER_DAY})
        window = store.Window(start, start + DAY, f"w{day}", "0", {"scored": PER_DAY}, start + DAY)
        store.add_window(wired.engine, rollout, window)
        columns["request_id"] += ids
        columns["late"] += truth.tolist()
        columns["known_at"] += [moment + timedelta(hours=1) for moment in at]
    instants = pa.array(columns["known_at"], pa.timestamp("us", "UTC"))
    (tmp_path / "outcomes").mkdir(exist_ok=True)
    pq.write_table(pa.table({**columns, "known_at": instants}), tmp_path / "outcomes" / "log.parquet")
    (tmp_path / "requests").mkdir(exist_ok=True)
    log = {"request_id": columns["request_id"], "at": instants, "tailnum": ["N1"] * len(instants)}
    pq.write_table(
        pa.table({**log, "region": ["north"] * len(instants)}), tmp_path / "requests" / "log.parquet"
    )
    return standing_at(case, Phase.SHADOW, generation=1)


def blocks(wired, case, gate="minutes", kind=BlockSum):
    rows = store.evidence(wired.engine, case.rollout.id)
    return [row for row in rows if row.gate == gate and isinstance(row.sums, kind)]


def facts(wired, case):
    return store.facts(wired.engine, case.rollout.id)


@pytest.mark.parametrize("looks", [[9], [2, 3, 4, 5, 9], [3, 3, 9]])
def test_a_cap_is_frozen_by_the_first_batches_and_they_are_not_judged_by_it(wired, tmp_path, looks):
    case = world(wired, tmp_path)
    for look in looks:
        close_blocks.fn(case, APRIL + look * DAY)
    fact = facts(wired, case)[f"{CAP}minutes"]
    # Two labelled losses per request: the second day passes FEWEST, so the third is the first judged.
    assert 2 * PER_DAY < FEWEST <= 4 * PER_DAY
    assert fact["from"].startswith("2013-04-03T00:00")
    assert [row.batch for row in blocks(wired, case)] == [APRIL + day * DAY for day in (2, 3, 4, 5)]
    assert {row.sums.cap for row in blocks(wired, case)} == {fact["cap"]}
    assert caps_of(case, APRIL + 2 * DAY) == {"minutes": fact["cap"]}
    assert caps_of(case, APRIL + DAY) == {}


def test_the_looks_make_no_difference_to_what_is_closed(wired, tmp_path):
    """However often somebody looks: the same caps, the same sums."""
    told = []
    for name, looks in (("once", [9]), ("daily", range(1, 10)), ("twice", [4, 9, 9])):
        case = world(wired, tmp_path, name=name, service=name)
        closed = [close_blocks.fn(case, APRIL + look * DAY) for look in looks]
        assert sum(closed) == 6
        told.append((store.evidence(wired.engine, case.rollout.id), facts(wired, case)[f"{CAP}minutes"]))
    assert told[0] == told[1] == told[2]
    assert len(told[0][0]) == 8


def test_a_crash_between_the_cap_and_the_sums_changes_nothing(wired, tmp_path, monkeypatch):
    case = world(wired, tmp_path)

    def die(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(store, "add_evidence", die)
        with pytest.raises(KeyboardInterrupt):
            close_blocks.fn(case, APRIL + 9 * DAY)
    assert f"{CAP}minutes" in facts(wired, case)
    close_blocks.fn(case, APRIL + 9 * DAY)
    assert [row.batch for row in blocks(wired, case)] == [APRIL + day * DAY for day in (2, 3, 4, 5)]


def test_batches_without_any_sum_are_closed_once_all_the_same(wired, tmp_path):
    case = world(wired, tmp_path, days=2)
    assert close_blocks.fn(case, APRIL + 2 * DAY) == 1
    assert blocks(wired, case) == []
    assert close_blocks.fn(case, APRIL + 2 * DAY) == 0
    assert [name for name in facts(wired, case) if name.startswith(CLOSED)] == [
        f"{CLOSED}2013-04-02T00:00:00.000000Z"
    ]


def test_a_gates_own_cap_is_not_frozen(wired, tmp_path):
    case = world(wired, tmp_path, gates=[{**MINUTES, "cap": 30.0}])
    close_blocks.fn(case, APRIL + 9 * DAY)
    assert not any(name.startswith(CAP) for name in facts(wired, case))
    assert len(blocks(wired, case)) == 6


def test_an_entity_counts_once_in_a_split_however_the_batches_are_closed(wired, tmp_path):
    gates = [{**MINUTES, "cap": 30.0, "unpaired": True}]
    case = world(wired, tmp_path, share_bp=5_000, gates=gates)
    for look in (2, 4, 9):
        close_blocks.fn(case, APRIL + look * DAY)
    sums = [row.sums for row in blocks(wired, case, kind=UnpairedSum)]
    entities = sum(n for one in sums for _, n in (*one.candidate_worst, *one.incumbent_worst))
    assert entities == len({f"N{(day * 31 + i) % 900}" for day in range(6) for i in range(PER_DAY)})


def test_every_slice_has_its_own_caps_and_sums(wired, tmp_path):
    slices = [
        {"name": name, "where": f"region == '{name}'", "steps": PLAN["steps"]} for name in ("north", "south")
    ]
    case = world(wired, tmp_path, sliced=True, steps=None, slices=slices)
    both = replace(
        case, beside=tuple(replace(t, state=replace(t.state, phase=Phase.SHADOW)) for t in case.beside)
    )
    close_blocks.fn(both, APRIL + 9 * DAY)
    caps = {name: facts(wired, case)[f"{CAP}minutes of {name}"]["cap"] for name in ("north", "south")}
    assert caps["north"] != caps["south"]
    told = {name: [r for r in blocks(wired, case) if r.slice == name] for name in ("north", "south", "all")}
    assert {name: {r.sums.cap for r in rows} for name, rows in told.items() if rows} == {
        "north": {caps["north"]},
        "south": {caps["south"]},
    }
    assert sum(r.sums.pairs for r in told["north"] if r.segment is None) == len(told["north"]) * PER_DAY // 2
