"""The room as a whole: what it costs to import, and what it says without uvloop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.proxy import ROOT


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


def test_importing_it_imports_neither_twisted_nor_uvloop() -> None:
    done = run("import sys, proxy.reactor; print(sorted({'uvloop', 'twisted.internet'} & set(sys.modules)))")
    assert done.stdout.strip() == "[]", done.stderr


def test_installing_it_makes_it_the_reactor() -> None:
    done = run(
        "import proxy.reactor as room; room.install(); from twisted.internet import reactor;"
        "print(type(reactor).__module__, type(reactor).__name__)"
    )
    assert done.stdout.split() == ["proxy.reactor.loop", "UvloopReactor"], done.stderr


def test_it_passes_twisteds_own_tests_of_endpoints(tmp_path: Path) -> None:
    """They are no suites for any reactor (see `test_conformance`), but trial runs them on the one it is told."""
    trial = [sys.executable, "-m", "twisted.trial", "--reactor=uvloop", f"--temp-directory={tmp_path / 'trial'}"]
    done = subprocess.run(
        [*trial, "twisted.internet.test.test_endpoints"],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "PASSED" in done.stdout


def test_without_uvloop_it_says_what_to_run() -> None:
    done = run("import sys; sys.modules['uvloop'] = None; import proxy.reactor as room; room.install()")
    assert "ImportError" in done.stderr and "pip install uvloop" in done.stderr
