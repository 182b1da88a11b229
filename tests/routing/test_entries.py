"""The order in which routes count, and their names."""

from collections.abc import Sequence
from typing import Any

from proxy.config import Position, load_text
from proxy.config import routes as wishes
from proxy.routing.entries import canonical_path, make_entries, make_routes


def made(*written: dict[str, Any]) -> Sequence[wishes.Route]:
    return [wishes.Route.model_validate({"respond": 204, **one}) for one in written]


def order(*written: dict[str, Any]) -> list[str]:
    named = [{"name": str(place), **one} for place, one in enumerate(written)]
    return [entry.route.name for entry in make_entries(make_routes(made(*named), None))]


def test_hosts_come_before_paths() -> None:
    assert order(
        {"path": {"exact": "/a/b"}},
        {"host": {"regex": "a"}, "path": {"exact": "/a"}},
        {"host": "*.example.com", "path": {"exact": "/a"}},
        {"host": "*.a.example.com"},
        {"host": "a.example.com"},
    ) == ["4", "3", "2", "1", "0"]


def test_paths_exact_longest_prefix_regex_any() -> None:
    assert order(
        {"path": "/"},
        {},
        {"path": {"regex": "^/a"}},
        {"path": "/a"},
        {"path": "/a/"},
        {"path": "/a/b"},
        {"path": {"exact": "/"}},
    ) == ["6", "5", "4", "3", "2", "0", "1"]


def test_more_conditions_come_first_and_then_the_file() -> None:
    assert order(
        {}, {"methods": ["GET"]}, {"methods": ["GET"], "client": "10.0.0.0/8"}, {"headers": {"A": "b", "C": "d"}}, {}
    ) == ["2", "3", "1", "0", "4"]


def test_priority_comes_before_everything() -> None:
    specific = {"host": "a", "path": {"exact": "/a"}}
    assert order(specific, {"priority": 1}, {"priority": -1, "host": "a"}, {"host": "a"}) == ["1", "0", "3", "2"]


def test_every_pair_of_host_and_path_is_an_entry() -> None:
    assert order({"host": ["a", "*.b"], "path": ["/x", "/y/z", {"regex": "q"}]}) == ["0"] * 6


def test_routes_without_a_name_get_one_that_says_what_they_take() -> None:
    routes = make_routes(
        made(
            {},
            {"host": "a", "path": "/x"},
            {"host": ["a", "b"], "path": ["/x", "/y"]},
            {"host": {"regex": "^a"}, "path": {"regex": "^/b"}},
            {"path": {"exact": "/x"}},
            {"host": "a", "path": "/x"},
        ),
        None,
    )
    assert [route.name for route in routes] == ["*/", "a/x", "a/x#2", "~^a~^/b", "*=/x", "a/x#3"]


def test_routes_know_where_they_are_written() -> None:
    loaded = load_text("routes:\n  - {respond: 204}\n  - {path: /a, respond: 204}\n", "x.yaml", {})
    routes = make_routes(loaded.require().routes, loaded.position)
    assert [route.position for route in routes] == [Position("x.yaml", 2, 5), Position("x.yaml", 3, 5)]
    assert repr(routes[1]) == "<Route '*/a' at x.yaml:3:5>"
    assert make_routes(made({}), None)[0].position == Position("", 0, 0)


def test_paths_of_the_configuration_are_spelled_like_those_of_requests() -> None:
    assert canonical_path("/café") == b"/caf%C3%A9"
    assert canonical_path("/caf%c3%a9/") == b"/caf%C3%A9/"
    assert canonical_path("/%61") == b"/a"
