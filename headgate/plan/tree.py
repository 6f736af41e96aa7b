"""YAML as plain values, with the line of every key.

Read more narrowly than YAML allows, because a plan is read by people, hashed and approved: no
duplicate keys, no tags, and no more values than a plan can need, aliases written out. Plain scalars
follow YAML 1.2: ``NO`` is a carrier and not false, ``1:30`` is text and not ninety.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from headgate.errors import PlanError, Problem
from headgate.plan.finding import KeyPath, spell

_CONSTANTS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_DEEPEST = 20
#: Values of a plan, aliases written out.
_MOST_VALUES = 10_000
_LOOK_AROUND = (
    "look at this line and the one above: a missing space after a colon, a bracket or quote left open, "
    "uneven indentation"
)


@dataclass(slots=True)
class Tree:
    """Values of a YAML file and where each stands.

    Attributes
    ----------
    data
        Dicts, lists, text, numbers, booleans and None.
    lines
        Line (from 1) of every key and list item.
    problems
        What was refused while reading, such as duplicate keys; the first one was kept.
    """

    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: KeyPath) -> int:
        """Return the line of a key, or of its nearest parent that is there; 0 without any."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


class _Loader(yaml.SafeLoader):
    """Composes nodes only; every plain scalar stays text until `_scalar` reads it."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - overrides the attribute of the library's class


def read_tree(text: str, source: str) -> Tree:
    """Return the values and lines of a YAML text.

    Raises
    ------
    PlanError
        If the text is not YAML: nothing more can be said about it than the first fault.
    """
    tree = Tree()
    try:
        node = yaml.compose(text, Loader=_Loader)
        tree.data = None if node is None else _value(node, (), tree)
    except yaml.reader.ReaderError as err:
        line = text.count("\n", 0, err.position) + 1
        code = err.character if isinstance(err.character, int) else ord(err.character)
        found = f"the character U+{code:04X}"
        raise PlanError(source, (Problem(line, "plan", "readable text", found, "remove it"),)) from err
    except yaml.MarkedYAMLError as err:
        raise PlanError(source, (_fault(err, text),)) from err
    except RecursionError as err:
        found = "brackets nested without end"
        raise PlanError(source, (Problem(1, "plan", "a plan", found, "write a plan"),)) from err
    return tree


def _fault(err: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = err.problem_mark or err.context_mark
    line = mark.line + 1 if mark else 1
    rows = text.splitlines()
    here = rows[line - 1] if line <= len(rows) else ""
    if mark and "\t" in here[: mark.column + 1]:
        return Problem(line, "plan", "indentation with spaces", "a tab", "replace tabs by spaces")
    found = str(err.problem or err.context or err)
    return Problem(line, "plan", "YAML", found, _LOOK_AROUND)


def _value(node: yaml.Node, path: KeyPath, tree: Tree) -> Any:
    if len(tree.lines) > _MOST_VALUES:
        # Aliases of aliases grow without end; said once.
        found = f"more than {_MOST_VALUES:,} values"
        problem = Problem(node.start_mark.line + 1, "plan", "a plan", found, "write fewer aliases (*)")
        tree.problems = [*(kept for kept in tree.problems if kept.found != found), problem]
        return None
    tree.lines.setdefault(path, node.start_mark.line + 1)
    if len(path) > _DEEPEST:
        found = f"{len(path)} levels of nesting"
        problem = Problem(node.start_mark.line + 1, spell(path[:3]), "a plan", found, "close the brackets")
        tree.problems.append(problem)
        return None
    match node:
        case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
            return _mapping(node, path, tree)
        case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
            return [_value(item, (*path, i), tree) for i, item in enumerate(node.value)]
        case yaml.ScalarNode(tag="tag:yaml.org,2002:str"):
            return _scalar(node, path, tree)
    tree.problems.append(
        Problem(
            node.start_mark.line + 1,
            spell(path),
            "a plain value",
            f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')}",
            "remove the tag",
        )
    )
    return None


def _mapping(node: yaml.MappingNode, path: KeyPath, tree: Tree) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            tree.problems.append(
                Problem(
                    line, spell(path), "keys that are names", "a list or mapping as a key", "write a name"
                )
            )
            continue
        key = str(key_node.value)
        if key in values:
            first = tree.lines[(*path, key)]
            tree.problems.append(
                Problem(
                    line,
                    spell((*path, key)),
                    "every key once",
                    f"`{key}` again; it already stands on line {first}",
                    "keep one of the two",
                )
            )
            continue
        tree.lines[(*path, key)] = line
        values[key] = _value(value_node, (*path, key), tree)
    return values


def _scalar(node: yaml.ScalarNode, path: KeyPath, tree: Tree) -> Any:
    text = str(node.value)
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        line = node.start_mark.line + 1
        found = "half of a surrogate pair"
        tree.problems.append(Problem(line, spell(path), "readable text", found, "remove it"))
        return text.encode("utf-8", "replace").decode()
    if node.style is not None:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text
