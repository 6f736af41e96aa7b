"""Both pages of Prefect in the words of somebody who is on duty: queue, run, form, answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.browser.chromium import Browser

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Response

#: The bookmark of the operators' guide.
QUEUE = "/v2/runs?tab=flow-runs&tags=needs-approval&state=Suspended"
FIELDS = {
    "decision": "Decision",
    "approver": "Approver",
    "code": "Approval code",
    "comment": "Comment",
}


@dataclass(frozen=True)
class Seen:
    """What is to be read: the words, and the width of each image as the browser drew it."""

    text: str
    images: tuple[int, ...]


class Pages:
    """What both pages have in common."""

    run_path: str
    submit: str

    def __init__(self, browser: Browser, ui: str) -> None:
        self.browser = browser
        self.address = ui

    def answer(self, **fields: str) -> str:
        """Fill the form in and submit it; return why the page refused it, or nothing."""
        return self.browser.do(self._answer, fields)

    def form(self, run_id: str) -> Seen:
        """Open a run by its address, and its form."""
        self.browser.do(lambda page: page.goto(self.run(run_id)))
        return self.open_form()

    def open_form(self) -> Seen:
        """Open the form of the run that is shown."""
        return self.browser.do(self._open_form)

    def sees(self, text: str, address: str = "") -> None:
        """Wait until the page, or another one if that is named, shows a text."""

        def look(page: Page) -> None:
            if address:
                page.goto(address)
            page.get_by_text(text).first.wait_for()

        self.browser.do(look)

    def run(self, run_id: str) -> str:
        """Return the address of a run."""
        return f"{self.address}{self.run_path}/{run_id}"

    def _open_form(self, page: Page) -> Seen:
        raise NotImplementedError

    def _answer(self, page: Page, fields: dict[str, str]) -> str:
        self._fill(page, fields)
        button = page.get_by_role("dialog").get_by_role("button", name=self.submit)
        reasons = _pressed(page, button, fields)
        for reason in reasons:
            page.get_by_text(reason[:40]).first.wait_for()
        if not reasons:
            button.wait_for(state="hidden")
            page.goto("about:blank")  # a run's page draws all the time, and the worker needs the processor
        return " ".join(reasons)

    def _fill(self, page: Page, fields: dict[str, str]) -> None:
        raise NotImplementedError


def _read(dialog: Locator, ready: Locator) -> Seen:
    ready.wait_for()
    images = dialog.locator("img")
    for image in images.all():
        image.scroll_into_view_if_needed()
    widths = images.evaluate_all(
        "all => Promise.all(all.map(one => one.decode().catch(() => null).then(() => one.naturalWidth)))"
    )
    return Seen(dialog.inner_text(), tuple(widths))


def _pressed(page: Page, button: Locator, fields: dict[str, str]) -> list[str]:
    """Click and return what the server found wrong; click again where it was not asked, or too busy."""
    answers: list[Response] = []

    def hear(answer: Response) -> None:
        answers.append(answer)

    page.on("response", hear)
    try:
        for _ in range(3):
            button.click()
            for _ in range(200):
                page.wait_for_timeout(100)
                while answers:
                    found = _wrong(answers.pop(0), fields)
                    if found is not None:
                        return found
    finally:
        page.remove_listener("response", hear)
    raise AssertionError(f"three clicks, and the server took none of {fields}")


def _wrong(answer: Response, fields: dict[str, str]) -> list[str] | None:
    """Return what this answer of the server says about the form; None: nothing yet."""
    if answer.url.endswith("/resume") and answer.ok:
        body = answer.json()
        return [] if body["status"] == "ACCEPT" else [body["details"]["reason"]]
    sent = answer.request.post_data or ""
    if answer.url.endswith("/schemas/validate") and all(value in sent for value in fields.values()):
        return [*_texts(answer.json()["errors"])] or None
    return None  # V1 also has half filled forms checked


def _texts(errors: list[Any]) -> Iterator[str]:
    """Yield what the page has to show of a refused form: every field has a list of its own."""
    for error in errors:
        if isinstance(error, str):
            yield error
        else:
            yield from _texts(error["errors"])


class V2(Pages):
    """The page that Prefect opens by itself."""

    run_path = "/v2/runs/flow-run"
    submit = "Resume"

    def queue(self, title: str) -> str:
        """Open the bookmark; return what the list shows once it shows a run of this name."""

        def look(page: Page) -> str:
            page.goto(self.address + QUEUE)
            page.get_by_role("link", name=title, exact=True).wait_for()
            return page.get_by_role("main").inner_text()

        return self.browser.do(look)

    def open_run(self, title: str) -> None:
        """Click on a run of the queue."""

        def click(page: Page) -> None:
            page.get_by_role("link", name=title, exact=True).click()
            page.get_by_role("button", name="Open menu").wait_for()

        self.browser.do(click)

    def can_answer(self, run_id: str) -> bool:
        """Open a run and its menu; return whether that offers the form."""

        def look(page: Page) -> bool:
            page.goto(self.run(run_id))
            page.get_by_role("button", name="Open menu").click()
            page.get_by_role("menuitem", name="Copy ID").wait_for()
            offered = page.get_by_role("menuitem", name="Resume").is_visible()
            page.keyboard.press("Escape")
            return offered

        return self.browser.do(look)

    def artifact(self, key: str, text: str) -> Seen:
        """Open the newest artifact of this key; return what it shows once it shows a text."""

        def look(page: Page) -> Seen:
            page.goto(f"{self.address}/v2/artifacts/key/{key}")
            page.get_by_role("link", name=re.compile("^[0-9a-f]{8}$")).first.click()
            return _read(page.get_by_role("main"), page.get_by_text(text).first)

        return self.browser.do(look)

    def cancel(self, run_id: str) -> None:
        """Cancel a run from its menu, and say yes when asked."""

        def press(page: Page) -> None:
            page.goto(self.run(run_id))
            page.get_by_role("button", name="Open menu").click()
            page.get_by_role("menuitem", name="Cancel").click()
            page.get_by_role("alertdialog").get_by_role("button", name="Cancel Flow Run").click()
            page.get_by_role("alertdialog").wait_for(state="hidden")

        self.browser.do(press)

    def _open_form(self, page: Page) -> Seen:
        page.get_by_role("button", name="Open menu").click()
        page.get_by_role("menuitem", name="Resume").click()
        dialog = page.get_by_role("dialog")
        return _read(dialog, dialog.get_by_label(FIELDS["approver"], exact=True))

    def _fill(self, page: Page, fields: dict[str, str]) -> None:
        dialog = page.get_by_role("dialog")
        for name, value in fields.items():
            if name == "decision":
                dialog.get_by_role("button", name=f"Select {FIELDS[name]}").click()
                page.get_by_role("option", name=value, exact=True).click()
            else:
                dialog.get_by_label(FIELDS[name], exact=True).fill(value)


class V1(Pages):
    """The older page, at ``/runs``."""

    run_path = "/runs/flow-run"
    submit = "Submit"

    def _open_form(self, page: Page) -> Seen:
        page.get_by_role("button", name="Resume").click()
        dialog = page.get_by_role("dialog")
        return _read(dialog, _field(dialog, "approver").get_by_role("textbox"))

    def _fill(self, page: Page, fields: dict[str, str]) -> None:
        dialog = page.get_by_role("dialog")
        for name, value in fields.items():
            if name == "decision":
                _field(dialog, name).locator(".p-select-button__control").press("ArrowDown")
                page.get_by_role("option", name=value, exact=True).click()
            else:
                _field(dialog, name).get_by_role("textbox").fill(value)


def _field(dialog: Locator, name: str) -> Locator:
    label = dialog.page.locator(".schema-form-property__label", has_text=re.compile(f"^{FIELDS[name]}"))
    return dialog.locator(".p-label", has=label)
