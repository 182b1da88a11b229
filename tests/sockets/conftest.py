"""What the tests with real peers share: a proxy and an origin for all tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.sockets.stage import Stage
from tests.support.processes import ProcessPark
from tests.support.proxy import RunningProxy, start_proxy


@pytest.fixture(scope="module")
def module_park(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPark]:
    """Programs that live as long as the tests of a module."""
    park = ProcessPark(tmp_path_factory.mktemp("park"))
    try:
        yield park
    finally:
        park.close()


@pytest.fixture(scope="module")
def serve(module_park: ProcessPark) -> Iterator[Callable[..., RunningProxy]]:
    """`serve(yaml_text)` starts a proxy for all tests of a module; a traceback in its log fails the last of them."""
    proxies: list[RunningProxy] = []

    def run(config: str, *options: str) -> RunningProxy:
        proxies.append(start_proxy(module_park, config, *options))
        return proxies[-1]

    yield run
    for proxy in proxies:
        proxy.process.stop()
        proxy.process.assert_no_traceback()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """An origin that does what `stage.play(conversation)` says, for all tests of a module."""
    stage = Stage()
    yield stage
    stage.close()
