"""The guard's queue on both its databases: nothing lost, nothing doubled, whoever drains and however many."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import make_url, text

from headgate.adapters.guard.queue import Backlog, DurableQueue, Put, Queued, State
from headgate.errors import StoreError

NOW = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)
KEEP = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def opened(store_url):
    """Open queues over one database, each as a guard of its own would."""
    queues = []

    def one(service="flight-delays", most=1000, patience=5.0):
        queues.append(DurableQueue(store_url, service, most=most, keep=KEEP, patience=patience))
        return queues[-1]

    yield one
    for queue in queues:
        queue.close()


def asked(name, digest="d" * 64, **changes):
    return Queued(name, digest, b'{"inputs": []}', **({"entity": "N1", "slice": None, "at": NOW} | changes))


def test_what_is_put_is_found_as_it_was_and_an_id_means_one_request_of_one_service(opened):
    queue, other = opened(most=2), opened(service="other")
    one = Queued("r1", "d" * 64, b'\x00\xff{"inputs"', "N1 é🛫", "aa", NOW)
    assert queue.put(one, NOW) is Put.KEPT
    assert queue.find("r1") == one
    assert (queue.find("r2"), other.find("r1")) == (None, None)
    assert queue.put(one, NOW) is Put.THERE
    assert queue.put(asked("r1", "e" * 64), NOW) is Put.OTHER
    assert [queue.put(asked(name), NOW + MINUTE) for name in ("r2", "r3")] == [Put.KEPT, Put.FULL]
    assert queue.backlog() == Backlog(2, NOW)
    assert other.backlog() == Backlog(0, None)


def test_m20_drainers_side_by_side_lease_nothing_twice_and_record_one_answer_each(opened):
    queue, names = opened(), [f"r{i:02}" for i in range(40)]
    for name in names:
        queue.put(asked(name), NOW)
    start, both = threading.Barrier(4), [opened(), opened()]

    def drain(number):
        mine, leased = both[number % 2], []
        start.wait()
        while some := mine.lease(NOW, most=3, until=NOW + MINUTE):
            for one in some:
                assert mine.record(one.request_id, f"{number}".encode(), NOW)
            leased += [(one.request_id, number) for one in some]
        return leased

    with ThreadPoolExecutor(4) as pool:
        leased = [one for mine in pool.map(drain, range(4)) for one in mine]
    assert sorted(name for name, _ in leased) == names
    for name, number in leased:
        assert not queue.record(name, b"another", NOW)  # the first answer stands
        found = queue.find(name)
        assert (found.state, found.answer, found.tries) == (State.ANSWERED, b"%d" % number, 1)


def test_m20_of_two_guards_that_put_the_same_id_at_once_one_keeps_it(opened):
    start, guards = threading.Barrier(2), [opened(), opened()]

    def put(queue, digest):
        found = []
        for i in range(10):
            start.wait()
            found.append(queue.put(asked(f"r{i}", digest), NOW))
        return found

    with ThreadPoolExecutor(2) as pool:
        found = list(zip(*pool.map(put, guards, ("d" * 64, "e" * 64)), strict=True))
    assert {frozenset(two) for two in found} == {frozenset({Put.KEPT, Put.OTHER})}


def test_what_a_drainer_left_is_free_after_its_lease_and_what_is_put_off_waits(opened):
    queue, other = opened(), opened()
    for i, name in enumerate(("first", "second")):
        queue.put(asked(name), NOW + i * MINUTE)
    later = NOW + 2 * MINUTE

    def names(at, most=9):
        return [one.request_id for one in other.lease(at, most=most, until=at + MINUTE)]

    assert [one.request_id for one in queue.lease(later, most=1, until=later + 5 * MINUTE)] == ["first"]
    assert (names(later), names(later)) == (["second"], [])
    queue.postpone("second", later + 9 * MINUTE)
    assert names(later + 5 * MINUTE) == ["first"]  # whoever leased it is dead
    assert names(later + 9 * MINUTE) == ["first", "second"]
    assert queue.find("first").tries == 3


def test_what_waited_too_long_is_asked_no_more_and_forgotten_after_as_long_again(opened):
    queue = opened()
    queue.put(asked("old"), NOW)
    queue.put(asked("answered"), NOW)
    assert queue.record("answered", b"{}", NOW)
    over = NOW + KEEP + MINUTE
    queue.put(asked("new"), over)
    assert [one.request_id for one in queue.lease(over, most=9, until=over)] == ["new"]
    assert (queue.expire(over), queue.expire(over)) == (1, 0)
    assert queue.find("old").state is State.EXPIRED
    assert queue.put(asked("old", "e" * 64), over) is Put.OTHER
    assert queue.put(asked("old"), over) is Put.KEPT  # its caller asks again: it is promised anew
    assert queue.find("old").state is State.WAITING
    over += KEEP + MINUTE
    assert queue.put(asked("old"), over) is Put.KEPT  # also while nobody has given it up yet
    over += KEEP + MINUTE
    assert queue.expire(over) == 2
    assert not queue.record("old", b"too late", over)
    assert queue.find("answered") is None
    queue.expire(over + KEEP)
    assert (queue.find("old"), queue.find("new")) == (None, None)


def test_guards_that_start_at_once_before_an_empty_database_all_come_up(opened):
    start = threading.Barrier(4)

    def come_up(number):
        start.wait()
        return opened().put(asked(f"r{number}"), NOW)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(come_up, range(4))) == [Put.KEPT] * 4


def test_a_database_that_somebody_holds_keeps_a_caller_for_a_moment_and_is_told_without_the_request(
    opened, store_url
):
    queue = opened(patience=0.3)
    kind = make_url(store_url).get_backend_name()
    holds = "BEGIN IMMEDIATE" if kind == "sqlite" else "LOCK TABLE guard_queue IN ACCESS EXCLUSIVE MODE"
    with opened()._look.connect() as holder:
        if kind == "sqlite":
            holder.connection.dbapi_connection.execute(holds)
        else:
            holder.execute(text(holds))
        began = time.monotonic()
        with pytest.raises(StoreError, match=r"asked to put; found .*(lock|timeout)") as refused:
            queue.put(asked("r1", entity="N-secret"), NOW)
        assert time.monotonic() - began < 4
        assert "N-secret" not in str(refused.value)
        holder.rollback() if kind != "sqlite" else holder.connection.dbapi_connection.execute("ROLLBACK")
    assert queue.put(asked("r1"), NOW) is Put.KEPT


@pytest.mark.parametrize(
    "url", ["mysql://me:hunter2@db/x", "sqlite://", "postgresql://me:hunter2@127.0.0.1:1/x"]
)
def test_a_queue_that_cannot_be_is_refused_without_its_password(url):
    with pytest.raises(StoreError) as refused:
        DurableQueue(url, "flight-delays", most=1, keep=KEEP, patience=1)
    assert "hunter2" not in str(refused.value)
