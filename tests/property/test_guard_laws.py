"""Laws of the guard: one contract for one request and for windows; no input is ever more than a refusal."""

import math
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.contract import check
from headgate.contract.plainly import Plainly
from headgate.guard.asked import Door
from headgate.guard.budgets import Repeats
from headgate.guard.order import plan_order, stand_ins
from headgate.guard.problems import Refused
from headgate.guard.words import Failure, StandIn
from headgate.plan.guarding import RetryBudget, SafeDefault
from headgate.plan.model import InputContract, Serving
from headgate.ports import Side
from headgate.tables.terms import in_our_terms, row_in_our_terms
from tests.builders import plan

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
TERMS = {"word": {"American": "AA", "U.A.": "UA"}}
CONTRACT = {
    "columns": {
        "count": {"type": "integer", "min": -5, "max": 5},
        "size": {"type": "number", "max": 9.5, "missing": "allow"},
        "word": {"type": "category", "values": ["AA", "UA"], "other": "flag"},
        "text": {"type": "category", "missing": "allow"},
        "yes": {"type": "boolean"},
        "when": {"type": "timestamp", "missing": "allow"},
    },
    "freshness": {"seen": "3h"},
    "provenance": {"source": ["noaa"], "system": []},
    "terminology": TERMS,
}
hours = st.timedeltas(timedelta(hours=-30), timedelta(hours=30)).map(lambda age: NOW - age)
times = hours | hours.map(lambda at: at.replace(tzinfo=None))
words = st.sampled_from(["AA", "UA", "American", "", "noaa", "x\u0000y", "🛫"])
values = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.integers(-6, 6), st.floats(), words, times,
    )  # fmt: skip
fine = {
    "count": st.integers(-5, 5), "size": st.none() | st.floats(-9, 9.5), "word": st.just("AA"),
    "text": st.none() | words, "yes": st.booleans(), "when": st.none() | hours,
    "seen": st.timedeltas(timedelta(0), timedelta(hours=4)).map(lambda age: NOW - age),
    "source": st.sampled_from(["noaa", "blog"]), "system": st.just("etl") | st.just(""),
}  # fmt: skip
rows = st.fixed_dictionaries({name: st.one_of(good, good, good, values) for name, good in fine.items()})


@given(rows, st.sampled_from(["reject", "flag"]))
@settings(max_examples=60)
def test_what_is_plainly_fine_is_flawless_to_the_contract_of_windows(row, on_invalid):
    contract = InputContract.model_validate(CONTRACT | {"on_invalid": on_invalid})
    table = pa.table({name: [value] for name, value in row.items()} | {"at": [NOW]})
    checked = check(table, contract)
    if Plainly(contract).fine(row, NOW):
        assert checked.mask_ok[0]
        assert not checked.flagged[0]
        assert checked.reasons == {}


def test_a_flawless_request_is_told_without_the_slow_way():
    row = {"count": 1, "size": None, "word": "AA", "text": "x", "yes": True, "when": NOW, "seen": NOW}
    row |= {"source": "noaa", "system": "etl"}
    plainly = Plainly(InputContract.model_validate(CONTRACT))
    assert plainly.fine(row, NOW)
    for wrong in ({"count": True}, {"size": math.nan}, {"word": "XX"}, {"seen": NOW - timedelta(hours=4)}):
        assert not plainly.fine(row | wrong, NOW)


