"""A model server that misbehaves on command, in a process of its own, so that it can be killed for real.

``python model_server.py SIDE PORT`` (0: any). It says its port on a line, then reads commands, a line each,
from standard input: the name of a behaviour, or ``count``. It ends with its standard input. It imports
nothing but the standard library: twenty of them are started in a minute.
"""

import asyncio
import random
import socket
import struct
import sys

#: Patience with the candidate is far below this: its answer comes, and comes too late.
LATE_S = 2.0


class State:
    """What the server does now, how many requests it saw, and who is connected."""

    def __init__(self, side, port):
        self.body = side.encode()
        self.port = port
        self.does = "serves"
        self.seen = 0
        self.dice = random.Random(20261121)
        self.connections = set()
        self.server = None

    async def listen(self):
        self.server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), "127.0.0.1", self.port, reuse_address=True, backlog=512
        )
        self.port = self.server.sockets[0].getsockname()[1]

    async def obey(self, word):
        if word == "count":
            seen, self.seen = self.seen, 0
            return str(seen)
        if word == "refuses":
            self.server.close()
            for connection in list(self.connections):
                connection.transport.abort()
        elif self.does == "refuses":
            await self.listen()
        self.does = word
        return "done"


class Connection(asyncio.Protocol):
    """One connection from the plane; requests may come in pieces or many at once."""

    def __init__(self, state):
        self.state = state
        self.held = b""

    def connection_made(self, transport):
        self.transport = transport
        self.state.connections.add(self)

    def connection_lost(self, _why):
        self.state.connections.discard(self)

    def data_received(self, data):
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            whole = end + 4 + length_of(self.held[:end])
            if len(self.held) < whole:
                return
            self.held = self.held[whole:]
            self.state.seen += 1
            self.act()

    def act(self):
        state, transport = self.state, self.transport
        match state.does:
            case "serves":
                transport.write(answer(200, state.body))
            case "fails":
                transport.write(answer(500, state.body))
            case "sometimes fails":
                transport.write(answer(500 if state.dice.random() < 0.3 else 200, state.body))
            case "hangs":
                pass
            case "answers late":
                asyncio.get_running_loop().call_later(LATE_S, self.answer_late)
            case "hangs up":
                transport.close()
            case "resets":
                # Linger 0: the other side gets a reset, not an end.
                transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                transport.abort()
            case "talks nonsense":
                transport.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
                transport.close()
            case "dies in mid-answer":
                transport.write(answer(200, state.body * 100)[:-200])
                transport.close()
            case other:
                raise ValueError(other)

    def answer_late(self):
        if not self.transport.is_closing():
            self.transport.write(answer(200, self.state.body))


def length_of(head):
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def answer(status, body):
    head = b"HTTP/1.1 %d Said\r\nx-who: %b\r\ncontent-length: %d\r\n\r\n"
    return head % (status, body[:9], len(body)) + body


def say(word):
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(side, port):
    state = State(side, port)
    await state.listen()
    say(state.port)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        say(await state.obey(line.decode().strip()))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
