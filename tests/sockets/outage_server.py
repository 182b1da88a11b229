"""A small server in a process of its own, to be killed, stopped and restarted: `python outage_server.py PORT SECONDS`.

It answers every request after so many seconds, with its port in X-Server and the request's target as the body.
"""

import asyncio
import sys


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, pause: float) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            _, target, _ = head.split(b" ", 2)
            if target != b"/health":
                await asyncio.sleep(pause)
            lines = (b"HTTP/1.1 200 OK", b"X-Server: %d" % port, b"Content-Length: %d" % len(target))
            writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + target)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the proxy has closed
    finally:
        writer.close()


async def main(port: int, pause: float) -> None:
    server = await asyncio.start_server(lambda r, w: converse(r, w, port, pause), "127.0.0.1", port, reuse_address=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
