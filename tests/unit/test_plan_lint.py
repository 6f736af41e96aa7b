"""The rules over a whole plan: every one can refuse, and says where and what to do."""

import json
from datetime import timedelta

import pytest

from headgate.errors import PlanError
from headgate.plan import Gate, gate_applies, parse_plan
from headgate.plan.lint import RULES, lint
from headgate.plan.model import Plan

GOOD = {
    "version": 1,
    "name": "flights-gbm",
    "service": "flight-delays",
    "owner": {"name": "Owner", "contact": "owner@example.org"},
    "author": "author@example.org",
    "incumbent": {"kind": "http", "url": "http://127.0.0.1:8101", "model": "delays", "version": "a"},
    "candidate": {"kind": "http", "url": "http://127.0.0.1:8102", "model": "delays", "version": "b"},
    "requests": {"path": "lake/requests"},
    "unit": {"entity": "tailnum"},
    "outcomes": {"path": "lake/outcomes", "label": "late", "known_at": "known_at", "maturity": "2d"},
    "prediction": {"kind": "probability"},
    "input": {
        "columns": {
            "origin": {"type": "category", "values": ["EWR", "JFK", "LGA"], "other": "flag"},
            "hour": {"type": "integer", "min": 0, "max": 23},
            "wind": {"type": "number", "missing": "allow"},
        }
    },
    "gates": [
        {"name": "quality", "metric": "brier", "margin": 0.005, "expect": -0.007},
        {"name": "mirror", "metric": "latency", "quantile": 0.95, "ratio": 1.25, "applies": "shadow"},
        {"name": "errors", "metric": "error_rate", "ceiling": 0.01, "from": 5},
    ],
    "segments": {"by": ["origin"], "gates": {"quality": 0.03}},
    "steps": [
        {"percent": 0, "dwell": "14d"},
        {"percent": 5, "dwell": "3d", "approval": {}},
        {"percent": 100},
    ],
}
QUALITY, MIRROR, ERRORS = GOOD["gates"]
SHADOW, SMALL, FULL = GOOD["steps"]
RARE = {"name": "rare", "metric": "zero_one", "ratio": 1.25, "unpaired": True}
WORTH = {"name": "worth", "metric": "value", "margin": 0.1, "payoff": {"true_positive": 1}}
CAPPED = {"name": "quality", "metric": "absolute_error", "margin": 1.0, "cap": 30.0}
JFK = {"name": "jfk", "where": "origin == 'JFK'", "steps": GOOD["steps"]}
BY_ORIGIN = {"by": ["origin"]}
PAIRED = {"name": "q", "metric": "brier"}
SAME_SERVER = GOOD["incumbent"] | {"version": "b"}
NUMBERS = {"prediction": {"kind": "number"}, "gates": [CAPPED], "segments": None}


def gates(*others):
    """The good plan's quality gate and others; nothing by segment."""
    return {"gates": [QUALITY, *others], "segments": None}


def told(**more):
    """Return an input contract of two columns with more keys."""
    columns = {"word": {"type": "category", "values": ["AA", "UA"]}, "number": {"type": "number"}}
    return {"columns": columns} | more


def only(**gate):
    return {"gates": [PAIRED | gate], "segments": None}


def latency(**keys):
    return gates(MIRROR | keys)


def column(**rule):
    return {"input": {"columns": {"x": rule}}, "segments": None}


def sliced(*parts):
    return {"steps": None, "slices": list(parts)}


def anew(**keys):
    """The good plan, trained anew, with keys changed; None takes one out."""
    asked = {"trainer": "mine:train", "url": "http://delays-{version}:8080"} | keys
    return {"retrain": {key: value for key, value in asked.items() if value is not None}}


def by(*columns):
    return {"segments": {"by": list(columns), "gates": {"quality": 0.03}}}


