"""
The house rules that a machine can check. Each failure lists every place as FILE:LINE.

What goes wrong here is fixed in the code; a limit or a list below changes only with its reason beside it.
"""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from re import _parser as sre_parser  # type: ignore[attr-defined]
from types import ModuleType

import pytest

from proxy.config import load
from tests.support.proxy import ROOT, console_script

PROXY = ROOT / "proxy"

_ONE_CHARACTER = (sre_parser.IN, sre_parser.LITERAL, sre_parser.NOT_LITERAL, sre_parser.ANY)

MODULE_LINES = 400
FUNCTION_LINES = 70
# A method that the reactor calls translates and delegates; what it decides belongs into a function of ours.
DOOR_LINES = 20

# Floors 0 to 4: they decide and never act.
PURE = (
    *("errors", "limits", "message", "observe", "config", "wire"),
    *("routing", "balance", "health", "policy"),
)
IMPURE_IMPORTS = frozenset(("asyncio", "logging", "socket", "threading", "time", "twisted", "uvloop"))
CLOCKS = frozenset(("now", "utcnow", "today", "monotonic", "perf_counter", "sleep"))

BANNED = frozenset(("component", "engine", "handler", "helper", "manager", "processor", "util"))
# Names that Twisted or the standard library gave; ours only override or pass them.
GIVEN_NAMES = {
    "installSignalHandlers": "an argument that Twisted's reactors pass on, in ReactorBase.startRunning",
}

TOP_LEVEL = frozenset(
    (
        *("pyproject.toml", "requirements.lock", "proxy", "config", "tests", "twisted", "Dockerfile"),
        *("README.md", "LICENSE", "CHANGELOG.md", "Makefile", "docs", "compose.yaml"),
    )
)

# In pieces, so that this file does not hold what it looks for.
REGISTRIES = tuple(
    ".".join(words)
    for words in (
        *(("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("deb", "debian", "org")),
        *(("security", "debian", "org"), ("docker", "io"), ("quay", "io"), ("ghcr", "io")),
    )
)


@cache
def modules() -> tuple[Path, ...]:
    return tuple(sorted(path for path in PROXY.rglob("*.py") if "__pycache__" not in path.parts))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), str(path))


def room(path: Path) -> str:
    """`wire` for proxy/wire/reader.py, `errors` for proxy/errors.py."""
    return path.relative_to(PROXY).with_suffix("").parts[0]


def pure_modules() -> list[Path]:
    return [path for path in modules() if room(path) in PURE]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def is_door(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a method is named in Twisted's way: `dataReceived`, `connectionLost`."""
    return re.match(r"[a-z]+[A-Z]", function.name) is not None


def at(path: Path, node: ast.AST | None, what: str) -> str:
    line = f":{getattr(node, 'lineno', 1)}" if node is not None else ""
    return f"{path.relative_to(ROOT)}{line}: {what}"


def none_of(offences: Iterable[str]) -> None:
    found = list(offences)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@cache
def tracked() -> tuple[Path, ...]:
    """Every file of the repository, or of the unpacked archive where there is no repository."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode == 0:
        paths = (ROOT / name.decode() for name in done.stdout.split(b"\0") if name)
    else:
        paths = (path for path in ROOT.rglob("*") if not {".venv", "__pycache__"} & set(path.parts))
    return tuple(path for path in paths if path.is_file())


# --- floors -----------------------------------------------------------------------------------------------------


def test_imports_only_go_down() -> None:
    done = subprocess.run([console_script("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pure_floors_import_no_clock_no_log_and_no_network() -> None:
    def offences() -> Iterator[str]:
        for path in pure_modules():
            for node in ast.walk(tree(path)):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module]
                for name in names:
                    if name.split(".")[0] in IMPURE_IMPORTS:
                        yield at(path, node, f"imports {name}")

    none_of(offences())


def test_the_pure_floors_are_told_the_time() -> None:
    def offences() -> Iterator[str]:
        for path in pure_modules():
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
                    yield at(path, node, f"calls {ast.unparse(node.func)}")

    none_of(offences())


def test_only_the_floors_that_meet_the_reactor_have_its_methods() -> None:
    none_of(
        at(path, function, f"{function.name} is named like a method that the reactor calls")
        for path in pure_modules()
        for function in functions(path)
        if is_door(function)
    )


# --- sizes ------------------------------------------------------------------------------------------------------


def test_modules_are_short() -> None:
    def offences() -> Iterator[str]:
        for path in modules():
            lines = len(path.read_text().splitlines())
            if lines > MODULE_LINES:
                yield at(path, None, f"{lines} lines, more than {MODULE_LINES}")

    none_of(offences())


def test_functions_fit_a_screen() -> None:
    def offences() -> Iterator[str]:
        for path in modules():
            for function in functions(path):
                lines = (function.end_lineno or function.lineno) - function.lineno + 1
                if lines > FUNCTION_LINES:
                    yield at(path, function, f"{function.name} has {lines} lines, more than {FUNCTION_LINES}")

    none_of(offences())


def test_doors_only_translate_and_delegate() -> None:
    def offences() -> Iterator[str]:
        for path in modules():
            for function in filter(is_door, functions(path)):
                first, last = function.body[0], function.body[-1]
                if ast.get_docstring(function) is not None and first is not last:
                    first = function.body[1]
                lines = (last.end_lineno or last.lineno) - first.lineno + 1
                if lines > DOOR_LINES:
                    yield at(path, function, f"{function.name} has {lines} lines, more than {DOOR_LINES}")

    none_of(offences())


# --- names ------------------------------------------------------------------------------------------------------


def words_of(name: str) -> set[str]:
    """The words of snake_case or camelCase, in the singular."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {part.lower().removesuffix("s") for part in parts}


def names_made(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Every name that a module gives to something: modules, classes, functions, arguments, variables, attributes."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node, name
            case ast.alias(asname=str(name)):
                yield node, name


def test_no_name_is_one_of_those_that_say_nothing() -> None:
    def offences() -> Iterator[str]:
        for path in modules():
            if words_of(path.stem) & BANNED:
                yield at(path, None, "the file's name")
            for node, name in names_made(path):
                if words_of(name) & BANNED and name not in GIVEN_NAMES:
                    yield at(path, node, name)

    none_of(offences())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("PoolManager", {"pool", "manager"}),
        ("http_utils", {"http", "util"}),
        ("getURLHandlers", {"get", "url", "handler"}),
    ],
)
def test_names_are_taken_apart(name: str, words: set[str]) -> None:
    assert words_of(name) == words


