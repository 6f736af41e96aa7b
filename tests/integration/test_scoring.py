"""A window of requests scored by two real servers, good and bad."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pyarrow as pa
import pytest
from starlette.responses import Response

from headgate.adapters.models import HttpModel
from headgate.adapters.scoring import Scored, score, shares_of
from headgate.errors import InputError
from headgate.evidence import Entry
from headgate.ports import Answers, Side, Status
from headgate.tables import exchanges_schema
from tests.builders import APRIL, plan
from tests.integration.oip_server import Server, serve

COLUMNS = {
    "distance": {"type": "integer", "min": 0, "max": 10_000},
    "wind": {"type": "number", "missing": "allow"},
    "carrier": {"type": "category", "values": ["AA", "UA"], "other": "flag"},
}
SERVING = {"timeout": "200ms", "retry": {"attempts": 3, "base": "1ms"}, "batch": 7, "concurrency": 3}
SHADOW = (Entry(0, 0, 0, APRIL - timedelta(days=1)),)
PLAN = plan(
    input={"columns": COLUMNS},
    serving=SERVING,
    segments={"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}},
)


def requests(n=50, **changes):
    columns = {
        "request_id": [f"r{i:04}" for i in range(n)],
        "at": [APRIL + timedelta(minutes=i) for i in range(n)],
        "tailnum": [f"N{i % 9}" for i in range(n)],
        "distance": [10 * i for i in range(n)],
        "wind": [None if i % 5 == 0 else i / 2 for i in range(n)],
        "carrier": ["AA" if i % 2 else "UA" for i in range(n)],
        "origin": ["JFK" if i % 3 else "LGA" for i in range(n)],
    }
    return pa.table(columns | changes)


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    with serve() as incumbent, serve() as candidate:
        yield incumbent, candidate


def run(servers, table, the_plan=PLAN, *, entries=SHADOW, progress=None) -> Scored:
    async def scored():
        async with httpx.AsyncClient() as client:
            models = [
                HttpModel(
                    ref.model_copy(update={"url": server.url}),
                    the_plan.serving, the_plan.answers, client, contract=the_plan.input,
                )
                for ref, server in zip((the_plan.incumbent, the_plan.candidate), servers, strict=True)
            ]  # fmt: skip
            return await score(
                table,
                the_plan,
                *models,
                window="w1",
                share_of=shares_of(entries),
                versions=dict.fromkeys(Side, "1"),
                progress=progress,
            )

    return asyncio.run(scored())


def test_every_request_becomes_one_exchange_with_both_answers(servers):
    servers[1].answer = lambda columns: [0.5] * len(columns["distance"])
    result = run(servers, requests())
    assert result.table.schema == exchanges_schema(["origin"])
    assert result.table["request_id"].to_pylist() == [f"r{i:04}" for i in range(50)]
    assert result.table["incumbent_prediction"].to_pylist() == [i / 1000 for i in range(50)]
    assert set(result.table["candidate_prediction"].to_pylist()) == {0.5}
    assert set(result.table["window"].to_pylist()) == {"w1"}
    assert result.table["seg_origin"].to_pylist()[:3] == ["LGA", "JFK", "JFK"]
    assert result.counts["read"] == result.counts["scored"] == 50
    assert result.counts["incumbent_ok"] == result.counts["candidate_ok"] == 50
    assert result.versions == {Side.INCUMBENT: {"1": 50}, Side.CANDIDATE: {"1": 50}}


def test_only_the_contracts_columns_reach_the_models_in_the_contracts_types(servers):
    run(servers, requests(n=3, distance=[1.0, 2.0, 3.0]))
    tensors = {t["name"]: (t["datatype"], t["data"]) for t in servers[0].seen[0]["inputs"]}
    assert tensors == {
        "distance": ("INT64", [1, 2, 3]),
        "wind": ("FP64", [None, 0.5, 1.0]),
        "carrier": ("BYTES", ["UA", "AA", "UA"]),
    }


def test_without_a_contract_every_feature_reaches_the_models_but_not_id_and_time(servers):
    run(servers, requests(n=3), plan(serving=SERVING))
    names = {tensor["name"] for tensor in servers[0].seen[0]["inputs"]}
    assert names == {"tailnum", "distance", "wind", "carrier", "origin"}


def test_batches_and_calls_under_way_are_as_the_plan_says(servers):
    for server in servers:
        server.delay = 0.01
    run(servers, requests(n=100))
    for server in servers:
        sizes = [len(body["inputs"][0]["data"]) for body in server.seen]
        assert sorted(sizes) == [2] + [7] * 14
        assert 2 <= server.most_under_way <= 3


def test_bad_requests_are_counted_and_those_refused_are_exchanges_too(servers):
    table = requests(n=8, distance=[10.0, None, float("inf"), -5.0, float("nan"), 60.0, 70.0, 80.0])
    table = table.set_column(5, "carrier", pa.array(["AA"] * 7 + ["ZZ"]))
    result = run(servers, table)
    rejected = [reason and reason.split(";")[0] for reason in result.table["reject_reason"].to_pylist()]
    refused = [reason is not None for reason in rejected]
    assert rejected == [
        None, "distance.missing", "distance.infinite", "distance.below_min", "distance.not_a_number",
        None, None, None,
    ]  # fmt: skip
    for side in Side:
        statuses = result.table[f"{side}_status"].to_pylist()
        assert [status == Status.REJECTED for status in statuses] == refused
        predictions = result.table[f"{side}_prediction"].to_pylist()
        assert [prediction is None for prediction in predictions] == refused
    assert result.counts["rejected"] == 4
    assert result.counts["scored"] == 4
    assert result.counts["flagged"] == 1
    assert result.counts["input.distance.infinite"] == 1
    assert result.counts["candidate_ok"] == 4


def test_rows_that_cannot_be_exchanges_are_counted_and_nothing_else_is_lost(servers):
    table = requests(n=6, request_id=["a", "b", "b", None, "c", "c"])
    table = pa.concat_tables([table, table.slice(0, 1)])  # an exact copy of the first
    result = run(servers, table)
    assert result.table["request_id"].to_pylist() == ["a"]
    left_out = {key: result.counts[key] for key in ("missing_id", "contradicting_id", "duplicate_id")}
    assert left_out == {"missing_id": 1, "contradicting_id": 4, "duplicate_id": 1}
    assert result.counts["read"] == 7


def test_a_naive_timestamp_is_an_error_and_no_server_is_asked(servers):
    with pytest.raises(InputError, match="time zone"):
        run(servers, requests(n=2, at=[datetime(2013, 4, 1), datetime(2013, 4, 2)]))  # noqa: DTZ001 - the fault
    assert servers[0].calls == servers[1].calls == 0


def test_a_missing_segment_column_is_an_error_that_names_it(servers):
    with pytest.raises(InputError, match=r"segment column 'origin'.*segments\.by"):
        run(servers, requests(n=2).drop_columns(["origin"]))


def test_a_candidate_out_of_range_is_invalid_and_the_incumbent_stands(servers):
    servers[1].answer = lambda columns: [7.0 if d == 20 else 0.5 for d in columns["distance"]]
    result = run(servers, requests(n=5))
    assert result.table["candidate_status"].to_pylist() == ["ok", "ok", "invalid", "ok", "ok"]
    assert result.table["candidate_prediction"].to_pylist()[2] is None
    assert result.table["incumbent_status"].to_pylist() == ["ok"] * 5


def test_a_candidate_that_hangs_times_out_and_does_not_hold_up_the_window_for_ever(servers):
    servers[1].delay = 30.0
    result = run(servers, requests(n=14), plan(serving=SERVING | {"timeout": "50ms"}))
    assert result.counts["candidate_timeout"] == 14
    assert result.counts["incumbent_ok"] == 14


def test_a_server_that_fails_for_a_while_loses_nothing(servers):
    servers[1].fault = lambda call: Response("starting", 503) if call < 2 else None
    result = run(servers, requests(n=30))
    assert result.counts["candidate_ok"] == 30


def test_a_version_that_changes_inside_a_window_shows_in_every_row_and_is_invalid(servers):
    def changing(columns):
        servers[1].version = "2" if columns["distance"][0] >= 70 else "1"
        return [0.5] * len(columns["distance"])

    servers[1].answer = changing
    result = run(
        servers, requests(n=14), plan(serving=SERVING | {"concurrency": 1}, input={"columns": COLUMNS})
    )
    assert result.table["candidate_version"].to_pylist() == ["1"] * 7 + ["2"] * 7
    assert result.table["candidate_status"].to_pylist() == ["ok"] * 7 + ["invalid"] * 7
    assert result.table["candidate_prediction"].to_pylist() == [0.5] * 7 + [None] * 7
    assert result.counts["candidate_other_version"] == 7
    assert result.versions[Side.CANDIDATE] == {"1": 7}
    assert result.versions[Side.INCUMBENT] == {"1": 14}


def test_the_share_in_each_exchange_is_the_one_in_force_when_its_request_came(servers):
    entries = (
        *SHADOW,
        Entry(1, 1, 500, APRIL + timedelta(minutes=2)),
        Entry(2, 0, 0, APRIL + timedelta(minutes=4)),
    )
    result = run(servers, requests(n=6), entries=entries)
    assert result.table["share_bp"].to_pylist() == [0, 0, 500, 500, 0, 0]


def test_an_empty_window_is_an_empty_table_and_asks_nobody(servers):
    result = run(servers, requests(n=0, at=pa.array([], pa.timestamp("us", "UTC"))), plan(serving=SERVING))
    assert result.table.num_rows == 0
    assert servers[0].calls == 0


def test_the_result_is_in_the_order_of_requests_whatever_the_order_of_answers():
    class Shuffled:
        """Answers later batches sooner."""

        async def infer(self, columns):
            await asyncio.sleep(random.Random(columns["distance"][0]).random() / 50)
            values = [d / 10_000 for d in columns["distance"]]
            return Answers(values, [Status.OK] * len(values), None)

    seen = []
    result = asyncio.run(
        score(
            requests(n=200), PLAN, Shuffled(), Shuffled(), window="w", share_of=shares_of(SHADOW),
            progress=lambda done, total: seen.append((done, total)),
        )
    )  # fmt: skip
    assert result.table["candidate_prediction"].to_pylist() == [i / 1000 for i in range(200)]
    assert seen[-1] == (200, 200)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_bug_in_a_model_client_is_not_swallowed():
    class Broken:
        async def infer(self, _columns):
            raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(score(requests(n=9), PLAN, Broken(), Broken(), window="w", share_of=shares_of(SHADOW)))
    assert caught.group_contains(ZeroDivisionError)


def test_times_in_another_zone_are_kept_as_the_same_instants(servers):
    table = requests(n=3)
    place = table.schema.get_field_index("at")
    local = table.set_column(place, "at", table["at"].cast(pa.timestamp("ms", "America/New_York")))
    result = run(servers, local)
    assert result.table["at"].to_pylist()[1] == datetime(2013, 4, 1, 0, 1, tzinfo=UTC)
