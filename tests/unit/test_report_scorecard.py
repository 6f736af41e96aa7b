"""What an approver reads above the form."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.report.scorecard import Asking, per_day, plain, scorecard, weakest
from headgate.report.story import Story
from headgate.rollout.state import Answer, Approval, Asked
from tests.unit.stories import OPENED, climb, plan, unopened

NOW = OPENED + timedelta(days=100)
ASKED = Asked(3, 2, "digest", NOW - timedelta(hours=1), NOW + timedelta(hours=47))
REQUEST = "flights-gbm-1/all/approve/3/2/0a1b2c3d4e5f"


def until(tick: int) -> Story:
    """Return the climb as it stood after a tick."""
    whole = climb()
    at = whole.ticks[tick].at
    traffic = tuple(stay for stay in whole.traffic if stay.since < at)
    return replace(whole, outcome=None, ticks=whole.ticks[: tick + 1], traffic=traffic, approvals=())


def card(story: Story, notice: str | None = None, **changes) -> str:
    asking = replace(Asking("flights-gbm-1", "all", None, ASKED, REQUEST), **changes)
    return scorecard(story, asking, NOW, notice)


@pytest.fixture(scope="module")
def shown() -> str:
    return card(until(20))


def test_the_question_comes_first_and_the_code_last_next_to_the_form(shown):
    heads = re.findall(r"^###+ (.*)$", shown, re.MULTILINE)
    assert heads[0] == "May gbm-2 answer 25 % of flight-delays?"
    assert heads[1:] == ["The gates", "If you approve", "How to undo it", "Over time", "Your code"]
    assert "answer before **" in shown.split("####")[0]


def test_every_gate_has_its_verdict_in_a_sentence(shown):
    for gate in ("quality", "errors", "coverage"):
        assert re.search(rf"^- \*\*[✓✗] {gate}: ", shown, re.MULTILINE), gate


def test_it_says_what_changes_and_how_far_the_climb_then_goes_alone(shown):
    assert re.search(r"from \d+ % to \*\*25 %\*\*", shown)
    assert re.search(r"about \*\*[\d,]+ of [\d,]+ requests a day\*\*", shown)
    assert "After that it goes on to 50 % and 100 % without asking, as the gates pass." in shown


@pytest.mark.parametrize("command", ["rollback", "kill", "undo"])
def test_it_says_how_to_undo_it(shown, command):
    assert f"headgate {command} flight-delays --as YOU" in shown


def test_the_request_a_code_is_computed_for_can_be_copied(shown):
    assert f"\n  {REQUEST} \\\n" in shown.partition("#### Your code")[2]


def test_charts_are_images_of_their_own_and_the_whole_is_small(shown):
    images = re.findall(r"\]\(data:image/svg\+xml;base64,([^)]+)\)", shown)
    assert 2 <= len(images) <= 3
    for image in images:
        root = ET.fromstring(base64.b64decode(image))  # noqa: S314 - our own chart
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert float(root.attrib["width"]) <= 460
    assert len(shown) < 300_000


def test_a_paragraph_is_one_line_because_one_page_breaks_it_otherwise(shown):
    inside = re.sub(r"```.*?```", "", shown, flags=re.DOTALL)
    for one, other in zip(inside.splitlines(), inside.splitlines()[1:], strict=False):
        assert not (one and other) or other.startswith(("- ", "#")), (one, other)


def test_whoever_answered_is_named_with_what_they_said_and_who_is_missing():
    yes = Approval(3, 2, "digest", "hash", "chief@example.org", Answer.APPROVE, "fine | by *me*", NOW)
    text = card(replace(until(20), approvals=(yes,)), agreed=("chief@example.org",))
    assert "- chief@example.org said **approve** on" in text
    assert r"fine \| by \*me\*" in text
    assert "**1 more person must agree.**" in text


def test_what_became_of_the_last_answer_stands_on_top_in_bold():
    assert card(until(20), "Not accepted: wrong code").startswith("**Not accepted: wrong code**\n")
    told = card(until(20), "Not accepted: *no*; do `headgate approver code x_y_z`")
    assert told.startswith("**Not accepted: \\*no\\*; do `headgate approver code x_y_z`**\n")


def test_a_slice_says_which_requests_and_is_undone_alone():
    text = card(until(20), slice="jfk", where="origin == 'JFK' and <b>")
    assert "flight-delays / jfk?" in text
    assert "of those where origin == 'JFK' and &lt;b&gt;" in text
    assert "headgate rollback flight-delays --slice jfk --as YOU" in text


def test_without_any_verdict_it_claims_nothing():
    text = card(unopened(), asked=replace(ASKED, step=1))
    assert "**No gate has been judged yet.**" in text
    assert "How many requests that is a day is not known yet" in text
    assert "data:image" not in text


def test_the_weakest_segments_come_first_and_are_few():
    verdicts = until(20).ticks[-1].verdicts
    strong = [replace(v, segment=f"s{i}", log_e_advance=float(i)) for i, v in enumerate(verdicts[:1] * 9)]
    assert [v.segment for v in weakest(strong)] == ["s0", "s1", "s2"]


def test_requests_a_day_are_those_of_the_present_stay_else_those_that_shadow_scored():
    story = until(20)
    stay = story.traffic[-1]
    days = (story.ticks[-1].at - stay.since) / timedelta(days=1)
    lasting = replace(stay, until=None)
    assert per_day(replace(story, traffic=(lasting,))) == pytest.approx(stay.requests / days)
    scored = replace(story, traffic=(), exchanges=1_000)
    lasted = (story.ticks[-1].at - story.ticks[0].at) / timedelta(days=1)
    assert per_day(scored) == pytest.approx(1_000 / lasted)
    assert per_day(unopened()) is None


@given(st.text(max_size=60))
def test_no_text_becomes_markup(text):
    shown = plain(text)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]|~!$<>]", shown)
    assert "://" not in shown


def test_a_plan_cannot_smuggle_in_markup():
    named = plan(candidate={**plan().model_dump()["candidate"], "version": "gbm [x](http://e) <script>"})
    text = card(replace(until(20), plan=named))
    assert "<script>" not in text
    assert "[x](http" not in text
