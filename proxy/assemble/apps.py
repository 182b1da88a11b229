"""From what a configuration names in Python, or in a directory, to what is mounted in the tree."""

from __future__ import annotations

import importlib
from typing import Any

from twisted.web.resource import IResource
from twisted.web.static import File

from proxy.config import Config, Loaded, Problem
from proxy.config import routes as route_wishes

#: What is mounted for `app:`, by its name and the path on which it is mounted.
Apps = dict[tuple[str, bytes], Any]


class AssemblyError(Exception):
    """Something the configuration names is not there; `place` is where in it."""

    def __init__(self, place: tuple[str | int, ...], what: str) -> None:
        super().__init__(what)
        self.place = place

    def problem(self, loaded: Loaded) -> Problem:
        """The same with file, line and column: one code for it, whoever finds it out."""
        return loaded.problem_at(self.place, "missing", str(self), error=True)


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
    found = imported(place, wish)
    if not IResource.providedBy(found):
        found = found()
    if not IResource.providedBy(found):
        raise _no_resource(place, wish)
    return found


def imported(place: int, wish: route_wishes.Application) -> Any:
    """What `app:` of the route at `place` names: a resource, or what is to be called for one. Its module is run.

    @raise AssemblyError: it cannot be imported, or is neither.
    """
    try:
        found: Any = importlib.import_module(wish.module)
        for part in wish.name.split("."):
            found = getattr(found, part)
    except Exception as error:  # a module may fail with anything while it is run
        name = "" if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: "
        raise AssemblyError(("routes", place, "app"), f"`{wish.object}` cannot be imported: {name}{error}") from error
    if not IResource.providedBy(found) and not callable(found):
        raise _no_resource(place, wish)
    return found


def _no_resource(place: int, wish: route_wishes.Application) -> AssemblyError:
    return AssemblyError(("routes", place, "app"), f"`{wish.object}` is not an IResource, nor does it make one")


class Files(File):
    """A directory of regular files. Pipes and devices are not there for clients: whoever opens a pipe to which nobody
    writes waits for ever, and the whole proxy with them."""

    def render_GET(self, request: Any) -> Any:
        self.restat(False)
        if self.exists() and not (self.isfile() or self.isdir()):
            return self.childNotFound.render(request)
        return super().render_GET(request)

    render_HEAD = render_GET


class UnlistedFiles(Files):
    """One whose contents are nobody's business unless named."""

    def directoryListing(self) -> Any:
        return self.childNotFound


def mount_point(route: route_wishes.Route) -> bytes:
    """The path prefix on which a resource is mounted: that of the route, if it has just one."""
    paths = route.path or ()
    prefix = paths[0].prefix if len(paths) == 1 else None
    return (prefix or "/").encode("ascii")
