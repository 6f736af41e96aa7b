"""Callers count what really came back: every request once, every answer on its side."""

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest

from deployments.demo.callers import Callers, Tally
from tests.builders import APRIL

COLUMNS = (("distance", "FP64"), ("carrier", "BYTES"), ("at", "BYTES"))
INSTANT = pa.timestamp("us", tz="UTC")


def answer(value, status=200):
    return status, json.dumps({"outputs": [{"name": "probability", "data": [value]}]}).encode()


@dataclass
class Plane:
    """What a plane would do: answers by entity, and notes what was asked."""

    answers: dict = field(default_factory=dict)
    seen: list = field(default_factory=list)
    lock: object = field(default_factory=threading.Lock)
    under_way: int = 0
    most: int = 0
    slow: float = 0.0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        plane = self.server.plane
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with plane.lock:
            plane.seen.append((self.path, dict(self.headers), body))
            plane.under_way += 1
            plane.most = max(plane.most, plane.under_way)
        time.sleep(plane.slow)
        with plane.lock:
            plane.under_way -= 1
        entity = self.headers.get("x-entity-id", "")
        told = plane.answers.get(entity, answer(0.25))
        if told is None:  # hang up without a word
            self.close_connection = True
            return
        status, content = told
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.send_header("x-rollout", "flights-gbm-1")
        self.send_header("x-rollout-generation", "3")
        self.send_header("x-rollout-side", "candidate" if entity.startswith("C") else "incumbent")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def serving(**options):
    plane = Plane(**options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.plane = plane
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield plane, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def requests(*entities):
    n = len(entities)
    return pa.table(
        {
            "request_id": [f"r{i}" for i in range(n)],
            "at": pa.array([APRIL + timedelta(minutes=i) for i in range(n)], INSTANT),
            "tailnum": pa.array(entities, pa.string()),
            "distance": [100.0 * i for i in range(n)],
            "carrier": ["UA"] * n,
        }
    )


def sent(url, table, per_second=10_000.0, **options):
    tally = Tally()
    callers = Callers(url, "delays", COLUMNS, "request_id", "at", "tailnum", **options)
    callers.send(table, tally, per_second)
    return tally


def test_every_request_is_sent_once_with_what_the_plane_needs_to_know():
    with serving() as (plane, url):
        tally = sent(url, requests("I1", "I2", "I3"))
    assert (tally.sent, tally.dropped, tally.failed) == (3, 0, 0)
    asked = {headers["x-request-id"]: (path, headers, body) for path, headers, body in plane.seen}
    assert sorted(asked) == ["r0", "r1", "r2"]
    path, headers, body = asked["r1"]
    assert path == "/v2/models/delays/infer"
    assert (headers["x-entity-id"], headers["x-request-at"]) == ("I2", "2013-04-01T00:01:00Z")
    assert body == {
        "inputs": [
            {"name": "distance", "shape": [1], "datatype": "FP64", "data": [100.0]},
            {"name": "carrier", "shape": [1], "datatype": "BYTES", "data": ["UA"]},
            {"name": "at", "shape": [1], "datatype": "BYTES", "data": ["2013-04-01T00:01:00Z"]},
        ]
    }


@pytest.mark.parametrize("nobody", [None, ""])
def test_a_request_of_nobody_names_no_entity(nobody):
    with serving() as (plane, url):
        sent(url, requests(nobody))
    ((_, headers, _),) = plane.seen
    assert "x-entity-id" not in headers


def test_answers_are_counted_by_rollout_generation_and_side():
    with serving() as (_, url):
        tally = sent(url, requests("C1", "I1", "C2", "C3"))
    assert tally.by_side == {
        ("flights-gbm-1", 3, "candidate"): 3,
        ("flights-gbm-1", 3, "incumbent"): 1,
    }


@pytest.mark.parametrize(
    "told",
    [
        answer(1.5), answer(-0.1), answer("0.5"), answer(None), answer(float("nan")), answer(0.5, status=503),
        (200, b"not json"), (200, b'{"outputs": []}'), (200, b"[]"), (200, b"{}"),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_probability_is_a_failed_one(told):
    with serving(answers={"I2": told}) as (_, url):
        tally = sent(url, requests("I1", "I2", "I3"))
    assert (tally.sent, tally.dropped, tally.failed) == (3, 0, 1)
    assert sum(tally.by_side.values()) == 3  # it was answered, and by a side


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, 1e-300])
def test_the_ends_of_the_range_are_probabilities(value):
    with serving(answers={"I1": answer(value)}) as (_, url):
        assert sent(url, requests("I1")).failed == 0


def test_no_answer_at_all_is_a_dropped_request_and_the_others_go_on():
    with serving(answers={"I2": None}) as (_, url):
        tally = sent(url, requests("I1", "I2", "I3"))
    assert (tally.sent, tally.dropped, tally.failed) == (3, 1, 0)
    assert sum(tally.by_side.values()) == 2


def test_nobody_listening_drops_everything_and_says_so():
    with serving() as (_, url):
        pass
    tally = sent(url, requests("I1", "I2"))
    assert (tally.sent, tally.dropped, tally.by_side) == (2, 2, {})


def test_nothing_to_send_is_nothing_sent():
    with serving() as (plane, url):
        tally = sent(url, requests())
    assert (tally, plane.seen) == (Tally(), [])


def test_a_tally_goes_on_from_call_to_call():
    with serving() as (_, url):
        tally = Tally()
        callers = Callers(url, "delays", COLUMNS, "request_id", "at", "tailnum")
        callers.send(requests("I1"), tally, 10_000)
        callers.send(requests("I1", "I2"), tally, 10_000)
    assert tally.sent == 3


def test_requests_start_no_faster_than_the_pace():
    began = time.perf_counter()
    with serving() as (_, url):
        sent(url, requests(*["I1"] * 21), per_second=100)
    assert time.perf_counter() - began >= 0.2


def test_no_more_are_under_way_than_there_are_callers():
    with serving(slow=0.02) as (plane, url):
        sent(url, requests(*["I1"] * 12), concurrency=3)
    assert 1 <= plane.most <= 3
    assert len(plane.seen) == 12
