"""The review queue: what waits for people, what they say, and how answers are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headgate.cli.options import AsJson, Now, ServiceName, Who, when
from headgate.cli.root import SAYING, app, out, print_json, told
from headgate.report.terminal import plain_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.review.case import Queued

review = typer.Typer(
    no_args_is_help=True,
    help="Answers that people look at: what waits, who says what, whether they keep up (docs/review.md).",
)
app.add_typer(review, name="review", rich_help_panel=SAYING)

CaseNumber = Annotated[
    int, typer.Argument(help="The case's number, as `headgate review list` shows it.", show_default=False)
]
Why = Annotated[str, typer.Option("--comment", help="Why; this goes into the record.")]


@review.command()
@told
def status(service: ServiceName, now: Now = None, as_json: AsJson = False) -> None:
    """Show whether reviewers keep up, how often they overrule answers, and what each step would bring.

    Of the last thirty days. The share overruled is that of the plain sample of the candidate's answers: cases
    that were looked for because something was odd about them are told apart.
    """
    from tasks.adopting import told_of

    found = told_of(service, when(now))
    if as_json:
        print_json(found)
        return
    for sentence in found["sentences"]:
        out.print(escape(sentence), highlight=False, soft_wrap=True)
    if found["ladder"]:
        table = plain_table(
            "slice", "share", "cases a day", f"of {found['capacity']} that reviewers manage",
            names=[row["slice"] for row in found["ladder"]],
        )  # fmt: skip
        for row in found["ladder"]:
            fits = {True: "fits", False: "too many", None: "not known yet"}[row["fits"]]
            cases = "-" if row["cases"] is None else f"{row['cases']:.1f}"
            now_ = " (now)" if row["now"] else ""
            table.add_row(escape(row["slice"]), f"{row['percent']:g} %{now_}", cases, fits)
        out.print(table)


@review.command("list")
@told
def list_(
    service: ServiceName,
    most: Annotated[int, typer.Option("--most", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the cases that wait, the oldest first."""
    from headgate.adapters.review_page.showing import printable
    from headgate.adapters.store import reviews
    from tasks.adopting import refuse_unknown
    from tasks.wiring import build

    refuse_unknown(service)
    found = reviews.waiting(build().engine, service, most)
    if as_json:
        print_json([_as_json(one) for one in found])
        return
    if not found:
        out.print(f"nothing waits in the queue of {escape(service)}", highlight=False)
        return
    table = plain_table(
        "case", "request", "why", "answer", "by", "since", names=[str(one.id) for one in found]
    )
    for one in found:
        case = one.case
        answer = "nobody answered" if case.answer is None else f"{case.answer:g}"
        side = case.side.value if case.side else "-"
        table.add_row(
            str(one.id),
            escape(printable(case.request_id)),
            case.reason.value,
            answer,
            side,
            f"{one.queued_at:%Y-%m-%d %H:%M}",
        )
    out.print(table)
    all_, _ = reviews.backlog(build().engine, service)
    if all_ > len(found):
        out.print(f"{len(found)} of {all_:,} are shown; --most shows more", style="dim", highlight=False)


@review.command()
@told
def show(number: CaseNumber, now: Now = None, as_json: AsJson = False) -> None:
    """Show one case: the answer, why people are asked, what the models were told, what was said of it."""
    from headgate.adapters.review_page.showing import shown
    from headgate.adapters.store import reviews
    from tasks.adopting import plan_of_service
    from tasks.wiring import build

    one = reviews.get(build().engine, number)
    if as_json:
        print_json(_as_json(one))
        return
    case = shown(one, plan_of_service(one.case.service), when(now))
    sure = "" if case.sure is None else f", {case.sure} % sure"
    out.print(Text(f"{case.question} {case.answer or 'nobody answered'}{sure}", style="bold"))
    out.print(Text(f"case {one.id}: {case.reason}"))
    out.print(_pairs(case.facts))
    out.print(Text("\nWhat the models were told", style="bold"))
    out.print(_pairs(case.inputs))
    if one.decided is not None:
        _told(one, as_json=False)


def _pairs(values: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in values.items():
        table.add_row(Text(name, style="dim"), Text(value, overflow="fold"))
    return table


@review.command()
@told
def confirm(
    number: CaseNumber, who: Who, comment: Why = "", now: Now = None, as_json: AsJson = False
) -> None:
    """Say that the answer was right."""
    from headgate.adapters.store import reviews
    from tasks.wiring import build

    _told(reviews.confirm(build().engine, number, who, when(now), comment), as_json=as_json)


@review.command()
@told
def override(
    number: CaseNumber,
    who: Who,
    answer: Annotated[
        float, typer.Option("--answer", help="What it should be: 0 or 1, or a number.", show_default=False)
    ],
    comment: Why = "",
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Say what the answer should be. An answer that says the same as the model's confirms it."""
    from tasks.adopting import say

    _told(say(number, answer, who, comment, when(now)), as_json=as_json)


@review.command()
@told
def unclear(
    number: CaseNumber, who: Who, comment: Why = "", now: Now = None, as_json: AsJson = False
) -> None:
    """Say that what there is to see does not tell. It counts neither for nor against the model."""
    from headgate.review.case import Ruling

    _ruled(number, Ruling.UNCLEAR, who, comment, now, as_json=as_json)


@review.command()
@told
def withdraw(
    number: CaseNumber, who: Who, comment: Why = "", now: Now = None, as_json: AsJson = False
) -> None:
    """Take back what you said of a case: it waits again. What was counted already stays counted."""
    from headgate.review.case import Ruling

    _ruled(number, Ruling.WITHDRAWN, who, comment, now, as_json=as_json)


def _ruled(number: int, ruling: Any, who: str, comment: str, now: str | None, *, as_json: bool) -> None:
    from headgate.adapters.store import reviews
    from headgate.review.case import Decided
    from tasks.wiring import build

    said = Decided(ruling, None, who, comment, when(now))
    _told(reviews.decide(build().engine, number, said), as_json=as_json)


def _told(one: Queued, *, as_json: bool) -> None:
    if as_json:
        print_json(_as_json(one))
    elif one.decided is None:
        out.print(f"case {one.id} ({escape(one.case.request_id)}) waits again", highlight=False)
    else:
        out.print(
            f"case {one.id} ({escape(one.case.request_id)}): [bold]{one.decided.ruling.value}[/] by "
            f"{escape(one.decided.reviewer)}",
            highlight=False,
        )


def _as_json(one: Queued) -> dict[str, Any]:
    case, said = one.case, one.decided
    return {
        "case": one.id,
        "service": case.service,
        "request_id": case.request_id,
        "entity": case.entity,
        "at": case.at.isoformat(),
        "reason": case.reason.value,
        "side": case.side.value if case.side else None,
        "answer": case.answer,
        "confidence": case.confidence,
        "rollout": case.rollout,
        "slice": case.slice,
        "inputs": dict(case.inputs),
        "stratum": one.stratum or None,
        "queued_at": one.queued_at.isoformat(),
        "decided": None
        if said is None
        else {
            "ruling": said.ruling.value,
            "answer": said.answer,
            "reviewer": said.reviewer,
            "comment": said.comment,
            "at": said.at.isoformat(),
        },
    }
