"""`headgate review serve`: the page on which reviewers look at cases."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from headgate.cli.review import review
from headgate.cli.root import out, told
from headgate.errors import InputError


@review.command()
@told
def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="Port; 0: any that is free.")
    ] = 8_300,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="A host name the page is asked for by; more than once for several."),
    ] = None,
    who: Annotated[
        str | None,
        typer.Option("--as", help="Your own page: no sign-in, all that is said is yours. On loopback only."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="TLS: certificate chain (PEM).")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="TLS: private key (PEM).")] = None,
) -> None:
    """Serve the page on which reviewers look at cases, until Ctrl-C.

    People sign in with a code of `headgate approver code`, as approvers do. Keys: C confirm, O it should be
    otherwise, U cannot be told, S skip, W why, Z take back, L what waits, Q how answers
    are taken. Beyond this machine give it TLS.
    """
    if who is not None and not _is_loopback(host):
        raise InputError(
            f"--as: asked a page without sign-in; found --host {host}, which others reach; leave it out"
        )
    if (certificate is None) != (key is None):
        raise InputError("asked --certificate and --key together; found one of them; give both")
    for option, file in (("--certificate", certificate), ("--key", key)):
        if file is not None and not file.is_file():
            raise InputError(f"{option}: asked a PEM file; found none at {file}; name the right one")
    import uvicorn

    from headgate.adapters.review_page import app as page
    from tasks.adopting import desk_of

    hosts = [*(name or []), host, "localhost", "127.0.0.1", "[::1]"]
    config = uvicorn.Config(
        page(desk_of(who), hosts), host=host, port=port, log_level="warning", access_log=False,
        ssl_certfile=certificate, ssl_keyfile=key, server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    sock = config.bind_socket()
    scheme = "https" if certificate else "http"
    out.print(f"review page: {scheme}://{host}:{sock.getsockname()[1]} (Ctrl-C ends it)", highlight=False)
    server.run(sockets=[sock])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
