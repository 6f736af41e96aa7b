"""Slices in the store: each has a record of its own, one tick writes them all; older stores come along."""

from __future__ import annotations

from dataclasses import replace

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import column, create_engine, insert, make_url, select
from sqlalchemy import table as sql_table

from headgate.adapters import store
from headgate.adapters.store import audit
from headgate.adapters.store.engine import writing
from headgate.adapters.store.schema import _MIGRATIONS
from headgate.adapters.store.tables import METADATA
from headgate.errors import IllegalTransition, InputError, StandDown, StoreError
from headgate.rollout.state import Answer, Outcome, Phase, Verb
from tests.builders import APRIL, PLAN
from tests.integration.stores import OPENED_BY, batch, opened, question, reply, tick

SLICES = [
    {"name": name, "where": f"origin == '{name.upper()}'", "steps": PLAN["steps"]} for name in ("jfk", "lga")
]


def sliced(engine):
    return opened(engine, steps=None, slices=SLICES)


def both(rollout, number=1, run="run-1", **lga):
    """One tick of both slices; what is given is of lga."""
    return tick(rollout, number, run, slice="jfk"), tick(rollout, number, run, slice="lga", **lga)


def test_every_slice_opens_with_a_row_of_its_own(store_engine):
    rollout = sliced(store_engine)
    assert store.slice_names(store_engine, rollout.id) == ["jfk", "lga"]
    firsts = [store.last_tick(store_engine, rollout.id, name) for name in ("jfk", "lga")]
    assert [(first.tick, first.state.slice, first.state.phase) for first in firsts] == [
        (0, "jfk", Phase.PREFLIGHT),
        (0, "lga", Phase.PREFLIGHT),
    ]
    assert store.last_tick(store_engine, rollout.id) is None
    assert store.slice_names(store_engine, opened(store_engine, name="other", service="other").id) == ["all"]


def test_one_tick_writes_all_slices_or_none(store_engine):
    rollout = sliced(store_engine)
    jfk, lga = both(rollout)
    with pytest.raises(StoreError, match="the next one is 1"):
        store.record(store_engine, rollout, replace(jfk, tick=2), replace(lga, tick=2))
    with pytest.raises(StoreError, match="one row per slice; found tick 1 of slice jfk, tick 2 of slice lga"):
        store.record(store_engine, rollout, jfk, replace(lga, tick=2))
    with pytest.raises(StoreError, match="one row per slice"):
        store.record(store_engine, rollout, jfk, jfk)
    with pytest.raises(StoreError, match="found nothing"):
        store.record(store_engine, rollout)
    with pytest.raises(StoreError):  # no such slice: its row, and with it all of the tick, is refused
        store.record(store_engine, rollout, jfk, replace(lga, state=replace(lga.state, slice="ewr")))
    assert [store.last_tick(store_engine, rollout.id, name).tick for name in ("jfk", "lga")] == [0, 0]

    after = store.record(store_engine, rollout, jfk, lga)
    assert after.version == rollout.version + 1
    assert [store.last_tick(store_engine, rollout.id, name) for name in ("jfk", "lga")] == [jfk, lga]
    assert store.record(store_engine, rollout, jfk, lga) == after  # the same run again: once
    with pytest.raises(StandDown, match="belongs to the flow run run-1"):
        store.record(store_engine, rollout, *both(rollout, run="run-2"))


def test_a_rollout_is_done_when_every_slice_is_and_keeps_the_lease_until_then(store_engine):
    rollout = sliced(store_engine)
    rollout = store.record(store_engine, rollout, *both(rollout, phase=Phase.DONE, outcome=Outcome.ABORTED))
    assert not rollout.done
    assert store.holder(store_engine, rollout.service) == rollout
    # The slice that is done has said its last word; the other goes on alone.
    rollout = store.record(store_engine, rollout, tick(rollout, 2, "run-2", slice="jfk"))
    done = tick(rollout, 3, "run-3", slice="jfk", phase=Phase.DONE, outcome=Outcome.PROMOTED)
    rollout = store.record(store_engine, rollout, done)
    assert rollout.done
    assert store.holder(store_engine, rollout.service) is None
    with pytest.raises(IllegalTransition, match="it is done"):
        store.record(store_engine, rollout, tick(rollout, 4, "run-4", slice="jfk"))


def test_confirmations_entities_and_evidence_are_kept_by_slice(store_engine):
    rollout = sliced(store_engine)
    for name, share in (("jfk", 500), ("lga", 0)):
        store.confirm(store_engine, rollout.id, 2, APRIL, share, entry=1, step=1, slice_=name)
        assert [c.share_bp for c in store.confirmations(store_engine, rollout.id, name)] == [share]
    mine = [batch(slice="jfk"), batch(slice="lga", worst=0.5)]
    store.ingest(
        store_engine,
        rollout.id,
        mine,
        tick=1,
        expected=store.Cursor(),
        position={"log": 1},
        entities={"jfk": {1: ["N1", "N2"]}, "lga": {1: ["N1"]}},
    )
    assert store.seen(store_engine, rollout.id, 1, "jfk") == {"N1", "N2"}
    assert store.seen(store_engine, rollout.id, 1, "lga") == {"N1"}
    assert store.seen(store_engine, rollout.id, 1) == set()
    assert store.evidence(store_engine, rollout.id) == mine
    assert store.evidence(store_engine, rollout.id, slice_="lga") == mine[1:]


