"""`show`: the configuration in force, with where each value comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from proxy import cli
from proxy.admin.effective import effective
from proxy.admin.origins import Told, tell
from proxy.cli.show import render, without_defaults, words
from proxy.cli.terminal import Ink
from proxy.config import Position, load, load_text
from tests.cli.golden import check, said
from tests.support.proxy import ROOT

SAMPLES = sorted((ROOT / "config").glob("*.yaml"))


def test_what_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    check("show.txt", said(["show", "shop.yaml", "--written"], capsys, defaults=True))


def test_a_list_of_written_things_keeps_its_places() -> None:
    told = {"a": Told([Told({"b": Told(1, None)}, Position("x", 1, 1))], None), "c": Told({"d": Told(1, None)}, None)}
    assert without_defaults(told) == {"a": Told([Told({}, Position("x", 1, 1))], None)}


def test_defaults_are_there_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.split() for line in said(["show", "shop.yaml"], capsys, defaults=True).splitlines()]
    assert ["write_stall:", "1m", "#", "default"] in lines
    assert ["head:", "16KiB", "#", "default"] in lines
    assert ["breaker:", "false", "#", "default"] in lines
    assert ["access_log:", "false", "#", "shop.yaml:7:13"] in lines


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_it_is_yaml_and_means_the_same_where_names_allow(path: Path) -> None:
    loaded = load(path, {})
    text = render(tell(loaded), Ink(False))
    shown = yaml.safe_load(text)
    assert [route["name"] for route in shown["routes"]] == [
        route["name"] for route in effective(loaded.require())["routes"]
    ]
    if path.name == "tour.yaml":
        return  # every key: also those whose default another one excludes
    for route in shown["routes"]:
        del route["name"]  # those that were made up are no names that a file could give
    named = {name for name in loaded.require().upstreams if ":" not in name}
    shown["upstreams"] = {name: wish for name, wish in shown["upstreams"].items() if name in named}
    shown.pop("tests", None)
    again = load_text(json.dumps(shown).replace("***", "0123456789abcdef"), str(path), {})
    assert [str(problem) for problem in again.errors] == []
    assert again.require().timeouts == loaded.require().timeouts
    assert [route.gates for route in again.require().routes] == [route.gates for route in loaded.require().routes]


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    plain = json.loads(said(["show", "shop.yaml", "--json"], capsys).removesuffix("exit code 0\n"))
    assert plain["timeouts"]["response_head"] == 20.0
    assert plain["upstreams"]["web"]["sticky"]["key"].startswith("*** (")
    both = json.loads(said(["show", "shop.yaml", "--json", "--origins"], capsys).removesuffix("exit code 0\n"))
    assert both["configuration"] == plain
    assert both["origins"]["timeouts.response_head"] == "shop.yaml:10:18"
    assert both["origins"]["upstreams.web.servers[0].url"] == "shop.yaml:23:15 ${WEB_1}"
    assert both["origins"]["timeouts.write_stall"] == "default"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (5.0, "s", "5s"),
        (0.0, "s", "0"),
        (16384, "B", "16KiB"),
        (True, "", "true"),
        (None, "", "null"),
        (0.5, "", "0.5"),
        ("tcp:8080", "", "tcp:8080"),
        ("/a/b", "", "/a/b"),
        ("true", "", '"true"'),
        ("12", "", '"12"'),
        ("1.5", "", '"1.5"'),
        ("a: b", "", '"a: b"'),
        ("a:", "", '"a:"'),
        ("*.x", "", '"*.x"'),
        ("# x", "", '"# x"'),
        ("", "", '""'),
        ("${A}", "", '"$${A}"'),
        ("a\nb", "", '"a\\nb"'),
        ([], "", "[]"),
        ({}, "", "{}"),
    ],
)
def test_words(value: object, unit: str, text: str) -> None:
    assert words(Told(value, None, "", unit)) == text


def test_what_is_switched_off_is_false() -> None:
    assert words(Told(None, None), "health") == "false"


def test_colors_are_in_the_comments_alone() -> None:
    text = render({"a": Told(1, Position("x", 1, 2)), "b": Told(2, None)}, Ink(True))
    assert [line.partition("#")[0].rstrip()[:4] for line in text.split("\n")] == ["a: 1", "b: 2"]
    assert "\x1b[36m# x:1:2" in text and "\x1b[2m# default" in text


def test_a_url_with_a_password_is_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("routes: [{redirect: 'https://user:hunter2@x/?token=hunter2'}]\n")
    for more in ([], ["--json"]):
        assert cli.main(["show", str(file), *more]) == 0
        text = capsys.readouterr().out
        assert "hunter2" not in text and "https://*** (" in text
