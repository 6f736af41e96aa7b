"""From a plan file to a plan, or to everything that is wrong with it at once."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from headgate.errors import PlanError, Problem
from headgate.plan.finding import Finding, show, spell
from headgate.plan.later import without_later
from headgate.plan.lint import lint
from headgate.plan.model import Plan
from headgate.plan.tree import Tree, read_tree
from headgate.plan.wording import EXAMPLES, in_plain_words

_WIDTH = 100


def load_plan(path: Path, *, leave_aside: Callable[[str], None] | None = None) -> Plan:
    """Return the plan in a file.

    Parameters
    ----------
    path
        The file.
    leave_aside
        For questions about history, in which nothing is deployed: keys that no capability serves yet are
        left aside and each is told here. None: they are refused, for a rollout must do all it promises.

    Raises
    ------
    PlanError
        With every problem found, also if there is no file or it is not text.
    """
    source = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = err.object.count(b"\n", 0, err.start) + 1
        found = f"the byte 0x{err.object[err.start]:02x}"
        problem = Problem(line, "plan", "text in UTF-8", found, "save the file as UTF-8")
        raise PlanError(source, (problem,)) from err
    except OSError as err:
        found = (err.strerror or str(err)).lower()
        problem = Problem(0, "plan", "a file that can be read", found, "correct the path")
        raise PlanError(source, (problem,)) from err
    return parse_plan(text, source, leave_aside=leave_aside)


def parse_plan(text: str, source: str, *, leave_aside: Callable[[str], None] | None = None) -> Plan:
    """Return the plan in a text; ``source`` is what to call it in errors (see `load_plan`).

    Raises
    ------
    PlanError
        With every problem found, in the order of lines.
    """
    tree = read_tree(text, source)
    problems = list(tree.problems)
    if not isinstance(tree.data, dict):
        problems.append(
            Problem(tree.line(()) or 1, "plan", "a mapping of keys", show(tree.data), "write a plan")
        )
        raise PlanError(source, tuple(problems))
    data = tree.data
    if leave_aside is not None:
        data, left = without_later(data)
        for said in left:
            leave_aside(said)
    plan, findings = _validate(data)
    problems += [_place(finding, tree) for finding in findings]
    if plan is None or problems:
        raise PlanError(source, tuple(sorted(problems, key=lambda problem: problem.line)))
    return plan


def explain(error: PlanError) -> str:
    """Return a plan's problems for a person: a paragraph each, plain text, no colours.

    Examples
    --------
    >>> problem = Problem(12, "gates[0].margin", "a number below 0.2", "0.5", "lower the margin")
    >>> print(explain(PlanError("plan.yaml", (problem,))))
    plan.yaml:12  gates[0].margin
        asked  a number below 0.2
        found  0.5
        to do  lower the margin
    <BLANKLINE>
    1 problem in plan.yaml. Nothing was started.
    """
    paragraphs = [_paragraph(error.source, problem) for problem in error.problems]
    count = len(error.problems)
    total = f"{count} problem{'' if count == 1 else 's'} in {error.source}. Nothing was started."
    return "\n\n".join([*paragraphs, total])


def _paragraph(source: str, problem: Problem) -> str:
    at = f"{source}:{problem.line}" if problem.line else source
    rows = [f"{at}  {problem.where}"]
    for word, text in (("asked", problem.asked), ("found", problem.found), ("to do", problem.todo)):
        rows += textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=f"    {word}  ",
            subsequent_indent=" " * 11,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(rows)


def _validate(data: dict[str, Any]) -> tuple[Plan | None, list[Finding]]:
    """Check form first, then the rules for all parts whose form is sound."""
    try:
        plan = _model(data)
    except ValidationError as err:
        findings = in_plain_words(err, data)
        unknown = [raw["loc"] for raw in err.errors() if raw["type"] == "extra_forbidden"]
        return None, [*findings, *_lint_sound_parts(_without(data, unknown))]
    return plan, list(lint(plan))


def _lint_sound_parts(data: dict[str, Any]) -> tuple[Finding, ...]:
    """Lint with stand-ins for the top-level parts that are broken; rules reading those wait."""
    try:
        return lint(_model(data))
    except ValidationError as err:
        broken = {str(raw["loc"][0]) for raw in err.errors()}
    stand_ins = {key: yaml.safe_load(EXAMPLES[key]) for key in broken if key in EXAMPLES}
    sound = {key: part for key, part in data.items() if key not in broken}
    return lint(_model(sound | stand_ins), broken)


def _model(data: dict[str, Any]) -> Plan:
    # JSON and strict: lists become tuples and words enums, but "5" is no number and 1 is not true.
    return Plan.model_validate_json(json.dumps(data), strict=True, by_alias=True, by_name=False)


def _without(data: dict[str, Any], unknown: list[tuple[int | str, ...]]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(data))
    for loc in unknown:
        part: Any = copy
        for key in loc[:-1]:
            is_there = (isinstance(part, dict) and key in part) or isinstance(part, list)
            part = part[key] if is_there else part  # else the name of a branch of a union
        if isinstance(part, dict):
            part.pop(loc[-1], None)
    return copy


def _place(finding: Finding, tree: Tree) -> Problem:
    line = tree.line(finding.path)
    return Problem(line, spell(finding.path), finding.asked, finding.found, finding.todo)
