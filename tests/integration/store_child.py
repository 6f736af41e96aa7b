"""What processes beside the test do to a store.

Each says "ready" and waits for a word before it acts, so that several start at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from headgate.adapters import store
from headgate.adapters.store.batches import put_evidence
from headgate.adapters.store.engine import writing
from headgate.adapters.store.rollout_rows import row_of
from headgate.errors import StandDown
from tests.integration.stores import batch, tick


def connect(pipe: Connection, url: str) -> None:
    wait(pipe)
    engine = store.connect(url)
    pipe.send(store.describe(engine))
    engine.dispose()


def record(pipe: Connection, url: str, rollout_id: str, run: str) -> None:
    engine = store.connect(url)
    rollout = store.get(engine, rollout_id)
    wait(pipe)
    own(pipe, lambda: store.record(engine, rollout, tick(rollout, 1, run)))
    engine.dispose()


def ingest(pipe: Connection, url: str, rollout_id: str, run: str) -> None:
    engine = store.connect(url)
    read = {"tick": 1, "expected": store.cursor(engine, "flight-delays"), "position": {"log": 9}}
    wait(pipe)
    seen = {"all": {0: [run]}}
    own(pipe, lambda: store.ingest(engine, rollout_id, [batch(part=run)], **read, entities=seen))
    engine.dispose()


def die(pipe: Connection, url: str, rollout_id: str) -> None:
    """Write what a tick writes, and never commit: the test ends this process."""
    engine = store.connect(url)
    wait(pipe)
    with writing(engine) as session:
        rollout = row_of(session, rollout_id, lock=True)
        put_evidence(session, rollout_id, [batch(day) for day in range(5000)], 1)
        rollout.version += 1
        session.flush()
        pipe.send("written")
        time.sleep(60)


def hold(pipe: Connection, url: str, rollout_id: str) -> None:
    """Hold the write lock until a word comes."""
    engine = store.connect(url)
    with writing(engine) as session:
        row_of(session, rollout_id, lock=True)
        wait(pipe)
    engine.dispose()


def wait(pipe: Connection) -> None:
    pipe.send("ready")
    pipe.recv()


def own(pipe: Connection, act: Callable[[], object]) -> None:
    try:
        act()
    except StandDown:
        pipe.send("stood down")
    else:
        pipe.send("owned")
