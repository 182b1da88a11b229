"""Where names are looked up, as written."""

import pytest
from pydantic import ValidationError

from proxy.config import load_text
from proxy.config.resolver import Resolver


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10.0.0.2", ("10.0.0.2", 53)),
        ("10.0.0.2:5353", ("10.0.0.2", 5353)),
        ("fd00::2", ("fd00::2", 53)),
        ("[fd00::2]", ("fd00::2", 53)),
        ("[fd00::2]:5353", ("fd00::2", 5353)),
    ],
)
def test_name_servers(written: str, meant: tuple[str, int]) -> None:
    assert Resolver.model_validate({"servers": written}).servers == (meant,)


@pytest.mark.parametrize(
    "faulty",
    [
        {"servers": "dns.example.com"},
        {"servers": ["10.0.0.2:0"]},
        {"servers": ["10.0.0.2:x"]},
        {"servers": [53]},
        {"min_ttl": "2m", "max_ttl": "1m"},
        {"timeout": 0},
    ],
)
def test_what_is_no_resolver(faulty: object) -> None:
    with pytest.raises(ValidationError):
        Resolver.model_validate(faulty)


def test_the_hosts_file_stands_beside_the_configuration() -> None:
    text = "resolver: {hosts: names}\nroutes: [{respond: 204}]\n"
    assert load_text(text, "/etc/proxy/routes.yaml", {}).require().resolver.hosts == "/etc/proxy/names"
    assert load_text("routes: [{respond: 204}]\n", "routes.yaml", {}).require().resolver.hosts == "/etc/hosts"
