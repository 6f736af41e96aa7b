"""`headgate review` as a person and a script call it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from headgate.adapters.store import reviews
from headgate.cli import app
from headgate.ports import ReviewCase, ReviewReason, Side
from tests.builders import APRIL
from tests.unit.task_cases import opened

SERVICE, NOW = "flight-delays", ["--now", "2013-04-02T06:00:00Z"]


@pytest.fixture
def queue(wired):
    """Two cases of a service whose plan has reviewers."""
    opened(review={"capacity": 40, "sample": 1.0, "max_age": "1d"})
    for number in (1, 2):
        case = ReviewCase(
            SERVICE,
            f"r{number}",
            "N1",
            APRIL,
            ReviewReason.SAMPLED,
            Side.CANDIDATE,
            0.7,
            0.7,
            None,
            "all",
            {},
        )
        reviews.put(wired.engine, case, APRIL + timedelta(hours=number))


def run(*words, code=0):
    done = CliRunner().invoke(app, ["review", *words], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


@pytest.mark.usefixtures("queue")
def test_m9_a_case_is_listed_confirmed_overridden_and_taken_back():
    assert [one["request_id"] for one in json.loads(run("list", SERVICE, "--json").stdout)] == ["r1", "r2"]
    assert "1 of 2 are shown" in run("list", SERVICE, "--most", "1").stdout
    assert "there are those of: flight-delays" in run("list", "nobody", code=2).stderr
    shown = run("show", "1", *NOW).stdout
    assert ("late? yes, 70 % sure" in shown, "drawn at random" in shown) == (True, True)
    said = json.loads(run("confirm", "1", "--as", "ann", "--json", *NOW).stdout)
    assert said["decided"] | {"at": ""} == {
        "ruling": "confirmed", "answer": 0.7, "reviewer": "ann", "comment": "", "at": "",
    }  # fmt: skip
    assert "overridden by ann" in run("override", "2", "--answer", "0", "--as", "Ann", *NOW).stdout
    assert "case 2 was overridden by ann" in run("confirm", "2", "--as", "bob", *NOW, code=1).stderr
    assert "waits again" in run("withdraw", "2", "--as", "ann", *NOW).stdout
    assert "confirmed by bob" in run("override", "2", "--answer", "1", "--as", "bob", *NOW).stdout
    assert "nothing waits" in run("list", SERVICE).stdout
    assert "give one of these" in run("override", "1", "--answer", "0.5", "--as", "ann", *NOW, code=2).stderr


@pytest.mark.usefixtures("queue")
def test_m22_status_tells_how_answers_are_taken_and_what_each_step_would_bring():
    found = json.loads(run("status", SERVICE, "--json", *NOW).stdout)
    assert (found["capacity"], found["adoption"]["waiting"], found["use"]) == (40, 2, None)
    assert found["adoption"]["sampled"]["rate"] is None
    assert [row["cases"] for row in found["ladder"]] == [None] * 4
    assert "oldest for 29h" in found["ladder"][1]["holds"][0]
    run("override", "1", "--answer", "0", "--as", "ann", *NOW)
    told = run("status", SERVICE, *NOW).stdout
    assert "People overruled 100.0 % of 1 sampled answers" in told
    assert "not known yet" in told
    assert "there are those of: flight-delays" in run("status", "nobody", *NOW, code=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--as", "ann", "--host", "192.0.2.7"], "which others reach"),
        (["--certificate", "chain.pem"], "give both"),
        (["--certificate", "no.pem", "--key", "no.pem"], "name the right one"),
    ],
)
def test_a_page_that_others_could_speak_on_is_not_served(words, said):
    assert said in run("serve", *words, code=2).stderr
