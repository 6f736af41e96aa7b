"""What Prefect's server does of itself."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.options import duration
from headgate.cli.root import RUNNING, app, out, told


@app.command(rich_help_panel=RUNNING)
@told
def automations(
    silence: Annotated[
        str | None,
        typer.Option(
            help="How long a service's ticks may be missing, e.g. 15m; default: three times the interval of "
            "its schedule.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Bring Prefect's automations in line with ours: alerts, the dead man's switch, runs that fail.

    Safe to run again at any time, e.g. after a deployment came or its schedule changed.
    """
    from deployments.automations import apply_automations
    from tasks import wiring

    notify = wiring.build().settings.notify
    for one in apply_automations(notify, duration("--silence", silence) if silence else None):
        out.print(f"{one.name}: {one.said}", highlight=False)
    if notify is None:
        out.print("HEADGATE_NOTIFY is not set: of silence and failed runs nobody is told (docs/alerts.md)")
