"""The page of reviewers in a real browser, with the keyboard alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn

from deployments.processes import free_port
from headgate.adapters import store
from headgate.adapters.lake import Lake
from headgate.adapters.planes.in_process import InProcessPlane
from headgate.adapters.review_page import app
from headgate.adapters.store import reviews
from headgate.ports import ReviewCase, ReviewReason, Side
from headgate.review.case import Ruling
from tasks import wiring
from tasks.adopting import desk_of
from tests.browser.chromium import Browser
from tests.builders import APRIL, plan, settings_in

SERVICE, ANN = "flight-delays", "ann@example.org"
NOW = APRIL + timedelta(hours=5)
INPUTS = {
    "carrier": "UA", "origin": "EWR", "dest": "SFO", "dep_hour": 17, "distance": 2565, "temp": 61.0,
    "wind_speed": 24.2, "wind_gust": None, "precip": 0.02, "pressure": 1009.4, "visib": 6.0,
}  # fmt: skip
REASONS = (
    (ReviewReason.LOW_CONFIDENCE, 0.53),
    (ReviewReason.SAMPLED, 0.81),
    (ReviewReason.HIGH_VALUE, 0.12),
    (ReviewReason.FALLBACK, None),
)


def put(engine) -> None:
    """A few hours of cases, one of each reason in turn; half an hour apart."""
    for number in range(8):
        reason, answer = REASONS[number % 4]
        case = ReviewCase(
            SERVICE, f"2013-04-01 UA 153{number}", f"N3721{number}", APRIL + timedelta(minutes=4 * number),
            reason, None if answer is None else Side.CANDIDATE, answer, answer and max(answer, 1 - answer),
            "flights-gbm-1", "all", INPUTS,
        )  # fmt: skip
        reviews.put(engine, case, APRIL + timedelta(minutes=30 * number), "origin=EWR, sides disagree")


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Iterator[tuple[str, wiring.Wiring]]:
    home: Path = tmp_path_factory.mktemp("review")
    engine, plane = store.connect(f"sqlite:///{home / 'store.db'}"), InProcessPlane()
    wired = wiring.Wiring(engine, Lake(home, base=home), lambda _: plane, settings_in(home), lambda: NOW)
    with wiring.use(wired):
        store.open_rollout(engine, plan(review={"capacity": 40}), APRIL, "operator@example.org")
        put(engine)
        port = free_port()
        config = uvicorn.Config(app(desk_of(ANN), ["127.0.0.1"]), port=port, log_level="error")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}", wired
        server.should_exit = True
        thread.join()
    engine.dispose()


def rulings(wired) -> list[Ruling]:
    return [one.decided.ruling for one in reviews.history(wired.engine, SERVICE) if one.decided]


def press(chrome: Browser, *keys: str) -> str:
    """Press keys one after the other, each on the page that the one before leads to; return what is read."""

    def act(page) -> str:
        for key in keys:
            with page.expect_navigation():
                page.keyboard.press(key)
        return page.inner_text("body")

    return chrome.do(act)


def test_m9_a_reviewer_works_with_the_keyboard_alone(page, chrome: Browser, keep):
    address, wired = page
    said: list[str] = []
    chrome.do(lambda tab: tab.on("console", lambda one: said.append(one.text)))
    chrome.do(lambda tab: tab.goto(f"{address}/"))
    first = chrome.do(lambda tab: tab.inner_text("body"))
    assert "nobody answered" in first, "a caller waits for this one"
    assert "answered" in press(chrome, "y")
    seen = press(chrome, "y")
    assert "53 % sure" in seen, "both callers have their answers; then the oldest comes"
    keep("review", height=760)
    chrome.do(lambda tab: tab.keyboard.press("w"))
    chrome.do(lambda tab: tab.keyboard.type("thunderstorm over c and o"))
    chrome.do(lambda tab: tab.keyboard.press("Enter"))
    assert "53 % sure" in chrome.do(lambda tab: tab.inner_text("body")), "typing decides nothing"
    chrome.do(lambda tab: tab.keyboard.press("Escape"))
    after = press(chrome, "o")
    assert "overridden: no" in after
    assert reviews.get(wired.engine, 1).decided.comment == "thunderstorm over c and o"
    assert "53 % sure" in press(chrome, "z"), "taken back, and here it is again"
    assert "UA 1532" in press(chrome, "c", "s"), "UA 1531 is for somebody else"
    press(chrome, "u")
    assert rulings(wired) == [Ruling.CONFIRMED, Ruling.UNCLEAR, Ruling.ANSWERED, Ruling.ANSWERED]
    waits = press(chrome, "l")
    assert "4 cases wait, the oldest first" in waits
    assert "UA 1531" in waits
    standing = press(chrome, "r", "q")
    assert "4 cases wait" in standing
    keep("review-standing", height=900)
    assert not said, "the browser complains about nothing"


@pytest.mark.parametrize("width", [380, 1400])
def test_the_page_of_reviewers_never_scrolls_sideways(page, chrome: Browser, width):
    def measured(tab) -> tuple[int, int]:
        before = tab.viewport_size
        tab.set_viewport_size({"width": width, "height": 900})
        found = []
        for path in (f"/{SERVICE}", f"/{SERVICE}/waiting", f"/{SERVICE}/standing"):
            tab.goto(page[0] + path)
            found.append(tab.evaluate("document.documentElement.scrollWidth"))
        tab.set_viewport_size(before)
        return max(found), width

    seen, limit = chrome.do(measured)
    assert seen <= limit
