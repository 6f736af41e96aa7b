"""``headgate plane``: what the proxy serves, whether the record says so, and a route as its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from headgate.cli.options import AsJson, ServiceName
from headgate.cli.root import SEEING, app, out, print_json, told
from headgate.errors import InputError

plane = typer.Typer(
    no_args_is_help=True,
    help="The proxy in front of a service's models: what it serves by its own account, whether the record "
    "says the same, and a route as its configuration. Changes nothing. docs/traffic.md says more.",
)
app.add_typer(plane, name="plane", rich_help_panel=SEEING)


@plane.command(epilog="Example: `headgate plane show flight-delays`")
@told
def show(service: ServiceName, as_json: AsJson = False) -> None:
    """Ask the plane itself what is in force. Needs neither the store nor Prefect."""
    from tasks import planes

    found = planes.show(service)
    seen = found.observed
    parts = seen.slices or ()
    if as_json:
        print_json(
            {
                "service": service,
                "kind": found.kind,
                "folder": str(found.folder),
                "port": found.port,
                "start": None if found.start is None else str(found.start),
                "rollout": seen.rollout,
                "share_bp": seen.share_bp,
                "mirror": seen.mirror,
                "token": seen.token,
                "generation": seen.generation,
                "slices": [{"name": p.name, "share_bp": p.share_bp, "mirror": p.mirror} for p in parts],
            }
        )
        return
    rows = [
        ("rollout", seen.rollout or "none: the incumbent serves alone"),
        *([] if parts else [("share", _share(seen.share_bp, mirror=seen.mirror))]),
        *((f"slice {part.name}", _share(part.share_bp, mirror=part.mirror)) for part in parts),
        ("generation", f"{seen.generation}, token {seen.token}" if seen.rollout else "-"),
        ("serves on", f"port {found.port}, {found.kind} in {found.folder}"),
        ("start", f"{found.start} (for a supervisor)" if found.start else "never started from here"),
    ]
    for what, text in rows:
        out.print(f"[dim]{what:<12}[/]{escape(text)}", highlight=False, soft_wrap=True)


@plane.command(epilog="Example: `headgate plane verify flight-delays`, from a monitor of yours")
@told
def verify(service: ServiceName, as_json: AsJson = False) -> None:
    """Hold the plane's report against the record. Exit 1 unless they agree; the next tick acts on it."""
    from tasks import planes

    rollout, held = planes.verify(service)
    fine = all(one.view.value == "agrees" for one in held)
    if as_json:
        slices = [
            {
                "slice": one.slice,
                "view": one.view.value,
                "recorded_bp": one.recorded_bp,
                "recorded_generation": one.recorded_generation,
            }
            for one in held
        ]
        print_json({"service": service, "rollout": rollout, "agrees": fine, "slices": slices})
    for one in () if as_json else held:
        said = f"{one.recorded_bp / 100:g} % at generation {one.recorded_generation} on record of {rollout}"
        colour = "green" if one.view.value == "agrees" else "red"
        out.print(f"{one.slice}: [{colour}]plane {one.view.value}[/]: {said}", highlight=False)
    if not fine:
        raise typer.Exit(1)


@plane.command(epilog="Examples: `headgate plane render plan.yaml --percent 5 --as haproxy`\n\n"
               "`headgate plane render flight-delays --as gateway --out manifests`")  # fmt: skip
@told
def render(
    what: Annotated[
        str, typer.Argument(metavar="PLAN|SERVICE", help="A plan file; or a service, as recorded.")
    ],
    kind: Annotated[
        str | None,
        typer.Option("--as", help="envoy, haproxy or gateway; default: the plan's.", show_default=False),
    ] = None,
    percent: Annotated[
        float | None,
        typer.Option(help="Of a plan file: the candidate's share; default 0.", show_default=False),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Write the files there; default: print.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a route as the configuration of a proxy: to read it, or for whoever brings it there."""
    from tasks import planes

    files: dict[str, Any] = dict(planes.rendered(what, kind, percent))
    if folder is not None:
        for name, text in files.items():
            _put(folder / name, text)
        out.print(f"wrote {', '.join(files)} to {escape(str(folder))}", soft_wrap=True, highlight=False)
    elif as_json:
        print_json(files)
    else:
        for name, text in files.items():
            typer.echo(f"# ---- {name}\n{text.rstrip()}\n")


def _put(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        raise InputError(f"--out: asked to write {path}; found {err.strerror}; name another folder") from err


def _share(share_bp: int, *, mirror: bool) -> str:
    return f"{share_bp / 100:g} %{', mirrored' if mirror else ''}"
