"""A registry that is some way off: `python -m bench.distance HOST:PORT SECONDS` relays, and keeps everything that long
in each direction. Says on which port of loopback it listens."""

from __future__ import annotations

import asyncio
import sys
from collections import deque


class Way(asyncio.Protocol):
    """One end of a connection; what comes in goes out at the other end, later."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._waiting: deque[bytes] = deque()
        self.other: Way | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting.append(data)
        asyncio.get_running_loop().call_later(self._delay, self._arrive)

    def connection_lost(self, exc: Exception | None) -> None:
        asyncio.get_running_loop().call_later(self._delay, self._end)

    def _arrive(self) -> None:
        data = self._waiting.popleft()
        if self.other is None:  # not connected yet: in order all the same
            self._waiting.appendleft(data)
            asyncio.get_running_loop().call_later(0.001, self._arrive)
        elif self.other.transport is not None:
            self.other.transport.write(data)

    def _end(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class Near(Way):
    """The end where clients connect."""

    def __init__(self, host: str, port: int, delay: float) -> None:
        super().__init__(delay)
        self._far = host, port, delay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        host, port, delay = self._far
        _, far = await asyncio.get_running_loop().create_connection(lambda: Way(delay), host, port)
        far.other, self.other = self, far


async def relay(place: str, delay: float) -> None:
    """Relays until the process is ended."""
    host, _, port = place.rpartition(":")
    server = await asyncio.get_running_loop().create_server(lambda: Near(host, int(port), delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(sys.argv[1], float(sys.argv[2])))
