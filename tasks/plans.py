"""Reads plan files."""

from __future__ import annotations

from pathlib import Path

from headgate.plan import Plan, load_plan
from tasks.direct import task
from tasks.retrying import ONCE


@task(name="read the plan", **ONCE)
def read_plan(path: str) -> Plan:
    """Return the plan in a file; a plan with problems fails here with all of them."""
    return load_plan(Path(path))
