"""Charts: the same bytes twice, text that stays text, and nothing of matplotlib left behind."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import matplotlib as mpl
import pytest

from headgate.report.charts import climb_chart, gate_chart, traffic_chart
from headgate.rollout.state import Waiting
from tests.unit.stories import climb, fall, plan, unopened


def test_charts_are_the_same_bytes_twice():
    story = fall()
    assert climb_chart(story) == climb_chart(story)
    assert gate_chart(story, "quality") == gate_chart(story, "quality")
    assert traffic_chart(story) == traffic_chart(story)


def test_charts_do_not_depend_on_or_change_settings_of_matplotlib():
    plain = climb_chart(fall())
    before = dict(mpl.rcParams)
    with mpl.rc_context(
        {"font.size": 30, "svg.fonttype": "path", "timezone": "Asia/Tokyo", "lines.linewidth": 9}
    ):
        assert climb_chart(fall()) == plain
    assert dict(mpl.rcParams) == before


def test_identifiers_differ_between_the_charts_of_a_story():
    story = fall()
    charts = [
        climb_chart(story),
        climb_chart(story, part="narrow"),
        *(gate_chart(story, g) for g in story.gates()),
    ]
    ids = [name for chart in charts for name in set(re.findall(r' id="([^"]+)"', chart))]
    assert len(ids) == len(set(ids))


def test_a_chart_stands_alone():
    for chart in (climb_chart(climb()), gate_chart(climb(), "errors"), traffic_chart(climb())):
        assert chart.startswith('<svg viewBox="')
        assert chart.endswith("</svg>")
        assert "http" not in chart
        assert "DejaVu" not in chart
        assert "<metadata" not in chart


def test_the_climb_names_every_rise_the_approvals_and_the_end():
    chart = climb_chart(climb())
    for text in (
        "1 % on 26 Jun",
        "5 % on 1 Jul",
        "100 % on 24 Sep",
        "approved by 2",
        "promoted 31 Oct",
        "watch",
    ):
        assert f">{text}</text>" in chart


def test_the_fall_is_marked_where_it_happened():
    chart = climb_chart(fall())
    assert "rolled back" in chart
    assert "3 Jun 2013" in chart


def test_everything_waited_for_has_a_lane():
    chart = climb_chart(climb())
    for reason in (Waiting.SAMPLES, Waiting.CALENDAR, Waiting.APPROVAL, Waiting.DWELL, Waiting.LABELS):
        assert f"waits: {reason.value}" in chart


def test_the_moment_a_gate_passed_and_failed_is_marked():
    chart = gate_chart(fall(), "quality")
    assert "first passed 29 Apr" in chart
    assert "failed 3 Jun" in chart
    assert "both need 32.9" in chart


def test_thresholds_that_differ_are_drawn_apart():
    story = fall()
    ticks = tuple(
        replace(t, verdicts=tuple(replace(v, log_threshold_rollback=2.5) for v in t.verdicts))
        for t in story.ticks
    )
    chart = gate_chart(replace(story, ticks=ticks), "quality")
    assert "needs 32.9" in chart
    assert "needs 12.2" in chart


@pytest.mark.parametrize("name", ["quality", "errors", "latency"])
def test_a_gate_that_saw_nothing_says_no_data(name):
    assert gate_chart(unopened(), name).count("no data") >= 2


def test_a_story_without_traffic_or_ticks_says_no_data():
    assert "no data: no live traffic" in traffic_chart(unopened())
    assert "no data: no tick yet" in climb_chart(unopened())


def test_one_tick_is_enough_for_every_chart():
    story = climb()
    early = replace(story, ticks=story.ticks[:1], outcome=None)
    for chart in (climb_chart(early), climb_chart(early, width=430), gate_chart(early, "quality")):
        assert chart.endswith("</svg>")


def test_ticks_within_one_hour_can_be_drawn():
    story = climb()
    start = story.ticks[0].at
    ticks = tuple(replace(t, at=start + timedelta(minutes=i)) for i, t in enumerate(story.ticks))
    assert climb_chart(replace(story, ticks=ticks, approvals=())).endswith("</svg>")


def test_a_gate_only_the_ticks_know_is_drawn_too():
    story = replace(fall(), plan=plan(gates=[{"name": "quality", "metric": "brier", "margin": 0.005}]))
    assert "errors" in story.gates()
    assert gate_chart(story, "errors").endswith("</svg>")


def test_the_story_and_the_words_are_read_without_loading_matplotlib():
    code = (
        "import sys, headgate.report.story, headgate.report.words, headgate.report.page;"
        "sys.exit('matplotlib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
