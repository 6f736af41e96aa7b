"""``headgate doctor``: what is missing."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from headgate.cli.options import AsJson
from headgate.cli.root import SEEING, app, out, print_json, told

if TYPE_CHECKING:
    from headgate.adapters.settings import Origin
    from tasks.checkup import Finding, Look

_SECONDS = 8.0
_COLOURS = {"ok": "green", "warning": "yellow", "missing": "bold red"}


@app.command(rich_help_panel=SEEING)
@told
def doctor(
    as_json: AsJson = False,
    prefect_file: Annotated[
        Path, typer.Option(help="The deployments that should be there.", show_default=True)
    ] = Path("prefect.yaml"),
) -> None:
    """Say what of this installation is missing, and what to do about it; exit 1 if anything is.

    Looks at settings, store, Prefect with its pool, worker, deployments and automations, approvers, alerts,
    planes, guards, models, golden examples, the last ticks, clock and disk. Changes nothing, and works with
    anything down.
    """
    settings, findings = _look(prefect_file)
    if as_json:
        print_json(
            {
                "settings": [{"variable": o.variable, "value": o.value, "from": o.source} for o in settings],
                "findings": [
                    {"what": f.what, "level": f.level.value, "found": f.found, "todo": f.todo}
                    for f in findings
                ],
            }
        )
    else:
        _tell(settings, findings)
    if any(finding.level.value == "missing" for finding in findings):
        raise typer.Exit(1)


def _look(prefect_file: Path) -> tuple[tuple[Origin, ...], list[Finding]]:
    from headgate.adapters.settings import origins
    from headgate.errors import InputError
    from tasks import checks_guard, checks_here, checks_parity, checks_prefect, wiring
    from tasks.checkup import look_over, missing

    try:
        settings = origins(wiring.read_settings())
    except InputError as err:
        return (), [missing("settings", str(err), "")]  # all else depends on them
    looks: dict[str, Look] = {
        "store": checks_here.store_is_there,
        "clock": checks_here.time_and_disk,
        "Prefect API": partial(checks_prefect.prefect_is_there, prefect_file),
        "approvers": checks_here.approvers,
        "alerts": checks_here.alerts_go_somewhere,
        "Envoy": checks_here.envoy_is_installed,
        "planes": checks_here.planes,
        "guards": checks_guard.guards,
        "models": checks_here.model_servers,
        "parity": checks_parity.golden_examples,
        "ticks": checks_here.ticks,
    }
    return settings, look_over(looks, _SECONDS)


def _tell(settings: tuple[Origin, ...], findings: list[Finding]) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        todo = f"\n[dim]to do[/]  {escape(finding.todo)}" if finding.todo else ""
        level = finding.level.value
        table.add_row(f"[{_COLOURS[level]}]{level}[/]", finding.what, escape(finding.found) + todo)
    out.print(table, highlight=False)
    told = Table.grid(padding=(0, 2, 0, 0))
    for one in settings:
        told.add_row(f"[dim]{one.variable}[/]", escape(one.value), f"[dim]{one.source}[/]")
    out.print("\nsettings (docs/settings.md)", style="dim")
    out.print(told, highlight=False)
