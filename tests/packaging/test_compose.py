"""compose.yaml says what the image and the routes say; `test_image.py` runs those routes for real."""

from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.support.proxy import ROOT


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return services


def test_every_server_of_the_routes_is_a_service(services: dict[str, Any]) -> None:
    routes = yaml.safe_load((ROOT / "config" / "compose.yaml").read_text())
    servers = {urlsplit(server).hostname for server in routes["upstreams"]["site"]["servers"]}
    assert servers == set(services) - {"proxy"} == set(services["proxy"]["depends_on"])


def test_the_mounted_routes_exist_where_the_image_reads_them(services: dict[str, Any]) -> None:
    [volume] = services["proxy"]["volumes"]
    source, target, mode = volume.split(":")
    assert (ROOT / source).is_file()
    assert f'"{target}"' in (ROOT / "Dockerfile").read_text()
    assert mode == "ro"


def test_the_published_port_is_one_that_the_routes_listen_on(services: dict[str, Any]) -> None:
    [published] = services["proxy"]["ports"]
    routes = yaml.safe_load((ROOT / "config" / "compose.yaml").read_text())
    assert routes["listen"] == ["tcp:" + published.split(":")[1]]
