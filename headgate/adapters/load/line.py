"""One keep-alive HTTP/1.1 connection that carries one request at a time, parsed by httptools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import httptools


class _Wire(Protocol):
    """What is used of a transport."""

    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


#: Told of an answer: status (0: none came), headers where they are kept, body.
Ended = Callable[[int, Mapping[str, str], bytes], None]


class Line(asyncio.Protocol):
    """A connection to one server.

    Parameters
    ----------
    idle, lost
        Called when it is free for the next request, and when it is closed.
    keep_headers
        Whether answers are told with their headers: it takes time.
    """

    def __init__(
        self, idle: Callable[[Line], None], lost: Callable[[Line], None], *, keep_headers: bool = False
    ) -> None:
        self._idle, self._lost = idle, lost
        self._keep_headers = keep_headers
        self._wire: _Wire | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._ended: Ended | None = None
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def shoot(self, request: bytes, ended: Ended) -> None:
        """Send one request; ``ended`` is called once, whatever comes of it."""
        self._ended, self._headers, self._body = ended, {}, []
        self._parser = httptools.HttpResponseParser(self)
        if self._wire is None:
            self._over()
        else:
            self._wire.write(request)

    def hang_up(self) -> None:
        """End the connection; a request under way gets no answer."""
        if self._wire is not None:
            self._wire.close()
        self._over()

    # ------------------------------------------------------------ told by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport."""
        self._wire = transport  # type: ignore[assignment]  # of TCP: it writes

    def data_received(self, data: bytes) -> None:
        """Read on; what is no HTTP is no answer."""
        if self._parser is None:
            return self.hang_up()  # nobody asked
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as the loop calls it
        """Tell of a request that will get no answer."""
        self._wire = None
        self._lost(self)
        self._over()

    # ------------------------------------------------------------ told by the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header where anybody wants it."""
        if self._keep_headers:
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Tell of the answer, and whether the connection is free again."""
        parser, self._parser = self._parser, None
        assert parser is not None  # noqa: S101 - it called
        again = parser.should_keep_alive()
        self._over(parser.get_status_code())
        if again and self._wire is not None:
            self._idle(self)
        elif self._wire is not None:
            self._wire.close()

    def _over(self, status: int = 0) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(status, self._headers, b"".join(self._body))
