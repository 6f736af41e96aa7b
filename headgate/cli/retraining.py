"""Training anew, and the shelf that trained models are kept on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from headgate.cli.options import AsJson, Now, ServiceName, when
from headgate.cli.root import RUNNING, app, out, print_json, told
from headgate.errors import InputError, ShelfError
from headgate.report.formats import number
from headgate.report.terminal import plain_table

shelf = typer.Typer(no_args_is_help=True, help="The trained models: list them, read a card, fetch a file.")
app.add_typer(shelf, name="shelf", rich_help_panel=RUNNING)

ModelName = Annotated[str, typer.Argument(help="The model's name, as in the plan.", show_default=False)]
Version = Annotated[str, typer.Argument(help="Its version, e.g. gbm-3.", show_default=False)]


@app.command(rich_help_panel=RUNNING)
@told
def retrain(service: ServiceName, now: Now = None, as_json: AsJson = False) -> None:
    """Train the service's model anew, and open its rollout if it is not worse (flow `retrain`).

    What is learned from, and what was left out, is told. The new model is held against the one that serves on
    time that was kept from it; it serves nothing before the gates of its own rollout. A retraining that was
    cut off is taken up where it was. Exit 1 if the new model is refused. docs/retraining.md says more.
    """
    from flows.retrain import retrain as flow
    from headgate.training.diff import told as differences

    came = flow(service, now=when(now))
    if came is None:
        _say({"retrained": False}, "nothing to do: another run is at it", as_json=as_json)
        return
    one = came.retraining
    body = {
        "retrained": True,
        "accepted": one.accepted,
        "reason": one.reason,
        "version": one.version,
        "rollout": one.rollout or None,
        "folder": str(came.folder),
        "card": one.body.get("card"),
    }
    word = "[green]accepted[/]" if one.accepted else "[red]refused[/]"
    lines = [f"[bold]{escape(one.version)}[/] is {word}: {escape(one.reason)}"]
    lines += [f"  {escape(line)}" for line in differences(one.body["card"]["diff"])]
    if one.rollout:
        lines.append(
            f"opened [bold]{escape(one.rollout)}[/]: `headgate status` shows it; nothing is served yet"
        )
    lines.append(f"[dim]what the trainer got and said: {escape(str(came.folder))}[/]")
    _say(body, "\n".join(lines), as_json=as_json)
    if not one.accepted:
        raise typer.Exit(1)


@shelf.command("list")
@told
def list_(
    model: Annotated[
        str | None, typer.Option("--model", help="Of this model alone.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show every version on the shelf: when it was made, of which data, and where its file is."""
    from tasks.wiring import shelf_alone

    found = shelf_alone().all(model)
    if as_json:
        print_json(
            [{"model": v.model, "version": v.version, "place": v.place, "card": v.card} for v in found]
        )
        return
    if not found:
        out.print("the shelf is empty; `headgate retrain SERVICE` puts a model there")
        return
    table = plain_table(
        "version", "model", "made", "learned from", "rows", "file", names=[v.version for v in found]
    )
    for one in found:
        table.add_row(*map(escape, _row(one.version, one.model, one.card, one.place)))
    out.print(table)


@shelf.command()
@told
def card(model: ModelName, version: Version, as_json: AsJson = False) -> None:
    """Show what a version is: data and hashes, how it was held against others, its fingerprint."""
    from tasks.wiring import shelf_alone

    found = shelf_alone().find(model, version)
    if found is None:
        raise _unknown(model, version, [one.version for one in shelf_alone().all(model)])
    if as_json:
        print_json(dict(found.card))
        return
    out.print(f"[bold]{escape(model)} {escape(version)}[/]  {escape(found.place)}", highlight=False)
    for name, value in _told(found.card):
        out.print(f"  [dim]{name:<14}[/] {escape(value)}", highlight=False)


@shelf.command()
@told
def fetch(
    model: ModelName,
    version: Version,
    folder: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path(),
) -> None:
    """Copy a version's files off the shelf, held against the hashes of its card: for whoever serves it."""
    from tasks.wiring import shelf_alone

    kept = shelf_alone()
    found = kept.find(model, version)
    if found is None:
        raise _unknown(model, version, [one.version for one in kept.all(model)])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part in found.card.get("parts", {}):
            body = kept.read(model, version, part)
            if body is None:
                raise ShelfError(
                    f"{model} {version}: the shelf has no {part}, which its card names; restore it"
                )
            (folder / f"{version}.{part}").write_bytes(body)
    except OSError as err:
        raise InputError(f"--out: asked to write to {folder}; found {err.strerror}; name another") from err
    out.print(f"fetched {escape(version)} to {escape(str(folder))}", soft_wrap=True)


def _say(body: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(dict(body))
    else:
        out.print(text, highlight=False, soft_wrap=True)


def _unknown(model: str, version: str, known: list[str]) -> InputError:
    there = ", ".join(known) or "no version of it"
    return InputError(
        f"asked {model} {version} of the shelf; it has {there}; `headgate shelf list` shows all"
    )


def _row(version: str, model: str, card: Mapping[str, Any], place: str) -> tuple[str, ...]:
    training = card.get("training") or {}
    span = (
        f"{str(training.get('since'))[:10]} to {str(training.get('until'))[:10]}" if training else "not said"
    )
    rows = training.get("rows")
    return (
        version,
        model,
        str(card.get("made_at", "not said"))[:16].replace("T", " "),
        span,
        f"{rows:,}" if isinstance(rows, int) else "not said",
        place,
    )


def _told(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a card's lines; what an older card does not say is left out."""
    training, trainer = card.get("training") or {}, card.get("trainer") or {}
    lines = [
        ("made", " by ".join(filter(None, (str(card.get("made_at", ""))[:16], trainer.get("function"))))),
        ("learned from", _span(training)),
        ("left out", ", ".join(f"{n:,} {reason}" for reason, n in (card.get("left_out") or {}).items())),
        ("features", ", ".join(card.get("features") or ())),
        ("judged", str(card.get("reason") or "")),
    ]
    for one in card.get("held_out") or ():
        for gate in one["gates"]:
            where = f"{gate['gate']}[{gate['segment']}]" if gate["segment"] else gate["gate"]
            lines.append(
                (
                    "held out",
                    f"{where} {number(gate['loss'])}, {one['version']} {number(gate['loss_of_the_other'])}: "
                    f"difference {number(gate['difference'], signed=True)}",
                )
            )
    lines += [("hash", f"{part} {digest}") for part, digest in (card.get("parts") or {}).items()]
    lines += [
        ("data", str(card.get("training_sha256") or "")),
        ("fingerprint", str(card.get("fingerprint") or "")),
        ("steps", _steps(card.get("parity") or {})),
    ]
    return [(name, value) for name, value in lines if value.strip()]


def _steps(golden: Mapping[str, Any]) -> str:
    """Return what is recorded of a model's preprocessing."""
    if not golden:
        return ""
    steps = "not known"
    if golden["steps"] is not None:
        steps = f"{', '.join(golden['steps'])} ({golden['fingerprint'][:12]})"
    return f"{steps}; {golden['examples']} golden examples"


def _span(training: Mapping[str, Any]) -> str:
    if not training:
        return ""
    return f"{training.get('rows', 0):,} requests, {training.get('since')} to {training.get('until')}"
