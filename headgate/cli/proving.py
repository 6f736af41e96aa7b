"""Where a command gets its approval code from: as given, computed with a secret, or asked for."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from headgate.codes import code_of
from headgate.errors import InputError

Code = Annotated[
    str | None,
    typer.Option("--code", help="Approval code, from `headgate approver code`.", show_default=False),
]
SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        help="File with your secret; default: HEADGATE_APPROVER_SECRET_FILE.",
        show_default=False,
    ),
]
_OTHERS_MAY = 0o007


def proof(request: str, answer: str, code: str | None, secret_file: Path | None) -> str:
    """Return the code to prove an answer with.

    It is the one given; else computed with the secret in a file; else asked for at the terminal.

    Raises
    ------
    InputError
        If there is none to be had, or the secret's file cannot be used.
    """
    if code is not None:
        return code
    file = secret_file or own_secret_file()
    if file is not None:
        return code_of(secret_in(file), request, answer, datetime.now(UTC))
    how = f"`headgate approver code {request} --answer {answer}`"
    if sys.stdin.isatty():
        typer.echo(f"compute the code where your secret is: {how}", err=True)
        return str(typer.prompt("approval code", hide_input=True, err=True))
    raise InputError(
        f"asked an approval code for {answer} of {request}; found none; compute it where your secret is with "
        f"{how} and give it with --code, or name the secret's file with --secret-file"
    )


def own_secret_file() -> Path | None:
    """Return the file that the settings name for the secret of whoever works on this machine."""
    from headgate.adapters.settings import Settings

    return Settings().approver_secret_file


def secret_in(file: Path) -> str:
    """Return the secret in a file.

    Raises
    ------
    InputError
        If it cannot be read, everybody can read it, or it holds no secret.
    """
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as err:
        why = err.strerror if isinstance(err, OSError) else "something else"
        raise InputError(
            f"asked the file with your secret, {file}; found {why}; name the right file"
        ) from err
    if mode & _OTHERS_MAY:
        raise InputError(
            f"asked a file that only you can read; found {file} open to everybody; `chmod 600 {file}`"
        )
    return as_secret(text, str(file))


def as_secret(text: str, where: str) -> str:
    """Return a secret as it was printed, or raise `InputError` where the text is none."""
    secret = "".join(text.split()).upper()
    if not re.fullmatch(r"[A-Z2-7]{32,}", secret) or len(secret) % 8:
        raise InputError(
            f"asked a secret as `headgate approver add` prints it; found something else in {where}; enrol "
            "anew if it is lost"
        )
    return secret


def origin() -> str:
    """Return a name for this very use of the command line."""
    return f"cli:{uuid4()}"
