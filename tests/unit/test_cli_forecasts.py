"""`headgate power` and `headgate premortem` as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from headgate.cli import app
from tests.builders import PLAN
from tests.unit.fault_tables import days

RUNNER = CliRunner()
QUALITY = {
    "name": "quality",
    "metric": "brier",
    "margin": 0.03,
    "expect": -0.02,
    "variance": 0.0005,
    "min_samples": 3,
}
ERRORS = {"name": "errors", "metric": "error_rate", "ceiling": 0.02, "from": 5}


def plan_file(folder: Path, **changes: object) -> str:
    body = {**PLAN, "gates": [QUALITY, ERRORS], **changes}
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(body), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Forty days of history as Parquet: exchanges and outcomes."""
    folder = tmp_path_factory.mktemp("history")
    whole = pa.concat_tables(days(40, 120).tables)
    exchanges = whole.drop_columns(["label", "known_at", "seg_region"])
    exchanges = exchanges.append_column("region", whole["seg_region"])
    pq.write_table(exchanges, folder / "exchanges.parquet")
    pq.write_table(whole.select(["request_id", "label", "known_at"]), folder / "outcomes.parquet")
    return str(folder / "exchanges.parquet"), str(folder / "outcomes.parquet")


def run(*args: str):
    return RUNNER.invoke(app, list(args))


def test_power_answers_in_words_tables_and_json(tmp_path):
    out, page = tmp_path / "power.json", tmp_path / "power.html"
    given = ("--rate", "40/hour", "--disagreement", "0.1", "--base-rate", "0.3", "--start", "2026-03-02")
    written = ("--json", str(out), "--report", str(page))
    found = run("power", plan_file(tmp_path), *given, "--runs", "60", *written)
    assert found.exit_code == 0, found.output
    body = json.loads(out.read_text())
    assert body["finishes"] is True
    assert [world["world"] for world in body["worlds"]] == ["equal", "better"]
    assert {row["gate"] for row in body["at_margin"]} == {"quality", "errors"}
    assert "promoted in" in found.output
    assert page.read_text().startswith("<!doctype html>")


def test_power_refuses_a_plan_that_cannot_finish_with_exit_two_and_the_reason(tmp_path):
    strict = {"name": "quality", "metric": "brier", "margin": 0.0005, "variance": 0.0005}
    path = plan_file(tmp_path, gates=[strict])
    found = run("power", path, "--rate", "500/day", "--start", "2026-03-02", "--runs", "40", "--json", "-")
    assert found.exit_code == 2
    assert "cannot finish before its deadline" in found.stderr
    assert "quality is proved in" in found.stderr
    assert json.loads(found.stdout)["finishes"] is False


def test_power_measures_from_history_what_nobody_gives(tmp_path, files):
    history = ("--exchanges", files[0], "--outcomes", files[1])
    asked = ("--start", "2026-03-02", "--runs", "40", "--json", "-")
    found = run("power", plan_file(tmp_path), *history, *asked)
    assert found.exit_code in (0, 2), found.output
    sources = {row["name"]: row["source"] for row in json.loads(found.stdout)["assumptions"]}
    assert sources["rate"] == sources["blocks of quality"] == sources["rate of errors"] == "measured"
    assert "guessed" not in sources.values()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "--rate: asked how many requests there are; found nothing"),
        (("--rate", "many"), "--rate: asked requests per time above 0; found 'many'; write 900/day"),
        (("--rate", "0/day"), "--rate: asked requests per time above 0"),
        (("--rate", "9/fortnight"), "write 900/day, 40/hour, 3/min or 5/s"),
        (("--rate", "9", "--disagreement", "1.5"), "asked disagreement from 0 to 1; found 1.5"),
        (("--rate", "9", "--exchanges", "x.parquet"), "asked --exchanges and --outcomes together"),
        (("--rate", "9", "--start", "soon"), "--start: asked a date or time; found 'soon'"),
        (("--rate", "9", "--segment", "origin=JFK:0.3"), "--segment: asked column=value with a column among"),
        (("--rate", "9", "--slice", "jfk:0.3"), "--slice: asked a slice among none"),
        (("--rate", "9", "--slice", "jfk"), "--slice: asked name:share with a share in (0, 1]; found 'jfk'"),
    ],
)
def test_power_says_what_was_asked_found_and_to_do(tmp_path, args, said):
    found = run("power", plan_file(tmp_path), *args)
    assert found.exit_code == 2
    assert said in found.stderr


@pytest.mark.parametrize(
    ("text", "per_day"), [("900", 900), ("40/hour", 960), ("3/min", 4_320), ("5/s", 432_000)]
)
def test_a_rate_may_be_given_per_any_time(tmp_path, text, per_day):
    asked = ("--rate", text, "--block-sd", "0.01", "--runs", "20", "--json", "-")
    body = json.loads(run("power", plan_file(tmp_path), *asked).stdout)
    assert body["assumptions"][0]["value"] == f"{per_day:,} requests a day"


def test_premortem_runs_named_faults_and_exits_zero_whatever_they_do(tmp_path, files):
    out, page = tmp_path / "premortem.json", tmp_path / "premortem.html"
    history = ("--exchanges", files[0], "--outcomes", files[1])
    asked = ("--faults", "nothing,wrong-rows", "--at", "5", "--seeds", "0")
    written = ("--json", str(out), "--report", str(page))
    found = run("premortem", plan_file(tmp_path), *history, *asked, *written)
    assert found.exit_code == 0, found.output
    body = json.loads(out.read_text())
    assert [one["name"] for one in body["faults"]] == ["nothing", "wrong-rows"]
    assert body["onset"].startswith("2026-03-07")
    assert "would reach full traffic" in found.output
    assert "<svg" in page.read_text()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--faults", "slow,gremlins"), "--faults: asked names among nothing, worse"),
        (("--at", "2031-01-01"), "--at: asked a time within the history"),
        (("--at", "later"), "--at: asked a date, or days after the first exchange; found 'later'"),
        (("--every", "0d"), "--every: asked a duration above zero"),
    ],
)
def test_premortem_says_what_was_asked_found_and_to_do(tmp_path, files, args, said):
    history = ("--exchanges", files[0], "--outcomes", files[1])
    found = run("premortem", plan_file(tmp_path), *history, *args)
    assert found.exit_code == 2
    assert said in found.stderr


@pytest.mark.parametrize("command", ["power", "premortem"])
def test_help_teaches_with_examples(command):
    found = run(command, "--help")
    assert "Examples:" in found.output
    assert f"headgate {command}" in found.output
