"""The page of reviewers over HTTP: what they say is recorded, and whatever is sent to it, it never breaks."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.adapters import store
from headgate.adapters.review_page import app
from headgate.adapters.review_page.sessions import ASKED_FOR, IDLE, Sessions
from headgate.adapters.store import audit, reviews
from headgate.codes import code_of
from headgate.ports import ReviewCase, ReviewReason, Side
from headgate.review.case import Ruling
from tasks.adopting import desk_of
from tasks.approvers import enrol
from tests.builders import APRIL
from tests.unit.task_cases import opened


class Browser:
    """A browser without a window: it follows redirects and keeps cookies."""

    def __init__(self, page) -> None:
        self.transport, self.cookies = httpx.ASGITransport(page), httpx.Cookies()

    def get(self, address: str, **more) -> httpx.Response:
        return asyncio.run(self._ask("GET", address, more))

    def post(self, address: str, **more) -> httpx.Response:
        return asyncio.run(self._ask("POST", address, more))

    async def _ask(self, method: str, address: str, more) -> httpx.Response:
        same = {"base_url": "http://testserver", "follow_redirects": True, "cookies": self.cookies}
        async with httpx.AsyncClient(transport=self.transport, **same) as client:
            answer = await client.request(method, address, **more)
            self.cookies = client.cookies
            return answer


SERVICE, ANN = "flight-delays", "ann@example.org"
HOSTILE = "<script>alert(1)</script>"
NUMBERS = [{"name": "quality", "metric": "absolute_error", "margin": 1.0, "variance": 25}]


def a_case(number=1, **changes) -> ReviewCase:
    fields = {
        "service": SERVICE, "request_id": f"r{number}", "entity": HOSTILE, "at": APRIL,
        "reason": ReviewReason.LOW_CONFIDENCE, "side": Side.CANDIDATE, "answer": 0.55, "confidence": 0.55,
        "rollout": "flights-gbm-1", "slice": "all", "inputs": {"origin": "JFK", "wind": None, "late": True},
    }  # fmt: skip
    return ReviewCase(**(fields | changes))


def put(wired, number=1, **changes):
    reviews.put(wired.engine, a_case(number, **changes), APRIL + timedelta(minutes=number))
    return reviews.find(wired.engine, SERVICE, f"r{number}").id


@pytest.fixture
def page(wired):  # noqa: ARG001 - the store that it stands on
    """Ann's own page, over a queue of one service with a plan."""
    opened(review={"capacity": 40})
    return Browser(app(desk_of(ANN), ["testserver"]))


def token(text: str) -> str:
    return re.search(r'name="token" value="([^"]+)"', text)[1]


def say(page, case: int, what: str, **fields):
    shown = page.get(f"/{SERVICE}/{case}").text
    return page.post(f"/{SERVICE}/{case}", data={"token": token(shown), "say": what, **fields})


def test_m9_a_reviewer_confirms_overrides_and_takes_back_and_goes_on_to_the_next_case(wired, page):
    first, second = put(wired, 1), put(wired, 2)
    shown = page.get("/").text
    assert 'late? <span class="answer">yes' in re.sub(r"\s+", " ", shown)
    assert "55 % sure" in shown
    assert HOSTILE not in shown, "escaped"
    after = say(page, first, "answer 0", comment="it was sunny").text
    assert "r1: <strong>overridden: no</strong>" in after
    assert "r2" in after, "the next one"
    said = reviews.get(wired.engine, first).decided
    assert (said.ruling, said.answer, said.reviewer, said.comment) == (
        Ruling.OVERRIDDEN,
        0.0,
        ANN,
        "it was sunny",
    )
    say(page, first, "withdraw")
    assert reviews.get(wired.engine, first).decided is None
    assert "confirmed" in say(page, first, "answer 1").text, "what the model says is a confirmation"
    say(page, second, "unclear")
    assert "Nothing waits" in page.get(f"/{SERVICE}").text
    assert "overruled" in page.get(f"/{SERVICE}/standing").text


def test_what_somebody_else_decided_meanwhile_stands_and_is_told(wired, page):
    case = put(wired)
    form = token(page.get(f"/{SERVICE}/{case}").text)
    reviews.confirm(wired.engine, case, "bob@example.org", APRIL)
    late = page.post(f"/{SERVICE}/{case}", data={"token": form, "say": "answer 0"})
    assert (late.status_code, "confirmed by bob@example.org" in late.text) == (409, True)
    assert reviews.get(wired.engine, case).decided.reviewer == "bob@example.org"


