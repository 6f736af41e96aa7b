"""The pages in a real browser: they render, fetch nothing, complain about nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headgate.backtest.story import stories_of
from headgate.power import page as power
from headgate.power.asking import forecast
from headgate.power.assumptions import Assumptions
from headgate.power.course import Runs
from headgate.premortem import page as premortem
from headgate.premortem.catalogue import named
from headgate.premortem.drill import premortem as drill
from headgate.report.page import render_page
from tests.browser.chromium import browse
from tests.histories import exchanges
from tests.unit import test_backtest, test_premortem
from tests.unit.fault_tables import START, days
from tests.unit.stories import climb, fall

NOW = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    html = render_page([climb(), fall()], title="A demo", generated_at=NOW, facts={"machine": "x"})
    path.write_text(html, encoding="utf-8")
    return path


def test_the_browser_reads_the_page_without_a_console_message(page, tmp_path):
    read = browse(page, tmp_path, "--dump-dom")
    assert "CONSOLE" not in read.stderr
    assert "gbm-2 was promoted" in read.stdout
    # The browser mends what is not well formed; nothing was to mend.
    assert len(re.findall(r"<tr", read.stdout)) == len(re.findall(r"<tr", page.read_text(encoding="utf-8")))
    assert read.stdout.count("<svg") == page.read_text(encoding="utf-8").count("<svg")


@pytest.mark.parametrize("width", [380, 1400])
def test_the_page_never_scrolls_sideways(page, tmp_path, width):
    # The page itself runs no script; the probe is put into a copy.
    probe = "<script>document.title='WIDTH '+document.documentElement.scrollWidth+' OF '+innerWidth</script>"
    copy = tmp_path / "probe.html"
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", probe + "</body>"), encoding="utf-8")
    read = browse(copy, tmp_path / "profile", f"--window-size={width},900", "--dump-dom")
    found = re.search(r"<title>WIDTH (\d+) OF (\d+)</title>", read.stdout)
    assert found is not None
    assert int(found[1]) <= int(found[2])


def test_a_picture_of_the_page_is_not_empty(page, tmp_path):
    picture = tmp_path / "report.png"
    browse(page, tmp_path / "profile", "--window-size=1400,2000", f"--screenshot={picture}")
    body = picture.read_bytes()
    assert body.startswith(b"\x89PNG")
    assert len(body) > 100_000


# ---------------------------------------------------------------- pages that look ahead and back


def forecast_page(_folder: Path) -> str:
    made = test_premortem.PLAN
    return power.page(forecast(made, Assumptions(rate=5_000), NOW, Runs(10)), made, NOW)


def drill_page(_folder: Path) -> str:
    faults = named(("wrong-rows", "errors"))
    found = drill(test_premortem.PLAN, days(14, 60), faults, seeds=0, onset=START + timedelta(days=5))
    return premortem.page(found, NOW)


def backtest_page(folder: Path) -> str:
    told = test_backtest.replayed(folder, made=exchanges(20, 60))
    return render_page(stories_of(told), title="Backtest", generated_at=NOW, facts={})


@pytest.mark.parametrize("made_by", [forecast_page, drill_page, backtest_page])
def test_pages_of_power_premortem_and_backtest_render_without_a_console_message(made_by, tmp_path):
    path, html = tmp_path / "page.html", made_by(tmp_path)
    path.write_text(html, encoding="utf-8")
    read = browse(path, tmp_path / "profile", "--dump-dom")
    assert "CONSOLE" not in read.stderr
    assert "flights-gbm" in read.stdout or "gbm-2" in read.stdout
    assert read.stdout.count("<svg") == html.count("<svg") > 0
