"""The report in a real browser: it renders, fetches nothing, complains about nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headgate.report.page import render_page
from tests.unit.stories import climb, fall

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on PATH: the page is not looked at here"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    html = render_page(
        [climb(), fall()],
        title="A demo",
        generated_at=datetime(2026, 1, 5, tzinfo=UTC),
        facts={"machine": "x"},
    )
    path.write_text(html, encoding="utf-8")
    return path


def browse(page: Path, profile: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()],
        check=True,
        capture_output=True,
        text=True,
        timeout=90,
    )


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
