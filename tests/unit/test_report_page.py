"""The page: well formed, by itself, and telling all of the story and nothing else."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from headgate.errors import InputError
from headgate.report.page import render_page
from headgate.report.story import Incident
from headgate.rollout.state import Answer, Approval, Order, Verb
from headgate.verdicts import Verdict
from tests.unit.stories import PLAN, TAKEN, climb, fall, plan, unopened

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
VOID = {"meta", "link", "br", "img", "hr", "input"}
HOSTILE = "<script>alert('x')</script> & $\\frac{1}{0}$ \"quoted\""


class Reader(HTMLParser):
    """Reads the page strictly: every tag closed in order, every id once; keeps text and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.text, self.tags, self.ids, self.attributes = [], [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


def render(*stories, **facts) -> str:
    return render_page(stories, title="A demo", generated_at=NOW, facts=facts)


def brief(story):
    """The same story with one gate: its charts are drawn in a moment."""
    return replace(
        story,
        plan=plan(gates=[{"name": "quality", "metric": "brier", "margin": 0.005}]),
        ticks=tuple(
            replace(t, verdicts=tuple(v for v in t.verdicts if v.gate == "quality")) for t in story.ticks
        ),
    )


@pytest.fixture(scope="session")
def page() -> str:
    return render(climb(), fall(), machine="2 cores")


@pytest.fixture(scope="session")
def read(page) -> Reader:
    return Reader(page)


def meddled():
    """A fall in which people had a hand, and nobody called."""
    story = brief(fall())
    no = Approval(
        1, 1, "d" * 64, "p" * 64, "ann@example.org", Answer.REJECT, "too slow", NOW - timedelta(days=9)
    )
    return replace(
        story,
        traffic=(replace(story.traffic[0], candidate_requests=0, incumbent_requests=0),),
        approvals=(no,),
        orders=(Order(1, Verb.ROLLBACK, "ann@example.org", "customers complain", NOW),),
        incidents=climb().incidents,
        taken=TAKEN,
    )


@pytest.fixture(scope="session")
def meddled_page() -> str:
    return render(meddled())


def test_m22_overrides_are_told_where_people_were_asked_and_nowhere_else(page, meddled_page):
    told = Reader(meddled_page).words
    assert "3 cases wait, the oldest for 5 hours." in told
    assert "People overruled 10.0 % of 40 sampled answers of the candidate (" in told
    assert "judged by people 45" in told
    assert "overruled, of all that was judged 20.0 % (" in told
    assert "How people take the answers" not in page


def test_every_tag_is_closed_and_every_id_is_there_once(read):
    assert len(read.ids) == len(set(read.ids))
    assert [tag for tag, _ in read.tags].count("h1") == 1


def test_every_reference_points_into_the_page_itself(read, page):
    references = [v for _, name, v in read.attributes if name in {"src", "href", "action", "srcset", "data"}]
    assert references
    inside = {f"#{name}" for name in read.ids} | {"data:,"}
    assert [ref for ref in references if ref not in inside] == []
    links = set(re.findall(r"url\(#([^)]*)\)", page))
    assert links <= set(read.ids)
    assert page.count("url(") == len(re.findall(r"url\(#", page))
    assert "@import" not in page


def test_nothing_runs(read):
    assert not [tag for tag, _ in read.tags if tag in {"script", "iframe", "object", "embed"}]
    assert not [name for _, name, _ in read.attributes if name.startswith("on")]


def test_every_gate_and_segment_is_judged_in_a_table_and_drawn(read):
    labels = [attrs.get("aria-label", "") for tag, attrs in read.tags if tag == "svg"]
    for story in (climb(), fall()):
        for gate in story.plan.gates:
            assert read.words.count(gate.name) >= 3
        for segment in ("origin=EWR", "origin=JFK", "origin=LGA"):
            assert segment in read.words
    for gate in climb().plan.gates:
        assert sum(label.startswith(f"Gate {gate.name} over time") for label in labels) == 2


def test_the_ledger_has_a_row_for_every_tick(page):
    for story in (climb(), fall()):
        section = page[page.index(f"Ledger of {story.rollout}") :]
        rows = section[: section.index("</table>")]
        assert rows.count("<tr") == len(story.ticks) + 1
        for tick in story.ticks:
            assert f"{tick.at:%Y-%m-%d %H:%M} UTC" in rows
            assert tick.flow_run_id in rows


def test_the_headline_says_what_happened_and_why(read):
    assert "gbm-2 was promoted" in read.words
    assert (
        "gbm-2-broken was rolled back after 62 days and never had more than 1 % of the traffic" in read.words
    )
    assert "quality failed: the candidate's Brier loss is 0.031 worse" in read.words


def test_traffic_is_shown_as_planned_and_as_observed(read):
    (stay,) = fall().traffic
    assert f"{stay.observed_percent:.2f} %" in read.words
    assert f"{stay.candidate_requests:,}" in read.words


def test_a_step_without_requests_has_no_observed_share(meddled_page):
    table = meddled_page[meddled_page.index("Live traffic of flights-gbm-broken-1") :]
    assert "no data" in table[: table.index("</table>")]


def test_operators_of_the_demo_are_shown_as_such(read, meddled_page):
    assert "demo-operator-1 demo operator" in read.words
    assert "nobody looked" in read.words
    assert "demo operator" not in Reader(meddled_page).words.lower()


def test_tables_name_their_columns_and_pictures_say_what_they_show(read):
    headers = [attrs for tag, attrs in read.tags if tag == "th"]
    assert headers
    assert all(attrs.get("scope") in {"col", "row"} for attrs in headers)
    pictures = [attrs for tag, attrs in read.tags if tag == "svg"]
    assert len(pictures) == 2 * (2 + 6 + 1)
    assert all(attrs.get("role") == "img" and attrs.get("aria-label") for attrs in pictures)


def test_headings_never_skip_a_level(read):
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(b <= a + 1 for a, b in pairwise(levels))


@pytest.fixture(params=["of a climb and a fall", "without a tick", "without a rollout"])
def any_page(request) -> str:
    if request.param == "without a rollout":
        return render()
    return request.getfixturevalue("page" if request.param != "without a tick" else "unopened_page")


@pytest.fixture(scope="session")
def unopened_page() -> str:
    return render(unopened())


def test_no_number_is_shown_that_is_none(any_page):
    words = Reader(any_page).words
    assert not re.search(
        r"\b(nan|inf|none|null|undefined)\b", words.replace("block: none", ""), re.IGNORECASE
    )
    assert not re.search(r"\b(nan|inf)\b", any_page)


def test_gates_whose_numbers_are_missing_or_infinite_are_shown_as_no_data():
    story = brief(climb())

    def broken(tick):
        bad = {"estimate": math.nan, "lower": -math.inf, "upper": math.inf, "log_e_advance": math.inf}
        more = {"log_e_rollback": -math.inf, "log_threshold_advance": math.inf, "design_effect": math.nan}
        return replace(
            tick, verdicts=tuple(replace(v, **bad, **more) for v in tick.verdicts), log_harm=math.nan
        )

    page = render(replace(story, ticks=tuple(broken(t) for t in story.ticks)))
    assert not re.search(r"\b(nan|inf)\b", Reader(page).words, re.IGNORECASE)
    assert not re.search(r"\b(nan|inf)\b", page)


def test_hostile_text_stays_text():
    story = brief(fall())
    hostile = plan(owner={"name": HOSTILE, "contact": "x@example.org"}, gates=PLAN["gates"][:1])
    tick = story.ticks[-2]
    verdicts = tuple(
        replace(v, segment=HOSTILE if v.segment else None, reason=HOSTILE, unit=HOSTILE)
        for v in tick.verdicts
    )
    decision = replace(tick.decision, reasons=(HOSTILE,))
    page = render(
        replace(
            story,
            plan=hostile,
            rollout=HOSTILE,
            service=HOSTILE,
            ticks=(*story.ticks[:-2], replace(tick, verdicts=verdicts, decision=decision), story.ticks[-1]),
            data_quality={HOSTILE: 3},
            incidents=(Incident(NOW, HOSTILE, HOSTILE),),
            approvals=(replace(story.approvals[0], approver=HOSTILE, comment=HOSTILE),),
            orders=(Order(1, Verb.ROLLBACK, HOSTILE, HOSTILE, NOW),),
        ),
        **{HOSTILE: HOSTILE},
    )
    read = Reader(page)
    assert "<script" not in page
    assert not [tag for tag, _ in read.tags if tag == "script"]
    assert "alert('x')" in read.words


def test_a_rollout_without_a_tick_is_told_without_numbers(unopened_page):
    words = Reader(unopened_page).words
    assert "has not been judged yet" in words
    assert "no tick has run" in words
    assert "No data: the candidate has had no live traffic." in words


def test_a_page_without_rollouts_says_so():
    assert "there is no rollout to tell of" in Reader(render()).words


def test_a_rollout_after_its_first_tick_renders():
    story = brief(climb())
    words = Reader(render(replace(story, ticks=story.ticks[:1], outcome=None, traffic=()))).words
    assert "gbm-2 is in shadow" in words
    assert "waiting for labels to mature" in words


def test_incidents_and_orders_are_told(meddled_page):
    words = Reader(meddled_page).words
    assert "pressed rollback customers complain" in words
    assert "Envoy was gone; started again at 25 %" in words


def test_a_refusal_is_not_shown_as_a_yes(meddled_page):
    assert "reject: enter 1 %" in Reader(meddled_page).words


def test_the_plan_is_shown_as_frozen_with_its_hash(page):
    assert climb().plan_hash in page
    assert "percent: 25.0" in page
    assert "maturity: 2d" in page


def test_the_same_stories_give_the_same_bytes(meddled_page):
    assert render(meddled()) == meddled_page


def test_a_naive_time_is_refused_with_what_to_do():
    story = climb()
    naive = replace(story.ticks[0], at=story.ticks[0].at.replace(tzinfo=None))
    with pytest.raises(InputError, match="naive one; attach the time zone"):
        replace(story, ticks=(naive,))


def test_ticks_out_of_order_are_refused():
    story = climb()
    with pytest.raises(InputError, match="asked for ticks in rising order"):
        replace(story, ticks=story.ticks[::-1])


def test_what_decided_is_the_tick_that_settled_the_outcome():
    story = fall()
    assert story.deciding == story.ticks[-2]
    failed = [v.gate for v in story.deciding.verdicts if v.verdict is Verdict.FAIL]
    assert "quality" in failed
