"""What a benchmark found, and the page that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number held against its target.

    Attributes
    ----------
    what
        What was measured, as a reader would ask for it.
    value
        None: it could not be measured, which meets no target.
    unit
        Written behind the number; empty for ratios and counts.
    at_least, at_most
        The target; neither: told, without a target.
    digits
        Decimals shown. The target is held against the number as measured.
    binding
        A promise rather than an aim: missing it fails the run.
    """

    what: str
    value: float | None
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    digits: int = 0
    binding: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.at_least is None and self.at_most is None:
            return None
        if self.value is None:
            return False
        # Written so that a value that is no number (NaN) is a miss.
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    @property
    def target(self) -> str:
        """The target in words."""
        limits = []
        if self.at_least is not None:
            limits.append(f"at least {self._said(self.at_least)}")
        if self.at_most is not None:
            limits.append(f"at most {self._said(self.at_most)}")
        return ", ".join(limits) or "none"

    @property
    def shown(self) -> str:
        """The number in words."""
        return "not measured" if self.value is None else self._said(self.value, self.digits)

    @property
    def verdict(self) -> str:
        """Whether the target is met, in a word."""
        return {True: "met", False: "**missed**", None: "told"}[self.met]

    def _said(self, number: float, digits: int | None = None) -> str:
        text = f"{number:,g}" if digits is None else f"{number:,.{digits}f}"
        return f"{text} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark as it is told.

    Attributes
    ----------
    what, how
        One paragraph each: what is measured, and how.
    figures
        What counts.
    detail
        Further markdown: tables.
    seconds
        How long it took.
    skipped, failed
        Why it was left out on purpose, or broke; empty if it was measured.
    """

    title: str
    what: str = ""
    how: str = ""
    figures: tuple[Figure, ...] = ()
    detail: str = ""
    seconds: float | None = None
    skipped: str = ""
    failed: str = ""

    def took(self, seconds: float) -> Section:
        """Return the same with the time it took."""
        return replace(self, seconds=seconds)


def render(
    sections: Sequence[Section],
    machine: Mapping[str, str],
    versions: Mapping[str, str],
    at: datetime,
    notes: Sequence[str] = (),
) -> str:
    """Return the whole page as markdown."""
    missed = [f for section in sections for f in section.figures if f.met is False]
    broken = [section.title for section in sections if section.failed or section.skipped]
    said = f"{len(missed)} target(s) missed: {'; '.join(f.what for f in missed)}." if missed else ""
    lost = f"Without a result: {'; '.join(broken)}." if broken else ""
    lines = [
        "# What was measured",
        "",
        "Made by `make bench`; nothing here is written by hand. Ratios come from one interleaved run: both "
        "sides take turns, so that a busy machine slows both alike.",
        "",
        " ".join(filter(None, (said, lost))) or "Every target is met.",
        *(f"\n{note}" for note in notes),
        "",
        f"Date: {at:%Y-%m-%d %H:%M} UTC",
        "",
        _pairs("machine", machine),
        "",
        _pairs("version", versions),
        "",
        "## At a glance",
        "",
        figures_table([f for section in sections for f in section.figures]),
    ]
    for section in sections:
        lines += ["", told(section)]
    return "\n".join(lines) + "\n"


def told(section: Section) -> str:
    """Return one section as markdown."""
    why = section.failed or section.skipped
    parts = [
        f"## {section.title}",
        section.what and f"**What.** {section.what}",
        section.how and f"**How.** {section.how}",
        why and f"**No result:** {why}",
        figures_table(section.figures) if section.figures else "",
        section.detail,
    ]
    if section.seconds is not None:
        parts.append(f"Took {section.seconds:.0f} s.")
    return "\n\n".join(filter(None, parts))


def figures_table(figures: Sequence[Figure]) -> str:
    """Return figures as a table."""
    rows = [(f.what, f.target, f.shown, f.verdict) for f in figures]
    return table(("figure", "target", "measured", ""), rows)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a markdown table; a bar inside a cell would end it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in line)} |" for line in lines)


def _pairs(name: str, values: Mapping[str, str]) -> str:
    return table((name, ""), list(values.items()))
