"""Chromium, driven by Playwright from a thread of its own.

Playwright's blocking calls run an event loop in the thread that makes them. In pytest's own thread every
flow and every `asyncio.run` of the other tests would find a loop that is running already.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

T = TypeVar("T")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "no chromium on PATH, so nothing is looked at; get it: apt-get install chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-3d-apis",  # drawn by the processor, they take a whole core
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
#: The graph of a run is drawn for every frame, whether it changed or not: four a second will do.
SLOWLY = "const draw = requestAnimationFrame; requestAnimationFrame = act => setTimeout(() => draw(act), 250)"
#: Two cores carry a server, a worker, flow runs and Chromium: a page may well take its time.
PATIENCE_S = 60


def needed() -> None:
    """Skip where there is no Chromium; fail where it was promised (``HEADGATE_CI_BROWSER=1``)."""
    if CHROMIUM is None:
        if os.environ.get("HEADGATE_CI_BROWSER") == "1":
            pytest.fail(MISSING)
        pytest.skip(MISSING)


class Browser:
    """One page of one Chromium, in its thread."""

    def __init__(self, thread: ThreadPoolExecutor, page: Page) -> None:
        self._thread = thread
        self._page = page

    def do(self, act: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call ``act(page, ...)`` in the browser's thread and return what it returns."""
        return self._thread.submit(act, self._page, *args, **kwargs).result(5 * PATIENCE_S)

    def picture(self, path: Path, part: str | None = None, height: int = 1000) -> None:
        """Keep what is to be seen now, or a part of it by its selector, on a screen of this height."""

        def take(page: Page) -> None:
            before = page.viewport_size
            assert before is not None
            page.set_viewport_size({"width": before["width"], "height": height})
            page.evaluate("document.querySelectorAll('*').forEach(one => one.scrollTop = 0)")
            seen = page if part is None else page.locator(part).first
            seen.screenshot(path=path, animations="disabled")
            page.set_viewport_size(before)

        self.do(take)


@contextmanager
def browser(width: int = 1280, height: int = 1000) -> Iterator[Browser]:
    """Start Chromium; end it with the block."""
    from playwright.sync_api import sync_playwright

    def begin() -> tuple[Any, Any, Page]:
        playwright = sync_playwright().start()
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=[*FLAGS])
        page = chromium.new_page(
            viewport={"width": width, "height": height}, color_scheme="light", reduced_motion="reduce"
        )
        page.add_init_script(SLOWLY)
        page.set_default_timeout(1000 * PATIENCE_S)
        return playwright, chromium, page

    def end(playwright: Any, chromium: Any) -> None:
        chromium.close()
        playwright.stop()

    with ThreadPoolExecutor(1, "chromium") as thread:
        playwright, chromium, page = thread.submit(begin).result(PATIENCE_S)
        try:
            yield Browser(thread, page)
        finally:
            thread.submit(partial(end, playwright, chromium)).result(PATIENCE_S)


def browse(page: Path, profile: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Open one page file in a Chromium of its own and return what that prints."""
    assert CHROMIUM is not None
    quiet = ("--headless", *FLAGS, "--enable-logging=stderr", f"--user-data-dir={profile}")
    return subprocess.run(
        [CHROMIUM, *quiet, *flags, page.as_uri()],
        check=True,
        capture_output=True,
        text=True,
        timeout=90,
    )
