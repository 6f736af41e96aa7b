"""The HTTP model client against real servers that misbehave."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from starlette.responses import Response

from headgate.adapters.circuit import Breaker
from headgate.adapters.models import HttpModel
from headgate.errors import ModelRefused, ModelUnavailable
from headgate.plan.model import InputContract, ModelRef, Serving
from headgate.ports import Status
from tests.integration.oip_server import Server, answer, serve

# Quick to ask again, patient with a busy machine: what tests a timeout says so.
QUICK = {"timeout": "10s", "retry": {"attempts": 3, "base": "1ms"}}
ROWS = {"distance": [100, 200, 300]}


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def ask(server, do, *, serving=None, **options):
    """Run ``do(model)`` against the server and return what it returns."""

    async def run():
        ref = ModelRef(kind="http", url=server.url, model="delays", version="1")
        async with httpx.AsyncClient() as client:
            model = HttpModel(
                ref, Serving.model_validate(QUICK | (serving or {})), (0.0, 1.0), client, **options
            )
            return await do(model)

    return asyncio.run(run())


def infer(server, columns=ROWS, **options):
    return ask(server, lambda model: model.infer(columns), **options)


def test_a_good_answer_is_predictions_with_the_version(server):
    answers = infer(server)
    assert list(answers.predictions) == [0.01, 0.02, 0.03]
    assert list(answers.statuses) == [Status.OK] * 3
    assert answers.version == "1"
    assert not answers.details


def test_columns_travel_as_typed_tensors_with_null_for_missing(server):
    contract = InputContract.model_validate(
        {"columns": {name: {"type": kind} for name, kind in [
            ("distance", "integer"), ("wind", "number"), ("carrier", "category"),
            ("holiday", "boolean"), ("seen_at", "timestamp"),
        ]}}
    )  # fmt: skip
    columns = {
        "distance": [100, None],
        "wind": [None, math.nan],
        "carrier": ["UA", None],
        "holiday": [True, False],
        "seen_at": [datetime(2013, 4, 1, 12, tzinfo=UTC), None],
    }
    infer(server, columns, contract=contract)
    tensors = {t["name"]: (t["datatype"], t["shape"], t["data"]) for t in server.seen[0]["inputs"]}
    assert tensors == {
        "distance": ("INT64", [2], [100, None]),
        "wind": ("FP64", [2], [None, None]),
        "carrier": ("BYTES", [2], ["UA", None]),
        "holiday": ("BOOL", [2], [True, False]),
        "seen_at": ("BYTES", [2], ["2013-04-01T12:00:00+00:00", None]),
    }


@pytest.mark.parametrize("bad", [None, "0.5", True, 1.5, -0.1, [0.5], {"p": 0.5}, 10**400])
def test_a_value_that_is_no_probability_spoils_only_its_own_row(server, bad):
    text = b'{"model_version":"1","outputs":[{"data":[0.1,%s,0.3]}]}'
    value = str(bad).encode() if isinstance(bad, int) and not isinstance(bad, bool) else None
    import orjson

    body = text % (value or orjson.dumps(bad))
    server.fault = lambda _call: Response(body)
    answers = infer(server)
    assert list(answers.predictions) == [0.1, None, 0.3]
    assert list(answers.statuses) == [Status.OK, Status.INVALID, Status.OK]
    assert list(answers.details) == [1]
    assert answers.version == "1"


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity"])
def test_the_words_that_python_writes_for_no_number_spoil_only_their_row(server, word):
    server.fault = lambda _call: Response(b'{"model_version":"1","outputs":[{"data":[0.1,%s,0.3]}]}' % word)
    assert list(infer(server).statuses) == [Status.OK, Status.INVALID, Status.OK]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>oops</html>",
        b"null",
        b"[]",
        b"7",
        b'{"outputs":[]}',
        b'{"outputs":[{"data":null}]}',
        b'{"outputs":[{"data":[0.1,0.2]}]}',
        b'{"outputs":[{"data":[0.1,0.2,0.3,0.4]}]}',
        b'{"outputs":"abc"}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
    ],
)
def test_a_body_that_is_no_answer_makes_the_batch_invalid_and_is_not_asked_for_again(server, body):
    server.fault = lambda _call: Response(body)
    answers = infer(server)
    assert list(answers.statuses) == [Status.INVALID] * 3
    assert list(answers.predictions) == [None] * 3
    assert server.calls == 1


@pytest.mark.parametrize("code", [500, 502, 503, 429])
def test_a_server_that_fails_for_a_while_is_asked_again_until_it_answers(server, code):
    server.fault = lambda call: Response("busy", code) if call < 2 else None
    answers = infer(server)
    assert list(answers.statuses) == [Status.OK] * 3
    assert server.calls == 3


def test_a_server_that_goes_on_failing_is_an_error_after_the_last_attempt(server):
    server.fault = lambda _call: Response("no", 500)
    answers = infer(server)
    assert list(answers.statuses) == [Status.ERROR] * 3
    assert "HTTP 500: no" in answers.details[0]
    assert server.calls == 3


@pytest.mark.parametrize("code", [301, 400, 404, 422])
def test_a_refusal_is_never_repeated_and_keeps_the_servers_own_words(server, code):
    server.fault = lambda _call: Response("no such column", code)
    answers = infer(server)
    assert list(answers.statuses) == [Status.ERROR] * 3
    assert "no such column" in answers.details[2]
    assert server.calls == 1


def test_a_server_that_hangs_times_out_on_every_try(server):
    server.delay = 5.0
    answers = infer(server, serving={"timeout": "50ms"})
    assert list(answers.statuses) == [Status.TIMEOUT] * 3
    assert server.calls == 3


def test_calls_after_a_hang_are_answered(server):
    async def hang_then_mend(model):
        server.delay = 5.0
        first = await asyncio.gather(*(model.infer(ROWS) for _ in range(8)))
        server.delay = 0.0
        return first, await asyncio.gather(*(model.infer(ROWS) for _ in range(8)))

    hung, mended = ask(server, hang_then_mend, serving={"timeout": "100ms"})
    assert {status for answers in hung for status in answers.statuses} == {Status.TIMEOUT}
    assert {status for answers in mended for status in answers.statuses} == {Status.OK}


def test_a_server_that_drips_its_answer_times_out_all_the_same():
    async def run():
        async def drip(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            try:
                for _ in range(1000):
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.02)
            except ConnectionError:
                pass
            finally:
                writer.close()

        listener = await asyncio.start_server(drip, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        ref = ModelRef(kind="http", url=f"http://127.0.0.1:{port}", model="delays", version="1")
        serving = Serving.model_validate({"timeout": "100ms", "retry": {"attempts": 1}})
        async with listener, httpx.AsyncClient() as client:
            return await HttpModel(ref, serving, (0.0, 1.0), client).infer(ROWS)

    assert list(asyncio.run(run()).statuses) == [Status.TIMEOUT] * 3


def test_nobody_listening_is_an_error_not_an_exception():
    nobody = Server(url="http://127.0.0.1:9")
    answers = infer(nobody)
    assert list(answers.statuses) == [Status.ERROR] * 3
    assert answers.version is None
    assert ask(nobody, lambda model: model.ready()) is False
    with pytest.raises(ModelUnavailable):
        ask(nobody, lambda model: model.metadata())


def test_retry_after_is_waited_for(server):
    server.fault = lambda call: (
        Response(status_code=429, headers={"retry-after": "0.15"}) if not call else None
    )

    async def timed(model):
        loop = asyncio.get_running_loop()
        begun = loop.time()
        answers = await model.infer(ROWS)
        return answers, loop.time() - begun

    answers, seconds = ask(server, timed)
    assert list(answers.statuses) == [Status.OK] * 3
    assert seconds >= 0.15


def test_a_server_that_asks_for_an_hour_counts_as_down(server):
    server.fault = lambda _call: Response(status_code=503, headers={"retry-after": "3600"})
    assert list(infer(server).statuses) == [Status.ERROR] * 3
    assert server.calls == 1


def test_a_retry_after_that_is_a_date_is_held_against_the_servers_own_clock(server):
    headers = {"date": "Mon, 01 Apr 2013 12:00:00 GMT", "retry-after": "Mon, 01 Apr 2013 13:00:00 GMT"}
    server.fault = lambda _call: Response(status_code=503, headers=headers)
    assert list(infer(server).statuses) == [Status.ERROR] * 3
    assert server.calls == 1  # an hour is too long, though 2013 is over


def test_no_more_calls_are_under_way_than_the_plan_allows(server):
    server.delay = 0.02

    async def many(model):
        return await asyncio.gather(*(model.infer(ROWS) for _ in range(20)))

    # Patient: a call given up is still under way at a busy server while its retry starts.
    ask(server, many, serving={"concurrency": 3, "timeout": "30s"})
    assert server.most_under_way == 3


def test_a_failing_server_is_left_alone_and_probed_once_when_it_may_have_recovered(server):
    now = [0.0]
    serving = Serving.model_validate(
        QUICK | {"retry": {"attempts": 1}, "circuit": {"min_calls": 4, "half_open_after": "30s"}}
    )
    breaker = Breaker(serving.circuit, clock=lambda: now[0])

    async def story(model):
        server.fault = lambda _call: Response("down", 500)
        for _ in range(10):
            last = await model.infer(ROWS)
        while_open = server.calls
        now[0] = 31.0
        probed = await asyncio.gather(*(model.infer(ROWS) for _ in range(5)))
        after_probe = server.calls
        server.fault = lambda _call: None
        now[0] = 62.0
        mended = [await model.infer(ROWS) for _ in range(3)]
        return last, while_open, probed, after_probe, mended

    last, while_open, probed, after_probe, mended = ask(
        server, story, serving=serving.model_dump(mode="json"), breaker=breaker
    )
    assert while_open == 4
    assert "circuit is open" in last.details[0]
    assert after_probe == 5
    assert {status for answers in probed for status in answers.statuses} == {Status.ERROR}
    assert {status for answers in mended for status in answers.statuses} == {Status.OK}


def test_a_changed_version_shows_in_the_next_answer(server):
    async def twice(model):
        first = await model.infer(ROWS)
        server.version = "2"
        return first.version, (await model.infer(ROWS)).version

    assert ask(server, twice) == ("1", "2")


def test_metadata_names_the_model_and_its_version(server):
    said = ask(server, lambda model: model.metadata())
    assert (said.name, said.version) == ("delays", "1")
    assert ask(server, lambda model: model.ready()) is True


def test_metadata_that_is_none_is_refused_in_words(server):
    server.fault = lambda _call: answer({"hello": "world"})
    with pytest.raises(ModelRefused, match="asked for metadata with a name and versions"):
        ask(server, lambda model: model.metadata())


def test_columns_of_different_length_are_the_callers_mistake(server):
    with pytest.raises(ValueError, match="one length"):
        infer(server, {"distance": [1], "wind": [1, 2]})
