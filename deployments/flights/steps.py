"""The example's preprocessing as a chain of steps that can be recorded and told: docs/parity.md."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from deployments.flights import preprocessing
from deployments.flights.preprocessing import Columns, Preprocessing, stacked
from headgate.parity import Chain, Step, StepRecord, parameters_of

FEATURES = "features"
"""The last step: which columns the model reads, left to right."""


def chain_of(steps: Preprocessing, estimator: Any, start: Callable[[Any], Columns]) -> Chain:
    """Return what happens to requests, one step at a time.

    Parameters
    ----------
    steps, estimator
        As trained, or as served.
    start
        Takes requests and returns them as columns.
    """
    chosen = StepRecord(FEATURES, "select", parameters_of({"columns": list(steps.features)}), _code())
    return Chain(
        steps=(
            *(Step(_recorded(step), step) for step in steps.steps),
            Step(chosen, lambda columns: {name: columns[name] for name in steps.features}),
        ),
        start=start,
        shown=lambda columns: columns,
        answer=lambda columns: estimator.predict_proba(stacked(columns, steps.features))[:, 1],
    )


def _recorded(step: preprocessing.Step) -> StepRecord:
    parameters = {name: value for name, value in asdict(step).items() if name != "name"}
    return StepRecord(step.name, step.kind, parameters_of(parameters), _code())


@cache
def _code() -> str:
    """Return what code runs the steps: other code may do other things with the same parameters."""
    return f"preprocessing.py {hashlib.sha256(Path(preprocessing.__file__).read_bytes()).hexdigest()[:12]}"
