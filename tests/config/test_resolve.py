"""What is left implicit is spelled out."""

from proxy.config import Config, load_text


def resolved(text: str, name: str = "/etc/proxy/x.yaml") -> Config:
    return load_text(text, name, {}).require()


def test_an_address_becomes_a_pool_of_one() -> None:
    config = resolved("routes:\n  - {path: /a, upstream: 'http://a'}\n  - {path: /b, upstream: 'http://A:80/'}\n")
    assert list(config.upstreams) == ["http://a:80"]
    assert {route.upstream for route in config.routes} == {"http://a:80"}


def test_every_upstream_starts_from_the_defaults() -> None:
    config = resolved(
        "defaults: {upstream: {connections: 7, host: upstream, timeouts: {connect: 1s, response_head: 2s}}}\n"
        "upstreams: {a: {servers: http://a, connections: 9, timeouts: {connect: 3s}}, b: {servers: http://b}}\n"
        "routes:\n  - {upstream: a}\n  - {path: /b, upstream: b}\n  - {path: /c, upstream: 'http://c'}\n"
    )
    a, b, c = config.upstreams.values()
    assert (a.connections, a.host) == (9, "upstream")
    assert (a.timeouts.connect, a.timeouts.response_head, a.timeouts.response_idle) == (3.0, 2.0, None)
    assert (b.connections, b.timeouts.connect) == (7, 1.0)
    assert (c.connections, c.timeouts.response_head) == (7, 2.0)


def test_named_gates_are_expanded_in_their_place() -> None:
    config = resolved(
        "gates:\n  outer: [{add_prefix: /1}, inner, {add_prefix: /3}]\n  inner: [{add_prefix: /2}]\n"
        "routes:\n  - {upstream: 'http://a', gates: [{add_prefix: /0}, outer, {add_prefix: /4}]}\n"
    )
    assert [gate.add_prefix for gate in config.routes[0].gates] == [b"/0", b"/1", b"/2", b"/3", b"/4"]


def test_directories_are_beside_the_file_that_names_them() -> None:
    config = resolved("routes:\n  - {static: www}\n  - {path: /b, static: /srv/b}\n")
    assert [route.static.root for route in config.routes if route.static] == ["/etc/proxy/www", "/srv/b"]
    assert resolved("routes:\n  - {static: www}\n", "x.yaml").routes[0].static is not None
