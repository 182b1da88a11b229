"""Fixtures for tests with real sockets and real programs; what they hand out lives in `tests/support/`."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.nginx import DEFAULT_SERVER, Nginx, start_nginx
from tests.support.origin import Conversation, ScriptedOrigin
from tests.support.ports import free_port
from tests.support.processes import ProcessPark
from tests.support.proxy import RunningProxy, start_proxy


@pytest.fixture
def port() -> int:
    """A free TCP port of 127.0.0.1."""
    return free_port()


@pytest.fixture
def park(tmp_path: Path) -> Iterator[ProcessPark]:
    """Starts programs beside the test: `park.start("curl", ...)`; all are ended after it."""
    park = ProcessPark(tmp_path)
    try:
        yield park
    finally:
        park.close()


@pytest.fixture
def nginx(park: ProcessPark) -> Nginx:
    """An nginx that answers what `tests.support.nginx.DEFAULT_SERVER` lists, and serves `nginx.root`."""
    return start_nginx(park)


@pytest.fixture
def run_nginx(park: ProcessPark) -> Callable[..., Nginx]:
    """`run_nginx(server="location / { return 204; }")` starts one more nginx."""

    def run(server: str = DEFAULT_SERVER, port: int | None = None) -> Nginx:
        return start_nginx(park, server, port)

    return run


@pytest.fixture
def run_origin() -> Iterator[Callable[[Conversation], ScriptedOrigin]]:
    """`run_origin(conversation)` starts an upstream that does what the function `conversation` says."""
    origins: list[ScriptedOrigin] = []

    def run(conversation: Conversation) -> ScriptedOrigin:
        origins.append(ScriptedOrigin(conversation))
        return origins[-1]

    yield run
    for origin in origins:
        origin.close()


@pytest.fixture
def run_proxy(park: ProcessPark) -> Iterator[Callable[..., RunningProxy]]:
    """`run_proxy(yaml_text, *options)` starts the proxy; a traceback in its log fails the test."""
    proxies: list[RunningProxy] = []

    def run(
        config: str, *options: str, port: int | None = None, env: Mapping[str, str] | None = None
    ) -> RunningProxy:
        proxies.append(start_proxy(park, config, *options, port=port, env=env))
        return proxies[-1]

    yield run
    for proxy in proxies:
        proxy.process.stop()
        proxy.process.assert_no_traceback()
