"""Watching the model that serves: look at what is due, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from headgate.cli.forecasts import write
from headgate.cli.options import AsJson, Now, ServiceName, when
from headgate.cli.root import RUNNING, app, out, print_json, told

_NOTHING = (
    "nothing is watched: the plan of {} has no key `drift`; add one to its next plan (docs/monitoring.md)"
)


@app.command(rich_help_panel=RUNNING)
@told
def monitor(service: ServiceName, now: Now = None, as_json: AsJson = False) -> None:
    """Look at every complete window of requests that nobody looked at yet (flow `monitor`).

    Profile, compare with the reference, judge drift, estimate how good the answers are, measure what has
    mature labels, tell people. Safe at any time: found out once, it stands. `headgate monitoring` shows it.
    """
    from flows.monitor import monitor as flow

    _say(service, flow(service, now=when(now)), as_json=as_json)


@app.command(rich_help_panel=RUNNING)
@told
def monitoring(
    service: ServiceName,
    path: Annotated[
        Path | None, typer.Option("--out", help="Write the monitoring page to this file.", show_default=False)
    ] = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Show where the model that serves stands: drift, realised and estimated performance, silence.

    Nothing new is looked at: `headgate monitor` does that. `--out` writes the page with all charts.
    """
    from tasks.monitored import look

    watch = look(service, when(now))
    if watch is None:
        _say(service, None, as_json=as_json)
        return
    if path is not None:
        from headgate.report.monitoring_page import page

        write("--out", path, page(watch))
    from headgate.report.monitoring import standing_of

    _say(service, standing_of(watch), as_json=as_json)


def _say(service: str, standing: Mapping[str, Any] | None, *, as_json: bool) -> None:
    if as_json:
        print_json(standing)
    elif standing is None:
        out.print(escape(_NOTHING.format(service)), highlight=False)
    else:
        out.print(
            f"[bold]{escape(service)}[/] {escape(standing['version'])}: [bold]{standing['state']}[/]",
            highlight=False,
        )
        for reason in standing["reasons"]:
            out.print(f"- {escape(reason)}", highlight=False, soft_wrap=True)
        if "page" in standing:
            out.print(f"page: {escape(standing['page'])}", highlight=False, soft_wrap=True)
