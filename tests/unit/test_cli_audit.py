"""`headgate audit`: exit codes, what it says, and what an export holds and hides."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from headgate import cli
from headgate.adapters import store
from headgate.adapters.anchors import anchor
from headgate.adapters.store import audit
from tests.builders import APRIL
from tests.integration.stores import SEALED, filled, opened


@pytest.fixture(scope="module")
def made(tmp_path_factory, empty_store):
    """A store with one of everything and another rollout; its head."""
    path = tmp_path_factory.mktemp("made") / "store.db"
    shutil.copy(empty_store, path)
    engine = store.connect(f"sqlite:///{path}")
    filled(engine)
    opened(engine, name="hidden", service="hidden")
    head = audit.head(engine)
    engine.dispose()
    return path, head


@pytest.fixture
def home(made, tmp_path, monkeypatch):
    """A folder with a copy of it, which the settings name."""
    shutil.copy(made[0], tmp_path / "store.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADGATE_STORE_URL", "sqlite:///store.db")
    monkeypatch.setenv("HEADGATE_ANCHORS", "noted/anchors.jsonl")
    monkeypatch.setenv("COLUMNS", "400")
    return tmp_path


def run(*words):
    return CliRunner().invoke(cli.app, ["audit", *(str(word) for word in words)], catch_exceptions=False)


def tamper(path, *statements):
    with closing(sqlite3.connect(path)) as connection:
        for table in ("ledger", "approval", "audit"):
            for verb in ("update", "delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS keep_{table}_{verb}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_whole_store_is_exit_0_and_says_what_it_could_not_see(home, made):
    done = run("verify")
    assert done.exit_code == 0
    assert "28 lines vouch for 28 rows" in done.stdout
    assert "no head and no anchors" in done.stdout
    assert done.stdout.endswith("whole by itself: every line and every row fits the others\n")
    anchor(home / "noted" / "anchors.jsonl", made[1], APRIL)
    done = run("verify", "--head", made[1])
    assert done.stdout.endswith("whole: nothing was edited, removed, added or reordered\n")
    assert "no head and no anchors" not in done.stdout
    assert "held against the head you gave, line 28" in done.stdout
    assert "held against 1 heads noted in noted/anchors.jsonl, the last of line 28" in done.stdout
    assert run("head").stdout == f"{made[1]}\n"
    assert json.loads(run("head", "--json").stdout)["seq"] == 28


@pytest.mark.usefixtures("home")
def test_tampering_is_exit_1_and_every_finding_is_named_to_people_and_to_scripts(made):
    tamper("store.db", "UPDATE approval SET answer = 'reject'", "DELETE FROM ledger WHERE tick = 1")
    done = run("verify")
    assert done.exit_code == 1
    assert "TAMPERED WITH: 2 findings" in done.stdout
    assert "row removed: line 6, ledger" in done.stdout
    assert 'row edited: line 8, approval {"id":1}' in done.stdout
    told = json.loads(run("verify", "--json").stdout)
    assert (told["whole"], told["lines"], told["head"]) == (False, 28, str(made[1]))
    assert [(one["kind"], one["line"]) for one in told["findings"]] == [("row removed", 6), ("row edited", 8)]


def test_the_anchors_of_the_settings_hold_for_their_own_store_only(home, made):
    anchor(home / "noted" / "anchors.jsonl", made[1], APRIL)
    shutil.copy("store.db", "cut.db")
    tamper("cut.db", "DELETE FROM audit WHERE seq > 18", "DELETE FROM ledger WHERE rollout_id = 'hidden-1'")
    assert "no head and no anchors" in run("verify", "--store", "cut.db").stdout
    done = run("verify", "--store", "cut.db", "--anchors", "noted/anchors.jsonl")
    assert done.exit_code == 1
    assert f"the chain ends at line 18; the head {made[1]} was noted outside the store" in done.stdout


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--head", "12"), "asked a head like 1284:9f2c"),
        (("--store", "none.db"), "found none at none.db"),
        (("--anchors", "none.jsonl"), "name it with --anchors"),
        (("--file", "none.jsonl"), "--file: asked none.jsonl"),
        (("--file", "store.db"), "--file: asked lines of JSON"),
        (("--file", "x", "--store", "y"), "give one of them"),
    ],
)
def test_bad_input_is_exit_2_and_says_what_to_give(words, says):
    done = run("verify", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_dossier_shows_one_rollout_whole_seals_the_others_and_holds_no_secret(home, made):
    done = run("export", "flights-gbm-1", "--out", "case")
    assert done.exit_code == 0
    page, lines = (home / "case" / name for name in ("dossier.html", "dossier.jsonl"))
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert (told[0]["rollout"], told[0]["head"], len(told)) == ("flights-gbm-1", str(made[1]), 29)
    assert [set(one) for one in told[19:22] + told[25:]] == [{"seq", "content", "prev", "hash"}] * 7
    for text in (page.read_text(), lines.read_text()):
        assert "hidden-1" not in text
        assert SEALED not in text
    assert run("export", "nobody-1", "--out", "case").exit_code == 2

    html = page.read_text()
    for word in (
        "a@example.org answers approve to step 1",
        "bound to question 1",
        "a@example.org gives the answer approve: taken: the code was right",
        "operator@example.org orders pause",
        "both models answered the requests of 2013-04-01",
        "alert 1 (ask): flights-gbm-1 asks for 1 %",
        "alert 1 delivered to webhook",
        "frozen: segments",
        str(made[1]),
    ):
        assert word in html, word
    assert "cannot be read" not in html
    assert "<script" not in html
    assert "http://" not in html.replace("http://127.0.0.1", "").replace("http://www.w3.org", "")


def _rows(said):
    said["rows"][0]["answer"] = "reject"


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (lambda told: _rows(told[8]), "row edited: line 8, approval"),
        (lambda told: told[8].pop("rows"), "row removed: line 8"),
        (lambda told: told[8].update(at="2026-01-01T00:00:00.000000Z"), "line edited: line 8"),
        (lambda told: told[20].update(content="0" * 64), "line edited: line 20"),
        (lambda told: told.pop(8), "line removed: line 8"),
        (lambda told: told.insert(8, told.pop(9)), "lines reordered: line 8"),
        (lambda told: told.pop(), "chain cut off: line 28"),
    ],
)
def test_an_export_that_was_changed_is_found_without_the_store(home, made, spoil, finding):
    run("export", "flights-gbm-1", "--out", "case")
    (home / "store.db").unlink()
    file = home / "case" / "dossier.jsonl"
    whole = run("verify", "--file", file, "--head", made[1])
    assert (whole.exit_code, "whole: nothing" in whole.stdout) == (0, True)
    told = [json.loads(line) for line in file.read_text().splitlines()]
    spoil(told)
    file.write_text("".join(json.dumps(one) + "\n" for one in told))
    done = run("verify", "--file", file, "--head", made[1])
    assert done.exit_code == 1
    assert finding in done.stdout


def test_a_dossier_of_a_record_that_was_changed_says_so_first(home):
    tamper("store.db", "UPDATE ledger SET body = '{}' WHERE tick = 1")
    done = run("export", "flights-gbm-1", "--out", "case")
    assert done.exit_code == 1
    assert "row edited: line 6, ledger" in done.stdout
    html = (home / "case" / "dossier.html").read_text()
    assert "tampered with" in html
    assert "ledger: the row cannot be read" in html
