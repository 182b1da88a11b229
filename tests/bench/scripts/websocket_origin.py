"""An echo server for frames of one size. Argument: port."""

import asyncio
import sys
from pathlib import Path
from typing import cast

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.bench.websocket import CLIENT_FRAME, SERVER_FRAME, answer


class Echo(asyncio.Protocol):
    """Answers the handshake, then one frame for each that came; what is in them is not looked at."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio.Transport, but do not inherit from it.
        self.transport = cast(asyncio.Transport, transport)
        self.head = b""
        self.open = False
        self.rest = 0

    def data_received(self, data: bytes) -> None:
        if self.open:
            frames, self.rest = divmod(self.rest + len(data), len(CLIENT_FRAME))
            if frames:
                self.transport.write(SERVER_FRAME * frames)
            return
        self.head += data
        if b"\r\n\r\n" in self.head:
            self.open = True
            self.transport.write(answer(self.head))


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
