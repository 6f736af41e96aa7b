"""The command line where a plan has slices: a line for each, and buttons for one or for all."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml
from typer.testing import CliRunner

from headgate import cli
from headgate.adapters import store
from headgate.codes import code_of
from headgate.rollout.state import Answer, Phase
from tasks import people, wiring
from tests.builders import APRIL, PLAN, plan
from tests.integration.stores import OPENED_BY, question, tick

SLICES = [
    {"name": "jfk", "where": "origin == 'JFK'", "steps": PLAN["steps"]},
    {"name": "lga", "where": "origin == 'LGA'", "steps": [{"percent": 0, "dwell": "2d"}, {"percent": 100}]},
]
WHO_AND_WHY = ("--as", "chief@example.org", "--reason", "saw it", "--now", "2013-04-01T12:00:00Z")


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """One rollout with two slices, one tick old."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADGATE_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "400")
    engine = wiring.build().engine
    rollout = store.open_rollout(engine, plan(steps=None, slices=SLICES), APRIL, OPENED_BY)
    jfk = question(rollout)
    rows = [
        replace(jfk, state=replace(jfk.state, slice="jfk", share_bp=500)),
        tick(rollout, slice="lga", phase=Phase.SHADOW),
    ]
    yield store.record(engine, rollout, *rows)
    engine.dispose()


def run(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)


@pytest.mark.usefixtures("opened")
def test_status_has_a_line_per_slice_and_who_should_go_first():
    shown = run("status").stdout
    assert "flights-gbm-1 / jfk flight-delays shadow 5 %?" in " ".join(shown.split())
    assert "flights-gbm-1 / lga flight-delays shadow 0 %?" in " ".join(shown.split())
    assert "by value and risk: 1. jfk (0 % of requests): no evidence yet" in shown
    rows = json.loads(run("status", "--json").stdout)
    assert [(row["slice"], row["percent"], row["rank"][:2]) for row in rows] == [
        ("jfk", 5, "1."),
        ("lga", 0, "2."),
    ]


def test_a_button_is_meant_for_all_slices_unless_one_is_named(opened):
    assert run("pause", "flight-delays", *WHO_AND_WHY, "--slice", "jfk").exit_code == 0
    assert run("abort", "flight-delays", *WHO_AND_WHY).exit_code == 0
    orders = store.open_orders(wiring.build().engine, opened.id)
    assert [(order.verb.value, order.slice) for order in orders] == [("pause", "jfk"), ("abort", "all")]
    unknown = run("pause", "flight-delays", *WHO_AND_WHY, "--slice", "ewr")
    assert unknown.exit_code == 2
    assert "asked the slice 'ewr' of flights-gbm-1; it has jfk, lga; name one of them" in unknown.stderr


def test_an_answer_goes_to_the_slice_that_asks(opened):
    words = (opened.id, "--as", "chief@example.org", "--comment", "fine", "--now", "2013-04-01T12:00:00Z")
    assert "no question is open" in run("approve", *words, "--slice", "lga").stderr
    secret = people.enrol("chief@example.org", OPENED_BY, APRIL)
    code = code_of(secret, people.the_question(opened.id, None).request, "approve", datetime.now(UTC))
    assert run("approve", *words, "--code", code).exit_code == 0
    (said,) = store.approvals(wiring.build().engine, opened.id, "jfk")
    assert (said.answer, said.step) == (Answer.APPROVE, 1)


def test_a_valid_plan_is_shown_with_every_slices_climb(tmp_path):
    body = {key: value for key, value in PLAN.items() if key != "steps"} | {"slices": SLICES}
    (tmp_path / "plan.yaml").write_text(yaml.dump(body, Dumper=_Plain), encoding="utf-8")
    shown = " ".join(run("validate", tmp_path / "plan.yaml").stdout.split())
    assert "jfk: 0 -> 5 -> 50 -> 100 %; lga: 0 -> 100 %" in shown


class _Plain(yaml.SafeDumper):
    """A plan says what it means in full: no aliases."""

    def ignore_aliases(self, data):  # noqa: ARG002 - the signature is PyYAML's
        return True


def test_a_report_tells_every_slices_story(opened, tmp_path):
    done = run("report", opened.id, "--out", tmp_path / "report.html")
    assert done.exit_code == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "flights-gbm-1 / jfk" in page
    assert "flights-gbm-1 / lga" in page
