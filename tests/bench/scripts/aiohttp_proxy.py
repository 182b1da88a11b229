"""
A streaming reverse proxy with aiohttp.

Arguments: port, port of the origin, number of routes, access log; for TLS a certificate and its key.
"""

import asyncio
import logging
import ssl
import sys

import aiohttp
import uvloop
from aiohttp import web
from multidict import CIMultiDict

HOP_BY_HOP = ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")


def end_to_end(headers: "CIMultiDict[str]") -> "CIMultiDict[str]":
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP)


class Forwarder:
    """Forwards whatever it is given to one origin."""

    def __init__(self, session: aiohttp.ClientSession, origin: str) -> None:
        self.session = session
        self.origin = origin

    async def forward(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.forward_websocket(request)
        headers = end_to_end(request.headers)
        headers["X-Forwarded-For"] = request.remote or ""
        headers["X-Forwarded-Proto"] = request.scheme
        async with self.session.request(
            request.method,
            self.origin + request.raw_path,
            headers=headers,
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        ) as upstream:
            response = web.StreamResponse(status=upstream.status, headers=end_to_end(upstream.headers))
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    async def forward_websocket(self, request: web.Request) -> web.StreamResponse:
        client = web.WebSocketResponse()
        await client.prepare(request)
        async with self.session.ws_connect(self.origin + request.raw_path, compress=0) as upstream:
            await asyncio.gather(copy(client, upstream), copy(upstream, client))
        return client


async def copy(
    source: "web.WebSocketResponse | aiohttp.ClientWebSocketResponse",
    sink: "web.WebSocketResponse | aiohttp.ClientWebSocketResponse",
) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        else:
            await sink.send_str(message.data)
    await sink.close()


def tls_context(*pair: str) -> ssl.SSLContext | None:
    if not pair:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(*pair)
    return context


async def main(port: int, origin_port: int, routes: int, access_log: str, *pair: str) -> None:
    logging.basicConfig(filename=access_log, level=logging.INFO, format="%(message)s")
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=300)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        forwarder = Forwarder(session, f"http://127.0.0.1:{origin_port}")
        app = web.Application(client_max_size=0)
        for number in range(routes):
            app.router.add_route("*", f"/s{number:05d}/{{tail:.*}}", forwarder.forward)
        if not routes:
            app.router.add_route("*", "/{tail:.*}", forwarder.forward)
        runner = web.AppRunner(app, keepalive_timeout=600)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096, ssl_context=tls_context(*pair)).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]))
