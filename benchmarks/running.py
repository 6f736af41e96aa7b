"""Runs one benchmark in a process of its own and says on stderr how it went."""

from __future__ import annotations

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib import import_module

from benchmarks.results import Section

#: Names of the modules with a ``run``, in the order they are run and told.
NAMES = ("shadow", "tick", "verdicts", "traffic", "traffic_cost", "backtest", "monitoring", "drift", "demo")


def measure(name: str, *, quick: bool) -> Section:
    """Run one benchmark; one that fails is told, and the others go on."""
    say(f"{name} ...")
    began = time.monotonic()
    try:
        # A process each: none inherits another's memory, settings or imports.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            section = pool.submit(found, name, quick).result()
    except Exception as err:  # noqa: BLE001 - whatever it was, it belongs on the page
        section = Section(name, failed=f"{type(err).__name__}: {err}")
    for figure in section.figures:
        say(f"{name}: {figure.what}: {figure.shown} (target: {figure.target}; {figure.verdict.strip('*')})")
    if section.failed or section.skipped:
        say(f"{name}: {section.failed or section.skipped}")
    seconds = time.monotonic() - began
    say(f"{name}: {seconds:.0f} s")
    return section.took(seconds)


def found(name: str, quick: bool) -> Section:
    """Return what a benchmark found; called in the other process, which imports it there."""
    section: Section = import_module(f"benchmarks.{name}").run(quick=quick)
    return section


def say(text: str) -> None:
    """Tell somebody who waits."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)
