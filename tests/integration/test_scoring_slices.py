"""A window whose plan has slices, splits by columns outside of the contract, and asks what answers cost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import numpy as np
import pyarrow as pa
import pytest

from headgate.adapters.models import HttpModel
from headgate.adapters.oip import decode
from headgate.adapters.scoring import score, shares_of
from headgate.errors import InputError
from headgate.evidence import Entry
from headgate.ports import Side, Status
from headgate.tables import exchanges_schema
from tests.builders import APRIL, PLAN, plan
from tests.integration.oip_server import answer, serve

INPUT = {"columns": {"distance": {"type": "integer"}}}
SLICES = [
    {"name": "far", "where": "distance >= 30", "steps": PLAN["steps"]},
    {"name": "jfk", "where": "distance < 30 and origin == 'JFK'", "steps": PLAN["steps"]},
]
COST = {"name": "spent", "metric": "cost", "margin": 0.1}
SHADOW = (Entry(0, 0, 0, APRIL - timedelta(days=1)),)
RAMP = (*SHADOW, Entry(1, 1, 500, APRIL + timedelta(minutes=20)))


def requests(n=50):
    return pa.table(
        {
            "request_id": [f"r{i:04}" for i in range(n)],
            "at": pa.array([APRIL + timedelta(minutes=i) for i in range(n)], pa.timestamp("us", "UTC")),
            "tailnum": [f"N{i % 9}" for i in range(n)],
            "distance": range(n),
            "origin": ["JFK" if i % 3 else "LGA" for i in range(n)],
            "carrier": ["AA" if i % 2 else None for i in range(n)],
        }
    )


def run(table, the_plan, share_of, *, costs=None):
    """Score with two servers; ``costs`` makes the second tensor of every answer, None: there is none."""

    def told(distances):
        outputs = [{"name": "p", "shape": [len(distances)], "data": [0.5] * len(distances)}]
        if costs is not None:
            outputs.append({"name": "cost", "datatype": "FP64", "data": [costs(d) for d in distances]})
        return answer({"model_version": "1", "outputs": outputs})

    async def scored(*both):
        async with httpx.AsyncClient() as client:
            models = [
                HttpModel(
                    ref.model_copy(update={"url": server.url}),
                    the_plan.serving, the_plan.answers, client, contract=the_plan.input,
                )
                for ref, server in zip((the_plan.incumbent, the_plan.candidate), both, strict=True)
            ]  # fmt: skip
            return await score(
                table, the_plan, *models, window="w", share_of=share_of, versions=dict.fromkeys(Side, "1")
            )

    with serve() as incumbent, serve() as candidate:
        for server in (incumbent, candidate):
            server.fault = lambda _call, server=server: told(server.seen[-1]["inputs"][0]["data"])
        return asyncio.run(scored(incumbent, candidate)), candidate


def test_only_requests_of_slices_that_are_compared_are_scored_each_at_its_slices_share():
    of = plan(steps=None, slices=SLICES, input=INPUT)
    result, candidate = run(requests(), of, {"far": shares_of(SHADOW), "jfk": shares_of(RAMP)})
    table = result.table
    assert table.schema == exchanges_schema([], sliced=True)
    told = dict(zip(table["request_id"].to_pylist(), table["slice"].to_pylist(), strict=True))
    assert told == {f"r{i:04}": "far" if i >= 30 else "jfk" for i in range(50) if i >= 30 or i % 3}
    expected = [500 if name == "jfk" and int(rid[1:]) >= 20 else 0 for rid, name in told.items()]
    assert table["share_bp"].to_pylist() == expected
    counts = {"read": 50, "outside_slices": 10, "scored": 40, "slice.far": 20, "slice.jfk": 20}
    assert {key: result.counts[key] for key in counts} == counts
    assert sum(len(body["inputs"][0]["data"]) for body in candidate.seen) == 40


def test_a_slice_that_is_done_is_not_scored_any_more():
    of = plan(steps=None, slices=SLICES, input=INPUT)
    result, _ = run(requests(), of, {"jfk": shares_of(SHADOW)})
    assert set(result.table["slice"].to_pylist()) == {"jfk"}
    assert result.counts["outside_slices"] == 30


def test_a_request_that_two_slices_claim_stops_the_window():
    twice = [SLICES[0], {**SLICES[1], "where": "origin == 'JFK'"}]
    with pytest.raises(InputError, match="in both 'far' and 'jfk'"):
        run(requests(), plan(steps=None, slices=twice, input=INPUT), {"far": shares_of(SHADOW)})


def test_a_segment_column_outside_of_the_contract_is_kept_and_not_sent():
    of = plan(input=INPUT, segments={"by": ["carrier"], "gates": {"quality": 0.1}})
    result, candidate = run(requests(4), of, shares_of(SHADOW))
    assert result.table["seg_carrier"].to_pylist() == [None, "AA", None, "AA"]
    assert [tensor["name"] for tensor in candidate.seen[0]["inputs"]] == ["distance"]
    of = plan(input=INPUT, segments={"by": ["weather"], "gates": {"quality": 0.1}})
    with pytest.raises(InputError, match="asked segment column 'weather'"):
        run(requests(4), of, shares_of(SHADOW))


def test_what_an_answer_costs_is_kept_where_the_plan_asks_for_it():
    of = plan(input=INPUT, gates=[*PLAN["gates"], COST])
    result, _ = run(requests(5), of, shares_of(SHADOW), costs=lambda d: d / 10)
    assert result.table.schema == exchanges_schema([], costs=True)
    assert result.table["candidate_cost"].to_pylist() == [0.0, 0.1, 0.2, 0.3, 0.4]
    plain, _ = run(requests(5), plan(input=INPUT), shares_of(SHADOW), costs=lambda d: d / 10)
    assert plain.table.schema == exchanges_schema([])


def test_a_server_that_tells_no_cost_leaves_it_unknown():
    of = plan(input=INPUT, gates=[*PLAN["gates"], COST])
    result, _ = run(requests(5), of, shares_of(SHADOW))
    assert result.table["incumbent_cost"].null_count == 5


@pytest.mark.parametrize(
    ("tensor", "costs"),
    [
        ('{"name":"cost","data":[1,2.5]}', [1.0, 2.5]),
        ('{"name":"cost","data":[null,true]}', [None, None]),
        ('{"name":"cost","data":[NaN,Infinity]}', [None, None]),
        ('{"name":"cost","data":["1",-3]}', [None, -3.0]),
        ('{"name":"cost","data":[1]}', ()),
        ('{"name":"cost","data":7}', ()),
        ('{"name":"other","data":[1,2]}', ()),
        ("7", ()),
    ],
)
def test_costs_are_read_from_a_second_tensor_and_never_harm_the_answers(tensor, costs):
    body = f'{{"model_version":"1","outputs":[{{"name":"p","data":[0.5,0.25]}},{tensor}]}}'
    said = decode(body.encode(), 2, (0.0, 1.0))
    assert (list(said.predictions), said.statuses, said.costs) == ([0.5, 0.25], [Status.OK] * 2, costs)
    assert not any(isinstance(cost, np.floating) for cost in said.costs)
