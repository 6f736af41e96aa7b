"""What is told of the ways from a caller to a model: ratios of one run, and nothing of what is not there."""

import os
import time

import pytest

from benchmarks import traffic_cost
from benchmarks.traffic_cost import Cost
from benchmarks.traffic_paths import Way


def cost(cpu, wait, per_second=()):
    return Cost([cpu, cpu], [wait, wait, 2 * wait], list(per_second))


FOUND = {
    "direct": cost(0.0, 0.2),
    "nginx": cost(50.0, 0.3),
    "envoy plane": cost(100.0, 0.4),
    "guard": cost(1_100.0, 2.0, [900.0, 800.0]),
    "guard, no contract": cost(880.0, 1.8, [1_000.0, 1_000.0]),
}


def test_a_proxy_that_is_not_installed_is_in_no_figure():
    told = {figure.what: figure.value for figure in traffic_cost._figures(FOUND)}
    assert next(iter(told.items())) == ("processor time per request, envoy plane : nginx", 2.0)
    assert told["wait of 99 % of requests, envoy plane : nginx"] == pytest.approx(4 / 3)
    assert not [what for what in told if "HAProxy by hand" in what or "haproxy plane" in what]
    assert told["envoy plane, added to the wait of 50% of requests"] == pytest.approx(0.2)
    assert told["what validation costs, of the guard's processor time"] == pytest.approx(20.0)
    assert told["throughput of the guard, with a contract : without"] == pytest.approx(0.85)


def test_an_answer_that_cannot_be_used_is_a_figure_of_its_own():
    FOUND["nginx"].faults = 3
    told = {figure.what: figure.met for figure in traffic_cost._figures(FOUND)}
    FOUND["nginx"].faults = 0
    assert told["requests without a usable answer, all ways"] is False


def test_processor_time_is_that_of_the_processes_on_the_way():
    way = Way("this one", 0, (os.getpid(),))
    before, began = way.cpu_s(), time.process_time()
    sum(range(2_000_000))
    assert way.cpu_s() - before == pytest.approx(time.process_time() - began, abs=0.03)
