"""What Prefect's own pages show: Markdown that is the same while nothing changes."""

import base64
import re
from dataclasses import replace
from datetime import timedelta

from headgate.report.artifacts import LARGEST, chart, rollout_markdown, status_markdown
from headgate.rollout.state import Outcome, Phase
from headgate.verdicts import Verdict
from tests.rollouts import card, paused, row, state, world
from tests.unit.glances import glance
from tests.unit.stories import climb

HEAD = "12:" + "ab" * 32


def asking():
    before = state(Phase.SHADOW)
    return glance(before, world(before))


def test_the_status_is_the_same_text_while_nothing_changes():
    one = asking()
    later = replace(one, now=one.now + timedelta(minutes=20))
    assert status_markdown([one], HEAD) == status_markdown([later], HEAD)
    assert HEAD in status_markdown([one], HEAD)


def test_the_status_says_first_who_is_needed():
    before = state(Phase.RAMP, rollout="fraud-1", paused=paused())
    still = glance(before, world(before))
    before = state(Phase.DONE, rollout="old-1", outcome=Outcome.EXPIRED)
    old = glance(before, world(before))
    lines = status_markdown([asking(), still, old], HEAD).splitlines()
    assert lines[0] == "**2 rollouts open, 1 rollout done.**"
    assert lines[2:4] == [
        "- **flights-gbm-1: approval asked, 0 of 1 agreed, until 2013-04-14 00:00 UTC**",
        "- **fraud-1: paused since 2013-04-10 00:00 UTC: somebody has to look**",
    ]
    assert any(line.startswith("| fraud-1 | ramp 1/3 at 5 % | paused: operator |") for line in lines)
    assert "- old-1 on flight-delays: expired at 0 % on 2013-04-11 00:00 UTC" in lines


def test_a_rollouts_page_has_a_sentence_per_gate_and_no_markup_of_others():
    story = climb()
    hostile = row("quality", Verdict.INCONCLUSIVE, needed=5)
    hostile = replace(hostile, reason="quality: <script>x</script> [click](http://evil.example)")
    before = state(Phase.SHADOW)
    seen = world(before, scorecard=card(hostile, row("quality", segment="origin=JFK"), row("errors")))
    text = rollout_markdown([glance(before, seen)], [story], "/pages/flights-gbm-1.html", HEAD, seen.now)
    assert r"**quality** (inconclusive): &lt;script&gt;x&lt;/script&gt; \[click\]" in text
    assert "*1 of 1 segments pass.*" in text
    assert "- ✓ **errors** (pass): why of errors." in text
    assert "The full page is the file `/pages/flights-gbm-1.html`" in text
    assert "```\nheadgate pause flight-delays" in text
    unopened = replace(story, ticks=())
    link = rollout_markdown([glance(before, seen)], [unopened], "https://p.example/x.html", HEAD, seen.now)
    assert "[The full page](https://p.example/x.html)" in link


def test_the_chart_fits_however_long_the_ledger():
    story = climb()
    last = story.ticks[-2]
    holds = [
        replace(last, tick=last.tick + number, at=last.at + number * timedelta(minutes=5))
        for number in range(1, 700)
    ]
    drawn = chart(replace(story, ticks=(*story.ticks[:-1], *holds), outcome=None))
    assert len(drawn) < LARGEST + 100
    (data,) = re.findall(r"base64,([^)]+)\)$", drawn)
    assert base64.b64decode(data).startswith(b"<svg")
    assert chart(replace(story, ticks=())) == ""
