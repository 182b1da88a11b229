"""Which deadlines and limits are in force for a request, each with where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml
from pydantic import BaseModel

from proxy.admin.origins import first_written, unit_of, written
from proxy.config import Loaded, Position
from proxy.config.bounds import Timeouts
from proxy.config.problem import Path
from proxy.config.values import ShortWish

# What of an upstream bounds a request: the key, and the keys inside it, if there are any.
_BOUNDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("connections", ()),
    ("queue", ("size", "wait")),
    ("retries", ("count", "per_try", "total", "hedge_after")),
)
_OF_REQUESTS = ("head", "line", "fields", "requests_per_connection")

#: By name: `value`, `unit` (`s`, `B` or ""), and `from`, which is FILE:LINE:COLUMN or `default`.
InForce = dict[str, dict[str, Any]]


def deadlines(loaded: Loaded, place: int, upstream: str | None) -> InForce:
    """The deadlines of the route at `place`, in seconds; 0.0 is none.

    @param upstream: where its requests go, if that is known.
    """
    config = loaded.require()
    values = config.timeouts_of(config.routes[place], upstream)
    found: InForce = {}
    for name in Timeouts.model_fields:
        paths: list[Path] = [("routes", place, "timeouts", name)]
        if upstream is not None:
            paths += [("upstreams", upstream, "timeouts", name), ("defaults", "upstream", "timeouts", name)]
        origin = first_written(loaded.tree, *paths, ("timeouts", name))
        found[name] = _one(getattr(values, name), "s", origin)
    return found


def limits(loaded: Loaded, place: int) -> InForce:
    """The limits for requests on the route at `place`; a body limit of 0 is none."""
    config = loaded.require()
    tree = loaded.tree
    found = {
        "body": _one(
            config.body_limit_of(config.routes[place]),
            "B",
            first_written(tree, ("routes", place, "limits", "body"), ("limits", "body")),
        )
    }
    for name in _OF_REQUESTS:
        unit = unit_of(type(config.limits).model_fields[name])
        found[name] = _one(getattr(config.limits, name), unit, written(tree, ("limits", name)))
    return found


def bounds(loaded: Loaded, upstream: str) -> InForce:
    """What bounds a request at an upstream: room at its servers, the queue before them, retries."""
    wish = loaded.require().upstreams[upstream]
    found: InForce = {}
    for key, inside in _BOUNDS:
        value = getattr(wish, key)
        if not inside:
            found[key] = _one(value, "", _written_setting(loaded, upstream, key))
        for name in inside:
            unit = unit_of(type(value).model_fields[name])
            origin = _written_setting(loaded, upstream, key, value, name)
            found[f"{key}.{name}"] = _one(getattr(value, name), unit, origin)
    return found


def _written_setting(
    loaded: Loaded, upstream: str, key: str, value: BaseModel | None = None, name: str = ""
) -> Position | None:
    """Where a key of an upstream, or a key inside it, is written: in the upstream, else in the defaults."""
    tree = loaded.tree
    places: Iterable[Path] = (("upstreams", upstream, key), ("defaults", "upstream", key))
    path = next((path for path in places if written(tree, path) is not None), None)
    if path is None or not name:
        return None if path is None else written(tree, path)
    inside = written(tree, (*path, name))
    short = isinstance(value, ShortWish) and name == value.shorthand and isinstance(tree.node(path), yaml.ScalarNode)
    return inside or (written(tree, path) if short else None)


def _one(value: Any, unit: str, origin: Position | None) -> dict[str, Any]:
    return {"value": value, "unit": unit, "from": str(origin) if origin is not None else "default"}

