"""What a person sees of the demo: plain lines without a terminal, and no markup by chance."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from deployments.demo.board import Board
from headgate.rollout.state import Decision, Move, Phase, State, Tick, Waiting
from tests.builders import APRIL

STATE = State("flights-gbm-1", Phase.SHADOW, APRIL, APRIL)


def tick(move=Move.HOLD, reason="not enough samples", **state):
    decision = Decision(move, (reason,), (Waiting.SAMPLES,))
    return Tick(1, APRIL, "run", decision, replace(STATE, **state))


def shown(*ticks, terminal=False, width=140):
    out = StringIO()
    with Board(Console(file=out, force_terminal=terminal, width=width)) as board:
        for one in ticks:
            board.told("flights-gbm", one, 1_234)
    return out.getvalue()


def test_without_a_terminal_lines_are_plain():
    said = shown(tick(Move.ADVANCE, "every gate passes", phase=Phase.RAMP, share_bp=500))
    assert said.split() == ["2013-04-01", "flights-gbm", "5", "%", "advance", "every", "gate", "passes"]
    assert "\x1b" not in said


def test_the_first_tick_is_told_and_after_that_only_changes():
    hold, rise = tick(), tick(Move.ADVANCE, "every gate passes", share_bp=100)
    said = shown(hold, hold, hold, rise, hold).splitlines()
    assert [line.split()[4] for line in said] == ["hold", "advance"]


def test_a_reason_about_a_segment_keeps_its_brackets():
    why = "quality[origin=EWR] got worse"
    assert why in shown(tick(Move.ROLL_BACK, why))


def test_a_reason_that_looks_like_markup_breaks_nothing():
    assert "[/] [bold] x" in shown(tick(Move.PAUSE, "[/] [bold] x"))


def test_a_decision_without_a_reason_is_told():
    without = replace(tick(), decision=Decision(Move.PAUSE, ()))
    assert "pause" in shown(without)


def test_on_a_terminal_a_line_moves_with_share_and_requests():
    said = shown(tick(share_bp=5_000, phase=Phase.RAMP), terminal=True)
    assert "██████████" in said
    assert "1,234 live requests" in said
    assert "waits for samples" in said


def test_a_note_stays():
    out = StringIO()
    with Board(Console(file=out, width=140)) as board:
        board.note("starting a Prefect server")
    assert out.getvalue() == "starting a Prefect server\n"
