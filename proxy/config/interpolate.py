"""`${NAME}`, `${NAME:-default}` and `${file:/path}` in the values of a configuration; `$${` stands for `${`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import NamedTuple

from proxy import limits
from proxy.config.files import read_file
from proxy.config.veil import SECRET_VARIABLES

#: A reference, also one that is not closed, or what stands for a plain `${`.
REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Fault(NamedTuple):
    """What is wrong with one reference: number so many, from 0, of those that `REFERENCE` finds in the text."""

    code: str
    message: str
    hint: str
    number: int


class Interpolation(NamedTuple):
    """The text with every reference replaced.

    @ivar files: those that any of it came from, or should have.
    @ivar secret: whether nobody may see it.
    """

    text: str
    faults: tuple[Fault, ...]
    files: tuple[Path, ...] = ()
    secret: bool = False


def interpolate(text: str, environ: Mapping[str, str], directory: Path) -> Interpolation:
    """Replace the references in `text`.

    @param directory: what the path of a `${file:...}` is relative to.
    """
    faults: list[Fault] = []
    files: list[Path] = []
    secrets: list[bool] = []
    numbers = count()

    def value_of(match: re.Match[str]) -> str:
        number = next(numbers)
        if match.group() == "$${":
            return "${"
        inside = match.group(1)
        if not match.group(2):
            found: str | Fault = _unclosed(inside, text[match.end() : match.end() + 1])
        elif inside.startswith("file:"):
            files.append(directory / inside[5:])
            found = _from_file(files[-1])
            secrets.append(True)
        else:
            found = _from_environment(inside, environ)
            secrets.append(_is_secret(inside, environ))
        if isinstance(found, str):
            return found
        faults.append(found._replace(number=number))
        return ""

    done = REFERENCE.sub(value_of, text)
    return Interpolation(done, tuple(faults), tuple(files), any(secrets))


def _unclosed(inside: str, following: str) -> Fault:
    if following == "{" and inside.endswith("$"):
        hint = "give the whole value one name, and the default where that is set"
        return Fault("interpolation", "`${` inside `${...}`: they do not nest", hint, 0)
    if following == "{":
        hint = "set the variable where the proxy is started"
        return Fault("interpolation", "`{` inside `${...}`: braces cannot stand in there", hint, 0)
    return Fault("interpolation", "`${` without `}`", "write `$${` for a plain `${`", 0)


def _from_environment(inside: str, environ: Mapping[str, str]) -> str | Fault:
    name, separator, default = inside.partition(":-")
    if not _NAME.match(name):
        hint = "`${NAME}`, `${NAME:-default}` or `${file:/path}`; write `$${` for a plain `${`"
        return Fault("interpolation", f"`{name}` is not the name of an environment variable", hint, 0)
    value = environ.get(name)
    if separator and not value:
        return default
    if value is None:
        hint = "set it where the proxy is started"
        if SECRET_VARIABLES.match(name) is None:  # what everybody may read
            hint = f"set it, or give a default: `${{{name}:-default}}`"
        return Fault("environment", f"the environment variable `{name}` is not set", hint, 0)
    return value


def _is_secret(inside: str, environ: Mapping[str, str]) -> bool:
    """Whether a variable has a name as secrets have, and a value: a default is there for everybody to read."""
    name = inside.partition(":-")[0]
    return bool(environ.get(name)) and SECRET_VARIABLES.match(name) is not None


def _from_file(path: Path) -> str | Fault:
    data = read_file(path, limits.MIB)
    if isinstance(data, str):
        return Fault("secret-file", f"`{path}` {data}", "", 0)
    try:
        # Editors and `echo` end a file with a line end that nobody means.
        return data.decode("utf-8").rstrip("\r\n")
    except ValueError:
        return Fault("secret-file", f"`{path}` is not UTF-8 text", "", 0)
