"""What pydantic noticed becomes problems in plain words, at the place in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from proxy.config.document import PLAIN, Tree
from proxy.config.problem import Path
from proxy.config.values import shown

_YAML_1_1_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


class _Words(NamedTuple):
    code: str
    message: str
    hint: str = ""


def note_errors(tree: Tree, error: ValidationError, model: type[BaseModel]) -> None:
    """Add a problem to `tree` for each fault in `error`, which came from validating `model`."""
    faults = error.errors(include_url=False)
    misspelled = {
        (*fault["loc"][:-1], near(str(fault["loc"][-1]), keys_at(model, fault["loc"][:-1])))
        for fault in faults
        if fault["type"] == "extra_forbidden"
    }
    for fault in faults:
        if fault["type"] == "missing" and fault["loc"] in misspelled:
            continue  # one fault, not two: the key is there under a wrong name
        if fault["type"] == "too_short" and fault["input"]:
            continue  # it has items, and what is wrong with each is said there
        path = tuple(step for step in fault["loc"] if step != "[key]")
        on_key = fault["type"] == "extra_forbidden" or len(path) < len(fault["loc"])
        context = fault.get("ctx", {})
        words = _words(fault["type"], fault, path, model)
        if (inside := context.get("at", context.get("second"))) is not None:
            path += inside if isinstance(inside, tuple) else (inside,)
            on_key = "second" in context
        start, end = tree.marks(path, key=on_key)
        if start in tree.unusable:
            continue
        offset = _offset(tree.node(path), context.get("offset"))
        tree.add(words.code, words.message, start, end, words.hint, offset=offset)


def _offset(node: yaml.Node | None, offset: int | None) -> int:
    """How far into the source of `node` the fault stands, 0 where escapes or lines make that unknowable."""
    if offset is None or not isinstance(node, yaml.ScalarNode) or node.start_mark.line != node.end_mark.line:
        return 0
    width: int = node.end_mark.column - node.start_mark.column
    quotes = width - len(node.value)
    if node.tag == PLAIN:
        return offset if quotes == 0 and offset < width else 0
    return offset + 1 if quotes == 2 and offset < len(node.value) else 0


def near(word: str, words: Iterable[str]) -> str:
    """The one of `words` that `word` was probably meant to be, else ""."""
    candidates = list(words)
    found = get_close_matches(word, candidates, 1, 0.6) or get_close_matches(word.lower(), candidates, 1, 0.6)
    return found[0] if found else ""


def _words(kind: str, fault: Mapping[str, Any], path: Path, model: type[BaseModel]) -> _Words:
    context = fault.get("ctx", {})
    if "text" in context:
        return _Words(kind, context["text"], context["hint"])
    value = fault["input"]
    name = _name_of(path)
    if kind == "missing":
        return _Words("missing-key", f"the key {name} is missing")
    if kind == "extra_forbidden":
        return _unknown_key(path, model)
    if kind == "literal_error":
        return _not_among(name, value, context["expected"])
    if kind in _WANTED:
        words = _wrong_type(kind, name, value)
        keys = keys_at(model, path) if kind in _MAPPINGS and value is not None else ()
        return words._replace(hint=f"known here: {', '.join(keys)}") if keys and not words.hint else words
    if kind in _BOUNDS:
        return _Words("range", f"{name} must be {_BOUNDS[kind](context)}, not {shown(value)}")
    if kind == "too_short":
        return _Words("empty-list", f"{name} needs at least one item")
    return _Words("invalid", f"{name}: {fault['msg']}")


_BOUNDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda context: f"at least {context['ge']}",
    "less_than_equal": lambda context: f"at most {context['le']}",
}
_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


_MAPPINGS = {"model_type", "model_attributes_type"}


def _wrong_type(kind: str, name: str, value: Any) -> _Words:
    hint = ""
    if kind == "bool_type" and isinstance(value, str):
        meant = _YAML_1_1_BOOLEANS.get(value.lower()) or {"true": "true", "false": "false"}.get(value.lower())
        hint = f"write {meant}: only true and false are booleans here" if meant else ""
    elif kind == "int_type" and isinstance(value, str):
        hint = _number_hint(value)
    elif kind == "string_type" and isinstance(value, bool | int):
        hint = f"put it in quotes: '{shown(value).strip('`')}'"
    elif value is None:
        hint = "remove the key, or give it a value"
    elif kind == "tuple_type" and isinstance(value, str | dict):
        hint = "begin each item with `- `, or write [a, b]"
    return _Words("type", f"{name} must be {_WANTED[kind]}, not {shown(value)}", hint)


def _number_hint(value: str) -> str:
    if re.fullmatch(r"-?(0|[1-9][0-9]*)", value):
        # Beyond 18 digits it is text without quotes too.
        return "remove the quotes" if len(value) <= 18 else "this one is too large"
    if re.fullmatch(r"-?0[0-7]+", value):
        return f"YAML versions disagree whether that is octal: write {int(value)} or {int(value, 8)}"
    if re.fullmatch(r"0[xob][0-9A-Fa-f]+", value):
        try:
            return f"write it in decimal: {int(value, 0)}"
        except ValueError:
            return "write it in decimal"
    if re.fullmatch(r"[0-9][0-9_,']*", value):
        return f"write {re.sub('[^0-9]', '', value)}"
    return ""


def _not_among(name: str, value: Any, expected: str) -> _Words:
    choices = re.findall(r"'([^']*)'|([0-9]+)", expected)
    names = [text or number for text, number in choices]
    meant = near(str(value), names) if isinstance(value, str) else ""
    hint = f"did you mean `{meant}`?" if meant else ""
    one_of = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return _Words("choice", f"{name} must be {one_of}, not {shown(value)}", hint)


def _unknown_key(path: Path, model: type[BaseModel]) -> _Words:
    key, known = str(path[-1]), keys_at(model, path[:-1])
    meant = near(key, known)
    hint = f"did you mean `{meant}`?" if meant else f"known here: {', '.join(known)}"
    section = path[-2] if len(path) > 2 else ""
    if key in keys_at(model, (section,)):
        hint = f"only the general `{section}:` has it"
    return _Words("unknown-key", f"unknown key `{key}`", hint)


def _name_of(path: Path) -> str:
    """The value at `path` as a message calls it."""
    if not path:
        return "a configuration"
    if isinstance(path[-1], int):
        above = next((step for step in reversed(path) if isinstance(step, str)), "")
        return f"item {path[-1] + 1} of `{above}`" if above else f"item {path[-1] + 1}"
    return f"`{path[-1]}`"


def keys_at(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """The keys that the mapping at `path` may have, going down from `model`."""
    annotation: Any = model
    for step in path:
        annotation = _below(annotation, step)
    found = _model_in(annotation)
    return tuple(found.model_fields) if found else ()


def _choices(annotation: Any) -> Iterable[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _choices(get_args(annotation)[0])
    elif origin is Union or origin is UnionType:
        for option in get_args(annotation):
            yield from _choices(option)
    else:
        yield annotation


def _below(annotation: Any, step: str | int) -> Any:
    for choice in _choices(annotation):
        origin = get_origin(choice)
        if origin is tuple and isinstance(step, int):
            return get_args(choice)[0]
        if origin is dict:
            return get_args(choice)[1]
        if isinstance(choice, type) and issubclass(choice, BaseModel) and step in choice.model_fields:
            return choice.model_fields[str(step)].annotation
    return None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for choice in _choices(annotation):
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            return choice
    return None
