"""`headgate sample` as a person calls it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from headgate.cli import app
from tests.builders import APRIL, PLAN
from tests.unit.test_sampling import CONTRACT, history

RUNNER = CliRunner()
pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a plan, a request log and the outcomes of its first half."""
    monkeypatch.chdir(tmp_path)
    table = history(300)
    for name in ("requests", "outcomes"):
        (tmp_path / "lake" / name).mkdir(parents=True)
    pq.write_table(table.slice(0, 150), "lake/requests/1.parquet")
    pq.write_table(table.slice(150), "lake/requests/2.parquet")
    first = table.slice(0, 150)
    known = [at + timedelta(hours=4) for at in first["at"].to_pylist()]
    late = pa.table({"request_id": first["request_id"], "late": [0, 1] * 75, "known_at": known})
    pq.write_table(late, "lake/outcomes/1.parquet")
    body = {**PLAN, "input": CONTRACT}
    Path("plan.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
    return tmp_path


def run(*args: str):
    return RUNNER.invoke(app, ["sample", *args])


@pytest.mark.parametrize("words", [(), ("draw",)], ids=["sample PLAN", "sample draw PLAN"])
def test_a_sample_is_written_with_weights_labels_and_no_names(words):
    asked = ("--rows", "40", "--by", "origin", "--labels", "--out", "pilot.parquet", "--json", "-")
    found = run(*words, "plan.yaml", *asked)
    assert found.exit_code == 0, found.output
    told, table = json.loads(found.stdout), pq.read_table("pilot.parquet")
    assert (told["rows"], told["rows_history"], table.num_rows) == (40, 300, 40)
    assert sum(table["sample_weight"].to_pylist()) == pytest.approx(300)
    assert told["left_out"] == ["origin", "passport"]
    assert not {"origin", "passport"} & set(table.column_names)
    assert told["labelled"] == 40 - table["late"].null_count
    assert 0 < told["labelled"] < 40
    assert not [one for one in table["request_id"].to_pylist() if one.startswith("r")]


def test_the_same_seed_draws_the_same_requests_whatever_the_span_is_called():
    for out in ("a.csv", "b.csv"):
        assert run("plan.yaml", "--rows", "9", "--keep-ids", "--out", out).exit_code == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    later = run("plan.yaml", "--rows", "9", "--keep-ids", "--since", "2013-04-08", "--out", "c.csv")
    assert later.exit_code == 0
    first = min(pyarrow.csv.read_csv("c.csv")["at"].to_pylist())
    assert first >= (APRIL + timedelta(days=7)).replace(tzinfo=first.tzinfo)


def test_a_curated_set_is_held_against_the_stream_in_words_and_json():
    table = history(300)
    far = table.filter(pa.compute.field("distance") > 1_000).select(["distance", "carrier", "note"])
    pyarrow.csv.write_csv(far, "curated.csv")
    found = run("compare", "plan.yaml", "curated.csv", "--json", "unseen.json")
    assert found.exit_code == 0, found.output
    body = json.loads(Path("unseen.json").read_text())
    assert "never saw" in found.stdout
    below = next(one for one in body["findings"] if one["gap"] == "below")
    assert (below["column"], below["rows"]) == ("distance", 300 - far.num_rows)
    assert body["unseen_share"] > 10 * body["unseen_share_random"]
    strayed = {one["name"]: one["drifted"] for one in body["distances"]["columns"]}
    assert strayed["distance"]
    assert not strayed["carrier"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("plan.yaml", "--rows", "5", "--out", "x.xlsx"), "--out: asked a file ending in .parquet or .csv"),
        (("plan.yaml", "--rows", "5", "--out", "x.csv", "--by", "nothing"), "--by: asked columns of the log"),
        (("plan.yaml", "--rows", "5", "--out", "x.csv", "--history", "gone"), "found nothing there"),
        (("plan.yaml", "--rows", "5", "--out", "x.csv", "--since", "2020-01-01"), "found no request in"),
        (("plan.yaml", "--rows", "5", "--out", "x.csv", "--hide", "at"), "--hide: asked a column of the log"),
        (("compare", "plan.yaml", "gone.csv"), "asked a set of requests; found nothing there"),
        (("compare", "plan.yaml", "empty.csv"), "asked a set to hold against the stream; found no rows"),
        (("compare", "plan.yaml", "bad.parquet"), "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_with_what_to_do_and_no_file_is_left(args, said):
    Path("empty.csv").write_text("distance,carrier\n")
    Path("bad.parquet").write_bytes(b"PAR1 not really")
    found = run(*args)
    assert found.exit_code in (1, 2)
    assert said in " ".join(found.stderr.split())
    assert not Path("x.csv").exists()
