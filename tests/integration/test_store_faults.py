"""The store with real processes beside it, and with files that are not what they should be."""

from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import ExitStack, contextmanager

import pytest

from headgate.adapters import store
from headgate.errors import InputError, StoreError
from tests.integration.store_child import connect, die, hold, ingest, record
from tests.integration.stores import batch, opened, tick

# A real process each, forked from one that has imported everything: a fresh one takes seconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.integration.store_child"])


@contextmanager
def child(act, *args):
    """A process that is ready to act, and the pipe to it."""
    here, there = PROCESSES.Pipe()
    process = PROCESSES.Process(target=act, args=(there, *args))
    process.start()
    there.close()
    with here:
        try:
            assert here.recv() == "ready"
            yield process, here
        finally:
            process.kill()
            process.join()


def both(*acts):
    """Let the processes act at the same moment, and return what each said."""
    with ExitStack() as stack:
        pipes = [stack.enter_context(child(*act))[1] for act in acts]
        for pipe in pipes:
            pipe.send("go")
        return [pipe.recv() for pipe in pipes]


def test_two_ticks_at_once_are_one_owner_and_one_that_stands_down(store_engine, store_url):
    rollout = opened(store_engine)
    said = both((record, store_url, rollout.id, "run-a"), (record, store_url, rollout.id, "run-b"))
    assert sorted(said) == ["owned", "stood down"]
    owner = ("run-a", "run-b")[said.index("owned")]
    assert store.owner_of(store_engine, rollout.id, 1) == owner
    assert store.get(store_engine, rollout.id).version == rollout.version + 1
    assert len(store.ticks(store_engine, rollout.id)) == 2


def test_two_readers_of_the_log_at_once_count_it_once(store_engine, store_url):
    rollout = opened(store_engine)
    said = both((ingest, store_url, rollout.id, "run-a"), (ingest, store_url, rollout.id, "run-b"))
    assert sorted(said) == ["owned", "stood down"]
    owner = ("run-a", "run-b")[said.index("owned")]
    assert store.seen(store_engine, rollout.id, 0) == {owner}
    assert [row.part for row in store.evidence(store_engine, rollout.id)] == [owner]


def test_two_starts_at_once_on_nothing_make_one_store(store_url):
    said = both((connect, store_url), (connect, store_url))
    assert all("revision 0005" in line for line in said), said
    engine = store.connect(store_url)
    opened(engine)
    engine.dispose()


def test_a_process_killed_in_mid_transaction_leaves_nothing_of_it(store_engine, store_url):
    rollout = opened(store_engine)
    store.add_evidence(store_engine, rollout.id, [batch()], tick=1)
    with child(die, store_url, rollout.id) as (process, pipe):
        pipe.send("go")
        assert pipe.recv() == "written"
        assert store.get(store_engine, rollout.id) == rollout  # readers do not wait
        process.kill()  # SIGKILL
        process.join()
    engine = store.connect(store_url)
    assert store.evidence(engine, rollout.id) == [batch()]
    assert store.record(engine, rollout, tick(rollout)).version == rollout.version + 1
    engine.dispose()


def test_a_store_that_stays_locked_is_told_so(store_engine, store_url):
    rollout = opened(store_engine)
    with child(hold, store_url, rollout.id) as (process, pipe):
        if store_engine.dialect.name == "sqlite":
            with pytest.raises(StoreError, match="database is locked; another process holds it"):
                store.connect(store_url, patience=0.1)
        else:  # only the rollout's row is held there
            engine = store.connect(store_url, patience=0.1)
            with pytest.raises(StoreError, match=r"lock timeout.*another process holds it"):
                store.record(engine, rollout, tick(rollout))
            engine.dispose()
        assert store.last_tick(store_engine, rollout.id).tick == 0  # reading goes on
        pipe.send("go")
        process.join(30)
    store.record(store_engine, rollout, tick(rollout))


# ---------------------------------------------------------------- files and addresses


def test_a_read_only_store_is_refused(tmp_path):
    path = tmp_path / "store.db"
    store.connect(f"sqlite:///{path}").dispose()
    with pytest.raises(StoreError, match="read-only: give the process write access"):
        store.connect(f"sqlite:///file:{path}?mode=ro&uri=true")


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "store.db"
    path.write_text("requests,labels\n" * 1000)
    with pytest.raises(StoreError, match=r"file is not a database.*name another file"):
        store.connect(f"sqlite:///{path}")
    assert path.read_text().startswith("requests,labels")


def test_a_damaged_store_is_told_so(tmp_path):
    path = tmp_path / "store.db"
    engine = store.connect(f"sqlite:///{path}")
    opened(engine)
    engine.dispose()
    body = bytearray(path.read_bytes())
    body[4096:] = b"\xff" * (len(body) - 4096)
    path.write_bytes(body)
    with pytest.raises(StoreError, match=r"restore it from a backup"):
        store.rollouts(store.connect(f"sqlite:///{path}"))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match="asked a folder for the store"):
        store.connect(f"sqlite:///{tmp_path / 'taken' / 'store.db'}")
    with pytest.raises(StoreError, match="unable to open"):
        store.connect(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("url", ["store.db", "mysql://localhost/x", "sqlite://", "sqlite:///:memory:"])
def test_an_address_that_is_no_store_is_refused_with_an_example(url):
    with pytest.raises(StoreError, match=r"sqlite:///path/to/store\.db"):
        store.connect(url)


def test_a_server_that_does_not_answer_is_refused_without_its_password():
    with pytest.raises(StoreError, match="check that the server runs") as told:
        store.connect("postgresql://me:secret@127.0.0.1:9/store", patience=1)
    assert "secret" not in str(told.value)


def test_the_store_is_as_durable_as_the_order_ledger_first_needs(tmp_path):
    engine = store.connect(f"sqlite:///{tmp_path / 'store.db'}")
    with engine.connect() as connection:
        asked = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_a_ledger_row_that_is_not_ours_is_refused(tmp_path):
    path = tmp_path / "store.db"
    engine = store.connect(f"sqlite:///{path}")
    rollout = opened(engine)
    other = sqlite3.connect(path)
    other.executescript("DROP TRIGGER keep_ledger_update; UPDATE ledger SET body = '{\"v\": 1}';")
    other.close()
    with pytest.raises(StoreError, match="asked a recorded Tick"):
        store.last_tick(engine, rollout.id)
    with pytest.raises(InputError, match="missing-1"):
        store.get(engine, "missing-1")
    engine.dispose()