BREACHES = [
    # planes
    ({"plane": {"kind": "haproxy"}}, "gates[1].applies", "`haproxy` cannot mirror"),
    # people
    ({"signoffs": [{"role": "legal"}, {"role": "legal"}]}, "signoffs[1].role", "a role of its own"),
    ({"signoffs": [{"role": "questionnaire"}]}, "signoffs[0].role", "other than questionnaire"),
    ({"signoffs": [{"role": "legal", "valid": "0s"}]}, "signoffs[0].valid", "above 0"),
    ({"questionnaire": {"valid": "0s"}}, "questionnaire.valid", "above 0"),
    (
        {"escalation": [{"after": "4h", "to": "duty"}, {"after": "4h", "to": "chief"}]},
        "escalation[1].after",
        "more than the 4h",
    ),
    ({"notify": [{"events": ["ask"], "to": "duty@example.org"}]}, "notify[0].to", "block:<type>/<name>"),
    ({"notify": [{"events": ["ask"], "to": "block:slack"}]}, "notify[0].to", "https://hooks.example.org"),
    # steps, deadlines, calendar
    ({"steps": [SMALL, FULL]}, "steps[0].percent", "0 (shadow)"),
    ({"steps": [SHADOW, SMALL]}, "steps[1].percent", "100 on the last step"),
    ({"steps": [SHADOW, SMALL, SMALL, FULL]}, "steps[2].percent", "more than the 5 %"),
    ({"steps": [SHADOW, {"percent": 100}, SMALL, FULL]}, "steps[2].percent", "more than the 100 %"),
    ({"steps": [SHADOW | {"approval": {}}, FULL]}, "steps[0].approval", "no approval"),
    ({"steps": [SHADOW, {"percent": 0.125}, FULL]}, "steps[1].percent", "two decimals"),
    (gates(ERRORS | {"from": 0.125}), "gates[1].from", "two decimals"),
    ({"gates": [ERRORS], "segments": None}, "steps[0]", "a guardrail that counts at 0 %"),
    ({"gates": [QUALITY | {"role": "signal"}]}, "steps[2]", "a guardrail that counts at 100 %"),
    ({"gates": [QUALITY | {"from": 50}]}, "steps[1]", "a guardrail that counts at 5 %"),
    (
        {"steps": [SHADOW, SMALL | {"approval": {"expires": "0s"}}, FULL]},
        "steps[1].approval.expires",
        "above 0",
    ),
    ({"deadline": {"step": "14d", "rollout": "99d"}}, "deadline.step", "more than the longest dwell (14d)"),
    ({"deadline": {"step": "15d", "rollout": "17d"}}, "deadline.rollout", "together (17d)"),
    ({"watch": "300d"}, "deadline.rollout", "together (317d)"),
    ({"serving": {"timeout": "0s"}}, "serving.timeout", "above 0"),
    ({"serving": {"retry": {"base": "0s"}}}, "serving.retry.base", "above 0"),
    ({"serving": {"circuit": {"window": "0s"}}}, "serving.circuit.window", "above 0"),
    ({"unit": {"entity": "e", "block": "0d"}}, "unit.block", "above 0"),
    # what the guard does
    ({"serving": {"fallback": []}}, "serving.fallback", "[incumbent]"),
    ({"serving": {"fallback": ["review", "incumbent"]}}, "serving.fallback", "begins with [incumbent]"),
    ({"serving": {"fallback": ["incumbent", "queue", "queue"]}}, "serving.fallback[2]", "everybody once"),
    (
        {"serving": {"fallback": ["incumbent", {"safe_default": 2}]}},
        "serving.fallback[1].safe_default",
        "an answer within 0 to 1",
    ),
    (
        {"serving": {"fallback": ["incumbent", {"safe_default": 0.2}, "queue"]}},
        "serving.fallback[1]",
        "the safe default last",
    ),
    (
        {"serving": {"confidence_below": {"value": 0.6, "then": "safe_default"}}},
        "serving.confidence_below.then",
        "a safe default",
    ),
    ({"serving": {"rate_limit": {"requests": 5, "per": "0s"}}}, "serving.rate_limit.per", "above 0"),
    ({"input": told(freshness={"seen": "0s"})}, "input.freshness.seen", "above 0"),
    ({"input": told(freshness={"word": "3h"})}, "input.freshness.word", "of type timestamp"),
    ({"input": told(provenance={"word": []})}, "input.provenance.word", "a column of its own"),
    ({"input": told(terminology={"number": {"a": "AA"}})}, "input.terminology.number", "type category"),
    ({"input": told(terminology={"word": {"a": "ZZ"}})}, "input.terminology.word.a", "one of AA, UA"),
    ({"input": told(terminology={"word": {"AA": "UA"}})}, "input.terminology.word.AA", "a term of others"),
    ({"input": told(mask=["wrod"])}, "input.mask[0]", "a column of the contract"),
    ({"calendar": {"timezone": "New York"}}, "calendar.timezone", "IANA"),
    ({"calendar": {"timezone": "America"}}, "calendar.timezone", "IANA"),
    ({"calendar": {"advance": "weekdays"}}, "calendar.advance", "mon-thu 09:00-16:00"),
    ({"calendar": {"advance": "mon 9:00-16:00"}}, "calendar.advance", "mon-thu 09:00-16:00"),
    ({"calendar": {"advance": "mon 16:00-09:00"}}, "calendar.advance", "end after they start"),
    ({"calendar": {"advance": "mon 16:00-24:30"}}, "calendar.advance", "00:00 to 24:00"),
    ({"calendar": {"freeze": ["2013-02-30"]}}, "calendar.freeze[0]", "2013-11-27/2013-12-01"),
    ({"calendar": {"freeze": ["2013-12-01/2013-11-27"]}}, "calendar.freeze[0]", "not before its first"),
    # gates and segments
    (gates(ERRORS | {"name": "quality"}), "gates[1].name", "a name of its own"),
    (gates(ERRORS | {"name": "split"}), "gates[1].name", "a name of its own"),
    (gates(ERRORS | {"name": "watch-errors"}), "gates[1].name", "does not begin with watch-"),
    (only(), "gates[0].margin", "metric brier needs"),
    (gates({"name": "e", "metric": "error_rate"}), "gates[1].ceiling", "metric error_rate needs"),
    (gates({"name": "c", "metric": "coverage"}), "gates[1].floor", "metric coverage needs"),
    (gates({"name": "l", "metric": "latency", "ratio": 2, "applies": "split"}), "gates[1].quantile", "needs"),
    (
        gates({"name": "l", "metric": "latency", "quantile": 0.9, "applies": "split"}),
        "gates[1].ratio",
        "needs",
    ),
    (gates({"name": "l", "metric": "latency", "quantile": 0.9, "ratio": 2}), "gates[1].applies", "needs"),
    (only(margin=0.1, ceiling=0.1), "gates[0].ceiling", "only keys of metric brier"),
    (
        gates(ERRORS | {"margin": 0.1}),
        "gates[1].margin",
        "only keys of metric error_rate (ceiling, expect, harm)",
    ),
    (gates(ERRORS | {"tolerate": 1.0}), "gates[1].tolerate", "only keys of metric error_rate"),
    (gates(ERRORS | {"expect": 0.01}), "gates[1].expect", "below 0.01"),
    (gates(ERRORS | {"expect": -0.01}), "gates[1].expect", "at least 0"),
    (gates(ERRORS | {"metric": "capped_rate"}), "gates[1].metric", "one of brier"),
    (only(margin=0.1, loss="a:b"), "gates[0].loss", "only keys of metric brier"),
    (gates({"name": "own", "metric": "loss", "margin": 0.1}), "gates[1].loss", "metric loss needs"),
    (gates({"name": "c", "metric": "calibration"}), "gates[1].role", "report"),
    (
        gates({"name": "o", "metric": "override_rate", "ceiling": 0.1}),
        "gates[1].metric",
        "outcomes.overridden",
    ),
    (gates(RARE | {"unpaired": False}), "gates[1].ratio", "where the arms are compared"),
    (gates(RARE | {"margin": 0.1}), "gates[1].margin", "a margin or a ratio"),
    (gates(RARE | {"expect": -0.1}), "gates[1].expect", "no expect beside a ratio"),
    (
        gates(RARE) | {"segments": BY_ORIGIN | {"gates": {"rare": 0.1}}},
        "segments.gates.rare",
        "a gate with a margin",
    ),
    (gates(RARE | {"applies": "all"}), "gates[1].applies", "split for an unpaired gate"),
    (gates(RARE | {"evidence": "carry"}), "gates[1].evidence", "fresh"),
    (gates(WORTH | {"cap": 3}), "gates[1].cap", "no cap"),
    ({"prediction": {"kind": "number"}}, "gates[0].metric", "absolute_error, squared_error, loss"),
    (
        {"prediction": {"kind": "number"}, "gates": [CAPPED | {"margin": 6.0}], "segments": None},
        "gates[0].margin",
        "0.2 x the largest loss",
    ),
    (
        {"prediction": {"kind": "number"}, "output": {"min": 3, "max": 2}},
        "output",
        "min below max",
    ),
    ({"outcomes": GOOD["outcomes"] | {"depends_on_decision": True}}, "steps[2].percent", "below 100"),
    (
        gates() | {"outcomes": GOOD["outcomes"] | {"depends_on_decision": True}},
        "steps[0]",
        "a guardrail that counts at 0 %",
    ),
    # slices
    ({"slices": [JFK]}, "slices", "steps or slices"),
    ({"steps": None}, "steps", "the key `steps`"),
    ({"steps": [SHADOW]}, "steps", "a list of at least 2"),
    (
        {"steps": None, "slices": [JFK | {"steps": [SHADOW, SMALL]}]},
        "slices[0].steps[1].percent",
        "100 on the last step",
    ),
    (
        {"steps": None, "slices": [JFK, JFK | {"where": "origin == 'LGA'"}]},
        "slices[1].name",
        "no other slice",
    ),
    (
        {"steps": None, "slices": [JFK | {"where": "origin = 'JFK'"}]},
        "slices[0].where",
        "comparisons of columns",
    ),
    ({"steps": None, "slices": [JFK | {"where": "origin == 5"}]}, "slices[0].where", "text"),
    ({"steps": None, "slices": [JFK, JFK | {"name": "two"}]}, "slices[1].where", "no other slice claims"),
    (gates(ERRORS | {"evidence": "carry"}), "gates[1].evidence", "fresh"),
    ({"prediction": {"kind": "label"}}, "gates[0].metric", "zero_one"),
    (only(margin=0.2), "gates[0].margin", "below unit.block_bound, by default 0.2 x the largest loss (0.2)"),
    (only(margin=-0.3, expect=-0.19, harm=0.1), "gates[0].margin", "above -unit.block_bound"),
    (
        only(margin=1.0) | {"unit": {"entity": "e", "block": "none"}},
        "gates[0].margin",
        "the largest loss (1)",
    ),
    (
        {"segments": BY_ORIGIN | {"gates": {"quality": 0.3}}},
        "segments.gates.quality",
        "below unit.block_bound",
    ),
    (only(margin=0.1, expect=0.1), "gates[0].margin", "above its expect (0.1)"),
    (only(margin=0, harm=0.1), "gates[0].margin", "above 0, the default of expect"),
    (only(margin=0, expect=-0.1), "gates[0].margin", "a `harm` beside"),
    ({"segments": BY_ORIGIN | {"gates": {"quality": -0.001}}}, "segments.gates.quality", "a `harm` beside"),
    (only(margin=0.1, harm=0), "gates[0].harm", "above 0 and below unit.block_bound"),
    (only(margin=0.1, harm=0.4), "gates[0].harm", "above 0 and below unit.block_bound"),
    (only(margin=0.1, expect=-0.2), "gates[0].expect", "above -unit.block_bound"),
    (latency(quantile=0.9999), "gates[1].quantile", "0.5 to 0.999"),
    (latency(tolerate=1.25), "gates[1].tolerate", "below ratio (1.25)"),
    (latency(applies="all"), "gates[1].applies", "shadow or split"),
    (latency(**{"from": 5}), "gates[1]", "counts on a step"),
    (latency(applies="split", **{"from": 25}), "gates[1]", "counts on a step"),
    ({"segments": BY_ORIGIN | {"gates": {"qualty": 0.03}}}, "segments.gates.qualty", "(quality)"),
    ({"segments": BY_ORIGIN | {"gates": {"errors": 0.03}}}, "segments.gates.errors", "(quality)"),
    # models, tables, columns
    ({"candidate": GOOD["incumbent"]}, "candidate", "another model"),
    ({"candidate": GOOD["candidate"] | {"url": "http://h:99999"}}, "candidate.url", "a port from 1 to 65535"),
    ({"incumbent": GOOD["incumbent"] | {"url": "http://:80"}}, "incumbent.url", "a host"),
    ({"requests": {"path": "p", "id": "at"}}, "requests.at", "a column of its own"),
    ({"unit": {"entity": "at"}}, "unit.entity", "a column of its own"),
    ({"outcomes": GOOD["outcomes"] | {"known_at": "late"}}, "outcomes.known_at", "a column of its own"),
    ({"unit": {"entity": "e", "independent": True}}, "unit.independent", "block: none"),
    ({"output": {"min": 0, "max": 100}}, "output", "within 0 to 1"),
    ({"output": {"min": 0.5, "max": 0.5}}, "output", "within 0 to 1"),
    (column(type="category", max=3), "input.columns.x.max", "only for type integer or number"),
    (column(type="integer", values=["a"]), "input.columns.x.values", "only for type category"),
    (column(type="category", other="flag"), "input.columns.x.other", "only beside `values`"),
    (column(type="number", min=2, max=1), "input.columns.x.min", "at most max (1)"),
    (column(type="category", values=["a", "a"]), "input.columns.x.values", "different values"),
    (column(type="category", values=[]), "input.columns.x.values", "different values"),
    (
        {"input": {"columns": {"entity": {"type": "category"}}}, "segments": None},
        "input.columns.entity",
        "another name than at, entity, request_id",
    ),
    (by("origin", "origin"), "segments.by[1]", "every column once"),
    (by("wind"), "segments.by[0]", "category, boolean or integer"),
    ({"drift": {"then": "retrain"}}, "drift.then", "a key `retrain`"),
    ({"drift": {"every": "0s"}}, "drift.every", "above 0"),
    (anew(timeout="0s"), "retrain.timeout", "above 0"),
    (anew(window="30d"), "retrain.holdout", "at most half the window (15d)"),
    (anew(holdout="6d"), "retrain.holdout", "at least 7 blocks (7d)"),
    (anew(url=None), "retrain.url", "will be served"),
    (anew(url="http://127.0.0.1:8103"), "retrain.url", "{version} or {number}"),
    (anew(url="http://delays-{name}-{version}:8080"), "retrain.url", "{version} or {number}"),
    (anew(url="http://127.0.0.1:9999{number}"), "retrain.url", "from 1 to 65535"),
    (anew(leave_out="mirrored"), "retrain.leave_out", "an expression"),
    (anew() | {"gates": [ERRORS], "segments": None}, "retrain", "a gate on a loss with a margin"),
    ({"load": {"length": "0s"}}, "load.length", "1s to 10m"),
    ({"load": {"valid": "0s"}}, "load.valid", "above 0"),
    ({"load": {"latency": "10s"}}, "load.latency", "at most serving.timeout"),
    ({"load": {}, "candidate": SAME_SERVER}, "candidate.url", "another server than the incumbent's"),
    ({"review": {"capacity": 9, "high_value": "distance >"}}, "review.high_value", "slices[].where"),
    ({"review": {"capacity": 9, "max_age": "0s"}}, "review.max_age", "above 0"),
    ({"review": {"capacity": 9, "disagreement": 0.001}}, "review.disagreement", "at least `review.sample`"),
    (NUMBERS | {"review": {"capacity": 9, "disagreement": 0.5}}, "review.disagreement", "decisions"),
    ({"review": {"capacity": 9, "per_segment": 1}, "segments": None}, "review.per_segment", "segments"),
    ({"parity": {"of": []}}, "parity.of", "candidate, incumbent or both"),
    ({"parity": {"of": ["candidate", "candidate"]}}, "parity.of", "once each"),
    ({"parity": {"every": "0s"}}, "parity.every", "above 0"),
    (anew() | {"parity": {"record": "gbm-2.parity"}}, "parity.record", "{version} in it"),
]