def test_a_form_sent_twice_is_one_decision_and_the_next_case_is_nobody_decided(wired, page):
    first, second = put(wired, 1), put(wired, 2)
    form = {"token": token(page.get(f"/{SERVICE}/{first}").text), "say": "answer 0"}
    again = [page.post(f"/{SERVICE}/{first}", data=form) for _ in range(3)]
    assert [(one.status_code, "r2" in one.text) for one in again] == [(200, True)] * 3
    assert reviews.get(wired.engine, second).decided is None
    assert [line.kind for line in audit.lines_of(wired.engine, "flights-gbm-1")].count("review_decision") == 1


def test_a_number_is_given_in_a_field_and_one_that_the_models_could_not_say_is_refused(wired):
    opened(
        review={"capacity": 40}, prediction={"kind": "number"}, output={"min": 0, "max": 90}, gates=NUMBERS
    )
    page, case = Browser(app(desk_of(ANN), ["testserver"])), put(wired, answer=1234567.25, confidence=None)
    assert "1234567.25" in page.get(f"/{SERVICE}").text
    refused = say(page, case, "answer", answer="91")
    assert (refused.status_code, "a number from 0 to 90" in refused.text) == (400, True)
    assert "overridden" in say(page, case, "answer", answer="12.5").text
    assert reviews.get(wired.engine, case).decided.answer == 12.5


def test_what_waits_is_listed_a_page_at_a_time_and_every_line_leads_to_its_case(wired, page):
    rollout = store.rollouts(wired.engine, SERVICE)[0].id
    window = reviews.Drawn(APRIL, APRIL + timedelta(days=1), {})
    cases = [(a_case(number), "") for number in range(1, 121)]
    reviews.put_window(wired.engine, rollout, window, cases, APRIL)
    listed = [page.get(f"/{SERVICE}/waiting?page={at}").text for at in ("1", "2", "3", "4")]
    assert [len(re.findall(rf'href="/{SERVICE}/\d+"', text)) for text in listed] == [50, 50, 20, 0]
    assert "120 cases wait, the oldest first; page 3 of 3" in listed[2]
    for garbage in ("", "-1", "²", "9" * 40, HOSTILE):
        assert page.get(f"/{SERVICE}/waiting", params={"page": garbage}).status_code == 200


def test_a_case_that_nobody_answered_is_answered_by_a_person(wired, page):
    case = put(wired, reason=ReviewReason.FALLBACK, side=None, answer=None, confidence=None)
    assert "nobody answered" in page.get(f"/{SERVICE}").text
    assert say(page, case, "confirm").status_code == 400
    say(page, case, "answer 1")
    assert reviews.get(wired.engine, case).decided.ruling is Ruling.ANSWERED


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/nobody", 404),
        ("/nobody/1", 404),
        (f"/{SERVICE}/99", 400),
        (f"/{SERVICE}/{10**30}", 400),
        (f"/{SERVICE}/x", 404),
        ("/static/../x", 404),
    ],
)
def test_an_address_that_is_none_says_so(wired, page, address, status):
    put(wired)
    assert page.get(address).status_code == status


USELESS = (
    {}, {"say": ""}, {"say": "approve"}, {"say": HOSTILE}, {"say": "answer"}, {"say": "answer x"},
    {"say": "answer nan"}, {"say": "answer 1e999"}, {"say": "answer 0.5"}, {"say": "withdraw"},
    {"say": "answer", "answer": ""},
)  # fmt: skip


def test_a_form_that_says_nothing_usable_is_refused_and_the_case_waits_on(wired, page):
    case = put(wired)
    form = token(page.get(f"/{SERVICE}/{case}").text)
    answers = [page.post(f"/{SERVICE}/{case}", data={"token": form, **said}) for said in USELESS]
    assert [one.status_code for one in answers] == [
        409 if one == {"say": "withdraw"} else 400 for one in USELESS
    ]
    assert not [one for one in answers if HOSTILE in one.text]
    assert reviews.get(wired.engine, case).decided is None


