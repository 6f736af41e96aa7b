"""Callers: each holds a connection, asks on and on, and writes down whatever it sees."""

import http.client
import threading
import time
from dataclasses import dataclass

from headgate.ports import Side
from headgate.routing import goes_to_candidate

PATH = "/v2/models/model/infer"


@dataclass(frozen=True)
class Answer:
    """One request as its caller saw it; status 0: no whole answer came."""

    entity: str
    status: int
    who: str
    side: Side | None
    generation: int | None
    at: float
    ms: float


class Callers:
    """Callers of one plane, each in a thread of its own, until the block ends.

    ``pause_s`` lies between two requests of a caller. A caller whose connection breaks notes a request
    without an answer and connects again.
    """

    def __init__(self, url, count=2, pause_s=0.002, entities=200, path=PATH, body=b"{}"):
        self._port = int(url.rpartition(":")[2])
        self._pause_s = pause_s
        self._entities = entities
        self._what = (path, body)
        self._stop = threading.Event()
        self._heard = [[] for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._call, args=(n, heard)) for n, heard in enumerate(self._heard)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def heard(self):
        """Return every answer so far, in the order of time."""
        return sorted((answer for heard in self._heard for answer in heard), key=lambda answer: answer.at)

    def heard_from_each(self):
        """Return the answers caller by caller, each in its order."""
        return [list(heard) for heard in self._heard]

    def wait_for(self, count):
        """Wait until so many more answers came; on a machine that has other things to do as well."""
        goal, deadline = self._count() + count, time.monotonic() + 30 + count / 20
        while self._count() < goal:
            assert time.monotonic() < deadline, f"only {self._count()} of {goal} answers came"
            time.sleep(0.005)

    def _count(self):
        return sum(map(len, self._heard))

    def _call(self, caller, heard):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        number = 0
        while not self._stop.is_set():
            number += 1
            answer = ask(connection, f"N{(number * 7 + caller) % self._entities}", *self._what)
            heard.append(answer)
            self._stop.wait(self._pause_s if answer.status else max(self._pause_s, 0.005))
        connection.close()


def ask(connection, entity, path=PATH, body=b"{}"):
    """Send one request; whatever goes wrong is an answer too."""
    at = time.perf_counter()
    try:
        connection.request("POST", path, body, {"x-entity-id": entity})
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        connection.close()  # the next request finds another
        return Answer(entity, 0, "", None, None, at, _ms(at))
    said = response.headers
    side, generation = said["x-rollout-side"], said["x-rollout-generation"]
    return Answer(
        entity,
        response.status,
        said["x-who"] or "",
        Side(side) if side else None,
        int(generation) if generation else None,
        at,
        _ms(at),
    )


def asked(url, entities):
    """Ask for each entity in turn over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", int(url.rpartition(":")[2]), timeout=20)
    try:
        return [ask(connection, entity) for entity in entities]
    finally:
        connection.close()


def errors(answers):
    return [answer for answer in answers if answer.status != 200]


def sides(salt, entities, share_bp):
    """Return where each entity belongs at a share."""
    return [Side.CANDIDATE if goes_to_candidate(salt, e, share_bp) else Side.INCUMBENT for e in entities]


def _ms(since):
    return 1e3 * (time.perf_counter() - since)
