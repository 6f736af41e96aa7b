"""What must hold for a model to be watched and trained anew, each rule a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from headgate.errors import InputError
from headgate.plan.applies import is_loss
from headgate.plan.durations import as_duration
from headgate.plan.finding import Finding, KeyPath, show
from headgate.plan.model import Plan
from headgate.plan.where import read_where

#: Blocks of held-out time without which two models cannot be told apart at all.
FEWEST_BLOCKS = 7
_PLACES = re.compile(r"\{[^}]*\}")


def a_drift_that_retrains_has_a_trainer(plan: Plan) -> Iterator[Finding]:
    """Refuse to retrain where nothing says how."""
    if plan.drift and plan.drift.then == "retrain" and plan.retrain is None:
        todo = "add `retrain: {trainer: my_module:train, …}`, or write `then: tell`"
        yield Finding(("drift", "then"), "a key `retrain` beside `then: retrain`", "none", todo)


def watching_and_training_take_time(plan: Plan) -> Iterator[Finding]:
    """Refuse windows, waits and patience of no length."""
    spans: dict[KeyPath, timedelta] = {}
    if plan.drift:
        spans["drift", "every"] = plan.drift.every
    if plan.retrain:
        spans["retrain", "window"] = plan.retrain.window
        spans["retrain", "holdout"] = plan.retrain.holdout
        spans["retrain", "timeout"] = plan.retrain.timeout
    for path, span in spans.items():
        if span <= timedelta(0):
            yield Finding(path, "a duration above 0", as_duration(span), "write e.g. 1d")


def held_out_time_is_a_part_of_the_window(plan: Plan) -> Iterator[Finding]:
    """Leave the trainer most of the window, and the comparison blocks enough."""
    asked = plan.retrain
    if asked is None:
        return
    if asked.holdout * 2 > asked.window:
        least = as_duration(asked.window / 2)
        todo = "lengthen the window, or hold out less"
        yield Finding(
            ("retrain", "holdout"), f"at most half the window ({least})", as_duration(asked.holdout), todo
        )
    block = timedelta(hours=1) if plan.unit.block == "none" else plan.unit.block
    if asked.holdout < block * FEWEST_BLOCKS:
        least = as_duration(block * FEWEST_BLOCKS)
        found = as_duration(asked.holdout)
        todo = "hold out more: with fewer blocks no difference can be told from chance"
        yield Finding(("retrain", "holdout"), f"at least {FEWEST_BLOCKS} blocks ({least})", found, todo)


def a_new_version_has_an_address_of_its_own(plan: Plan) -> Iterator[Finding]:
    """Ask where a new version will be served, at an address that differs between versions."""
    asked = plan.retrain
    if asked is None or (asked.opens == "nothing" and asked.url is None):
        return
    path = ("retrain", "url")
    example = 'url: "http://delays-{version}:8080"'
    if asked.url is None:
        todo = f"add `{example}`, or write `opens: nothing` to keep new models on the shelf"
        yield Finding(path, "where a new version will be served", "nothing", todo)
        return
    places = set(_PLACES.findall(asked.url))
    if not places or not places <= {"{version}", "{number}"}:
        todo = f"write e.g. `{example}`: the version that serves keeps its own"
        yield Finding(path, "an address with {version} or {number} in it", show(asked.url), todo)
        return
    try:
        usable = bool(urlsplit(asked.address_of("model-1") or "").hostname)
        usable = usable and urlsplit(asked.address_of("model-1") or "").port != 0
    except ValueError:
        usable = False
    if not usable:
        yield Finding(
            path, "an address with a host and a port from 1 to 65535", show(asked.url), "correct it"
        )


def what_is_left_out_can_be_read(plan: Plan) -> Iterator[Finding]:
    """Refuse an expression that says nothing."""
    if plan.retrain is None or plan.retrain.leave_out is None:
        return
    try:
        read_where(plan.retrain.leave_out)
    except InputError as err:
        path = ("retrain", "leave_out")
        yield Finding(
            path, "an expression as in slices[].where", str(err), "correct it: docs/plan.md shows how"
        )


def a_new_model_is_held_against_outcomes(plan: Plan) -> Iterator[Finding]:
    """Ask for a gate that says what worse means: a new model is refused by the same measure."""
    if plan.retrain and not any(is_loss(gate) and gate.margin is not None for gate in plan.gates):
        asked = "a gate on a loss with a margin, e.g. brier, zero_one or squared_error"
        todo = "add `{name: quality, metric: brier, margin: 0.005}`: it says what a worse model is"
        yield Finding(("retrain",), asked, "none", todo)
