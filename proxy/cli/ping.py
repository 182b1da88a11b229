"""`ping` and `version`: what containers and people ask first."""

from __future__ import annotations

import argparse
import urllib.error
import urllib.request
from importlib.metadata import version as installed_version

from proxy.cli.terminal import complain, say


def version(arguments: argparse.Namespace) -> int:
    """Print the version of this program and of Twisted."""
    say(f"reverseproxy {installed_version('twisted-reverseproxy')} (Twisted {installed_version('twisted')})")
    return 0


def ping(arguments: argparse.Namespace) -> int:
    """Ask a running proxy for a page: any answer below 500 shows that it serves."""
    # No proxy from the environment and no redirects: the question is whether this one process answers.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
    try:
        request = urllib.request.Request(arguments.url, headers={"User-Agent": "reverseproxy-ping"})
        with opener.open(request, timeout=arguments.timeout) as response:
            status = response.status
    except urllib.error.HTTPError as error:
        error.close()
        status = error.code
    except (OSError, ValueError) as error:
        complain(f"{arguments.url}: {getattr(error, 'reason', error)}")
        return 1
    say(f"{arguments.url}: {status}")
    return 0 if status < 500 else 1


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Never: a redirect is an answer."""
