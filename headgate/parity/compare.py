"""A server's steps and answers held against the record: what is dropped, added, reordered, changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.parity.chain import Columns
from headgate.parity.golden import Accident, Golden, Slip
from headgate.parity.recipe import Recipe, StepRecord, canonical
from headgate.parity.wire import Told

#: How far a number may be from the recorded one, relative to the larger of both, and of 1.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the served model is not the recorded one.

    Attributes
    ----------
    step
        As recorded, or as told where it was added; empty: none explains it.
    said
        How it differs, after the step's name.
    rows
        Golden rows in which the values of the step differ.
    """

    slip: Slip
    step: str
    said: str
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Parity:
    """What came of a comparison.

    Attributes
    ----------
    rows
        How many golden examples were asked.
    answers
        Rows that were answered otherwise than recorded.
    furthest
        By how much the answer differs at most; None where none differs, or one is missing.
    fingerprint
        Of the steps, as the server tells it.
    """

    rows: int
    differences: tuple[Difference, ...]
    answers: tuple[int, ...]
    furthest: float | None
    fingerprint: str | None

    @property
    def holds(self) -> bool:
        """Whether what is served is what was recorded; other code alone that gives the same values is."""
        return all(one.slip is Slip.VERSION for one in self.differences)


def compare(golden: Golden, told: Told, *, tolerance: float = TOLERANCE, stages: bool = True) -> Parity:
    """Hold what a server says to the golden examples against the record.

    Parameters
    ----------
    tolerance
        See `TOLERANCE`.
    stages
        Whether its steps have to be known: a server that tells nothing of them is then a difference.
    """
    pairs = list(zip(golden.answers, told.answers, strict=True))
    wrong = tuple(row for row, (asked, said) in enumerate(pairs) if not close(asked, said, tolerance))
    gaps = [abs(asked - said) if said is not None else None for asked, said in (pairs[row] for row in wrong)]
    known = [gap for gap in gaps if gap is not None]
    found: list[Difference] = []
    if golden.recipe is not None and told.recipe is not None:
        found += _steps(golden, golden.recipe, told, told.recipe, tolerance)
    elif stages:
        whose = "the server tells" if golden.recipe is not None else "the record knows"
        found.append(Difference(Slip.UNTOLD, "", f"{whose} nothing of its steps"))
    if wrong and all(one.slip in (Slip.UNTOLD, Slip.VERSION) for one in found):
        found.append(_unexplained(golden, told, wrong, tolerance))
    return Parity(
        rows=golden.rows,
        differences=tuple(found),
        answers=wrong,
        furthest=max(known) if known and len(known) == len(gaps) else None,
        fingerprint=told.fingerprint,
    )


def close(asked: Any, found: Any, tolerance: float) -> bool:
    """Say whether two values are the same; numbers may differ a little.

    Examples
    --------
    >>> close(300.0, 300.0 + 1e-9, 1e-6), close(5.0, float("inf"), 1e-6), close("EWR", "EWR", 1e-6)
    (True, False, True)
    """
    numbers = (int, float)
    if isinstance(asked, numbers) and isinstance(found, numbers) and math.isfinite(found):
        return abs(asked - found) <= tolerance * max(1.0, abs(asked), abs(found))
    return bool(asked == found)


def differing(asked: Columns, found: Columns, rows: int, tolerance: float) -> tuple[int, ...]:
    """Return the rows in which two stages differ; every row where one lacks a column."""
    if asked.keys() != found.keys():
        return tuple(range(rows))
    wrong = (
        row
        for row in range(rows)
        if not all(close(asked[name][row], found[name][row], tolerance) for name in asked)
    )
    return tuple(wrong)


def out_of_place(asked: Sequence[str], found: Sequence[str]) -> tuple[str, ...]:
    """Return the fewest names that have to be moved to turn one order into the other.

    Examples
    --------
    >>> out_of_place(["a", "b", "c", "d"], ["b", "c", "a", "d"])
    ('a',)
    """
    place = {name: at for at, name in enumerate(found)}
    kept: list[list[str]] = []  # the longest run in the right order that ends with each name
    for at, name in enumerate(asked):
        before = [kept[i] for i in range(at) if place[asked[i]] < place[name]]
        kept.append([*_longest(before), name])
    stay = _longest(kept)
    return tuple(name for name in asked if name not in stay)


def _longest(runs: list[list[str]]) -> list[str]:
    return max(runs, key=len) if runs else []