@given(st.lists(words | st.none(), min_size=1, max_size=5))
@settings(max_examples=50)
def test_terms_become_ours_alike_in_one_request_and_in_a_window(column):
    table, counts = in_our_terms(pa.table({"word": pa.array(column, pa.string())}), TERMS)
    one_by_one = [{"word": value} for value in column]
    changed = sum(bool(row_in_our_terms(row, TERMS)) for row in one_by_one)
    assert table["word"].to_pylist() == [row["word"] for row in one_by_one]
    assert counts["word"] == changed


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from([*fine, "x", ""]) | json_values,
        "shape": st.sampled_from([[1], [1, 1], [2], [True]]) | json_values,
        "datatype": st.sampled_from(["FP64", "BYTES"]) | json_values,
        "data": json_values.map(lambda value: [value]) | json_values,
    },
)
bodies = st.binary(max_size=200) | st.one_of(
    json_values, st.fixed_dictionaries({"inputs": st.lists(tensors, max_size=9) | json_values})
).map(lambda body: orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS) if _fits(body) else b"{}")
header_values = st.binary(max_size=40) | st.sampled_from(
    [b"N1", b"2026-03-01T09:00:00Z", b"0001-01-01T00:00:00+14:00"]
)
headers = st.lists(
    st.tuples(
        st.sampled_from([b"x-entity-id", b"x-request-id", b"x-request-at", b"x-headgate-slice"]),
        header_values,
    ),
    max_size=4,
)
DOOR = Door(plan(input=CONTRACT), lambda: "made-up")


def _fits(value):
    try:
        orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # beyond 64 bits
        return False
    return True


@given(headers, bodies)
@settings(max_examples=60)
def test_whatever_comes_is_read_or_refused_with_a_4xx_and_a_reason(raw, body):
    asked, refused = _read(raw, body)
    if refused is not None:
        assert 400 <= refused.problem.status < 500
        assert refused.reasons
        assert orjson.dumps(refused.problem.body("r"))
    else:
        assert set(asked.sent) == set(CONTRACT["columns"])


def _read(raw, body):
    try:
        return DOOR.read(raw, body, NOW), None
    except Refused as err:
        return None, err


@given(rows)
@settings(max_examples=60)
def test_a_row_of_any_values_is_let_in_exactly_when_windows_let_it_in(row):
    said = {name: _as_json(value) for name, value in row.items()}
    inputs = [{"name": n, "shape": [1], "datatype": "BYTES", "data": [v]} for n, v in said.items()]
    body = orjson.dumps({"inputs": inputs})
    told = orjson.loads(body)["inputs"]
    seen = {t["name"]: _back(t["name"], t["data"][0]) for t in told}
    row_in_our_terms(seen, TERMS)
    table = pa.table({name: [value] for name, value in seen.items()} | {"at": [NOW]})
    verdict = bool(check(table, InputContract.model_validate(CONTRACT)).mask_ok[0])
    _, refused = _read([(b"x-request-at", NOW.isoformat().encode())], body)
    assert verdict == (refused is None)


def _as_json(value):
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _back(name, value):
    if name in ("when", "seen") and isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value


orders = st.lists(st.sampled_from(["review", "queue", SafeDefault(safe_default=0.5)]), unique_by=str).map(
    lambda behind: Serving(fallback=("incumbent", *behind))
)


@given(orders, st.sampled_from(Failure), st.sampled_from([None, *Side]))
@settings(max_examples=60)
def test_those_who_stand_in_keep_the_plans_order_and_nobody_stands_in_for_himself(serving, failure, side):
    found = stand_ins(serving, failure, side)
    order = plan_order(serving)
    assert [one for one in order if one in found] == list(found)
    assert not (side is Side.INCUMBENT and StandIn.INCUMBENT in found)
    assert not (failure is Failure.REFUSED and StandIn.QUEUE in found)


@given(st.lists(st.sampled_from(["ask", "again", "wait"]), max_size=200), st.floats(0, 1), st.integers(0, 10))
@settings(max_examples=60)
def test_m20_repeats_never_pass_their_budget_whatever_the_order(acts, share, least):
    now = [0.0]
    budget = Repeats(RetryBudget(share=share, least=least), clock=lambda: now[0])
    asked = again = 0
    for act in acts:
        match act:
            case "ask":
                budget.asked()
                asked += 1
            case "again":
                again += budget.again()
                assert again <= least + share * asked + 1
            case "wait":
                now[0] += 11.0  # a window later all is forgotten
                asked = again = 0