def found(changes):
    body = {key: value for key, value in (GOOD | changes).items() if value is not None}
    with pytest.raises(PlanError) as caught:
        parse_plan(json.dumps(body, indent=1), "plan.yaml")
    return caught.value.problems


def test_the_good_plan_breaks_no_rule():
    assert lint(Plan.model_validate(GOOD)) == ()


@pytest.mark.parametrize(("changes", "where", "asked"), BREACHES)
def test_a_breach_is_told_where_it_stands(changes, where, asked):
    told = found(changes)
    assert where in [p.where for p in told]
    problem = next(p for p in told if p.where == where and asked in p.asked)
    assert problem.line > 0
    assert problem.todo


def test_every_rule_is_broken_by_one_of_these_plans():
    bodies = [{k: v for k, v in (GOOD | changes).items() if v is not None} for changes, _, _ in BREACHES]
    plans = [Plan.model_validate(body) for body in bodies]
    idle = [rule.check.__name__ for rule in RULES if not any(list(rule.check(plan)) for plan in plans)]
    assert idle == []


def test_rules_wait_while_a_part_they_read_is_broken():
    told = [p.where for p in found({"steps": [{"percent": "x"}, FULL], "gates": [PAIRED]})]
    assert told == ["gates[0].margin", "segments.gates.quality", "steps[0].percent"]