# --- tests ------------------------------------------------------------------------------------------------------


def has_code(path: Path) -> bool:
    """Whether a module does more than say what is in it: a docstring, imports and `__all__` are not code."""

    def is_saying(node: ast.stmt) -> bool:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                return True
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                return True
        return False

    return not all(map(is_saying, tree(path).body))


def test_no_expression_repeats_a_group_possessively() -> None:
    """Before Python 3.11.5 such an expression matches what it should not (Debian 12 has 3.11.2)."""
    found = [
        f"{module.__name__}.{name}"
        for module in map(_imported, modules())
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern) and _repeats_a_group_possessively(value)
    ]
    assert not found, found


def _imported(path: Path) -> ModuleType:
    return importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def _repeats_a_group_possessively(expression: re.Pattern[str] | re.Pattern[bytes]) -> bool:
    items = list(sre_parser.parse(expression.pattern, expression.flags & ~re.LOCALE))
    while items:
        operation, rest = items.pop()
        if operation is sre_parser.ATOMIC_GROUP:
            return True
        if operation is sre_parser.POSSESSIVE_REPEAT and (len(rest[2]) > 1 or rest[2][0][0] not in _ONE_CHARACTER):
            return True
        items += [item for part in _flat(rest) if isinstance(part, sre_parser.SubPattern) for item in part]
    return False


def _flat(value: object) -> Iterator[object]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def test_every_module_has_its_tests() -> None:
    def offences() -> Iterator[str]:
        for path in modules():
            place = path.relative_to(PROXY)
            name = place.parent.name if path.stem == "__init__" else path.stem
            expected = ROOT / "tests" / place.parent / f"test_{name.strip('_')}.py"
            if has_code(path) and not expected.exists():
                yield at(path, None, f"has no {expected.relative_to(ROOT)}")

    none_of(offences())


# --- what ships -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_the_sample_configurations_load(path: Path) -> None:
    assert not load(path, {}).problems


def test_the_drop_in_only_names_the_command_and_the_reactor() -> None:
    plugins = ROOT / "twisted" / "plugins"
    [drop_in] = plugins.glob("*.py")
    for node in tree(drop_in).body:
        if isinstance(node, ast.ImportFrom):
            assert node.module in ("twisted.application.service", "twisted.application.reactors")
            continue
        assert isinstance(node, ast.Assign), ast.unparse(node)
        assert isinstance(node.value, ast.Call), ast.unparse(node)
        assert ast.unparse(node.value.func) in ("ServiceMaker", "Reactor")
        assert all(isinstance(argument, ast.Constant) for argument in node.value.args), ast.unparse(node)


def test_the_folders_of_the_drop_in_stay_parts_of_twisted() -> None:
    # With an `__init__.py` Twisted would take them for another package of its own name, and skip them.
    assert not list((ROOT / "twisted").rglob("__init__.py"))


def test_importing_the_program_starts_nothing() -> None:
    # The reactor is chosen by twistd's options: whatever is imported before must not choose one.
    check = "import sys, proxy.tap; sys.exit('twisted.internet.reactor' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or "importing proxy.tap installed a reactor"


def test_the_top_level_is_closed() -> None:
    entries = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {entry for entry in entries if not entry.startswith(".")} <= TOP_LEVEL


def test_no_file_names_a_registry() -> None:
    def offences() -> Iterator[str]:
        for path in tracked():
            text = path.read_text("utf-8", "replace")
            for host in REGISTRIES:
                if host in text:
                    yield at(path, None, f"names {host}")

    none_of(offences())
