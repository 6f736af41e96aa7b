"""The command ``headgate drift``: whether the rows of one file have drifted from those of another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.forecasts import said, show, working
from headgate.cli.root import SEEING, app, told

if TYPE_CHECKING:
    from headgate.drift import Policy

#: Exit codes besides 0 (no drift) and 2 (input not as asked).
DRIFTED, NOT_JUDGED = 3, 4
_EXAMPLES = (
    "Examples: `headgate drift --reference training.parquet --current lake/requests/2013-07.parquet --ignore "
    "request_id`\n\nWhat days do anyway is no drift: `headgate drift --reference training --current july "
    "--by scored_at --score probability --json drift.json`\n\nLike against like: `headgate drift --reference "
    "training --current july --by origin`"
)


def _names(text: str) -> object:
    return typer.Option(help=f"{text} Repeat it.", show_default=False)


@app.command(epilog=_EXAMPLES, rich_help_panel=SEEING)
@told
def drift(
    reference: Annotated[
        Path, typer.Option(help="Parquet file or folder: what the model was trained on.", show_default=False)
    ],
    current: Annotated[
        Path, typer.Option(help="Parquet file or folder: what it is asked now.", show_default=False)
    ],
    by: Annotated[
        str | None,
        typer.Option(
            help="A column of times: drift is what passes how the reference's own days differ. Or "
            "a column of at most 50 values: like is compared with like, so that another mix is told from "
            "other values.",
            show_default=False,
        ),
    ] = None,
    score: Annotated[list[str] | None, _names("A column of scores or predictions: it matters most.")] = None,
    label: Annotated[list[str] | None, _names("A column of outcomes.")] = None,
    ignore: Annotated[list[str] | None, _names("A column that is not judged: an id, free text.")] = None,
    matters: Annotated[
        float,
        typer.Option(
            help="Smallest effect that is drift: 0.04 is a fifth of a standard deviation.", min=0.004
        ),
    ] = 0.04,
    false_alarms: Annotated[
        float, typer.Option(help="Chance that anything is named although nothing drifted.", min=1e-6, max=0.5)
    ] = 0.05,
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write the report as JSON; - for stdout.", show_default=False)
    ] = None,
) -> None:
    """Say which columns drifted from a reference, surely enough and enough to matter.

    A column is named when its effect matters, on the scale of the PSI, and the evidence is strong enough for
    as many columns as there are. A column that is not there any more or changed its type is named at once; a
    window of fewer than 100 rows is too few and is not judged. With --score, an alarm needs what the model
    says to move, or something to be broken; other columns are only told.

    Exit 0: no drift. 3: drift. 4: too few rows, nothing was judged. 2: files or options are not as asked.
    """
    from headgate.drift import ask
    from headgate.report.drift import tables

    policy = _policy(matters, false_alarms, score, label, ignore)
    with working("reading") as tell:
        # A line per batch would drown a log; a terminal overwrites it.
        answer = ask(reference, current, policy, by=by, tell=tell if said.is_terminal else lambda _: None)
    show(tables(answer), answer.report.to_json(), json_path)
    if not answer.report.judged:
        raise typer.Exit(NOT_JUDGED)
    if answer.report.drifted or answer.report.together.drifted:
        raise typer.Exit(DRIFTED)


def _policy(
    matters: float,
    false_alarms: float,
    score: list[str] | None,
    label: list[str] | None,
    ignore: list[str] | None,
) -> Policy:
    from headgate.drift import Policy, Role

    policy = Policy(matters=matters, false_alarms=false_alarms)
    for role, names in ((Role.SCORE, score), (Role.LABEL, label), (Role.IGNORED, ignore)):
        policy = policy.calling(role, *(names or ()))
    return policy
