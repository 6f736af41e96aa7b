"""Fixtures of the tests that look at pages: Chromium, somebody on duty, and pictures of what they see."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.browser.duty import Duty, on_duty
from tests.live_prefect import FullPrefect
from tests.scenarios.climb import Climb
from tests.scenarios.world import Servers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots", type=Path, metavar="DIR", help="keep pictures of what operators see in this folder"
    )


@pytest.fixture(scope="session", autouse=True)
def _chromium_needed() -> None:
    chromium.needed()


@pytest.fixture(scope="module")
def chrome() -> Iterator[chromium.Browser]:
    """One Chromium for all stories of a file; left open, it draws on while others test."""
    with chromium.browser() as browser:
        yield browser


@pytest.fixture
def duty(full_prefect: FullPrefect, climb: Climb, models: Servers, tmp_path: Path) -> Iterator[Duty]:
    """Somebody on duty, whose form is being drawn."""
    with on_duty(full_prefect, climb["asked"], models, tmp_path / "world") as built:
        yield built


@pytest.fixture
def keep(request: pytest.FixtureRequest, chrome: chromium.Browser) -> Callable[..., None]:
    """Keep a picture of what is to be seen, under a name, if the command line says where."""
    folder: Path | None = request.config.getoption("--screenshots", default=None)

    def take(name: str, part: str | None = None, height: int = 1000) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            chrome.picture(folder / f"{name}.png", part, height)
            _shrink(folder / f"{name}.png")

    return take


def _shrink(picture: Path) -> None:
    """Make a picture small enough for a repository: few colours are enough for a page."""
    from PIL import Image

    out = io.BytesIO()
    with Image.open(picture) as seen:
        seen.convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            out, "PNG", optimize=True
        )
    picture.write_bytes(out.getvalue())
