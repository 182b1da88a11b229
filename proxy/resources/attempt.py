"""What comes of asking one server."""

from __future__ import annotations

from typing import NamedTuple

from proxy.message import Response
from proxy.upstream.factory import ProxyClientFactory


class Attempt(NamedTuple):
    """One answer of one server."""

    server: ProxyClientFactory
    response: Response
