"""The syntax of Twisted's server endpoint descriptions, checked without Twisted (floor 2 does not know it)."""

from __future__ import annotations

import re
from difflib import get_close_matches

from proxy.config.values import shown, wrong

# What each kind takes by position, and by keyword.
_KINDS: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {
    "tcp": (("port", "interface", "backlog"), frozenset({"port", "interface", "backlog"})),
    "tcp6": (("port", "interface", "backlog"), frozenset({"port", "interface", "backlog"})),
    "unix": (
        ("address", "mode", "backlog", "lockfile"),
        frozenset({"address", "mode", "backlog", "lockfile"}),
    ),
    "systemd": (("domain", "index"), frozenset({"domain", "index", "name"})),
}
_REQUIRED = {"tcp": "port", "tcp6": "port", "unix": "address", "systemd": "domain"}
_TLS_HINT = "write {endpoint: tcp:8443, tls: {certificates: [{cert: FILE, key: FILE}]}}"
_ELSEWHERE = {
    "ssl": ("TLS has keys of its own", _TLS_HINT),
    "tls": ("TLS has keys of its own", _TLS_HINT),
    "haproxy": ("the PROXY protocol is not there yet", ""),
}


def parse_endpoint(description: object) -> str:
    """`description`, if it is one that Twisted's `serverFromString` would understand.

    @raise PydanticCustomError: where it is not.
    """
    if isinstance(description, int) and not isinstance(description, bool):
        raise wrong("endpoint", f"{description} is not an endpoint", f"write tcp:{description}")
    if not isinstance(description, str):
        raise wrong("endpoint", f"{shown(description)} is not an endpoint", "write for example tcp:8080")
    kind, *arguments = _split(description)
    if kind in _ELSEWHERE:
        why, hint = _ELSEWHERE[kind]
        raise wrong("endpoint", f"`{kind}:` cannot be used: {why}", hint)
    if kind not in _KINDS:
        raise _unknown_kind(kind, description)
    positional, keywords = _KINDS[kind]
    given: dict[str, str] = {}
    for place, argument in enumerate(arguments):
        name, value = _argument(kind, place, argument, positional, keywords)
        if name in given:
            raise wrong("endpoint", f"`{name}` is given twice in the endpoint `{description}`")
        given[name] = value
    _check(kind, given)
    return description


def port_of(endpoint: str) -> int | None:
    """The TCP port that a valid description names; None where it names none."""
    kind, *arguments = _split(endpoint)
    if kind not in ("tcp", "tcp6"):
        return None
    named = [argument.partition("=") for argument in arguments]
    return next(int(value if equals else name) for name, equals, value in named if not equals or name == "port")


def _split(description: str) -> list[str]:
    """The parts between colons; a backslash takes the next character as it is."""
    return [re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\):", description)]


def _unknown_kind(kind: str, description: str) -> Exception:
    if re.fullmatch(r":?[0-9]+", description):
        return wrong("endpoint", f"`{description}` is not an endpoint", f"write tcp:{description.lstrip(':')}")
    near = get_close_matches(kind, _KINDS, 1)
    if match := None if near else re.fullmatch(r"(?:https?://)?([0-9A-Za-z.-]+):([0-9]+)/?", description):
        hint = f"write tcp:{match.group(2)}:interface={match.group(1)}"
        return wrong("endpoint", f"`{description}` is not an endpoint", hint)
    if description.startswith("/"):
        return wrong("endpoint", f"`{description}` is not an endpoint", f"write unix:{description}")
    hint = f"did you mean `{near[0]}:`?" if near else "it begins with tcp:, tcp6:, unix: or systemd:"
    return wrong("endpoint", f"`{kind}:` is not a kind of endpoint", hint)


def _argument(
    kind: str, place: int, argument: str, positional: tuple[str, ...], keywords: frozenset[str]
) -> tuple[str, str]:
    name, equals, value = argument.partition("=")
    if equals:
        if name not in keywords:
            near = get_close_matches(name, keywords, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"{kind}: takes {', '.join(sorted(keywords))}"
            raise wrong("endpoint", f"`{kind}:` does not take `{name}`", hint)
        return name, value
    if place >= len(positional):
        raise wrong("endpoint", f"`{kind}:` takes at most {len(positional)} arguments")
    return positional[place], argument


def _check(kind: str, given: dict[str, str]) -> None:
    required = _REQUIRED[kind]
    if not given.get(required):
        example = {"tcp": "tcp:8080", "tcp6": "tcp6:8080", "unix": "unix:/run/proxy.sock", "systemd": "systemd:INET:0"}
        raise wrong("endpoint", f"`{kind}:` needs a {required}", f"write for example {example[kind]}")
    if kind in ("tcp", "tcp6") and not (given["port"].isascii() and given["port"].isdigit()):
        raise wrong("endpoint", f"`{given['port']}` is not a port", "a port is a number from 0 to 65535")
    if kind in ("tcp", "tcp6") and int(given["port"]) > 65535:
        raise wrong("endpoint", f"{given['port']} is not a port", "a port is a number from 0 to 65535")
    if "backlog" in given and not given["backlog"].isdigit():
        raise wrong("endpoint", f"`{given['backlog']}` is not a number of waiting connections")
    if "mode" in given and not re.fullmatch("[0-7]{3,4}", given["mode"]):
        raise wrong("endpoint", f"`{given['mode']}` is not a file mode", "three or four octal digits, such as 660")
    if kind == "systemd":
        if given["domain"] not in ("INET", "INET6", "UNIX"):
            raise wrong("endpoint", f"`{given['domain']}` is not a socket domain", "INET, INET6 or UNIX")
        if ("index" in given) == ("name" in given):
            raise wrong("endpoint", "`systemd:` needs an index or a name", "write for example systemd:INET:name=web")
