"""``headgate plane``: what the proxy serves, whether the record says so, and a route as its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from headgate.cli.options import AsJson, ServiceName
from headgate.cli.root import SEEING, app, out, print_json, told
from headgate.errors import InputError
from headgate.plan.model import ALL
from headgate.ports import Observed
from headgate.rollout.state import PlaneView

if TYPE_CHECKING:
    from tasks.planes import Held, Verified

_ALONE = "none: the incumbent serves alone"
#: What the next tick does about each view, the mildest first.
_NEXT = {
    PlaneView.AGREES: "",
    PlaneView.BEHIND: "applies the record again",
    PlaneView.UNREACHABLE: "starts it, at the share that its files hold",
    PlaneView.DISAGREES: "takes the lower share, records an incident and waits for an operator",
}
_OVER = "does nothing: the rollout is over; run the plane's `start`, or start the next rollout"

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
    _table(
        ("rollout", escape(seen.rollout) if seen.rollout else _ALONE),
        *([] if parts else [("share", _share(seen.share_bp, mirror=seen.mirror))]),
        *((f"slice {part.name}", _share(part.share_bp, mirror=part.mirror)) for part in parts),
        ("generation", f"{seen.generation}, token {seen.token}" if seen.rollout else "-"),
        ("kind", found.kind),
        ("port", str(found.port)),
        ("folder", escape(str(found.folder))),
        ("start", "`start` in its folder, for a supervisor" if found.start else "never started from here"),
    )


@plane.command(epilog="Example: `headgate plane verify flight-delays`, from a monitor of yours")
@told
def verify(service: ServiceName, as_json: AsJson = False) -> None:
    """Hold the plane's report against the record. Exit 1 unless they agree; the next tick acts on it."""
    from tasks import planes

    found = planes.verify(service)
    if as_json:
        _verified_as_json(service, found)
    else:
        worst = max((one.view for one in found.slices), key=list(_NEXT).index)
        acts = _OVER if found.over else _NEXT[worst]
        _table(
            ("on record", f"{found.rollout}, generation {max(s.recorded_generation for s in found.slices)}"),
            ("in force", _in_force(found.observed)),
            *(("share" if one.slice == ALL else f"slice {one.slice}", _held(one)) for one in found.slices),
            *([] if found.agrees else [("next tick", acts)]),
        )
    if found.why:
        typer.echo(f"headgate: {found.why}", err=True)
    if not found.agrees:
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
        typer.Option(
            "--as", help="envoy, haproxy, gateway or openfeature; default: the plan's.", show_default=False
        ),
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


def _in_force(seen: Observed | None) -> str:
    if seen is None:
        return "nobody knows: the plane does not answer"
    return f"{seen.rollout}, generation {seen.generation}" if seen.rollout else _ALONE


def _held(one: Held) -> str:
    recorded = f"{one.recorded_bp / 100:g} %"
    if one.view is PlaneView.AGREES:
        return f"[green]agrees[/]: {recorded}"
    served = "" if one.served_bp is None else f", {one.served_bp / 100:g} % in force"
    return f"[red]{one.view.value}[/]: {recorded} on record{served}"


def _verified_as_json(service: str, found: Verified) -> None:
    seen = found.observed
    print_json(
        {
            "service": service,
            "rollout": found.rollout,
            "agrees": found.agrees,
            "in_force": None if seen is None else {"rollout": seen.rollout, "generation": seen.generation},
            "slices": [
                {
                    "slice": one.slice,
                    "view": one.view.value,
                    "recorded_bp": one.recorded_bp,
                    "recorded_generation": one.recorded_generation,
                    "served_bp": one.served_bp,
                }
                for one in found.slices
            ],
        }
    )


def _put(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        raise InputError(f"--out: asked to write {path}; found {err.strerror}; name another folder") from err


def _share(share_bp: int, *, mirror: bool) -> str:
    return f"{share_bp / 100:g} %{', mirrored' if mirror else ''}"


def _table(*rows: tuple[str, str]) -> None:
    wide = max(len(what) for what, _ in rows)
    for what, text in rows:
        out.print(f"[dim]{escape(what):<{wide}}[/]  {text}", highlight=False, soft_wrap=True)
