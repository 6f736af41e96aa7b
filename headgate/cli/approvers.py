"""Who may approve: enrol, list, revoke, and compute a code on one's own machine."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from headgate.cli.options import AsJson, Now, Reason, Who, when
from headgate.cli.proving import SecretFile, as_secret, own_secret_file, secret_in
from headgate.cli.root import SAYING, app, out, print_json, told
from headgate.codes import answers_to, code_holds_until, code_of
from headgate.errors import InputError

approver = typer.Typer(
    no_args_is_help=True, help="Who may approve: enrol, list, revoke; compute an approval code."
)
app.add_typer(approver, name="approver", rich_help_panel=SAYING)

Name = Annotated[
    str, typer.Argument(help="The approver, e.g. chief@example.org.", show_default=False, metavar="NAME")
]


class Sayable(StrEnum):
    """What a code can be for."""

    APPROVE = "approve"
    REJECT = "reject"
    HOLD = "hold"
    BREAK_GLASS = "break_glass"
    SIGN = "sign"


@approver.command()
@told
def add(
    name: Name,
    who: Who,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            "--secret-file", help="Write the secret here instead of showing it; only you can read it."
        ),
    ] = None,
    replace: Annotated[
        str | None, typer.Option("--replace", help="Why an enrolment in force is replaced.", metavar="REASON")
    ] = None,
    now: Now = None,
) -> None:
    """Enrol somebody, and show their secret this once. Codes computed with it prove who approved."""
    from headgate.adapters.keys import write_private
    from tasks.approvers import enrol

    if secret_file is not None and secret_file.exists():
        raise InputError(f"--secret-file: asked a new file; found {secret_file}; name another one")
    secret = enrol(name, who, when(now), replace=replace)
    keep = (
        "It belongs on their own machine, in a file only they can read, which HEADGATE_APPROVER_SECRET_FILE "
        "names; `headgate approver code REQUEST --answer approve` computes codes with it, offline."
    )
    if secret_file is None:
        typer.echo(f"enrolled {name}. The secret, shown this once:\n\n    {secret}\n\n{keep}")
        return
    try:
        write_private(secret_file, secret + "\n")
    except OSError as err:
        raise InputError(
            f"--secret-file: {name} is enrolled, but {secret_file} cannot be written: {err.strerror}; enrol "
            f"anew with `headgate approver add {name} --replace 'secret not written'` and another file"
        ) from err
    typer.echo(f"enrolled {name}. The secret is in {secret_file}. {keep}")


@approver.command(name="list")
@told
def list_approvers(as_json: AsJson = False) -> None:
    """Show everybody who is or was enrolled, since when, by whom and why."""
    from tasks.approvers import approver_list

    found = approver_list()
    if as_json:
        print_json(
            [
                {
                    "name": one.name,
                    "active": one.active,
                    "by": one.by,
                    "reason": one.reason,
                    "at": str(one.at),
                }
                for one in found
            ]
        )
        return
    if not found:
        out.print("nobody is enrolled yet; `headgate approver add NAME --as YOU` enrols somebody")
    for one in found:
        state = "[green]may approve[/]" if one.active else "[red]revoked[/]"
        why = f": {escape(one.reason)}" if one.reason else ""
        at = f"{one.at:%Y-%m-%d %H:%M} UTC"
        out.print(
            f"[bold]{escape(one.name)}[/] {state} since {at}, by {escape(one.by)}{why}", highlight=False
        )


@approver.command()
@told
def revoke(name: Name, who: Who, reason: Reason, now: Now = None) -> None:
    """Take somebody's codes no more, from now on. What they said before stands."""
    from tasks.approvers import revoke as take_off

    gone = take_off(name, who, reason, when(now))
    out.print(f"revoked {escape(gone.name)}: no code of theirs is taken any more", highlight=False)


@approver.command()
@told
def code(
    request: Annotated[
        str,
        typer.Argument(
            help="Name of the request, as the form and `headgate status` show it.", show_default=False
        ),
    ],
    answer: Annotated[Sayable, typer.Option("--answer", help="What you say.", show_default=False)],
    secret_file: SecretFile = None,
) -> None:
    """Compute the approval code for one answer to one request, with your secret, on your own machine.

    Needs neither the store nor a network, only your secret and a clock that is right.
    """
    possible = answers_to(request)
    if answer.value not in possible:
        found = f"a request to which one says {', '.join(possible)}" if possible else "no name of a request"
        raise InputError(f"asked a code for {answer.value}; found {found} ({request}); copy it from the form")
    file = secret_file or own_secret_file()
    if file is not None:
        secret = secret_in(file)
    elif sys.stdin.isatty():
        secret = as_secret(typer.prompt("your secret", hide_input=True, err=True), "what was typed")
    else:
        raise InputError(
            "asked your secret; found none; name its file with --secret-file or HEADGATE_APPROVER_SECRET_FILE"
        )
    at = datetime.now(UTC)
    typer.echo(code_of(secret, request, answer.value, at))
    typer.echo(f"for {answer.value} of {request}, until {code_holds_until(at):%H:%M} UTC", err=True)
