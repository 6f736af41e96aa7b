"""docs/plan.md is held against the schema: its example loads, and no key or default is out of date."""

import re
from pathlib import Path
from typing import get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from headgate.errors import PlanError
from headgate.plan import explain, parse_plan
from headgate.plan.durations import as_duration
from headgate.plan.finding import show
from headgate.plan.model import Plan

TEXT = (Path(__file__).parents[2] / "docs" / "plan.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[1]
ROW = re.compile(r"^\| `([a-z_.\[\]<>]+)` \| (?:`(.+?)`|(required)) \|", re.MULTILINE)


def leaves(annotation, path):
    """Models below an annotation, with the path that leads to them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, path
    elif get_origin(annotation) is dict:
        yield from leaves(get_args(annotation)[1], f"{path}.<name>")
    elif get_origin(annotation) is tuple:
        yield from leaves(get_args(annotation)[0], f"{path}[]")
    else:
        for member in get_args(annotation):
            if isinstance(member, type) or get_origin(member) is not None:
                yield from leaves(member, path)


def written(default):
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, tuple):
        return f"[{', '.join(default)}]"
    return show(as_duration(default)).strip('"')


def keys(model, prefix=""):
    """(key, default as written) of every key that holds a value or may be left out as a whole."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        below = list(leaves(field.annotation, path))
        holds_keys = bool(below) and (field.is_required() or isinstance(field.default, BaseModel))
        if not holds_keys:
            yield path, written(field.default)
        for part, inner in below:
            yield from keys(part, f"{inner}.")


def test_the_example_of_the_reference_loads():
    plan = parse_plan(EXAMPLE, "docs/plan.md")
    assert [step.share_bp for step in plan.steps] == [0, 100, 500, 2_500, 5_000, 10_000]


def test_the_reference_has_every_key_with_its_default_and_no_other():
    documented = {key: default or required for key, default, required in ROW.findall(TEXT)}
    assert documented == dict(keys(Plan))


def test_the_error_shown_in_the_reference_is_the_real_one():
    lines = EXAMPLE.splitlines()
    gate = next(i for i, line in enumerate(lines) if "name: quality" in line)
    text = EXAMPLE.replace("margin: 0.005", "margin: 0.5")
    with pytest.raises(PlanError) as caught:
        parse_plan(text, "plan.yaml")
    said = explain(caught.value).replace(f"plan.yaml:{gate + 1} ", "plan.yaml:13 ")
    assert said in TEXT
