"""All lanes, the proxy they lead through, and the loop that everything on them runs in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tests.sockets.lanes import LANES, Lane, lanes_config
from tests.support.proxy import RunningProxy


class Street(NamedTuple):
    lanes: Sequence[Lane]
    proxy: RunningProxy
    runner: asyncio.Runner


@contextmanager
def opened(serve: Callable[..., RunningProxy]) -> Iterator[Street]:
    """Start the origins, then a proxy before them."""
    lanes = [Lane(number) for number in range(1, LANES + 1)]

    async def start() -> None:
        for lane in lanes:
            await lane.origin.start()

    async def stop() -> None:
        for lane in lanes:
            await lane.origin.stop()

    with asyncio.Runner() as runner:
        runner.run(start())
        proxy = serve(lanes_config(lanes))
        for lane in lanes:
            lane.port = proxy.port
        yield Street(lanes, proxy, runner)
        runner.run(stop())
