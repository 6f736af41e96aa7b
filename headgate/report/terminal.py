"""Tables for a terminal: names stay whole, everything else wraps around them."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table
from rich.text import Text

#: Characters of a name that are kept on one line whatever the width; a longer one is folded, never cut.
_WHOLE = 40


def plain_table(*columns: str, names: Iterable[str], title: str = "") -> Table:
    """Return an empty table without lines.

    Parameters
    ----------
    columns
        Their headings; the first column holds the names.
    names
        What the first column will hold, without markup.
    title
        Plain text above it.
    """
    first, *others = columns
    table = Table(
        title=f"\n{escape(title)}" if title else None,
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
    )
    longest = max((Text(name).cell_len for name in (first, *names)), default=0)
    table.add_column(first, min_width=min(longest, _WHOLE), overflow="fold")
    for column in others:
        table.add_column(column, overflow="fold")
    return table
