"""Which route a request takes, and why: pure functions of the configuration and the request."""

from proxy.routing.entries import Route, named
from proxy.routing.lint import lint
from proxy.routing.match import canonical_host
from proxy.routing.path import normalize
from proxy.routing.table import Router, build

__all__ = ["Route", "Router", "build", "canonical_host", "lint", "named", "normalize"]
