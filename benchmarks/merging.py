"""Puts one benchmark's section into the page of all, where only that one was run again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from benchmarks.results import Section, figures_table, told

_GLANCE = "At a glance"


def merged(page: str, sections: Sequence[Section], at: datetime) -> str:
    """Return the page with these sections in place of those of the same titles, or at its end.

    Parameters
    ----------
    page
        As `benchmarks.results.render` wrote it.
    at
        When the sections were measured; each says so, as the page's own date is older.
    """
    head, *parts = re.split(r"^## ", page, flags=re.MULTILINE)
    blocks = {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in parts}
    glance = _rows(blocks[_GLANCE])
    for section in sections:
        gone = set(_rows(blocks.get(section.title, "")))  # whole rows: two benchmarks may share a name
        where = next((i for i, row in enumerate(glance) if row in gone), len(glance))
        kept = [row for row in glance if row not in gone]
        glance = [*kept[:where], *_rows(figures_table(section.figures)), *kept[where:]]
        body = told(section).split("\n", 1)[1]
        blocks[section.title] = f"{body.rstrip()}\n\nMeasured alone, {at:%Y-%m-%d %H:%M} UTC.\n\n"
    columns = "| figure | target | measured |  |\n| --- | --- | --- | --- |"
    blocks[_GLANCE] = "\n".join(["", columns, *glance, "", ""])
    whole = "".join(f"## {title}\n{body.rstrip()}\n\n" for title, body in blocks.items())
    return (_verdict(head, glance, blocks) + whole).rstrip() + "\n"


def _verdict(head: str, glance: Sequence[str], blocks: dict[str, str]) -> str:
    """Return the page's head, with the sentence that names what is missed made anew."""
    missed = [_name(row) for row in glance if row.endswith("| **missed** |")]
    lost = [title for title, body in blocks.items() if "**No result:**" in body]
    said = [f"{len(missed)} target(s) missed: {'; '.join(missed)}."] if missed else []
    said += [f"Without a result: {'; '.join(lost)}."] if lost else []
    lines = head.split("\n\n")
    lines[2] = " ".join(said) or "Every target is met."
    return "\n\n".join(lines)


def _rows(block: str) -> list[str]:
    """Return the rows of the first table of figures in a block."""
    rows, inside = [], False
    for line in block.splitlines():
        if line.startswith("| figure | target | measured |"):
            inside = True
        elif inside and not line.startswith("|"):
            break
        elif inside and not line.startswith("| ---"):
            rows.append(line)
    return rows


def _name(row: str) -> str:
    return row.split(" | ", 1)[0].removeprefix("| ")
