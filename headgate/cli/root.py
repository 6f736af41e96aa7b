"""The command itself: where commands are hung up, and how errors become exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer
from rich.console import Console

from headgate.cli.prefect_words import said_of
from headgate.errors import HeadgateError, PlanError
from headgate.plan import explain

#: The groups that the help shows commands in, in this order.
BEFORE, RUNNING, SAYING, PROVING, SEEING = (
    "Before anything is deployed", "Run a rollout", "Say so: yes, no, stop, go on", "Prove what happened",
    "See it happen",
)  # fmt: skip
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Take a machine-learning model from shadow to full traffic, through gates that keep a promise.\n\n"
    "Begin with `headgate validate PLAN` and `headgate power PLAN`, then `headgate start PLAN`; schedule the "
    "flows `shadow` and `advance`. See it all happen with `headgate demo`.",
)
out = Console()


def told(command: Callable[..., None]) -> Callable[..., None]:
    """Turn our own errors, and those of Prefect's API, into a message and an exit code.

    Anything else is a bug and shows its trace.
    """

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except PlanError as err:
            typer.echo(explain(err), err=True)
            raise typer.Exit(err.exit_code) from None
        except HeadgateError as err:
            typer.echo(f"headgate: {err}", err=True)
            raise typer.Exit(err.exit_code) from None
        except Exception as err:
            if (said := said_of(err)) is None:
                raise
            typer.echo(f"headgate: {said}", err=True)
            raise typer.Exit(1) from None

    return run


def print_json(value: Any) -> None:
    """Print JSON for scripts."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))
