"""The JSON Schema says what the program takes, and the one in the repository is up to date."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from proxy.config import schema
from proxy.config.document import Tree, scalar_value
from proxy.config.model import Config
from proxy.config.translate import keys_at

CONFIG = Path(__file__).parents[2] / "config"
SAMPLES = sorted(CONFIG.glob("*.yaml"))
GOOD = sorted((Path(__file__).parent / "golden").glob("lint_*.yaml"))


def test_the_file_is_in_step() -> None:
    # When this fails: reverseproxy schema > config/schema.json
    assert (CONFIG / "schema.json").read_text() == schema.text() + "\n"


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for item in node:
            yield from nodes(item)


def test_nothing_is_null_and_no_key_is_free() -> None:
    for node in nodes(schema.build()):
        assert node.get("type") != "null"
        if node.get("type") == "object" and "properties" in node:
            assert node["additionalProperties"] is False


def test_references_lead_somewhere() -> None:
    built = schema.build()
    for node in nodes(built):
        if "$ref" in node:
            assert node["$ref"].removeprefix("#/$defs/") in built["$defs"]


def test_defaults_are_written_as_people_write_them() -> None:
    definitions = schema.build()["$defs"]
    assert definitions["Timeouts"]["properties"]["connect"]["default"] == "5s"
    assert definitions["Limits"]["properties"]["head"]["default"] == "16KiB"
    assert definitions["Limits"]["properties"]["body"]["default"] == "10MiB"
    assert definitions["Limits"]["properties"]["fields"]["default"] == 100


def test_the_defaults_are_what_the_program_takes_for_itself() -> None:
    for name in ("Timeouts", "Limits"):
        written = {key: value["default"] for key, value in schema.build()["$defs"][name]["properties"].items()}
        field = {"Timeouts": "timeouts", "Limits": "limits"}[name]
        default = Config.model_validate({"routes": []})
        assert getattr(Config.model_validate({"routes": [], field: written}), field) == getattr(default, field)


def used_keys(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*path, key)
            yield from used_keys(value, (*path, key))
    elif isinstance(node, list):
        for place, item in enumerate(node):
            yield from used_keys(item, (*path, place))


def models(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = {model}
    for one in list(model.__subclasses__()):
        found |= models(one)
    return found


def test_the_tour_shows_every_key() -> None:
    tour = yaml.safe_load((CONFIG / "tour.yaml").read_text())
    shown: dict[tuple[str, ...], set[str]] = {}
    for path in used_keys(tour):
        known = keys_at(Config, path[:-1])
        shown.setdefault(known, set()).add(str(path[-1]))
    for known, keys in shown.items():
        # A short form stands for one key; `use` and `name` of these have no other reason to be written in full.
        missing = set(known) - keys - {"use", "name", "prefix", "servers", "algorithm"}
        if "url" in known or {"issuer", "san"} & set(known) or known[:1] == ("connect",):
            missing = set()  # shown in the comments beside the short form
        assert not missing, (known, missing)


@pytest.mark.parametrize("name", ["routes.yaml", "tour.yaml", "production.yaml"])
def test_the_samples_name_the_schema_or_need_none(name: str) -> None:
    text = (CONFIG / name).read_text()
    assert "$schema=schema.json" in text or name == "routes.yaml"


def faults(text: str) -> list[str]:
    """What an editor that knows the schema in the repository says about `text`."""
    tree = Tree()
    root = tree.compose(text, "x.yaml")
    assert root is not None
    data = tree.plain(root, lambda node: scalar_value(node, node.value))
    validator = jsonschema.Draft202012Validator(json.loads((CONFIG / "schema.json").read_text()))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(data)]


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.build())


@pytest.mark.parametrize("path", SAMPLES + GOOD, ids=lambda path: path.name)
def test_what_the_program_takes_it_takes(path: Path) -> None:
    assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "routes: [{hots: a, respond: 204}]",
        "listen: tcp:8080",
        "routes: {}",
        "routes: [{respond: 204, priority: high}]",
        "routes: [{respond: 99}]",
        "routes: []\ntimeouts: {connect: 5}",
        "routes: []\nlimits: {head: 16Kb}",
        "routes: []\nupstreams: {a: {}}",
        "routes: []\nupstreams: {a: {servers: http://a, balance: fairest}}",
        "routes: [{upstream: a, gates: [{strip: /a}]}]",
    ],
)
def test_what_the_program_refuses_it_refuses(text: str) -> None:
    assert faults(text) != []