def _steps(
    golden: Golden, asked: Recipe, told: Told, served: Recipe, tolerance: float
) -> Iterator[Difference]:
    """Yield what is wrong with the steps; only where nothing is, what they do."""
    mine = {step.name: step for step in asked.steps}
    theirs = {step.name: step for step in served.steps}
    both = [name for name in served.names if name in mine]
    effects = {name: _effect(golden, told, name, tolerance) for name in both}
    found = [*_lost_and_new(golden, asked, told, served), *_moved(asked, served, effects)]
    changed = [(name, how) for name in both if (how := _how(mine[name], theirs[name]))]
    found += [Difference(Slip.CHANGED, name, how, effects[name]) for name, how in changed]
    yield from found
    if not found:
        # What comes after a step that gives other values differs with it: the first one is the cause.
        first = next((name for name in both if effects[name]), None)
        if first is not None:
            said = "is told as recorded, and gives other values"
            yield Difference(Slip.VALUES, first, said, effects[first])
    for name in both:
        if (code := (mine[name].version, theirs[name].version))[0] != code[1]:
            said = f"is run by {code[1] or 'unnamed code'}, recorded with {code[0] or 'unnamed code'}"
            yield Difference(Slip.VERSION, name, said)


def _lost_and_new(golden: Golden, asked: Recipe, told: Told, served: Recipe) -> Iterator[Difference]:
    for at, name in enumerate(asked.names):
        if name not in served.names:
            values = golden.stages[at]
            touched = f"; it made {', '.join(list(values)[:5])}" if values else "; it changed no golden row"
            rows = _touched(golden.inputs, golden.stages, at, golden.rows)
            yield Difference(Slip.DROPPED, name, f"is dropped{touched}", rows)
    for at, name in enumerate(served.names):
        if name not in asked.names:
            where = f"after {served.names[at - 1]}" if at else "as the first"
            rows = _touched(golden.inputs, told.stages or (), at, golden.rows)
            yield Difference(Slip.ADDED, name, f"is added, {where}", rows)


def _moved(asked: Recipe, served: Recipe, effects: Mapping[str, tuple[int, ...]]) -> Iterator[Difference]:
    mine = [name for name in asked.names if name in served.names]
    theirs = [name for name in served.names if name in asked.names]
    for name in out_of_place(mine, theirs):
        said = f"runs {_neighbour(theirs, name)}; recorded {_neighbour(mine, name)}"
        yield Difference(Slip.REORDERED, name, said, effects[name])


def _neighbour(names: Sequence[str], name: str) -> str:
    at = names.index(name)
    return f"after {names[at - 1]}" if at else "as the first"


def _how(asked: StepRecord, served: StepRecord) -> str:
    """Return how a step's own words differ; empty where they do not."""
    if asked.kind != served.kind:
        return f"is a {served.kind}, recorded as {asked.kind}"
    names = sorted({*asked.parameters, *served.parameters})
    changed = [
        f"{name} {_shown(served.parameters, name)}, recorded {_shown(asked.parameters, name)}"
        for name in names
        if _shown(asked.parameters, name) != _shown(served.parameters, name)
    ]
    return f"has {'; '.join(changed)}" if changed else ""


def _shown(parameters: Mapping[str, Any], name: str) -> str:
    return canonical(parameters[name]) if name in parameters else "nothing"


def _effect(golden: Golden, told: Told, name: str, tolerance: float) -> tuple[int, ...]:
    """Return the rows in which what a step of both gives differs."""
    if golden.recipe is None or told.recipe is None or told.stages is None:
        return ()
    mine = golden.stages[golden.recipe.names.index(name)]
    theirs = told.stages[told.recipe.names.index(name)]
    return differing(mine, theirs, golden.rows, tolerance)


def _touched(inputs: Columns, stages: Sequence[Columns], at: int, rows: int) -> tuple[int, ...]:
    """Return the golden rows in which a step changes anything."""
    before: dict[str, Sequence[Any]] = dict(inputs)
    for stage in stages[:at]:
        before |= stage
    after = stages[at] if at < len(stages) else {}
    return tuple(
        row
        for row in range(rows)
        if any(name not in before or before[name][row] != after[name][row] for name in after)
    )


def _unexplained(golden: Golden, told: Told, wrong: tuple[int, ...], tolerance: float) -> Difference:
    """Name the slip whose answers these are; else say that the model itself answers otherwise."""
    for one in golden.accidents:
        if all(close(a, b, tolerance) for a, b in zip(one.answers, told.answers, strict=True)):
            return Difference(one.slip, one.steps[0], _accident(one), wrong)
    if told.recipe is not None:
        said = "the steps are as recorded; the model itself answers otherwise"
    else:
        said = "the model answers otherwise, and no single step that is dropped or swapped explains it"
    return Difference(Slip.ANSWERS, "", said, wrong)


def _accident(one: Accident) -> str:
    if one.slip is Slip.DROPPED:
        return "is dropped: the answers are those of the model without it"
    return f"and {one.steps[1]} are swapped: the answers are those of the model with them so"
