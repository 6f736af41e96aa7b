"""The doctor tells what is missing with everything down, in bounded time, and touches nothing."""

import json
import time

import pytest
from typer.testing import CliRunner

from headgate.cli import app
from tasks.checkup import Level, look_over, ok


@pytest.fixture
def nothing_there(tmp_path, monkeypatch):
    """An installation of which nothing is there: no store, no server, no folder."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADGATE_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    monkeypatch.setenv("HEADGATE_NOTIFY", "https://hooks.example.org/very-secret")
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        yield tmp_path


def diagnosed(*options):
    result = CliRunner().invoke(app, ["doctor", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_with_everything_down_it_says_what_to_do_about_each_and_makes_nothing(nothing_there):
    result = diagnosed("--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    found = {finding["what"]: finding for finding in told["findings"]}
    assert found["Prefect API"]["level"] == "missing"
    assert "http://127.0.0.1:1/api" in found["Prefect API"]["found"]
    assert found["store"]["level"] == "warning"
    assert found["Envoy"]["level"] == "ok"
    assert all(finding["todo"] for finding in told["findings"] if finding["level"] != "ok")
    assert {one["variable"]: one["from"] for one in told["settings"]}["HEADGATE_NOTIFY"] == "environment"
    assert "very-secret" not in result.stdout
    assert list(nothing_there.iterdir()) == []


@pytest.mark.usefixtures("nothing_there")
def test_a_setting_that_is_wrong_is_the_first_thing_to_mend(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("HEADGATE_PLANE_PORT", "a door")
        result = diagnosed()
    assert result.exit_code == 1
    assert "HEADGATE_PLANE_PORT" in result.stdout


def test_who_hangs_or_faints_is_named_and_keeps_nobody_waiting():
    began = time.monotonic()
    found = look_over(
        {
            "hangs": lambda: time.sleep(60) or [],
            "faints": lambda: [1 / 0],
            "well": lambda: [ok("well", "all of it")],
        },
        seconds=0.2,
    )
    assert time.monotonic() - began < 5
    assert [(finding.what, finding.level) for finding in found] == [
        ("hangs", Level.MISSING),
        ("faints", Level.MISSING),
        ("well", Level.OK),
    ]
    assert "0.2 s" in found[0].found
    assert "ZeroDivisionError" in found[1].found
