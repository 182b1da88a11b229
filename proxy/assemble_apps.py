"""From what a configuration names in Python, or in a directory, to what is mounted in the tree."""

from __future__ import annotations

import importlib
from typing import Any

from twisted.web.resource import IResource
from twisted.web.static import File

from proxy.config import Config
from proxy.config import routes as route_wishes

#: What is mounted for `app:`, by its name and the path on which it is mounted.
Apps = dict[tuple[str, bytes], Any]


class AssemblyError(Exception):
    """Something the configuration names is not there; `place` is where in it."""

    def __init__(self, place: tuple[str | int, ...], what: str) -> None:
        super().__init__(what)
        self.place = place


def applications(config: Config, standing: Apps | None = None) -> Apps:
    """What is mounted for `app:`: what stands already is kept, with all it knows, the rest is imported now.

    @raise AssemblyError: one of them cannot be had.
    """
    known, apps = standing or {}, Apps()
    for place, route in enumerate(config.routes):
        if route.app is not None:
            key = route.app.object, mount_point(route)
            apps[key] = known.get(key) or apps.get(key) or application(place, route.app)
    return apps


def application(place: int, wish: route_wishes.Application) -> Any:
    """The resource that `app:` of the route at `place` names.

    @raise AssemblyError: it cannot be had.
    """
    try:
        found: Any = importlib.import_module(wish.module)
        for part in wish.name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise AssemblyError(("routes", place, "app"), f"`{wish.object}` cannot be imported: {error}") from error
    if not IResource.providedBy(found) and callable(found):
        found = found()
    if not IResource.providedBy(found):
        raise AssemblyError(("routes", place, "app"), f"`{wish.object}` is not an IResource, nor does it make one")
    return found


class Files(File):
    """A directory of files whose contents are nobody's business unless named."""

    def directoryListing(self) -> Any:
        return self.childNotFound


def mount_point(route: route_wishes.Route) -> bytes:
    """The path prefix on which a resource is mounted: that of the route, if it has just one."""
    paths = route.path or ()
    prefix = paths[0].prefix if len(paths) == 1 else None
    return (prefix or "/").encode("ascii")