def test_an_answer_is_given_to_the_question_of_one_slice(store_engine):
    rollout = sliced(store_engine)
    asked = question(rollout)
    rows = [replace(asked, state=replace(asked.state, slice=name)) for name in ("jfk", "lga")]
    store.record(store_engine, rollout, *rows)
    store.answer(store_engine, rollout.id, reply(rollout), "jfk")
    no = reply(rollout, answer=Answer.REJECT)
    assert store.answer(store_engine, rollout.id, no, "lga") == no  # the same person, another question
    assert store.approvals(store_engine, rollout.id, "jfk") == [reply(rollout)]
    assert store.approvals(store_engine, rollout.id, "lga") == [no]
    with pytest.raises(InputError, match="no question is open"):
        store.answer(store_engine, rollout.id, reply(rollout), "all")


def test_a_button_is_meant_for_one_slice_or_for_all(store_engine):
    rollout = sliced(store_engine)
    one = store.press(store_engine, rollout.id, Verb.PAUSE, OPENED_BY, "looking", APRIL, "jfk")
    every = store.press(store_engine, rollout.id, Verb.ABORT, OPENED_BY, "wrong model", APRIL)
    assert [(order.id, order.slice) for order in store.open_orders(store_engine, rollout.id)] == [
        (one.id, "jfk"),
        (every.id, "all"),
    ]
    store.record(store_engine, rollout, *both(rollout), acted=(one.id, every.id))
    assert store.open_orders(store_engine, rollout.id) == ()


# ---------------------------------------------------------------- a store of before there were slices


@pytest.fixture
def old_store(store_url, tmp_path):
    """Fill a store of revision 0001 with one of everything; return what the newest one says of it."""
    newest = store.connect(f"sqlite:///{tmp_path / 'newest.db'}")
    rollout = opened(newest)
    order = store.press(newest, rollout.id, Verb.PAUSE, OPENED_BY, "looking", APRIL)
    store.record(newest, rollout, question(rollout), acted=(order.id,))
    store.answer(newest, rollout.id, reply(rollout))
    store.confirm(newest, rollout.id, 1, APRIL, 0, entry=0, step=0)
    read = {"expected": store.Cursor(), "position": {"log": 1}, "entities": {"all": {0: ["N1"]}}}
    store.ingest(newest, rollout.id, [batch(), batch(1)], tick=1, **read)
    told = _told(newest, rollout.id)

    url = make_url(store_url)
    old = create_engine(
        url.set(drivername="postgresql+psycopg") if url.get_backend_name() != "sqlite" else url
    )
    if url.get_backend_name() == "sqlite":
        (tmp_path / "runs").mkdir(exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with old.begin() as connection, newest.connect() as source:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for table in METADATA.sorted_tables:
            if table.name == "audit":  # made of what is there when the store is brought along
                continue
            left_out = {"seq"}  # and ids: numbered as they come
            left_out |= {"id"} if table.name in ("evidence", "approval", "button") else set()
            left_out |= {"slice"} if table.name not in ("ledger", "acted") else set()
            for row in source.execute(select(table)).mappings():
                kept = {name: value for name, value in row.items() if name not in left_out}
                plain = sql_table(table.name, *(column(name, table.c[name].type) for name in kept))
                connection.execute(insert(plain).values(**kept))
    old.dispose()
    newest.dispose()
    return rollout.id, told


def _told(engine, rollout):
    return (
        store.get(engine, rollout),
        store.ticks(engine, rollout),
        store.evidence(engine, rollout),
        store.evidence_mark(engine, rollout),
        store.confirmations(engine, rollout),
        store.approvals(engine, rollout),
        store.orders(engine, rollout),
        store.seen(engine, rollout, 0),
    )


def test_an_older_store_is_brought_along_and_says_what_it_always_said(old_store, store_url):
    rollout, told = old_store
    engine = store.connect(store_url)
    try:
        assert _told(engine, rollout) == told
        chained = audit.verify(engine)
        assert (chained.findings, chained.lines) == ((), 10)  # all evidence of a rollout has one
        assert "revision 0005" in store.describe(engine)
        # It goes on where it was: new ids are above the mark, and history is still history.
        mark = store.evidence_mark(engine, rollout)
        store.add_evidence(engine, rollout, [batch(2)], tick=2)
        assert store.evidence(engine, rollout, up_to=mark) == told[2]
        assert len(store.evidence(engine, rollout)) == len(told[2]) + 1
        for table in ("confirmation", "seen", "evidence", "approval", "button"):
            for statement in (f'DELETE FROM "{table}"', f'UPDATE "{table}" SET slice = slice'):  # noqa: S608 - our own names
                with pytest.raises(StoreError, match=f"{table} is history"), writing(engine) as session:
                    session.connection().exec_driver_sql(statement)
    finally:
        engine.dispose()