def test_nothing_that_others_wrote_becomes_a_part_of_the_page(wired, page):
    case = put(
        wired, request_id="r1", reason=ReviewReason.FALLBACK, side=None, answer=None, confidence=None,
        inputs={HOSTILE: HOSTILE, "nested": {"a": [HOSTILE]}, "control": "\x1b[31m"},
    )  # fmt: skip
    seen = [page.get(f"/{SERVICE}/{case}"), page.get(f"/{SERVICE}/waiting")]
    seen.append(say(page, case, "answer 1", comment=HOSTILE))
    seen += [page.get(f"/{SERVICE}/{case}"), page.get(f"/{SERVICE}/standing")]
    assert {one.status_code for one in seen} == {200}
    assert not [one.url for one in seen if HOSTILE in one.text]
    assert "&lt;script&gt;" in seen[3].text
    assert "\x1b" not in seen[0].text


def test_a_session_ends_after_eight_idle_hours_and_its_forms_say_nothing_any_more():
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    key = sessions.open(ANN)
    now[0] += IDLE - 1
    assert sessions.get(key).reviewer == ANN, "whoever works goes on"
    now[0] += IDLE - 1
    assert sessions.get(key) is not None
    now[0] += IDLE
    assert sessions.get(key) is None
    name = sessions.begin()
    now[0] += ASKED_FOR
    assert not sessions.finish(name), "a code for it comes too late"


def test_foreign_forms_foreign_names_and_oversized_bodies_change_nothing(wired, page):
    case = put(wired)
    assert page.post(f"/{SERVICE}/{case}", data={"say": "confirm"}).status_code == 403
    assert page.get("/", headers={"host": "evil.example.org"}).status_code == 400
    assert page.post(f"/{SERVICE}/{case}", content=b"x" * 100_000).status_code == 400
    assert reviews.get(wired.engine, case).decided is None
    answer = page.get(f"/{SERVICE}")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
@given(
    body=st.binary(max_size=200)
    | st.text(max_size=80).map(lambda t: f"say={t}&answer={t}".encode(errors="replace"))
)
def test_no_body_breaks_the_page(wired, page, body):
    case = put(wired)
    form = token(page.get(f"/{SERVICE}/{case}").text).encode()
    answer = page.post(f"/{SERVICE}/{case}", content=b"token=" + form + b"&" + body)
    assert answer.status_code < 500


def test_people_sign_in_with_a_code_of_their_own_and_nobody_else_gets_in(wired):
    secret = enrol(ANN, "chief@example.org", APRIL)
    put(wired)
    client = Browser(app(desk_of(None), ["testserver"]))
    asked = client.get(f"/{SERVICE}").text
    request = re.search(r"review/sign-in/[0-9a-f]+", asked)[0]
    wrong = client.post("/sign-in", data={"name": ANN, "code": "00000000", "request": request})
    assert (wrong.status_code, "wrong or expired code" in wrong.text) == (403, True)
    again = re.search(r"review/sign-in/[0-9a-f]+", wrong.text)[0]
    assert again != request, "a sign-in is asked for once"
    code = code_of(secret, again, "sign", datetime.now(UTC))
    seen = client.post("/sign-in", data={"name": ANN, "code": code, "request": again})
    assert "r1" in seen.text
    assert client.post("/sign-in", data={"name": ANN, "code": code, "request": again}).status_code == 403
    old = token(seen.text)
    client.post("/sign-out", data={"token": "of another site"})
    assert "r1" in client.get(f"/{SERVICE}").text, "nobody is signed out by another site"
    client.post("/sign-out", data={"token": old})
    late = client.post(f"/{SERVICE}/1", data={"token": old, "say": "confirm"})
    assert "Sign in" in late.text, "a form of a session that is over asks who it is"
    assert reviews.get(wired.engine, 1).decided is None
    for _ in range(5):
        client.post("/sign-in", data={"name": ANN, "code": "1", "request": sign_in(client)})
    name = sign_in(client)
    right = {"name": ANN, "code": code_of(secret, name, "sign", datetime.now(UTC)), "request": name}
    assert "wait a quarter of an hour" in client.post("/sign-in", data=right).text


def sign_in(client) -> str:
    return re.search(r"review/sign-in/[0-9a-f]+", client.get("/sign-in").text)[0]
