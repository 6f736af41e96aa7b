"""The circuit breaker and the waits, with a clock of our own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from headgate.adapters.circuit import Breaker, Position
from headgate.adapters.models import LONGEST_WAIT, backoff
from headgate.plan.model import Circuit, Retry


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def breaker(clock):
    return Breaker(Circuit(error_rate=0.5, min_calls=4, window=timedelta(seconds=60)), clock=lambda: clock[0])


def calls(breaker, *outcomes):
    for ok in outcomes:
        breaker.record(breaker.enter(), ok=ok)


def test_it_opens_at_the_error_rate_and_not_below(breaker):
    calls(breaker, True, True, True, False, False)
    assert breaker.position is Position.CLOSED
    calls(breaker, False)
    assert breaker.position is Position.OPEN
    assert breaker.enter() is None


def test_a_few_failures_are_no_rate(breaker):
    calls(breaker, False, False, False)
    assert breaker.position is Position.CLOSED


def test_a_server_that_fails_every_other_call_opens_it(breaker):
    calls(breaker, True, False, True, False)
    assert breaker.position is Position.OPEN


def test_what_is_older_than_the_window_does_not_count(breaker, clock):
    calls(breaker, False, False, False)
    clock[0] = 61.0
    calls(breaker, False)
    assert breaker.position is Position.CLOSED


def test_after_the_rest_one_probe_passes_and_decides(breaker, clock):
    calls(breaker, *[False] * 4)
    clock[0] = 29.9
    assert breaker.enter() is None
    clock[0] = 30.0
    probe = breaker.enter()
    assert probe is not None
    assert breaker.enter() is None
    breaker.record(probe, ok=False)
    assert breaker.position is Position.OPEN
    clock[0] = 60.0
    breaker.record(breaker.enter(), ok=True)
    assert breaker.position is Position.CLOSED
    calls(breaker, False, False, False)
    assert breaker.position is Position.CLOSED  # closed again, it has forgotten the failures before


def test_a_slow_call_from_before_it_opened_does_not_settle_the_probe(breaker, clock):
    slow = breaker.enter()
    calls(breaker, *[False] * 4)
    clock[0] = 30.0
    probe = breaker.enter()
    breaker.record(slow, ok=True)
    assert breaker.position is Position.HALF_OPEN
    breaker.record(probe, ok=False)
    assert breaker.position is Position.OPEN


def test_waits_double_from_the_base_and_are_drawn_between_nothing_and_that():
    drawn = []

    def most(low, high):
        drawn.append((low, high))
        return high

    retry = Retry(base=timedelta(milliseconds=50))
    assert [backoff(retry, tries, most) for tries in (1, 2, 3)] == pytest.approx([0.05, 0.1, 0.2])
    assert {low for low, _ in drawn} == {0.0}
    assert backoff(retry, 60, most) == LONGEST_WAIT
