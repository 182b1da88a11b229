"""The container image: built from the Dockerfile as it is, then run the way a careful operator would."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers import BASE, Containers
from tests.support.nginx import Nginx
from tests.support.ports import LOOPBACK, free_port
from tests.support.proxy import ROOT
from tests.support.raw import RawClient

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(600)]

IMAGE = "localhost/reverseproxy-test"
START_SECONDS = 60.0
# Everything that can be taken from a container without its noticing.
LOCKED_DOWN = (
    *("--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--memory", "256m", "--pids-limit", "64"),
)
FETCH = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:
    print(answer.status, answer.read().decode())
"""


@pytest.fixture(scope="module")
def containers() -> Iterator[Containers]:
    containers = Containers()
    try:
        containers.make_base()
        yield containers
    finally:
        containers.close()


@pytest.fixture(scope="module")
def image(containers: Containers) -> str:
    """The image as `make image` builds it."""
    options = "--pull-never --network=host"
    containers.run(
        *("make", "image", "BUILDER=buildah", f"BASE={BASE}", f"TAG={IMAGE}", f"IMAGE_OPTIONS={options}"), cwd=ROOT
    )
    return IMAGE


def _wait_until_healthy(containers: Containers, container: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while containers.status("podman", "healthcheck", "run", container)[0] != 0:
        assert containers.is_running(container), _logs(containers, container)
        assert time.monotonic() < deadline, _logs(containers, container)
        time.sleep(0.2)


def _logs(containers: Containers, container: str) -> str:
    return containers.status("podman", "logs", container)[1]


def _fetch(containers: Containers, container: str, url: str) -> str:
    return containers.run("podman", "exec", container, "python3", "-c", FETCH, url)


def test_the_image_says_how_it_wants_to_be_run(containers: Containers, image: str) -> None:
    config = containers.inspect(image)["Config"]
    assert config["User"] == "10001:10001"
    assert set(config["ExposedPorts"]) == {"8080/tcp", "8443/tcp"}
    assert config["StopSignal"] in ("SIGTERM", "15")
    assert config["Entrypoint"] == ["twistd", "-n", "--pidfile=", "reverseproxy"]
    assert config["Cmd"] == ["--config", "/etc/reverseproxy/routes.yaml"]
    assert containers.inspect(image)["Healthcheck"]["Test"] == ["CMD", "reverseproxy", "ping"]


def test_it_serves_its_default_without_rights_and_without_a_place_to_write(
    containers: Containers, image: str
) -> None:
    container = containers.start(image, "--network", "none", *LOCKED_DOWN)
    _wait_until_healthy(containers, container)
    assert _fetch(containers, container, "http://127.0.0.1:8080/").startswith("200 ")
    assert containers.run("podman", "exec", container, "id", "-u") == "10001"
    assert containers.status("podman", "exec", container, "touch", "/tmp/x")[0] != 0

    containers.run("podman", "stop", "--time", "15", container)
    assert containers.run("podman", "wait", container) == "0"
    log = _logs(containers, container)
    assert "plugin cache" not in log
    assert "Traceback" not in log


def test_it_serves_the_routes_that_are_mounted(
    containers: Containers, image: str, nginx: Nginx, tmp_path: Path
) -> None:
    port = free_port()
    routes = tmp_path / "routes.yaml"
    routes.write_text(f"listen: ['tcp:{port}:interface={LOOPBACK}']\nroutes: [{{upstream: '{nginx.url}'}}]\n")
    mounted = f"{routes}:/etc/reverseproxy/routes.yaml:ro"
    container = containers.start(image, "--network", "host", "--volume", mounted, *LOCKED_DOWN)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with RawClient(port) as client:
                assert client.get(b"/").body == b"hello from nginx\n"
            return
        except ConnectionRefusedError:
            assert containers.is_running(container), _logs(containers, container)
            assert time.monotonic() < deadline, _logs(containers, container)
            time.sleep(0.2)


def test_a_wrong_configuration_ends_it_with_the_line(containers: Containers, image: str, tmp_path: Path) -> None:
    routes = tmp_path / "routes.yaml"
    routes.write_text("listen: ['tcp:8080']\nroots: []\n")
    mounted = f"{routes}:/etc/reverseproxy/routes.yaml:ro"
    code, output = containers.status("podman", "run", "--rm", "--network", "none", "--volume", mounted, image)
    assert code == 1
    assert re.search(r"routes\.yaml:2:1: error: .*roots", output)
    assert "Traceback" not in output


def test_compose_routes_balance_over_two_upstreams(
    containers: Containers, image: str, tmp_path: Path
) -> None:
    """The routes of compose.yaml in one network namespace; the hosts file does what Compose's DNS does."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.0.2 one\n127.0.0.3 two\n")
    serve = "mkdir /s && echo {0} >/s/index.html && exec python3 -m http.server --bind {0} --directory /s 80"
    with_hosts = ("--volume", f"{hosts}:/etc/hosts:ro")
    one = containers.start(BASE, "--network", "none", *with_hosts, command=["sh", "-c", serve.format("one")])
    beside_one = ("--network", f"container:{one}", *with_hosts)
    containers.start(BASE, *beside_one, command=["sh", "-c", serve.format("two")])
    mounted = f"{ROOT / 'config' / 'compose.yaml'}:/etc/reverseproxy/routes.yaml:ro"
    proxy = containers.start(image, *beside_one, "--volume", mounted, *LOCKED_DOWN)
    _wait_until_healthy(containers, proxy)
    answers = {_fetch(containers, proxy, "http://127.0.0.1:8080/") for _ in range(4)}
    assert answers == {"200 one", "200 two"}
