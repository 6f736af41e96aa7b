"""`headgate profile take` and `compare` as a person calls them."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from headgate.cli import app
from headgate.profile import from_bytes
from tests.builders import PLAN

RNG = np.random.default_rng(11)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with a reference and a current window."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name, mean in (("reference", 0.0), ("current", 1.0)):
        table = pa.table({"x": RNG.normal(mean, 1, 2_000), "carrier": RNG.choice(["AA", "UA"], 2_000)})
        pq.write_table(table, f"{name}.parquet")
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, ["profile", *words], catch_exceptions=False)


def test_a_reference_is_taken_and_a_window_compared_with_it(home):
    taken = run("take", "reference.parquet", "--out", "kept/model.profile")
    assert taken.exit_code == 0
    assert "carrier" in taken.stdout
    assert "wrote kept/model.profile" in taken.stderr
    assert from_bytes((home / "kept/model.profile").read_bytes()).rows == 2_000

    found = run("compare", "kept/model.profile", "current.parquet", "--json", "-")
    body = json.loads(found.stdout)
    x, carrier = body["columns"]
    assert (body["rows_reference"], body["rows_current"], found.exit_code) == (2_000, 2_000, 0)
    assert x["ks"] == pytest.approx(0.38, abs=0.04)
    assert (x["kind"], x["chi2_p"]) == ("number", None)
    assert (carrier["kind"], carrier["unseen_share"], carrier["changed"]) == ("category", 0.0, None)
    assert "Wasser" in run("compare", "kept/model.profile", "current.parquet").stdout


@pytest.mark.usefixtures("home")
def test_a_window_taken_like_the_reference_can_be_kept_and_compared_later():
    run("take", "reference.parquet", "--out", "model.profile", "--column", "x")
    run("take", "current.parquet", "--out", "now.profile", "--like", "model.profile")
    body = json.loads(run("compare", "model.profile", "now.profile", "--json", "-").stdout)
    assert [(column["name"], column["changed"]) for column in body["columns"]] == [
        ("x", None),
        ("carrier", "new"),
    ]

    run("take", "current.parquet", "--out", "alone.profile")
    apart = run("compare", "model.profile", "alone.profile")
    assert apart.exit_code == 2
    assert "asked both profiles on one grid" in apart.stderr


def test_values_outside_a_plans_contract_are_told(home):
    contract = {"columns": {"carrier": {"type": "category", "values": ["AA"]}}}
    (home / "plan.yaml").write_text(yaml.safe_dump({**PLAN, "input": contract}))
    run("take", "reference.parquet", "--out", "model.profile", "--plan", "plan.yaml")
    found = run("compare", "model.profile", "current.parquet", "--plan", "plan.yaml")
    assert "outside the contract" in found.stdout


def test_an_arrow_stream_is_read_from_standard_input(home):
    table = pq.read_table("reference.parquet")
    with pa.OSFile("rows.arrows", "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    command = [
        sys.executable,
        "-m",
        "headgate.cli",
        "profile",
        "take",
        "-",
        "--out",
        "s.profile",
        "--json",
        "-",
    ]
    with (home / "rows.arrows").open("rb") as stdin:
        done = subprocess.run(command, stdin=stdin, capture_output=True, check=True, timeout=120)
    assert json.loads(done.stdout)["rows"] == 2_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("take", "nothing.parquet", "--out", "a"), "asked a Parquet file or folder; found nothing there"),
        (("take", "reference.parquet", "--out", "a", "--column", "y"), "asked y; found x, carrier"),
        (("take", "reference.parquet", "--out", "a", "--at", "x"), "asked a column of times"),
        (("take", "reference.parquet", "--out", "a", "--like", "b"), "asked a profile; found No such file"),
        (("take", "reference.parquet", "--out", "reference.parquet/a"), "--out: asked to write"),
        (("compare", "plan.profile", "current.parquet"), "asked a file of `headgate profile take`"),
    ],
)
def test_what_cannot_be_used_ends_with_code_2_and_what_to_do(words, said, home):
    (home / "plan.profile").write_text("no profile")
    done = run(*words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_help_teaches():
    words = " ".join(run("take", "--help").stdout.split())
    assert "Arrow stream" in words
    assert "Exit 0" in words
