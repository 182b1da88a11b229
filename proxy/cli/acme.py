"""`acme renew`: a certificate that is ordered by ACME is replaced now, whatever the schedule says."""

from __future__ import annotations

import argparse

from proxy.cli.control import Control
from proxy.cli.live import order_lines
from proxy.cli.terminal import ink, say, say_json


def renew(arguments: argparse.Namespace) -> int:
    """Have the running proxy order a new certificate, wait for it, and print how it is then."""
    site = Control.of_file(arguments.admin, arguments.file)
    said = site.post("/acme/renew", {"name": arguments.name, "revoke": arguments.revoke or ""})
    if arguments.json:
        say_json(said)
    else:
        say("\n".join(order_lines(said["acme"], ink())))
    return 0
