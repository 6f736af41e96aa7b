"""`headgate retrain` and `headgate shelf` as a person and a script call them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headgate.adapters.shelf import shelf_of
from headgate.adapters.store.retrainings import Claim, Retraining
from headgate.cli import app
from headgate.ports import MODEL, PROFILE
from tests.builders import APRIL

NUMBERS = {"loss": 0.1, "loss_of_the_other": 0.11, "difference": -0.01}
CARD = {
    "made_at": "2013-10-03T00:00:00+00:00",
    "training": {"since": "2013-07-03T00:00:00+00:00", "until": "2013-10-01T00:00:00+00:00", "rows": 82_261},
    "left_out": {"unlabelled": 2_157},
    "features": ["signal", "region"],
    "reason": "not worse on 19,073 held-out requests",
    "trainer": {"function": "mine:train"},
    "held_out": [
        {
            "version": "gbm-2",
            "gates": [
                {"gate": "quality", "segment": None} | NUMBERS,
                {"gate": "quality", "segment": "origin=JFK"} | dict.fromkeys(NUMBERS),
            ],
        }
    ],
    "training_sha256": "d" * 64,
    "fingerprint": "f" * 64,
}  # fmt: skip


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of one's own, with a shelf in it; nothing else is connected to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADGATE_STORE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("COLUMNS", "300")
    return shelf_of("runs/shelf", Path())


def run(*words, code=0):
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def test_the_shelf_is_listed_for_people_and_for_scripts(shelf):
    assert "the shelf is empty" in run("shelf", "list").stdout
    shelf.put("delays", "gbm-3", {MODEL: b"a model"}, CARD)
    shelf.put("delays", "gbm-2", {MODEL: b"an older one"}, {"fingerprint": "0"})
    table = run("shelf", "list").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["version", "gbm-2", "gbm-3"]
    assert "2013-07-03 to 2013-10-01" in table[2]
    assert "not said" in table[1]
    told = json.loads(run("shelf", "list", "--model", "delays", "--json").stdout)
    assert [one["version"] for one in told] == ["gbm-2", "gbm-3"]


def test_a_card_says_what_was_learned_how_it_compares_and_every_hash(shelf):
    shelf.put("delays", "gbm-3", {MODEL: b"a model"}, CARD)
    said = run("shelf", "card", "delays", "gbm-3").stdout
    for word in ("82,261 requests", "2,157 unlabelled", "mine:train", "gbm-2 0.11", "f" * 64, "skops"):
        assert word in said
    assert "origin=JFK] no data" in said
    assert json.loads(run("shelf", "card", "delays", "gbm-3", "--json").stdout)["training"]["rows"] == 82_261
    assert "it has gbm-3" in run("shelf", "card", "delays", "gbm-9", code=2).stderr


def test_files_are_fetched_as_the_card_describes_them_or_not_at_all(shelf, tmp_path):
    kept = shelf.put("delays", "gbm-3", {MODEL: b"a model", PROFILE: b"what it learned from"}, CARD)
    run("shelf", "fetch", "delays", "gbm-3", "--out", "served")
    assert (tmp_path / "served" / "gbm-3.skops").read_bytes() == b"a model"
    assert (tmp_path / "served" / "gbm-3.profile").read_bytes() == b"what it learned from"
    Path(kept.place).write_bytes(b"another model")
    assert "do not use it" in run("shelf", "fetch", "delays", "gbm-3", "--out", "again", code=1).stderr


ENDED = Retraining(
    Claim(1, "flight-delays", "button", "o", "o", APRIL),
    accepted=True,
    reason="not worse on 576 held-out requests",
    version="gbm-3",
    rollout="flights-gbm-2",
    body={"card": {"diff": {"metrics": [], "slices": [], "data": {"window_before": None, "columns": []}}}},
)


@pytest.mark.usefixtures("shelf")
def test_the_end_of_a_retraining_is_told_and_is_the_exit_code(monkeypatch):
    import flows.retrain
    from tasks.retrained import Told

    came = {"told": Told(ENDED, Path("runs/retrainings/1"))}
    monkeypatch.setattr(flows.retrain, "retrain", lambda _service, **_now: came["told"])
    asked = ("retrain", "flight-delays", "--now", "2013-10-03T00:00:00Z")
    assert "gbm-3 is accepted: not worse" in run(*asked).stdout
    told = json.loads(run(*asked, "--json").stdout)
    assert (told["accepted"], told["rollout"]) == (True, "flights-gbm-2")
    came["told"] = Told(replace(ENDED, accepted=False, reason="quality is worse", rollout=""), Path("x"))
    assert "gbm-3 is refused: quality is worse" in run(*asked, code=1).stdout
    came["told"] = None
    assert json.loads(run(*asked, "--json").stdout) == {"retrained": False}
