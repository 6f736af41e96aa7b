"""``headgate sample``: a pilot sample drawn from history, and what a curated set never saw of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from headgate.cli.forecasts import day, load, show, working
from headgate.cli.options import PlanPath
from headgate.cli.root import BEFORE, app, told

if TYPE_CHECKING:
    import pyarrow as pa

    from headgate.adapters.lake import Lake
    from headgate.plan.model import Plan


class _DrawsByDefault(TyperGroup):
    """``headgate sample PLAN`` is ``headgate sample draw PLAN``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["draw", *args]
        return super().parse_args(ctx, args)


sample = typer.Typer(
    cls=_DrawsByDefault,
    no_args_is_help=True,
    help="Draw a pilot sample from history at random, or say what a set picked by hand never saw. `headgate "
    "sample PLAN` draws.",
)
app.add_typer(sample, name="sample", rich_help_panel=BEFORE)

History = Annotated[
    str | None,
    typer.Option(
        help="The request log: Parquet, a file, a folder or an address like s3://…; default: the plan's.",
        show_default=False,
    ),
]
Since = Annotated[
    str | None, typer.Option(help="From this day or time on; default: all there is.", show_default=False)
]
Until = Annotated[str | None, typer.Option(help="Before this day or time.", show_default=False)]
Seed = Annotated[int, typer.Option(help="Which of all possible samples: the same seed, the same rows.")]


@sample.command(
    "draw",
    epilog="Examples: `headgate sample plan.yaml --rows 2000 --out pilot.parquet`\n\n"
    "`headgate sample plan.yaml --rows 900 --by origin --equal --since 2026-01-01 --labels --out pilot.csv`",
)
@told
def draw(
    plan: PlanPath,
    rows: Annotated[int, typer.Option(help="How many requests.", min=1, max=1_000_000)],
    to: Annotated[Path, typer.Option("--out", help="File to write, .parquet or .csv.", show_default=False)],
    by: Annotated[
        list[str] | None,
        typer.Option(help="Stratify by this column, in proportion. Repeat it.", show_default=False),
    ] = None,
    equal: Annotated[
        bool, typer.Option("--equal", help="As many of every group; weights say what each stands for.")
    ] = False,
    history: History = None,
    since: Since = None,
    until: Until = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Add what became of each, as far as it is known.")
    ] = False,
    hidden: Annotated[
        list[str] | None, typer.Option("--hide", help="Leave out this column too.", show_default=False)
    ] = None,
    keep_ids: Annotated[
        bool, typer.Option("--keep-ids", help="Keep ids and entities: for samples that stay in the house.")
    ] = False,
    seed: Seed = 1,
    json_path: Annotated[
        str | None,
        typer.Option("--json", help="Write what was drawn as JSON; - for stdout.", show_default=False),
    ] = None,
) -> None:
    """Draw a random sample of what production really saw, fit to be handed out.

    Only columns that the plan names are in it; ids and entities become pseudonyms that nobody can undo, and
    free text is masked as in messages. The column sample_weight says how many requests a row stands for.
    Two passes over the log, in memory for the sample alone. Exit 2 where plan, log or options are not as
    asked.
    """
    from headgate.adapters.samples import Ask, draw_sample
    from headgate.sampling.telling import drawn_json, drawn_table

    loaded, lake, (start, end) = _asked(plan, history, since, until)
    ask = Ask(
        rows, start, end, tuple(dict.fromkeys(by or ())), equal, labels, tuple(hidden or ()), keep_ids, seed
    )
    with working("reading") as tell:
        drawn = draw_sample(loaded, lake, ask, to, tell)
    show(drawn_table(drawn), drawn_json(drawn), json_path)


@sample.command(
    "compare",
    epilog="Example: `headgate sample compare plan.yaml curated.csv --since 2026-01-01 --json unseen.json`",
)
@told
def compare(
    plan: PlanPath,
    curated: Annotated[
        str, typer.Argument(help="The set: Parquet or CSV, a file or a folder.", show_default=False)
    ],
    history: History = None,
    since: Since = None,
    until: Until = None,
    seed: Seed = 1,
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write the result as JSON; - for stdout.", show_default=False)
    ] = None,
) -> None:
    """Say what a set that somebody picked by hand never saw of the real stream, and how far they differ.

    Every value, range, month, weekday and hour that real requests have and the set has not, beside what a
    random set of the same size would have missed; and the distances that `headgate drift` judges. Exit 0
    whatever is found, 2 where plan, set or log are not as asked.
    """
    from headgate.adapters.samples import stream_set
    from headgate.sampling.curated import hold_against
    from headgate.sampling.distances import distances
    from headgate.sampling.hide import columns_of
    from headgate.sampling.telling import curated_json, curated_table

    loaded, lake, span = _asked(plan, history, since, until)
    columns = columns_of(loaded, lake.request_columns(loaded))

    def picked() -> Iterator[pa.RecordBatch]:
        return stream_set(curated)

    def stream() -> Iterator[pa.RecordBatch]:
        return lake.stream_requests(loaded, *span, columns)

    with working("holding the set against the stream") as tell:
        found = hold_against(loaded, picked, stream, columns, seed=seed)
        tell("measuring distances")
        apart = distances(loaded, picked, stream, columns)
    show(curated_table(found, apart), curated_json(found, apart), json_path)


def _asked(
    path: Path, history: str | None, since: str | None, until: str | None
) -> tuple[Plan, Lake, tuple[datetime, datetime]]:
    from tasks import wiring

    plan = load(path)
    if history is not None:
        where = history if "://" in history else str(Path(history).absolute())
        plan = plan.model_copy(update={"requests": plan.requests.model_copy(update={"path": where})})
    start = day("--since", since) if since else datetime.min.replace(tzinfo=UTC)
    end = day("--until", until) if until else datetime.max.replace(tzinfo=UTC)
    return plan, wiring.lake_alone(), (start, end)
