"""What was done to the plane and what callers saw, as a table at the end of ``make chaos``."""

from dataclasses import asdict, dataclass

from tests.chaos.callers import errors

PROPERTY = "chaos"


@dataclass(frozen=True)
class Told:
    """One row. ``slowest_ms`` is of the answers that came; None: none did, or nobody took the time."""

    plane: str
    done: str
    sent: int
    errors: int
    slowest_ms: float | None
    saw: str


def row(plane, done, saw, answers):
    """Return what came of some requests, plain enough to cross from one process to another.

    ``answers`` is the list of them, or how many there were, where every one was whole and of status 200.
    """
    if isinstance(answers, int):
        return asdict(Told(plane, done, answers, 0, None, saw))
    whole = [answer.ms for answer in answers if answer.status]
    failed = len(errors(answers))
    return asdict(Told(plane, done, len(answers), failed, round(max(whole), 1) if whole else None, saw))


def rows(reports):
    """Return the rows that the reports of tests carry, in the order of plane and test."""
    found = [
        Told(**value) for report in reports for name, value in report.user_properties if name == PROPERTY
    ]
    return sorted(found, key=lambda told: told.plane)


def table(told):
    """Return the rows as Markdown, wide enough to be read as it is."""
    head = ("plane", "what was done", "requests", "callers' errors", "slowest, ms", "what callers saw")
    cells = [(t.plane, t.done, f"{t.sent:,}", str(t.errors), _ms(t.slowest_ms), t.saw) for t in told]
    widths = [max(len(line[i]) for line in (head, *cells)) for i in range(len(head))]
    lines = [head, tuple("-" * width for width in widths), *cells]
    return ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines]


def _ms(value):
    return "-" if value is None else f"{value:,.0f}"