def test_a_rule_reads_only_the_parts_it_says():
    parts = set(Plan.model_fields)
    assert all(rule.reads and rule.reads <= parts for rule in RULES)


def test_the_author_may_own_the_model():
    assert lint(Plan.model_validate(GOOD | {"author": "owner@example.org"})) == ()


def test_superiority_can_be_asked_for():
    gate = PAIRED | {"margin": -0.001, "expect": -0.01, "harm": 0.01}
    assert lint(Plan.model_validate(GOOD | {"gates": [gate], "segments": None})) == ()


@pytest.mark.parametrize(
    ("keys", "counts"),
    [
        ({"metric": "brier", "margin": 0.01}, {0, 100, 2_500, 10_000}),
        ({"metric": "error_rate", "ceiling": 0.01, "from": 25}, {2_500, 10_000}),
        ({"metric": "latency", "applies": "shadow"}, {0}),
        ({"metric": "latency", "applies": "split", "from": 1}, {100, 2_500}),
        ({"metric": "latency"}, set()),
        ({"metric": "coverage", "applies": "all"}, {0, 100, 2_500, 10_000}),
        ({"metric": "zero_one", "margin": 0.01, "unpaired": True}, {100, 2_500}),
        ({"metric": "cost", "margin": 0.01}, {0, 100, 2_500, 10_000}),
        ({"metric": "override_rate", "ceiling": 0.01}, {100, 2_500, 10_000}),
    ],
)
def test_a_gate_counts_on_the_shares_it_names(keys, counts):
    gate, plan = Gate.model_validate({"name": "g"} | keys), Plan.model_validate(GOOD)
    assert {share for share in (0, 100, 2_500, 10_000) if gate_applies(gate, share, plan)} == counts


def test_durations_survive_the_canonical_plan_exactly():
    plan = Plan.model_validate(GOOD | {"watch": "0.1s"})
    assert plan.watch == timedelta(milliseconds=100)
    assert Plan.model_validate(plan.canonical()) == plan
