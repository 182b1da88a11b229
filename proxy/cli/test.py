"""`test`: the route tests of a configuration, each with what was expected and what came of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from proxy.cli.reading import read
from proxy.cli.terminal import Ink, ink, say, say_json

if TYPE_CHECKING:
    from proxy.config import Loaded
    from proxy.config.expectations import RouteTest
    from proxy.explain.rehearse import Failure


def test(arguments: argparse.Namespace) -> int:
    """Run the route tests of a configuration file."""
    from proxy.config.veil import Veil
    from proxy.explain.rehearse import failures
    from proxy.routing import build

    loaded = read(arguments.file)
    config = loaded.require()
    unmet = failures(loaded, build(config.routes, loaded.position))
    found = [(place, one, faults) for place, (one, faults) in enumerate(zip(config.tests, unmet, strict=True))]
    failed = sum(bool(faults) for _, _, faults in found)
    veil = Veil(loaded.secrets)
    if arguments.json:
        say_json(veil.through([_as_json(loaded, *one) for one in found]))
        return 1 if failed else 0
    colors = ink()
    for place, one, faults in found:
        say(veil.within(_text(loaded, place, one, faults, colors)))
    say(f"{arguments.file}: {_count(len(found), 'test')}, {failed or 'none'} failed")
    return 1 if failed else 0


def _text(loaded: Loaded, place: int, test: RouteTest, faults: tuple[Failure, ...], colors: Ink) -> str:
    mark = colors("fail", "red", "bold") if faults else colors("ok  ", "green")
    lines = [f"{mark} {request_words(test)}"]
    for fault in faults:
        position = loaded.position(("tests", place, fault.key))
        lines += [
            f"       {colors(str(position), 'dim')}: {fault.key}",
            colors(f"       - expected {fault.expected}", "red"),
            colors(f"       + got      {fault.got}", "green"),
        ]
    return "\n".join(lines)


def _as_json(loaded: Loaded, place: int, test: RouteTest, faults: tuple[Failure, ...]) -> dict[str, Any]:
    return {
        "request": request_words(test),
        "position": str(loaded.position(("tests", place))),
        "passed": not faults,
        "failures": [
            {**fault._asdict(), "position": str(loaded.position(("tests", place, fault.key)))} for fault in faults
        ],
    }


def request_words(test: RouteTest) -> str:
    """The request of a test, as it is written; values of fields that are nobody's business are masked."""
    from proxy.config.veil import Veil

    line, veil = test.request.line, Veil()
    words = [line.method.decode(), line.url]
    for name, values in test.request.headers.items():
        shown = [veil.over(value.decode("utf-8", "replace"), veil.covers(name, "")) for value in values]
        words += [f"-H '{name.decode()}: {value}'" for value in shown]
    if test.request.client != "127.0.0.1":
        words.append(f"--from {test.request.client}")
    return " ".join(words)


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
