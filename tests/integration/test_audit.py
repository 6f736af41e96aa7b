"""The audit chain over a real store: whole whoever writes how, and no tampering goes unseen."""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest

from headgate.adapters import store
from headgate.adapters.store import audit
from headgate.adapters.store.engine import connect_to_read, reading, writing
from headgate.adapters.store.history import BULK, SINGLE
from headgate.adapters.store.tables import FactRow, IncidentRow
from headgate.audit import Tampering, digest_of
from headgate.errors import InputError, StoreError
from tests.builders import APRIL
from tests.integration.stores import SEALED, batch, filled, opened, tick
from tests.integration.vandal import TRICKS, Vandal, contents, opened_to_tamper, without_triggers


def incident(number: int, rollout_id: str = "flights-gbm-1") -> IncidentRow:
    return IncidentRow(rollout_id=rollout_id, at=APRIL + timedelta(hours=number), kind="plane", text="moved")


def whole(engine):
    told = audit.verify(engine)
    assert told.findings == ()
    return told


# ---------------------------------------------------------------- writing


def test_every_row_of_history_has_a_line_and_the_reader_that_cannot_write_agrees(store_engine, store_url):
    rollout = filled(store_engine)
    told = whole(store_engine)
    assert (told.lines, told.rows, told.head) == (24, 24, audit.head(store_engine))
    assert {line.kind for line in audit.lines_of(store_engine, rollout.id)} == {*SINGLE, BULK} - {
        "plan",
        "approver",
        "monitored",
        "retraining",
        "retrained",
    }
    reader = connect_to_read(store_url)
    assert audit.verify(reader, told.head) == told
    with reading(reader) as session:
        connection = session.connection()
        for line in audit.lines(connection):
            assert digest_of(*audit.rows_of_line(connection, line)) == line.digest, line
    with pytest.raises(StoreError), writing(reader) as session:
        session.add(FactRow(rollout_id=rollout.id, name="x", value="1", at=APRIL))
    reader.dispose()


def test_a_row_is_chained_once_however_often_it_is_flushed_and_never_if_it_was_taken_back(store_engine):
    opened(store_engine)
    before = audit.head(store_engine)
    with writing(store_engine) as session:
        first, second = incident(1), incident(2)
        session.add(first)
        session.flush()
        savepoint = session.begin_nested()
        session.add(second)
        session.flush()
        savepoint.rollback()
        session.flush()
        with session.begin_nested():
            session.add(second)
            session.add(incident(3))
    with pytest.raises(StoreError), writing(store_engine) as session:  # noqa: PT012 - written, then refused
        session.add(incident(4))
        session.flush()
        session.connection().exec_driver_sql("DELETE FROM plan")
    with writing(store_engine):
        pass
    assert whole(store_engine).head.seq == before.seq + 3


def test_two_writers_at_once_append_one_after_the_other(store_engine, store_url):
    ids = [opened(store_engine, name=name, service=name).id for name in ("one", "two")]

    def write(rollout_id):
        engine = store.connect(store_url)
        for day in range(12):
            store.add_incident(
                engine, rollout_id, store.Incident(APRIL + timedelta(days=day), "plane", "moved")
            )
            store.add_evidence(engine, rollout_id, [batch(day, part=p) for p in ("a", "b")], 1)
        engine.dispose()

    before = audit.head(store_engine).seq
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, ids))
    assert whole(store_engine).head.seq == before + 48


def test_a_store_that_is_older_newer_or_none_is_refused_as_it_is(tmp_path, empty_store):
    with pytest.raises(InputError, match="found none at"):
        connect_to_read(str(tmp_path / "none.db"))
    (tmp_path / "text.db").write_text("not a database, but long enough to be one " * 30)
    with pytest.raises(InputError, match="not a database"):
        connect_to_read(str(tmp_path / "text.db"))
    copy = shutil.copy(empty_store, tmp_path / "other.db")
    with closing(sqlite3.connect(copy)) as other:
        other.execute("UPDATE headgate_version SET version_num = '0002'")
        other.commit()
    with pytest.raises(InputError, match="found 0002"):
        connect_to_read(f"sqlite:///{copy}")


def test_a_rollout_marked_as_done_against_its_ledger_is_found(store_engine):
    rollout = opened(store_engine)
    with writing(store_engine) as session:
        session.connection().exec_driver_sql("UPDATE rollout SET done = (1 = 1)")
    (told,) = audit.verify(store_engine).findings
    assert (told.kind, told.row) == (Tampering.DISAGREES, f"rollout {rollout.id}")


# ---------------------------------------------------------------- tampering


@pytest.fixture(scope="module")
def kept(tmp_path_factory, empty_store):
    """A small store with one of everything, two rollouts and some ticks; and its head, noted elsewhere."""
    path = tmp_path_factory.mktemp("kept") / "store.db"
    shutil.copy(empty_store, path)
    engine = store.connect(f"sqlite:///{path}")
    filled(engine)
    other = opened(engine, name="other", service="other")
    for number in range(1, 6):
        other = store.record(engine, other, tick(other, number, f"run-{number}"))
        store.add_evidence(engine, other.id, [batch(number, part=part) for part in ("a", "b")], number)
    head = whole(engine).head
    engine.dispose()
    without_triggers(path)
    return path, head


def test_a_hundred_random_tamperings_are_found_all_and_called_by_their_names(kept, tmp_path):
    """Against the noted head; each trick ten times."""
    path, head = kept
    assert len(TRICKS) == 10
    before, unseen = contents(path), []
    for seed in range(100):
        trick = TRICKS[seed % len(TRICKS)]
        copy = shutil.copy(path, tmp_path / f"{seed}.db")
        tampered = opened_to_tamper(copy)
        for attempt in range(20):  # an edit that a unique key refuses changes nothing: another one
            expected = trick(Vandal(tampered, 1000 * seed + attempt))
            if contents(copy) != before:
                break
        tampered.dispose()
        reader = connect_to_read(str(copy))
        kinds = {finding.kind for finding in audit.verify(reader, head).findings}
        reader.dispose()
        if not kinds & expected:
            unseen.append((seed, trick.__name__, kinds))
    assert unseen == []


def test_a_copy_without_its_triggers_is_read_and_stays_as_it_is(kept, tmp_path):
    path, head = kept
    copy = shutil.copy(path, tmp_path / "copy.db")
    before = (tmp_path / "copy.db").read_bytes()
    reader = connect_to_read(str(copy))
    assert audit.verify(reader, head).findings == ()
    reader.dispose()
    assert (tmp_path / "copy.db").read_bytes() == before
    assert SEALED.encode() in before


def test_an_edit_on_either_database_is_named_with_its_line_and_row(store_engine):
    rollout = filled(store_engine)
    with writing(store_engine) as session:
        execute = session.connection().exec_driver_sql
        for table in ("ledger", "evidence"):
            if store_engine.dialect.name == "sqlite":
                execute(f"DROP TRIGGER keep_{table}_update")
            else:
                execute(f"ALTER TABLE {table} DISABLE TRIGGER keep_{table}_update")
        execute("UPDATE ledger SET share_bp = 100 WHERE tick = 1")
        execute("UPDATE evidence SET entry = 7 WHERE id = 2")
    said = [str(finding) for finding in audit.verify(store_engine).findings]
    assert len(said) == 2
    key = f'{{"rollout_id":"{rollout.id}","slice":"all","tick":1}}'
    assert said[0].startswith(f"row edited: line 6, ledger {key}: its values have the digest")
    assert "row edited: line 10, evidence" in said[1]
    assert said[1].endswith("2 rows are there, 2 were written")
