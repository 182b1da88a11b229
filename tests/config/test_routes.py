"""Routes as they are written."""

import ipaddress

import pytest
from pydantic import ValidationError

from proxy.config.routes import Redirect, Route
from proxy.policy.redirect import redirect

MINIMAL = {"respond": 204}


def route(**more: object) -> Route:
    return Route.model_validate({**MINIMAL, **more})


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("*.example.com", "*.example.com"),
        ("*", "*"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::0001]", "[::1]"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("my_host", "my_host"),
    ],
)
def test_hosts_are_canonical(written: str, name: str) -> None:
    [host] = route(host=written).host or ()
    assert host.name == name


@pytest.mark.parametrize(
    "written",
    ["", "http://a", "a:80", "a/b", "*.*.a", "a.*", "**", "-a", "a b", "[::1", "[x]", "a..b", "a" * 64, 7, []],
)
def test_what_is_no_host(written: object) -> None:
    with pytest.raises(ValidationError):
        route(host=written)


@pytest.mark.parametrize("written", ["/", "/a", "/a/", "/a/b", "/.well-known", "/a;b=c", "/%2F", "/café", "/~x"])
def test_paths(written: str) -> None:
    [path] = route(path=written).path or ()
    assert path.prefix == written


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a",
        "//",
        "/a//b",
        "/a/./b",
        "/..",
        "/a?b",
        "/a#b",
        "/a b",
        "/a*",
        "/%",
        "/%0",
        "/%zz",
        "/%00",
        "/a\\",
        7,
        [],
    ],
)
def test_what_is_no_path(written: object) -> None:
    with pytest.raises(ValidationError):
        route(path=written)


def test_lists_may_be_written_as_their_only_item() -> None:
    one = route(host="a", path="/a", methods="GET", client="10.0.0.0/8")
    many = route(host=["a"], path=["/a"], methods=["GET"], client=["10.0.0.0/8"])
    assert one == many
    assert one.client == (ipaddress.ip_network("10.0.0.0/8"),)


def test_values_are_text() -> None:
    wanted = route(headers={"X-Version": 2}, query={"page": 1})
    assert wanted.headers[b"X-Version"].exact == "2"
    assert wanted.query["page"].exact == "1"


@pytest.mark.parametrize(
    ("target", "written"),
    [
        ("upstream", "api"),
        ("redirect", "/x"),
        ("respond", {"status": 200, "body": "x"}),
        ("static", "."),
        ("app", "resource:a.b:C.d"),
    ],
)
def test_a_route_has_one_target(target: str, written: object) -> None:
    assert Route.model_validate({target: written}).target == target
    with pytest.raises(ValidationError):
        Route.model_validate({target: written, **({"redirect": "/y"} if target == "respond" else MINIMAL)})


def test_a_route_without_target_is_none() -> None:
    with pytest.raises(ValidationError):
        Route.model_validate({"path": "/"})


def test_the_address_of_an_upstream_is_canonical() -> None:
    assert Route.model_validate({"upstream": "http://APP/"}).upstream == "http://app:80"


def test_an_application_is_taken_apart() -> None:
    app = Route.model_validate({"app": "resource:shop.web:Site.root"}).app
    assert app is not None
    assert (app.module, app.name) == ("shop.web", "Site.root")


@pytest.mark.parametrize(
    "written", ["", "wsgi:a:b", "resource:a", "resource:a:b:c", "resource:a-b:c", "resource::c", 7]
)
def test_what_is_no_application(written: object) -> None:
    with pytest.raises(ValidationError):
        Route.model_validate({"app": written})


@pytest.mark.parametrize(
    ("written", "protocols"),
    [
        (True, (b"websocket",)),
        (False, ()),
        ("WebSocket", (b"websocket",)),
        (["a", "b/2.0"], (b"a", b"b/2.0")),
        ([], ()),
    ],
)
def test_upgrades(written: object, protocols: tuple[bytes, ...]) -> None:
    assert route(upgrade=written).upgrade == protocols
    assert route().upgrade == (b"websocket",)


@pytest.mark.parametrize("written", ["h2c", "H2C", ["a b"], [7], {}, None])
def test_what_is_no_upgrade(written: object) -> None:
    with pytest.raises(ValidationError):
        route(upgrade=written)


REDIRECTS = ["https://www.example.com", "https://a/b?c#d", "http://a:80/", "/", "/a/b?c", "/a%20b"]


@pytest.mark.parametrize("to", REDIRECTS)
@pytest.mark.parametrize("keep_path", [True, False])
def test_what_is_a_redirect_here_is_one_where_it_is_answered(to: str, keep_path: bool) -> None:
    written = {"to": to, "keep_path": keep_path}
    if keep_path and ("?" in to or "#" in to):
        with pytest.raises(ValidationError):
            Redirect.model_validate(written)
        return
    wish = Redirect.model_validate(written)
    assert redirect(wish.to, wish.status, keep_path=wish.keep_path, keep_query=wish.keep_query).target == to.encode()


@pytest.mark.parametrize(
    "to", ["", "a", "//a", "/\\a", "/a\\b", "ftp://a", "https://", "https:///a", "/a b", "/é", "/a\r\n", 7]
)
def test_what_is_no_redirect(to: object) -> None:
    with pytest.raises(ValidationError):
        Redirect.model_validate({"to": to})


@pytest.mark.parametrize(
    "faulty", [{"methods": ["get"]}, {"methods": []}, {"client": "10.0.0.1/8"}, {"priority": 1.5}, {"x": 1}]
)
def test_what_is_no_route(faulty: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        route(**faulty)


@pytest.mark.parametrize("faulty", [100, 600, {"status": 204, "body": "x"}, {"headers": {"Connection": "close"}}, "ok"])
def test_what_is_no_response(faulty: object) -> None:
    with pytest.raises(ValidationError):
        Route.model_validate({"respond": faulty})
