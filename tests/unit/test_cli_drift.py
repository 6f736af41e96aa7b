"""`headgate drift` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from headgate.cli import app
from tests.unit.windows import requests

RUNNER = CliRunner()


def _timed(seed: int, days: int, per_day: int, wander: float, start: int = 0) -> pa.Table:
    """Requests of some days that share a shock in their speed."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), per_day)
    at = pa.array((20_000 + start + day) * 86_400_000_000, pa.timestamp("us", "UTC"))
    speed = rng.normal(10, 2, day.size) + rng.normal(0, wander, days)[day]
    return requests(seed, day.size, speed=speed).append_column("at", at)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reference and windows as Parquet."""
    folder = tmp_path_factory.mktemp("drift")
    moved = requests(2, 2_000, speed=np.random.default_rng(2).normal(11, 2, 2_000))
    for name, table in {
        "reference": requests(0, 10_000),
        "same": requests(1, 2_000),
        "moved": moved,
        "tiny": moved.slice(0, 20),
        "empty": moved.slice(0, 0),
        "days": _timed(3, 30, 300, 2.0),
        "week": _timed(4, 3, 300, 2.0, start=40),
    }.items():
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=1_000)
    return folder


def run(folder: Path, reference: str, current: str, *more: str):
    paths = (
        "--reference",
        str(folder / f"{reference}.parquet"),
        "--current",
        str(folder / f"{current}.parquet"),
    )
    return RUNNER.invoke(app, ["drift", *paths, *more])


def test_m11_drift_ends_with_a_code_of_its_own_and_writes_what_was_found(files, tmp_path):
    out = tmp_path / "drift.json"
    found = run(files, "reference", "moved", "--json", str(out))
    assert found.exit_code == 3, found.output
    assert "DRIFT of 1 of 5 columns" in found.output
    body = json.loads(out.read_text())
    assert [one["name"] for one in body["columns"] if one["drifted"]] == ["speed"]
    assert body["drifted_share"] == 0.2
    assert (body["rows_reference"], body["rows_current"]) == (10_000, 2_000)
    assert body["multivariate"]["attribution"][0]["cause"] == "data"


def test_no_drift_ends_with_zero_and_json_goes_to_stdout(files):
    found = run(files, "reference", "same", "--json", "-")
    assert found.exit_code == 0, found.output
    assert not any(one["drifted"] for one in json.loads(found.stdout)["columns"])


@pytest.mark.parametrize("current", ["tiny", "empty"])
def test_a_tiny_or_empty_window_is_not_judged_and_says_so(files, current):
    found = run(files, "reference", current, "--json", "-")
    assert found.exit_code == 4
    body = json.loads(found.stdout)
    assert body["drifted_share"] is None
    assert all(one["reason"].startswith("too few") for one in body["columns"])


def test_a_column_of_times_makes_what_days_do_anyway_the_scale(files):
    alone = run(files, "days", "week", "--ignore", "at", "--json", "-")
    assert alone.exit_code == 3
    by_day = run(files, "days", "week", "--by", "at")
    assert by_day.exit_code == 0, by_day.output
    assert "how 30 parts of the reference differ" in by_day.output


def test_a_column_of_groups_tells_another_mix_from_other_values(tmp_path):
    rng = np.random.default_rng(5)
    for name, north in (("before", 0.3), ("after", 0.8)):
        place = rng.choice(["north", "south"], 5_000, p=[north, 1 - north])
        cold = rng.normal(np.where(place == "north", 2.0, 0.0), 1)
        pq.write_table(pa.table({"place": place.tolist(), "cold": cold}), tmp_path / f"{name}.parquet")
    found = run(tmp_path, "before", "after", "--by", "place", "--json", "-")
    assert found.exit_code == 3
    causes = json.loads(found.stdout)["multivariate"]["attribution"]
    assert [(one["cause"], sorted(one["columns"])) for one in causes] == [("mix", ["cold", "place"])]


@pytest.mark.parametrize(
    ("current", "more", "said"),
    [
        ("nowhere", (), "nothing there"),
        ("same", ("--by", "colour"), "asked a column"),
        ("same", ("--by", "size"), "at most 50 values"),
        ("same", ("--score", "colour"), "asked a column"),
    ],
)
def test_what_is_not_as_asked_ends_with_two_and_says_what_to_do(files, current, more, said):
    found = run(files, "reference", current, *more)
    assert found.exit_code == 2, found.output
    assert said in found.output
    assert "Traceback" not in found.output


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    path = tmp_path / "notes.parquet"
    path.write_text("not a table")
    found = RUNNER.invoke(app, ["drift", "--reference", str(path), "--current", str(path)])
    assert found.exit_code == 2
    assert "asked a Parquet file" in found.output


def test_the_help_teaches_what_counts_as_drift_and_how_it_ends():
    text = " ".join(RUNNER.invoke(app, ["drift", "--help"]).output.split())
    for part in ("Exit 0: no drift", "too few", "Examples", "headgate drift --reference"):
        assert part in text
